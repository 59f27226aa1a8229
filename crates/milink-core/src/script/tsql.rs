//! Statements as T-SQL. What `milink` runs and what its scripts show is this one function.

use crate::action::{Member, PublicKey, Statement};
use crate::names::Hex;

/// What a statement needs that its data do not have, because it is secret or known only when it is run. What is not given becomes a variable
/// of sqlcmd, such as `$(MasterKeyPassword)`.
#[derive(Clone, Copy, Default)]
pub struct Fill<'a> {
    /// The password of a new master key.
    pub password: Option<&'a str>,
    /// The public key that the statement names, resolved.
    pub public: Option<&'a Hex>,
}

/// The variable that stands for a new master key's password.
pub const PASSWORD_VARIABLE: &str = "MasterKeyPassword";

/// A name between brackets.
pub fn name(name: &str) -> String {
    format!("[{}]", name.replace(']', "]]"))
}

/// A Unicode string literal.
pub fn text(text: &str) -> String {
    format!("N'{}'", text.replace('\'', "''"))
}

/// The variable of sqlcmd that stands for a public key.
pub fn variable(public: &PublicKey) -> &'static str {
    match public {
        PublicKey::Known { .. } | PublicKey::BundledRoot { .. } => "Certificate",
        PublicKey::SqlServer { .. } => "SqlServerCertificate",
        PublicKey::ManagedEndpoint => "ManagedInstanceCertificate",
    }
}

/// The statement, without a semicolon at its end. It is to be run in `master`.
pub fn statement(statement: &Statement, fill: &Fill<'_>) -> String {
    match statement {
        Statement::CreateMasterKey => {
            let password = match fill.password {
                Some(password) => text(password),
                None => format!("N'$({PASSWORD_VARIABLE})'"),
            };
            format!("CREATE MASTER KEY ENCRYPTION BY PASSWORD = {password}")
        }
        Statement::CreateCertificate { name: certificate, subject, expiry } => format!(
            "CREATE CERTIFICATE {}\n    WITH SUBJECT = {},\n    EXPIRY_DATE = '{}'",
            name(certificate),
            text(subject),
            expiry.sql_date()
        ),
        Statement::ImportCertificate { name: certificate, public } => {
            format!("CREATE CERTIFICATE {} FROM BINARY = {}", name(certificate), key(public, fill))
        }
        // NB: not CERT_ID, of which no document says how it reads a name with spaces or dots.
        Statement::AddIssuer { certificate, names } => format!(
            "DECLARE @id int = (SELECT certificate_id FROM sys.certificates WHERE name = {})\nEXEC sp_certificate_add_issuer @id, {}",
            text(certificate),
            text(names)
        ),
        Statement::DropCertificate { name: certificate } => format!("DROP CERTIFICATE {}", name(certificate)),
        Statement::CreateEndpoint { name: endpoint, port, certificate } => format!(
            "CREATE ENDPOINT {}\n    STATE = STARTED\n    AS TCP (LISTENER_PORT = {port}, LISTENER_IP = ALL)\n    \
             FOR DATABASE_MIRRORING (\n        ROLE = ALL,\n        AUTHENTICATION = CERTIFICATE {},\n        \
             ENCRYPTION = REQUIRED ALGORITHM AES\n    )",
            name(endpoint),
            name(certificate)
        ),
        Statement::AlterEndpoint { name: endpoint, certificate, keep_windows } => format!(
            "ALTER ENDPOINT {}\n    STATE = STARTED\n    FOR DATABASE_MIRRORING (\n        ROLE = ALL,\n        \
             AUTHENTICATION = {}CERTIFICATE {},\n        ENCRYPTION = REQUIRED ALGORITHM AES\n    )",
            name(endpoint),
            if *keep_windows { "WINDOWS NEGOTIATE " } else { "" },
            name(certificate)
        ),
        Statement::StartEndpoint { name: endpoint } => {
            format!("ALTER ENDPOINT {} STATE = STARTED", name(endpoint))
        }
        Statement::DropEndpoint { name: endpoint } => format!("DROP ENDPOINT {}", name(endpoint)),
        Statement::SetRecoveryFull { database } => {
            format!("ALTER DATABASE {} SET RECOVERY FULL", name(database))
        }
        Statement::SetRecovery { database, model } => {
            format!("ALTER DATABASE {} SET RECOVERY {}", name(database), model.tsql())
        }
        Statement::BackupDatabase { database, path, copy_only } => format!(
            "BACKUP DATABASE {} TO {} WITH {}CHECKSUM",
            name(database),
            device(path),
            if *copy_only { "COPY_ONLY, " } else { "" }
        ),
        Statement::BackupLog { database, path } => {
            format!("BACKUP LOG {} TO {} WITH CHECKSUM", name(database), device(path))
        }
        Statement::CreateGroup { name: group, without_cluster, databases, server, url } => {
            create_group(group, *without_cluster, databases, server, url)
        }
        Statement::GrantCreateAnyDatabase { group } => group_does(group, "GRANT CREATE ANY DATABASE"),
        Statement::AddDatabase { group, database } => {
            group_does(group, &format!("ADD DATABASE {}", name(database)))
        }
        Statement::RemoveDatabase { group, database } => {
            group_does(group, &format!("REMOVE DATABASE {}", name(database)))
        }
        Statement::CreateDistributed { name: group, members } => {
            let members = members.iter().map(member).collect::<Vec<_>>().join(",\n");
            format!(
                "CREATE AVAILABILITY GROUP {}\n    WITH (DISTRIBUTED)\n    AVAILABILITY GROUP ON\n{members}",
                name(group)
            )
        }
        Statement::SetCommitMode { name: group, members, mode } => {
            let set = format!("AVAILABILITY_MODE = {}", mode.tsql());
            let members: Vec<&str> = members.iter().map(String::as_str).collect();
            modify(group, &members, &set)
        }
        Statement::SetSeedingMode { name: group, member, mode } => {
            modify(group, &[member], &format!("SEEDING_MODE = {}", mode.tsql()))
        }
        Statement::RequireSynchronized { name: group, count } => {
            group_does(group, &format!("SET (REQUIRED_SYNCHRONIZED_SECONDARIES_TO_COMMIT = {count})"))
        }
        Statement::SetRoleSecondary { name: group } => group_does(group, "SET (ROLE = SECONDARY)"),
        Statement::Failover { name: group } => group_does(group, "FAILOVER"),
        Statement::ForceFailover { name: group } => group_does(group, "FORCE_FAILOVER_ALLOW_DATA_LOSS"),
        Statement::DropGroup { name: group } => format!("DROP AVAILABILITY GROUP {}", name(group)),
        Statement::DropDatabase { database } => format!("DROP DATABASE {}", name(database)),
        Statement::ResumeDatabase { database } => {
            format!("ALTER DATABASE {} SET HADR RESUME", name(database))
        }
        Statement::TraceOn { flag } => format!("DBCC TRACEON ({flag}, -1)"),
        Statement::TraceOff { flag } => format!("DBCC TRACEOFF ({flag}, -1)"),
        Statement::OptIntoMultiDatabase { on } => format!("EXEC sys.sp_multidb_milink {}", u8::from(*on)),
    }
}

