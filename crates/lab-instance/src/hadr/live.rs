//! What goes on, as statements judge by it and views show it: the machine's view, with times and rates.
//!
//! The machine knows positions; when they were reached, and how fast they move, is seen from here, a few times a second.

use std::collections::BTreeMap;

use lab_hadr::{
    ConnectError, DatabaseState, DatabaseView, DbName, LiveDatabase, LiveGroup, LivePeer, LiveSeeding,
    LiveState, Moment, OperationalState, PartnerKey, PartnerView, Role, SeedState, SeedingFailure,
    SeedingRecord, SeedingRole, SeedingState, SuspendReason, SyncState, SynchronizationState, Tick, View,
};
use lab_store::Lsn;

use super::Hadr;
use crate::answer::lock;

/// 100 ns in a millisecond.
const MS: i64 = 10_000;

/// A position with the time at which it was first seen, and how fast it moves.
#[derive(Debug, Clone, Copy, Default)]
struct Gauge {
    at: Lsn,
    since: i64,
    kb_per_second: f64,
}

impl Gauge {
    fn see(&mut self, position: Lsn, now: i64, elapsed_ms: f64) {
        let moved = position.0.saturating_sub(self.at.0) as f64;
        if self.since != 0 && elapsed_ms > 0.0 {
            let rate = moved / 1024.0 / (elapsed_ms / 1000.0);
            // Smoothed over about two seconds.
            let weight = (elapsed_ms / 2000.0).min(1.0);
            self.kb_per_second += (rate - self.kb_per_second) * weight;
        }
        if position != self.at || self.since == 0 {
            (self.at, self.since) = (position, now);
        }
    }

    fn time(&self) -> Option<Moment> {
        (self.since != 0).then_some(Moment(self.since))
    }

    fn rate(&self) -> Option<i64> {
        Some(self.kb_per_second.round() as i64)
    }
}

/// The four stations of a database's log with one peer.
#[derive(Debug, Clone, Copy, Default)]
struct Stations {
    sent: Gauge,
    received: Gauge,
    hardened: Gauge,
    redone: Gauge,
}

#[derive(Debug, Default)]
pub(super) struct Gauges {
    seen: i64,
    stations: BTreeMap<(PartnerKey, DbName), Stations>,
}

impl Gauges {
    /// Looks at where everything is.
    pub(super) fn look(&mut self, view: &View, now: i64) {
        let elapsed = (now - self.seen) as f64 / MS as f64;
        self.seen = now;
        let mut stations = BTreeMap::new();
        for partner in &view.partners {
            for database in &partner.databases {
                let key = (partner.key, database.db.clone());
                let mut at = self.stations.get(&key).copied().unwrap_or_default();
                let (sent, received, hardened, redone) = positions(database);
                at.sent.see(sent, now, elapsed);
                at.received.see(received, now, elapsed);
                at.hardened.see(hardened, now, elapsed);
                at.redone.see(redone, now, elapsed);
                stations.insert(key, at);
            }
        }
        self.stations = stations;
    }
}

/// Where the secondary is, whichever side that is.
fn positions(database: &DatabaseView) -> (Lsn, Lsn, Lsn, Lsn) {
    match (&database.sent, &database.local) {
        (Some((sent, peer)), _) => (*sent, peer.received, peer.hardened, peer.redone),
        (None, Some(local)) => {
            let copy = &local.copy;
            (Lsn(0), copy.history.end, copy.hardened, copy.redone)
        }
        (None, None) => Default::default(),
    }
}

fn kb(from: Lsn, to: Lsn) -> Option<i64> {
    Some((to.0.saturating_sub(from.0)).div_ceil(1024) as i64)
}

fn moment(time: i64) -> Option<Moment> {
    (time != 0).then_some(Moment(time))
}

impl Hadr {
    /// What goes on now.
    pub(crate) fn live(&self) -> LiveState {
        let (view, now, tick) = (self.runner.view(), super::now(), self.runner.now());
        let groups = self.groups();
        let gauges = lock(&self.gauges);
        let ago = |at: Tick| Moment(now - tick.since(at) as i64 * MS);
        let mut live = LiveState::default();
        for group in &groups.groups {
            let mut shown = LiveGroup::new(group.role);
            let mut partners: Vec<&PartnerView> =
                view.partners.iter().filter(|p| p.key.group == group.id).collect();
            // How a copy stands is between it and its primary: that one says it last, after the other secondaries.
            partners.sort_by_key(|p| p.peer.as_ref().map(|peer| peer.role) == Some(Role::Primary));
            if let Some(first) = partners.first() {
                shown.role = first.role;
                shown.changing_role = first.failing_over;
            }
            if shown.role == Role::Resolving {
                shown.operational_state = OperationalState::Pending;
            }
            for partner in &partners {
                let mut peer = LivePeer {
                    connected: partner.connected,
                    role: partner.peer.as_ref().map(|p| p.role),
                    managed: partner.peer_managed,
                    last_error: partner.last_error.as_ref().map(|e| ConnectError {
                        number: e.number as i32,
                        text: e.text.clone(),
                        at: ago(e.at),
                    }),
                    databases: BTreeMap::new(),
                };
                for database in &partner.databases {
                    let at =
                        gauges.stations.get(&(partner.key, database.db.clone())).copied().unwrap_or_default();
                    let state = self.state_of(&database.db);
                    shown.databases.insert(database.db.clone(), here(partner, database, &at, state));
                    if let Some(there) = there(partner, database, &at) {
                        peer.databases.insert(database.db.clone(), there);
                    }
                }
                shown.peers.insert(partner.key.peer, peer);
            }
            if partners.is_empty() {
                self.show_alone(group, &mut shown);
            }
            live.groups.insert(group.id, shown);
        }
        let databases = groups.local().flat_map(|(_, local)| &local.databases);
        live.database_ids = databases
            .filter_map(|d| Some((DbName::new(&d.name), self.server.database_facts(&d.name)?.id)))
            .collect();
        live.seedings = view.seedings.iter().map(|s| seeding(s, tick, &ago)).collect();
        live
    }

