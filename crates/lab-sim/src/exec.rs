//! The driver: what a node wants is carried out on the simulated disk and network.

use lab_hadr::{
    Access, DbName, Effect, Event, Failure, GroupId, Message, Mode, PageRange, PartnerKey, Role, SeedBegin,
};
use lab_store::{History, Lsn, PageMap, checksum};

use crate::Planted;
use crate::copy::SimCopy;
use crate::world::{Happening, Reading, World, Writing};

impl World {
    /// Carries an effect out, or begins to.
    pub(crate) fn carry_out(&mut self, i: usize, effect: Effect) {
        self.effects_note(i, &effect);
        self.counts.add("effects");
        match effect {
            Effect::Dial { partner } => {
                let wait = self.options.latency_us + self.dice.below(self.options.latency_us * 2);
                let life = self.instances[i].life;
                self.at(wait, Happening::Dialed { i, life, key: partner });
            }
            Effect::Close { conn, .. } => self.close(i, conn),
            Effect::Send { conn, message } => {
                if matches!(message, Message::Handover { .. }) {
                    self.counts.add("handovers offered");
                }
                self.send(i, conn, message.encode());
            }
            Effect::Ship { conn, db, from, .. } => {
                let life = self.instances[i].life;
                let wait = self.dice.below(self.options.latency_us);
                self.at(wait, Happening::Ship { i, life, conn, db, from });
            }
            Effect::Append { db, bytes } => self.append(i, &db, bytes),
            Effect::Redo { db } => self.begin_redo(i, &db),
            Effect::EnterFork { db, history } => self.enter_fork(i, &db, &history),
            Effect::Hold { db, to, mark } => self.hold(i, &db, to, mark),
            Effect::Demote { db } => self.demote(i, &db),
            Effect::Promote { db } => self.promote(i, &db),
            Effect::SetAccess { db, access } => {
                if let Some(copy) = self.instances[i].copies.get_mut(&db) {
                    copy.access = access;
                }
                if access != Access::Primary {
                    self.lose_clients(i, Some(&db));
                }
            }
            Effect::Pin { db, partner, from } => {
                match from {
                    Some(from) => self.instances[i].pins.insert((db, partner), from),
                    None => self.instances[i].pins.remove(&(db, partner)),
                };
            }
            Effect::FollowBackups { db, backed_up, full_backup } => {
                if let Some(copy) = self.instances[i].copies.get_mut(&db) {
                    if copy.control.mode == Mode::Primary {
                        return self.broken(format!("the primary copy of {db} is to follow backups"));
                    }
                    (copy.control.backed_up, copy.control.full_backup) = (backed_up, full_backup);
                }
            }
            Effect::ReadFork { db, since, other } => self.read_fork(i, &db, since, &other),
            Effect::SeedOpen { seed, db, since, pages } => self.seed_open(i, seed, &db, since, &pages),
            Effect::SeedRead { seed } => self.seed_read(i, seed),
            Effect::SeedClose { seed } => {
                self.instances[i].readings.remove(&seed);
            }
            Effect::SeedCreate { db, begin, rewind, .. } => self.seed_create(i, db, &begin, rewind),
            Effect::SeedWrite { db, seeding, chunk, bytes } => {
                self.seed_write(i, db, (seeding, chunk), &bytes);
            }
            Effect::SeedFinish { db } => self.seed_finish(i, &db),
            Effect::SeedDiscard { db } => {
                self.instances[i].writings.remove(&db);
            }
            Effect::SetRole { group, role } => self.set_role(i, group, role),
            // Its instances know all groups from the start.
            Effect::Offered { .. } | Effect::Adopt { .. } | Effect::JoinOutsider { .. } => {}
            Effect::FailoverDone { group, result } => self.failover_done(i, group, result),
            Effect::Report { .. } => self.counts.add("reports"),
        }
    }

    pub(crate) fn copy_mut(&mut self, i: usize, db: &DbName) -> Option<&mut SimCopy> {
        self.instances[i].copies.get_mut(db)
    }

    // The log.

    /// A sync begins, if there is something to sync and none is under way.
    pub(crate) fn harden(&mut self, i: usize, db: &DbName) {
        let wait = self.sync_time(i);
        let life = self.instances[i].life;
        let Some(copy) = self.copy_mut(i, db).filter(|c| !c.syncing && c.end() > c.believed) else { return };
        copy.syncing = true;
        let (generation, to) = (copy.generation, copy.end());
        self.at(wait, Happening::Synced { i, life, db: db.clone(), generation, to });
    }