fn key(public: &PublicKey, fill: &Fill<'_>) -> String {
    match (public, fill.public) {
        (_, Some(der)) => der.tsql(),
        (PublicKey::Known { der }, None) => der.tsql(),
        (PublicKey::BundledRoot { name }, None) => match crate::facts::roots::der(name) {
            Some(der) => Hex::new(der.to_vec()).tsql(),
            None => format!("$({})", variable(public)),
        },
        (PublicKey::SqlServer { .. } | PublicKey::ManagedEndpoint, None) => {
            format!("$({})", variable(public))
        }
    }
}

/// A file, or the URL of a blob, which is all that a managed instance takes.
fn device(path: &str) -> String {
    let to = if path.to_ascii_lowercase().starts_with("https://") { "URL" } else { "DISK" };
    format!("{to} = {}", text(path))
}

fn group_does(group: &str, what: &str) -> String {
    format!("ALTER AVAILABILITY GROUP {} {what}", name(group))
}

fn modify(group: &str, members: &[&str], set: &str) -> String {
    let members: Vec<String> = members.iter().map(|m| format!("    {} WITH ({set})", text(m))).collect();
    group_does(group, &format!("MODIFY AVAILABILITY GROUP ON\n{}", members.join(",\n")))
}

fn create_group(group: &str, without_cluster: bool, databases: &[String], server: &str, url: &str) -> String {
    let cluster = if without_cluster { "\n    WITH (CLUSTER_TYPE = NONE)" } else { "" };
    let databases: Vec<String> = databases.iter().map(|d| name(d)).collect();
    let list =
        if databases.is_empty() { String::new() } else { format!("DATABASE {}\n    ", databases.join(", ")) };
    format!(
        "CREATE AVAILABILITY GROUP {}{cluster}\n    FOR {list}REPLICA ON\n    {} WITH (\n        ENDPOINT_URL = {},\n        \
         AVAILABILITY_MODE = SYNCHRONOUS_COMMIT,\n        FAILOVER_MODE = MANUAL,\n        SEEDING_MODE = AUTOMATIC\n    )",
        name(group),
        text(server),
        text(url)
    )
}

fn member(member: &Member) -> String {
    let options = &member.options;
    let timeout =
        options.session_timeout.map(|s| format!(",\n        SESSION_TIMEOUT = {s}")).unwrap_or_default();
    format!(
        "    {} WITH (\n        LISTENER_URL = {},\n        AVAILABILITY_MODE = {},\n        FAILOVER_MODE = MANUAL,\n        \
         SEEDING_MODE = {}{timeout}\n    )",
        text(&member.group),
        text(&member.url),
        options.commit_mode.tsql(),
        options.seeding_mode.tsql()
    )
}
