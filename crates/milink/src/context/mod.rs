//! `milink context`: where things are, kept under a name.

mod file;
mod model;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::connect::{ConnectArguments, Environment};
use crate::exit::{Failure, NOTHING_CHANGED};
use crate::output::{Cell, Document, Output, OutputArguments, Table, Tone};

pub(crate) use file::ConfigFile;
pub(crate) use model::{Context, ContextAzure, ContextSide};

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Keep under a name what the flags say; secrets by reference only.
    Add(Box<Add>),
    /// Use a context from now on, where no flag or variable says otherwise.
    Use(Named),
    /// List all.
    List(Unnamed),
    /// Show one, or the current one.
    Show(Show),
    /// Remove one.
    Remove(Named),
}

#[derive(Debug, Args)]
pub(crate) struct Add {
    /// Its name: letters, digits, dots, dashes and underscores.
    #[arg(value_parser = name)]
    name: String,
    /// Put it in the place of one that is there.
    #[arg(long)]
    replace: bool,
    /// Use it from now on.
    #[arg(long = "use")]
    current: bool,
    #[command(flatten)]
    connect: ConnectArguments,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Debug, Args)]
pub(crate) struct Named {
    /// The context.
    name: String,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The context [default: the current one].
    name: Option<String>,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Debug, Args)]
pub(crate) struct Unnamed {
    #[command(flatten)]
    output: OutputArguments,
}

fn name(text: &str) -> Result<String, String> {
    let good = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if (1..=64).contains(&text.len()) && text.chars().all(good) && !text.starts_with('-') {
        Ok(text.to_owned())
    } else {
        Err("a context's name has up to 64 letters, digits, dots, dashes and underscores".to_owned())
    }
}

pub(crate) fn run(verb: &Verb) -> ExitCode {
    let output = Output::of(match verb {
        Verb::Add(a) => &a.output,
        Verb::Use(a) | Verb::Remove(a) => &a.output,
        Verb::List(a) => &a.output,
        Verb::Show(a) => &a.output,
    });
    let path = ConfigFile::path(&Environment::of_process());
    output.end(path.and_then(|path| work(verb, path, &output)))
}

fn work(verb: &Verb, path: PathBuf, output: &Output) -> Result<(), Failure> {
    match verb {
        Verb::Add(a) => add(a, &path, output),
        Verb::Use(a) => {
            ConfigFile::change(&path, |file| file.make_current(&a.name))?;
            output.note(&format!("'{}' is the context from now on", a.name));
            Ok(())
        }
        Verb::Remove(a) => {
            ConfigFile::change(&path, |file| file.remove(&a.name))?;
            output.note(&format!("'{}' is removed", a.name));
            Ok(())
        }
        Verb::List(_) => output.show(&List::of(&ConfigFile::read(&path)?)),
        Verb::Show(a) => {
            let file = ConfigFile::read(&path)?;
            let name = a.name.as_deref().or(file.current()).ok_or_else(|| {
                let next = "name one, or choose one: milink context use NAME";
                Failure::not_found("there is no current context", file.place(), next)
            })?;
            output.show(&Shown::of(name, file.get(name)?, &file)?)
        }
    }
}

fn add(arguments: &Add, path: &std::path::Path, output: &Output) -> Result<(), Failure> {
    let Add { name, replace, current, connect, output: _ } = arguments;
    let context = Context::of(connect)?;
    let shown = ConfigFile::change(path, |file| {
        if !replace && file.contexts().contains_key(name) {
            return Err(Failure {
                now_true: NOTHING_CHANGED.to_owned(),
                ..Failure::arguments(
                    format!("there is a context '{name}' already"),
                    file.place(),
                    "take another name, or put this one in its place with --replace",
                )
            });
        }
        file.put(name, context.clone())?;
        if *current {
            file.make_current(name)?;
        }
        Shown::of(name, &context, file)
    })?;
    output.show(&shown)?;
    if !shown.current {
        output.note(&format!("Use it with --context {name}, or from now on: milink context use {name}"));
    }
    Ok(())
}

/// All contexts.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct List {
    file: String,
    contexts: Vec<Line>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    name: String,
    current: bool,
    sql_server: Option<String>,
    managed_server: Option<String>,
    instance_name: Option<String>,
}

impl List {
    fn of(file: &ConfigFile) -> List {
        let line = |(name, context): (&String, &Context)| Line {
            name: name.clone(),
            current: file.current() == Some(name),
            sql_server: context.sql_server.server.clone(),
            managed_server: context.managed.server.clone(),
            instance_name: context.azure.instance_name.clone(),
        };
        List { file: file.place(), contexts: file.contexts().iter().map(line).collect() }
    }
}

impl Document for List {
    const SCHEMA_VERSION: u32 = 1;

    fn table(&self) -> Table {
        let mut table = Table::new(["Current", "Name", "SQL Server", "Managed instance", "Azure"])
            .or_say(format!("There is no context in {}; make one: milink context add NAME ...", self.file));
        for c in &self.contexts {
            table.row([
                if c.current { Cell::toned("*", Tone::Good) } else { Cell::default() },
                Cell::from(&c.name),
                c.sql_server.clone().into(),
                c.managed_server.clone().into(),
                c.instance_name.clone().into(),
            ]);
        }
        table
    }
}

/// One context. Of its secrets it has only where they are.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    name: String,
    current: bool,
    file: String,
    #[serde(flatten)]
    parts: Value,
}

impl Shown {
    fn of(name: &str, context: &Context, file: &ConfigFile) -> Result<Shown, Failure> {
        let parts = serde_json::to_value(context).map_err(|e| {
            Failure::arguments(
                format!("the context cannot be shown: {e}"),
                "milink itself",
                "report this as a bug",
            )
        })?;
        let current = file.current() == Some(name);
        Ok(Shown { name: name.to_owned(), current, file: file.place(), parts: in_camels(parts) })
    }
}

/// The file's names are TOML's habit, a document's are JSON's.
fn in_camels(value: Value) -> Value {
    let Value::Object(fields) = value else { return value };
    let camel = |name: &str| {
        let mut words = name.split('_');
        let first = words.next().unwrap_or_default().to_owned();
        words.fold(first, |all, word| {
            let mut letters = word.chars();
            let head = letters.next().map(|c| c.to_ascii_uppercase());
            head.into_iter().chain(letters).fold(all, |mut all, c| {
                all.push(c);
                all
            })
        })
    };
    fields.into_iter().map(|(n, v)| (camel(&n), in_camels(v))).collect::<Map<_, _>>().into()
}

impl Document for Shown {
    const SCHEMA_VERSION: u32 = 1;

    fn table(&self) -> Table {
        let mut top = Table::pairs();
        top.pair("name", &self.name).pair("current", if self.current { "yes" } else { "no" });
        top.pair("file", &self.file);
        let parts = [("sqlServer", "SQL Server"), ("managed", "Managed instance"), ("azure", "Azure")];
        parts.into_iter().fold(top, |table, (key, heading)| {
            let Some(Value::Object(fields)) = self.parts.get(key) else { return table };
            let mut part = Table::pairs().under(heading);
            for (name, value) in fields {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                part.pair(&format!("  {name}"), text);
            }
            table.and(part)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in ["prod", "a.b-c_1"] {
            assert!(name(good).is_ok(), "{good}");
        }
        for bad in ["", "a b", "a/b", "-a", "ä", &"x".repeat(65)] {
            assert!(name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn camels() {
        let value = serde_json::json!({"sql_server": {"login_timeout_s": 3}});
        assert_eq!(in_camels(value), serde_json::json!({"sqlServer": {"loginTimeoutS": 3}}));
    }
}
