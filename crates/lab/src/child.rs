//! An instance's process: started, asked, stopped, killed.

use std::fs::OpenOptions;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::net::SocketAddr;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;

use crate::pipe::{Ask, Pipe, PipeError};
use crate::settings::Side;

/// How long an instance may take to recover its databases.
const START_LIMIT: Duration = Duration::from_mins(1);
/// How long it may take to stop in order, before it is killed.
const STOP_LIMIT: Duration = Duration::from_secs(20);

/// How a process is started.
#[derive(Debug, Clone)]
pub(crate) struct Start {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) password: String,
    /// Where its standard error goes.
    pub(crate) log: PathBuf,
}

/// An instance, which runs or does not.
#[derive(Debug)]
pub(crate) struct Instance {
    pub(crate) side: Side,
    slot: Mutex<Slot>,
}

#[derive(Debug)]
enum Slot {
    Down,
    Up(Process),
    /// It ended, and nobody wanted it to.
    Ended(String),
}

#[derive(Debug)]
struct Process {
    child: Child,
    pipe: Arc<Pipe>,
}

/// How an instance is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    Running { pid: u32 },
    Down,
    Ended { reason: String },
}

fn why_ended(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("it ended with exit code {code}"),
        (None, Some(signal)) => format!("it was ended by signal {signal}"),
        (None, None) => "it ended".to_owned(),
    }
}

impl Instance {
    pub(crate) fn new(side: Side) -> Instance {
        Instance { side, slot: Mutex::new(Slot::Down) }
    }

    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts it, and returns when it answers.
    ///
    /// # Errors
    /// It does not start: what it said last.
    pub(crate) fn start(&self, start: &Start) -> Result<(), String> {
        let title = self.side.title();
        let failed = |e: std::io::Error| format!("{title} cannot be started: {e}");
        let mut log =
            OpenOptions::new().create(true).append(true).read(true).open(&start.log).map_err(failed)?;
        let from = log.seek(SeekFrom::End(0)).map_err(failed)?;
        let mut child = Command::new(&start.program)
            .args(&start.arguments)
            .env("MSSQL_SA_PASSWORD", &start.password)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log.try_clone().map_err(failed)?)
            // Ctrl-C is for the supervisor, which stops its instances one after the other.
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        let (input, output) = child.stdin.take().zip(child.stdout.take()).ok_or("a process without pipes")?;
        let (pipe, first) = Pipe::new(input, output).map_err(failed)?;
        let ready = first.recv_timeout(START_LIMIT).ok();
        let ready = ready.and_then(|line| line["server"].as_str().map(str::to_owned));
        if ready.and_then(|server| server.replace(',', ":").parse::<SocketAddr>().ok()).is_none() {
            // It is dead, or as good as that.
            drop(child.kill());
            let status = child.wait().map_err(failed)?;
            let mut said = String::new();
            let read = log.seek(SeekFrom::Start(from)).and_then(|_| log.read_to_string(&mut said));
            read.map_err(failed)?;
            let last = said.lines().rfind(|line| !line.is_empty()).unwrap_or("it said nothing");
            return Err(format!("{title} did not start ({}): {last}", why_ended(status)));
        }
        *self.slot() = Slot::Up(Process { child, pipe: Arc::new(pipe) });
        Ok(())
    }

    /// How it is now.
    pub(crate) fn state(&self) -> State {
        let mut slot = self.slot();
        if let Slot::Up(process) = &mut *slot
            && let Ok(Some(status)) = process.child.try_wait()
        {
            *slot = Slot::Ended(why_ended(status));
        }
        match &*slot {
            Slot::Up(process) => State::Running { pid: process.child.id() },
            Slot::Down => State::Down,
            Slot::Ended(reason) => State::Ended { reason: reason.clone() },
        }
    }

    /// Asks it. What it is asked may take that long.
    pub(crate) fn ask<T: DeserializeOwned>(&self, ask: Ask, limit: Duration) -> Result<T, PipeError> {
        // Not held while it is waited for: it can be killed meanwhile.
        let pipe = match &*self.slot() {
            Slot::Up(process) => Arc::clone(&process.pipe),
            Slot::Down | Slot::Ended(_) => return Err(PipeError::Silent),
        };
        pipe.ask(ask, limit)
    }

    /// SIGKILL: nothing gets to say goodbye.
    pub(crate) fn kill(&self) -> Result<(), String> {
        let slot = std::mem::replace(&mut *self.slot(), Slot::Down);
        if let Slot::Up(mut process) = slot {
            process.child.kill().and_then(|()| process.child.wait()).map_err(|e| format!("kill: {e}"))?;
        }
        Ok(())
    }

    /// Stops it in order; how that ended if it did not end well.
    pub(crate) fn stop(&self) -> Result<(), String> {
        let slot = std::mem::replace(&mut *self.slot(), Slot::Down);
        let Slot::Up(mut process) = slot else { return Ok(()) };
        process.pipe.close();
        let until = Instant::now() + STOP_LIMIT;
        let title = self.side.title();
        loop {
            match process.child.try_wait() {
                Ok(Some(status)) if status.success() => return Ok(()),
                Ok(Some(status)) => return Err(format!("{title} did not stop well: {}", why_ended(status))),
                Ok(None) if Instant::now() < until => std::thread::sleep(Duration::from_millis(5)),
                Ok(None) => {
                    process
                        .child
                        .kill()
                        .and_then(|()| process.child.wait())
                        .map_err(|e| format!("kill: {e}"))?;
                    return Err(format!(
                        "{title} did not stop in {} s, and was killed",
                        STOP_LIMIT.as_secs()
                    ));
                }
                Err(e) => return Err(format!("{title}: {e}")),
            }
        }
    }
}

/// The managed instance, for the local Azure: whichever process runs it now.
pub(crate) struct Remote(pub(crate) Arc<Instance>);

/// A failover may wait for the other side.
const CALL_LIMIT: Duration = Duration::from_secs(150);

impl lab_azure::ManagedInstance for Remote {
    fn ask(&self, call: &lab_azure::Call) -> Result<lab_azure::Answer, lab_azure::InstanceError> {
        match self.0.ask(Ask::Managed(call.clone()), CALL_LIMIT) {
            Ok(answered) => answered,
            Err(PipeError::Silent) => Err(lab_azure::InstanceError::Silent),
            Err(PipeError::Refused(why)) => Err(lab_azure::InstanceError::refused(50_000, why)),
        }
    }
}
