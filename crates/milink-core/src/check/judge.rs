//! How a check says what it came to.

use super::catalogue::{Check, Severity};
use crate::action::Action;
use crate::facts::{Answer, Verdict};
use crate::finding::{Finding, Fix, Status, Subject};

/// A check that is being made of something.
pub(super) struct Judge {
    check: Check,
    subject: Subject,
    wanted: String,
}

impl Check {
    /// Begins to make the check: of what, and what is wanted.
    pub(super) fn of(self, subject: Subject, wanted: impl Into<String>) -> Judge {
        Judge { check: self, subject, wanted: wanted.into() }
    }
}

impl Judge {
    fn finding(self, status: Status, seen: impl Into<String>) -> Finding {
        Finding {
            check: self.check.id,
            subject: self.subject,
            status,
            seen: seen.into(),
            wanted: self.wanted,
            why: self.check.why,
            fix: None,
            source: self.check.source,
        }
    }

    pub(super) fn pass(self, seen: impl Into<String>) -> Finding {
        self.finding(Status::Pass, seen)
    }

    /// A no: by the check's severity it stops, or only warns.
    pub(super) fn fail(self, seen: impl Into<String>) -> Finding {
        let status = match self.check.severity {
            Severity::Blocks | Severity::BlocksIfSeen => Status::Failed,
            Severity::Warns => Status::Warning,
        };
        self.finding(status, seen)
    }

    /// Good enough to go on, not good.
    pub(super) fn warn(self, seen: impl Into<String>) -> Finding {
        self.finding(Status::Warning, seen)
    }

    /// It could not be seen, and why.
    pub(super) fn unknown(self, why: impl Into<String>) -> Finding {
        self.finding(Status::Unknown, why)
    }

    /// It does not apply, and why.
    pub(super) fn skip(self, why: impl Into<String>) -> Finding {
        self.finding(Status::Skipped, why)
    }

    pub(super) fn judge(self, good: bool, seen: impl Into<String>) -> Finding {
        if good { self.pass(seen) } else { self.fail(seen) }
    }

    /// What the tables of facts answer, with their own reason where it is not a yes.
    pub(super) fn verdict(mut self, verdict: &Verdict, seen: impl Into<String>) -> Finding {
        self.wanted.clone_from(&verdict.wanted);
        match verdict.answer {
            Answer::Yes => self.pass(seen),
            Answer::No => Finding { why: verdict.why, source: verdict.source, ..self.fail(seen) },
            Answer::Unknown => Finding {
                why: verdict.why,
                source: verdict.source,
                ..self.unknown(format!("{}: no document says whether that is enough", seen.into()))
            },
        }
    }

    /// Looks at what was seen, or says why it was not.
    pub(super) fn look<T>(self, seen: Result<T, String>, look: impl FnOnce(Judge, T) -> Finding) -> Finding {
        match seen {
            Ok(seen) => look(self, seen),
            Err(why) => self.unknown(why),
        }
    }
}

impl Finding {
    /// How it is mended. What is as it should be needs nothing, and what was not seen is not touched: of that only the advice is kept.
    pub(super) fn mend(self, advice: impl Into<String>, actions: Vec<Action>, safe: bool) -> Finding {
        let fix = match self.status {
            Status::Pass | Status::Skipped => None,
            Status::Unknown => Some(Fix { advice: advice.into(), actions: Vec::new(), safe: false }),
            Status::Warning | Status::Failed => Some(Fix { advice: advice.into(), actions, safe }),
        };
        Finding { fix, ..self }
    }

    /// What somebody has to do who can.
    pub(super) fn advise(self, advice: impl Into<String>) -> Finding {
        self.mend(advice, Vec::new(), false)
    }
}
