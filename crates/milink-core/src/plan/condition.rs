//! What must be seen before a step, and what proves it done.

use serde::{Deserialize, Serialize};

use super::{reached_lsn, sharing};
use crate::action::HybridUsage;
use crate::lsn::Lsn;
use crate::names::{CommitMode, Role, Side};
use crate::observe::{Group, Health, Instance, Observation, RecoveryModel, SyncState, same_name};

/// What an observation may show. Conditions name facts of the two sides; none asks what `milink` has done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "condition")]
pub enum Condition {
    /// Nothing is asked.
    Always,
    /// Nothing shows it: the answer to the action is all the proof there is.
    Confirmed,
    /// All of these.
    All {
        /// The conditions.
        of: Vec<Condition>,
    },
    /// One of these at least.
    Any {
        /// The conditions.
        of: Vec<Condition>,
    },
    /// `master` on SQL Server has a master key.
    MasterKey,
    /// SQL Server has a certificate of that name with a private key, which is valid.
    OwnCertificate {
        /// The certificate.
        name: String,
    },
    /// SQL Server has the certificate of the managed instance's endpoint, by its content, under that name.
    ManagedCertificate {
        /// The name: the managed instance's fully qualified domain name.
        name: String,
    },
    /// SQL Server has a certificate of that name.
    CertificateExists {
        /// The certificate.
        name: String,
    },
    /// SQL Server has no certificate of that name.
    CertificateAbsent {
        /// The certificate.
        name: String,
    },
    /// Azure has SQL Server's certificate, by its content.
    TrustCertificate {
        /// The certificate on SQL Server.
        certificate: String,
    },
    /// Azure has no partner's certificate of that name.
    TrustCertificateAbsent {
        /// The name in Azure.
        name: String,
    },
    /// SQL Server's endpoint is as a link needs it, and shows that certificate.
    Endpoint {
        /// The certificate.
        certificate: String,
    },
    /// SQL Server's endpoint shows that certificate, however else it is.
    EndpointShows {
        /// The certificate.
        certificate: String,
    },
    /// SQL Server has no endpoint.
    EndpointAbsent,
    /// The database's recovery model is FULL.
    RecoveryFull {
        /// The database.
        database: String,
    },
    /// The database has that recovery model, on SQL Server.
    RecoveryModel {
        /// The database.
        database: String,
        /// The model.
        model: RecoveryModel,
    },
    /// The database's log chain has begun with a full backup.
    FullBackup {
        /// Where.
        side: Side,
        /// The database.
        database: String,
    },
    /// The database's log was backed up after its seeding began.
    LogBackup {
        /// The database.
        database: String,
    },
    /// The availability group is on SQL Server and has exactly these databases.
    Group {
        /// The group.
        name: String,
        /// The databases.
        databases: Vec<String>,
    },
    /// The availability group is on SQL Server, whatever databases it has.
    GroupExists {
        /// The group.
        name: String,
    },
    /// The distributed availability group is on SQL Server and stands on these members.
    Distributed {
        /// The link.
        name: String,
        /// The members.
        members: [String; 2],
    },
    /// SQL Server has no group of that name, distributed or not.
    GroupAbsent {
        /// The group.
        name: String,
    },
    /// The database is in that availability group, on SQL Server.
    DatabaseInGroup {
        /// The group.
        group: String,
        /// The database.
        database: String,
    },
    /// The database is in no availability group, on SQL Server.
    DatabaseInNoGroup {
        /// The database.
        database: String,
    },
    /// No distributed availability group on SQL Server stands on the availability group.
    NothingOnGroup {
        /// The group.
        name: String,
    },
    /// Nothing but one link uses what links share: see [`Shared`].
    UnusedByOthers {
        /// The link that does not count.
        link: String,
        /// What is shared.
        what: Shared,
    },
    /// SQL Server makes the first copy of another link's database.
    OtherLinkSeeds {
        /// The link that does not count.
        link: String,
    },
    /// Nobody but the replication is connected to the database.
    NobodyConnected {
        /// Where.
        side: Side,
        /// The database.
        database: String,
    },
    /// Azure describes the link.
    AzureLink {
        /// The link.
        name: String,
    },
    /// Azure has no such link.
    NoAzureLink {
        /// The link.
        name: String,
    },
    /// The two halves are connected, as a primary sees it.
    Connected {
        /// The link.
        name: String,
        /// Who is primary.
        primary: Side,
    },
    /// The copies are complete and take log.
    Following {
        /// The link.
        name: String,
        /// The databases.
        databases: Vec<String>,
        /// Who is primary.
        primary: Side,
    },
    /// Both halves have that commit mode.
    CommitMode {
        /// The link.
        name: String,
        /// The mode.
        mode: CommitMode,
    },
    /// A side's half has that commit mode: SQL Server by its own views, the managed instance by Azure's word.
    CommitModeOn {
        /// The link.
        name: String,
        /// Which side.
        side: Side,
        /// The mode.
        mode: CommitMode,
    },
    /// The primary shows the copies as SYNCHRONIZED.
    Synchronized {
        /// The link.
        name: String,
        /// The databases.
        databases: Vec<String>,
        /// Who is primary.
        primary: Side,
    },
    /// The other side has hardened everything that the primary has committed. An asynchronous primary does not show what it has
    /// hardened itself: its last commit says it.
    NothingBehind {
        /// The link.
        name: String,
        /// The primary.
        primary: Side,
        /// The databases.
        databases: Vec<String>,
    },
    /// Both sides have hardened the same log.
    HardenedEqual {
        /// The link.
        name: String,
        /// The databases.
        databases: Vec<String>,
    },
    /// A side has that role.
    Role {
        /// The link.
        name: String,
        /// Which side.
        side: Side,
        /// The role.
        role: Role,
    },
    /// Data movement of a side's copy goes on.
    NotSuspended {
        /// The link.
        name: String,
        /// Where.
        side: Side,
        /// The database.
        database: String,
    },
    /// A side has the database, and it is ONLINE.
    DatabaseOnline {
        /// Where.
        side: Side,
        /// The database.
        database: String,
    },
    /// A side does not have the database.
    DatabaseAbsent {
        /// Where.
        side: Side,
        /// The database.
        database: String,
    },
    /// A trace flag is on, or off, globally on SQL Server.
    TraceFlag {
        /// The flag.
        flag: u16,
        /// On.
        on: bool,
    },
    /// Multiple-database links are opted in on SQL Server.
    MultiDatabase {
        /// In.
        on: bool,
    },
    /// What the managed instance is used for.
    HybridUsage {
        /// The usage.
        usage: HybridUsage,
    },
}

