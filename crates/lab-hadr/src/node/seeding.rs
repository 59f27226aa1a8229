//! The first copy, and the pages that rewind one: read at the primary, written at the secondary, a few chunks in flight.
//!
//! It cannot be paused: whatever interrupts it makes it begin again, as with SQL Server.

use std::collections::VecDeque;

use lab_store::Lsn;

use super::secondary::InState;
use super::{ConnId, Effect, Failure, Node, PartnerKey, PartnerSpec, Tick};
use crate::wire::{Message, PageRange, SeedBegin};
use crate::{DbName, GroupId, ReplicaId, SeedingMode};

/// Chunks that were sent and not yet written at the secondary.
const WINDOW_CHUNKS: u64 = 8;
/// Seedings that are remembered.
const REMEMBERED: usize = 200;
/// Why a copy is not made.
const MANUAL: &str = "the replica's seeding mode is MANUAL";

fn is_manual(mode: SeedingMode) -> bool {
    mode == SeedingMode::Manual
}

/// A copy on its way to a peer.
#[derive(Debug)]
pub(super) struct SeedOut {
    partner: PartnerKey,
    conn: ConnId,
    db: DbName,
    /// Pages that were changed since that fork point only.
    since: Option<Lsn>,
    /// The position that its pages show.
    lsn: Option<Lsn>,
    sent: u64,
    acknowledged: u64,
    reading: bool,
    /// All of it was sent; the log from its position on is still needed.
    complete: bool,
    /// The log before this was let go meanwhile.
    truncated_to: Option<Lsn>,
}

/// A copy on its way here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SeedIn {
    /// The primary's number of it.
    seed: u64,
    /// This side's: a primary that has started anew may give a number again.
    number: u64,
    pub(super) rewind: bool,
    next: u64,
    written: u64,
    ended: bool,
    finishing: bool,
}

/// How a seeding stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeedState {
    /// The primary was asked.
    Pending,
    /// Pages are moving.
    Seeding,
    /// It is there.
    Completed,
    /// It has failed.
    Failed,
}

/// A seeding, for `sys.dm_hadr_automatic_seeding` and `sys.dm_hadr_physical_seeding_stats`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeedingRecord {
    /// With whom.
    pub partner: PartnerKey,
    /// The database.
    pub db: DbName,
    /// The number that the primary gave it.
    pub seed: u64,
    /// Whether this side sends.
    pub is_source: bool,
    /// Pages that were changed since a fork point only.
    pub rewind: bool,
    /// How it stands.
    pub state: SeedState,
    /// How often it was begun.
    pub attempts: u32,
    /// When it began.
    pub started: Tick,
    /// When it ended.
    pub ended: Option<Tick>,
    /// Bytes of pages, before compression.
    pub bytes_total: u64,
    /// Bytes that have moved, as they were sent.
    pub bytes_moved: u64,
    /// Whether they are compressed.
    pub compressed: bool,
    /// Why it has failed.
    pub failure: Option<(u32, String)>,
}

/// The seedings of this side, oldest first.
#[derive(Debug, Default)]
pub(super) struct SeedingLog {
    pub(super) records: VecDeque<SeedingRecord>,
}

impl SeedingLog {
    fn begin(&mut self, record: SeedingRecord) {
        let earlier = self.records.iter().rev().find(|r| {
            (r.partner, &r.db, r.is_source, r.rewind)
                == (record.partner, &record.db, record.is_source, record.rewind)
        });
        let attempts = match earlier {
            Some(earlier) if earlier.state != SeedState::Completed => earlier.attempts + 1,
            Some(_) | None => 1,
        };
        if self.records.len() >= REMEMBERED {
            self.records.pop_front();
        }
        self.records.push_back(SeedingRecord { attempts, ..record });
    }

    fn current(&mut self, partner: PartnerKey, db: &DbName, is_source: bool) -> Option<&mut SeedingRecord> {
        self.records
            .iter_mut()
            .rev()
            .find(|r| (r.partner, &r.db, r.is_source) == (partner, db, is_source) && r.ended.is_none())
    }

