//! Groups that are not distributed: CREATE, JOIN, their replicas and settings.

use std::collections::BTreeMap;

use super::{Action, Work, repeated};
use crate::groups::options::{GivenMode, GivenPartnering, Options};
use crate::groups::{
    AllowConnections, ClusterType, CommitMode, FailoverMode, GivenMember, GivenOption, Group, GroupDatabase,
    Kind, ListenerUrl, LocalGroup, Partnering, Replica, Role, SeedingMode, same_name,
};
use crate::{GroupId, Refusal, ReplicaId};

/// A primary and eight secondaries; a basic group has one of them.
const REPLICAS_MAX: usize = 9;
const BASIC_REPLICAS_MAX: usize = 2;
/// SESSION_TIMEOUT. With less a busy machine would lose sessions for nothing.
pub(super) const SESSION_TIMEOUT_MIN_S: i64 = 5;
pub(super) const SESSION_TIMEOUT_S: u32 = 10;
const BACKUP_PRIORITY: u32 = 50;
const CREATE: &str = "CREATE AVAILABILITY GROUP";

impl Work<'_> {
    pub(super) fn create(
        &mut self,
        name: &str,
        options: &[GivenOption],
        databases: &[String],
        replicas: &[GivenMember],
        listener: bool,
    ) -> Result<(), Refusal> {
        let mut options = Options::new(options)?;
        if options.flag("DISTRIBUTED")? {
            return Err(Refusal::distributed_alone());
        }
        for refused in [
            "CONTAINED",
            "REUSE_SYSTEM_DATABASES",
            "AUTOSEEDING_SYSTEM_DATABASES",
            "CLUSTER_CONNECTION_OPTIONS",
        ] {
            options.refuse(refused, CREATE)?;
        }
        if listener {
            return Err(Refusal::unsupported(&format!("{CREATE} ... LISTENER")));
        }
        // The other group of a distributed one has its name, too: with a second one nobody could tell which is meant.
        if self.groups.named(name).is_some() || self.is_there(name) {
            return Err(Refusal::group_exists(name));
        }
        let cluster_type = self.cluster_type(&mut options)?;
        let basic = options.flag("BASIC")?;
        let mut shown = BTreeMap::new();
        set_shown(&mut options, name, &mut shown)?;
        let required = self.required_synchronized(&mut options)?;
        options.finish()?;
        let replicas = self.new_replicas(name, replicas, cluster_type, basic)?;
        let mut local = LocalGroup {
            replicas,
            databases: Vec::new(),
            create_any_database: false,
            cluster_type,
            basic,
            shown,
        };
        let required_synchronized = required.unwrap_or(0);
        check_required(CREATE, required_synchronized, possible_secondaries(&local), name)?;
        self.endpoint_started(name)?;
        if let Some(database) = repeated(databases.iter().map(String::as_str)) {
            return Err(Refusal::database_twice(database));
        }
        for database in databases {
            self.check_new_database(name, &local, database)?;
            local.databases.push(GroupDatabase::new(&self.spelled(database)));
        }
        self.groups.groups.push(Group {
            id: GroupId::of(&[name]),
            name: name.to_owned(),
            role: Role::Primary,
            required_synchronized: required_synchronized as u32,
            sequence: 0,
            kind: Kind::Local(local),
        });
        Ok(())
    }

    /// Whether the other side of a distributed group is called that.
    fn is_there(&self, name: &str) -> bool {
        self.groups.distributed().any(|(_, d)| same_name(&d.there.name, name))
    }

    fn new_replicas(
        &self,
        name: &str,
        given: &[GivenMember],
        cluster_type: ClusterType,
        basic: bool,
    ) -> Result<Vec<Replica>, Refusal> {
        if let Some(replica) = repeated(given.iter().map(|r| r.name.as_str())) {
            return Err(Refusal::replica_twice(replica));
        }
        let (kind, limit) =
            if basic { ("with basic functionality", BASIC_REPLICAS_MAX) } else { ("", REPLICAS_MAX) };
        if given.len() > limit {
            return Err(Refusal::too_many_replicas(given.len() as i64, kind, limit as i64));
        }
        let replicas = given
            .iter()
            .map(|r| self.new_replica(CREATE, name, r, cluster_type))
            .collect::<Result<Vec<Replica>, Refusal>>()?;
        if !replicas.iter().any(|r| self.is_here(&r.partnering.name)) {
            return Err(Refusal::not_a_replica(name));
        }
        Ok(replicas)
    }

    /// The group takes over what the primary has said of it.
    pub(super) fn join(&mut self, name: &str, options: &[GivenOption]) -> Result<(), Refusal> {
        if self.groups.named(name).is_some() || self.is_there(name) {
            return Err(Refusal::replica_exists_here(name));
        }
        let mut options = Options::new(options)?;
        let cluster_type = self.cluster_type(&mut options)?;
        options.finish()?;
        self.endpoint_started(name)?;
        let offered = self.facts.offered.iter().find(|g| {
            let listed = g.as_local().is_some_and(|l| l.replica(&self.facts.server).is_some());
            same_name(&g.name, name) && listed
        });
        let Some(mut group) = offered.cloned() else { return Err(Refusal::join_timed_out(name)) };
        group = group.offered();
        if let Some(local) = group.as_local() {
            if local.cluster_type != cluster_type {
                return Err(Refusal::cluster_type_differs(&group.name));
            }
            let taken = local.databases.iter().find(|d| self.groups.of_database(&d.name).is_some());
            if let Some(database) = taken {
                return Err(Refusal::participates_elsewhere(&database.name));
            }
        }
        self.groups.groups.push(group);
        Ok(())
    }

    /// CLUSTER_TYPE. SQL Server 2016 does not know it: there a group always has a cluster, later that is the default.
    fn cluster_type(&self, options: &mut Options<'_>) -> Result<ClusterType, Refusal> {
        let words =
            [("NONE", Some(ClusterType::None)), ("WSFC", Some(ClusterType::Wsfc)), ("EXTERNAL", None)];
        let given = if self.facts.version.knows_cluster_types() {
            options.word("CLUSTER_TYPE", &words)?
        } else {
            None
        };
        match given {
            Some(None) => Err(Refusal::unsupported(&format!("{CREATE} ... CLUSTER_TYPE = EXTERNAL"))),
            Some(Some(ClusterType::None)) => Ok(ClusterType::None),
            Some(Some(ClusterType::Wsfc)) | None if self.facts.cluster_node => Ok(ClusterType::Wsfc),
            Some(Some(ClusterType::Wsfc)) | None => Err(Refusal::no_cluster()),
        }
    }

    /// REQUIRED_SYNCHRONIZED_SECONDARIES_TO_COMMIT, not negative; SQL Server 2016 does not know it.
    pub(super) fn required_synchronized(&self, options: &mut Options<'_>) -> Result<Option<i64>, Refusal> {
        const NAME: &str = "REQUIRED_SYNCHRONIZED_SECONDARIES_TO_COMMIT";
        if !self.facts.version.knows_cluster_types() {
            return Ok(None);
        }
        match options.number(NAME)? {
            Some(negative) if negative < 0 => Err(Refusal::incorrect_syntax("-")),
            other => Ok(other),
        }
    }

    fn new_replica(
        &self,
        operation: &str,
        group: &str,
        given: &GivenMember,
        cluster_type: ClusterType,
    ) -> Result<Replica, Refusal> {
        let name = &given.name;
        let mut options = Options::new(&given.options)?;
        let partnering = GivenPartnering::read(&mut options, "ENDPOINT_URL")?;
        let Some(url) = partnering.url else { return Err(Refusal::url_missing(name)) };
        let url = endpoint_url(url)?;
        let commit_mode = match partnering.mode {
            None => return Err(Refusal::availability_mode_missing(name)),
            Some(GivenMode::ConfigurationOnly) => return Err(Refusal::configuration_only(name, group)),
            Some(GivenMode::Commit(mode)) => mode,
        };
        let Some(failover_mode) = partnering.failover_mode else {
            return Err(Refusal::failover_mode_missing(name));
        };
        let mut replica = Replica {
            partnering: Partnering {
                id: ReplicaId::of(&[group, name]),
                name: name.clone(),
                url,
                commit_mode,
                failover_mode,
                seeding_mode: partnering.seeding_mode.unwrap_or(SeedingMode::Manual),
                session_timeout_s: SESSION_TIMEOUT_S,
                created: self.facts.now.0,
                modified: self.facts.now.0,
            },
            backup_priority: BACKUP_PRIORITY,
            primary_read_write_only: false,
            secondary_allow: AllowConnections::No,
            read_only_routing_url: None,
            read_write_routing_url: None,
        };
        set_timeout(operation, &mut replica.partnering, partnering.session_timeout)?;
        set_replica(operation, &mut replica, options)?;
        check_modes(operation, group, &replica.partnering, cluster_type)?;
        Ok(replica)
    }

    pub(super) fn add_replicas(&mut self, group: &Group, given: &[GivenMember]) -> Result<(), Refusal> {
        let local = self.local_primary(group, "add", "replica")?;
        if let Some(replica) = repeated(given.iter().map(|r| r.name.as_str())) {
            return Err(Refusal::replica_twice(replica));
        }
        let limit = if local.basic { BASIC_REPLICAS_MAX } else { REPLICAS_MAX };
        if local.replicas.len() + given.len() > limit {
            let (added, there) = (given.len() as i64, local.replicas.len() as i64);
            return Err(Refusal::too_many_replicas_added(added, &group.name, there, limit as i64));
        }
        let mut added = Vec::new();
        for replica in given {
            if local.replica(&replica.name).is_some() {
                return Err(Refusal::replica_exists(&replica.name, &group.name));
            }
            added.push(self.new_replica("ADD REPLICA", &group.name, replica, local.cluster_type)?);
        }
        self.change_local(group, |local| local.replicas.extend(added));
        Ok(())
    }

    pub(super) fn modify_replicas(&mut self, group: &Group, given: &[GivenMember]) -> Result<(), Refusal> {
        const OPERATION: &str = "MODIFY REPLICA";
        let Kind::Local(local) = &group.kind else {
            return Err(Refusal::unsupported("ALTER AVAILABILITY GROUP ... MODIFY REPLICA"));
        };
        if group.role != Role::Primary {
            return Err(Refusal::alter_on_secondary(&group.name));
        }
        if let Some(replica) = repeated(given.iter().map(|r| r.name.as_str())) {
            return Err(Refusal::replica_twice(replica));
        }
        let mut local = local.clone();
        for member in given {
            let cluster_type = local.cluster_type;
            let at = local.replicas.iter_mut().find(|r| same_name(&r.partnering.name, &member.name));
            let Some(replica) = at else {
                return Err(Refusal::replica_to_modify_missing(&member.name, &group.name));
            };
            let mut options = Options::new(&member.options)?;
            if options.is_empty() {
                return Err(Refusal::incorrect_syntax(")"));
            }
            let partnering = GivenPartnering::read(&mut options, "ENDPOINT_URL")?;
            if let Some(url) = partnering.url {
                replica.partnering.url = endpoint_url(url)?;
            }
            match partnering.mode {
                None => {}
                Some(GivenMode::ConfigurationOnly) => {
                    return Err(Refusal::configuration_only(&member.name, &group.name));
                }
                Some(GivenMode::Commit(mode)) => replica.partnering.commit_mode = mode,
            }
            if let Some(mode) = partnering.failover_mode {
                replica.partnering.failover_mode = mode;
            }
            if let Some(mode) = partnering.seeding_mode {
                let (group, replica_id) = (group.id, replica.partnering.id);
                self.actions.extend(seeding_action(group, replica_id, replica.partnering.seeding_mode, mode));
                replica.partnering.seeding_mode = mode;
            }
            set_timeout(OPERATION, &mut replica.partnering, partnering.session_timeout)?;
            set_replica(OPERATION, replica, options)?;
            check_modes(OPERATION, &group.name, &replica.partnering, cluster_type)?;
            replica.partnering.modified = self.facts.now.0;
        }
        let required = i64::from(group.required_synchronized);
        check_required(OPERATION, required, possible_secondaries(&local), &group.name)?;
        self.change_local(group, |there| *there = local);
        Ok(())
    }

    pub(super) fn remove_replicas(&mut self, group: &Group, names: &[String]) -> Result<(), Refusal> {
        let mut local = self.local_primary(group, "remove", "replica")?.clone();
        for name in names {
            if local.replica(name).is_none() {
                return Err(Refusal::replica_to_remove_missing(name, &group.name));
            }
            if self.is_here(name) {
                return Err(Refusal::replica_is_local(name, &group.name));
            }
            local.replicas.retain(|r| !same_name(&r.partnering.name, name));
        }
        let required = i64::from(group.required_synchronized);
        check_required("REMOVE REPLICA", required, possible_secondaries(&local), &group.name)?;
        self.change_local(group, |there| *there = local);
        Ok(())
    }

    /// SET with anything but a role, on a group that is not distributed.
    pub(super) fn set_local(&mut self, group: &Group, mut options: Options<'_>) -> Result<(), Refusal> {
        let Kind::Local(local) = &group.kind else { return Ok(()) };
        if group.role != Role::Primary {
            return Err(Refusal::alter_on_secondary(&group.name));
        }
        let mut shown = local.shown.clone();
        set_shown(&mut options, &group.name, &mut shown)?;
        let required = self.required_synchronized(&mut options)?;
        options.finish()?;
        if let Some(required) = required {
            check_required("ALTER AVAILABILITY GROUP", required, possible_secondaries(local), &group.name)?;
        }
        self.change_local(group, |local| local.shown = shown);
        if let (Some(required), Some(group)) = (required, self.groups.named_mut(&group.name)) {
            group.required_synchronized = required as u32;
        }
        Ok(())
    }

    /// The group, if its databases and replicas may be changed here.
    pub(super) fn local_primary<'g>(
        &self,
        group: &'g Group,
        verb: &str,
        noun: &str,
    ) -> Result<&'g LocalGroup, Refusal> {
        let Kind::Local(local) = &group.kind else {
            let what = format!("ALTER AVAILABILITY GROUP ... {verb} {noun}").to_uppercase();
            return Err(Refusal::unsupported(&what));
        };
        if group.role != Role::Primary {
            return Err(Refusal::command_on_secondary(&group.name, verb, noun));
        }
        Ok(local)
    }

    pub(super) fn change_local(&mut self, group: &Group, change: impl FnOnce(&mut LocalGroup)) {
        if let Some(local) = self.groups.named_mut(&group.name).and_then(Group::as_local_mut) {
            change(local);
        }
    }
}