/// What several links may use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "shared")]
pub enum Shared {
    /// SQL Server's endpoint and the certificate that it shows: used by every availability group.
    Endpoint,
    /// The trust in a managed instance: used by every link with it.
    Managed {
        /// Its fully qualified domain name.
        fqdn: String,
    },
    /// The trust in Azure's roots: used by every link with any managed instance.
    Roots,
    /// A certificate that Azure has of a partner.
    TrustCertificate,
}

/// Whether a condition holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "truth")]
pub enum Truth {
    /// It does.
    Holds,
    /// It does not: what was seen instead.
    Not {
        /// What was seen.
        seen: String,
    },
    /// Nobody can tell from this observation.
    Unknown {
        /// Why.
        why: String,
    },
}

impl Truth {
    /// Whether it holds for certain.
    pub fn holds(&self) -> bool {
        matches!(self, Truth::Holds)
    }

    /// Both, as far as can be told: what does not hold counts more than what is unknown.
    pub(crate) fn and(self, other: Truth) -> Truth {
        match (self, other) {
            (Truth::Holds, other) => other,
            (not @ Truth::Not { .. }, _) => not,
            (Truth::Unknown { .. }, not @ Truth::Not { .. }) => not,
            (unknown @ Truth::Unknown { .. }, _) => unknown,
        }
    }
}

