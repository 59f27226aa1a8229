//! RESTORE VERIFYONLY, HEADERONLY, FILELISTONLY, LABELONLY.

use lab_store::{BackupKind, Lsn, Media, SetFacts};

use super::Attributes;
use super::device::Device;
use super::messages::{Steps, error_of, say};
use super::options::Options;
use crate::error::SqlError;
use crate::exec::Stop;
use crate::session::Session;
use crate::sink::{ColumnMeta, Sink};
use crate::types::{Len, Moment, SqlType, Value, decimal_value, guid_from_wire, parse_hex, temporal_value};

/// A cell with its column.
type Cell = (&'static str, SqlType, Value);

const NAME: SqlType = SqlType::SYSNAME;
const GUID: SqlType = SqlType::UniqueIdentifier;
const WHEN: SqlType = SqlType::DateTime;
const LSN: SqlType = SqlType::Numeric { precision: 25, scale: 0 };
const SIZE: SqlType = SqlType::Numeric { precision: 20, scale: 0 };

pub(super) fn model_name(model: lab_store::RecoveryModel) -> &'static str {
    match model {
        lab_store::RecoveryModel::Simple => "SIMPLE",
        lab_store::RecoveryModel::Full => "FULL",
        lab_store::RecoveryModel::BulkLogged => "BULK-LOGGED",
    }
}

impl Session {
    pub(super) fn inspect(
        &mut self,
        what: &str,
        device: &str,
        options: &Options,
        sink: &mut dyn Sink,
    ) -> Result<Option<u64>, Stop> {
        if !self.shared.has_server_role("dbcreator") {
            return Err(SqlError::backup_denied("CREATE DATABASE", "master").into());
        }
        let device = Device::claim(&self.server, device)?;
        let failed = |e| error_of(&e, &device.shown);
        let media = Media::open(&self.server.disk, &device.path).map_err(failed)?;
        let rows = match what {
            "LABELONLY" => vec![label(&media)],
            "FILELISTONLY" => {
                let set = media.set(options.file.unwrap_or(1)).map_err(failed)?;
                file_list(&set)?
            }
            "HEADERONLY" => {
                let flavor = self.server.config.flavor;
                let listing = media.list().map_err(failed)?;
                if let Some(fault) = &listing.fault
                    && listing.sets.is_empty()
                {
                    return Err(failed(fault.clone()).into());
                }
                let wanted = |set: &&SetFacts| options.file.is_none_or(|n| n == set.header.position);
                listing
                    .sets
                    .iter()
                    .filter(wanted)
                    .map(|set| header_row(set, flavor))
                    .collect::<Result<_, _>>()?
            }
            _ => {
                let set = media.set(options.file.unwrap_or(1)).map_err(failed)?;
                if options.checksum && !set.header.checksums {
                    return Err(SqlError::no_backup_checksums().into());
                }
                let mut steps = Steps::new(self, options.stats, sink);
                lab_store::verify_set(&media, &set, &mut |done, total| steps.step(done, total))
                    .map_err(failed)?;
                say(3262, format!("The backup set on file {} is valid.", set.header.position), sink);
                return Ok(None);
            }
        };
        let Some(first) = rows.first() else {
            return Err(SqlError::no_backup_set(&options.file.unwrap_or(1).to_string(), &device.shown).into());
        };
        sink.columns(&first.iter().map(|(name, ty, _)| ColumnMeta::new(name, *ty)).collect::<Vec<_>>());
        for row in &rows {
            let values: Vec<Value> = row.iter().map(|(_, _, value)| value.clone()).collect();
            sink.row(&values).map_err(|_| Stop::Closed)?;
        }
        Ok(Some(rows.len() as u64))
    }
}

fn text(text: impl Into<String>) -> Value {
    Value::Text(text.into())
}

fn int(n: impl Into<i64>) -> Value {
    Value::Integer(n.into())
}

fn guid(bytes: [u8; 16]) -> Value {
    Value::Blob(guid_from_wire(bytes))
}

fn when(ticks: i64) -> Result<Value, SqlError> {
    temporal_value(Moment::from_total(ticks, 0), WHEN)
}

fn lsn(lsn: Option<Lsn>) -> Result<Value, SqlError> {
    lsn.map_or(Ok(Value::Null), |lsn| decimal_value(lsn.numeric(), 25))
}

fn size(bytes: u64) -> Result<Value, SqlError> {
    decimal_value(i128::from(bytes), 20)
}

