//! A database, as `sys.databases` and its neighbours show it.

use serde::{Deserialize, Serialize};

use crate::moment::Moment;

/// A user database.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Database {
    /// Its name.
    pub name: String,
    /// `state_desc`: `ONLINE`, `RESTORING`, ...
    pub state: String,
    /// `recovery_model_desc`.
    pub recovery_model: RecoveryModel,
    /// `compatibility_level`.
    pub compatibility_level: u8,
    /// `is_read_only`.
    pub read_only: bool,
    /// Size of all files, in bytes.
    pub size_bytes: u64,
    /// Size of the log files, in bytes.
    pub log_bytes: u64,
    /// Share of the log that is in use, in percent (`DBCC SQLPERF(LOGSPACE)`).
    pub log_used_percent: Option<f64>,
    /// `log_reuse_wait_desc`.
    pub log_reuse_wait: String,
    /// How many data files.
    pub data_files: u32,
    /// How many log files.
    pub log_files: u32,
    /// Files whose state is `DEFUNCT`.
    pub defunct_files: u32,
    /// Whether it has a FILESTREAM filegroup or a FileTable.
    pub filestream: bool,
    /// In-Memory OLTP.
    pub memory_optimized: Memory,
    /// Transparent data encryption.
    pub encryption: Encryption,
    /// `is_accelerated_database_recovery_on` (2019 and later).
    pub accelerated_recovery: Option<bool>,
    /// Whether the persistent version store is in `PRIMARY`.
    pub version_store_on_primary: Option<bool>,
    /// `is_broker_enabled`.
    pub broker_enabled: bool,
    /// Whether it publishes by transactional replication.
    pub published: bool,
    /// `is_cdc_enabled`.
    pub cdc_enabled: bool,
    /// The availability group that it is in.
    pub group: Option<String>,
    /// Whether its log chain has begun (`sys.database_recovery_status.last_log_backup_lsn` is not NULL).
    pub log_chain: Option<bool>,
    /// The last full backup that is not copy-only.
    pub last_full_backup: Option<Backup>,
    /// The last log backup.
    pub last_log_backup: Option<Backup>,
}

/// `recovery_model_desc`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RecoveryModel {
    /// What a link needs.
    Full,
    /// Its log has gaps.
    BulkLogged,
    /// Its log is thrown away.
    Simple,
}

impl RecoveryModel {
    /// As T-SQL writes it.
    pub fn tsql(self) -> &'static str {
        match self {
            RecoveryModel::Full => "FULL",
            RecoveryModel::BulkLogged => "BULK_LOGGED",
            RecoveryModel::Simple => "SIMPLE",
        }
    }
}

/// What a database keeps in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub struct Memory {
    /// How many containers its memory-optimized filegroup has; 0 if it has none.
    pub containers: u32,
    /// How many memory-optimized tables there are, if that can be seen.
    pub tables: Option<u32>,
}

/// Transparent data encryption.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub struct Encryption {
    /// `is_encrypted`.
    pub on: bool,
    /// `encryptor_type`: `CERTIFICATE` or `ASYMMETRIC KEY`.
    pub encryptor: Option<String>,
    /// The certificate's or key's thumbprint, as hexadecimal digits.
    pub thumbprint: Option<String>,
}

/// A backup of `msdb.dbo.backupset`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Backup {
    /// When it was finished.
    pub finished: Moment,
    /// `has_backup_checksums`.
    pub checksums: bool,
}