/// One of two, as far as can be told.
fn or(one: Truth, other: Truth) -> Truth {
    match (one, other) {
        (Truth::Holds, _) | (_, Truth::Holds) => Truth::Holds,
        (Truth::Not { seen: one }, Truth::Not { seen: other }) => Truth::Not { seen: join(one, other) },
        (unknown @ Truth::Unknown { .. }, _) | (_, unknown @ Truth::Unknown { .. }) => unknown,
    }
}

fn join(one: String, other: String) -> String {
    match (one.is_empty(), other.is_empty()) {
        (true, _) => other,
        (_, true) => one,
        _ => format!("{one}, and {other}"),
    }
}

pub(super) fn holds_if(good: bool, seen: impl FnOnce() -> String) -> Truth {
    if good { Truth::Holds } else { Truth::Not { seen: seen() } }
}

pub(super) fn unknown(why: &str) -> Truth {
    Truth::Unknown { why: why.to_owned() }
}

/// What a side shows, or unknown if it does not answer.
pub(super) fn on(seen: &Observation, side: Side, look: impl FnOnce(&Instance) -> Truth) -> Truth {
    match seen.side(side).get() {
        Ok(instance) => look(instance),
        Err(why) => Truth::Unknown { why: format!("{side} does not answer: {why}") },
    }
}

/// What a side's half of a link shows.
fn half(seen: &Observation, side: Side, link: &str, look: impl FnOnce(&Group) -> Truth) -> Truth {
    on(seen, side, |i| match i.distributed(link) {
        Some(group) => look(group),
        None => Truth::Not { seen: format!("{side} has no distributed availability group {link}") },
    })
}

fn all<'a>(databases: &'a [String], truth: impl Fn(&'a str) -> Truth) -> Truth {
    databases.iter().map(|d| truth(d)).fold(Truth::Holds, Truth::and)
}

