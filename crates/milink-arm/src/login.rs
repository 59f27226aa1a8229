//! How one signs in, in the words of sqlcmd.

use std::path::PathBuf;

use crate::error::ArmError;
use milink_core::secret::Secret;

/// A way to sign in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Login {
    /// Whatever is there, in the usual order: the environment, workload identity, managed identity, the Azure CLI, the Azure
    /// Developer CLI.
    #[default]
    Default,
    /// What `AZURE_TENANT_ID`, `AZURE_CLIENT_ID` and `AZURE_CLIENT_SECRET` say.
    Environment,
    /// A service principal and its secret.
    ClientSecret {
        /// The directory.
        tenant: String,
        /// The application's id.
        client_id: String,
        /// Its secret.
        secret: Secret,
    },
    /// Whoever is signed in with `az login`.
    AzCli,
    /// Whoever is signed in with `azd auth login`.
    AzureDeveloperCli,
    /// The identity of the machine.
    ManagedIdentity {
        /// Which one; `None` is the machine's own.
        client_id: Option<String>,
    },
    /// A service account of Kubernetes. What is absent is taken from `AZURE_TENANT_ID`, `AZURE_CLIENT_ID` and
    /// `AZURE_FEDERATED_TOKEN_FILE`.
    WorkloadIdentity {
        /// The directory.
        tenant: Option<String>,
        /// The application's id.
        client_id: Option<String>,
        /// The file with its token.
        token_file: Option<PathBuf>,
    },
    /// A token that somebody else has got; it is used for every audience, and is not renewed.
    Token(Secret),
}

impl Login {
    /// The login that an authentication method of sqlcmd means. `user` is the application's id, and for a service principal
    /// `id@tenant`; `password` is its secret.
    pub fn parse(method: &str, user: Option<&str>, password: Option<&Secret>) -> Result<Login, ArmError> {
        let is = |names: &[&str]| names.iter().any(|n| n.eq_ignore_ascii_case(method));
        let user = user.filter(|u| !u.is_empty());
        if is(&["ActiveDirectoryDefault"]) {
            Ok(Login::Default)
        } else if is(&["ActiveDirectoryEnvironment"]) {
            Ok(Login::Environment)
        } else if is(&["ActiveDirectoryServicePrincipal", "ActiveDirectoryApplication"]) {
            let wrong = |why: &str| Err(refused(format!("{method} needs {why}")));
            let Some((client_id, tenant)) = user.and_then(|u| u.split_once('@')) else {
                return wrong("the application's id and its tenant as user: id@tenant");
            };
            match password.filter(|p| !p.is_empty()) {
                None => wrong("the application's secret as password"),
                Some(secret) => Ok(Login::ClientSecret {
                    tenant: tenant.to_owned(),
                    client_id: client_id.to_owned(),
                    secret: secret.clone(),
                }),
            }
        } else if is(&["ActiveDirectoryAzCli"]) {
            Ok(Login::AzCli)
        } else if is(&["ActiveDirectoryAzureDeveloperCli"]) {
            Ok(Login::AzureDeveloperCli)
        } else if is(&["ActiveDirectoryManagedIdentity", "ActiveDirectoryMSI"]) {
            Ok(Login::ManagedIdentity { client_id: user.map(str::to_owned) })
        } else if is(&["ActiveDirectoryWorkloadIdentity"]) {
            Ok(Login::WorkloadIdentity { tenant: None, client_id: user.map(str::to_owned), token_file: None })
        } else if is(&ABSENT) {
            Err(refused(format!(
                "{method} is not supported here. Sign in with az login and use ActiveDirectoryAzCli, or use one of {}.",
                KNOWN.join(", ")
            )))
        } else {
            Err(refused(format!("'{method}' is no way to sign in. There are {}.", KNOWN.join(", "))))
        }
    }

