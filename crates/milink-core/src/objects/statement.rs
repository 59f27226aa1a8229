//! Statements that mend the target, and the secrets in them.

use std::fmt;

use serde::ser::SerializeStruct as _;

use crate::names::Hex;
use crate::script::tsql;

/// The hash of a login's password. Who has it can try passwords at leisure, or make the login elsewhere: it prints as `***`, and there is no
/// way to write it down but [`HashText`], which says so.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(Hex);

impl PasswordHash {
    /// Takes it over.
    pub fn new(bytes: Vec<u8>) -> PasswordHash {
        PasswordHash(Hex::new(bytes))
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A statement with its secrets in the clear: for the wire, or for a script whose reader asked for them. It prints as `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct HashText(String);

impl HashText {
    pub(super) fn new(text: String) -> HashText {
        HashText(text)
    }

    /// The text itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for HashText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Hash(PasswordHash),
    /// What nobody can read and somebody must fill in.
    Asked(String),
}

/// A statement for the target. Shown, logged and serialized it has `***` for its secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct Statement {
    /// The database to run it in.
    pub database: &'static str,
    pieces: Vec<Piece>,
}

impl Statement {
    /// A statement in `master`.
    pub(super) fn new(text: impl Into<String>) -> Statement {
        Statement { database: "master", pieces: vec![Piece::Text(text.into())] }
    }

    /// The same in another database.
    pub(super) fn within(self, database: &'static str) -> Statement {
        Statement { database, ..self }
    }

    pub(super) fn then(mut self, text: impl Into<String>) -> Statement {
        self.pieces.push(Piece::Text(text.into()));
        self
    }

    pub(super) fn hash(mut self, hash: &PasswordHash) -> Statement {
        self.pieces.push(Piece::Hash(hash.clone()));
        self
    }

    /// A text literal that must be filled in.
    pub(super) fn asked(mut self, what: impl Into<String>) -> Statement {
        self.pieces.push(Piece::Asked(what.into()));
        self
    }

    /// As people and logs may see it.
    pub fn shown(&self) -> String {
        self.with(|_| "***".to_owned())
    }

    /// As it is sent to the target.
    ///
    /// # Errors
    /// Something must be filled in first, which is named.
    pub fn to_run(&self) -> Result<HashText, &str> {
        match self.asks() {
            Some(what) => Err(what),
            None => Ok(HashText(self.with(PasswordHash::literal))),
        }
    }

    /// What must be filled in before it can be run.
    pub fn asks(&self) -> Option<&str> {
        self.pieces.iter().find_map(|piece| match piece {
            Piece::Asked(what) => Some(what.as_str()),
            Piece::Text(_) | Piece::Hash(_) => None,
        })
    }

    /// Whether a hash is in it.
    pub fn has_hash(&self) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::Hash(_)))
    }

    /// A text about this statement, such as a server's error, which may repeat a part of it: without its hashes.
    pub fn masked(&self, text: &str) -> String {
        let mut out = text.to_owned();
        for piece in &self.pieces {
            let Piece::Hash(hash) = piece else { continue };
            let digits = hash.0.to_string();
            // A server may cut what it repeats, and changes neither the order of the digits nor their case.
            out = mask_digits(&out, &digits);
        }
        out
    }

    /// For a script: with its hashes, or with something to fill in for each, which a server parses and refuses.
    pub(super) fn scripted(&self, with_hashes: bool) -> HashText {
        HashText(self.with(|hash| if with_hashes { hash.literal() } else { NO_HASH.to_owned() }))
    }

    fn with(&self, hash: impl Fn(&PasswordHash) -> String) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Hash(secret) => hash(secret),
            Piece::Asked(what) => tsql::text(&format!("<{what}>")),
        };
        self.pieces.iter().map(piece).collect()
    }
}

impl PasswordHash {
    fn literal(&self) -> String {
        self.0.tsql()
    }
}

/// Stands for a hash that was not asked for.
const NO_HASH: &str = "0x00 /* the hash of the password */";

/// Whether a line of a text is `GO`: a script's reader would end its batch there, even within a literal or a name.
pub(super) fn has_separator(text: &str) -> bool {
    let begins =
        |line: &str| line.split_whitespace().next().is_some_and(|word| word.eq_ignore_ascii_case("GO"));
    text.lines().any(begins)
}

/// How many digits of a hash are too many to be shown.
const DIGITS_MIN: usize = 8;

/// Replaces every stretch of hexadecimal digits that is a part of `secret`.
fn mask_digits(text: &str, secret: &str) -> String {
    let mut out = String::new();
    let mut stretch = String::new();
    let end = |stretch: &mut String, out: &mut String| {
        let digits = stretch.strip_prefix("0x").or_else(|| stretch.strip_prefix("0X")).unwrap_or(stretch);
        if digits.len() >= DIGITS_MIN && secret.contains(&digits.to_ascii_uppercase()) {
            out.push_str("***");
        } else {
            out.push_str(stretch);
        }
        stretch.clear();
    };
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            stretch.push(c);
        } else {
            end(&mut stretch, &mut out);
            out.push(c);
        }
    }
    end(&mut stretch, &mut out);
    out
}

impl fmt::Debug for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.database, self.shown())
    }
}

impl serde::Serialize for Statement {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("Statement", 2)?;
        out.serialize_field("database", self.database)?;
        out.serialize_field("text", &self.shown())?;
        out.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement() -> Statement {
        let hash = PasswordHash::new((0..70).collect());
        Statement::new("CREATE LOGIN [x] WITH PASSWORD = ").hash(&hash).then(" HASHED")
    }

    #[test]
    fn a_hash_is_shown_nowhere() {
        let s = statement();
        let canary = "0405060708";
        let shown =
            [s.shown(), format!("{s:?}"), serde_json::to_string(&s).unwrap(), format!("{:?}", s.to_run())];
        for text in &shown {
            assert!(!text.contains(canary) && text.contains("***"), "{text}");
        }
        assert!(s.to_run().unwrap().expose().contains("0x00010203040506"));
        assert!(s.scripted(true).expose().contains(canary));
        assert!(!s.scripted(false).expose().contains(canary));
    }

    #[test]
    fn a_servers_error_does_not_repeat_it() {
        let text = "Incorrect syntax near '0x0001020304050607080', line 12345678.";
        assert_eq!(statement().masked(text), "Incorrect syntax near '***', line 12345678.");
    }

    #[test]
    fn what_must_be_filled_in_is_not_run() {
        let s = Statement::new("SECRET = ").asked("secret of [it's]");
        assert_eq!(s.to_run(), Err("secret of [it's]"));
        assert_eq!(s.shown(), "SECRET = N'<secret of [it''s]>'");
    }
}
