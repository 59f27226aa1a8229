//! How links are, in numbers: what `status`, `list`, `show` and the dashboard show.
//!
//! A view of an [`Observation`] and nothing more. What a side did not say is `None`, and stays so: an unreachable side is unknown, never
//! healthy, and the other side's opinion of it is not taken for its own word.

mod database;

pub(crate) use database::seeding_failure;
pub use database::{DatabaseStatus, SeedingStatus};

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::moment::Moment;
use crate::names::{CommitMode, FailoverMode, Role, Side};
use crate::observe::{Group, Health, Observation, Seen};

/// Who holds the copy that is written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Primary {
    /// SQL Server, and the managed instance says that it is secondary.
    SqlServer,
    /// The managed instance, and SQL Server says that it is secondary.
    Managed,
    /// Both say so: two histories are being written.
    Both,
    /// Neither: a role change has not been finished.
    Nobody,
    /// One side says nothing. What the other is, is in [`LinkStatus::sql_server`] and [`LinkStatus::managed`].
    Unknown,
}

impl Primary {
    /// The side, if there is exactly one.
    pub fn side(self) -> Option<Side> {
        match self {
            Primary::SqlServer => Some(Side::SqlServer),
            Primary::Managed => Some(Side::Managed),
            Primary::Both | Primary::Nobody | Primary::Unknown => None,
        }
    }
}

impl fmt::Display for Primary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Primary::SqlServer => "SQL Server",
            Primary::Managed => "managed instance",
            Primary::Both => "BOTH",
            Primary::Nobody => "nobody",
            Primary::Unknown => "unknown",
        })
    }
}

/// How a link is, in one word. From the best to the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkState {
    /// Every copy takes log, and both sides say so.
    Healthy,
    /// The first copy is being made.
    Seeding,
    /// It works, but something of it is not as it should be: a copy behind its commit mode, a side that is suspended.
    Degraded,
    /// Only one half of it is there.
    HalfMade,
    /// A side or Azure does not answer, so nobody can tell.
    Unknown,
    /// The halves are not connected, or a copy takes no log.
    Broken,
    /// Nobody is primary: nothing can be written.
    NoPrimary,
    /// Both sides are primary.
    TwoPrimaries,
}

impl fmt::Display for LinkState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LinkState::Healthy => "healthy",
            LinkState::Seeding => "seeding",
            LinkState::Degraded => "degraded",
            LinkState::HalfMade => "half made",
            LinkState::Unknown => "unknown",
            LinkState::Broken => "broken",
            LinkState::NoPrimary => "NO PRIMARY",
            LinkState::TwoPrimaries => "TWO PRIMARIES",
        })
    }
}

/// A link.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LinkStatus {
    /// Its name.
    pub name: String,
    /// How it is.
    pub state: LinkState,
    /// Who holds the copy that is written to.
    pub primary: Primary,
    /// SQL Server's half.
    pub sql_server: HalfStatus,
    /// The managed instance's half.
    pub managed: HalfStatus,
    /// Whether the halves are connected, as the primary sees it.
    pub connected: Option<bool>,
    /// When commits are acknowledged, as SQL Server shows it.
    pub commit_mode: Option<CommitMode>,
    /// Whether roles can be changed back, as Azure says.
    pub failover_mode: Option<FailoverMode>,
    /// Its databases.
    pub databases: Vec<DatabaseStatus>,
    /// Certificates that it stands on, with the days that they are still valid.
    pub certificates: Vec<CertificateStatus>,
    /// The newest error that either side or Azure reports.
    pub last_error: Option<ReportedError>,
    /// When everything was looked at.
    pub seen_at: Moment,
}

/// One side's half of a link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HalfStatus {
    /// The instance, as it calls itself.
    pub server: Option<String>,
    /// The availability group.
    pub group: Option<String>,
    /// The role that it says it has.
    pub role: Option<Role>,
    /// When it answered; `None` if it did not.
    pub seen_at: Option<Moment>,
    /// Why nothing is known of it.
    pub unknown: Option<String>,
}

/// A certificate that a link stands on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CertificateStatus {
    /// Whose endpoint shows it.
    pub side: Side,
    /// Its name on SQL Server.
    pub name: String,
    /// Until when it is valid.
    pub expiry: Option<Moment>,
    /// Whole days until then; negative if it has expired.
    pub days_left: Option<i64>,
}

