//! Differences as a script for sqlcmd or SSMS.

use super::statement::{HashText, Statement, has_separator};
use super::{Difference, Mend, State};
use crate::script::tsql;

/// A script, and what its reader must know of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// The text. It prints as `***`, since hashes of passwords stand in it where they were asked for.
    pub text: HashText,
    /// How many times it stops until something is filled in.
    pub stops: usize,
    /// How many statements it has.
    pub statements: usize,
    /// How many differences it leaves, each with a comment that says why.
    pub left: usize,
}

/// The statements that mend the target now, and comments for the rest. Without hashes, or where a secret cannot be read by anybody, it stops
/// in front of the statement: nothing after it is run until the secret is filled in.
pub fn script(target: &str, differences: &[Difference], with_hashes: bool) -> Script {
    let mut out = Writer::default();
    out.comment(&format!(
        "What {target} lacks of the other side: run this on {target}. It can be run twice."
    ));
    if with_hashes {
        out.comment("Hashes of passwords stand in it: keep it as you keep passwords.");
    }
    for difference in differences {
        out.text.push('\n');
        out.comment(&format!("{} {}: {}", difference.kind, difference.name, shown(&difference.state)));
        match &difference.mend {
            Mend::Now { statements } => statements.iter().for_each(|s| out.statement(s, with_hashes)),
            Mend::AfterFailover { statements } => {
                out.left += 1;
                out.comment("after the failover:");
                statements.iter().for_each(|s| out.comment(&s.shown()));
            }
            Mend::Along { with } => {
                out.left += 1;
                out.comment(&format!("mended by {with}"));
            }
            Mend::ByHand { why } => {
                out.left += 1;
                out.comment(&format!("by hand: {why}"));
            }
        }
    }
    if out.stops > 0 {
        out.text.push_str("\nSET NOEXEC OFF;\nGO\n");
    }
    let Writer { text, stops, statements, left, .. } = out;
    Script { text: HashText::new(text), stops, statements, left }
}

fn shown(state: &State) -> String {
    match state {
        State::Missing => "it is missing".to_owned(),
        State::Different { what } => what.join("; "),
        State::OnlyThere => "only the target has it".to_owned(),
        State::Unknown { why } => format!("unknown: {why}"),
    }
}

#[derive(Default)]
struct Writer {
    text: String,
    database: &'static str,
    stops: usize,
    statements: usize,
    left: usize,
}

impl Writer {
    /// NB: a name may have line breaks, which would end the comment and begin a statement.
    fn comment(&mut self, text: &str) {
        let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        self.text.push_str("-- ");
        self.text.push_str(&line);
        self.text.push('\n');
    }

    fn statement(&mut self, statement: &Statement, with_hashes: bool) {
        // A name with such a line would begin a batch of its own, whatever stands in it.
        if has_separator(&statement.shown()) {
            self.left += 1;
            self.comment("not scripted, because a line of it is GO, which would end its batch: milink objects copy runs it");
            return;
        }
        if self.database != statement.database {
            self.database = statement.database;
            self.text.push_str(&format!("USE {};\nGO\n", tsql::name(statement.database)));
        }
        let asks = match statement.asks() {
            Some(what) => Some(format!("the {what}")),
            None if statement.has_hash() && !with_hashes => Some(
                "the hash of a password (milink objects script --with-password-hashes gives it)".to_owned(),
            ),
            None => None,
        };
        if let Some(what) = asks {
            self.stops += 1;
            let message = format!("Fill in {what} below, and remove this batch. Nothing after it was run.");
            // A percent sign would begin a parameter, and RAISERROR cuts longer texts.
            let message: String = message.replace('%', "%%").chars().take(400).collect();
            self.text.push_str(&format!("RAISERROR({}, 16, 1);\nSET NOEXEC ON;\nGO\n", tsql::text(&message)));
        }
        self.statements += 1;
        self.text.push_str(statement.scripted(with_hashes).expose());
        self.text.push_str("\nGO\n");
    }
}