    /// A group whose only replica is this one.
    fn show_alone(&self, group: &lab_hadr::Group, shown: &mut LiveGroup) {
        for database in group.as_local().iter().flat_map(|l| &l.databases).filter(|d| d.joined) {
            let db = DbName::new(&database.name);
            let Some(copy) = self.copy(&db) else { continue };
            let local = super::local_copy(&copy.store);
            let state = match local.mode {
                lab_hadr::Mode::Primary => SynchronizationState::Synchronized,
                lab_hadr::Mode::Secondary => SynchronizationState::Synchronizing,
            };
            let mut row = LiveDatabase::new(state, self.state_of(&db));
            own_log(&mut row, &local);
            shown.databases.insert(db, row);
        }
    }

    fn state_of(&self, db: &DbName) -> DatabaseState {
        let facts = self.server.database_facts(db.as_str());
        facts.and_then(|f| database_state(f.state)).unwrap_or(DatabaseState::Restoring)
    }
}

/// `state_desc` as a state.
pub(super) fn database_state(name: &str) -> Option<DatabaseState> {
    use DatabaseState::*;
    [Online, Restoring, Recovering, RecoveryPending, Suspect, Emergency, Offline]
        .into_iter()
        .find(|s| s.name() == name)
}

fn sync_state(state: SyncState) -> SynchronizationState {
    match state {
        SyncState::NotSynchronizing => SynchronizationState::NotSynchronizing,
        SyncState::Synchronizing => SynchronizationState::Synchronizing,
        SyncState::Synchronized => SynchronizationState::Synchronized,
        SyncState::Reverting => SynchronizationState::Reverting,
        SyncState::Initializing => SynchronizationState::Initializing,
    }
}

/// Columns that each side has of its own log.
fn own_log(row: &mut LiveDatabase, local: &lab_hadr::LocalCopy) {
    let copy = &local.copy;
    row.recovery_lsn = Some(copy.history.forks.last().map_or(Lsn(0), |f| f.end));
    row.truncation_lsn = Some(copy.log_start);
    row.last_hardened_lsn = Some(copy.hardened);
    row.end_of_log_lsn = Some(copy.history.end);
    match local.mode {
        lab_hadr::Mode::Primary => {
            row.last_commit_lsn = Some(copy.history.end);
            row.last_commit_time = moment(local.end_time);
        }
        lab_hadr::Mode::Secondary => {
            row.last_redone_lsn = Some(copy.redone);
            row.last_commit_lsn = Some(copy.redone);
            row.last_commit_time = moment(local.redone_time);
        }
    }
}

fn suspend_reason(partner: &PartnerView, database: &DatabaseView) -> Option<SuspendReason> {
    if database.suspended {
        return Some(SuspendReason::User);
    }
    let both = partner.role == Role::Primary && partner.peer.as_ref().map(|p| p.role) == Some(Role::Primary);
    match (&database.why, database.state) {
        _ if both => Some(SuspendReason::Partner),
        (Some(_), SyncState::NotSynchronizing) => Some(SuspendReason::Apply),
        _ => None,
    }
}

/// This side's copy.
fn here(partner: &PartnerView, database: &DatabaseView, at: &Stations, state: DatabaseState) -> LiveDatabase {
    let sync = match (partner.role, database.sent.is_some()) {
        // The primary's own row: its copy is what the others follow.
        (Role::Primary, _) if suspend_reason(partner, database).is_none() => {
            SynchronizationState::Synchronized
        }
        _ => sync_state(database.state),
    };
    let mut row = LiveDatabase::new(sync, state);
    row.suspend_reason = suspend_reason(partner, database);
    row.error = database.why.as_ref().map(|(number, text)| (*number as i32, text.clone()));
    let Some(local) = &database.local else { return row };
    own_log(&mut row, local);
    if local.mode == lab_hadr::Mode::Secondary {
        let copy = &local.copy;
        row.last_received_lsn = Some(copy.history.end);
        row.last_received_time = at.received.time();
        row.last_hardened_time = at.hardened.time();
        row.last_redone_time = at.redone.time();
        row.redo_queue_kb = kb(copy.redone, copy.hardened);
        row.redo_rate_kb = at.redone.rate();
        if let Some(primary) = &database.primary {
            row.log_send_queue_kb = kb(copy.history.end, primary.end);
            row.secondary_lag_seconds = lag(primary.end_time, local.redone_time, copy.redone >= primary.end);
        }
    }
    row
}

