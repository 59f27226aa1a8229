//! JSON as T-SQL reads and changes it: values keep the text that they were written in.
//!
//! A document is scanned into spans of its own text, so that JSON_QUERY gives back what was there, blanks included, and
//! JSON_MODIFY changes nothing but the place that its path names.

use std::borrow::Cow;

use rusqlite::types::Value;

use super::scalar::pack;
use crate::error::SqlError;

/// Documents nest at most this deep, as in SQL Server.
const DEPTH_MAX: u32 = 128;

/// A value and where it stands in the text.
#[derive(Debug)]
struct Node {
    start: usize,
    end: usize,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Null,
    Bool,
    Number,
    /// Between its quotes, escapes not yet undone.
    String,
    Array(Vec<Node>),
    Object(Vec<Member>),
}

#[derive(Debug)]
struct Member {
    /// Where the name begins, with its quote.
    start: usize,
    name: String,
    value: Node,
}

impl Kind {
    /// The number of the type in OPENJSON's third column.
    fn code(&self) -> i64 {
        match self {
            Kind::Null => 0,
            Kind::String => 1,
            Kind::Number => 2,
            Kind::Bool => 3,
            Kind::Array(_) => 4,
            Kind::Object(_) => 5,
        }
    }

    fn is_container(&self) -> bool {
        matches!(self, Kind::Array(_) | Kind::Object(_))
    }
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
    depth: u32,
}

/// Reads a document; `state` is the state of the error, which tells the function that failed.
fn parse(text: &str, state: u8) -> Result<Node, SqlError> {
    let mut scanner = Scanner { text, at: 0, depth: 0 };
    let parsed = scanner.document();
    parsed.ok_or_else(|| scanner.broken(state))
}

impl Scanner<'_> {
    fn document(&mut self) -> Option<Node> {
        self.blank();
        let node = self.value()?;
        self.blank();
        if self.at == self.text.len() { Some(node) } else { None }
    }

    fn broken(&self, state: u8) -> SqlError {
        let position = self.text.get(..self.at).map_or(self.at, |head| head.encode_utf16().count());
        let message = match self.text.get(self.at..).and_then(|rest| rest.chars().next()) {
            Some(c) => format!(
                "JSON text is not properly formatted. Unexpected character '{c}' is found at position {position}."
            ),
            None => format!(
                "JSON text is not properly formatted. Unexpected character '.' is found at position {position}."
            ),
        };
        SqlError::new(13609, 16, state, message)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blank(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn accept(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        if found {
            self.at += 1;
        }
        found
    }

    fn value(&mut self) -> Option<Node> {
        let start = self.at;
        let kind = match self.peek()? {
            b'{' => self.object()?,
            b'[' => self.array()?,
            b'"' => {
                self.string()?;
                Kind::String
            }
            b'-' | b'0'..=b'9' => self.number()?,
            _ => self.word()?,
        };
        Some(Node { start, end: self.at, kind })
    }

    fn word(&mut self) -> Option<Kind> {
        for (word, kind) in [("null", Kind::Null), ("true", Kind::Bool), ("false", Kind::Bool)] {
            if self.text.get(self.at..)?.starts_with(word) {
                self.at += word.len();
                return Some(kind);
            }
        }
        None
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at > start { Some(()) } else { None }
    }

    fn number(&mut self) -> Option<Kind> {
        self.accept(b'-');
        self.digits()?;
        if self.accept(b'.') {
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if !self.accept(b'+') {
                self.accept(b'-');
            }
            self.digits()?;
        }
        Some(Kind::Number)
    }

    /// Moves behind a string.
    fn string(&mut self) -> Option<()> {
        self.at += 1;
        loop {
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return Some(());
                }
                b'\\' => {
                    self.at += 1;
                    match self.peek()? {
                        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.at += 1,
                        b'u' => {
                            let hex = self.text.get(self.at + 1..self.at + 5)?;
                            if !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
                                return None;
                            }
                            self.at += 5;
                        }
                        _ => return None,
                    }
                }
                0..=0x1F => return None,
                _ => self.at += 1,
            }
        }
    }

    fn deeper<T>(&mut self, work: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        if self.depth == DEPTH_MAX {
            return None;
        }
        self.depth += 1;
        let done = work(self);
        self.depth -= 1;
        done
    }

    fn array(&mut self) -> Option<Kind> {
        self.deeper(|s| {
            s.at += 1;
            let mut items = Vec::new();
            s.blank();
            if s.accept(b']') {
                return Some(Kind::Array(items));
            }
            loop {
                s.blank();
                items.push(s.value()?);
                s.blank();
                if s.accept(b']') {
                    return Some(Kind::Array(items));
                }
                if !s.accept(b',') {
                    return None;
                }
            }
        })
    }

    fn object(&mut self) -> Option<Kind> {
        self.deeper(|s| {
            s.at += 1;
            let mut members = Vec::new();
            s.blank();
            if s.accept(b'}') {
                return Some(Kind::Object(members));
            }
            loop {
                s.blank();
                let start = s.at;
                if s.peek() != Some(b'"') {
                    return None;
                }
                s.string()?;
                let name = unescape(s.text.get(start + 1..s.at - 1)?).into_owned();
                s.blank();
                if !s.accept(b':') {
                    return None;
                }
                s.blank();
                members.push(Member { start, name, value: s.value()? });
                s.blank();
                if s.accept(b'}') {
                    return Some(Kind::Object(members));
                }
                if !s.accept(b',') {
                    return None;
                }
            }
        })
    }
}

