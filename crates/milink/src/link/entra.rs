//! Microsoft Entra on the SQL side: what `-G` and `Authentication=ActiveDirectory...` ask for, as tokens of Azure's authority.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use milink_arm::{ArmClient, Cloud, Login, Options};
use milink_sql::{Authentication, Entra, EntraMethod, Secret, Target, TokenSource};

use super::session::azure_failure;
use crate::connect::{AzureSettings, SignIn};
use crate::exit::Failure;

/// Who gives tokens for both sides: a cloud, and whoever is signed in there.
pub(super) struct Authority<'a> {
    pub(super) cloud: Cloud,
    pub(super) options: Options,
    pub(super) settings: Option<&'a AzureSettings>,
}

/// Tokens for SQL Server and managed instances. The client keeps a token as long as it is good, so that each connection asks here.
#[derive(Debug)]
struct SqlTokens {
    client: ArmClient,
    method: &'static str,
}

impl TokenSource for SqlTokens {
    fn token(&self) -> Pin<Box<dyn Future<Output = Result<Secret, String>> + Send + '_>> {
        Box::pin(async {
            let audience = &self.client.cloud().sql_audience;
            self.client.token(audience).await.map_err(|e| format!("{}: {e}", self.method))
        })
    }
}

impl Authority<'_> {
    /// A target that can be connected to: what asks for a method of Microsoft Entra gets where its tokens come from.
    ///
    /// # Errors
    /// The method is not supported, or lacks something.
    pub(super) fn sign_in(&self, mut target: Target) -> Result<Target, Failure> {
        if let Authentication::Entra(entra) = &target.authentication {
            let login = self.login(entra)?;
            let client = ArmClient::new(self.cloud.clone(), login, self.options.clone())
                .map_err(|e| azure_failure(&e))?;
            let method = entra.method.name();
            target.authentication = Authentication::Token(Arc::new(SqlTokens { client, method }));
        }
        Ok(target)
    }

    fn login(&self, entra: &Entra) -> Result<Login, Failure> {
        let mut user = entra.user.clone();
        match (entra.method, self.settings) {
            // Whoever is nobody in particular is who was chosen for Azure; without a choice that is the default order there as well.
            (EntraMethod::Default, Some(azure)) if user.is_none() => return azure.sign_in().map(login),
            // An application's id without its tenant, as ADO.NET has it.
            (EntraMethod::ServicePrincipal, azure) => {
                let tenant = azure.and_then(AzureSettings::tenant).map(str::to_owned);
                let environment = || std::env::var("AZURE_TENANT_ID").ok().filter(|t| !t.is_empty());
                if let (Some(id), Some(tenant)) =
                    (user.as_mut().filter(|u| !u.contains('@')), tenant.or_else(environment))
                {
                    *id = format!("{id}@{tenant}");
                }
            }
            _ => {}
        }
        Login::parse(entra.method.name(), user.as_deref(), entra.password.as_ref()).map_err(|e| {
            Failure::arguments(
                e.to_string(),
                "-G, --authentication-method, --managed-authentication or Authentication=",
                "sign in with az login and use ActiveDirectoryAzCli, or say another method",
            )
        })
    }
}

/// A way to sign in, as the client of Azure takes it.
pub(super) fn login(sign_in: SignIn) -> Login {
    match sign_in {
        SignIn::Default => Login::Default,
        SignIn::ClientSecret { tenant, client_id, secret } => {
            Login::ClientSecret { tenant, client_id, secret }
        }
        SignIn::WorkloadIdentity { tenant, client_id, token_file } => {
            Login::WorkloadIdentity { tenant, client_id, token_file }
        }
        SignIn::ManagedIdentity { client_id } => Login::ManagedIdentity { client_id },
        SignIn::AzureCli => Login::AzCli,
        SignIn::AzureDeveloperCli => Login::AzureDeveloperCli,
    }
}
