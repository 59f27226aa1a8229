//! The supervisor: starts what a lab is made of, keeps it, and carries out what is wanted of it.
//!
//! [`start`] brings everything up, [`effects`] carries faults out, [`copies`] makes and restores snapshots. Whatever starts
//! or stops something holds `working`, so that there is one such thing at a time.

mod copies;
mod effects;
mod start;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::azure::{self, Azure};
use crate::child::{Instance, Remote, Start, State};
use crate::faults::{Direction, Faults};
use crate::folder::{Folder, FolderError, Lock, Secrets};
use crate::log::{Log, Progress};
use crate::pipe::{Ask, Facts};
use crate::ports::PortChoice;
use crate::settings::{Policy, Sample, Settings, Side, Version};
use crate::status::{
    LabStatus, ManagedStatus, ProcessStatus, SCHEMA_VERSION, SqlServerStatus, Status, WireStatus,
};
use crate::wire::Wire;
use effects::Broken;

/// Why a lab did not do what was wanted.
#[derive(Debug)]
pub enum LabError {
    /// The folder.
    Folder(FolderError),
    /// It makes no sense as things are.
    DoesNotApply(String),
    /// There is nothing of that name.
    NotFound(String),
    /// It was tried, and failed.
    Failed(String),
}

impl std::fmt::Display for LabError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            LabError::Folder(e) => e.fmt(f),
            LabError::DoesNotApply(why) | LabError::NotFound(why) | LabError::Failed(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for LabError {}

impl From<FolderError> for LabError {
    fn from(e: FolderError) -> LabError {
        LabError::Folder(e)
    }
}

/// What a start is wanted to be like. What is not said is as it was at the last start.
pub struct Wishes {
    /// The program that serves an instance.
    pub program: PathBuf,
    /// The release of SQL Server.
    pub version: Option<Version>,
    /// The update policy of the managed instance.
    pub policy: Option<Policy>,
    /// The sample database.
    pub sample: Option<Sample>,
    /// Where everything is to answer.
    pub ports: PortChoice,
    /// Told what goes on.
    pub progress: Progress,
}

impl std::fmt::Debug for Wishes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wishes").field("program", &self.program).finish_non_exhaustive()
    }
}

/// A running lab.
#[derive(Debug)]
pub struct Lab {
    folder: Folder,
    program: PathBuf,
    settings: Mutex<Settings>,
    secrets: Secrets,
    sqlserver: Arc<Instance>,
    managed: Arc<Instance>,
    wire: Wire,
    azure: Mutex<Option<Azure>>,
    azure_faults: lab_azure::AzureFaults,
    faults: Mutex<Faults>,
    /// The certificates that the lab has broken.
    broken: Mutex<BTreeMap<Side, Broken>>,
    working: Mutex<()>,
    log: Log,
    started: u64,
    ready_ms: Mutex<u64>,
    stop_wanted: Mutex<bool>,
    stop: Condvar,
    /// Last: the folder is free when all else is gone.
    _lock: Lock,
}

