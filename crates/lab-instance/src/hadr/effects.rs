//! Carrying out what the machine wants.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use lab_engine::{ReplicaIds, ReplicaRole, SecondaryConnections};
use lab_hadr::{
    Access, AllowConnections, ConnId, DbName, Effect, Event, Failure, Groups, History, PageRange, PartnerKey,
    Role, log_head,
};
use lab_store::{BlockError, Lsn, ReceiveError};

use super::{Hadr, LocalStore, failure};
use crate::answer::lock;
use crate::endpoint::{Dial, DialKey, Goodbye};

impl Hadr {
    pub(super) fn execute(&self, effect: Effect) {
        match effect {
            Effect::Dial { partner } => self.dial(partner),
            Effect::Close { conn, number, text } => {
                self.peers.close(conn, Goodbye { number: number as i32, text });
            }
            Effect::Send { conn, message } => self.peers.send(conn, message.encode()),
            Effect::Ship { conn, db, from, bytes_max } => self.ship(conn, db, from, bytes_max),
            Effect::Append { db, bytes } => self.append(db, &bytes),
            Effect::Redo { db } => {
                if let Some(copy) = self.copy(&db) {
                    self.go_on_with_redo(db, &copy);
                }
            }
            Effect::EnterFork { db, history } => self.enter_fork(&db, &history),
            Effect::Hold { db, to, mark } => {
                if let Some(copy) = self.copy(&db) {
                    copy.store.hold_commits(to);
                    self.tell(Event::Held { db, mark, end: copy.store.end_lsn() });
                }
            }
            Effect::Demote { db } => self.change_mode(&db, |copy| copy.store.demote().map(|_| ())),
            Effect::Promote { db } => self.change_mode(&db, |copy| copy.store.promote().map(|_| ())),
            Effect::SetAccess { db, access } => self.set_access(&db, access),
            Effect::Pin { db, partner, from } => self.pin(db, partner, from),
            Effect::FollowBackups { db, backed_up, full_backup } => {
                if let Some(copy) = self.copy(&db)
                    && let Err(e) = copy.store.set_backed_up(backed_up, full_backup)
                {
                    self.log(&format!("The log backups of '{db}' at its primary could not be noted: {e}."));
                }
            }
            Effect::ReadFork { db, since, other } => self.read_fork(db, since, other),
            Effect::SeedOpen { seed, db, since, pages } => self.open_seed(seed, db, since, pages),
            Effect::SeedRead { seed } => self.read_seed(seed),
            Effect::SeedClose { seed } => drop(lock(&self.readers).remove(&seed)),
            Effect::SeedCreate { db, group: _, begin, rewind } => self.create_seed(db, &begin, rewind),
            Effect::SeedWrite { db, seeding, chunk, bytes } => self.write_seed(&db, (seeding, chunk), bytes),
            Effect::SeedFinish { db } => self.finish_seed(&db),
            Effect::SeedDiscard { db } => self.discard_seed(&db),
            Effect::SetRole { group, role } => {
                if let Err(e) = self.change_groups(|groups| groups.set_role(group, role)) {
                    self.log(&format!("The role of an availability group could not be kept: {}", e.message));
                }
            }
            Effect::Offered { group } => self.keep_offer(*group),
            Effect::Adopt { group } => self.adopt(&group),
            Effect::JoinOutsider { db, group } => self.join_outsider(&db, group),
            Effect::FailoverDone { group, result } => {
                if result.is_ok() {
                    let finish = |groups: &mut Groups| groups.finish_failover(group, Role::Secondary);
                    if let Err(e) = self.change_groups(finish) {
                        self.log(&format!("The end of a failover could not be kept: {}", e.message));
                    }
                }
                lock(&self.failovers).insert(group, result);
            }
            // Those are for information.
            Effect::Report { number: 35262..=35267 | 35278 | 35285, text } => self.log(&text),
            Effect::Report { number, text } => {
                self.log(&format!("Error: {number}, Severity: 16, State: 1. {text}"));
            }
        }
    }

