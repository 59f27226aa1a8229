//! What msdb keeps of backups and restores.

use std::path::Path;
use std::sync::Arc;

use lab_store::{BackupKind, BackupReport, Lsn, SetFacts};

use super::options::Options;
use crate::error::SqlError;
use crate::exec::FirstError;
use crate::server::{Database, DatabaseEntry};
use crate::session::Session;
use crate::sink::Sink;
use crate::types::{Moment, SqlType, Value, guid_from_wire, parse_hex, temporal_value, text_of};

/// A restore that was done.
pub(super) struct Restored {
    database: String,
    set: [u8; 16],
    kind: BackupKind,
    replace: bool,
    recovery: bool,
    stop_at: Option<i64>,
}

impl Restored {
    pub(super) fn of(entry: &DatabaseEntry, set: &SetFacts, options: &Options) -> Restored {
        Restored {
            database: entry.name.clone(),
            set: set.header.set,
            kind: set.header.kind,
            replace: options.replace,
            recovery: !options.no_recovery,
            stop_at: options.stop_at,
        }
    }
}

/// The code of `backupset.type`.
fn code(kind: BackupKind) -> &'static str {
    match kind {
        BackupKind::Full => "D",
        BackupKind::Log => "L",
    }
}

fn quoted(text: &str) -> String {
    format!("N'{}'", text.replace('\'', "''"))
}

fn optional(text: Option<&String>) -> String {
    text.map_or_else(|| "NULL".to_owned(), |t| quoted(t))
}

fn guid(bytes: [u8; 16]) -> String {
    stored_guid(guid_from_wire(bytes))
}

fn stored_guid(stored: Vec<u8>) -> String {
    text_of(&Value::Blob(stored), SqlType::UniqueIdentifier, None)
        .map_or_else(|| "NULL".to_owned(), |text| quoted(&text))
}

fn lsn(lsn: Option<Lsn>) -> String {
    lsn.map_or_else(|| "NULL".to_owned(), |lsn| lsn.to_string())
}

/// A time of the store, 100 ns since 0001-01-01, as a datetime literal.
fn time(ticks: i64) -> String {
    let ty = SqlType::DateTime;
    let value = temporal_value(Moment::from_total(ticks, 0), ty).ok();
    literal(value)
}

fn literal(value: Option<Value>) -> String {
    // Style 126 reads the same under every DATEFORMAT.
    value
        .and_then(|v| text_of(&v, SqlType::DateTime, Some(126)))
        .map_or_else(|| "NULL".to_owned(), |t| quoted(&t))
}