    fn end(
        &mut self,
        now: Tick,
        (partner, db, is_source): (PartnerKey, &DbName, bool),
        failure: Option<(u32, &str)>,
    ) {
        if let Some(record) = self.current(partner, db, is_source) {
            record.state = if failure.is_some() { SeedState::Failed } else { SeedState::Completed };
            record.failure = failure.map(|(number, text)| (number, text.to_owned()));
            record.ended = Some(now);
        }
    }
}

impl Node {
    fn begin_record(&mut self, partner: PartnerKey, db: &DbName, is_source: bool, rewind: bool) {
        let record = SeedingRecord {
            partner,
            db: db.clone(),
            seed: 0,
            is_source,
            rewind,
            state: SeedState::Pending,
            attempts: 0,
            started: self.now,
            ended: None,
            bytes_total: 0,
            bytes_moved: 0,
            compressed: false,
            failure: None,
        };
        self.seedings.end(self.now, (partner, db, is_source), Some((19494, "it was begun again")));
        self.seedings.begin(record);
    }

    /// SEEDING_MODE was written down: AUTOMATIC begins again what has failed. Who receives the copies, asks for them.
    pub(super) fn retry_seeding(&mut self, group: GroupId, replica: ReplicaId) {
        for key in self.keys().into_iter().filter(|k| k.group == group) {
            if key.peer != replica {
                self.retry_seedings_here(key);
            } else if let Some(conn) = self.partners.get(&key).and_then(super::Partner::conn) {
                self.send(conn, Message::RetrySeeding);
            }
        }
    }

    pub(super) fn retry_seedings_here(&mut self, key: PartnerKey) {
        let Some(partner) = self.partners.get_mut(&key) else { return };
        partner.seeding_wanted = partner.peer.is_none();
        let failed = |s: &super::InStream| matches!(s.state, InState::Failed { .. });
        let failed: Vec<DbName> =
            partner.ins.iter().filter(|(_, s)| failed(s)).map(|(db, _)| db.clone()).collect();
        for db in failed {
            if self.local(&db).is_none() && self.outsiders.contains(&db) {
                // Seeding may not be needed: what is here catches up, if it can.
                self.effects.push(Effect::JoinOutsider { db, group: key.group });
            } else {
                self.ask(key, &db);
            }
        }
    }

    /// What is wanted of a partner has changed: whole copies under way are given up where they are made by hand from now on.
    pub(super) fn settle_seeding_modes(&mut self, key: PartnerKey, before: &PartnerSpec) {
        let Some(partner) = self.partners.get(&key) else { return };
        let turned = |was: SeedingMode, is: SeedingMode| !is_manual(was) && is_manual(is);
        let there = turned(before.peer_seeding_mode, partner.spec.peer_seeding_mode);
        let here = turned(before.seeding_mode, partner.spec.seeding_mode);
        let conn = partner.conn();
        let is_whole = |s: &super::InStream| match &s.state {
            InState::SeedWanted { since, .. } => Some(0).filter(|_| since.is_none()),
            InState::Seeding(seeding) => Some(seeding.seed).filter(|_| !seeding.rewind),
            _ => None,
        };
        let ins: Vec<(DbName, u64)> = if here {
            partner.ins.iter().filter_map(|(db, s)| Some((db.clone(), is_whole(s)?))).collect()
        } else {
            Vec::new()
        };
        for (db, seed) in ins {
            self.abandon_seed(&db, 19496, MANUAL);
            if let Some(conn) = conn {
                let (db, text) = (db.clone(), MANUAL.to_owned());
                self.send(conn, Message::SeedAbort { db, seed, number: 19496, text });
            }
            self.fail_in(key, &db, 19496, MANUAL.to_owned());
        }
        if there {
            let of_it = |o: &SeedOut| o.partner == key && o.since.is_none() && !o.complete;
            let outs: Vec<u64> = self.seeds.iter().filter(|(_, o)| of_it(o)).map(|(seed, _)| *seed).collect();
            outs.into_iter().for_each(|seed| self.abort_seed(seed, 19496, MANUAL));
        }
    }

