//! Where to connect to, as whom, and how sure of it.

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::server::Server;
use milink_core::secret::Secret;

/// Where an instance is and how it is spoken to.
///
/// It is never serialized: what is kept in files refers to secrets and does not hold them.
#[derive(Debug, Clone)]
pub struct Target {
    /// The instance.
    pub server: Server,
    /// As whom.
    pub authentication: Authentication,
    /// The database to begin in; the login's own default if there is none.
    pub database: Option<String>,
    /// How the connection is encrypted.
    pub encrypt: Encrypt,
    /// Whoever signed the server's certificate is trusted. [`Encrypt::Strict`] does not honour it.
    pub trust: bool,
    /// The name that the certificate must bear, when it is not the host's.
    pub host_name_in_certificate: Option<String>,
    /// The very certificate that the server must have: a file, PEM or DER.
    pub server_certificate: Option<PathBuf>,
    /// How long it may take until a connection is logged in.
    pub connect_timeout: Duration,
    /// How long a request may take, unless it says so itself.
    pub query_timeout: Duration,
    /// What `sys.dm_exec_sessions` shows as the program.
    pub application_name: String,
    /// What a readable secondary is to be chosen for.
    pub application_intent: ApplicationIntent,
    /// The service principal name for [`Authentication::Integrated`]; made from the host and port if there is none.
    pub server_spn: Option<String>,
}

/// As whom.
#[derive(Debug, Clone, Default)]
pub enum Authentication {
    /// Nobody has said yet. There is no connecting with it.
    #[default]
    Unset,
    /// A SQL Server login.
    SqlPassword {
        /// Its name.
        user: String,
        /// Its password.
        password: Secret,
    },
    /// A token of Microsoft Entra, fetched for each new connection.
    Token(Arc<dyn TokenSource>),
    /// A method of Microsoft Entra that a connection string named. Whoever has the credentials turns it
    /// into a [`Authentication::Token`]; there is no connecting with it as it is.
    Entra(Entra),
    /// Kerberos (SSPI on Windows), as the user who runs this process.
    Integrated,
}

/// What a connection string asks of Microsoft Entra.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entra {
    /// How.
    pub method: EntraMethod,
    /// The user, the client's id or the managed identity's id, as the method wants it.
    pub user: Option<String>,
    /// The password or the client's secret.
    pub password: Option<Secret>,
}

/// The methods of Microsoft Entra by the names that go-sqlcmd and ADO.NET give them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "each says in its name what it is, and these are the field's names")]
pub enum EntraMethod {
    Default,
    Integrated,
    Password,
    Interactive,
    ManagedIdentity,
    ServicePrincipal,
    WorkloadIdentity,
    DeviceCodeFlow,
    AzCli,
    AzureDeveloperCli,
    Environment,
}

impl EntraMethod {
    pub(crate) const NAMES: [(&'static str, EntraMethod); 13] = [
        ("ActiveDirectoryDefault", EntraMethod::Default),
        ("ActiveDirectoryIntegrated", EntraMethod::Integrated),
        ("ActiveDirectoryPassword", EntraMethod::Password),
        ("ActiveDirectoryInteractive", EntraMethod::Interactive),
        ("ActiveDirectoryManagedIdentity", EntraMethod::ManagedIdentity),
        ("ActiveDirectoryMSI", EntraMethod::ManagedIdentity),
        ("ActiveDirectoryServicePrincipal", EntraMethod::ServicePrincipal),
        ("ActiveDirectoryWorkloadIdentity", EntraMethod::WorkloadIdentity),
        ("ActiveDirectoryDeviceCodeFlow", EntraMethod::DeviceCodeFlow),
        ("ActiveDirectoryDeviceCode", EntraMethod::DeviceCodeFlow),
        ("ActiveDirectoryAzCli", EntraMethod::AzCli),
        ("ActiveDirectoryAzureDeveloperCli", EntraMethod::AzureDeveloperCli),
        ("ActiveDirectoryEnvironment", EntraMethod::Environment),
    ];

    /// The method of this name; ADO.NET also writes it with blanks, as "Active Directory Default".
    pub fn named(name: &str) -> Option<EntraMethod> {
        let name: String = name.split_whitespace().collect();
        EntraMethod::NAMES
            .iter()
            .find(|(known, _)| name.eq_ignore_ascii_case(known))
            .map(|(_, method)| *method)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        EntraMethod::NAMES
            .iter()
            .find(|(_, method)| *method == self)
            .map_or("ActiveDirectory", |(name, _)| name)
    }
}

/// Where tokens come from: Azure's credentials plug in here, and their audience
/// (`https://database.windows.net/` in the public cloud) is their business.
pub trait TokenSource: Send + Sync + std::fmt::Debug {
    /// A token that is good now.
    ///
    /// # Errors
    /// None can be had; the text says why and what to do.
    fn token(&self) -> Pin<Box<dyn Future<Output = Result<Secret, String>> + Send + '_>>;
}

/// How the connection is encrypted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Encrypt {
    /// The login always; the rest if the server insists.
    Optional,
    /// All of it, agreed on inside of TDS.
    #[default]
    Mandatory,
    /// TLS before anything else (TDS 8.0), and no trust without proof.
    Strict,
}

/// What the connection is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ApplicationIntent {
    /// Reading and writing.
    #[default]
    ReadWrite,
    /// Reading only; a listener may route it to a readable secondary.
    ReadOnly,
}

impl Target {
    /// A server, and everything else as it is by default: encrypted, verified, and nobody to log in as yet.
    pub fn new(server: Server) -> Target {
        Target {
            server,
            authentication: Authentication::Unset,
            database: None,
            encrypt: Encrypt::default(),
            trust: false,
            host_name_in_certificate: None,
            server_certificate: None,
            connect_timeout: Duration::from_secs(15),
            query_timeout: Duration::from_secs(30),
            application_name: "milink".to_owned(),
            application_intent: ApplicationIntent::default(),
            server_spn: None,
        }
    }

    /// Reads a server's name as sqlcmd's `-S` takes it: `[tcp:]host[\inst][,port]`, `(local)`, `.`, `[IPv6]`.
    ///
    /// # Errors
    /// It is none, or asks for what is not supported.
    pub fn parse_server(text: &str) -> Result<Server, TargetError> {
        Server::parse(text)
    }

    /// Reads an ADO.NET connection string.
    ///
    /// # Errors
    /// It is malformed, or a keyword in it is unknown, not supported, or has a value that it cannot have.
    pub fn from_connection_string(text: &str) -> Result<Target, TargetError> {
        crate::connection_string::target(text)
    }
}

/// Why a server's name or a connection string is refused. It never holds a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetError(String);

impl TargetError {
    pub(crate) fn new(why: String) -> TargetError {
        TargetError(why)
    }
}

impl std::fmt::Display for TargetError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TargetError {}
