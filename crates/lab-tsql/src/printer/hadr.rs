//! The statements of Always On as text again: what an error log or a plan shows.
//!
//! Passwords and private keys are masked, so that what is printed may go anywhere.

use std::net::IpAddr;

use super::availability::{group_statement, set_hadr};
use crate::ast::{
    CertificateSource, CertificateStatement, CreateCertificate, EncryptionAlgorithm, EndpointAuthentication,
    EndpointDefinition, EndpointStatement, Ident, KeyMaterial, KeyProtector, ListenerIp, MasterKeyStatement,
    MirroringOptions, PermissionVerb, PrivateKeyClause, StatementKind, TcpOptions,
};

/// A statement about master keys, certificates, endpoints or availability groups; `None` for any other.
pub fn print_statement(kind: &StatementKind) -> Option<String> {
    Some(match kind {
        StatementKind::MasterKey(statement) => master_key(statement),
        StatementKind::Certificate(statement) => certificate(statement),
        StatementKind::Endpoint(statement) => endpoint(statement),
        StatementKind::AvailabilityGroup(statement) => group_statement(statement),
        StatementKind::SetHadr(database, set) => set_hadr(database.as_ref(), set),
        _ => return None,
    })
}

pub(super) fn name(ident: &Ident) -> String {
    format!("[{}]", ident.value.replace(']', "]]"))
}

pub(super) fn text(value: &str) -> String {
    format!("N'{}'", value.replace('\'', "''"))
}

pub(super) fn names(idents: &[Ident]) -> String {
    idents.iter().map(name).collect::<Vec<_>>().join(", ")
}

const ENCRYPTION: &str = "ENCRYPTION BY PASSWORD = '***'";
const DECRYPTION: &str = "DECRYPTION BY PASSWORD = '***'";

fn master_key(statement: &MasterKeyStatement) -> String {
    let protector = |by: &KeyProtector| match by {
        KeyProtector::ServiceMasterKey => "ENCRYPTION BY SERVICE MASTER KEY",
        KeyProtector::Password(_) => ENCRYPTION,
    };
    match statement {
        MasterKeyStatement::Create(None) => "CREATE MASTER KEY".to_owned(),
        MasterKeyStatement::Create(Some(_)) => format!("CREATE MASTER KEY {ENCRYPTION}"),
        MasterKeyStatement::Regenerate { force, .. } => {
            let force = if *force { "FORCE " } else { "" };
            format!("ALTER MASTER KEY {force}REGENERATE WITH {ENCRYPTION}")
        }
        MasterKeyStatement::AddEncryption(by) => format!("ALTER MASTER KEY ADD {}", protector(by)),
        MasterKeyStatement::DropEncryption(by) => format!("ALTER MASTER KEY DROP {}", protector(by)),
        MasterKeyStatement::Open(_) => format!("OPEN MASTER KEY {DECRYPTION}"),
        MasterKeyStatement::Close => "CLOSE MASTER KEY".to_owned(),
        MasterKeyStatement::Drop => "DROP MASTER KEY".to_owned(),
    }
}

fn certificate(statement: &CertificateStatement) -> String {
    match statement {
        CertificateStatement::Create(create) => create_certificate(create),
        CertificateStatement::Drop(certificate) => format!("DROP CERTIFICATE {}", name(certificate)),
        CertificateStatement::Backup { name: certificate, file, private_key } => {
            let head = format!("BACKUP CERTIFICATE {} TO FILE = {}", name(certificate), text(file));
            with_private_key(head, private_key.as_ref())
        }
    }
}

fn create_certificate(create: &CreateCertificate) -> String {
    let mut out = format!("CREATE CERTIFICATE {}", name(&create.name));
    if let Some(owner) = &create.owner {
        out += &format!(" AUTHORIZATION {}", name(owner));
    }
    match &create.source {
        CertificateSource::New { encryption, subject, start_date, expiry_date } => {
            if encryption.is_some() {
                out += &format!(" {ENCRYPTION}");
            }
            out += &format!(" WITH SUBJECT = {}", text(subject));
            for (word, date) in [("START_DATE", start_date), ("EXPIRY_DATE", expiry_date)] {
                if let Some(date) = date {
                    out += &format!(", {word} = {}", text(date));
                }
            }
        }
        CertificateSource::Existing { material, private_key } => {
            out += &format!(" FROM {}", self::material(material));
            out = with_private_key(out, private_key.as_ref());
        }
    }
    if let Some(on) = create.active_for_begin_dialog {
        out += if on { " ACTIVE FOR BEGIN_DIALOG = ON" } else { " ACTIVE FOR BEGIN_DIALOG = OFF" };
    }
    out
}

