//! Two model instances, what lies between them, and a workload. A plain model, from which the tests know what must be true: nothing of the
//! crate that is tested decides anything here but names.

use std::collections::BTreeMap;

use milink_core::action::{Action, ArmCall};
use milink_core::facts::policy::UpdatePolicy;
use milink_core::facts::version::ServerVersion;
use milink_core::moment::Moment;
use milink_core::names::{CommitMode, Hex, Role, Side, Thumbprint};
use milink_core::observe::{Certificate, Endpoint, Instance, RecoveryModel};
use milink_core::plan::Verb;

use super::dice::Dice;

/// After that long without the other side, a synchronous primary goes on alone.
const SESSION_TIMEOUT_MS: u64 = 10_000;

/// An instance and its copy of the one database.
#[derive(Debug, Clone, Default)]
pub(crate) struct Node {
    pub(crate) alive: bool,
    /// Whether the tool can reach it.
    pub(crate) reachable: bool,
    /// It has the link's half in that role. Roles survive a restart.
    pub(crate) role: Option<Role>,
    /// Whether it has a copy of the database at all.
    pub(crate) has_copy: bool,
    /// What is hardened: one number for each commit.
    pub(crate) log: Vec<u32>,
    pub(crate) suspended: bool,
    /// While it takes back what the other side does not have.
    pub(crate) reverting_until: Option<u64>,
    /// RESOLVING after a restart.
    pub(crate) resolving_until: u64,
    pub(crate) last_commit: u64,
}

/// How often, of a thousand, what goes wrong.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Faults {
    /// At each passing of time: a side dies, the network is cut, Azure or a side cannot be reached.
    pub(crate) outage: u64,
    /// At each passing of time: each of these ends.
    pub(crate) recovery: u64,
    /// For each action: it is lost, or its answer, or it comes late, or it is refused for now.
    pub(crate) action: u64,
    /// For each operation of Azure: it fails, forgets, or fails halfway.
    pub(crate) operation: u64,
}

/// What has happened, to prove that something did.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counts(pub(crate) BTreeMap<&'static str, u64>);

impl Counts {
    pub(crate) fn add(&mut self, what: &'static str) {
        *self.0.entry(what).or_default() += 1;
    }

    pub(crate) fn merge(&mut self, other: &Counts) {
        for (what, n) in &other.0 {
            *self.0.entry(what).or_default() += n;
        }
    }

    pub(crate) fn of(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or_default()
    }
}

/// Who wants an action, and whether somebody has confirmed that data may be lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct By {
    pub(crate) verb: Verb,
    /// When the action was given.
    pub(crate) at: u64,
}

impl By {
    pub(crate) fn is_confirmed(self) -> bool {
        self.verb == Verb::ForcedFailover
    }
}

/// An operation of Azure, or a statement whose session is gone.
#[derive(Debug, Clone)]
pub(crate) struct Pending {
    pub(crate) due: u64,
    pub(crate) action: Action,
    pub(crate) by: By,
    /// The operation's number, for Azure.
    pub(crate) operation: Option<u32>,
    pub(crate) fate: Fate,
}

/// What becomes of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Works,
    Fails,
    /// It fails after it has done what it was to do.
    FailsAfterwards,
}

/// How an operation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ended {
    Succeeded,
    Failed(&'static str),
}

