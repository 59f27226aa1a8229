//! One instance's part in all its groups: a state machine.
//!
//! [`Node::step`] is told what has happened and says what is to be done; it never waits, and knows no clock but what it is
//! told. The parts, in the way of the data: [`connections`] finds the peer; [`roles`] brings databases to the role that
//! this side is to have; [`seeding`] makes the first copy; [`primary`] ships log and says when commits may be
//! acknowledged; [`secondary`] receives it, and finds out where copies have parted.

mod config;
mod connections;
mod event;
mod offer;
mod primary;
mod roles;
mod secondary;
mod seeding;
mod view;

use std::collections::{BTreeMap, BTreeSet};

use lab_store::{ForkId, ForkPoint, History, Lsn, common_point};

pub use event::*;
pub use view::*;

use crate::wire::{Copy, CopyStatus, Message, Status};
use crate::{CommitMode, DbName, Group, GroupId, ReplicaId, Role};
use connections::{Connection, Link};
use primary::OutStream;
use roles::Handover;
use secondary::InStream;
use seeding::{SeedIn, SeedOut, SeedingLog};

/// A peer in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartnerKey {
    /// The group.
    pub group: GroupId,
    /// The other replica.
    pub peer: ReplicaId,
}

/// What a node is made with.
#[derive(Debug, Clone)]
pub struct NodeConfig {
    /// The server's name.
    pub instance: String,
    /// The format of its databases. A copy may come from a lower one, never from a higher.
    pub format: u16,
    /// The server's collation.
    pub collation: String,
    /// It is a managed instance.
    pub managed: bool,
    /// Larger than that of the same instance's earlier lives: milliseconds of a wall clock at the start.
    pub nonce: u64,
}

/// A state machine for one instance.
#[derive(Debug)]
pub struct Node {
    config: NodeConfig,
    now: Tick,
    last_nonce: u64,
    last_mark: u64,
    databases: BTreeMap<DbName, Database>,
    partners: BTreeMap<PartnerKey, Partner>,
    /// The groups that this side is primary of.
    leads: Vec<Group>,
    /// Databases that are here and in no group.
    outsiders: BTreeSet<DbName>,
    connections: BTreeMap<ConnId, Connection>,
    seeds: BTreeMap<u64, SeedOut>,
    next_seed: u64,
    seedings: SeedingLog,
    /// A pin is moved when it has come that far.
    pin_step_bytes: u64,
    effects: Vec<Effect>,
}

/// A database of this side.
#[derive(Debug, Default)]
struct Database {
    /// What is wanted of it; nothing if it is in no group.
    spec: Option<DatabaseSpec>,
    copy: Option<LocalCopy>,
    /// The forks that the copy was made to follow. Its log may not have come to all of them: its history has those that it
    /// has come to.
    entered: Option<(Vec<ForkPoint>, ForkId)>,
    /// Received log that was handed over to be appended, and has not been reported: the log is longer than it seems.
    appending: u32,
    /// Effects that end with an [`Event::Copy`] that has not come: what is known of the copy is about to change.
    awaited: u32,
    /// [`Effect::SeedFinish`] is one of them.
    finishing: bool,
    access: Option<Access>,
    /// What commits are held to, as the driver was told last.
    hold: Option<Lsn>,
    /// Acknowledged at most up to here while too few secondaries are synchronized.
    frozen: Lsn,
}

/// A peer in a group, and what goes on with it.
#[derive(Debug)]
struct Partner {
    spec: PartnerSpec,
    link: Link,
    /// What the peer said last on the connection that there is.
    peer: Option<Status>,
    /// It has just said so: how far its logs go is not older than the log that came from it.
    peer_is_fresh: bool,
    /// It was asked to say so again.
    peer_was_asked: bool,
    /// The format of its databases.
    peer_format: u16,
    /// It is a managed instance, as it has said.
    peer_managed: bool,
    /// What it says that the group is, while it is primary.
    peer_offer: Option<Box<Group>>,
    /// Copies are wanted at once, as soon as the peer has said what it has.
    seeding_wanted: bool,
    last_error: Option<LinkError>,
    /// Log on its way to the peer.
    outs: BTreeMap<DbName, OutStream>,
    /// Log on its way here.
    ins: BTreeMap<DbName, InStream>,
    /// Why databases do not follow, as was said last.
    complained: BTreeMap<DbName, (u32, String)>,
    handover: Option<Handover>,
    /// This side is about to take the role that the peer has offered, or has not taken.
    taking_over: bool,
    /// So often was the role changed and is not kept yet: what the databases are to be is still that of a former one.
    role_pending: u32,
    /// What the peer was told last.
    told: Option<Status>,
    /// Databases that both sides were found to be primary of, with the peer's fork.
    parted: BTreeMap<DbName, ForkId>,
}

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkError {
    /// `last_connect_error_number`.
    pub number: u32,
    /// `last_connect_error_description`.
    pub text: String,
    /// When.
    pub at: Tick,
}