fn material(material: &KeyMaterial) -> String {
    match material {
        KeyMaterial::File(path) => format!("FILE = {}", text(path)),
        KeyMaterial::Binary(bytes) => {
            bytes.iter().fold("BINARY = 0x".to_owned(), |out, byte| out + &format!("{byte:02X}"))
        }
    }
}

fn with_private_key(mut out: String, private_key: Option<&PrivateKeyClause>) -> String {
    let Some(key) = private_key else { return out };
    let material = match &key.material {
        KeyMaterial::Binary(_) => "BINARY = 0x".to_owned(),
        file @ KeyMaterial::File(_) => self::material(file),
    };
    out += &format!(" WITH PRIVATE KEY ({material}");
    for (clause, there) in [(DECRYPTION, &key.decryption), (ENCRYPTION, &key.encryption)] {
        if there.is_some() {
            out += &format!(", {clause}");
        }
    }
    out + ")"
}

fn endpoint(statement: &EndpointStatement) -> String {
    match statement {
        EndpointStatement::Create(definition) => format!("CREATE {}", self::definition(definition)),
        EndpointStatement::Alter(definition) => format!("ALTER {}", self::definition(definition)),
        EndpointStatement::Drop(endpoint) => format!("DROP ENDPOINT {}", name(endpoint)),
        EndpointStatement::Connect { verb, endpoint, grantees } => {
            let to = if *verb == PermissionVerb::Revoke { "FROM" } else { "TO" };
            format!("{} CONNECT ON ENDPOINT::{} {to} {}", verb.word(), name(endpoint), names(grantees))
        }
    }
}

fn definition(definition: &EndpointDefinition) -> String {
    let mut out = format!("ENDPOINT {}", name(&definition.name));
    if let Some(owner) = &definition.owner {
        out += &format!(" AUTHORIZATION {}", name(owner));
    }
    if let Some(state) = definition.state {
        out += &format!(" STATE = {}", state.word());
    }
    if let Some(tcp) = definition.tcp {
        out += &format!(" AS TCP ({})", self::tcp(tcp));
    }
    if let Some(mirroring) = &definition.mirroring {
        out += &format!(" FOR DATABASE_MIRRORING ({})", self::mirroring(mirroring));
    }
    out
}

fn tcp(options: TcpOptions) -> String {
    let ip = options.ip.map(|ip| match ip {
        ListenerIp::All => "LISTENER_IP = ALL".to_owned(),
        ListenerIp::Address(IpAddr::V4(address)) => format!("LISTENER_IP = ({address})"),
        ListenerIp::Address(IpAddr::V6(address)) => format!("LISTENER_IP = ('{address}')"),
    });
    let port = options.port.map(|port| format!("LISTENER_PORT = {port}"));
    port.into_iter().chain(ip).collect::<Vec<_>>().join(", ")
}

fn mirroring(options: &MirroringOptions) -> String {
    let mut clauses = Vec::new();
    if let Some(role) = options.role {
        clauses.push(format!("ROLE = {}", role.word()));
    }
    if let Some(authentication) = &options.authentication {
        clauses.push(format!("AUTHENTICATION = {}", self::authentication(authentication)));
    }
    if let Some(encryption) = &options.encryption {
        let mut clause = format!("ENCRYPTION = {}", encryption.level.word());
        if !encryption.algorithms.is_empty() {
            let words: Vec<_> =
                encryption.algorithms.iter().copied().map(EncryptionAlgorithm::word).collect();
            clause += &format!(" ALGORITHM {}", words.join(" "));
        }
        clauses.push(clause);
    }
    clauses.join(", ")
}

fn authentication(authentication: &EndpointAuthentication) -> String {
    let windows = authentication.windows.map(|how| format!("WINDOWS {}", how.word()));
    let certificate = authentication.certificate.as_ref().map(|c| format!("CERTIFICATE {}", name(c)));
    let mut words: Vec<String> = windows.into_iter().chain(certificate).collect();
    if authentication.certificate_first {
        words.reverse();
    }
    words.join(" ")
}