/// The documented columns, in their order.
fn header_row(set: &SetFacts, flavor: crate::server::Flavor) -> Result<Vec<Cell>, SqlError> {
    let (header, trailer) = (&set.header, &set.trailer);
    let attributes: Option<Attributes> = serde_json::from_str(&header.attributes).ok();
    let entry = attributes.map(|a| a.entry);
    let of_entry = |f: &dyn Fn(&crate::server::DatabaseEntry) -> Value| entry.as_ref().map_or(Value::Null, f);
    let [major, minor, build, _] = flavor.build();
    let (kind, description) = match header.kind {
        BackupKind::Full => (1, "Database"),
        BackupKind::Log => (2, "Transaction Log"),
    };
    let optional = |t: &Option<String>| t.as_ref().map_or(Value::Null, text);
    let of_flag = |number: i64, set: bool| if set { number } else { 0 };
    let flags = of_flag(4, entry.as_ref().is_some_and(|e| e.read_only))
        | of_flag(8, entry.as_ref().is_some_and(|e| e.single_user))
        | of_flag(16, header.checksums);
    let (bit, tiny, small, whole) = (SqlType::Bit, SqlType::TinyInt, SqlType::SmallInt, SqlType::Int);
    Ok(vec![
        ("BackupName", NAME, optional(&header.name)),
        ("BackupDescription", SqlType::nvarchar(255), optional(&header.description)),
        ("BackupType", small, int(kind)),
        ("ExpirationDate", WHEN, Value::Null),
        ("Compressed", tiny, int(u8::from(header.compressed))),
        ("Position", small, int(header.position)),
        ("DeviceType", tiny, int(2)),
        ("UserName", NAME, text(&header.user_name)),
        ("ServerName", NAME, text(&header.server_name)),
        ("DatabaseName", NAME, text(&header.database_name)),
        ("DatabaseVersion", whole, int(flavor.database_version())),
        ("DatabaseCreationDate", WHEN, of_entry(&|e| int(e.created))),
        ("BackupSize", SIZE, size(trailer.content_bytes)?),
        ("FirstLSN", LSN, lsn(Some(header.first_lsn))?),
        ("LastLSN", LSN, lsn(Some(header.last_lsn))?),
        ("CheckpointLSN", LSN, lsn(Some(header.checkpoint_lsn))?),
        (
            "DatabaseBackupLSN",
            LSN,
            header.database_backup_lsn.map_or_else(|| decimal_value(0, 25), |l| lsn(Some(l)))?,
        ),
        ("BackupStartDate", WHEN, when(header.started)?),
        ("BackupFinishDate", WHEN, when(trailer.finished)?),
        ("SortOrder", small, int(52)),
        ("CodePage", small, int(0)),
        ("UnicodeLocaleId", whole, int(1033)),
        ("UnicodeComparisonStyle", whole, int(196_609)),
        ("CompatibilityLevel", tiny, of_entry(&|e| int(e.compatibility_level))),
        ("SoftwareVendorId", whole, int(4608)),
        ("SoftwareVersionMajor", whole, int(i64::from(major))),
        ("SoftwareVersionMinor", whole, int(i64::from(minor))),
        ("SoftwareVersionBuild", whole, int(i64::from(build))),
        ("MachineName", NAME, text(&header.server_name)),
        ("Flags", whole, int(flags)),
        ("BindingID", GUID, of_entry(&|e| parse_hex(&e.guid).map_or(Value::Null, Value::Blob))),
        ("RecoveryForkID", GUID, guid(header.fork.0)),
        ("Collation", NAME, of_entry(&|e| text(e.collation.name()))),
        ("FamilyGUID", GUID, guid(header.family().0)),
        ("HasBulkLoggedData", bit, int(0)),
        ("IsSnapshot", bit, int(0)),
        ("IsReadOnly", bit, of_entry(&|e| int(u8::from(e.read_only)))),
        ("IsSingleUser", bit, of_entry(&|e| int(u8::from(e.single_user)))),
        ("HasBackupChecksums", bit, int(u8::from(header.checksums))),
        ("IsDamaged", bit, int(0)),
        ("BeginsLogChain", bit, int(u8::from(header.begins_log_chain()))),
        ("HasIncompleteMetaData", bit, int(0)),
        ("IsForceOffline", bit, int(0)),
        ("IsCopyOnly", bit, int(u8::from(header.copy_only))),
        ("FirstRecoveryForkID", GUID, guid(header.fork.0)),
        ("ForkPointLSN", LSN, lsn(header.fork_point())?),
        ("RecoveryModel", SqlType::nvarchar(60), text(model_name(header.recovery_model))),
        ("DifferentialBaseLSN", LSN, Value::Null),
        ("DifferentialBaseGUID", GUID, Value::Null),
        ("BackupTypeDescription", SqlType::nvarchar(60), text(description)),
        ("BackupSetGUID", GUID, guid(header.set)),
        ("CompressedBackupSize", SqlType::BigInt, int(set.stored_bytes() as i64)),
        ("Containment", tiny, int(0)),
        ("KeyAlgorithm", SqlType::nvarchar(32), Value::Null),
        ("EncryptorThumbprint", SqlType::VarBinary { len: Len::N(20) }, Value::Null),
        ("EncryptorType", SqlType::nvarchar(32), Value::Null),
    ])
}

