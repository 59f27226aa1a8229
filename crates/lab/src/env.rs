//! `milink lab env`: what other programs read, as lines for a shell.

use std::fmt::Write as _;

use crate::Side;
use crate::status::Status;

/// The variables, with their values. The contributor signs in; SQL Server is what sqlcmd-like tools reach.
fn variables(status: &Status) -> Vec<(&'static str, String)> {
    let Status { sqlserver, managed, azure, .. } = status;
    let mut out = vec![
        ("SQLCMDSERVER", sqlserver.server.clone()),
        ("SQLCMDUSER", sqlserver.user.clone()),
        ("SQLCMDPASSWORD", sqlserver.password.clone()),
        ("AZURE_AUTHORITY_HOST", azure.authority.clone()),
        ("AZURE_TENANT_ID", azure.tenant_id.clone()),
        ("AZURE_SUBSCRIPTION_ID", azure.subscription_id.clone()),
    ];
    if let Some(principal) = azure.principals.first() {
        out.push(("AZURE_CLIENT_ID", principal.client_id.clone()));
        out.push(("AZURE_CLIENT_SECRET", principal.client_secret.clone()));
    }
    let (ca, bundle) = (azure.ca_file.display().to_string(), azure.ca_bundle_file.display().to_string());
    let config = status.lab.data.join("azure-cli").display().to_string();
    out.extend([
        // az keeps clouds and tokens in a folder: the lab's must not mix with the user's own.
        ("AZURE_CONFIG_DIR", config),
        ("AZURE_CORE_INSTANCE_DISCOVERY", "false".to_owned()),
        ("REQUESTS_CA_BUNDLE", bundle.clone()),
        ("SSL_CERT_FILE", bundle),
        ("MILINK_LAB_DATA", status.lab.data.display().to_string()),
        ("MILINK_ARM_ENDPOINT", azure.arm_endpoint.clone()),
        ("MILINK_AUTHORITY", azure.authority.clone()),
        ("MILINK_CA_FILE", ca),
        // Pinned: nobody vouches for an instance's own certificate, and to trust any would follow the user elsewhere.
        ("MILINK_SERVER_CERTIFICATE", certificate(status, Side::SqlServer)),
        ("MILINK_MANAGED_SERVER_CERTIFICATE", certificate(status, Side::Managed)),
        ("MILINK_SQLSERVER_ENDPOINT", sqlserver.endpoint.clone()),
        ("MILINK_MANAGED_SERVER", managed.server.clone()),
        ("MILINK_MANAGED_USER", managed.user.clone()),
        ("MILINK_MANAGED_PASSWORD", managed.password.clone()),
        ("MILINK_MANAGED_ENDPOINT", managed.endpoint.clone()),
        ("MILINK_MANAGED_FQDN", managed.fqdn.clone()),
        ("MILINK_RESOURCE_GROUP", azure.resource_group.clone()),
        ("MILINK_INSTANCE_NAME", azure.instance_name.clone()),
    ]);
    out
}

/// The certificate that an instance shows to clients.
fn certificate(status: &Status, side: Side) -> String {
    status.lab.data.join(side.word()).join("tls-cert.pem").display().to_string()
}

/// Lines that a POSIX shell can evaluate, whatever the values are.
pub fn exports(status: &Status) -> String {
    let mut out = String::new();
    for (name, value) in variables(status) {
        // Writing to a string cannot fail.
        writeln!(out, "export {name}={}", quoted(&value)).unwrap_or(());
    }
    out
}

/// A value between apostrophes, within which a shell changes nothing.
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_to_the_shell() {
        assert_eq!(quoted("127.0.0.1,1433"), "'127.0.0.1,1433'");
        assert_eq!(quoted("it's $HOME `x` \n;"), "'it'\\''s $HOME `x` \n;'");
    }
}