fn lag(primary: i64, redone: i64, caught_up: bool) -> Option<i64> {
    if caught_up {
        return Some(0);
    }
    (primary != 0 && redone != 0).then(|| (primary - redone).max(0) / (1000 * MS))
}

/// The other side's copy, as far as it has said.
fn there(partner: &PartnerView, database: &DatabaseView, at: &Stations) -> Option<LiveDatabase> {
    let copy = partner.peer.as_ref()?.databases.iter().find(|d| d.name == database.db)?;
    let mut row = LiveDatabase::new(sync_state(database.state), DatabaseState::Online);
    row.suspend_reason = suspend_reason(partner, database);
    if let Some((sent, peer)) = &database.sent {
        let local = database.local.as_ref()?;
        row.last_sent_lsn = Some(*sent);
        row.last_sent_time = at.sent.time();
        row.last_received_lsn = Some(peer.received);
        row.last_received_time = at.received.time();
        row.last_hardened_lsn = Some(peer.hardened);
        row.last_hardened_time = at.hardened.time();
        row.last_redone_lsn = Some(peer.redone);
        row.last_redone_time = at.redone.time();
        row.last_commit_lsn = Some(peer.redone);
        row.last_commit_time = moment(peer.redone_time);
        row.end_of_log_lsn = Some(peer.received);
        row.log_send_queue_kb = kb(*sent, local.copy.hardened);
        row.log_send_rate_kb = at.sent.rate();
        row.redo_queue_kb = kb(peer.redone, peer.hardened);
        row.redo_rate_kb = at.redone.rate();
        let caught_up = peer.redone >= local.copy.hardened;
        row.secondary_lag_seconds = lag(local.end_time, peer.redone_time, caught_up);
    } else if let Some(primary) = &database.primary {
        row.synchronization_state = sync_state(database.state);
        row.end_of_log_lsn = Some(primary.end);
        row.last_commit_lsn = Some(primary.end);
        row.last_commit_time = moment(primary.end_time);
        row.last_hardened_lsn = Some(primary.end);
    } else {
        let copy = copy.copy.as_ref()?;
        row.last_hardened_lsn = Some(copy.hardened);
        row.end_of_log_lsn = Some(copy.history.end);
    }
    Some(row)
}

fn seeding(record: &SeedingRecord, tick: Tick, ago: &dyn Fn(Tick) -> Moment) -> LiveSeeding {
    let ended = record.ended.unwrap_or(tick);
    let ms = ended.since(record.started).max(1);
    let rate = record.bytes_moved.saturating_mul(1000) / ms;
    let left = record.bytes_total.saturating_sub(record.bytes_moved);
    let estimated = (record.ended.is_none() && rate > 0).then(|| {
        let Moment(now) = ago(tick);
        Moment(now + (left.saturating_mul(1000) / rate) as i64 * MS)
    });
    let operation = |source: bool| {
        let side = if source { "source" } else { "destination" };
        let key = format!("{:?}", record.partner);
        lab_hadr::ReplicaId::of(&[&key, record.db.as_str(), &record.started.0.to_string(), side]).0
    };
    LiveSeeding {
        operation: operation(record.is_source),
        remote_operation: None,
        group: record.partner.group,
        database: record.db.clone(),
        peer: record.partner.peer,
        peer_machine: String::new(),
        role: if record.is_source { SeedingRole::Source } else { SeedingRole::Destination },
        state: match record.state {
            SeedState::Pending => SeedingState::Pending,
            SeedState::Seeding => SeedingState::Seeding,
            SeedState::Completed => SeedingState::Completed,
            SeedState::Failed => SeedingState::Failed,
        },
        attempts: record.attempts as i32,
        started: ago(record.started),
        ended: record.ended.map(ago),
        estimated_end: estimated,
        transferred_bytes: record.bytes_moved as i64,
        database_bytes: record.bytes_total as i64,
        bytes_per_second: rate as i64,
        disk_wait_ms: 0,
        network_wait_ms: 0,
        compressed: record.compressed,
        failure: record.failure.as_ref().map(|(number, text)| SeedingFailure {
            state: 15,
            state_desc: "Seeding Check Message Timeout".to_owned(),
            error: *number as i32,
            text: text.clone(),
            at: ago(ended),
        }),
    }
}