/// How long an instance may take to say how it is.
const FACTS_LIMIT: Duration = Duration::from_secs(2);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Lab {
    fn instance(&self, side: Side) -> &Arc<Instance> {
        match side {
            Side::SqlServer => &self.sqlserver,
            Side::Managed => &self.managed,
        }
    }

    /// Wants it to stop. [`Lab::wait`] returns then.
    pub fn ask_to_stop(&self) {
        *lock(&self.stop_wanted) = true;
        self.stop.notify_all();
    }

    /// Looks after it until it is to stop.
    pub fn wait(&self) {
        let mut told = BTreeMap::new();
        let mut refused = None;
        loop {
            {
                let wanted = lock(&self.stop_wanted);
                if *wanted {
                    return;
                }
                let waited = self.stop.wait_timeout(wanted, Duration::from_millis(300));
                if *waited.unwrap_or_else(PoisonError::into_inner).0 {
                    return;
                }
            }
            for side in Side::ALL {
                let state = self.instance(*side).state();
                if let State::Ended { reason } = &state
                    && told.get(side) != Some(&state)
                {
                    self.log.say(&format!(
                        "{side} has ended by itself: {reason}; its log is {}; `milink lab fault start {side}` starts it",
                        self.folder.instance_log(*side).display()
                    ));
                }
                told.insert(*side, state);
            }
            self.follow_endpoint(&mut refused);
        }
    }

    /// SQL Server's endpoint may be made with any port: the wire is there, too. `refused` is the port that could not be had.
    fn follow_endpoint(&self, refused: &mut Option<u16>) {
        let Ok(facts) = self.sqlserver.ask::<Facts>(Ask::Facts, FACTS_LIMIT) else { return };
        let Some(port) = facts.endpoint_port.filter(|port| Some(*port) != *refused) else { return };
        let faults = lock(&self.faults).clone();
        match self.wire.follow(Side::SqlServer, port, |direction| faults.wire_state(direction)) {
            Ok(false) => {}
            Ok(true) => self.log.say(&format!("SQL Server's endpoint is reached at port {port}, too")),
            Err(e) => {
                *refused = Some(port);
                let lab = lock(&self.settings).ports.sqlserver_endpoint;
                self.log.say(&format!("{e}; partners reach it at the lab's own port, {lab}"));
            }
        }
    }

    /// What has become of faults that end by themselves.
    fn settle(&self) {
        let mut faults = lock(&self.faults);
        for direction in Direction::ALL {
            if faults.wire_state(*direction).corrupt && self.wire.has_corrupted(*direction) {
                faults.corrupted(*direction);
            }
        }
        if let Some(azure) = &*lock(&self.azure) {
            for kind in faults.azure() {
                faults.azure_left(kind, azure.fault_left(kind));
            }
        }
    }

    /// How it is.
    pub fn status(&self) -> Status {
        self.settle();
        let settings = lock(&self.settings).clone();
        let ports = settings.ports;
        let faults = lock(&self.faults).clone();
        let azure = lock(&self.azure);
        let server = |port: u16| format!("127.0.0.1,{port}");
        Status {
            schema_version: SCHEMA_VERSION,
            sqlserver: SqlServerStatus {
                server: server(ports.sqlserver),
                user: "sa".to_owned(),
                password: self.secrets.password(Side::SqlServer).to_owned(),
                endpoint: format!("TCP://127.0.0.1:{}", ports.sqlserver_endpoint),
            },
            managed: ManagedStatus {
                server: server(ports.managed),
                user: "sa".to_owned(),
                password: self.secrets.password(Side::Managed).to_owned(),
                endpoint: format!("TCP://{}:{}", azure::fqdn(), ports.managed_endpoint),
                fqdn: azure::fqdn(),
                resource_id: azure::resource_id(),
            },
            azure: azure.as_ref().map_or_else(|| azure::nothing(&self.folder, &ports), Azure::status),
            lab: LabStatus {
                data: self.folder.path().to_owned(),
                pid: std::process::id(),
                milink_version: env!("CARGO_PKG_VERSION").to_owned(),
                version: settings.version,
                policy: settings.policy,
                sample: settings.sample,
                started: crate::status::utc(self.started),
                ready_ms: *lock(&self.ready_ms),
                snapshots: self.snapshots(),
            },
            processes: Side::ALL.iter().map(|side| self.process(*side, &faults)).collect(),
            wire: WireStatus {
                to_managed_bytes: self.wire.passed(Direction::ToManaged),
                to_sqlserver_bytes: self.wire.passed(Direction::ToSqlServer),
            },
            faults: faults.list(),
        }
    }

    fn process(&self, side: Side, faults: &Faults) -> ProcessStatus {
        let (state, pid, reason) = match self.instance(side).state() {
            State::Running { pid } => ("running", Some(pid), None),
            State::Down => (faults.down(side).unwrap_or("stopped"), None, None),
            State::Ended { reason } => ("ended", None, Some(reason)),
        };
        ProcessStatus {
            name: side,
            server_name: side.server_name().to_owned(),
            state: state.to_owned(),
            pid,
            reason,
            data: self.folder.instance(side),
        }
    }

    fn start_instance(&self, side: Side) -> Result<(), String> {
        if matches!(self.instance(side).state(), State::Running { .. }) {
            return Ok(());
        }
        let settings = lock(&self.settings).clone();
        let ports = settings.ports;
        let (port, flavor) = match side {
            Side::SqlServer => (ports.sqlserver, vec!["--version".to_owned(), settings.version.to_string()]),
            Side::Managed => (
                ports.managed,
                vec![
                    "--policy".to_owned(),
                    settings.policy.to_string(),
                    "--mirroring-port".to_owned(),
                    ports.managed_endpoint.to_string(),
                ],
            ),
        };
        let mut arguments: Vec<String> =
            ["lab", "serve-instance", "--control", "stdio", "--hadr", "on", "--data"]
                .map(str::to_owned)
                .to_vec();
        arguments.push(self.folder.instance(side).display().to_string());
        for (flag, value) in [
            ("--flavor", side.word().to_owned()),
            ("--name", side.server_name().to_owned()),
            ("--listen", format!("127.0.0.1:{port}")),
            ("--endpoint-listen", format!("127.0.0.1:{}", self.wire.behind(side))),
        ] {
            arguments.extend([flag.to_owned(), value]);
        }
        arguments.extend(flavor);
        self.instance(side).start(&Start {
            program: self.program.clone(),
            arguments,
            password: self.secrets.password(side).to_owned(),
            log: self.folder.instance_log(side),
        })
    }

    fn start_azure(&self) -> Result<(), String> {
        let ports = lock(&self.settings).ports;
        let instance = Arc::new(Remote(Arc::clone(&self.managed)));
        // What it is to do wrong outlives its restart.
        let azure = Azure::start(&self.folder, &ports, instance, self.azure_faults.clone())?;
        *lock(&self.azure) = Some(azure);
        Ok(())
    }

    /// Stops everything but the wire, in order: who acts on an instance before the instance. What did not stop well is said;
    /// nothing that was acknowledged depends on it.
    fn pause(&self) {
        let azure = lock(&self.azure).take();
        if let Some(azure) = azure {
            azure.stop();
        }
        std::thread::scope(|scope| {
            for side in Side::ALL {
                scope.spawn(|| {
                    if let Err(e) = self.instance(*side).stop() {
                        self.log.say(&e);
                    }
                });
            }
        });
    }

    /// Starts again what [`Lab::pause`] has stopped, but for what a fault keeps down.
    fn resume(&self) -> Result<(), LabError> {
        let faults = lock(&self.faults).clone();
        let started: Vec<Result<(), String>> = std::thread::scope(|scope| {
            let up = Side::ALL.iter().filter(|side| faults.down(**side).is_none());
            let starting: Vec<_> = up.map(|side| scope.spawn(|| self.bring_up(*side, &faults))).collect();
            starting
                .into_iter()
                .map(|s| {
                    s.join().unwrap_or_else(|_| Err("a defect while an instance was started".to_owned()))
                })
                .collect()
        });
        started.into_iter().collect::<Result<(), String>>().map_err(LabError::Failed)?;
        self.start_azure().map_err(LabError::Failed)
    }

    /// Starts an instance, and tells it what is in force.
    fn bring_up(&self, side: Side, faults: &Faults) -> Result<(), String> {
        self.start_instance(side)?;
        faults.started(side).iter().try_for_each(|effect| self.carry_out(effect))
    }

    /// Stops it. The folder is free when the lab is dropped.
    pub fn stop(&self) {
        let _working = lock(&self.working);
        self.log.say("Stopping: the local Azure, then both instances");
        self.pause();
        if let Err(e) = self.folder.retract() {
            self.log.say(&e.to_string());
        }
        self.log.say("Stopped");
    }
}
