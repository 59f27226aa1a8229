//! `cargo xtask fuzz`: every fuzz target in turn, with a time limit.

use std::path::Path;
use std::process::Command;

use clap::Args;

use crate::report;

/// Every target under fuzz/fuzz_targets.
const TARGETS: [&str; 6] = ["tds", "tsql", "log", "endpoint", "hadr", "arm"];

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Only this target.
    #[arg(value_parser = TARGETS)]
    target: Option<String>,
    /// How long each target runs.
    #[arg(long, default_value_t = 60)]
    seconds: u32,
}

/// Runs the targets; a finding ends it, with the input kept under fuzz/artifacts.
pub(crate) fn run(arguments: &Arguments) -> Result<(), String> {
    install_cargo_fuzz()?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for target in TARGETS.iter().filter(|t| arguments.target.as_deref().is_none_or(|wanted| wanted == **t)) {
        report(&format!("fuzzing {target} for {} s", arguments.seconds));
        // Findings go into the corpus folder, which git ignores; the seeds are read only.
        let corpus = format!("fuzz/corpus/{target}");
        std::fs::create_dir_all(root.join(&corpus)).map_err(|e| format!("{corpus}: {e}"))?;
        let mut command = Command::new("cargo");
        command
            .args(["fuzz", "run", "--sanitizer", "none", target, &corpus])
            .current_dir(&root)
            // The coverage flags of cargo-fuzz are unstable options; the toolchain is the stable one.
            .env("RUSTC_BOOTSTRAP", "1");
        let seeds = format!("fuzz/seeds/{target}");
        if root.join(&seeds).is_dir() {
            command.arg(&seeds);
        }
        command.args(["--", &format!("-max_total_time={}", arguments.seconds)]);
        command.args(["-timeout=10", "-rss_limit_mb=2048", "-max_len=16384", "-print_final_stats=1"]);
        let status = command.status().map_err(|e| format!("cargo fuzz: {e}"))?;
        if !status.success() {
            return Err(format!("{target}: a finding, kept under fuzz/artifacts/{target}"));
        }
    }
    Ok(())
}

fn install_cargo_fuzz() -> Result<(), String> {
    let there = Command::new("cargo").args(["fuzz", "--version"]).output().is_ok_and(|o| o.status.success());
    if there {
        return Ok(());
    }
    let status = Command::new("cargo")
        .args(["install", "--locked", "--quiet", "cargo-fuzz@0.13.1"])
        .status()
        .map_err(|e| format!("cargo install: {e}"))?;
    if status.success() { Ok(()) } else { Err("cargo-fuzz could not be installed".to_owned()) }
}
