//! `milink lab`.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::{Args, Subcommand, ValueEnum};
use lab_engine::types::Collation;
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
            data_dir: arguments.data.clone(),
            sa_password: password,
            collation,
            server_name: arguments.name.clone(),
            max_sessions: arguments.max_sessions,
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
