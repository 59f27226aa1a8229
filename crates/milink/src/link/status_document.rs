//! What `list`, `status` and `show` print.

use std::time::Duration;

use milink_core::facts::errors;
use milink_core::moment::Moment;
use milink_core::names::{CommitMode, Role};
use milink_core::observe::Health;
use milink_core::status::{
    CertificateStatus, DatabaseStatus, HalfStatus, LinkState, LinkStatus, Primary, ReportedError,
};
use serde::Serialize;

use crate::output::{Cell, Document, Table, Tone, bytes, seconds};

/// What is printed for something that nobody has said.
pub(crate) const UNKNOWN: &str = "unknown";

/// Fewer days than this want attention.
const CERTIFICATE_DAYS_FEW: i64 = 30;

/// Links, one to a line.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LinkList {
    /// When everything was looked at.
    pub(crate) seen_at: Moment,
    /// Who did not answer, and why.
    pub(crate) unknown: Vec<String>,
    /// The links.
    pub(crate) links: Vec<LinkStatus>,
}

impl Document for LinkList {
    const SCHEMA_VERSION: u32 = 1;

    fn table(&self) -> Table {
        let mut table = Table::new([
            "LINK",
            "STATE",
            "PRIMARY",
            "COMMIT",
            "DATABASES",
            "LSN BEHIND",
            "SEND QUEUE",
            "REDO QUEUE",
            "LOSS",
            "RECOVERY",
        ]);
        for link in &self.links {
            table.row(line(link));
        }
        let table = table.or_say(if self.unknown.is_empty() { "No links." } else { "No links can be seen." });
        if self.unknown.is_empty() {
            return table;
        }
        let mut silent = Table::new(["NOT SEEN"]);
        for why in &self.unknown {
            silent.row([Cell::toned(why.clone(), Tone::Bad)]);
        }
        table.and(silent)
    }
}

/// One link with all that is known.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LinkDetail {
    /// The link.
    #[serde(flatten)]
    pub(crate) link: LinkStatus,
    /// What the newest error means.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) explanation: Option<Explained>,
}

/// What an error means.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Explained {
    /// Where it comes from.
    pub(crate) cause: String,
    /// What to do about it.
    pub(crate) fix: String,
}

impl LinkDetail {
    /// A link, and what its newest error means.
    pub(crate) fn of(link: LinkStatus) -> LinkDetail {
        let number = link.last_error.as_ref().and_then(|e| e.number);
        let explanation = number.and_then(errors::lookup).map(|fact| {
            let told = &fact.explanation;
            Explained { cause: told.cause.to_owned(), fix: told.fix.to_owned() }
        });
        LinkDetail { link, explanation }
    }
}

impl Document for LinkDetail {
    const SCHEMA_VERSION: u32 = 1;

    fn table(&self) -> Table {
        let link = &self.link;
        let mut about = Table::pairs();
        about
            .pair("link", link.name.clone())
            .pair("state", state(link.state))
            .pair("primary", primary(link.primary))
            .pair("connected", yes_no(link.connected))
            .pair("commit mode", link.commit_mode.map_or(UNKNOWN, CommitMode::tsql))
            .pair("seen at", link.seen_at.to_string());
        for (name, half) in [("SQL Server", &link.sql_server), ("managed instance", &link.managed)] {
            about.pair(name, half_cell(half));
        }
        for certificate in &link.certificates {
            about.pair(&format!("certificate of {}", certificate.side), certificate_cell(certificate));
        }
        if let Some(error) = &link.last_error {
            about.pair("last error", error_cell(error));
        }
        if let Some(told) = &self.explanation {
            about.pair("its cause", told.cause.clone()).pair("its mending", told.fix.clone());
        }
        let mut databases = Table::new([
            "DATABASE",
            "STATE",
            "HEALTH",
            "SQL SERVER HARDENED",
            "MANAGED HARDENED",
            "LSN BEHIND",
            "LOSS",
            "RECOVERY",
        ]);
        for d in &link.databases {
            databases.row([
                Cell::from(d.name.clone()),
                sync(d),
                health(d.health),
                lsn(d.sql_server_hardened.map(|l| l.to_string())),
                lsn(d.managed_hardened.map(|l| l.to_string())),
                behind(d.lsn_behind.as_deref()),
                time(d.data_loss_seconds),
                time(d.recovery_seconds),
            ]);
        }
        about.and(databases.under("Databases").or_say("No database can be seen."))
    }
}

/// A link as a row of the list.
pub(crate) fn line(link: &LinkStatus) -> Vec<Cell> {
    let databases = &link.databases;
    let sum = |pick: fn(&DatabaseStatus) -> Option<u64>| {
        let known: Option<Vec<u64>> = databases.iter().map(pick).collect();
        known.filter(|all| !all.is_empty()).map(|all| all.iter().sum::<u64>())
    };
    let most = |pick: fn(&DatabaseStatus) -> Option<u64>| {
        let known: Option<Vec<u64>> = databases.iter().map(pick).collect();
        known.and_then(|all| all.into_iter().max())
    };
    let names = databases.iter().map(|d| d.name.as_str()).collect::<Vec<_>>().join(", ");
    let far =
        databases.iter().map(|d| d.lsn_behind.as_deref()).max_by_key(|b| b.map(|t| (t.len(), t.to_owned())));
    vec![
        Cell::from(link.name.clone()),
        state_of(link),
        primary(link.primary),
        Cell::from(match link.commit_mode {
            Some(CommitMode::Synchronous) => "sync",
            Some(CommitMode::Asynchronous) => "async",
            None => UNKNOWN,
        }),
        Cell::from(names),
        behind(far.flatten()),
        queue(sum(|d| d.send_queue_kb)),
        queue(sum(|d| d.redo_queue_kb)),
        time(most(|d| d.data_loss_seconds)),
        time(most(|d| d.recovery_seconds)),
    ]
}