    /// What the environment asks for: a service principal, or a workload identity; `None` when it asks for neither.
    /// Half of what is needed is an error, as it was meant.
    pub(crate) fn from_environment(
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Login>, ArmError> {
        let get = |name: &str| variable(name).filter(|value| !value.is_empty());
        let tenant = get("AZURE_TENANT_ID");
        let client_id = get("AZURE_CLIENT_ID");
        let needs = |name: &str, what: &str| refused(format!("{what} is set, and {name} is not"));
        if let Some(secret) = get("AZURE_CLIENT_SECRET") {
            let what = "AZURE_CLIENT_SECRET";
            return Ok(Some(Login::ClientSecret {
                tenant: tenant.ok_or_else(|| needs("AZURE_TENANT_ID", what))?,
                client_id: client_id.ok_or_else(|| needs("AZURE_CLIENT_ID", what))?,
                secret: Secret::new(secret),
            }));
        }
        if get("AZURE_CLIENT_CERTIFICATE_PATH").is_some() {
            return Err(refused(
                "AZURE_CLIENT_CERTIFICATE_PATH is set; signing in with a certificate is not supported here. Use a secret, \
                 or az login and ActiveDirectoryAzCli.",
            ));
        }
        Ok(get("AZURE_FEDERATED_TOKEN_FILE").map(|file| Login::WorkloadIdentity {
            tenant,
            client_id,
            token_file: Some(PathBuf::from(file)),
        }))
    }
}

const KNOWN: [&str; 7] = [
    "ActiveDirectoryDefault",
    "ActiveDirectoryEnvironment",
    "ActiveDirectoryServicePrincipal",
    "ActiveDirectoryAzCli",
    "ActiveDirectoryAzureDeveloperCli",
    "ActiveDirectoryManagedIdentity",
    "ActiveDirectoryWorkloadIdentity",
];

/// What sqlcmd has, and this has not.
const ABSENT: [&str; 8] = [
    "ActiveDirectoryPassword",
    "ActiveDirectoryIntegrated",
    "ActiveDirectoryInteractive",
    "ActiveDirectoryDeviceCode",
    "ActiveDirectoryAzurePipelines",
    "ActiveDirectoryClientAssertion",
    "ActiveDirectoryOnBehalfOf",
    "ActiveDirectoryServicePrincipalAccessToken",
];

fn refused(message: impl Into<String>) -> ArmError {
    ArmError::Unauthenticated { message: message.into(), ids: Box::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(set: &[(&str, &str)]) -> Result<Option<Login>, ArmError> {
        Login::from_environment(|name| {
            set.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn reads_sqlcmds_words_without_case() {
        let secret = Secret::new("canary");
        assert_eq!(Login::parse("activedirectorydefault", None, None).unwrap(), Login::Default);
        let login = Login::parse("ActiveDirectoryServicePrincipal", Some("app@dir"), Some(&secret)).unwrap();
        let wanted = Login::ClientSecret { tenant: "dir".into(), client_id: "app".into(), secret };
        assert_eq!(login, wanted);
        assert!(!format!("{login:?}").contains("canary"));
        assert_eq!(
            Login::parse("ActiveDirectoryMSI", Some("app"), None).unwrap(),
            Login::ManagedIdentity { client_id: Some("app".into()) }
        );
        for (method, says) in [
            ("ActiveDirectoryServicePrincipal", "id@tenant"),
            ("ActiveDirectoryInteractive", "not supported here"),
            ("SqlPassword", "no way to sign in"),
        ] {
            let error = Login::parse(method, None, None).unwrap_err();
            assert!(error.to_string().contains(says), "{error}");
        }
    }

    #[test]
    fn the_environment_means_what_it_says_or_is_refused() {
        let ids = [("AZURE_TENANT_ID", "t"), ("AZURE_CLIENT_ID", "c")];
        assert_eq!(environment(&ids).unwrap(), None);
        assert_eq!(environment(&[("AZURE_CLIENT_SECRET", "")]).unwrap(), None);
        let with = |name, value| environment(&[ids[0], ids[1], (name, value)]);
        assert!(matches!(with("AZURE_CLIENT_SECRET", "s"), Ok(Some(Login::ClientSecret { .. }))));
        assert!(matches!(with("AZURE_FEDERATED_TOKEN_FILE", "f"), Ok(Some(Login::WorkloadIdentity { .. }))));
        let half = environment(&[("AZURE_CLIENT_SECRET", "s"), ids[0]]).unwrap_err();
        assert!(half.to_string().contains("AZURE_CLIENT_ID is not"), "{half}");
        assert!(
            with("AZURE_CLIENT_CERTIFICATE_PATH", "p").unwrap_err().to_string().contains("not supported")
        );
    }
}
