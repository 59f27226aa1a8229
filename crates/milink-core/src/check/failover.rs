//! Gates before a role change. A dry run asks the same ones as the real run, and each says the number that it judged by.

use super::azure::under_way;
use super::catalogue::{
    Check, GATE_ACCESSIBLE, GATE_AZURE_BACKUP, GATE_CONNECTED, GATE_HEALTH, GATE_LAG, GATE_LOG_BACKUP,
    GATE_OPERATIONS, GATE_POSSIBLE, GATE_QUEUES, GATE_RIGHTS, GATE_ROLES, GATE_SESSIONS,
    GATE_SYNCHRONIZATION, GATE_WAY_BACK,
};
use super::judge::Judge;
use super::permissions::{judge_rights, rights};
use super::scene::{Scene, has_permission, key, span};
use super::server::release;
use crate::facts::policy;
use crate::facts::rbac::Purpose;
use crate::facts::version::{can_fail_back, failover_breaks_link};
use crate::finding::{Finding, Subject};
use crate::names::{FailoverMode, Role, Side};
use crate::observe::{Health, Observation, SyncState};
use crate::plan::failover::{FailoverOptions, Method, method, primary, roles_are_said};
use crate::plan::{Condition, PlanError, Truth};
use crate::spec::Link;
use crate::status::{self, DatabaseStatus, LinkStatus, SeedingStatus};

/// What a failover is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GateOptions {
    /// Who is to be primary.
    pub to: Side,
    /// Whether the secondary becomes primary from what it has.
    pub forced: bool,
    /// How far behind the secondary may be, in seconds, when a planned failover begins.
    pub lag_seconds_max: u64,
    /// How long draining may take, in milliseconds.
    pub drain_timeout_ms: u64,
}

impl GateOptions {
    /// A planned failover to a side, with the documents' patience: the copy may be a minute behind.
    pub fn planned(to: Side) -> GateOptions {
        GateOptions {
            to,
            forced: false,
            lag_seconds_max: 60,
            drain_timeout_ms: FailoverOptions::default().drain_timeout_ms,
        }
    }

    /// A forced failover to a side.
    pub fn forced(to: Side) -> GateOptions {
        GateOptions { forced: true, ..GateOptions::planned(to) }
    }
}

struct Gate<'a> {
    scene: &'a Scene<'a>,
    link: &'a Link,
    seen: &'a Observation,
    status: &'a LinkStatus,
    options: GateOptions,
}

/// What must hold before the roles are changed.
pub fn failover_gates(link: &Link, seen: &Observation, options: GateOptions) -> Vec<Finding> {
    let links = std::slice::from_ref(link);
    let scene = Scene::new(links, seen);
    let status = status::link(&link.name, seen);
    let gate = Gate { scene: &scene, link, seen, status: &status, options };
    let mut out = vec![
        roles(&gate),
        possible(&gate),
        way_back(&gate),
        connected(&gate),
        operations(&gate),
        azure_rights(&gate),
        sql_rights(&gate),
    ];
    for name in &link.databases {
        out.extend([
            health(&gate, name),
            synchronization(&gate, name),
            lag(&gate, name),
            queues(&gate, name),
            sessions(&gate, name),
            accessible(&gate, name),
            log_backup(&gate, name),
            azure_backup(&gate, name),
        ]);
    }
    out
}

/// What a forced failover does without.
const NOT_FORCED: &str = "a forced failover does not wait for it";

impl Gate<'_> {
    fn from(&self) -> Side {
        self.options.to.other()
    }

    fn of_link(&self, check: Check, wanted: impl Into<String>) -> Judge {
        check.of(Subject::Link { name: self.link.name.clone() }, wanted)
    }

    fn of_database(&self, check: Check, side: Side, name: &str, wanted: impl Into<String>) -> Judge {
        check.of(Subject::Database { side, name: name.to_owned() }, wanted)
    }

    fn database(&self, name: &str) -> Option<&DatabaseStatus> {
        self.status.databases.iter().find(|d| key(&d.name) == key(name))
    }

    /// Whether Azure has a part in it. SQL Server is forced without.
    fn needs_azure(&self) -> bool {
        !(self.options.forced && self.options.to == Side::SqlServer)
    }

    /// Looks at a number of the link, or says who does not answer.
    fn told<T>(&self, value: Option<T>, what: &str) -> Result<T, String> {
        value.ok_or_else(|| {
            let silent = status::silent(self.seen);
            if silent.is_empty() {
                format!("nobody says {what}")
            } else {
                format!("nobody says {what} ({})", silent.join("; "))
            }
        })
    }
}

