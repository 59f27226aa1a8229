//! How a connection comes about, and why it does not.

use mssql_tds::connection::client_context::{ClientContext, TdsAuthenticationMethod};
use mssql_tds::core::{EncryptionOptions, EncryptionSetting};
use mssql_tds::error::Error;
use mssql_tds::message::login_options::ApplicationIntent as DriverIntent;
use tokio::time::{Instant, timeout_at};

use crate::error::{ServerError, SqlError};
use crate::target::{ApplicationIntent, Authentication, Encrypt, Target};

/// What the client library is told. Tokens are fetched here, so that each connection has a good one.
pub(crate) async fn context(target: &Target, deadline: Instant) -> Result<ClientContext, SqlError> {
    let refuse =
        |reason: String| SqlError::Login { server: target.server.to_string(), reason, errors: Vec::new() };
    let mut context = ClientContext::with_data_source(&target.server.data_source());
    match &target.authentication {
        Authentication::Unset => {
            return Err(refuse(
                "nobody to log in as was given: a login and its password, or another method".to_owned(),
            ));
        }
        Authentication::SqlPassword { user, password } => {
            context.tds_authentication_method = TdsAuthenticationMethod::Password;
            context.user_name.clone_from(user);
            password.expose().clone_into(&mut context.password);
        }
        Authentication::Token(source) => {
            let token = timeout_at(deadline, source.token())
                .await
                .map_err(|_| refuse("no token came in time".to_owned()))?
                .map_err(|e| refuse(format!("no token can be had: {e}")))?;
            context.tds_authentication_method = TdsAuthenticationMethod::AccessToken;
            context.access_token = Some(token.expose().to_owned());
        }
        Authentication::Entra(entra) => {
            return Err(refuse(format!("{} needs credentials that were not given", entra.method.name())));
        }
        Authentication::Integrated => {
            context.tds_authentication_method = TdsAuthenticationMethod::SSPI;
            context.server_spn.clone_from(&target.server_spn);
        }
    }
    context.database = target.database.clone().unwrap_or_default();
    context.application_name.clone_from(&target.application_name);
    context.application_intent = match target.application_intent {
        ApplicationIntent::ReadWrite => DriverIntent::ReadWrite,
        ApplicationIntent::ReadOnly => DriverIntent::ReadOnly,
    };
    context.encryption_options = EncryptionOptions {
        mode: match target.encrypt {
            Encrypt::Optional => EncryptionSetting::PreferOff,
            Encrypt::Mandatory => EncryptionSetting::On,
            Encrypt::Strict => EncryptionSetting::Strict,
        },
        trust_server_certificate: target.trust,
        host_name_in_cert: target.host_name_in_certificate.clone(),
        server_certificate: target.server_certificate.clone(),
    };
    // It neither connects again behind our back nor repeats anything: what was sent when is ours to know.
    context.connect_retry_count = 0;
    let left = deadline.saturating_duration_since(Instant::now());
    context.connect_timeout = left.as_secs().clamp(1, 86_400) as u32 + 1;
    context.login_timeout = Some(context.connect_timeout);
    Ok(context)
}

pub(crate) fn no_time_to_connect(target: &Target) -> SqlError {
    SqlError::Unreachable {
        server: target.server.to_string(),
        reason: format!(
            "it did not answer within {} s: is the address right, and does a firewall let its port through?",
            target.connect_timeout.as_secs_f64()
        ),
    }
}

