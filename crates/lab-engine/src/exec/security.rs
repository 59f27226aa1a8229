//! Logins, users, roles; KILL and DBCC.

use lab_tsql::ast::{Expr, Ident, Literal};
use rusqlite::types::Value;

use super::{Frame, Stop};
use crate::catalog::{CatalogChange, Principal, PrincipalKind, same_name};
use crate::error::SqlError;
use crate::server::{Login, PasswordHash, ServerEntry};
use crate::session::Session;
use crate::sink::Sink;
use crate::types::{SqlType, now_datetime, parse_hex};

type Options = [(String, Option<Expr>)];

impl Session {
    pub(super) fn run_login(
        &mut self,
        frame: &Frame,
        create: bool,
        name: &Ident,
        options: &Options,
    ) -> Result<(), Stop> {
        self.may_define_login(create, &name.value, options)?;
        self.outside_transactions(if create { "CREATE LOGIN" } else { "ALTER LOGIN" })?;
        let server = std::sync::Arc::clone(&self.server);
        let _defining = server.defining();
        let known = server.login_named(&name.value);
        let mut login = match (known, create) {
            (Some(_), true) => return Err(SqlError::login_exists(&name.value).into()),
            (None, false) => return Err(SqlError::cannot_alter("login", &name.value).into()),
            (Some(login), false) => login,
            (None, true) => {
                if Self::is_server_role(&name.value) {
                    return Err(SqlError::login_exists(&name.value).into());
                }
                self.new_login(&name.value)?
            }
        };
        for (option, value) in options {
            self.set_login_option(frame, &mut login, option, value.as_ref(), options)?;
        }
        if login.password.is_none() {
            return Err(
                SqlError::new(102, 15, 1, "Incorrect syntax: CREATE LOGIN requires WITH PASSWORD.").into()
            );
        }
        login.modified = now_datetime();
        server.save_entry(ServerEntry::Login(Box::new(login)))?;
        Ok(())
    }

    /// securityadmin defines logins, but none of sysadmin's; anyone may change the own password who knows the old one.
    fn may_define_login(&self, create: bool, name: &str, options: &Options) -> Result<(), SqlError> {
        let (sysadmin, own) = {
            let state = self.shared.state();
            (state.sysadmin, same_name(&state.login, name))
        };
        let target = self.server.login_named(name);
        let above = target.as_ref().is_some_and(Login::is_sysadmin) && !sysadmin;
        if self.shared.has_server_role("securityadmin") && !above {
            return Ok(());
        }
        if create {
            return Err(SqlError::no_permission());
        }
        let old = options.iter().find_map(|(n, v)| match v {
            Some(Expr::Literal(Literal::String { value, .. })) if n == "OLD_PASSWORD" => Some(value),
            _ => None,
        });
        let harmless = options.iter().all(|(n, _)| {
            matches!(n.as_str(), "PASSWORD" | "OLD_PASSWORD" | "DEFAULT_DATABASE" | "DEFAULT_LANGUAGE")
        });
        let sets_password = options.iter().any(|(n, _)| n == "PASSWORD");
        let proved = target.zip(old).is_some_and(|(login, old)| self.server.verifier.verify(&login, old));
        if own && harmless && (proved || !sets_password) {
            Ok(())
        } else {
            Err(SqlError::cannot_alter("login", name))
        }
    }

    fn new_login(&self, name: &str) -> Result<Login, SqlError> {
        let taken: Vec<i32> = self.server.logins().iter().map(|l| l.id).collect();
        let id = (260..).find(|id| !taken.contains(id)).unwrap_or(260);
        let now = now_datetime();
        Ok(Login {
            id,
            name: name.to_owned(),
            sid: super::database::random_hex()?,
            password: None,
            disabled: false,
            default_database: "master".to_owned(),
            default_language: "us_english".to_owned(),
            check_policy: true,
            roles: Vec::new(),
            created: now,
            modified: now,
        })
    }