impl Node {
    /// A node that has been told nothing yet.
    pub fn new(config: NodeConfig) -> Node {
        Node {
            config,
            now: Tick::default(),
            last_nonce: 0,
            last_mark: 0,
            databases: BTreeMap::new(),
            partners: BTreeMap::new(),
            leads: Vec::new(),
            outsiders: BTreeSet::new(),
            connections: BTreeMap::new(),
            seeds: BTreeMap::new(),
            next_seed: 1,
            seedings: SeedingLog::default(),
            pin_step_bytes: 1 << 20,
            effects: Vec::new(),
        }
    }

    /// Moves a pin whenever it has come that far, for whoever has shorter logs than usual.
    pub fn with_pin_step(self, pin_step_bytes: u64) -> Node {
        Node { pin_step_bytes, ..self }
    }

    /// Something has happened; what is to be done, in that order.
    pub fn step(&mut self, now: Tick, event: Event) -> Vec<Effect> {
        self.now = self.now.max(now);
        match event {
            Event::Tick => self.tick(),
            Event::Configured(config) => self.configured(config),
            Event::Copy { db, copy } => self.copy_changed(db, copy),
            Event::Outsiders { names } => self.outsiders_changed(names),
            Event::Opened { conn, dialed } => self.opened(conn, dialed),
            Event::DialFailed { partner, number, text } => self.dial_failed(partner, number, text),
            Event::Closed { conn, number, text } => self.closed(conn, number, &text),
            Event::Frame { conn, bytes } => self.frame(conn, &bytes),
            Event::Hardened { db, lsn, end_time } => self.hardened(&db, lsn, end_time),
            Event::Held { db, mark, end } => self.held(&db, mark, end),
            Event::Shipped { conn, db, to } => self.shipped(conn, &db, to),
            Event::ShipFailed { conn, db, failure } => self.ship_failed(conn, &db, &failure),
            Event::Appended { db, end, end_time } => self.appended(&db, end, end_time),
            Event::AppendFailed { db, failure } => self.append_failed(&db, &failure),
            Event::Redone { db, redone, time } => self.redone(&db, redone, time),
            Event::RedoFailed { db, failure } => self.redo_failed(&db, &failure),
            Event::ForkRead { db, since, pages } => self.fork_read(&db, since, pages),
            Event::SeedOpened { seed, begin } => self.seed_opened(seed, begin),
            Event::SeedRead { seed, bytes } => self.seed_read(seed, bytes),
            Event::SeedReadFailed { seed, failure } => self.seed_read_failed(seed, &failure),
            Event::SeedWritten { db, seeding, chunk } => self.seed_written(&db, seeding, chunk),
            Event::SeedWriteFailed { db, failure } => self.seed_write_failed(&db, &failure),
            Event::BackedUp { db, backed_up, full_backup, keeps_log } => {
                self.backed_up(&db, backed_up, full_backup, keeps_log);
            }
            Event::Truncated { db, log_start } => {
                if let Some(local) = self.local_mut(&db) {
                    local.copy.log_start = local.copy.log_start.max(log_start);
                }
            }
            Event::Failover { group } => self.failover(group),
            Event::RetrySeeding { group, replica } => self.retry_seeding(group, replica),
        }
        std::mem::take(&mut self.effects)
    }

    fn tick(&mut self) {
        self.tend_connections();
        for key in self.keys() {
            self.tend_outs(key);
            self.tend_ins(key);
            self.advance_handover(key);
        }
    }

    fn keys(&self) -> Vec<PartnerKey> {
        self.partners.keys().copied().collect()
    }

    fn configured(&mut self, config: Config) {
        self.leads = config.leads;
        for (db, database) in &mut self.databases {
            database.spec = config.databases.get(db).copied();
        }
        for (db, spec) in config.databases {
            self.databases.entry(db).or_default().spec = Some(spec);
        }
        let wanted: Vec<PartnerKey> = config.partners.iter().map(|p| p.key).collect();
        for key in self.keys() {
            if !wanted.contains(&key) {
                self.forget_partner(key);
            }
        }
        for spec in config.partners {
            let known = self.partners.get(&spec.key);
            for db in &spec.databases {
                if known.is_none_or(|p| !p.spec.databases.contains(db)) {
                    // How far the peer is, is not known: after a restart it may need everything that is there.
                    let from = Some(Lsn(0));
                    self.effects.push(Effect::Pin { db: db.clone(), partner: spec.key, from });
                }
            }
            match self.partners.get_mut(&spec.key) {
                Some(partner) => {
                    partner.role_pending = partner.role_pending.saturating_sub(1);
                    let role = if partner.role_pending > 0 { partner.spec.role } else { spec.role };
                    let spec = PartnerSpec { role, ..spec };
                    let before = std::mem::replace(&mut partner.spec, spec);
                    let key = partner.spec.key;
                    self.settle_offer(key, &before);
                    self.settle_seeding_modes(key, &before);
                }
                None => {
                    self.partners.insert(spec.key, Partner::new(spec));
                }
            }
        }
        self.settle();
    }

