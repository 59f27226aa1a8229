//! SET.

use lab_tsql::ast::{Expr, IsolationLevel, Literal, ObjectName, SetStatement};
use rusqlite::types::Value;

use super::{Frame, Stop};
use crate::error::SqlError;
use crate::request::Isolation;
use crate::session::Session;
use crate::sink::{EnvChange, Sink};
use crate::types::{DateFormat, SqlType};

/// Options that a lab instance has nothing to do for: their effect is on plans, statistics, or features that later work
/// brings. They are accepted, as every driver sends some.
const WITHOUT_EFFECT: &[&str] = &[
    "ANSI_NULL_DFLT_OFF",
    "ARITHIGNORE",
    "FORCEPLAN",
    "REMOTE_PROC_TRANSACTIONS",
    "STATISTICS IO",
    "STATISTICS TIME",
    "STATISTICS PROFILE",
    "STATISTICS XML",
    "NO_BROWSETABLE",
    "DISABLE_DEF_CNST_CHK",
];

impl Session {
    pub(super) fn run_set(
        &mut self,
        frame: &mut Frame,
        set: &SetStatement,
        sink: &mut dyn Sink,
    ) -> Result<(), Stop> {
        match set {
            SetStatement::Variable { .. } if self.settings.noexec => {}
            SetStatement::Variable { name, op, value, .. } => {
                let ty = frame
                    .variables
                    .get(&name.to_lowercase())
                    .map(|v| v.ty)
                    .ok_or_else(|| SqlError { state: 1, ..SqlError::undeclared_variable(name) })?;
                let value = match op {
                    None => self.evaluate(frame, value, ty)?,
                    Some(op) => {
                        let left = Expr::Variable { name: name.clone(), pos: lab_tsql::ast::Pos::default() };
                        let whole = Expr::Binary {
                            op: *op,
                            left: Box::new(left),
                            right: Box::new(Expr::Nested(Box::new(value.clone()))),
                        };
                        self.evaluate(frame, &whole, ty)?
                    }
                };
                frame.set(name, value);
            }
            SetStatement::Switch(names, on) => {
                for name in names {
                    self.switch(name, *on, sink)?;
                }
            }
            SetStatement::Value(name, value) => self.set_value(frame, name, value, sink)?,
            SetStatement::IdentityInsert(table, on) => self.set_identity_insert(frame, table, *on)?,
            SetStatement::Isolation(level) => {
                self.isolation = match level {
                    IsolationLevel::ReadUncommitted => Isolation::ReadUncommitted,
                    IsolationLevel::ReadCommitted => Isolation::ReadCommitted,
                    IsolationLevel::RepeatableRead => Isolation::RepeatableRead,
                    IsolationLevel::Serializable => Isolation::Serializable,
                    IsolationLevel::Snapshot => Isolation::Snapshot,
                };
            }
        }
        self.show_settings();
        self.last_error = 0;
        if matches!(set, SetStatement::Variable { .. }) {
            self.row_count = 1;
        } else {
            self.statement_over(frame, crate::sink::Done::OTHER, None, sink);
        }
        Ok(())
    }

    fn switch(&mut self, name: &str, on: bool, sink: &mut dyn Sink) -> Result<(), Stop> {
        let s = &mut self.settings;
        let slot = match name {
            "QUOTED_IDENTIFIER" => &mut s.quoted_identifier,
            "ANSI_NULLS" => &mut s.ansi_nulls,
            "ANSI_PADDING" => &mut s.ansi_padding,
            "ANSI_WARNINGS" => &mut s.ansi_warnings,
            "ANSI_NULL_DFLT_ON" => &mut s.ansi_null_dflt_on,
            "ARITHABORT" => &mut s.arithabort,
            "CONCAT_NULL_YIELDS_NULL" => &mut s.concat_null_yields_null,
            "NUMERIC_ROUNDABORT" => &mut s.numeric_roundabort,
            "NOCOUNT" => &mut s.nocount,
            "XACT_ABORT" => &mut s.xact_abort,
            "IMPLICIT_TRANSACTIONS" => &mut s.implicit_transactions,
            "CURSOR_CLOSE_ON_COMMIT" => &mut s.cursor_close_on_commit,
            "NOEXEC" => &mut s.noexec,
            "PARSEONLY" => &mut s.parseonly,
            "FMTONLY" => &mut s.fmtonly,
            "ANSI_DEFAULTS" => {
                for each in [
                    "ANSI_NULLS",
                    "ANSI_NULL_DFLT_ON",
                    "ANSI_PADDING",
                    "ANSI_WARNINGS",
                    "QUOTED_IDENTIFIER",
                    "IMPLICIT_TRANSACTIONS",
                    "CURSOR_CLOSE_ON_COMMIT",
                ] {
                    self.switch(each, on, sink)?;
                }
                return Ok(());
            }
            "SHOWPLAN_ALL" | "SHOWPLAN_TEXT" | "SHOWPLAN_XML" if on => {
                return Err(SqlError::unsupported(&format!("SET {name}")).into());
            }
            "SHOWPLAN_ALL" | "SHOWPLAN_TEXT" | "SHOWPLAN_XML" => return Ok(()),
            other if WITHOUT_EFFECT.contains(&other) => return Ok(()),
            other => {
                return Err(
                    SqlError::new(195, 15, 7, format!("'{other}' is not a recognized SET option.")).into()
                );
            }
        };
        *slot = on;
        Ok(())
    }