#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) now: u64,
    pub(crate) dice: Dice,
    pub(crate) faults: Faults,
    pub(crate) counts: Counts,
    pub(crate) violations: Vec<String>,
    pub(crate) nodes: [Node; 2],
    pub(crate) network: bool,
    pub(crate) azure: bool,
    pub(crate) workload: bool,
    // ---- SQL Server
    pub(crate) version: ServerVersion,
    pub(crate) master_key: bool,
    pub(crate) certificates: Vec<Certificate>,
    pub(crate) endpoint: Option<Endpoint>,
    pub(crate) flags: Vec<u16>,
    pub(crate) recovery: RecoveryModel,
    pub(crate) full_backup: Option<u64>,
    pub(crate) log_backup: Option<u64>,
    pub(crate) group: bool,
    pub(crate) database_in_group: bool,
    pub(crate) sql_mode: CommitMode,
    // ---- Azure
    pub(crate) policy: UpdatePolicy,
    pub(crate) azure_mode: CommitMode,
    pub(crate) trusted: Vec<(String, Thumbprint)>,
    pub(crate) pending: Vec<Pending>,
    pub(crate) ended: BTreeMap<u32, Ended>,
    next_operation: u32,
    // ---- between them
    /// The copy has all that a synchronous primary has acknowledged.
    pub(crate) synced: bool,
    lost_since: Option<u64>,
    /// When somebody forced a failover last.
    forced_at: Option<u64>,
    pub(crate) seeding: Option<(u64, u64)>,
    /// The first copy never succeeds.
    pub(crate) seeding_fails: bool,
    pub(crate) acknowledged: Vec<u32>,
    waiting: Vec<u32>,
    next_commit: u32,
    /// Deliveries of actions, by step: whether each changed something.
    pub(crate) deliveries: Vec<(String, bool, bool)>,
    pub(crate) template: Instance,
}

pub(crate) fn at(side: Side) -> usize {
    match side {
        Side::SqlServer => 0,
        Side::Managed => 1,
    }
}

pub(crate) fn moment(ms: u64) -> Moment {
    Moment::from_unix_ms(1_800_000_000_000).plus_ms(ms)
}

pub(crate) const FQDN: &str = "mi1.abc.database.windows.net";

pub(crate) fn thumbprint(of: u8) -> Thumbprint {
    Thumbprint::new(Hex::new(vec![of; 20]))
}

pub(crate) fn certificate(name: &str, of: u8, private_key: bool) -> Certificate {
    Certificate {
        name: name.to_owned(),
        id: i32::from(of),
        subject: name.to_owned(),
        thumbprint: thumbprint(of),
        start: None,
        expiry: Some(moment(0).plus_ms(3 * 365 * 86_400_000)),
        private_key,
        public: Hex::new(vec![0x30, of]),
        issuer_for: None,
    }
}

fn common_prefix(one: &[u32], other: &[u32]) -> usize {
    one.iter().zip(other).take_while(|(a, b)| a == b).count()
}

impl World {
    /// A database on `primary`, and no link.
    pub(crate) fn empty(seed: u64, version: ServerVersion, primary: Side) -> World {
        let node = Node { alive: true, reachable: true, ..Node::default() };
        let mut world = World {
            now: 0,
            dice: Dice::new(seed),
            faults: Faults::default(),
            counts: Counts::default(),
            violations: Vec::new(),
            nodes: [node.clone(), node],
            network: true,
            azure: true,
            workload: true,
            version,
            master_key: false,
            certificates: Vec::new(),
            endpoint: None,
            flags: Vec::new(),
            recovery: RecoveryModel::Simple,
            full_backup: None,
            log_backup: None,
            group: false,
            database_in_group: false,
            sql_mode: CommitMode::Asynchronous,
            policy: UpdatePolicy::SqlServer2022,
            azure_mode: CommitMode::Asynchronous,
            trusted: Vec::new(),
            pending: Vec::new(),
            ended: BTreeMap::new(),
            next_operation: 0,
            synced: false,
            lost_since: None,
            forced_at: None,
            seeding: None,
            seeding_fails: false,
            acknowledged: Vec::new(),
            waiting: Vec::new(),
            next_commit: 0,
            deliveries: Vec::new(),
            template: super::look::template(),
        };
        let node = &mut world.nodes[at(primary)];
        node.has_copy = true;
        node.log = vec![0];
        world
    }

    /// A link whose copy is complete.
    pub(crate) fn linked(seed: u64, version: ServerVersion, primary: Side) -> World {
        let mut world = World::empty(seed, version, primary);
        world.master_key = true;
        world.certificates = vec![
            certificate("Cert_sql1_endpoint", 1, true),
            certificate(FQDN, 2, false),
            certificate("Root", 3, false),
        ];
        world.endpoint = Some(super::server::endpoint("Cert_sql1_endpoint"));
        world.trusted = vec![("Cert_sql1_endpoint".to_owned(), thumbprint(1))];
        world.recovery = RecoveryModel::Full;
        world.full_backup = Some(0);
        world.group = true;
        world.database_in_group = true;
        world.seeding = Some((0, 0));
        world.log_backup = Some(1);
        for side in Side::BOTH {
            let role = if side == primary { Role::Primary } else { Role::Secondary };
            let node = &mut world.nodes[at(side)];
            (node.role, node.has_copy, node.log) = (Some(role), true, vec![0]);
        }
        world
    }

