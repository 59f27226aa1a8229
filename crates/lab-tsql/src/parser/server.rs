//! BACKUP, RESTORE, DBCC.

use super::{Parsed, Parser};
use crate::ast::{BackupDevice, BackupOption, BackupRestore, Expr, Literal, StatementKind};
use crate::lexer::Token;

impl Parser<'_> {
    pub(super) fn backup_restore(&mut self) -> Parsed<StatementKind> {
        let restore = self.accept_any(&["BACKUP", "RESTORE"]) == Some("RESTORE");
        let Some(what) = self.accept_any(&[
            "DATABASE",
            "LOG",
            "TRAN",
            "TRANSACTION",
            "VERIFYONLY",
            "HEADERONLY",
            "FILELISTONLY",
            "LABELONLY",
        ]) else {
            if !restore && self.is_word("CERTIFICATE") {
                return self.backup_certificate();
            }
            let verb = if restore { "RESTORE" } else { "BACKUP" };
            for noun in [&["MASTER", "KEY"][..], &["SERVICE", "MASTER", "KEY"], &["SYMMETRIC", "KEY"]] {
                if self.is_words(noun) {
                    return Ok(self.recognised_after(noun.len(), &format!("{verb} {}", noun.join(" "))));
                }
            }
            let noun = self.peek().shown().to_ascii_uppercase();
            return Ok(self.recognised(&format!("{verb} {noun}")));
        };
        let what = if what.starts_with("TRAN") { "LOG" } else { what };
        let verb = if restore { "RESTORE" } else { "BACKUP" };
        let database = if matches!(what, "DATABASE" | "LOG") { Some(self.name_or_variable()?) } else { None };
        // Parts of a database, and sources that are no device.
        for part in ["FILE", "FILEGROUP", "PAGE", "READ_WRITE_FILEGROUPS"] {
            if self.is_word(part) {
                return Ok(self.recognised(&format!("{verb} {what} {part}")));
            }
        }
        let mut devices = Vec::new();
        if self.accept_any(&["TO", "FROM"]).is_some() {
            if self.is_word("DATABASE_SNAPSHOT") {
                return Ok(self.recognised(&format!("{verb} {what} FROM DATABASE_SNAPSHOT")));
            }
            devices = self.list(Self::backup_device)?;
        }
        if devices.is_empty() && (!restore || database.is_none()) {
            return Err(self.unexpected());
        }
        if self.is_word("MIRROR") {
            return Ok(self.recognised(&format!("{verb} {what} MIRROR TO")));
        }
        let options = if self.accept_word("WITH") { self.backup_options()? } else { Vec::new() };
        let what = what.to_owned();
        Ok(StatementKind::BackupRestore(Box::new(BackupRestore {
            restore,
            what,
            database,
            devices,
            options,
        })))
    }

    fn backup_device(&mut self) -> Parsed<BackupDevice> {
        let kind = if self.is_at(1, "=") { self.accept_any(&["DISK", "TAPE", "URL"]) } else { None };
        let name = match kind {
            Some(_) => {
                self.expect("=")?;
                self.expr()?
            }
            None => self.name_or_variable()?,
        };
        Ok(BackupDevice { kind: kind.map(str::to_owned), name })
    }

    fn name_or_variable(&mut self) -> Parsed<Expr> {
        if self.is_ident_at(0) {
            let value = self.ident()?.value;
            return Ok(Expr::Literal(Literal::String { value, national: true }));
        }
        self.expr()
    }

    fn backup_options(&mut self) -> Parsed<Vec<BackupOption>> {
        self.list(|p| {
            let name = p.any_word()?.value.to_ascii_uppercase();
            let (mut value, mut to) = (None, None);
            if name == "MOVE" {
                value = Some(p.expr()?);
                p.expect_word("TO")?;
                to = Some(p.expr()?);
            } else if p.accept("=") {
                value = Some(if let Token::Word(value) = p.peek().clone() {
                    p.at += 1;
                    Expr::Literal(Literal::String { value, national: false })
                } else {
                    p.expr()?
                });
                // STOPATMARK = 'mark' AFTER 'time'
                if p.accept_word("AFTER") {
                    to = Some(p.expr()?);
                }
            } else if p.is("(") {
                p.skip_parentheses()?;
            }
            Ok(BackupOption { name, value, to })
        })
    }

    pub(super) fn dbcc(&mut self) -> Parsed<StatementKind> {
        self.at += 1;
        let command = self.any_word()?.value.to_ascii_uppercase();
        let mut args = Vec::new();
        if self.accept("(") {
            if !self.is(")") {
                args = self.list(|p| {
                    if p.is_ident_at(0) {
                        let value = p.object_name()?.to_string();
                        return Ok(Expr::Literal(Literal::String { value, national: true }));
                    }
                    p.expr()
                })?;
            }
            self.expect(")")?;
        }
        let mut options = Vec::new();
        if self.accept_word("WITH") {
            options = self.list(|p| {
                let option = p.any_word()?.value.to_ascii_uppercase();
                if p.accept("=") {
                    p.next();
                }
                Ok(option)
            })?;
        }
        Ok(StatementKind::Dbcc(command, args, options))
    }
}
