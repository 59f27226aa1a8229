//! Views and functions of keys, certificates and endpoints.

use lab_tsql::ast::{
    EncryptionAlgorithm, EncryptionLevel, EndpointRole, EndpointState, WindowsAuthentication,
};
use rusqlite::types::Value;

use super::{View, bit, int, text};
use crate::error::SqlError;
use crate::security::objects::MASTER_KEY_ID;
use crate::security::{Certificate, Endpoint, x509};
use crate::server::MASTER;
use crate::session::Shared;
use crate::types::{Len, SqlType, datetime_from_unix, guid_from_wire, parse_hex};

type Rows = Result<Vec<Vec<Value>>, SqlError>;

const INT: SqlType = SqlType::Int;
const TINY: SqlType = SqlType::TinyInt;
const NAME: SqlType = SqlType::SYSNAME;
const WHEN: SqlType = SqlType::DateTime;
const BIT: SqlType = SqlType::Bit;
const WORDS: SqlType = SqlType::nvarchar(60);

pub(super) const VIEWS: &[View] = &[
    View {
        schema: "sys",
        name: "certificates",
        columns: &[
            ("name", NAME, false),
            ("certificate_id", INT, false),
            ("principal_id", INT, true),
            ("pvt_key_encryption_type", SqlType::Char { len: 2 }, false),
            ("pvt_key_encryption_type_desc", WORDS, true),
            ("is_active_for_begin_dialog", BIT, true),
            ("issuer_name", SqlType::nvarchar(442), true),
            ("cert_serial_number", SqlType::nvarchar(64), true),
            ("sid", SqlType::VarBinary { len: Len::N(85) }, true),
            ("string_sid", SqlType::nvarchar(128), true),
            ("subject", SqlType::nvarchar(4000), true),
            ("expiry_date", WHEN, true),
            ("start_date", WHEN, true),
            ("thumbprint", SqlType::VarBinary { len: Len::N(32) }, false),
            ("attested_by", SqlType::nvarchar(260), true),
            ("pvt_key_last_backup_date", WHEN, true),
            ("key_length", INT, true),
        ],
        rows: certificates,
    },
    View {
        schema: "sys",
        name: "symmetric_keys",
        columns: &[
            ("name", NAME, false),
            ("principal_id", INT, true),
            ("symmetric_key_id", INT, false),
            ("key_length", INT, false),
            ("key_algorithm", SqlType::Char { len: 2 }, false),
            ("algorithm_desc", WORDS, true),
            ("create_date", WHEN, false),
            ("modify_date", WHEN, false),
            ("key_guid", SqlType::UniqueIdentifier, true),
            ("key_thumbprint", SqlType::Variant, true),
            ("provider_type", SqlType::nvarchar(120), true),
            ("cryptographic_provider_guid", SqlType::UniqueIdentifier, true),
            ("cryptographic_provider_algid", SqlType::Variant, true),
        ],
        rows: symmetric_keys,
    },
    View {
        schema: "sys",
        name: "database_mirroring_endpoints",
        columns: &[
            ("name", NAME, false),
            ("endpoint_id", INT, false),
            ("principal_id", INT, true),
            ("protocol", TINY, false),
            ("protocol_desc", WORDS, true),
            ("type", TINY, false),
            ("type_desc", WORDS, true),
            ("state", TINY, true),
            ("state_desc", WORDS, true),
            ("is_admin_endpoint", BIT, false),
            ("role", TINY, true),
            ("role_desc", WORDS, true),
            ("is_encryption_enabled", BIT, false),
            ("connection_auth", TINY, false),
            ("connection_auth_desc", WORDS, true),
            ("certificate_id", INT, false),
            ("encryption_algorithm", TINY, false),
            ("encryption_algorithm_desc", WORDS, true),
        ],
        rows: mirroring_endpoints,
    },
    View { schema: "sys", name: "endpoints", columns: ENDPOINT_COLUMNS, rows: endpoints },
    View {
        schema: "sys",
        name: "tcp_endpoints",
        columns: &[
            ("name", NAME, false),
            ("endpoint_id", INT, false),
            ("principal_id", INT, true),
            ("protocol", TINY, false),
            ("protocol_desc", WORDS, true),
            ("type", TINY, false),
            ("type_desc", WORDS, true),
            ("state", TINY, true),
            ("state_desc", WORDS, true),
            ("is_admin_endpoint", BIT, false),
            ("port", INT, false),
            ("is_dynamic_port", BIT, false),
            ("ip_address", SqlType::nvarchar(45), true),
        ],
        rows: tcp_endpoints,
    },
    View {
        schema: "sys",
        name: "endpoint_grants",
        columns: &[
            ("endpoint_id", INT, false),
            ("grantee_principal_id", INT, false),
            ("is_denied", BIT, false),
        ],
        rows: |s, _| {
            let row =
                |e: &Endpoint, (grantee, denied): (&i32, &bool)| vec![int(e.id), int(*grantee), bit(*denied)];
            let endpoint = s.server.security().endpoint;
            Ok(endpoint.iter().flat_map(|e| e.connect.iter().map(|grant| row(e, grant))).collect())
        },
    },
    View {
        schema: "lab",
        name: "certificate_issuers",
        columns: &[("certificate_id", INT, false), ("name", NAME, false), ("dns_name", NAME, false)],
        rows: |s, _| {
            let certificates = s.server.security().certificates;
            Ok(certificates
                .values()
                .flat_map(|c| c.issues.iter().map(|dns| vec![int(c.id), text(&c.name), text(dns)]))
                .collect())
        },
    },
];

