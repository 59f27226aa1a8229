//! Log on its way here: from a peer that is primary.
//!
//! What is done with a database is decided when the peer says what it has:
//!
//! | this side has | then |
//! |---|---|
//! | no copy | the peer is asked for one (seeding) |
//! | a copy whose log is a part of the peer's, which still reaches back to its end | it follows |
//! | the same, but the peer's log does not reach back | it is seeded anew |
//! | a copy with log of its own behind a fork point | what only it has is noted, then it is rewound: pages changed since |
//! | a copy on a fork of its own that nothing was written to, where the peer's log goes on with an older one | the same |
//! | a copy that never was the same database | nothing; somebody must decide |

use std::collections::BTreeSet;

use lab_store::{Lsn, common_point};

use super::seeding::SeedIn;
use super::{ConnId, Effect, Failure, Mode, Node, PartnerKey, Tick};
use crate::wire::{Message, PageRange, PrimaryState, Progress};
use crate::{DbName, SeedingMode};

/// After a failure it is tried again.
const RETRY_MS: u64 = 5_000;
/// SQL Server's number for a database that exists already.
const NAME_TAKEN: u32 = 1801;

/// Log of one database on its way here.
#[derive(Debug)]
pub(super) struct InStream {
    pub(super) state: InState,
    /// What the primary said last beside the log.
    pub(super) primary: PrimaryState,
    /// What the primary was told last.
    told: Option<Progress>,
    /// This side's own log is kept from there on, for the day on which the primary follows it.
    pinned: Lsn,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum InState {
    /// The peer was asked what it has.
    Asking,
    /// SET HADR SUSPEND.
    Suspended,
    /// What only this side has is being noted.
    ReadingFork { since: Lsn },
    /// The peer was asked for a copy; with a position, for what rewinds this one. What only this side has behind
    /// `noted` was noted before, as far as its log tells.
    SeedWanted { since: Option<Lsn>, noted: Option<Lsn> },
    /// A copy is coming in.
    Seeding(SeedIn),
    /// Log is coming in; the next record will stand there.
    Following { conn: ConnId, next: Lsn },
    /// Why nothing moves, by an error's number and text, and when it is tried again.
    Failed { number: u32, why: String, retry_at: Option<Tick> },
}

impl Node {
    pub(super) fn settle_secondary(&mut self, key: PartnerKey) {
        self.drop_outs(key);
        let Some(partner) = self.partners.get(&key) else { return };
        let Some(peer) = &partner.peer else { return };
        let names: Vec<DbName> =
            peer.databases.iter().filter(|d| d.copy.is_some()).map(|d| d.name.clone()).collect();
        // What the primary has taken out of its group is not followed any more, or it would be shown as healthy for ever; it
        // stays in this side's group until somebody takes it out here. When the primary has it again, it is decided anew.
        let there: Vec<DbName> = peer.databases.iter().map(|d| d.name.clone()).collect();
        if let Some(partner) = self.partners.get_mut(&key) {
            partner.ins.retain(|db, stream| {
                there.contains(db) || !matches!(stream.state, InState::Following { .. })
            });
        }
        for db in names {
            self.settle_in(key, &db);
        }
    }

    fn settle_in(&mut self, key: PartnerKey, db: &DbName) {
        let suspended = self.is_suspended(db);
        let Some(partner) = self.partners.get_mut(&key) else { return };
        let Some(conn) = partner.conn() else { return };
        let state = partner.ins.get(db).map(|s| s.state.clone());
        match state {
            Some(InState::Following { .. }) if suspended => {
                self.set_in(key, db, InState::Suspended);
                let text = "data movement has been suspended".to_owned();
                self.send(conn, Message::Unsubscribe { db: db.clone(), number: 35264, text });
            }
            Some(InState::Suspended) if !suspended => self.ask(key, db),
            Some(InState::Following { .. }) => self.keep_following(key, conn, db),
            None if suspended => self.set_in(key, db, InState::Suspended),
            // What it said before may be older than what this side has received from it since.
            None if !partner.peer_is_fresh => self.ask(key, db),
            None => self.decide(key, conn, db),
            Some(
                InState::Asking
                | InState::Suspended
                | InState::ReadingFork { .. }
                | InState::SeedWanted { .. }
                | InState::Seeding(_)
                | InState::Failed { .. },
            ) => {}
        }
    }

