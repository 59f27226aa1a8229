//! Executing actions and Results: the links of a draft while they are made, and afterwards.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use milink_core::check::{blocks_creation, fleet};
use milink_core::plan::{self, Plan, Verb};
use milink_core::run::Verdict;
use milink_core::spec::Link;
use milink_ops::journal::{Journal, JournalError};
use milink_ops::sides::now;

use super::{Here, here, with_drafts};
use crate::app::App;
use crate::events;
use crate::pages::run::{blocking, done, stream_of, unusable};
use crate::pages::{Visitor, error};
use crate::runs::{Follow, Runs, Wanted};
use crate::state::Watched;
use crate::wizard::{Draft, Executed, Page};

/// Links that are made at once, after the first.
const PARALLEL: usize = 4;

/// What is followed of a draft; `None` before anything was begun.
pub(super) fn wanted(draft: &Draft) -> Option<Wanted> {
    draft.executed.as_ref().map(|executed| Wanted::Links {
        batch: draft.id.as_str().to_owned(),
        links: executed.links.clone(),
        since: executed.at,
    })
}

/// The runs of a draft; `None` before anything was begun.
///
/// # Errors
/// The page that says why they cannot be shown.
// Both are answers: the page is as large as any other response.
#[allow(clippy::result_large_err)]
pub(super) async fn follow(
    app: &App,
    visitor: &Visitor,
    here: &Here,
) -> Result<Option<(Follow, bool)>, Response> {
    let Some(wanted) = wanted(&here.draft) else { return Ok(None) };
    let watched = Arc::clone(&here.watched);
    let read = move || -> Result<Option<(Follow, bool)>, JournalError> {
        let Some(runs) = watched.runs() else { return Ok(None) };
        let follow = Follow::new(runs, wanted)?;
        let live = follow.is_live(runs);
        Ok(Some((follow, live)))
    };
    blocking(app, visitor, read).await
}

/// How a link is gone on with.
enum Way {
    /// It is made already.
    Made,
    /// Its run is open: the run's own plan is gone on with.
    Open(Box<Plan>),
    /// It has to be planned.
    Fresh,
}

fn way(runs: &Runs, draft: &Draft, link: &str) -> Result<Way, JournalError> {
    let journal = Journal::open(runs.runner.journal())?;
    if let Some((open, _)) = journal.open_run(link)?
        && open.verb == Verb::Create
    {
        return Ok(Way::Open(Box::new(open.plan)));
    }
    let Some(executed) = &draft.executed else { return Ok(Way::Fresh) };
    let newest =
        journal.runs(Some(link))?.into_iter().find(|r| r.verb == Verb::Create && r.started >= executed.at);
    match newest {
        Some(run) if journal.recovered(run.id)?.ended() == Some(&Verdict::Reached) => Ok(Way::Made),
        _ => Ok(Way::Fresh),
    }
}

