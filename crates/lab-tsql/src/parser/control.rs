//! Control of flow, variables, procedures, transactions.

use super::{Parsed, Parser};
use crate::ParseError;
use crate::ast::{
    Argument, Declaration, Execute, Expr, ObjectName, Statement, StatementKind, TransactionName,
};
use crate::lexer::Token;

impl Parser<'_> {
    pub(super) fn control(&mut self, word: &str) -> Parsed<StatementKind> {
        match word.to_ascii_uppercase().as_str() {
            "IF" => self.if_statement(),
            "WHILE" => {
                self.at += 1;
                let condition = self.test()?;
                Ok(StatementKind::While { condition, body: Box::new(self.statement()?) })
            }
            "BEGIN" => self.begin(),
            "BREAK" => self.single(StatementKind::Break),
            "CONTINUE" => self.single(StatementKind::Continue),
            "RETURN" => {
                self.at += 1;
                let value = if self.begins_value() { Some(self.expr()?) } else { None };
                Ok(StatementKind::Return(value))
            }
            "GOTO" => {
                self.at += 1;
                Ok(StatementKind::Goto(self.ident()?))
            }
            "WAITFOR" => self.wait_for(),
            "PRINT" => {
                self.at += 1;
                Ok(StatementKind::Print(self.expr()?))
            }
            "RAISERROR" => self.raise_error(),
            _ => self.throw(),
        }
    }

    fn single(&mut self, kind: StatementKind) -> Parsed<StatementKind> {
        self.at += 1;
        Ok(kind)
    }

    /// Whether an expression, and no statement, comes next.
    fn begins_value(&self) -> bool {
        match self.peek() {
            Token::End | Token::Symbol(";" | ")") => false,
            Token::Word(_) => !self.begins_statement() && !(self.is_ident_at(0) && self.is_at(1, ":")),
            _ => true,
        }
    }

    fn if_statement(&mut self) -> Parsed<StatementKind> {
        self.at += 1;
        let condition = self.test()?;
        let then = Box::new(self.statement()?);
        while self.is(";") && self.is_word_at(1, "ELSE") {
            self.at += 1;
        }
        let otherwise = if self.accept_word("ELSE") { Some(Box::new(self.statement()?)) } else { None };
        Ok(StatementKind::If { condition, then, otherwise })
    }

    fn begin(&mut self) -> Parsed<StatementKind> {
        self.at += 1;
        if self.accept_word("TRY") {
            let body = self.statements_until("END")?;
            self.expect_word("END")?;
            self.expect_word("TRY")?;
            self.accept(";");
            self.expect_word("BEGIN")?;
            self.expect_word("CATCH")?;
            let handler = self.statements_until("END")?;
            self.expect_word("END")?;
            self.expect_word("CATCH")?;
            return Ok(StatementKind::TryCatch { body, handler });
        }
        let distributed = self.is_word("DISTRIBUTED");
        if distributed {
            self.at += 1;
        }
        if self.accept_any(&["TRAN", "TRANSACTION"]).is_some() {
            let name = self.transaction_name()?;
            if self.accept_words(&["WITH", "MARK"]) && matches!(self.peek(), Token::String { .. }) {
                self.at += 1;
            }
            if distributed {
                return Ok(StatementKind::Unsupported("BEGIN DISTRIBUTED TRANSACTION".to_owned()));
            }
            return Ok(StatementKind::BeginTransaction(name));
        }
        if self.is_word("DIALOG") || self.is_word("CONVERSATION") {
            return Ok(self.recognised("BEGIN DIALOG"));
        }
        let body: Vec<Statement> = self.statements_until("END")?;
        self.expect_word("END")?;
        if body.is_empty() {
            self.at -= 1;
            return Err(self.unexpected());
        }
        Ok(StatementKind::Block(body))
    }

    fn transaction_name(&mut self) -> Parsed<Option<TransactionName>> {
        if let Token::Variable(name) = self.peek().clone() {
            self.at += 1;
            return Ok(Some(TransactionName::Variable(name)));
        }
        if self.is_ident_at(0) && !self.begins_statement() && !self.is_at(1, ":") {
            return Ok(Some(TransactionName::Name(self.ident()?.value)));
        }
        Ok(None)
    }

    pub(super) fn transaction_end(&mut self) -> Parsed<StatementKind> {
        let word = self.accept_any(&["COMMIT", "ROLLBACK", "SAVE"]);
        let has_noun = self.accept_any(&["TRAN", "TRANSACTION"]).is_some();
        if !has_noun {
            self.accept_word("WORK");
        }
        let name = if has_noun { self.transaction_name()? } else { None };
        if self.is_word("WITH") && self.is_at(1, "(") {
            // DELAYED_DURABILITY: an answer never leaves before its log is hardened here.
            self.at += 1;
            self.skip_parentheses()?;
        }
        match (word, name) {
            (Some("COMMIT"), name) => Ok(StatementKind::Commit(name)),
            (Some("ROLLBACK"), name) => Ok(StatementKind::Rollback(name)),
            (_, Some(name)) => Ok(StatementKind::Save(name)),
            (_, None) => Err(self.unexpected()),
        }
    }

    fn wait_for(&mut self) -> Parsed<StatementKind> {
        self.at += 1;
        match self.accept_any(&["DELAY", "TIME"]) {
            Some(word) => Ok(StatementKind::WaitFor { delay: word == "DELAY", value: self.expr()? }),
            None => Ok(self.recognised("WAITFOR (RECEIVE)")),
        }
    }

    fn raise_error(&mut self) -> Parsed<StatementKind> {
        self.at += 1;
        let args = if self.is("(") {
            self.parenthesised(Self::expr)?
        } else {
            // RAISERROR 50001 'text', gone since SQL Server 2012.
            return Err(self.unexpected());
        };
        let options = if self.accept_word("WITH") {
            self.list(|p| Ok(p.any_word()?.value.to_ascii_uppercase()))?
        } else {
            Vec::new()
        };
        Ok(StatementKind::RaisError { args, options })
    }

    fn throw(&mut self) -> Parsed<StatementKind> {
        self.expect_word("THROW")?;
        if !self.begins_value() {
            return Ok(StatementKind::Throw(None));
        }
        let number = self.expr()?;
        self.expect(",")?;
        let message = self.expr()?;
        self.expect(",")?;
        Ok(StatementKind::Throw(Some((number, message, self.expr()?))))
    }

    pub(super) fn declare(&mut self) -> Parsed<StatementKind> {
        self.at += 1;
        if self.is_ident_at(0) {
            return Ok(self.recognised("DECLARE CURSOR"));
        }
        let items = self.list(|p| {
            let name = p.variable()?;
            p.accept_word("AS");
            if p.accept_word("TABLE") {
                return Ok(Declaration::Table { name, elements: p.table_elements()? });
            }
            let data_type = if p.is_word("CURSOR") {
                p.refuse("DECLARE CURSOR");
                let name = ObjectName { parts: vec![p.any_word()?] };
                crate::ast::DataType { name, args: Vec::new(), max: false }
            } else {
                p.data_type()?
            };
            let value = if p.accept("=") { Some(p.expr()?) } else { None };
            Ok(Declaration::Variable { name, data_type, value })
        })?;
        Ok(StatementKind::Declare(items))
    }

    pub(super) fn execute(&mut self) -> Parsed<StatementKind> {
        self.at += 1;
        if self.is_words(&["AS", "USER"])
            || self.is_words(&["AS", "LOGIN"])
            || self.is_words(&["AS", "CALLER"])
        {
            return Ok(self.recognised("EXECUTE AS"));
        }
        Ok(StatementKind::Execute(self.execute_after_word()?))
    }

    /// What follows EXEC.
    pub(super) fn execute_after_word(&mut self) -> Parsed<Execute> {
        if self.is("(") {
            self.at += 1;
            let text = self.expr()?;
            self.expect(")")?;
            if self.accept_word("AT") {
                self.ident()?;
                self.refuse("EXECUTE AT");
            }
            return Ok(Execute::Text(text));
        }
        let mut return_variable = None;
        if matches!(self.peek(), Token::Variable(_)) && self.is_at(1, "=") {
            return_variable = Some(self.variable()?);
            self.at += 1;
        }
        if let Token::Variable(variable) = self.peek().clone() {
            self.at += 1;
            let args = self.execute_arguments()?;
            return Ok(Execute::ProcedureVariable { return_variable, variable, args });
        }
        let name = self.object_name()?;
        let args = self.execute_arguments()?;
        if self.is_words(&["WITH", "RECOMPILE"]) {
            self.at += 2;
        } else if self.is_words(&["WITH", "RESULT", "SETS"]) {
            self.at += 3;
            self.refuse("EXECUTE WITH RESULT SETS");
            if self.is("(") {
                self.skip_parentheses()?;
            } else {
                self.any_word()?;
            }
        }
        Ok(Execute::Procedure { return_variable, name, args })
    }

    pub(super) fn execute_arguments(&mut self) -> Parsed<Vec<Argument>> {
        if !self.begins_argument() {
            return Ok(Vec::new());
        }
        let (mut count, mut named) = (0, false);
        self.list(|p| {
            let mut name = None;
            count += 1;
            let line = p.pos().line;
            if let Token::Variable(parameter) = p.peek().clone()
                && p.is_at(1, "=")
            {
                name = Some(parameter);
                p.at += 2;
            } else if named {
                let text = format!("Must pass parameter number {count} and subsequent parameters as '@name = value'. After the form '@name = value' has been used, all subsequent parameters must be passed in the form '@name = value'.");
                return Err(ParseError::new(119, 15, 1, line, text));
            }
            named |= name.is_some();
            let value = p.argument_value()?;
            let output = p.accept_any(&["OUTPUT", "OUT"]).is_some();
            Ok(Argument { name, value, output })
        })
    }

    fn begins_argument(&self) -> bool {
        match self.peek() {
            Token::End | Token::Symbol(";" | ")") => false,
            Token::Word(w) => {
                w.eq_ignore_ascii_case("NULL")
                    || w.eq_ignore_ascii_case("DEFAULT")
                    || (self.is_ident_at(0) && !self.begins_statement() && !self.is_at(1, ":"))
            }
            _ => true,
        }
    }

    /// A constant, a variable, DEFAULT, or a bare word, which is a string here.
    fn argument_value(&mut self) -> Parsed<Expr> {
        if self.is_ident_at(0) && !self.is_at(1, "(") {
            let value = self.object_name()?.to_string();
            return Ok(Expr::Literal(crate::ast::Literal::String { value, national: true }));
        }
        self.expr()
    }
}
