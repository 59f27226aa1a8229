//! The error log: what happened to the server, for whoever has to find out why.
//!
//! Lines are kept in memory, up to a bound, and in `log/ERRORLOG`, which a start or `sp_cycle_errorlog` moves to
//! `ERRORLOG.1` and so on up to `ERRORLOG.6`. Who writes here sees to it that nothing secret is in the text: statements
//! go in as `lab_tsql::print_statement` prints them, never as they were sent.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::Server;
use crate::types::{Moment, SqlType, Value, civil, days_of, exact_datetime, now_datetime, temporal_value};

/// The number of older logs that are kept.
const OLD_LOGS: u32 = 6;
const LINES_MAX: usize = 10_000;
/// A file that has grown to this is moved on, so that a server that complains for ever fills no disk.
const FILE_BYTES_MAX: u64 = 16 << 20;
const TEXT_CHARS_MAX: usize = 4000;
/// How wide the column of the source is.
const SOURCE: usize = 12;

/// An entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// As `datetime`, UTC.
    pub(crate) when: i64,
    /// `Server`, `Logon`, `spid51`.
    pub(crate) source: String,
    pub(crate) text: String,
}

/// The log of one server.
#[derive(Debug)]
pub(crate) struct ErrorLog {
    folder: PathBuf,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    lines: VecDeque<Line>,
    /// `None` while it cannot be written: the server goes on, with what memory holds.
    file: Option<File>,
    bytes: u64,
}

impl ErrorLog {
    /// Moves the older logs on and begins a new one.
    pub(crate) fn start(data_dir: &Path) -> ErrorLog {
        let log = ErrorLog { folder: data_dir.join("log"), open: Mutex::default() };
        log.cycle();
        log
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.join("ERRORLOG")
    }

    fn old_path(&self, number: u32) -> PathBuf {
        self.folder.join(format!("ERRORLOG.{number}"))
    }

    /// Begins a new log; the oldest is lost.
    pub(crate) fn cycle(&self) {
        self.cycle_locked(&mut self.open.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn cycle_locked(&self, open: &mut Open) {
        *open = Open::default();
        // A log that cannot be written must not stop the server that would complain in it.
        if std::fs::create_dir_all(&self.folder).is_err() {
            return;
        }
        for number in (1..OLD_LOGS).rev() {
            // There need not be that many yet.
            drop(std::fs::rename(self.old_path(number), self.old_path(number + 1)));
        }
        drop(std::fs::rename(self.path(), self.old_path(1)));
        open.file = File::create(self.path()).ok();
    }

    pub(crate) fn write(&self, source: &str, text: &str) {
        let text: String = text.chars().filter(|c| *c != '\r').take(TEXT_CHARS_MAX).collect();
        let source = source.chars().filter(|c| !c.is_whitespace()).take(SOURCE - 1).collect();
        let line = Line { when: now_datetime(), source, text };
        let shown = format(&line);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.bytes > FILE_BYTES_MAX {
            self.cycle_locked(&mut open);
        }
        open.bytes += shown.len() as u64;
        // One call for a line: two writers' lines do not mix. The disk may be full; memory has the line.
        if open.file.as_mut().is_some_and(|file| file.write_all(shown.as_bytes()).is_err()) {
            open.file = None;
        }
        if open.lines.len() >= LINES_MAX {
            open.lines.pop_front();
        }
        open.lines.push_back(line);
    }

    /// The lines of a log, 0 for the current one; `None` if there is none of that number.
    pub(crate) fn read(&self, number: u32) -> Option<Vec<Line>> {
        if number == 0 {
            let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            return Some(open.lines.iter().cloned().collect());
        }
        if number > OLD_LOGS {
            return None;
        }
        let mut bytes = Vec::new();
        File::open(self.old_path(number)).ok()?.take(2 * FILE_BYTES_MAX).read_to_end(&mut bytes).ok()?;
        Some(parse(&String::from_utf8_lossy(&bytes)))
    }
}

/// `2026-11-25 01:57:39.12 Server      text`
fn format(line: &Line) -> String {
    let at = exact_datetime(line.when);
    let (year, month, day) = civil(at.days);
    let seconds = at.ticks / 10_000_000;
    let hundredths = at.ticks / 100_000 % 100;
    format!(
        "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}.{hundredths:02} {:<SOURCE$}{}\n",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60,
        line.source,
        // Names come from outside: a line break in one must not look like an entry of its own.
        line.text.replace('\n', CONTINUED)
    )
}

/// What goes on belongs to the line above: no entry begins with a tab.
const CONTINUED: &str = "\n\t";
const STAMP: usize = "2026-11-25 01:57:39.12".len();

/// Lines without a time of their own belong to the one before.
fn parse(text: &str) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for line in text.lines() {
        match parse_line(line) {
            Some(parsed) => lines.push(parsed),
            None => {
                if let Some(last) = lines.last_mut() {
                    last.text.push('\n');
                    last.text.push_str(line.strip_prefix('\t').unwrap_or(line));
                }
            }
        }
    }
    lines
}

fn parse_line(line: &str) -> Option<Line> {
    let (stamp, rest) = line.split_at_checked(STAMP)?;
    let number = |from: usize, to: usize| stamp.get(from..to)?.parse::<i64>().ok();
    let days = days_of(number(0, 4)?, number(5, 7)? as u32, number(8, 10)? as u32)?;
    let seconds = number(11, 13)? * 3600 + number(14, 16)? * 60 + number(17, 19)?;
    let ticks = seconds * 10_000_000 + number(20, 22)? * 100_000;
    let at = Moment { days, ticks, offset: 0 };
    let Ok(Value::Integer(when)) = temporal_value(at, SqlType::DateTime) else { return None };
    let rest = rest.strip_prefix(' ')?;
    let cut = rest.char_indices().nth(SOURCE).map_or(rest.len(), |(at, _)| at);
    let (source, text) = rest.split_at(cut);
    Some(Line { when, source: source.trim_end().to_owned(), text: text.to_owned() })
}

impl Server {
    /// Writes a line into the error log. `source` is who speaks: `Server`, `Logon`, `spid51`. No secret may be in it.
    pub fn log_event(&self, source: &str, text: &str) {
        self.error_log.write(source, text);
    }

