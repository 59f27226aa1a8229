//! All links at a glance.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use milink_core::moment::Moment;
use milink_core::names::CommitMode;
use milink_core::status::{DatabaseStatus, LinkStatus, Primary};

use super::words::{self, UNKNOWN, Value};
use crate::app::App;
use crate::pages::tree::tone;
use crate::pages::{Frame, Visitor, found, path, piece, render};
use crate::state::{Snapshot, Watched};

/// A link as a row.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) href: String,
    pub(super) state: String,
    pub(super) tone: &'static str,
    /// The worst first: the state's place among all states.
    pub(super) state_sort: u8,
    pub(super) primary: String,
    /// Who sends to whom.
    pub(super) direction: &'static str,
    pub(super) commit: &'static str,
    pub(super) databases: String,
    pub(super) lsn_behind: Value,
    pub(super) send_queue: Value,
    pub(super) redo_queue: Value,
    pub(super) loss: Value,
    pub(super) recovery: Value,
    pub(super) certificate: Value,
}

impl Row {
    fn of(context: &str, link: &LinkStatus) -> Row {
        let all = |pick: fn(&DatabaseStatus) -> Option<u64>| {
            let known: Option<Vec<u64>> = link.databases.iter().map(pick).collect();
            known.filter(|known| !known.is_empty())
        };
        let sum = |pick| all(pick).map(|all| all.into_iter().fold(0, u64::saturating_add));
        let most = |pick| all(pick).and_then(|all| all.into_iter().max());
        // Of several databases the longest distance has the most digits.
        let behind: Option<Vec<&str>> = link.databases.iter().map(|d| d.lsn_behind.as_deref()).collect();
        let behind = behind.and_then(|all| all.into_iter().max_by_key(|b| (b.len(), (*b).to_owned())));
        let names: Vec<&str> = link.databases.iter().map(|d| d.name.as_str()).collect();
        Row {
            name: link.name.clone(),
            href: path(&["c", context, "links", &link.name]),
            state: link.state.to_string(),
            tone: tone(link.state),
            state_sort: u8::MAX - link.state as u8,
            primary: link.primary.to_string(),
            direction: direction(link.primary),
            commit: match link.commit_mode {
                Some(CommitMode::Synchronous) => "sync",
                Some(CommitMode::Asynchronous) => "async",
                None => UNKNOWN,
            },
            databases: if names.is_empty() { UNKNOWN.to_owned() } else { names.join(", ") },
            lsn_behind: words::behind(behind),
            send_queue: words::queue(sum(|d| d.send_queue_kb)),
            redo_queue: words::queue(sum(|d| d.redo_queue_kb)),
            loss: words::seconds(most(|d| d.data_loss_seconds)),
            recovery: words::seconds(most(|d| d.recovery_seconds)),
            certificate: words::days(&link.certificates),
        }
    }
}

/// Who sends to whom.
pub(super) fn direction(primary: Primary) -> &'static str {
    match primary {
        Primary::SqlServer => "SQL Server \u{2192} managed instance",
        Primary::Managed => "managed instance \u{2192} SQL Server",
        Primary::Both => "both write",
        Primary::Nobody => "nobody writes",
        Primary::Unknown => UNKNOWN,
    }
}

/// The live piece: rows and what is to be said of all of them.
#[derive(Template)]
#[template(path = "parts/links.html")]
struct Rows {
    rows: Vec<Row>,
    silent: Vec<String>,
    /// Since when not everybody answers. When they did last is not in here: it changes with every look, and the rows do not.
    stale_since: Option<String>,
}

impl Rows {
    fn of(context: &str, snapshot: &Snapshot) -> Rows {
        let mut rows: Vec<Row> = snapshot.links.iter().map(|l| Row::of(context, l)).collect();
        rows.sort_by_key(|r| r.state_sort);
        Rows {
            rows,
            silent: snapshot.silent.clone(),
            stale_since: stale_since(snapshot).map(|at| at.to_string()),
        }
    }
}