    fn forget_partner(&mut self, key: PartnerKey) {
        self.tell_removed(key);
        self.drop_link(key, 35262, "the group or the replica was removed");
        if let Some(partner) = self.partners.remove(&key) {
            for db in partner.spec.databases {
                self.effects.push(Effect::Pin { db, partner: key, from: None });
            }
        }
    }

    fn copy_changed(&mut self, db: DbName, copy: Option<LocalCopy>) {
        let database = self.databases.entry(db.clone()).or_default();
        database.awaited = database.awaited.saturating_sub(1);
        if copy.is_none() {
            // Nothing comes any more of what was under way for it.
            (database.awaited, database.appending) = (0, 0);
        }
        database.finishing = false;
        let replaced = match (&database.copy, &copy) {
            (Some(old), Some(new)) => {
                let (old, new) = (&old.copy.history, &new.copy.history);
                common_point(old, new).map(|c| c.lsn) != Some(old.end)
            }
            (Some(_), None) => true,
            (None, _) => false,
        };
        if replaced {
            // It may be another database by now, which nobody has been let into.
            database.access = None;
        }
        if let Some(local) = &copy {
            // Nobody waits for an answer now. A copy that was rewound begins anew: what was acknowledged of the other one's
            // log says nothing about this one's.
            database.frozen = local.copy.hardened;
        }
        let still_follows = |(forks, fork): &(Vec<ForkPoint>, ForkId)| {
            copy.as_ref().is_some_and(|local| {
                let history = &local.copy.history;
                local.mode == Mode::Secondary && reached(forks, *fork, history.end) == *history
            })
        };
        if !database.entered.as_ref().is_some_and(still_follows) {
            database.entered = None;
        }
        database.copy = copy;
        if replaced {
            self.stop_outs(&db);
            self.stop_following(&db);
        }
        self.stop_ins_without_copy(&db);
        self.seed_finished(&db);
        self.reconsider(&db);
        self.settle();
    }

    /// Brings everything that may have changed where it belongs.
    fn settle(&mut self) {
        self.settle_modes();
        for key in self.keys() {
            self.settle_partner(key);
            self.advance_handover(key);
        }
    }

    fn settle_partner(&mut self, key: PartnerKey) {
        self.tell_status(key);
        self.settle_taking_over(key);
        let Some(partner) = self.partners.get(&key) else { return };
        let Some(peer) = &partner.peer else { return };
        match (self.role_in_effect(partner), peer.role) {
            (Role::Secondary, Role::Primary) => self.settle_secondary(key),
            (Role::Primary, Role::Primary) => self.settle_two_primaries(key),
            (Role::Primary | Role::Secondary | Role::Resolving, _) => self.settle_primary(key),
        }
    }

    /// The role that this side has, once its databases have been brought there.
    fn role_in_effect(&self, partner: &Partner) -> Role {
        let there = |db: &DbName| {
            let Some(database) = self.databases.get(db) else { return true };
            let (Some(copy), Some(spec)) = (&database.copy, database.spec) else { return true };
            match partner.spec.role {
                // Primary of a group whose copy follows a distributed one: it forwards.
                Role::Primary => !spec.writable || copy.mode == Mode::Primary,
                Role::Secondary => copy.mode == Mode::Secondary,
                Role::Resolving => true,
            }
        };
        let all = partner.role_pending == 0 && partner.spec.databases.iter().all(there);
        if all { partner.spec.role } else { Role::Resolving }
    }

    fn status(&self, partner: &Partner) -> Status {
        let databases = partner.spec.databases.iter().map(|db| {
            let database = self.databases.get(db);
            CopyStatus {
                name: db.clone(),
                copy: database.and_then(|d| d.copy.as_ref()).map(|c| c.copy.clone()),
                suspended: database.and_then(|d| d.spec).is_some_and(|s| s.suspended),
            }
        });
        Status {
            role: self.role_in_effect(partner),
            databases: databases.collect(),
            synchronous: partner.spec.commit_mode == CommitMode::Synchronous,
        }
    }

