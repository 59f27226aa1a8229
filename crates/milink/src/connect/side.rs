//! One side over TDS: what each source says of it, and what comes of that.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use milink_sql::{Authentication, Encrypt, Entra, EntraMethod, Secret, Server, Target};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::environment::Environment;
use super::secret::Given;
use crate::exit::Failure;

/// Which side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// SQL Server.
    SqlServer,
    /// The managed instance.
    Managed,
}

/// The words for a side's parts: a flag and a variable for each.
#[derive(Debug, Clone, Copy)]
pub(super) struct Words {
    pub(super) side: &'static str,
    pub(super) server: (&'static str, &'static str),
    pub(super) user: (&'static str, &'static str),
    pub(super) password: (&'static str, &'static str),
    pub(super) string: (&'static str, &'static str),
    pub(super) certificate: &'static str,
    pub(super) endpoint: &'static str,
    /// How to sign in without a password.
    other: &'static str,
}

impl Side {
    pub(super) fn words(self) -> Words {
        match self {
            Side::SqlServer => Words {
                side: "SQL Server",
                server: ("-S", "SQLCMDSERVER"),
                user: ("-U", "SQLCMDUSER"),
                password: ("--password-from", "SQLCMDPASSWORD"),
                string: ("--connection-string", "MILINK_CONNECTION_STRING"),
                certificate: "MILINK_SERVER_CERTIFICATE",
                endpoint: "MILINK_SQLSERVER_ENDPOINT",
                other: "-G (Microsoft Entra) or -E (Kerberos)",
            },
            Side::Managed => Words {
                side: "managed instance",
                server: ("--managed-server", "MILINK_MANAGED_SERVER"),
                user: ("--managed-user", "MILINK_MANAGED_USER"),
                password: ("--managed-password-from", "MILINK_MANAGED_PASSWORD"),
                string: ("--managed-connection-string", "MILINK_MANAGED_CONNECTION_STRING"),
                certificate: "MILINK_MANAGED_SERVER_CERTIFICATE",
                endpoint: "MILINK_MANAGED_ENDPOINT",
                other: "--managed-authentication ActiveDirectoryDefault",
            },
        }
    }
}

/// How to sign in, by go-sqlcmd's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    /// A SQL Server login.
    SqlPassword,
    /// Kerberos.
    Integrated,
    /// `-G`: with a user and a password it is these, otherwise whatever Microsoft Entra offers.
    AnyEntra,
    /// A certain method of Microsoft Entra.
    Entra(EntraMethod),
}

impl Method {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Method::SqlPassword => "SqlPassword",
            Method::Integrated => "Integrated",
            Method::AnyEntra => "ActiveDirectory",
            Method::Entra(method) => method.name(),
        }
    }
}

impl FromStr for Method {
    type Err = String;

    fn from_str(text: &str) -> Result<Method, String> {
        let plain: String = text.split_whitespace().collect();
        let is = |name: &str| plain.eq_ignore_ascii_case(name);
        if is("SqlPassword") {
            Ok(Method::SqlPassword)
        } else if is("Integrated") {
            Ok(Method::Integrated)
        } else if is("ActiveDirectory") {
            Ok(Method::AnyEntra)
        } else {
            EntraMethod::named(&plain).map(Method::Entra).ok_or_else(|| {
                "it is none of SqlPassword, Integrated, ActiveDirectoryDefault, ActiveDirectoryAzCli, \
                 ActiveDirectoryManagedIdentity, ActiveDirectoryServicePrincipal, ActiveDirectoryWorkloadIdentity, \
                 ActiveDirectoryEnvironment"
                    .to_owned()
            })
        }
    }
}