/// What is stored and shown and has no effect here, since it is the cluster's.
fn set_shown(
    options: &mut Options<'_>,
    group: &str,
    shown: &mut BTreeMap<String, String>,
) -> Result<(), Refusal> {
    let words: [(&str, &[(&str, &str)]); 3] = [
        (
            "AUTOMATED_BACKUP_PREFERENCE",
            &[
                ("PRIMARY", "PRIMARY"),
                ("SECONDARY_ONLY", "SECONDARY_ONLY"),
                ("SECONDARY", "SECONDARY"),
                ("NONE", "NONE"),
            ],
        ),
        ("DB_FAILOVER", &[("ON", "ON"), ("OFF", "OFF")]),
        ("DTC_SUPPORT", &[("PER_DB", "PER_DB"), ("NONE", "NONE")]),
    ];
    for (name, words) in words {
        if let Some(word) = options.word(name, words)? {
            shown.insert(name.to_owned(), word.to_owned());
        }
    }
    if let Some(level) = options.number("FAILURE_CONDITION_LEVEL")? {
        if !(1..=5).contains(&level) {
            return Err(Refusal::failure_condition_range(group));
        }
        shown.insert("FAILURE_CONDITION_LEVEL".to_owned(), level.to_string());
    }
    if let Some(timeout) = options.number("HEALTH_CHECK_TIMEOUT")? {
        if !(15_000..=i64::from(u32::MAX)).contains(&timeout) {
            return Err(Refusal::health_check_range(group));
        }
        shown.insert("HEALTH_CHECK_TIMEOUT".to_owned(), timeout.to_string());
    }
    Ok(())
}

