//! Functions that answer from the catalog or the server: OBJECT_ID, SERVERPROPERTY and their kin.

use std::sync::Arc;

use rusqlite::types::Value;

use super::properties::{Subject, column_property, database_property, index_property, object_property};
use super::{bit, int, text};
use crate::catalog::{Catalog, DBO, Object, same_name};
use crate::error::SqlError;
use crate::server::{Database, ReplicaRole};
use crate::session::Shared;
use crate::types::{SqlType, parse_hex, variant_value};

const NAME: SqlType = SqlType::SYSNAME;
const INT: SqlType = SqlType::Int;
const SMALL: SqlType = SqlType::SmallInt;
const TEXT: SqlType = SqlType::NVARCHAR_MAX;
const ANY: SqlType = SqlType::Variant;
const SID: SqlType = SqlType::VarBinary { len: crate::types::Len::N(85) };

/// The functions by name, with what they return.
pub(crate) const META_FUNCTIONS: &[(&str, SqlType)] = &[
    ("object_id", INT),
    ("object_name", NAME),
    ("object_schema_name", NAME),
    ("object_definition", TEXT),
    ("db_id", SMALL),
    ("db_name", NAME),
    ("original_db_name", NAME),
    ("schema_id", INT),
    ("schema_name", NAME),
    ("col_name", NAME),
    ("col_length", SMALL),
    ("type_name", NAME),
    ("type_id", INT),
    ("objectproperty", INT),
    ("objectpropertyex", ANY),
    ("columnproperty", INT),
    ("indexproperty", INT),
    ("serverproperty", ANY),
    ("databaseproperty", INT),
    ("databasepropertyex", ANY),
    ("connectionproperty", ANY),
    ("suser_sname", NAME),
    ("suser_name", NAME),
    ("suser_sid", SID),
    ("suser_id", INT),
    ("user_name", NAME),
    ("user_id", INT),
    ("current_user", NAME),
    ("system_user", NAME),
    ("session_user", NAME),
    ("user", NAME),
    ("original_login", NAME),
    ("database_principal_id", INT),
    ("ident_current", SqlType::Numeric { precision: 38, scale: 0 }),
    ("ident_seed", SqlType::Numeric { precision: 38, scale: 0 }),
    ("ident_incr", SqlType::Numeric { precision: 38, scale: 0 }),
    ("has_dbaccess", INT),
    ("fn_hadr_is_primary_replica", SqlType::Bit),
    ("fn_hadr_backup_is_preferred_replica", SqlType::Bit),
    ("has_perms_by_name", INT),
    ("is_member", INT),
    ("is_rolemember", INT),
    ("is_srvrolemember", INT),
    ("app_name", NAME),
    ("host_name", NAME),
    ("host_id", SqlType::Char { len: 10 }),
    ("session_context", ANY),
    ("context_info", SqlType::VarBinary { len: crate::types::Len::N(128) }),
    ("sessionproperty", ANY),
    ("collationproperty", ANY),
    ("fulltextserviceproperty", INT),
    ("index_col", NAME),
    ("indexkey_property", INT),
    ("typeproperty", INT),
    ("file_id", SMALL),
    ("file_idex", INT),
    ("file_name", NAME),
    ("filegroup_name", NAME),
    ("filegroup_id", INT),
    ("fileproperty", INT),
    ("filegroupproperty", INT),
    ("getansinull", INT),
    ("permissions", INT),
    ("assemblyproperty", ANY),
    ("fulltextcatalogproperty", INT),
    ("stats_date", SqlType::DateTime),
    ("cert_id", INT),
    ("certencoded", SqlType::VarBinary { len: crate::types::Len::Max }),
    ("certproperty", ANY),
];

type Answer = Result<Value, SqlError>;

