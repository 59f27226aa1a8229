//! `cargo xtask demo`: the main job, through the public commands alone. A lab with Chinook; a link is checked and made; orders are written
//! while the roles change, as planned, there and back; a failover is forced, both sides are written to, and the state with two primaries is
//! repaired. It ends with the ledger's verdict: whether any acknowledged order was lost.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::report;

/// How long orders are written, in seconds: over both planned failovers.
const WORKLOAD_SECONDS: &str = "15";

/// The commands of the story, with the lab's environment.
struct Story {
    milink: PathBuf,
    data: PathBuf,
    environment: Vec<(String, String)>,
}

/// Builds, starts, checks, links, fails over, repairs, stops.
pub(crate) fn run() -> Result<(), String> {
    let milink = build()?;
    let folder = tempfile::tempdir().map_err(|e| format!("a folder for the lab: {e}"))?;
    let begun = Instant::now();
    let mut story = Story { milink, data: folder.path().join("lab"), environment: Vec::new() };
    let told = story.tell();
    // Whatever happened, nothing of it goes on.
    let down = story.lab(&["down"]).map(|_| ());
    told?;
    down?;
    report(&format!("The whole story took {:.0} s.", begun.elapsed().as_secs_f64()));
    Ok(())
}

impl Story {
    fn tell(&mut self) -> Result<(), String> {
        report(
            "A SQL Server with Chinook, a managed instance and a local Azure:  milink lab up --sample chinook",
        );
        self.lab(&["up", "--detach", "--sample", "chinook"])?;
        self.environment = exported(&self.lab(&["env"])?);
        report("Is everything there that a link needs?  milink check");
        self.show(&["check", "--name", "sales", "--database", "Chinook", "--only-show-errors"])?;
        report("Then make it:  milink create --name sales --database Chinook");
        self.show(&[
            "create",
            "--name",
            "sales",
            "--database",
            "Chinook",
            "--failover-mode",
            "two-way",
            "--yes",
        ])?;
        report("Orders are written from now on, by a client that follows the primary:  milink lab workload");
        let workload = self
            .command(&[
                "lab",
                "workload",
                "--database",
                "Chinook",
                "--seconds",
                WORKLOAD_SECONDS,
                "-o",
                "json",
            ])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|e| format!("milink lab workload: {e}"))?;
        report("Planned failover to Azure, and back:  milink failover sales");
        for _ in 0..2 {
            std::thread::sleep(std::time::Duration::from_secs(2));
            self.show(&["failover", "sales", "--yes", "--only-show-errors"])?;
        }
        let ended = workload.wait_with_output().map_err(|e| format!("the workload's end: {e}"))?;
        let verdict: serde_json::Value =
            serde_json::from_slice(&ended.stdout).map_err(|e| format!("the workload's verdict: {e}"))?;
        report(
            "A disaster drill: Azure is made primary by force while SQL Server lives, and both are written to:",
        );
        report("  milink failover sales --to managed --forced --allow-data-loss --confirm sales");
        let forced = ["--to", "managed", "--forced", "--allow-data-loss", "--confirm", "sales", "--yes"];
        self.show(&[&["failover", "sales", "--only-show-errors"], &forced[..]].concat())?;
        self.insert("sqlserver", 900, "written on SQL Server alone")?;
        self.insert("managed", 901, "written in Azure")?;
        report("What is wrong, and what comes next?  milink doctor sales");
        self.show(&["doctor", "sales"])?;
        report(
            "Azure stays primary; what SQL Server has alone is saved first:  milink repair sales --winner managed",
        );
        self.show(&["repair", "sales", "--winner", "managed", "--yes", "--only-show-errors"])?;
        self.show(&["status"])?;
        report("And home again, with both sides counted:  milink failover sales --receipt");
        self.show(&["failover", "sales", "--yes", "--receipt", "--only-show-errors"])?;
        self.show(&["history", "sales"])?;
        judge(&verdict, ended.status.success())
    }

    fn insert(&self, side: &str, id: u32, name: &str) -> Result<(), String> {
        let text = format!("INSERT Chinook.dbo.Genre(GenreId, Name) VALUES({id}, N'{name}')");
        self.lab(&["sql", side, "-Q", &text]).map(|_| ())
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.milink);
        command
            .args(arguments)
            .env("MILINK_LAB_DATA", &self.data)
            .env("MILINK_JOURNAL", self.data.join("journal.db"))
            .envs(self.environment.iter().map(|(n, v)| (n, v)));
        command
    }

    /// Runs a verb of the lab; what it prints.
    fn lab(&self, arguments: &[&str]) -> Result<String, String> {
        let all = [&["lab"], arguments].concat();
        let out = self.command(&all).output().map_err(|e| format!("milink lab: {e}"))?;
        if out.status.success() {
            Ok(String::from_utf8_lossy(&out.stdout).into_owned())
        } else {
            Err(format!("milink {}: {}", all.join(" "), String::from_utf8_lossy(&out.stderr)))
        }
    }

    /// Runs a verb whose answer is shown.
    fn show(&self, arguments: &[&str]) -> Result<(), String> {
        let status = self.command(arguments).status().map_err(|e| format!("milink: {e}"))?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("milink {} ended with {status}", arguments.join(" ")))
        }
    }
}

/// The variables that lines for a shell set.
fn exported(lines: &str) -> Vec<(String, String)> {
    let variable = |line: &str| {
        let (name, value) = line.strip_prefix("export ")?.split_once('=')?;
        Some((name.to_owned(), value.trim_matches('\'').to_owned()))
    };
    lines.lines().filter_map(variable).collect()
}

/// The verdict of the ledger: what each side lacks of what was acknowledged.
fn judge(verdict: &serde_json::Value, clean: bool) -> Result<(), String> {
    let no_number = |name: &str| format!("the workload says nothing of {name}: {verdict:#}");
    let number = |of: &serde_json::Value, name: &str| of[name].as_u64().ok_or_else(|| no_number(name));
    let sides = verdict["sides"].as_object().filter(|s| !s.is_empty()).ok_or_else(|| no_number("sides"))?;
    let mut missing = 0;
    for side in sides.values() {
        missing = missing.max(number(side, "lost")? + number(side, "behind")?);
    }
    let acknowledged = number(verdict, "acknowledged")?;
    report(&format!(
        "{acknowledged} orders were acknowledged over both planned failovers; the longest pause between two of them was {} ms.",
        number(verdict, "longestPauseMs")?
    ));
    report(&format!("Verdict: {missing} acknowledged commits lost."));
    if clean && missing == 0 && acknowledged > 0 {
        Ok(())
    } else {
        Err(format!("the ledger finds orders that are lost or doubled: {verdict:#}"))
    }
}

fn build() -> Result<PathBuf, String> {
    report("Building milink (the first time takes some minutes)");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let status = Command::new("cargo")
        .args(["build", "--release", "--quiet", "--package", "milink"])
        .current_dir(&root)
        .status()
        .map_err(|e| format!("cargo: {e}"))?;
    if !status.success() {
        return Err("milink could not be built".to_owned());
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    Ok(target.join("release/milink"))
}
