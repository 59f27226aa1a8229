//! Availability groups at work: the machine of `lab-hadr` with a disk, an endpoint and an engine around it.
//!
//! Nothing is decided here. [`runner`] runs the machine, [`effects`] carries out what it wants, [`peers`] brings what
//! comes over the endpoint, [`redo`] and [`seeding`] are the threads that work on pages, [`statements`] and [`views`] are
//! what sessions see of it.

mod adopt;
mod effects;
mod live;
mod peers;
mod redo;
mod runner;
mod seeding;
mod statements;
mod views;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lab_engine::Server;
use lab_hadr::{
    Config, DbName, Event, Failure, Group, GroupId, Groups, LocalCopy, Mode, Node, NodeConfig, PartnerKey,
};
use lab_store::{Database as Store, LogPin, Lsn, StoreError};

use crate::answer::lock;
use live::Gauges;
use peers::Peers;
use redo::Redo;
use runner::Runner;
use seeding::{SeedReader, SeedSink};

/// The document of master that holds the groups.
const GROUPS: &str = "availability groups";
/// Trace flag: a log backup does not let go of log that a seeding under way will need.
const KEEP_LOG_FOR_SEEDING: u32 = 12381;

/// How long clients are kept waiting at the start. What takes longer waits for a peer, and they are told so.
const START_TIME: Duration = Duration::from_secs(30);

/// An instance's availability groups.
pub(crate) struct Hadr {
    server: Arc<Server>,
    runner: Runner,
    groups: Mutex<Groups>,
    /// One statement that changes groups at a time.
    changing: Mutex<()>,
    peers: Peers,
    copies: RwLock<BTreeMap<DbName, Arc<LocalStore>>>,
    pins: Mutex<BTreeMap<(DbName, PartnerKey), LogPin>>,
    readers: Mutex<BTreeMap<u64, SeedReader>>,
    sinks: Mutex<BTreeMap<DbName, SeedSink>>,
    /// Groups that other instances have this one in, as they have said; JOIN takes one over.
    offered: Mutex<BTreeMap<GroupId, Group>>,
    /// The databases that are in no group, as the machine was told last.
    outsiders: Mutex<BTreeSet<DbName>>,
    /// Planned failovers that have ended, for the sessions that wait for them.
    failovers: Mutex<BTreeMap<GroupId, Result<(), (u32, String)>>>,
    worker: Mutex<Option<JoinHandle<()>>>,
    next_dial: AtomicU64,
    gauges: Mutex<Gauges>,
    /// Where the endpoint listens, if something in front of it has its port.
    behind: Option<SocketAddr>,
    me: Weak<Hadr>,
}

/// What the engine sees of [`Hadr`], which holds the engine.
struct Face(Weak<Hadr>);

/// A database that is in a group, as long as it is open.
struct LocalStore {
    store: Arc<Store>,
    redo: Redo,
    /// What was seen of it when it was looked at last.
    seen: Mutex<Seen>,
}

/// What changes of a store without anybody telling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    log_start: Lsn,
    backed_up: Option<Lsn>,
    full_backup: Option<Lsn>,
}

impl Seen {
    fn of(store: &Store) -> Seen {
        Seen {
            log_start: store.log_start(),
            backed_up: store.log_backed_up(),
            full_backup: store.full_backup_lsn(),
        }
    }
}

impl std::fmt::Debug for Hadr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hadr").finish_non_exhaustive()
    }
}

/// The time, 100 ns since 0001-01-01.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    719_162 * 864_000_000_000 + (since.as_nanos() / 100) as i64
}

/// What the machine can do about an error of the store.
fn failure(e: &StoreError) -> Failure {
    if e.is_full() { Failure::Full(e.to_string()) } else { Failure::Store(e.to_string()) }
}