    pub(crate) fn node(&self, side: Side) -> &Node {
        &self.nodes[at(side)]
    }

    pub(crate) fn node_mut(&mut self, side: Side) -> &mut Node {
        &mut self.nodes[at(side)]
    }

    pub(crate) fn has_role(&self, side: Side, role: Role) -> bool {
        self.node(side).role == Some(role)
    }

    /// The side that is primary, if it is one.
    pub(crate) fn primary(&self) -> Option<Side> {
        let mut all = Side::BOTH.into_iter().filter(|s| self.has_role(*s, Role::Primary));
        let first = all.next()?;
        all.next().is_none().then_some(first)
    }

    /// Whether both halves are there and trust each other, whatever the network does.
    pub(crate) fn is_joined(&self) -> bool {
        let has = |n: u8| self.certificates.iter().any(|c| c.thumbprint == thumbprint(n));
        let started = self.endpoint.as_ref().is_some_and(|e| e.state == "STARTED");
        started
            && self.nodes.iter().all(|n| n.role.is_some())
            && has(2)
            && self.trusted.iter().any(|(_, t)| *t == thumbprint(1))
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.network
            && self.nodes.iter().all(|n| n.alive && n.resolving_until <= self.now)
            && self.is_joined()
            && self.primary().is_some()
    }

    fn is_synchronous(&self) -> bool {
        self.sql_mode == CommitMode::Synchronous && self.azure_mode == CommitMode::Synchronous
    }

    pub(crate) fn reset_modes(&mut self) {
        (self.sql_mode, self.azure_mode) = (CommitMode::Asynchronous, CommitMode::Asynchronous);
        self.synced = false;
    }

    // ---- time

    /// Lets time pass: work is committed and shipped, operations end, things break and come back.
    pub(crate) fn pass(&mut self, ms: u64) {
        let until = self.now + ms.max(1);
        let steps = (ms / 500).clamp(1, 3);
        for n in 1..=steps {
            let to = if n == steps { until } else { self.now + ms / steps };
            while let Some(next) = self.due(to) {
                let pending = self.pending.remove(next);
                self.now = self.now.max(pending.due);
                self.flow();
                super::server::fall_due(self, pending);
            }
            self.now = self.now.max(to);
            self.break_and_mend();
            self.work();
            self.flow();
        }
    }

    fn due(&self, to: u64) -> Option<usize> {
        let due = self.pending.iter().enumerate().filter(|(_, p)| p.due <= to);
        due.min_by_key(|(_, p)| p.due).map(|(at, _)| at)
    }

    fn break_and_mend(&mut self) {
        if self.faults.outage == 0 && self.faults.recovery == 0 {
            return;
        }
        if self.dice.of_1000(self.faults.outage) {
            let which = self.dice.below(6);
            let side = if which.is_multiple_of(2) { Side::SqlServer } else { Side::Managed };
            match which {
                0 | 1 if self.node(side).alive => self.kill(side),
                2 | 3 if self.node(side).reachable => {
                    self.node_mut(side).reachable = false;
                    self.counts.add("a side cannot be reached by the tool");
                }
                4 if self.network => {
                    self.network = false;
                    self.counts.add("the network between the sides is cut");
                }
                5 if self.azure => {
                    self.azure = false;
                    self.counts.add("Azure cannot be reached");
                }
                _ => {}
            }
        }
        if self.dice.of_1000(self.faults.recovery) {
            match self.dice.below(6) {
                0 => self.revive(Side::SqlServer),
                1 => self.revive(Side::Managed),
                2 => self.nodes[0].reachable = true,
                3 => self.nodes[1].reachable = true,
                4 => self.network = true,
                _ => self.azure = true,
            }
        }
    }

    pub(crate) fn kill(&mut self, side: Side) {
        self.counts.add("a side dies");
        self.node_mut(side).alive = false;
        if side == Side::SqlServer {
            // A statement that had not ended goes with the server.
            self.pending.retain(|p| p.operation.is_some());
        }
    }

