//! The link tool against a lab, as its users run it: with the environment of `milink lab env` and nothing else.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use super::{Lab, text};

/// A shell in which the lab's environment was evaluated.
pub(super) struct Tool<'a> {
    pub(super) lab: &'a Lab,
    pub(super) environment: Vec<(String, String)>,
}

impl Tool<'_> {
    pub(super) fn of(lab: &Lab) -> Tool<'_> {
        let lines = lab.good(&["env"]);
        let mut environment: Vec<(String, String)> = lines
            .lines()
            .filter_map(|line| line.strip_prefix("export ")?.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.trim_matches('\'').to_owned()))
            .collect();
        let journal = lab.data().join("journal.db").display().to_string();
        environment.push(("MILINK_JOURNAL".to_owned(), journal));
        Tool { lab, environment }
    }

    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_milink"));
        command.args(arguments).envs(self.environment.iter().map(|(n, v)| (n, v))).stdin(Stdio::null());
        command
    }

    pub(super) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    pub(super) fn good(&self, arguments: &[&str]) -> String {
        let out = self.run(arguments);
        assert!(
            out.status.success(),
            "{arguments:?}\n{}\n{}\n{}",
            text(&out.stdout),
            text(&out.stderr),
            self.lab.logs()
        );
        text(&out.stdout)
    }

    pub(super) fn bad(&self, arguments: &[&str]) -> (i32, String) {
        let out = self.run(arguments);
        assert!(!out.status.success(), "{arguments:?}\n{}", text(&out.stdout));
        (out.status.code().unwrap_or(-1), text(&out.stderr))
    }

    pub(super) fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.good(&[arguments, &["-o", "json"]].concat())).unwrap()
    }

    pub(super) fn create(&self) {
        let create =
            ["create", "--name", "sales", "--database", "Chinook", "--failover-mode", "two-way", "--yes"];
        self.good(&create);
    }

    pub(super) fn state(&self) -> (String, String) {
        let status = self.json(&["status", "sales"]);
        let link = &status["links"][0];
        let word = |name: &str| link[name].as_str().unwrap_or_default().to_owned();
        (word("state"), word("primary"))
    }

    /// Runs a verb and kills it when it has said so many lines; whether it lived to say them.
    fn kill_after(&self, lines: usize, arguments: &[&str]) -> bool {
        let mut child = self.command(arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let said = BufReader::new(child.stderr.take().unwrap()).lines().take(lines).count();
        child.kill().unwrap();
        child.wait().unwrap();
        said == lines
    }
}

#[test]
fn a_link_is_made_failed_over_and_back_with_the_labs_environment_alone() {
    let lab = Lab::up(&["--sample", "chinook"]);
    let tool = Tool::of(&lab);
    let checked = tool.json(&["check", "--name", "sales", "--database", "Chinook"]);
    assert_eq!(checked["blocking"], 0, "{checked:#}");
    let plan = tool.good(&["plan", "--name", "sales", "--database", "Chinook"]);
    assert!(plan.contains("CREATE AVAILABILITY GROUP [AG_Chinook]"), "{plan}");
    assert_eq!(tool.json(&["status"])["links"], Value::Array(Vec::new()));
    tool.create();
    assert_eq!(tool.state(), ("healthy".to_owned(), "sql-server".to_owned()));
    for (side, other) in [("managed", "sqlserver"), ("sql-server", "managed")] {
        let receipt = tool.json(&["failover", "sales", "--yes", "--receipt"]);
        assert_eq!(receipt["primary"], side, "{receipt:#}");
        assert_eq!(receipt["tables"][0]["different"], Value::Array(Vec::new()), "{receipt:#}");
        assert_eq!(tool.state(), ("healthy".to_owned(), side.to_owned()));
        let refused = lab.query(other, "Chinook", "DELETE Genre WHERE GenreId = -1");
        assert!(refused.is_err_and(|e| e.contains("3906")), "the former primary takes writes");
    }
    let history = tool.json(&["history", "sales"]);
    let verbs: Vec<&str> =
        history["runs"].as_array().unwrap().iter().map(|r| r["verb"].as_str().unwrap()).collect();
    assert_eq!(verbs, ["planned-failover", "planned-failover", "create"]);
    assert!(tool.json(&["history", "--verify"])["entries"].as_u64() > Some(20));
}

