//! The flags that say where both sides and Azure are: sqlcmd's and az's own.
//!
//! What may be a secret, or be mistaken for the place of one, is parsed later too: clap quotes what it refuses.
//! The variables that stand for them are read later, and not by clap: what comes from where decides what goes first.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use milink_sql::Secret;
use serde::{Deserialize, Serialize};

use super::azure::{AzureMethod, CloudName};
use super::side::Method;

/// Where everything is. Flags go before the environment, and the environment before the context.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ConnectArguments {
    /// The context to take from: see `milink context` [env: MILINK_CONTEXT].
    #[arg(long, value_name = "NAME", help_heading = "Connection")]
    pub(crate) context: Option<String>,
    #[command(flatten)]
    pub(crate) sql_server: SqlServerArguments,
    #[command(flatten)]
    pub(crate) managed: ManagedArguments,
    #[command(flatten)]
    pub(crate) azure: AzureArguments,
}

/// Sqlcmd's `-N`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum EncryptWord {
    /// All is encrypted, agreed on inside of TDS.
    #[value(alias = "m", alias = "true")]
    Mandatory,
    /// TLS before anything else (TDS 8.0).
    #[value(alias = "s")]
    Strict,
    /// The login only, unless the server insists.
    #[value(alias = "o", alias = "false")]
    Optional,
}

impl From<EncryptWord> for milink_sql::Encrypt {
    fn from(word: EncryptWord) -> milink_sql::Encrypt {
        match word {
            EncryptWord::Mandatory => milink_sql::Encrypt::Mandatory,
            EncryptWord::Strict => milink_sql::Encrypt::Strict,
            EncryptWord::Optional => milink_sql::Encrypt::Optional,
        }
    }
}

/// SQL Server's side, with sqlcmd's flags.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "SQL Server (sqlcmd's flags)")]
pub(crate) struct SqlServerArguments {
    /// Its address: [tcp:]host[\instance][,port] [env: SQLCMDSERVER].
    #[arg(short = 'S', long = "server", value_name = "SERVER")]
    pub(crate) server: Option<String>,
    /// The login [env: SQLCMDUSER].
    #[arg(short = 'U', long = "user-name", value_name = "LOGIN")]
    pub(crate) user: Option<String>,
    /// Its password. Better in SQLCMDPASSWORD or with --password-from: a list of processes shows arguments.
    #[arg(short = 'P', value_name = "PASSWORD", conflicts_with = "password_from")]
    pub(crate) password: Option<Secret>,
    /// Where its password is: env:NAME, file:PATH or keyring:SERVICE/USER.
    #[arg(long, value_name = "REFERENCE")]
    pub(crate) password_from: Option<Secret>,
    /// Sign in as who runs this (Kerberos).
    #[arg(short = 'E', long = "use-trusted-connection", conflicts_with_all = ["user", "entra", "method"])]
    pub(crate) integrated: bool,
    /// Sign in with Microsoft Entra.
    #[arg(short = 'G', long = "use-aad", conflicts_with = "method")]
    pub(crate) entra: bool,
    /// How to sign in: SqlPassword, ActiveDirectoryDefault, ActiveDirectoryManagedIdentity, ActiveDirectoryAzCli, ...
    #[arg(long = "authentication-method", value_name = "METHOD")]
    pub(crate) method: Option<Method>,
    /// Trust the server's certificate, whoever signed it (not with -N strict).
    #[arg(short = 'C', long = "trust-server-certificate")]
    pub(crate) trust: bool,
    /// The very certificate that the server must have: a file, PEM or DER [env: MILINK_SERVER_CERTIFICATE].
    #[arg(short = 'J', long, value_name = "FILE", conflicts_with_all = ["trust", "host_name_in_certificate"])]
    pub(crate) server_certificate: Option<PathBuf>,
    /// Encryption: m(andatory), s(trict) or o(ptional) [default: mandatory].
    #[arg(
        short = 'N',
        long = "encrypt-connection",
        value_enum,
        hide_possible_values = true,
        num_args = 0..=1,
        default_missing_value = "mandatory",
        value_name = "HOW"
    )]
    pub(crate) encrypt: Option<EncryptWord>,
    /// The name that the server's certificate must bear, if it is not the host's.
    #[arg(short = 'F', long, value_name = "NAME")]
    pub(crate) host_name_in_certificate: Option<String>,
    /// Seconds to wait for a connection [env: SQLCMDLOGINTIMEOUT].
    #[arg(short = 'l', long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub(crate) login_timeout: Option<u32>,
    /// The database to connect to; the login's own if none is said [env: SQLCMDDBNAME].
    #[arg(short = 'd', long, value_name = "DATABASE")]
    pub(crate) database_name: Option<String>,
    /// All of that as an ADO.NET connection string [env: MILINK_CONNECTION_STRING].
    #[arg(long, value_name = "STRING")]
    pub(crate) connection_string: Option<Secret>,
    /// SQL Server's endpoint as the managed instance reaches it: TCP://host:port [env: MILINK_SQLSERVER_ENDPOINT].
    #[arg(long, value_name = "URL")]
    pub(crate) partner_endpoint: Option<String>,
}