/// What a planner refuses is a no, and what it has not seen is unknown.
fn refused(judge: Judge, error: PlanError) -> Finding {
    match error {
        PlanError::Unseen { .. } => judge.unknown(error.to_string()),
        PlanError::Refused { why, advice } => judge.fail(why).advise(advice),
    }
}

fn roles(gate: &Gate<'_>) -> Finding {
    let (from, to) = (gate.from(), gate.options.to);
    if gate.options.forced {
        let judge = gate.of_link(GATE_ROLES, format!("{to} is secondary"));
        let role = Condition::Role { name: gate.link.name.clone(), side: to, role: Role::Secondary };
        return match role.judge(gate.seen) {
            Truth::Holds => by_own_word(gate, judge, format!("{to} is SECONDARY")),
            Truth::Not { seen } => {
                judge.fail(seen).advise(format!("`milink doctor {}` says what to do", gate.link.name))
            }
            Truth::Unknown { why } => judge.unknown(why),
        };
    }
    let judge = gate.of_link(GATE_ROLES, format!("{from} is primary, {to} is secondary"));
    match primary(gate.link, gate.seen) {
        Ok(side) if side == from => {
            let method = gate.scene.sql_server().ok().and_then(|s| method(from, s, gate.seen).ok());
            match method.map(|method| roles_are_said(method, gate.seen)) {
                Some(Err(error)) => refused(judge, error),
                Some(Ok(())) | None => {
                    by_own_word(gate, judge, format!("{from} is PRIMARY, {to} is SECONDARY"))
                }
            }
        }
        Ok(side) => judge.fail(format!("{side} is PRIMARY already")).advise("nothing has to be done"),
        Err(error) => refused(judge, error),
    }
}

/// Where the managed instance does not answer, its role is Azure's word, which may be old.
fn by_own_word(gate: &Gate<'_>, judge: Judge, seen: String) -> Finding {
    match gate.scene.managed() {
        Err(why) if !gate.options.forced || gate.options.to == Side::Managed => judge
            .warn(format!("{seen}, the managed instance by Azure's word only: {why}"))
            .advise("let the managed instance answer, so that it says its role itself"),
        Ok(_) | Err(_) => judge.pass(seen),
    }
}

fn possible(gate: &Gate<'_>) -> Finding {
    let judge = gate.of_link(GATE_POSSIBLE, format!("a failover to {} with these builds", gate.options.to));
    let server = match gate.scene.sql_server() {
        Ok(server) => server,
        // A managed instance that is forced while SQL Server is lost is what forced failovers are for.
        Err(why) if gate.options.forced && gate.options.to == Side::Managed => {
            return judge.warn(format!("{why}; the managed instance decides by itself"));
        }
        Err(why) => return judge.unknown(why),
    };
    if gate.options.forced {
        let breaks = server.version.release().is_some_and(failover_breaks_link);
        let mode = gate.scene.azure_link(&gate.link.name).and_then(|l| l.failover_mode);
        return if breaks {
            judge
                .fail(format!("links of {} cannot be forced (error 41985)", server.version))
                .advise("delete the link instead: the managed instance's copy becomes writable")
        } else if mode == Some(FailoverMode::OneWay) {
            judge.warn("the link is one-way, and may refuse to be forced (error 41985)")
        } else {
            judge.pass(server.version.to_string())
        };
    }
    match method(gate.from(), server, gate.seen) {
        Ok(method) => judge.pass(format!(
            "{}: {}",
            server.version,
            match method {
                Method::Statement => "one statement on SQL Server",
                Method::Call => "one call of Azure",
                Method::ByHand => "demotion, fence and promotion, one after the other",
                Method::Break => "the link is removed once both sides are equal",
            }
        )),
        Err(error) => refused(judge, error),
    }
}

