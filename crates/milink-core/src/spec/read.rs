//! Specs as files: TOML, YAML or JSON, one link or a fleet of them.
//!
//! ```toml
//! [[links]]
//! name = "sales"
//! databases = ["Sales"]
//!
//! [[links]]
//! name = "stock"
//! databases = ["Stock"]
//! ```

use std::fmt;

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};

use super::LinkSpec;

/// What a file is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `.toml`.
    Toml,
    /// `.yaml`, `.yml`.
    Yaml,
    /// `.json`.
    Json,
}

impl Format {
    /// By a file's name; `None` if its extension is none of these.
    pub fn of(file_name: &str) -> Option<Format> {
        let (_, extension) = file_name.rsplit_once('.')?;
        match extension.to_ascii_lowercase().as_str() {
            "toml" => Some(Format::Toml),
            "yaml" | "yml" => Some(Format::Yaml),
            "json" => Some(Format::Json),
            _ => None,
        }
    }
}

/// Why a file is no spec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadError {
    /// The file.
    pub file_name: String,
    /// The line, from 1; `None` if it is the file as a whole.
    pub line: Option<usize>,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file_name)?;
        self.line.iter().try_for_each(|line| write!(f, ":{line}"))?;
        write!(f, ": {}", self.what)
    }
}

impl std::error::Error for ReadError {}

/// Several specs in one file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fleet {
    links: Vec<LinkSpec>,
}

/// Whether a file has several, asked first, so that an error is about the form that was meant.
#[derive(Deserialize)]
struct Keys {
    #[serde(default)]
    links: Option<IgnoredAny>,
}

/// The specs of a file: the one that it is, or all under `links`.
///
/// # Errors
/// Its extension is not known, it is not written as that asks, or something in it is not what a spec has.
pub fn read(file_name: &str, text: &str) -> Result<Vec<LinkSpec>, ReadError> {
    let whole = |what: &str| ReadError { file_name: file_name.to_owned(), line: None, what: what.to_owned() };
    let format = Format::of(file_name)
        .ok_or_else(|| whole("a spec is a file whose name ends in .toml, .yaml, .yml or .json"))?;
    let wrong = |(line, what)| ReadError { file_name: file_name.to_owned(), line, what };
    let specs = if parse::<Keys>(format, text).map_err(wrong)?.links.is_some() {
        parse::<Fleet>(format, text).map_err(wrong)?.links
    } else {
        vec![parse::<LinkSpec>(format, text).map_err(wrong)?]
    };
    if specs.is_empty() { Err(whole("no link is under `links`")) } else { Ok(specs) }
}

/// Specs as a file: a single one as it is, several under `links`.
///
/// # Errors
/// The format cannot write them; the text says why.
pub fn write(specs: &[LinkSpec], format: Format) -> Result<String, String> {
    match specs {
        [one] => put(format, one),
        several => put(format, &Fleet { links: several.to_vec() }),
    }
}

type Wrong = (Option<usize>, String);