    /// A sync has ended.
    pub(crate) fn synced(&mut self, i: usize, db: &DbName, generation: u64, to: Lsn) {
        let lie = self.has(Planted::NoSecondarySync);
        let too_far = self.has(Planted::HardenedOneTooFar);
        let Some(copy) = self.copy_mut(i, db).filter(|c| c.generation == generation) else { return };
        copy.syncing = false;
        let secondary = copy.control.mode == Mode::Secondary;
        let mut told = to.max(copy.believed);
        if secondary && too_far {
            told = copy.content.iter().find(|e| e.lsn == told).map_or(told, |e| e.end);
        }
        copy.believed = copy.believed.max(to);
        if !(secondary && lie) {
            self.is_durable(i, db, to);
        }
        self.tell_hardened(i, db, told);
        self.answer_clients(i, db);
        self.harden(i, db);
        if self.has(Planted::RedoPastHardened) {
            self.begin_redo(i, db);
        }
    }

    pub(crate) fn tell_hardened(&mut self, i: usize, db: &DbName, lsn: Lsn) {
        let Some(copy) = self.instances[i].copies.get(db) else { return };
        let end_time = copy.content.last().map_or(0, |e| e.id);
        self.tell(i, Event::Hardened { db: db.clone(), lsn, end_time });
    }

    /// The log is durable up to there.
    pub(crate) fn is_durable(&mut self, i: usize, db: &DbName, to: Lsn) {
        let Some(copy) = self.instances[i].copies.get_mut(db) else { return };
        let from = copy.synced;
        copy.synced = copy.synced.max(to);
        copy.believed = copy.believed.max(to);
        let new =
            copy.content.iter().rev().take_while(|e| e.end > from).filter(|e| e.end <= to).map(|e| e.id);
        self.truth.durable.entry(i).or_default().extend(new);
    }

    /// Everything is synced now, and nobody waits for it.
    pub(crate) fn harden_all(&mut self, i: usize, db: &DbName) {
        if let Some(end) = self.copy_mut(i, db).map(|c| c.end()) {
            self.is_durable(i, db, end);
        }
    }

    pub(crate) fn ship(&mut self, i: usize, conn: lab_hadr::ConnId, db: &DbName, from: Lsn) {
        let max = self.options.ship_bytes;
        let early = self.has(Planted::ShipUnhardened);
        let read = self.copy_mut(i, db).map(|copy| {
            let to = if early { copy.end() } else { copy.believed };
            (copy.log_start, copy.seeded_at <= from, copy.read(from, to, max))
        });
        let failure = match read {
            Some((_, _, Some(bytes))) => {
                let to = Lsn(from.0 + bytes.len() as u64);
                self.send(i, conn, Message::Log { db: db.clone(), from, bytes }.encode());
                return self.tell(i, Event::Shipped { conn, db: db.clone(), to });
            }
            Some((start, had, None)) => {
                self.counts.add("log gone when shipping");
                let pinned = self.instances[i].pins.iter().filter(|((name, _), _)| name == db);
                if let Some(((_, partner), pin)) = pinned.min_by_key(|(_, pin)| **pin)
                    && *pin <= from
                    && start > from
                    && had
                    && self.net.find(i, conn).is_some()
                {
                    let text = format!(
                        "log of {db} from {} is to be shipped, it is pinned from {} for {partner:?} and begins at {}",
                        from.0, pin.0, start.0
                    );
                    self.broken(text);
                }
                Failure::LogGone
            }
            None => Failure::Store("it is not here".to_owned()),
        };
        self.tell(i, Event::ShipFailed { conn, db: db.clone(), failure });
    }