/// The options that only replicas have.
fn set_replica(operation: &str, replica: &mut Replica, mut options: Options<'_>) -> Result<(), Refusal> {
    if let Some(priority) = options.number("BACKUP_PRIORITY")? {
        if !(0..=100).contains(&priority) {
            return Err(Refusal::backup_priority_range(operation, &replica.partnering.name));
        }
        replica.backup_priority = priority as u32;
    }
    if let Some(mut secondary) = options.options("SECONDARY_ROLE")? {
        let words = [
            ("NO", AllowConnections::No),
            ("READ_ONLY", AllowConnections::ReadOnly),
            ("ALL", AllowConnections::All),
        ];
        if let Some(allow) = secondary.word("ALLOW_CONNECTIONS", &words)? {
            replica.secondary_allow = allow;
        }
        if let Some(url) = secondary.text("READ_ONLY_ROUTING_URL")? {
            replica.read_only_routing_url = Some(url.to_owned());
        }
        secondary.finish()?;
    }
    if let Some(mut primary) = options.options("PRIMARY_ROLE")? {
        primary.refuse("READ_ONLY_ROUTING_LIST", "AVAILABILITY GROUP")?;
        let words = [("READ_WRITE", true), ("ALL", false)];
        if let Some(only) = primary.word("ALLOW_CONNECTIONS", &words)? {
            replica.primary_read_write_only = only;
        }
        if let Some(url) = primary.text("READ_WRITE_ROUTING_URL")? {
            replica.read_write_routing_url = Some(url.to_owned());
        }
        primary.finish()?;
    }
    options.finish()
}

