//! The scripts that the tool writes, followed as somebody follows them who has only them: T-SQL by a client, and in Azure what their
//! comments say, at its place.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use serde_json::{Value, json};

use super::tool_link::Tool;
use super::{Arm, Lab, SOON, text};
use crate::hadr::eventually;

/// Somebody who follows scripts.
struct Operator<'a> {
    tool: Tool<'a>,
    arm: Arm,
}

/// A file for SQL Server, while it is run.
struct Running {
    child: Child,
    file: PathBuf,
    last: usize,
}

impl Running {
    /// Waits for its end, which must be a good one.
    fn ended(self) {
        let out = self.child.wait_with_output().unwrap();
        assert!(out.status.success(), "{}: {}{}", self.file.display(), text(&out.stdout), text(&out.stderr));
    }
}

impl Operator<'_> {
    fn of(lab: &Lab) -> Operator<'_> {
        Operator { tool: Tool::of(lab), arm: Arm::sign_in(&lab.status()) }
    }

    /// Writes the scripts for a verb and follows them through. `plan` is the same plan, for what is to be sent to Azure; `ready` says for
    /// a call that stands within a file what must be so on SQL Server before it, which is what a reader looks at who watches the script.
    fn follow(&self, verb: &[&str], plan: &Value, ready: &[(&str, &str)]) {
        let lab = self.tool.lab;
        let folder = tempfile::tempdir_in(lab.data()).unwrap();
        let dir = folder.path().to_str().unwrap();
        self.tool.good(&[&["script", "--as", "tsql", "--dir", dir], verb].concat());
        let mut files: Vec<PathBuf> =
            std::fs::read_dir(dir).unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        assert!(!files.is_empty(), "{verb:?}: there is no script");
        let texts: Vec<String> = files.iter().map(|f| std::fs::read_to_string(f).unwrap()).collect();
        let steps = plan["plan"]["steps"].as_array().unwrap();
        let of = steps.len();
        let has =
            |text: &str, number: usize| text.lines().any(|l| l.starts_with(&format!("-- {number}/{of} ")));
        let mut running: Option<Running> = None;
        let mut begun = 0;
        for (number, step) in (1..).zip(steps) {
            let sends = plan["sends"][number - 1].as_str().unwrap_or_default();
            if let Some((method, rest)) = sends.split_once(' ').filter(|(method, _)| *method != "--") {
                let within = running.as_ref().is_some_and(|r| number < r.last);
                if !within && let Some(file) = running.take() {
                    file.ended();
                }
                let id = step["id"].as_str().unwrap();
                if let Some((_, query)) = ready.iter().find(|(of, _)| *of == id).filter(|_| within) {
                    lab.wait("sqlserver", "master", query, "1");
                }
                self.call(method, rest, &texts);
            } else {
                let place = texts.iter().position(|t| has(t, number));
                let place = place.unwrap_or_else(|| panic!("no script has step {number}: {texts:#?}"));
                if place >= begun {
                    if let Some(file) = running.take() {
                        file.ended();
                    }
                    assert_eq!(place, begun, "a file is left out");
                    begun += 1;
                    let last = (1..=of).rev().find(|n| has(&texts[place], *n)).unwrap();
                    running =
                        Some(Running { child: self.begin(&files[place]), file: files[place].clone(), last });
                }
            }
        }
        if let Some(file) = running {
            file.ended();
        }
        assert_eq!(begun, files.len(), "a file was not run");
    }

    /// Runs a file as its heading says.
    fn begin(&self, file: &Path) -> Child {
        let mut command = self.tool.command(&["sql", "-C", "-b", "-i", file.to_str().unwrap()]);
        command.args(["-v", "MasterKeyPassword=Str0ng#MasterKey"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// A call as the plan shows it. The public key is what the script prints.
    fn call(&self, method: &str, rest: &str, scripts: &[String]) {
        let (path, body) = rest.split_once('\n').unwrap_or((rest, "null"));
        let path = path.split('?').next().unwrap();
        let mut body = body.to_owned();
        if body.contains("$(SqlServerCertificate)") {
            let mut lines = scripts.iter().flat_map(|s| s.lines());
            let query = lines.find(|l| l.contains("AS public_key")).unwrap().trim_end_matches(';');
            let mut key = String::new();
            eventually("the script has made the certificate", SOON, || {
                let rows = self.tool.lab.query("sqlserver", "master", query)?;
                key = rows.into_iter().next().ok_or("there is none yet")?;
                Ok(())
            });
            body = body.replace("$(SqlServerCertificate)", &key);
        }
        let body: Value = serde_json::from_str(&body).unwrap();
        let (status, said, operation) = self.arm.send(method, path, Some(&body).filter(|b| !b.is_null()));
        assert!((200..300).contains(&status), "{method} {path} {body}: {status} {said}");
        if status == 202 {
            eventually(&format!("{method} {path}"), SOON, || {
                let ended = self.arm.send_to("GET", &operation, None).1;
                if ended["status"] == "Succeeded" { Ok(()) } else { Err(ended.to_string()) }
            });
        }
    }

    fn create(&self, database: &str, more: &[&str]) {
        let spec = ["--name", "sales", "--database", database, "--failover-mode", "two-way"];
        let spec = [&spec[..], more].concat();
        let plan = self.tool.json(&[&["plan"], &spec[..]].concat());
        let there = "SELECT COUNT(*) FROM sys.availability_groups WHERE name = N'sales'";
        self.follow(&spec, &plan["plans"][0], &[("put-link", there)]);
    }

    fn fail_over(&self) {
        let plan = self.tool.json(&["failover", "sales", "--what-if"]);
        let both = "SELECT MIN(CONVERT(int, availability_mode)) FROM sys.availability_replicas AS r JOIN \
                    sys.availability_groups AS g ON g.group_id = r.group_id WHERE g.name = N'sales'";
        self.follow(&["--for", "failover", "--name", "sales"], &plan, &[("synchronous-managed", both)]);
    }

    /// Drops the link, of which nothing must be left but the data.
    fn drop(&self, database: &str) {
        let plan = self.tool.json(&["drop", "sales", "--what-if"]);
        self.follow(&["--for", "drop", "--name", "sales"], &plan, &[]);
        let lab = self.tool.lab;
        for side in ["sqlserver", "managed"] {
            assert_eq!(
                lab.sql(side, "master", "SELECT COUNT(*) FROM sys.availability_groups"),
                ["0"],
                "{side}"
            );
            lab.sql(side, database, "CREATE TABLE own (n int); INSERT own VALUES (1)");
        }
        let endpoints = "SELECT COUNT(*) FROM sys.database_mirroring_endpoints";
        assert_eq!(lab.sql("sqlserver", "master", endpoints), ["0"]);
        for left in ["/distributedAvailabilityGroups", "/serverTrustCertificates"] {
            assert_eq!(self.arm.send("GET", left, None).1["value"], json!([]), "{left}");
        }
    }

    fn is_healthy_with(&self, primary: &str) {
        assert_eq!(self.tool.state(), ("healthy".to_owned(), primary.to_owned()));
    }
}

#[test]
fn a_link_is_made_failed_over_and_back_and_dropped_by_its_scripts_alone() {
    let lab = Lab::up(&["--sample", "chinook"]);
    let operator = Operator::of(&lab);
    operator.create("Chinook", &[]);
    operator.is_healthy_with("sql-server");
    operator.fail_over();
    operator.is_healthy_with("managed");
    lab.sql("managed", "Chinook", "INSERT Genre(GenreId, Name) VALUES(900, N'made in Azure')");
    operator.fail_over();
    operator.is_healthy_with("sql-server");
    assert_eq!(lab.sql("sqlserver", "Chinook", "SELECT COUNT(*) FROM Genre WHERE GenreId = 900"), ["1"]);
    operator.drop("Chinook");
}

#[test]
fn a_link_that_begins_at_the_managed_instance_is_made_and_dropped_by_its_scripts_alone() {
    let lab = Lab::up(&["--sample", "none"]);
    lab.sql("managed", "master", "CREATE DATABASE Shop");
    let operator = Operator::of(&lab);
    operator.create("Shop", &["--initial-primary", "managed"]);
    operator.is_healthy_with("managed");
    operator.drop("Shop");
}