    /// The peer has said what it has, after it was asked.
    pub(super) fn answered(&mut self, key: PartnerKey) {
        if let Some(partner) = self.partners.get_mut(&key) {
            partner.ins.retain(|_, stream| stream.state != InState::Asking);
        }
    }

    /// Lets it be decided anew: by what the peer has now, not by what it said once.
    pub(super) fn ask(&mut self, key: PartnerKey, db: &DbName) {
        let Some(conn) = self.partners.get(&key).and_then(super::Partner::conn) else { return };
        self.set_in(key, db, InState::Asking);
        self.send(conn, Message::Resync);
    }

    pub(super) fn set_in(&mut self, key: PartnerKey, db: &DbName, state: InState) {
        let Some(partner) = self.partners.get_mut(&key) else { return };
        match partner.ins.get_mut(db) {
            Some(stream) => stream.state = state,
            None => {
                let stream = InStream { state, primary: PrimaryState::default(), told: None, pinned: Lsn(0) };
                partner.ins.insert(db.clone(), stream);
            }
        }
    }

    pub(super) fn in_state(&self, key: PartnerKey, db: &DbName) -> Option<&InState> {
        self.partners.get(&key)?.ins.get(db).map(|s| &s.state)
    }

    pub(super) fn fail_in(&mut self, key: PartnerKey, db: &DbName, number: u32, why: String) {
        self.complain(key, db, (number, &why));
        let retry_at = Some(self.now.after(RETRY_MS));
        self.set_in(key, db, InState::Failed { number, why, retry_at });
    }

    /// Says why nothing moves, once: it is tried again every few seconds.
    fn complain(&mut self, key: PartnerKey, db: &DbName, (number, why): (u32, &str)) {
        let Some(partner) = self.partners.get_mut(&key) else { return };
        let said = (number, why.to_owned());
        if partner.complained.insert(db.clone(), said.clone()) != Some(said) {
            self.report(number, format!("Always On: the database '{db}' does not follow: {why}"));
        }
    }