    fn append(&mut self, i: usize, db: &DbName, mut bytes: Vec<u8>) {
        let full = self.instances[i].full_until > self.now;
        if std::mem::take(&mut self.instances[i].flip_next) {
            self.counts.add("bits flipped in received log");
            let at = self.dice.below(bytes.len() as u64) as usize;
            let bit = self.dice.below(8);
            bytes.get_mut(at).into_iter().for_each(|b| *b ^= 1 << bit);
        }
        let look = !self.has(Planted::NoRecordChecksum);
        let Some(copy) = self.instances[i].copies.get_mut(db) else {
            let failure = Failure::Store("it is not here".to_owned());
            return self.tell(i, Event::AppendFailed { db: db.clone(), failure });
        };
        if copy.control.mode == Mode::Primary {
            return self.broken(format!("received log is to be appended to the primary copy of {db}"));
        }
        if full {
            self.counts.add("appends without room");
            let failure = Failure::Full("There is not enough space on the disk".to_owned());
            return self.tell(i, Event::AppendFailed { db: db.clone(), failure });
        }
        match copy.append(&bytes, look) {
            Ok(entries) => {
                let (end, time) = (copy.end(), entries.last().map_or(0, |e| e.id));
                self.counts.add("appends");
                self.check_received(i, db, &entries);
                let ids: Vec<i64> = entries.iter().map(|e| e.id).collect();
                self.check_durable_elsewhere(i, db, &ids);
                self.tell(i, Event::Appended { db: db.clone(), end, end_time: time });
                self.harden(i, db);
            }
            Err(why) => {
                self.counts.add("appends refused");
                self.note(|_| why.clone());
                self.tell(i, Event::AppendFailed { db: db.clone(), failure: Failure::Diverged(why) });
            }
        }
    }

    fn begin_redo(&mut self, i: usize, db: &DbName) {
        let wait = self.dice.below(self.options.redo_us);
        let life = self.instances[i].life;
        let Some(copy) = self.copy_mut(i, db).filter(|c| !c.redoing) else { return };
        copy.redoing = true;
        let generation = copy.generation;
        self.at(wait, Happening::Redo { i, life, db: db.clone(), generation });
    }

    /// Some records are redone.
    pub(crate) fn redo(&mut self, i: usize, db: &DbName, generation: u64) {
        let (past, lie) = (self.has(Planted::RedoPastHardened), self.has(Planted::PromoteWithoutRedo));
        let records = self.options.redo_records;
        let Some(copy) = self.instances[i].copies.get_mut(db) else { return };
        if copy.generation != generation || copy.control.mode == Mode::Primary {
            copy.redoing = false;
            return;
        }
        let to = if past { copy.end() } else { copy.believed };
        let done = copy.redo(records, to, &mut self.dice);
        copy.redoing = false;
        let (redone, time) = (copy.applied, copy.local().redone_time);
        let more = copy.applied < to;
        let told = if lie { to } else { redone };
        if let Err(why) = done {
            return self.broken(format!("{} cannot redo the log of {db}: {why}", self.instances[i].name));
        }
        self.counts.add("redo steps");
        self.tell(i, Event::Redone { db: db.clone(), redone: told, time });
        if more {
            self.begin_redo(i, db);
        }
    }

    // Modes, forks and roles.

    fn enter_fork(&mut self, i: usize, db: &DbName, theirs: &History) {
        let durable = self.becomes_durable(i);
        if self.instances[i].copies.get(db).is_some_and(|c| !c.told) {
            // The store that the node means is not there any more.
            return self.tell_copy(i, db);
        }
        self.check_fork(i, db, theirs);
        let Some(copy) = self.copy_mut(i, db) else { return };
        if copy.control.mode == Mode::Primary {
            return self.broken(format!("the primary copy of {db} is to enter a fork"));
        }
        if durable {
            copy.control.fork = theirs.fork;
            copy.control.forks.clone_from(&theirs.forks);
        }
        self.counts.add("forks entered");
        self.tell_copy(i, db);
    }

    fn hold(&mut self, i: usize, db: &DbName, to: Option<Lsn>, mark: u64) {
        let early = self.has(Planted::HeldTooEarly);
        let Some(copy) = self.copy_mut(i, db) else { return };
        copy.hold = to;
        let end = if early { copy.log_start } else { copy.end() };
        self.tell(i, Event::Held { db: db.clone(), mark, end });
        self.answer_clients(i, db);
    }

    fn demote(&mut self, i: usize, db: &DbName) {
        let (hardened, durable) = (self.becomes_durable(i), self.becomes_durable(i));
        if hardened && !self.has(Planted::DemoteWithoutHarden) {
            self.harden_all(i, db);
        }
        let forgets = self.has(Planted::DemoteNotDurable);
        let Some(copy) = self.copy_mut(i, db) else { return };
        if copy.control.mode == Mode::Secondary {
            return self.broken(format!("the secondary copy of {db} is to be demoted"));
        }
        // Of the two the log is first.
        if hardened && durable {
            copy.control.mode = Mode::Secondary;
            copy.mode_after_crash = forgets.then_some(Mode::Primary);
        }
        // Whoever still waits for an answer gets none from here.
        self.lose_clients(i, Some(db));
        self.counts.add("demotions");
        if self.has(Planted::DemoteWithoutHarden) {
            let Some(mut local) = self.instances[i].copies.get(db).map(SimCopy::local) else { return };
            local.copy.hardened = local.copy.history.end;
            self.harden(i, db);
            return self.tell(i, Event::Copy { db: db.clone(), copy: Some(local) });
        }
        self.tell_copy(i, db);
    }

