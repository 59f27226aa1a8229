//! What all pages share that change a link: the link as it is known, its plan and its gates as they are shown, and how a run begins.

use std::path::Path;
use std::sync::Arc;

use askama::Template;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use milink_core::check::{blocks, check};
use milink_core::finding::{Finding, Status};
use milink_core::observe::{Observation, same_name};
use milink_core::plan::{Condition, Plan, PlanError, Truth, Undo};
use milink_core::script;
use milink_core::spec::Link;
use milink_core::status;
use milink_ops::journal::Journal;
use milink_ops::links::{Known, NoLink, link_of};
use milink_ops::runner::{NotStarted, Runner};

use super::{Visitor, error, found, path};
use crate::app::App;
use crate::audit::Detail;
use crate::connect::Connected;
use crate::state::{Snapshot, Watched};

/// A link that something is to be done with.
pub(crate) struct Scene {
    pub(crate) watched: Arc<Watched>,
    pub(crate) connected: Arc<Connected>,
    pub(crate) link: Link,
    /// What of it is otherwise now than the journal has it.
    pub(crate) changed: Option<String>,
    pub(crate) seen: Arc<Observation>,
}

/// How new what is seen must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// The newest look will do: it is shown, and nothing is decided by it.
    Newest,
    /// Both sides are looked at now.
    Now,
}

impl Scene {
    /// Of the link of an address.
    ///
    /// # Errors
    /// The page that says why there is none.
    // Both are answers: the page is as large as any other response.
    #[allow(clippy::result_large_err)]
    pub(crate) async fn of(
        app: &App,
        visitor: &Visitor,
        context: &str,
        link: &str,
        look: Look,
    ) -> Result<Scene, Response> {
        let watched = Arc::clone(found(app, visitor, context)?);
        let refuse = |status, title: &str, detail: &str| error::of(app, visitor, status, title, detail);
        let snapshot = watched.snapshot();
        let Some(connected) = watched.connected() else {
            let why = snapshot
                .trouble
                .as_deref()
                .unwrap_or("Nobody was asked yet. Open the page again in a moment.");
            return Err(refuse(StatusCode::SERVICE_UNAVAILABLE, "This context cannot be used now", why));
        };
        let newest = snapshot.seen.clone().filter(|_| look == Look::Newest);
        let seen = match newest {
            Some(seen) => seen,
            None => Arc::new(Box::pin(connected.sides.look()).await),
        };
        if !status::names(&seen).iter().any(|name| same_name(name, link)) {
            let silent = status::silent(&seen).join("\n");
            let detail = if silent.is_empty() {
                format!("Neither side and not Azure shows a link {link}.")
            } else {
                format!("No link {link} can be seen, and not everybody answers. {silent}")
            };
            return Err(refuse(StatusCode::NOT_FOUND, "No such link", &detail));
        }
        let (journal, name, told) = (connected.journal.clone(), link.to_owned(), Arc::clone(&seen));
        let known = tokio::task::spawn_blocking(move || known(&journal, &name, &told)).await;
        match known {
            Ok(Ok(Known { link, changed })) => Ok(Scene { watched, connected, link, changed, seen }),
            Ok(Err(e)) => {
                Err(refuse(StatusCode::CONFLICT, "This link cannot be worked with", &e.to_string()))
            }
            Err(e) => {
                Err(refuse(StatusCode::INTERNAL_SERVER_ERROR, "The journal cannot be read", &e.to_string()))
            }
        }
    }

    /// The address of a page of this link.
    pub(crate) fn href(&self, rest: &[&str]) -> String {
        link_href(&self.watched.info.name, &self.link.name, rest)
    }

    /// Who drives the runs of the context.
    pub(crate) fn runner(&self) -> &Runner {
        &self.watched.runs_of(&self.connected).runner
    }

    /// Begins a plan and leads to the page of its run; or says why it does not begin.
    pub(crate) fn begin(&self, app: &App, visitor: &Visitor, what: &str, plan: Plan) -> Response {
        let link = &self.link.name;
        match self.runner().begin(&self.connected.sides, plan) {
            Ok(run) => {
                self.watched.look_now();
                let to = path(&["c", &self.watched.info.name, "runs", &run.to_string()]);
                with_detail(Redirect::to(&to).into_response(), format!("link {link}: {what}, run {run}"))
            }
            Err(e) => {
                let next = match &e {
                    NotStarted::Open(_) => " Go on with it, or take it back, first.",
                    NotStarted::NothingOpen { .. } | NotStarted::Journal(_) => "",
                };
                let said = format!("{e}.{next} Nothing was changed.");
                let page = error::of(app, visitor, StatusCode::CONFLICT, "The run cannot be begun", &said);
                with_detail(page, format!("link {link}: {what}, not begun: {e}"))
            }
        }
    }
}