    fn set_value(
        &mut self,
        frame: &Frame,
        name: &str,
        value: &Expr,
        sink: &mut dyn Sink,
    ) -> Result<(), Stop> {
        let text = || match value {
            Expr::Literal(Literal::String { value, .. }) => Some(value.clone()),
            _ => None,
        };
        if name == "CONTEXT_INFO" {
            let Value::Blob(bytes) =
                self.evaluate(frame, value, SqlType::VarBinary { len: crate::types::Len::N(128) })?
            else {
                return Err(SqlError::new(
                    2743,
                    16,
                    1,
                    "SET CONTEXT_INFO option requires varbinary (128) NOT NULL parameter.",
                )
                .into());
            };
            self.shared.state().context_info = bytes;
            return Ok(());
        }
        if name == "LANGUAGE" || name == "DATEFORMAT" {
            let text = match text() {
                Some(text) => text,
                None => match self.evaluate(frame, value, SqlType::SYSNAME)? {
                    Value::Text(text) => text,
                    _ => String::new(),
                },
            };
            return self.set_word(name, &text, sink);
        }
        if name == "DEADLOCK_PRIORITY"
            && let Some(word) = text()
        {
            self.settings.deadlock_priority = match word.to_ascii_uppercase().as_str() {
                "LOW" => -5,
                "NORMAL" => 0,
                "HIGH" => 5,
                _ => return Err(SqlError::new(102, 15, 1, format!("Incorrect syntax near '{word}'.")).into()),
            };
            return Ok(());
        }
        let Value::Integer(number) = self.evaluate(frame, value, SqlType::BigInt)? else {
            return Err(SqlError::new(
                1067,
                15,
                1,
                format!("The SET statement requires a number for {name}."),
            )
            .into());
        };
        match name {
            "ROWCOUNT" => self.settings.rowcount = u64::try_from(number).unwrap_or(0),
            "TEXTSIZE" => self.settings.textsize = if number == 0 { 4096 } else { number },
            "LOCK_TIMEOUT" => self.settings.lock_timeout_ms = number.max(-1),
            "DATEFIRST" => {
                let day = u8::try_from(number).ok().filter(|d| (1..=7).contains(d));
                self.settings.date_first = day.ok_or_else(|| {
                    SqlError::new(2742, 16, 1, format!("SET DATEFIRST {number} is out of range."))
                })?;
            }
            "DEADLOCK_PRIORITY" => self.settings.deadlock_priority = number.clamp(-10, 10),
            _ => {}
        }
        Ok(())
    }

    fn set_word(&mut self, name: &str, word: &str, sink: &mut dyn Sink) -> Result<(), Stop> {
        if name == "DATEFORMAT" {
            self.settings.date_format = DateFormat::by_name(word).ok_or_else(|| {
                SqlError::new(2741, 16, 1, format!("SET DATEFORMAT date order '{word}' is invalid."))
            })?;
            return Ok(());
        }
        // Messages are in English whatever the language; what differs is how dates are read.
        let (canonical, format, first) = match word.to_ascii_lowercase().as_str() {
            "us_english" | "english" => ("us_english", DateFormat::Mdy, 7),
            "british" | "british english" => ("British", DateFormat::Dmy, 1),
            "german" | "deutsch" => ("Deutsch", DateFormat::Dmy, 1),
            "french" | "français" => ("Français", DateFormat::Dmy, 1),
            "italian" | "italiano" => ("Italiano", DateFormat::Dmy, 1),
            "spanish" | "español" => ("Español", DateFormat::Dmy, 1),
            _ => return Err(SqlError::new(2740, 16, 1, format!("SET LANGUAGE failed because '{word}' is not an official language name or a language alias on this SQL Server.")).into()),
        };
        let old = std::mem::replace(&mut self.settings.language, canonical.to_owned());
        self.settings.date_format = format;
        self.settings.date_first = first;
        sink.env(EnvChange::Language { new: canonical.to_owned(), old });
        sink.info(&SqlError::new(5703, 0, 1, format!("Changed language setting to {canonical}.")));
        Ok(())
    }

    fn set_identity_insert(&mut self, frame: &Frame, name: &ObjectName, on: bool) -> Result<(), Stop> {
        let found = self.bind(frame, |b| b.object(name))?.bound;
        let table = found.object.table().ok_or_else(|| SqlError::invalid_object(name.name()))?;
        if table.identity_column().is_none() {
            return Err(SqlError::no_identity(name.name()).into());
        }
        let this = (found.database, found.object.id);
        match self.settings.identity_insert {
            Some(other) if on && other != this => {
                let catalog = self.catalog_of(other.0)?;
                // A table that was dropped since no longer counts.
                if let Some(object) = catalog.object(other.1) {
                    let shown = format!(
                        "{}.{}.{}",
                        self.name_of(other.0),
                        catalog.schema_name(object.schema),
                        object.name
                    );
                    return Err(SqlError::new(8107, 16, 1, format!("IDENTITY_INSERT is already ON for table '{shown}'. Cannot perform SET operation for table '{name}'.")).into());
                }
                self.settings.identity_insert = Some(this);
            }
            _ if on => self.settings.identity_insert = Some(this),
            Some(other) if other == this => self.settings.identity_insert = None,
            _ => {}
        }
        Ok(())
    }
}