impl Condition {
    /// Whether it holds.
    pub fn judge(&self, seen: &Observation) -> Truth {
        match self {
            Condition::Always => Truth::Holds,
            Condition::Confirmed => unknown("no view shows it"),
            Condition::All { of } => of.iter().map(|c| c.judge(seen)).fold(Truth::Holds, Truth::and),
            Condition::Any { of } => {
                let none = Truth::Not { seen: String::new() };
                of.iter().map(|c| c.judge(seen)).fold(none, or)
            }
            Condition::MasterKey => on(seen, Side::SqlServer, |i| match i.master_key {
                Some(there) => holds_if(there, || "master has no master key".to_owned()),
                None => unknown("this login may not see whether master has a master key"),
            }),
            Condition::OwnCertificate { name } => own_certificate(seen, name),
            Condition::ManagedCertificate { name } => managed_certificate(seen, name),
            Condition::CertificateExists { name } => certificates(seen, |i| {
                holds_if(i.certificate(name).is_some(), || format!("there is no certificate {name}"))
            }),
            Condition::CertificateAbsent { name } => certificates(seen, |i| {
                holds_if(i.certificate(name).is_none(), || format!("there is a certificate {name}"))
            }),
            Condition::TrustCertificate { certificate } => trust_certificate(seen, certificate),
            Condition::TrustCertificateAbsent { name } => match seen.azure.get() {
                Ok(azure) => {
                    holds_if(!azure.trust_certificates.iter().any(|c| same_name(&c.name, name)), || {
                        format!("Azure has a certificate {name}")
                    })
                }
                Err(why) => Truth::Unknown { why: format!("Azure does not answer: {why}") },
            },
            Condition::Endpoint { certificate } => on(seen, Side::SqlServer, |i| endpoint(i, certificate)),
            Condition::EndpointShows { certificate } => on(seen, Side::SqlServer, |i| {
                let shows = i.endpoint.as_ref().and_then(|e| e.certificate.as_deref());
                holds_if(shows.is_some_and(|s| same_name(s, certificate)), || {
                    format!("the endpoint shows certificate {}", shows.unwrap_or("none"))
                })
            }),
            Condition::EndpointAbsent => on(seen, Side::SqlServer, |i| {
                holds_if(i.endpoint.is_none(), || "there is a database mirroring endpoint".to_owned())
            }),
            Condition::RecoveryFull { database } => on_database(seen, Side::SqlServer, database, |d| {
                let full = d.recovery_model == RecoveryModel::Full;
                holds_if(full, || format!("the recovery model of {database} is {}", d.recovery_model.tsql()))
            }),
            Condition::RecoveryModel { database, model } => {
                on_database(seen, Side::SqlServer, database, |d| {
                    let now = d.recovery_model;
                    holds_if(now == *model, || format!("the recovery model of {database} is {}", now.tsql()))
                })
            }
            Condition::FullBackup { side, database } => on_database(seen, *side, database, |d| {
                // A managed instance's copy has come with a log chain; what is asked for there is its own backup.
                let done = match side {
                    Side::SqlServer => d.log_chain.unwrap_or(d.last_full_backup.is_some()),
                    Side::Managed => d.last_full_backup.is_some(),
                };
                holds_if(done, || format!("no full backup of {database} is on record on the {side}"))
            }),
            Condition::LogBackup { database } => on_database(seen, Side::SqlServer, database, |d| {
                let seeded = seen.sql_server.known().and_then(|i| {
                    i.seedings
                        .iter()
                        .filter(|s| same_name(&s.database, database))
                        .filter_map(|s| s.started)
                        .max()
                });
                let backed = d.last_log_backup.as_ref().map(|b| b.finished);
                holds_if(backed.is_some_and(|b| seeded.is_none_or(|s| b >= s)), || match backed {
                    Some(at) => format!("the last log backup of {database} was at {at}, before its seeding"),
                    None => format!("no log backup of {database} is on record"),
                })
            }),
            Condition::Group { name, databases } => on(seen, Side::SqlServer, |i| group(i, name, databases)),
            Condition::GroupExists { name } => on(seen, Side::SqlServer, |i| {
                let there = i.group(name).is_some();
                holds_if(there, || format!("SQL Server has no availability group {name}"))
            }),
            Condition::DatabaseInGroup { group, database } => {
                on_database(seen, Side::SqlServer, database, |d| {
                    let inside = d.group.as_deref().is_some_and(|g| same_name(g, group));
                    holds_if(inside, || {
                        format!("{database} is in {}", d.group.as_deref().unwrap_or("no group"))
                    })
                })
            }
            Condition::DatabaseInNoGroup { database } => on_database(seen, Side::SqlServer, database, |d| {
                holds_if(d.group.is_none(), || format!("{database} is in {}", shown(d.group.as_ref())))
            }),
            Condition::NothingOnGroup { name } => sharing::nothing_on_group(seen, name),
            Condition::UnusedByOthers { link, what } => sharing::unused_by_others(seen, link, what),
            Condition::OtherLinkSeeds { link } => sharing::other_link_seeds(seen, link),
            Condition::NobodyConnected { side, database } => sharing::nobody_connected(seen, *side, database),
            Condition::Distributed { name, members } => half(seen, Side::SqlServer, name, |g| {
                let missing = members.iter().find(|m| g.replica(m).is_none());
                holds_if(missing.is_none(), || {
                    let has = g.replicas.iter().map(|r| r.name.as_str()).collect::<Vec<_>>().join(" and ");
                    format!("{name} stands on {has}")
                })
            }),
            Condition::GroupAbsent { name } => on(seen, Side::SqlServer, |i| {
                let there = i.groups.iter().any(|g| same_name(&g.name, name));
                holds_if(!there, || format!("SQL Server has an availability group {name}"))
            }),
            Condition::AzureLink { name } => azure_link(seen, name, |there| {
                // The operation may have ended before the link is described.
                let described = there.is_some_and(|l| l.partner_group.is_some() && !l.databases.is_empty());
                holds_if(described, || match there {
                    Some(_) => format!("Azure has link {name}, but does not describe it yet"),
                    None => format!("Azure has no link {name}"),
                })
            }),
            Condition::NoAzureLink { name } => {
                azure_link(seen, name, |there| holds_if(there.is_none(), || format!("Azure has link {name}")))
            }
            Condition::Connected { name, primary } => connected(seen, name, *primary),
            Condition::Following { name, databases, primary } => {
                connected(seen, name, *primary).and(all(databases, |d| following(seen, name, d, *primary)))
            }
            Condition::CommitMode { name, mode } => Side::BOTH
                .into_iter()
                .map(|side| commit_mode(seen, name, side, *mode))
                .fold(Truth::Holds, Truth::and),
            Condition::CommitModeOn { name, side, mode } => commit_mode(seen, name, *side, *mode),
            Condition::Synchronized { name, databases, primary } => half(seen, *primary, name, |g| {
                all(databases, |d| match g.remote_database(d).map(|r| (r.state, r.health)) {
                    Some((Some(SyncState::Synchronized), Some(Health::Healthy))) => Truth::Holds,
                    Some((state, health)) => Truth::Not {
                        seen: format!("{d} is {}, {}", shown(state.as_ref()), shown(health.as_ref())),
                    },
                    None => Truth::Not { seen: format!("{primary} shows no copy of {d} on the other side") },
                })
            }),
            Condition::HardenedEqual { name, databases } => all(databases, |d| {
                let one = hardened(seen, Side::SqlServer, name, d);
                let two = hardened(seen, Side::Managed, name, d);
                match (one, two) {
                    (Ok(one), Ok(two)) => holds_if(one == two, || {
                        format!("{d}: SQL Server has hardened {one}, the managed instance {two}")
                    }),
                    (Err(why), _) | (_, Err(why)) => Truth::Unknown { why },
                }
            }),
            Condition::NothingBehind { name, primary, databases } => all(databases, |d| {
                let ahead = reached_lsn(seen, *primary, name, d);
                let copy = hardened(seen, primary.other(), name, d);
                match (ahead, copy) {
                    (Ok(ahead), Ok(copy)) => holds_if(copy.behind(ahead) == 0, || {
                        format!("{d}: the {primary} has reached {ahead}, the copy has hardened {copy}")
                    }),
                    (Err(why), _) | (_, Err(why)) => Truth::Unknown { why },
                }
            }),
            Condition::Role { name, side, role: wanted } => role(seen, name, *side, *wanted),
            Condition::NotSuspended { name, side, database } => half(seen, *side, name, |g| {
                match g.local_database(database).map(|d| d.suspended.as_deref()) {
                    Some(None) => Truth::Holds,
                    Some(Some(why)) => {
                        Truth::Not { seen: format!("{database} on {side} is suspended: {why}") }
                    }
                    None => unknown("the side shows no copy of the database"),
                }
            }),
            Condition::DatabaseOnline { side, database } => database_online(seen, *side, database),
            Condition::DatabaseAbsent { side, database } => database_absent(seen, *side, database),
            Condition::TraceFlag { flag, on: wanted } => {
                on(seen, Side::SqlServer, |i| match &i.trace_flags {
                    Some(flags) => holds_if(flags.contains(flag) == *wanted, || {
                        format!("trace flag {flag} is {}", if *wanted { "off" } else { "on" })
                    }),
                    None => unknown("this login may not see trace flags"),
                })
            }
            Condition::MultiDatabase { on: wanted } => {
                on(seen, Side::SqlServer, |i| match i.multi_database {
                    Some(now) => {
                        holds_if(now == *wanted, || format!("sp_multidb_milink answers {}", u8::from(now)))
                    }
                    None => unknown("this SQL Server has no sp_multidb_milink"),
                })
            }
            Condition::HybridUsage { usage } => match seen.azure.get() {
                Ok(azure) => {
                    let now = azure.hybrid_usage.as_deref().unwrap_or("Active");
                    holds_if(same_name(now, &format!("{usage:?}")), || {
                        format!("hybridSecondaryUsage is {now}")
                    })
                }
                Err(why) => Truth::Unknown { why: format!("Azure does not answer: {why}") },
            },
        }
    }
}