fn way_back(gate: &Gate<'_>) -> Finding {
    let judge = gate.of_link(GATE_WAY_BACK, "a failover in the other direction is possible afterwards");
    let known = gate.scene.sql_server().and_then(|s| Ok((s, gate.scene.azure()?.update_policy)));
    judge
        .look(known, |judge, (server, policy)| {
            let shown = policy.map_or_else(|| "unknown".to_owned(), |p| p.to_string());
            let seen = format!("SQL Server {}, update policy {shown}", server.version);
            match gate.options.to {
                Side::Managed => judge.verdict(&can_fail_back(server.version, policy), seen),
                Side::SqlServer => judge.look(release(server), |judge, release| {
                    judge.verdict(&policy::to_managed(release, policy), seen)
                }),
            }
        })
        .advise(
            "be sure that this is meant: the way back is a backup and restore, or transactional replication",
        )
}

fn connected(gate: &Gate<'_>) -> Finding {
    let judge = gate.of_link(GATE_CONNECTED, "CONNECTED, as the primary sees it");
    if gate.options.forced {
        return judge.skip(NOT_FORCED);
    }
    judge.look(gate.told(gate.status.connected, "whether the halves are connected"), |judge, connected| {
        let error = gate.status.last_error.as_ref();
        match (connected, error) {
            (true, _) => judge.pass("CONNECTED"),
            (false, Some(e)) => judge.fail(format!("DISCONNECTED: {}", e.text)),
            (false, None) => judge.fail("DISCONNECTED"),
        }
        .advise("`milink check` says what is in the way")
    })
}

fn operations(gate: &Gate<'_>) -> Finding {
    let judge = GATE_OPERATIONS.of(Subject::Azure, "state Ready, and nothing under way");
    if !gate.needs_azure() {
        return judge.skip("Azure has no part in it");
    }
    judge.look(gate.scene.azure(), |judge, a| {
        let ready = a.state.eq_ignore_ascii_case("Ready");
        let seen = match a.operations.as_slice() {
            [] => format!("state {}", a.state),
            some => format!("state {}; {}", a.state, under_way(some)),
        };
        judge.judge(ready && a.operations.is_empty(), seen).advise("wait until it has ended")
    })
}

fn azure_rights(gate: &Gate<'_>) -> Finding {
    let judge = GATE_RIGHTS.of(Subject::Azure, "the actions that change roles");
    if !gate.needs_azure() {
        return judge.skip("Azure has no part in it");
    }
    judge.look(gate.scene.azure(), |judge, a| {
        let mut all = rights(a, Purpose::Failover);
        if !gate.options.forced {
            // The commit mode of the managed instance's half is set before and after.
            let update = rights(a, Purpose::Update);
            let new = |r: &&&crate::facts::rbac::Right| !all.missing.contains(*r);
            let missing: Vec<_> = update.missing.iter().filter(new).copied().collect();
            all.missing.extend(missing);
        }
        judge_rights(judge, &all)
    })
}

fn sql_rights(gate: &Gate<'_>) -> Finding {
    let wanted = "sysadmin, or ALTER ANY AVAILABILITY GROUP";
    let judge = GATE_RIGHTS.of(Subject::Instance { side: Side::SqlServer }, wanted);
    if gate.options.forced && gate.options.to == Side::Managed {
        return judge.skip("SQL Server has no part in it");
    }
    judge.look(gate.scene.sql_server(), |judge, i| {
        let may =
            ["CONTROL SERVER", "ALTER ANY AVAILABILITY GROUP"].into_iter().find(|p| has_permission(i, p));
        match (i.is_sysadmin, may) {
            (Some(true), _) => judge.pass("member of sysadmin"),
            (_, Some(right)) => judge.pass(right),
            (None, None) => judge.unknown("the membership in sysadmin could not be read"),
            (Some(false), None) if i.permissions.is_empty() => {
                judge.unknown("not in sysadmin, and the permissions of this login could not be read")
            }
            (Some(false), None) => judge.fail("neither"),
        }
    })
}

