//! One link: two nodes and the flow between them, its databases, what is at risk, what comes next, and what was done.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use milink_core::doctor::{Diagnosis, diagnose};
use milink_core::names::{CommitMode, FailoverMode, Side};
use milink_core::status::{DatabaseStatus, HalfStatus, LinkState, LinkStatus, Primary, SeedingStatus};

use super::list::direction;
use super::timeline::{self, Operation};
use super::words::{self, UNKNOWN, Value};
use crate::app::App;
use crate::pages::database::bytes;
use crate::pages::tree::tone;
use crate::pages::{Frame, Visitor, error, found, path, piece, render};
use crate::state::{Snapshot, Stamp, Watched};

/// One of the two instances.
#[derive(Debug)]
struct Node {
    side: Side,
    server: String,
    group: String,
    role: String,
    tone: &'static str,
    stamp: Stamp,
    silent: Option<String>,
}

impl Node {
    fn of(side: Side, half: &HalfStatus, snapshot: &Snapshot) -> Node {
        Node {
            side,
            server: half.server.clone().unwrap_or_else(|| UNKNOWN.to_owned()),
            group: half.group.clone().unwrap_or_else(|| UNKNOWN.to_owned()),
            role: half.role.map_or_else(|| UNKNOWN.to_owned(), |r| r.to_string()),
            tone: if half.role.is_some() { "plain" } else { "warning" },
            stamp: snapshot.stamp(side).clone(),
            silent: half.unknown.clone(),
        }
    }
}

/// The arrow between them, from left to right or back.
#[derive(Debug, PartialEq, Eq)]
struct Flow {
    /// `right`, `left`, or `none` where nobody knows who sends.
    direction: &'static str,
    /// Whether log flows, as far as anybody has said.
    tone: &'static str,
    /// How thick it is, from 1 to 4: a step for each factor of 32.
    width: u8,
    /// For who does not see it.
    said: String,
}

impl Flow {
    fn of(link: &LinkStatus) -> Flow {
        let known: Option<Vec<u64>> = link.databases.iter().map(|d| d.send_rate_kb).collect();
        let rate =
            known.filter(|all| !all.is_empty()).map(|all| all.into_iter().fold(0, u64::saturating_add));
        let stalled = link.connected == Some(false)
            || link.state == LinkState::Broken
            || link.databases.iter().any(|d| d.suspended.is_some())
            || matches!(link.primary, Primary::Both | Primary::Nobody);
        let said = match (link.primary, link.connected) {
            (Primary::Both, _) => "both sides are primary: nothing flows".to_owned(),
            (Primary::Nobody, _) => "nobody is primary: nothing flows".to_owned(),
            (_, Some(false)) => "not connected: nothing flows".to_owned(),
            _ if link.state == LinkState::Broken => "connected, but the copy takes no log".to_owned(),
            _ if stalled => "data movement is suspended".to_owned(),
            _ if link.state == LinkState::Unknown => "whether log flows is unknown".to_owned(),
            (_, None) => "whether they are connected is unknown".to_owned(),
            (_, Some(true)) => format!("log flows at {}", words::rate(rate).text),
        };
        Flow {
            direction: match link.primary {
                Primary::SqlServer => "right",
                Primary::Managed => "left",
                Primary::Both | Primary::Nobody | Primary::Unknown => "none",
            },
            tone: match (stalled, link.connected) {
                (true, _) => "bad",
                // Connected is not enough: the state is the word of both sides.
                (false, Some(true)) if link.state != LinkState::Unknown => "good",
                (false, _) => "warning",
            },
            width: match rate.unwrap_or(0) {
                0..32 => 1,
                32..1024 => 2,
                1024..32_768 => 3,
                32_768.. => 4,
            },
            said,
        }
    }
}

