//! Server logins and how their passwords are kept.

use std::sync::Mutex;

use pbkdf2::pbkdf2_hmac;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256, Sha512};
use subtle::ConstantTimeEq;

/// Rounds of PBKDF2-HMAC-SHA512, as OWASP's password storage cheat sheet asks (2023).
const ROUNDS: u32 = 210_000;

/// How a password is hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
enum Scheme {
    /// PBKDF2-HMAC-SHA512: what is made here.
    #[default]
    Pbkdf2,
    /// SQL Server's own since 2012, version 0x0200: SHA-512 of the password in UTF-16LE and the salt. It comes in by HASHED.
    SqlServer,
}

/// A salted password hash.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct PasswordHash {
    #[serde(default)]
    scheme: Scheme,
    /// 0 for SQL Server's own.
    rounds: u32,
    salt: Vec<u8>,
    hash: Vec<u8>,
}

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordHash(***)")
    }
}

/// The first two bytes of SQL Server's hashes.
const SQL_SERVER_VERSION: [u8; 2] = [0x02, 0x00];
const SQL_SERVER_SALT: usize = 4;
/// The first two bytes of the lab's, which are no version of SQL Server's: a real server refuses such a hash.
const LAB_VERSION: [u8; 2] = *b"LB";
const LAB_SALT: usize = 16;
const LAB_HASH: usize = 32;
/// A hash from outside must not cost more than this to verify.
const ROUNDS_MAX: u32 = 2_000_000;

impl PasswordHash {
    pub(crate) fn new(password: &str) -> Result<PasswordHash, getrandom::Error> {
        let mut salt = vec![0; 16];
        getrandom::fill(&mut salt)?;
        let hash = derive(password, &salt, ROUNDS);
        Ok(PasswordHash { scheme: Scheme::Pbkdf2, rounds: ROUNDS, salt, hash })
    }

    fn verify(&self, password: &str) -> bool {
        let derived = match self.scheme {
            Scheme::Pbkdf2 => derive(password, &self.salt, self.rounds),
            Scheme::SqlServer => sql_server(password, &self.salt),
        };
        derived.ct_eq(&self.hash).into()
    }

    /// As `sys.sql_logins` shows it, and `WITH PASSWORD = ... HASHED` takes it.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        match self.scheme {
            Scheme::Pbkdf2 => [&LAB_VERSION[..], &self.rounds.to_be_bytes(), &self.salt, &self.hash].concat(),
            Scheme::SqlServer => [&SQL_SERVER_VERSION[..], &self.salt, &self.hash].concat(),
        }
    }

    /// From what `HASHED` says; `None` if it is no hash.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<PasswordHash> {
        if let Some(rest) = bytes.strip_prefix(&SQL_SERVER_VERSION) {
            let (salt, hash) = rest.split_at_checked(SQL_SERVER_SALT)?;
            let (salt, hash) = (salt.to_vec(), hash.to_vec());
            return (hash.len() == Sha512::output_size()).then_some(PasswordHash {
                scheme: Scheme::SqlServer,
                rounds: 0,
                salt,
                hash,
            });
        }
        let (rounds, rest) = bytes.strip_prefix(&LAB_VERSION)?.split_first_chunk::<4>()?;
        let rounds = u32::from_be_bytes(*rounds);
        let (salt, hash) = rest.split_at_checked(LAB_SALT)?;
        let fits = hash.len() == LAB_HASH && (1..=ROUNDS_MAX).contains(&rounds);
        let (salt, hash) = (salt.to_vec(), hash.to_vec());
        fits.then_some(PasswordHash { scheme: Scheme::Pbkdf2, rounds, salt, hash })
    }
}

fn sql_server(password: &str, salt: &[u8]) -> Vec<u8> {
    let mut hasher = Sha512::new();
    password.encode_utf16().for_each(|unit| hasher.update(unit.to_le_bytes()));
    hasher.update(salt);
    hasher.finalize().to_vec()
}

fn derive(password: &str, salt: &[u8], rounds: u32) -> Vec<u8> {
    let mut out = vec![0; 32];
    pbkdf2_hmac::<Sha512>(password.as_bytes(), salt, rounds, &mut out);
    out
}

/// A login as `sys.server_principals` shows it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Login {
    pub(crate) id: i32,
    pub(crate) name: String,
    /// 16 bytes (1 for sa), hexadecimal.
    pub(crate) sid: String,
    /// `None` for a server role.
    pub(crate) password: Option<PasswordHash>,
    pub(crate) disabled: bool,
    pub(crate) default_database: String,
    pub(crate) default_language: String,
    pub(crate) check_policy: bool,
    /// Names of the fixed server roles that it is a member of.
    pub(crate) roles: Vec<String>,
    pub(crate) created: i64,
    pub(crate) modified: i64,
}