/// Answers a function of [`META_FUNCTIONS`] for a session whose current database is `database`.
pub(super) fn call(shared: &Shared, name: &str, database: i32, args: &[Value]) -> Answer {
    let ask = Ask { shared, database, args };
    match name {
        "object_id" | "object_name" | "object_schema_name" | "object_definition" | "objectproperty"
        | "objectpropertyex" | "ident_current" | "ident_seed" | "ident_incr" => ask.object(name),
        "col_name" | "col_length" | "columnproperty" | "indexproperty" | "index_col"
        | "indexkey_property" => ask.column(name),
        "file_id" | "file_idex" | "file_name" | "filegroup_name" | "filegroup_id" | "fileproperty"
        | "filegroupproperty" => Ok(ask.file(name)),
        "typeproperty" => Ok(ask.type_property()),
        "has_perms_by_name" => ask.has_permission(),
        "db_id"
        | "db_name"
        | "original_db_name"
        | "databaseproperty"
        | "databasepropertyex"
        | "has_dbaccess"
        | "fn_hadr_is_primary_replica" => ask.databases(name),
        "fn_hadr_backup_is_preferred_replica" => Ok(ask.backup_is_preferred()),
        "serverproperty" => Ok(ask.server_property()),
        "cert_id" | "certencoded" | "certproperty" => {
            Ok(super::security::certificate_function(shared, name, database, args))
        }
        "schema_id" | "schema_name" | "type_name" | "type_id" | "database_principal_id" => ask.names(name),
        _ => ask.session(name),
    }
}

struct Ask<'a> {
    shared: &'a Shared,
    database: i32,
    args: &'a [Value],
}