/// A database of the link.
#[derive(Debug)]
struct DatabaseRow {
    name: String,
    state: String,
    health: String,
    tone: &'static str,
    suspended: Option<String>,
    sql_server_lsn: Option<String>,
    managed_lsn: Option<String>,
    behind: Value,
    send_queue: Value,
    send_rate: Value,
    redo_queue: Value,
    redo_rate: Value,
    loss: Value,
    recovery: Value,
    seeding: Option<Seeding>,
}

/// A first copy that is made, or failed.
#[derive(Debug)]
struct Seeding {
    state: String,
    transferred: u64,
    size: u64,
    said: String,
    failure: Option<String>,
}

impl Seeding {
    fn of(s: &SeedingStatus) -> Seeding {
        let percent =
            if s.size_bytes == 0 { 0.0 } else { s.transferred_bytes as f64 * 100.0 / s.size_bytes as f64 };
        let estimate = s.estimate.map_or_else(String::new, |at| format!(", done about {at}"));
        Seeding {
            state: s.state.clone(),
            transferred: s.transferred_bytes,
            // The size is the database's, and what is sent may be more.
            size: s.size_bytes.max(s.transferred_bytes).max(1),
            said: format!(
                "{} of {} ({percent:.0} %), {}/s, attempt {}{estimate}",
                bytes(s.transferred_bytes),
                bytes(s.size_bytes),
                bytes(s.rate_bytes),
                s.attempts
            ),
            failure: s.failure.clone(),
        }
    }
}

impl DatabaseRow {
    fn of(d: &DatabaseStatus) -> DatabaseRow {
        use milink_core::observe::Health;
        let words = |word: Option<String>| word.unwrap_or_else(|| UNKNOWN.to_owned());
        DatabaseRow {
            name: d.name.clone(),
            state: words(d.state.map(|s| s.to_string())),
            health: words(d.health.map(|h| h.to_string())),
            tone: match d.health {
                Some(Health::Healthy) => "good",
                Some(Health::PartiallyHealthy) | None => "warning",
                Some(Health::NotHealthy) => "bad",
            },
            suspended: d.suspended.clone(),
            sql_server_lsn: d.sql_server_hardened.map(|l| l.to_string()),
            managed_lsn: d.managed_hardened.map(|l| l.to_string()),
            behind: words::behind(d.lsn_behind.as_deref()),
            send_queue: words::queue(d.send_queue_kb),
            send_rate: words::rate(d.send_rate_kb),
            redo_queue: words::queue(d.redo_queue_kb),
            redo_rate: words::rate(d.redo_rate_kb),
            loss: words::seconds(d.data_loss_seconds),
            recovery: words::seconds(d.recovery_seconds),
            seeding: d.seeding.as_ref().map(Seeding::of),
        }
    }
}

