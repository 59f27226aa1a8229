//! How a verb ends: its exit code, and of a failure what failed, where, what is now true and what to do next.

use std::fmt;
use std::process::ExitCode;

use serde::Serialize;

/// The exit codes. Scripts depend on them: a new one may be added, none is ever given another meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[repr(u8)]
pub(crate) enum Exit {
    /// 0: it is done.
    Ok = 0,
    /// 1: it failed; what was changed is said, or can be seen in the journal.
    Error = 1,
    /// 2: the arguments, or the configuration that they name, are wrong; nothing was done.
    BadArguments = 2,
    /// 3: what was asked for is not there; nothing was done.
    NotFound = 3,
    /// 4: a check or gate refused; nothing was done beyond what the message says.
    Refused = 4,
    /// 5: an answer was lost, so that nobody knows yet whether the last action took place.
    Uncertain = 5,
    /// 6: someone said no to a question, or asked to stop between two steps.
    Cancelled = 6,
    /// 130: ended by SIGINT, as shells have it.
    Interrupted = 130,
}

impl Exit {
    /// All of them, for the manual and its test.
    pub(crate) const ALL: [Exit; 8] = [
        Exit::Ok,
        Exit::Error,
        Exit::BadArguments,
        Exit::NotFound,
        Exit::Refused,
        Exit::Uncertain,
        Exit::Cancelled,
        Exit::Interrupted,
    ];

    /// The number that the shell sees.
    pub(crate) fn number(self) -> u8 {
        self as u8
    }

    /// What it means, for the manual.
    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Exit::Ok => "done",
            Exit::Error => "failed",
            Exit::BadArguments => "wrong arguments or configuration; nothing was done",
            Exit::NotFound => "what was asked for is not there",
            Exit::Refused => "a check or gate refused",
            Exit::Uncertain => "an answer was lost: the outcome is uncertain until both sides are observed",
            Exit::Cancelled => "cancelled by the user",
            Exit::Interrupted => "interrupted (SIGINT)",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.number())
    }
}

/// Why a verb failed. There is no short form: whoever makes one must know all five.
///
/// It is printed as it is, so nothing secret may be put into it; secrets have a type that cannot be printed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Failure {
    /// The exit code.
    pub(crate) code: Exit,
    /// What failed, and why: one sentence, without a full stop at its end.
    pub(crate) what: String,
    /// Where: the side, server, file, flag or step.
    #[serde(rename = "where")]
    pub(crate) where_: String,
    /// What is true now: above all, what was changed and what was not.
    pub(crate) now_true: String,
    /// What to do next: a command where there is one.
    pub(crate) next: String,
}

/// What most failures leave behind.
pub(crate) const NOTHING_CHANGED: &str = "nothing was changed";

impl Failure {
    /// Arguments that clap cannot refuse by itself. Nothing was done.
    pub(crate) fn arguments(
        what: impl Into<String>,
        where_: impl Into<String>,
        next: impl Into<String>,
    ) -> Failure {
        Failure {
            code: Exit::BadArguments,
            what: what.into(),
            where_: where_.into(),
            now_true: NOTHING_CHANGED.to_owned(),
            next: next.into(),
        }
    }

    /// Something that was asked for is not there. Nothing was done.
    pub(crate) fn not_found(
        what: impl Into<String>,
        where_: impl Into<String>,
        next: impl Into<String>,
    ) -> Failure {
        Failure { code: Exit::NotFound, ..Failure::arguments(what, where_, next) }
    }

    /// A file or folder that cannot be read or written.
    pub(crate) fn file(what: impl Into<String>, path: &std::path::Path, next: impl Into<String>) -> Failure {
        Failure { code: Exit::Error, ..Failure::arguments(what, path.display().to_string(), next) }
    }
}

/// The text for people.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failure { code: _, what, where_, now_true, next } = self;
        // What runs over several lines stays in its column.
        let indented = |text: &str| text.trim_end().replace('\n', "\n         ");
        writeln!(f, "{}", indented(what))?;
        writeln!(f, "  where: {}", indented(where_))?;
        writeln!(f, "  now:   {}", indented(now_true))?;
        write!(f, "  next:  {}", indented(next))
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure() -> Failure {
        Failure {
            code: Exit::Refused,
            what: "the secondary is 3.2 MB behind".to_owned(),
            where_: "link orders, database Chinook".to_owned(),
            now_true: "SQL Server is the primary\nnothing was changed".to_owned(),
            next: "milink status -w orders".to_owned(),
        }
    }

    #[test]
    fn all_is_said() {
        assert_eq!(
            failure().to_string(),
            "the secondary is 3.2 MB behind\n\
             \x20 where: link orders, database Chinook\n\
             \x20 now:   SQL Server is the primary\n\
             \x20        nothing was changed\n\
             \x20 next:  milink status -w orders"
        );
        assert_eq!(
            serde_json::to_value(failure()).unwrap(),
            serde_json::json!({
                "code": "refused",
                "what": "the secondary is 3.2 MB behind",
                "where": "link orders, database Chinook",
                "nowTrue": "SQL Server is the primary\nnothing was changed",
                "next": "milink status -w orders",
            })
        );
    }

    #[test]
    fn codes_are_what_scripts_know() {
        let numbers: Vec<u8> = Exit::ALL.iter().map(|e| e.number()).collect();
        assert_eq!(numbers, [0, 1, 2, 3, 4, 5, 6, 130]);
    }
}
