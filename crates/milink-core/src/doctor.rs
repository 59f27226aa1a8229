//! What is wrong with a link, what is at risk, and the one command that comes next.
//!
//! Total over every state that can be seen, and over those that cannot: with one side dead or Azure unreachable the answer says what is
//! known and what is not. How a link is comes from [`crate::status`]; what to do about it is decided here.

use serde::Serialize;

use crate::facts::errors;
use crate::names::{FailoverMode, Role, Side};
use crate::observe::Observation;
use crate::plan::Verb;
use crate::run::{Next, RunSummary};
use crate::status::{self, CertificateStatus, DatabaseStatus, LinkState, LinkStatus, Primary, SeedingStatus};

/// Fewer days than this, and a certificate is a cause.
const CERTIFICATE_DAYS_FEW: i64 = 14;

/// What is wrong with a link.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Diagnosis {
    /// The link.
    pub link: String,
    /// One sentence: who is primary, and whether data is safe.
    pub headline: String,
    /// How it is.
    pub state: LinkState,
    /// Who holds the copy that is written to.
    pub primary: Primary,
    /// For each database, what a loss of the primary would cost now.
    pub at_risk: Vec<AtRisk>,
    /// How far the endpoints were reached from here, if that was tried.
    pub endpoints: Vec<String>,
    /// What was found, the gravest first.
    pub causes: Vec<Cause>,
    /// What cannot be seen, and why.
    pub unknown: Vec<String>,
    /// The one command that comes next.
    pub next: Next,
}

/// What a loss of the primary would cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AtRisk {
    /// The database.
    pub database: String,
    /// By how much the secondary's hardened LSN is behind; `None` if that cannot be seen.
    pub lsn_behind: Option<String>,
    /// How much of the latest work that is, in seconds; `None` if that cannot be seen.
    pub seconds: Option<u64>,
    /// In words.
    pub said: String,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cause {
    /// What was found.
    pub what: String,
    /// The number of the error that says so.
    pub number: Option<u32>,
    /// Where it comes from.
    pub cause: Option<String>,
    /// How it is mended.
    pub fix: Option<String>,
}

impl Cause {
    fn plain(what: impl Into<String>, fix: &str) -> Cause {
        Cause { what: what.into(), number: None, cause: None, fix: Some(fix.to_owned()) }
    }

    fn error(what: String, number: Option<u32>) -> Cause {
        let told = number.and_then(errors::lookup).map(|f| &f.explanation);
        Cause { what, number, cause: told.map(|t| t.cause.to_owned()), fix: told.map(|t| t.fix.to_owned()) }
    }
}

/// Looks at a link. `run` is what the journal has of its newest run.
pub fn diagnose(name: &str, seen: &Observation, run: Option<&RunSummary>) -> Diagnosis {
    let link = status::link(name, seen);
    let known = status::names(seen).iter().any(|n| crate::observe::same_name(n, name));
    let causes = causes(&link, seen);
    Diagnosis {
        link: name.to_owned(),
        headline: headline(&link, known),
        state: link.state,
        primary: link.primary,
        at_risk: link.databases.iter().map(|d| at_risk(&link, d)).collect(),
        unknown: status::silent(seen),
        endpoints: seen.probes.iter().map(|p| format!("{}: {}", p.to, p.summary())).collect(),
        next: next(&link, seen, known, &causes, run),
        causes,
    }
}

