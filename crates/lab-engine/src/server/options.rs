//! What of the server's own state is set at its start: Always On, trace flags.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use super::{Flavor, OpenError, Server, ServerEntry, lock};

/// The highest trace flag that could be one.
pub(crate) const TRACE_FLAG_MAX: u32 = 32_767;

/// Settings that are no options of `sp_configure`: their numbers lie beyond all of those.
const HADR: (i64, &str) = (1_000_001, "hadr enabled");
const MULTI_DATABASE_LINK: (i64, &str) = (1_000_002, "multi-database link");

impl Server {
    /// SQL Server or a managed instance, and which.
    pub fn flavor(&self) -> Flavor {
        self.config.flavor
    }

    /// Whether the Always On feature is on, `SERVERPROPERTY('IsHadrEnabled')`. It changes only with a restart.
    pub fn hadr_enabled(&self) -> bool {
        self.hadr_enabled.load(Ordering::Relaxed)
    }

    /// Whether links with several databases are on, `sp_multidb_milink`.
    pub fn multi_database_link(&self) -> bool {
        lock(&self.configuration).get(MULTI_DATABASE_LINK.1).is_some_and(|value| *value != 0)
    }

    pub(crate) fn set_multi_database_link(&self, on: bool) -> Result<(), crate::error::SqlError> {
        let (id, name) = MULTI_DATABASE_LINK;
        self.save_entry(ServerEntry::Setting(id, name.to_owned(), i64::from(on)))
    }

    /// Whether a trace flag is on for all sessions, by the command line or by `DBCC TRACEON(n, -1)`.
    pub fn trace_flag(&self, flag: u32) -> bool {
        lock(&self.trace_flags).contains(&flag)
    }

    pub(crate) fn trace_flags(&self) -> BTreeSet<u32> {
        lock(&self.trace_flags).clone()
    }

    pub(crate) fn set_trace_flag(&self, flag: u32, on: bool) {
        let mut flags = lock(&self.trace_flags);
        if on {
            flags.insert(flag);
        } else {
            flags.remove(&flag);
        }
    }

    /// Keeps what the start says about Always On, or takes what was kept. A managed instance cannot be without.
    pub(crate) fn settle_hadr(&self) -> Result<(), OpenError> {
        let (id, name) = HADR;
        let kept = lock(&self.configuration).get(name).is_some_and(|value| *value != 0);
        let wanted = if self.config.flavor.is_managed() { Some(true) } else { self.config.hadr_enabled };
        let on = wanted.unwrap_or(kept);
        if on != kept {
            self.save_entry(ServerEntry::Setting(id, name.to_owned(), i64::from(on)))
                .map_err(|e| OpenError::Storage(e.message))?;
        }
        self.hadr_enabled.store(on, Ordering::Relaxed);
        Ok(())
    }
}