impl Serialize for Method {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Method {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Method, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What one source says of a side; or several, put over each other.
#[derive(Debug, Clone, Default)]
pub(crate) struct SideLayer {
    /// A connection string, which says all of its side; only what stands above it changes it.
    pub(super) base: Option<Target>,
    pub(super) server: Option<Server>,
    pub(super) user: Option<String>,
    pub(super) password: Option<Given>,
    pub(super) method: Option<Method>,
    pub(super) encrypt: Option<Encrypt>,
    pub(super) trust: Option<bool>,
    pub(super) host_name_in_certificate: Option<String>,
    pub(super) server_certificate: Option<PathBuf>,
    pub(super) database: Option<String>,
    pub(super) login_timeout: Option<Duration>,
    pub(super) endpoint: Option<String>,
    /// Whether its public endpoint is meant, where its address is learnt.
    pub(super) public: Option<bool>,
    /// The name in the certificate of the endpoint.
    pub(super) fqdn: Option<String>,
}

impl SideLayer {
    /// The server that it names.
    pub(super) fn address(&self) -> Option<&Server> {
        self.server.as_ref().or(self.base.as_ref().map(|b| &b.server))
    }

    /// This, and where it says nothing, what is below.
    pub(super) fn over(self, below: SideLayer) -> SideLayer {
        // The endpoint is no matter of the connection.
        let (endpoint, fqdn) = (self.endpoint.or(below.endpoint), self.fqdn.or(below.fqdn));
        let public = self.public.or(below.public);
        let password = self.password.or(below.password);
        if self.base.is_some() {
            return SideLayer { password, endpoint, public, fqdn, ..self };
        }
        // Whoever names a user means a way to sign in that has one: what is below names another way.
        let below_method = below.method.filter(|_| self.user.is_none());
        // How a certificate is proved is one decision.
        let proof = self.trust.is_some()
            || self.host_name_in_certificate.is_some()
            || self.server_certificate.is_some();
        let (trust, name, file) = if proof {
            (self.trust, self.host_name_in_certificate, self.server_certificate)
        } else {
            (below.trust, below.host_name_in_certificate, below.server_certificate)
        };
        SideLayer {
            base: below.base,
            server: self.server.or(below.server),
            user: self.user.or(below.user),
            password,
            method: self.method.or(below_method),
            encrypt: self.encrypt.or(below.encrypt),
            trust,
            host_name_in_certificate: name,
            server_certificate: file,
            database: self.database.or(below.database),
            login_timeout: self.login_timeout.or(below.login_timeout),
            endpoint,
            public,
            fqdn,
        }
    }
}

/// How to reach one side. The server may be missing: a managed instance's can be learnt from Azure.
#[derive(Debug, Clone)]
pub(crate) struct SideSettings {
    side: Side,
    layer: SideLayer,
    environment: Environment,
}

impl SideSettings {
    /// Nothing if nothing was said of this side.
    pub(super) fn of(side: Side, layer: SideLayer, environment: &Environment) -> Option<SideSettings> {
        let said = layer.address().is_some() || layer.user.is_some() || layer.method.is_some();
        said.then(|| SideSettings { side, layer, environment: environment.clone() })
    }

    /// Where it is, if somebody said so.
    pub(crate) fn server(&self) -> Option<&Server> {
        self.layer.address()
    }

    /// Whether its public endpoint is meant, where its address is learnt from Azure.
    pub(crate) fn wants_public(&self) -> bool {
        self.layer.public.unwrap_or_default()
    }

    /// Its endpoint for the link, if somebody said so.
    pub(crate) fn endpoint(&self) -> Option<&str> {
        self.layer.endpoint.as_deref()
    }

    /// What a connection needs; reads the secret.
    ///
    /// # Errors
    /// The server, the user or the password is missing; the text names the flag and the variable.
    pub(crate) fn target(&self) -> Result<Target, Failure> {
        self.server().cloned().ok_or_else(|| no_server(self.side)).and_then(|s| self.target_at(s))
    }

