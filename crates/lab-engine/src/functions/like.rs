//! LIKE with T-SQL's patterns.

use std::sync::Arc;

use rusqlite::functions::Context;
use rusqlite::{Connection, Result};

use super::operators::PURE;
use crate::error::SqlError;
use crate::types::Collation;

#[derive(Debug, Clone, PartialEq)]
enum Item {
    One(char),
    AnyOne,
    AnyRun,
    Set { negated: bool, ranges: Vec<(char, char)> },
}

/// A compiled pattern.
pub(super) struct Pattern {
    items: Vec<Item>,
    collation: Collation,
    /// Blanks at the end of the text count, as they do in Unicode text.
    exact: bool,
}

impl Pattern {
    pub(super) fn new(pattern: &str, escape: Option<char>, collation: Collation, exact: bool) -> Pattern {
        let mut items = Vec::new();
        let mut chars = pattern.chars().peekable();
        while let Some(c) = chars.next() {
            if Some(c) == escape {
                if let Some(next) = chars.next() {
                    items.push(Item::One(collation.fold(next)));
                }
                continue;
            }
            match c {
                '%' if items.last() == Some(&Item::AnyRun) => {}
                '%' => items.push(Item::AnyRun),
                '_' => items.push(Item::AnyOne),
                '[' => {
                    let negated = chars.next_if_eq(&'^').is_some();
                    let mut members = Vec::new();
                    let mut closed = false;
                    while let Some(m) = chars.next() {
                        if m == ']' {
                            closed = true;
                            break;
                        }
                        members.push(if Some(m) == escape { chars.next().unwrap_or(m) } else { m });
                    }
                    // A set that nothing closes matches nothing.
                    let ranges = if closed { ranges(&members, collation) } else { Vec::new() };
                    items.push(Item::Set { negated: negated && closed, ranges });
                }
                other => items.push(Item::One(collation.fold(other))),
            }
        }
        Pattern { items, collation, exact }
    }

    /// Whether the whole text matches. Blanks at the end of varchar text may be left over, as SQL Server allows.
    pub(super) fn matches(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().map(|c| self.collation.fold(c)).collect();
        self.walk(&text, self.end_of(&text))
    }

    /// Where the text may end for the pattern.
    fn end_of(&self, text: &[char]) -> usize {
        if self.exact { text.len() } else { text.iter().rposition(|c| *c != ' ').map_or(0, |at| at + 1) }
    }

    /// Greedy matching with one point to come back to: linear in pattern times text.
    fn walk(&self, text: &[char], end: usize) -> bool {
        let (mut t, mut p) = (0, 0);
        let mut back: Option<(usize, usize)> = None;
        loop {
            if p == self.items.len() && t >= end {
                return true;
            }
            let step = match (self.items.get(p), text.get(t)) {
                (Some(Item::AnyRun), _) => {
                    back = Some((p + 1, t));
                    p += 1;
                    continue;
                }
                (Some(item), Some(c)) => Pattern::fits(item, *c),
                _ => false,
            };
            if step {
                p += 1;
                t += 1;
                continue;
            }
            match back {
                Some((bp, bt)) if bt < text.len() => {
                    back = Some((bp, bt + 1));
                    p = bp;
                    t = bt + 1;
                }
                _ => return false,
            }
        }
    }

    fn fits(item: &Item, c: char) -> bool {
        match item {
            Item::One(wanted) => *wanted == c,
            Item::AnyOne | Item::AnyRun => true,
            Item::Set { negated, ranges } => {
                ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) != *negated
            }
        }
    }

    /// The first position (from 0) at which the pattern without its outer `%` matches, for PATINDEX.
    pub(super) fn find(&self, text: &str) -> Option<usize> {
        let text: Vec<char> = text.chars().map(|c| self.collation.fold(c)).collect();
        let leading = self.items.first() == Some(&Item::AnyRun);
        let items = self.items.get(usize::from(leading)..).unwrap_or_default().to_vec();
        let inner = Pattern { items, collation: self.collation, exact: self.exact };
        let last = if leading { text.len() } else { 0 };
        (0..=last).find(|at| {
            let rest = text.get(*at..).unwrap_or_default();
            inner.walk(rest, inner.end_of(rest))
        })
    }
}

fn ranges(members: &[char], collation: Collation) -> Vec<(char, char)> {
    let mut out = Vec::new();
    let mut n = 0;
    while let Some(low) = members.get(n) {
        let high = if members.get(n + 1) == Some(&'-') { members.get(n + 2) } else { None };
        out.push((collation.fold(*low), collation.fold(*high.unwrap_or(low))));
        n += if high.is_some() { 3 } else { 1 };
    }
    out
}

/// The pattern of a call: compiled once where SQLite sees that it stays the same from row to row.
fn compiled(
    c: &Context<'_>,
    pattern: usize,
    escape: Option<usize>,
    collation: usize,
    exact: usize,
) -> Result<Arc<Pattern>> {
    let escape: Option<String> = match escape {
        Some(n) => c.get(n)?,
        None => None,
    };
    if let Some(escape) = escape.as_deref().filter(|e| e.chars().count() != 1) {
        let text = format!("The invalid escape character \"{escape}\" was specified in a LIKE predicate.");
        return Err(SqlError::new(506, 16, 1, text).to_carrier());
    }
    let escape = escape.and_then(|e| e.chars().next());
    let collation = Collation::by_name(&c.get::<String>(collation)?).unwrap_or_default();
    let exact: bool = c.get(exact)?;
    let pattern_index = i32::try_from(pattern).unwrap_or(0);
    if let Some(known) = c.get_aux::<Pattern>(pattern_index)? {
        return Ok(known);
    }
    let text: String = c.get(pattern)?;
    c.set_aux(pattern_index, Pattern::new(&text, escape, collation, exact))
}

pub(super) fn register(conn: &Connection) -> Result<()> {
    conn.create_scalar_function("t_like", 5, PURE, |c| {
        let (Some(text), Some(_)) = (c.get::<Option<String>>(0)?, c.get::<Option<String>>(1)?) else {
            return Ok(None);
        };
        Ok(Some(compiled(c, 1, Some(2), 3, 4)?.matches(&text)))
    })?;
    conn.create_scalar_function("t_patindex", 4, PURE, |c| {
        let (Some(_), Some(text)) = (c.get::<Option<String>>(0)?, c.get::<Option<String>>(1)?) else {
            return Ok(None);
        };
        let found = compiled(c, 0, None, 2, 3)?.find(&text);
        Ok(Some(found.map_or(0, |n| n as i64 + 1)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_t_sql_documents_them() {
        let like = |text: &str, pattern: &str| {
            Pattern::new(pattern, Some('!'), Collation::default(), false).matches(text)
        };
        assert!(like("Chang", "c%"));
        assert!(like("Chai", "_ha_"));
        assert!(like("50%", "50!%") && !like("50x", "50!%"));
        assert!(like("McBadden", "Mc[^c]%") && !like("McCadden", "Mc[^c]%"));
        assert!(like("d4", "[a-f][0-9]") && !like("g4", "[a-f][0-9]"));
        assert!(like("abc  ", "abc"), "blanks at the end of the text do not count");
        assert!(!like("abc", "abc "), "those of the pattern do");
        let unicode = Pattern::new("abc", None, Collation::default(), true);
        assert!(
            unicode.matches("ABC") && !unicode.matches("abc "),
            "in Unicode text blanks count everywhere"
        );
        assert!(!like("ab", "a[b"), "a set that nothing closes matches nothing");
        assert!(like("a".repeat(300).as_str(), &"%a".repeat(60)), "and no pattern takes exponential time");
    }
}