/// An error that somebody reports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReportedError {
    /// Its number, which the catalogue explains.
    pub number: Option<u32>,
    /// What was said.
    pub text: String,
    /// Who reports it.
    pub from: String,
    /// When it happened, if that is said.
    pub at: Option<Moment>,
}

/// Every link that anybody speaks of, by its name.
pub fn links(seen: &Observation) -> Vec<LinkStatus> {
    names(seen).iter().map(|name| link(name, seen)).collect()
}

/// The names of all links, as they are first written, in their order.
pub fn names(seen: &Observation) -> Vec<String> {
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    for side in Side::BOTH {
        for group in seen.side(side).known().into_iter().flat_map(|i| &i.groups) {
            if group.distributed {
                names.entry(group.name.to_lowercase()).or_insert_with(|| group.name.clone());
            }
        }
    }
    for link in seen.azure.known().into_iter().flat_map(|a| &a.links) {
        names.entry(link.name.to_lowercase()).or_insert_with(|| link.name.clone());
    }
    names.into_values().collect()
}

/// Who did not answer, and why.
pub fn silent(seen: &Observation) -> Vec<String> {
    let sides =
        Side::BOTH.into_iter().filter_map(|side| Some(format!("{side}: {}", seen.side(side).get().err()?)));
    sides.chain(seen.azure.get().err().map(|why| format!("Azure: {why}"))).collect()
}

/// One link. If nobody knows of it, that is what is shown.
pub fn link(name: &str, seen: &Observation) -> LinkStatus {
    let halves = Side::BOTH.map(|side| seen.distributed(side, name));
    let azure = seen.azure_link(name).ok().flatten();
    let primary = primary(&halves.map(|h| h.map(|g| g.and_then(|g| g.role))));
    let databases = database::of(name, seen, primary);
    let as_primary = primary.side().and_then(|s| seen.distributed(s, name).ok().flatten());
    let connected = as_primary.and_then(Group::remote).and_then(|r| r.connected);
    let sql_group = halves[0].ok().flatten();
    let mut status = LinkStatus {
        name: name.to_owned(),
        state: LinkState::Unknown,
        primary,
        sql_server: half(&seen.sql_server, sql_group, azure.and_then(|l| l.partner_group.as_deref())),
        managed: half(
            &seen.managed,
            halves[1].ok().flatten(),
            azure.and_then(|l| l.instance_group.as_deref()),
        ),
        connected,
        commit_mode: sql_group.map(|g| {
            let synchronous =
                !g.replicas.is_empty() && g.replicas.iter().all(|r| r.commit_mode == CommitMode::Synchronous);
            if synchronous { CommitMode::Synchronous } else { CommitMode::Asynchronous }
        }),
        failover_mode: azure.and_then(|l| l.failover_mode),
        databases,
        certificates: certificates(seen),
        last_error: last_error(name, seen),
        seen_at: seen.at,
    };
    status.state = state(&status, &halves, seen.azure_link(name).map(|l| l.is_some()));
    status
}

fn primary(roles: &[Result<Option<Role>, &str>; 2]) -> Primary {
    let is = |role: &Result<Option<Role>, &str>| match role {
        Ok(Some(Role::Primary)) => Some(true),
        Ok(Some(Role::Secondary | Role::Resolving)) => Some(false),
        Ok(None) | Err(_) => None,
    };
    match (is(&roles[0]), is(&roles[1])) {
        (Some(true), Some(true)) => Primary::Both,
        (Some(true), Some(false)) => Primary::SqlServer,
        (Some(false), Some(true)) => Primary::Managed,
        (Some(false), Some(false)) => Primary::Nobody,
        (None, _) | (_, None) => Primary::Unknown,
    }
}