impl Login {
    pub(crate) fn is_sysadmin(&self) -> bool {
        self.roles.iter().any(|r| r.eq_ignore_ascii_case("sysadmin"))
    }
}

/// The fixed server roles with their principal ids.
pub(crate) const SERVER_ROLES: &[(i32, &str)] = &[
    (2, "public"),
    (3, "sysadmin"),
    (4, "securityadmin"),
    (5, "serveradmin"),
    (6, "setupadmin"),
    (7, "processadmin"),
    (8, "diskadmin"),
    (9, "dbcreator"),
    (10, "bulkadmin"),
];

/// Verifies passwords, and remembers which have just been right.
///
/// PBKDF2 is slow on purpose; an application that opens a connection for each request would spend its time there. What is
/// remembered is a keyed hash whose key lives as long as the process, so the memory holds nothing that outlasts it.
#[derive(Debug)]
pub(crate) struct Verifier {
    key: [u8; 32],
    seen: Mutex<std::collections::BTreeMap<i32, ([u8; 32], [u8; 32])>>,
}

impl Verifier {
    pub(crate) fn new() -> Result<Verifier, getrandom::Error> {
        let mut key = [0; 32];
        getrandom::fill(&mut key)?;
        Ok(Verifier { key, seen: Mutex::new(std::collections::BTreeMap::new()) })
    }

    /// Whether `password` is the login's.
    pub(crate) fn verify(&self, login: &Login, password: &str) -> bool {
        let Some(hash) = &login.password else { return false };
        let quick = self.keyed(password.as_bytes());
        let stored = self.keyed(&hash.hash);
        let known = lock(&self.seen).get(&login.id).copied();
        if let Some((known_quick, known_stored)) = known
            && bool::from(known_stored.ct_eq(&stored) & known_quick.ct_eq(&quick))
        {
            return true;
        }
        let right = hash.verify(password);
        if right {
            lock(&self.seen).insert(login.id, (quick, stored));
        }
        right
    }

    /// Takes as long as verifying a wrong password does.
    pub(crate) fn spend(&self, password: &str) {
        std::hint::black_box(derive(password, &self.key, ROUNDS));
    }

    fn keyed(&self, bytes: &[u8]) -> [u8; 32] {
        // HMAC's nesting: a plain prefix hash could be extended.
        let inner = Sha256::new().chain_update(self.key).chain_update(bytes).finalize();
        let outer = Sha256::new().chain_update(self.key).chain_update([1]).chain_update(inner).finalize();
        outer.into()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // A panic while the map was held leaves at worst one entry missing.
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_verified_and_a_changed_one_is_not_remembered() {
        let login = |password: &str| Login {
            id: 1,
            name: "sa".into(),
            sid: "01".into(),
            password: Some(PasswordHash::new(password).unwrap()),
            disabled: false,
            default_database: "master".into(),
            default_language: "us_english".into(),
            check_policy: true,
            roles: vec!["sysadmin".into()],
            created: 0,
            modified: 0,
        };
        let verifier = Verifier::new().unwrap();
        let before = login("Old#Pass1");
        assert!(verifier.verify(&before, "Old#Pass1"));
        assert!(verifier.verify(&before, "Old#Pass1"), "from memory");
        assert!(!verifier.verify(&before, "old#pass1"));
        let after = login("New#Pass1");
        assert!(!verifier.verify(&after, "Old#Pass1"), "the memory must not outlive the hash");
        assert!(verifier.verify(&after, "New#Pass1"));
    }

    #[test]
    fn a_hash_survives_as_bytes_and_what_is_none_is_refused() {
        let own = PasswordHash::new("Old#Pass1").unwrap();
        let again = PasswordHash::from_bytes(&own.to_bytes()).unwrap();
        assert!(again.verify("Old#Pass1") && !again.verify("New#Pass1"));
        let mut theirs = [&SQL_SERVER_VERSION[..], &[1, 2, 3, 4]].concat();
        theirs.extend(sql_server("P\u{e4}ss#1", &[1, 2, 3, 4]));
        let taken = PasswordHash::from_bytes(&theirs).unwrap();
        assert!(taken.verify("P\u{e4}ss#1") && !taken.verify("Pass#1"));
        assert_eq!(taken.to_bytes(), theirs);
        assert_eq!(format!("{taken:?}"), "PasswordHash(***)");
        let endless = [&LAB_VERSION[..], &u32::MAX.to_be_bytes(), &[0; LAB_SALT + LAB_HASH]].concat();
        for bad in [&[][..], &theirs[..69], &own.to_bytes()[..40], b"\x01\x00abcd", &endless] {
            assert!(PasswordHash::from_bytes(bad).is_none(), "{bad:?}");
        }
    }
}
