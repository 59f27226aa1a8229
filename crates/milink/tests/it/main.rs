//! The `milink` program as its users run it: the binary, a real instance, real clients.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test that cannot go on fails")]

mod cli;
mod clients;
mod crash;
mod hadr;
mod lab;
mod mssql_tds_client;
mod raw;
mod session;
mod sql;
mod storage;
mod tiberius_client;
mod tool_objects;
mod tool_scripts;
mod tool_sql;
mod types;
mod wire;

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

const PASSWORD: &str = "Lab#Pass123";

/// A running instance; it is killed when this goes.
struct Instance {
    child: Child,
    port: u16,
}

impl Instance {
    fn start(data: &Path) -> Instance {
        Instance::start_with(data, &[])
    }

    fn start_with(data: &Path, more: &[&str]) -> Instance {
        Instance::start_at("127.0.0.1:0", data, more)
    }

    /// At an address: to be found again after a restart.
    fn start_at(address: &str, data: &Path, more: &[&str]) -> Instance {
        let mut child = Command::new(env!("CARGO_BIN_EXE_milink"))
            .args(["lab", "serve-instance", "--listen", address, "--data"])
            .arg(data)
            .args(more)
            .env("MSSQL_SA_PASSWORD", PASSWORD)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port =
            line.split("\"port\":").nth(1).and_then(|r| r.split(',').next()).and_then(|p| p.parse().ok());
        Instance { child, port: port.unwrap_or_else(|| panic!("no ready line: {line}")) }
    }

    fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL: nothing gets to say goodbye.
    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn sql(&self, arguments: &[&str]) -> Output {
        self.sql_as(PASSWORD, arguments)
    }

    fn sql_as(&self, password: &str, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_milink"))
            .args(["sql", "-S", &format!("127.0.0.1,{}", self.port), "-U", "sa", "-C"])
            .args(arguments)
            .env("SQLCMDPASSWORD", password)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// What a query prints as TSV, without its heading.
    fn query(&self, database: &str, query: &str) -> Vec<String> {
        let out = self.sql(&["-b", "-d", database, "--output", "tsv", "-Q", query]);
        assert!(out.status.success(), "{query}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap().lines().skip(1).map(str::to_owned).collect()
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // It may be dead already: that is what is wanted.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
