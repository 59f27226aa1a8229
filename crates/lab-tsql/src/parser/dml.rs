//! INSERT, UPDATE, DELETE, TRUNCATE.

use super::{Parsed, Parser};
use crate::ast::{
    Cte, Delete, Insert, InsertBulk, InsertSource, Output, SetClause, StatementKind, Target, Update,
};
use crate::lexer::Token;

impl Parser<'_> {
    pub(super) fn truncate(&mut self) -> Parsed<StatementKind> {
        self.at += 1;
        self.expect_word("TABLE")?;
        let name = self.object_name()?;
        if self.is_words(&["WITH"]) && self.is_at(1, "(") {
            self.at += 1;
            self.skip_parentheses()?;
            self.refuse("TRUNCATE TABLE WITH PARTITIONS");
        }
        Ok(StatementKind::Truncate(name))
    }

    fn target(&mut self) -> Parsed<Target> {
        let pos = self.pos();
        if let Token::Variable(name) = self.peek().clone() {
            self.at += 1;
            return Ok(Target::Variable(name, pos));
        }
        let name = self.object_name()?;
        if self.is_word("WITH") && self.is_at(1, "(") {
            self.at += 1;
            self.table_hints()?;
        }
        Ok(Target::Table(name))
    }

    fn output(&mut self) -> Parsed<Option<Output>> {
        if !self.accept_word("OUTPUT") {
            return Ok(None);
        }
        let items = self.list(Self::select_item)?;
        let into = if self.accept_word("INTO") {
            let target = self.target()?;
            let columns = if self.is("(") { self.ident_list()? } else { Vec::new() };
            Some((target, columns))
        } else {
            None
        };
        Ok(Some(Output { items, into }))
    }

    pub(super) fn insert(&mut self, with: Vec<Cte>) -> Parsed<StatementKind> {
        self.at += 1;
        if self.accept_word("BULK") {
            return self.insert_bulk();
        }
        let top = self.top()?;
        self.accept_word("INTO");
        let target = self.target()?;
        let columns = if self.is("(") && !self.starts_query() { self.ident_list()? } else { Vec::new() };
        let output = self.output()?;
        let source = if self.accept_words(&["DEFAULT", "VALUES"]) {
            InsertSource::DefaultValues
        } else if self.accept_word("VALUES") {
            InsertSource::Values(self.list(|p| p.parenthesised(Self::expr))?)
        } else if self.accept_any(&["EXEC", "EXECUTE"]).is_some() {
            InsertSource::Execute(Box::new(self.execute_after_word()?))
        } else if self.starts_query() {
            InsertSource::Query(Box::new(self.query()?))
        } else {
            return Err(self.unexpected());
        };
        self.query_options()?;
        Ok(StatementKind::Insert(Box::new(Insert { with, top, target, columns, output, source })))
    }

    fn insert_bulk(&mut self) -> Parsed<StatementKind> {
        let table = self.object_name()?;
        let columns = if self.is("(") {
            self.parenthesised(|p| {
                let name = p.any_word()?;
                let data_type = p.data_type()?;
                if p.accept_word("COLLATE") {
                    p.any_word()?;
                }
                if !p.accept_words(&["NOT", "NULL"]) {
                    p.accept_word("NULL");
                }
                Ok((name, data_type))
            })?
        } else {
            Vec::new()
        };
        let options = if self.accept_word("WITH") {
            self.parenthesised(|p| {
                let mut option = p.any_word()?.value.to_ascii_uppercase();
                if p.accept("=") {
                    option.push('=');
                    option.push_str(&p.next().shown());
                } else if p.is("(") {
                    p.skip_parentheses()?;
                }
                Ok(option)
            })?
        } else {
            Vec::new()
        };
        Ok(StatementKind::InsertBulk(Box::new(InsertBulk { table, columns, options })))
    }

    pub(super) fn update(&mut self, with: Vec<Cte>) -> Parsed<StatementKind> {
        self.at += 1;
        let top = self.top()?;
        let target = self.target()?;
        self.expect_word("SET")?;
        let set = self.list(Self::set_clause)?;
        let output = self.output()?;
        let from = if self.accept_word("FROM") { self.list(Self::table_ref)? } else { Vec::new() };
        let filter = if self.accept_word("WHERE") { Some(self.test()?) } else { None };
        self.query_options()?;
        Ok(StatementKind::Update(Box::new(Update { with, top, target, set, output, from, filter })))
    }

    fn set_clause(&mut self) -> Parsed<SetClause> {
        let mut variable = None;
        if matches!(self.peek(), Token::Variable(_)) {
            variable = Some(self.variable()?);
            let column_follows = self.is("=") && self.is_ident_at(1) && {
                let mut n = 2;
                while self.is_at(n, ".") && self.is_ident_at(n + 1) {
                    n += 2;
                }
                self.assign_op_at(n).is_some()
            };
            if !column_follows {
                let Some(op) = self.assign_op_at(0) else { return Err(self.unexpected()) };
                self.at += 1;
                return Ok(SetClause { variable, column: None, op, value: self.expr()? });
            }
            self.at += 1;
        }
        let column = self.object_name()?;
        let Some(op) = self.assign_op_at(0) else { return Err(self.unexpected()) };
        self.at += 1;
        Ok(SetClause { variable, column: Some(column), op, value: self.expr()? })
    }

    pub(super) fn delete(&mut self, with: Vec<Cte>) -> Parsed<StatementKind> {
        self.at += 1;
        let top = self.top()?;
        self.accept_word("FROM");
        let target = self.target()?;
        let output = self.output()?;
        let from = if self.accept_word("FROM") { self.list(Self::table_ref)? } else { Vec::new() };
        let filter = if self.accept_word("WHERE") { Some(self.test()?) } else { None };
        self.query_options()?;
        Ok(StatementKind::Delete(Box::new(Delete { with, top, target, output, from, filter })))
    }
}
