//! Where both sides and Azure are, and as whom: from flags, environment and context to [`Settings`].
//!
//! Flags go before the environment, and the environment before the context, one by one. Three rules keep apart what
//! belongs together:
//! - a connection string says all of its side but the password; only flags beside it change that;
//! - a context's password goes nowhere else: if flags or environment name another server, user or cloud than the
//!   context does, then what the context says of it is left out, with a warning;
//! - whoever names a user does not take another source's way to sign in.

mod arguments;
mod azure;
mod environment;
mod from_context;
mod keyring;
mod secret;
mod side;

use std::time::Duration;

use milink_sql::{Secret, Server, Target};

pub(crate) use arguments::{
    AzureArguments, ConnectArguments, EncryptWord, ManagedArguments, SqlServerArguments,
};
use azure::AzureLayer;
pub(crate) use azure::{AzureMethod, AzureSettings, CloudName, SignIn};
pub(crate) use environment::{Environment, VARIABLES};
pub(crate) use secret::{FORMS, Given, SecretRef};
use side::SideLayer;
pub(crate) use side::{Method, Side, SideSettings};

use crate::context::{ConfigFile, Context};
use crate::exit::Failure;

/// Where everything is. Secrets are read when they are needed.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// SQL Server's side, if anybody said something of it.
    pub(crate) sql_server: Option<SideSettings>,
    /// The managed instance's.
    pub(crate) managed: Option<SideSettings>,
    /// Azure's.
    pub(crate) azure: Option<AzureSettings>,
    /// What should be said on stderr.
    pub(crate) warnings: Vec<String>,
}

impl Settings {
    /// What the flags, this process's environment and the context say.
    ///
    /// # Errors
    /// Something of it cannot be understood, or there is no such context.
    pub(crate) fn of(arguments: &ConnectArguments) -> Result<Settings, Failure> {
        let environment = Environment::of_process();
        let context = ConfigFile::chosen(arguments.context.as_deref(), &environment)?;
        Settings::resolve(arguments, &environment, context)
    }

    /// The same from given parts.
    ///
    /// # Errors
    /// Something of it cannot be understood.
    pub(crate) fn resolve(
        arguments: &ConnectArguments,
        environment: &Environment,
        context: Option<(String, Context)>,
    ) -> Result<Settings, Failure> {
        let (name, context) = context.map_or((None, Context::default()), |(n, c)| (Some(n), c));
        let mut warnings = Vec::new();
        if arguments.sql_server.password.is_some() {
            warnings.push(
                "a password in -P can be seen by whoever lists processes; set SQLCMDPASSWORD instead"
                    .to_owned(),
            );
        }
        let (own, kept) = (context.sql_server.layer(Side::SqlServer)?, context.managed.layer(Side::Managed)?);
        let mut below = |side: Side, above: &SideLayer, below: SideLayer| {
            fitting_side(side, above, below, name.as_deref(), &mut warnings)
        };
        let above =
            sql_server_flags(&arguments.sql_server)?.over(side_environment(Side::SqlServer, environment)?);
        let sql_server = {
            let own = below(Side::SqlServer, &above, own);
            above.over(own)
        };
        let above = managed_flags(&arguments.managed)?.over(side_environment(Side::Managed, environment)?);
        let managed = {
            let own = below(Side::Managed, &above, kept);
            above.over(own)
        };
        let above = azure_flags(&arguments.azure)?.over(azure_environment(environment)?);
        let own = fitting_azure(&above, context.azure.layer(), name.as_deref(), &mut warnings);
        Ok(Settings {
            sql_server: SideSettings::of(Side::SqlServer, sql_server, environment),
            managed: SideSettings::of(Side::Managed, managed, environment),
            azure: AzureSettings::of(above.over(own), environment)?,
            warnings,
        })
    }

    /// SQL Server, for a verb that needs it; reads its secret.
    ///
    /// # Errors
    /// Something is missing; the text names the flag and the variable.
    pub(crate) fn sql_server(&self) -> Result<Target, Failure> {
        self.sql_server.as_ref().ok_or_else(|| side::no_server(Side::SqlServer))?.target()
    }

    /// The managed instance, for a verb that needs it and has learnt its address nowhere else; reads its secret.
    ///
    /// # Errors
    /// Something is missing; the text names the flag and the variable.
    pub(crate) fn managed(&self) -> Result<Target, Failure> {
        self.managed.as_ref().ok_or_else(|| side::no_server(Side::Managed))?.target()
    }

    /// Azure, for a verb that needs it.
    ///
    /// # Errors
    /// Nobody has said anything of it.
    pub(crate) fn azure(&self) -> Result<&AzureSettings, Failure> {
        self.azure.as_ref().ok_or_else(azure::no_azure)
    }
}

