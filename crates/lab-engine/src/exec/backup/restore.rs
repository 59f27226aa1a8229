//! RESTORE DATABASE and RESTORE LOG.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use lab_store::{BackupKind, Database as Store, Media, SetFacts};

use super::Attributes;
use super::device::Device;
use super::history::Restored;
use super::logged::Logged;
use super::messages::{Steps, Work, error_of, pages, say, say_done, say_processed};
use super::options::Options;
use crate::catalog::Catalog;
use crate::error::SqlError;
use crate::exec::Stop;
use crate::exec::random_hex;
use crate::server::{Database, DatabaseEntry, DatabaseState, MASTER, MSDB, ServerEntry, TEMPDB};
use crate::session::Session;
use crate::sink::Sink;
use crate::types::now_datetime;

/// The backup that a statement restores from.
struct Source {
    device: Device,
    media: Media,
    set: SetFacts,
}

impl Session {
    pub(super) fn restore_backup(
        &mut self,
        kind: BackupKind,
        operation: &str,
        name: &str,
        device: Option<&str>,
        options: &Options,
        sink: &mut dyn Sink,
    ) -> Result<(), Stop> {
        let server = Arc::clone(&self.server);
        let existing = server.database_named(name);
        let owned = existing.as_ref().is_some_and(|d| d.entry().owner == self.shared.state().login);
        if !self.shared.has_server_role("dbcreator") && !owned {
            return Err(match existing {
                Some(_) => SqlError::restore_denied(name),
                None => SqlError::backup_denied("CREATE DATABASE", "master"),
            }
            .into());
        }
        match existing.as_ref().map(|d| d.id) {
            Some(MASTER) => return Err(SqlError::restore_master().into()),
            Some(TEMPDB) => return Err(SqlError::backup_not_allowed(name).into()),
            Some(id) if id <= MSDB => {
                return Err(SqlError::unsupported(&format!("{operation} of a system database")).into());
            }
            _ => {}
        }
        let _defining = server.defining();
        // Asked again: it may have been dropped, or made, before this statement had its turn.
        let existing = server.database_named(name);
        existing.as_ref().map_or(Ok(()), |d| crate::exec::replica::may_restore(d))?;
        let Some(device) = device else {
            return self.recover_only(operation, name, existing.as_ref(), options, sink);
        };
        let source = self.open_source(device, options)?;
        let holds = source.set.header.kind;
        match kind {
            _ if holds == kind => {}
            BackupKind::Full => {
                return Err(SqlError::backup_of_other_kind(&source.device.shown, "BACKUP LOG").into());
            }
            BackupKind::Log => {
                return Err(SqlError::backup_of_other_kind(&source.device.shown, "BACKUP DATABASE").into());
            }
        }
        check_moves(&source.set, options)?;
        match kind {
            BackupKind::Full => self.restore_pages(operation, name, existing, &source, options, sink),
            BackupKind::Log => self.restore_records(operation, name, existing, &source, options, sink),
        }
    }

    fn open_source(&self, device: &str, options: &Options) -> Result<Source, SqlError> {
        let device = Device::claim(&self.server, device)?;
        let failed = |e| error_of(&e, &device.shown);
        let media = Media::open(&self.server.disk, &device.path).map_err(failed)?;
        let set = media.set(options.file.unwrap_or(1)).map_err(failed)?;
        if options.checksum && !set.header.checksums {
            return Err(SqlError::no_backup_checksums());
        }
        Ok(Source { device, media, set })
    }

    /// A full backup: a new folder, which takes the old one's place when it is complete.
    fn restore_pages(
        &mut self,
        operation: &str,
        name: &str,
        existing: Option<Arc<Database>>,
        source: &Source,
        options: &Options,
        sink: &mut dyn Sink,
    ) -> Result<(), Stop> {
        let started = Instant::now();
        let header = &source.set.header;
        let server = Arc::clone(&self.server);
        if let Some(existing) = &existing {
            self.may_be_replaced(existing, source, options)?;
        }
        if options.stop_at.is_some_and(|stop| stop < header.started) {
            return Err(SqlError::stop_too_early().into());
        }
        let entry = self.restored_entry(name, existing.as_deref(), source)?;
        let dir = server.config.data_dir.join(&entry.folder);
        let made = self.make_restored(&entry, &dir, source, options, sink);
        let (entry, online) = match made {
            Ok(made) => made,
            Err(e) => {
                // Nothing refers to the folder. What cannot be removed is never used again either.
                let _removed = std::fs::remove_dir_all(&dir);
                return Err(e.into());
            }
        };
        self.replace_database(existing, entry.clone(), online, sink)?;
        let position = header.position;
        let bytes = source.set.trailer.content_bytes;
        say_processed(pages(bytes), name, &header.database_name, position, sink);
        say_processed(0, name, &format!("{}_log", header.database_name), position, sink);
        self.keep_restore(&Restored::of(&entry, &source.set, options), sink);
        let done = say_done(operation, &Work { bytes, started }, sink);
        let path = &source.device.path;
        self.log_work(&Logged { restored: true, entry: &entry, header, bytes, path, done });
        Ok(())
    }