fn health(gate: &Gate<'_>, name: &str) -> Finding {
    let judge = gate.of_database(GATE_HEALTH, gate.options.to, name, "HEALTHY");
    if gate.options.forced {
        return judge.skip(NOT_FORCED);
    }
    let health = gate.database(name).and_then(|d| d.health);
    judge.look(gate.told(health, "how healthy the copy is"), |judge, health| {
        judge.judge(health == Health::Healthy, health.to_string())
    })
}

fn synchronization(gate: &Gate<'_>, name: &str) -> Finding {
    let judge =
        gate.of_database(GATE_SYNCHRONIZATION, gate.options.to, name, "SYNCHRONIZING or SYNCHRONIZED");
    let Some(database) = gate.database(name) else {
        return judge.look(gate.told(None, "how the copy is"), |judge, seen: String| judge.pass(seen));
    };
    if database.seeding.as_ref().is_some_and(SeedingStatus::is_under_way) {
        return judge.fail("it is being seeded").advise("wait until the copy is complete");
    }
    if let Some(why) = database.suspended.as_ref().filter(|_| !gate.options.forced) {
        return judge
            .fail(format!("suspended: {why}"))
            .advise("ALTER DATABASE ... SET HADR RESUME, once the reason is gone");
    }
    // While its primary is lost, a secondary speaks for itself.
    let half = gate.seen.distributed(gate.options.to, &gate.link.name).ok().flatten();
    let half = half.filter(|g| gate.options.forced && g.role == Some(Role::Secondary));
    let state = database.state.or_else(|| half.and_then(|g| g.local_database(name)?.state));
    judge.look(gate.told(state, "the synchronization state"), |judge, state| match state {
        SyncState::Synchronizing | SyncState::Synchronized => judge.pass(state.to_string()),
        // Without its primary a copy does not synchronize; it is what it has.
        SyncState::NotSynchronizing if gate.options.forced => judge.pass(state.to_string()),
        SyncState::NotSynchronizing | SyncState::Reverting | SyncState::Initializing => {
            judge.fail(state.to_string())
        }
    })
}

fn lag(gate: &Gate<'_>, name: &str) -> Finding {
    let max = gate.options.lag_seconds_max;
    let seconds = gate.database(name).and_then(|d| d.data_loss_seconds);
    if gate.options.forced {
        let judge = gate.of_database(GATE_LAG, gate.options.to, name, "nothing is lost");
        return match seconds {
            Some(0) => judge.pass("nothing was missing at the last look"),
            Some(seconds) => judge.warn(format!("the last {} of work are lost", span(seconds))),
            None => judge.warn("what is lost cannot be known"),
        };
    }
    let judge = gate.of_database(GATE_LAG, gate.options.to, name, format!("{max} s at most"));
    judge.look(gate.told(seconds, "how far behind the copy is"), |judge, seconds| {
        judge
            .judge(seconds <= max, format!("{seconds} s"))
            .advise("wait, or stop the writes, or allow more (--max-lag)")
    })
}

