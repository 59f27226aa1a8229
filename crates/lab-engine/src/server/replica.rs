//! Roles of databases in availability groups, as the engine sees them.
//!
//! Who has which role is decided elsewhere; here a role says who may open a database and who may write to it, and a change
//! of it ends what the new role does not allow. A session first marks that it uses a database and looks at its role then; a
//! change sets the role first and looks for marks then: whichever comes second sees the other.

use std::time::Duration;

use lab_store::{DbKey, LockError, SessionId};
use serde::{Deserialize, Serialize};

use super::{Database, Server, ServerEntry};
use crate::error::SqlError;

/// What a database's replica here is at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReplicaRole {
    /// The database is in no group.
    #[default]
    Standalone,
    /// Changes are made here.
    Primary {
        /// `PRIMARY_ROLE (ALLOW_CONNECTIONS = READ_WRITE)`: who intends to read only is refused.
        read_write_only: bool,
    },
    /// Changes come from the primary.
    Secondary {
        /// Who may read.
        allow: SecondaryConnections,
        /// Whether it can be read at all: it is seeded, and joined.
        readable: bool,
    },
    /// Nobody knows yet which of the two.
    Resolving,
}

/// `SECONDARY_ROLE (ALLOW_CONNECTIONS = ...)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecondaryConnections {
    /// NO.
    No,
    /// READ_ONLY: with ApplicationIntent=ReadOnly.
    ReadOnly,
    /// ALL.
    All,
}

/// What a database is in its group, in the byte order of the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaIds {
    /// `sys.databases.replica_id`.
    pub replica_id: [u8; 16],
    /// `sys.databases.group_database_id`.
    pub group_database_id: [u8; 16],
}

/// A database's part in its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Replica {
    pub(crate) role: ReplicaRole,
    pub(crate) ids: Option<ReplicaIds>,
}

impl Replica {
    pub(crate) fn in_group(self) -> bool {
        self.role != ReplicaRole::Standalone || self.ids.is_some()
    }
}

impl ReplicaRole {
    /// Whether sessions may write.
    pub fn is_writable(self) -> bool {
        matches!(self, ReplicaRole::Standalone | ReplicaRole::Primary { .. })
    }

    pub(crate) fn is_secondary(self) -> bool {
        matches!(self, ReplicaRole::Secondary { .. })
    }

    /// Whether a session may open the database `name`.
    ///
    /// # Errors
    /// 976, 978, 979, 983.
    pub(crate) fn check_access(self, name: &str, read_intent: bool) -> Result<(), SqlError> {
        match self {
            ReplicaRole::Primary { read_write_only: true } if read_intent => {
                Err(SqlError::no_read_intent(name))
            }
            ReplicaRole::Standalone | ReplicaRole::Primary { .. } => Ok(()),
            ReplicaRole::Secondary { readable: false, .. }
            | ReplicaRole::Secondary { allow: SecondaryConnections::No, .. } => {
                Err(SqlError::secondary_not_readable(name))
            }
            ReplicaRole::Secondary { allow: SecondaryConnections::ReadOnly, .. } if !read_intent => {
                Err(SqlError::read_intent_only(name))
            }
            ReplicaRole::Secondary { .. } => Ok(()),
            ReplicaRole::Resolving => Err(SqlError::replica_resolving(name)),
        }
    }
}

/// How long a change of role waits for writers that were told to stop.
const PATIENCE: Duration = Duration::from_secs(10);

/// The sessions of the lock table that stand for changes of roles, one for each database.
fn role_change(database: i32) -> SessionId {
    SessionId(1 << 40 | u64::from(database.unsigned_abs()))
}

