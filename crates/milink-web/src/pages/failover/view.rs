//! The failover wizard's view models: made of a link, what is seen and what the form says, without any I/O.

use askama::Template;
use axum::http::StatusCode;
use milink_core::check::failover_gates;
use milink_core::names::Side;
use milink_core::observe::Observation;
use milink_core::plan::Plan;
use milink_core::plan::forced::at_risk;
use milink_core::role_change::{NotNow, Wish, forcible, prepare};
use milink_core::spec::Link;

use super::choice::{Fields, Wrong};
use crate::pages::change::{Gates, PlanView, no_plan};
use crate::pages::tree::side_word;

/// Which way it goes, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Direction {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) to_word: &'static str,
    pub(crate) to_server: String,
    pub(crate) from_server: String,
}

impl Direction {
    fn to(side: Side, seen: &Observation) -> Direction {
        let server = |side: Side| {
            let known = seen.side(side).known();
            known.map_or_else(|| "does not answer".to_owned(), |i| i.server_name.clone())
        };
        Direction {
            from: side.other().to_string(),
            to: side.to_string(),
            to_word: side_word(side),
            to_server: server(side),
            from_server: server(side.other()),
        }
    }
}

/// The first page: which kind, which way, how patient.
#[derive(Debug)]
pub(crate) struct Choose {
    /// The way that a planned one goes.
    pub(crate) planned: Option<Direction>,
    /// Why nobody can tell.
    pub(crate) cannot: Option<(String, String)>,
    /// The ways that a forced one could go, and whether it is the one that is likely meant.
    pub(crate) forced: Vec<(Direction, bool)>,
    pub(crate) fields: Fields,
    pub(crate) wrong: Vec<Wrong>,
}

impl Choose {
    pub(crate) fn of(link: &Link, seen: &Observation, fields: Fields, wrong: Vec<Wrong>) -> Choose {
        let target = Wish::planned().target(link, seen);
        let likely = forcible(link, seen).map(side_word);
        let marked = if fields.to.is_empty() { likely } else { Some(fields.to.as_str()) };
        let forced = Side::BOTH.map(|side| (Direction::to(side, seen), marked == Some(side_word(side))));
        Choose {
            cannot: match &target {
                Err(NotNow::Plan(e)) => Some(no_plan(e)),
                Ok(_) | Err(NotNow::NoTarget | NotNow::NotConfirmed | NotNow::Gates(_)) => None,
            },
            planned: target.ok().map(|side| Direction::to(side, seen)),
            forced: forced.into(),
            fields,
            wrong,
        }
    }

    /// What is wrong with a field.
    pub(crate) fn wrong(&self, field: &str) -> Option<&str> {
        self.wrong.iter().find(|w| w.field == field).map(|w| w.what.as_str())
    }
}

/// What changes from look to look: the gates, and what would be lost.
#[derive(Debug, Template)]
#[template(path = "parts/failover_now.html")]
pub(crate) struct Now {
    pub(crate) gates: Gates,
    /// What is lost as far as it is known; nothing for a planned one, which loses nothing.
    pub(crate) lost: Vec<String>,
    pub(crate) seen_at: String,
}

impl Now {
    /// As it is now.
    pub(crate) fn of(link: &Link, seen: &Observation, wish: &Wish) -> Now {
        let gates = match wish.target(link, seen) {
            Ok(to) => Gates::of(&failover_gates(link, seen, wish.gates(to))),
            Err(e) => Gates::trouble(said(&e)),
        };
        let lost = match (wish.forced, wish.to) {
            (true, Some(to)) => at_risk(link, to, seen),
            _ => Vec::new(),
        };
        Now { gates, lost, seen_at: seen.at.to_string() }
    }

    /// Nobody can tell.
    pub(crate) fn trouble(why: String, seen: &Observation) -> Now {
        Now { gates: Gates::trouble(why), lost: Vec::new(), seen_at: seen.at.to_string() }
    }
}

/// The second page: gates, what is lost, what will happen, one button.
#[derive(Debug)]
pub(crate) struct Review {
    pub(crate) forced: bool,
    pub(crate) direction: Option<Direction>,
    pub(crate) now: Now,
    /// What will happen; `None` if there is no plan.
    pub(crate) plan: Option<PlanView>,
    /// Why there is none, and what to do.
    pub(crate) cannot: Option<(String, String)>,
    /// Why it was not begun.
    pub(crate) refused: Option<String>,
    /// Whether the confirmation is what is wrong.
    pub(crate) not_confirmed: bool,
}

impl Review {
    pub(crate) fn of(link: &Link, seen: &Observation, wish: &Wish) -> Review {
        let target = wish.target(link, seen);
        let planned = match &target {
            Ok(to) => wish.plan(link, *to, seen).map_err(|e| no_plan(&e)),
            Err(NotNow::Plan(e)) => Err(no_plan(e)),
            Err(e) => Err((said(e), "Go back and choose.".to_owned())),
        };
        let (plan, cannot) = match planned {
            Ok(plan) => (Some(PlanView::of(&plan, seen)), None),
            Err(why) => (None, Some(why)),
        };
        Review {
            forced: wish.forced,
            direction: target.ok().map(|to| Direction::to(to, seen)),
            now: Now::of(link, seen, wish),
            plan,
            cannot,
            refused: None,
            not_confirmed: false,
        }
    }

    /// The same with what stands against it.
    pub(crate) fn refused(self, why: &NotNow) -> Review {
        Review { refused: Some(said(why)), not_confirmed: *why == NotNow::NotConfirmed, ..self }
    }
}

/// What is begun when the button is pressed, or the status and reason of the refusal.
pub(crate) fn pressed(
    link: &Link,
    seen: &Observation,
    wish: &Wish,
    typed: &str,
) -> Result<Plan, (StatusCode, NotNow)> {
    prepare(link, wish, Some(typed), seen).map(|ready| ready.plan).map_err(|why| {
        let status = match why {
            NotNow::NoTarget | NotNow::NotConfirmed => StatusCode::UNPROCESSABLE_ENTITY,
            NotNow::Plan(_) | NotNow::Gates(_) => StatusCode::CONFLICT,
        };
        (status, why)
    })
}

/// Why it does not begin, for people.
pub(crate) fn said(why: &NotNow) -> String {
    match why {
        NotNow::NoTarget => "A forced failover has to say which side is to be primary.".to_owned(),
        NotNow::NotConfirmed => {
            "What was typed is not the link's name, to the letter. A forced failover may lose data, and is only begun when its link was named.".to_owned()
        }
        NotNow::Plan(e) => e.to_string(),
        NotNow::Gates(shut) => {
            let named: Vec<String> =
                shut.iter().map(|f| format!("{} of {}: {}", f.check, f.subject, f.seen)).collect();
            format!("Shut gates: {}.", named.join("; "))
        }
    }
}
