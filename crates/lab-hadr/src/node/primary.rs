//! Log on its way to a peer, and when commits may be acknowledged.
//!
//! | a stream is | commits wait for the peer | it becomes |
//! |---|---|---|
//! | asynchronous | no | catching up, once both sides are synchronous |
//! | catching up | no | joining, once little log is missing |
//! | joining | yes | synchronized, once the peer has hardened the end that the log had when waiting began |
//! | synchronized | yes | |
//!
//! So every commit that was acknowledged before is hardened at the peer when the stream is called SYNCHRONIZED, and every
//! later one waits for it. A lost connection ends the stream; then commits do not wait any more, unless
//! REQUIRED_SYNCHRONIZED_SECONDARIES_TO_COMMIT says so.

use lab_store::{Lsn, common_point};

use super::secondary::goes_beyond;
use super::{ConnId, DatabaseSpec, Effect, Failure, Mode, Node, PartnerKey, Tick};
use crate::wire::{Message, PrimaryState, Progress};
use crate::{CommitMode, DbName, Role};

/// Log in flight: sent and not yet hardened at the peer.
const WINDOW_BYTES: u64 = 4 << 20;
/// Log in one message.
const BLOCK_BYTES: usize = 512 << 10;
/// With that little missing, waiting begins.
const NEAR_BYTES: u64 = 1 << 20;

/// Log of one database on its way to one peer.
#[derive(Debug, Clone)]
pub(super) struct OutStream {
    conn: ConnId,
    start: Lsn,
    pub(super) sent: Lsn,
    /// What the peer said last.
    pub(super) peer: Progress,
    /// It has said something. A log that has just begun is nowhere yet, too.
    heard: bool,
    sync: Sync,
    /// A block is being read.
    shipping: bool,
    pinned: Lsn,
    /// What the peer was told beside the log, and when.
    said: Option<(PrimaryState, Tick)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sync {
    Asynchronous,
    CatchingUp,
    /// Waiting has begun with the hold of that mark; where the log ended then, once the driver has said so.
    Joining(u64, Option<Lsn>),
    Synchronized,
}

impl OutStream {
    pub(super) fn is_synchronized(&self) -> bool {
        self.sync == Sync::Synchronized
    }

    pub(super) fn is_synchronous(&self) -> bool {
        self.sync != Sync::Asynchronous
    }
}

impl Node {
    /// Neither side follows the other by log of this partner's, or this side leads.
    pub(super) fn settle_primary(&mut self, key: PartnerKey) {
        let Some(partner) = self.partners.get(&key) else { return };
        if partner.spec.role == Role::Primary {
            self.drop_ins(key);
        }
        self.settle_sync(key);
        for db in self.out_names(key) {
            self.pump(key, &db);
        }
    }

    /// Both sides are primary: nothing moves, and what each has alone is noted.
    pub(super) fn settle_two_primaries(&mut self, key: PartnerKey) {
        self.drop_outs(key);
        self.drop_ins(key);
        let Some(partner) = self.partners.get_mut(&key) else { return };
        if !partner.peer_is_fresh {
            // What it said before may be older than what this side has received from it since: the logs would seem to part
            // too early.
            if let Some(conn) = partner.conn().filter(|_| !partner.peer_was_asked) {
                partner.peer_was_asked = true;
                self.send(conn, Message::Resync);
            }
            return;
        }
        let Some(partner) = self.partners.get(&key) else { return };
        let mut parted = Vec::new();
        // Where the end of this side's log is not known yet, this is done again once it is.
        for db in partner.spec.databases.iter().filter(|db| !self.is_uncertain(db)) {
            let (Some(mine), Some(theirs)) = (self.local(db), partner.theirs(db)) else { continue };
            if let Some(since) = common_point(&mine.copy.history, &theirs.history).map(|c| c.lsn)
                && partner.parted.get(db) != Some(&theirs.history.fork)
                // One that forwards may only be behind.
                && !goes_beyond(&mine.copy.history, &theirs.history)
            {
                parted.push((db.clone(), since, theirs.history.clone()));
            }
        }
        let there = partner.spec.there.clone();
        for (db, since, other) in parted {
            if let Some(partner) = self.partners.get_mut(&key) {
                partner.parted.insert(db.clone(), other.fork);
            }
            self.report(
                35265,
                format!(
                    "Always On Availability Groups data movement for database '{db}' has been suspended: this replica \
                     and '{there}' are both primary. Their logs are the same up to {since} ({}).",
                    since.hex()
                ),
            );
            self.effects.push(Effect::ReadFork { db, since, other });
        }
    }

