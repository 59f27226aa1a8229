//! The parser: tokens in, tree out.

mod control;
mod dml;
mod expr;
mod hadr;
mod module;
mod names;
mod query;
mod security;
mod server;
mod set;
mod statement;
mod table;

use crate::ParseError;
use crate::ast::{Batch, DataType, Expr, Parameter, Pos};
use crate::keywords::is_reserved;
use crate::lexer::{Spanned, Token, tokenize};

/// What the text's meaning depends on.
#[derive(Debug, Clone, Copy)]
pub struct ParseOptions {
    /// `"x"` is an identifier rather than a string.
    pub quoted_identifier: bool,
}

impl Default for ParseOptions {
    fn default() -> ParseOptions {
        ParseOptions { quoted_identifier: true }
    }
}

/// Parses a batch.
///
/// # Errors
/// The first syntax error, with SQL Server's number and line.
pub fn parse_batch(text: &str, options: &ParseOptions) -> Result<Batch, ParseError> {
    let mut parser = Parser::new(text, options)?;
    Ok(Batch { statements: parser.statements_until_end()? })
}

/// Parses one expression or condition, as constraints and defaults keep them.
pub fn parse_expression(text: &str, options: &ParseOptions) -> Result<Expr, ParseError> {
    let mut parser = Parser::new(text, options)?;
    let expr = parser.condition()?;
    parser.expect_end()?;
    Ok(expr)
}

/// Parses a data type.
pub fn parse_data_type(text: &str) -> Result<DataType, ParseError> {
    let mut parser = Parser::new(text, &ParseOptions::default())?;
    let data_type = parser.data_type()?;
    parser.expect_end()?;
    Ok(data_type)
}

/// Parses the parameter declarations of `sp_executesql`: `@a int, @b nvarchar(max) OUTPUT`.
pub fn parse_parameters(text: &str) -> Result<Vec<Parameter>, ParseError> {
    let mut parser = Parser::new(text, &ParseOptions::default())?;
    let mut out = Vec::new();
    if *parser.peek() == Token::End {
        return Ok(out);
    }
    loop {
        out.push(parser.parameter()?);
        if !parser.accept(",") {
            break;
        }
    }
    parser.expect_end()?;
    Ok(out)
}

/// Deeper nesting than this is refused with 191 before it can exhaust the stack.
const DEPTH_MAX: u32 = 120;

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Spanned>,
    at: usize,
    depth: u32,
    /// A clause of the statement being read that the engine does not carry out: the statement is refused by its name.
    refused: Option<String>,
}

type Parsed<T> = Result<T, ParseError>;

impl<'a> Parser<'a> {
    fn new(text: &'a str, options: &ParseOptions) -> Parsed<Parser<'a>> {
        Ok(Parser {
            text,
            tokens: tokenize(text, options.quoted_identifier)?,
            at: 0,
            depth: 0,
            refused: None,
        })
    }

    fn peek(&self) -> &Token {
        self.ahead(0)
    }

    fn ahead(&self, n: usize) -> &Token {
        self.tokens.get(self.at + n).map_or(&Token::End, |t| &t.token)
    }

    fn pos(&self) -> Pos {
        self.tokens.get(self.at).map_or_else(Pos::default, |t| Pos { offset: t.start, line: t.line })
    }

    /// Byte offset behind the last token taken.
    fn end_offset(&self) -> u32 {
        self.at.checked_sub(1).and_then(|at| self.tokens.get(at)).map_or(0, |t| t.end)
    }

    fn next(&mut self) -> Token {
        let token = self.peek().clone();
        if token != Token::End {
            self.at += 1;
        }
        token
    }

    /// The text between two byte offsets.
    fn source(&self, start: u32, end: u32) -> String {
        self.text.get(start as usize..end as usize).unwrap_or("").trim().to_owned()
    }

    fn is_word_at(&self, n: usize, word: &str) -> bool {
        matches!(self.ahead(n), Token::Word(w) if w.eq_ignore_ascii_case(word))
    }

    fn is_word(&self, word: &str) -> bool {
        self.is_word_at(0, word)
    }

    /// Whether these words come next.
    fn is_words(&self, words: &[&str]) -> bool {
        words.iter().enumerate().all(|(n, word)| self.is_word_at(n, word))
    }

    fn accept_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        if found {
            self.at += 1;
        }
        found
    }

    fn accept_words(&mut self, words: &[&str]) -> bool {
        let found = self.is_words(words);
        if found {
            self.at += words.len();
        }
        found
    }

    /// Takes one of the words, in the spelling of `words`.
    fn accept_any<'w>(&mut self, words: &[&'w str]) -> Option<&'w str> {
        let found = words.iter().find(|w| self.is_word(w)).copied();
        if found.is_some() {
            self.at += 1;
        }
        found
    }

    fn expect_word(&mut self, word: &str) -> Parsed<()> {
        if self.accept_word(word) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn is_at(&self, n: usize, symbol: &str) -> bool {
        matches!(self.ahead(n), Token::Symbol(s) if *s == symbol)
    }

    fn is(&self, symbol: &str) -> bool {
        self.is_at(0, symbol)
    }

    fn accept(&mut self, symbol: &str) -> bool {
        let found = self.is(symbol);
        if found {
            self.at += 1;
        }
        found
    }

    fn expect(&mut self, symbol: &str) -> Parsed<()> {
        if self.accept(symbol) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn expect_end(&mut self) -> Parsed<()> {
        while self.accept(";") {}
        if *self.peek() == Token::End { Ok(()) } else { Err(self.unexpected()) }
    }

    /// Notes a clause that the engine does not carry out.
    fn refuse(&mut self, what: &str) {
        self.refused.get_or_insert_with(|| what.to_owned());
    }

    /// The error for the token that stands here.
    fn unexpected(&self) -> ParseError {
        let at = if *self.peek() == Token::End { self.at.saturating_sub(1) } else { self.at };
        let line = self.tokens.get(at).map_or(1, |t| t.line);
        let token = self.tokens.get(at).map_or(&Token::End, |t| &t.token);
        match token {
            Token::Word(w) if is_reserved(w) => {
                ParseError::new(156, 15, 1, line, format!("Incorrect syntax near the keyword '{w}'."))
            }
            other => ParseError::new(102, 15, 1, line, format!("Incorrect syntax near '{}'.", other.shown())),
        }
    }

    /// Runs `work` one level deeper.
    fn deeper<T>(&mut self, work: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= DEPTH_MAX {
            let text = "Some part of your SQL statement is nested too deeply. Rewrite the query or break it up into smaller queries.";
            return Err(ParseError::new(191, 15, 1, self.pos().line, text.to_owned()));
        }
        self.depth += 1;
        let done = work(self);
        self.depth -= 1;
        done
    }

    /// `item (, item)*`
    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        let mut out = vec![item(self)?];
        while self.accept(",") {
            out.push(item(self)?);
        }
        Ok(out)
    }

    /// `( item (, item)* )`
    fn parenthesised<T>(&mut self, item: impl FnMut(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        self.expect("(")?;
        let out = self.list(item)?;
        self.expect(")")?;
        Ok(out)
    }
}
