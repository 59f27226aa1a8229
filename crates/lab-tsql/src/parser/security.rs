//! Logins, users, roles, permissions, schemas, databases.

use super::{Parsed, Parser};
use crate::ast::{AlterDatabase, Expr, Ident, Literal, StatementKind};
use crate::lexer::Token;

impl Parser<'_> {
    pub(super) fn create_schema(&mut self) -> Parsed<StatementKind> {
        self.at += 1;
        let (name, owner) = if self.accept_word("AUTHORIZATION") {
            let name = self.ident()?;
            (name.clone(), Some(name))
        } else {
            let name = self.ident()?;
            let owner = if self.accept_word("AUTHORIZATION") { Some(self.ident()?) } else { None };
            (name, owner)
        };
        // What follows directly belongs to the schema: run on its own it would go into another one.
        if ["CREATE", "GRANT", "REVOKE", "DENY"].iter().any(|word| self.is_word(word)) {
            self.at = self.tokens.len().saturating_sub(1);
            self.refuse("CREATE SCHEMA with elements");
        }
        Ok(StatementKind::CreateSchema { name, owner })
    }

    pub(super) fn transfer_schema(&mut self) -> Parsed<StatementKind> {
        self.at += 1;
        let schema = self.ident()?;
        self.expect_word("TRANSFER")?;
        if let Some(class) = self.securable_class()
            && class != "OBJECT"
        {
            self.refuse(&format!("ALTER SCHEMA TRANSFER {class}"));
        }
        Ok(StatementKind::TransferSchema(schema, self.object_name()?))
    }

    /// `OBJECT::`, `SCHEMA::` in front of a name.
    fn securable_class(&mut self) -> Option<String> {
        let Token::Word(word) = self.peek().clone() else { return None };
        if !self.is_at(1, "::") {
            return None;
        }
        self.at += 2;
        Some(word.to_ascii_uppercase())
    }

    pub(super) fn authorization(&mut self) -> Parsed<StatementKind> {
        self.at += 1;
        self.expect_word("ON")?;
        let class = self.securable_class().unwrap_or_else(|| "OBJECT".to_owned());
        if class != "DATABASE" && class != "SCHEMA" {
            return Ok(self.recognised(&format!("ALTER AUTHORIZATION ON {class}")));
        }
        let name = self.ident()?;
        self.expect_word("TO")?;
        if self.is_words(&["SCHEMA", "OWNER"]) {
            return Ok(self.recognised("ALTER AUTHORIZATION TO SCHEMA OWNER"));
        }
        let owner = self.ident()?;
        Ok(StatementKind::Authorization { database: class == "DATABASE", name, owner })
    }

    pub(super) fn create_database(&mut self) -> Parsed<StatementKind> {
        self.at += 1;
        let name = self.ident()?;
        if self.accept_word("CONTAINMENT") {
            self.expect("=")?;
            self.any_word()?;
        }
        let mut collation = None;
        let mut files = false;
        // Where files lie is the store's business: ON and LOG ON are read and left at that.
        loop {
            if self.is_words(&["LOG", "ON"]) {
                self.at += 2;
            } else if self.is_word("ON") {
                self.at += 1;
                self.accept_word("PRIMARY");
            } else if self.is("(") {
                files = true;
                self.skip_parentheses()?;
            } else if self.is(",") || self.accept_words(&["FILEGROUP"]) {
                self.at += 1;
            } else if self.accept_word("COLLATE") {
                collation = Some(self.any_word()?);
            } else if self.is_words(&["FOR", "ATTACH"])
                || self.is_words(&["AS", "SNAPSHOT"])
                || self.is_words(&["AS", "COPY"])
            {
                return Ok(self.recognised("CREATE DATABASE FOR ATTACH / AS SNAPSHOT"));
            } else if self.accept_word("WITH") {
                self.list(|p| {
                    p.any_word()?;
                    p.accept("=");
                    if !p.is(",") && *p.peek() != Token::End && !p.is(";") {
                        p.next();
                    }
                    Ok(())
                })?;
            } else {
                return Ok(StatementKind::CreateDatabase { name, collation, files });
            }
        }
    }

    pub(super) fn alter_database(&mut self) -> Parsed<StatementKind> {
        self.at += 1;
        if self.accept_word("SCOPED") {
            if !self.accept_word("CONFIGURATION") {
                return Ok(self.recognised("ALTER DATABASE SCOPED CREDENTIAL"));
            }
            self.accept_words(&["FOR", "SECONDARY"]);
            if self.accept_any(&["SET", "CLEAR"]).is_none() {
                return Err(self.unexpected());
            }
            let name = self.any_word()?.value.to_ascii_uppercase();
            if self.accept("=") {
                self.accept("-");
                self.next();
            } else if matches!(self.peek(), Token::Binary(_)) {
                self.at += 1;
            }
            let what = format!("SCOPED CONFIGURATION {name}");
            return Ok(StatementKind::AlterDatabase(None, AlterDatabase::Other(what)));
        }
        let name = if self.accept_word("CURRENT") { None } else { Some(self.ident()?) };
        if self.accept_word("COLLATE") {
            return Ok(StatementKind::AlterDatabase(name, AlterDatabase::Collate(self.any_word()?)));
        }
        if self.accept_words(&["MODIFY", "NAME"]) {
            self.expect("=")?;
            return Ok(StatementKind::AlterDatabase(name, AlterDatabase::Rename(self.ident()?)));
        }
        if !self.accept_word("SET") {
            let what = format!("{} {}", self.peek().shown(), self.ahead(1).shown()).to_ascii_uppercase();
            self.recognised(&what);
            return Ok(StatementKind::AlterDatabase(name, AlterDatabase::Other(what)));
        }
        if self.accept_word("HADR") {
            return Ok(StatementKind::SetHadr(name, self.set_hadr()?));
        }
        if let Some(word) = self.accept_any(&["PARTNER", "WITNESS"]) {
            while *self.peek() != Token::End && !self.is(";") && !self.begins_statement() {
                self.at += 1;
            }
            return Ok(StatementKind::AlterDatabase(name, AlterDatabase::Other(format!("SET {word}"))));
        }
        let options = self.list(Self::database_option)?;
        if self.accept_word("WITH") {
            // ROLLBACK IMMEDIATE, ROLLBACK AFTER n SECONDS, NO_WAIT
            while matches!(self.peek(), Token::Word(w) if ["ROLLBACK", "IMMEDIATE", "AFTER", "SECONDS", "NO_WAIT"].iter().any(|k| w.eq_ignore_ascii_case(k)))
                || matches!(self.peek(), Token::Int(_))
            {
                self.at += 1;
            }
        }
        Ok(StatementKind::AlterDatabase(name, AlterDatabase::Set(options)))
    }

    fn database_option(&mut self) -> Parsed<(String, String)> {
        let name = self.any_word()?.value.to_ascii_uppercase();
        if matches!(
            name.as_str(),
            "SINGLE_USER"
                | "MULTI_USER"
                | "RESTRICTED_USER"
                | "ONLINE"
                | "OFFLINE"
                | "EMERGENCY"
                | "READ_ONLY"
                | "READ_WRITE"
                | "ENABLE_BROKER"
                | "DISABLE_BROKER"
                | "NEW_BROKER"
                | "ERROR_BROKER_CONVERSATIONS"
        ) {
            return Ok((name, "ON".to_owned()));
        }
        self.accept("=");
        let mut value = self.next().shown().to_ascii_uppercase();
        if self.is("(") {
            self.skip_parentheses()?;
        }
        if let Some(unit) = self.accept_any(&["MINUTES", "SECONDS"]) {
            value = format!("{value} {unit}");
        }
        Ok((name, value))
    }

    pub(super) fn login(&mut self, create: bool) -> Parsed<StatementKind> {
        self.at += 1;
        let name = self.ident()?;
        let mut options = Vec::new();
        if let Some(word) = self.accept_any(&["ENABLE", "DISABLE"]) {
            options.push((word.to_owned(), None));
        } else if self.accept_word("FROM") {
            let source = self.any_word()?.value;
            self.recognised("CREATE LOGIN FROM");
            return Ok(StatementKind::Unsupported(format!(
                "CREATE LOGIN FROM {}",
                source.to_ascii_uppercase()
            )));
        } else if self.accept_word("WITH") {
            options = self.principal_options()?;
        } else if !create {
            return Ok(self.recognised("ALTER LOGIN"));
        }
        Ok(StatementKind::Login { create, name, options })
    }

    fn principal_options(&mut self) -> Parsed<Vec<(String, Option<Expr>)>> {
        let mut out = Vec::new();
        loop {
            let option = self.any_word()?.value.to_ascii_uppercase();
            self.expect("=")?;
            let value = self.option_word_or_value()?;
            out.push((option, Some(value)));
            // PASSWORD = 'x' HASHED MUST_CHANGE UNLOCK, OLD_PASSWORD = 'y'
            while let Some(flag) = self.accept_any(&["HASHED", "MUST_CHANGE", "UNLOCK"]) {
                out.push((flag.to_owned(), None));
            }
            if self.is_word("OLD_PASSWORD") {
                continue;
            }
            if !self.accept(",") {
                return Ok(out);
            }
        }
    }

    fn option_word_or_value(&mut self) -> Parsed<Expr> {
        if let Token::Word(value) | Token::Quoted(value) = self.peek().clone() {
            self.at += 1;
            return Ok(Expr::Literal(Literal::String { value, national: true }));
        }
        self.expr()
    }

    pub(super) fn user(&mut self, create: bool) -> Parsed<StatementKind> {
        self.at += 1;
        let name = self.ident()?;
        let mut login = None;
        let mut without_login = false;
        if self.accept_any(&["FOR", "FROM"]).is_some() {
            if !self.accept_word("LOGIN") {
                return Ok(self.recognised("CREATE USER FROM EXTERNAL/CERTIFICATE"));
            }
            login = Some(self.ident()?);
        } else if self.accept_words(&["WITHOUT", "LOGIN"]) {
            without_login = true;
        }
        let options: Vec<(String, Option<Expr>)> =
            if self.accept_word("WITH") { self.principal_options()? } else { Vec::new() };
        Ok(StatementKind::User { create, name, login, without_login, options })
    }

    pub(super) fn create_role(&mut self) -> Parsed<StatementKind> {
        self.at += 1;
        let name = self.ident()?;
        if self.accept_word("AUTHORIZATION") {
            self.ident()?;
        }
        Ok(StatementKind::CreateRole(name))
    }

    pub(super) fn role_member(&mut self) -> Parsed<StatementKind> {
        let server = self.accept_word("SERVER");
        if !self.accept_word("ROLE") {
            return Ok(self.recognised_after(2, "ALTER SERVER CONFIGURATION"));
        }
        let role = self.any_word()?;
        let add = match self.accept_any(&["ADD", "DROP"]) {
            Some(word) => word == "ADD",
            None => {
                self.expect_word("WITH")?;
                self.expect_word("NAME")?;
                self.expect("=")?;
                let name = self.ident()?;
                if server {
                    self.refuse("ALTER SERVER ROLE WITH NAME");
                }
                return Ok(StatementKind::RenameRole(role, name));
            }
        };
        self.expect_word("MEMBER")?;
        let member: Ident = self.ident()?;
        Ok(StatementKind::RoleMember { server, role, add, member })
    }

    pub(super) fn permission(&mut self) -> Parsed<StatementKind> {
        if let Some(connect) = self.endpoint_permission()? {
            return Ok(connect);
        }
        let start = self.pos().offset;
        self.at += 1;
        while *self.peek() != Token::End && !self.is(";") {
            // Permissions are named by words that also begin statements: GRANT SELECT, INSERT ON ...
            let clause = matches!(
                self.tokens.get(self.at - 1).map(|t| &t.token),
                Some(Token::Symbol(",") | Token::Word(_))
            ) && self.is_permission_word();
            if self.begins_statement() && !clause {
                break;
            }
            self.at += 1;
        }
        Ok(StatementKind::Permission(self.source(start, self.end_offset())))
    }

    fn is_permission_word(&self) -> bool {
        let previous = self.at.checked_sub(1).and_then(|at| self.tokens.get(at)).map(|t| &t.token);
        matches!(previous, Some(Token::Symbol(",")))
            || matches!(previous, Some(Token::Word(w)) if
            ["GRANT", "DENY", "REVOKE", "FOR", "ANY"].iter().any(|k| w.eq_ignore_ascii_case(k)))
    }
}
