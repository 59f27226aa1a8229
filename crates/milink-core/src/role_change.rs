//! A failover as somebody asks for it: which way it goes, whether it is confirmed, its plan and its gates, in the one order that every
//! surface keeps.

use serde::Serialize;

use crate::check::{GateOptions, blocks, failover_gates};
use crate::finding::Finding;
use crate::names::{Role, Side};
use crate::observe::Observation;
use crate::plan::failover::{FailoverOptions, planned, primary};
use crate::plan::forced::forced;
use crate::plan::{Plan, PlanError};
use crate::spec::Link;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wish {
    /// Who is to be primary; the side that is not, unless said. A forced failover has to say it.
    pub to: Option<Side>,
    /// Whether that side becomes primary from what it has.
    pub forced: bool,
    /// How far behind it may be, in seconds, unless as far as the documents say.
    pub lag_seconds_max: Option<u64>,
    /// How long draining may take, in milliseconds.
    pub drain_timeout_ms: u64,
}

impl Wish {
    /// A planned failover with nothing said.
    pub fn planned() -> Wish {
        Wish {
            to: None,
            forced: false,
            lag_seconds_max: None,
            drain_timeout_ms: FailoverOptions::default().drain_timeout_ms,
        }
    }

    /// A forced failover to a side.
    pub fn forced(to: Side) -> Wish {
        Wish { to: Some(to), forced: true, ..Wish::planned() }
    }

    /// Which way it goes.
    ///
    /// # Errors
    /// Nobody can tell from what is seen, or a forced one does not say it.
    pub fn target(&self, link: &Link, seen: &Observation) -> Result<Side, NotNow> {
        match (self.to, self.forced) {
            (Some(side), _) => Ok(side),
            (None, true) => Err(NotNow::NoTarget),
            (None, false) => primary(link, seen).map(Side::other).map_err(NotNow::Plan),
        }
    }

    /// What the gates are asked.
    pub fn gates(&self, to: Side) -> GateOptions {
        let usual = if self.forced { GateOptions::forced(to) } else { GateOptions::planned(to) };
        GateOptions {
            lag_seconds_max: self.lag_seconds_max.unwrap_or(usual.lag_seconds_max),
            drain_timeout_ms: self.drain_timeout_ms,
            ..usual
        }
    }

    /// What is done, without looking at the gates.
    ///
    /// # Errors
    /// It cannot be done from what is seen.
    pub fn plan(&self, link: &Link, to: Side, seen: &Observation) -> Result<Plan, PlanError> {
        if self.forced {
            return forced(link, to, seen);
        }
        let options =
            FailoverOptions { drain_timeout_ms: self.drain_timeout_ms, ..FailoverOptions::default() };
        planned(link, to, seen, options)
    }
}

/// Why it does not begin. Nothing was changed.
#[derive(Debug, Clone, PartialEq)]
pub enum NotNow {
    /// A forced failover does not say which side is to be primary.
    NoTarget,
    /// A forced failover is not confirmed by the link's name.
    NotConfirmed,
    /// There is no plan.
    Plan(PlanError),
    /// These gates are shut.
    Gates(Vec<Finding>),
}

/// A failover that may begin.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ready {
    /// Who will be primary.
    pub to: Side,
    /// What is done.
    pub plan: Plan,
}

/// Whether a failover may begin now. `confirmed` is the link's name as it was typed; only a forced one asks for it.
///
/// # Errors
/// It may not.
pub fn prepare(
    link: &Link,
    wish: &Wish,
    confirmed: Option<&str>,
    seen: &Observation,
) -> Result<Ready, NotNow> {
    let to = wish.target(link, seen)?;
    if wish.forced && !is_confirmed(&link.name, confirmed) {
        return Err(NotNow::NotConfirmed);
    }
    let plan = wish.plan(link, to, seen).map_err(NotNow::Plan)?;
    let shut: Vec<Finding> = failover_gates(link, seen, wish.gates(to)).into_iter().filter(blocks).collect();
    if shut.is_empty() { Ok(Ready { to, plan }) } else { Err(NotNow::Gates(shut)) }
}

/// Whether what was typed is the link's name, to the letter: who types something that is only like it has not looked.
pub fn is_confirmed(link: &str, typed: Option<&str>) -> bool {
    typed == Some(link)
}

/// The side that can be forced: the only one that says that it is secondary. A side that does not answer is not told from one that could.
pub fn forcible(link: &Link, seen: &Observation) -> Option<Side> {
    let secondary = |side: &Side| seen.role(*side, &link.name) == Ok(Some(Role::Secondary));
    let mut sides = Side::BOTH.into_iter().filter(secondary);
    match (sides.next(), sides.next()) {
        (Some(side), None) => Some(side),
        _ => None,
    }
}