/// The managed instance's side, over TDS.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Managed instance")]
pub(crate) struct ManagedArguments {
    /// Its address; without it, Azure is asked for it [env: MILINK_MANAGED_SERVER].
    #[arg(long, value_name = "SERVER")]
    pub(crate) managed_server: Option<String>,
    /// The login [env: MILINK_MANAGED_USER; its password: MILINK_MANAGED_PASSWORD].
    #[arg(long, value_name = "LOGIN")]
    pub(crate) managed_user: Option<String>,
    /// Where its password is: env:NAME, file:PATH or keyring:SERVICE/USER.
    #[arg(long, value_name = "REFERENCE")]
    pub(crate) managed_password_from: Option<Secret>,
    /// How to sign in, as --authentication-method [env: MILINK_MANAGED_AUTHENTICATION].
    #[arg(long, value_name = "METHOD")]
    pub(crate) managed_authentication: Option<Method>,
    /// Trust its certificate, whoever signed it.
    #[arg(long)]
    pub(crate) managed_trust_server_certificate: bool,
    /// The very certificate that it must have: a file [env: MILINK_MANAGED_SERVER_CERTIFICATE].
    #[arg(long, value_name = "FILE", conflicts_with_all = ["managed_trust_server_certificate", "managed_host_name_in_certificate"])]
    pub(crate) managed_server_certificate: Option<PathBuf>,
    /// The name that its certificate must bear, if it is not the host's.
    #[arg(long, value_name = "NAME")]
    pub(crate) managed_host_name_in_certificate: Option<String>,
    /// Reach it by its public endpoint (port 3342), where Azure is asked for its address.
    #[arg(long)]
    pub(crate) managed_public_endpoint: bool,
    /// All of that as an ADO.NET connection string [env: MILINK_MANAGED_CONNECTION_STRING].
    #[arg(long, value_name = "STRING")]
    pub(crate) managed_connection_string: Option<Secret>,
    /// Its endpoint as SQL Server reaches it: TCP://host:port [env: MILINK_MANAGED_ENDPOINT].
    #[arg(long, value_name = "URL")]
    pub(crate) managed_endpoint: Option<String>,
}

/// Azure's side, with az's flags.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Azure (az's flags)")]
pub(crate) struct AzureArguments {
    /// The subscription, by name or id [env: AZURE_SUBSCRIPTION_ID].
    #[arg(long, value_name = "NAME OR ID")]
    pub(crate) subscription: Option<String>,
    /// The resource group [env: MILINK_RESOURCE_GROUP].
    #[arg(short = 'g', long, value_name = "NAME")]
    pub(crate) resource_group: Option<String>,
    /// The managed instance's name [env: MILINK_INSTANCE_NAME].
    #[arg(long, value_name = "NAME")]
    pub(crate) instance_name: Option<String>,
    /// The managed instance's resource id, in place of the three before it [env: MILINK_INSTANCE_ID].
    #[arg(long, value_name = "ID", conflicts_with_all = ["subscription", "resource_group", "instance_name"])]
    pub(crate) instance_id: Option<String>,
    /// The cloud [env: MILINK_CLOUD] [default: AzureCloud].
    #[arg(long, value_enum)]
    pub(crate) cloud: Option<CloudName>,
    /// The URL of Azure Resource Manager, if it is none of those clouds' [env: MILINK_ARM_ENDPOINT].
    #[arg(long, value_name = "URL", conflicts_with = "cloud")]
    pub(crate) arm_endpoint: Option<String>,
    /// Who gives tokens: a URL [env: MILINK_AUTHORITY, AZURE_AUTHORITY_HOST].
    #[arg(long, value_name = "URL", conflicts_with = "cloud")]
    pub(crate) authority: Option<String>,
    /// Certificates to trust besides the system's: a file, PEM [env: MILINK_CA_FILE].
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// How to sign in to Azure [env: MILINK_AZURE_AUTHENTICATION] [default: what the environment offers].
    #[arg(long, value_enum, value_name = "METHOD")]
    pub(crate) azure_authentication: Option<AzureMethod>,
    /// The tenant [env: AZURE_TENANT_ID].
    #[arg(long, value_name = "ID")]
    pub(crate) tenant: Option<String>,
    /// The application or user-assigned identity [env: AZURE_CLIENT_ID; its secret: AZURE_CLIENT_SECRET].
    #[arg(long, value_name = "ID")]
    pub(crate) client_id: Option<String>,
    /// Where the application's secret is: env:NAME, file:PATH or keyring:SERVICE/USER.
    #[arg(long, value_name = "REFERENCE")]
    pub(crate) client_secret_from: Option<Secret>,
}
