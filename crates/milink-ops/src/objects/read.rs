//! Reading the server-level objects of an instance.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;

use milink_core::names::Hex;
use milink_core::objects::{
    Credential, DatabaseOwner, LinkedLogin, LinkedServer, Login, LoginKind, Objects, Part, PasswordHash,
    Permission, PermissionState, ServerRole, Setting, User, UserKind,
};
use milink_sql::{Client, Row, Rows, SqlError};

use super::{jobs, queries};

/// `SERVERPROPERTY('EngineEdition')` of a managed instance.
const MANAGED: i32 = 8;

/// How many databases one batch asks for their users.
const DATABASES_AT_ONCE: usize = 50;

/// All objects, and the users of these databases. Where the server refuses an answer, its part is unknown.
///
/// # Errors
/// The instance cannot be reached, or answers something else.
pub async fn objects(client: &Client, databases: &[String]) -> Result<Objects, SqlError> {
    let server = client.query(queries::SERVER).await?;
    let server = server.one()?;
    let managed = server.get::<i32>("engine_edition")? == MANAGED;
    let version: String = server.get("product_version")?;
    let major = version.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0);
    // The pool bounds how many of these run at once.
    let (logins, roles, members, permissions, credentials, servers, mapped) = tokio::try_join!(
        ask(client, queries::LOGINS),
        ask(client, queries::ROLES),
        ask(client, queries::MEMBERS),
        ask(client, queries::PERMISSIONS),
        ask(client, queries::CREDENTIALS),
        ask(client, queries::LINKED_SERVERS),
        ask(client, queries::LINKED_LOGINS),
    )?;
    let (jobs, settings, owners, users) = tokio::try_join!(
        jobs::jobs(client),
        ask(client, queries::SETTINGS),
        ask(client, queries::DATABASES),
        users(client, databases),
    )?;
    // Rights belong to those who have them: where they are unknown, who has them is not known either.
    let rights = Rights::of(members, permissions)?;
    Ok(Objects {
        server: server.get("server_name")?,
        managed,
        major: if managed { 0 } else { major },
        logins: rights.to(logins, login)?,
        roles: rights.to(roles, role)?,
        credentials: each(credentials, credential)?,
        linked_servers: linked_servers(servers, mapped)?,
        jobs,
        settings: each(settings, setting)?,
        databases: each(owners, owner)?,
        users,
    })
}

/// The databases in availability groups of this instance, by their names.
///
/// # Errors
/// The instance cannot be reached, or does not tell.
pub async fn linked_databases(client: &Client) -> Result<Vec<String>, SqlError> {
    let rows = client.query(queries::LINKED_DATABASES).await?;
    rows.iter().map(|row| row.get("database_name")).collect()
}

/// An answer, or why the server gives none. A connection that is lost is an error.
///
/// NB: on the heap, because a request's future is large, and a dozen of them at once are more than a thread's stack has.
pub(super) fn ask<'a>(
    client: &'a Client,
    question: &'a str,
) -> Pin<Box<dyn Future<Output = Result<Part<Rows>, SqlError>> + Send + 'a>> {
    Box::pin(async move {
        match client.query(question).await {
            Ok(rows) => Ok(Part::Known(rows)),
            Err(e @ SqlError::Server { .. }) if e.is_certain() => Ok(Part::Unknown(e.to_string())),
            Err(e) => Err(e),
        }
    })
}

/// Each row of a part.
pub(super) fn each<T>(
    part: Part<Rows>,
    read: impl Fn(&Row) -> Result<T, SqlError>,
) -> Result<Part<Vec<T>>, SqlError> {
    Ok(match part {
        Part::Known(rows) => Part::Known(rows.iter().map(read).collect::<Result<_, _>>()?),
        Part::Unknown(why) => Part::Unknown(why),
    })
}

pub(super) fn flag(row: &Row, column: &str) -> Result<Option<bool>, SqlError> {
    Ok(row.get::<Option<i64>>(column)?.map(|n| n != 0))
}