    /// What a server says when it starts.
    pub(crate) fn log_start(&self) {
        let flavor = self.config.flavor;
        self.log_event("Server", &flavor.version_text());
        self.log_event("Server", &format!("Server process ID is {}.", std::process::id()));
        let path = self.error_log.path();
        self.log_event("Server", &format!("Logging SQL Server messages in file '{}'.", path.display()));
        let mut flags = String::new();
        for flag in self.trace_flags() {
            flags += &format!("\n\t -T {flag}");
        }
        if !flags.is_empty() {
            self.log_event("Server", &format!("Command Line Startup Parameters:{flags}"));
        }
        if self.hadr_enabled() {
            let text = "Always On: The availability replica manager is starting. This is an informational message only. No user action is required.";
            self.log_event("Server", text);
        }
        for database in self.databases() {
            self.log_database(&database);
        }
        let text = "Recovery is complete. This is an informational message only. No user action is required.";
        self.log_event("Server", text);
    }

    /// How a database came up.
    pub(crate) fn log_database(&self, database: &super::Database) {
        let name = database.name();
        self.log_event("Server", &format!("Starting up database '{name}'."));
        match database.state() {
            super::DatabaseState::Suspect | super::DatabaseState::RecoveryPending => {
                if let Err(e) = database.store() {
                    let number = format!("Error: {}, Severity: {}, State: {}.", e.number, e.class, e.state);
                    self.log_event("Server", &number);
                    self.log_event("Server", &e.message);
                }
            }
            super::DatabaseState::Online
            | super::DatabaseState::Recovering
            | super::DatabaseState::Restoring
            | super::DatabaseState::Offline => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_it_was_written() {
        let line = Line { when: now_datetime() / 3 * 3, source: "spid51".into(), text: "ä\nb  c".into() };
        let read = parse(&format(&line));
        assert_eq!(read.len(), 1);
        assert_eq!((read[0].source.as_str(), read[0].text.as_str()), ("spid51", "ä\nb  c"));
        assert!((read[0].when - line.when).abs() <= 3);
        let forged = Line {
            when: now_datetime(),
            source: "Logon".into(),
            text: format!("user 'x\n{}'", format(&line)),
        };
        assert_eq!(parse(&format(&forged)).len(), 1);
        assert_eq!(parse("garbage\n\n2026-99-99 00:00:00.00 x"), []);
    }

    #[test]
    fn logs_are_moved_on_and_the_oldest_goes() {
        let folder = tempfile::tempdir().unwrap();
        let log = ErrorLog::start(folder.path());
        for number in 0..9 {
            log.write("Server", &format!("log {number}"));
            log.cycle();
        }
        let first = |number| log.read(number).map(|lines| lines.first().map(|l| l.text.clone()));
        assert_eq!(first(0), Some(None));
        assert_eq!(first(1), Some(Some("log 8".to_owned())));
        assert_eq!(first(6), Some(Some("log 3".to_owned())));
        assert_eq!(first(7), None);
        assert_eq!(std::fs::read_dir(folder.path().join("log")).unwrap().count(), 7);
    }

    #[test]
    fn memory_has_what_the_disk_does_not_take() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("log"), "a file in the folder's place").unwrap();
        let log = ErrorLog::start(folder.path());
        for number in 0..LINES_MAX + 5 {
            log.write("Server", &number.to_string());
        }
        let lines = log.read(0).unwrap();
        assert_eq!((lines.len(), lines[0].text.as_str()), (LINES_MAX, "5"));
    }
}