    fn set_login_option(
        &mut self,
        frame: &Frame,
        login: &mut Login,
        option: &str,
        value: Option<&Expr>,
        all: &Options,
    ) -> Result<(), Stop> {
        let text = match value {
            Some(Expr::Literal(Literal::String { value, .. })) => value.clone(),
            Some(Expr::Literal(Literal::Binary(_))) => String::new(),
            Some(other) if option != "SID" => match self.evaluate(frame, other, SqlType::nvarchar(256))? {
                Value::Text(text) => text,
                _ => String::new(),
            },
            _ => String::new(),
        };
        let off = |name: &str| {
            all.iter().any(|(n, v)| n == name && matches!(v, Some(Expr::Literal(Literal::String { value, .. })) if value.eq_ignore_ascii_case("OFF")))
        };
        match option {
            "PASSWORD" => {
                if all.iter().any(|(n, _)| n == "HASHED") {
                    login.password = Some(self.hashed_password(frame, value)?);
                    return Ok(());
                }
                if !off("CHECK_POLICY") && !crate::server::strong(&text) {
                    return Err(SqlError::new(15118, 16, 1, "Password validation failed. The password does not meet the operating system policy requirements because it is not complex enough.").into());
                }
                login.password = Some(PasswordHash::new(&text).map_err(SqlError::internal)?);
            }
            "DEFAULT_DATABASE" => {
                if self.server.database_named(&text).is_none() {
                    return Err(SqlError::new(
                        15010,
                        16,
                        1,
                        format!("The database '{text}' does not exist. Supply a valid database name."),
                    )
                    .into());
                }
                login.default_database = text;
            }
            "DEFAULT_LANGUAGE" => login.default_language = text,
            "CHECK_POLICY" => login.check_policy = !text.eq_ignore_ascii_case("OFF"),
            "ENABLE" => login.disabled = false,
            "DISABLE" => login.disabled = true,
            "NAME" => {
                if self.server.login_named(&text).is_some_and(|l| l.id != login.id) {
                    return Err(SqlError::login_exists(&text).into());
                }
                login.name = text;
            }
            "SID" => {
                let Some(value) = value else { return Ok(()) };
                let sid =
                    self.evaluate(frame, value, SqlType::VarBinary { len: crate::types::Len::N(16) })?;
                let Value::Blob(bytes) = sid else { return Ok(()) };
                let sid: String = bytes.iter().map(|b| format!("{b:02X}")).collect();
                if bytes.len() != 16 || parse_hex(&sid).is_none() {
                    return Err(
                        SqlError::new(15419, 16, 1, "Supplied parameter sid should be binary(16).").into()
                    );
                }
                if self.server.logins().iter().any(|l| l.sid == sid && l.id != login.id) {
                    return Err(SqlError::new(15433, 16, 1, "Supplied parameter sid is in use.").into());
                }
                login.sid = sid;
            }
            // HASHED is PASSWORD's business. A rehearsal has no password expiry; the option is taken and means nothing.
            "HASHED" | "CHECK_EXPIRATION" | "OLD_PASSWORD" | "MUST_CHANGE" | "UNLOCK" => {}
            other => return Err(SqlError::unsupported(&format!("LOGIN WITH {other}")).into()),
        }
        Ok(())
    }

    /// The hash of `PASSWORD = 0x... HASHED`.
    fn hashed_password(&mut self, frame: &Frame, value: Option<&Expr>) -> Result<PasswordHash, Stop> {
        let bytes = match value {
            Some(Expr::Literal(Literal::String { .. })) | None => None,
            Some(value) => {
                let hash = SqlType::VarBinary { len: crate::types::Len::N(256) };
                match self.evaluate(frame, value, hash)? {
                    Value::Blob(bytes) => Some(bytes),
                    _ => None,
                }
            }
        };
        let refused = || {
            let text = "Invalid value given for parameter PASSWORD. Specify a valid parameter value.";
            SqlError::new(15021, 16, 1, text)
        };
        Ok(bytes.and_then(|bytes| PasswordHash::from_bytes(&bytes)).ok_or_else(refused)?)
    }

