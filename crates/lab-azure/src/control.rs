//! A managed instance in this process: [`Control`] as a [`ManagedInstance`].

use std::collections::BTreeMap;

use lab_instance::{Control, LiveDatabase, LiveGroup, LiveSeeding, SqlError};
use serde::{Deserialize, Serialize};

use crate::instance::{
    Answer, Call, CommitMode, Database, EndpointCertificate, FailoverMode, InstanceError, InstanceFacts,
    Link, LinkDatabase, LinkMode, LinkRequest, LogPositions, ManagedInstance, Problem, Role, Seeding,
    SeedingMode, SeedingState, SynchronizationState, TrustedCertificate,
};

impl ManagedInstance for Control {
    fn ask(&self, call: &Call) -> Result<Answer, InstanceError> {
        match call {
            Call::Facts => Ok(Answer::Facts(facts(self))),
            Call::EndpointCertificate => {
                let der = self.endpoint_certificate().ok_or_else(no_endpoint)?;
                let roots = self.root_certificate().into_iter().collect();
                Ok(Answer::EndpointCertificate(EndpointCertificate { der, roots }))
            }
            Call::TrustedCertificates => Ok(Answer::TrustedCertificates(trusted(self))),
            Call::TrustCertificate { name, der } => done(self.trust_certificate(name, der)),
            Call::ForgetCertificate { name } => done(self.forget_certificate(name)),
            Call::Links => links(self).map(Answer::Links).map_err(refused),
            Call::CreateLink(request) => done(create(self, request)),
            Call::SetDatabases { link, databases } => done(set_databases(self, link, databases)),
            Call::FailOver { link, forced } => done(self.fail_over(link, *forced)),
            Call::BecomeSecondary { link } => done(self.become_secondary(link)),
            Call::SetCommitMode { link, mode } => done(self.set_commit_mode(link, mode_there(*mode))),
            Call::DropLink { link } => done(self.drop_link(link).and_then(|()| self.set_note(link, None))),
            Call::Databases => Ok(Answer::Databases(databases(self))),
            Call::DropDatabase { name } => done(self.drop_database(name)),
        }
    }
}

fn refused(error: SqlError) -> InstanceError {
    InstanceError::refused(error.number, error.message)
}

fn done(result: Result<(), SqlError>) -> Result<Answer, InstanceError> {
    result.map(|()| Answer::Done).map_err(refused)
}

fn no_endpoint() -> InstanceError {
    InstanceError::refused(35_204, "The instance has no database mirroring endpoint.")
}

/// What Azure knows of a link and the instance does not, kept as a note with the instance.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Note {
    failover_mode: FailoverMode,
    link_mode: LinkMode,
    /// What a secondary is to get: its group is empty until something was seeded.
    databases: Vec<String>,
}

impl Note {
    fn of(control: &Control, link: &str) -> Note {
        control.note(link).and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
    }

    fn keep(&self, control: &Control, link: &str) -> Result<(), SqlError> {
        let text = serde_json::to_string(self).map_err(SqlError::internal)?;
        control.set_note(link, Some(text))
    }
}

fn create(control: &Control, request: &LinkRequest) -> Result<(), SqlError> {
    let note = Note {
        failover_mode: request.failover_mode,
        link_mode: request.link_mode,
        databases: request.databases.clone(),
    };
    // The note first: a link that nobody has noted would be one of a single database.
    note.keep(control, &request.name)?;
    let made = control.create_link(&lab_instance::LinkRequest {
        name: request.name.clone(),
        partner_group: request.partner_group.clone(),
        partner_endpoint: request.partner_endpoint.clone(),
        instance_group: request.instance_group.clone(),
        databases: request.databases.clone(),
        role: match request.role {
            Role::Resolving => lab_instance::Role::Resolving,
            Role::Primary => lab_instance::Role::Primary,
            Role::Secondary => lab_instance::Role::Secondary,
        },
        commit_mode: mode_there(request.commit_mode),
        seeding_mode: match request.seeding_mode {
            SeedingMode::Automatic => lab_instance::SeedingMode::Automatic,
            SeedingMode::Manual => lab_instance::SeedingMode::Manual,
        },
    });
    if made.is_err() && control.link(&request.name).is_none() {
        control.set_note(&request.name, None)?;
    }
    made
}

