//! The one place where a verb's answer becomes text.
//!
//! A verb makes a [`Document`]; [`Output::show`] prints it in the form that was asked for. Data goes to stdout and
//! nothing else does; progress, warnings and failures go to stderr.

mod progress;
mod query;
mod seeding;
mod table;

use std::io::{ErrorKind, IsTerminal as _, Write as _};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde::Serialize;
use serde_json::Value;

use crate::exit::{Exit, Failure};

pub(crate) use progress::Progress;
use query::Query;
pub(crate) use seeding::{bytes, seconds};
pub(crate) use table::{Cell, Table, Tone};

/// The answer of a verb.
pub(crate) trait Document: Serialize {
    /// Raised when a field is renamed, removed or gets another meaning; a new field does not raise it.
    const SCHEMA_VERSION: u32;

    /// What people see of it.
    fn table(&self) -> Table;
}

/// The form of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// For programs; has a schemaVersion.
    Json,
    /// Values between tabs, without headings.
    Tsv,
    /// For programs and people; the same document as JSON.
    Yaml,
}

/// The flags of output, which every verb of the link has.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputArguments {
    /// The form of the output.
    #[arg(long, short, value_enum, value_name = "FORMAT", default_value = "table")]
    output: Format,
    /// Print only what this JMESPath expression selects of the JSON document.
    #[arg(long, value_name = "JMESPATH")]
    query: Option<Query>,
    /// Say nothing on stderr but errors: no progress, no warnings.
    #[arg(long)]
    only_show_errors: bool,
    /// No colour; a set NO_COLOR does the same.
    #[arg(long)]
    no_color: bool,
}

/// Where answers go, and in which form.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    format: Format,
    query: Option<Query>,
    quiet: bool,
    color: bool,
    /// Of the terminal; nothing if stdout is none.
    width: Option<u16>,
    no_color: bool,
}

impl Output {
    /// What the flags and the terminal say.
    pub(crate) fn of(arguments: &OutputArguments) -> Output {
        let no_color = arguments.no_color || no_color_is_wished();
        Output {
            format: arguments.output,
            query: arguments.query.clone(),
            quiet: arguments.only_show_errors,
            color: !no_color && std::io::stdout().is_terminal(),
            width: width(),
            no_color,
        }
    }

    /// Whether the answer is for people, who may be asked something, and not for a program.
    pub(crate) fn is_for_people(&self) -> bool {
        self.format == Format::Table && self.query.is_none()
    }

    /// Prints a document.
    ///
    /// # Errors
    /// The query does not fit the document, or stdout cannot be written. A reader that has gone is no error: it
    /// has what it wanted.
    pub(crate) fn show<D: Document>(&self, document: &D) -> Result<(), Failure> {
        print(&self.text(document)?)
    }

    /// A document in the form that was asked for.
    fn text<D: Document>(&self, document: &D) -> Result<String, Failure> {
        if self.query.is_none() {
            match self.format {
                Format::Table => return Ok(document.table().text(self.width, self.color)),
                Format::Tsv => return Ok(document.table().tsv()),
                Format::Json | Format::Yaml => {}
            }
        }
        let whole = versioned(document)?;
        let value = match &self.query {
            None => whole,
            Some(query) => query.search(&whole).map_err(|e| {
                Failure::arguments(
                    format!("the query does not fit the document: {e}"),
                    "--query",
                    "look at the whole document with -o json, without --query",
                )
            })?,
        };
        match self.format {
            Format::Table => Ok(query::table(&value).text(self.width, self.color)),
            Format::Tsv => Ok(query::tsv(&value)),
            Format::Json => serde_json::to_string_pretty(&value).map(|t| t + "\n").map_err(ours),
            Format::Yaml => {
                // A text on one line can be searched for; in a folded block it could not.
                let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
                serde_saphyr::to_string_with_options(&value, options).map_err(ours)
            }
        }
    }

    /// Prints text that has no other form: a script, a completion.
    ///
    /// # Errors
    /// Stdout cannot be written.
    pub(crate) fn print(&self, text: &str) -> Result<(), Failure> {
        print(text)
    }

    /// Where what is not a document goes: a script, a completion.
    pub(crate) fn plain() -> Output {
        Output {
            format: Format::Table,
            query: None,
            quiet: false,
            color: false,
            width: None,
            no_color: no_color_is_wished(),
        }
    }

    /// Says on stderr what was done, for people.
    pub(crate) fn note(&self, text: &str) {
        if !self.quiet {
            say(text);
        }
    }

    /// What is said while a verb works.
    pub(crate) fn progress(&self) -> Progress {
        if self.quiet { Progress::silent() } else { Progress::to_stderr() }
    }

    /// Says something that is no error but should be known.
    pub(crate) fn warn(&self, text: &str) {
        if !self.quiet {
            let label = self.label("warning", "33");
            say(&format!("{label}: {text}"));
        }
    }

    /// The end of a verb: says why it failed, and gives its exit code.
    ///
    /// With `-o json` the last line on stderr is the failure as a JSON object, for programs.
    pub(crate) fn end(&self, done: Result<(), Failure>) -> ExitCode {
        let Err(failure) = done else { return Exit::Ok.into() };
        say(&format!("{}: {failure}", self.label("error", "31")));
        if self.format == Format::Json {
            say(&machine_readable(&failure));
        }
        failure.code.into()
    }

