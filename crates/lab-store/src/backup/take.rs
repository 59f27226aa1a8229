//! Taking backups of a database that is open.

use std::path::Path;
use std::sync::Arc;

use super::Progress;
use super::error::BackupError;
use super::format::{BLOCK_MAX, BackupKind, BlockKind, MediaHeader, PagesFacts, SetHeader, SetTrailer};
use super::log_reader::LogReader;
use super::media::{Media, MediaWriter};
use super::snapshot::Snapshot;
use crate::capture::now;
use crate::control::Control;
use crate::database::{Logged, lock};
use crate::fork::unique_id;
use crate::{Database, ForkId, Lsn, RecoveryModel, StoreError};

/// What happens to the backups that are on the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// NOINIT: they stay; the device is made if there is none.
    Append,
    /// INIT: they go, once the new one is complete. A file that is no device is not overwritten.
    Init,
    /// FORMAT: whatever is there goes, once the new one is complete.
    Format,
}

/// How a backup is taken.
#[derive(Debug, Clone)]
pub struct BackupOptions {
    /// What goes into it.
    pub kind: BackupKind,
    /// Whether the backups on the device stay.
    pub target: Target,
    /// COPY_ONLY: the chain of backups is left alone.
    pub copy_only: bool,
    /// COMPRESSION.
    pub compress: bool,
    /// CHECKSUM.
    pub checksums: bool,
    /// The database's name.
    pub database_name: String,
    /// The server's name.
    pub server_name: String,
    /// Who takes it.
    pub user_name: String,
    /// NAME.
    pub name: Option<String>,
    /// DESCRIPTION.
    pub description: Option<String>,
    /// What else is to be known about the database when it is restored.
    pub attributes: String,
}

/// A backup that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupReport {
    /// The device.
    pub media: MediaHeader,
    /// What the backup begins with.
    pub header: SetHeader,
    /// What it ends with.
    pub trailer: SetTrailer,
    /// Bytes of it on the device.
    pub stored_bytes: u64,
}

/// What the log is kept for, and which fork it is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogUse {
    /// The recovery fork.
    pub fork: ForkId,
    /// The fork that the database began with.
    pub first_fork: ForkId,
    /// Where the fork began.
    pub fork_point: Option<Lsn>,
    /// Where the last log backup ended; nothing before the first full backup.
    pub log_backed_up: Option<Lsn>,
    /// The log's end.
    pub end: Lsn,
}

impl LogUse {
    /// Whether there is log that waits for a backup.
    pub fn waits_for_backup(&self) -> bool {
        self.log_backed_up.is_some_and(|done| done < self.end)
    }
}

impl Database {
    /// What the log is kept for.
    pub fn log_use(&self) -> Option<LogUse> {
        let logged = self.logged.as_ref()?;
        let end = logged.log.end();
        let control = lock(&logged.control);
        Some(LogUse {
            fork: control.fork,
            first_fork: control.forks.first().map_or(control.fork, |f| f.fork),
            fork_point: control.forks.last().map(|f| f.end),
            log_backed_up: control.log_backed_up,
            end,
        })
    }

    /// Takes a backup to a device. Commits go on meanwhile.
    ///
    /// # Errors
    /// The device is as it was before, and so is the chain of backups.
    pub fn backup(
        &self,
        path: &Path,
        options: &BackupOptions,
        progress: &mut Progress<'_>,
    ) -> Result<BackupReport, BackupError> {
        let logged =
            self.logged.as_ref().ok_or_else(|| StoreError::Io("the database has no log".to_owned()))?;
        match options.kind {
            BackupKind::Full => self.backup_full(logged, path, options, progress),
            BackupKind::Log => self.backup_log(logged, path, options, progress),
        }
    }

    fn open_device(&self, path: &Path, options: &BackupOptions) -> Result<MediaWriter, BackupError> {
        let known = match options.target {
            Target::Format => None,
            Target::Append | Target::Init => Media::find(&self.disk, path)?,
        };
        let header = match known {
            Some(media) if options.target == Target::Append => {
                return MediaWriter::append(&self.disk, &media, options.compress);
            }
            Some(media) => media.header,
            None => MediaHeader { set: unique_id(), family: unique_id(), formatted: now() },
        };
        MediaWriter::overwrite(&self.disk, path, header, options.compress)
    }

    fn backup_full(
        &self,
        logged: &Logged,
        path: &Path,
        options: &BackupOptions,
        progress: &mut Progress<'_>,
    ) -> Result<BackupReport, BackupError> {
        let started = now();
        let mut writer = self.open_device(path, options)?;
        let taken = self.snapshot().map_err(BackupError::from).and_then(|snapshot| {
            let header = SetHeader {
                pages: Some(PagesFacts {
                    database_pages: snapshot.database_pages,
                    checksum: snapshot.checksum,
                }),
                ..header(options, &lock(&logged.control), (snapshot.lsn, snapshot.lsn), started, &writer)
            };
            writer.set_header(&header)?;
            write_pages(&snapshot, &mut writer, progress)?;
            Ok((snapshot, header))
        });
        let (snapshot, header) = match taken {
            Ok(taken) => taken,
            Err(e) => return Err(writer.abandon(e)),
        };
        let report = finish(writer, header)?;
        if !options.copy_only {
            // The snapshot still keeps the log from its LSN on, which is where the chain of log backups begins.
            self.change_control(logged, |control| {
                let keeps_log = control.recovery_model != RecoveryModel::Simple;
                control.full_backup_lsn = Some(snapshot.lsn);
                control.log_backed_up = control.log_backed_up.or(keeps_log.then_some(snapshot.lsn));
            })?;
        }
        Ok(report)
    }