    fn decide(&mut self, key: PartnerKey, conn: ConnId, db: &DbName) {
        let Some(partner) = self.partners.get(&key) else { return };
        let Some(theirs) = partner.theirs(db).cloned() else { return };
        if self.is_uncertain(db) {
            return;
        }
        if partner.peer_format > self.config.format {
            let why = "the primary's database format is newer than this instance's".to_owned();
            return self.fail_in(key, db, 41984, why);
        }
        let automatic = partner.spec.seeding_mode == SeedingMode::Automatic;
        let may_create = partner.spec.may_create && automatic;
        let Some(local) = self.local(db) else {
            if may_create && self.outsiders.contains(db) {
                return self.leave_outside(key, db);
            }
            return if may_create && self.is_fed_by_another(key, db) {
                self.fail_in(
                    key,
                    db,
                    35250,
                    "it is seeded by the primary of another group already".to_owned(),
                );
            } else if may_create {
                self.want_seed(key, conn, db, None, Vec::new(), None);
            } else {
                let why = "it is not here, and CREATE ANY DATABASE was not granted to the group, or seeding is manual";
                self.fail_in(key, db, 19506, why.to_owned());
            };
        };
        if local.mode == Mode::Primary {
            // Not yet: its writers are just being stopped.
            return;
        }
        let mine = local.copy.clone();
        if self.is_fed_by_another(key, db) {
            // Two primaries of two groups: whichever came first is followed, or the copy would be torn between them.
            let why = "it follows the primary of another group already";
            return self.fail_in(key, db, 35250, why.to_owned());
        }
        let goes_on = mine.history.can_go_on_with(&theirs.history);
        match common_point(&mine.history, &theirs.history).map(|c| c.lsn) {
            Some(common) if goes_on && theirs.log_start <= common => {
                if let Some(partner) = self.partners.get_mut(&key) {
                    partner.complained.remove(db);
                }
                self.set_in(key, db, InState::Following { conn, next: common });
                self.enter_fork(db, &theirs.history, &mine.history);
                self.send(conn, Message::Subscribe { db: db.clone(), from: common });
                self.tell_progress(key, conn, db);
            }
            Some(_) if goes_on => {
                self.want_whole_seed(
                    key,
                    conn,
                    db,
                    (automatic, None),
                    "the primary's log does not reach back to its end",
                );
            }
            Some(_) if goes_beyond(&mine.history, &theirs.history) => {
                // No fork parts them: the primary is behind, as a forwarder may be, and has to catch up. Nothing is thrown
                // away for that.
                let why = "its log goes on where the primary's ends, and no fork began there";
                self.fail_in(key, db, 35265, why.to_owned());
            }
            Some(since) => {
                self.set_in(key, db, InState::ReadingFork { since });
                let other = theirs.history;
                self.effects.push(Effect::ReadFork { db: db.clone(), since, other });
            }
            None if mine.history.first_fork() == theirs.history.first_fork() => {
                let why = "it has no log in common with the primary's";
                self.want_whole_seed(key, conn, db, (automatic, Some(Lsn(0))), why);
            }
            None => {
                let why = "it is another database of the same name, which was never a copy of the primary's";
                self.fail_in(key, db, 1408, why.to_owned());
            }
        }
    }

    /// A database of that name is here, which is in no group: one that SET HADR OFF has taken out, or that was restored. It
    /// stays as it is until somebody lets it join, wants seeding anew, or drops it.
    fn leave_outside(&mut self, key: PartnerKey, db: &DbName) {
        let why = "a database of that name already exists here, and is in no availability group".to_owned();
        self.complain(key, db, (35262, &why));
        self.seed_not_begun(key, db, (NAME_TAKEN, &why));
        self.set_in(key, db, InState::Failed { number: NAME_TAKEN, why, retry_at: None });
    }

    /// Databases have come into being, gone, or come into groups or out of them.
    pub(super) fn outsiders_changed(&mut self, names: BTreeSet<DbName>) {
        let before = std::mem::replace(&mut self.outsiders, names);
        let now = self.now;
        for partner in self.partners.values_mut() {
            for db in before.difference(&self.outsiders) {
                if let Some(InState::Failed { number: NAME_TAKEN, retry_at, .. }) =
                    partner.ins.get_mut(db).map(|s| &mut s.state)
                {
                    *retry_at = Some(now);
                }
            }
        }
    }

    fn is_fed_by_another(&self, key: PartnerKey, db: &DbName) -> bool {
        self.partners.iter().filter(|(other, _)| **other != key).any(|(_, p)| {
            match p.ins.get(db).map(|s| &s.state) {
                Some(
                    InState::Following { .. }
                    | InState::ReadingFork { .. }
                    | InState::SeedWanted { .. }
                    | InState::Seeding(_),
                ) => true,
                Some(InState::Asking | InState::Suspended | InState::Failed { .. }) | None => false,
            }
        })
    }

    fn want_whole_seed(
        &mut self,
        key: PartnerKey,
        conn: ConnId,
        db: &DbName,
        (automatic, noted): (bool, Option<Lsn>),
        why: &str,
    ) {
        if automatic {
            self.report(35278, format!("Always On: the database '{db}' is seeded anew: {why}"));
            self.want_seed(key, conn, db, None, Vec::new(), noted);
        } else {
            self.fail_in(key, db, 1408, format!("{why}, and seeding is manual"));
        }
    }