/// A primary's group gets and loses databases. A secondary's gets none, since they come by seeding; what is not wanted any
/// more it lets go, whatever its primary's group has.
fn set_databases(control: &Control, link: &str, databases: &[String]) -> Result<(), SqlError> {
    let found = control.link(link);
    let role = found.as_ref().and_then(|l| l.live.as_ref()).map(|l| l.role);
    let mut wanted = databases.to_vec();
    if let (Some(found), true) = (&found, role != Some(lab_instance::Role::Primary)) {
        wanted.retain(|d| found.databases.iter().any(|there| lab_hadr::same_name(there, d)));
    }
    control.set_databases(link, &wanted)?;
    Note { databases: databases.to_vec(), ..Note::of(control, link) }.keep(control, link)
}

fn mode_there(mode: CommitMode) -> lab_instance::CommitMode {
    match mode {
        CommitMode::Asynchronous => lab_instance::CommitMode::Asynchronous,
        CommitMode::Synchronous => lab_instance::CommitMode::Synchronous,
    }
}

fn facts(control: &Control) -> InstanceFacts {
    let format = match control.update_policy() {
        Some(lab_engine::UpdatePolicy::Sql2022) => "SQLServer2022",
        Some(lab_engine::UpdatePolicy::Sql2025) => "SQLServer2025",
        Some(lab_engine::UpdatePolicy::AlwaysUpToDate) | None => "AlwaysUpToDate",
    };
    InstanceFacts { collation: control.collation().to_owned(), database_format: format.to_owned() }
}

fn trusted(control: &Control) -> Vec<TrustedCertificate> {
    let certificate = |c: lab_instance::TrustedCertificate| TrustedCertificate {
        name: c.name,
        der: c.der,
        thumbprint: c.thumbprint,
        not_after_ms: c.not_after * 1000,
    };
    control.trusted_certificates().into_iter().map(certificate).collect()
}

fn databases(control: &Control) -> Vec<Database> {
    let database = |d: lab_instance::ManagedDatabase| Database {
        name: d.name,
        state: d.state,
        collation: d.collation,
        created_ms: d.created * 1000,
        seeding: d.seeding,
    };
    control.databases().into_iter().map(database).collect()
}

fn links(control: &Control) -> Result<Vec<Link>, SqlError> {
    control.links().into_iter().filter_map(|found| link(control, found).transpose()).collect()
}

fn role(role: lab_instance::Role) -> Role {
    match role {
        lab_instance::Role::Resolving => Role::Resolving,
        lab_instance::Role::Primary => Role::Primary,
        lab_instance::Role::Secondary => Role::Secondary,
    }
}

fn link(control: &Control, found: lab_instance::Link) -> Result<Option<Link>, SqlError> {
    let Some(group) = found.group.as_distributed() else { return Ok(None) };
    let name = &found.group.name;
    let note = Note::of(control, name);
    let live = found.live.as_ref();
    let peer = live.and_then(|l| l.peers.get(&group.there.id));
    let now = live.map_or(found.group.role, |l| l.role);
    // What is there, and what is yet to come.
    let mut names = found.databases.clone();
    let known = |names: &[String], name: &str| names.iter().any(|n| n.eq_ignore_ascii_case(name));
    names.extend(note.databases.iter().filter(|d| !known(&found.databases, d)).cloned());
    let ids = Ids { instance: group.here.id.to_string(), partner: group.there.id.to_string() };
    let databases = names
        .iter()
        .map(|name| database(control, live, &found.seedings, name, &ids))
        .collect::<Result<Vec<_>, _>>()?;
    let at_ms = peer.and_then(|p| p.last_error.as_ref()).map(|e| unix_ms(e.at.0));
    let problem = found.error.map(|e| Problem { number: e.number(), text: e.text().to_owned(), at_ms });
    Ok(Some(Link {
        id: found.group.id.to_string(),
        partner_role: peer.and_then(|p| p.role).map(role),
        connected: peer.is_some_and(|p| p.connected),
        changing_role: live.is_some_and(|l| l.changing_role),
        databases,
        problem,
        settings: LinkRequest {
            name: name.clone(),
            partner_group: group.there.name.clone(),
            partner_endpoint: group.there.url.text.clone(),
            instance_group: group.here.name.clone(),
            databases: names,
            role: role(now),
            commit_mode: match group.commit_mode() {
                lab_instance::CommitMode::Asynchronous => CommitMode::Asynchronous,
                lab_instance::CommitMode::Synchronous => CommitMode::Synchronous,
            },
            seeding_mode: match group.here.seeding_mode {
                lab_instance::SeedingMode::Automatic => SeedingMode::Automatic,
                lab_instance::SeedingMode::Manual => SeedingMode::Manual,
            },
            failover_mode: note.failover_mode,
            link_mode: note.link_mode,
        },
    }))
}

struct Ids {
    instance: String,
    partner: String,
}

