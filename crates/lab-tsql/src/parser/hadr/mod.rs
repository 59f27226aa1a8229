//! Master keys, certificates, endpoints, availability groups.

mod availability;
mod endpoint;
mod keys;
mod replica;

use super::{Parsed, Parser};
use crate::ast::{Ident, StatementKind, Written};
use crate::lexer::Token;

impl Parser<'_> {
    /// Whether the object of CREATE, ALTER, DROP, OPEN or CLOSE belongs here.
    pub(super) fn is_hadr_object(&self) -> bool {
        self.is_words(&["MASTER", "KEY"])
            || self.is_word("CERTIFICATE")
            || self.is_word("ENDPOINT")
            || self.is_words(&["AVAILABILITY", "GROUP"])
    }

    /// What follows CREATE, ALTER, DROP, OPEN or CLOSE.
    pub(super) fn hadr_statement(&mut self, verb: &str) -> Parsed<StatementKind> {
        if self.accept_words(&["MASTER", "KEY"]) {
            return self.master_key(verb);
        }
        if self.is_word("CERTIFICATE") {
            return self.certificate(verb);
        }
        if self.accept_word("ENDPOINT") {
            return self.endpoint(verb);
        }
        if self.accept_words(&["AVAILABILITY", "GROUP"]) {
            return self.availability_group(verb);
        }
        Err(self.unexpected())
    }

    /// `= 'text'`; these statements take no variables.
    fn equals_text(&mut self) -> Parsed<String> {
        self.expect("=")?;
        self.text()
    }

    fn text(&mut self) -> Parsed<String> {
        if let Token::String { value, .. } = self.peek() {
            let value = value.clone();
            self.at += 1;
            return Ok(value);
        }
        Err(self.unexpected())
    }

    /// `= number`
    fn equals_number(&mut self) -> Parsed<u32> {
        self.expect("=")?;
        self.small_number()
    }

    /// `= WORD`, one of a set.
    fn equals_word<T: Copy>(&mut self, all: &[T], word: fn(T) -> &'static str) -> Parsed<T> {
        self.expect("=")?;
        self.one_of(all, word)
    }

    fn one_of<T: Copy>(&mut self, all: &[T], word: fn(T) -> &'static str) -> Parsed<T> {
        self.maybe_one_of(all, word).ok_or_else(|| self.unexpected())
    }

    fn maybe_one_of<T: Copy>(&mut self, all: &[T], word: fn(T) -> &'static str) -> Option<T> {
        let found = all.iter().copied().find(|value| self.is_word(word(*value)));
        if found.is_some() {
            self.at += 1;
        }
        found
    }

    /// An option's name and what `value` reads behind it; `None` from `value` is an option that does not belong here.
    fn written<T>(&mut self, value: impl FnOnce(&mut Self, &str) -> Parsed<Option<T>>) -> Parsed<Written<T>> {
        let at = self.at;
        let spelling: Ident = self.any_word()?;
        match value(self, &spelling.value.to_ascii_uppercase())? {
            Some(value) => Ok(Written { spelling, value }),
            None => {
                self.at = at;
                Err(self.unexpected())
            }
        }
    }
}