    pub(crate) fn revive(&mut self, side: Side) {
        let until = self.now + 1_000;
        let node = self.node_mut(side);
        if !node.alive {
            (node.alive, node.resolving_until) = (true, until);
        }
    }

    /// All faults end.
    pub(crate) fn heal(&mut self) {
        self.faults = Faults::default();
        for side in Side::BOTH {
            self.revive(side);
            self.node_mut(side).reachable = true;
        }
        (self.network, self.azure) = (true, true);
    }

    fn work(&mut self) {
        if !self.workload {
            return;
        }
        for side in Side::BOTH {
            let takes = {
                let node = self.node(side);
                node.alive
                    && node.has_copy
                    && node.role.is_none_or(|r| r == Role::Primary)
                    && node.resolving_until <= self.now
            };
            if !takes {
                continue;
            }
            for _ in 0..self.dice.below(3) {
                self.commit(side);
            }
        }
    }

    fn commit(&mut self, side: Side) {
        self.next_commit += 1;
        let (id, now) = (self.next_commit, self.now);
        let node = self.node_mut(side);
        node.log.push(id);
        node.last_commit = now;
        let linked = self.node(side).role.is_some() && self.primary() == Some(side);
        if !(linked && self.is_synchronous() && self.synced) {
            self.acknowledge(id);
        } else if self.is_connected()
            && !self.node(side.other()).suspended
            && self.node(side.other()).log.len() + 1 == self.node(side).log.len()
        {
            let other = self.node_mut(side.other());
            other.log.push(id);
            other.last_commit = now;
            self.acknowledge(id);
        } else {
            self.waiting.push(id);
        }
    }

    fn acknowledge(&mut self, id: u32) {
        self.counts.add("commits acknowledged");
        self.acknowledged.push(id);
    }

    fn acknowledge_waiting(&mut self) {
        for id in std::mem::take(&mut self.waiting) {
            self.acknowledge(id);
        }
    }

    /// Ships log from the primary to the secondary.
    pub(crate) fn flow(&mut self) {
        let Some(from) = self.primary().filter(|_| self.is_connected()) else {
            let since = *self.lost_since.get_or_insert(self.now);
            if self.now - since >= SESSION_TIMEOUT_MS {
                self.synced = false;
                self.acknowledge_waiting();
            }
            if self.seeding.is_some_and(|(_, end)| end > self.now) {
                // It begins anew.
                self.seeding = None;
            }
            return;
        };
        self.lost_since = None;
        let to = from.other();
        if !self.has_role(to, Role::Secondary) || self.node(to).suspended {
            self.synced = false;
            self.acknowledge_waiting();
            return;
        }
        if !self.node(to).has_copy && !self.seed(from, to) {
            return;
        }
        let source = self.node(from).log.clone();
        let (now, all, some) = (self.now, self.dice.of_1000(600), self.dice.between(0, 3) as usize);
        let last = self.node(from).last_commit;
        let node = self.node_mut(to);
        let common = common_prefix(&source, &node.log);
        if common < node.log.len() {
            match node.reverting_until {
                None => node.reverting_until = Some(now + 2_000),
                Some(until) if until <= now => {
                    node.log.truncate(common);
                    node.reverting_until = None;
                }
                Some(_) => {}
            }
            self.synced = false;
            return;
        }
        node.reverting_until = None;
        let end = if all { source.len() } else { source.len().min(common + some) };
        node.log.extend_from_slice(&source[common..end]);
        node.last_commit = last;
        if end == source.len() {
            if self.is_synchronous() {
                self.synced = true;
            }
            self.acknowledge_waiting();
        } else if !self.is_synchronous() {
            self.synced = false;
        }
    }

    /// Whether the first copy is complete.
    fn seed(&mut self, from: Side, to: Side) -> bool {
        let takes = self.dice.between(1_000, 20_000);
        let now = self.now;
        let (_, end) = *self.seeding.get_or_insert((now, now + takes));
        if end > now || self.seeding_fails {
            return false;
        }
        let log = self.node(from).log.clone();
        let node = self.node_mut(to);
        (node.has_copy, node.log) = (true, log);
        if to == Side::SqlServer {
            self.database_in_group = true;
            self.recovery = RecoveryModel::Full;
        }
        self.counts.add("first copies completed");
        true
    }

