//! The pages themselves.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use milink_core::check::{blocks_creation, fleet};
use milink_core::names::Side;
use milink_core::observe::{AzureInstance, Observation};

use super::checks::{self, Report};
use super::databases::{Choice, choices};
use super::executing::follow;
use super::shell::Shell;
use super::summary::{self, Planned};
use super::{Here, here};
use crate::app::App;
use crate::pages::run::{RunPart, parts, unusable};
use crate::pages::{Frame, Visitor, error, path, render};
use crate::wizard::{Page, Typed, command};

#[derive(Template)]
#[template(path = "pages/wizard_introduction.html")]
struct IntroductionPage {
    frame: Frame,
    shell: Shell,
}

#[derive(Template)]
#[template(path = "pages/wizard_options.html")]
struct OptionsPage {
    frame: Frame,
    shell: Shell,
    typed: Typed,
}

/// Requirements and Validation.
#[derive(Template)]
#[template(path = "pages/wizard_checks.html")]
struct ChecksPage {
    frame: Frame,
    shell: Shell,
    /// Whether the databases that were chosen are in it.
    whole: bool,
    databases: usize,
    seen_at: String,
    report: Report,
}

#[derive(Template)]
#[template(path = "pages/wizard_databases.html")]
struct DatabasesPage {
    frame: Frame,
    shell: Shell,
    side: Side,
    /// Why the side is not seen.
    silent: Option<String>,
    choices: Vec<Choice>,
}