impl Ask<'_> {
    fn text(&self, n: usize) -> Option<&str> {
        match self.args.get(n) {
            Some(Value::Text(t)) => Some(t.as_str()),
            _ => None,
        }
    }

    fn int(&self, n: usize) -> Option<i64> {
        match self.args.get(n) {
            Some(Value::Integer(i)) => Some(*i),
            Some(Value::Text(t)) => t.trim().parse().ok(),
            _ => None,
        }
    }

    fn catalog(&self) -> Result<Arc<Catalog>, SqlError> {
        self.shared.catalog(self.database)
    }

    /// The object or constraint that a possibly qualified name means: database (0 for temporary), catalog, id.
    fn by_name(&self, name: &str) -> Option<(i32, Arc<Catalog>, i32)> {
        let parts = split_name(name);
        let (last, before) = parts.split_last()?;
        let (database, catalog) = if last.starts_with('#') && !last.starts_with("##") {
            (0, Arc::clone(&self.shared.state().temp))
        } else {
            let database = match before.len().checked_sub(2).and_then(|at| before.get(at)) {
                Some(db) if !db.is_empty() => self.shared.server.database_named(db)?.id,
                _ => self.database,
            };
            (database, self.shared.catalog(database).ok()?)
        };
        let schema = match before.last() {
            Some(schema) if !schema.is_empty() && database != 0 => catalog.schema_named(schema)?.id,
            _ => DBO,
        };
        let id = catalog.id_of(schema, last)?;
        Some((database, catalog, id))
    }

    fn object(&self, name: &str) -> Answer {
        if let "object_id" = name {
            let Some(found) = self.text(0).and_then(|n| self.by_name(n)) else {
                return Ok(self.text(0).map_or(Value::Null, system_object_id));
            };
            let wanted = self.text(1).map(|t| t.trim().to_ascii_uppercase());
            let fits = match (&wanted, found.1.object(found.2)) {
                (None, _) => true,
                (Some(w), Some(object)) => w == object.kind.code(),
                (Some(w), None) => matches!(w.as_str(), "PK" | "UQ" | "F" | "C" | "D"),
            };
            return Ok(if fits { int(found.2) } else { Value::Null });
        }
        if name.starts_with("ident_") {
            return Ok(self.identity(name));
        }
        let Some(id) = self.int(0).and_then(|i| i32::try_from(i).ok()) else { return Ok(Value::Null) };
        let catalog = match self.int(1) {
            Some(db) if matches!(name, "object_name" | "object_schema_name") => {
                self.shared.catalog(db as i32)?
            }
            _ if id < 0 => Arc::clone(&self.shared.state().temp),
            _ => self.catalog()?,
        };
        if id < 0
            && name == "object_name"
            && let Some(found) = system_object_name(id)
        {
            return Ok(text(found));
        }
        let Some(object) = catalog.object(id).or_else(|| catalog.constraint_table(id)) else {
            return Ok(Value::Null);
        };
        Ok(match name {
            "object_name" if object.id == id => text(&object.name),
            "object_name" => constraint_name(object, id).map_or(Value::Null, text),
            "object_schema_name" => text(catalog.schema_name(object.schema)),
            "object_definition" => object.kind.module().map_or(Value::Null, |m| text(&m.definition)),
            _ => {
                let property = self.text(1).unwrap_or_default();
                if name == "objectpropertyex" && property.eq_ignore_ascii_case("basetype") {
                    return Ok(variant_value(&text(object.kind.code()), SqlType::Char { len: 2 }));
                }
                let found = object_property(&catalog, object, id, property);
                let value = found.map_or(Value::Null, int);
                if name == "objectpropertyex" && value != Value::Null {
                    variant_value(&value, INT)
                } else {
                    value
                }
            }
        })
    }

    fn identity(&self, name: &str) -> Value {
        let Some((database, catalog, id)) = self.text(0).and_then(|n| self.by_name(n)) else {
            return Value::Null;
        };
        let Some(identity) = catalog
            .object(id)
            .and_then(|o| o.table())
            .and_then(|t| t.identity_column())
            .and_then(|c| c.identity)
        else {
            return Value::Null;
        };
        let value = match name {
            "ident_seed" => identity.seed,
            "ident_incr" => identity.increment,
            _ => self.shared.server.last_identity((database, id)).unwrap_or(identity.seed),
        };
        crate::types::decimal_value(i128::from(value), 38).unwrap_or(Value::Null)
    }

    fn column(&self, name: &str) -> Answer {
        let (catalog, id) = match (self.text(0), self.int(0)) {
            (Some(table), _) if matches!(name, "col_length" | "index_col") => match self.by_name(table) {
                Some((_, catalog, id)) => (catalog, id),
                None => return Ok(Value::Null),
            },
            (_, Some(id)) => (self.catalog()?, id as i32),
            _ => return Ok(Value::Null),
        };
        let Some(object) = catalog.object(id) else { return Ok(Value::Null) };
        let property = self.text(2).unwrap_or_default().to_ascii_lowercase();
        let known = |found: Option<Value>| found.unwrap_or(Value::Null);
        if name == "columnproperty" {
            let subject = self.text(1).and_then(|wanted| subject(object, wanted));
            return Ok(known(subject.and_then(|s| column_property(&s, &property))));
        }
        let Some(table) = object.table() else {
            let columns = object.kind.module().map(|m| m.columns.as_slice()).unwrap_or_default();
            return Ok(match name {
                "col_name" => {
                    let at = self.int(1).and_then(|n| usize::try_from(n - 1).ok());
                    known(at.and_then(|at| columns.get(at)).map(|c| text(&c.name)))
                }
                "col_length" => {
                    let column = self.text(1).and_then(|n| columns.iter().find(|c| same_name(&c.name, n)));
                    known(column.map(|c| int(c.ty.max_length())))
                }
                _ => Value::Null,
            });
        };
        let column = self.text(1).and_then(|c| table.column_named(c));
        let numbered = || self.int(1).and_then(|n| table.indexes.iter().find(|i| i64::from(i.id) == n));
        let key = || {
            let at = self.int(2).and_then(|n| usize::try_from(n - 1).ok())?;
            numbered()?.keys.get(at).copied()
        };
        Ok(known(match name {
            "col_name" => self.int(1).and_then(|n| table.column(n as i32)).map(|c| text(&c.name)),
            "col_length" => column.map(|c| int(c.ty.max_length())),
            "indexproperty" => {
                let index = self.text(1).and_then(|n| table.indexes.iter().find(|i| same_name(&i.name, n)));
                index.and_then(|i| index_property(i, &property))
            }
            "indexkey_property" => {
                let asked = self.text(3).unwrap_or_default().to_ascii_lowercase();
                key().and_then(|k| match asked.as_str() {
                    "columnid" => Some(int(k.column)),
                    "isdescending" => Some(bit(k.descending)),
                    _ => None,
                })
            }
            _ => key().and_then(|k| table.column(k.column)).map(|c| text(&c.name)),
        }))
    }

    fn database_argument(&self) -> Option<Arc<Database>> {
        match (self.text(0), self.int(0)) {
            (Some(name), _) => self.shared.server.database_named(name),
            (None, Some(id)) => self.shared.server.database(i32::try_from(id).ok()?),
            (None, None) if self.args.is_empty() => self.shared.server.database(self.database),
            (None, None) => None,
        }
    }

    fn databases(&self, name: &str) -> Answer {
        let Some(database) = self.database_argument() else { return Ok(Value::Null) };
        Ok(match name {
            "db_id" => int(database.id),
            "fn_hadr_is_primary_replica" => match database.replica().role {
                ReplicaRole::Standalone => Value::Null,
                role => bit(role.is_writable()),
            },
            "db_name" | "original_db_name" => text(database.name()),
            "has_dbaccess" => bit(database.state() == crate::server::DatabaseState::Online
                && self.shared.principal_in(database.id).is_ok()),
            _ => {
                let property = self.text(1).unwrap_or_default().to_ascii_lowercase();
                let found = database_property(&database, self.shared.server.config.flavor, &property);
                match found {
                    Some(value) if name == "databasepropertyex" => variant(&value),
                    Some(value) => value,
                    None => Value::Null,
                }
            }
        })
    }

    /// As documented: what is not in a group is backed up here.
    fn backup_is_preferred(&self) -> Value {
        let server = &self.shared.server;
        let name = self.database_argument().filter(|d| d.replica().in_group()).map(|d| d.name());
        let views = server.hadr_views();
        bit(name.zip(views).is_none_or(|(name, views)| views.backup_is_preferred(&name)))
    }

    fn server_property(&self) -> Value {
        let config = &self.shared.server.config;
        let flavor = config.flavor;
        let [major, minor, build, _] = flavor.build();
        let hadr = self.shared.server.hadr_enabled();
        let optional = |known: Option<&str>| known.map_or(Value::Null, text);
        let found = match self.text(0).unwrap_or_default().to_ascii_lowercase().as_str() {
            "productversion" => text(flavor.product_version()),
            "productlevel" => text(flavor.product_level()),
            "productmajorversion" => text(major.to_string()),
            "productminorversion" => text(minor.to_string()),
            "productbuild" => text(build.to_string()),
            "productupdatelevel" => optional(flavor.update_level()),
            "productupdatereference" => optional(flavor.update_reference()),
            "productupdatetype" => optional(flavor.update_type()),
            "edition" => text(flavor.edition().0),
            "editionid" => int(flavor.edition().1),
            "engineedition" => int(flavor.engine_edition()),
            "servername" | "machinename" | "computernamephysicalnetbios" => text(&config.server_name),
            "collation" => text(self.shared.server.collation.name()),
            "sqlcharsetname" => text("iso_1"),
            "sqlsortordername" => text("nocase_iso"),
            "comparisonstyle" => int(196_609),
            "lcid" => int(1033),
            "ishadrenabled" => bit(hadr),
            "isxtpsupported" => int(0),
            "resourceversion" => text(flavor.resource_version()),
            "resourcelastupdatedatetime" => text("2024-04-17 00:00:00"),
            "collationid" => int(872_468_488),
            "sqlcharset" => int(1),
            "sqlsortorder" => int(52),
            "productbuildtype" | "numlicenses" | "instancename" => return Value::Null,
            "filestreamconfiguredlevel"
            | "filestreameffectivelevel"
            | "isbigdatacluster"
            | "isexternalauthenticationonly"
            | "isserversuspendedforsnapshotbackup"
            | "suspendeddatabasecount"
            | "isexternalgovernanceenabled" => int(0),
            // 1 is started and running, 2 is not started.
            "hadrmanagerstatus" => int(if hadr { 1 } else { 2 }),
            "isclustered"
            | "isfulltextinstalled"
            | "isintegratedsecurityonly"
            | "issingleuser"
            | "islocaldb"
            | "isadvancedanalyticsinstalled"
            | "ispolybaseinstalled"
            | "istempdbmetadatamemoryoptimized" => int(0),
            "processid" => int(std::process::id()),
            "instancedefaultdatapath" | "instancedefaultlogpath" => text(config.data_dir.to_string_lossy()),
            "instancedefaultbackuppath" => {
                text(config.data_dir.join(crate::server::BACKUP_FOLDER).to_string_lossy())
            }
            "licensetype" => text("DISABLED"),
            "buildclrversion" => text("v4.0.30319"),
            "pathseparator" => text("/"),
            // InstanceName of a default instance is NULL, as is what is not known.
            _ => return Value::Null,
        };
        if found == Value::Null { Value::Null } else { variant(&found) }
    }

    /// The two files that a database has: its data, 1, and its log, 2.
    fn file(&self, name: &str) -> Value {
        let database = self.shared.server.database(self.database).map(|d| d.name()).unwrap_or_default();
        let log = format!("{database}_log");
        let asked = self.text(0);
        let id = match asked {
            Some(n) if same_name(n, &database) => Some(1),
            Some(n) if same_name(n, &log) => Some(2),
            _ => None,
        };
        let primary = asked.is_some_and(|n| same_name(n, "PRIMARY"));
        let property = self.text(1).unwrap_or_default().to_ascii_lowercase();
        match (name, self.int(0), id) {
            ("file_id" | "file_idex", _, Some(id)) => int(id),
            ("file_name", Some(1), _) => text(database),
            ("file_name", Some(2), _) => text(log),
            ("filegroup_name", Some(1), _) => text("PRIMARY"),
            ("filegroup_id", _, _) if primary => int(1),
            ("filegroupproperty", _, _) if primary => match property.as_str() {
                "isdefault" => int(1),
                "isreadonly" | "isuserdefinedfg" => int(0),
                _ => Value::Null,
            },
            ("fileproperty", _, Some(id)) => match property.as_str() {
                "islogfile" => bit(id == 2),
                "isprimaryfile" => bit(id == 1),
                "isreadonly" => int(0),
                _ => Value::Null,
            },
            _ => Value::Null,
        }
    }

    fn type_property(&self) -> Value {
        let asked = self.text(0).unwrap_or_default();
        let name = split_name(asked).pop().unwrap_or_default();
        let property = self.text(1).unwrap_or_default().to_ascii_lowercase();
        let ty = all_types().find(|t| same_name(t.name(), &name));
        ty.and_then(|t| super::properties::type_property(t, &property)).unwrap_or(Value::Null)
    }

    /// HAS_PERMS_BY_NAME(securable, class, permission), as far as roles decide.
    fn has_permission(&self) -> Answer {
        let permission = self.text(2).unwrap_or_default().to_ascii_uppercase();
        let class = self.text(1).unwrap_or("SERVER").to_ascii_uppercase();
        if self.shared.state().sysadmin {
            return Ok(int(1));
        }
        let role = |name: &str| self.shared.has_server_role(name);
        if class == "SERVER" {
            return Ok(bit(match permission.as_str() {
                "CONNECT SQL" | "VIEW ANY DATABASE" => true,
                "CREATE ANY DATABASE" | "ALTER ANY DATABASE" => role("dbcreator"),
                "ALTER ANY LOGIN" => role("securityadmin"),
                "VIEW SERVER STATE" => role("serveradmin") || role("processadmin"),
                "ALTER SETTINGS" | "SHUTDOWN" => role("serveradmin"),
                "ADMINISTER BULK OPERATIONS" => role("bulkadmin"),
                _ => false,
            }));
        }
        let database = match (class.as_str(), self.text(0)) {
            ("DATABASE", Some(name)) => match self.shared.server.database_named(name) {
                Some(database) => database.id,
                None => return Ok(Value::Null),
            },
            _ => self.database,
        };
        if class == "OBJECT" && self.text(0).is_none_or(|n| self.by_name(n).is_none()) {
            return Ok(Value::Null);
        }
        let Ok(rights) = self.shared.rights(database) else { return Ok(int(0)) };
        Ok(bit(match permission.as_str() {
            "CONNECT" | "ANY" => true,
            "SELECT" => rights.may_select(),
            "INSERT" | "UPDATE" | "DELETE" => rights.may_write(),
            "BACKUP DATABASE" | "BACKUP LOG" | "CHECKPOINT" => rights.backup,
            "ALTER ANY USER" => rights.access,
            "ALTER ANY ROLE" => rights.security,
            p if p.starts_with("CREATE ") || p.starts_with("ALTER") || p == "REFERENCES" => rights.ddl,
            "VIEW DEFINITION" => rights.ddl,
            _ => rights.owner,
        }))
    }

    fn names(&self, name: &str) -> Answer {
        let catalog = self.catalog()?;
        Ok(match name {
            "schema_id" => match self.text(0) {
                Some(schema) => catalog.schema_named(schema).map_or(Value::Null, |s| int(s.id)),
                None => int(DBO),
            },
            "schema_name" => match self.int(0) {
                Some(id) => catalog.schemas.get(&(id as i32)).map_or(Value::Null, |s| text(&s.name)),
                None if self.args.is_empty() => {
                    let named = || {
                        let id = self.shared.principal_in(self.database).ok()?;
                        catalog.principals.get(&id)?.default_schema.clone()
                    };
                    text(named().unwrap_or_else(|| "dbo".to_owned()))
                }
                None => Value::Null,
            },
            "type_name" => match self.int(0) {
                Some(256) => text("sysname"),
                Some(id) => all_types()
                    .find(|t| i64::from(t.system_type_id()) == id)
                    .map_or(Value::Null, |t| text(t.name())),
                None => Value::Null,
            },
            "type_id" => match self.text(0) {
                Some(n) if same_name(n, "sysname") => int(256),
                Some(n) => all_types()
                    .find(|t| same_name(t.name(), n))
                    .map_or(Value::Null, |t| int(t.system_type_id())),
                None => Value::Null,
            },
            _ => {
                let user = self.shared.state().user.clone();
                let name = self.text(0).unwrap_or(&user);
                catalog.principal_named(name).map_or(Value::Null, |p| int(p.id))
            }
        })
    }

    fn session(&self, name: &str) -> Answer {
        let state = self.shared.state().clone();
        Ok(match name {
            "suser_sname" | "suser_name" => match (self.args.first(), self.int(0)) {
                (None, _) => text(state.login),
                (Some(Value::Blob(sid)), _) => {
                    let found = self
                        .shared
                        .server
                        .logins()
                        .into_iter()
                        .find(|l| parse_hex(&l.sid).as_deref() == Some(sid));
                    found.map_or(Value::Null, |l| text(l.name))
                }
                (_, Some(id)) => self
                    .shared
                    .server
                    .logins()
                    .into_iter()
                    .find(|l| i64::from(l.id) == id)
                    .map_or(Value::Null, |l| text(l.name)),
                _ => Value::Null,
            },
            "system_user" | "original_login" => text(state.login),
            "suser_sid" => {
                let login = self.text(0).map(str::to_owned).unwrap_or(state.login);
                self.shared
                    .server
                    .login_named(&login)
                    .and_then(|l| parse_hex(&l.sid))
                    .map_or(Value::Null, Value::Blob)
            }
            "suser_id" => {
                let login = self.text(0).map(str::to_owned).unwrap_or(state.login);
                self.shared.server.login_named(&login).map_or(Value::Null, |l| int(l.id))
            }
            "user_name" => match self.int(0) {
                Some(id) => {
                    self.catalog()?.principals.get(&(id as i32)).map_or(Value::Null, |p| text(&p.name))
                }
                None => text(state.user),
            },
            "current_user" | "session_user" | "user" => text(state.user),
            "user_id" => {
                let name = self.text(0).map(str::to_owned).unwrap_or(state.user);
                self.catalog()?.principal_named(&name).map_or(Value::Null, |p| int(p.id))
            }
            "is_member" | "is_rolemember" => {
                let user = if name == "is_rolemember" { self.text(1).map(str::to_owned) } else { None }
                    .unwrap_or(state.user);
                self.role_member(&user)?
            }
            "is_srvrolemember" => {
                let login = self.text(1).map(str::to_owned).unwrap_or(state.login);
                let role = self.text(0).unwrap_or_default();
                let known = crate::server::SERVER_ROLES.iter().any(|(_, r)| same_name(r, role));
                let login = self.shared.server.login_named(&login);
                match login {
                    Some(l) if known => bit(same_name(role, "public")
                        || l.is_sysadmin()
                        || l.roles.iter().any(|r| same_name(r, role))),
                    _ => Value::Null,
                }
            }
            "getansinull" => int(1),
            "permissions" => int(if self.shared.rights(self.database)?.owner { 0x1FF } else { 0 }),
            "app_name" => text(state.program),
            "host_name" => text(state.host),
            "host_id" => text(format!("{:<10}", state.host_process)),
            "session_context" => self
                .text(0)
                .and_then(|k| state.session_context.get(&k.to_lowercase()).cloned())
                .unwrap_or(Value::Null),
            "context_info" if state.context_info.is_empty() => Value::Null,
            "context_info" => Value::Blob(state.context_info),
            "connectionproperty" => match self.text(0).unwrap_or_default().to_ascii_lowercase().as_str() {
                "net_transport" | "physical_net_transport" => variant(&text("TCP")),
                "protocol_type" => variant(&text("TSQL")),
                "auth_scheme" => variant(&text("SQL")),
                "client_net_address" => variant(&text(state.client_address)),
                _ => Value::Null,
            },
            "sessionproperty" => match self.text(0).unwrap_or_default().to_ascii_lowercase().as_str() {
                "ansi_nulls" => variant(&bit(state.ansi_nulls)),
                "quoted_identifier" => variant(&bit(state.quoted_identifier)),
                "ansi_padding" | "ansi_warnings" | "arithabort" | "concat_null_yields_null" => {
                    variant(&bit(true))
                }
                "numeric_roundabort" => variant(&bit(false)),
                _ => Value::Null,
            },
            "collationproperty" => {
                let known = self.text(0).and_then(crate::types::Collation::by_name);
                match (known, self.text(1).unwrap_or_default().to_ascii_lowercase().as_str()) {
                    (Some(c), "codepage") => variant(&int(if c.is_utf8() { 65_001 } else { 1252 })),
                    (Some(_), "lcid") => variant(&int(1033)),
                    (Some(c), "tdscollation") => {
                        variant_value(&Value::Blob(c.wire().to_vec()), SqlType::Binary { len: 5 })
                    }
                    _ => Value::Null,
                }
            }
            "fulltextserviceproperty" => int(0),
            _ => Value::Null,
        })
    }

    fn role_member(&self, user: &str) -> Answer {
        let catalog = self.catalog()?;
        let Some(role) = self.text(0).and_then(|r| catalog.principal_named(r)) else {
            return Ok(Value::Null);
        };
        let member = catalog.principal_named(user).is_some_and(|p| {
            p.id == 1 && role.name == "db_owner" || crate::rights::roles_of(&catalog, p.id).contains(&role.id)
        });
        Ok(bit(role.id == 0 || member))
    }
}