    fn promote(&mut self, i: usize, db: &DbName) {
        let durable = self.becomes_durable(i);
        let Some(copy) = self.instances[i].copies.get(db) else { return };
        let (end, synced, applied) = (copy.end(), copy.believed, copy.applied);
        if copy.control.mode == Mode::Primary {
            return self.broken(format!("the primary copy of {db} is to be promoted"));
        }
        if (applied != end || synced != end) && !self.has(Planted::PromoteWithoutRedo) {
            return self.broken(format!(
                "{db} is to be promoted; its log ends at {}, is hardened up to {} and redone up to {}",
                end.0, synced.0, applied.0
            ));
        }
        self.check_promotion(i, db);
        let forced = self.instances[i].is_forced(db);
        let Some(copy) = self.instances[i].copies.get(db) else { return };
        let History { fork, mut forks, .. } = copy.history();
        if durable {
            let begun = if self.has(Planted::StaleFork) {
                fork
            } else {
                forks.push(lab_store::ForkPoint { fork, end });
                self.new_fork(Some((fork, end)), forced, i)
            };
            let forgets = self.has(Planted::PromoteNotDurable);
            let Some(copy) = self.copy_mut(i, db) else { return };
            copy.mode_after_crash = forgets.then_some(Mode::Secondary);
            (copy.control.fork, copy.control.forks, copy.control.mode) = (begun, forks, Mode::Primary);
            copy.restart_here();
        }
        self.counts.add(if forced { "forced promotions" } else { "planned promotions" });
        self.tell_copy(i, db);
    }

    fn set_role(&mut self, i: usize, group: GroupId, role: Role) {
        let durable = self.becomes_durable(i);
        let now = self.now;
        if self.has(Planted::RoleNotDurable) {
            let instance = &mut self.instances[i];
            instance.docs_after_crash.get_or_insert(instance.docs.clone());
        }
        let Some(doc) = self.instances[i].docs.group_mut(group) else { return };
        if durable {
            (doc.role, doc.role_at, doc.forced) = (role, now, false);
        }
        self.counts.add("roles set");
        self.tell_config(i);
    }

    fn failover_done(&mut self, i: usize, group: GroupId, result: Result<(), (u32, String)>) {
        self.instances[i].failovers.remove(&group);
        match result {
            Ok(()) => {
                self.counts.add("planned failovers done");
                self.check_failover(i, group);
            }
            Err(_) => self.counts.add("planned failovers refused"),
        }
    }

    /// What only this side has is noted.
    fn read_fork(&mut self, i: usize, db: &DbName, since: Lsn, other: &History) {
        let Some(copy) = self.instances[i].copies.get(db) else { return };
        let found = copy.since(since);
        // Pages that redo has not come to are another thing than their log says.
        let pages = copy.since(since.min(copy.applied)).map(|(_, pages)| pages);
        let pages = match (found, pages) {
            (Some((mut ids, _)), Some(mut pages)) => {
                if self.has(Planted::ForkReportMissesOne) {
                    ids.pop();
                }
                self.check_report(i, db, since, other, &ids);
                self.truth.reports.entry((i, db.clone())).or_default().extend(&ids);
                self.counts.add("forks read");
                if self.has(Planted::RewindMissesPage) {
                    pages.pop();
                }
                Ok(pages)
            }
            (None, _) | (_, None) => {
                self.counts.add("forks whose log is gone");
                Err(Failure::LogGone)
            }
        };
        let wait = self.sync_time(i);
        self.tell_later(wait, i, Event::ForkRead { db: db.clone(), since, pages });
    }

    // Seeding.