/// Why there is no connection, and what to do about it.
pub(crate) fn not_connected(target: &Target, e: &Error) -> SqlError {
    let server = target.server.to_string();
    let unreachable = |reason: String| SqlError::Unreachable { server: server.clone(), reason };
    let untrusted = |reason: String| SqlError::Untrusted { server: server.clone(), reason };
    match e {
        Error::SqlServerError { diagnostics } => {
            let errors: Vec<ServerError> =
                diagnostics.errors.iter().cloned().map(ServerError::from).collect();
            let hint = match &target.authentication {
                Authentication::Token(_) => token_hint(&errors),
                _ => login_hint(&errors),
            };
            SqlError::Login { reason: hint.to_owned(), errors, server }
        }
        Error::TlsHandshakeError { source, .. } => certificate(target, &source.to_string()),
        Error::TlsError(source) => certificate(target, &source.to_string()),
        Error::CertificateMismatch => untrusted(
            "it has another certificate than the one in the file that was given (-J or ServerCertificate)"
                .to_owned(),
        ),
        Error::CertificateExpired => untrusted("its certificate has expired".to_owned()),
        Error::NoServerCertificate => untrusted("it showed no certificate".to_owned()),
        Error::CertificateNotFound { .. }
        | Error::InvalidCertificateFormat { .. }
        | Error::CertificateFileIoError { .. } => untrusted(e.to_string()),
        Error::TimeoutError(_) => no_time_to_connect(target),
        Error::Security(e) => SqlError::Login {
            server,
            reason: format!(
                "Kerberos: {e}; is there a ticket (klist), and is the service's name (SPN) registered?"
            ),
            errors: Vec::new(),
        },
        other => {
            let said = other.to_string();
            if said.contains("certificate verify failed") {
                certificate(target, &said)
            } else if said.contains("Connection refused") || said.contains("actively refused") {
                unreachable(
                    "nothing listens there (connection refused): is the server running, and is the port right?".to_owned(),
                )
            } else {
                unreachable(said)
            }
        }
    }
}

/// What a failed TLS handshake says, and what to do. Whatever it is, nothing was sent.
fn certificate(target: &Target, said: &str) -> SqlError {
    let server = target.server.to_string();
    let lower = said.to_lowercase();
    if !["certificate", "trust", "hostname", "self-signed"].iter().any(|word| lower.contains(word)) {
        return SqlError::Unreachable { server, reason: format!("the TLS handshake failed: {said}") };
    }
    // OpenSSL's words end with the reason in parentheses.
    let words = said.split(". Certificate SANs").next().unwrap_or_default();
    let reason =
        words.rsplit_once(" (").map_or_else(|| format!(" ({words})"), |(_, reason)| format!(" ({reason}"));
    // NB: trusting whoever answers would take strict encryption's meaning away, so that -C does not work with it.
    let mend = if target.encrypt == Encrypt::Strict {
        "give the certificate that it should have with -J FILE (ServerCertificate=FILE)"
    } else {
        "if you know that this is your server, trust it with -C (TrustServerCertificate=true), or give the name in \
         its certificate with -F NAME (HostNameInCertificate=NAME)"
    };
    SqlError::Untrusted {
        server,
        reason: format!("this machine does not trust its certificate{reason}; {mend}"),
    }
}

/// The token is good, or none would have come; what the server makes of it is another matter.
fn token_hint(errors: &[ServerError]) -> &'static str {
    match errors.first().map(|e| e.number) {
        Some(18456) => {
            "the server refused the token: it has to accept Microsoft Entra logins, and to have one for this identity \
             (CREATE LOGIN ... FROM EXTERNAL PROVIDER)"
        }
        _ => login_hint(errors),
    }
}

fn login_hint(errors: &[ServerError]) -> &'static str {
    match errors.first().map(|e| e.number) {
        Some(18456) => {
            "check the login's name and its password, and whether the server allows SQL Server logins"
        }
        Some(18452) => "this server allows no SQL Server logins or does not trust your domain",
        Some(4060) => "the login is good, but it may not use this database, or there is none of that name",
        Some(18488 | 18487) => "the password has expired and must be changed",
        Some(18486) => "the login is locked out",
        Some(40615) => "the server's firewall does not let this machine in",
        _ => "the server refused the login",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_do_about_a_certificate() {
        let mut target = Target::new(crate::Server::parse("h").unwrap());
        let said = "error:0A000086:SSL routines:tls_post_process_server_certificate:certificate verify failed:\
                    ../ssl/statem/statem_clnt.c:1889: (self-signed certificate)";
        let e = certificate(&target, said);
        assert!(matches!(e, SqlError::Untrusted { .. }));
        let shown = e.to_string();
        assert!(shown.contains("(self-signed certificate); ") && shown.contains("with -C"), "{shown}");
        target.encrypt = Encrypt::Strict;
        let shown = certificate(&target, said).to_string();
        assert!(shown.contains("with -J FILE") && !shown.contains("-C"), "{shown}");
        assert!(matches!(certificate(&target, "unexpected EOF"), SqlError::Unreachable { .. }));
    }
}