    fn out_names(&self, key: PartnerKey) -> Vec<DbName> {
        self.partners.get(&key).map(|p| p.outs.keys().cloned().collect()).unwrap_or_default()
    }

    fn out(&mut self, key: PartnerKey, db: &DbName) -> Option<&mut OutStream> {
        self.partners.get_mut(&key)?.outs.get_mut(db)
    }

    /// A secondary wants the log of a database.
    pub(super) fn subscribed(&mut self, key: PartnerKey, conn: ConnId, db: DbName, from: Lsn) {
        let Some(partner) = self.partners.get(&key) else { return };
        let leads = self.role_in_effect(partner) == Role::Primary;
        let refusal = match self.local(&db) {
            Some(local) if leads && partner.spec.databases.contains(&db) => {
                let pinned = self.seed_truncated_to(key, &db);
                if pinned.is_some_and(|pinned| from < pinned) {
                    // The documents name it for a log backup taken during seeding.
                    Some((
                        1412,
                        format!(
                            "The remote copy of database \"{db}\" has not been rolled forward to a point in time that is \
                         encompassed in the local copy of the database log."
                        ),
                    ))
                } else if from < local.copy.log_start || from > local.copy.history.end {
                    Some((
                        1408,
                        format!(
                            "The remote copy of database \"{db}\" is not recovered far enough to enable database mirroring \
                         or to join it to the availability group."
                        ),
                    ))
                } else {
                    None
                }
            }
            Some(_) | None => Some((35250, format!("'{db}' is not a primary database here"))),
        };
        if let Some((number, text)) = refusal {
            self.seed_joined(key, &db, Some((number, &text)));
            self.report(number, text.clone());
            return self.send(conn, Message::Unsubscribe { db, number, text });
        }
        // What the secondary has received beyond what it has hardened may be gone after a failure.
        let hardened = partner.theirs(&db).map_or(from, |c| c.hardened.min(from));
        self.seed_joined(key, &db, None);
        let stream = OutStream {
            conn,
            start: from,
            sent: from,
            peer: Progress::default(),
            heard: false,
            sync: Sync::Asynchronous,
            shipping: false,
            pinned: hardened,
            said: None,
        };
        self.effects.push(Effect::Pin { db: db.clone(), partner: key, from: Some(hardened) });
        if let Some(partner) = self.partners.get_mut(&key) {
            partner.outs.insert(db.clone(), stream);
        }
        self.settle_sync(key);
        self.tell_state(key, &db);
        self.pump(key, &db);
    }

    /// Ships what is hardened, as far as the window allows.
    pub(super) fn pump(&mut self, key: PartnerKey, db: &DbName) {
        let Some(hardened) = self.local(db).map(|l| l.copy.hardened) else { return };
        let suspended = self.is_suspended(db);
        let Some(out) = self.out(key, db) else { return };
        let in_flight = out.sent.0.saturating_sub(out.peer.hardened.max(out.start).0);
        if out.shipping || suspended || out.sent >= hardened || in_flight >= WINDOW_BYTES {
            return;
        }
        out.shipping = true;
        let (conn, from) = (out.conn, out.sent);
        if let Some(connection) = self.connections.get_mut(&conn) {
            connection.said_at = self.now;
        }
        self.effects.push(Effect::Ship { conn, db: db.clone(), from, bytes_max: BLOCK_BYTES });
    }

    pub(super) fn is_suspended(&self, db: &DbName) -> bool {
        self.databases.get(db).and_then(|d| d.spec).is_some_and(|s| s.suspended)
    }