/// Undoes the escapes of a string that was scanned.
fn unescape(raw: &str) -> Cow<'_, str> {
    if !raw.contains('\\') {
        return Cow::Borrowed(raw);
    }
    let mut units: Vec<u16> = Vec::with_capacity(raw.len());
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            units.extend(c.encode_utf16(&mut [0; 2]).iter());
            continue;
        }
        let unit = match chars.next() {
            Some('b') => 8,
            Some('f') => 12,
            Some('n') => 10,
            Some('r') => 13,
            Some('t') => 9,
            Some('u') => {
                let hex: String = chars.by_ref().take(4).collect();
                u16::from_str_radix(&hex, 16).unwrap_or(0xFFFD)
            }
            Some(other) => other as u16,
            None => break,
        };
        units.push(unit);
    }
    Cow::Owned(String::from_utf16_lossy(&units))
}

/// A string as JSON writes it.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(text))
}

/// The inside of a JSON string, as STRING_ESCAPE gives it.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '/' => out.push_str("\\/"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if (c as u32) < 0x20 => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out
}

#[derive(Debug, PartialEq)]
enum Step {
    Key(String),
    Index(usize),
}

/// A path of JSON_VALUE and its kin.
#[derive(Debug)]
struct Path {
    strict: bool,
    append: bool,
    steps: Vec<Step>,
}

impl Path {
    fn parse(text: &str) -> Result<Path, SqlError> {
        let mut rest = text.trim_start();
        let (mut strict, mut append) = (false, false);
        let word = |rest: &mut &str, word: &str| {
            let found = rest.get(..word.len()).is_some_and(|w| w.eq_ignore_ascii_case(word))
                && rest.get(word.len()..).is_some_and(|r| r.starts_with(' '));
            if found {
                *rest = rest.get(word.len()..).unwrap_or("").trim_start();
            }
            found
        };
        if word(&mut rest, "append") {
            append = true;
        }
        if word(&mut rest, "strict") {
            strict = true;
        } else {
            word(&mut rest, "lax");
        }
        let bad = |rest: &str| {
            let position = text.len() - rest.len();
            let c = rest.chars().next().unwrap_or('.');
            SqlError::new(
                13607,
                16,
                4,
                format!(
                    "JSON path is not properly formatted. Unexpected character '{c}' is found at position {position}."
                ),
            )
        };
        rest = rest.strip_prefix('$').ok_or_else(|| bad(rest))?;
        let mut steps = Vec::new();
        while !rest.is_empty() {
            if let Some(tail) = rest.strip_prefix('.') {
                if let Some(inner) = tail.strip_prefix('"') {
                    let mut end = 0;
                    let bytes = inner.as_bytes();
                    while end < bytes.len() && bytes.get(end) != Some(&b'"') {
                        end += if bytes.get(end) == Some(&b'\\') { 2 } else { 1 };
                    }
                    let name = inner.get(..end).filter(|_| end < bytes.len()).ok_or_else(|| bad(tail))?;
                    steps.push(Step::Key(unescape(name).into_owned()));
                    rest = inner.get(end + 1..).unwrap_or("");
                } else {
                    let end = tail
                        .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'))
                        .unwrap_or(tail.len());
                    let name = tail.get(..end).filter(|n| !n.is_empty()).ok_or_else(|| bad(tail))?;
                    steps.push(Step::Key(name.to_owned()));
                    rest = tail.get(end..).unwrap_or("");
                }
            } else if let Some(tail) = rest.strip_prefix('[') {
                let end = tail.find(']').ok_or_else(|| bad(tail))?;
                let index = tail.get(..end).and_then(|n| n.trim().parse().ok()).ok_or_else(|| bad(tail))?;
                steps.push(Step::Index(index));
                rest = tail.get(end + 1..).unwrap_or("");
            } else {
                return Err(bad(rest));
            }
        }
        Ok(Path { strict, append, steps })
    }
}