    /// # Errors
    /// 3101, 3102, 3154, 3159.
    fn may_be_replaced(
        &mut self,
        existing: &Database,
        source: &Source,
        options: &Options,
    ) -> Result<(), SqlError> {
        self.alone_with(existing)?;
        if options.replace {
            return Ok(());
        }
        let dir = self.server.config.data_dir.join(&existing.entry().folder);
        let log = existing.store().ok().and_then(|s| s.log_use());
        let family = match &log {
            Some(log) => Some(log.first_fork),
            None if existing.state() == DatabaseState::Restoring => {
                lab_store::restored_family(&self.server.disk, &dir).ok()
            }
            // Nobody knows whose it is.
            None => None,
        };
        if family != Some(source.set.header.family()) {
            return Err(SqlError::backup_of_other_database(&existing.name()));
        }
        if options.stop_at.is_none() && log.is_some_and(|l| l.waits_for_backup()) {
            return Err(SqlError::tail_not_backed_up(&existing.name()));
        }
        Ok(())
    }

    fn restored_entry(
        &self,
        name: &str,
        existing: Option<&Database>,
        source: &Source,
    ) -> Result<DatabaseEntry, SqlError> {
        if name.chars().count() > 128 || name.contains('\0') {
            return Err(SqlError::new(1038, 15, 4, "The name of a database has 1 to 128 characters."));
        }
        let attributes: Attributes = serde_json::from_str(&source.set.header.attributes)
            .map_err(|_| SqlError::device_not_media(&source.device.shown))?;
        let id = existing.map_or_else(|| self.server.next_database_id(), |d| d.id);
        let guid = random_hex()?;
        Ok(DatabaseEntry {
            id,
            name: existing.map_or_else(|| name.to_owned(), Database::name),
            folder: std::path::PathBuf::from(format!("db{id}-{}", guid.get(..8).unwrap_or("0"))),
            created: now_datetime(),
            owner: self.shared.state().login.clone(),
            single_user: false,
            offline: false,
            restoring: true,
            seeding: false,
            guid,
            ..attributes.entry
        })
    }

    fn make_restored(
        &self,
        entry: &DatabaseEntry,
        dir: &Path,
        source: &Source,
        options: &Options,
        sink: &mut dyn Sink,
    ) -> Result<(DatabaseEntry, Option<(Store, Catalog)>), SqlError> {
        let mut steps = Steps::new(self, options.stats, sink);
        lab_store::restore_full(&self.server.disk, dir, &source.media, &source.set, &mut |done, total| {
            steps.step(done, total)
        })
        .map_err(|e| error_of(&e, &source.device.shown))?;
        if options.no_recovery {
            return Ok((entry.clone(), None));
        }
        let (entry, store, catalog) = self.recovered(entry, dir)?;
        Ok((entry, Some((store, catalog))))
    }

    /// Ends the restore of a folder and opens it.
    fn recovered(
        &self,
        entry: &DatabaseEntry,
        dir: &Path,
    ) -> Result<(DatabaseEntry, Store, Catalog), SqlError> {
        let disk = &self.server.disk;
        lab_store::recover(disk, dir).map_err(|e| error_of(&e, &entry.name))?;
        let store =
            Store::open(Arc::clone(disk), dir).map_err(|e| SqlError::restored_damage(&e.to_string()))?;
        let catalog = crate::server::load_catalog(&store, entry.id).map_err(|e| SqlError::sqlite(&e))?;
        let recovery_model = store.recovery_model().into();
        let entry = DatabaseEntry { restoring: false, recovery_model, ..entry.clone() };
        Ok((entry, store, catalog))
    }

