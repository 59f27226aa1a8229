//! The platform's keyring: Keychain, Windows Credential Manager, or the Secret Service of a Linux desktop.

use milink_sql::Secret;

/// Reads a secret.
///
/// # Errors
/// There is no keyring, it is locked, or it does not have it.
#[cfg(feature = "keyring")]
pub(super) fn read(service: &str, user: &str) -> Result<Secret, String> {
    let entry = keyring::Entry::new(service, user).map_err(|e| match e {
        // A server without a desktop has none.
        keyring::Error::NoDefaultStore => "this session has no keyring".to_owned(),
        other => other.to_string(),
    })?;
    entry.get_password().map(Secret::new).map_err(|e| e.to_string())
}

/// A build for servers can leave it out.
#[cfg(not(feature = "keyring"))]
pub(super) fn read(_: &str, _: &str) -> Result<Secret, String> {
    Err("this build of milink has no keyring (cargo feature 'keyring')".to_owned())
}