impl Session {
    /// Adds a backup to `backupset` and to what belongs to it.
    pub(super) fn keep_backup(
        &self,
        path: &Path,
        report: &BackupReport,
        database: &Database,
        sink: &mut dyn Sink,
    ) {
        let (header, trailer, media) = (&report.header, &report.trailer, &report.media);
        let entry = database.entry();
        let flavor = self.server.config.flavor;
        let [major, minor, build, _] = flavor.build();
        let bit = |b: bool| u8::from(b).to_string();
        let columns: Vec<(&str, String)> = vec![
            ("backup_set_uuid", guid(header.set)),
            ("media_set_id", "@media".to_owned()),
            ("first_family_number", "1".to_owned()),
            ("last_family_number", "1".to_owned()),
            ("position", header.position.to_string()),
            ("name", optional(header.name.as_ref())),
            ("description", optional(header.description.as_ref())),
            ("user_name", quoted(&header.user_name)),
            ("software_major_version", major.to_string()),
            ("software_minor_version", minor.to_string()),
            ("software_build_version", build.to_string()),
            ("first_lsn", lsn(Some(header.first_lsn))),
            ("last_lsn", lsn(Some(header.last_lsn))),
            ("checkpoint_lsn", lsn(Some(header.checkpoint_lsn))),
            ("database_backup_lsn", lsn(header.database_backup_lsn.or(Some(Lsn(0))))),
            ("fork_point_lsn", lsn(header.fork_point())),
            ("database_creation_date", literal(Some(Value::Integer(entry.created)))),
            ("backup_start_date", time(header.started)),
            ("backup_finish_date", time(trailer.finished)),
            ("type", quoted(code(header.kind))),
            ("compatibility_level", entry.compatibility_level.to_string()),
            ("database_version", flavor.database_version().to_string()),
            ("backup_size", trailer.content_bytes.to_string()),
            ("compressed_backup_size", report.stored_bytes.to_string()),
            ("database_name", quoted(&header.database_name)),
            ("server_name", quoted(&header.server_name)),
            ("machine_name", quoted(&header.server_name)),
            ("collation_name", quoted(entry.collation.name())),
            ("recovery_model", quoted(super::headers::model_name(header.recovery_model))),
            ("is_copy_only", bit(header.copy_only)),
            ("has_backup_checksums", bit(header.checksums)),
            ("is_damaged", bit(false)),
            ("begins_log_chain", bit(header.begins_log_chain())),
            ("is_readonly", bit(entry.read_only)),
            ("is_single_user", bit(entry.single_user)),
            ("is_snapshot", bit(false)),
            ("has_bulk_logged_data", bit(false)),
            ("database_guid", parse_hex(&entry.guid).map_or_else(|| "NULL".to_owned(), stored_guid)),
            ("family_guid", guid(header.family().0)),
            ("first_recovery_fork_guid", guid(header.fork.0)),
            ("last_recovery_fork_guid", guid(header.fork.0)),
        ];
        let (names, values): (Vec<&str>, Vec<String>) = columns.into_iter().unzip();
        let text = format!(
            "SET XACT_ABORT ON; BEGIN TRANSACTION; DECLARE @media int;
             SELECT @media = media_set_id FROM msdb.dbo.backupmediaset WHERE media_uuid = {set};
             IF @media IS NULL BEGIN
                 INSERT INTO msdb.dbo.backupmediaset(media_uuid, media_family_count, software_name, software_vendor_id, MTF_major_version, mirror_count, is_password_protected, is_compressed, is_encrypted)
                     VALUES({set}, 1, N'Microsoft SQL Server', 4608, 1, 1, 0, {compressed}, 0);
                 SET @media = SCOPE_IDENTITY();
                 INSERT INTO msdb.dbo.backupmediafamily(media_set_id, family_sequence_number, media_family_id, media_count, logical_device_name, physical_device_name, device_type, mirror)
                     VALUES(@media, 1, {family}, 1, NULL, {device}, 2, 0);
             END;
             INSERT INTO msdb.dbo.backupset([{names}]) VALUES({values});
             COMMIT;",
            set = guid(media.set),
            family = guid(media.family),
            compressed = bit(header.compressed),
            device = quoted(&path.to_string_lossy()),
            names = names.join("], ["),
            values = values.join(", "),
        );
        self.keep(&text, sink);
    }

    /// Adds a restore to `restorehistory`.
    pub(super) fn keep_restore(&self, restored: &Restored, sink: &mut dyn Sink) {
        let text = format!(
            "INSERT INTO msdb.dbo.restorehistory(restore_date, destination_database_name, user_name, backup_set_id, restore_type, replace, recovery, restart, stop_at)
                 SELECT GETDATE(), {database}, {user}, (SELECT MAX(backup_set_id) FROM msdb.dbo.backupset WHERE backup_set_uuid = {set}), {kind}, {replace}, {recovery}, 0, {stop_at};",
            database = quoted(&restored.database),
            user = quoted(&self.shared.state().login),
            set = guid(restored.set),
            kind = quoted(code(restored.kind)),
            replace = u8::from(restored.replace),
            recovery = u8::from(restored.recovery),
            stop_at = restored.stop_at.map_or_else(|| "NULL".to_owned(), time),
        );
        self.keep(&text, sink);
    }

    /// Runs a statement on msdb as the server itself. What was backed up or restored stands, whatever becomes of this.
    fn keep(&self, text: &str, sink: &mut dyn Sink) {
        let kept = Arc::clone(&self.server).internal_session().and_then(|mut session| {
            let mut errors = FirstError::default();
            session.run_batch(text, &mut errors);
            errors.into_result()?;
            session.barrier.wait()
        });
        if let Err(e) = kept {
            sink.error(&SqlError::new(
                3009,
                16,
                1,
                format!(
                    "Could not insert a backup or restore history/detail record in the msdb database. This may indicate a problem with the msdb database. The backup/restore operation was still successful. {e}"
                ),
            ));
        }
    }
}