/// Makes the links, or goes on with making them: the same checks and plans in the same order as on a command line.
pub(super) async fn finish(
    State(app): State<App>,
    visitor: Visitor,
    Path((context, draft)): Path<(String, String)>,
) -> Response {
    let here = match here(&app, &visitor, &context, &draft).await {
        Ok(here) => here,
        Err(response) => return response,
    };
    let refused = |why: &str| error::of(&app, &visitor, StatusCode::CONFLICT, "The links are not made", why);
    let links = match here.draft.typed.links(&here.connected.endpoints) {
        Ok((_, links)) => links,
        Err(wrong) => {
            let texts: Vec<String> = wrong.iter().map(|w| format!("{}: {}.", w.page, w.text)).collect();
            return refused(&texts.join(" "));
        }
    };
    let Some(runs) = here.watched.runs() else { return unusable(&app, &visitor, &here.watched) };
    let (watched, known, names) = (here.watched.clone(), here.draft.clone(), links.clone());
    let ways = blocking(&app, &visitor, move || {
        let Some(runs) = watched.runs() else { return Ok(None) };
        names.iter().map(|l| way(runs, &known, &l.name)).collect::<Result<Vec<Way>, _>>().map(Some)
    });
    let ways = match ways.await {
        Ok(Some(ways)) => ways,
        Ok(None) => return unusable(&app, &visitor, &here.watched),
        Err(response) => return response,
    };
    let seen = runs.look(&here.connected.sides).await;
    let fresh: Vec<Link> =
        links.iter().zip(&ways).filter(|(_, w)| matches!(w, Way::Fresh)).map(|(l, _)| l.clone()).collect();
    if !fresh.is_empty() {
        let blocking = fleet(&fresh, &seen).iter().filter(|f| blocks_creation(f)).count();
        if blocking > 0 {
            return refused(&format!(
                "{blocking} of the checks are in the way. The page Validation names them, and how they are mended; nothing was changed."
            ));
        }
    }
    let mut plans = Vec::new();
    for (link, way) in links.iter().zip(ways) {
        match way {
            Way::Made => {}
            Way::Open(plan) => plans.push(*plan),
            Way::Fresh => match plan::create(link, &seen, now()) {
                Ok(plan) => plans.push(plan),
                Err(e) => {
                    return refused(&format!("Link {} cannot be made: {e}. Nothing was changed.", link.name));
                }
            },
        }
    }
    begin(&app, &visitor, &here, &links, plans).await
}

async fn begin(app: &App, visitor: &Visitor, here: &Here, links: &[Link], plans: Vec<Plan>) -> Response {
    let Some(runs) = here.watched.runs() else { return unusable(app, visitor, &here.watched) };
    let names: Vec<String> = links.iter().map(|l| l.name.clone()).collect();
    let (id, kept) = (here.draft.id.clone(), names.clone());
    // Kept before anything is begun: a server that is killed in between finds its runs again.
    let at = now();
    let changed = with_drafts(app, visitor, &here.watched, move |store, context| {
        store.change(context, &id, |draft| {
            let at = draft.executed.as_ref().map_or(at, |e| e.at);
            draft.executed = Some(Executed { at, links: kept });
        })
    });
    if let Err(response) = changed.await {
        return response;
    }
    let count = plans.len();
    let begun = count > 0 && runs.begin_all(here.draft.id.as_str(), &here.connected.sides, plans, PARALLEL);
    here.watched.look_now();
    let said = if begun { format!("{count} begun or gone on with") } else { "nothing to begin".to_owned() };
    let detail = format!("draft {}: links {}: {said}", here.draft.id.as_str(), names.join(", "));
    done(&here.href(Page::Executing.word()), detail)
}

pub(super) async fn pause(
    State(app): State<App>,
    visitor: Visitor,
    Path((context, draft)): Path<(String, String)>,
) -> Response {
    let here = match here(&app, &visitor, &context, &draft).await {
        Ok(here) => here,
        Err(response) => return response,
    };
    let asked = here.watched.runs().is_some_and(|runs| runs.stop_all(here.draft.id.as_str()));
    let said = if asked { "asked to end at the next safe place" } else { "not under way here any more" };
    done(&here.href(Page::Executing.word()), format!("draft {draft}: {said}"))
}

/// What is live on the page.
pub(super) async fn stream(
    State(app): State<App>,
    visitor: Visitor,
    Path((context, draft)): Path<(String, String)>,
) -> Response {
    let here = match here(&app, &visitor, &context, &draft).await {
        Ok(here) => here,
        Err(response) => return response,
    };
    let Some(wanted) = wanted(&here.draft) else { return error::not_found_page(&app, &visitor) };
    let session = &visitor.session;
    let watched: Arc<Watched> = here.watched;
    let piece = stream_of(&watched, wanted, session.csrf_token(), session.is_operator());
    events::of_runs(&app, watched, piece)
}
