//! What a login may do: fixed server roles, and what a database's fixed roles give its users.
//!
//! Permissions of objects (GRANT and its kin) are not kept yet; what a user may do follows from its roles alone. Inside a
//! module of the database nothing is asked: all its objects have one owner, so SQL Server's ownership chain holds.

use crate::catalog::Catalog;
use crate::error::SqlError;
use crate::server::MSDB;
use crate::session::Shared;

/// What a user may do in one database.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is one independent right")]
pub(crate) struct Rights {
    /// Everything: dbo and the members of db_owner.
    pub(crate) owner: bool,
    pub(crate) ddl: bool,
    pub(crate) read: bool,
    pub(crate) write: bool,
    pub(crate) deny_read: bool,
    pub(crate) deny_write: bool,
    pub(crate) security: bool,
    pub(crate) access: bool,
    pub(crate) backup: bool,
}

impl Rights {
    /// Those of dbo, which no membership narrows.
    pub(crate) const ALL: Rights = Rights {
        owner: true,
        ddl: true,
        read: true,
        write: true,
        deny_read: false,
        deny_write: false,
        security: true,
        access: true,
        backup: true,
    };

    /// What a principal's memberships give it, direct or through other roles.
    pub(crate) fn of(catalog: &Catalog, principal: i32) -> Rights {
        if principal == 1 {
            return Rights::ALL;
        }
        let roles = roles_of(catalog, principal);
        let has =
            |name: &str| catalog.principal_named(name).is_some_and(|p| p.fixed_role && roles.contains(&p.id));
        let owner = has("db_owner");
        Rights {
            owner,
            ddl: owner || has("db_ddladmin"),
            read: owner || has("db_datareader"),
            write: owner || has("db_datawriter"),
            deny_read: has("db_denydatareader"),
            deny_write: has("db_denydatawriter"),
            security: owner || has("db_securityadmin"),
            access: owner || has("db_accessadmin"),
            backup: owner || has("db_backupoperator"),
        }
    }

    pub(crate) fn may_select(self) -> bool {
        self.read && !self.deny_read
    }

    pub(crate) fn may_write(self) -> bool {
        self.write && !self.deny_write
    }
}

/// Every role that a principal is a member of, `public` aside.
pub(crate) fn roles_of(catalog: &Catalog, principal: i32) -> Vec<i32> {
    let mut found = Vec::new();
    let mut open = vec![principal];
    while let Some(id) = open.pop() {
        for role in catalog.principals.get(&id).iter().flat_map(|p| p.member_of.iter()) {
            if !found.contains(role) {
                found.push(*role);
                open.push(*role);
            }
        }
    }
    found
}

impl Shared {
    /// The principal that the session's login is in a database.
    ///
    /// # Errors
    /// 916 if it has no user there.
    pub(crate) fn principal_in(&self, database: i32) -> Result<i32, SqlError> {
        const DBO: i32 = 1;
        const GUEST: i32 = 2;
        let (sysadmin, sid, login) = {
            let state = self.state();
            (state.sysadmin, state.login_sid.clone(), state.login.clone())
        };
        if sysadmin || database == 0 {
            return Ok(DBO);
        }
        let catalog = self.catalog(database)?;
        if let Some(user) = catalog.principals.values().find(|p| p.sid.as_deref() == Some(&sid)) {
            return Ok(user.id);
        }
        let entry = self.server.database(database).map(|d| d.entry());
        if entry.as_ref().is_some_and(|e| e.id > MSDB && crate::catalog::same_name(&e.owner, &login)) {
            return Ok(DBO);
        }
        // guest is there in the system databases.
        if database <= MSDB {
            return Ok(GUEST);
        }
        let name = entry.map(|e| e.name).unwrap_or_default();
        Err(SqlError::new(
            916,
            14,
            1,
            format!(
                "The server principal \"{login}\" is not able to access the database \"{name}\" under the current security context."
            ),
        ))
    }

    /// What the session's login may do in a database; 0 holds its own temporary objects.
    ///
    /// # Errors
    /// 916 if it has no user there.
    pub(crate) fn rights(&self, database: i32) -> Result<Rights, SqlError> {
        match self.principal_in(database)? {
            1 => Ok(Rights::ALL),
            principal => Ok(Rights::of(&*self.catalog(database)?, principal)),
        }
    }

    /// Whether the session's login is a member of a fixed server role, or of sysadmin, which is all of them.
    pub(crate) fn has_server_role(&self, role: &str) -> bool {
        let (sysadmin, login) = {
            let state = self.state();
            (state.sysadmin, state.login.clone())
        };
        sysadmin
            || self
                .server
                .login_named(&login)
                .is_some_and(|l| l.roles.iter().any(|r| r.eq_ignore_ascii_case(role)))
    }
}

/// 229 for an object of a schema of a database.
pub(crate) fn denied(permission: &str, object: &str, database: &str, schema: &str) -> SqlError {
    SqlError::new(
        229,
        14,
        5,
        format!(
            "The {permission} permission was denied on the object '{object}', database '{database}', schema '{schema}'."
        ),
    )
}