/// The live piece: everything that a look tells.
#[derive(Template)]
#[template(path = "parts/link.html")]
struct Live {
    context_href: String,
    href: String,
    name: String,
    state: String,
    tone: &'static str,
    alarm: bool,
    direction: &'static str,
    nodes: [Node; 2],
    flow: Flow,
    about: Vec<(&'static str, String)>,
    databases: Vec<DatabaseRow>,
    certificates: Vec<(String, Value)>,
    diagnosis: Diagnosis,
}

impl Live {
    fn of(context: &str, link: &LinkStatus, snapshot: &Snapshot) -> Option<Live> {
        let seen = snapshot.seen.as_ref()?;
        let yes_no = |yes: Option<bool>| yes.map_or(UNKNOWN, |yes| if yes { "yes" } else { "no" }).to_owned();
        let certificates = link
            .certificates
            .iter()
            .map(|c| (format!("{} of {}", c.name, c.side), words::days(std::slice::from_ref(c))));
        Some(Live {
            context_href: path(&["c", context]),
            href: path(&["c", context, "links", &link.name]),
            name: link.name.clone(),
            state: link.state.to_string(),
            tone: tone(link.state),
            alarm: link.primary == Primary::Both,
            direction: direction(link.primary),
            nodes: [
                Node::of(Side::SqlServer, &link.sql_server, snapshot),
                Node::of(Side::Managed, &link.managed, snapshot),
            ],
            flow: Flow::of(link),
            about: vec![
                ("Connected", yes_no(link.connected)),
                ("Commit mode", link.commit_mode.map_or(UNKNOWN, CommitMode::tsql).to_owned()),
                ("Two-way", yes_no(link.failover_mode.map(|m| m == FailoverMode::TwoWay))),
                ("Seen at", link.seen_at.to_string()),
            ],
            databases: link.databases.iter().map(DatabaseRow::of).collect(),
            certificates: certificates.collect(),
            diagnosis: diagnose(&link.name, seen, None),
        })
    }
}

#[derive(Template)]
#[template(path = "pages/link.html")]
struct LinkPage {
    frame: Frame,
    name: String,
    href: String,
    topic: String,
    live: Live,
    next: String,
    operations: Result<Vec<Operation>, String>,
}

pub(super) async fn show(
    State(app): State<App>,
    visitor: Visitor,
    Path((context, name)): Path<(String, String)>,
) -> Response {
    let watched = match found(&app, &visitor, &context) {
        Ok(watched) => watched,
        Err(response) => return response,
    };
    let snapshot = watched.snapshot();
    let live = snapshot.link(&name).and_then(|l| Live::of(&context, l, &snapshot));
    let Some(live) = live else {
        let silent = snapshot.silent.join("; ");
        let detail = if silent.is_empty() {
            format!("Neither side nor Azure speaks of a link {name}.")
        } else {
            format!("Whoever answers does not speak of a link {name}. Not seen: {silent}")
        };
        return error::of(&app, &visitor, StatusCode::NOT_FOUND, "No such link", &detail);
    };
    let topic = format!("link:{}", live.name);
    let frame = Frame::new(&app, &visitor, Some(watched)).live(&[&topic]);
    let operations = timeline::of(watched, &live.name).await;
    let next = next_of(watched, &live.name, &snapshot).await.map(|n| piece(&n)).unwrap_or_default();
    let (name, href) = (live.name.clone(), live.href.clone());
    render(StatusCode::OK, &LinkPage { frame, name, href, topic, live, next, operations })
}

/// The doctor's words. The journal has a say in them: a run that is not through comes before anything else.
#[derive(Template)]
#[template(path = "parts/dashboard_next.html")]
struct Next {
    diagnosis: Diagnosis,
    /// Why the journal could not be asked.
    unread: Option<String>,
}

async fn next_of(watched: &Watched, link: &str, snapshot: &Snapshot) -> Option<Next> {
    let seen = snapshot.seen.as_ref()?;
    let (run, unread) = match timeline::open_run(watched, link).await {
        Ok(run) => (run, None),
        Err(why) => (None, Some(why)),
    };
    Some(Next { diagnosis: diagnose(link, seen, run.as_ref()), unread })
}

/// The doctor's words, which the page asks for again and again: the journal changes without a look, and is a file.
pub(super) async fn next(
    State(app): State<App>,
    visitor: Visitor,
    Path((context, name)): Path<(String, String)>,
) -> Response {
    let watched = match found(&app, &visitor, &context) {
        Ok(watched) => watched,
        Err(response) => return response,
    };
    match next_of(watched, &name, &watched.snapshot()).await {
        Some(next) => render(StatusCode::OK, &next),
        // Nothing is seen: what the page has stays, and its stamps say how old it is.
        None => StatusCode::NO_CONTENT.into_response(),
    }
}

/// The live piece. A link that is gone says so where it was.
pub(crate) fn fragment(watched: &Watched, name: &str, snapshot: &Snapshot) -> String {
    let live = snapshot.link(name).and_then(|l| Live::of(&watched.info.name, l, snapshot));
    match live {
        Some(live) => piece(&live),
        None => piece(&Gone { silent: snapshot.silent.clone() }),
    }
}

#[derive(Template)]
#[template(path = "parts/link_gone.html")]
struct Gone {
    silent: Vec<String>,
}

#[cfg(test)]
mod tests {
    use milink_core::moment::Moment;
    use milink_core::observe::{Observation, Seen};
    use milink_core::status;

