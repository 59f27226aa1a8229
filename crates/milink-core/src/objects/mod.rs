//! What lives outside of a linked database and does not follow it: logins and their rights, credentials, linked servers, Agent jobs, settings,
//! and who owns the database.
//!
//! ```text
//! Objects of the source ─┐
//!                        ├─► diff ──► differences ──► script, copy, gate
//! Objects of the target ─┘
//! ```
//!
//! The source is the side whose objects are right: the primary, as a rule. A difference says how it is mended on the target, or why no
//! statement can do it. Nothing is ever taken away from the target: what only it has is said and left.

mod diff;
mod gate;
mod kinds;
mod script;
mod settings;
mod statement;
#[cfg(test)]
mod tests;

pub use diff::{Difference, Kind, Mend, Severity, State, diff};
pub use gate::{gate, keeps_users_out};
pub use kinds::{
    Credential, DatabaseOwner, Job, JobSchedule, JobStep, LinkedLogin, LinkedServer, Login, LoginKind,
    Permission, PermissionState, ServerRole, Setting, User, UserKind,
};
pub use script::{Script, script};
pub use settings::{Compared, SETTINGS, Taken};
pub use statement::{HashText, PasswordHash, Statement};

use std::collections::BTreeMap;

use crate::observe::same_name;

/// What was read of one kind. What could not be read is unknown, never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part<T> {
    /// All of it that this login may see.
    Known(T),
    /// Why there is no answer.
    Unknown(String),
}

impl<T> Part<T> {
    /// What was read, if it was.
    pub fn known(&self) -> Option<&T> {
        match self {
            Part::Known(value) => Some(value),
            Part::Unknown(_) => None,
        }
    }

    /// What was read, or why it was not.
    ///
    /// # Errors
    /// It could not be read.
    pub fn get(&self) -> Result<&T, &str> {
        match self {
            Part::Known(value) => Ok(value),
            Part::Unknown(why) => Err(why),
        }
    }
}

/// The server-level objects of one instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Objects {
    /// `@@SERVERNAME`.
    pub server: String,
    /// Whether it is a managed instance, which does not take everything.
    pub managed: bool,
    /// The major version, such as 16; 0 for a managed instance, whose number says nothing.
    pub major: u32,
    /// Logins of people and applications, without the server's own.
    pub logins: Part<Vec<Login>>,
    /// User-defined server roles, and `public`.
    pub roles: Part<Vec<ServerRole>>,
    /// Credentials of the server.
    pub credentials: Part<Vec<Credential>>,
    /// Linked servers.
    pub linked_servers: Part<Vec<LinkedServer>>,
    /// Agent jobs.
    pub jobs: Part<Vec<Job>>,
    /// Settings of the server.
    pub settings: Part<Vec<Setting>>,
    /// All databases with their owners.
    pub databases: Part<Vec<DatabaseOwner>>,
    /// Users, by database, of those that were asked about.
    pub users: BTreeMap<String, Part<Vec<User>>>,
}

impl Objects {
    /// A login by its name; `None` also where logins are unknown.
    pub fn login(&self, name: &str) -> Option<&Login> {
        self.logins.known()?.iter().find(|l| same_name(&l.name, name))
    }

    fn has_database(&self, name: &str) -> bool {
        self.databases.known().is_some_and(|all| all.iter().any(|d| same_name(&d.name, name)))
    }
}
