//! A draft as one command line.

use milink_core::names::{CommitMode, FailoverMode, LinkMode, Side};
use milink_core::spec::LinkSpec;

/// `milink create ...` for a spec, for a shell as POSIX has it. What has no flag needs the file: `None` says that the flags are not enough.
pub(crate) fn command(context: &str, spec: &LinkSpec) -> Option<String> {
    let plain = LinkSpec::new(&spec.name, &[]);
    let several = spec.databases.len() > 1 && spec.link_mode == LinkMode::SingleDatabase;
    let has_flag = spec.sql_server.certificate.is_none()
        && spec.sql_server.certificate_days == plain.sql_server.certificate_days
        && spec.seeding_mode == plain.seeding_mode
        && (!several || spec.name_rule == plain.name_rule)
        // --database takes several, divided by commas.
        && !spec.databases.iter().any(|d| d.contains(','));
    if !has_flag {
        return None;
    }
    let mut words = vec!["milink create".to_owned()];
    let mut flag = |name: &str, value: &str| words.push(format!("{name} {}", quoted(value)));
    flag("--context", context);
    flag("--name", &spec.name);
    for database in &spec.databases {
        flag("--database", database);
    }
    if spec.initial_primary == Side::Managed {
        flag("--initial-primary", "managed");
    }
    if spec.failover_mode == FailoverMode::TwoWay {
        flag("--failover-mode", "two-way");
    }
    if spec.commit_mode == CommitMode::Synchronous {
        flag("--replication-mode", "sync");
    }
    if spec.link_mode == LinkMode::MultiDatabase {
        flag("--link-mode", "multi");
    }
    let port = spec.sql_server.listener_port.map(|p| p.to_string());
    let own = [
        ("--partner-endpoint", &spec.sql_server.endpoint),
        ("--listener-port", &port),
        ("--partner-availability-group-name", &spec.sql_server.availability_group),
        ("--instance-availability-group-name", &spec.managed.availability_group),
        ("--backup-folder", &spec.sql_server.backup_folder),
        ("--managed-endpoint", &spec.managed.endpoint),
    ];
    for (name, value) in own {
        if let Some(value) = value {
            flag(name, value);
        }
    }
    Some(words.join(" "))
}

/// A word for a shell.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.,:/@%+=".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}