const ENDPOINT_COLUMNS: &[(&str, SqlType, bool)] = &[
    ("name", NAME, false),
    ("endpoint_id", INT, false),
    ("principal_id", INT, true),
    ("protocol", TINY, false),
    ("protocol_desc", WORDS, true),
    ("type", TINY, false),
    ("type_desc", WORDS, true),
    ("state", TINY, true),
    ("state_desc", WORDS, true),
    ("is_admin_endpoint", BIT, false),
];

/// The SID of what is mapped to a certificate: S-1-9-1 and its thumbprint.
fn sid(thumbprint: [u8; 20]) -> (Vec<u8>, String) {
    let mut sid = vec![1, 6, 0, 0, 0, 0, 0, 9, 1, 0, 0, 0];
    sid.extend(thumbprint);
    let mut shown = "S-1-9-1".to_owned();
    for part in thumbprint.chunks(4) {
        let number = part.iter().rev().fold(0_u32, |sum, byte| (sum << 8) | u32::from(*byte));
        shown += &format!("-{number}");
    }
    (sid, shown)
}

/// `4a 1b 00 ...`
fn serial(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

fn certificates(shared: &Shared, database: i32) -> Rows {
    if database != MASTER {
        return Ok(Vec::new());
    }
    let row = |c: &Certificate| {
        let facts = x509::facts(&c.der)?;
        let (sid, string_sid) = sid(facts.thumbprint);
        Some(vec![
            text(&c.name),
            int(c.id),
            int(1),
            text(c.encryption().code()),
            text(c.encryption().description()),
            bit(c.active_for_begin_dialog),
            text(facts.issuer),
            text(serial(&facts.serial)),
            Value::Blob(sid),
            text(string_sid),
            text(facts.subject),
            int(datetime_from_unix(facts.not_after)),
            int(datetime_from_unix(facts.not_before)),
            Value::Blob(facts.thumbprint.to_vec()),
            Value::Null,
            c.key_backed_up.map_or(Value::Null, int),
            int(facts.key_bits),
        ])
    };
    Ok(shared.server.security().certificates.values().filter_map(row).collect())
}

fn symmetric_keys(shared: &Shared, database: i32) -> Rows {
    if database != MASTER {
        return Ok(Vec::new());
    }
    let row = |name: &str, id: i64, created: i64, modified: i64, guid: Option<Vec<u8>>| {
        vec![
            text(name),
            int(1),
            int(id),
            int(256),
            text("A3"),
            text("AES_256"),
            int(created),
            int(modified),
            guid.map_or(Value::Null, Value::Blob),
            Value::Null,
            Value::Null,
            Value::Null,
            Value::Null,
        ]
    };
    let mut rows = Vec::new();
    if let Some(key) = shared.server.security().master_key {
        let wire = parse_hex(&key.guid).and_then(|bytes| bytes.try_into().ok());
        let guid = wire.map(guid_from_wire);
        rows.push(row("##MS_DatabaseMasterKey##", MASTER_KEY_ID, key.created, key.modified, guid));
    }
    let started = shared.server.started;
    rows.push(row("##MS_ServiceMasterKey##", MASTER_KEY_ID + 1, started, started, None));
    Ok(rows)
}

/// The ten columns that all views of endpoints begin with.
fn common(endpoint: &Endpoint) -> Vec<Value> {
    let state = match endpoint.state() {
        EndpointState::Started => 0,
        EndpointState::Stopped => 1,
        EndpointState::Disabled => 2,
    };
    vec![
        text(&endpoint.name),
        int(endpoint.id),
        int(1),
        int(2),
        text("TCP"),
        int(4),
        text("DATABASE_MIRRORING"),
        int(state),
        text(endpoint.state().word()),
        bit(false),
    ]
}

/// The endpoint that clients connect to, which every instance has.
fn default_tcp() -> Vec<Value> {
    vec![
        text("TSQL Default TCP"),
        int(4),
        int(1),
        int(2),
        text("TCP"),
        int(2),
        text("TSQL"),
        int(0),
        text("STARTED"),
        bit(false),
    ]
}

fn endpoints(shared: &Shared, _: i32) -> Rows {
    let mirroring = shared.server.security().endpoint;
    Ok([default_tcp()].into_iter().chain(mirroring.iter().map(common)).collect())
}

fn tcp_endpoints(shared: &Shared, _: i32) -> Rows {
    let with = |mut row: Vec<Value>, port: u16, dynamic: bool, ip: Value| {
        row.extend([int(port), bit(dynamic), ip]);
        row
    };
    let mirroring = shared.server.security().endpoint.map(|e| {
        let ip = e.ip.map_or(Value::Null, |ip| text(ip.to_string()));
        with(common(&e), e.port, false, ip)
    });
    Ok([with(default_tcp(), 0, true, Value::Null)].into_iter().chain(mirroring).collect())
}

fn mirroring_endpoints(shared: &Shared, _: i32) -> Rows {
    let row = |endpoint: &Endpoint| {
        let mut row = common(endpoint);
        let role = match endpoint.role() {
            EndpointRole::Partner => 1,
            EndpointRole::Witness => 2,
            EndpointRole::All => 3,
        };
        let (auth, auth_desc) = connection_auth(endpoint);
        let (algorithm, algorithm_desc) = encryption_algorithm(endpoint);
        row.extend([
            int(role),
            text(endpoint.role().word()),
            bit(endpoint.encryption() != EncryptionLevel::Disabled),
            int(auth),
            text(auth_desc),
            int(endpoint.certificate.unwrap_or(0)),
            int(algorithm),
            text(algorithm_desc),
        ]);
        row
    };
    Ok(shared.server.security().endpoint.iter().map(row).collect())
}

/// The numbers that the view's documentation lists.
fn connection_auth(endpoint: &Endpoint) -> (i64, String) {
    let Some(windows) = endpoint.windows() else { return (4, "CERTIFICATE".to_owned()) };
    let alone = match windows {
        WindowsAuthentication::Ntlm => 1,
        WindowsAuthentication::Kerberos => 2,
        WindowsAuthentication::Negotiate => 3,
    };
    let word = windows.word();
    match (endpoint.certificate, endpoint.certificate_first) {
        (None, _) => (alone, word.to_owned()),
        (Some(_), false) => (alone + 4, format!("{word}, CERTIFICATE")),
        (Some(_), true) => (alone + 7, format!("CERTIFICATE, {word}")),
    }
}

fn encryption_algorithm(endpoint: &Endpoint) -> (i64, &'static str) {
    use EncryptionAlgorithm::{Aes, Rc4};
    let supported = endpoint.encryption() == EncryptionLevel::Supported;
    match (endpoint.algorithms().as_slice(), supported) {
        ([], _) => (0, "NONE"),
        ([Rc4], false) => (1, "RC4"),
        ([Aes], false) => (2, "AES"),
        ([Rc4], true) => (3, "NONE, RC4"),
        ([Aes], true) => (4, "NONE, AES"),
        ([Rc4, ..], false) => (5, "RC4, AES"),
        ([Aes, ..], false) => (6, "AES, RC4"),
        ([Rc4, ..], true) => (7, "NONE, RC4, AES"),
        ([Aes, ..], true) => (8, "NONE, AES, RC4"),
    }
}

/// CERT_ID, CERTENCODED, CERTPROPERTY.
pub(super) fn certificate_function(shared: &Shared, name: &str, database: i32, args: &[Value]) -> Value {
    if database != MASTER {
        return Value::Null;
    }
    let security = shared.server.security();
    let by_name = |name: &str| security.certificate_named(name.trim_start_matches('[').trim_end_matches(']'));
    let found = match args.first() {
        Some(Value::Text(name)) => security.certificate_named(name).or_else(|| by_name(name)),
        Some(Value::Integer(id)) => i32::try_from(*id).ok().and_then(|id| security.certificates.get(&id)),
        _ => None,
    };
    let Some(certificate) = found else { return Value::Null };
    match (name, args.get(1)) {
        ("cert_id", _) => int(certificate.id),
        ("certencoded", _) => Value::Blob(certificate.der.clone()),
        (_, Some(Value::Text(property))) => {
            certificate_property(certificate, property).unwrap_or(Value::Null)
        }
        _ => Value::Null,
    }
}

fn certificate_property(certificate: &Certificate, property: &str) -> Option<Value> {
    use crate::types::variant_value;
    let facts = x509::facts(&certificate.der)?;
    let words = |t: String| {
        let ty = SqlType::nvarchar(t.chars().count().clamp(1, 4000) as u16);
        variant_value(&Value::Text(t), ty)
    };
    let date = |unix: i64| variant_value(&Value::Integer(datetime_from_unix(unix)), WHEN);
    Some(match property.trim().to_ascii_lowercase().as_str() {
        "expiry_date" => date(facts.not_after),
        "start_date" => date(facts.not_before),
        "issuer_name" => words(facts.issuer),
        "cert_serial_number" => words(serial(&facts.serial)),
        "subject" => words(facts.subject),
        "sid" => variant_value(&Value::Blob(sid(facts.thumbprint).0), SqlType::VarBinary { len: Len::N(85) }),
        "string_sid" => words(sid(facts.thumbprint).1),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificates_sid_is_its_thumbprint() {
        let mut thumbprint = [0; 20];
        thumbprint[0] = 1;
        thumbprint[19] = 0x80;
        let (sid, shown) = sid(thumbprint);
        assert_eq!(sid.len(), 32);
        assert_eq!(shown, "S-1-9-1-1-0-0-0-2147483648");
    }
}
