//! AVAILABILITY GROUP and SET HADR.

use super::{Parsed, Parser};
use crate::ast::{
    AlterAvailabilityGroup, AvailabilityGroupStatement, BackupPreference, ClusterType,
    CreateAvailabilityGroup, DtcSupport, GroupOption, Ident, SetHadr, StatementKind, Written,
};

impl Parser<'_> {
    pub(super) fn availability_group(&mut self, verb: &str) -> Parsed<StatementKind> {
        let name = self.ident()?;
        let statement = match verb {
            "CREATE" => self.create_group(name)?,
            "DROP" => AvailabilityGroupStatement::Drop(name),
            _ => {
                for what in ["ADD", "MODIFY", "RESTART", "REMOVE"] {
                    if self.is_words(&[what, "LISTENER"]) {
                        return Ok(self.recognised(&format!("ALTER AVAILABILITY GROUP {what} LISTENER")));
                    }
                }
                AvailabilityGroupStatement::Alter(name, self.alter_group()?)
            }
        };
        Ok(StatementKind::AvailabilityGroup(statement))
    }

    fn create_group(&mut self, name: Ident) -> Parsed<AvailabilityGroupStatement> {
        let mut options = Vec::new();
        if self.accept_word("WITH") {
            options = self.parenthesised(|p| p.group_option(false))?;
        }
        let mut create = CreateAvailabilityGroup {
            name,
            options,
            databases: Vec::new(),
            replicas: Vec::new(),
            groups: Vec::new(),
        };
        if self.accept_words(&["AVAILABILITY", "GROUP", "ON"]) {
            create.groups = self.list(|p| p.replica_spec(true))?;
            return Ok(AvailabilityGroupStatement::Create(Box::new(create)));
        }
        self.expect_word("FOR")?;
        if self.accept_word("DATABASE") {
            create.databases = self.list(Self::ident)?;
        }
        self.expect_word("REPLICA")?;
        self.expect_word("ON")?;
        create.replicas = self.list(|p| p.replica_spec(false))?;
        if self.accept_word("LISTENER") {
            self.text()?;
            self.skip_parentheses()?;
            self.refuse("CREATE AVAILABILITY GROUP LISTENER");
        }
        Ok(AvailabilityGroupStatement::Create(Box::new(create)))
    }

    fn alter_group(&mut self) -> Parsed<AlterAvailabilityGroup> {
        type Alter = AlterAvailabilityGroup;
        let databases = |p: &mut Self| p.list(Self::ident);
        Ok(if self.accept_word("SET") {
            Alter::Set(self.parenthesised(|p| p.group_option(true))?)
        } else if self.accept_words(&["ADD", "DATABASE"]) {
            Alter::AddDatabase(databases(self)?)
        } else if self.accept_words(&["REMOVE", "DATABASE"]) {
            Alter::RemoveDatabase(databases(self)?)
        } else if self.accept_words(&["ADD", "REPLICA", "ON"]) {
            Alter::AddReplica(self.list(|p| p.replica_spec(false))?)
        } else if self.accept_words(&["MODIFY", "REPLICA", "ON"]) {
            Alter::ModifyReplica(self.list(|p| p.replica_spec(false))?)
        } else if self.accept_words(&["REMOVE", "REPLICA", "ON"]) {
            Alter::RemoveReplica(self.list(Self::text)?)
        } else if self.accept_words(&["MODIFY", "AVAILABILITY", "GROUP", "ON"]) {
            Alter::ModifyGroup(self.list(|p| p.replica_spec(true))?)
        } else if self.accept_words(&["JOIN", "AVAILABILITY", "GROUP", "ON"]) {
            Alter::JoinDistributed(self.list(|p| p.replica_spec(true))?)
        } else if self.accept_word("JOIN") {
            Alter::Join(self.join_cluster_type()?)
        } else if self.accept_word("FAILOVER") {
            Alter::Failover
        } else if self.accept_word("FORCE_FAILOVER_ALLOW_DATA_LOSS") {
            Alter::ForceFailoverAllowDataLoss
        } else if self.accept_words(&["GRANT", "CREATE", "ANY", "DATABASE"]) {
            Alter::GrantCreateAnyDatabase
        } else if self.accept_words(&["DENY", "CREATE", "ANY", "DATABASE"]) {
            Alter::DenyCreateAnyDatabase
        } else if self.accept_word("OFFLINE") {
            Alter::Offline
        } else {
            return Err(self.unexpected());
        })
    }

    fn join_cluster_type(&mut self) -> Parsed<Option<ClusterType>> {
        // A WITH behind JOIN could also begin the next statement, a common table expression.
        if !(self.is_word("WITH") && self.is_at(1, "(")) {
            return Ok(None);
        }
        self.at += 2;
        self.expect_word("CLUSTER_TYPE")?;
        let cluster = self.equals_word(ClusterType::ALL, ClusterType::word)?;
        self.expect(")")?;
        Ok(Some(cluster))
    }

    /// `set` for those of ALTER ... SET.
    fn group_option(&mut self, set: bool) -> Parsed<Written<GroupOption>> {
        type O = GroupOption;
        self.written(|p, name| {
            Ok(Some(match name {
                "AUTOMATED_BACKUP_PREFERENCE" => O::AutomatedBackupPreference(
                    p.equals_word(BackupPreference::ALL, BackupPreference::word)?,
                ),
                "FAILURE_CONDITION_LEVEL" => O::FailureConditionLevel(p.equals_number()?),
                "HEALTH_CHECK_TIMEOUT" => O::HealthCheckTimeoutMs(p.equals_number()?),
                "DB_FAILOVER" => {
                    p.expect("=")?;
                    O::DbFailover(p.on_off()?)
                }
                "DTC_SUPPORT" => O::DtcSupport(p.equals_word(DtcSupport::ALL, DtcSupport::word)?),
                "REQUIRED_SYNCHRONIZED_SECONDARIES_TO_COMMIT" => {
                    O::RequiredSynchronizedSecondariesToCommit(p.equals_number()?)
                }
                "CLUSTER_TYPE" if !set => O::ClusterType(p.equals_word(ClusterType::ALL, ClusterType::word)?),
                "BASIC" if !set => O::Basic,
                "DISTRIBUTED" if !set => O::Distributed,
                "CONTAINED" if !set => {
                    O::Contained { reuse_system_databases: p.accept_word("REUSE_SYSTEM_DATABASES") }
                }
                "ROLE" if set => {
                    p.expect("=")?;
                    p.expect_word("SECONDARY")?;
                    O::RoleSecondary
                }
                _ => return Ok(None),
            }))
        })
    }

    /// What follows `ALTER DATABASE d SET HADR`.
    pub(in crate::parser) fn set_hadr(&mut self) -> Parsed<SetHadr> {
        if self.accept_words(&["AVAILABILITY", "GROUP"]) {
            self.expect("=")?;
            return Ok(SetHadr::AvailabilityGroup(self.ident()?));
        }
        match self.accept_any(&["OFF", "SUSPEND", "RESUME"]) {
            Some("OFF") => Ok(SetHadr::Off),
            Some("SUSPEND") => Ok(SetHadr::Suspend),
            Some(_) => Ok(SetHadr::Resume),
            None => Err(self.unexpected()),
        }
    }
}
