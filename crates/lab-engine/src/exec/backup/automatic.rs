//! Backups that the instance takes by itself.

use lab_store::BackupKind;

use super::options::Options;
use crate::error::SqlError;
use crate::exec::{FirstError, Stop};
use crate::server::{AUTOMATIC_FOLDER, BACKUP_FOLDER, Database};
use crate::session::Session;

impl Session {
    /// Backs a database up, or its log, in the place of the last such backup, and keeps msdb's history of it.
    ///
    /// # Errors
    /// As the statement's.
    pub(crate) fn back_up_automatically(
        &mut self,
        database: &Database,
        kind: BackupKind,
    ) -> Result<(), SqlError> {
        let entry = database.entry();
        let (operation, extension) = match kind {
            BackupKind::Full => ("BACKUP DATABASE", "bak"),
            BackupKind::Log => ("BACKUP LOG", "trn"),
        };
        let device = format!("{AUTOMATIC_FOLDER}/{}.{extension}", entry.folder.display());
        let folder = self.server.config.data_dir.join(BACKUP_FOLDER).join(AUTOMATIC_FOLDER);
        std::fs::create_dir_all(&folder).map_err(|e| SqlError::device_open(&device, &e.to_string()))?;
        let options = Options { init: true, checksum: true, compression: true, ..Options::default() };
        let mut errors = FirstError::default();
        match self.back_up(kind, operation, &entry.name, &device, &options, &mut errors) {
            Ok(()) => errors.into_result(),
            Err(Stop::Error(e)) => Err(e),
            Err(_) => Err(SqlError::cancelled()),
        }
    }
}
