//! What a context says, as layers; and what flags say, as a context.

use std::time::Duration;

use super::arguments::ConnectArguments;
use super::azure::AzureLayer;
use super::secret::{FORMS, Given, SecretRef};
use super::side::{Method, Side, SideLayer};
use super::{endpoint, reference, server};
use crate::context::{Context, ContextAzure, ContextSide};
use crate::exit::Failure;

impl ContextSide {
    pub(super) fn layer(self, side: Side) -> Result<SideLayer, Failure> {
        let from = format!("the {} of the context", side.words().side);
        Ok(SideLayer {
            base: None,
            server: self.server.map(|s| server(&s, &from)).transpose()?,
            user: self.user,
            password: self.password.map(Given::At),
            method: self.authentication,
            encrypt: self.encrypt.map(Into::into),
            trust: self.trust_server_certificate,
            host_name_in_certificate: self.host_name_in_certificate,
            server_certificate: self.server_certificate,
            database: self.database,
            login_timeout: self.login_timeout_s.map(|s| Duration::from_secs(s.max(1).into())),
            endpoint: self.endpoint.map(|e| endpoint(&e, &from)).transpose()?,
            public: None,
            fqdn: None,
        })
    }
}

impl ContextAzure {
    pub(super) fn layer(self) -> AzureLayer {
        AzureLayer {
            subscription: self.subscription,
            resource_group: self.resource_group,
            instance_name: self.instance_name,
            cloud: self.cloud,
            arm_endpoint: self.arm_endpoint,
            authority: self.authority,
            ca_file: self.ca_file,
            method: self.authentication,
            tenant: self.tenant,
            client_id: self.client_id,
            client_secret: self.client_secret.map(Given::At),
            token_file: None,
        }
    }
}

impl Context {
    /// What flags say, to be kept.
    ///
    /// # Errors
    /// They hold a secret itself, or something that cannot be understood.
    pub(crate) fn of(arguments: &ConnectArguments) -> Result<Context, Failure> {
        let (s, m, a) = (&arguments.sql_server, &arguments.managed, &arguments.azure);
        if arguments.context.is_some() {
            let next = "name the new context after `add`";
            return Err(Failure::arguments("a context is not made from another one", "--context", next));
        }
        if s.password.is_some() {
            return Err(no_secret("a password", "-P", "--password-from"));
        }
        for (string, flag, instead) in [
            (&s.connection_string, "--connection-string", "-S, -U and --password-from"),
            (
                &m.managed_connection_string,
                "--managed-connection-string",
                "--managed-server, --managed-user, ...",
            ),
        ] {
            if string.is_some() {
                return Err(no_secret("a connection string, which may hold a password,", flag, instead));
            }
        }
        let at = |text: &Option<milink_sql::Secret>, flag: &str| -> Result<Option<SecretRef>, Failure> {
            Ok(text.as_ref().map(|t| reference(t, flag)).transpose()?.and_then(|given| match given {
                Given::At(place) => Some(place),
                Given::Itself(_) => None,
            }))
        };
        let entra = s.entra.then_some(Method::AnyEntra);
        let integrated = s.integrated.then_some(Method::Integrated);
        let mut azure = AzureLayer::default();
        if let Some(id) = &a.instance_id {
            azure.take_id(id, "--instance-id")?;
        }
        let context = Context {
            sql_server: ContextSide {
                server: s.server.clone(),
                user: s.user.clone(),
                password: at(&s.password_from, "--password-from")?,
                authentication: s.method.or(entra).or(integrated),
                encrypt: s.encrypt,
                trust_server_certificate: s.trust.then_some(true),
                host_name_in_certificate: s.host_name_in_certificate.clone(),
                server_certificate: s.server_certificate.clone(),
                database: s.database_name.clone(),
                login_timeout_s: s.login_timeout,
                endpoint: s.partner_endpoint.clone(),
            },
            managed: ContextSide {
                server: m.managed_server.clone(),
                user: m.managed_user.clone(),
                password: at(&m.managed_password_from, "--managed-password-from")?,
                authentication: m.managed_authentication,
                encrypt: None,
                trust_server_certificate: m.managed_trust_server_certificate.then_some(true),
                host_name_in_certificate: m.managed_host_name_in_certificate.clone(),
                server_certificate: m.managed_server_certificate.clone(),
                database: None,
                login_timeout_s: None,
                endpoint: m.managed_endpoint.clone(),
            },
            azure: ContextAzure {
                subscription: a.subscription.clone().or(azure.subscription),
                resource_group: a.resource_group.clone().or(azure.resource_group),
                instance_name: a.instance_name.clone().or(azure.instance_name),
                cloud: a.cloud,
                arm_endpoint: a.arm_endpoint.clone(),
                authority: a.authority.clone(),
                ca_file: a.ca_file.clone(),
                authentication: a.azure_authentication,
                tenant: a.tenant.clone(),
                client_id: a.client_id.clone(),
                client_secret: at(&a.client_secret_from, "--client-secret-from")?,
            },
        };
        // What would be refused later is refused now.
        context.sql_server.clone().layer(Side::SqlServer)?;
        context.managed.clone().layer(Side::Managed)?;
        if context == Context::default() {
            let next = "say at least -S, --managed-server or --instance-name; see milink context add --help";
            return Err(Failure::arguments(
                "an empty context would be of no use",
                "milink context add",
                next,
            ));
        }
        Ok(context)
    }
}

fn no_secret(what: &str, flag: &str, instead: &str) -> Failure {
    Failure::arguments(
        format!("{what} is not kept in a file"),
        flag,
        format!("use {instead}; a secret is kept by reference only: {FORMS}"),
    )
}
