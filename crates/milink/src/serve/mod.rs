//! `milink serve`: the wizard and the dashboard in a browser. What it serves is `milink-web`; here are arguments, contexts and exit codes.

mod contexts;
mod rehearsal;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use milink_core::secret::Secret;
use milink_web::{Announcement, Connect, OidcOptions, Options, ServeError, Server, TlsFiles};

use self::contexts::Contexts;
use crate::exit::{Exit, Failure, NOTHING_CHANGED};
use crate::link::session::{Common, journal_path};
use crate::output::{Output, say};

/// Flags of serve.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    common: Common,
    /// Where to listen. Anything but loopback needs --tls-cert, --tls-key, and --password-file or --oidc-issuer.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8930", help_heading = "Web server")]
    listen: SocketAddr,
    /// The certificate chain, as PEM.
    #[arg(long, value_name = "FILE", requires = "tls_key", help_heading = "Web server")]
    tls_cert: Option<PathBuf>,
    /// Its key, as PEM.
    #[arg(long, value_name = "FILE", requires = "tls_cert", help_heading = "Web server")]
    tls_key: Option<PathBuf>,
    /// A further name under which browsers come.
    #[arg(long = "host", value_name = "NAME[:PORT]", help_heading = "Web server")]
    hosts: Vec<String>,
    /// How often both sides are looked at, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 2.0, help_heading = "Web server")]
    every: f64,
    /// Open the one-time address in a browser.
    #[arg(long, help_heading = "Web server")]
    open: bool,
    /// Who may sign in by password: lines of NAME reader|operator HASH.
    #[arg(long, value_name = "FILE", env = "MILINK_WEB_PASSWORD_FILE", help_heading = "Sign-in")]
    password_file: Option<PathBuf>,
    /// Read a password from stdin, print its hash for --password-file, and end.
    #[arg(long, help_heading = "Sign-in")]
    hash_password: bool,
    /// Sign in at this OpenID provider; for Entra https://login.microsoftonline.com/TENANT/v2.0.
    #[arg(long, value_name = "URL", requires_all = ["oidc_client_id", "public_url"], env = "MILINK_WEB_OIDC_ISSUER", help_heading = "Sign-in")]
    oidc_issuer: Option<String>,
    /// The application's id at the provider.
    #[arg(long, value_name = "ID", env = "MILINK_WEB_OIDC_CLIENT_ID", help_heading = "Sign-in")]
    oidc_client_id: Option<String>,
    /// Where the application's secret is: env:NAME, file:PATH or keyring:NAME.
    #[arg(long, value_name = "REFERENCE", help_heading = "Sign-in")]
    oidc_client_secret_from: Option<Secret>,
    /// A CA for the provider, as PEM, beside those that are built in.
    #[arg(long, value_name = "FILE", help_heading = "Sign-in")]
    oidc_ca_file: Option<PathBuf>,
    /// The address that browsers have for this server, for the provider to lead back to.
    #[arg(long, value_name = "URL", env = "MILINK_WEB_PUBLIC_URL", help_heading = "Sign-in")]
    public_url: Option<String>,
    /// The application role that makes an operator.
    #[arg(long, value_name = "ROLE", default_value = "milink.operator", help_heading = "Sign-in")]
    operator_role: String,
    /// The application role that makes a reader.
    #[arg(long, value_name = "ROLE", default_value = "milink.reader", help_heading = "Sign-in")]
    reader_role: String,
    /// Where the bearer token is with which a monitor reads /metrics: env:NAME, file:PATH or keyring:SERVICE/USER.
    #[arg(long, value_name = "REFERENCE", help_heading = "Sign-in")]
    metrics_token_from: Option<Secret>,
    /// The audit log's file [default: audit.db beside the journal].
    #[arg(long, value_name = "FILE", env = "MILINK_AUDIT", help_heading = "Web server")]
    audit: Option<PathBuf>,
}

/// Runs it.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let output = Output::of(&arguments.common.output);
    let done = if arguments.hash_password { hash(&output) } else { serve(arguments, &output) };
    output.end(done)
}

/// Looks ask everything at once, and without optimization the state of that does not fit into a usual stack.
const STACK_BYTES: usize = 32 << 20;

fn serve(arguments: &Arguments, output: &Output) -> Result<(), Failure> {
    let journal = journal_path(arguments.common.journal.as_deref())?;
    let contexts = Contexts::of(&arguments.common.connect, &journal)?;
    let options = options(arguments, &journal, output)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(std::thread::available_parallelism().map_or(2, |n| n.get().clamp(2, 4)))
        .thread_stack_size(STACK_BYTES)
        .enable_all()
        .build()
        .map_err(|e| Failure {
            code: Exit::Error,
            what: format!("this machine does not let milink work: {e}"),
            where_: "the process".to_owned(),
            now_true: NOTHING_CHANGED.to_owned(),
            next: "see whether it is out of files or memory".to_owned(),
        })?;
    let contexts: Arc<dyn Connect> = Arc::new(contexts);
    runtime.block_on(async {
        let server = Server::bind(&options, &contexts).await.map_err(|e| refused(&e))?;
        server.run(stopped()).await;
        Ok(())
    })
}