    pub(super) fn run_user(
        &mut self,
        create: bool,
        name: &Ident,
        login: Option<&Ident>,
        without_login: bool,
        options: &Options,
        sink: &mut dyn Sink,
    ) -> Result<(), Stop> {
        let database = self.current_database();
        let option = |wanted: &str| {
            options.iter().find(|(n, _)| n == wanted).and_then(|(_, v)| match v {
                Some(Expr::Literal(Literal::String { value, .. })) => Some(value.clone()),
                _ => None,
            })
        };
        if option("PASSWORD").is_some() {
            return Err(SqlError::new(
                33233,
                16,
                1,
                "You can only create a user with a password in a contained database.",
            )
            .into());
        }
        self.atomically(sink, |s, _| {
            s.enter_write(database)?;
            let catalog = s.catalog_of(database)?;
            let mut user = if create {
                if catalog.principal_named(&name.value).is_some() {
                    return Err(SqlError::principal_exists(&name.value).into());
                }
                let id = (5..16384)
                    .find(|id| !catalog.principals.contains_key(id))
                    .ok_or_else(|| SqlError::internal("too many principals"))?;
                Principal {
                    id,
                    name: name.value.clone(),
                    kind: PrincipalKind::SqlUser,
                    default_schema: Some("dbo".to_owned()),
                    sid: None,
                    fixed_role: false,
                    member_of: Vec::new(),
                    created: now_datetime(),
                }
            } else {
                let found = catalog.principal_named(&name.value).filter(|p| p.kind == PrincipalKind::SqlUser);
                found.cloned().ok_or_else(|| SqlError::cannot_alter("user", &name.value))?
            };
            if create && !without_login {
                let login_name = login.map_or(name.value.as_str(), |l| l.value.as_str());
                user.sid = Some(s.login_for_user(&catalog, user.id, login_name)?);
            } else if let Some(login_name) = option("LOGIN") {
                user.sid = Some(s.login_for_user(&catalog, user.id, &login_name)?);
            }
            if let Some(schema) = option("DEFAULT_SCHEMA") {
                user.default_schema = Some(schema);
            }
            if let Some(new) = option("NAME") {
                if catalog.principal_named(&new).is_some_and(|p| p.id != user.id) {
                    return Err(SqlError::principal_exists(&new).into());
                }
                user.name = new;
            }
            let id = user.id;
            s.change_catalog(database, [CatalogChange::PutPrincipal(id)], |c| {
                c.principals.insert(id, user);
            })?;
            Ok(())
        })
    }

    fn login_for_user(
        &self,
        catalog: &crate::catalog::Catalog,
        user: i32,
        name: &str,
    ) -> Result<String, SqlError> {
        let login = self.server.login_named(name).ok_or_else(|| SqlError::login_not_found(name))?;
        if catalog.principals.values().any(|p| p.id != user && p.sid.as_deref() == Some(&login.sid)) {
            return Err(SqlError::new(
                15063,
                16,
                1,
                "The login already has an account under a different user name.",
            ));
        }
        Ok(login.sid)
    }

    pub(super) fn run_create_role(&mut self, name: &Ident, sink: &mut dyn Sink) -> Result<(), Stop> {
        let database = self.current_database();
        self.atomically(sink, |s, _| {
            s.enter_write(database)?;
            let catalog = s.catalog_of(database)?;
            if catalog.principal_named(&name.value).is_some() {
                return Err(SqlError::principal_exists(&name.value).into());
            }
            let id = (5..16384)
                .find(|id| !catalog.principals.contains_key(id))
                .ok_or_else(|| SqlError::internal("too many principals"))?;
            let role = Principal {
                id,
                name: name.value.clone(),
                kind: PrincipalKind::Role,
                default_schema: None,
                sid: None,
                fixed_role: false,
                member_of: Vec::new(),
                created: now_datetime(),
            };
            s.change_catalog(database, [CatalogChange::PutPrincipal(id)], |c| {
                c.principals.insert(id, role);
            })?;
            Ok(())
        })
    }