    fn label(&self, word: &str, color: &str) -> String {
        if !self.no_color && std::io::stderr().is_terminal() {
            format!("\x1b[1;{color}m{word}\x1b[0m")
        } else {
            word.to_owned()
        }
    }
}

/// The version of the object that `-o json` gives for a failure.
const FAILURE_SCHEMA_VERSION: u32 = 1;

fn machine_readable(failure: &Failure) -> String {
    serde_json::json!({
        "schemaVersion": FAILURE_SCHEMA_VERSION,
        "exitCode": failure.code.number(),
        "error": failure,
    })
    .to_string()
}

/// A document with its version in front. What is no object becomes the `items` of one, because only an object can
/// be added to later.
fn versioned<D: Document>(document: &D) -> Result<Value, Failure> {
    let mut out = serde_json::Map::new();
    out.insert("schemaVersion".to_owned(), D::SCHEMA_VERSION.into());
    match serde_json::to_value(document).map_err(ours)? {
        Value::Object(fields) => out.extend(fields),
        other => {
            out.insert("items".to_owned(), other);
        }
    }
    Ok(out.into())
}

/// A fault of this program: a document that cannot be written down.
fn ours(e: impl std::fmt::Display) -> Failure {
    Failure {
        code: Exit::Error,
        what: format!("the answer cannot be written in this form: {e}"),
        where_: "milink itself".to_owned(),
        now_true: "what was to be done is done; only its answer is missing".to_owned(),
        next: "try another --output, and report this as a bug".to_owned(),
    }
}

/// <https://no-color.org>: set and not empty.
fn no_color_is_wished() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty())
        || std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// How wide a table may be. COLUMNS decides where it is exported; what is no terminal gets rows of any length.
fn width() -> Option<u16> {
    let columns = std::env::var("COLUMNS").ok().and_then(|c| c.parse().ok()).filter(|c| *c > 0);
    let terminal = || rustix::termios::tcgetwinsize(std::io::stdout()).ok().map(|size| size.ws_col);
    columns.or_else(terminal).filter(|c| *c > 0)
}

/// Prints data.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => Err(Failure {
            code: Exit::Error,
            what: format!("the answer cannot be written: {e}"),
            where_: "stdout".to_owned(),
            now_true: "what was to be done is done; only its answer is missing".to_owned(),
            next: "give the output a place that can be written, and ask again".to_owned(),
        }),
        _ => Ok(()),
    }
}

/// Says something to people.
pub(crate) fn say(line: &str) {
    // Nobody is left to be told when stderr is gone.
    drop(writeln!(std::io::stderr(), "{line}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Links {
        links: Vec<Link>,
    }

    #[derive(Serialize)]
    struct Link {
        name: &'static str,
        role: &'static str,
    }

    impl Document for Links {
        const SCHEMA_VERSION: u32 = 3;

        fn table(&self) -> Table {
            let mut table = Table::new(["Name", "Role"]);
            for link in &self.links {
                table.row([link.name, link.role]);
            }
            table
        }
    }

    fn shown(format: Format, query: Option<&str>) -> Result<String, Failure> {
        let query = query.map(|q| q.parse().unwrap());
        let output = Output { format, query, quiet: false, color: false, width: None, no_color: true };
        let links = vec![Link { name: "orders", role: "Primary" }, Link { name: "no", role: "" }];
        output.text(&Links { links })
    }

    #[test]
    fn every_form() {
        assert_eq!(
            shown(Format::Table, None).unwrap(),
            "Name    Role\n------- -------\norders  Primary\nno\n"
        );
        assert_eq!(shown(Format::Tsv, None).unwrap(), "orders\tPrimary\nno\t\n");
        let json: Value = serde_json::from_str(&shown(Format::Json, None).unwrap()).unwrap();
        assert_eq!(
            json,
            serde_json::json!({"schemaVersion": 3, "links": [
                {"name": "orders", "role": "Primary"}, {"name": "no", "role": ""}]})
        );
        // `no` without quotes would be false to an older reader.
        assert_eq!(
            shown(Format::Yaml, None).unwrap(),
            "schemaVersion: 3\nlinks:\n- name: orders\n  role: Primary\n- name: \"no\"\n  role: \"\"\n"
        );
    }

    #[test]
    fn a_query_in_every_form() {
        assert_eq!(shown(Format::Tsv, Some("links[].name")).unwrap(), "orders\nno\n");
        assert_eq!(shown(Format::Json, Some("schemaVersion")).unwrap(), "3\n");
        assert_eq!(shown(Format::Table, Some("links[0].role")).unwrap(), "Result\n-------\nPrimary\n");
        let e = shown(Format::Json, Some("max(links)")).unwrap_err();
        assert_eq!(e.code, Exit::BadArguments);
        assert!(e.what.contains("the query does not fit"), "{e}");
    }

    #[test]
    fn a_failure_for_programs_is_one_line() {
        let failure = Failure::not_found("no\nlink", "here", "milink list");
        let line = machine_readable(&failure);
        assert!(!line.contains('\n'));
        let value: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["exitCode"], 3);
        assert_eq!(value["error"]["code"], "notFound");
    }
}