/// The last hardened LSN of a side's copy: asked of the side itself and, for the managed instance, of Azure where it does not answer.
///
/// # Errors
/// Nobody says it.
pub(crate) fn hardened(seen: &Observation, side: Side, link: &str, database: &str) -> Result<Lsn, String> {
    let local = seen.distributed(side, link).map_err(|why| format!("{side} does not answer: {why}"));
    let own = local.clone().ok().flatten().and_then(|g| g.local_database(database)?.hardened_lsn);
    let azure = || {
        let link = seen.azure_link(link).ok().flatten()?;
        link.database(database)?.hardened_lsn
    };
    let lsn = match side {
        Side::SqlServer => own,
        Side::Managed => own.or_else(azure),
    };
    lsn.ok_or_else(|| match local {
        Err(why) => why,
        Ok(_) => format!("{side} shows no last_hardened_lsn of {database}"),
    })
}

fn shown<T: std::fmt::Display>(value: Option<&T>) -> String {
    value.map_or_else(|| "unknown".to_owned(), ToString::to_string)
}

fn certificates(seen: &Observation, look: impl FnOnce(&Instance) -> Truth) -> Truth {
    on(seen, Side::SqlServer, |i| match i.certificates {
        Some(_) => look(i),
        None => unknown("this login may not see the certificates of master"),
    })
}

