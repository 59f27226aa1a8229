//! From a folder to a lab that answers.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::{Lab, LabError, Wishes, lock};
use crate::api;
use crate::child::Instance;
use crate::faults::Faults;
use crate::folder::{ControlFile, Folder, FolderError};
use crate::log::Log;
use crate::pipe::Ask;
use crate::ports::{Ports, free, loopback};
use crate::settings::{Policy, Sample, Settings, Side, Version};
use crate::wire::Wire;

/// How long what a killed lab has left behind may take to go.
const LEFTOVERS: Duration = Duration::from_secs(20);
/// How long a sample may take to load.
const LOAD_LIMIT: Duration = Duration::from_mins(5);

/// What is kept of a choice, and what is wanted now: a lab is not made over.
fn settled<T: PartialEq + std::fmt::Display>(kept: T, wanted: Option<T>, flag: &str) -> Result<T, LabError> {
    match wanted {
        Some(wanted) if wanted != kept => Err(LabError::DoesNotApply(format!(
            "this lab was made with {flag} {kept}, and cannot become {wanted}: use another folder (--data), or remove this one"
        ))),
        _ => Ok(kept),
    }
}

impl Lab {
    /// Starts the lab of a folder, making it first if there is none, and returns when all of it answers.
    ///
    /// # Errors
    /// The folder or a port cannot be used, or a process does not start. Nothing runs then.
    pub fn start(folder: &Folder, wishes: Wishes) -> Result<Arc<Lab>, LabError> {
        let begun = Instant::now();
        let before = folder.settings()?;
        let lock_file = folder.take()?;
        let log = Log::open(&folder.lab_log(), wishes.progress)
            .map_err(|e| FolderError::Io(folder.lab_log(), e))?;
        let settings = match before {
            Some(kept) => Settings {
                version: settled(kept.version, wishes.version, "--version")?,
                policy: settled(kept.policy, wishes.policy, "--policy")?,
                sample: settled(kept.sample, wishes.sample, "--sample")?,
                sample_loaded: kept.sample_loaded,
                ports: Ports::choose(Some(kept.ports), wishes.ports).map_err(LabError::DoesNotApply)?,
            },
            None => Settings {
                version: wishes.version.unwrap_or(Version::Sql2022),
                policy: wishes.policy.unwrap_or(Policy::Sql2022),
                sample: wishes.sample.unwrap_or(Sample::Chinook),
                sample_loaded: false,
                ports: Ports::choose(None, wishes.ports).map_err(LabError::DoesNotApply)?,
            },
        };
        // A lab that was stopped in order has taken that file away.
        let was_killed = folder.announced()?.is_some();
        let patience = if was_killed { LEFTOVERS } else { Duration::ZERO };
        settings.ports.check(patience).map_err(LabError::DoesNotApply)?;
        folder.keep_settings(&settings)?;
        let ports = settings.ports;
        let mut taken: Vec<u16> = ports.named().iter().map(|(port, ..)| *port).collect();
        let sqlserver_behind = free(&taken).map_err(LabError::Failed)?;
        taken.push(sqlserver_behind);
        let behind = [sqlserver_behind, free(&taken).map_err(LabError::Failed)?];
        let wire = Wire::start(&ports, behind);
        let lab = Arc::new(Lab {
            folder: folder.clone(),
            program: wishes.program,
            settings: Mutex::new(settings),
            secrets: folder.secrets()?,
            sqlserver: Arc::new(Instance::new(Side::SqlServer)),
            managed: Arc::new(Instance::new(Side::Managed)),
            wire: wire.map_err(LabError::Failed)?,
            azure: Mutex::default(),
            azure_faults: lab_azure::AzureFaults::new(),
            faults: Mutex::new(Faults::default()),
            broken: Mutex::new(BTreeMap::new()),
            working: Mutex::default(),
            log,
            started: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs(),
            ready_ms: Mutex::default(),
            stop_wanted: Mutex::default(),
            stop: Condvar::new(),
            _lock: lock_file,
        });
        lab.bring_everything_up().inspect_err(|_| lab.pause())?;
        *lock(&lab.ready_ms) = begun.elapsed().as_millis() as u64;
        lab.log.say(&format!("Ready after {} ms", begun.elapsed().as_millis()));
        Ok(lab)
    }

    fn bring_everything_up(self: &Arc<Lab>) -> Result<(), LabError> {
        let _working = lock(&self.working);
        self.finish_restoring()?;
        self.load_broken()?;
        let settings = lock(&self.settings).clone();
        self.log.say(&format!(
            "Starting SQL Server {}, a managed instance ({}) and the local Azure in {}",
            settings.version,
            settings.policy,
            self.folder.path().display()
        ));
        self.start_all()?;
        self.serve(settings.ports.control)?;
        Ok(())
    }

    /// Both instances, the sample, and the local Azure; side by side as far as they do not need each other.
    pub(super) fn start_all(&self) -> Result<(), LabError> {
        let crashed = || Err("a defect while the lab was started".to_owned());
        let (sqlserver, managed) = std::thread::scope(|scope| {
            let sqlserver =
                scope.spawn(|| self.start_instance(Side::SqlServer).and_then(|()| self.load_sample()));
            let managed =
                scope.spawn(|| self.start_instance(Side::Managed).and_then(|()| self.start_azure()));
            (sqlserver.join().unwrap_or_else(|_| crashed()), managed.join().unwrap_or_else(|_| crashed()))
        });
        sqlserver.and(managed).map_err(LabError::Failed)
    }

    fn load_sample(&self) -> Result<(), String> {
        let mut settings = lock(&self.settings).clone();
        if settings.sample_loaded {
            return Ok(());
        }
        if let Some(database) = settings.sample.database() {
            let begun = Instant::now();
            let loaded = self.sqlserver.ask::<()>(Ask::Load(settings.sample), LOAD_LIMIT);
            loaded.map_err(|e| format!("{database} cannot be loaded: {e}"))?;
            self.log.say(&format!("Loaded {database} in {} ms", begun.elapsed().as_millis()));
        }
        settings.sample_loaded = true;
        self.folder.keep_settings(&settings).map_err(|e| e.to_string())?;
        *lock(&self.settings) = settings;
        Ok(())
    }

    /// Answers other processes from now on, until this one ends.
    fn serve(self: &Arc<Lab>, port: u16) -> Result<(), LabError> {
        let failed = |e: std::io::Error| LabError::Failed(format!("the control endpoint: {e}"));
        let listener = TcpListener::bind(loopback(port)).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("lab control")
            .enable_all()
            .build()
            .map_err(failed)?;
        let router = api::router(Arc::clone(self), &self.secrets.token);
        std::thread::Builder::new()
            .name("control endpoint".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    // An error here would be of the listener, which cannot have one: it is of this process.
                    if let Ok(listener) = tokio::net::TcpListener::from_std(listener) {
                        drop(axum::serve(listener, router).await);
                    }
                });
            })
            .map_err(failed)?;
        self.folder.announce(&ControlFile { port, pid: std::process::id() })?;
        Ok(())
    }
}
