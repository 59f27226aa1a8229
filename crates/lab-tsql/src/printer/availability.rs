//! Availability groups as text again.

use super::hadr::{name, names, text};
use crate::ast::{
    AlterAvailabilityGroup, AvailabilityGroupStatement, ClusterType, CreateAvailabilityGroup, GroupOption,
    Ident, ReplicaOption, ReplicaSpec, RoleOption, SetHadr, Written,
};

pub(super) fn group_statement(statement: &AvailabilityGroupStatement) -> String {
    match statement {
        AvailabilityGroupStatement::Create(create) => self::create(create),
        AvailabilityGroupStatement::Alter(group, alter) => {
            format!("ALTER AVAILABILITY GROUP {} {}", name(group), self::alter(alter))
        }
        AvailabilityGroupStatement::Drop(group) => format!("DROP AVAILABILITY GROUP {}", name(group)),
    }
}

pub(super) fn set_hadr(database: Option<&Ident>, set: &SetHadr) -> String {
    let database = database.map_or_else(|| "CURRENT".to_owned(), name);
    let what = match set {
        SetHadr::AvailabilityGroup(group) => format!("AVAILABILITY GROUP = {}", name(group)),
        SetHadr::Off => "OFF".to_owned(),
        SetHadr::Suspend => "SUSPEND".to_owned(),
        SetHadr::Resume => "RESUME".to_owned(),
    };
    format!("ALTER DATABASE {database} SET HADR {what}")
}

fn create(create: &CreateAvailabilityGroup) -> String {
    let mut out = format!("CREATE AVAILABILITY GROUP {}", name(&create.name));
    if !create.options.is_empty() {
        out += &format!(" WITH ({})", group_options(&create.options));
    }
    if create.replicas.is_empty() {
        return out + " AVAILABILITY GROUP ON " + &specs(&create.groups);
    }
    out += " FOR";
    if !create.databases.is_empty() {
        out += &format!(" DATABASE {}", names(&create.databases));
    }
    out + " REPLICA ON " + &specs(&create.replicas)
}

fn alter(alter: &AlterAvailabilityGroup) -> String {
    type Alter = AlterAvailabilityGroup;
    match alter {
        Alter::Set(options) => format!("SET ({})", group_options(options)),
        Alter::AddDatabase(databases) => format!("ADD DATABASE {}", names(databases)),
        Alter::RemoveDatabase(databases) => format!("REMOVE DATABASE {}", names(databases)),
        Alter::AddReplica(replicas) => format!("ADD REPLICA ON {}", specs(replicas)),
        Alter::ModifyReplica(replicas) => format!("MODIFY REPLICA ON {}", specs(replicas)),
        Alter::RemoveReplica(servers) => format!("REMOVE REPLICA ON {}", texts(servers)),
        Alter::ModifyGroup(groups) => format!("MODIFY AVAILABILITY GROUP ON {}", specs(groups)),
        Alter::Join(None) => "JOIN".to_owned(),
        Alter::Join(Some(cluster)) => format!("JOIN WITH ({})", cluster_type(*cluster)),
        Alter::JoinDistributed(groups) => format!("JOIN AVAILABILITY GROUP ON {}", specs(groups)),
        Alter::Failover => "FAILOVER".to_owned(),
        Alter::ForceFailoverAllowDataLoss => "FORCE_FAILOVER_ALLOW_DATA_LOSS".to_owned(),
        Alter::GrantCreateAnyDatabase => "GRANT CREATE ANY DATABASE".to_owned(),
        Alter::DenyCreateAnyDatabase => "DENY CREATE ANY DATABASE".to_owned(),
        Alter::Offline => "OFFLINE".to_owned(),
    }
}

fn cluster_type(cluster: ClusterType) -> String {
    format!("CLUSTER_TYPE = {}", cluster.word())
}

fn list<T>(items: &[T], print: impl Fn(&T) -> String) -> String {
    items.iter().map(print).collect::<Vec<_>>().join(", ")
}

