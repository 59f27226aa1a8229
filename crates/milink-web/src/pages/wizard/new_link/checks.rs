//! Findings as the pages Requirements and Validation show them, and mending what may be mended.

use std::collections::BTreeSet;

use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use milink_core::check::{blocks_creation, check, fixes, fleet};
use milink_core::finding::{Finding, Status, Subject};
use milink_core::observe::{Observation, same_name};
use milink_core::probe::Told;
use milink_core::script;
use milink_core::spec::Link;
use milink_ops::sides::Sides;

use super::{Here, here, keep};
use crate::app::App;
use crate::pages::run::{blocking, done, href, unusable};
use crate::pages::{Visitor, error};
use crate::wizard::Page;

/// A finding.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) check: &'static str,
    pub(super) title: &'static str,
    pub(super) subject: String,
    pub(super) tone: &'static str,
    pub(super) status: String,
    /// Whether no link can be made like this.
    pub(super) blocks: bool,
    /// Whether the plan mends it by itself.
    pub(super) prepared: bool,
    pub(super) seen: String,
    pub(super) wanted: String,
    pub(super) why: &'static str,
    pub(super) source: &'static str,
    pub(super) advice: Option<String>,
    pub(super) script: Option<String>,
    /// What the button "mend it" sends; `None` where milink leaves it to somebody.
    pub(super) mend: Option<String>,
}

impl Row {
    fn of(f: &Finding) -> Row {
        let tone = match f.status {
            Status::Pass => "good",
            Status::Skipped => "plain",
            Status::Warning | Status::Unknown => "warning",
            Status::Failed => "bad",
        };
        let needed = matches!(f.status, Status::Warning | Status::Unknown | Status::Failed);
        let fix = f.fix.as_ref().filter(|_| needed);
        let statements = |fix: &milink_core::finding::Fix| {
            let sent: Vec<String> = fix.actions.iter().map(script::sent).collect();
            Some(sent.join("\n\n")).filter(|s| !s.is_empty())
        };
        Row {
            check: f.check,
            title: check(f.check).map_or(f.check, |c| c.title),
            subject: f.subject.to_string(),
            tone,
            status: f.status.to_string(),
            blocks: blocks_creation(f),
            prepared: f.status == Status::Failed && !blocks_creation(f),
            seen: f.seen.clone(),
            wanted: f.wanted.clone(),
            why: f.why,
            source: f.source,
            advice: fix.map(|fix| fix.advice.clone()),
            script: fix.and_then(statements),
            mend: fix
                .filter(|fix| fix.safe && !fix.actions.is_empty())
                .map(|_| format!("{} {}", f.check, f.subject)),
        }
    }
}

/// All findings: what stands in the way, what should be known, what is well.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) blocking: usize,
    pub(super) trouble: Vec<Row>,
    pub(super) well: Vec<Row>,
    /// Whether there is more than one thing that may be mended.
    pub(super) mend_all: bool,
}

impl Report {
    pub(super) fn of(findings: &[Finding]) -> Report {
        let rows = findings.iter().map(Row::of);
        let (well, mut trouble): (Vec<Row>, Vec<Row>) =
            rows.partition(|r| matches!(r.tone, "good" | "plain"));
        // What stops comes first; otherwise the order of the checks stays.
        trouble.sort_by_key(|r| !r.blocks);
        Report {
            blocking: trouble.iter().filter(|r| r.blocks).count(),
            mend_all: trouble.iter().filter(|r| r.mend.is_some()).count() > 1,
            trouble,
            well,
        }
    }
}