fn headline(link: &LinkStatus, known: bool) -> String {
    let name = &link.name;
    let safe = |side: Side| {
        let behind = link.databases.iter().any(|d| d.lsn_behind.as_deref() != Some("0"));
        let copy = if behind { "the copy is behind" } else { "the copy has everything" };
        format!("{side} is primary in {name}, {copy}")
    };
    match (link.state, link.primary.side()) {
        (LinkState::TwoPrimaries, _) => {
            format!(
                "BOTH sides of {name} are primary: two histories are written, and every commit adds to what one of them will lose"
            )
        }
        (LinkState::NoPrimary, _) => {
            format!("nobody is primary in {name}: nothing can be written until a role change is finished")
        }
        (LinkState::Healthy, Some(side)) => safe(side),
        (LinkState::Seeding, _) => {
            format!("the first copy of {name} is being made: until it is, there is one copy only")
        }
        (LinkState::HalfMade, _) if !known => format!("nobody knows a link {name}"),
        (LinkState::HalfMade, _) => format!("only one half of {name} is there: nothing is copied"),
        (LinkState::Broken, Some(side)) => {
            format!("{side} is primary in {name}, and nothing arrives at the other side")
        }
        (LinkState::Broken, None) => format!("nothing is copied by {name}"),
        (LinkState::Degraded, Some(side)) => format!("{}, but not as it should be", safe(side)),
        (LinkState::Degraded | LinkState::Healthy, None) => format!("{name} works, but not as it should"),
        (LinkState::Unknown, Some(side)) => {
            format!("{side} is primary in {name}, and how the copy on the {} is cannot be seen", side.other())
        }
        (LinkState::Unknown, None) => {
            let word = |role: Option<Role>| role.map_or_else(|| "unknown".to_owned(), |r| r.to_string());
            format!(
                "who is primary in {name} cannot be told for certain: SQL Server is {}, the managed instance {}",
                word(link.sql_server.role),
                word(link.managed.role)
            )
        }
    }
}

fn at_risk(link: &LinkStatus, d: &DatabaseStatus) -> AtRisk {
    let said = match (d.lsn_behind.as_deref(), d.data_loss_seconds) {
        (Some("0"), _) => "nothing: both sides have hardened the same log".to_owned(),
        (_, Some(seconds)) => format!("about {seconds} s of the latest commits"),
        (Some(_), None) => "something: the copy is behind, by how many seconds cannot be seen".to_owned(),
        (None, None) if link.primary == Primary::Both => "what one of the two has alone".to_owned(),
        (None, None) => "unknown: one side does not say what it has".to_owned(),
    };
    AtRisk { database: d.name.clone(), lsn_behind: d.lsn_behind.clone(), seconds: d.data_loss_seconds, said }
}

fn causes(link: &LinkStatus, seen: &Observation) -> Vec<Cause> {
    let mut out = Vec::new();
    if link.state == LinkState::TwoPrimaries {
        out.push(Cause::plain(
            "a failover was forced while the other side lived, or came back",
            "stop the writes on the side that shall give way, then repair",
        ));
    }
    for certificate in &link.certificates {
        match certificate.days_left {
            Some(days) if days < 0 => out.push(Cause::plain(
                format!("certificate {} of the {} has expired", certificate.name, certificate.side),
                "make a new one, upload it, and let the endpoint show it: `milink check` has the statements",
            )),
            Some(days) if days < CERTIFICATE_DAYS_FEW => out.push(Cause::plain(
                format!(
                    "certificate {} of the {} expires in {days} days",
                    certificate.name, certificate.side
                ),
                "replace it before: the link stops when it expires",
            )),
            _ => {}
        }
    }
    for d in &link.databases {
        if let Some(why) = &d.suspended {
            out.push(Cause::plain(
                format!("data movement of {} is suspended: {why}", d.name),
                "ALTER DATABASE ... SET HADR RESUME on the side that is suspended, once it is known why",
            ));
        }
        if let Some(seeding) = d.seeding.as_ref().filter(|s| !SeedingStatus::is_under_way(s)) {
            let why = seeding.failure.as_deref().unwrap_or("no reason is given");
            let number = seeding.failure_code.or_else(|| errors::number_in(why));
            out.push(Cause::error(format!("the first copy of {} failed: {why}", d.name), number));
        }
    }
    if let Some(error) = &link.last_error {
        out.push(Cause::error(format!("{} reports: {}", error.from, error.text), error.number));
    }
    for (side, instance) in Side::BOTH.map(|s| (s, seen.side(s).known())) {
        let stopped = instance.and_then(|i| i.endpoint.as_ref()).filter(|e| e.state != "STARTED");
        if let Some(endpoint) = stopped {
            out.push(Cause::plain(
                format!("endpoint {} of the {side} is {}", endpoint.name, endpoint.state),
                "ALTER ENDPOINT ... STATE = STARTED",
            ));
        }
    }
    // A link that works has a way, whatever this machine sees of it.
    let works = matches!(link.state, LinkState::Healthy | LinkState::Seeding | LinkState::Degraded);
    for probe in seen.probes.iter().filter(|_| !works) {
        if let Some(hop) = probe.failed() {
            out.push(Cause::plain(
                format!("the endpoint of the {} at {} is not reached from {}: {} failed", probe.to, probe.address, probe.from, hop.hop),
                "see whether the endpoint is started and what stands in between; from the other side the way may be another one",
            ));
        }
    }
    out
}