    pub(super) fn shipped(&mut self, conn: ConnId, db: &DbName, to: Lsn) {
        for key in self.keys() {
            if let Some(out) = self.out(key, db).filter(|o| o.conn == conn) {
                out.sent = to;
                out.shipping = false;
                self.pump(key, db);
            }
        }
    }

    pub(super) fn ship_failed(&mut self, conn: ConnId, db: &DbName, failure: &Failure) {
        for key in self.keys() {
            if self.out(key, db).is_none_or(|o| o.conn != conn) {
                continue;
            }
            let (number, text) = (1408, format!("the log of the database '{db}' cannot be sent: {failure}"));
            if let Some(partner) = self.partners.get_mut(&key) {
                partner.outs.remove(db);
            }
            self.settle_hold(db);
            self.report(number, text.clone());
            self.send(conn, Message::Unsubscribe { db: db.clone(), number, text });
        }
    }

    pub(super) fn drop_outs(&mut self, key: PartnerKey) {
        let names = self.out_names(key);
        if let Some(partner) = self.partners.get_mut(&key) {
            partner.outs.clear();
        }
        names.iter().for_each(|db| self.settle_hold(db));
    }

    pub(super) fn drop_out(&mut self, key: PartnerKey, db: &DbName) {
        if self.partners.get_mut(&key).is_some_and(|p| p.outs.remove(db).is_some()) {
            self.settle_hold(db);
        }
    }

    /// The copy that was sent is another one now: what a peer has of the former says nothing about this one.
    pub(super) fn stop_outs(&mut self, db: &DbName) {
        self.abort_seeds_of(db);
        for key in self.keys() {
            let Some(conn) = self.out(key, db).map(|o| o.conn) else { continue };
            self.drop_out(key, db);
            let text = format!("the copy of the database '{db}' was replaced");
            self.send(conn, Message::Unsubscribe { db: db.clone(), number: 35285, text });
        }
    }

    pub(super) fn progressed(&mut self, key: PartnerKey, db: &DbName, progress: Progress) {
        let step = self.pin_step_bytes;
        let Some(out) = self.out(key, db) else { return };
        out.peer = progress;
        out.heard = true;
        let moved = (progress.hardened.0 >= out.pinned.0.saturating_add(step)).then(|| {
            out.pinned = progress.hardened;
            progress.hardened
        });
        if moved.is_some() {
            self.effects.push(Effect::Pin { db: db.clone(), partner: key, from: moved });
        }
        self.join(key, db);
        self.settle_hold(db);
        self.pump(key, db);
        self.advance_handover(key);
    }

    /// The commit mode of a partner's streams, where both sides and the moment have changed it.
    pub(super) fn settle_sync(&mut self, key: PartnerKey) {
        let Some(partner) = self.partners.get_mut(&key) else { return };
        let both = partner.spec.commit_mode == CommitMode::Synchronous
            && partner.peer.as_ref().is_some_and(|p| p.synchronous);
        let wanted = both || partner.handover.is_some();
        for out in partner.outs.values_mut() {
            match (wanted, out.sync) {
                (true, Sync::Asynchronous) => out.sync = Sync::CatchingUp,
                (false, _) => out.sync = Sync::Asynchronous,
                (true, Sync::CatchingUp | Sync::Joining(..) | Sync::Synchronized) => {}
            }
        }
        for db in self.out_names(key) {
            self.join(key, &db);
            self.settle_hold(&db);
        }
    }

    /// From catching up to joining to synchronized, and back where data movement is suspended.
    fn join(&mut self, key: PartnerKey, db: &DbName) {
        let Some(hardened) = self.local(db).map(|l| l.copy.hardened) else { return };
        let suspended = self.is_suspended(db);
        let Some(out) = self.out(key, db) else { return };
        let before = out.sync;
        match out.sync {
            Sync::Asynchronous => {}
            Sync::CatchingUp | Sync::Joining(..) | Sync::Synchronized if suspended => {
                out.sync = Sync::CatchingUp;
            }
            Sync::CatchingUp => {
                let heard = out.heard;
                if heard && hardened.0.saturating_sub(out.peer.hardened.0) <= NEAR_BYTES {
                    let mark = self.next_mark();
                    if let Some(out) = self.out(key, db) {
                        out.sync = Sync::Joining(mark, None);
                    }
                    self.settle_hold(db);
                    // An answer to an earlier hold says nothing about when this stream's waiting began.
                    let to = self.databases.get(db).and_then(|d| d.hold);
                    self.effects.push(Effect::Hold { db: db.clone(), to, mark });
                }
            }
            Sync::Joining(_, Some(end)) if out.peer.hardened >= end => out.sync = Sync::Synchronized,
            Sync::Joining(..) | Sync::Synchronized => {}
        }
        let now = self.out(key, db).map(|o| o.sync);
        if (now == Some(Sync::Synchronized)) != (before == Sync::Synchronized) {
            self.tell_state(key, db);
        }
    }