/// A look at everything; with "connectivity troubleshooting" the endpoints are tried, too.
pub(super) async fn look(here: &Here, links: &[Link]) -> Option<Observation> {
    let seen = here.watched.runs()?.look(&here.connected.sides).await;
    let mut seen = Observation::clone(&seen);
    if here.draft.typed.troubleshooting {
        let link = links.first();
        let endpoints = &here.connected.endpoints;
        let told = |own: Option<&String>, configured: &Option<String>| Told {
            endpoint: own.cloned().or_else(|| configured.clone()),
            host: None,
        };
        let sql_server = told(link.and_then(|l| l.sql_server.endpoint.as_ref()), &endpoints.sql_server);
        let managed = told(link.and_then(|l| l.managed.endpoint.as_ref()), &endpoints.managed);
        Sides::probe(&sql_server, &managed, &mut seen).await;
    }
    Some(seen)
}

/// The findings for the links so far, and those for each database that could be chosen if `what` names one.
fn findings(here: &Here, seen: &Observation, what: &str) -> (Vec<Link>, Vec<Finding>) {
    let endpoints = &here.connected.endpoints;
    if let Some(database) = what.strip_prefix("database ") {
        let link = here.draft.typed.link_of(database, endpoints);
        let links: Vec<Link> = link.into_iter().collect();
        let mut found = fleet(&links, seen);
        found.retain(|f| matches!(&f.subject, Subject::Database { name, .. } if same_name(name, database)));
        return (links, found);
    }
    let links = here.draft.typed.links_so_far(endpoints);
    let mut found = fleet(&links, seen);
    found.retain(|f| f.status != Status::Pass && f.status != Status::Skipped);
    if what != "all" {
        found.retain(|f| format!("{} {}", f.check, f.subject) == what);
    }
    (links, found)
}

/// Mends a finding, all of them, or what stands against one database, as a run of its own.
pub(super) async fn mend(
    State(app): State<App>,
    visitor: Visitor,
    Path((context, draft)): Path<(String, String)>,
    Form(fields): Form<Vec<(String, String)>>,
) -> Response {
    let field = |name: &str| fields.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone());
    let what = field("mend").unwrap_or_default();
    let page = field("page").and_then(|word| Page::of(&word)).unwrap_or(Page::Requirements);
    let kept = match here(&app, &visitor, &context, &draft).await {
        Ok(here) => keep(&app, &visitor, here, page, fields).await,
        Err(response) => return response,
    };
    let here = match kept {
        Ok(here) => here,
        Err(response) => return response,
    };
    let Some(runs) = here.watched.runs() else { return unusable(&app, &visitor, &here.watched) };
    let seen = runs.look(&here.connected.sides).await;
    let (links, found) = findings(&here, &seen, &what);
    let refused = |why: &str| error::of(&app, &visitor, StatusCode::CONFLICT, "Nothing is mended", why);
    // A requirement of the instances is mended before a database is chosen, and a run needs a link: the one that will be.
    let link =
        links.into_iter().next().or_else(|| here.draft.typed.link_of("database", &here.connected.endpoints));
    let Some(link) = link else { return refused("Correct the link's options first.") };
    let plan = fixes(&link, &found, &seen);
    if plan.steps.is_empty() {
        let notes: BTreeSet<String> = plan.notes.into_iter().collect();
        let notes: Vec<String> = notes.into_iter().collect();
        let why = if notes.is_empty() { "It is as it should be now.".to_owned() } else { notes.join(" ") };
        return refused(&why);
    }
    let (watched, connected) = (here.watched.clone(), here.connected.clone());
    let begun = blocking(&app, &visitor, move || {
        Ok(watched.runs().map(|runs| runs.runner.begin(&connected.sides, plan)))
    });
    match begun.await {
        Err(response) => response,
        Ok(None) => unusable(&app, &visitor, &here.watched),
        Ok(Some(Err(e))) => refused(&e.to_string()),
        Ok(Some(Ok(run))) => {
            here.watched.look_now();
            let back = serde_urlencoded::to_string([("back", here.href(page.word()))]).unwrap_or_default();
            let to = format!("{}?{back}", href(&context, run));
            done(&to, format!("draft {draft}: mends {what}, run {run}"))
        }
    }
}
