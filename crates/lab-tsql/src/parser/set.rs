//! SET.

use super::{Parsed, Parser};
use crate::ast::{Expr, IsolationLevel, Literal, SetStatement, StatementKind};
use crate::lexer::Token;

impl Parser<'_> {
    pub(super) fn set(&mut self) -> Parsed<StatementKind> {
        self.at += 1;
        let pos = self.pos();
        if let Token::Variable(name) = self.peek().clone() {
            self.at += 1;
            let Some(op) = self.assign_op_at(0) else { return Err(self.unexpected()) };
            self.at += 1;
            if self.is_word("CURSOR") {
                return Ok(self.recognised("SET cursor variable"));
            }
            let value = self.expr()?;
            return Ok(StatementKind::Set(SetStatement::Variable { name, op, value, pos }));
        }
        if self.accept_words(&["TRANSACTION", "ISOLATION", "LEVEL"]) {
            return self.isolation_level();
        }
        if self.accept_word("IDENTITY_INSERT") {
            let table = self.object_name()?;
            let on = self.on_off()?;
            return Ok(StatementKind::Set(SetStatement::IdentityInsert(table, on)));
        }
        if self.accept_word("STATISTICS") {
            let names =
                self.list(|p| Ok(format!("STATISTICS {}", p.any_word()?.value.to_ascii_uppercase())))?;
            let on = self.on_off()?;
            return Ok(StatementKind::Set(SetStatement::Switch(names, on)));
        }
        if self.accept_words(&["FIPS_FLAGGER"]) || self.accept_words(&["OFFSETS"]) {
            return Ok(self.recognised("SET FIPS_FLAGGER/OFFSETS"));
        }
        let first = self.any_word()?.value.to_ascii_uppercase();
        if matches!(
            first.as_str(),
            "ROWCOUNT"
                | "TEXTSIZE"
                | "LOCK_TIMEOUT"
                | "DATEFORMAT"
                | "DATEFIRST"
                | "LANGUAGE"
                | "DEADLOCK_PRIORITY"
                | "CONTEXT_INFO"
                | "QUERY_GOVERNOR_COST_LIMIT"
        ) {
            let value = self.option_value()?;
            return Ok(StatementKind::Set(SetStatement::Value(first, value)));
        }
        let mut names = vec![first];
        while self.accept(",") {
            names.push(self.any_word()?.value.to_ascii_uppercase());
        }
        let on = self.on_off()?;
        Ok(StatementKind::Set(SetStatement::Switch(names, on)))
    }

    /// A number, a string, a variable, or a bare word, which is kept as a string.
    fn option_value(&mut self) -> Parsed<Expr> {
        if let Token::Word(word) = self.peek().clone() {
            self.at += 1;
            return Ok(Expr::Literal(Literal::String { value: word, national: false }));
        }
        self.expr()
    }

    pub(super) fn on_off(&mut self) -> Parsed<bool> {
        match self.accept_any(&["ON", "OFF"]) {
            Some(word) => Ok(word == "ON"),
            None => Err(self.unexpected()),
        }
    }

    fn isolation_level(&mut self) -> Parsed<StatementKind> {
        let level = if self.accept_words(&["READ", "UNCOMMITTED"]) {
            IsolationLevel::ReadUncommitted
        } else if self.accept_words(&["READ", "COMMITTED"]) {
            IsolationLevel::ReadCommitted
        } else if self.accept_words(&["REPEATABLE", "READ"]) {
            IsolationLevel::RepeatableRead
        } else if self.accept_word("SERIALIZABLE") {
            IsolationLevel::Serializable
        } else if self.accept_word("SNAPSHOT") {
            IsolationLevel::Snapshot
        } else {
            return Err(self.unexpected());
        };
        Ok(StatementKind::Set(SetStatement::Isolation(level)))
    }
}
