//! The error catalogue: what an error of a link means, why it came, and what to do about it.
//!
//! SQL Server and the managed instance name errors by numbers, Azure Resource Manager by codes. Where both name the same thing, the code
//! points to the number, so that it is explained once. The texts are for somebody who is woken by the error.
//!
//! - `link`: numbers of the managed instance about links; `group`: numbers of (distributed) availability groups;
//!   `engine`: other numbers that are met on the way;
//! - `provider`: codes of the SQL resource provider; `azure`: codes of Azure Resource Manager around it;
//! - [`SYMPTOMS`]: what has no number.

mod azure;
mod engine;
mod group;
mod link;
mod provider;
mod symptoms;

use std::fmt;

use serde::Serialize;

pub use symptoms::{SYMPTOMS, Symptom, symptom_in};

/// On which side an error is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// On SQL Server.
    SqlServer,
    /// On the managed instance; Azure shows it as the link's `mostRecentLinkError`.
    Managed,
    /// On whichever side has the role that the text names.
    Either,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Place::SqlServer => "SQL Server",
            Place::Managed => "managed instance",
            Place::Either => "either side",
        })
    }
}

/// In which part of a link's life an error or a state is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Before there is a link: versions, certificates, endpoints, backups.
    Prepare,
    /// While its groups are made and the two sides connect for the first time.
    Create,
    /// During the first copy.
    Seed,
    /// While it runs.
    Run,
    /// During a planned or forced failover.
    Failover,
    /// While it is removed, and after.
    Drop,
    /// At any time.
    Any,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Phase::Prepare => "prepare",
            Phase::Create => "create",
            Phase::Seed => "seed",
            Phase::Run => "run",
            Phase::Failover => "failover",
            Phase::Drop => "drop",
            Phase::Any => "any",
        })
    }
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Nothing is wrong; it is good to know.
    Information,
    /// It passes by itself, or when asked again later.
    Transient,
    /// What was asked for did not happen, and will not until something is mended.
    Failure,
    /// Data, or the database's availability, is at stake now.
    Critical,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Information => "information",
            Severity::Transient => "transient",
            Severity::Failure => "failure",
            Severity::Critical => "critical",
        })
    }
}

/// What an error means. Names in angle brackets are to be filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// When it is met.
    pub phase: Phase,
    /// How bad it is.
    pub severity: Severity,
    /// What is seen.
    pub symptom: &'static str,
    /// Why.
    pub cause: &'static str,
    /// What to do.
    pub fix: &'static str,
    /// The statement, request or command that does it, or that shows more, where there is one.
    pub command: Option<&'static str>,
    /// Where it is written.
    pub source: &'static str,
}

impl Explanation {
    const fn new(phase: Phase, severity: Severity) -> Explanation {
        Explanation { phase, severity, symptom: "", cause: "", fix: "", command: None, source: "" }
    }
}

/// An error that has a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NumberFact {
    /// The number.
    pub number: u32,
    /// Where it is met.
    pub place: Place,
    /// What it means.
    #[serde(flatten)]
    pub explanation: Explanation,
}

/// An error that has a code, as Azure's error envelope carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CodeFact {
    /// The code, or what the codes of a family begin with.
    pub code: &'static str,
    /// Whether it stands for all codes that begin like it and have no row of their own.
    pub family: bool,
    /// The HTTP status that it comes with; `None` where it is the outcome of a long-running operation, or comes with several.
    pub http: Option<u16>,
    /// What it means.
    #[serde(flatten)]
    pub meaning: Meaning,
}

/// Where a code is explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Meaning {
    /// It says what this number says.
    SameAs {
        /// The number.
        number: u32,
    },
    /// Here.
    Own(Explanation),
}

impl CodeFact {
    /// The number that says the same, if one does.
    pub fn number(&self) -> Option<u32> {
        match self.meaning {
            Meaning::SameAs { number } => Some(number),
            Meaning::Own(_) => None,
        }
    }

    /// What it means.
    pub fn explanation(&self) -> Explanation {
        match self.meaning {
            Meaning::SameAs { number } => {
                lookup(number).expect("a test proves that each number a code names has a row").explanation
            }
            Meaning::Own(explanation) => explanation,
        }
    }
}