fn walk<'n>(node: &'n Node, steps: &[Step]) -> Option<&'n Node> {
    steps.iter().try_fold(node, |at, step| match (step, &at.kind) {
        (Step::Key(key), Kind::Object(members)) => members.iter().find(|m| m.name == *key).map(|m| &m.value),
        (Step::Index(n), Kind::Array(items)) => items.get(*n),
        _ => None,
    })
}

fn span<'t>(text: &'t str, node: &Node) -> &'t str {
    text.get(node.start..node.end).unwrap_or("")
}

/// A scalar as text; NULL for null.
fn scalar_value(text: &str, node: &Node) -> Value {
    let raw = span(text, node);
    match node.kind {
        Kind::Null => Value::Null,
        Kind::String => {
            let inner = raw.get(1..raw.len().saturating_sub(1)).unwrap_or("");
            Value::Text(unescape(inner).into_owned())
        }
        _ => Value::Text(raw.to_owned()),
    }
}

/// What a path finds is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Scalar,
    Container,
}

/// JSON_VALUE and JSON_QUERY.
pub(super) fn query(text: &str, path: &str, wanted: Wanted) -> Result<Value, SqlError> {
    let path = Path::parse(path)?;
    let root = parse(text, 1)?;
    let refuse = |number, what: &str| {
        if path.strict { Err(SqlError::new(number, 16, 2, what)) } else { Ok(Value::Null) }
    };
    let Some(found) = walk(&root, &path.steps) else {
        return refuse(13608, "Property cannot be found on the specified JSON path.");
    };
    match (wanted, found.kind.is_container()) {
        (Wanted::Scalar, true) => refuse(13623, "Scalar value cannot be found in the specified JSON path."),
        (Wanted::Container, false) => {
            refuse(13624, "Object or array cannot be found in the specified JSON path.")
        }
        (Wanted::Container, true) => Ok(Value::Text(span(text, found).to_owned())),
        (Wanted::Scalar, false) => {
            let value = scalar_value(text, found);
            match &value {
                Value::Text(t) if t.encode_utf16().count() > 4000 => {
                    refuse(13625, "String value in the specified JSON path would be truncated.")
                }
                _ => Ok(value),
            }
        }
    }
}

/// JSON_PATH_EXISTS.
pub(super) fn exists(text: &str, path: &str) -> Result<bool, SqlError> {
    let path = Path::parse(path)?;
    Ok(parse(text, 1).is_ok_and(|root| walk(&root, &path.steps).is_some()))
}

/// ISJSON without a type: an object or an array.
pub(super) fn is_json(text: &str) -> bool {
    parse(text, 1).is_ok_and(|root| root.kind.is_container())
}

/// OPENJSON without WITH: a JSON array of packed rows `key, value, type`, which SQLite's `json_each` walks over.
pub(super) fn open(text: &str, path: &str) -> Result<String, SqlError> {
    let path = Path::parse(path)?;
    let root = parse(text, 4)?;
    let refuse = |number, what: &str| {
        if path.strict { Err(SqlError::new(number, 16, 3, what)) } else { Ok("[]".to_owned()) }
    };
    let Some(found) = walk(&root, &path.steps) else {
        return refuse(13608, "Property cannot be found on the specified JSON path.");
    };
    let row = |key: String, node: &Node| {
        let value = if node.kind.is_container() {
            Value::Text(span(text, node).to_owned())
        } else {
            scalar_value(text, node)
        };
        serde_json::Value::from(pack(&[Value::Text(key), value, Value::Integer(node.kind.code())]))
    };
    let rows: Vec<serde_json::Value> = match &found.kind {
        Kind::Array(items) => items.iter().enumerate().map(|(n, i)| row(n.to_string(), i)).collect(),
        Kind::Object(members) => members.iter().map(|m| row(m.name.clone(), &m.value)).collect(),
        _ => return refuse(13624, "Object or array cannot be found in the specified JSON path."),
    };
    Ok(serde_json::Value::from(rows).to_string())
}

