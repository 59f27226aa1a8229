//! A database: its row with what can be done with it, and its Properties.

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use milink_core::facts::version;
use milink_core::names::Side;
use milink_core::observe::{Database, Instance, same_name};

use super::tree::{role, shown_state, side_word};
use super::{Frame, Visitor, error, found, path, render};
use crate::app::App;
use crate::state::{Snapshot, Stamp};

/// Its routes.
pub(crate) fn routes() -> Router<App> {
    Router::new().route("/c/{context}/databases/{side}/{database}", get(show))
}

/// Something that can be done with a database, or why it cannot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Action {
    /// As SSMS calls it.
    pub(crate) name: &'static str,
    /// Where it is done; `None` if it cannot be done.
    pub(crate) href: Option<String>,
    /// Why it cannot.
    pub(crate) why: String,
}

/// A database among others.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) href: String,
    pub(crate) side: Side,
    pub(crate) server: String,
    pub(crate) state: String,
    pub(crate) role: Option<String>,
    pub(crate) recovery_model: &'static str,
    pub(crate) size: String,
    pub(crate) link: Option<String>,
    pub(crate) link_href: Option<String>,
    pub(crate) actions: Vec<Action>,
}

/// The databases of a side, as it answered last.
pub(crate) fn rows(context: &str, side: Side, snapshot: &Snapshot) -> Vec<Row> {
    let Some(instance) = snapshot.last_known(side) else { return Vec::new() };
    instance.databases.iter().map(|d| row(context, side, instance, d, snapshot)).collect()
}

fn row(context: &str, side: Side, instance: &Instance, d: &Database, snapshot: &Snapshot) -> Row {
    let link = link_of(&d.name, snapshot);
    Row {
        name: d.name.clone(),
        href: path(&["c", context, "databases", side_word(side), &d.name]),
        side,
        server: instance.server_name.clone(),
        state: match shown_state(instance, d) {
            none if none.is_empty() => "Online".to_owned(),
            some => some,
        },
        role: role(instance, d).map(|r| r.to_string().to_lowercase()),
        recovery_model: d.recovery_model.tsql(),
        size: bytes(d.size_bytes),
        link_href: link.as_ref().map(|l| path(&["c", context, "links", l])),
        actions: actions(context, side, instance, d, link.as_deref()),
        link,
    }
}

/// The link that carries a database.
fn link_of(database: &str, snapshot: &Snapshot) -> Option<String> {
    let carries =
        |l: &&milink_core::status::LinkStatus| l.databases.iter().any(|d| same_name(&d.name, database));
    snapshot.links.iter().find(carries).map(|l| l.name.clone())
}

/// What can be done. What a build can is `milink-core`'s table of versions; here is only which menu leads where.
fn actions(context: &str, side: Side, instance: &Instance, d: &Database, link: Option<&str>) -> Vec<Action> {
    let can = |name, href| Action { name, href: Some(href), why: String::new() };
    let cannot = |name, why: &str| Action { name, href: None, why: why.to_owned() };
    let query = serde_urlencoded::to_string([("database", &d.name)]).unwrap_or_default();
    let new_link = format!("{}?{query}&primary={}", path(&["c", context, "new-link"]), side_word(side));
    let new = match (link, unsupported(side, instance)) {
        (Some(link), _) => cannot("New link...", &format!("It is in link {link}.")),
        (None, Some(why)) => cannot("New link...", &why),
        (None, None) => can("New link...", new_link),
    };
    let (failover, dashboard) = match link {
        Some(link) => (
            can("Fail over...", path(&["c", context, "links", link, "failover"])),
            can("Show dashboard", path(&["c", context, "links", link])),
        ),
        None => (cannot("Fail over...", "It is in no link."), cannot("Show dashboard", "It is in no link.")),
    };
    let properties = can("Properties", path(&["c", context, "databases", side_word(side), &d.name]));
    vec![new, failover, dashboard, properties]
}

/// Why an instance can have no link, if it is certain that it cannot.
fn unsupported(side: Side, instance: &Instance) -> Option<String> {
    if side == Side::Managed {
        return None;
    }
    let verdict = version::can_link(instance.version);
    (verdict.answer == milink_core::facts::Answer::No).then(|| {
        format!(
            "SQL Server {} cannot have a link: {} is wanted. {}",
            instance.version, verdict.wanted, verdict.why
        )
    })
}

/// Bytes as people read them.
pub(crate) fn bytes(bytes: u64) -> String {
    let mut value = bytes as f64;
    for unit in ["B", "KB", "MB", "GB"] {
        if value < 1024.0 {
            return if unit == "B" { format!("{bytes} B") } else { format!("{value:.1} {unit}") };
        }
        value /= 1024.0;
    }
    format!("{value:.1} TB")
}

#[derive(Template)]
#[template(path = "pages/database.html")]
struct DatabasePage {
    frame: Frame,
    row: Row,
    stamp: Stamp,
    properties: Vec<(&'static str, String)>,
}

async fn show(
    State(app): State<App>,
    visitor: Visitor,
    Path((context, side, name)): Path<(String, String, String)>,
) -> Response {
    let watched = match found(&app, &visitor, &context) {
        Ok(watched) => watched,
        Err(response) => return response,
    };
    let snapshot = watched.snapshot();
    let side = Side::BOTH.into_iter().find(|s| side_word(*s) == side);
    let instance = side.and_then(|side| Some((side, snapshot.last_known(side)?)));
    let database = instance.and_then(|(side, i)| Some((side, i, i.database(&name)?)));
    let Some((side, instance, d)) = database else {
        let detail = format!("No database {name} has been seen there.");
        return error::of(&app, &visitor, StatusCode::NOT_FOUND, "No such database", &detail);
    };
    let page = DatabasePage {
        frame: Frame::new(&app, &visitor, Some(watched)),
        row: row(&context, side, instance, d, &snapshot),
        stamp: snapshot.stamp(side).clone(),
        properties: properties(instance, d),
    };
    render(StatusCode::OK, &page)
}

fn properties(instance: &Instance, d: &Database) -> Vec<(&'static str, String)> {
    let yes_no = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
    let maybe = |yes: Option<bool>| yes.map_or_else(|| "unknown".to_owned(), yes_no);
    let backup = |b: &Option<milink_core::observe::Backup>| {
        b.as_ref().map_or_else(|| "none is known".to_owned(), |b| b.finished.to_string())
    };
    vec![
        ("Instance", instance.server_name.clone()),
        ("State", d.state.clone()),
        ("Recovery model", d.recovery_model.tsql().to_owned()),
        ("Compatibility level", d.compatibility_level.to_string()),
        ("Read-only", yes_no(d.read_only)),
        ("Size", bytes(d.size_bytes)),
        ("Size of the log", bytes(d.log_bytes)),
        ("Log in use", d.log_used_percent.map_or_else(|| "unknown".to_owned(), |p| format!("{p:.0} %"))),
        ("Log reuse waits for", d.log_reuse_wait.clone()),
        ("Data files", d.data_files.to_string()),
        ("Log files", d.log_files.to_string()),
        ("Availability group", d.group.clone().unwrap_or_else(|| "none".to_owned())),
        ("Encrypted (TDE)", yes_no(d.encryption.on)),
        ("Accelerated recovery", maybe(d.accelerated_recovery)),
        ("FILESTREAM", yes_no(d.filestream)),
        ("Last full backup", backup(&d.last_full_backup)),
        ("Last log backup", backup(&d.last_log_backup)),
    ]
}