fn queues(gate: &Gate<'_>, name: &str) -> Finding {
    let limit = gate.options.drain_timeout_ms.div_ceil(1_000);
    let judge =
        gate.of_database(GATE_QUEUES, gate.options.to, name, format!("drained within {}", span(limit)));
    if gate.options.forced {
        return judge.skip(NOT_FORCED);
    }
    let Some(d) = gate.database(name) else {
        return judge.unknown("nobody says how long the queues are");
    };
    let seconds = |queue: Option<u64>, rate: Option<u64>| match (queue?, rate) {
        (0, _) => Some(0),
        (queue, Some(rate)) if rate > 0 => Some(queue.div_ceil(rate)),
        (_, Some(_) | None) => None,
    };
    let said = |queue: Option<u64>, rate: Option<u64>| {
        let of =
            |n: Option<u64>, unit: &str| n.map_or_else(|| "unknown".to_owned(), |n| format!("{n} {unit}"));
        format!("{} at {}", of(queue, "KiB"), of(rate, "KiB/s"))
    };
    let seen = format!(
        "to send {}; to redo {}",
        said(d.send_queue_kb, d.send_rate_kb),
        said(d.redo_queue_kb, d.redo_rate_kb)
    );
    let (send, redo) = (seconds(d.send_queue_kb, d.send_rate_kb), seconds(d.redo_queue_kb, d.redo_rate_kb));
    match (send, redo) {
        (Some(send), Some(redo)) => {
            let all = send.saturating_add(redo);
            judge.judge(all <= limit, format!("{seen}: {}", span(all))).advise("wait, or pause the workload")
        }
        (Some(one), None) | (None, Some(one)) if one > limit => {
            judge.fail(seen).advise("wait, or pause the workload")
        }
        (Some(_) | None, None) | (None, Some(_)) => judge.unknown(seen),
    }
}

fn sessions(gate: &Gate<'_>, name: &str) -> Finding {
    let from = gate.from();
    let judge = gate.of_database(GATE_SESSIONS, from, name, "nobody");
    let sessions = gate.scene.side(from).and_then(|i| {
        let hidden = || "this login may not see sessions (VIEW SERVER STATE)".to_owned();
        i.sessions.as_ref().ok_or_else(hidden)
    });
    judge.look(sessions, |judge, sessions| {
        let count: u32 = sessions.iter().filter(|(d, _)| key(d) == key(name)).map(|(_, n)| *n).sum();
        judge
            .judge(count == 0, format!("{count} sessions"))
            .advise("stop the applications, and point them to the other side afterwards")
    })
}

fn accessible(gate: &Gate<'_>, name: &str) -> Finding {
    let judge = gate.of_database(GATE_ACCESSIBLE, Side::Managed, name, "status other than Inaccessible");
    if !gate.needs_azure() {
        return judge.skip("Azure has no part in it");
    }
    judge.look(gate.scene.azure(), |judge, _| match gate.scene.azure_database(name) {
        Some(d) => judge
            .judge(!d.status.eq_ignore_ascii_case("Inaccessible"), format!("status {}", d.status))
            .advise("let the managed instance reach the database's key again"),
        None => judge.unknown("Azure does not list the database"),
    })
}

fn log_backup(gate: &Gate<'_>, name: &str) -> Finding {
    let judge =
        gate.of_database(GATE_LOG_BACKUP, Side::SqlServer, name, "a log backup since the copy was made");
    if gate.from() == Side::Managed {
        return judge.skip("the managed instance backs up by itself while it is primary");
    }
    match (Condition::LogBackup { database: name.to_owned() }).judge(gate.seen) {
        Truth::Holds => {
            let last = gate
                .scene
                .database(Side::SqlServer, name)
                .ok()
                .flatten()
                .and_then(|d| d.last_log_backup.as_ref());
            judge.pass(last.map_or_else(|| "it is there".to_owned(), |b| format!("at {}", b.finished)))
        }
        Truth::Not { seen } => judge.fail(seen).advise("back up the log now, and regularly from now on"),
        Truth::Unknown { why } => judge.unknown(why),
    }
}

fn azure_backup(gate: &Gate<'_>, name: &str) -> Finding {
    let judge =
        gate.of_database(GATE_AZURE_BACKUP, Side::Managed, name, "a full backup in its msdb.dbo.backupset");
    if gate.from() == Side::SqlServer {
        return judge.skip("it is looked for before the link is dropped");
    }
    judge.look(gate.scene.database(Side::Managed, name), |judge, found| {
        match found.map(|d| d.last_full_backup.as_ref()) {
            Some(Some(backup)) => judge.pass(format!("at {}", backup.finished)),
            Some(None) => {
                judge.fail("none yet").advise("keep the link until the managed instance has made it")
            }
            None => judge.unknown("the managed instance does not show the database to this login"),
        }
    })
}