fn own_certificate(seen: &Observation, name: &str) -> Truth {
    certificates(seen, |i| match i.certificate(name) {
        None => Truth::Not { seen: format!("there is no certificate {name}") },
        Some(c) if !c.private_key => {
            Truth::Not { seen: format!("certificate {name} has no private key here") }
        }
        Some(c) => holds_if(c.expiry.is_none_or(|e| e > seen.at), || {
            format!("certificate {name} expired at {}", shown(c.expiry.as_ref()))
        }),
    })
}

fn managed_certificate(seen: &Observation, name: &str) -> Truth {
    let wanted = match seen.azure.get() {
        Ok(azure) => match &azure.endpoint_certificate {
            Some(certificate) => &certificate.thumbprint,
            None => return unknown("Azure does not give the certificate of the managed instance's endpoint"),
        },
        Err(why) => return Truth::Unknown { why: format!("Azure does not answer: {why}") },
    };
    certificates(seen, |i| match i.certificate(name) {
        None => Truth::Not { seen: format!("there is no certificate {name}") },
        Some(c) => holds_if(c.thumbprint == *wanted, || {
            format!("certificate {name} is {}, the managed instance shows {wanted}", c.thumbprint)
        }),
    })
}

fn trust_certificate(seen: &Observation, certificate: &str) -> Truth {
    certificates(seen, |i| {
        let Some(own) = i.certificate(certificate) else {
            return Truth::Not { seen: format!("there is no certificate {certificate} on SQL Server") };
        };
        match seen.azure.get() {
            Ok(azure) => holds_if(azure.trusts(&own.thumbprint).is_some(), || {
                format!("Azure does not have {certificate} ({})", own.thumbprint)
            }),
            Err(why) => Truth::Unknown { why: format!("Azure does not answer: {why}") },
        }
    })
}