/// What COLUMNPROPERTY means by a name: a column, or a parameter.
fn subject<'a>(object: &'a Object, wanted: &str) -> Option<Subject<'a>> {
    let plain = |ordinal: usize, ty, nullable| Subject {
        ordinal: ordinal as i64 + 1,
        ty,
        nullable,
        column: None,
        output: false,
        parameter: false,
        key: false,
    };
    if let Some(table) = object.table() {
        let column = table.column_named(wanted)?;
        let key = table.primary_key().is_some_and(|k| k.keys.iter().any(|k| k.column == column.id));
        let subject = plain(0, column.ty, column.nullable);
        return Some(Subject { ordinal: i64::from(column.id), column: Some(column), key, ..subject });
    }
    let module = object.kind.module()?;
    if wanted.starts_with('@') {
        let at = module.parameters.iter().position(|p| same_name(&p.name, wanted))?;
        let parameter = module.parameters.get(at)?;
        return Some(Subject { output: parameter.output, parameter: true, ..plain(at, parameter.ty, true) });
    }
    let at = module.columns.iter().position(|c| same_name(&c.name, wanted))?;
    let column = module.columns.get(at)?;
    Some(plain(at, column.ty, column.nullable))
}

/// The id of a catalog view, function or system procedure.
fn system_object_id(name: &str) -> Value {
    let parts = split_name(name);
    let Some((last, before)) = parts.split_last() else { return Value::Null };
    let schema = before.last().map_or("sys", String::as_str);
    let key = format!("{schema}.{last}").to_lowercase();
    let known = super::system_objects().iter().any(|(_, s, n, _)| same_name(s, schema) && same_name(n, last))
        || same_name(schema, "sys") && crate::exec::system_procedures().iter().any(|p| same_name(p, last));
    if known { int(super::scripts::system_id(&key)) } else { Value::Null }
}

