//! Schedules: operators do what operators do while everything breaks and the tool is killed; then the faults stop, and whoever follows the
//! doctor must get to a link that is well.

use milink_core::doctor::{Diagnosis, diagnose};
use milink_core::facts::version::ServerVersion;
use milink_core::names::{CommitMode, Role, Side};
use milink_core::plan::failover::{FailoverOptions, planned};
use milink_core::plan::forced::forced;
use milink_core::plan::repair::repair;
use milink_core::plan::{Plan, PlanError, Verb, create};
use milink_core::run::{Entry, JOURNAL_VERSION, Outcome, Record, Verdict};
use milink_core::spec::Link;
use milink_core::status::LinkState;

use super::command::{Command, parse};
use super::driver::{How, Kill, Planted, Story, run};
use super::kills::{V2019, V2022_CU12, V2022_CU14};
use super::look::{link, look};
use super::world::{By, Counts, Faults, World, moment};

/// How many commands of the doctor may be needed until a link is well, once the faults have stopped.
const COMMANDS_MAX: usize = 16;

struct Session {
    world: World,
    link: Link,
    story: Option<Story>,
    planted: Planted,
}

/// A schedule, from its seed. Answers what happened, or what was wrong.
fn schedule(seed: u64, planted: Planted) -> (Counts, Result<(), String>) {
    let mut session = Session::new(seed, planted);
    let result = session.disturbed().and_then(|()| session.healed());
    let result = result.map_err(|why| {
        let last = session.story.as_ref().map(|s| format!("{:?}, {:#?}", s.plan.verb, s.records.last()));
        format!("seed {seed}: {why}\nthe newest run: {}", last.unwrap_or_default())
    });
    (session.world.counts, result)
}

impl Session {
    fn new(seed: u64, planted: Planted) -> Session {
        let mut dice = super::dice::Dice::new(seed ^ 0xABCD);
        let (version, primary): (ServerVersion, Side) = match dice.below(8) {
            0 => (V2019, Side::SqlServer),
            1 | 2 => (V2022_CU12, Side::SqlServer),
            3 | 4 => (V2022_CU12, Side::Managed),
            5 | 6 => (V2022_CU14, Side::SqlServer),
            _ => (V2022_CU14, Side::Managed),
        };
        let from_nothing = dice.of_1000(150);
        let synchronous = dice.of_1000(250);
        let mode = if synchronous { CommitMode::Synchronous } else { CommitMode::Asynchronous };
        let link = link(primary, mode);
        let mut world = if from_nothing {
            World::empty(seed, version, primary)
        } else {
            World::linked(seed, version, primary)
        };
        world.workload = version != V2019 && dice.of_1000(850);
        let pick = |dice: &mut super::dice::Dice, of: [u64; 4]| of[dice.below(4) as usize];
        let faults = Faults {
            outage: pick(&mut dice, [0, 5, 20, 60]),
            recovery: pick(&mut dice, [20, 60, 150, 300]),
            action: pick(&mut dice, [0, 50, 150, 400]),
            operation: pick(&mut dice, [0, 50, 150, 400]),
        };
        let mut story = None;
        if from_nothing {
            // The link that was planned has the names that were decided.
            let plan = create(&link, &look(&mut world), moment(world.now)).expect("the ground is good");
            story = Some(Story::new(plan));
        }
        world.faults = faults;
        Session { world, link, story, planted }
    }

    fn how(&mut self, disturbed: bool) -> How {
        let mut how = How { planted: self.planted, patience: 400, ..How::plain() };
        if disturbed {
            let dice = &mut self.world.dice;
            how.kill =
                dice.of_1000(400).then(|| Kill { effect: dice.between(1, 50), after: dice.of_1000(500) });
            how.stop = dice.of_1000(80).then(|| dice.between(1, 40));
        }
        how
    }

    fn is_open(&self) -> bool {
        self.story.as_ref().is_some_and(|s| s.summary().is_open())
    }

    fn run(&mut self, disturbed: bool) -> Result<Option<Verdict>, String> {
        let how = self.how(disturbed);
        let Some(story) = &mut self.story else { return Ok(None) };
        self.world.counts.add("runs");
        let went = run(&mut self.world, story, how);
        match &went.verdict {
            None => {}
            Some(Verdict::Reached) => self.world.counts.add("runs that reached their goal"),
            Some(Verdict::Stopped { .. }) => self.world.counts.add("runs that stopped"),
            Some(Verdict::RolledBack { .. }) => self.world.counts.add("runs that rolled back"),
            Some(Verdict::Uncertain { .. }) => self.world.counts.add("runs that ended uncertain"),
        }
        match self.world.violations.first() {
            Some(violation) => Err(violation.clone()),
            None => Ok(went.verdict),
        }
    }