    // The primary's side.

    pub(super) fn seed_requested(
        &mut self,
        key: PartnerKey,
        conn: ConnId,
        db: DbName,
        since: Option<Lsn>,
        pages: Vec<PageRange>,
    ) {
        let leads = self.partners.get(&key).is_some_and(|p| {
            self.role_in_effect(p) == crate::Role::Primary && p.spec.databases.contains(&db)
        });
        if !leads || self.local(&db).is_none() {
            let text = format!("'{db}' is not a primary database here");
            return self.send(conn, Message::SeedAbort { db, seed: 0, number: 35250, text });
        }
        if since.is_none() && self.partners.get(&key).is_some_and(|p| is_manual(p.spec.peer_seeding_mode)) {
            let text = MANUAL.to_owned();
            return self.send(conn, Message::SeedAbort { db, seed: 0, number: 19496, text });
        }
        self.drop_seeds_of(key, Some(&db));
        let seed = self.next_seed;
        self.next_seed += 1;
        self.begin_record(key, &db, true, since.is_some());
        if let Some(record) = self.seedings.current(key, &db, true) {
            record.seed = seed;
        }
        let out = SeedOut {
            partner: key,
            conn,
            db: db.clone(),
            since,
            lsn: None,
            sent: 0,
            acknowledged: 0,
            reading: false,
            complete: false,
            truncated_to: None,
        };
        self.seeds.insert(seed, out);
        self.effects.push(Effect::SeedOpen { seed, db, since, pages });
    }

    pub(super) fn seed_opened(&mut self, seed: u64, begin: Result<SeedBegin, Failure>) {
        let Some(out) = self.seeds.get_mut(&seed) else { return };
        let (key, conn, db) = (out.partner, out.conn, out.db.clone());
        match begin {
            Ok(begin) => {
                out.lsn = Some(begin.lsn);
                if let Some(record) = self.seedings.current(key, &db, true) {
                    record.state = SeedState::Seeding;
                    record.bytes_total = begin.bytes_total;
                    record.compressed = begin.compressed;
                }
                // Should a rewind fail, another one needs the log from the fork point on, as this one did.
                let from = Some(out.since.unwrap_or(begin.lsn));
                self.effects.push(Effect::Pin { db: db.clone(), partner: key, from });
                self.send(conn, Message::SeedBegin { db, seed, begin });
                self.read_seed(seed);
            }
            Err(failure) => {
                // A secondary that wanted to be rewound has to be seeded wholly then.
                let number = if failure == Failure::LogGone { 1408 } else { 19496 };
                self.abort_seed(seed, number, &failure.to_string());
            }
        }
    }

    fn abort_seed(&mut self, seed: u64, number: u32, text: &str) {
        let Some(out) = self.seeds.remove(&seed) else { return };
        self.seedings.end(self.now, (out.partner, &out.db, true), Some((number, text)));
        self.effects.push(Effect::SeedClose { seed });
        self.report(number, format!("Automatic seeding of the database '{}' has failed: {text}", out.db));
        self.send(out.conn, Message::SeedAbort { db: out.db, seed, number, text: text.to_owned() });
    }

    fn read_seed(&mut self, seed: u64) {
        let Some(out) = self.seeds.get_mut(&seed) else { return };
        if !out.reading && !out.complete && out.sent - out.acknowledged < WINDOW_CHUNKS {
            out.reading = true;
            self.effects.push(Effect::SeedRead { seed });
        }
    }

