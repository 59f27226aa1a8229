//! Statements as the parser has them, as the groups take them: every option by its name and value, in the order of the
//! text. What is right and what is not, the groups decide.

use lab_engine::AlwaysOnStatement;
use lab_hadr::{Alteration, Command, GivenMember, GivenOption, GivenValue};
use lab_tsql::ast::{
    AlterAvailabilityGroup, AvailabilityGroupStatement, CreateAvailabilityGroup, GroupOption, Ident,
    ReplicaOption, ReplicaSpec, RoleOption, SetHadr, Written,
};

pub(super) fn command(statement: &AlwaysOnStatement<'_>) -> Command {
    match statement {
        AlwaysOnStatement::AvailabilityGroup(AvailabilityGroupStatement::Create(create)) => creation(create),
        AlwaysOnStatement::AvailabilityGroup(AvailabilityGroupStatement::Alter(name, alter)) => {
            Command::Alter { group: name.value.clone(), alteration: alteration(alter) }
        }
        AlwaysOnStatement::AvailabilityGroup(AvailabilityGroupStatement::Drop(name)) => {
            Command::Drop { group: name.value.clone() }
        }
        AlwaysOnStatement::SetHadr { database, set } => {
            let database = database.clone();
            match set {
                SetHadr::AvailabilityGroup(group) => {
                    Command::JoinDatabase { database, group: group.value.clone() }
                }
                SetHadr::Off => Command::Leave { database },
                SetHadr::Suspend => Command::Suspend { database },
                SetHadr::Resume => Command::Resume { database },
            }
        }
    }
}

fn creation(create: &CreateAvailabilityGroup) -> Command {
    let (group, options) = (create.name.value.clone(), options(&create.options));
    if create.groups.is_empty() {
        let (databases, replicas) = (names(&create.databases), members(&create.replicas));
        Command::Create { group, options, databases, replicas, listener: false }
    } else {
        Command::CreateDistributed { group, options, members: members(&create.groups) }
    }
}

fn alteration(alter: &AlterAvailabilityGroup) -> Alteration {
    match alter {
        AlterAvailabilityGroup::Set(given) => Alteration::Set(options(given)),
        AlterAvailabilityGroup::AddDatabase(given) => Alteration::AddDatabase(names(given)),
        AlterAvailabilityGroup::RemoveDatabase(given) => Alteration::RemoveDatabase(names(given)),
        AlterAvailabilityGroup::AddReplica(given) => Alteration::AddReplica(members(given)),
        AlterAvailabilityGroup::ModifyReplica(given) => Alteration::ModifyReplica(members(given)),
        AlterAvailabilityGroup::RemoveReplica(given) => Alteration::RemoveReplica(given.clone()),
        AlterAvailabilityGroup::ModifyGroup(given) => Alteration::ModifyMembers(members(given)),
        AlterAvailabilityGroup::Join(cluster) => {
            let cluster = cluster.map(|c| option("CLUSTER_TYPE", GivenValue::Word(c.word().to_owned())));
            Alteration::Join(cluster.into_iter().collect())
        }
        AlterAvailabilityGroup::JoinDistributed(given) => Alteration::JoinDistributed(members(given)),
        AlterAvailabilityGroup::Failover => Alteration::Failover,
        AlterAvailabilityGroup::ForceFailoverAllowDataLoss => Alteration::ForceFailover,
        AlterAvailabilityGroup::GrantCreateAnyDatabase => Alteration::Grant,
        AlterAvailabilityGroup::DenyCreateAnyDatabase => Alteration::Deny,
        AlterAvailabilityGroup::Offline => Alteration::Other("OFFLINE".to_owned()),
    }
}

fn names(given: &[Ident]) -> Vec<String> {
    given.iter().map(|name| name.value.clone()).collect()
}

fn option(name: &str, value: GivenValue) -> GivenOption {
    GivenOption { name: name.to_owned(), value }
}

fn members(given: &[ReplicaSpec]) -> Vec<GivenMember> {
    let member = |spec: &ReplicaSpec| GivenMember {
        name: spec.name.clone(),
        options: spec.options.iter().map(|o| option(&o.spelling.value, replica_value(&o.value))).collect(),
    };
    given.iter().map(member).collect()
}

fn options(given: &[Written<GroupOption>]) -> Vec<GivenOption> {
    given.iter().map(|o| option(&o.spelling.value, group_value(&o.value))).collect()
}

fn word(word: &str) -> GivenValue {
    GivenValue::Word(word.to_owned())
}

fn on_off(on: bool) -> GivenValue {
    word(if on { "ON" } else { "OFF" })
}

fn group_value(given: &GroupOption) -> GivenValue {
    match given {
        GroupOption::AutomatedBackupPreference(preference) => word(preference.word()),
        GroupOption::FailureConditionLevel(n)
        | GroupOption::HealthCheckTimeoutMs(n)
        | GroupOption::RequiredSynchronizedSecondariesToCommit(n) => GivenValue::Number(i64::from(*n)),
        GroupOption::DbFailover(on) => on_off(*on),
        GroupOption::DtcSupport(support) => word(support.word()),
        GroupOption::Basic | GroupOption::Distributed | GroupOption::Contained { .. } => GivenValue::Nothing,
        GroupOption::ClusterType(cluster) => word(cluster.word()),
        GroupOption::RoleSecondary => word("SECONDARY"),
    }
}

fn replica_value(given: &ReplicaOption) -> GivenValue {
    match given {
        ReplicaOption::EndpointUrl(url) | ReplicaOption::ListenerUrl(url) => GivenValue::Text(url.clone()),
        ReplicaOption::AvailabilityMode(mode) => word(mode.word()),
        ReplicaOption::FailoverMode(mode) => word(mode.word()),
        ReplicaOption::SeedingMode(mode) => word(mode.word()),
        ReplicaOption::BackupPriority(n) | ReplicaOption::SessionTimeoutSeconds(n) => {
            GivenValue::Number(i64::from(*n))
        }
        ReplicaOption::PrimaryRole(given) | ReplicaOption::SecondaryRole(given) => GivenValue::Options(
            given.iter().map(|o| option(&o.spelling.value, role_value(&o.value))).collect(),
        ),
    }
}

fn role_value(given: &RoleOption) -> GivenValue {
    match given {
        RoleOption::AllowConnections(allow) => word(allow.word()),
        RoleOption::ReadOnlyRoutingUrl(url) | RoleOption::ReadWriteRoutingUrl(url) => {
            GivenValue::Text(url.clone())
        }
        RoleOption::ReadOnlyRoutingList(sets) => GivenValue::Texts(sets.iter().flatten().cloned().collect()),
    }
}
