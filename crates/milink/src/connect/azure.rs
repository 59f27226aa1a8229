//! Azure: which cloud, which instance, and as whom.

use std::path::PathBuf;

use clap::ValueEnum;
use milink_sql::Secret;
use serde::{Deserialize, Serialize};

use super::environment::Environment;
use super::secret::Given;
use crate::exit::Failure;

/// The clouds, by az's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Serialize, Deserialize)]
pub(crate) enum CloudName {
    /// Azure.
    #[default]
    #[value(name = "AzureCloud")]
    #[serde(rename = "AzureCloud")]
    Public,
    /// Azure Government.
    #[value(name = "AzureUSGovernment")]
    #[serde(rename = "AzureUSGovernment")]
    UsGovernment,
    /// Azure in China.
    #[value(name = "AzureChinaCloud")]
    #[serde(rename = "AzureChinaCloud")]
    China,
}

/// How to sign in to Azure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum AzureMethod {
    /// Whatever is there: a managed identity, az, azd.
    Default,
    /// An application with its secret.
    ClientSecret,
    /// A service account of Kubernetes.
    WorkloadIdentity,
    /// The identity of the machine.
    ManagedIdentity,
    /// Whoever is signed in with `az login`.
    AzureCli,
    /// Whoever is signed in with `azd auth login`.
    AzureDeveloperCli,
}

/// As whom, with what that needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SignIn {
    /// Whatever is there.
    Default,
    /// An application with its secret.
    ClientSecret {
        /// The tenant.
        tenant: String,
        /// The application.
        client_id: String,
        /// Its secret.
        secret: Secret,
    },
    /// A service account of Kubernetes.
    WorkloadIdentity {
        /// The tenant.
        tenant: Option<String>,
        /// The application.
        client_id: Option<String>,
        /// The file with its token.
        token_file: Option<PathBuf>,
    },
    /// The identity of the machine.
    ManagedIdentity {
        /// Which one; the machine's own if there is none.
        client_id: Option<String>,
    },
    /// Whoever is signed in with `az login`.
    AzureCli,
    /// Whoever is signed in with `azd auth login`.
    AzureDeveloperCli,
}

/// What one source says of Azure; or several, put over each other.
#[derive(Debug, Clone, Default)]
pub(crate) struct AzureLayer {
    pub(super) subscription: Option<String>,
    pub(super) resource_group: Option<String>,
    pub(super) instance_name: Option<String>,
    pub(super) cloud: Option<CloudName>,
    pub(super) arm_endpoint: Option<String>,
    pub(super) authority: Option<String>,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) method: Option<AzureMethod>,
    pub(super) tenant: Option<String>,
    pub(super) client_id: Option<String>,
    pub(super) client_secret: Option<Given>,
    pub(super) token_file: Option<PathBuf>,
}

impl AzureLayer {
    /// This, and where it says nothing, what is below.
    pub(super) fn over(self, below: AzureLayer) -> AzureLayer {
        // Who names a cloud means its addresses; who names an address does not mean the cloud below.
        let addressed = self.cloud.is_some() || self.arm_endpoint.is_some();
        let (cloud, arm_endpoint, authority) = if addressed {
            let authority = self.authority.or(below.authority.filter(|_| self.cloud.is_none()));
            (self.cloud, self.arm_endpoint, authority)
        } else {
            (below.cloud, below.arm_endpoint, self.authority.or(below.authority))
        };
        AzureLayer {
            subscription: self.subscription.or(below.subscription),
            resource_group: self.resource_group.or(below.resource_group),
            instance_name: self.instance_name.or(below.instance_name),
            cloud,
            arm_endpoint,
            authority,
            ca_file: self.ca_file.or(below.ca_file),
            method: self.method.or(below.method),
            tenant: self.tenant.or(below.tenant),
            client_id: self.client_id.or(below.client_id),
            client_secret: self.client_secret.or(below.client_secret),
            token_file: self.token_file.or(below.token_file),
        }
    }

    /// Reads a managed instance's resource id into its three parts.
    ///
    /// # Errors
    /// It is none.
    pub(super) fn take_id(&mut self, id: &str, from: &str) -> Result<(), Failure> {
        let parts: Vec<&str> = id.trim_matches('/').split('/').collect();
        let is = |at: usize, word: &str| parts.get(at).is_some_and(|p| p.eq_ignore_ascii_case(word));
        let named = parts.len() == 8
            && is(0, "subscriptions")
            && is(2, "resourceGroups")
            && is(4, "providers")
            && is(5, "Microsoft.Sql")
            && is(6, "managedInstances");
        let (true, [_, subscription, _, group, .., name]) = (named, parts.as_slice()) else {
            return Err(Failure::arguments(
                format!("'{id}' is no resource id of a managed instance"),
                from,
                "write /subscriptions/ID/resourceGroups/NAME/providers/Microsoft.Sql/managedInstances/NAME",
            ));
        };
        self.subscription = Some((*subscription).to_owned());
        self.resource_group = Some((*group).to_owned());
        self.instance_name = Some((*name).to_owned());
        Ok(())
    }
}

/// How to reach Azure.
#[derive(Debug, Clone)]
pub(crate) struct AzureSettings {
    layer: AzureLayer,
    environment: Environment,
}

