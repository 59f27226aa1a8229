//! Sign-in by password: a file of names, roles and argon2 hashes.

use std::path::Path;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher as _, PasswordVerifier as _};
use tokio::sync::Semaphore;

use super::session::Role;
use crate::server::ServeError;

/// So many passwords are tried at the same time: each takes 19 MiB and a processor for a moment.
const AT_ONCE: usize = 2;

/// Makes a line's hash of a password.
///
/// # Errors
/// The system has no randomness.
pub fn hash_password(password: &str) -> Result<String, String> {
    let hash = Argon2::default().hash_password(password.as_bytes()).map_err(|e| e.to_string())?;
    Ok(hash.to_string())
}

/// Who may sign in by password.
pub(crate) struct Passwords {
    users: Vec<User>,
    /// What an unknown name's password is held against, so that it takes as long as a known one's.
    nobody: String,
    at_once: Semaphore,
}

struct User {
    name: String,
    role: Role,
    hash: String,
}

impl Passwords {
    /// Reads the file. Nothing of a line is in an error: it might be a password.
    pub(super) fn read(path: &Path) -> Result<Passwords, ServeError> {
        let failed = |why: String| ServeError::File { path: path.to_owned(), why };
        let text = std::fs::read_to_string(path).map_err(|e| failed(e.to_string()))?;
        let users = parse(&text).map_err(failed)?;
        let nobody = hash_password("nobody's").map_err(failed)?;
        Ok(Passwords { users, nobody, at_once: Semaphore::new(AT_ONCE) })
    }

    /// Who it is, if the password is right.
    pub(crate) async fn check(&self, name: &str, password: String) -> Option<(String, Role)> {
        let user = self.users.iter().find(|u| u.name == name);
        let hash = user.map_or(&self.nobody, |u| &u.hash).clone();
        let _place = self.at_once.acquire().await.ok()?;
        let right = tokio::task::spawn_blocking(move || is_right(&hash, &password)).await.ok()?;
        user.filter(|_| right).map(|u| (u.name.clone(), u.role))
    }
}

fn is_right(hash: &str, password: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|h| Argon2::default().verify_password(password.as_bytes(), &h).is_ok())
}

fn parse(text: &str) -> Result<Vec<User>, String> {
    let mut users: Vec<User> = Vec::new();
    for (number, line) in text.lines().enumerate().map(|(n, l)| (n + 1, l.trim())) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let wrong = |why: &str| {
            format!(
                "line {number}: {why}: a line is NAME reader|operator HASH, and milink serve --hash-password makes the hash"
            )
        };
        let words: Vec<&str> = line.split_whitespace().collect();
        let [name, role, hash] = words.as_slice() else { return Err(wrong("it has not three words")) };
        let role = match *role {
            "reader" => Role::Reader,
            "operator" => Role::Operator,
            _ => return Err(wrong("there is no such role")),
        };
        if !hash.starts_with("$argon2") || PasswordHash::new(hash).is_err() {
            return Err(wrong("its hash is no argon2 hash"));
        }
        if users.iter().any(|u| u.name == *name) {
            return Err(wrong("the name is there twice"));
        }
        users.push(User { name: (*name).to_owned(), role, hash: (*hash).to_owned() });
    }
    if users.is_empty() {
        return Err("it names nobody".to_owned());
    }
    Ok(users)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_right_or_wrong() {
        let hash = hash_password("correct horse").unwrap();
        assert!(hash.starts_with("$argon2id$"));
        assert!(is_right(&hash, "correct horse") && !is_right(&hash, "Correct horse") && !is_right("", ""));
    }

    #[test]
    fn what_is_wrong_with_the_file_is_said_without_its_text() {
        let hash = hash_password("x").unwrap();
        assert_eq!(
            parse(&format!("# comment\n\nanna operator {hash}\nbert reader {hash}\n")).unwrap().len(),
            2
        );
        for bad in ["", "canary", "anna canary canary", "anna operator canary"] {
            let why = parse(bad).err().unwrap();
            assert!(!why.contains("canary"), "{why}");
        }
        assert!(parse(&format!("anna reader {hash}\nanna operator {hash}")).is_err());
    }
}