    fn seed_open(&mut self, i: usize, seed: u64, db: &DbName, since: Option<Lsn>, pages: &[PageRange]) {
        let wait = self.sync_time(i);
        let early = self.has(Planted::SeedUnhardened);
        let Some(copy) = self.instances[i].copies.get_mut(db) else {
            let begin = Err(Failure::Store("it is not here".to_owned()));
            return self.tell_later(wait, i, Event::SeedOpened { seed, begin });
        };
        let mut wanted = None;
        if let Some(since) = since {
            let Some((_, changed)) = copy.since(since) else {
                self.counts.add("rewinds whose log is gone");
                let begin = Err(Failure::LogGone);
                return self.tell_later(wait, i, Event::SeedOpened { seed, begin });
            };
            wanted = Some([pages, &changed].concat());
        }
        let snapshot = copy.snapshot();
        let lsn = snapshot.lsn;
        let is_wanted = |n: &u32| {
            wanted
                .as_ref()
                .is_none_or(|ranges| ranges.iter().any(|(first, last)| (first..=last).contains(&n)))
        };
        let chosen: Vec<(&u32, &Vec<u8>)> = snapshot.pages.iter().filter(|(n, _)| is_wanted(n)).collect();
        let chunks = chosen
            .chunks(self.options.chunk_pages)
            .map(|pages| {
                pages
                    .iter()
                    .flat_map(|(n, page)| n.to_le_bytes().into_iter().chain(page.iter().copied()))
                    .collect()
            })
            .collect();
        let bytes_total = chosen.iter().map(|(_, page)| page.len() as u64).sum();
        let id = self.new_snapshot(snapshot.clone());
        let begin = SeedBegin { lsn, bytes_total, compressed: false, header: id.to_le_bytes().to_vec() };
        let generation = self.instances[i].copies.get(db).map_or(0, |c| c.generation);
        let reading = Reading { chunks, begin: (!early).then(|| (db.clone(), lsn, generation)) };
        self.instances[i].readings.insert(seed, reading);
        self.counts.add(if since.is_some() { "rewinds begun" } else { "seedings begun" });
        self.harden(i, db);
        self.seed_opened(i, seed, Ok(begin));
    }

    /// The copy is there to be read, once what it shows is hardened.
    fn seed_opened(&mut self, i: usize, seed: u64, begin: Result<SeedBegin, Failure>) {
        let wait = self.sync_time(i);
        self.tell_later(wait, i, Event::SeedOpened { seed, begin });
    }

    /// Whether a copy that was opened may be told of.
    pub(crate) fn seed_is_ready(&self, i: usize, seed: u64) -> bool {
        let reading = self.instances[i].readings.get(&seed);
        reading.and_then(|r| r.begin.as_ref()).is_none_or(|(db, lsn, generation)| {
            let copy = self.instances[i].copies.get(db);
            copy.is_none_or(|c| c.synced >= *lsn || c.generation != *generation)
        })
    }

    fn seed_read(&mut self, i: usize, seed: u64) {
        let Some(reading) = self.instances[i].readings.get_mut(&seed) else { return };
        let bytes = reading.chunks.pop_front();
        let wait = self.dice.below(self.options.sync_us);
        self.tell_later(wait, i, Event::SeedRead { seed, bytes });
    }

    fn seed_create(&mut self, i: usize, db: DbName, begin: &SeedBegin, rewind: bool) {
        let snapshot = begin.header.as_slice().try_into().map_or(0, u64::from_le_bytes);
        if self.instances[i].copies.get(&db).is_some_and(|c| c.control.mode == Mode::Primary) {
            return self.broken(format!("the primary copy of {db} is to be replaced"));
        }
        if self.instances[i].full_until > self.now {
            self.counts.add("seedings without room");
            let failure = Failure::Full("There is not enough space on the disk".to_owned());
            return self.tell(i, Event::SeedWriteFailed { db, failure });
        }
        let writing = Writing { snapshot, rewind, pages: PageMap::new(), seeding: 0, written: 0 };
        self.instances[i].writings.insert(db, writing);
    }

    fn seed_write(&mut self, i: usize, db: DbName, (seeding, chunk): (u64, u64), bytes: &[u8]) {
        let Some(writing) = self.instances[i].writings.get_mut(&db) else { return };
        for page in bytes.chunks(4 + crate::copy::PAGE as usize) {
            if let Some((number, page)) = page.split_at_checked(4) {
                let number = number.try_into().map_or(0, u32::from_le_bytes);
                writing.pages.insert(number, page.to_vec());
            }
        }
        self.counts.add("chunks written");
        writing.seeding = seeding;
        let wait = self.dice.below(self.options.sync_us);
        self.tell_later(wait, i, Event::SeedWritten { db, seeding, chunk });
    }

