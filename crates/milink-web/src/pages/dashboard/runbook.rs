//! What to do with a link when it matters, on paper: who is who, and how the roles are changed, by commands and by scripts.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use milink_core::names::Side;
use milink_core::observe::Observation;
use milink_core::plan::Plan;
use milink_core::plan::adopt;
use milink_core::plan::failover::{FailoverOptions, planned};
use milink_core::plan::forced::forced;
use milink_core::script;
use milink_core::spec::Link;

use crate::app::App;
use crate::pages::{Frame, Visitor, error, found, render};

/// A way to change the roles.
#[derive(Debug)]
struct Way {
    title: String,
    command: String,
    /// Its steps, or why it cannot be planned as things are.
    steps: Result<Vec<Step>, String>,
    notes: Vec<String>,
}

/// A step of it.
#[derive(Debug)]
struct Step {
    title: String,
    sends: Option<String>,
    irreversible: bool,
}

impl Way {
    fn planned(link: &Link, to: Side, seen: &Observation) -> Way {
        let plan = planned(link, to, seen, FailoverOptions::default());
        Way::of(
            format!("Planned failover to the {to}: nothing is lost"),
            format!("milink failover {} --to {}", link.name, word(to)),
            plan.map_err(|e| e.to_string()),
        )
    }

    fn forced(link: &Link, to: Side, seen: &Observation) -> Way {
        let name = &link.name;
        Way::of(
            format!(
                "Forced failover to the {to}, when the other side is lost: what has not arrived may be lost"
            ),
            format!("milink failover {name} --to {} --forced --allow-data-loss --confirm {name}", word(to)),
            forced(link, to, seen).map_err(|e| e.to_string()),
        )
    }

    fn of(title: String, command: String, plan: Result<Plan, String>) -> Way {
        let notes = plan.as_ref().map(|p| p.notes.clone()).unwrap_or_default();
        let steps = plan.map(|plan| {
            let step = |s: &milink_core::plan::Step| Step {
                title: s.title.clone(),
                sends: s.action.as_ref().map(script::sent),
                irreversible: s.irreversible,
            };
            plan.steps.iter().map(step).collect()
        });
        Way { title, command, steps, notes }
    }
}

fn word(side: Side) -> &'static str {
    crate::pages::tree::side_word(side)
}

#[derive(Template)]
#[template(path = "pages/runbook.html")]
struct RunbookPage {
    frame: Frame,
    name: String,
    printed: String,
    facts: Vec<(&'static str, String)>,
    ways: Vec<Way>,
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
    let not_found = |why: &str| error::of(&app, &visitor, StatusCode::NOT_FOUND, "No runbook", why);
    let (Some(status), Some(seen)) = (snapshot.link(&name), snapshot.seen.as_ref()) else {
        return not_found(&format!("Nobody who answers speaks of a link {name}."));
    };
    let link = match adopt(&status.name, seen) {
        Ok(link) => link,
        Err(e) => return not_found(&e.to_string()),
    };
    let names: Vec<&str> = status.databases.iter().map(|d| d.name.as_str()).collect();
    let server = |half: &milink_core::status::HalfStatus| {
        let unknown = || "unknown".to_owned();
        let (server, group) = (half.server.clone(), half.group.clone());
        format!("{}, availability group {}", server.unwrap_or_else(unknown), group.unwrap_or_else(unknown))
    };
    let facts = vec![
        ("SQL Server", server(&status.sql_server)),
        ("Managed instance", server(&status.managed)),
        ("Databases", names.join(", ")),
        ("Primary when this was printed", status.primary.to_string()),
        ("State when this was printed", status.state.to_string()),
    ];
    // Whoever is primary cannot become it; if that is not known, either may have to.
    let to: Vec<Side> = status.primary.side().map_or_else(|| Side::BOTH.to_vec(), |side| vec![side.other()]);
    let ways = to.iter().map(|to| Way::planned(&link, *to, seen));
    let ways = ways.chain(to.iter().map(|to| Way::forced(&link, *to, seen)));
    let page = RunbookPage {
        frame: Frame::new(&app, &visitor, Some(watched)),
        name: status.name.clone(),
        printed: seen.at.to_string(),
        facts,
        // NB: those too that cannot be planned as things are: the paper is for a worse day.
        ways: ways.collect(),
    };
    render(StatusCode::OK, &page)
}