    pub(crate) fn log(&self, text: &str) {
        self.server.log_event("spid20s", text);
    }

    fn dial(&self, partner: PartnerKey) {
        let groups = self.groups();
        let Some((url, timeout)) = address(&groups, partner) else { return };
        let key = DialKey(self.next_dial.fetch_add(1, Ordering::Relaxed));
        let dial = Dial {
            host: url.host.clone(),
            port: url.port,
            require_name: url.server.is_some(),
            server_name: url.server,
            timeout,
        };
        if let Err((number, text)) = self.peers.dial(key, partner, dial) {
            self.tell(Event::DialFailed { partner, number, text });
        }
    }

    fn ship(&self, conn: ConnId, db: DbName, from: Lsn, bytes_max: usize) {
        let Some(copy) = self.copy(&db) else {
            let failure = Failure::Store("the database is not open".to_owned());
            return self.tell(Event::ShipFailed { conn, db, failure });
        };
        match copy.store.read_block(from, bytes_max) {
            Ok(block) => {
                if block.to > block.from {
                    self.peers.send_log(conn, log_head(&db, from, block.bytes.len()), block.bytes);
                }
                self.tell(Event::Shipped { conn, db, to: block.to });
            }
            Err(e) => {
                let failure = match &e {
                    BlockError::LogGone { .. } => Failure::LogGone,
                    BlockError::NoRecord => Failure::Diverged(e.to_string()),
                    BlockError::Store(e) => failure(e),
                };
                self.tell(Event::ShipFailed { conn, db, failure });
            }
        }
    }

    fn append(&self, db: DbName, bytes: &[u8]) {
        let Some(copy) = self.copy(&db) else {
            let failure = Failure::Store("the database is not open".to_owned());
            return self.tell(Event::AppendFailed { db, failure });
        };
        match copy.store.receive(bytes) {
            Ok(end) => {
                copy.redo.wake();
                self.runner.harden_later(db.clone(), Arc::clone(&copy.store), end);
                self.tell(Event::Appended { db, end, end_time: copy.store.end_commit_time() });
            }
            Err(e) => {
                let failure = match &e {
                    ReceiveError::Store(e) => failure(e),
                    other => Failure::Diverged(other.to_string()),
                };
                self.tell(Event::AppendFailed { db, failure });
            }
        }
    }

    /// Log is hardened. Mostly it was redone when it came, and nobody was told yet.
    fn go_on_with_redo(&self, db: DbName, copy: &LocalStore) {
        let (redone, hardened) = (copy.store.redone_lsn(), copy.store.hardened_lsn());
        if redone < hardened {
            return copy.redo.wake();
        }
        self.tell(Event::Redone { db, redone: hardened, time: copy.store.redone_commit_time() });
    }

    fn enter_fork(&self, db: &DbName, history: &History) {
        let entered = self.copy(db).map(|copy| copy.store.enter_fork(history));
        // The machine waits for what it is told of the copy, whatever became of it.
        self.tell_copy(db);
        if let Some(Err(e)) = entered {
            let failure = Failure::Diverged(e.to_string());
            self.tell(Event::RedoFailed { db: db.clone(), failure });
        }
    }

    fn change_mode(
        &self,
        db: &DbName,
        change: impl FnOnce(&LocalStore) -> Result<(), lab_store::StoreError>,
    ) {
        if let Some(copy) = self.copy(db)
            && let Err(e) = change(&copy)
        {
            self.log(&format!("The role of the database '{db}' could not be changed: {e}."));
        }
        self.tell_copy(db);
    }