/// Memberships and permissions, by the name of who has them.
type Held = (BTreeMap<String, BTreeSet<String>>, BTreeMap<String, BTreeSet<Permission>>);

struct Rights(Part<Held>);

impl Rights {
    fn of(members: Part<Rows>, permissions: Part<Rows>) -> Result<Rights, SqlError> {
        let (members, permissions) = match (members, permissions) {
            (Part::Known(members), Part::Known(permissions)) => (members, permissions),
            (Part::Unknown(why), _) | (_, Part::Unknown(why)) => return Ok(Rights(Part::Unknown(why))),
        };
        let mut roles: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for row in &members {
            roles.entry(row.get("member_name")?).or_default().insert(row.get("role_name")?);
        }
        let mut granted: BTreeMap<String, BTreeSet<Permission>> = BTreeMap::new();
        for row in &permissions {
            let state: String = row.get("state_desc")?;
            let state = match state.as_str() {
                "GRANT" => PermissionState::Grant,
                "GRANT_WITH_GRANT_OPTION" => PermissionState::GrantWithGrantOption,
                "DENY" => PermissionState::Deny,
                // REVOKE is shown where a column is taken out of a GRANT, which the server's permissions have not.
                _ => continue,
            };
            let permission = Permission { state, name: row.get("permission_name")?, on: row.get("on_name")? };
            granted.entry(row.get("grantee")?).or_default().insert(permission);
        }
        Ok(Rights(Part::Known((roles, granted))))
    }

    /// Reads principals, each with its rights.
    fn to<T>(
        &self,
        principals: Part<Rows>,
        read: impl Fn(&Row, BTreeSet<String>, BTreeSet<Permission>) -> Result<T, SqlError>,
    ) -> Result<Part<Vec<T>>, SqlError> {
        let (roles, granted) = match &self.0 {
            Part::Known(held) => held,
            Part::Unknown(why) => return Ok(Part::Unknown(why.clone())),
        };
        each(principals, |row| {
            let name: String = row.get("name")?;
            let roles = roles.get(&name).cloned().unwrap_or_default();
            read(row, roles, granted.get(&name).cloned().unwrap_or_default())
        })
    }
}

fn login(row: &Row, roles: BTreeSet<String>, permissions: BTreeSet<Permission>) -> Result<Login, SqlError> {
    let code: String = row.get("type")?;
    let kind = LoginKind::of(&code)
        .ok_or_else(|| SqlError::Unexpected { what: format!("a login of the type {code}") })?;
    Ok(Login {
        name: row.get("name")?,
        sid: Hex::new(row.get("sid")?),
        kind,
        disabled: flag(row, "is_disabled")?.unwrap_or(false),
        default_database: row.get("default_database_name")?,
        default_language: row.get("default_language_name")?,
        check_policy: flag(row, "is_policy_checked")?,
        check_expiration: flag(row, "is_expiration_checked")?,
        credential: row.get("credential_name")?,
        password: row.get::<Option<Vec<u8>>>("password_hash")?.map(PasswordHash::new),
        roles,
        permissions,
    })
}

fn role(
    row: &Row,
    roles: BTreeSet<String>,
    permissions: BTreeSet<Permission>,
) -> Result<ServerRole, SqlError> {
    Ok(ServerRole { name: row.get("name")?, roles, permissions })
}

fn credential(row: &Row) -> Result<Credential, SqlError> {
    let identity: Option<String> = row.get("credential_identity")?;
    Ok(Credential { name: row.get("name")?, identity: identity.unwrap_or_default() })
}

/// Columns of `sys.servers` and what `sp_serveroption` calls them: numbers, then bits.
const TIMEOUTS: [(&str, &str); 2] =
    [("connect_timeout", "connect timeout"), ("query_timeout", "query timeout")];