    fn begin(&mut self, plan: Result<Plan, PlanError>, disturbed: bool) -> Result<(), String> {
        match plan {
            Ok(plan) => {
                self.story = Some(Story::new(plan));
                self.run(disturbed).map(|_| ())
            }
            Err(_) => {
                self.world.counts.add("plans refused");
                Ok(())
            }
        }
    }

    fn is_creating(&self) -> bool {
        self.story.as_ref().is_some_and(|s| s.plan.verb == Verb::Create) && self.is_open()
    }

    /// The safety phase.
    fn disturbed(&mut self) -> Result<(), String> {
        if self.story.is_some() {
            self.run(true)?;
        } else {
            self.world.pass(2_000);
        }
        for _ in 0..self.world.dice.between(2, 4) {
            if self.is_open() && (self.is_creating() || self.world.dice.of_1000(650)) {
                self.run(true)?;
                continue;
            }
            let seen = look(&mut self.world);
            match self.world.dice.below(10) {
                0..=4 => {
                    let to = match self.world.primary() {
                        Some(side) => side.other(),
                        None => Side::Managed,
                    };
                    let options = FailoverOptions {
                        drain_timeout_ms: self.world.dice.between(5_000, 60_000),
                        stable_ms: self.world.dice.between(0, 1_000),
                    };
                    self.begin(planned(&self.link, to, &seen, options), true)?;
                }
                5 => {
                    let to = self.some_side();
                    self.begin(forced(&self.link, to, &seen), true)?;
                }
                6 => {
                    let winner = self.some_side();
                    self.begin(repair(&self.link, winner, &seen), true)?;
                }
                7 => self.outsider(),
                8 => self.follow_the_doctor(true).map(|_| ())?,
                _ => {
                    let ms = self.world.dice.between(100, 30_000);
                    self.world.pass(ms);
                }
            }
            if let Some(violation) = self.world.violations.first() {
                return Err(violation.clone());
            }
        }
        Ok(())
    }

    fn some_side(&mut self) -> Side {
        if self.world.dice.of_1000(500) { Side::SqlServer } else { Side::Managed }
    }

    /// Somebody else forces a failover, without this tool.
    fn outsider(&mut self) {
        let side = self.some_side();
        let node = self.world.node(side);
        let can = node.alive && node.has_copy && node.reverting_until.is_none();
        if can && node.role == Some(Role::Secondary) && self.world.version != V2019 {
            self.world.counts.add("failovers forced by others");
            self.world.promote(side, By { verb: Verb::ForcedFailover, at: self.world.now }, false);
        }
    }

    /// The liveness phase: the faults are over, and somebody types what the doctor says.
    fn healed(&mut self) -> Result<(), String> {
        self.world.heal();
        self.world.pass(2_000);
        let mut said = Vec::new();
        for _ in 0..COMMANDS_MAX {
            let (diagnosis, over) = self.follow_the_doctor(false)?;
            said.push(format!("{:?}: {} -> {}", diagnosis.state, diagnosis.headline, diagnosis.next.command));
            if over {
                self.world.check_ledger();
                self.world.counts.add(match diagnosis.state {
                    LinkState::Healthy => "schedules that end with a link that is well",
                    _ => "schedules that end without a link",
                });
                return self.world.violations.first().map_or(Ok(()), |v| Err(v.clone()));
            }
        }
        Err(format!("the doctor leads nowhere:\n{}", said.join("\n")))
    }

    /// Does what the doctor says; whether there is nothing more to do.
    fn follow_the_doctor(&mut self, disturbed: bool) -> Result<(Diagnosis, bool), String> {
        let seen = look(&mut self.world);
        let summary = self.story.as_ref().map(Story::summary);
        let diagnosis = diagnose(&self.link.name, &seen, summary.as_ref());
        self.world.counts.add("commands of the doctor");
        let command = parse(&diagnosis.next.command)?;
        let mut over = false;
        match command {
            Command::Resume => {
                if self.story.is_none() {
                    return Err("the doctor wants to resume what nobody has begun".to_owned());
                }
                self.run(disturbed)?;
            }
            Command::Failover { to, forced: true } => self.begin(forced(&self.link, to, &seen), disturbed)?,
            Command::Failover { to, forced: false } => {
                self.begin(planned(&self.link, to, &seen, FailoverOptions::default()), disturbed)?;
            }
            Command::Repair { winner } => self.begin(repair(&self.link, winner, &seen), disturbed)?,
            Command::Status { watch: true } => self.world.pass(15_000),
            Command::Status { watch: false } => over = diagnosis.state == LinkState::Healthy,
            Command::Check => {
                if diagnosis.causes.is_empty() && diagnosis.unknown.is_empty() {
                    return Err("the doctor sends to a check, and knows no cause".to_owned());
                }
                self.mend();
            }
            Command::Create => over = true,
            Command::Undo | Command::Drop => {}
            Command::Purge => {
                for node in &mut self.world.nodes {
                    node.role = None;
                }
            }
        }
        match self.world.violations.first() {
            Some(violation) => Err(violation.clone()),
            None => Ok((diagnosis, over)),
        }
    }

