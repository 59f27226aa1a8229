//! Numeric limits and rules for names.

use std::fmt;
use std::ops::RangeInclusive;

use serde::Serialize;

use crate::names::LinkMode;
use crate::observe::Tier;

/// Minutes after which a link is given up whose replication has not begun (error 41962).
pub const START_MINUTES: u64 = 5;
/// Days after which a link is cancelled whose seeding has not ended.
pub const SEEDING_DAYS: u64 = 6;
/// What the documents take for the speed of seeding, in GB an hour.
pub const SEEDING_GB_AN_HOUR: u64 = 84;
/// Databases of one instance that should be failed over at a time.
pub const CUTOVER_BATCH: u64 = 8;
/// The port of a managed instance's endpoint. It cannot be chosen.
pub const MANAGED_PORT: u16 = 5022;
/// Ports behind it, to which a connection is redirected.
pub const REDIRECT_PORTS: RangeInclusive<u16> = 11000..=11999;
/// `SESSION_TIMEOUT` of SQL Server's entry in the distributed group, in seconds.
pub const SESSION_TIMEOUT_SECONDS: u64 = 20;
/// Log files of a linked database.
pub const LOG_FILES: u64 = 1;
/// Characters of a name in SQL Server (`sysname`), and so of a link.
pub const NAME_CHARS: usize = 128;
/// Characters of a managed instance's name.
pub const INSTANCE_NAME_CHARS: usize = 63;

/// How many databases, and so links, a managed instance of a tier holds.
pub fn links_max(tier: Tier) -> u64 {
    match tier {
        Tier::GeneralPurpose | Tier::BusinessCritical => 100,
        Tier::NextGenGeneralPurpose => 500,
    }
}

/// How much there may be of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Value {
    /// Exactly this.
    Exactly(u64),
    /// This at most.
    AtMost(u64),
    /// From the first to the second.
    Between(u64, u64),
    /// What the managed instance itself allows.
    OfInstance,
    /// The documents do not say.
    Unstated,
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Exactly(n) => write!(f, "{n}"),
            Value::AtMost(n) => write!(f, "up to {n}"),
            Value::Between(from, to) => write!(f, "{from} to {to}"),
            Value::OfInstance => f.write_str("what the managed instance allows"),
            Value::Unstated => f.write_str("not stated"),
        }
    }
}

/// A limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Limit {
    /// What is limited.
    pub item: &'static str,
    /// How much of it there may be.
    pub value: Value,
    /// Of what; empty for a plain number.
    pub unit: &'static str,
    /// What happens at the limit, or what is to be known about it.
    pub note: &'static str,
    /// Where it is written.
    pub source: &'static str,
}

const fn limit(
    item: &'static str,
    value: Value,
    unit: &'static str,
    note: &'static str,
    source: &'static str,
) -> Limit {
    Limit { item, value, unit, note, source }
}

const OVERVIEW: &str = "Overview, limitations";