fn endpoint(instance: &Instance, certificate: &str) -> Truth {
    let Some(e) = &instance.endpoint else {
        return Truth::Not { seen: "there is no database mirroring endpoint".to_owned() };
    };
    let shows = e.certificate.as_deref();
    let faults = [
        (e.state != "STARTED", format!("endpoint {} is {}", e.name, e.state)),
        (e.role != "ALL", format!("endpoint {} has the role {}", e.name, e.role)),
        (!e.authentication.contains("CERTIFICATE"), format!("endpoint {} takes no certificates", e.name)),
        (!e.encrypted, format!("endpoint {} does not encrypt", e.name)),
        (!e.algorithm.contains("AES"), format!("endpoint {} encrypts with {}", e.name, e.algorithm)),
        (
            !shows.is_some_and(|s| same_name(s, certificate)),
            format!("endpoint {} shows certificate {}", e.name, shows.unwrap_or("none")),
        ),
    ];
    match faults.into_iter().find(|(wrong, _)| *wrong) {
        Some((_, seen)) => Truth::Not { seen },
        None => Truth::Holds,
    }
}

fn on_database(
    seen: &Observation,
    side: Side,
    database: &str,
    look: impl FnOnce(&crate::observe::Database) -> Truth,
) -> Truth {
    on(seen, side, |i| match i.database(database) {
        Some(d) => look(d),
        None => Truth::Not { seen: format!("{side} has no database {database}") },
    })
}

fn group(instance: &Instance, name: &str, databases: &[String]) -> Truth {
    if instance.group(name).is_none() {
        return Truth::Not { seen: format!("SQL Server has no availability group {name}") };
    }
    let inside = |d: &&crate::observe::Database| d.group.as_deref().is_some_and(|g| same_name(g, name));
    let has: Vec<&str> = instance.databases.iter().filter(inside).map(|d| d.name.as_str()).collect();
    let same = has.len() == databases.len()
        && databases.iter().all(|wanted| has.iter().any(|there| same_name(there, wanted)));
    holds_if(same, || {
        let list = if has.is_empty() { "no database".to_owned() } else { has.join(", ") };
        format!("availability group {name} has {list}")
    })
}

fn azure_link(
    seen: &Observation,
    name: &str,
    look: impl FnOnce(Option<&crate::observe::AzureLink>) -> Truth,
) -> Truth {
    match seen.azure_link(name) {
        Ok(link) => look(link),
        Err(why) => Truth::Unknown { why: format!("Azure does not answer: {why}") },
    }
}

/// What the primary sees. Where the managed instance is primary and does not answer itself, what Azure says of it.
fn connected(seen: &Observation, link: &str, primary: Side) -> Truth {
    if primary == Side::Managed
        && seen.managed.known().is_none()
        && let Ok(Some(described)) = seen.azure_link(link)
    {
        return match described.databases.iter().map(|d| d.connected).min() {
            Some(Some(connected)) => {
                holds_if(connected, || format!("Azure shows a database of {link} as DISCONNECTED"))
            }
            Some(None) | None => unknown("Azure does not say whether the link is connected"),
        };
    }
    half(seen, primary, link, remote_connected)
}

fn remote_connected(group: &Group) -> Truth {
    let Some(remote) = group.remote() else {
        return Truth::Not { seen: format!("{} has no member on the other side", group.name) };
    };
    match remote.connected {
        Some(true) => Truth::Holds,
        Some(false) => Truth::Not {
            seen: match &remote.last_connect_error {
                Some(e) => format!("{} is disconnected: error {}, {}", remote.name, e.number, e.text),
                None => format!("{} is disconnected", remote.name),
            },
        },
        None => unknown("connected_state of the other side is not shown"),
    }
}