    /// The same at a server that was learnt elsewhere.
    ///
    /// # Errors
    /// As [`SideSettings::target`].
    pub(crate) fn target_at(&self, server: Server) -> Result<Target, Failure> {
        let layer = &self.layer;
        let mut target = layer.base.clone().unwrap_or_else(|| Target::new(server.clone()));
        target.server = server;
        target.authentication = self.authentication(std::mem::take(&mut target.authentication))?;
        target.encrypt = layer.encrypt.unwrap_or(target.encrypt);
        if layer.trust.is_some()
            || layer.host_name_in_certificate.is_some()
            || layer.server_certificate.is_some()
        {
            target.trust = layer.trust.unwrap_or_default();
            target.host_name_in_certificate.clone_from(&layer.host_name_in_certificate);
            target.server_certificate.clone_from(&layer.server_certificate);
        }
        target.database = layer.database.clone().or(target.database);
        target.connect_timeout = layer.login_timeout.unwrap_or(target.connect_timeout);
        Ok(target)
    }

    fn password(&self) -> Result<Option<Secret>, Failure> {
        self.layer.password.as_ref().map(|given| given.read(&self.environment)).transpose()
    }

    fn authentication(&self, base: Authentication) -> Result<Authentication, Failure> {
        let layer = &self.layer;
        match (layer.method, &layer.user, base) {
            // The connection string signs in, perhaps with a password from elsewhere.
            (None, None, Authentication::SqlPassword { user, password }) if password.expose().is_empty() => {
                self.login(user)
            }
            (None, None, Authentication::Unset) => Err(self.no_user()),
            (None, None, base) => Ok(base),
            (None | Some(Method::SqlPassword), Some(user), _) => self.login(user.clone()),
            (Some(Method::SqlPassword), None, _) => Err(self.no_user()),
            (Some(Method::Integrated), ..) => Ok(Authentication::Integrated),
            (Some(Method::AnyEntra), user, _) => {
                // As sqlcmd's -G: a user with a password, a user alone, or nobody in particular.
                let password = if user.is_some() { self.password()? } else { None };
                let method = match (user, &password) {
                    (Some(_), Some(_)) => EntraMethod::Password,
                    (Some(_), None) => EntraMethod::Interactive,
                    (None, _) => EntraMethod::Default,
                };
                Ok(Authentication::Entra(Entra { method, user: user.clone(), password }))
            }
            (Some(Method::Entra(method)), user, _) => self.entra(method, user.clone()),
        }
    }

    fn login(&self, user: String) -> Result<Authentication, Failure> {
        let password = self.password()?.ok_or_else(|| self.no_password(&user))?;
        Ok(Authentication::SqlPassword { user, password })
    }

    fn entra(&self, method: EntraMethod, user: Option<String>) -> Result<Authentication, Failure> {
        let password = match method {
            EntraMethod::Password | EntraMethod::ServicePrincipal => {
                let user = user.as_ref().ok_or_else(|| self.no_user())?;
                Some(self.password()?.ok_or_else(|| self.no_password(user))?)
            }
            EntraMethod::Default
            | EntraMethod::Integrated
            | EntraMethod::Interactive
            | EntraMethod::ManagedIdentity
            | EntraMethod::WorkloadIdentity
            | EntraMethod::DeviceCodeFlow
            | EntraMethod::AzCli
            | EntraMethod::AzureDeveloperCli
            | EntraMethod::Environment => None,
        };
        Ok(Authentication::Entra(Entra { method, user, password }))
    }

    fn no_user(&self) -> Failure {
        let Words { side, user: (flag, variable), password, other, .. } = self.side.words();
        Failure::arguments(
            format!("nobody has said how to sign in to the {side}"),
            format!("{flag} or {variable}"),
            format!(
                "say the login with {flag} or {variable} and its password in {}, or use {other}",
                password.1
            ),
        )
    }

    fn no_password(&self, user: &str) -> Failure {
        let Words { side, password: (flag, variable), .. } = self.side.words();
        Failure::arguments(
            format!("the password of '{user}' on the {side} is missing"),
            format!("{variable} or {flag}"),
            format!("set {variable}, or say where it is: {flag} {}", super::secret::FORMS),
        )
    }
}

/// A side that is needed and was not named.
pub(super) fn no_server(side: Side) -> Failure {
    let Words { side, server: (flag, variable), .. } = side.words();
    Failure::arguments(
        format!("nobody has said where the {side} is"),
        format!("{flag} or {variable}"),
        format!("say it with {flag} host,port, in {variable}, or by a context: milink context add"),
    )
}