    fn enter_fork(&mut self, db: &DbName, theirs: &crate::History, mine: &crate::History) {
        let forks = (theirs.forks.clone(), theirs.fork);
        let Some(database) = self.databases.get_mut(db) else { return };
        let entered = database.entered.clone().unwrap_or((mine.forks.clone(), mine.fork));
        if entered != forks {
            database.entered = Some(forks);
            database.awaited += 1;
            self.effects.push(Effect::EnterFork { db: db.clone(), history: theirs.clone() });
        }
    }

    /// Where this side's log ends, or what copy there is, is not known yet. What is to be decided waits for that.
    pub(super) fn is_uncertain(&self, db: &DbName) -> bool {
        self.databases.get(db).is_some_and(|d| d.appending > 0 || d.awaited > 0)
    }

    /// The primary may have begun a new fork behind what this side has.
    fn keep_following(&mut self, key: PartnerKey, conn: ConnId, db: &DbName) {
        let Some(theirs) = self.partners.get(&key).and_then(|p| p.theirs(db)).cloned() else { return };
        let Some(mine) = self.local(db).map(|l| l.copy.history.clone()) else { return };
        if self.is_uncertain(db) {
            return;
        }
        if theirs.history.fork == mine.fork && theirs.history.forks == mine.forks {
            return;
        }
        if mine.can_go_on_with(&theirs.history) {
            self.enter_fork(db, &theirs.history, &mine);
        } else {
            let text = "the primary has begun a fork before the end of this copy".to_owned();
            self.send(conn, Message::Unsubscribe { db: db.clone(), number: 35285, text });
            self.ask(key, db);
        }
    }

    pub(super) fn fork_read(&mut self, db: &DbName, since: Lsn, pages: Result<Vec<PageRange>, Failure>) {
        for key in self.keys() {
            if self.in_state(key, db) != Some(&InState::ReadingFork { since }) {
                continue;
            }
            let Some(partner) = self.partners.get(&key) else { continue };
            let Some(conn) = partner.conn() else { continue };
            let automatic = partner.spec.seeding_mode == SeedingMode::Automatic;
            match &pages {
                Ok(pages) => {
                    self.report(
                        35285,
                        format!(
                            "The recovery LSN {} was identified for the database '{db}': it is rewound to there.",
                            since.hex()
                        ),
                    );
                    self.want_seed(key, conn, db, Some(since), pages.clone(), Some(since));
                }
                Err(Failure::LogGone) => {
                    let why = "its log does not reach back to where it parted from the primary's";
                    self.want_whole_seed(key, conn, db, (automatic, Some(Lsn(0))), why);
                }
                Err(failure) => self.fail_in(key, db, 35265, failure.to_string()),
            }
        }
    }

    pub(super) fn log(&mut self, key: PartnerKey, conn: ConnId, db: &DbName, from: Lsn, mut bytes: Vec<u8>) {
        let Some(stream) = self.partners.get_mut(&key).and_then(|p| p.ins.get_mut(db)) else { return };
        let end = Lsn(from.0.saturating_add(bytes.len() as u64));
        // Anything else was on its way when this side asked for another place, or for none. What was on its way and goes
        // on here is as good, but then what was asked for comes, too, and begins before that.
        if let InState::Following { conn: on, next } = &mut stream.state
            && *on == conn
            && (from..end).contains(next)
        {
            bytes.drain(..(next.0 - from.0) as usize);
            *next = end;
            if let Some(database) = self.databases.get_mut(db) {
                database.appending += 1;
            }
            self.effects.push(Effect::Append { db: db.clone(), bytes });
        }
    }

    pub(super) fn appended(&mut self, db: &DbName, end: Lsn, end_time: i64) {
        if let Some(local) = self.local_mut(db) {
            local.end_time = local.end_time.max(end_time);
        }
        self.grows(db, end);
        self.append_ended(db);
    }

