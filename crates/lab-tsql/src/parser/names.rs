//! Identifiers, names and data types.

use super::{Parsed, Parser};
use crate::ast::{DataType, Ident, ObjectName};
use crate::keywords::is_reserved;
use crate::lexer::Token;

impl Parser<'_> {
    /// Whether an identifier can begin here.
    pub(super) fn is_ident_at(&self, n: usize) -> bool {
        match self.ahead(n) {
            Token::Quoted(_) => true,
            Token::Word(w) => !is_reserved(w),
            _ => false,
        }
    }

    pub(super) fn ident(&mut self) -> Parsed<Ident> {
        if !self.is_ident_at(0) {
            return Err(self.unexpected());
        }
        self.any_word()
    }

    /// An identifier, where a reserved word is allowed too because nothing else can stand there.
    pub(super) fn any_word(&mut self) -> Parsed<Ident> {
        let pos = self.pos();
        match self.peek() {
            Token::Word(value) | Token::Quoted(value) => {
                let value = value.clone();
                self.at += 1;
                Ok(Ident { value, pos })
            }
            _ => Err(self.unexpected()),
        }
    }

    /// An alias: an identifier, or a string as older code writes it.
    pub(super) fn alias(&mut self) -> Parsed<Ident> {
        let pos = self.pos();
        if let Token::String { value, .. } = self.peek() {
            let value = value.clone();
            self.at += 1;
            return Ok(Ident { value, pos });
        }
        self.ident()
    }

    /// `a`, `a.b`, `a..b`, `.a`, up to four parts.
    pub(super) fn object_name(&mut self) -> Parsed<ObjectName> {
        let mut parts = Vec::new();
        if self.is(".") {
            parts.push(Ident { value: String::new(), pos: self.pos() });
        } else {
            parts.push(self.ident()?);
        }
        while self.is(".") && parts.len() < 4 {
            self.at += 1;
            let pos = self.pos();
            if self.is(".") {
                parts.push(Ident { value: String::new(), pos });
            } else {
                parts.push(self.any_word()?);
            }
        }
        Ok(ObjectName { parts })
    }

    pub(super) fn ident_list(&mut self) -> Parsed<Vec<Ident>> {
        self.parenthesised(Self::ident)
    }

    pub(super) fn variable(&mut self) -> Parsed<String> {
        match self.peek() {
            Token::Variable(name) => {
                let name = name.clone();
                self.at += 1;
                Ok(name)
            }
            _ => Err(self.unexpected()),
        }
    }

    /// A data type; two-word spellings are brought to their one-word names.
    pub(super) fn data_type(&mut self) -> Parsed<DataType> {
        let pos = self.pos();
        let national = self.accept_word("NATIONAL");
        let mut name = if self.accept_word("DOUBLE") {
            self.expect_word("PRECISION")?;
            ObjectName { parts: vec![Ident { value: "float".to_owned(), pos }] }
        } else {
            self.object_name()?
        };
        let word = name.name().to_ascii_lowercase();
        if matches!(word.as_str(), "char" | "character" | "nchar" | "binary") {
            let varying = self.accept_word("VARYING");
            let prefix = if national || word == "nchar" { "n" } else { "" };
            let full = match (word.as_str(), varying) {
                ("binary", false) => "binary".to_owned(),
                ("binary", true) => "varbinary".to_owned(),
                (_, false) => format!("{prefix}char"),
                (_, true) => format!("{prefix}varchar"),
            };
            name = ObjectName { parts: vec![Ident { value: full, pos }] };
        } else if national && word == "text" {
            name = ObjectName { parts: vec![Ident { value: "ntext".to_owned(), pos }] };
        }
        let mut args = Vec::new();
        let mut max = false;
        if self.is("(") && matches!(self.ahead(1), Token::Int(_)) || self.is("(") && self.is_word_at(1, "MAX")
        {
            self.at += 1;
            if self.accept_word("MAX") {
                max = true;
            } else {
                args = self.list(Self::small_number)?;
            }
            self.expect(")")?;
        } else if self.is("(") && word == "xml" {
            // xml(schema collection): the schema is not kept.
            self.skip_parentheses()?;
        }
        Ok(DataType { name, args, max })
    }

    pub(super) fn small_number(&mut self) -> Parsed<u32> {
        let parsed = match self.peek() {
            Token::Int(digits) => digits.parse().ok(),
            _ => None,
        };
        let number = parsed.ok_or_else(|| self.unexpected())?;
        self.at += 1;
        Ok(number)
    }

    /// A whole number with an optional sign.
    pub(super) fn signed_number(&mut self) -> Parsed<i64> {
        let negative = self.accept("-");
        if !negative {
            self.accept("+");
        }
        let parsed = match self.peek() {
            Token::Int(digits) | Token::Decimal(digits) => digits.trim_end_matches(".0").parse::<i64>().ok(),
            _ => None,
        };
        let number = parsed.ok_or_else(|| self.unexpected())?;
        self.at += 1;
        Ok(if negative { -number } else { number })
    }

    /// Skips a parenthesised group whose content does not matter.
    pub(super) fn skip_parentheses(&mut self) -> Parsed<()> {
        self.expect("(")?;
        let mut depth = 1_u32;
        while depth > 0 {
            if *self.peek() == Token::End {
                return Err(self.unexpected());
            }
            if self.is("(") {
                depth += 1;
            } else if self.is(")") {
                depth -= 1;
            }
            self.at += 1;
        }
        Ok(())
    }
}