    /// Tells the peer what this side has, if that is another thing than it was told. How far a log goes is told otherwise.
    fn tell_status(&mut self, key: PartnerKey) {
        let Some(partner) = self.partners.get(&key) else { return };
        let Link::Up { conn } = partner.link else { return };
        let status = self.status(partner);
        if partner.told.as_ref().is_some_and(|told| is_told(told, &status)) {
            return;
        }
        self.tell_anew(key, conn, status);
    }

    fn tell_anew(&mut self, key: PartnerKey, conn: ConnId, status: Status) {
        if let Some(partner) = self.partners.get_mut(&key) {
            partner.told = Some(status.clone());
        }
        self.send(conn, Message::Status(status));
    }

    fn send(&mut self, conn: ConnId, message: Message) {
        if let Some(connection) = self.connections.get_mut(&conn) {
            connection.said_at = self.now;
        }
        self.effects.push(Effect::Send { conn, message });
    }

    fn report(&mut self, number: u32, text: String) {
        self.effects.push(Effect::Report { number, text });
    }

    fn local(&self, db: &DbName) -> Option<&LocalCopy> {
        self.databases.get(db)?.copy.as_ref()
    }

    fn local_mut(&mut self, db: &DbName) -> Option<&mut LocalCopy> {
        self.databases.get_mut(db)?.copy.as_mut()
    }

    fn hardened(&mut self, db: &DbName, lsn: Lsn, end_time: i64) {
        let Some(local) = self.local_mut(db) else { return };
        local.end_time = local.end_time.max(end_time);
        let copy = &mut local.copy;
        copy.hardened = copy.hardened.max(lsn);
        let mode = local.mode;
        self.grows(db, lsn);
        if mode == Mode::Secondary {
            self.acknowledge(db);
            self.effects.push(Effect::Redo { db: db.clone() });
        }
        for key in self.keys() {
            self.pump(key, db);
        }
    }

    /// The log of a database goes at least that far, perhaps into a fork that it was made to follow.
    fn grows(&mut self, db: &DbName, end: Lsn) {
        let Some(database) = self.databases.get_mut(db) else { return };
        let Some(local) = &mut database.copy else { return };
        let history = &mut local.copy.history;
        history.end = history.end.max(end);
        if let Some((forks, fork)) = &database.entered {
            *history = reached(forks, *fork, history.end);
        }
    }

    fn backed_up(&mut self, db: &DbName, backed_up: Option<Lsn>, full_backup: Option<Lsn>, keeps_log: bool) {
        let Some(local) = self.local_mut(db) else { return };
        (local.backed_up, local.full_backup) = (backed_up, full_backup);
        if let (Some(to), false) = (backed_up, keeps_log) {
            self.truncate_under_seeds(db, to);
        }
    }
}

impl Partner {
    fn new(spec: PartnerSpec) -> Partner {
        Partner {
            spec,
            link: Link::default(),
            peer: None,
            peer_is_fresh: false,
            peer_was_asked: false,
            peer_format: 0,
            peer_managed: false,
            peer_offer: None,
            seeding_wanted: false,
            last_error: None,
            outs: BTreeMap::new(),
            ins: BTreeMap::new(),
            complained: BTreeMap::new(),
            handover: None,
            taking_over: false,
            role_pending: 0,
            told: None,
            parted: BTreeMap::new(),
        }
    }

    fn conn(&self) -> Option<ConnId> {
        match self.link {
            Link::Up { conn } => Some(conn),
            Link::Down { .. } | Link::Dialing { .. } => None,
        }
    }

    /// What the peer has of a database.
    fn theirs(&self, db: &DbName) -> Option<&Copy> {
        self.peer.as_ref()?.databases.iter().find(|d| d.name == *db)?.copy.as_ref()
    }
}

/// The history of a log with these forks that ends there: without those that begin behind its end.
fn reached(forks: &[ForkPoint], fork: ForkId, end: Lsn) -> History {
    let count = forks.iter().take_while(|f| f.end <= end).count();
    let fork = forks.get(count).map_or(fork, |f| f.fork);
    History { fork, forks: forks.iter().take(count).copied().collect(), end }
}

/// Whether a peer that was told one status knows the other, but for how far logs go.
fn is_told(told: &Status, now: &Status) -> bool {
    let same = |a: &CopyStatus, b: &CopyStatus| {
        let forks = |c: &CopyStatus| c.copy.as_ref().map(|c| (c.history.forks.clone(), c.history.fork));
        a.name == b.name && a.suspended == b.suspended && forks(a) == forks(b)
    };
    told.role == now.role
        && told.synchronous == now.synchronous
        && told.databases.len() == now.databases.len()
        && told.databases.iter().zip(&now.databases).all(|(a, b)| same(a, b))
}