    fn next_mark(&mut self) -> u64 {
        self.last_mark += 1;
        self.last_mark
    }

    pub(super) fn held(&mut self, db: &DbName, mark: u64, end: Lsn) {
        for key in self.keys() {
            let Some(out) = self.out(key, db) else { continue };
            if out.sync == Sync::Joining(mark, None) {
                out.sync = Sync::Joining(mark, Some(end));
            }
            self.join(key, db);
            self.settle_hold(db);
            self.advance_handover(key);
        }
    }

    /// How far commits of a database may be acknowledged, and tells the driver if that has changed.
    pub(super) fn settle_hold(&mut self, db: &DbName) {
        let Some(database) = self.databases.get(db) else { return };
        let required = match (database.spec, &database.copy) {
            (Some(DatabaseSpec { required_synchronized, .. }), Some(local))
                if local.mode == Mode::Primary =>
            {
                required_synchronized as usize
            }
            _ => 0,
        };
        let outs = || self.partners.values().filter_map(|p| p.outs.get(db));
        let waiting = outs().filter(|o| matches!(o.sync, Sync::Joining(..) | Sync::Synchronized));
        let mut to = waiting.map(|o| o.peer.hardened).min();
        let synchronized = outs().filter(|o| o.is_synchronized()).count();
        if required > synchronized {
            // Too few are synchronized: nothing beyond what enough of them have hardened, or had.
            let mut hardened: Vec<Lsn> =
                outs().filter(|o| o.is_synchronous()).map(|o| o.peer.hardened).collect();
            hardened.sort_unstable_by(|a, b| b.cmp(a));
            let enough = hardened.get(required - 1).copied().unwrap_or_default().max(database.frozen);
            to = Some(to.map_or(enough, |to| to.min(enough)));
        }
        let Some(database) = self.databases.get_mut(db) else { return };
        if let Some(to) = to {
            database.frozen = database.frozen.max(to);
        }
        if database.hold != to {
            database.hold = to;
            let mark = self.next_mark();
            self.effects.push(Effect::Hold { db: db.clone(), to, mark });
        }
    }

    /// What a secondary is told beside the log.
    fn primary_state(&self, key: PartnerKey, db: &DbName) -> Option<PrimaryState> {
        let local = self.local(db)?;
        let out = self.partners.get(&key)?.outs.get(db)?;
        Some(PrimaryState {
            end: local.copy.history.end,
            end_time: local.end_time,
            synchronized: out.is_synchronized(),
            suspended: self.is_suspended(db),
            backed_up: local.backed_up,
            full_backup: local.full_backup,
        })
    }

    fn tell_state(&mut self, key: PartnerKey, db: &DbName) {
        let (Some(state), now) = (self.primary_state(key, db), self.now) else { return };
        let Some(out) = self.out(key, db) else { return };
        out.said = Some((state, now));
        let conn = out.conn;
        self.send(conn, Message::PrimaryState { db: db.clone(), state });
    }

    /// Once a second, if it has changed.
    pub(super) fn tend_outs(&mut self, key: PartnerKey) {
        for db in self.out_names(key) {
            let (state, now) = (self.primary_state(key, &db), self.now);
            let due = self.out(key, &db).is_some_and(|out| {
                out.said.is_none_or(|(said, at)| Some(said) != state && now.since(at) >= 1000)
            });
            if due {
                self.tell_state(key, &db);
            }
        }
    }
}