    /// If it was the last one, what had to wait for the end of the log to be known goes on.
    fn append_ended(&mut self, db: &DbName) {
        let Some(database) = self.databases.get_mut(db) else { return };
        database.appending = database.appending.saturating_sub(1);
        if database.appending == 0 {
            self.settle_mode(db);
            for key in self.keys() {
                match self.in_state(key, db).cloned() {
                    None => self.settle_partner(key),
                    Some(InState::Following { conn, .. }) => self.keep_following(key, conn, db),
                    Some(_) => {}
                }
            }
        }
    }

    fn following(&self, db: &DbName) -> Vec<(PartnerKey, ConnId)> {
        let follows = |p: &super::Partner| match p.ins.get(db).map(|s| &s.state) {
            Some(InState::Following { conn, .. }) => Some((p.spec.key, *conn)),
            _ => None,
        };
        self.partners.values().filter_map(follows).collect()
    }

    pub(super) fn append_failed(&mut self, db: &DbName, failure: &Failure) {
        for (key, conn) in self.following(db) {
            let text = format!("the log cannot be hardened: {failure}");
            self.send(conn, Message::Unsubscribe { db: db.clone(), number: 35288, text: text.clone() });
            self.fail_in(key, db, 35288, text);
        }
        self.append_ended(db);
    }

    pub(super) fn redo_failed(&mut self, db: &DbName, failure: &Failure) {
        for (key, conn) in self.following(db) {
            let text = format!("redo has failed: {failure}");
            self.send(conn, Message::Unsubscribe { db: db.clone(), number: 35264, text: text.clone() });
            self.fail_in(key, db, 35264, text);
        }
    }

    pub(super) fn redone(&mut self, db: &DbName, redone: Lsn, time: i64) {
        let Some(local) = self.local_mut(db) else { return };
        local.copy.redone = local.copy.redone.max(redone);
        local.redone_time = local.redone_time.max(time);
        if self.databases.get(db).and_then(|d| d.spec).is_some_and(|s| s.writable) {
            self.settle_mode(db);
        }
    }

    /// Log is durable here: the primary may have been waiting for that.
    pub(super) fn acknowledge(&mut self, db: &DbName) {
        for (key, conn) in self.following(db) {
            self.tell_progress(key, conn, db);
            self.move_pin(key, db);
        }
    }

    /// Should the roles change, the primary has at least what came from it: it will need what comes behind that.
    fn move_pin(&mut self, key: PartnerKey, db: &DbName) {
        let step = self.pin_step_bytes;
        let Some(hardened) = self.local(db).map(|l| l.copy.hardened) else { return };
        let Some(stream) = self.partners.get_mut(&key).and_then(|p| p.ins.get_mut(db)) else { return };
        if hardened.0 >= stream.pinned.0.saturating_add(step) {
            stream.pinned = hardened;
            self.effects.push(Effect::Pin { db: db.clone(), partner: key, from: Some(hardened) });
        }
    }

    fn tell_progress(&mut self, key: PartnerKey, conn: ConnId, db: &DbName) {
        let Some(local) = self.local(db) else { return };
        let progress = Progress {
            received: local.copy.history.end,
            hardened: local.copy.hardened,
            redone: local.copy.redone,
            redone_time: local.redone_time,
        };
        let Some(stream) = self.partners.get_mut(&key).and_then(|p| p.ins.get_mut(db)) else { return };
        if stream.told != Some(progress) {
            stream.told = Some(progress);
            self.send(conn, Message::Progress { db: db.clone(), progress });
        }
    }

    pub(super) fn primary_said(&mut self, key: PartnerKey, db: &DbName, state: PrimaryState) {
        let Some(stream) = self.partners.get_mut(&key).and_then(|p| p.ins.get_mut(db)) else { return };
        let before = std::mem::replace(&mut stream.primary, state);
        if (before.backed_up, before.full_backup) != (state.backed_up, state.full_backup) {
            let (backed_up, full_backup) = (state.backed_up, state.full_backup);
            if let Some(local) = self.local_mut(db) {
                (local.backed_up, local.full_backup) = (backed_up, full_backup);
            }
            self.effects.push(Effect::FollowBackups { db: db.clone(), backed_up, full_backup });
        }
    }