    /// Puts a restored folder into the place of the old one.
    fn replace_database(
        &mut self,
        existing: Option<Arc<Database>>,
        entry: DatabaseEntry,
        online: Option<(Store, Catalog)>,
        sink: &mut dyn Sink,
    ) -> Result<(), Stop> {
        let server = Arc::clone(&self.server);
        let database = match online {
            Some((store, catalog)) => Database::online(entry.clone(), store, catalog),
            None => Database::down(
                entry.clone(),
                DatabaseState::Restoring,
                "in the middle of a restore".to_owned(),
            ),
        };
        let Some(existing) = existing else {
            server.save_entry(ServerEntry::Database(Box::new(entry)))?;
            server.add_database(Arc::new(database));
            return Ok(());
        };
        let old = existing.entry();
        if let Ok(store) = existing.store() {
            // A session that was about to commit must not be told that it did.
            store.shut("the database is being replaced").map_err(|e| SqlError::storage(&old.name, &e))?;
        }
        existing.take_down(DatabaseState::Restoring, "being replaced".to_owned());
        if let Err(e) = server.save_entry(ServerEntry::Database(Box::new(entry))) {
            server.add_database(Arc::new(server.bring_up_entry(old)));
            return Err(e.into());
        }
        server.forget_database(existing.id);
        server.add_database(Arc::new(database));
        self.let_go(existing.id)?;
        let folder = server.config.data_dir.join(&old.folder);
        if let Err(e) = std::fs::remove_dir_all(&folder) {
            let text = format!(
                "The files of the former database in {} could not be removed: {e}.",
                folder.display()
            );
            say(5009, text, sink);
        }
        Ok(())
    }

    /// A log backup: more log for a database in the middle of a restore.
    fn restore_records(
        &mut self,
        operation: &str,
        name: &str,
        existing: Option<Arc<Database>>,
        source: &Source,
        options: &Options,
        sink: &mut dyn Sink,
    ) -> Result<(), Stop> {
        let started = Instant::now();
        let database = existing.ok_or_else(|| SqlError::restore_needs_database(name))?;
        self.alone_with(&database)?;
        if database.state() != DatabaseState::Restoring {
            return Err(SqlError::nothing_to_roll_forward().into());
        }
        let entry = database.entry();
        let dir = self.server.config.data_dir.join(&entry.folder);
        let mut steps = Steps::new(self, options.stats, sink);
        let restored = lab_store::restore_log(
            &self.server.disk,
            &dir,
            &source.media,
            &source.set,
            options.stop_at,
            &mut |done, total| steps.step(done, total),
        )
        .map_err(|e| error_of(&e, &source.device.shown))?;
        let short = options.stop_at.is_some() && !restored.stopped;
        if !options.no_recovery && !short {
            self.bring_online(&database, &entry, &dir)?;
        }
        let header = &source.set.header;
        say_processed(0, name, &header.database_name, header.position, sink);
        let log = format!("{}_log", header.database_name);
        say_processed(pages(restored.log_bytes), name, &log, header.position, sink);
        if short && !options.no_recovery {
            say(
                4322,
                "This backup set contains records that were logged before the designated point in time. The database is being left in the restoring state so that more roll forward can be performed.",
                sink,
            );
        }
        self.keep_restore(&Restored::of(&entry, &source.set, options), sink);
        let bytes = restored.log_bytes;
        let done = say_done(operation, &Work { bytes, started }, sink);
        let path = &source.device.path;
        self.log_work(&Logged { restored: true, entry: &entry, header, bytes, path, done });
        Ok(())
    }

    fn bring_online(&self, database: &Database, entry: &DatabaseEntry, dir: &Path) -> Result<(), SqlError> {
        let (entry, store, catalog) = self.recovered(entry, dir)?;
        self.server.save_entry(ServerEntry::Database(Box::new(entry)))?;
        database.bring_up(store, catalog);
        Ok(())
    }

    /// RESTORE DATABASE d WITH RECOVERY.
    fn recover_only(
        &mut self,
        operation: &str,
        name: &str,
        existing: Option<&Arc<Database>>,
        options: &Options,
        sink: &mut dyn Sink,
    ) -> Result<(), Stop> {
        let started = Instant::now();
        let database = existing.ok_or_else(|| SqlError::restore_needs_database(name))?;
        if options.no_recovery {
            return Err(
                SqlError::unsupported(&format!("{operation} WITH NORECOVERY without a device")).into()
            );
        }
        if database.state() != DatabaseState::Restoring {
            return Err(SqlError::already_recovered().into());
        }
        let entry = database.entry();
        let dir = self.server.config.data_dir.join(&entry.folder);
        self.bring_online(database, &entry, &dir)?;
        say_done(operation, &Work { bytes: 0, started }, sink);
        Ok(())
    }
}

/// MOVE: the files of a lab's database stay in the folder that the instance gives it, but the logical names must be right.
fn check_moves(set: &SetFacts, options: &Options) -> Result<(), SqlError> {
    let database = &set.header.database_name;
    let log = format!("{database}_log");
    match options.moved.iter().find(|m| !m.eq_ignore_ascii_case(database) && !m.eq_ignore_ascii_case(&log)) {
        Some(unknown) => Err(SqlError::no_logical_file(unknown, database)),
        None => Ok(()),
    }
}