    fn seed_finish(&mut self, i: usize, db: &DbName) {
        let Some(writing) = self.instances[i].writings.remove(db) else { return };
        let durable = self.becomes_durable(i);
        let Some(snapshot) = self.truth.snapshots.get(&writing.snapshot).cloned() else { return };
        let old = self.instances[i].copies.get(db);
        if old.is_some_and(|c| c.control.mode == Mode::Primary) {
            return self.broken(format!("the primary copy of {db} is replaced"));
        }
        let mut pages = match old {
            Some(old) if writing.rewind => old.pages.clone(),
            Some(_) | None => PageMap::new(),
        };
        pages.extend(writing.pages);
        let last = snapshot.pages.len() as u32;
        pages.retain(|n, _| *n <= last);
        if checksum(&pages) != snapshot.checksum && !self.has(Planted::RewindMissesPage) {
            self.counts.add("copies with a wrong checksum");
            let failure = Failure::Diverged("the copy has another checksum than the primary said".to_owned());
            return self.tell(i, Event::SeedWriteFailed { db: db.clone(), failure });
        }
        let generation = old.map_or(0, |c| c.generation) + 1;
        let mut copy = SimCopy::seeded(&snapshot, generation);
        copy.pages.clone_from(&pages);
        copy.control.base.pages = pages;
        self.counts.add(if writing.rewind { "rewinds done" } else { "seedings done" });
        self.check_replacement(i, db, &copy);
        let ids: Vec<i64> = copy.content.iter().map(|e| e.id).collect();
        self.check_durable_elsewhere(i, db, &ids);
        if durable {
            self.put_copy(i, db, copy);
        }
        self.list(i, db);
        self.tell_copy(i, db);
    }

    /// A copy takes the place of the one that there may be.
    pub(crate) fn put_copy(&mut self, i: usize, db: &DbName, copy: SimCopy) {
        let ids: Vec<i64> = copy.content.iter().map(|e| e.id).collect();
        self.truth.durable.entry(i).or_default().extend(ids);
        self.truth.replaced.insert((i, db.clone()), self.now);
        self.instances[i].copies.insert(db.clone(), copy);
        self.check_copy(i, db);
    }

    /// A database that was seeded is in the groups here from now on.
    pub(crate) fn list(&mut self, i: usize, db: &DbName) {
        // Groups that stand on the same one have the same databases.
        let mut changed = false;
        for doc in &mut self.instances[i].docs.groups {
            if !doc.databases.contains(db) {
                doc.databases.push(db.clone());
                changed = true;
            }
        }
        if changed {
            self.tell_config(i);
        }
    }

    pub(crate) fn pin_limit(&self, i: usize, db: &DbName) -> Lsn {
        if self.has(Planted::DropPins) {
            return Lsn(u64::MAX);
        }
        let pins = self.instances[i].pins.iter().filter(|((name, _), _)| name == db);
        pins.map(|(_, pin)| *pin).min().unwrap_or(Lsn(u64::MAX))
    }

    /// A connection is there, or cannot be made.
    pub(crate) fn dialed(&mut self, i: usize, key: PartnerKey) {
        let Some(doc) = self.instances[i].docs.groups.iter().find(|g| g.key() == key) else { return };
        let peer = doc.peer;
        let cut = self.net.is_cut(i, peer, self.now) || self.net.is_cut(peer, i, self.now);
        let certificate = [i, peer].iter().any(|n| self.instances[*n].bad_certificate_until > self.now);
        let text = match (self.instances[peer].node.is_some(), cut, certificate) {
            (_, true, _) => Some("the connection timed out"),
            (false, _, _) => Some("the connection was refused"),
            (true, false, true) => Some("the certificate is not one that was exchanged"),
            (true, false, false) => None,
        };
        if let Some(text) = text {
            self.counts.add("dials failed");
            let event = Event::DialFailed { partner: key, number: 35250, text: text.to_owned() };
            let wait = if cut { 300_000 } else { self.options.latency_us };
            return self.tell_later(wait, i, event);
        }
        self.counts.add("connections made");
        let ends = [self.new_end(i), self.new_end(peer)];
        let (mine, theirs) = (ends[0].conn, ends[1].conn);
        self.net.connect(ends);
        self.tell(peer, Event::Opened { conn: theirs, dialed: None });
        self.tell(i, Event::Opened { conn: mine, dialed: Some(key) });
    }

    fn new_end(&mut self, instance: usize) -> crate::net::End {
        let number = self.instances[instance].next_conn;
        self.instances[instance].next_conn += 1;
        crate::net::End { instance, conn: lab_hadr::ConnId(number), open: true }
    }
}