impl Hadr {
    /// Takes up the groups of an instance.
    ///
    /// # Errors
    /// What master holds of the groups cannot be read.
    pub(crate) fn start(server: &Arc<Server>, behind: Option<SocketAddr>) -> Result<Arc<Hadr>, String> {
        let groups = match server.documents().get(GROUPS) {
            Some(text) => {
                serde_json::from_str(text).map_err(|e| format!("the availability groups in master: {e}"))?
            }
            None => Groups::default(),
        };
        let nonce = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
        let node = Node::new(NodeConfig {
            instance: server.name().to_owned(),
            format: server.flavor().database_version() as u16,
            collation: server.collation_name().to_owned(),
            managed: server.flavor().is_managed(),
            nonce,
        });
        let hadr = Arc::new_cyclic(|me| Hadr {
            server: Arc::clone(server),
            runner: Runner::new(node),
            groups: Mutex::new(groups),
            changing: Mutex::default(),
            peers: Peers::default(),
            copies: RwLock::default(),
            pins: Mutex::default(),
            readers: Mutex::default(),
            sinks: Mutex::default(),
            offered: Mutex::default(),
            outsiders: Mutex::default(),
            failovers: Mutex::default(),
            worker: Mutex::default(),
            next_dial: AtomicU64::new(1),
            gauges: Mutex::default(),
            behind,
            me: Weak::clone(me),
        });
        let databases: Vec<String> = hadr
            .groups()
            .local()
            .flat_map(|(_, local)| local.databases.iter().filter(|d| d.joined).map(|d| d.name.clone()))
            .collect();
        databases.iter().for_each(|name| hadr.take_up(&DbName::new(name)));
        hadr.tell_outsiders();
        hadr.tell(Event::Configured(hadr.config()));
        let working = Arc::clone(&hadr);
        let worker = std::thread::Builder::new()
            .name("availability groups".to_owned())
            .spawn(move || working.work())
            .map_err(|e| format!("a thread for the availability groups: {e}"))?;
        *lock(&hadr.worker) = Some(worker);
        server.install_always_on(Arc::new(Face(Weak::clone(&hadr.me))));
        server.install_hadr_views(Arc::new(Face(Weak::clone(&hadr.me))));
        let listening = Weak::clone(&hadr.me);
        server.on_security_change(Arc::new(move || {
            if let Some(hadr) = listening.upgrade() {
                hadr.listen();
            }
        }));
        hadr.listen();
        // Who connects finds the databases in the roles that they had: a primary without a cluster comes back as one. As long
        // as the machine has not said so they are RESOLVING, and answer 983.
        hadr.wait_for(START_TIME, Hadr::is_idle);
        Ok(hadr)
    }

    /// Ends all data movement. What was acknowledged does not depend on it.
    pub(crate) fn stop(&self) {
        self.runner.stop();
        self.peers.stop();
        let worker = lock(&self.worker).take();
        if let Some(worker) = worker {
            // A panic of the worker has been reported by itself.
            drop(worker.join());
        }
        lock(&self.readers).clear();
        lock(&self.sinks).clear();
        let copies = std::mem::take(&mut *self.copies.write().unwrap_or_else(PoisonError::into_inner));
        copies.into_values().for_each(|copy| copy.close());
    }

    /// The groups as they are.
    pub(crate) fn groups(&self) -> Groups {
        lock(&self.groups).clone()
    }

    fn config(&self) -> Config {
        Config::of(&lock(&self.groups), self.server.name())
    }

    /// Changes the groups, durably, and tells the machine.
    ///
    /// # Errors
    /// Master could not be written; nothing has changed then.
    pub(super) fn change_groups(&self, change: impl FnOnce(&mut Groups)) -> Result<(), lab_engine::SqlError> {
        let _changing = lock(&self.changing);
        let mut groups = self.groups();
        change(&mut groups);
        self.keep_groups(groups)
    }

    /// Makes other groups those of the instance. The caller sees to it that nobody else changes them.
    fn keep_groups(&self, new: Groups) -> Result<(), lab_engine::SqlError> {
        if new == *lock(&self.groups) {
            return Ok(());
        }
        let text = serde_json::to_string(&new)
            .map_err(|e| lab_engine::SqlError::internal(format!("availability groups: {e}")))?;
        self.server.put_document(GROUPS, Some(text))?;
        let before = std::mem::replace(&mut *lock(&self.groups), new);
        self.tell(Event::Configured(self.config()));
        self.settle_access(&before);
        Ok(())
    }