    /// From either side: that side sends, or receives, no more.
    pub(super) fn unsubscribed(&mut self, key: PartnerKey, db: &DbName, number: u32, text: &str) {
        self.drop_out(key, db);
        let Some(InState::Following { conn, .. }) = self.in_state(key, db) else { return };
        let conn = *conn;
        let automatic =
            self.partners.get(&key).is_some_and(|p| p.spec.seeding_mode == SeedingMode::Automatic);
        match number {
            1408 => self.want_whole_seed(key, conn, db, (automatic, None), text),
            1412 => {
                self.seed_failed_here(key, db, number, text);
                // Only a new beginning helps: as the documents say, the link is deleted and created again.
                self.set_in(key, db, InState::Failed { number, why: text.to_owned(), retry_at: None });
            }
            _ => self.fail_in(key, db, number, text.to_owned()),
        }
    }

    /// The copy is another one than the one that followed.
    pub(super) fn stop_following(&mut self, db: &DbName) {
        for (key, conn) in self.following(db) {
            let text = format!("the copy of the database '{db}' was replaced");
            self.send(conn, Message::Unsubscribe { db: db.clone(), number: 35285, text });
            self.ask(key, db);
        }
    }

    /// There is another copy, perhaps one that somebody has restored: what has failed may go well now.
    pub(super) fn reconsider(&mut self, db: &DbName) {
        let now = self.now;
        for partner in self.partners.values_mut() {
            if let Some(InState::Failed { retry_at, .. }) = partner.ins.get_mut(db).map(|s| &mut s.state) {
                *retry_at = Some(retry_at.map_or(now, |at| at.min(now)));
            }
        }
    }

    pub(super) fn tend_ins(&mut self, key: PartnerKey) {
        let Some(partner) = self.partners.get(&key) else { return };
        let now = self.now;
        let states: Vec<(DbName, InState)> =
            partner.ins.iter().map(|(db, s)| (db.clone(), s.state.clone())).collect();
        for (db, state) in states {
            match state {
                InState::Following { conn, .. } => self.tell_progress(key, conn, &db),
                InState::Failed { retry_at: Some(at), .. } if at <= now => self.ask(key, &db),
                InState::Asking
                | InState::Suspended
                | InState::ReadingFork { .. }
                | InState::SeedWanted { .. }
                | InState::Seeding(_)
                | InState::Failed { .. } => {}
            }
        }
    }

    /// A copy may be gone: SET HADR OFF takes it out of its group. It may come back, and goes on then where it stood.
    pub(super) fn stop_ins_without_copy(&mut self, db: &DbName) {
        if self.local(db).is_some() {
            return;
        }
        for (key, conn) in self.following(db) {
            let text = "it is not in the group any more".to_owned();
            self.send(conn, Message::Unsubscribe { db: db.clone(), number: 35264, text });
            if let Some(partner) = self.partners.get_mut(&key) {
                partner.ins.remove(db);
            }
        }
    }

    /// No log comes in by this partner any more.
    pub(super) fn drop_ins(&mut self, key: PartnerKey) {
        let Some(partner) = self.partners.get_mut(&key) else { return };
        let dropped = std::mem::take(&mut partner.ins);
        for (db, stream) in dropped {
            if let InState::Seeding(_) | InState::SeedWanted { .. } = stream.state {
                self.abandon_seed(&db, 35206, "the connection with the primary replica was lost");
            }
        }
    }
}

/// Whether this log goes on where the other one ends, on the same fork.
pub(super) fn goes_beyond(mine: &crate::History, theirs: &crate::History) -> bool {
    common_point(mine, theirs).map(|c| c.lsn) == Some(theirs.end)
        && theirs.end < mine.end
        && mine.fork_at(theirs.end) == theirs.fork
}