impl Server {
    /// Gives a database its role. `ids` are what the group calls it, `None` if they are as before; a database that becomes
    /// standalone loses them.
    ///
    /// When it returns, the role holds: if sessions may not write any more, nobody does, every transaction that was open
    /// on the database is rolled back or was committed before, and the sessions that used it are cut off; sessions in
    /// other databases stay. If sessions may write from now on, nothing that was cached of the database's former state is
    /// left. Whatever applies the primary's log must have stopped before that.
    ///
    /// # Errors
    /// 911; 1222 if a writer does not stop: the role holds all the same, for everybody but that one. Storage errors of master
    /// leave the role as it was.
    pub fn set_replica_role(
        &self,
        database: &str,
        role: ReplicaRole,
        ids: Option<ReplicaIds>,
    ) -> Result<(), SqlError> {
        let database = self.database_named(database).ok_or_else(|| SqlError::database_not_found(database))?;
        let before = database.replica();
        let ids = if role == ReplicaRole::Standalone { None } else { ids.or(before.ids) };
        if ids != before.ids {
            match ids {
                Some(ids) => self.save_entry(ServerEntry::Replica(database.id, ids))?,
                None => self.remove_replica(database.id)?,
            }
        }
        if role.is_writable() && !before.role.is_writable() {
            self.refresh(&database)?;
        }
        database.set_replica(Replica { role, ids });
        if role.is_writable() {
            self.cut(&database, false);
            if !before.role.is_writable() && self.config.flavor.is_managed() {
                // Its own backups begin with a full one.
                self.automatic_backups.ask(database.id);
            }
            return Ok(());
        }
        self.cut(&database, before.role.is_writable());
        if before.role.is_writable() { self.wait_for_writers(&database) } else { Ok(()) }
    }

    /// The role that a database has now; `None` if there is no such database.
    pub fn replica_role(&self, database: &str) -> Option<ReplicaRole> {
        self.database_named(database).map(|d| d.replica().role)
    }

    /// Reads the catalog of a database anew and shows it to every session; statements that run keep what they have.
    ///
    /// Called after the log of the primary has changed the catalog's tables, before anything behind that change is applied:
    /// a statement that falls in between is told so (3961).
    ///
    /// # Errors
    /// 911, the database is not online, or its catalog cannot be read.
    pub fn reload_catalog(&self, database: &str) -> Result<(), SqlError> {
        let database = self.database_named(database).ok_or_else(|| SqlError::database_not_found(database))?;
        self.refresh(&database)
    }

    /// Asks for a checkpoint of a database whose WAL redo has made grow.
    pub fn checkpoint_if_large(&self, database: &str, store: &lab_store::Database) {
        if store.wal_is_large()
            && let Some(database) = self.database_named(database)
        {
            self.checkpointer.ask(database.id);
        }
    }

    /// Drops what is remembered of a database that others may have changed beneath.
    pub(super) fn refresh(&self, database: &Database) -> Result<(), SqlError> {
        self.forget_identities(database.id);
        let Ok(store) = database.store() else { return Ok(()) };
        let catalog = super::load_catalog(&store, database.id).map_err(|e| SqlError::sqlite(&e))?;
        database.publish(std::sync::Arc::new(catalog));
        Ok(())
    }

    /// Ends the sessions that use a database: all of them, or those that its role does not allow.
    pub(super) fn cut(&self, database: &Database, all: bool) {
        let (role, name) = (database.replica().role, database.name());
        for session in self.sessions() {
            let uses = {
                let state = session.state();
                state.database == database.id || state.using.contains(&database.id)
            };
            if uses && (all || role.check_access(&name, session.read_intent).is_err()) {
                session.kill();
            }
        }
    }

    fn wait_for_writers(&self, database: &Database) -> Result<(), SqlError> {
        let (session, key) = (role_change(database.id), DbKey(database.id as u32));
        let taken = self.locks.acquire(session, key, Some(PATIENCE), &mut || false);
        self.locks.release_all(session);
        taken.map_err(|e| match e {
            LockError::Timeout => SqlError::lock_timeout(),
            LockError::Deadlock | LockError::Cancelled => {
                SqlError::internal(format!("write lock of {}: {e:?}", database.name()))
            }
        })
    }
}