/// Since when somebody has not answered.
fn stale_since(snapshot: &Snapshot) -> Option<Moment> {
    [&snapshot.sql_server, &snapshot.managed, &snapshot.azure].into_iter().filter_map(|s| s.stale_since).min()
}

#[derive(Template)]
#[template(path = "pages/links.html")]
struct LinksPage {
    frame: Frame,
    rows: Rows,
    seen: String,
    new_link: String,
}

pub(super) async fn show(State(app): State<App>, visitor: Visitor, Path(context): Path<String>) -> Response {
    let watched = match found(&app, &visitor, &context) {
        Ok(watched) => watched,
        Err(response) => return response,
    };
    let frame = Frame::new(&app, &visitor, Some(watched)).live(&["seen", "links"]);
    let snapshot = watched.snapshot();
    let rows = Rows::of(&context, &snapshot);
    let seen = crate::pages::context::seen_fragment(&snapshot);
    render(StatusCode::OK, &LinksPage { frame, rows, seen, new_link: path(&["c", &context, "new-link"]) })
}

/// The live piece.
pub(crate) fn fragment(watched: &Watched, snapshot: &Snapshot) -> String {
    piece(&Rows::of(&watched.info.name, snapshot))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use milink_core::observe::{Observation, Seen};
    use milink_core::status;

    use super::*;

    fn unknown(name: &str) -> LinkStatus {
        fn silent<T>() -> Seen<T> {
            Seen::Unknown { at: Moment::from_unix_ms(0), why: "no answer".to_owned() }
        }
        let at = Moment::from_unix_ms(0);
        let seen =
            Observation { at, sql_server: silent(), managed: silent(), azure: silent(), probes: Vec::new() };
        status::link(name, &seen)
    }

    #[test]
    fn a_side_that_is_silent_makes_nothing_green() {
        let row = Row::of("prod", &unknown("sales"));
        assert_ne!(row.tone, "good");
        assert_eq!((row.primary.as_str(), row.direction, row.commit), (UNKNOWN, UNKNOWN, UNKNOWN));
        let rows = Rows { rows: vec![row], silent: Vec::new(), stale_since: None };
        assert!(!piece(&rows).contains("badge good"));
    }

    #[test]
    fn names_are_text() {
        let row = Row::of("prod", &unknown("<script>alert(1)</script>"));
        let html = piece(&Rows { rows: vec![row], silent: vec!["<b>".to_owned()], stale_since: None });
        assert!(!html.contains("<script>") && !html.contains("<b>"), "{html}");
    }

    #[test]
    fn the_worst_comes_first() {
        let mut links = [unknown("well"), unknown("torn")];
        links[0].state = milink_core::status::LinkState::Healthy;
        links[1].state = milink_core::status::LinkState::TwoPrimaries;
        let rows: Vec<Row> = links.iter().map(|l| Row::of("prod", l)).collect();
        assert!(rows[1].state_sort < rows[0].state_sort);
    }

    #[test]
    fn five_hundred_links_are_one_piece_that_stays_as_it_is_between_looks() {
        let seen = |ms| {
            let silent = || "no answer".to_owned();
            let at = Moment::from_unix_ms(ms);
            Observation {
                at,
                sql_server: Seen::Unknown { at, why: silent() },
                managed: Seen::Unknown { at, why: silent() },
                azure: Seen::Unknown { at, why: silent() },
                probes: Vec::new(),
            }
        };
        let links = |n: usize| (0..n).map(|n| unknown(&format!("link-{n}"))).collect::<Vec<_>>();
        let first = Snapshot::with_links(seen(1), links(500));
        let began = Instant::now();
        let html = piece(&Rows::of("prod", &first));
        // A debug build on a busy machine; what grows with the square would be far above.
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        assert_eq!(html.matches("<tr>").count(), 501);
        assert!(html.contains("stale since"));
        let later = first.then(seen(2), links(500));
        assert_eq!(html, piece(&Rows::of("prod", &later)));
    }
}
