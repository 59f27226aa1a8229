//! Procedures that prepare an instance for a link.

use rusqlite::types::Value;

use super::args::{done, int, text};
use crate::error::SqlError;
use crate::exec::call::{Passed, Returned};
use crate::exec::{Frame, Stop};
use crate::security::{Certificate, chain};
use crate::server::{Flavor, MASTER, Release};
use crate::session::Session;
use crate::sink::{ColumnMeta, Done, DoneKind, Sink};
use crate::types::{Len, SqlType, now_datetime, unix_seconds};

/// sp_multidb_milink [0 | 1]: without an argument it tells whether links with several databases are on.
pub(super) fn multi_database(
    session: &mut Session,
    _: &Frame,
    passed: &[Passed],
    sink: &mut dyn Sink,
) -> Result<Returned, Stop> {
    if !matches!(session.server.flavor(), Flavor::SqlServer(Release::Sql2022 | Release::Sql2025)) {
        return Err(SqlError::procedure_not_found("sys.sp_multidb_milink").into());
    }
    if !session.shared.state().sysadmin {
        return Err(SqlError::no_permission().into());
    }
    if passed.is_empty() {
        let on = session.server.multi_database_link();
        sink.columns(&[ColumnMeta::new("", SqlType::Int)]);
        sink.row(&[Value::Integer(on.into())]).map_err(|_| Stop::Closed)?;
        sink.done(Done { kind: DoneKind::InProc, rows: Some(1), command: Done::SELECT, error: false });
        return done();
    }
    let name = passed.first().map_or("", |p| p.name.as_str()).to_owned();
    let value = match int(passed, 0, &name) {
        Some(0) => false,
        Some(1) => true,
        other => {
            let shown = other.map_or_else(|| "NULL".to_owned(), |n| n.to_string());
            let text =
                format!("'{shown}' is not a valid value for configuration option 'sp_multidb_milink'.");
            return Err(SqlError::new(15129, 16, 1, text).into());
        }
    };
    session.outside_transactions("sp_multidb_milink")?;
    session.server.set_multi_database_link(value)?;
    done()
}

/// The longest name of a certificate's subject alternative names.
const DNS_NAME_MAX: usize = 255;

/// sp_certificate_add_issuer @cert_id, @dns_name: an imported root may vouch for certificates of these names.
pub(super) fn add_issuer(
    session: &mut Session,
    _: &Frame,
    passed: &[Passed],
    _: &mut dyn Sink,
) -> Result<Returned, Stop> {
    let dns = text(passed, 1, "@dns_name").unwrap_or_default().trim().to_owned();
    let server = std::sync::Arc::clone(&session.server);
    may_administer(session)?;
    session.outside_transactions("sp_certificate_add_issuer")?;
    let _defining = server.defining();
    let mut security = server.security();
    let id = certificate_id(passed).filter(|id| security.certificates.contains_key(id));
    let certificate =
        id.and_then(|id| security.certificates.get_mut(&id)).ok_or_else(|| not_found(passed))?;
    if dns.is_empty() || dns.chars().count() > DNS_NAME_MAX {
        return Err(SqlError::new(
            15600,
            15,
            1,
            "An invalid parameter or option was specified for procedure 'sp_certificate_add_issuer'.",
        )
        .into());
    }
    if !certificate.issues.iter().any(|known| known.eq_ignore_ascii_case(&dns)) {
        certificate.issues.push(dns);
        server.save_security(security)?;
    }
    done()
}

/// sp_validate_certificate_ca_chain @cert_id: whether imported roots vouch for a certificate. Nothing is asked of the network.
pub(super) fn validate_chain(
    session: &mut Session,
    _: &Frame,
    passed: &[Passed],
    _: &mut dyn Sink,
) -> Result<Returned, Stop> {
    may_administer(session)?;
    let security = session.server.security();
    let certificate = certificate_id(passed).and_then(|id| security.certificates.get(&id));
    let certificate = certificate.ok_or_else(|| not_found(passed))?;
    let others = security.certificates.values().filter(|c| c.id != certificate.id);
    let vouches = |c: &&Certificate| c.issues.iter().any(|suffix| chain::covers(suffix, &certificate.name));
    let roots: Vec<Vec<u8>> = others.clone().filter(vouches).map(|c| c.der.clone()).collect();
    let others: Vec<Vec<u8>> = others.map(|c| c.der.clone()).collect();
    let now = unix_seconds(now_datetime());
    chain::validate(&certificate.der, &others, &roots, now)
        .map_err(|why| SqlError::chain_not_valid(&certificate.name, &why))?;
    done()
}

/// sp_get_endpoint_certificate @endpoint_type: the certificate of the endpoint for mirroring, 4.
pub(super) fn endpoint_certificate(
    session: &mut Session,
    _: &Frame,
    passed: &[Passed],
    sink: &mut dyn Sink,
) -> Result<Returned, Stop> {
    const MIRRORING: i64 = 4;
    may_administer(session)?;
    if int(passed, 0, "@endpoint_type") != Some(MIRRORING) {
        return Err(SqlError::new(
            15600,
            15,
            1,
            "An invalid parameter or option was specified for procedure 'sp_get_endpoint_certificate'.",
        )
        .into());
    }
    let certificate = session.server.mirroring_endpoint().and_then(|e| e.certificate);
    sink.columns(&[ColumnMeta::new("certificate", SqlType::VarBinary { len: Len::Max })]);
    let rows = u64::from(certificate.is_some());
    if let Some(certificate) = certificate {
        sink.row(&[Value::Blob(certificate.der)]).map_err(|_| Stop::Closed)?;
    }
    sink.done(Done { kind: DoneKind::InProc, rows: Some(rows), command: Done::SELECT, error: false });
    done()
}

fn may_administer(session: &Session) -> Result<(), SqlError> {
    if session.shared.rights(MASTER)?.owner { Ok(()) } else { Err(SqlError::no_permission()) }
}

fn certificate_id(passed: &[Passed]) -> Option<i32> {
    int(passed, 0, "@cert_id").and_then(|id| i32::try_from(id).ok())
}

fn not_found(passed: &[Passed]) -> SqlError {
    let id = certificate_id(passed).map_or_else(|| "NULL".to_owned(), |id| id.to_string());
    SqlError::principal_not_found("certificate", &id)
}