/// All numeric limits. A test keeps those that depend on the tier equal to [`links_max`].
pub const LIMITS: &[Limit] = &[
    limit(
        "Databases of a link",
        Value::Exactly(1),
        "",
        "in single-database mode; in multiple-database mode all of one availability group",
        "Overview, limitations; Extend AG, multiple databases",
    ),
    limit(
        "Links of a managed instance, General Purpose",
        Value::AtMost(100),
        "",
        "the number of databases that it can hold (code DatabaseNumberLimitReached)",
        OVERVIEW,
    ),
    limit(
        "Links of a managed instance, Business Critical",
        Value::AtMost(100),
        "",
        "the number of databases that it can hold (code DatabaseNumberLimitReached)",
        OVERVIEW,
    ),
    limit(
        "Links of a managed instance, Next-gen General Purpose",
        Value::AtMost(500),
        "",
        "the number of databases that it can hold (code DatabaseNumberLimitReached)",
        OVERVIEW,
    ),
    limit(
        "Links of a SQL Server",
        Value::Unstated,
        "",
        "to several managed instances and regions, if wanted",
        OVERVIEW,
    ),
    limit(
        "Size of a database",
        Value::OfInstance,
        "",
        "it must fit the storage that the instance has left (code NoMoreSpaceInManagedInstance)",
        OVERVIEW,
    ),
    limit("Log files of a database", Value::Exactly(LOG_FILES), "", "error 41948", OVERVIEW),
    limit(
        "Data files of a database",
        Value::OfInstance,
        "",
        "for one database and for all of the instance (error 41949)",
        OVERVIEW,
    ),
    limit(
        "Time until replication begins",
        Value::AtMost(START_MINUTES),
        "minutes",
        "then the link is given up (error 41962)",
        "Troubleshoot, link errors",
    ),
    limit(
        "Time until seeding has ended",
        Value::AtMost(SEEDING_DAYS),
        "days",
        "then the creation is cancelled",
        "Best practices, seeding",
    ),
    limit(
        "Speed of seeding, for estimates",
        Value::Exactly(SEEDING_GB_AN_HOUR),
        "GB an hour",
        "100 GB take about 1.2 hours at that speed; the network decides",
        "Best practices, seeding",
    ),
    limit(
        "Databases of an instance that are failed over at a time",
        Value::AtMost(CUTOVER_BATCH),
        "",
        "a recommendation for migrations",
        "Migrate, cut-over",
    ),
    limit(
        "Replicas under a distributed availability group",
        Value::AtMost(18),
        "",
        "in SQL Server generally",
        "DAG, overview",
    ),
    limit(
        "Session time-out of SQL Server's entry",
        Value::Exactly(SESSION_TIMEOUT_SECONDS),
        "seconds",
        "SESSION_TIMEOUT in the documented script; the managed instance's entry has none",
        "Scripts how-to, distributed availability group",
    ),
    limit(
        "Port of a managed instance's endpoint",
        Value::Exactly(MANAGED_PORT as u64),
        "",
        "fixed; connections are redirected from there",
        "Prepare, network",
    ),
    limit(
        "Ports behind it",
        Value::Between(*REDIRECT_PORTS.start() as u64, *REDIRECT_PORTS.end() as u64),
        "",
        "which one changes with a failover inside the managed instance",
        "Prepare, network",
    ),
    limit(
        "Port of SQL Server's endpoint",
        Value::Exactly(5022),
        "",
        "the default; only the default instance should use it, other instances of a host need their own",
        "Prepare, network",
    ),
    limit(
        "Name of a managed instance",
        Value::Between(1, INSTANCE_NAME_CHARS as u64),
        "characters",
        "lowercase letters, digits and inner single hyphens: `^[a-z0-9]+(?:-[a-z0-9]+)*$`",
        "REST, managed instances",
    ),
    limit(
        "Name of a link",
        Value::Between(1, NAME_CHARS as u64),
        "characters",
        "newer REST versions: `^[#a-zA-Z_][\\w@#$]*$`; multiple-database links: lowercase letters, digits and inner hyphens",
        "REST, links; Extend AG, multiple databases",
    ),
];

/// What is wrong with a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NameFault {
    /// The rule that it breaks.
    pub rule: &'static str,
    /// Where the rule is written.
    pub source: &'static str,
}

impl fmt::Display for NameFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.rule)
    }
}

impl std::error::Error for NameFault {}

fn rule(holds: bool, rule: &'static str, source: &'static str) -> Result<(), NameFault> {
    if holds { Ok(()) } else { Err(NameFault { rule, source }) }
}

/// Whether it is lowercase letters, digits and hyphens, none of which stands at an end.
fn lower_and_hyphens(name: &str) -> bool {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    !name.is_empty() && name.bytes().all(fits) && !name.starts_with('-') && !name.ends_with('-')
}

/// Whether a managed instance can be called so.
///
/// # Errors
/// The rule that the name breaks.
pub fn check_instance_name(name: &str) -> Result<(), NameFault> {
    let source = "REST, managed instances";
    rule(
        (1..=INSTANCE_NAME_CHARS).contains(&name.len()),
        "a managed instance's name has 1 to 63 characters",
        source,
    )?;
    rule(
        lower_and_hyphens(name) && !name.contains("--"),
        "a managed instance's name has lowercase letters, digits and inner single hyphens only",
        source,
    )
}

/// Whether a link, and with it the distributed availability group on both sides, can be called so.
///
/// The documents disagree about links of one database: the newest REST versions allow no hyphen, the wizard makes names with hyphens, and the
/// service takes them. So only what all refuse is a fault; [`is_safe_link_name`] is the narrower question.
///
/// # Errors
/// The rule that the name breaks.
pub fn check_link_name(name: &str, mode: LinkMode) -> Result<(), NameFault> {
    let source = "REST, links";
    rule(!name.trim().is_empty(), "a link has a name", source)?;
    rule(utf16(name) <= NAME_CHARS, "a link's name has 128 characters at most", source)?;
    rule(
        !name.contains(['/', '\\', '?', '%', '&', ':', '<', '>', '"', '*'])
            && !name.chars().any(char::is_control),
        "a link's name is a part of its address in Azure: it has no / \\ ? % & : < > \" * and no control characters",
        source,
    )?;
    match mode {
        LinkMode::SingleDatabase => Ok(()),
        LinkMode::MultiDatabase => rule(
            lower_and_hyphens(name),
            "a multiple-database link's name has lowercase letters, digits and inner hyphens only \
             (InvalidMultiDbDistributedAvailabilityGroupName)",
            "Extend AG, multiple databases; Recorded, refused requests",
        ),
    }
}

/// Whether a link's name also fits the pattern that the newest REST versions publish: `^[#a-zA-Z_][\w@#$]*$`. That of a multiple-database link
/// cannot, if it has a hyphen.
pub fn is_safe_link_name(name: &str) -> bool {
    let mut chars = name.chars();
    let first = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_' || c == '#');
    first && chars.all(|c| c.is_ascii_alphanumeric() || ['_', '@', '#', '$'].contains(&c))
}

