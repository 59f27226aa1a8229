//! Which statement begins here, and where it ends.

use super::{Parsed, Parser};
use crate::ParseError;
use crate::ast::{EndOffset, Execute, Statement, StatementKind};
use crate::lexer::Token;

/// Words that can only begin a statement: an alias without AS never takes them.
const STATEMENT_WORDS: &[&str] = &[
    "SELECT",
    "INSERT",
    "UPDATE",
    "DELETE",
    "MERGE",
    "TRUNCATE",
    "CREATE",
    "ALTER",
    "DROP",
    "DECLARE",
    "SET",
    "IF",
    "WHILE",
    "BEGIN",
    "END",
    "ELSE",
    "BREAK",
    "CONTINUE",
    "RETURN",
    "GOTO",
    "WAITFOR",
    "PRINT",
    "RAISERROR",
    "EXEC",
    "EXECUTE",
    "COMMIT",
    "ROLLBACK",
    "SAVE",
    "USE",
    "GRANT",
    "DENY",
    "REVOKE",
    "BACKUP",
    "RESTORE",
    "CHECKPOINT",
    "KILL",
    "DBCC",
    "RECONFIGURE",
    "SHUTDOWN",
    "OPEN",
    "CLOSE",
    "FETCH",
    "DEALLOCATE",
];