    pub(super) fn set_access(&self, db: &DbName, access: Access) {
        let groups = self.groups();
        let Some((group, local, database)) = groups.of_database(db.as_str()) else { return };
        let Some(replica) = local.replica(self.server.name()) else { return };
        let allow = match (group.role, replica.secondary_allow) {
            // The forwarder of a distributed group is the primary of its own: that its copy is a secondary one follows
            // from the link, whose secondary is readable.
            (Role::Primary, _) | (_, AllowConnections::All) => SecondaryConnections::All,
            (_, AllowConnections::ReadOnly) => SecondaryConnections::ReadOnly,
            (_, AllowConnections::No) => SecondaryConnections::No,
        };
        let role = match access {
            Access::Primary => ReplicaRole::Primary { read_write_only: replica.primary_read_write_only },
            Access::Secondary => ReplicaRole::Secondary { allow, readable: true },
            Access::Resolving => ReplicaRole::Resolving,
        };
        let ids = ReplicaIds { replica_id: replica.partnering.id.0, group_database_id: database.id.0 };
        if let Err(e) = self.server.set_replica_role(db.as_str(), role, Some(ids)) {
            self.log(&format!("The role of the database '{db}' could not be changed: {}", e.message));
        }
    }

    fn pin(&self, db: DbName, partner: PartnerKey, from: Option<Lsn>) {
        let key = (db, partner);
        let mut pins = lock(&self.pins);
        let Some(from) = from else {
            pins.remove(&key);
            return;
        };
        if let Some(pin) = pins.get(&key) {
            return pin.advance(from);
        }
        let Some(copy) = self.copy(&key.0) else { return };
        // What is gone already cannot be kept; the machine finds out when it is asked for.
        let pin = copy.store.pin_log(from).or_else(|_| copy.store.pin_oldest().map(|(pin, _)| pin));
        if let Ok(pin) = pin {
            pins.insert(key, pin);
        }
    }

    /// What only this side has since a fork point, in a thread of its own: it may be much.
    fn read_fork(&self, db: DbName, since: Lsn, other: History) {
        let Some((hadr, copy)) = self.me.upgrade().zip(self.copy(&db)) else { return };
        let task = move || {
            let pages = hadr.note_fork(&db, &copy, since, &other);
            hadr.tell(Event::ForkRead { db, since, pages });
        };
        if let Err(e) = std::thread::Builder::new().name("fork".to_owned()).spawn(task) {
            self.log(&format!("A fork could not be read: {e}."));
        }
    }

    fn note_fork(
        &self,
        db: &DbName,
        copy: &LocalStore,
        since: Lsn,
        other: &History,
    ) -> Result<Vec<PageRange>, Failure> {
        let gone = |e: BlockError| match e {
            BlockError::LogGone { .. } | BlockError::NoRecord => Failure::LogGone,
            BlockError::Store(e) => failure(&e),
        };
        let transactions = copy.store.transactions_since(since).map_err(gone)?;
        self.keep_fork_report(db, since, other, &transactions).map_err(|e| Failure::Store(e.message))?;
        // What redo has not come to is in the log, and not in the pages: those have to be sent, too.
        let pages = copy.store.pages_changed_since(since.min(copy.store.redone_lsn())).map_err(gone)?;
        Ok(ranges(pages))
    }
}

/// Where a partner is, and how long it may take to get there.
fn address(groups: &Groups, partner: PartnerKey) -> Option<(lab_hadr::ListenerUrl, Duration)> {
    let group = groups.groups.iter().find(|g| g.id == partner.group)?;
    let there = match (group.as_local(), group.as_distributed()) {
        (Some(local), _) => &local.replicas.iter().find(|r| r.partnering.id == partner.peer)?.partnering,
        (None, Some(distributed)) => &distributed.there,
        (None, None) => return None,
    };
    Some((there.url.clone(), Duration::from_secs(u64::from(there.session_timeout_s.max(5)))))
}

/// Page numbers as ranges, both ends included.
fn ranges(pages: impl IntoIterator<Item = u32>) -> Vec<PageRange> {
    let mut out: Vec<PageRange> = Vec::new();
    for page in pages {
        match out.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(page) => *last = page,
            _ => out.push((page, page)),
        }
    }
    out
}
