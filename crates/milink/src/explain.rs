//! `milink explain`: what an error of a link means, and what to do about it.

use std::process::ExitCode;

use clap::Args;
use milink_core::facts::errors::{self, CodeFact, Explanation, NumberFact};
use serde::Serialize;

use crate::exit::Failure;
use crate::output::{Document, Output, OutputArguments, Table};

/// Explains an error number of SQL Server, or an error code of Azure.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The number (1475) or code (ParameterConflict).
    #[arg(value_name = "NUMBER|CODE")]
    error: String,
    #[command(flatten)]
    output: OutputArguments,
}

/// What is known of an error.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Explained {
    error: String,
    /// Nothing where one answer stands for a family of codes.
    #[serde(skip_serializing_if = "Option::is_none")]
    family: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<String>,
    #[serde(flatten)]
    explanation: Explanation,
}

impl Explained {
    fn of_number(fact: &NumberFact) -> Explained {
        Explained {
            error: fact.number.to_string(),
            family: None,
            place: Some(fact.place.to_string()),
            explanation: fact.explanation,
        }
    }

    fn of_code(asked: &str, fact: &CodeFact) -> Explained {
        Explained {
            error: if fact.family { asked.to_owned() } else { fact.code.to_owned() },
            family: fact.family.then_some(fact.code),
            place: fact.number().map(|n| format!("Azure; the same as error {n}")),
            explanation: fact.explanation(),
        }
    }
}

impl Document for Explained {
    const SCHEMA_VERSION: u32 = 1;

    fn table(&self) -> Table {
        let Explanation { phase, severity, symptom, cause, fix, command, source } = self.explanation;
        let mut table = Table::pairs();
        table.pair("error", &self.error);
        if let Some(family) = self.family {
            table.pair("", format!("no row of its own; this is what codes that begin with {family} mean"));
        }
        table.pair("seen", symptom).pair("cause", cause).pair("do", fix);
        if let Some(command) = command {
            table.pair("with", command);
        }
        if let Some(place) = &self.place {
            table.pair("where", place);
        }
        table.pair("when", phase.to_string()).pair("how bad", severity.to_string()).pair("source", source);
        table
    }
}

pub(crate) fn run(arguments: &Explain) -> ExitCode {
    let output = Output::of(&arguments.output);
    output.end(explained(arguments.error.trim()).and_then(|e| output.show(&e)))
}

fn explained(asked: &str) -> Result<Explained, Failure> {
    // As logs write it: "Msg 1475", "Error: 1475".
    let number = asked.rsplit([' ', ':']).next().and_then(|n| n.parse::<u32>().ok());
    let found = match number {
        Some(number) => errors::lookup(number).map(Explained::of_number),
        None => errors::lookup_code(asked).map(|fact| Explained::of_code(asked, fact)),
    };
    found.ok_or_else(|| {
        let numbers = errors::numbers().count() + errors::codes().count();
        Failure::not_found(
            format!("'{asked}' is none of the {numbers} errors that are known to have to do with a link"),
            "milink explain",
            "look for it in SQL Server's list of errors: SELECT text FROM sys.messages WHERE message_id = ...",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_codes() {
        let e = explained("Msg 1475").unwrap();
        assert_eq!(e.error, "1475");
        assert!(e.table_has("backup"), "{e:?}");
        assert!(explained("1475").is_ok());
        let code = errors::codes().next().unwrap().code;
        assert!(explained(&code.to_lowercase()).is_ok(), "{code}");
        assert_eq!(explained("4294967295").unwrap_err().code, crate::exit::Exit::NotFound);
    }

    impl Explained {
        fn table_has(&self, word: &str) -> bool {
            format!("{:?}", self.table()).contains(word)
        }
    }
}