fn texts(values: &[String]) -> String {
    list(values, |value| text(value))
}

fn group_options(options: &[Written<GroupOption>]) -> String {
    list(options, |option| match &option.value {
        GroupOption::AutomatedBackupPreference(where_) => {
            format!("AUTOMATED_BACKUP_PREFERENCE = {}", where_.word())
        }
        GroupOption::FailureConditionLevel(level) => format!("FAILURE_CONDITION_LEVEL = {level}"),
        GroupOption::HealthCheckTimeoutMs(ms) => format!("HEALTH_CHECK_TIMEOUT = {ms}"),
        GroupOption::DbFailover(on) => format!("DB_FAILOVER = {}", if *on { "ON" } else { "OFF" }),
        GroupOption::DtcSupport(support) => format!("DTC_SUPPORT = {}", support.word()),
        GroupOption::Basic => "BASIC".to_owned(),
        GroupOption::Distributed => "DISTRIBUTED".to_owned(),
        GroupOption::Contained { reuse_system_databases: false } => "CONTAINED".to_owned(),
        GroupOption::Contained { reuse_system_databases: true } => {
            "CONTAINED REUSE_SYSTEM_DATABASES".to_owned()
        }
        GroupOption::RequiredSynchronizedSecondariesToCommit(count) => {
            format!("REQUIRED_SYNCHRONIZED_SECONDARIES_TO_COMMIT = {count}")
        }
        GroupOption::ClusterType(cluster) => cluster_type(*cluster),
        GroupOption::RoleSecondary => "ROLE = SECONDARY".to_owned(),
    })
}

fn specs(specs: &[ReplicaSpec]) -> String {
    list(specs, |spec| {
        let options = list(&spec.options, |option| replica_option(&option.value));
        format!("{} WITH ({options})", text(&spec.name))
    })
}

fn replica_option(option: &ReplicaOption) -> String {
    match option {
        ReplicaOption::EndpointUrl(url) => format!("ENDPOINT_URL = {}", text(url)),
        ReplicaOption::ListenerUrl(url) => format!("LISTENER_URL = {}", text(url)),
        ReplicaOption::AvailabilityMode(mode) => format!("AVAILABILITY_MODE = {}", mode.word()),
        ReplicaOption::FailoverMode(mode) => format!("FAILOVER_MODE = {}", mode.word()),
        ReplicaOption::SeedingMode(mode) => format!("SEEDING_MODE = {}", mode.word()),
        ReplicaOption::BackupPriority(priority) => format!("BACKUP_PRIORITY = {priority}"),
        ReplicaOption::SessionTimeoutSeconds(seconds) => format!("SESSION_TIMEOUT = {seconds}"),
        ReplicaOption::PrimaryRole(options) => format!("PRIMARY_ROLE ({})", role_options(options)),
        ReplicaOption::SecondaryRole(options) => format!("SECONDARY_ROLE ({})", role_options(options)),
    }
}

fn role_options(options: &[Written<RoleOption>]) -> String {
    list(options, |option| match &option.value {
        RoleOption::AllowConnections(which) => format!("ALLOW_CONNECTIONS = {}", which.word()),
        RoleOption::ReadOnlyRoutingUrl(url) => format!("READ_ONLY_ROUTING_URL = {}", text(url)),
        RoleOption::ReadWriteRoutingUrl(url) => format!("READ_WRITE_ROUTING_URL = {}", text(url)),
        RoleOption::ReadOnlyRoutingList(sets) if sets.is_empty() => {
            "READ_ONLY_ROUTING_LIST = NONE".to_owned()
        }
        RoleOption::ReadOnlyRoutingList(sets) => {
            let set = |set: &Vec<String>| match set.as_slice() {
                [server] => text(server),
                several => format!("({})", texts(several)),
            };
            format!("READ_ONLY_ROUTING_LIST = ({})", list(sets, set))
        }
    })
}
