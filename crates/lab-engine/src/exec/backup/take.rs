//! BACKUP DATABASE and BACKUP LOG.

use std::sync::Arc;
use std::time::Instant;

use lab_store::{BackupKind, BackupOptions, BackupReport, Database as Store, Target};

use super::Attributes;
use super::device::Device;
use super::logged::Logged;
use super::messages::{Steps, Work, error_of, pages, say_done, say_processed};
use super::options::Options;
use crate::error::SqlError;
use crate::exec::Stop;
use crate::server::{Database, DatabaseEntry, DatabaseState, MASTER, ServerEntry, TEMPDB};
use crate::session::Session;
use crate::sink::Sink;

impl Session {
    pub(super) fn back_up(
        &mut self,
        kind: BackupKind,
        operation: &str,
        name: &str,
        device: &str,
        options: &Options,
        sink: &mut dyn Sink,
    ) -> Result<(), Stop> {
        let server = Arc::clone(&self.server);
        let database = server.database_named(name).ok_or_else(|| SqlError::database_not_found(name))?;
        if database.id == TEMPDB {
            return Err(SqlError::backup_not_allowed(&database.name()).into());
        }
        let store = database.store()?;
        crate::exec::replica::may_back_up(&database, kind, options.copy_only, options.no_recovery)?;
        if kind == BackupKind::Log && database.id == MASTER {
            return Err(SqlError::log_backup_master().into());
        }
        let device = Device::claim(&server, device)?;
        let asked = self.asked(kind, &database, options)?;
        let started = Instant::now();
        let report = if options.no_recovery {
            self.take_tail(&database, &store, &device, &asked, options, sink)?
        } else {
            self.take(&store, &device, &asked, options, sink)?
        };
        let (name, position) = (database.name(), report.header.position);
        let log = format!("{name}_log");
        let bytes = report.trailer.content_bytes;
        match kind {
            BackupKind::Full => {
                say_processed(pages(bytes), &name, &name, position, sink);
                say_processed(0, &name, &log, position, sink);
            }
            BackupKind::Log => say_processed(pages(bytes), &name, &log, position, sink),
        }
        self.keep_backup(&device.path, &report, &database, sink);
        let done = say_done(operation, &Work { bytes, started }, sink);
        let (entry, header, path) = (&database.entry(), &report.header, &device.path);
        self.log_work(&Logged { restored: false, entry, header, bytes, path, done });
        Ok(())
    }

    fn asked(
        &self,
        kind: BackupKind,
        database: &Database,
        options: &Options,
    ) -> Result<BackupOptions, SqlError> {
        let entry = database.entry();
        let folder = self.server.config.data_dir.join(&entry.folder).to_string_lossy().into_owned();
        let database_name = entry.name.clone();
        Ok(BackupOptions {
            kind,
            target: match (options.format, options.init) {
                (true, _) => Target::Format,
                (false, true) => Target::Init,
                (false, false) => Target::Append,
            },
            copy_only: options.copy_only,
            compress: options.compression,
            checksums: options.checksum,
            database_name,
            server_name: self.server.config.server_name.clone(),
            user_name: self.shared.state().login.clone(),
            name: options.name.clone(),
            description: options.description.clone(),
            attributes: serde_json::to_string(&Attributes { entry, folder }).map_err(SqlError::internal)?,
        })
    }

    fn take(
        &self,
        store: &Store,
        device: &Device,
        asked: &BackupOptions,
        options: &Options,
        sink: &mut dyn Sink,
    ) -> Result<BackupReport, SqlError> {
        let mut steps = Steps::new(self, options.stats, sink);
        store
            .backup(&device.path, asked, &mut |done, total| steps.step(done, total))
            .map_err(|e| error_of(&e, &device.shown))
    }

    /// BACKUP LOG WITH NORECOVERY: nothing is committed behind what the backup holds, and the database is left restoring.
    fn take_tail(
        &mut self,
        database: &Arc<Database>,
        store: &Arc<Store>,
        device: &Device,
        asked: &BackupOptions,
        options: &Options,
        sink: &mut dyn Sink,
    ) -> Result<BackupReport, Stop> {
        let server = Arc::clone(&self.server);
        let _defining = server.defining();
        if database.id <= crate::server::MSDB {
            return Err(SqlError::unsupported("BACKUP LOG WITH NORECOVERY of a system database").into());
        }
        self.alone_with(database)?;
        // The errors of a log that cannot be backed up come before the database goes down for it.
        if store.recovery_model() == lab_store::RecoveryModel::Simple {
            return Err(SqlError::log_backup_simple().into());
        }
        if store.log_use().is_none_or(|l| l.log_backed_up.is_none()) {
            return Err(SqlError::log_backup_no_full().into());
        }
        let before = database.entry();
        let dir = server.config.data_dir.join(&before.folder);
        let taken = store
            .shut("the tail of the log is being backed up")
            .map_err(|e| SqlError::storage(&before.name, &e))
            .and_then(|_| self.take(store, device, asked, options, sink))
            .and_then(|report| {
                database.take_down(DatabaseState::Restoring, "the tail of its log was backed up".to_owned());
                lab_store::leave_restoring(&server.disk, &dir).map_err(|e| error_of(&e, &device.shown))?;
                let entry = DatabaseEntry { restoring: true, ..before.clone() };
                server.save_entry(ServerEntry::Database(Box::new(entry)))?;
                Ok(report)
            });
        self.let_go(database.id)?;
        match taken {
            Ok(report) => Ok(report),
            Err(e) => {
                // As it was: the log ends where it ended, and goes on from there.
                database.take_down(DatabaseState::RecoveryPending, "being recovered".to_owned());
                server.add_database(Arc::new(server.bring_up_entry(before)));
                Err(e.into())
            }
        }
    }

    /// Makes sure that nobody else uses a database, and that nobody begins to write to it.
    ///
    /// # Errors
    /// 3101, 3102.
    pub(super) fn alone_with(&mut self, database: &Database) -> Result<(), SqlError> {
        if self.current_database() == database.id {
            return Err(SqlError::used_by_this_session(&database.name()));
        }
        if self.server.sessions().iter().any(|s| s.state().database == database.id) {
            return Err(SqlError::no_exclusive_access());
        }
        let session = lab_store::SessionId(u64::from(self.id()));
        let key = lab_store::DbKey(database.id as u32);
        let now = Some(std::time::Duration::ZERO);
        self.server
            .locks
            .acquire(session, key, now, &mut || false)
            .map_err(|_| SqlError::no_exclusive_access())
    }
}
