//! `'x' WITH (...)`: a replica, or a member of a distributed group.

use super::{Parsed, Parser};
use crate::ast::{
    AllowConnections, AvailabilityMode, FailoverMode, ReplicaOption, ReplicaSpec, RoleOption, SeedingMode,
    Written,
};

impl Parser<'_> {
    /// `member` for one of a distributed group, which has a listener and no roles.
    pub(super) fn replica_spec(&mut self, member: bool) -> Parsed<ReplicaSpec> {
        let name = self.text()?;
        self.expect_word("WITH")?;
        let options = self.parenthesised(|p| p.replica_option(member))?;
        Ok(ReplicaSpec { name, options })
    }

    fn replica_option(&mut self, member: bool) -> Parsed<Written<ReplicaOption>> {
        self.written(|p, name| {
            Ok(Some(match name {
                "ENDPOINT_URL" if !member => ReplicaOption::EndpointUrl(p.equals_text()?),
                "LISTENER_URL" if member => ReplicaOption::ListenerUrl(p.equals_text()?),
                "AVAILABILITY_MODE" => ReplicaOption::AvailabilityMode(
                    p.equals_word(AvailabilityMode::ALL, AvailabilityMode::word)?,
                ),
                "FAILOVER_MODE" => {
                    ReplicaOption::FailoverMode(p.equals_word(FailoverMode::ALL, FailoverMode::word)?)
                }
                "SEEDING_MODE" => {
                    ReplicaOption::SeedingMode(p.equals_word(SeedingMode::ALL, SeedingMode::word)?)
                }
                "BACKUP_PRIORITY" if !member => ReplicaOption::BackupPriority(p.equals_number()?),
                "SESSION_TIMEOUT" => ReplicaOption::SessionTimeoutSeconds(p.equals_number()?),
                "PRIMARY_ROLE" if !member => {
                    ReplicaOption::PrimaryRole(p.parenthesised(|p| p.role_option(true))?)
                }
                "SECONDARY_ROLE" if !member => {
                    ReplicaOption::SecondaryRole(p.parenthesised(|p| p.role_option(false))?)
                }
                _ => return Ok(None),
            }))
        })
    }

    fn role_option(&mut self, primary: bool) -> Parsed<Written<RoleOption>> {
        const OF_PRIMARY: &[AllowConnections] = &[AllowConnections::ReadWrite, AllowConnections::All];
        const OF_SECONDARY: &[AllowConnections] =
            &[AllowConnections::No, AllowConnections::ReadOnly, AllowConnections::All];
        self.written(|p, name| {
            Ok(Some(match name {
                "ALLOW_CONNECTIONS" => {
                    let allowed = if primary { OF_PRIMARY } else { OF_SECONDARY };
                    RoleOption::AllowConnections(p.equals_word(allowed, AllowConnections::word)?)
                }
                "READ_ONLY_ROUTING_URL" if !primary => RoleOption::ReadOnlyRoutingUrl(p.equals_text()?),
                "READ_WRITE_ROUTING_URL" if primary => RoleOption::ReadWriteRoutingUrl(p.equals_text()?),
                "READ_ONLY_ROUTING_LIST" if primary => RoleOption::ReadOnlyRoutingList(p.routing_list()?),
                _ => return Ok(None),
            }))
        })
    }

    /// `NONE`, `('a', 'b')`, `(('a', 'b'), 'c')`
    fn routing_list(&mut self) -> Parsed<Vec<Vec<String>>> {
        self.expect("=")?;
        if self.accept_word("NONE") {
            return Ok(Vec::new());
        }
        self.parenthesised(|p| {
            if p.is("(") {
                return p.parenthesised(Self::text);
            }
            Ok(vec![p.text()?])
        })
    }
}