/// The one command. What the journal has under way comes first: whatever it was, it is the owner of this state.
fn next(
    link: &LinkStatus,
    seen: &Observation,
    known: bool,
    causes: &[Cause],
    run: Option<&RunSummary>,
) -> Next {
    let name = &link.name;
    let failed = |d: &DatabaseStatus| d.seeding.as_ref().is_some_and(|s| !s.is_under_way());
    if run.is_some_and(|r| r.verb == Verb::Create && r.ended.is_some() && r.is_open())
        && link.databases.iter().any(failed)
    {
        return Next::new(
            format!("milink undo {name}"),
            "the first copy failed, and nothing begins it again: once the cause is mended, take back what was made and create it anew",
        );
    }
    if let Some(run) = run.filter(|r| owns(r, link, seen)) {
        let step = run.step.as_deref().unwrap_or("the last look");
        return Next::new(
            format!("milink resume {name}"),
            format!(
                "a run stopped at {step}, after {} of {} steps: this looks again and goes on",
                run.done, run.of
            ),
        );
    }
    match link.state {
        LinkState::TwoPrimaries => Next::new(
            format!("milink repair {name} --winner {}", newest(link)),
            "it stays primary, the other side is saved, and follows it; say --winner otherwise if you know better",
        ),
        LinkState::NoPrimary if is_resolving(link) => Next::new(
            format!("milink status {name} -w"),
            "a side is RESOLVING, and may be primary again in a moment",
        ),
        LinkState::NoPrimary => Next::new(
            format!("milink failover {name} --to {} --forced --allow-data-loss", newest(link)),
            "it has hardened the most; nothing is lost if both sides have hardened the same",
        ),
        LinkState::Unknown => unknown(link, seen, known, causes),
        LinkState::HalfMade if !known => Next::new(
            format!("milink create --name {name} --database DATABASE"),
            "there is no such link; `milink list` shows those that there are",
        ),
        LinkState::HalfMade => Next::new(
            format!("milink purge {name}"),
            "it removes the half that is left, so that the link can be made again",
        ),
        LinkState::Seeding => Next::new(
            format!("milink status {name} -w"),
            "it goes on by itself; take no log backup meanwhile",
        ),
        LinkState::Broken | LinkState::Degraded if !causes.is_empty() => Next::new(
            format!("milink check {name}"),
            "it names what is in the way, with the statements that mend it",
        ),
        LinkState::Broken | LinkState::Degraded => Next::new(
            format!("milink status {name} -w"),
            "nothing is reported: see whether it recovers by itself",
        ),
        LinkState::Healthy if link.certificates.iter().any(is_short_lived) => Next::new(
            format!("milink check {name}"),
            "it works until the next connection is made: a certificate has to be replaced, and this has the statements",
        ),
        LinkState::Healthy => Next::new(format!("milink status {name}"), "nothing has to be done"),
    }
}