fn system_object_name(id: i32) -> Option<String> {
    let views =
        super::system_objects().into_iter().find(|(known, ..)| *known == id).map(|(_, _, name, _)| name);
    views.or_else(|| {
        let of = |name: &String| super::scripts::system_id(&format!("sys.{name}")) == id;
        crate::exec::system_procedures().into_iter().find(of)
    })
}

fn variant(value: &Value) -> Value {
    match value {
        Value::Text(t) => variant_value(value, SqlType::nvarchar(t.chars().count().clamp(1, 4000) as u16)),
        other => variant_value(other, INT),
    }
}

fn all_types() -> impl Iterator<Item = SqlType> {
    (0..30).filter_map(|kind| SqlType::from_code(kind << 32))
}

fn constraint_name(table: &Object, id: i32) -> Option<String> {
    table.table()?.constraints().into_iter().find(|(c, _)| *c == id).map(|(_, n)| n.to_owned())
}

/// `a.[b.c]."d"` in parts.
pub(crate) fn split_name(name: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut close: Option<char> = None;
    let mut chars = name.trim().chars().peekable();
    while let Some(c) = chars.next() {
        match (close, c) {
            (Some(end), c) if c == end => {
                if chars.peek() == Some(&end) {
                    chars.next();
                    push(&mut parts, end);
                } else {
                    close = None;
                }
            }
            (Some(_), c) => push(&mut parts, c),
            (None, '[') => close = Some(']'),
            (None, '"') => close = Some('"'),
            (None, '.') => parts.push(String::new()),
            (None, c) => push(&mut parts, c),
        }
    }
    parts
}

fn push(parts: &mut [String], c: char) {
    if let Some(last) = parts.last_mut() {
        last.push(c);
    }
}