fn options(arguments: &Arguments, journal: &Path, output: &Output) -> Result<Options, Failure> {
    let tls = match (&arguments.tls_cert, &arguments.tls_key) {
        (Some(certificate), Some(key)) => {
            Some(TlsFiles { certificate: certificate.clone(), key: key.clone() })
        }
        _ => None,
    };
    let oidc = match (&arguments.oidc_issuer, &arguments.oidc_client_id, &arguments.public_url) {
        (Some(issuer), Some(client_id), Some(public_url)) => Some(OidcOptions {
            issuer: issuer.clone(),
            client_id: client_id.clone(),
            client_secret: arguments
                .oidc_client_secret_from
                .as_ref()
                .map(|r| contexts::secret(r, "--oidc-client-secret-from"))
                .transpose()?,
            public_url: public_url.trim_end_matches('/').to_owned(),
            ca_file: arguments.oidc_ca_file.clone(),
            operator_role: arguments.operator_role.clone(),
            reader_role: arguments.reader_role.clone(),
        }),
        _ => None,
    };
    let every = Duration::try_from_secs_f64(arguments.every).unwrap_or(Duration::from_secs(2));
    let (output, open) = (output.clone(), arguments.open);
    let opened = std::sync::atomic::AtomicBool::new(!open);
    Ok(Options {
        listen: arguments.listen,
        tls,
        hosts: arguments.hosts.clone(),
        password_file: arguments.password_file.clone(),
        oidc,
        metrics_token: arguments
            .metrics_token_from
            .as_ref()
            .map(|r| contexts::secret(r, "--metrics-token-from"))
            .transpose()?,
        audit: arguments.audit.clone().unwrap_or_else(|| journal.with_file_name("audit.db")),
        every: every.clamp(Duration::from_millis(200), Duration::from_hours(1)),
        announce: Arc::new(move |news| match news {
            Announcement::Listening { url } => output.note(&format!("milink serves {url}; Ctrl+C stops it")),
            Announcement::SignIn { url } => {
                // Said in any case: without it nobody gets in.
                say(&format!("Sign in, once: {url}"));
                if !opened.swap(true, std::sync::atomic::Ordering::Relaxed)
                    && let Err(e) = open_browser(url)
                {
                    output.warn(&format!("no browser could be opened: {e}"));
                }
            }
        }),
    })
}

/// Ends with the first SIGINT or SIGTERM.
async fn stopped() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut terminate) => {
                tokio::select! {
                    _ = interrupt => {}
                    _ = terminate.recv() => {}
                }
            }
            Err(_) => drop(interrupt.await),
        }
    }
    #[cfg(not(unix))]
    drop(interrupt.await);
}

fn open_browser(url: &str) -> std::io::Result<()> {
    let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let nothing = std::process::Stdio::null;
    let mut command = if cfg!(windows) {
        let mut command = std::process::Command::new("rundll32");
        command.arg("url.dll,FileProtocolHandler");
        command
    } else {
        std::process::Command::new(program)
    };
    // It is not waited for: a browser may go on as long as the server does.
    command.arg(url).stdin(nothing()).stdout(nothing()).stderr(nothing()).spawn().map(drop)
}

fn refused(e: &ServeError) -> Failure {
    let (code, where_, next) = match e {
        ServeError::Listen(..) => {
            (Exit::Error, "--listen", "take another port, or end the program that has this one")
        }
        ServeError::NoTls(_) => {
            (Exit::BadArguments, "--listen", "give --tls-cert and --tls-key, or listen on 127.0.0.1")
        }
        ServeError::NoSignIn(_) => {
            (Exit::BadArguments, "--listen", "give --password-file or --oidc-issuer, or listen on 127.0.0.1")
        }
        ServeError::NoName(_) => (Exit::BadArguments, "--listen", "say the server's name with --host"),
        ServeError::Oidc(_) => (Exit::BadArguments, "the OpenID provider", "correct the address"),
        ServeError::File { .. } => {
            (Exit::BadArguments, "the files of milink serve", "correct the file, or name another")
        }
        ServeError::Audit(_) => {
            (Exit::Error, "the audit log", "keep the file, and see who changed it; --audit names another")
        }
    };
    Failure {
        code,
        what: e.to_string(),
        where_: where_.to_owned(),
        now_true: "nothing is served".to_owned(),
        next: next.to_owned(),
    }
}

/// Prints the hash of the password on stdin.
fn hash(output: &Output) -> Result<(), Failure> {
    let mut line = String::new();
    let read = std::io::stdin().read_line(&mut line);
    let password = line.trim_end_matches(['\r', '\n']);
    if read.is_err() || password.is_empty() {
        return Err(Failure::arguments("no password could be read", "stdin", "write one line: the password"));
    }
    let hash = milink_web::hash_password(password).map_err(|e| {
        Failure::arguments(format!("the password cannot be hashed: {e}"), "stdin", "try it again")
    })?;
    output.print(&format!("{hash}\n"))
}
