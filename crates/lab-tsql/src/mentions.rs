//! The names that a text mentions.

use crate::ast::{Ident, ObjectName, Pos};
use crate::lexer::{Token, tokenize};

/// Every name of one or more parts in a text, in order, aliases and functions included.
///
/// Who depends on what is decided by names and not by offsets, and a text that cannot be read mentions nothing.
pub fn mentioned_names(text: &str) -> Vec<ObjectName> {
    let Ok(tokens) = tokenize(text, true) else { return Vec::new() };
    let mut out = Vec::new();
    let mut at = 0;
    let word = |at: usize| match tokens.get(at).map(|t| (&t.token, t.line, t.start)) {
        Some((Token::Word(w) | Token::Quoted(w), line, offset)) => {
            Some(Ident { value: w.clone(), pos: Pos { offset, line } })
        }
        _ => None,
    };
    let dot = |at: usize| matches!(tokens.get(at).map(|t| &t.token), Some(Token::Symbol(".")));
    while at < tokens.len() {
        let Some(first) = word(at) else {
            at += 1;
            continue;
        };
        let mut parts = vec![first];
        at += 1;
        while dot(at) && parts.len() < 4 {
            at += 1;
            match word(at) {
                Some(part) => {
                    parts.push(part);
                    at += 1;
                }
                None if dot(at) => parts.push(Ident { value: String::new(), pos: Pos::default() }),
                None => break,
            }
        }
        out.push(ObjectName { parts });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::mentioned_names;

    #[test]
    fn names_are_found_with_their_parts_and_not_inside_strings() {
        let names: Vec<String> = mentioned_names("[a b].c + d..e -- f\n + 'g' + h.[i]")
            .iter()
            .map(std::string::ToString::to_string)
            .collect();
        assert_eq!(names, ["a b.c", "d..e", "h.i"]);
    }
}