    // ---- role changes

    /// A side becomes primary from what it has.
    pub(crate) fn promote(&mut self, side: Side, by: By, without_loss: bool) {
        let other = side.other();
        let was = self.node(other).clone();
        if was.role == Some(Role::Primary) {
            if by.is_confirmed() {
                self.counts.add("two primaries by a forced failover");
            } else if self.forced_at.is_some_and(|at| at >= by.at) {
                // What was on its way already when somebody confirmed a failover the other way, nobody could call back.
                self.counts.add("promotions that somebody overtook");
            } else {
                self.violations.push(format!(
                    "at {} ms {side} was promoted while {other} is primary, by {:?}",
                    self.now, by.verb
                ));
            }
        }
        let common = common_prefix(&was.log, &self.node(side).log);
        let overtaken = self.forced_at.is_some_and(|at| at >= by.at);
        if without_loss && !overtaken {
            self.expect_all(side, &was.log);
        }
        let lost = common < was.log.len();
        if lost {
            // What the other side has alone is lost from now on, as somebody has confirmed.
            let alone = &was.log[common..];
            self.acknowledged.retain(|id| !alone.contains(id));
        }
        if other == Side::SqlServer && lost && was.role == Some(Role::Secondary) {
            self.nodes[0].suspended = true;
        }
        let node = self.node_mut(side);
        (node.role, node.suspended, node.reverting_until) = (Some(Role::Primary), false, None);
        self.synced = false;
        if by.is_confirmed() {
            self.forced_at = Some(self.now);
        }
        self.counts.add("promotions");
    }

    /// A side gives up the primary role.
    pub(crate) fn demote(&mut self, side: Side) {
        let lost: Vec<u32> = if self.has_role(side.other(), Role::Primary) {
            // What it has alone is given up.
            let common = common_prefix(&self.node(side).log, &self.node(side.other()).log);
            self.node(side).log[common..].to_vec()
        } else {
            Vec::new()
        };
        self.acknowledged.retain(|id| !lost.contains(id));
        if side == Side::SqlServer && self.has_role(side.other(), Role::Primary) {
            self.nodes[0].suspended = true;
        }
        self.node_mut(side).role = Some(Role::Secondary);
        self.waiting.clear();
        self.counts.add("demotions");
    }

    /// The invariant of a planned failover: the new primary has everything that the old one had hardened, acknowledged or not.
    pub(crate) fn expect_all(&mut self, side: Side, old: &[u32]) {
        let new = &self.node(side).log;
        let common = common_prefix(old, new);
        if common < old.len() {
            let lost = &old[common..];
            let promised = lost.iter().filter(|id| self.acknowledged.contains(id)).count();
            self.violations.push(format!(
                "at {} ms a planned failover to {side} lost {} hardened commits, {promised} of them acknowledged",
                self.now,
                lost.len()
            ));
        }
    }

    /// Every commit that was acknowledged, and not given up by somebody's decision, is on the primary.
    pub(crate) fn check_ledger(&mut self) {
        let Some(primary) = self.primary() else { return };
        let log = &self.node(primary).log;
        let missing = self.acknowledged.iter().filter(|id| !log.contains(id)).count();
        if missing > 0 {
            self.violations.push(format!("{missing} acknowledged commits are not on {primary} at the end"));
        }
    }

    // ---- the network between the tool and the sides

    pub(crate) fn operation_for(&mut self, action: Action, by: By, due: u64) -> u32 {
        self.next_operation += 1;
        let demotes = matches!(action, Action::Arm { call: ArmCall::SetRole { role: Role::Secondary, .. } });
        let fate = if !self.dice.of_1000(self.faults.operation) {
            Fate::Works
        } else if demotes && self.dice.of_1000(300) {
            Fate::FailsAfterwards
        } else {
            Fate::Fails
        };
        if fate != Fate::Works {
            self.counts.add("operations of Azure that fail");
        }
        let operation = Some(self.next_operation);
        self.pending.push(Pending { due, action, by, operation, fate });
        self.next_operation
    }
}