impl Parser<'_> {
    pub(super) fn begins_statement(&self) -> bool {
        match self.peek() {
            // THROW is no reserved word; `SELECT 1 THROW` would be an alias in SQL Server too.
            Token::Word(w) => STATEMENT_WORDS.iter().any(|s| w.eq_ignore_ascii_case(s)),
            _ => false,
        }
    }

    pub(super) fn statements_until_end(&mut self) -> Parsed<Vec<Statement>> {
        let mut out = Vec::new();
        loop {
            while self.accept(";") {}
            if *self.peek() == Token::End {
                return Ok(out);
            }
            let first = out.is_empty();
            if first && self.is_bare_procedure_call() {
                out.push(self.bare_procedure_call()?);
                continue;
            }
            out.push(self.statement()?);
        }
    }

    /// Statements up to END, which stays.
    pub(super) fn statements_until(&mut self, end: &str) -> Parsed<Vec<Statement>> {
        let mut out = Vec::new();
        loop {
            while self.accept(";") {}
            if self.is_word(end) && !self.is_word_at(1, "CONVERSATION") || *self.peek() == Token::End {
                return Ok(out);
            }
            out.push(self.statement()?);
        }
    }

    /// The first statement of a batch may call a procedure without EXEC.
    fn is_bare_procedure_call(&self) -> bool {
        let label = self.is_at(1, ":");
        let throw = self.is_word("THROW") || self.is_other_statement();
        self.is_ident_at(0) && !label && !throw && !self.begins_statement() && !(self.is_word("WITH"))
            || self.is(".")
    }

    fn bare_procedure_call(&mut self) -> Parsed<Statement> {
        let pos = self.pos();
        let name = self.object_name()?;
        let args = self.execute_arguments()?;
        let kind = StatementKind::Execute(Execute::Procedure { return_variable: None, name, args });
        Ok(Statement { kind, pos, end: EndOffset(self.end_offset()) })
    }

    pub(super) fn statement(&mut self) -> Parsed<Statement> {
        self.deeper(|p| {
            let pos = p.pos();
            // What is refused inside of a module's body is the body's statement, not the module.
            let outer = p.refused.take();
            let kind = p.statement_kind()?;
            let kind = p.refused.take().map_or(kind, StatementKind::Unsupported);
            p.refused = outer;
            let end = EndOffset(p.end_offset());
            p.accept(";");
            Ok(Statement { kind, pos, end })
        })
    }

    fn statement_kind(&mut self) -> Parsed<StatementKind> {
        let Token::Word(word) = self.peek().clone() else {
            if self.is("(") && self.starts_query() {
                return Ok(StatementKind::Query(Box::new(self.query()?)));
            }
            return Err(self.unexpected());
        };
        match word.to_ascii_uppercase().as_str() {
            "SELECT" => Ok(StatementKind::Query(Box::new(self.query()?))),
            "WITH" => self.with_statement(),
            "INSERT" => self.insert(Vec::new()),
            "UPDATE" if self.is_word_at(1, "STATISTICS") => Ok(self.recognised("UPDATE STATISTICS")),
            "UPDATE" => self.update(Vec::new()),
            "DELETE" => self.delete(Vec::new()),
            "MERGE" => Ok(self.recognised("MERGE")),
            "TRUNCATE" => self.truncate(),
            "BULK" => Ok(self.recognised_after(2, "BULK INSERT")),
            "CREATE" => self.create(),
            "ALTER" => self.alter(),
            "DROP" => self.drop_statement(),
            "DECLARE" => self.declare(),
            "SET" => self.set(),
            "IF" | "WHILE" | "BEGIN" | "BREAK" | "CONTINUE" | "RETURN" | "GOTO" | "WAITFOR" | "PRINT"
            | "RAISERROR" | "THROW" => self.control(&word),
            "EXEC" | "EXECUTE" => self.execute(),
            "COMMIT" | "ROLLBACK" | "SAVE" => self.transaction_end(),
            "USE" => {
                self.at += 1;
                Ok(StatementKind::Use(self.ident()?))
            }
            "GRANT" | "DENY" | "REVOKE" => self.permission(),
            "BACKUP" | "RESTORE" => self.backup_restore(),
            "CHECKPOINT" => {
                self.at += 1;
                if matches!(self.peek(), Token::Int(_)) {
                    self.at += 1;
                }
                Ok(StatementKind::Checkpoint)
            }
            "KILL" => {
                self.at += 1;
                if self.is_word("QUERY") || self.is_word("STATS") {
                    return Ok(self.recognised("KILL QUERY NOTIFICATION / STATS JOB"));
                }
                let id = self.expr()?;
                if self.accept_words(&["WITH", "STATUSONLY"]) {
                    return Ok(StatementKind::Unsupported("KILL WITH STATUSONLY".to_owned()));
                }
                Ok(StatementKind::Kill(id))
            }
            "DBCC" => self.dbcc(),
            "RECONFIGURE" => {
                self.at += 1;
                self.accept_words(&["WITH", "OVERRIDE"]);
                Ok(StatementKind::Reconfigure)
            }
            "SHUTDOWN" => {
                self.at += 1;
                self.accept_words(&["WITH", "NOWAIT"]);
                Ok(StatementKind::Shutdown)
            }
            "OPEN" | "CLOSE" if self.is_word_at(1, "MASTER") && self.is_word_at(2, "KEY") => {
                self.at += 1;
                self.hadr_statement(&word.to_ascii_uppercase())
            }
            "OPEN" | "CLOSE" | "FETCH" | "DEALLOCATE" => {
                let what = format!("{} cursor", word.to_ascii_uppercase());
                Ok(self.recognised(&what))
            }
            "REVERT" => Ok(self.recognised("REVERT")),
            "ADD" if self.is_words(&["ADD", "SIGNATURE"]) => Ok(self.recognised("ADD SIGNATURE")),
            "ADD" if self.is_word_at(1, "SENSITIVITY") => {
                Ok(self.recognised("ADD SENSITIVITY CLASSIFICATION"))
            }
            "READTEXT" | "WRITETEXT" | "UPDATETEXT" | "SETUSER" | "LINENO" | "DUMP" | "LOAD" => {
                let what = word.to_ascii_uppercase();
                Ok(self.recognised(&what))
            }
            "END" if self.is_word_at(1, "CONVERSATION") => Ok(self.recognised("END CONVERSATION")),
            _ if self.is_other_statement() => {
                let what = format!("{} {}", word, self.ahead(1).shown()).to_ascii_uppercase();
                Ok(self.recognised_after(2, &what))
            }
            _ if self.is_ident_at(0) && self.is_at(1, ":") => {
                let label = self.ident()?;
                self.at += 1;
                Ok(StatementKind::Label(label))
            }
            _ => Err(self.unexpected()),
        }
    }

    fn with_statement(&mut self) -> Parsed<StatementKind> {
        let line = self.pos().line;
        // A statement in front that was not ended by a semicolon would have taken WITH for its own.
        if self.at > 0 && !self.previous_is_boundary() {
            let text = "Incorrect syntax near the keyword 'with'. If this statement is a common table expression, an xmlnamespaces clause or a change tracking context clause, the previous statement must be terminated with a semicolon.";
            return Err(ParseError::new(319, 15, 1, line, text.to_owned()));
        }
        if self.is_word_at(1, "XMLNAMESPACES") {
            return Ok(self.recognised("WITH XMLNAMESPACES"));
        }
        let with = self.ctes()?;
        match self.peek().clone() {
            Token::Word(w) if w.eq_ignore_ascii_case("INSERT") => self.insert(with),
            Token::Word(w) if w.eq_ignore_ascii_case("UPDATE") => self.update(with),
            Token::Word(w) if w.eq_ignore_ascii_case("DELETE") => self.delete(with),
            Token::Word(w) if w.eq_ignore_ascii_case("MERGE") => Ok(self.recognised("MERGE")),
            _ => Ok(StatementKind::Query(Box::new(self.query_after_with(with)?))),
        }
    }

    fn previous_is_boundary(&self) -> bool {
        match self.at.checked_sub(1).and_then(|at| self.tokens.get(at)).map(|t| &t.token) {
            None | Some(Token::Symbol(";" | ":")) => true,
            Some(Token::Word(w)) => ["BEGIN", "ELSE", "TRY", "CATCH", "AS", "THEN", "RETURN"]
                .iter()
                .any(|b| w.eq_ignore_ascii_case(b)),
            _ => false,
        }
    }

    /// A statement that is recognised and not carried out; it reaches to the next semicolon or statement.
    pub(super) fn recognised(&mut self, what: &str) -> StatementKind {
        self.at += 1;
        while !self.is(";") && *self.peek() != Token::End {
            let starts = self.begins_statement() && !self.previous_takes_statement_word();
            if starts {
                break;
            }
            if self.is("(") && self.skip_parentheses().is_ok() {
                continue;
            }
            self.at += 1;
        }
        StatementKind::Unsupported(what.to_owned())
    }

    /// The same behind the first `n` tokens, which may be statement words themselves.
    pub(super) fn recognised_after(&mut self, n: usize, what: &str) -> StatementKind {
        self.at += n.saturating_sub(1);
        self.recognised(what)
    }

    /// Statements of Service Broker and of triggers, which begin with words that are no keywords.
    fn is_other_statement(&self) -> bool {
        [
            ["ENABLE", "TRIGGER"],
            ["DISABLE", "TRIGGER"],
            ["SEND", "ON"],
            ["GET", "CONVERSATION"],
            ["MOVE", "CONVERSATION"],
        ]
        .iter()
        .any(|words| self.is_words(words))
            || self.is_word("RECEIVE") && (self.is_at(1, "*") || self.is_word_at(1, "TOP"))
    }

    /// Inside statements that are only recognised, some statement words are clauses: `FOR SELECT`, `THEN UPDATE SET`.
    fn previous_takes_statement_word(&self) -> bool {
        let previous = self.at.checked_sub(1).and_then(|at| self.tokens.get(at)).map(|t| &t.token);
        matches!(previous, Some(Token::Word(w)) if ["FOR", "THEN", "AFTER", "OF", "ON", "AS", "UPDATE", "INSERT", "DELETE",
            "INSTEAD", "MERGE", "WITH", "TO", "ADD", "NOT"].iter().any(|k| w.eq_ignore_ascii_case(k)))
            || matches!(previous, Some(Token::Symbol("," | "=")))
    }
}
