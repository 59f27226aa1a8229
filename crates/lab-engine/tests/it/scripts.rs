//! Text scripts: batches and what they answer, read at run time, so that the diff of a script is the diff of a behaviour.
//!
//! A case is a batch, a line `---`, and the answer up to an empty line. `[name]` in front of a batch picks a session (or
//! makes it; `[name:password]` is one of that login); `[types]` shows the names and types of the columns, too. Lines that begin with `#` between cases are comments.
//! The answer: rows with cells joined by `|`, `--` between result sets, `(no rows)`, `(n)` rows changed by a statement,
//! messages and errors in the order in which the client gets them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use lab_engine::types::display_value;
use lab_engine::{ColumnMeta, Done, EnvChange, ReturnValue, Session, Sink, SinkClosed, SqlError};
use rusqlite::types::Value;

use crate::Lab;

#[test]
fn queries() {
    check("queries");
}

#[test]
fn apps() {
    check("apps");
}

#[test]
fn dml() {
    check("dml");
}

#[test]
fn types() {
    check("types");
}

#[test]
fn functions() {
    check("functions");
}

#[test]
fn user_functions() {
    check("user_functions");
}

#[test]
fn flow() {
    check("flow");
}

#[test]
fn transactions() {
    check("transactions");
}

#[test]
fn errors() {
    check("errors");
}

#[test]
fn preparation() {
    check("preparation");
}

/// Runs a script and compares; `MILINK_BLESS=1` writes what was seen into the file instead, to be read and judged.
fn check(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/it/scripts/{name}.txt"));
    let text = std::fs::read_to_string(&path).unwrap();
    let lab = Lab::new();
    let mut sessions: BTreeMap<String, Session> = BTreeMap::new();
    let (mut seen, mut wrong, mut cases) = (String::new(), String::new(), 0);
    for block in text.split("\n\n") {
        let block = block.trim_matches('\n');
        let comments: Vec<&str> = block.lines().take_while(|l| l.starts_with('#')).collect();
        for comment in &comments {
            writeln!(seen, "{comment}").unwrap();
        }
        let body: Vec<&str> = block.lines().skip(comments.len()).collect();
        if body.is_empty() {
            seen.push('\n');
            continue;
        }
        let cut = body.iter().position(|l| *l == "---").unwrap_or(body.len());
        let (input, expected) = (&body[..cut], body.get(cut + 1..).unwrap_or_default().join("\n"));
        let mut at = 0;
        let (mut session, mut types) = ("a".to_owned(), false);
        while let Some(mark) = input.get(at).and_then(|l| l.strip_prefix('[')?.strip_suffix(']')) {
            if mark == "types" {
                types = true;
            } else {
                session = mark.to_owned();
            }
            at += 1;
        }
        let batch = input[at..].join("\n");
        let session = sessions.entry(session.clone()).or_insert_with(|| match session.split_once(':') {
            Some((user, password)) => lab.login(user, password),
            None => lab.session(),
        });
        let mut transcript = Transcript { types, ..Transcript::default() };
        session.run_batch(&batch, &mut transcript);
        let got = transcript.text.trim_end().to_owned();
        cases += 1;
        if got != expected {
            writeln!(wrong, "{}\n--- expected\n{expected}\n--- got\n{got}\n", input.join("\n")).unwrap();
        }
        write!(seen, "{}\n---\n{got}\n\n", input.join("\n")).unwrap();
    }
    if std::env::var_os("MILINK_BLESS").is_some() {
        std::fs::write(&path, format!("{}\n", seen.trim_end())).unwrap();
        return;
    }
    assert!(cases > 0, "{name} has no cases");
    assert!(wrong.is_empty(), "{name}:\n{wrong}");
}

/// What the client is told, as text.
#[derive(Debug, Default)]
struct Transcript {
    text: String,
    types: bool,
    columns: Vec<ColumnMeta>,
    sets: u32,
    rows: u32,
}

impl Transcript {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }
}

impl Sink for Transcript {
    fn columns(&mut self, columns: &[ColumnMeta]) {
        self.columns = columns.to_vec();
        if self.sets > 0 {
            self.line("--");
        }
        self.sets += 1;
        self.rows = 0;
        if self.types {
            let shown: Vec<String> = columns.iter().map(|c| format!("{}:{}", c.name, c.ty)).collect();
            self.line(&shown.join("|"));
        }
    }
    fn row(&mut self, row: &[Value]) -> Result<(), SinkClosed> {
        let cells: Vec<String> = row
            .iter()
            .zip(&self.columns)
            .map(|(v, c)| if *v == Value::Null { "NULL".to_owned() } else { display_value(v, c.ty) })
            .collect();
        self.rows += 1;
        self.line(&cells.join("|"));
        Ok(())
    }
    fn done(&mut self, done: Done) {
        match done.rows {
            Some(n) if done.command != Done::SELECT => self.line(&format!("({n})")),
            Some(0) if self.rows == 0 => self.line("(no rows)"),
            _ => {}
        }
    }
    fn info(&mut self, m: &SqlError) {
        let line = if m.number == 0 {
            m.message.clone()
        } else {
            format!("Info {}, Level {}, State {}: {}", m.number, m.class, m.state, m.message)
        };
        self.line(&line);
    }
    fn error(&mut self, e: &SqlError) {
        let procedure = e.procedure.as_ref().map(|p| format!(", Procedure {p}")).unwrap_or_default();
        self.line(&format!(
            "Msg {}, Level {}, State {}{procedure}, Line {}: {}",
            e.number, e.class, e.state, e.line, e.message
        ));
    }
    fn env(&mut self, _: EnvChange) {}
    fn return_status(&mut self, _: i32) {}
    fn return_value(&mut self, _: &ReturnValue) {}
    fn flush(&mut self) -> Result<(), SinkClosed> {
        Ok(())
    }
}