/// 100 ns since 0001-01-01 as milliseconds since 1970.
fn unix_ms(ticks: i64) -> i64 {
    ticks / 10_000 - 719_162 * 86_400_000
}

fn named<'a>(
    databases: &'a BTreeMap<lab_hadr::DbName, LiveDatabase>,
    name: &str,
) -> Option<&'a LiveDatabase> {
    databases.get(&lab_hadr::DbName::new(name))
}

fn database(
    control: &Control,
    live: Option<&LiveGroup>,
    seedings: &[LiveSeeding],
    name: &str,
    ids: &Ids,
) -> Result<LinkDatabase, SqlError> {
    let here = live.and_then(|l| named(&l.databases, name));
    let there = live.and_then(|l| l.peers.values().find_map(|p| named(&p.databases, name)));
    let primary = live.is_some_and(|l| l.role == lab_instance::Role::Primary);
    // The row of the secondary says how far replication is, whichever side that is.
    let secondary = if primary { there } else { here };
    let seeding = seedings.iter().rev().find(|s| s.database.as_str().eq_ignore_ascii_case(name));
    // It was primary when it made them, which it may not be any more.
    let backup = control.last_backup(name)?;
    let mut log = secondary.map(positions).unwrap_or_default();
    if primary {
        (log.last_received_lsn, log.last_received_ms) = (None, None);
        log.last_commit_lsn = here.and_then(|d| d.last_commit_lsn).map(|l| l.to_string());
        log.last_commit_ms = here.and_then(|d| d.last_commit_time).map(|t| unix_ms(t.0));
    } else {
        (log.last_sent_lsn, log.last_sent_ms) = (None, None);
    }
    log.last_backup_lsn = backup.as_ref().map(|b| b.lsn.clone());
    log.last_backup_ms = backup.map(|b| b.finished * 1000);
    Ok(LinkDatabase {
        name: name.to_owned(),
        instance_replica_id: ids.instance.clone(),
        partner_replica_id: ids.partner.clone(),
        synchronization: secondary.map(|d| synchronization(d.synchronization_state)),
        suspended: [here, there].into_iter().flatten().any(|d| d.suspend_reason.is_some()),
        seeding: seeding.map(progress),
        lag_seconds: secondary.and_then(|d| d.secondary_lag_seconds),
        redo_queue_kb: secondary.and_then(|d| d.redo_queue_kb),
        log,
    })
}

fn positions(row: &LiveDatabase) -> LogPositions {
    LogPositions {
        last_sent_lsn: row.last_sent_lsn.map(|l| l.to_string()),
        last_sent_ms: row.last_sent_time.map(|t| unix_ms(t.0)),
        last_received_lsn: row.last_received_lsn.map(|l| l.to_string()),
        last_received_ms: row.last_received_time.map(|t| unix_ms(t.0)),
        last_commit_lsn: row.last_commit_lsn.map(|l| l.to_string()),
        last_commit_ms: row.last_commit_time.map(|t| unix_ms(t.0)),
        last_hardened_lsn: row.last_hardened_lsn.map(|l| l.to_string()),
        last_hardened_ms: row.last_hardened_time.map(|t| unix_ms(t.0)),
        last_backup_lsn: None,
        last_backup_ms: None,
    }
}

fn synchronization(state: lab_instance::SynchronizationState) -> SynchronizationState {
    match state {
        lab_instance::SynchronizationState::NotSynchronizing => SynchronizationState::NotSynchronizing,
        lab_instance::SynchronizationState::Synchronizing => SynchronizationState::Synchronizing,
        lab_instance::SynchronizationState::Synchronized => SynchronizationState::Synchronized,
        lab_instance::SynchronizationState::Reverting => SynchronizationState::Reverting,
        lab_instance::SynchronizationState::Initializing => SynchronizationState::Initializing,
    }
}

fn progress(seeding: &LiveSeeding) -> Seeding {
    let state = match seeding.state {
        lab_instance::SeedingState::Pending
        | lab_instance::SeedingState::CheckIfSeedingNeeded
        | lab_instance::SeedingState::LimitConcurrentBackups => SeedingState::Pending,
        lab_instance::SeedingState::Seeding => SeedingState::Running,
        lab_instance::SeedingState::Completed => SeedingState::Completed,
        lab_instance::SeedingState::Failed => SeedingState::Failed,
    };
    let percent = match state {
        SeedingState::Completed => 100,
        _ if seeding.database_bytes <= 0 => 0,
        // A stream is shorter or longer than the files: what still runs is not complete.
        _ => (seeding.transferred_bytes.saturating_mul(100) / seeding.database_bytes).clamp(0, 99) as u8,
    };
    Seeding { state, percent }
}