/// Opens the journal and asks for a link.
fn known(journal: &Path, name: &str, seen: &Observation) -> Result<Known, NoLink> {
    link_of(&Journal::open(journal).map_err(NoLink::Journal)?, name, seen)
}

/// The link of a live piece, from the newest look.
pub(crate) fn link_now(watched: &Watched, name: &str, seen: &Observation) -> Result<Link, String> {
    let connected = watched.connected().ok_or_else(|| "this context cannot be used now".to_owned())?;
    known(&connected.journal, name, seen).map(|known| known.link).map_err(|e| e.to_string())
}

/// The address of a page of a link.
pub(crate) fn link_href(context: &str, link: &str, rest: &[&str]) -> String {
    let parts: Vec<&str> = ["c", context, "links", link].into_iter().chain(rest.iter().copied()).collect();
    path(&parts)
}

/// An answer with what the audit log may say of it.
pub(crate) fn with_detail(mut response: Response, detail: String) -> Response {
    response.extensions_mut().insert(Detail(detail));
    response
}

/// A plan, as it is shown before it is run.
#[derive(Debug, Template)]
#[template(path = "parts/steps.html")]
pub(crate) struct PlanView {
    pub(crate) steps: Vec<StepView>,
    pub(crate) notes: Vec<String>,
}

/// A step of it.
#[derive(Debug)]
pub(crate) struct StepView {
    pub(crate) id: String,
    pub(crate) title: String,
    /// What it sends; `None` if it only waits.
    pub(crate) sends: Option<String>,
    /// Whether it is so already.
    pub(crate) done: bool,
    /// Whether there is no way back from here on.
    pub(crate) no_return: bool,
    /// How it is taken back.
    pub(crate) undo: String,
    /// How long it may take.
    pub(crate) limit: String,
}

impl PlanView {
    /// Of a plan, with what is seen now.
    pub(crate) fn of(plan: &Plan, seen: &Observation) -> PlanView {
        let no_return = plan.point_of_no_return();
        let step = |(place, step): (usize, &milink_core::plan::Step)| StepView {
            id: step.id.clone(),
            title: step.title.clone(),
            sends: step.action.as_ref().map(script::sent),
            done: step.proved_by.judge(seen).holds(),
            no_return: no_return == Some(place),
            undo: match &step.undo {
                Undo::Nothing => "nothing has to be taken back".to_owned(),
                Undo::By { action, .. } => script::sent(action),
                Undo::Impossible { why } => format!("it cannot be taken back: {why}"),
            },
            limit: span(step.timeout_ms),
        };
        PlanView { steps: plan.steps.iter().enumerate().map(step).collect(), notes: plan.notes.clone() }
    }
}

/// Milliseconds as people read them.
pub(crate) fn span(ms: u64) -> String {
    match ms / 1000 {
        0 => format!("{ms} ms"),
        s if s < 120 => format!("{s} s"),
        s if s < 7200 => format!("{} min", s / 60),
        s if s < 172_800 => format!("{} h", s / 3600),
        s => format!("{} days", s / 86_400),
    }
}

/// Gates or guards, each with the number that it judged by.
#[derive(Debug, Template)]
#[template(path = "parts/gates.html")]
pub(crate) struct Gates {
    pub(crate) rows: Vec<Gate>,
    /// How many are shut.
    pub(crate) shut: usize,
    /// Why they could not be asked.
    pub(crate) trouble: Option<String>,
}

/// One of them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Gate {
    pub(crate) name: String,
    pub(crate) about: String,
    pub(crate) tone: &'static str,
    pub(crate) status: String,
    pub(crate) shut: bool,
    pub(crate) seen: String,
    pub(crate) wanted: String,
    pub(crate) why: String,
    pub(crate) advice: Option<String>,
}

impl Gates {
    /// Findings; those that are shut come first, and what does not apply last.
    pub(crate) fn of(findings: &[Finding]) -> Gates {
        let mut rows: Vec<Gate> = findings.iter().map(gate).collect();
        rows.sort_by_key(|g| (!g.shut, g.tone == "plain"));
        Gates { shut: rows.iter().filter(|g| g.shut).count(), rows, trouble: None }
    }