/// Whether SQL Server's endpoint certificate can be called so: Azure stores it under the same name.
///
/// # Errors
/// The rule that the name breaks.
pub fn check_certificate_name(name: &str) -> Result<(), NameFault> {
    let source = "Scripts how-to, certificates";
    rule(!name.trim().is_empty(), "a certificate has a name", source)?;
    rule(utf16(name) <= NAME_CHARS, "a certificate's name has 128 characters at most", source)?;
    rule(
        !name.contains('\\'),
        "a certificate's name has no backslash: write another character where a named instance's name has it",
        source,
    )
}

/// Whether the two availability groups of a link can be called so.
///
/// # Errors
/// The rule that the names break.
pub fn check_group_names(sql_server: &str, managed: &str) -> Result<(), NameFault> {
    let source = "REST, errors of links";
    for name in [sql_server, managed] {
        rule(!name.trim().is_empty(), "an availability group has a name", source)?;
        rule(utf16(name) <= NAME_CHARS, "an availability group's name has 128 characters at most", source)?;
    }
    rule(
        !sql_server.eq_ignore_ascii_case(managed),
        "the two availability groups of a link have different names \
         (InstanceAvailabilityGroupNamePartnerAvailabilityGroupNameMatch)",
        source,
    )
}

/// SQL Server counts a name's characters in UTF-16.
fn utf16(name: &str) -> usize {
    name.encode_utf16().count()
}

/// How long the first copy of so many bytes takes, in seconds, at the documents' speed. For a plan; what is measured is better.
pub fn seeding_seconds(bytes: u64) -> u64 {
    const BYTES_A_SECOND: u64 = SEEDING_GB_AN_HOUR * 1_000_000_000 / 3600;
    bytes.div_ceil(BYTES_A_SECOND)
}

#[cfg(test)]
mod tests {
    use super::super::sources::tests::check_source;
    use super::*;

    #[test]
    fn each_limit_is_whole() {
        for (at, row) in LIMITS.iter().enumerate() {
            check_source(row.source, row.item);
            assert!(!row.item.is_empty() && !row.note.is_empty());
            assert!(LIMITS[..at].iter().all(|other| other.item != row.item), "{} stands twice", row.item);
        }
    }

    #[test]
    fn the_table_says_what_the_functions_say() {
        for tier in [Tier::GeneralPurpose, Tier::BusinessCritical, Tier::NextGenGeneralPurpose] {
            let item = format!("Links of a managed instance, {tier}");
            let row = LIMITS.iter().find(|row| row.item == item).unwrap_or_else(|| panic!("{item}"));
            assert_eq!(row.value, Value::AtMost(links_max(tier)), "{item}");
        }
    }

    #[test]
    fn names_of_managed_instances() {
        for good in ["a", "mi-1", "sql-mi-01", "1a", &"x".repeat(63)] {
            assert_eq!(check_instance_name(good), Ok(()), "{good}");
        }
        for bad in ["", "Mi", "-mi", "mi-", "m--i", "m_i", "mi.x", &"x".repeat(64)] {
            assert!(check_instance_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_of_links() {
        let one = |name: &str| check_link_name(name, LinkMode::SingleDatabase).is_ok();
        let many = |name: &str| check_link_name(name, LinkMode::MultiDatabase).is_ok();
        assert!(one("DAG_Sales") && one("dag-sales") && one(&"x".repeat(128)));
        assert!(!one("") && !one(" ") && !one("a/b") && !one("a\tb") && !one(&"x".repeat(129)));
        assert!(many("dag-sales") && many("dag--sales") && many("0"));
        assert!(!many("DAG_Sales") && !many("-dag") && !many("dag-") && !many("dag_1"));
        assert!(is_safe_link_name("DAG_Sales") && is_safe_link_name("#x@$1"));
        assert!(!is_safe_link_name("dag-sales") && !is_safe_link_name("1dag") && !is_safe_link_name(""));
    }

    #[test]
    fn names_of_certificates_and_groups() {
        assert_eq!(check_certificate_name("Cert_SQL01_endpoint"), Ok(()));
        assert!(check_certificate_name("Cert_SQL01\\PROD_endpoint").unwrap_err().rule.contains("backslash"));
        assert!(check_group_names("AG_Sales", "AG_Sales_MI").is_ok());
        assert!(check_group_names("AG_Sales", "ag_sales").is_err() && check_group_names("", "x").is_err());
    }

    #[test]
    fn a_hundred_gigabytes_take_the_documents_time() {
        let hours = seeding_seconds(100_000_000_000) as f64 / 3600.0;
        assert!((1.18..1.21).contains(&hours), "{hours}");
        assert_eq!(seeding_seconds(0), 0);
        assert_eq!(seeding_seconds(1), 1);
    }
}