/// JSON_MODIFY: `new` is JSON text, or `None` for NULL, which takes the place away (in strict mode: makes it null).
pub(super) fn modify(text: &str, path: &str, new: Option<&str>) -> Result<String, SqlError> {
    let path = Path::parse(path)?;
    let root = parse(text, 2)?;
    let missing = || SqlError::new(13608, 16, 2, "Property cannot be found on the specified JSON path.");
    let Some((last, before)) = path.steps.split_last() else {
        return Err(SqlError::new(13619, 16, 1, "Unsupported JSON path found in argument 2 of JSON_MODIFY."));
    };
    let splice = |from: usize, to: usize, with: &str| {
        format!("{}{with}{}", text.get(..from).unwrap_or(""), text.get(to..).unwrap_or(""))
    };
    if path.append {
        let array = walk(&root, &path.steps);
        return match array.map(|a| (&a.kind, a.end)) {
            Some((Kind::Array(items), end)) => {
                let comma = if items.is_empty() { "" } else { "," };
                Ok(splice(end - 1, end - 1, &format!("{comma}{}", new.unwrap_or("null"))))
            }
            None if !path.strict => match walk(&root, before).map(|p| (&p.kind, p.end, last)) {
                Some((Kind::Object(members), end, Step::Key(key))) => {
                    let comma = if members.is_empty() { "" } else { "," };
                    let member = format!("{comma}{}:[{}]", quoted(key), new.unwrap_or("null"));
                    Ok(splice(end - 1, end - 1, &member))
                }
                _ => Ok(text.to_owned()),
            },
            None => Err(missing()),
            Some(_) if path.strict => {
                Err(SqlError::new(13621, 16, 2, "Array cannot be found in the specified JSON path."))
            }
            Some(_) => Ok(text.to_owned()),
        };
    }
    let Some(parent) = walk(&root, before) else {
        return if path.strict { Err(missing()) } else { Ok(text.to_owned()) };
    };
    match (last, &parent.kind) {
        (Step::Key(key), Kind::Object(members)) => {
            let found = members.iter().position(|m| m.name == *key);
            match (found.and_then(|at| members.get(at).map(|m| (at, m))), new) {
                (Some((_, member)), Some(new)) => Ok(splice(member.value.start, member.value.end, new)),
                (Some((_, member)), None) if path.strict => {
                    Ok(splice(member.value.start, member.value.end, "null"))
                }
                (Some((at, member)), None) => {
                    // With the comma that parted it from its neighbour.
                    let (from, to) =
                        match (members.get(at + 1), at.checked_sub(1).and_then(|n| members.get(n))) {
                            (Some(next), _) => (member.start, next.start),
                            (None, Some(previous)) => (previous.value.end, member.value.end),
                            (None, None) => (member.start, member.value.end),
                        };
                    Ok(splice(from, to, ""))
                }
                (None, _) if path.strict => Err(missing()),
                (None, Some(new)) => {
                    let comma = if members.is_empty() { "" } else { "," };
                    Ok(splice(parent.end - 1, parent.end - 1, &format!("{comma}{}:{new}", quoted(key))))
                }
                (None, None) => Ok(text.to_owned()),
            }
        }
        (Step::Index(n), Kind::Array(items)) => match items.get(*n) {
            Some(item) => Ok(splice(item.start, item.end, new.unwrap_or("null"))),
            None if path.strict => Err(missing()),
            None => Ok(text.to_owned()),
        },
        _ if path.strict => Err(missing()),
        _ => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_json_is_refused_where_it_goes_wrong() {
        for (text, at) in [("{a", 1), ("[1,]", 3), ("{\"a\":01x}", 7), ("[\"\\q\"]", 3), ("nul", 0)] {
            let e = parse(text, 1).unwrap_err();
            assert!(e.message.ends_with(&format!("position {at}.")), "{text}: {}", e.message);
        }
        assert!(parse(&"[".repeat(5000), 1).is_err(), "and deep nesting does not exhaust the stack");
        assert_eq!(unescape("a\\u00e9\\ud83d\\ude00\\n"), "aé😀\n");
    }
}
