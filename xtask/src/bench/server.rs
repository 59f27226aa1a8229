//! Both sides' servers: made in a fresh folder, started, stopped in order.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use bench_driver::Target;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::{Result, process};

pub(crate) const PASSWORD: &str = "Bench#Pass123";
/// The database of either side.
pub(crate) const DATABASE: &str = "bench";
/// How long a server may take to start or to stop before the benchmark gives up.
const PATIENCE: Duration = Duration::from_mins(1);

/// Which side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// The lab instance.
    Milink,
    /// PostgreSQL.
    Postgres,
}

/// A server's folder and how to start it.
#[derive(Debug)]
pub(crate) struct Server {
    side: Side,
    program: PathBuf,
    folder: TempDir,
    /// Whom PostgreSQL runs as, since it refuses to run as root.
    user: Option<(u32, u32)>,
    /// Where PostgreSQL listens; an instance finds a port by itself.
    port: u16,
}

impl Server {
    /// Makes an instance's or a cluster's data in a fresh folder under `dir`, with the empty database `bench`.
    pub(crate) fn create(side: Side, program: &Path, dir: &Path) -> Result<Server> {
        let server = Server::empty(side, program, dir)?;
        if side == Side::Postgres {
            server.initdb()?;
        }
        let running = server.start()?;
        running.target_of(running.first_database()).open()?.run(&format!("CREATE DATABASE {DATABASE}"))?;
        running.stop()?;
        Ok(server)
    }

    /// A fresh folder under `dir`; of PostgreSQL, without a cluster.
    pub(crate) fn empty(side: Side, program: &Path, dir: &Path) -> Result<Server> {
        let folder = tempfile::Builder::new()
            .prefix("bench-")
            .tempdir_in(dir)
            .map_err(|e| format!("a folder in {}: {e}", dir.display()))?;
        let user = match side {
            Side::Postgres if rustix::process::geteuid().is_root() => Some(postgres_user()?),
            _ => None,
        };
        let server = Server { side, program: program.to_owned(), folder, user, port: free_port()? };
        server.own(server.folder.path())?;
        Ok(server)
    }

    /// Starts it, up to its first answer.
    pub(crate) fn start(&self) -> Result<Running> {
        self.start_with(&[])
    }

    /// Starts it with more arguments, up to its first answer.
    pub(crate) fn start_with(&self, arguments: &[String]) -> Result<Running> {
        let begun = Instant::now();
        let (child, address) = match self.side {
            Side::Milink => self.start_milink(arguments)?,
            Side::Postgres => self.start_postgres(arguments)?,
        };
        let mut running = Running { child, side: self.side, address, ready_in: Duration::ZERO };
        let first = running.target_of(running.first_database());
        loop {
            match first.open().and_then(|mut s| s.run("SELECT 1")) {
                Ok(_) => break,
                Err(why) if begun.elapsed() > PATIENCE => {
                    return Err(format!("{:?} does not answer: {why}", self.side));
                }
                Err(_) => {
                    if let Ok(Some(status)) = running.child.try_wait() {
                        return Err(format!("{:?} ended with {status}\n{}", self.side, self.log()));
                    }
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
        }
        running.ready_in = begun.elapsed();
        Ok(running)
    }

    /// Where the server has its files.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The folder of all that is the server's.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where PostgreSQL listens.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    fn start_milink(&self, arguments: &[String]) -> Result<(Child, SocketAddr)> {
        let mut child = Command::new(&self.program)
            .args(["lab", "serve-instance", "--listen", "127.0.0.1:0", "--data"])
            .arg(self.data())
            .args(arguments)
            .env("MSSQL_SA_PASSWORD", PASSWORD)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(self.log_file()?)
            .spawn()
            .map_err(|e| format!("{}: {e}", self.program.display()))?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line).map_err(|e| format!("the ready line: {e}"))?;
        }
        let port = serde_json::from_str::<serde_json::Value>(&line)
            .ok()
            .and_then(|ready| u16::try_from(ready.get("port")?.as_u64()?).ok());
        match port {
            Some(port) => Ok((child, SocketAddr::from((Ipv4Addr::LOCALHOST, port)))),
            None => {
                // It has said that it is not ready, and is ending or has to.
                drop(child.kill());
                drop(child.wait());
                Err(format!("milink gave no ready line but {line:?}\n{}", self.log()))
            }
        }
    }

    fn start_postgres(&self, arguments: &[String]) -> Result<(Child, SocketAddr)> {
        let port = self.port;
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.data()).args(["-p", &port.to_string()]).args([
            "-c",
            "listen_addresses=127.0.0.1",
            "-c",
            "unix_socket_directories=",
        ]);
        command.args(arguments);
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(self.log_file()?)
            .spawn()
            .map_err(|e| format!("postgres: {e}"))?;
        Ok((child, SocketAddr::from((Ipv4Addr::LOCALHOST, port))))
    }

    fn initdb(&self) -> Result<()> {
        let mut command = self.command("initdb");
        command.arg("-D").arg(self.data()).args(["-A", "trust", "-E", "UTF8", "--locale=C", "-U"]);
        command.arg(bench_driver::postgres::USER);
        finish(&mut command)
    }

    /// Makes a copy of a running cluster, which a standby can go on from; `pg_basebackup` syncs it.
    pub(crate) fn copy_of(&self, port: u16) -> Result<()> {
        let mut command = self.command("pg_basebackup");
        command.args(["-h", "127.0.0.1", "-U", bench_driver::postgres::USER, "-p", &port.to_string(), "-D"]);
        command.arg(self.data()).args(["-X", "stream", "-c", "fast"]);
        finish(&mut command)
    }

    /// Lets a cluster that was stopped in order start as a standby.
    pub(crate) fn make_standby(&self) -> Result<()> {
        let path = self.data().join("standby.signal");
        std::fs::write(&path, "").map_err(|e| format!("{}: {e}", path.display()))?;
        self.own(&path)
    }

    /// One of PostgreSQL's programs, as the user that it wants.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.program.join(program));
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        command.current_dir("/");
        command
    }

    /// Makes a path that user's.
    fn own(&self, path: &Path) -> Result<()> {
        match self.user {
            Some((uid, gid)) => std::os::unix::fs::chown(path, Some(uid), Some(gid))
                .map_err(|e| format!("{}: {e}", path.display())),
            None => Ok(()),
        }
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn log_file(&self) -> Result<File> {
        File::options()
            .create(true)
            .append(true)
            .open(self.log_path())
            .map_err(|e| format!("{}: {e}", self.log_path().display()))
    }

    /// What the server has said, for an error's text.
    fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }
}