fn file_list(set: &SetFacts) -> Result<Vec<Vec<Cell>>, SqlError> {
    let header = &set.header;
    let attributes: Option<Attributes> = serde_json::from_str(&header.attributes).ok();
    let folder = attributes.map(|a| a.folder).unwrap_or_default();
    let pages = header.pages.map_or(0, |p| u64::from(p.database_pages) * u64::from(header.page_size));
    let name = &header.database_name;
    let content = set.trailer.content_bytes;
    let data = header.kind == BackupKind::Full;
    let file = |number: u8,
                logical: &str,
                physical: &str,
                bytes: u64,
                backed_up: u64|
     -> Result<Vec<Cell>, SqlError> {
        let rows = number == 1;
        Ok(vec![
            ("LogicalName", NAME, text(logical)),
            ("PhysicalName", SqlType::nvarchar(260), text(format!("{folder}/{physical}"))),
            ("Type", SqlType::Char { len: 1 }, text(if rows { "D" } else { "L" })),
            ("FileGroupName", NAME, if rows { text("PRIMARY") } else { Value::Null }),
            ("Size", SIZE, size(bytes)?),
            ("MaxSize", SIZE, size(35_184_372_080_640)?),
            ("FileId", SqlType::BigInt, int(number)),
            ("CreateLSN", LSN, decimal_value(0, 25)?),
            ("DropLSN", LSN, decimal_value(0, 25)?),
            ("UniqueId", GUID, guid(file_guid(header.family().0, number))),
            ("ReadOnlyLSN", LSN, decimal_value(0, 25)?),
            ("ReadWriteLSN", LSN, decimal_value(0, 25)?),
            ("BackupSizeInBytes", SqlType::BigInt, int(backed_up as i64)),
            ("SourceBlockSize", SqlType::Int, int(i64::from(header.page_size))),
            ("FileGroupId", SqlType::Int, int(u8::from(rows))),
            ("LogGroupGUID", GUID, Value::Null),
            ("DifferentialBaseLSN", LSN, decimal_value(0, 25)?),
            ("DifferentialBaseGUID", GUID, guid([0; 16])),
            ("IsReadOnly", SqlType::Bit, int(0)),
            ("IsPresent", SqlType::Bit, int(1)),
            ("TDEThumbprint", SqlType::VarBinary { len: Len::N(32) }, Value::Null),
            ("SnapshotUrl", SqlType::nvarchar(360), Value::Null),
        ])
    };
    Ok(vec![
        file(1, name, "data.db", pages, if data { content } else { 0 })?,
        file(2, &format!("{name}_log"), "log", 2 << 20, if data { 0 } else { content })?,
    ])
}

/// Files have no ids of their own: one that stays with the family.
fn file_guid(mut family: [u8; 16], number: u8) -> [u8; 16] {
    if let Some(last) = family.last_mut() {
        *last ^= number;
    }
    family
}

fn label(media: &Media) -> Vec<Cell> {
    let header = &media.header;
    vec![
        ("MediaName", NAME, Value::Null),
        ("MediaSetId", GUID, guid(header.set)),
        ("FamilyCount", SqlType::Int, int(1)),
        ("FamilySequenceNumber", SqlType::Int, int(1)),
        ("MediaFamilyId", GUID, guid(header.family)),
        ("MediaSequenceNumber", SqlType::Int, int(1)),
        ("MediaLabelPresent", SqlType::TinyInt, int(0)),
        ("MediaDescription", SqlType::nvarchar(255), Value::Null),
        ("SoftwareName", NAME, text("Microsoft SQL Server")),
        ("SoftwareVendorId", SqlType::Int, int(4608)),
        ("MediaDate", WHEN, when(header.formatted).unwrap_or(Value::Null)),
        ("MirrorCount", SqlType::Int, int(1)),
        ("IsCompressed", SqlType::Bit, int(0)),
    ]
}