fn parse<T: DeserializeOwned>(format: Format, text: &str) -> Result<T, Wrong> {
    match format {
        Format::Toml => toml::from_str(text).map_err(|e| {
            let line =
                e.span().and_then(|span| text.get(..span.start)).map(|before| before.lines().count().max(1));
            // A span that begins a line is on that line and not on the one before.
            let begins = e.span().is_some_and(|s| text.get(..s.start).is_some_and(|b| b.ends_with('\n')));
            (line.map(|line| line + usize::from(begins)), e.message().to_owned())
        }),
        Format::Yaml => serde_saphyr::from_str(text).map_err(|e| {
            let line = e.location().and_then(|at| usize::try_from(at.line()).ok());
            (line, first_line(&e.to_string()))
        }),
        Format::Json => serde_json::from_str(text).map_err(|e| {
            let said = e.to_string();
            let what = said.rsplit_once(" at line ").map_or(said.as_str(), |(what, _)| what);
            (Some(e.line()).filter(|line| *line > 0), what.to_owned())
        }),
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

fn put<T: Serialize>(format: Format, value: &T) -> Result<String, String> {
    match format {
        Format::Toml => toml::to_string_pretty(value).map_err(|e| e.to_string()),
        Format::Yaml => serde_saphyr::to_string(value).map_err(|e| e.to_string()),
        Format::Json => {
            serde_json::to_string_pretty(value).map(|text| text + "\n").map_err(|e| e.to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::{CommitMode, FailoverMode, LinkMode, Side};

    fn specs() -> Vec<LinkSpec> {
        let mut one = LinkSpec::new("sales: \"quoted\"", &["Sales", "yes", "0123", "a'b]c"]);
        one.initial_primary = Side::Managed;
        one.failover_mode = FailoverMode::TwoWay;
        one.commit_mode = CommitMode::Synchronous;
        one.link_mode = LinkMode::MultiDatabase;
        one.sql_server.endpoint = Some("TCP://10.0.0.5:5022".to_owned());
        one.sql_server.listener_port = Some(5023);
        one.managed.availability_group = Some("AG_{database}_MI".to_owned());
        vec![one, LinkSpec::new("stock", &["Stock"])]
    }

    #[test]
    fn what_is_written_is_read() {
        for (format, name) in [(Format::Toml, "a.toml"), (Format::Yaml, "a.yaml"), (Format::Json, "a.json")] {
            for specs in [specs(), specs()[..1].to_vec(), specs()[1..].to_vec()] {
                let text = write(&specs, format).unwrap();
                assert_eq!(read(name, &text).unwrap_or_else(|e| panic!("{e}\n{text}")), specs, "{text}");
            }
        }
    }

    #[test]
    fn a_name_and_databases_are_enough_and_mean_the_same_in_each_format() {
        let wanted = vec![LinkSpec::new("sales", &["Sales"])];
        for (name, text) in [
            ("links.TOML", "name = \"sales\"\ndatabases = [\"Sales\"]\n"),
            ("links.yml", "name: sales\ndatabases:\n  - Sales\n"),
            ("links.json", r#"{"name": "sales", "databases": ["Sales"]}"#),
            ("links.yaml", "links:\n- name: sales\n  databases: [Sales]\n"),
            ("links.toml", "[[links]]\nname = \"sales\"\ndatabases = [\"Sales\"]\n[links.sqlServer]\n"),
        ] {
            assert_eq!(read(name, text), Ok(wanted.clone()), "{name}");
        }
    }

    #[test]
    fn an_error_names_its_line() {
        for (name, text, line, says) in [
            ("a.toml", "name = \"x\"\ndatabases = [\"a\"]\ncolour = 1\n", 3, "colour"),
            ("a.toml", "name = \"x\"\ndatabases = \"a\"\n", 2, "sequence"),
            ("a.toml", "name = \"x\"\n\ndatabases = [\n", 3, "array"),
            ("a.yaml", "name: x\ndatabases: [a]\ncolour: 1\n", 3, "colour"),
            ("a.yaml", "name: x\ndatabases: [a]\ncommitMode: never\n", 3, "never"),
            ("a.json", "{\"name\": \"x\",\n\"databases\": [1]}", 2, "string"),
            ("a.json", "{\"links\": [\n{\"name\": \"x\", \"databases\": [], \"colour\": 1}]}", 2, "colour"),
        ] {
            let e = read(name, text).unwrap_err();
            assert!(e.line == Some(line) && e.what.contains(says), "{text:?}: {e:?}");
            assert!(e.to_string().starts_with(&format!("{name}:{line}: ")), "{e}");
        }
        for (name, text) in [("a.ini", ""), ("a", ""), ("a.toml", "links = []"), ("a.yaml", "")] {
            assert!(read(name, text).is_err(), "{name}");
        }
    }
}