/// Whether a run that was begun is what has to go on. It is not where it cannot lead out of what is: of two primaries only a repair leads,
/// and what has given up since a side is gone would give up again.
fn owns(run: &RunSummary, link: &LinkStatus, seen: &Observation) -> bool {
    let step = run.step.as_deref().unwrap_or_default();
    let before_demotion = step == "demote" || step.starts_with("save-");
    let drains = ["synchronous-", "drain", "fence"].iter().any(|id| step.starts_with(id));
    let gave_up = run.ended.is_some();
    let is_silent = |side: &Side| seen.side(*side).known().is_none();
    match link.state {
        // One that has demoted the loser already does not do that again.
        LinkState::TwoPrimaries => {
            let removes = matches!(run.verb, Verb::Drop | Verb::Purge);
            run.is_open() && (removes || run.verb == Verb::Repair && before_demotion)
        }
        // A repair needs its winner to be primary, and demotes nobody else.
        LinkState::NoPrimary if run.verb == Verb::Repair => false,
        // Somebody else has ended the state with two primaries, or the link.
        _ if gave_up && run.verb == Verb::Repair && !run.changed && link.primary.side().is_some() => false,
        LinkState::HalfMade if gave_up && run.verb == Verb::PlannedFailover && drains => false,
        LinkState::Unknown if gave_up && Side::BOTH.iter().any(is_silent) => false,
        _ => run.is_open(),
    }
}

fn is_resolving(link: &LinkStatus) -> bool {
    [&link.sql_server, &link.managed].into_iter().any(|half| half.role == Some(Role::Resolving))
}

fn is_short_lived(certificate: &CertificateStatus) -> bool {
    certificate.days_left.is_some_and(|days| days < CERTIFICATE_DAYS_FEW)
}

fn unknown(link: &LinkStatus, seen: &Observation, known: bool, causes: &[Cause]) -> Next {
    let name = &link.name;
    let silent = Side::BOTH.into_iter().find(|s| seen.side(*s).known().is_none());
    let alive = silent.map(Side::other).filter(|s| seen.side(*s).known().is_some());
    match (silent, alive) {
        (Some(silent), Some(alive)) if known => {
            let to = word(alive);
            match seen.role(alive, name).ok().flatten() {
                Some(Role::Secondary) if link.failover_mode == Some(FailoverMode::OneWay) => Next::new(
                    format!("milink drop {name} --force"),
                    format!(
                        "only if the {silent} is lost for good: a one-way link cannot be forced (41985), but it can be ended, and then the copy on the {alive} is written to"
                    ),
                ),
                Some(Role::Secondary) => Next::new(
                    format!("milink failover {name} --to {to} --forced --allow-data-loss"),
                    format!(
                        "only if the {silent} is lost for good: it may still be primary, and what it has alone is lost"
                    ),
                ),
                Some(Role::Primary) => Next::new(
                    format!("milink status {name} -w"),
                    format!(
                        "the {alive} is primary and goes on; bring the {silent} back, and the link goes on by itself"
                    ),
                ),
                Some(Role::Resolving) => Next::new(
                    format!("milink status {name} -w"),
                    format!("the {alive} is RESOLVING, and may be primary again in a moment"),
                ),
                None => Next::new(
                    format!("milink check {name}"),
                    format!("the {alive} has no half of the link: this says how the {silent} can be reached"),
                ),
            }
        }
        (Some(_), _) => Next::new(
            format!("milink check {name}"),
            "it says which connection is missing, and how to give it",
        ),
        (None, _) if !causes.is_empty() => Next::new(
            format!("milink check {name}"),
            "it names what is in the way, with the statements that mend it",
        ),
        (None, _) => {
            Next::new(format!("milink status {name} -w"), "the two sides do not agree yet: look again")
        }
    }
}

/// The side that has hardened the most, as far as can be seen; the managed instance if nothing can.
fn newest(link: &LinkStatus) -> &'static str {
    let ahead = link.databases.iter().any(|d| match (d.sql_server_hardened, d.managed_hardened) {
        (Some(sql), Some(managed)) => sql > managed,
        (Some(_), None) => true,
        (None, _) => false,
    });
    word(if ahead { Side::SqlServer } else { Side::Managed })
}

fn word(side: Side) -> &'static str {
    match side {
        Side::SqlServer => "sql-server",
        Side::Managed => "managed",
    }
}
