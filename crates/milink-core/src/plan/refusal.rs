//! Why there is no plan.

use std::fmt;

use crate::names::Side;

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlanError {
    /// Something that decides was not seen: look again, or let somebody look who may.
    Unseen {
        /// What.
        what: String,
        /// Why it was not.
        why: String,
    },
    /// What is wanted cannot be from what is there. It has to be changed by somebody first.
    Refused {
        /// What stands against it.
        why: String,
        /// What to do.
        advice: String,
    },
}

impl PlanError {
    pub(crate) fn unseen(what: impl Into<String>, why: impl Into<String>) -> PlanError {
        PlanError::Unseen { what: what.into(), why: why.into() }
    }

    pub(crate) fn side(side: Side) -> impl Fn(&str) -> PlanError {
        move |why| PlanError::unseen(side.to_string(), why)
    }

    pub(crate) fn azure(why: &str) -> PlanError {
        PlanError::unseen("Azure's description of the managed instance", why)
    }

    pub(crate) fn refused(why: impl Into<String>, advice: impl Into<String>) -> PlanError {
        PlanError::Refused { why: why.into(), advice: advice.into() }
    }
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PlanError::Unseen { what, why } => {
                write!(f, "{what} was not seen ({why}), and decides what to do")
            }
            PlanError::Refused { why, advice } => write!(f, "{why}: {advice}"),
        }
    }
}

impl std::error::Error for PlanError {}