    /// They could not be asked.
    pub(crate) fn trouble(why: String) -> Gates {
        Gates { rows: Vec::new(), shut: 1, trouble: Some(why) }
    }

    /// Nothing could be looked at.
    pub(crate) fn unseen(snapshot: &Snapshot) -> Gates {
        let why = snapshot.trouble.as_deref().unwrap_or("nobody was looked at yet");
        Gates::trouble(why.to_owned())
    }

    /// What must hold before a plan's steps, part by part.
    pub(crate) fn guards(plan: &Plan, seen: &Observation) -> Gates {
        let mut rows: Vec<Gate> = Vec::new();
        for step in &plan.steps {
            for condition in parts(&step.requires) {
                // What the plan itself brings about is no guard: it does not hold yet.
                let by_plan = plan.steps.iter().any(|s| parts(&s.proved_by).contains(&condition));
                if by_plan || matches!(condition, Condition::Always) {
                    continue;
                }
                let row = guard(condition, &step.title, seen);
                if !rows.contains(&row) {
                    rows.push(row);
                }
            }
        }
        Gates { shut: rows.iter().filter(|g| g.shut).count(), rows, trouble: None }
    }
}

fn parts(condition: &Condition) -> Vec<&Condition> {
    match condition {
        Condition::All { of } => of.iter().flat_map(parts).collect(),
        other => vec![other],
    }
}

fn guard(condition: &Condition, step: &str, seen: &Observation) -> Gate {
    let (tone, status, shut, told) = match condition.judge(seen) {
        Truth::Holds => ("good", "holds", false, milink_core::run::evidence(condition, seen)),
        Truth::Not { seen } => ("bad", "does not hold", true, seen),
        Truth::Unknown { why } => ("bad", "unknown", true, why),
    };
    Gate {
        name: words(condition),
        about: step.to_owned(),
        tone,
        status: status.to_owned(),
        shut,
        seen: told,
        wanted: String::new(),
        why: String::new(),
        advice: None,
    }
}

/// What a guard asks, for people.
fn words(condition: &Condition) -> String {
    match condition {
        Condition::NothingBehind { databases, .. } => {
            format!("The copy has everything of {}", databases.join(", "))
        }
        Condition::HardenedEqual { databases, .. } => {
            format!("Both sides have hardened the same log of {}", databases.join(", "))
        }
        Condition::NobodyConnected { side, database } => {
            format!("Nobody is connected to {database} on the {side}")
        }
        Condition::FullBackup { side, database } => format!("The {side} has a full backup of {database}"),
        Condition::Role { side, role, .. } => format!("The {side} is {role}"),
        Condition::DatabaseOnline { side, database } => format!("{database} is ONLINE on the {side}"),
        Condition::NoAzureLink { name } => format!("Azure has no link {name}"),
        Condition::GroupAbsent { name } => format!("There is no availability group {name}"),
        Condition::NothingOnGroup { name } => format!("Nothing stands on availability group {name}"),
        Condition::UnusedByOthers { .. } => "No other link uses it".to_owned(),
        // Its own form says what it is of; a name for each of them would be a second table of conditions.
        other => format!("{other:?}").split([' ', '{']).next().unwrap_or_default().to_owned(),
    }
}

fn gate(finding: &Finding) -> Gate {
    let shut = blocks(finding);
    Gate {
        name: check(finding.check).map_or_else(|| finding.check.to_owned(), |c| c.title.to_owned()),
        about: finding.subject.to_string(),
        tone: match finding.status {
            Status::Pass => "good",
            Status::Skipped => "plain",
            Status::Warning => "warning",
            Status::Unknown if !shut => "warning",
            Status::Unknown | Status::Failed => "bad",
        },
        status: finding.status.to_string(),
        shut,
        seen: finding.seen.clone(),
        wanted: finding.wanted.clone(),
        why: finding.why.to_owned(),
        advice: finding.fix.as_ref().map(|f| f.advice.clone()),
    }
}

/// Why there is no plan, for a notice.
pub(crate) fn no_plan(e: &PlanError) -> (String, String) {
    match e {
        PlanError::Unseen { .. } => (e.to_string(), "Look again once it answers.".to_owned()),
        PlanError::Refused { why, advice } => (why.clone(), advice.clone()),
    }
}