    pub(super) fn seed_read(&mut self, seed: u64, bytes: Option<Vec<u8>>) {
        let Some(out) = self.seeds.get_mut(&seed) else { return };
        out.reading = false;
        let (key, conn, db) = (out.partner, out.conn, out.db.clone());
        let Some(bytes) = bytes else {
            out.complete = true;
            self.effects.push(Effect::SeedClose { seed });
            return self.send(conn, Message::SeedEnd { db, seed });
        };
        let chunk = out.sent;
        out.sent += 1;
        if let Some(record) = self.seedings.current(key, &db, true) {
            record.bytes_moved += bytes.len() as u64;
        }
        self.send(conn, Message::SeedChunk { db, seed, chunk, bytes });
        self.read_seed(seed);
    }

    pub(super) fn seed_read_failed(&mut self, seed: u64, failure: &Failure) {
        self.abort_seed(seed, 19496, &failure.to_string());
    }

    pub(super) fn seed_acknowledged(&mut self, key: PartnerKey, seed: u64, chunks: u64) {
        if let Some(out) = self.seeds.get_mut(&seed).filter(|o| o.partner == key && chunks <= o.sent) {
            out.acknowledged = out.acknowledged.max(chunks);
            self.read_seed(seed);
        }
    }

    /// A log backup has let go of log, and trace flag 12381 does not keep what seeding needs.
    pub(super) fn truncate_under_seeds(&mut self, db: &DbName, to: Lsn) {
        for out in self.seeds.values_mut().filter(|o| o.db == *db) {
            if out.lsn.is_some_and(|lsn| lsn < to) {
                out.truncated_to = Some(to);
                self.effects.push(Effect::Pin { db: db.clone(), partner: out.partner, from: Some(to) });
            }
        }
    }

    /// What a copy that was seeded now would need, and is gone.
    pub(super) fn seed_truncated_to(&self, key: PartnerKey, db: &DbName) -> Option<Lsn> {
        self.seeds.values().filter(|o| o.partner == key && o.db == *db).filter_map(|o| o.truncated_to).max()
    }

    /// The secondary follows the log now, or cannot.
    pub(super) fn seed_joined(&mut self, key: PartnerKey, db: &DbName, failure: Option<(u32, &str)>) {
        self.seedings.end(self.now, (key, db, true), failure);
        let ended: Vec<u64> =
            self.seeds.iter().filter(|(_, o)| o.partner == key && o.db == *db).map(|(s, _)| *s).collect();
        for seed in ended {
            if self.seeds.remove(&seed).is_some_and(|o| !o.complete) {
                self.effects.push(Effect::SeedClose { seed });
            }
        }
    }

    /// The copy that is being read is another one now.
    pub(super) fn abort_seeds_of(&mut self, db: &DbName) {
        let seeds: Vec<u64> = self.seeds.iter().filter(|(_, o)| o.db == *db).map(|(seed, _)| *seed).collect();
        for seed in seeds {
            self.abort_seed(seed, 19496, "the copy was replaced");
        }
    }

    pub(super) fn drop_seeds(&mut self, key: PartnerKey) {
        self.drop_seeds_of(key, None);
    }

    fn drop_seeds_of(&mut self, key: PartnerKey, db: Option<&DbName>) {
        let dropped: Vec<(u64, DbName)> = self
            .seeds
            .iter()
            .filter(|(_, o)| o.partner == key && db.is_none_or(|db| o.db == *db))
            .map(|(seed, o)| (*seed, o.db.clone()))
            .collect();
        for (seed, db) in dropped {
            self.seeds.remove(&seed);
            let why = "the connection with the secondary replica was lost";
            self.seedings.end(self.now, (key, &db, true), Some((35206, why)));
            self.effects.push(Effect::SeedClose { seed });
        }
    }

    // The secondary's side.

    pub(super) fn want_seed(
        &mut self,
        key: PartnerKey,
        conn: ConnId,
        db: &DbName,
        since: Option<Lsn>,
        pages: Vec<PageRange>,
        noted: Option<Lsn>,
    ) {
        self.begin_record(key, db, false, since.is_some());
        self.set_in(key, db, InState::SeedWanted { since, noted });
        self.send(conn, Message::SeedRequest { db: db.clone(), since, pages });
    }