    fn backup_log(
        &self,
        logged: &Logged,
        path: &Path,
        options: &BackupOptions,
        progress: &mut Progress<'_>,
    ) -> Result<BackupReport, BackupError> {
        let started = now();
        let (control, pin) = {
            let control = lock(&logged.control);
            if control.recovery_model == RecoveryModel::Simple {
                return Err(BackupError::SimpleModel);
            }
            let from = control.log_backed_up.ok_or(BackupError::NoFullBackup)?;
            // What the chain keeps now is kept even if somebody ends the chain meanwhile.
            (control.clone(), logged.pins.pin(from))
        };
        let from = control.log_backed_up.ok_or(BackupError::NoFullBackup)?;
        let to = logged.log.hardened();
        let mut writer = self.open_device(path, options)?;
        let header = header(options, &control, (from, to), started, &writer);
        let mut reader = LogReader::new(Arc::clone(&self.disk), &self.dir, from, control.history(to));
        let written = writer
            .set_header(&header)
            .and_then(|()| write_log(&mut reader, &mut writer, (from, to), progress));
        if let Err(e) = written {
            return Err(writer.abandon(e));
        }
        let report = finish(writer, header)?;
        drop(pin);
        // A store that was shut for the tail of its log has no chain to lead on.
        if !options.copy_only && logged.log.failure().is_none() {
            let control = self.change_control(logged, |control| {
                // Unless the chain has been ended, or begun anew, meanwhile.
                if control.log_backed_up == Some(from) {
                    control.log_backed_up = Some(to);
                }
            })?;
            if control.log_backed_up == Some(to) {
                logged.log.truncate(control.checkpoint_lsn.min(to), &logged.pins)?;
            }
        }
        Ok(report)
    }
}

fn header(
    options: &BackupOptions,
    control: &Control,
    (first_lsn, last_lsn): (Lsn, Lsn),
    started: i64,
    writer: &MediaWriter,
) -> SetHeader {
    SetHeader {
        format: super::format::VERSION,
        set: unique_id(),
        position: writer.position,
        kind: options.kind,
        copy_only: options.copy_only,
        compressed: options.compress,
        checksums: options.checksums,
        first_lsn,
        last_lsn,
        checkpoint_lsn: match options.kind {
            BackupKind::Full => last_lsn,
            BackupKind::Log => control.checkpoint_lsn,
        },
        database_backup_lsn: control.full_backup_lsn,
        fork: control.fork,
        forks: control.forks.clone(),
        page_size: control.page_size,
        pages: None,
        recovery_model: control.recovery_model,
        started,
        database_name: options.database_name.clone(),
        server_name: options.server_name.clone(),
        user_name: options.user_name.clone(),
        name: options.name.clone(),
        description: options.description.clone(),
        attributes: options.attributes.clone(),
    }
}

fn write_pages(
    snapshot: &Snapshot,
    writer: &mut MediaWriter,
    progress: &mut Progress<'_>,
) -> Result<(), BackupError> {
    let entry = 4 + snapshot.page_size as usize;
    // A block of 64 pages compresses well, and one that is damaged costs no more than that to read again.
    let block = (64 * entry).min(BLOCK_MAX / entry * entry);
    let mut content = Vec::with_capacity(block);
    let mut done = 0;
    snapshot.read(|number, page| {
        content.extend(number.to_le_bytes());
        content.extend_from_slice(page);
        if content.len() >= block {
            writer.content(BlockKind::Pages, &content)?;
            content.clear();
        }
        done += 1;
        if progress(done, u64::from(snapshot.database_pages)) { Ok(()) } else { Err(BackupError::Cancelled) }
    })?;
    if content.is_empty() { Ok(()) } else { writer.content(BlockKind::Pages, &content) }
}

fn write_log(
    reader: &mut LogReader,
    writer: &mut MediaWriter,
    (from, to): (Lsn, Lsn),
    progress: &mut Progress<'_>,
) -> Result<(), BackupError> {
    /// Bytes of log in a block.
    const BLOCK: usize = 256 << 10;
    let mut content: Vec<u8> = Vec::with_capacity(BLOCK);
    while let Some(raw) = reader.next_record()? {
        content.extend_from_slice(&raw.bytes);
        while content.len() >= BLOCK {
            let rest = content.split_off(BLOCK);
            writer.content(BlockKind::Log, &content)?;
            content = rest;
        }
        if !progress(raw.record.lsn.0.saturating_sub(from.0), to.0.saturating_sub(from.0)) {
            return Err(BackupError::Cancelled);
        }
    }
    if content.is_empty() { Ok(()) } else { writer.content(BlockKind::Log, &content) }
}

fn finish(writer: MediaWriter, header: SetHeader) -> Result<BackupReport, BackupError> {
    let media = writer.header;
    let (trailer, stored_bytes) = writer.finish(now())?;
    Ok(BackupReport { media, header, trailer, stored_bytes })
}

impl Database {
    /// Ends everything: no commit comes into the log after this, and neither the data file nor the control file is
    /// written. Returns where the log ends, all of it hardened. It can still be read.
    ///
    /// # Errors
    /// The log could not be hardened to its end.
    pub fn shut(&self, why: &str) -> Result<Lsn, StoreError> {
        let Some(logged) = &self.logged else { return Ok(Lsn(0)) };
        // A checkpoint that is under way has its end first.
        let keeper = lock(&logged.keeper);
        let gate = lock(&logged.gate);
        let control = lock(&logged.control);
        let end = logged.log.end();
        let hardened = logged.log.wait(end);
        logged.log.close(StoreError::Io(why.to_owned()));
        drop((control, gate, keeper));
        hardened.map(|()| end)
    }
}
