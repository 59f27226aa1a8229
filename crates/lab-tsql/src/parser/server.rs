//! BACKUP, RESTORE, DBCC.

use super::{Parsed, Parser};
use crate::ast::{BackupRestore, Expr, Literal, StatementKind};
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
            let verb = if restore { "RESTORE" } else { "BACKUP" };
            let noun = self.peek().shown().to_ascii_uppercase();
            return Ok(self.recognised(&format!("{verb} {noun}")));
        };
        let what = if what.starts_with("TRAN") { "LOG" } else { what };
        let database = if matches!(what, "DATABASE" | "LOG") { Some(self.name_or_variable()?) } else { None };
        let mut devices = Vec::new();
        if self.accept_any(&["TO", "FROM"]).is_some() {
            devices = self.list(|p| {
                if p.accept_word("DISK") {
                    p.expect("=")?;
                    return p.expr();
                }
                if p.is_word("URL") || p.is_word("TAPE") {
                    return Err(p.unexpected());
                }
                p.name_or_variable()
            })?;
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

    fn name_or_variable(&mut self) -> Parsed<Expr> {
        if self.is_ident_at(0) {
            let value = self.ident()?.value;
            return Ok(Expr::Literal(Literal::String { value, national: true }));
        }
        self.expr()
    }

    fn backup_options(&mut self) -> Parsed<Vec<(String, Option<Expr>)>> {
        self.list(|p| {
            let name = p.any_word()?.value.to_ascii_uppercase();
            if p.accept("=") {
                let value = if let Token::Word(value) = p.peek().clone() {
                    p.at += 1;
                    Expr::Literal(Literal::String { value, national: false })
                } else {
                    p.expr()?
                };
                return Ok((name, Some(value)));
            }
            if name == "MOVE" {
                let logical = p.expr()?;
                p.expect_word("TO")?;
                p.expr()?;
                return Ok((name, Some(logical)));
            }
            if name == "ENCRYPTION" && p.is("(") {
                p.skip_parentheses()?;
            }
            Ok((name, None))
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
