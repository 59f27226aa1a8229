//! Sessions: who has signed in, as what, and until when. They are in memory only: a restart of the server ends them all.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};

use super::random;

/// A session that nobody uses ends.
const IDLE_MAX: Duration = Duration::from_hours(12);
/// Every session ends.
const AGE_MAX: Duration = Duration::from_hours(7 * 24);
/// More are not kept: the one that was used longest ago ends.
const SESSIONS_MAX: usize = 1000;

/// What somebody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    /// See everything, change nothing.
    Reader,
    /// See and change.
    Operator,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Role::Reader => "reader",
            Role::Operator => "operator",
        })
    }
}

/// Somebody who has signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Session {
    /// As whom.
    pub(crate) user: String,
    /// What they may do.
    pub(crate) role: Role,
    /// By which way they came in.
    pub(crate) by: &'static str,
    /// The token that every change must carry.
    pub(super) csrf: [u8; 32],
}

impl Session {
    /// Whether they may change something.
    pub(crate) fn is_operator(&self) -> bool {
        self.role == Role::Operator
    }
}

struct Kept {
    session: Arc<Session>,
    begun: Instant,
    used: Instant,
}

impl Kept {
    fn is_over(&self, now: Instant) -> bool {
        now.duration_since(self.used) > IDLE_MAX || now.duration_since(self.begun) > AGE_MAX
    }
}

/// All sessions. They are found by the hash of their token, so that neither a timing nor a dump of the map gives one away.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<HashMap<[u8; 32], Kept>>);

impl Sessions {
    /// Begins a session and gives the token that its cookie holds.
    pub(crate) fn begin(&self, user: &str, role: Role, by: &'static str, now: Instant) -> String {
        let token = random::token();
        let session = Session { user: user.to_owned(), role, by, csrf: random::bytes() };
        let mut kept = self.lock();
        kept.retain(|_, k| !k.is_over(now));
        if kept.len() >= SESSIONS_MAX
            && let Some(oldest) = kept.iter().min_by_key(|(_, k)| k.used).map(|(hash, _)| *hash)
        {
            kept.remove(&oldest);
        }
        kept.insert(hash(&token), Kept { session: Arc::new(session), begun: now, used: now });
        token
    }

    /// The session of a token, which is used by this.
    pub(crate) fn find(&self, token: &str, now: Instant) -> Option<Arc<Session>> {
        let mut kept = self.lock();
        let found = kept.get_mut(&hash(token)).filter(|k| !k.is_over(now))?;
        found.used = now;
        Some(Arc::clone(&found.session))
    }

    /// Ends a session.
    pub(crate) fn end(&self, token: &str) {
        self.lock().remove(&hash(token));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<[u8; 32], Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_end_by_idleness_by_age_and_by_hand() {
        let (sessions, begun) = (Sessions::default(), Instant::now());
        let token = sessions.begin("anna", Role::Reader, "password", begun);
        assert_eq!(sessions.find(&token, begun).unwrap().user, "anna");
        assert!(sessions.find("another", begun).is_none());
        assert!(sessions.find(&token, begun + IDLE_MAX + Duration::from_secs(1)).is_none());
        let mut at = begun;
        while at < begun + AGE_MAX {
            assert!(sessions.find(&token, at).is_some());
            at += IDLE_MAX;
        }
        assert!(sessions.find(&token, at + Duration::from_secs(1)).is_none());
        let token = sessions.begin("bert", Role::Operator, "password", at);
        sessions.end(&token);
        assert!(sessions.find(&token, at).is_none());
    }

    #[test]
    fn the_number_of_sessions_is_bounded() {
        let (sessions, begun) = (Sessions::default(), Instant::now());
        let first = sessions.begin("first", Role::Reader, "password", begun);
        for n in 1..=SESSIONS_MAX as u64 {
            sessions.begin("more", Role::Reader, "password", begun + Duration::from_millis(n));
        }
        assert!(sessions.find(&first, begun + Duration::from_secs(2)).is_none());
        assert_eq!(sessions.lock().len(), SESSIONS_MAX);
    }
}
