//! One seed from its beginning to rest, and many of them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use lab_hadr::{Event, Role, SyncState};

use crate::world::{Happening, World};
use crate::{Counts, Planted};

/// How long everything may take to come to rest once faults have stopped.
const REST_US: u64 = 400_000_000;
/// So much happens in no world that is in order.
const HAPPENINGS_MAX: u64 = 500_000;
const TICK_US: u64 = 250_000;

/// What became of a seed.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// The rule that was broken.
    pub violation: Option<String>,
    /// What has happened.
    pub counts: Counts,
    /// The whole history, if it was asked for.
    pub trace: Vec<String>,
}

/// Runs a seed.
pub fn run(seed: u64, planted: Option<Planted>, trace: bool) -> Outcome {
    let mut world = World::new(seed, planted, trace);
    // What a machine of states asserts about itself is a rule like any other.
    let ran = catch_unwind(AssertUnwindSafe(|| world.run()));
    if let Err(panic) = ran {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
        world.broken(format!("panic: {}", text.unwrap_or_default()));
    }
    Outcome { violation: world.violation, counts: world.counts, trace: world.trace.unwrap_or_default() }
}

/// What became of many seeds.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// How many were run.
    pub seeds: u64,
    /// What has happened in all of them.
    pub counts: Counts,
    /// The first seeds that broke a rule, with what they broke.
    pub violations: Vec<(u64, String)>,
}

/// Runs seeds one after another on several threads, until all are run or so many have broken a rule.
pub fn run_many(
    from: u64,
    seeds: u64,
    jobs: usize,
    planted: Option<Planted>,
    violations_max: usize,
) -> Report {
    let next = AtomicU64::new(from);
    let report = Mutex::new(Report::default());
    let work = || {
        let mut counts = Counts::default();
        let mut ran = 0;
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= from.saturating_add(seeds) {
                break;
            }
            let outcome = run(seed, planted, false);
            counts.merge(&outcome.counts);
            ran += 1;
            if let Some(violation) = outcome.violation {
                let mut report = report.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                report.violations.push((seed, violation));
                if report.violations.len() >= violations_max {
                    next.store(u64::MAX / 2, Ordering::Relaxed);
                }
            }
        }
        let mut report = report.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        report.counts.merge(&counts);
        report.seeds += ran;
    };
    std::thread::scope(|scope| (0..jobs.max(1)).for_each(|_| drop(scope.spawn(work))));
    let mut report = report.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    report.violations.sort();
    report
}

impl World {
    fn run(&mut self) {
        let mut rest_by = None;
        let mut happenings = 0_u64;
        while self.violation.is_none() {
            happenings += 1;
            if happenings > HAPPENINGS_MAX {
                return self
                    .broken(format!("{HAPPENINGS_MAX} things have happened: it goes round in circles"));
            }
            let Some(what) = self.next() else { return };
            let sample = matches!(what, Happening::Sample);
            self.happen(what);
            if !sample {
                continue;
            }
            match rest_by {
                None if self.now > self.options.safety_us => {
                    self.end_faults();
                    rest_by = Some(self.now + REST_US);
                }
                None => {}
                Some(by) => {
                    self.look_after_roles();
                    self.look_after_settings();
                    self.look_after_copies();
                    if self.is_at_rest().is_none() {
                        self.check_end();
                        self.counts.add("seeds at rest");
                        return;
                    }
                    if self.now > by {
                        let why = self.is_at_rest().unwrap_or_default();
                        self.broken(format!("does not come to rest: {why}"));
                    }
                }
            }
        }
    }

    fn happen(&mut self, what: Happening) {
        match what {
            Happening::Deliver { id, pipe } => {
                let cut = self.net.connections.get(&id).and_then(|c| {
                    let way = (c.ends[pipe].instance, c.ends[1 - pipe].instance);
                    self.net.cuts.get(&way).and_then(|until| until.checked_sub(self.now)).filter(|w| *w > 0)
                });
                match cut {
                    Some(wait) => self.at(wait, Happening::Deliver { id, pipe }),
                    None => self.deliver(id, pipe),
                }
            }
            Happening::Restart { i, life } => {
                if self.instances[i].life == life && self.instances[i].node.is_none() {
                    self.start(i);
                }
            }
            Happening::Commit => {
                let i = self.dice.below(self.instances.len() as u64) as usize;
                self.commit_somewhere(i, false);
                let wait = self.dice.wait(self.options.commit_every_us);
                self.at(wait, Happening::Commit);
            }
            Happening::Maintain => {
                self.maintain();
                let wait = self.dice.wait(self.options.maintain_every_us);
                self.at(wait, Happening::Maintain);
            }
            Happening::Fault => {
                self.fault();
                let wait = self.dice.wait(self.options.fault_every_us);
                self.at(wait, Happening::Fault);
            }
            Happening::Operate => {
                self.operate();
                let wait = self.dice.wait(self.options.operate_every_us);
                self.at(wait, Happening::Operate);
            }
            Happening::Task(task) => self.go_on(task),
            Happening::Sample => {
                self.check_all();
                self.at(500_000, Happening::Sample);
            }
            Happening::Tick { i, life }
            | Happening::Inbox { i, life }
            | Happening::Dialed { i, life, .. }
            | Happening::Synced { i, life, .. }
            | Happening::Redo { i, life, .. }
            | Happening::Ship { i, life, .. }
            | Happening::Tell { i, life, .. } => {
                if !self.is_alive(i, life) {
                    return;
                }
                match self.is_frozen(i) {
                    Some(wait) => self.at(wait, what),
                    None => self.happen_at(i, life, what),
                }
            }
        }
    }