/// All errors with numbers: sorted within each table, no number twice.
pub fn numbers() -> impl Iterator<Item = &'static NumberFact> {
    engine::FACTS.iter().chain(group::FACTS).chain(link::FACTS)
}

/// All errors with codes: sorted within each table, no code twice.
pub fn codes() -> impl Iterator<Item = &'static CodeFact> {
    provider::FACTS.iter().chain(azure::FACTS)
}

/// What is known of an error number.
pub fn lookup(number: u32) -> Option<&'static NumberFact> {
    let find = |table: &'static [NumberFact]| {
        table.binary_search_by_key(&number, |f| f.number).ok().and_then(|at| table.get(at))
    };
    [engine::FACTS, group::FACTS, link::FACTS].into_iter().find_map(find)
}

/// The first number of the catalogue in a text, as in `Msg 1412` or `error 1412`.
pub fn number_in(text: &str) -> Option<u32> {
    text.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).find(|n| lookup(*n).is_some())
}

/// What is known of an error code; cases do not matter. A code without a row of its own is explained by the longest family that it begins
/// like: the service's list of codes is not published whole. [`CodeFact::family`] then says that the answer is a general one.
pub fn lookup_code(code: &str) -> Option<&'static CodeFact> {
    let code = code.trim();
    let begins = |fact: &&CodeFact| {
        fact.family && code.get(..fact.code.len()).is_some_and(|start| start.eq_ignore_ascii_case(fact.code))
    };
    codes()
        .find(|fact| fact.code.eq_ignore_ascii_case(code))
        .or_else(|| codes().filter(begins).max_by_key(|fact| fact.code.len()))
}

/// A row that is being written: each method fills in one of its texts.
const fn at(number: u32, place: Place, phase: Phase, severity: Severity) -> NumberFact {
    NumberFact { number, place, explanation: Explanation::new(phase, severity) }
}

const fn code(code: &'static str, http: Option<u16>, phase: Phase, severity: Severity) -> CodeFact {
    CodeFact { code, family: false, http, meaning: Meaning::Own(Explanation::new(phase, severity)) }
}

const fn same(code: &'static str, http: Option<u16>, number: u32) -> CodeFact {
    CodeFact { code, family: false, http, meaning: Meaning::SameAs { number } }
}

impl NumberFact {
    const fn says(mut self, symptom: &'static str) -> NumberFact {
        self.explanation.symptom = symptom;
        self
    }
    const fn because(mut self, cause: &'static str) -> NumberFact {
        self.explanation.cause = cause;
        self
    }
    const fn mend(mut self, fix: &'static str) -> NumberFact {
        self.explanation.fix = fix;
        self
    }
    const fn run(mut self, command: &'static str) -> NumberFact {
        self.explanation.command = Some(command);
        self
    }
    const fn per(mut self, source: &'static str) -> NumberFact {
        self.explanation.source = source;
        self
    }
}

impl CodeFact {
    const fn of_family(mut self) -> CodeFact {
        self.family = true;
        self
    }
    const fn own(self) -> Explanation {
        match self.meaning {
            Meaning::Own(explanation) => explanation,
            Meaning::SameAs { .. } => panic!("explained by its number"),
        }
    }
    const fn with(mut self, explanation: Explanation) -> CodeFact {
        self.meaning = Meaning::Own(explanation);
        self
    }
    const fn says(self, symptom: &'static str) -> CodeFact {
        self.with(Explanation { symptom, ..self.own() })
    }
    const fn because(self, cause: &'static str) -> CodeFact {
        self.with(Explanation { cause, ..self.own() })
    }
    const fn mend(self, fix: &'static str) -> CodeFact {
        self.with(Explanation { fix, ..self.own() })
    }
    const fn run(self, command: &'static str) -> CodeFact {
        self.with(Explanation { command: Some(command), ..self.own() })
    }
    const fn per(self, source: &'static str) -> CodeFact {
        self.with(Explanation { source, ..self.own() })
    }
}

#[cfg(test)]
mod tests;