pub(super) fn set_timeout(
    operation: &str,
    partnering: &mut Partnering,
    given: Option<i64>,
) -> Result<(), Refusal> {
    let Some(timeout) = given else { return Ok(()) };
    if timeout < SESSION_TIMEOUT_MIN_S {
        return Err(Refusal::session_timeout_range(operation, &partnering.name, SESSION_TIMEOUT_MIN_S));
    }
    partnering.session_timeout_s = u32::try_from(timeout).unwrap_or(u32::MAX);
    Ok(())
}

/// Automatic failover is the cluster's, and only with synchronous commit.
fn check_modes(
    operation: &str,
    group: &str,
    partnering: &Partnering,
    cluster_type: ClusterType,
) -> Result<(), Refusal> {
    match (partnering.failover_mode, partnering.commit_mode, cluster_type) {
        (FailoverMode::Automatic, CommitMode::Asynchronous, _) => {
            Err(Refusal::asynchronous_automatic(operation, &partnering.name))
        }
        (FailoverMode::Automatic | FailoverMode::External, _, ClusterType::None) => {
            Err(Refusal::cluster_type_manual_only(group))
        }
        (FailoverMode::External, _, ClusterType::Wsfc) => Err(Refusal::cluster_type_not_external(group)),
        (FailoverMode::Automatic, CommitMode::Synchronous, ClusterType::Wsfc)
        | (FailoverMode::Manual, _, _) => Ok(()),
    }
}