/// What a context says of a side, as far as it is the side that is meant.
fn fitting_side(
    side: Side,
    above: &SideLayer,
    below: SideLayer,
    context: Option<&str>,
    warnings: &mut Vec<String>,
) -> SideLayer {
    let Some(context) = context else { return below };
    let what = side.words().side;
    if let (Some(meant), Some(other)) = (above.address(), below.address())
        && meant != other
    {
        warnings.push(format!(
            "the {what} is {meant}, and not {other} as in context '{context}': what the context says of it is left out"
        ));
        return SideLayer::default();
    }
    // An address alone: the context's password was not given for it.
    let elsewhere = above.address().is_some() && below.address().is_none();
    let as_another = above.user.is_some() && above.user != below.user;
    if below.password.is_some() && (elsewhere || as_another) {
        warnings.push(format!(
            "the {what}'s password in context '{context}' is for another login, and is left out"
        ));
        return SideLayer { password: None, ..below };
    }
    below
}

/// What a context says of Azure, as far as it is the cloud that is meant.
fn fitting_azure(
    above: &AzureLayer,
    below: AzureLayer,
    context: Option<&str>,
    warnings: &mut Vec<String>,
) -> AzureLayer {
    let Some(context) = context else { return below };
    let cloud = |layer: &AzureLayer| match &layer.arm_endpoint {
        Some(url) => url.trim_end_matches('/').to_lowercase(),
        None => format!("{:?}", layer.cloud.unwrap_or_default()),
    };
    let addressed = above.arm_endpoint.is_some() || above.cloud.is_some() || above.authority.is_some();
    let same =
        cloud(above) == cloud(&below) && (above.authority.is_none() || above.authority == below.authority);
    if !addressed || same {
        return below;
    }
    warnings.push(format!(
        "the cloud is not that of context '{context}': what the context says of Azure is left out"
    ));
    AzureLayer::default()
}

/// A server's name, as it was given somewhere.
fn server(text: &str, from: &str) -> Result<Server, Failure> {
    Server::parse(text)
        .map_err(|e| Failure::arguments(e.to_string(), from, "write it as [tcp:]host[\\instance][,port]"))
}

/// A side's connection string.
fn string(text: &Secret, from: &str) -> Result<Target, Failure> {
    Target::from_connection_string(text.expose()).map_err(|e| {
        Failure::arguments(
            e.to_string(),
            from,
            "write keyword=value;... as ADO.NET has it, with quotes around what holds a ;",
        )
    })
}

/// A reference to a secret. What it was is never said: it may be the secret itself.
fn reference(text: &Secret, from: &str) -> Result<Given, Failure> {
    text.expose()
        .parse()
        .map(Given::At)
        .map_err(|e: String| Failure::arguments(e, from, format!("write {FORMS}")))
}

/// `TCP://host:port`.
fn endpoint(text: &str, from: &str) -> Result<String, Failure> {
    let host_and_port =
        text.get(..6).filter(|s| s.eq_ignore_ascii_case("tcp://")).and_then(|_| text.get(6..));
    let good = host_and_port
        .and_then(|rest| rest.rsplit_once(':'))
        .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|p| p > 0));
    if good {
        Ok(text.to_owned())
    } else {
        Err(Failure::arguments(format!("'{text}' is no endpoint"), from, "write it as TCP://host:port"))
    }
}

fn sql_server_flags(a: &SqlServerArguments) -> Result<SideLayer, Failure> {
    let words = Side::SqlServer.words();
    let entra = a.entra.then_some(Method::AnyEntra);
    let integrated = a.integrated.then_some(Method::Integrated);
    let from = a.password_from.as_ref().map(|r| reference(r, words.password.0)).transpose()?;
    Ok(SideLayer {
        base: a.connection_string.as_ref().map(|s| string(s, words.string.0)).transpose()?,
        server: a.server.as_deref().map(|s| server(s, words.server.0)).transpose()?,
        user: a.user.clone(),
        password: a.password.clone().map(Given::Itself).or(from),
        method: a.method.or(entra).or(integrated),
        encrypt: a.encrypt.map(Into::into),
        trust: a.trust.then_some(true),
        host_name_in_certificate: a.host_name_in_certificate.clone(),
        server_certificate: a.server_certificate.clone(),
        database: a.database_name.clone(),
        login_timeout: a.login_timeout.map(|s| Duration::from_secs(s.into())),
        endpoint: a.partner_endpoint.as_deref().map(|e| endpoint(e, "--partner-endpoint")).transpose()?,
        public: None,
        fqdn: None,
    })
}

fn managed_flags(a: &ManagedArguments) -> Result<SideLayer, Failure> {
    let words = Side::Managed.words();
    Ok(SideLayer {
        base: a.managed_connection_string.as_ref().map(|s| string(s, words.string.0)).transpose()?,
        server: a.managed_server.as_deref().map(|s| server(s, words.server.0)).transpose()?,
        user: a.managed_user.clone(),
        password: a.managed_password_from.as_ref().map(|r| reference(r, words.password.0)).transpose()?,
        method: a.managed_authentication,
        trust: a.managed_trust_server_certificate.then_some(true),
        host_name_in_certificate: a.managed_host_name_in_certificate.clone(),
        server_certificate: a.managed_server_certificate.clone(),
        public: a.managed_public_endpoint.then_some(true),
        endpoint: a.managed_endpoint.as_deref().map(|e| endpoint(e, "--managed-endpoint")).transpose()?,
        ..SideLayer::default()
    })
}

