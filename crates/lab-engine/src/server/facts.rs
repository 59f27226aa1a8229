//! What others may want to know of a database, and what a copy of it needs besides its pages.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{DatabaseEntry, MSDB, RecoveryModel, ReplicaIds, ReplicaRole, Server, ServerEntry};
use crate::error::SqlError;

/// A database as the preconditions of availability groups ask for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseFacts {
    /// `database_id`.
    pub id: i32,
    /// The name, as it is kept.
    pub name: String,
    /// `master`, `model`, `msdb` or `tempdb`.
    pub system: bool,
    /// `state_desc`.
    pub state: &'static str,
    /// Its first copy is on its way.
    pub seeding: bool,
    /// How long its log is kept.
    pub recovery_model: lab_store::RecoveryModel,
    /// A full backup has begun the chain of log backups, and nothing has broken it since
    /// (`sys.database_recovery_status.last_log_backup_lsn`).
    pub log_chain: bool,
    /// The collation's name.
    pub collation: String,
    /// READ_ONLY.
    pub read_only: bool,
    /// SINGLE_USER.
    pub single_user: bool,
    /// AUTO_CLOSE.
    pub auto_close: bool,
    /// The owner's login.
    pub owner: String,
    /// `create_date`, as `datetime`.
    pub created: i64,
    /// Bytes of its data on disk.
    pub data_bytes: u64,
    /// Bytes of its log on disk.
    pub log_bytes: u64,
    /// Its role here.
    pub role: ReplicaRole,
    /// What its group calls it.
    pub ids: Option<ReplicaIds>,
}

/// What master keeps that belongs to the database wherever it is. Fields that another version has and this one has not
/// are ignored, those that it lacks stay as they are.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct Traits {
    created: Option<i64>,
    recovery_model: Option<RecoveryModel>,
    compatibility_level: Option<i64>,
    snapshot_isolation: Option<bool>,
    read_committed_snapshot: Option<bool>,
    switches: Option<BTreeMap<String, String>>,
    guid: Option<String>,
}

impl Traits {
    fn of(entry: DatabaseEntry) -> Traits {
        Traits {
            created: Some(entry.created),
            recovery_model: Some(entry.recovery_model),
            compatibility_level: Some(entry.compatibility_level),
            snapshot_isolation: Some(entry.snapshot_isolation),
            read_committed_snapshot: Some(entry.read_committed_snapshot),
            switches: Some(entry.switches),
            guid: Some(entry.guid),
        }
    }

    fn put_into(self, entry: DatabaseEntry) -> DatabaseEntry {
        DatabaseEntry {
            created: self.created.unwrap_or(entry.created),
            recovery_model: self.recovery_model.unwrap_or(entry.recovery_model),
            compatibility_level: self.compatibility_level.unwrap_or(entry.compatibility_level),
            snapshot_isolation: self.snapshot_isolation.unwrap_or(entry.snapshot_isolation),
            read_committed_snapshot: self.read_committed_snapshot.unwrap_or(entry.read_committed_snapshot),
            switches: self.switches.unwrap_or(entry.switches),
            guid: self.guid.unwrap_or(entry.guid),
            ..entry
        }
    }
}

impl Server {
    /// The names of all databases, in the order of their ids.
    pub fn database_names(&self) -> Vec<String> {
        self.databases().iter().map(|d| d.name()).collect()
    }

    /// What there is to know about a database.
    pub fn database_facts(&self, name: &str) -> Option<DatabaseFacts> {
        let database = self.database_named(name)?;
        let entry = database.entry();
        let (data_bytes, log_bytes) = crate::system::sizes(&self.config.data_dir.join(&entry.folder));
        let log_use = database.store().ok().and_then(|s| s.log_use());
        let replica = database.replica();
        Some(DatabaseFacts {
            id: entry.id,
            system: entry.id <= MSDB,
            state: database.state().name(),
            seeding: entry.seeding,
            recovery_model: entry.recovery_model.into(),
            log_chain: log_use.is_some_and(|l| l.log_backed_up.is_some()),
            collation: entry.collation.name().to_owned(),
            read_only: entry.read_only,
            single_user: entry.single_user,
            auto_close: entry.switches.get("AUTO_CLOSE").is_some_and(|v| v == "ON"),
            name: entry.name,
            owner: entry.owner,
            created: entry.created,
            data_bytes,
            log_bytes,
            role: replica.role,
            ids: replica.ids,
        })
    }

    /// The options of a database that go where it goes, for [`Server::apply_traits`] on another instance. The same text
    /// means the same options.
    pub fn database_traits(&self, name: &str) -> Option<String> {
        let traits = Traits::of(self.database_named(name)?.entry());
        Some(serde_json::to_string(&traits).expect("traits hold no map with keys that JSON cannot write"))
    }

    /// Gives a copy the options of its primary, whatever state it is in. It does nothing if it has them already.
    ///
    /// # Errors
    /// 911, a text that is not understood, or a storage error of master.
    pub fn apply_traits(&self, name: &str, traits: &str) -> Result<(), SqlError> {
        let traits: Traits = serde_json::from_str(traits).map_err(SqlError::internal)?;
        let _defining = self.defining();
        let database = self.database_named(name).ok_or_else(|| SqlError::database_not_found(name))?;
        let before = database.entry();
        let entry = traits.put_into(before.clone());
        if entry != before {
            self.save_entry(ServerEntry::Database(Box::new(entry)))?;
        }
        Ok(())
    }
}