    pub(super) fn seed_begins(&mut self, key: PartnerKey, db: &DbName, seed: u64, begin: SeedBegin) {
        let (since, noted) = match self.in_state(key, db) {
            Some(&InState::SeedWanted { since, noted }) => (since, noted),
            Some(InState::Seeding(current)) if current.seed != seed && !current.finishing => {
                // The current one was for a former request, and the primary has given it up for this one.
                self.abandon_seed(db, 19494, "it was begun again");
                return self.ask(key, db);
            }
            _ => return,
        };
        let rewind = since.is_some();
        if self.is_uncertain(db) || self.has_alone(key, db, noted) || self.is_ahead(key, db) {
            // The primary's copy was replaced after it was asked, and what only this side has now has to be noted first;
            // or it has entered this one's fork meanwhile: one that is only behind is no reason to throw anything away.
            return self.ask(key, db);
        }
        if let Some(record) = self.seedings.current(key, db, false) {
            record.state = SeedState::Seeding;
            record.seed = seed;
            record.bytes_total = begin.bytes_total;
            record.compressed = begin.compressed;
        }
        let number = self.next_seed;
        self.next_seed += 1;
        let seeding = SeedIn { seed, number, rewind, next: 0, written: 0, ended: false, finishing: false };
        self.set_in(key, db, InState::Seeding(seeding));
        self.effects.push(Effect::SeedCreate { db: db.clone(), group: key.group, begin, rewind });
    }

    /// Nothing is asked for, since nothing could be written here.
    pub(super) fn seed_not_begun(&mut self, key: PartnerKey, db: &DbName, why: (u32, &str)) {
        self.begin_record(key, db, false, false);
        self.seedings.end(self.now, (key, db, false), Some(why));
    }

    fn seeding_in(&mut self, key: PartnerKey, db: &DbName) -> Option<&mut SeedIn> {
        match &mut self.partners.get_mut(&key)?.ins.get_mut(db)?.state {
            InState::Seeding(seeding) => Some(seeding),
            _ => None,
        }
    }

    fn seeding_partner(&self, db: &DbName) -> Option<PartnerKey> {
        let seeds =
            |p: &&super::Partner| matches!(p.ins.get(db).map(|s| &s.state), Some(InState::Seeding(_)));
        self.partners.values().find(seeds).map(|p| p.spec.key)
    }

    pub(super) fn seed_chunk(&mut self, key: PartnerKey, db: &DbName, seed: u64, chunk: u64, bytes: Vec<u8>) {
        let Some(seeding) = self.seeding_in(key, db).filter(|s| s.seed == seed && s.next == chunk) else {
            return;
        };
        seeding.next += 1;
        let number = seeding.number;
        if let Some(record) = self.seedings.current(key, db, false) {
            record.bytes_moved += bytes.len() as u64;
        }
        self.effects.push(Effect::SeedWrite { db: db.clone(), seeding: number, chunk, bytes });
    }

    pub(super) fn seed_written(&mut self, db: &DbName, number: u64, chunk: u64) {
        let Some(key) = self.seeding_partner(db) else { return };
        let conn = self.partners.get(&key).and_then(super::Partner::conn);
        let is_next = |s: &&mut SeedIn| s.number == number && s.written == chunk;
        let Some(seeding) = self.seeding_in(key, db).filter(is_next) else { return };
        seeding.written += 1;
        let (seed, chunks) = (seeding.seed, seeding.written);
        if let Some(conn) = conn {
            self.send(conn, Message::SeedAck { db: db.clone(), seed, chunks });
        }
        self.finish_seed(key, db);
    }

    pub(super) fn seed_ends(&mut self, key: PartnerKey, db: &DbName, seed: u64) {
        if let Some(seeding) = self.seeding_in(key, db).filter(|s| s.seed == seed) {
            seeding.ended = true;
            self.finish_seed(key, db);
        }
    }

