//! Master keys, certificates, endpoints, availability groups.
//!
//! The place for the statements of Always On: until the engine carries them out they are recognised by their names, so
//! that they are refused and not mistaken for syntax errors.

use super::{Parsed, Parser};
use crate::ast::StatementKind;

impl Parser<'_> {
    /// Whether the object of CREATE, ALTER or DROP belongs here.
    pub(super) fn is_hadr_object(&self) -> bool {
        self.is_words(&["MASTER", "KEY"])
            || self.is_word("CERTIFICATE")
            || self.is_word("ENDPOINT")
            || self.is_words(&["AVAILABILITY", "GROUP"])
    }

    pub(super) fn hadr_statement(&mut self, verb: &str) -> Parsed<StatementKind> {
        let first = self.peek().shown().to_ascii_uppercase();
        let noun = match first.as_str() {
            "MASTER" => "MASTER KEY",
            "AVAILABILITY" => "AVAILABILITY GROUP",
            other => other,
        };
        Ok(self.recognised(&format!("{verb} {noun}")))
    }
}
