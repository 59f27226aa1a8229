//! Real clients, unmodified: each is a program under `tests/clients`, run against an instance of its own.
//!
//! `tests/clients/install` installs them. One that is not there fails its test: a client that is skipped is one that nobody knows
//! to be broken.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::{Instance, PASSWORD};

/// The longest that a client's program may take: a client that hangs is a failure, not a build that never ends.
const LIMIT: Duration = Duration::from_mins(2);

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn clients() -> PathBuf {
    root().join("tests/clients")
}

/// A file that `tests/clients/install` brings.
fn installed(client: &str, path: &Path) -> PathBuf {
    assert!(
        path.exists(),
        "{client} is not installed ({} is missing): run tests/clients/install",
        path.display()
    );
    path.to_owned()
}

/// A program that `tests/clients/install` brings.
fn program(client: &str, name: &str) -> Command {
    let found = std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(name).is_file()));
    assert!(found, "{client} is not installed (there is no {name}): run tests/clients/install");
    Command::new(name)
}

/// Runs a client's program against a new instance with a database `clients`; it says `NAME: ok` when all that it checks holds.
fn check(name: &str, mut command: Command) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let lab = Instance::start(&data);
    lab.query("master", "CREATE DATABASE clients");
    command
        .env("LAB_PORT", lab.port.to_string())
        .env("LAB_PASSWORD", PASSWORD)
        .env("LAB_DATA", &data)
        .env("LAB_CLIENTS", clients())
        // Clients that take moments for local ones must get the same on every machine.
        .env("TZ", "UTC")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .current_dir(clients());
    let out = within_limit(name, &mut command, folder.path());
    let (stdout, stderr) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    let said = stdout.lines().any(|line| line == format!("{name}: ok"));
    assert!(out.status.success() && said, "{name} failed:\n{stdout}\n{stderr}");
}

/// Runs a program to its end, with its output in files, so that no full pipe can hold it up.
fn within_limit(name: &str, command: &mut Command, folder: &Path) -> Output {
    let (out, err) = (folder.join("stdout"), folder.join("stderr"));
    let file = |path: &Path| Stdio::from(std::fs::File::create(path).unwrap());
    let mut child = command.stdin(Stdio::null()).stdout(file(&out)).stderr(file(&err)).spawn().unwrap();
    let until = Instant::now() + LIMIT;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if Instant::now() > until {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("{name} did not end in {LIMIT:?}: {}", std::fs::read_to_string(&err).unwrap());
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    Output { status, stdout: std::fs::read(&out).unwrap(), stderr: std::fs::read(&err).unwrap() }
}

fn python(client: &str) {
    let mut command = Command::new(installed(client, &root().join(".venv/bin/python")));
    command.args(["py_clients.py", client]);
    check(client, command);
}

fn java(name: &str, driver: &str, which: &str) {
    let drivers = clients().join("node_modules/liquibase/dist");
    // Both drivers are always there: the program is compiled with either.
    let path = std::env::join_paths([
        installed(name, &drivers.join(driver)),
        installed("jTDS", Path::new("/usr/share/java/jtds.jar")),
    ]);
    let mut command = program(name, "java");
    command.args(["-Dfile.encoding=UTF-8", "-XX:TieredStopAtLevel=1", "-cp"]).arg(path.unwrap());
    command.args(["JdbcClients.java", which]);
    check(which, command);
}

#[test]
fn pymssql_works() {
    python("pymssql");
}

#[test]
fn python_tds_works() {
    python("pytds");
}

#[test]
fn mssql_python_works_over_microsofts_odbc_driver() {
    python("mssql_python");
}

#[test]
fn mssql_python_works_over_its_rust_core() {
    python("mssql_python_rust");
}

#[test]
fn sqlalchemy_works_over_pymssql() {
    python("sqlalchemy");
}

#[test]
fn tedious_works() {
    installed("tedious", &clients().join("node_modules/tedious"));
    let mut command = program("tedious", "node");
    command.arg("tedious.js");
    check("tedious", command);
}

#[test]
fn mssql_jdbc_works() {
    java("mssql-jdbc", "liquibase/internal/lib/mssql-jdbc.jar", "mssql");
}

#[test]
fn an_old_mssql_jdbc_works() {
    java("mssql-jdbc 7.4", "drivers/mssql-jdbc-7.4.1.jre8.jar", "mssql");
}

#[test]
fn jtds_works_with_tds_7_1() {
    java("jTDS", "liquibase/internal/lib/mssql-jdbc.jar", "jtds");
}

#[test]
fn tsql_works() {
    let mut command = program("FreeTDS's tsql", "bash");
    program("FreeTDS's tsql", "tsql");
    command.arg("tsql.sh");
    check("tsql", command);
}
