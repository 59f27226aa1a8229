//! `milink lab`.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::{Args, Subcommand, ValueEnum};
use lab_engine::types::Collation;
use lab_engine::{Flavor, Release, UpdatePolicy};
use lab_instance::{Instance, InstanceConfig, Secret, ServerConfig, ServerEncryption};

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Run one instance in the foreground until SIGINT or SIGTERM.
    ServeInstance(ServeInstance),
}

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

pub(crate) fn run(verb: Verb) -> ExitCode {
    let Verb::ServeInstance(arguments) = verb;
    match serve(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            report(&format!("milink lab serve-instance: {e}"));
            ExitCode::FAILURE
        }
    }
}

fn report(line: &str) {
    // Nobody is left to be told when stderr is gone.
    drop(writeln!(std::io::stderr(), "{line}"));
}

fn serve(arguments: &ServeInstance) -> Result<(), String> {
    let begun = Instant::now();
    let collation = Collation::by_name(&arguments.collation)
        .ok_or_else(|| format!("unknown collation {}", arguments.collation))?;
    let password = std::env::var("MSSQL_SA_PASSWORD").ok().filter(|p| !p.is_empty()).map(Secret::new);
    // Registered before anything is opened: a signal must find someone who stops in order.
    // A file that may not grow is an error of that file, and no reason to die: the signal that goes with it is not wanted.
    let unwanted = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGXFSZ, unwanted)
        .map_err(|e| format!("signals: {e}"))?;
    let mut signals =
        signal_hook::iterator::Signals::new([signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM])
            .map_err(|e| format!("signals: {e}"))?;
    let config = InstanceConfig {
        listen: arguments.listen,
        encryption: match arguments.encryption {
            Encryption::Optional => ServerEncryption::Optional,
            Encryption::Required => ServerEncryption::Required,
        },
        server: ServerConfig {
            sa_password: password,
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
    let instance = Instance::start(config).map_err(|e| e.to_string())?;
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
    let signal = signals.forever().next();
    report(&format!("milink lab serve-instance: stopping on signal {}", signal.unwrap_or_default()));
    instance.stop();
    Ok(())
}
