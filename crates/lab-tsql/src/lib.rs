//! T-SQL: from text to a syntax tree. No I/O.
//!
//! A batch goes through the lexer, which knows comments, quoting and line numbers, and a recursive-descent parser, one
//! file for each family of statements. Semicolons are optional in T-SQL, so where a statement ends is decided by what may
//! follow: the parser never looks for separators.
//!
//! What SQL Server has and the engine does not carry out is still recognised and becomes
//! [`ast::StatementKind::Unsupported`], so that it is refused by its name instead of as a syntax error.

pub mod ast;
mod error;
mod keywords;
mod lexer;
mod mentions;
mod parser;
mod printer;

pub use error::ParseError;
pub use mentions::mentioned_names;
pub use parser::{ParseOptions, parse_batch, parse_data_type, parse_expression, parse_parameters};
pub use printer::{print_definition, print_statement};

#[cfg(test)]
mod tests;