impl AzureSettings {
    /// Nothing if nothing was said of Azure.
    ///
    /// # Errors
    /// An address is no HTTPS one.
    pub(super) fn of(layer: AzureLayer, environment: &Environment) -> Result<Option<AzureSettings>, Failure> {
        let addresses = [
            (&layer.arm_endpoint, "--arm-endpoint or MILINK_ARM_ENDPOINT"),
            (&layer.authority, "--authority, MILINK_AUTHORITY or AZURE_AUTHORITY_HOST"),
        ];
        for (url, from) in addresses {
            // Tokens go there.
            if let Some(url) = url.as_ref().filter(|u| !u.starts_with("https://")) {
                let next = "write it as https://host[:port]";
                return Err(Failure::arguments(format!("'{url}' is no HTTPS address"), from, next));
            }
        }
        let said = layer.subscription.is_some()
            || layer.resource_group.is_some()
            || layer.instance_name.is_some()
            || layer.arm_endpoint.is_some()
            || layer.cloud.is_some();
        Ok(said.then(|| AzureSettings { layer, environment: environment.clone() }))
    }

    /// The subscription, by name or id.
    pub(crate) fn subscription(&self) -> Option<&str> {
        self.layer.subscription.as_deref()
    }

    /// The resource group.
    pub(crate) fn resource_group(&self) -> Option<&str> {
        self.layer.resource_group.as_deref()
    }

    /// The managed instance's name.
    pub(crate) fn instance_name(&self) -> Option<&str> {
        self.layer.instance_name.as_deref()
    }

    /// The managed instance's name, for what cannot do without.
    ///
    /// # Errors
    /// Nobody has said it; the text names the flag and the variable.
    pub(crate) fn instance(&self) -> Result<&str, Failure> {
        self.instance_name().ok_or_else(|| {
            Failure::arguments(
                "nobody has said which managed instance",
                "--instance-name or MILINK_INSTANCE_NAME",
                "say --resource-group and --instance-name, or --instance-id",
            )
        })
    }

    /// The cloud; an address of Resource Manager goes before it.
    pub(crate) fn cloud(&self) -> CloudName {
        self.layer.cloud.unwrap_or_default()
    }

    /// The URL of Resource Manager, if it is none of the clouds'.
    pub(crate) fn arm_endpoint(&self) -> Option<&str> {
        self.layer.arm_endpoint.as_deref()
    }

    /// Who gives tokens, if it is not the cloud's.
    pub(crate) fn authority(&self) -> Option<&str> {
        self.layer.authority.as_deref()
    }

    /// The tenant.
    pub(crate) fn tenant(&self) -> Option<&str> {
        self.layer.tenant.as_deref()
    }

    /// Certificates to trust besides the system's.
    pub(crate) fn ca_file(&self) -> Option<&std::path::Path> {
        self.layer.ca_file.as_deref()
    }

    /// As whom; reads the secret.
    ///
    /// # Errors
    /// The way to sign in that was chosen lacks something; the text names the flag and the variable.
    pub(crate) fn sign_in(&self) -> Result<SignIn, Failure> {
        let layer = &self.layer;
        let (tenant, client_id) = (layer.tenant.clone(), layer.client_id.clone());
        let method = layer.method.unwrap_or(match (&layer.client_secret, &layer.token_file) {
            (Some(_), _) => AzureMethod::ClientSecret,
            (None, Some(_)) => AzureMethod::WorkloadIdentity,
            (None, None) => AzureMethod::Default,
        });
        Ok(match method {
            AzureMethod::Default => SignIn::Default,
            AzureMethod::ClientSecret => {
                let needs = |what: &str, flag: &str, variable: &str| {
                    Failure::arguments(
                        format!("signing in to Azure with an application's secret needs {what}"),
                        format!("{flag} or {variable}"),
                        format!("set {variable}, or choose another way with --azure-authentication"),
                    )
                };
                let secret = layer.client_secret.as_ref();
                let secret = secret
                    .ok_or_else(|| needs("that secret", "--client-secret-from", "AZURE_CLIENT_SECRET"))?;
                SignIn::ClientSecret {
                    tenant: tenant.ok_or_else(|| needs("a tenant", "--tenant", "AZURE_TENANT_ID"))?,
                    client_id: client_id
                        .ok_or_else(|| needs("the application's id", "--client-id", "AZURE_CLIENT_ID"))?,
                    secret: secret.read(&self.environment)?,
                }
            }
            AzureMethod::WorkloadIdentity => {
                SignIn::WorkloadIdentity { tenant, client_id, token_file: layer.token_file.clone() }
            }
            AzureMethod::ManagedIdentity => SignIn::ManagedIdentity { client_id },
            AzureMethod::AzureCli => SignIn::AzureCli,
            AzureMethod::AzureDeveloperCli => SignIn::AzureDeveloperCli,
        })
    }
}

/// Azure is needed and nothing was said of it.
pub(super) fn no_azure() -> Failure {
    Failure::arguments(
        "nobody has said which managed instance in Azure",
        "--instance-name or MILINK_INSTANCE_NAME, --resource-group or MILINK_RESOURCE_GROUP",
        "say --subscription, --resource-group and --instance-name, or --instance-id, or use a context: milink context add",
    )
}