/// The one word. Whoever reads it at three in the morning must not be told that something is well that nobody has seen.
fn state(
    status: &LinkStatus,
    halves: &[Result<Option<&Group>, &str>; 2],
    azure: Result<bool, &str>,
) -> LinkState {
    match status.primary {
        Primary::Both => return LinkState::TwoPrimaries,
        Primary::Nobody => return LinkState::NoPrimary,
        Primary::SqlServer | Primary::Managed | Primary::Unknown => {}
    }
    if status.databases.iter().any(|d| d.seeding.as_ref().is_some_and(SeedingStatus::is_under_way)) {
        return LinkState::Seeding;
    }
    if status.connected == Some(false) {
        return LinkState::Broken;
    }
    let [sql_server, managed] = halves;
    match (sql_server, managed) {
        (Ok(None), Ok(Some(_))) | (Ok(Some(_)), Ok(None)) => return LinkState::HalfMade,
        (Ok(None), Ok(None)) => return LinkState::HalfMade,
        (Err(_), _) | (_, Err(_)) => return LinkState::Unknown,
        (Ok(Some(_)), Ok(Some(_))) => {}
    }
    if azure == Ok(false) {
        return LinkState::HalfMade;
    }
    let worst = status.databases.iter().map(|d| d.health).min().flatten();
    match (status.primary, worst) {
        (Primary::Unknown, _) | (_, None) => LinkState::Unknown,
        (_, Some(Health::NotHealthy)) => LinkState::Broken,
        (_, Some(Health::PartiallyHealthy)) => LinkState::Degraded,
        (_, Some(Health::Healthy)) if status.databases.iter().any(|d| d.suspended.is_some()) => {
            LinkState::Degraded
        }
        (_, Some(Health::Healthy)) => LinkState::Healthy,
    }
}

fn half(seen: &Seen<crate::observe::Instance>, group: Option<&Group>, named: Option<&str>) -> HalfStatus {
    let instance = seen.known();
    let own = group.and_then(Group::local).map(|r| r.name.clone());
    HalfStatus {
        server: instance.map(|i| i.server_name.clone()),
        group: own.or_else(|| named.map(str::to_owned)),
        role: group.and_then(|g| g.role),
        seen_at: instance.map(|_| seen.at()),
        unknown: seen.get().err().map(str::to_owned),
    }
}

fn certificates(seen: &Observation) -> Vec<CertificateStatus> {
    let mut out = Vec::new();
    let mut add = |side, name: &str, expiry: Option<Moment>| {
        let days_left = expiry.map(|e| e.days_after(seen.at));
        out.push(CertificateStatus { side, name: name.to_owned(), expiry, days_left });
    };
    if let Some(own) = seen.sql_server.known().and_then(|i| i.endpoint_certificate()) {
        add(Side::SqlServer, &own.name, own.expiry);
    }
    if let Some(azure) = seen.azure.known()
        && let Some(managed) = &azure.endpoint_certificate
    {
        let imported = seen.sql_server.known().and_then(|i| i.certificate_with(&managed.thumbprint));
        add(Side::Managed, &azure.fqdn, managed.expiry.or_else(|| imported.and_then(|c| c.expiry)));
    }
    out
}

fn last_error(name: &str, seen: &Observation) -> Option<ReportedError> {
    let connecting = Side::BOTH.into_iter().filter_map(|side| {
        let group = seen.distributed(side, name).ok().flatten()?;
        // What was wrong before the connection stood is over.
        let remote = group.remote().filter(|r| r.connected != Some(true))?;
        let error = remote.last_connect_error.as_ref()?;
        Some(ReportedError {
            number: Some(error.number).filter(|n| *n != 0),
            text: error.text.clone(),
            from: side.to_string(),
            at: error.at,
        })
    });
    let azure = seen.azure_link(name).ok().flatten();
    let reported = azure.into_iter().flat_map(|l| &l.databases).filter_map(|d| {
        let number = d.error.filter(|n| *n != 0)?;
        let text = format!("{}: {}", d.name, d.state.as_deref().unwrap_or("error"));
        Some(ReportedError { number: Some(number), text, from: "Azure".to_owned(), at: None })
    });
    let seeding = seen.sql_server.known().into_iter().chain(seen.managed.known()).flat_map(|i| {
        let carries = |database: &str| {
            i.distributed(name).is_some_and(|g| {
                g.local_database(database).is_some() || g.remote_database(database).is_some()
            })
        };
        i.seedings.iter().filter(move |s| s.state == "FAILED" && carries(&s.database)).map(|s| {
            ReportedError {
                number: s.failure_code,
                text: format!("seeding of {}: {}", s.database, s.failure.as_deref().unwrap_or("failed")),
                from: i.server_name.clone(),
                at: s.ended,
            }
        })
    });
    connecting.chain(seeding).chain(reported).max_by_key(|e| e.at)
}
