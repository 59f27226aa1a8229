//! An instance, read over TDS.

use milink_core::facts::version::ServerVersion;
use milink_core::names::{Hex, Thumbprint};
use milink_core::observe::{Certificate, Endpoint, Instance, Job};
use milink_sql::{Client, Row, Rows, SqlError};

use super::cells::{cell, flag, moment, optional, unexpected};
use super::{databases, groups, queries};

/// `SERVERPROPERTY('EngineEdition')` of a managed instance.
const MANAGED: i32 = 8;

/// Everything that checks and plans ask of an instance.
///
/// # Errors
/// It cannot be reached, or does not answer what every release answers. What only this login may not see is `None`.
pub async fn instance(client: &Client) -> Result<Instance, SqlError> {
    let server = client.query(queries::SERVER).await?;
    let server = server.one()?;
    let version: ServerVersion = parsed(server, "product_version")?;
    let engine_edition: i32 = server.get("engine_edition")?;
    let kind = queries::Kind { version, managed: engine_edition == MANAGED };
    let knows_multi_database = flag(server, "knows_multi_database")?.unwrap_or(false);
    // The pool bounds how many of these run at once.
    let (
        (hardware, platform, permissions),
        (trace_flags, master_key, certificates),
        (endpoint, jobs, sessions),
    ) = tokio::try_join!(
        async {
            tokio::try_join!(
                optional(client.query(queries::HARDWARE)),
                optional(client.query(queries::PLATFORM)),
                optional(client.query(queries::PERMISSIONS)),
            )
        },
        async {
            tokio::try_join!(
                optional(client.query(queries::TRACE_FLAGS)),
                optional(client.query(queries::MASTER_KEY)),
                certificates(client),
            )
        },
        async {
            tokio::try_join!(
                client.query(queries::ENDPOINT),
                optional(client.query(queries::LOG_BACKUP_JOBS)),
                optional(client.query(queries::SESSIONS)),
            )
        },
    )?;
    let (databases, (groups, seedings), multi_database) = tokio::try_join!(
        databases::databases(client, kind),
        groups::groups_and_seedings(client, kind),
        async {
            if knows_multi_database {
                optional(client.query(queries::MULTI_DATABASE)).await
            } else {
                Ok(None)
            }
        },
    )?;
    let hardware = hardware.as_ref().and_then(|h| h.first());
    let memory_kb: Option<u64> = hardware.map(|h| cell(h, "memory_kb")).transpose()?.flatten();
    Ok(Instance {
        server_name: server.get("server_name")?,
        version,
        edition: server.get("edition")?,
        engine_edition,
        collation: server.get("collation")?,
        platform: platform
            .as_ref()
            .and_then(|p| p.first())
            .map(|row| row.get("host_platform"))
            .transpose()?,
        cpu_count: hardware.map(|h| cell(h, "cpu_count")).transpose()?.flatten(),
        memory_mb: memory_kb.filter(|kb| *kb > 0).map(|kb| kb / 1024),
        backup_folder: server.get("backup_folder")?,
        is_sysadmin: flag(server, "is_sysadmin")?,
        permissions: match &permissions {
            Some(rows) => rows.iter().map(|r| r.get("permission_name")).collect::<Result<_, _>>()?,
            None => Vec::new(),
        },
        hadr_enabled: flag(server, "hadr_enabled")?,
        trace_flags: trace_flags.map(|rows| global_flags(&rows)).transpose()?,
        master_key: match &master_key {
            Some(rows) => Some(rows.one()?.get::<i32>("keys")? > 0),
            None => None,
        },
        can_add_issuers: flag(server, "can_add_issuers")?,
        multi_database: match &multi_database {
            Some(rows) => rows.first().map(|r| r.at::<i32>(0)).transpose()?.map(|n| n == 1),
            None => None,
        },
        certificates,
        endpoint: endpoint.first().map(endpoint_of).transpose()?,
        databases,
        groups,
        seedings,
        log_backup_jobs: jobs.map(|rows| rows.iter().map(job).collect()).transpose()?,
        sessions: sessions
            .map(|rows| {
                let counted = |r: &Row| {
                    let name: Option<String> = r.get("name")?;
                    Ok((name.unwrap_or_default(), cell(r, "sessions")?.unwrap_or(0)))
                };
                rows.iter().map(counted).collect::<Result<_, SqlError>>()
            })
            .transpose()?,
    })
}

/// What changes by itself: groups, replicas, seedings, and the states of databases. The rest is as it was before.
///
/// # Errors
/// As [`instance`].
pub async fn live(client: &Client, before: &Instance) -> Result<Instance, SqlError> {
    let kind = queries::Kind { version: before.version, managed: before.is_managed() };
    let (groups, seedings) = groups::groups_and_seedings(client, kind).await?;
    Ok(Instance { groups, seedings, ..before.clone() })
}

fn parsed<T: std::str::FromStr>(row: &Row, column: &str) -> Result<T, SqlError>
where
    T::Err: std::fmt::Display,
{
    let text: String = row.get(column)?;
    text.parse().map_err(|e| unexpected(format!("{column} is '{text}': {e}")))
}

fn global_flags(rows: &Rows) -> Result<Vec<u16>, SqlError> {
    let mut flags = Vec::new();
    for row in rows {
        let on: i32 = row.get("Global")?;
        let number: i32 = row.get("TraceFlag")?;
        if on == 1 {
            flags.extend(u16::try_from(number));
        }
    }
    Ok(flags)
}

async fn certificates(client: &Client) -> Result<Option<Vec<Certificate>>, SqlError> {
    let Some(rows) = optional(client.query(&queries::certificates())).await? else {
        return Ok(None);
    };
    let certificate = |row: &Row| {
        let der: Option<Vec<u8>> = row.get("der")?;
        let kind: Option<String> = row.get("private_key")?;
        Ok(Certificate {
            name: row.get("name")?,
            id: row.get("id")?,
            subject: row.get::<Option<String>>("subject")?.unwrap_or_default(),
            thumbprint: Thumbprint::new(Hex::new(row.get("thumbprint")?)),
            start: moment(row, "start_utc")?,
            expiry: moment(row, "expiry_utc")?,
            private_key: kind.is_some_and(|k| k != "NA"),
            public: Hex::new(der.unwrap_or_default()),
            issuer_for: None,
        })
    };
    rows.iter().map(certificate).collect::<Result<_, _>>().map(Some)
}

fn endpoint_of(row: &Row) -> Result<Endpoint, SqlError> {
    Ok(Endpoint {
        name: row.get("name")?,
        state: row.get("state_desc")?,
        role: row.get("role_desc")?,
        port: cell(row, "port")?.unwrap_or(0),
        authentication: row.get("connection_auth_desc")?,
        certificate: row.get("certificate")?,
        encrypted: flag(row, "encrypted")?.unwrap_or(false),
        algorithm: row.get::<Option<String>>("encryption_algorithm_desc")?.unwrap_or_default(),
    })
}

fn job(row: &Row) -> Result<Job, SqlError> {
    let (date, time): (Option<i32>, Option<i32>) = (row.get("next_date")?, row.get("next_time")?);
    let next = date.filter(|d| *d > 0).map(|date| {
        let time = time.unwrap_or(0);
        format!(
            "{:04}-{:02}-{:02} {:02}:{:02}:{:02}",
            date / 10_000,
            date / 100 % 100,
            date % 100,
            time / 10_000,
            time / 100 % 100,
            time % 100
        )
    });
    Ok(Job {
        name: row.get("name")?,
        enabled: flag(row, "enabled")?.unwrap_or(false),
        next_run: next.and_then(|text| text.parse().ok()),
    })
}