/// The state, with the percentage of a first copy.
pub(crate) fn state_of(link: &LinkStatus) -> Cell {
    let percent = link.databases.iter().filter_map(|d| d.seeding.as_ref()).filter_map(|s| s.percent()).min();
    match (link.state, percent) {
        (LinkState::Seeding, Some(percent)) => Cell::toned(format!("seeding {percent} %"), Tone::Warning),
        (other, _) => state(other),
    }
}

fn state(state: LinkState) -> Cell {
    let tone = match state {
        LinkState::Healthy => Tone::Good,
        LinkState::Seeding | LinkState::Degraded | LinkState::HalfMade | LinkState::Unknown => Tone::Warning,
        LinkState::Broken | LinkState::NoPrimary | LinkState::TwoPrimaries => Tone::Bad,
    };
    Cell::toned(state.to_string(), tone)
}

fn primary(primary: Primary) -> Cell {
    match primary {
        Primary::SqlServer | Primary::Managed => Cell::from(primary.to_string()),
        Primary::Unknown => Cell::toned(UNKNOWN, Tone::Warning),
        Primary::Both | Primary::Nobody => Cell::toned(primary.to_string(), Tone::Bad),
    }
}

fn half_cell(half: &HalfStatus) -> Cell {
    let role = match half.role {
        Some(Role::Primary) => "PRIMARY",
        Some(Role::Secondary) => "SECONDARY",
        Some(Role::Resolving) => "RESOLVING",
        None => "role unknown",
    };
    match (&half.unknown, &half.server) {
        (Some(why), _) => Cell::toned(format!("{UNKNOWN}: {why}"), Tone::Bad),
        (None, server) => Cell::from(format!(
            "{}, {role}, availability group {}",
            server.as_deref().unwrap_or(UNKNOWN),
            half.group.as_deref().unwrap_or(UNKNOWN)
        )),
    }
}

fn certificate_cell(certificate: &CertificateStatus) -> Cell {
    match certificate.days_left {
        None => Cell::toned(format!("{}: expiry {UNKNOWN}", certificate.name), Tone::Warning),
        Some(days) if days < 0 => Cell::toned(format!("{}: EXPIRED", certificate.name), Tone::Bad),
        Some(days) => {
            let tone = if days < CERTIFICATE_DAYS_FEW { Tone::Warning } else { Tone::Plain };
            Cell::toned(format!("{}: {days} days left", certificate.name), tone)
        }
    }
}

fn error_cell(error: &ReportedError) -> Cell {
    let number = error.number.map_or(String::new(), |n| format!("error {n}, "));
    let at = error.at.map_or(String::new(), |at| format!(" at {at}"));
    Cell::toned(format!("{}: {number}{}{at}", error.from, error.text), Tone::Bad)
}

fn sync(d: &DatabaseStatus) -> Cell {
    let word = d.state.map_or_else(|| UNKNOWN.to_owned(), |s| s.to_string());
    match (&d.suspended, &d.seeding) {
        (Some(why), _) => Cell::toned(format!("{word}, {why}"), Tone::Bad),
        (None, Some(seeding)) => Cell::toned(
            format!(
                "{} {} of {}",
                seeding.state,
                bytes(seeding.transferred_bytes),
                bytes(seeding.size_bytes)
            ),
            if seeding.is_under_way() { Tone::Warning } else { Tone::Bad },
        ),
        (None, None) => Cell::from(word),
    }
}

fn health(health: Option<Health>) -> Cell {
    match health {
        Some(Health::Healthy) => Cell::toned("HEALTHY", Tone::Good),
        Some(Health::PartiallyHealthy) => Cell::toned("PARTIALLY_HEALTHY", Tone::Warning),
        Some(Health::NotHealthy) => Cell::toned("NOT_HEALTHY", Tone::Bad),
        None => Cell::toned(UNKNOWN, Tone::Warning),
    }
}

fn lsn(text: Option<String>) -> Cell {
    text.map_or_else(|| Cell::from(UNKNOWN), Cell::number)
}

fn behind(text: Option<&str>) -> Cell {
    text.map_or_else(|| Cell::from(UNKNOWN), Cell::number)
}

fn queue(kb: Option<u64>) -> Cell {
    kb.map_or_else(|| Cell::from(UNKNOWN), |kb| Cell::number(bytes(kb * 1024)))
}

fn time(spent: Option<u64>) -> Cell {
    spent.map_or_else(|| Cell::from(UNKNOWN), |s| Cell::number(seconds(Duration::from_secs(s))))
}

fn yes_no(value: Option<bool>) -> Cell {
    match value {
        Some(true) => Cell::toned("yes", Tone::Good),
        Some(false) => Cell::toned("no", Tone::Bad),
        None => Cell::toned(UNKNOWN, Tone::Warning),
    }
}
