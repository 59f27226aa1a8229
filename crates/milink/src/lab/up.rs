//! `milink lab up`: the supervisor, in the foreground or on its own.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use lab::{Folder, Lab, Policy, PortChoice, Sample, Status, Version, Wishes};

use super::verbs::table;
use super::{Done, Failure, Where, print, report};

#[derive(Debug, Args)]
pub(crate) struct Up {
    #[command(flatten)]
    place: Where,
    /// Return when the lab is ready; it runs on until `milink lab down`.
    #[arg(long)]
    detach: bool,
    /// The database that SQL Server has from the start: chinook, northwind, none [default: chinook].
    #[arg(long)]
    sample: Option<Sample>,
    /// The release of SQL Server: 2016, 2017, 2019, 2022, 2025 [default: 2022].
    #[arg(long)]
    version: Option<Version>,
    /// The update policy of the managed instance: sql2022, sql2025, always-up-to-date [default: sql2022].
    #[arg(long)]
    policy: Option<Policy>,
    /// SQL Server's port; a free one is chosen at the first start, and kept.
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    sqlserver_port: Option<u16>,
    /// The managed instance's port.
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    managed_port: Option<u16>,
    /// The port of SQL Server's endpoint.
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    sqlserver_endpoint_port: Option<u16>,
    /// The port of the managed instance's endpoint.
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    managed_endpoint_port: Option<u16>,
    /// The local Azure's port.
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    azure_port: Option<u16>,
    /// The port of the lab's own control endpoint.
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    control_port: Option<u16>,
    /// Started by `--detach`: stay when the terminal goes.
    #[arg(long, hide = true)]
    detached: bool,
}

/// The last line of a detached lab's progress.
const READY: &str = "milink lab: ready";

pub(super) fn run(arguments: &Up) -> Done {
    let folder = arguments.place.folder()?;
    if arguments.detach { detach(arguments, &folder) } else { supervise(arguments, &folder) }
}

fn wishes(arguments: &Up) -> Result<Wishes, Failure> {
    let program =
        std::env::current_exe().map_err(|e| Failure::Error(format!("where is this program? {e}")))?;
    Ok(Wishes {
        program,
        version: arguments.version,
        policy: arguments.policy,
        sample: arguments.sample,
        ports: PortChoice {
            sqlserver: arguments.sqlserver_port,
            managed: arguments.managed_port,
            sqlserver_endpoint: arguments.sqlserver_endpoint_port,
            managed_endpoint: arguments.managed_endpoint_port,
            azure: arguments.azure_port,
            control: arguments.control_port,
        },
        progress: Box::new(report),
    })
}

fn supervise(arguments: &Up, folder: &Folder) -> Done {
    let signals = |e| Failure::Error(format!("signals: {e}"));
    if arguments.detached {
        // A session of its own: what happens to the terminal is none of its business.
        rustix::process::setsid().map_err(|e| Failure::Error(format!("a session of its own: {e}")))?;
    }
    // Before anything is started: a signal must find someone who stops in order.
    let mut wanted = signal_hook::iterator::Signals::new([
        signal_hook::consts::SIGINT,
        signal_hook::consts::SIGTERM,
        signal_hook::consts::SIGHUP,
    ])
    .map_err(signals)?;
    let lab = Lab::start(folder, wishes(arguments)?).map_err(|e| Failure::Error(e.to_string()))?;
    let stopping = Arc::clone(&lab);
    let spawned = std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for _ in wanted.forever() {
            stopping.ask_to_stop();
        }
    });
    spawned.map_err(signals)?;
    if arguments.detached {
        report(READY);
    } else {
        welcome(&lab.status(), &arguments.place)?;
        report("Ctrl-C stops it.");
    }
    lab.wait();
    lab.stop();
    Ok(())
}

/// Starts a supervisor on its own, and passes on what it says until it is ready.
fn detach(arguments: &Up, folder: &Folder) -> Done {
    let Wishes { program, ports, .. } = wishes(arguments)?;
    let mut command = Command::new(program);
    command.args(["lab", "up", "--detached", "--data"]).arg(folder.path());
    let words = [
        ("--sample", arguments.sample.map(|w| w.to_string())),
        ("--version", arguments.version.map(|w| w.to_string())),
        ("--policy", arguments.policy.map(|w| w.to_string())),
        ("--sqlserver-port", ports.sqlserver.map(|p| p.to_string())),
        ("--managed-port", ports.managed.map(|p| p.to_string())),
        ("--sqlserver-endpoint-port", ports.sqlserver_endpoint.map(|p| p.to_string())),
        ("--managed-endpoint-port", ports.managed_endpoint.map(|p| p.to_string())),
        ("--azure-port", ports.azure.map(|p| p.to_string())),
        ("--control-port", ports.control.map(|p| p.to_string())),
    ];
    for (flag, word) in words {
        if let Some(word) = word {
            command.args([flag, &word]);
        }
    }
    // Its folder must not be one that somebody wants to remove.
    command.current_dir(existing_parent(folder.path().to_owned()));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let failed = |e| Failure::Error(format!("the lab cannot be started: {e}"));
    let mut child = command.spawn().map_err(failed)?;
    let said = child.stderr.take().ok_or_else(|| failed(std::io::Error::other("no pipe")))?;
    for line in BufReader::new(said).lines() {
        let line = line.map_err(failed)?;
        if line == READY {
            welcome(&arguments.place.client()?.status()?, &arguments.place)?;
            return Ok(());
        }
        report(&line);
    }
    drop(child.wait());
    // It has said why.
    Err(Failure::Said)
}

fn existing_parent(mut path: PathBuf) -> PathBuf {
    while !path.is_dir() && path.pop() {}
    path
}

/// Says where everything is.
fn welcome(status: &Status, place: &Where) -> Done {
    print(&table(status))?;
    let data = place.data.as_ref().map(|_| format!(" --data {}", status.lab.data.display()));
    let data = data.unwrap_or_default();
    report(&format!("\nFor this shell:  eval \"$(milink lab env{data})\""));
    std::io::stderr().flush().map_err(|e| Failure::Error(e.to_string()))
}

/// How long a lab may take to stop.
pub(super) const STOP_LIMIT: Duration = Duration::from_mins(1);