/// A copy follows when its own side says that it is ONLINE and takes log. Where that side does not answer, the primary's word and Azure's
/// count, which may be late.
fn following(seen: &Observation, link: &str, database: &str, primary: Side) -> Truth {
    let secondary = primary.other();
    if let Ok(group) = seen.distributed(secondary, link) {
        let Some(copy) = group.and_then(|g| g.local_database(database)) else {
            return Truth::Not { seen: format!("{secondary} has no copy of {database} yet") };
        };
        let online = copy.database_state.as_deref() == Some("ONLINE");
        let takes = matches!(copy.state, Some(SyncState::Synchronizing | SyncState::Synchronized));
        return holds_if(online && takes, || {
            let state = copy.database_state.as_deref().unwrap_or("in an unknown state");
            format!("{database} on {secondary} is {state}, {}", shown(copy.state.as_ref()))
        });
    }
    half(seen, primary, link, |g| match g.remote_database(database) {
        Some(copy) => holds_if(copy.health == Some(Health::Healthy), || {
            format!("{primary} shows {database} on the other side as {}", shown(copy.health.as_ref()))
        }),
        None => Truth::Not { seen: format!("{primary} shows no copy of {database} on the other side") },
    })
}

fn commit_mode(seen: &Observation, link: &str, side: Side, mode: CommitMode) -> Truth {
    match side {
        Side::SqlServer => {
            half(seen, Side::SqlServer, link, |g| match g.replicas.iter().find(|r| r.commit_mode != mode) {
                Some(other) => Truth::Not {
                    seen: format!("SQL Server shows {} as {}", other.name, other.commit_mode.tsql()),
                },
                None => Truth::Holds,
            })
        }
        Side::Managed => azure_link(seen, link, |l| match l.map(|l| l.commit_mode) {
            Some(Some(now)) => holds_if(now == mode, || format!("Azure's replicationMode is {}", now.rest())),
            Some(None) => unknown("Azure does not say replicationMode"),
            None => Truth::Not { seen: format!("Azure has no link {link}") },
        }),
    }
}

/// The role that a side says it has. Where a managed instance does not answer over TDS, Azure speaks for it: its own role is what Azure
/// knows of a link for certain.
fn role(seen: &Observation, link: &str, side: Side, wanted: Role) -> Truth {
    let azure = || seen.azure_link(link).ok().flatten().and_then(|l| l.instance_role);
    match (seen.side(side).get(), side) {
        (Err(_), Side::Managed) if azure().is_some() => holds_if(azure() == Some(wanted), || {
            format!("{side} is {} in {link}, as Azure says", shown(azure().as_ref()))
        }),
        _ => half(seen, side, link, |g| {
            holds_if(g.role == Some(wanted), || format!("{side} is {} in {link}", shown(g.role.as_ref())))
        }),
    }
}

/// Where the managed instance does not answer itself, Azure's list of its databases.
fn database_online(seen: &Observation, side: Side, database: &str) -> Truth {
    if side == Side::Managed
        && seen.managed.known().is_none()
        && let Some(azure) = seen.azure.known()
    {
        let status = azure.database(database).map_or("absent", |d| d.status.as_str());
        return holds_if(same_name(status, "Online"), || format!("{database} is {status}, as Azure says"));
    }
    on_database(seen, side, database, |d| {
        holds_if(d.state == "ONLINE", || format!("{database} is {} on {side}", d.state))
    })
}

/// Where the managed instance does not answer itself, Azure's list of its databases.
fn database_absent(seen: &Observation, side: Side, database: &str) -> Truth {
    let answer = match (side, seen.side(side).get(), seen.azure.known()) {
        (_, Ok(instance), _) => Ok(instance.database(database).is_none()),
        (Side::Managed, Err(_), Some(azure)) => Ok(azure.database(database).is_none()),
        (_, Err(why), _) => Err(format!("{side} does not answer: {why}")),
    };
    match answer {
        Ok(absent) => holds_if(absent, || format!("{side} has a database {database}")),
        Err(why) => Truth::Unknown { why },
    }
}