    pub(super) fn run_role_member(
        &mut self,
        server: bool,
        role: &Ident,
        add: bool,
        member: &Ident,
        sink: &mut dyn Sink,
    ) -> Result<(), Stop> {
        if server {
            return self.server_role_member(&role.value, add, &member.value);
        }
        let database = self.current_database();
        self.atomically(sink, |s, _| {
            s.enter_write(database)?;
            let catalog = s.catalog_of(database)?;
            let found = catalog.principal_named(&role.value).filter(|p| p.kind == PrincipalKind::Role);
            let role_id = found.ok_or_else(|| SqlError::cannot_alter("role", &role.value))?.id;
            let member = catalog
                .principal_named(&member.value)
                .ok_or_else(|| SqlError::cannot_add_member(&member.value))?;
            if member.id <= 1 || role_id == 0 {
                return Err(SqlError::new(
                    15405,
                    11,
                    1,
                    format!("Cannot use the special principal '{}'.", member.name),
                )
                .into());
            }
            if add
                && (member.id == role_id || crate::rights::roles_of(&catalog, role_id).contains(&member.id))
            {
                return Err(SqlError::new(15413, 11, 1, "Cannot make a role a member of itself.").into());
            }
            let mut member = member.clone();
            member.member_of.retain(|r| *r != role_id);
            if add {
                member.member_of.push(role_id);
            }
            let id = member.id;
            s.change_catalog(database, [CatalogChange::PutPrincipal(id)], |c| {
                c.principals.insert(id, member);
            })?;
            Ok(())
        })
    }

    fn server_role_member(&mut self, role: &str, add: bool, member: &str) -> Result<(), Stop> {
        if !self.shared.state().sysadmin {
            return Err(SqlError::cannot_alter("server role", role).into());
        }
        self.outside_transactions("ALTER SERVER ROLE")?;
        let server = std::sync::Arc::clone(&self.server);
        let _defining = server.defining();
        if !Self::is_server_role(role) {
            return Err(SqlError::cannot_alter("server role", role).into());
        }
        let mut login = server.login_named(member).ok_or_else(|| SqlError::cannot_add_member(member))?;
        if login.id == 1 && !add {
            return Err(SqlError::new(15405, 16, 1, "Cannot use the special principal 'sa'.").into());
        }
        login.roles.retain(|r| !same_name(r, role));
        if add {
            login.roles.push(role.to_ascii_lowercase());
        }
        server.save_entry(ServerEntry::Login(Box::new(login)))?;
        Ok(())
    }

    pub(super) fn run_kill(&mut self, frame: &Frame, id: &Expr) -> Result<(), Stop> {
        let Value::Integer(id) = self.evaluate(frame, id, SqlType::Int)? else {
            return Err(SqlError::new(6101, 16, 1, "Session ID NULL is not valid.").into());
        };
        if id == i64::from(self.id()) {
            return Err(SqlError::new(6104, 16, 1, "Cannot use KILL to kill your own process.").into());
        }
        let found = self.server.sessions().into_iter().find(|s| i64::from(s.id) == id);
        let found = found.ok_or_else(|| {
            SqlError::new(6106, 16, 1, format!("Process ID {id} is not an active process ID."))
        })?;
        found.kill();
        Ok(())
    }

    pub(super) fn run_dbcc(
        &mut self,
        frame: &mut Frame,
        command: &str,
        args: &[Expr],
        options: &[String],
        sink: &mut dyn Sink,
    ) -> Result<(), Stop> {
        let mut values = Vec::new();
        for arg in args {
            values.push(self.evaluate_any(frame, arg)?.0);
        }
        let quiet = options.iter().any(|o| o == "NO_INFOMSGS");
        match command {
            "CHECKIDENT" => self.check_identity(frame, &values, sink)?,
            "CHECKDB" | "CHECKTABLE" | "CHECKALLOC" | "CHECKCATALOG" => {
                self.check_database(&values, command == "CHECKDB", quiet, sink)?;
            }
            "FREEPROCCACHE" | "DROPCLEANBUFFERS" | "UPDATEUSAGE" | "FREESYSTEMCACHE" | "FREESESSIONCACHE" => {
            }
            other => {
                if !self.dbcc_report(frame, other, &values, sink)? {
                    return Err(SqlError::unsupported(&format!("DBCC {other}")).into());
                }
            }
        }
        if quiet {
            return Ok(());
        }
        sink.info(&SqlError::new(
            2528,
            0,
            1,
            "DBCC execution completed. If DBCC printed error messages, contact your system administrator.",
        ));
        Ok(())
    }

