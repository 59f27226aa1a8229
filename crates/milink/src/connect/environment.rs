//! The environment, as a value: what is resolved from it can be tested, and does not change on the way.

use std::collections::BTreeMap;
use std::ffi::OsString;

use crate::exit::Failure;

/// The variables that are read, with what they say. The manual lists them from here.
pub(crate) const VARIABLES: &[(&str, &str)] = &[
    ("SQLCMDSERVER", "SQL Server's address, as -S"),
    ("SQLCMDUSER", "the login there, as -U"),
    ("SQLCMDPASSWORD", "its password"),
    ("SQLCMDDBNAME", "the database to connect to there, as -d"),
    ("SQLCMDLOGINTIMEOUT", "seconds to wait for a connection, as -l"),
    ("MILINK_CONNECTION_STRING", "all of that as an ADO.NET connection string"),
    ("MILINK_SERVER_CERTIFICATE", "the certificate that SQL Server must have: a file, as -J"),
    ("MILINK_SQLSERVER_ENDPOINT", "SQL Server's endpoint for the link, as --partner-endpoint"),
    ("MILINK_MANAGED_SERVER", "the managed instance's address, as --managed-server"),
    ("MILINK_MANAGED_USER", "the login there, as --managed-user"),
    ("MILINK_MANAGED_PASSWORD", "its password"),
    ("MILINK_MANAGED_CONNECTION_STRING", "all of that as an ADO.NET connection string"),
    ("MILINK_MANAGED_AUTHENTICATION", "how to sign in there, as --managed-authentication"),
    ("MILINK_MANAGED_SERVER_CERTIFICATE", "the certificate that the managed instance must have: a file"),
    ("MILINK_MANAGED_ENDPOINT", "the managed instance's endpoint for the link, as --managed-endpoint"),
    ("MILINK_MANAGED_FQDN", "the name in the certificate of that endpoint"),
    ("AZURE_SUBSCRIPTION_ID", "the subscription, as --subscription"),
    ("MILINK_RESOURCE_GROUP", "the resource group, as --resource-group"),
    ("MILINK_INSTANCE_NAME", "the managed instance's name, as --instance-name"),
    ("MILINK_INSTANCE_ID", "its resource id, as --instance-id"),
    ("MILINK_CLOUD", "the cloud, as --cloud"),
    ("MILINK_ARM_ENDPOINT", "the URL of Azure Resource Manager, as --arm-endpoint"),
    ("MILINK_AUTHORITY", "who gives tokens, as --authority; before AZURE_AUTHORITY_HOST"),
    ("AZURE_AUTHORITY_HOST", "who gives tokens, as Azure's libraries have it"),
    ("MILINK_CA_FILE", "certificates to trust besides the system's, as --ca-file"),
    ("MILINK_AZURE_AUTHENTICATION", "how to sign in to Azure, as --azure-authentication"),
    ("AZURE_TENANT_ID", "the tenant"),
    ("AZURE_CLIENT_ID", "the application, or the user-assigned identity"),
    ("AZURE_CLIENT_SECRET", "the application's secret"),
    ("AZURE_FEDERATED_TOKEN_FILE", "the token of a workload identity"),
    ("MILINK_CONTEXT", "the context, as --context"),
    ("MILINK_CONFIG", "the file that holds contexts"),
    ("NO_COLOR", "no colour if it is not empty"),
    ("COLUMNS", "the width of tables, where it is not the terminal's"),
];

/// Variables and their values. An empty one is as good as unset.
#[derive(Clone, Default)]
pub(crate) struct Environment(BTreeMap<String, OsString>);

/// Values may be secret.
impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Environment {
    /// This process's own.
    pub(crate) fn of_process() -> Environment {
        let named = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value));
        Environment(std::env::vars_os().filter_map(named).collect())
    }

    /// One for a test.
    #[cfg(test)]
    pub(crate) fn of<const N: usize>(variables: [(&str, &str); N]) -> Environment {
        Environment(variables.into_iter().map(|(n, v)| (n.to_owned(), v.into())).collect())
    }

    /// The same with one more.
    #[cfg(test)]
    pub(crate) fn with(mut self, name: &str, value: &str) -> Environment {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    /// The value of a variable.
    ///
    /// # Errors
    /// It is no Unicode: half understood, a password would be another one.
    pub(crate) fn get(&self, name: &str) -> Result<Option<String>, Failure> {
        let Some(value) = self.0.get(name).filter(|v| !v.is_empty()) else { return Ok(None) };
        let text = value.to_str().ok_or_else(|| {
            Failure::arguments("the variable's value is not UTF-8", name, format!("set {name} to UTF-8 text"))
        })?;
        Ok(Some(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_is_unset() {
        let environment = Environment::of([("A", "x"), ("B", "")]);
        assert_eq!(environment.get("A").unwrap().as_deref(), Some("x"));
        assert_eq!(environment.get("B").unwrap(), None);
        assert_eq!(environment.get("C").unwrap(), None);
        assert!(!format!("{environment:?}").contains('x'));
    }
}