    fn happen_at(&mut self, i: usize, life: u64, what: Happening) {
        match what {
            Happening::Tick { .. } => {
                self.tell(i, Event::Tick);
                self.at(TICK_US, Happening::Tick { i, life });
            }
            Happening::Inbox { .. } => {
                if let Some(event) = self.take_event(i) {
                    self.step(i, event);
                }
            }
            Happening::Dialed { key, .. } => self.dialed(i, key),
            Happening::Synced { db, generation, to, .. } => self.synced(i, &db, generation, to),
            Happening::Redo { db, generation, .. } => self.redo(i, &db, generation),
            Happening::Ship { conn, db, from, .. } => self.ship(i, conn, &db, from),
            Happening::Tell { event, .. } => match *event {
                Event::SeedOpened { seed, .. } if !self.seed_is_ready(i, seed) => {
                    self.at(1_000, Happening::Tell { i, life, event });
                }
                Event::SeedWritten { db, seeding, chunk } => {
                    // One after the other, however long each took; the end of one that was given up comes as it is.
                    let chunk = match self.instances[i].writings.get_mut(&db) {
                        Some(writing) if writing.seeding == seeding => {
                            writing.written += 1;
                            writing.written - 1
                        }
                        _ => chunk,
                    };
                    self.tell(i, Event::SeedWritten { db, seeding, chunk });
                }
                event => self.tell(i, event),
            },
            Happening::Deliver { .. }
            | Happening::Restart { .. }
            | Happening::Commit
            | Happening::Maintain
            | Happening::Fault
            | Happening::Operate
            | Happening::Task(_)
            | Happening::Sample => {}
        }
    }

    /// Why not everything is where it belongs; nothing if it is.
    fn is_at_rest(&self) -> Option<String> {
        if self.now < self.options.safety_us + 6_000_000 {
            return Some("clients are still at work".to_owned());
        }
        if !self.is_oriented() {
            return Some("roles contradict each other".to_owned());
        }
        for (i, instance) in self.instances.iter().enumerate() {
            let name = &instance.name;
            let Some(node) = &instance.node else { return Some(format!("{name} is down")) };
            let view = node.view();
            for partner in &view.partners {
                let Some(doc) = instance.docs.groups.iter().find(|g| g.key() == partner.key) else {
                    return Some(format!("{name} has no document of {:?}", partner.key));
                };
                if !partner.connected || partner.role != doc.role || partner.failing_over {
                    return Some(format!(
                        "{name}: connected {}, role {:?} of {:?}, failing over {}",
                        partner.connected, partner.role, doc.role, partner.failing_over
                    ));
                }
                for db in &self.databases {
                    if let Some(why) = self.is_database_at_rest(i, doc.peer, partner, db, doc.synchronous) {
                        return Some(format!("{name}, {db}: {why}"));
                    }
                }
            }
        }
        None
    }

    fn is_database_at_rest(
        &self,
        i: usize,
        peer: usize,
        partner: &lab_hadr::PartnerView,
        db: &lab_hadr::DbName,
        synchronous: bool,
    ) -> Option<String> {
        let (Some(mine), Some(theirs)) =
            (self.instances[i].copies.get(db), self.instances[peer].copies.get(db))
        else {
            return Some("one side has no copy".to_owned());
        };
        let state =
            |c: &crate::copy::SimCopy| (c.history(), c.synced, c.applied, c.checksum, c.pages.clone());
        if state(mine) != state(theirs) {
            let line = |c: &crate::copy::SimCopy| {
                format!(
                    "{:?}, {:?}, hardened {}, redone {}",
                    c.control.mode,
                    c.history(),
                    c.synced.0,
                    c.applied.0
                )
            };
            return Some(format!("{} differs from {}", line(mine), line(theirs)));
        }
        let peer_synchronous = self.instances[peer].docs.groups.iter().any(|g| g.peer == i && g.synchronous);
        let wanted =
            if synchronous && peer_synchronous { SyncState::Synchronized } else { SyncState::Synchronizing };
        let Some(view) = partner.databases.iter().find(|d| d.db == *db) else {
            return Some("it is not shown".to_owned());
        };
        if view.state != wanted {
            return Some(format!("it is {:?} ({:?}), {wanted:?} is wanted", view.state, view.why));
        }
        if mine.content != theirs.content {
            return Some("the logs differ".to_owned());
        }
        if partner.role == Role::Primary && !mine.pending.is_empty() {
            return Some(format!("{} commits wait", mine.pending.len()));
        }
        None
    }
}