#[test]
fn two_primaries_are_explained_and_repaired() {
    let lab = Lab::up(&["--sample", "chinook"]);
    let tool = Tool::of(&lab);
    tool.create();
    let forced = ["failover", "sales", "--to", "managed", "--forced", "--allow-data-loss", "--yes"];
    let (code, said) = tool.bad(&forced);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("--confirm sales"), "{said}");
    tool.good(&[&forced[..], &["--confirm", "sales"]].concat());
    lab.sql("sqlserver", "Chinook", "INSERT Genre(GenreId, Name) VALUES(900, N'alone')");
    lab.sql("managed", "Chinook", "INSERT Genre(GenreId, Name) VALUES(901, N'kept')");
    assert_eq!(tool.state().0, "two-primaries");
    let diagnosis = tool.json(&["doctor", "sales"]);
    let next = diagnosis["next"]["command"].as_str().unwrap();
    assert!(next.starts_with("milink repair sales --winner "), "{diagnosis:#}");
    tool.good(&["repair", "sales", "--winner", "managed", "--yes"]);
    assert_eq!(tool.state(), ("healthy".to_owned(), "managed".to_owned()));
    lab.wait(
        "sqlserver",
        "Chinook",
        "SELECT STRING_AGG(GenreId, ',') FROM Genre WHERE GenreId >= 900",
        "901",
    );
    let saved =
        "SELECT COUNT(*) FROM msdb.dbo.backupset WHERE database_name = N'Chinook' AND is_copy_only = 1";
    assert_eq!(lab.sql("sqlserver", "master", saved), ["1"]);
}

#[test]
fn whatever_kills_the_tool_resume_reaches_the_goal() {
    let lab = Lab::up(&["--sample", "chinook"]);
    let tool = Tool::of(&lab);
    let create =
        ["create", "--name", "sales", "--database", "Chinook", "--failover-mode", "two-way", "--yes"];
    let mut killed = 0;
    // Each time it is killed one line later; what was done before is done.
    for lines in 1..30 {
        let verb: &[&str] = if lines == 1 { &create } else { &["resume", "sales", "--yes"] };
        if !tool.kill_after(lines.min(4), verb) {
            break;
        }
        killed += 1;
    }
    assert!(killed >= 3, "it was killed {killed} times only");
    let rest = tool.run(&["resume", "sales", "--yes"]);
    assert!(matches!(rest.status.code(), Some(0 | 3)), "{}", text(&rest.stderr));
    assert_eq!(tool.state(), ("healthy".to_owned(), "sql-server".to_owned()));
    for to in ["managed", "sql-server"] {
        for lines in 1..8 {
            let failover = ["failover", "sales", "--to", to, "--yes"];
            let verb: &[&str] = if lines == 1 { &failover } else { &["resume", "sales", "--yes"] };
            if !tool.kill_after(lines + 1, verb) {
                break;
            }
        }
        let rest = tool.run(&["resume", "sales", "--yes"]);
        assert!(matches!(rest.status.code(), Some(0 | 3)), "{}", text(&rest.stderr));
        assert_eq!(tool.state(), ("healthy".to_owned(), to.to_owned()));
    }
}

/// An asynchronous primary shows no last_hardened_lsn: the link is no less equal for that.
#[test]
fn a_link_whose_roles_never_changed_is_shown_and_dropped() {
    let lab = Lab::up(&["--sample", "chinook"]);
    let tool = Tool::of(&lab);
    tool.create();
    let shown = tool.json(&["status", "sales"]);
    assert_eq!(shown["links"][0]["databases"][0]["lsnBehind"], "0", "{shown:#}");
    tool.good(&["drop", "sales", "--yes"]);
    for side in ["sqlserver", "managed"] {
        assert_eq!(lab.sql(side, "master", "SELECT COUNT(*) FROM sys.availability_groups"), ["0"], "{side}");
    }
}

#[test]
fn what_cannot_be_done_is_said_and_nothing_is_changed() {
    let lab = Lab::up(&["--sample", "chinook"]);
    let tool = Tool::of(&lab);
    let (code, said) = tool.bad(&["show", "nothing"]);
    assert_eq!(code, 3, "{said}");
    let (code, said) = tool.bad(&["create", "--name", "x", "--database", "Missing", "--yes"]);
    assert_eq!(code, 4, "{said}");
    let (code, said) = tool.bad(&["create", "--name", "x", "--database", "Chinook"]);
    assert!(code == 2 && said.contains("--yes"), "{said}");
    let (code, said) = tool.bad(&["resume", "x", "--yes"]);
    assert_eq!(code, 3, "{said}");
    lab.good(&["fault", "kill", "managed"]);
    let out = tool.run(&["doctor", "x"]);
    assert!(out.status.success(), "{}", text(&out.stderr));
    assert!(text(&out.stdout).contains("not seen"), "{}", text(&out.stdout));
    assert_eq!(lab.sql("sqlserver", "master", "SELECT COUNT(*) FROM sys.availability_groups"), ["0"]);
}
