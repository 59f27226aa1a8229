//! How far a side's log reaches, for whoever compares two sides and decides nothing by it.

use super::condition::hardened;
use crate::lsn::Lsn;
use crate::names::{Role, Side};
use crate::observe::Observation;

/// What a side's copy has hardened. SQL Server shows no `last_hardened_lsn` of itself while it is an asynchronous primary; then it is the
/// log block of its last commit, or of the end of its log where it shows no commit: a hardened LSN is that of a block as well.
///
/// # Errors
/// Nobody says it.
pub(crate) fn reached(seen: &Observation, side: Side, link: &str, database: &str) -> Result<Lsn, String> {
    hardened(seen, side, link, database).or_else(|why| {
        let group = seen.distributed(side, link).ok().flatten().filter(|g| g.role == Some(Role::Primary));
        let own = group.and_then(|g| g.local_database(database));
        own.and_then(|d| d.commit_lsn.or(d.end_of_log_lsn)).map(Lsn::block).ok_or(why)
    })
}