    /// DBCC CHECKIDENT ('table' [, RESEED [, value] | , NORESEED]).
    fn check_identity(
        &mut self,
        frame: &mut Frame,
        values: &[Value],
        sink: &mut dyn Sink,
    ) -> Result<(), Stop> {
        let Some(Value::Text(name)) = values.first() else {
            return Err(
                SqlError::new(2560, 16, 9, "Parameter 1 is incorrect for this DBCC statement.").into()
            );
        };
        let object_name = super::call::name_from_text(name);
        let reseed = matches!(values.get(1), Some(Value::Text(word)) if word.eq_ignore_ascii_case("RESEED"));
        let new = values.get(2).and_then(crate::types::exact).and_then(|n| i64::try_from(n).ok());
        self.atomically(sink, |s, sink| {
            let found = s.bind(frame, |b| b.find(&object_name))?.bound.ok_or_else(|| {
                SqlError::new(
                    2501,
                    16,
                    45,
                    format!(
                        "Cannot find a table or object with the name \"{name}\". Check the system catalog."
                    ),
                )
            })?;
            let target = s.enter_target(frame, &found)?;
            let Some(column) = target.table()?.identity_column().map(|c| c.id) else {
                return Err(SqlError::new(
                    7997,
                    16,
                    1,
                    format!("'{name}' does not contain an identity column."),
                )
                .into());
            };
            let known = s.identity_known(&target)?;
            let sql = format!(
                "SELECT max(c{column}) FROM {}",
                crate::store::table_name(&crate::bind::alias_of(found.database), found.object.id)
            );
            let highest: Option<i64> =
                s.conn.query_row(&sql, [], |r| r.get(0)).map_err(|e| SqlError::sqlite(&e))?;
            let shown = |v: Option<i64>| v.map_or_else(|| "NULL".to_owned(), |v| v.to_string());
            sink.info(&SqlError::new(
                7998,
                0,
                1,
                format!(
                    "Checking identity information: current identity value '{}', current column value '{}'.",
                    shown(known),
                    shown(highest)
                ),
            ));
            let to = match (reseed, new) {
                (true, Some(new)) => {
                    let step =
                        target.table()?.identity_column().and_then(|c| c.identity).map_or(1, |i| i.increment);
                    // With rows in the table the next value is new + increment; in an empty, never filled one it is new itself.
                    Some(if known.is_none() && highest.is_none() { new.saturating_sub(step) } else { new })
                }
                (true, None) => highest.filter(|h| known.is_none_or(|k| k < *h)),
                (false, _) => None,
            };
            if let Some(to) = to {
                s.server.set_identity((target.database, target.object.id), Some(to));
                s.keep_identity(&target, to)?;
            }
            Ok(())
        })
    }

    /// DBCC CHECKDB: every page of the database is read and its structure judged.
    fn check_database(
        &mut self,
        values: &[Value],
        whole: bool,
        quiet: bool,
        sink: &mut dyn Sink,
    ) -> Result<(), Stop> {
        let database = match values.first() {
            Some(Value::Text(name)) if whole => {
                self.server.database_named(name).ok_or_else(|| SqlError::database_not_found(name))?.id
            }
            _ => self.current_database(),
        };
        let alias = self.database(database)?.alias.clone();
        let mut faults = Vec::new();
        {
            let mut statement = self
                .conn
                .prepare(&format!("PRAGMA {alias}.integrity_check"))
                .map_err(|e| SqlError::sqlite(&e))?;
            let mut rows = statement.query([]).map_err(|e| SqlError::sqlite(&e))?;
            while let Some(row) = rows.next().map_err(|e| SqlError::sqlite(&e))? {
                let line: String = row.get(0).map_err(|e| SqlError::sqlite(&e))?;
                if line != "ok" {
                    faults.push(line);
                }
            }
        }
        // SQLite judges the structure; whether every page is the one that was written, only the store knows.
        if let Err(e) = self.database(database)?.store()?.verify() {
            if !e.is_corruption() {
                return Err(SqlError::storage(&self.name_of(database), &e).into());
            }
            faults.push(e.to_string());
        }
        let name = self.name_of(database);
        for fault in &faults {
            sink.error(&SqlError::new(8928, 16, 1, format!("Object in database '{name}': {fault}")));
        }
        if quiet && faults.is_empty() {
            return Ok(());
        }
        sink.info(&SqlError::new(
            8989,
            10,
            1,
            format!(
                "CHECKDB found 0 allocation errors and {} consistency errors in database '{name}'.",
                faults.len()
            ),
        ));
        Ok(())
    }
}