    /// What a check would give the statements for.
    fn mend(&mut self) {
        for node in &mut self.world.nodes {
            node.suspended = false;
        }
        if let Some(endpoint) = &mut self.world.endpoint {
            "STARTED".clone_into(&mut endpoint.state);
        }
        self.world.pass(5_000);
    }
}

/// A number that the environment gives: one schedule can be run again so.
#[expect(clippy::disallowed_methods, reason = "a test reads its options itself")]
fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
#[expect(clippy::print_stderr, reason = "what happened is part of the proof")]
fn a_hundred_thousand_schedules() {
    let first = asked("MILINK_SIM_SEED").unwrap_or(1);
    let many = asked("MILINK_SIM_SCHEDULES").unwrap_or(100_000);
    let mut counts = Counts::default();
    let mut faults = Vec::new();
    for seed in first..first + many {
        let (happened, result) = schedule(seed, Planted::Nothing);
        counts.merge(&happened);
        if let Err(fault) = result {
            faults.push(fault);
            if faults.len() >= 5 {
                break;
            }
        }
    }
    for (what, n) in &counts.0 {
        eprintln!("{n:>12} {what}");
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n\n"));
    // Nothing is proved where nothing happened.
    for (what, share) in FLOORS {
        let n = counts.of(what);
        assert!(n * 1_000 >= many * share, "only {n} {what} in {many} schedules");
    }
}

/// How many of each there must be in a thousand schedules.
const FLOORS: [(&str, u64); 24] = [
    ("a side cannot be reached by the tool", 100),
    ("a side dies", 100),
    ("actions given", 2_000),
    ("answers lost", 100),
    ("Azure cannot be reached", 50),
    ("calls that come twice", 5),
    ("commands of the doctor", 1_500),
    ("commits acknowledged", 50_000),
    ("failovers forced by others", 50),
    ("first copies completed", 100),
    ("kills of the tool", 500),
    ("links broken by a failover", 10),
    ("looks", 10_000),
    ("operations of Azure that fail", 100),
    ("operations that fail halfway", 1),
    ("operations that Azure forgets", 10),
    ("planned failovers", 200),
    ("requests lost", 50),
    ("refusals that pass", 50),
    ("runs that reached their goal", 700),
    ("runs that rolled back", 10),
    ("schedules that end with a link that is well", 800),
    ("statements that come late", 10),
    ("two primaries by a forced failover", 20),
];

/// The first schedule that finds a bug that was put in.
fn found(planted: Planted, says: &str) -> String {
    let faults = (1..=30_000).filter_map(|seed| schedule(seed, planted).1.err());
    let mut others = Vec::new();
    for fault in faults {
        if fault.contains(says) {
            return fault;
        }
        if others.len() < 3 {
            others.push(fault);
        }
    }
    panic!("{planted:?} was not found; others were: {others:#?}");
}

#[test]
fn a_failover_without_the_hardened_gate_is_found_out() {
    found(Planted::NoHardenedGate, "a planned failover to");
}

#[test]
fn a_time_out_that_counts_as_a_refusal_is_found_out() {
    found(Planted::TimeoutIsRefusal, "was promoted while");
}

/// A roll-back was interrupted between the roles; then somebody forced a failover to the side that cannot be reached now.
fn resumed_beside_a_primary(planted: Planted) -> Vec<String> {
    let mut world = World::linked(1, V2022_CU12, Side::Managed);
    world.workload = false;
    world.pass(2_000);
    let link = link(Side::Managed, CommitMode::Asynchronous);
    let plan = planned(&link, Side::SqlServer, &look(&mut world), FailoverOptions::default()).unwrap();
    let mut story = Story::new(plan);
    let entries = [
        Entry::Intent { step: "demote".to_owned(), back: false },
        Entry::Outcome { step: "demote".to_owned(), back: false, outcome: Outcome::Done },
        Entry::RollingBack { step: "fence".to_owned(), why: "time".to_owned() },
    ];
    let record = |entry| Record { version: JOURNAL_VERSION, at: None, entry };
    story.records = entries.into_iter().map(record).collect();
    world.demote(Side::Managed);
    world.promote(Side::SqlServer, By { verb: Verb::ForcedFailover, at: world.now }, false);
    world.node_mut(Side::SqlServer).reachable = false;
    world.pass(1_000);
    run(&mut world, &mut story, How { planted, ..How::plain() });
    world.violations
}

#[test]
fn a_promotion_without_the_guard_is_found_out() {
    assert_eq!(resumed_beside_a_primary(Planted::Nothing), Vec::<String>::new());
    let violations = resumed_beside_a_primary(Planted::NoGuard);
    assert!(violations.iter().any(|v| v.contains("was promoted while")), "{violations:?}");
}
