//! CREATE and ALTER: dispatch, views, procedures, functions.

use super::{Parsed, Parser};
use crate::ParseError;
use crate::ast::{CreateMode, CreateModule, DataType, ModuleBody, Parameter, Statement, StatementKind};
use crate::lexer::Token;

impl Parser<'_> {
    pub(super) fn create(&mut self) -> Parsed<StatementKind> {
        let first = self.at == 0;
        self.at += 1;
        let mode =
            if self.accept_words(&["OR", "ALTER"]) { CreateMode::CreateOrAlter } else { CreateMode::Create };
        if let Some(word) = self.module_word() {
            return self.module(mode, word, first);
        }
        let Token::Word(word) = self.peek().clone() else { return Err(self.unexpected()) };
        let upper = word.to_ascii_uppercase();
        match upper.as_str() {
            "TABLE" => {
                self.at += 1;
                self.create_table()
            }
            "UNIQUE" | "CLUSTERED" | "NONCLUSTERED" | "INDEX" | "COLUMNSTORE" | "SPATIAL" => {
                self.create_index()
            }
            "FULLTEXT" | "PRIMARY" | "XML" => Ok(self.recognised(&format!("CREATE {upper}"))),
            "SCHEMA" => {
                if !first {
                    let text = "'CREATE SCHEMA' must be the first statement in a query batch.".to_owned();
                    return Err(ParseError::new(111, 15, 1, self.pos().line, text));
                }
                self.create_schema()
            }
            "DATABASE"
                if !self.is_word_at(1, "AUDIT")
                    && !self.is_word_at(1, "ENCRYPTION")
                    && !self.is_word_at(1, "SCOPED") =>
            {
                self.create_database()
            }
            "LOGIN" => self.login(true),
            "USER" => self.user(true),
            "ROLE" => self.create_role(),
            _ if self.is_hadr_object() => self.hadr_statement("CREATE"),
            _ => Ok(self.recognised(&format!("CREATE {upper}"))),
        }
    }

    pub(super) fn alter(&mut self) -> Parsed<StatementKind> {
        let first = self.at == 0;
        self.at += 1;
        if let Some(word) = self.module_word() {
            return self.module(CreateMode::Alter, word, first);
        }
        let Token::Word(word) = self.peek().clone() else { return Err(self.unexpected()) };
        let upper = word.to_ascii_uppercase();
        match upper.as_str() {
            "TABLE" => {
                self.at += 1;
                self.alter_table()
            }
            "INDEX" => {
                self.at += 1;
                self.alter_index()
            }
            "DATABASE" if !self.is_word_at(1, "AUDIT") && !self.is_word_at(1, "ENCRYPTION") => {
                self.alter_database()
            }
            "LOGIN" => self.login(false),
            "USER" => self.user(false),
            "ROLE" | "SERVER" => self.role_member(),
            "SCHEMA" => self.transfer_schema(),
            "AUTHORIZATION" => self.authorization(),
            _ if self.is_hadr_object() => self.hadr_statement("ALTER"),
            _ => Ok(self.recognised(&format!("ALTER {upper}"))),
        }
    }

    fn module_word(&mut self) -> Option<&'static str> {
        self.accept_any(&["VIEW", "PROCEDURE", "PROC", "FUNCTION", "TRIGGER"])
    }

    fn module(&mut self, mode: CreateMode, word: &'static str, first: bool) -> Parsed<StatementKind> {
        if !first {
            let verb = if mode == CreateMode::Alter { "ALTER" } else { "CREATE" };
            let word = if word == "PROC" { "PROCEDURE" } else { word };
            let text = format!("'{verb} {word}' must be the first statement in a query batch.");
            return Err(ParseError::new(111, 15, 1, self.pos().line, text));
        }
        match word {
            "VIEW" => self.view(mode),
            "FUNCTION" => self.function(mode),
            "TRIGGER" => {
                self.at = self.tokens.len().saturating_sub(1);
                Ok(StatementKind::Unsupported("CREATE TRIGGER".to_owned()))
            }
            _ => self.procedure(mode),
        }
    }

    fn module_options(&mut self) -> Parsed<Vec<String>> {
        if !self.accept_word("WITH") {
            return Ok(Vec::new());
        }
        self.list(|p| {
            let mut option = p.any_word()?.value.to_ascii_uppercase();
            if option == "EXECUTE" || option == "EXEC" {
                p.expect_word("AS")?;
                option = format!("EXECUTE AS {}", p.next().shown());
            } else if option == "RETURNS" {
                while p.accept_any(&["NULL", "ON", "INPUT"]).is_some() {}
            } else if p.accept("=") {
                p.next();
            }
            Ok(option)
        })
    }

    fn view(&mut self, mode: CreateMode) -> Parsed<StatementKind> {
        let name = self.object_name()?;
        let columns = if self.is("(") { self.ident_list()? } else { Vec::new() };
        let options = self.module_options()?;
        self.expect_word("AS")?;
        let query = Box::new(self.query()?);
        let check_option = self.accept_words(&["WITH", "CHECK", "OPTION"]);
        self.module_end()?;
        let body = ModuleBody::View { columns, query, check_option };
        Ok(StatementKind::CreateModule(Box::new(CreateModule { mode, name, body, options })))
    }

    /// A module takes the whole batch.
    fn module_end(&mut self) -> Parsed<()> {
        while self.accept(";") {}
        if *self.peek() == Token::End { Ok(()) } else { Err(self.unexpected()) }
    }

    fn procedure(&mut self, mode: CreateMode) -> Parsed<StatementKind> {
        let name = self.object_name()?;
        if self.accept(";") {
            self.small_number()?;
        }
        let parenthesised = self.accept("(");
        let mut parameters = Vec::new();
        if matches!(self.peek(), Token::Variable(_)) {
            parameters = self.list(Self::parameter)?;
        }
        if parenthesised {
            self.expect(")")?;
        }
        let mut options = self.module_options()?;
        if self.accept_words(&["FOR", "REPLICATION"]) {
            options.push("FOR REPLICATION".to_owned());
        }
        self.expect_word("AS")?;
        if self.is_words(&["EXTERNAL", "NAME"]) {
            return Ok(self.recognised("CLR procedure"));
        }
        let body = self.body_until_end()?;
        let body = ModuleBody::Procedure { parameters, body };
        Ok(StatementKind::CreateModule(Box::new(CreateModule { mode, name, body, options })))
    }

    fn body_until_end(&mut self) -> Parsed<Vec<Statement>> {
        let mut out = Vec::new();
        loop {
            while self.accept(";") {}
            if *self.peek() == Token::End {
                return Ok(out);
            }
            out.push(self.statement()?);
        }
    }

    pub(super) fn parameter(&mut self) -> Parsed<Parameter> {
        let name = self.variable()?;
        self.accept_word("AS");
        let data_type = if self.is_word("CURSOR") {
            self.refuse("CURSOR parameter");
            let name = crate::ast::ObjectName { parts: vec![self.any_word()?] };
            DataType { name, args: Vec::new(), max: false }
        } else {
            self.data_type()?
        };
        self.accept_word("VARYING");
        if !self.accept_words(&["NOT", "NULL"]) {
            self.accept_word("NULL");
        }
        let default = if self.accept("=") {
            // A bare word is a string here too.
            Some(if self.is_ident_at(0) {
                let value = self.ident()?.value;
                crate::ast::Expr::Literal(crate::ast::Literal::String { value, national: false })
            } else {
                self.expr()?
            })
        } else {
            None
        };
        let output = self.accept_any(&["OUTPUT", "OUT"]).is_some();
        if self.accept_word("READONLY") {
            self.refuse("table-valued parameter");
        }
        Ok(Parameter { name, data_type, default, output })
    }

    fn function(&mut self, mode: CreateMode) -> Parsed<StatementKind> {
        let name = self.object_name()?;
        self.expect("(")?;
        let parameters =
            if matches!(self.peek(), Token::Variable(_)) { self.list(Self::parameter)? } else { Vec::new() };
        self.expect(")")?;
        self.expect_word("RETURNS")?;
        let make = |body, options| {
            Ok(StatementKind::CreateModule(Box::new(CreateModule {
                mode,
                name: name.clone(),
                body,
                options,
            })))
        };
        if matches!(self.peek(), Token::Variable(_)) {
            self.at = self.tokens.len().saturating_sub(1);
            return make(
                ModuleBody::Unsupported("multi-statement table-valued function".to_owned()),
                Vec::new(),
            );
        }
        if self.accept_word("TABLE") {
            let options = self.module_options()?;
            self.accept_word("AS");
            self.expect_word("RETURN")?;
            let query = Box::new(self.query()?);
            self.module_end()?;
            return make(ModuleBody::InlineFunction { parameters, query }, options);
        }
        let returns: DataType = self.data_type()?;
        let options = self.module_options()?;
        self.accept_word("AS");
        let body = self.body_until_end()?;
        make(ModuleBody::ScalarFunction { parameters, returns, body }, options)
    }
}
