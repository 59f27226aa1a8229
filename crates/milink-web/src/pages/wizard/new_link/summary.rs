//! Summary: what would be done, step by step, and the same as scripts, as a file and as one command.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use milink_core::observe::Observation;
use milink_core::plan::{self, Plan};
use milink_core::script::{self, Form};
use milink_core::spec::{Link, LinkSpec, read};
use milink_ops::sides::now;

use super::{Here, here};
use crate::app::App;
use crate::pages::run::{part, unusable};
use crate::pages::{Visitor, error, path};

/// Scripts of more links are only there to be downloaded: a page of 500 links stays a page.
const INLINE_MAX: usize = 3;

/// What would be done for one link.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) name: String,
    pub(super) databases: String,
    pub(super) groups: String,
    pub(super) refused: Option<String>,
    pub(super) steps: Vec<PlannedStep>,
    pub(super) notes: Vec<String>,
    pub(super) scripts: Vec<ScriptFile>,
}

/// A step that would be done.
#[derive(Debug)]
pub(super) struct PlannedStep {
    pub(super) title: String,
    pub(super) phase: &'static str,
    pub(super) sends: Option<String>,
    pub(super) is_so: bool,
    pub(super) irreversible: bool,
}

/// A script, to be read or downloaded.
#[derive(Debug)]
pub(super) struct ScriptFile {
    pub(super) form: &'static str,
    pub(super) file_name: String,
    pub(super) href: String,
    pub(super) text: Option<String>,
}

/// The plans of links, each with its refusal if there is none.
pub(super) fn plans(links: &[Link], seen: &Observation) -> Vec<Result<Plan, String>> {
    links.iter().map(|link| plan::create(link, seen, now()).map_err(|e| e.to_string())).collect()
}

/// The plans as they are shown.
pub(super) fn planned(here: &Here, links: &[Link], seen: &Observation) -> Vec<Planned> {
    let inline = links.len() <= INLINE_MAX;
    let one = |((place, link), plan): ((usize, &Link), Result<Plan, String>)| {
        let (steps, notes, scripts, refused) = match plan {
            Ok(plan) => {
                (steps(&plan, seen), plan.notes.clone(), scripts(here, place, &plan, seen, inline), None)
            }
            Err(why) => (Vec::new(), Vec::new(), Vec::new(), Some(why)),
        };
        Planned {
            name: link.name.clone(),
            databases: link.databases.join(", "),
            groups: format!("{} and {}", link.sql_group, link.managed_group),
            refused,
            steps,
            notes,
            scripts,
        }
    };
    links.iter().enumerate().zip(plans(links, seen)).map(one).collect()
}

fn steps(plan: &Plan, seen: &Observation) -> Vec<PlannedStep> {
    let step = |s: &plan::Step| PlannedStep {
        title: s.title.clone(),
        phase: part::phase(s.phase),
        sends: s.action.as_ref().map(script::sent),
        is_so: s.proved_by.judge(seen).holds(),
        irreversible: s.irreversible,
    };
    plan.steps.iter().map(step).collect()
}

fn scripts(here: &Here, place: usize, plan: &Plan, seen: &Observation, inline: bool) -> Vec<ScriptFile> {
    let mut files = Vec::new();
    for form in Form::ALL {
        let title = match form {
            Form::Tsql => "T-SQL",
            Form::PowerShell => "PowerShell",
            Form::Az => "Azure CLI",
            Form::Bicep => "Bicep",
        };
        for script in script::render(plan, seen, form) {
            let number = place.to_string();
            let context = &here.watched.info.name;
            let parts =
                ["c", context, "new-link", here.draft.id.as_str(), "scripts", &number, &script.file_name];
            files.push(ScriptFile {
                form: title,
                href: path(&parts),
                file_name: script.file_name,
                text: inline.then_some(script.text),
            });
        }
    }
    files
}

/// A draft's spec as a file.
pub(super) fn spec_text(spec: &LinkSpec) -> String {
    read::write(std::slice::from_ref(spec), read::Format::Toml).unwrap_or_else(|why| format!("# {why}\n"))
}

pub(super) async fn spec_file(
    State(app): State<App>,
    visitor: Visitor,
    Path((context, draft)): Path<(String, String)>,
) -> Response {
    let here = match here(&app, &visitor, &context, &draft).await {
        Ok(here) => here,
        Err(response) => return response,
    };
    match here.draft.typed.links(&here.connected.endpoints) {
        Ok((spec, _)) => file("links.toml", spec_text(&spec)),
        Err(_) => error::not_found_page(&app, &visitor),
    }
}

pub(super) async fn script_file(
    State(app): State<App>,
    visitor: Visitor,
    Path((context, draft, place, name)): Path<(String, String, usize, String)>,
) -> Response {
    let here = match here(&app, &visitor, &context, &draft).await {
        Ok(here) => here,
        Err(response) => return response,
    };
    let links = here.draft.typed.links_so_far(&here.connected.endpoints);
    let Some(link) = links.get(place) else { return error::not_found_page(&app, &visitor) };
    let Some(runs) = here.watched.runs() else { return unusable(&app, &visitor, &here.watched) };
    let seen = runs.look(&here.connected.sides).await;
    let plan = match plan::create(link, &seen, now()) {
        Ok(plan) => plan,
        Err(e) => {
            let title = "There is no script now";
            return error::of(&app, &visitor, StatusCode::CONFLICT, title, &e.to_string());
        }
    };
    let mut scripts = Form::ALL.into_iter().flat_map(|form| script::render(&plan, &seen, form));
    match scripts.find(|s| s.file_name == name) {
        Some(script) => file(&script.file_name, script.text),
        None => error::not_found_page(&app, &visitor),
    }
}

/// A file to be kept. Its name is one of `milink-core`'s, in which only letters, digits, `-`, `_` and `.` are; those that are not ASCII are
/// replaced, since a header has none.
fn file(name: &str, text: String) -> Response {
    let plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' }).collect();
    let disposition = format!("attachment; filename=\"{plain}\"");
    let headers =
        [(CONTENT_TYPE, "text/plain; charset=utf-8".to_owned()), (CONTENT_DISPOSITION, disposition)];
    (headers, text).into_response()
}