    use super::*;

    fn link() -> LinkStatus {
        fn silent<T>() -> Seen<T> {
            Seen::Unknown { at: Moment::from_unix_ms(0), why: "no answer".to_owned() }
        }
        let at = Moment::from_unix_ms(0);
        let seen =
            Observation { at, sql_server: silent(), managed: silent(), azure: silent(), probes: Vec::new() };
        status::link("sales", &seen)
    }

    #[test]
    fn what_is_not_known_to_flow_is_not_green() {
        let flow = Flow::of(&link());
        assert_eq!((flow.direction, flow.tone), ("none", "warning"));
        let broken = LinkStatus { connected: Some(false), primary: Primary::SqlServer, ..link() };
        assert_eq!((Flow::of(&broken).direction, Flow::of(&broken).tone), ("right", "bad"));
        let deaf = LinkStatus {
            connected: Some(true),
            primary: Primary::SqlServer,
            state: LinkState::Broken,
            ..link()
        };
        assert_eq!(Flow::of(&deaf).tone, "bad", "connected, and nothing is taken");
        let unseen = LinkStatus { state: LinkState::Unknown, ..deaf };
        assert_eq!(Flow::of(&unseen).tone, "warning");
        let torn = LinkStatus { connected: Some(true), primary: Primary::Both, ..link() };
        assert_eq!(Flow::of(&torn).tone, "bad");
    }

    #[test]
    fn a_copy_of_nothing_has_a_bar_all_the_same() {
        let seeding = SeedingStatus {
            state: "SEEDING".to_owned(),
            transferred_bytes: 10,
            size_bytes: 0,
            rate_bytes: 0,
            estimate: None,
            attempts: 1,
            failure_code: None,
            failure: None,
        };
        assert_eq!(Seeding::of(&seeding).size, 10);
    }

    #[test]
    fn two_primaries_are_an_alarm_and_names_are_text() {
        let evil = "<script>alert(1)</script>";
        let database = DatabaseStatus {
            name: evil.to_owned(),
            state: None,
            health: None,
            replica_state: None,
            suspended: Some(evil.to_owned()),
            seeding: None,
            sql_server_hardened: None,
            managed_hardened: None,
            lsn_behind: None,
            send_queue_kb: Some(u64::MAX),
            send_rate_kb: Some(u64::MAX),
            redo_queue_kb: None,
            redo_rate_kb: None,
            data_loss_seconds: None,
            recovery_seconds: None,
        };
        let torn = LinkStatus {
            name: evil.to_owned(),
            primary: Primary::Both,
            state: LinkState::TwoPrimaries,
            databases: vec![database.clone(), database],
            ..link()
        };
        let at = Moment::from_unix_ms(0);
        let why = || "no answer".to_owned();
        let seen = Observation {
            at,
            sql_server: Seen::Unknown { at, why: why() },
            managed: Seen::Unknown { at, why: why() },
            azure: Seen::Unknown { at, why: why() },
            probes: Vec::new(),
        };
        let snapshot = Snapshot::with_links(seen, vec![torn.clone()]);
        let html = piece(&Live::of("prod", &torn, &snapshot).unwrap());
        assert!(html.contains("alertdialog") && html.contains("/repair"), "{html}");
        assert!(!html.contains("<script>") && !html.contains("badge good"), "{html}");
        assert!(html.contains("stale since") && html.contains("unknown"));
        let calm = piece(&Live::of("prod", &link(), &snapshot).unwrap());
        assert!(!calm.contains("alertdialog"));
    }
}
