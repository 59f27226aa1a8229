//! The user databases of an instance.

use std::collections::BTreeMap;

use milink_core::facts::version::Release;
use milink_core::observe::{Backup, Database, Encryption, Memory, RecoveryModel};
use milink_sql::{Client, Row, Rows, SqlError};

use super::cells::{cell, flag, moment, optional, unexpected, word};
use super::queries;

/// All user databases. Only those with files of streams are asked one by one.
pub(super) async fn databases(client: &Client, kind: queries::Kind) -> Result<Vec<Database>, SqlError> {
    let question = queries::databases(kind);
    let (rows, log_space, encryption, stores) = tokio::try_join!(
        client.query(&question),
        optional(client.query(queries::LOG_SPACE)),
        optional(client.query(queries::ENCRYPTION)),
        async {
            if kind.has(Release::V2019) {
                optional(client.query(queries::VERSION_STORES)).await
            } else {
                Ok(None)
            }
        },
    )?;
    let log_used =
        by_name(log_space.as_ref(), "Database Name", |r| r.get::<Option<f64>>("Log Space Used (%)"))?;
    let encryption = by_name(encryption.as_ref(), "name", |r| {
        Ok((r.get::<Option<String>>("encryptor_type")?, r.get::<Option<String>>("thumbprint")?))
    })?;
    let stores = by_name(stores.as_ref(), "name", |r| r.get::<Option<i32>>("filegroup"))?;
    let mut out = Vec::with_capacity(rows.len());
    for row in &rows {
        let mut database = database(row)?;
        let name = database.name.as_str();
        database.log_used_percent = log_used.get(name).copied().flatten();
        // 1 is PRIMARY; 0 or NULL stands for a store that was never used.
        database.version_store_on_primary = stores.get(name).copied().flatten().map(|group| group <= 1);
        if let Some((encryptor, thumbprint)) = encryption.get(name) {
            database.encryption.encryptor.clone_from(encryptor);
            database.encryption.thumbprint.clone_from(thumbprint);
        }
        if cell::<u32>(row, "stream_files")?.unwrap_or(0) > 0 && database.state == "ONLINE" {
            streams(client, &mut database).await?;
        }
        out.push(database);
    }
    Ok(out)
}

fn by_name<T>(
    rows: Option<&Rows>,
    column: &str,
    value: impl Fn(&Row) -> Result<T, SqlError>,
) -> Result<BTreeMap<String, T>, SqlError> {
    let mut out = BTreeMap::new();
    for row in rows.into_iter().flatten() {
        let name: Option<String> = row.get(column)?;
        if let Some(name) = name {
            out.insert(name, value(row)?);
        }
    }
    Ok(out)
}

/// Which of a database's streams are FILESTREAM and which are In-Memory OLTP.
async fn streams(client: &Client, database: &mut Database) -> Result<(), SqlError> {
    let quoted = format!("[{}]", database.name.replace(']', "]]"));
    match optional(client.query(&queries::stream_filegroups(&quoted))).await? {
        Some(rows) => {
            let row = rows.one()?;
            database.filestream = cell::<u32>(row, "stream_containers")?.unwrap_or(0) > 0;
            database.memory_optimized = Memory {
                containers: cell(row, "memory_containers")?.unwrap_or(0),
                tables: cell(row, "memory_tables")?,
            };
        }
        // It has one or the other. Both stop a link to General Purpose, and the first to every tier.
        None => database.filestream = true,
    }
    Ok(())
}

fn database(row: &Row) -> Result<Database, SqlError> {
    let backup = |at: &str, checksums: &str| -> Result<Option<Backup>, SqlError> {
        let finished = moment(row, at)?;
        let checksums = flag(row, checksums)?.unwrap_or(false);
        Ok(finished.map(|finished| Backup { finished, checksums }))
    };
    let model: Option<RecoveryModel> = word(row, "recovery_model_desc")?;
    Ok(Database {
        name: row.get("name")?,
        state: row.get("state_desc")?,
        recovery_model: model.ok_or_else(|| unexpected("an unknown recovery model".to_owned()))?,
        compatibility_level: cell(row, "compatibility_level")?.unwrap_or(0),
        read_only: flag(row, "is_read_only")?.unwrap_or(false),
        size_bytes: cell(row, "all_bytes")?.unwrap_or(0),
        log_bytes: cell(row, "log_bytes")?.unwrap_or(0),
        log_used_percent: None,
        log_reuse_wait: row.get::<Option<String>>("log_reuse_wait_desc")?.unwrap_or_default(),
        data_files: cell(row, "data_files")?.unwrap_or(0),
        log_files: cell(row, "log_files")?.unwrap_or(0),
        defunct_files: cell(row, "defunct_files")?.unwrap_or(0),
        filestream: false,
        memory_optimized: Memory::default(),
        encryption: Encryption { on: flag(row, "is_encrypted")?.unwrap_or(false), ..Encryption::default() },
        accelerated_recovery: flag(row, "accelerated_recovery")?,
        version_store_on_primary: None,
        broker_enabled: flag(row, "is_broker_enabled")?.unwrap_or(false),
        published: flag(row, "is_published")?.unwrap_or(false),
        cdc_enabled: flag(row, "is_cdc_enabled")?.unwrap_or(false),
        group: row.get("group_name")?,
        log_chain: flag(row, "log_chain")?,
        last_full_backup: backup("full_utc", "full_checksums")?,
        last_log_backup: backup("log_utc", "log_checksums")?,
    })
}