/// Runs a program to its end.
fn finish(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let out = command.output().map_err(|e| format!("{name}: {e}"))?;
    if out.status.success() {
        return Ok(());
    }
    Err(format!("{name} ended with {}: {}", out.status, String::from_utf8_lossy(&out.stderr)))
}

/// A port that can be kept over restarts: from below the range that connections are given theirs from.
pub(crate) fn free_port() -> Result<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = (std::process::id() % 500 * 20) as u16;
    (0..10_000)
        .map(|_| 20_000 + first.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % 12_000)
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .ok_or_else(|| "no free port".to_owned())
}

/// A server that answers; it is stopped when this goes.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    side: Side,
    address: SocketAddr,
    /// From the start of the process to the first answer.
    pub(crate) ready_in: Duration,
}

impl Running {
    /// The benchmark's database.
    pub(crate) fn target(&self) -> Target {
        self.target_of(DATABASE)
    }

    /// The database that every server has.
    fn first_database(&self) -> &'static str {
        match self.side {
            Side::Milink => "master",
            Side::Postgres => "postgres",
        }
    }

    /// Where clients reach it.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Another database.
    pub(crate) fn target_of(&self, database: &str) -> Target {
        let (address, database) = (self.address, database.to_owned());
        match self.side {
            Side::Milink => Target::Tds { address, password: PASSWORD.to_owned(), database },
            Side::Postgres => Target::Postgres { address, database },
        }
    }

    /// Processor time so far.
    pub(crate) fn cpu_seconds(&self) -> Result<f64> {
        process::cpu_seconds(self.child.id())
    }

    /// Memory now.
    pub(crate) fn memory(&self) -> Result<u64> {
        process::memory(self.child.id())
    }

    /// Stops it in order and waits for its end.
    pub(crate) fn stop(mut self) -> Result<()> {
        self.interrupt()
    }

    /// SIGINT: an orderly stop for the instance, a fast shutdown for PostgreSQL.
    fn interrupt(&mut self) -> Result<()> {
        if let Ok(Some(_)) = self.child.try_wait() {
            return Ok(());
        }
        let pid = Pid::from_raw(self.child.id() as i32).ok_or("a process without a number")?;
        kill_process(pid, Signal::INT).map_err(|e| format!("stop {:?}: {e}", self.side))?;
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            match self.child.try_wait() {
                Ok(Some(status)) if status.success() => return Ok(()),
                Ok(Some(status)) => return Err(format!("{:?} stopped with {status}", self.side)),
                Ok(None) => std::thread::sleep(Duration::from_millis(5)),
                Err(e) => return Err(format!("wait for {:?}: {e}", self.side)),
            }
        }
        Err(format!("{:?} did not stop in {} s", self.side, PATIENCE.as_secs()))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // On the way out of a failure, which is what is told.
        if self.interrupt().is_err() {
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}

/// The folder of PostgreSQL's programs.
pub(crate) fn postgres_programs() -> Result<PathBuf> {
    let debian = Path::new("/usr/lib/postgresql/15/bin");
    if debian.join("postgres").exists() && debian.join("initdb").exists() {
        return Ok(debian.to_owned());
    }
    Err(format!(
        "{} has no postgres and initdb: install Debian's package postgresql-15, or measure without a peer (--peer none)",
        debian.display()
    ))
}

/// The uid and gid of the user that Debian's package makes.
fn postgres_user() -> Result<(u32, u32)> {
    let mut passwd = String::new();
    File::open("/etc/passwd")
        .and_then(|mut f| f.read_to_string(&mut passwd))
        .map_err(|e| format!("/etc/passwd: {e}"))?;
    user_of(&passwd, "postgres").ok_or_else(|| {
        "PostgreSQL refuses to run as root, and the user postgres of Debian's package is not there".to_owned()
    })
}

fn user_of(passwd: &str, name: &str) -> Option<(u32, u32)> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next()? != name {
            return None;
        }
        Some((fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found() {
        let passwd =
            "root:x:0:0:root:/root:/bin/bash\npostgres:x:101:104:,,,:/var/lib/postgresql:/bin/bash\n";
        assert_eq!(user_of(passwd, "postgres"), Some((101, 104)));
        assert_eq!(user_of(passwd, "nobody"), None);
    }
}