fn azure_flags(a: &AzureArguments) -> Result<AzureLayer, Failure> {
    let secret = a.client_secret_from.as_ref().map(|r| reference(r, "--client-secret-from")).transpose()?;
    let mut layer = AzureLayer {
        subscription: a.subscription.clone(),
        resource_group: a.resource_group.clone(),
        instance_name: a.instance_name.clone(),
        cloud: a.cloud,
        arm_endpoint: a.arm_endpoint.clone(),
        authority: a.authority.clone(),
        ca_file: a.ca_file.clone(),
        method: a.azure_authentication,
        tenant: a.tenant.clone(),
        client_id: a.client_id.clone(),
        client_secret: secret,
        token_file: None,
    };
    if let Some(id) = &a.instance_id {
        layer.take_id(id, "--instance-id")?;
    }
    Ok(layer)
}

fn side_environment(side: Side, environment: &Environment) -> Result<SideLayer, Failure> {
    let words = side.words();
    let get = |name: &str| environment.get(name);
    let base = get(words.string.1)?.map(|s| string(&Secret::new(s), words.string.1)).transpose()?;
    // NB: a connection string in the environment is not changed by variables beside it, of which a forgotten one
    // could lead to another server; only its password may be kept apart.
    if base.is_some() {
        let password = get(words.password.1)?.map(|p| Given::Itself(Secret::new(p)));
        return Ok(SideLayer { base, password, ..SideLayer::default() });
    }
    let mut layer = SideLayer {
        server: get(words.server.1)?.map(|s| server(&s, words.server.1)).transpose()?,
        user: get(words.user.1)?,
        password: get(words.password.1)?.map(|p| Given::Itself(Secret::new(p))),
        server_certificate: get(words.certificate)?.map(Into::into),
        endpoint: get(words.endpoint)?.map(|e| endpoint(&e, words.endpoint)).transpose()?,
        ..SideLayer::default()
    };
    match side {
        Side::SqlServer => {
            layer.database = get("SQLCMDDBNAME")?;
            layer.login_timeout = get("SQLCMDLOGINTIMEOUT")?.map(|s| seconds(&s)).transpose()?;
        }
        Side::Managed => {
            layer.fqdn = get("MILINK_MANAGED_FQDN")?;
            layer.method = word("MILINK_MANAGED_AUTHENTICATION", environment, |w| w.parse())?;
        }
    }
    Ok(layer)
}

fn seconds(text: &str) -> Result<Duration, Failure> {
    text.parse().ok().filter(|s| (1..=86_400).contains(s)).map(Duration::from_secs).ok_or_else(|| {
        let next = "write a number of seconds, from 1 to 86400";
        Failure::arguments(format!("'{text}' is no time to wait"), "SQLCMDLOGINTIMEOUT", next)
    })
}

/// A variable that holds one of a few words.
fn word<T>(
    name: &str,
    environment: &Environment,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<T>, Failure> {
    let Some(text) = environment.get(name)? else { return Ok(None) };
    parse(&text).map(Some).map_err(|why| {
        Failure::arguments(
            format!("'{text}' is not understood: {why}"),
            name,
            format!("correct {name}, or unset it"),
        )
    })
}

fn azure_environment(environment: &Environment) -> Result<AzureLayer, Failure> {
    use clap::ValueEnum as _;
    let get = |name: &str| environment.get(name);
    let mut layer = AzureLayer {
        cloud: word("MILINK_CLOUD", environment, |w| CloudName::from_str(w, true))?,
        arm_endpoint: get("MILINK_ARM_ENDPOINT")?,
        authority: match get("MILINK_AUTHORITY")? {
            Some(own) => Some(own),
            None => get("AZURE_AUTHORITY_HOST")?,
        },
        ca_file: get("MILINK_CA_FILE")?.map(Into::into),
        method: word("MILINK_AZURE_AUTHENTICATION", environment, |w| AzureMethod::from_str(w, true))?,
        tenant: get("AZURE_TENANT_ID")?,
        client_id: get("AZURE_CLIENT_ID")?,
        client_secret: get("AZURE_CLIENT_SECRET")?.map(|s| Given::Itself(Secret::new(s))),
        token_file: get("AZURE_FEDERATED_TOKEN_FILE")?.map(Into::into),
        ..AzureLayer::default()
    };
    if let Some(id) = get("MILINK_INSTANCE_ID")? {
        layer.take_id(&id, "MILINK_INSTANCE_ID")?;
    } else {
        layer.subscription = get("AZURE_SUBSCRIPTION_ID")?;
        layer.resource_group = get("MILINK_RESOURCE_GROUP")?;
        layer.instance_name = get("MILINK_INSTANCE_NAME")?;
    }
    Ok(layer)
}

#[cfg(test)]
mod tests;
