//! `milink lab serve-instance`: one instance, in the foreground or as a child of a lab.

use std::fs::{File, TryLockError};
use std::io::{BufReader, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use lab_engine::types::Collation;
use lab_engine::{Flavor, Release, UpdatePolicy};
use lab_instance::{FillableDisk, Instance, InstanceConfig, Secret, ServerConfig, ServerEncryption};

use super::report;

#[derive(Debug, Args)]
pub(crate) struct ServeInstance {
    /// The folder that holds its databases; made if it is not there.
    #[arg(long)]
    data: PathBuf,
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:1433")]
    listen: SocketAddr,
    /// The name that @@SERVERNAME gives.
    #[arg(long, default_value = "MILINK-LAB")]
    name: String,
    /// The collation of the server; the first start decides.
    #[arg(long, default_value = "SQL_Latin1_General_CP1_CI_AS")]
    collation: String,
    /// Whether clients must encrypt.
    #[arg(long, value_enum, default_value = "optional")]
    encryption: Encryption,
    /// How many sessions may be open at once.
    #[arg(long, default_value_t = 1000)]
    max_sessions: usize,
    /// Turn Always On availability groups on or off; without it, they are as they were last, and off at first.
    #[arg(long, value_enum)]
    hadr: Option<OnOff>,
    /// What it imitates.
    #[arg(long, value_enum, default_value = "sqlserver")]
    flavor: FlavorName,
    /// The release of SQL Server; of a managed instance, --policy decides.
    #[arg(long, value_enum, default_value = "2022")]
    version: ReleaseName,
    /// The update policy of a managed instance.
    #[arg(long, value_enum, default_value = "sql2022")]
    policy: PolicyName,
    /// The port of a managed instance's endpoint for links.
    #[arg(long, default_value_t = 5022)]
    mirroring_port: u16,
    /// Where the endpoint for links really listens, if something in front of it has its port.
    #[arg(long, hide = true)]
    endpoint_listen: Option<SocketAddr>,
    /// Answer what a lab asks, on standard input and output; stop when the input ends.
    #[arg(long, value_enum, hide = true)]
    control: Option<Control>,
    /// A trace flag that is on from the start, for all sessions; may be repeated.
    #[arg(short = 'T', value_name = "FLAG", value_parser = clap::value_parser!(u32).range(1..=32_767))]
    trace_flags: Vec<u32>,
}

impl ServeInstance {
    fn flavor(&self) -> Flavor {
        match self.flavor {
            FlavorName::Sqlserver => Flavor::SqlServer(match self.version {
                ReleaseName::Sql2016 => Release::Sql2016,
                ReleaseName::Sql2017 => Release::Sql2017,
                ReleaseName::Sql2019 => Release::Sql2019,
                ReleaseName::Sql2022 => Release::Sql2022,
                ReleaseName::Sql2025 => Release::Sql2025,
            }),
            FlavorName::Managed => Flavor::Managed(match self.policy {
                PolicyName::Sql2022 => UpdatePolicy::Sql2022,
                PolicyName::Sql2025 => UpdatePolicy::Sql2025,
                PolicyName::AlwaysUpToDate => UpdatePolicy::AlwaysUpToDate,
            }),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum OnOff {
    On,
    Off,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Control {
    Stdio,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FlavorName {
    /// SQL Server.
    Sqlserver,
    /// Azure SQL Managed Instance.
    Managed,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ReleaseName {
    #[value(name = "2016")]
    Sql2016,
    #[value(name = "2017")]
    Sql2017,
    #[value(name = "2019")]
    Sql2019,
    #[value(name = "2022")]
    Sql2022,
    #[value(name = "2025")]
    Sql2025,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum PolicyName {
    /// The database format of SQL Server 2022.
    Sql2022,
    /// The database format of SQL Server 2025.
    Sql2025,
    /// The newest format.
    AlwaysUpToDate,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Encryption {
    /// The client chooses.
    Optional,
    /// Everything is encrypted, or refused.
    Required,
}

pub(crate) fn run(arguments: &ServeInstance) -> ExitCode {
    match serve(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            report(&format!("milink lab serve-instance: {e}"));
            ExitCode::FAILURE
        }
    }
}

/// Takes the folder for this process. What a killed lab has left behind is given time to go: it stops by itself.
fn take(data: &Path, patience: Duration) -> Result<File, String> {
    std::fs::create_dir_all(data).map_err(|e| format!("{}: {e}", data.display()))?;
    let path = data.join(lab_engine::LOCK_FILE);
    let file = File::options().write(true).create(true).truncate(false).open(&path);
    let file = file.map_err(|e| format!("{}: {e}", path.display()))?;
    let until = Instant::now() + patience;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < until => {
                std::thread::sleep(Duration::from_millis(20));
            }
            Err(TryLockError::WouldBlock) => {
                return Err(format!("another instance runs in {}", data.display()));
            }
            Err(TryLockError::Error(e)) => return Err(format!("{}: {e}", path.display())),
        }
    }
}

/// Why an instance is to stop.
enum Stop {
    Signal(i32),
    /// Whoever started it has closed its input, or is gone.
    InputEnded,
}

fn serve(arguments: &ServeInstance) -> Result<(), String> {
    let begun = Instant::now();
    let collation = Collation::by_name(&arguments.collation)
        .ok_or_else(|| format!("unknown collation {}", arguments.collation))?;
    let password = std::env::var("MSSQL_SA_PASSWORD").ok().filter(|p| !p.is_empty());
    // Registered before anything is opened: a signal must find someone who stops in order.
    // A file that may not grow is an error of that file, and no reason to die: the signal that goes with it is not wanted.
    let unwanted = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGXFSZ, unwanted)
        .map_err(|e| format!("signals: {e}"))?;
    let mut signals =
        signal_hook::iterator::Signals::new([signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM])
            .map_err(|e| format!("signals: {e}"))?;
    let patience = if arguments.control.is_some() { LEFTOVERS } else { Duration::from_secs(2) };
    let _taken = take(&arguments.data, patience)?;
    let disk = FillableDisk::default();
    let config = InstanceConfig {
        listen: arguments.listen,
        encryption: match arguments.encryption {
            Encryption::Optional => ServerEncryption::Optional,
            Encryption::Required => ServerEncryption::Required,
        },
        endpoint_listen: arguments.endpoint_listen,
        server: ServerConfig {
            sa_password: password.clone().map(Secret::new),
            collation,
            server_name: arguments.name.clone(),
            max_sessions: arguments.max_sessions,
            flavor: arguments.flavor(),
            hadr_enabled: arguments.hadr.map(|hadr| hadr == OnOff::On),
            trace_flags: arguments.trace_flags.clone(),
            mirroring_port: arguments.mirroring_port,
            ..ServerConfig::new(&arguments.data)
        },
    };
    let started = Instance::start_on(config, Arc::new(disk.clone()));
    let instance = started.map_err(|e| e.to_string())?;
    let address = instance.address();
    let ready = serde_json::json!({
        "event": "ready",
        "server": format!("{},{}", address.ip(), address.port()),
        "port": address.port(),
        "pid": std::process::id(),
        "data": arguments.data,
        "ms": begun.elapsed().as_millis() as u64,
    });
    let mut out = std::io::stdout();
    writeln!(out, "{ready}").and_then(|()| out.flush()).map_err(|e| format!("stdout: {e}"))?;
    let (stop, stopped) = mpsc::channel();
    let by_signal = stop.clone();
    spawn("signals", move || {
        if let Some(signal) = signals.forever().next() {
            // Nobody waits for it when the instance stops already.
            drop(by_signal.send(Stop::Signal(signal)));
        }
    })?;
    if arguments.control == Some(Control::Stdio) {
        let controlled = Arc::new(lab::Controlled::new(&instance, disk, password.unwrap_or_default()));
        spawn("control", move || {
            let input = BufReader::new(std::io::stdin());
            if let Err(e) = lab::serve_control(&controlled, input, std::io::stdout()) {
                report(&format!("milink lab serve-instance: control: {e}"));
            }
            drop(stop.send(Stop::InputEnded));
        })?;
    }
    let why = match stopped.recv() {
        Ok(Stop::Signal(signal)) => format!("stopping on signal {signal}"),
        Ok(Stop::InputEnded) => "stopping with the lab".to_owned(),
        Err(_) => "stopping".to_owned(),
    };
    report(&format!("milink lab serve-instance: {why}"));
    instance.stop();
    Ok(())
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), String> {
    let spawned = std::thread::Builder::new().name(name.to_owned()).spawn(work);
    spawned.map(|_| ()).map_err(|e| format!("a thread for {name}: {e}"))
}

/// How long an instance of a killed lab may take to stop.
const LEFTOVERS: Duration = Duration::from_secs(20);
