//! Whoever carries out the statements of availability groups.
//!
//! The engine knows their syntax and who may run them; groups, replicas and what goes between them are the instance's.

use std::sync::{Arc, PoisonError};

use lab_tsql::ast::{AvailabilityGroupStatement, SetHadr};

use super::Server;
use crate::error::SqlError;

/// A statement for [`AlwaysOn`].
#[derive(Debug, Clone)]
pub enum AlwaysOnStatement<'a> {
    /// CREATE, ALTER, DROP AVAILABILITY GROUP; the session is in `master`.
    AvailabilityGroup(&'a AvailabilityGroupStatement),
    /// ALTER DATABASE ... SET HADR.
    SetHadr {
        /// The database, as its name is kept.
        database: String,
        /// What becomes of its part.
        set: &'a SetHadr,
    },
}

/// Who asks.
#[derive(Debug, Clone)]
pub struct AlwaysOnCaller {
    /// `@@SPID`.
    pub session: u16,
    /// The login's name.
    pub login: String,
    /// Whether the login is a member of sysadmin.
    pub is_sysadmin: bool,
    /// The session's database.
    pub database: String,
}

/// What carries them out.
pub trait AlwaysOn: Send + Sync {
    /// Carries out a statement whose caller may run it. It may take as long as the operation does; the session holds no
    /// lock and no transaction meanwhile.
    ///
    /// Returns informational messages for the client.
    ///
    /// # Errors
    /// What SQL Server answers, with its number.
    fn execute(
        &self,
        statement: &AlwaysOnStatement<'_>,
        caller: &AlwaysOnCaller,
    ) -> Result<Vec<String>, SqlError>;
}

impl Server {
    /// Sets who carries out the statements of availability groups. Until then they are refused with 35221.
    pub fn install_always_on(&self, always_on: Arc<dyn AlwaysOn>) {
        *self.always_on.write().unwrap_or_else(PoisonError::into_inner) = Some(always_on);
    }

    pub(crate) fn always_on(&self) -> Option<Arc<dyn AlwaysOn>> {
        self.always_on.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