const BITS: [(&str, &str); 7] = [
    ("is_collation_compatible", "collation compatible"),
    ("is_data_access_enabled", "data access"),
    ("is_remote_login_enabled", "rpc"),
    ("is_rpc_out_enabled", "rpc out"),
    ("uses_remote_collation", "use remote collation"),
    ("lazy_schema_validation", "lazy schema validation"),
    ("is_promotion_enabled", "remote proc transaction promotion"),
];

fn linked_servers(servers: Part<Rows>, mapped: Part<Rows>) -> Result<Part<Vec<LinkedServer>>, SqlError> {
    let mapped = match mapped {
        Part::Known(mapped) => mapped,
        Part::Unknown(why) => return Ok(Part::Unknown(why)),
    };
    let mut logins: BTreeMap<String, Vec<LinkedLogin>> = BTreeMap::new();
    for row in &mapped {
        let local: Option<String> = row.get("local_name")?;
        // Its login is gone.
        if local.is_none() && row.get::<Option<i64>>("local_id")?.unwrap_or(0) != 0 {
            continue;
        }
        logins.entry(row.get("server_name")?).or_default().push(LinkedLogin {
            local,
            uses_self: flag(row, "uses_self")?.unwrap_or(false),
            remote: row.get("remote_name")?,
        });
    }
    each(servers, |row| {
        let name: String = row.get("name")?;
        let mut options = BTreeMap::new();
        for (column, option) in TIMEOUTS {
            let seconds = row.get::<Option<i64>>(column)?.unwrap_or(0);
            options.insert(option.to_owned(), seconds.to_string());
        }
        for (column, option) in BITS {
            if let Some(on) = flag(row, column)? {
                options.insert(option.to_owned(), on.to_string());
            }
        }
        let mut logins = logins.get(&name).cloned().unwrap_or_default();
        logins.sort();
        Ok(LinkedServer {
            logins,
            name,
            product: row.get::<Option<String>>("product")?.unwrap_or_default(),
            provider: row.get::<Option<String>>("provider")?.unwrap_or_default(),
            data_source: row.get("data_source")?,
            catalog: row.get("catalog")?,
            has_provider_string: flag(row, "has_provider_string")?.unwrap_or(false),
            options,
        })
    })
}

fn setting(row: &Row) -> Result<Setting, SqlError> {
    Ok(Setting {
        name: row.get("name")?,
        value: row.get::<Option<i64>>("value")?.unwrap_or(0),
        advanced: flag(row, "is_advanced")?.unwrap_or(false),
    })
}

fn owner(row: &Row) -> Result<DatabaseOwner, SqlError> {
    Ok(DatabaseOwner {
        name: row.get("name")?,
        owner_sid: row.get::<Option<Vec<u8>>>("owner_sid")?.map(Hex::new),
        owner: row.get("owner_name")?,
    })
}

/// Users, many databases at a time. Where one of them refuses, its batch is asked again one by one.
async fn users(client: &Client, databases: &[String]) -> Result<BTreeMap<String, Part<Vec<User>>>, SqlError> {
    let mut out = BTreeMap::new();
    for some in databases.chunks(DATABASES_AT_ONCE) {
        let questions: Vec<String> = some.iter().map(|d| queries::users(d)).collect();
        match Box::pin(client.batch(&questions.join(";\n"))).await {
            Ok(batch) if batch.sets.len() == some.len() => {
                for (database, rows) in some.iter().zip(batch) {
                    out.insert(database.clone(), each(Part::Known(rows), user)?);
                }
            }
            Ok(_) | Err(SqlError::Server { .. }) => {
                for database in some {
                    let rows = ask(client, &queries::users(database)).await?;
                    out.insert(database.clone(), each(rows, user)?);
                }
            }
            Err(e) => return Err(e),
        }
    }
    Ok(out)
}

fn user(row: &Row) -> Result<User, SqlError> {
    let code: String = row.get("type")?;
    let kind = match code.trim() {
        "S" => UserKind::Sql,
        "U" | "G" => UserKind::Windows,
        _ => UserKind::External,
    };
    Ok(User { name: row.get("name")?, sid: Hex::new(row.get("sid")?), kind })
}