    fn finish_seed(&mut self, key: PartnerKey, db: &DbName) {
        let Some(seeding) = self.seeding_in(key, db) else { return };
        if seeding.ended && seeding.written == seeding.next && !seeding.finishing {
            seeding.finishing = true;
            if let Some(database) = self.databases.get_mut(db) {
                (database.awaited, database.finishing) = (database.awaited + 1, true);
            }
            self.effects.push(Effect::SeedFinish { db: db.clone() });
        }
    }

    /// A copy has changed: perhaps because it has just been written.
    pub(super) fn seed_finished(&mut self, db: &DbName) {
        let Some(key) = self.seeding_partner(db) else { return };
        let finished = self.seeding_in(key, db).is_some_and(|s| s.finishing) && self.local(db).is_some();
        if finished {
            self.seedings.end(self.now, (key, db, false), None);
            self.ask(key, db);
        }
    }

    pub(super) fn seed_write_failed(&mut self, db: &DbName, failure: &Failure) {
        if let Some(database) = self.databases.get_mut(db).filter(|d| d.finishing) {
            (database.awaited, database.finishing) = (database.awaited.saturating_sub(1), false);
        }
        let Some(key) = self.seeding_partner(db) else { return };
        let conn = self.partners.get(&key).and_then(super::Partner::conn);
        let Some(seed) = self.seeding_in(key, db).map(|s| s.seed) else { return };
        let text = failure.to_string();
        self.effects.push(Effect::SeedDiscard { db: db.clone() });
        self.seedings.end(self.now, (key, db, false), Some((19496, &text)));
        if let Some(conn) = conn {
            self.send(conn, Message::SeedAbort { db: db.clone(), seed, number: 19496, text: text.clone() });
        }
        self.fail_in(key, db, 19496, format!("seeding has failed: {text}"));
    }

    pub(super) fn abandon_seed(&mut self, db: &DbName, number: u32, text: &str) {
        let records = self.seedings.records.iter_mut().rev();
        for record in records.filter(|r| r.db == *db && !r.is_source && r.ended.is_none()) {
            record.state = SeedState::Failed;
            record.failure = Some((number, text.to_owned()));
            record.ended = Some(self.now);
        }
        self.effects.push(Effect::SeedDiscard { db: db.clone() });
    }

    pub(super) fn seed_failed_here(&mut self, key: PartnerKey, db: &DbName, number: u32, text: &str) {
        let records = self.seedings.records.iter_mut().rev();
        if let Some(record) = { records }.find(|r| r.partner == key && r.db == *db && !r.is_source) {
            record.state = SeedState::Failed;
            record.failure = Some((number, text.to_owned()));
        }
    }

    /// From either side: it has failed there.
    pub(super) fn seed_aborted(&mut self, key: PartnerKey, db: &DbName, seed: u64, number: u32, text: &str) {
        // Both sides count their own: whoever waits for a copy is told of that one.
        let receives =
            matches!(self.in_state(key, db), Some(InState::SeedWanted { .. } | InState::Seeding(_)));
        if !receives && self.seeds.get(&seed).is_some_and(|o| o.partner == key && o.db == *db) {
            self.seeds.remove(&seed);
            self.seedings.end(self.now, (key, db, true), Some((number, text)));
            self.effects.push(Effect::SeedClose { seed });
            return;
        }
        let conn = self.partners.get(&key).and_then(super::Partner::conn);
        match self.in_state(key, db).cloned() {
            Some(InState::SeedWanted { since: Some(_), noted }) if number == 1408 => {
                self.seedings.end(self.now, (key, db, false), Some((number, text)));
                if let Some(conn) = conn {
                    self.want_seed(key, conn, db, None, Vec::new(), noted);
                }
            }
            Some(InState::Seeding(seeding)) if seeding.seed == seed => {
                self.abandon_seed(db, number, text);
                self.fail_in(key, db, number, format!("seeding has failed at the primary: {text}"));
            }
            Some(InState::SeedWanted { .. }) => {
                self.seedings.end(self.now, (key, db, false), Some((number, text)));
                self.fail_in(key, db, number, format!("seeding has failed at the primary: {text}"));
            }
            _ => {}
        }
    }
}