    fn copy(&self, db: &DbName) -> Option<Arc<LocalStore>> {
        self.copies.read().unwrap_or_else(PoisonError::into_inner).get(db).cloned()
    }

    /// A database is there that is in a group, or has just been made: the machine is told what it is.
    pub(super) fn take_up(&self, db: &DbName) {
        let Some(store) = self.server.store(db.as_str()) else {
            self.tell(Event::Copy { db: db.clone(), copy: None });
            return;
        };
        let (hadr, name, observed) = (Weak::clone(&self.me), db.clone(), Arc::downgrade(&store));
        store.on_hardened(Arc::new(move |lsn| {
            if let Some((hadr, store)) = hadr.upgrade().zip(observed.upgrade()) {
                hadr.tell(Event::Hardened { db: name.clone(), lsn, end_time: store.end_commit_time() });
            }
        }));
        let redo = Redo::start(Weak::clone(&self.me), db.clone(), &store);
        let seen = Mutex::new(Seen::of(&store));
        let copy = Arc::new(LocalStore { store, redo, seen });
        let before = self.copies.write().unwrap_or_else(PoisonError::into_inner).insert(db.clone(), copy);
        if let Some(before) = before {
            before.close();
        }
        self.tell_copy(db);
    }

    /// A database is no longer there, or no longer in a group.
    pub(super) fn let_go(&self, db: &DbName) {
        lock(&self.pins).retain(|(name, _), _| name != db);
        let before = self.copies.write().unwrap_or_else(PoisonError::into_inner).remove(db);
        if let Some(before) = before {
            before.close();
        }
    }

    pub(super) fn tell_copy(&self, db: &DbName) {
        let copy = self.copy(db).map(|c| local_copy(&c.store));
        self.tell(Event::Copy { db: db.clone(), copy });
    }

    /// Looks at where everything is, and at what changes with checkpoints and backups.
    pub(super) fn watch(&self) {
        self.tell_outsiders();
        let view = self.runner.view();
        lock(&self.gauges).look(&view, now());
        let copies = self.copies.read().unwrap_or_else(PoisonError::into_inner).clone();
        for (db, copy) in copies {
            let seen = Seen::of(&copy.store);
            let before = std::mem::replace(&mut *lock(&copy.seen), seen);
            let Seen { log_start, backed_up, full_backup } = seen;
            if before.log_start != log_start {
                self.tell(Event::Truncated { db: db.clone(), log_start });
            }
            let primary = copy.store.mode() == lab_store::Mode::Primary;
            if primary && (before.backed_up, before.full_backup) != (backed_up, full_backup) {
                let keeps_log = self.server.trace_flag(KEEP_LOG_FOR_SEEDING);
                self.tell(Event::BackedUp { db, backed_up, full_backup, keeps_log });
            }
        }
    }
}

impl LocalStore {
    fn close(&self) {
        self.store.forget_observer();
        self.store.hold_commits(None);
        self.redo.stop();
    }
}

/// What the machine is told of a store.
fn local_copy(store: &Store) -> LocalCopy {
    let history = store.history();
    let hardened = store.hardened_lsn();
    LocalCopy {
        copy: lab_hadr::Copy {
            log_start: store.log_start(),
            hardened,
            // What is shown before it is hardened is nobody's yet.
            redone: store.redone_lsn().min(hardened),
            history,
        },
        mode: match store.mode() {
            lab_store::Mode::Primary => Mode::Primary,
            lab_store::Mode::Secondary => Mode::Secondary,
        },
        end_time: store.end_commit_time(),
        redone_time: store.redone_commit_time(),
        backed_up: store.log_backed_up(),
        full_backup: store.full_backup_lsn(),
    }
}