/// How many secondaries could be waited for.
fn possible_secondaries(local: &LocalGroup) -> i64 {
    let synchronous =
        local.replicas.iter().filter(|r| r.partnering.commit_mode == CommitMode::Synchronous).count();
    synchronous.saturating_sub(1) as i64
}

pub(super) fn check_required(
    operation: &str,
    required: i64,
    possible: i64,
    group: &str,
) -> Result<(), Refusal> {
    if required > possible {
        return Err(Refusal::required_too_high(operation, required, possible, group));
    }
    Ok(())
}

/// What comes of a seeding mode that was written down: AUTOMATIC also when it is that already, which starts again what has
/// failed for good (19495).
pub(super) fn seeding_action(
    group: GroupId,
    replica: ReplicaId,
    was: SeedingMode,
    is: SeedingMode,
) -> Option<Action> {
    match (was, is) {
        (_, SeedingMode::Automatic) => Some(Action::RetrySeeding { group, replica }),
        (SeedingMode::Automatic, SeedingMode::Manual) => Some(Action::CancelSeeding { group, replica }),
        (SeedingMode::Manual, SeedingMode::Manual) => None,
    }
}

/// ENDPOINT_URL: an address and nothing else.
fn endpoint_url(text: &str) -> Result<ListenerUrl, Refusal> {
    ListenerUrl::parse(text)
        .filter(|u| u.server.is_none() && u.database.is_none())
        .ok_or_else(|| Refusal::endpoint_url_invalid(text))
}