#[derive(Template)]
#[template(path = "pages/wizard_secondary.html")]
struct SecondaryPage {
    frame: Frame,
    shell: Shell,
    typed: Typed,
    /// The side that becomes secondary.
    side: Side,
    sql_server: Seen,
    azure: Azure,
    backups: Vec<(String, String)>,
    groups: Vec<(String, String, String)>,
    configured: Vec<(&'static str, String)>,
}

/// An instance as it answers.
struct Seen {
    name: String,
    answer: Result<String, String>,
}

/// Azure as the context sees it.
struct Azure {
    rows: Vec<(&'static str, String)>,
    silent: Option<String>,
}

#[derive(Template)]
#[template(path = "pages/wizard_login.html")]
struct LoginPage {
    frame: Frame,
    shell: Shell,
    context: String,
    azure: Azure,
}

#[derive(Template)]
#[template(path = "pages/wizard_summary.html")]
struct SummaryPage {
    frame: Frame,
    shell: Shell,
    /// What is wrong on any page.
    wrong: Vec<(String, String, String)>,
    choices: Vec<(&'static str, String)>,
    links: Vec<Planned>,
    blocking: usize,
    command: Option<String>,
    spec: Option<String>,
    ready: bool,
}

#[derive(Template)]
#[template(path = "pages/wizard_executing.html")]
struct ExecutingPage {
    frame: Frame,
    shell: Shell,
    runs: Vec<RunPart>,
    live: bool,
    /// Whether something is left that can be gone on with.
    left: bool,
}

#[derive(Template)]
#[template(path = "pages/wizard_results.html")]
struct ResultsPage {
    frame: Frame,
    shell: Shell,
    runs: Vec<RunPart>,
    live: bool,
    left: bool,
    dashboard: String,
}

pub(super) async fn show(
    State(app): State<App>,
    visitor: Visitor,
    Path((context, draft, page)): Path<(String, String, String)>,
) -> Response {
    let Some(page) = Page::of(&page) else { return error::not_found_page(&app, &visitor) };
    let here = match here(&app, &visitor, &context, &draft).await {
        Ok(here) => here,
        Err(response) => return response,
    };
    let (frame, shell) = (Frame::new(&app, &visitor, Some(&here.watched)), Shell::of(&here, page));
    match page {
        Page::Introduction => render(StatusCode::OK, &IntroductionPage { frame, shell }),
        Page::Options => render(StatusCode::OK, &OptionsPage { frame, shell, typed: here.draft.typed }),
        Page::Executing | Page::Results => runs(&app, &visitor, &here, page, frame, shell).await,
        Page::Requirements
        | Page::Databases
        | Page::Secondary
        | Page::Login
        | Page::Validation
        | Page::Summary => looked(&app, &visitor, here, page, frame, shell).await,
    }
}

/// Pages that stand on a look at both sides.
async fn looked(
    app: &App,
    visitor: &Visitor,
    here: Here,
    page: Page,
    frame: Frame,
    shell: Shell,
) -> Response {
    let links = here.draft.typed.links_so_far(&here.connected.endpoints);
    let seen = match page {
        // Endpoints are tried where their outcome is shown.
        Page::Requirements | Page::Validation => checks::look(&here, &links).await,
        _ => match here.watched.runs() {
            Some(runs) => Some(Observation::clone(&*runs.look(&here.connected.sides).await)),
            None => None,
        },
    };
    let Some(seen) = seen else { return unusable(app, visitor, &here.watched) };
    match page {
        Page::Requirements | Page::Validation => {
            let whole = page == Page::Validation;
            let links = if whole { links } else { Vec::new() };
            let report = Report::of(&fleet(&links, &seen));
            let databases = here.draft.typed.databases.len();
            let page = ChecksPage { frame, shell, whole, databases, seen_at: seen.at.to_string(), report };
            render(StatusCode::OK, &page)
        }
        Page::Databases => {
            let side = here.draft.typed.initial_primary;
            let silent = seen.side(side).get().err().map(str::to_owned);
            render(
                StatusCode::OK,
                &DatabasesPage { frame, shell, side, silent, choices: choices(&here, &seen) },
            )
        }
        Page::Login => {
            let context = here.watched.info.name.clone();
            render(StatusCode::OK, &LoginPage { frame, shell, context, azure: azure(&here, &seen) })
        }
        Page::Summary => render(StatusCode::OK, &summary_page(&here, &seen, frame, shell)),
        _ => render(StatusCode::OK, &secondary_page(here, &seen, frame, shell)),
    }
}

fn azure(here: &Here, seen: &Observation) -> Azure {
    let rows = |a: &AzureInstance| {
        // /subscriptions/S/resourceGroups/G/providers/Microsoft.Sql/managedInstances/M
        let parts: Vec<&str> = a.id.split('/').collect();
        let after = |word: &str| {
            let place = parts.iter().position(|p| p.eq_ignore_ascii_case(word));
            place.and_then(|p| parts.get(p + 1)).map_or_else(String::new, |p| (*p).to_owned())
        };
        vec![
            ("Subscription", after("subscriptions")),
            ("Resource group", after("resourceGroups")),
            ("Managed instance", a.name.clone()),
            ("Address", a.fqdn.clone()),
            ("Region", a.location.clone()),
            ("State", a.state.clone()),
            ("Service tier", a.tier.to_string()),
        ]
    };
    match seen.azure.get() {
        Ok(a) => Azure { rows: rows(a), silent: None },
        Err(why) => {
            let configured = here.watched.info.instance.clone().map(|i| ("Managed instance (configured)", i));
            Azure { rows: configured.into_iter().collect(), silent: Some(why.to_owned()) }
        }
    }
}

fn secondary_page(here: Here, seen: &Observation, frame: Frame, shell: Shell) -> SecondaryPage {
    let links = here.draft.typed.links_so_far(&here.connected.endpoints);
    let primary = seen.side(here.draft.typed.initial_primary).known();
    let backup = |name: &String| {
        let d = primary.and_then(|i| i.database(name));
        let said = match d.map(|d| &d.last_full_backup) {
            Some(Some(b)) => format!(
                "last full backup {}{}",
                b.finished,
                if b.checksums { ", with checksums" } else { "" }
            ),
            Some(None) => "no full backup is known".to_owned(),
            None => "not seen".to_owned(),
        };
        (name.clone(), said)
    };
    let answer = seen.sql_server.get().map(|i| format!("SQL Server {} {}", i.version, i.edition));
    let sql_server = Seen {
        name: here.watched.info.sql_server.clone().unwrap_or_else(|| "not configured".to_owned()),
        answer: answer.map_err(str::to_owned),
    };
    let endpoints = &here.connected.endpoints;
    let configured = [("SQL Server", &endpoints.sql_server), ("managed instance", &endpoints.managed)];
    let configured = configured.into_iter().filter_map(|(who, url)| Some((who, url.clone()?)));
    SecondaryPage {
        frame,
        shell,
        side: here.draft.typed.initial_primary.other(),
        sql_server,
        azure: azure(&here, seen),
        backups: here.draft.typed.databases.iter().map(backup).collect(),
        groups: links.into_iter().map(|l| (l.name, l.sql_group, l.managed_group)).collect(),
        configured: configured.collect(),
        typed: here.draft.typed,
    }
}

fn summary_page(here: &Here, seen: &Observation, frame: Frame, shell: Shell) -> SummaryPage {
    let typed = &here.draft.typed;
    let (spec, links, wrong) = match typed.links(&here.connected.endpoints) {
        Ok((spec, links)) => (Some(spec), links, Vec::new()),
        Err(wrong) => (None, Vec::new(), wrong),
    };
    let wrong = wrong.into_iter().map(|w| (here.href(w.page.word()), w.page.to_string(), w.text)).collect();
    let planned = summary::planned(here, &links, seen);
    let blocking = fleet(&links, seen).iter().filter(|f| blocks_creation(f)).count();
    let ready = !planned.is_empty() && blocking == 0 && planned.iter().all(|p| p.refused.is_none());
    let yes_no = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
    let choices = vec![
        ("Context", here.watched.info.name.clone()),
        ("Link name", typed.name.clone()),
        ("Databases", typed.databases.join(", ")),
        ("Initial primary", typed.initial_primary.to_string()),
        ("Secondary", typed.initial_primary.other().to_string()),
        ("Two-way disaster recovery", yes_no(typed.two_way)),
        ("Commit mode", if typed.synchronous { "synchronous" } else { "asynchronous" }.to_owned()),
        ("One link for all databases", yes_no(typed.multi_database)),
        ("Connectivity troubleshooting", yes_no(typed.troubleshooting)),
    ];
    SummaryPage {
        frame,
        shell,
        wrong,
        choices,
        links: planned,
        blocking,
        command: spec.as_ref().and_then(|s| command(&here.watched.info.name, s)),
        spec: spec.as_ref().map(summary::spec_text),
        ready,
    }
}

async fn runs(
    app: &App,
    visitor: &Visitor,
    here: &Here,
    page: Page,
    mut frame: Frame,
    shell: Shell,
) -> Response {
    let followed = match follow(app, visitor, here).await {
        Ok(followed) => followed,
        Err(response) => return response,
    };
    let context = &here.watched.info.name;
    let (runs, live) = match &followed {
        Some((follow, live)) => (parts(context, follow, &frame.csrf, frame.operator), *live),
        None => (Vec::new(), false),
    };
    let left = !live && runs.iter().any(|r| r.tone != "good");
    if page == Page::Results {
        let dashboard = path(&["c", context, "links"]);
        return render(StatusCode::OK, &ResultsPage { frame, shell, runs, live, left, dashboard });
    }
    if followed.is_some() {
        frame.events = Some(path(&["events", context, "new-link", here.draft.id.as_str()]));
    }
    render(StatusCode::OK, &ExecutingPage { frame, shell, runs, live, left })
}
