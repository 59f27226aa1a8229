//! The machine that figures were taken on.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use bench_driver::statistics::median;
use serde::Serialize;

use super::Result;

/// How often the disk is asked.
const SYNCS: usize = 200;
/// A block of the log.
const BLOCK: [u8; 4096] = [7; 4096];

/// What figures depend on.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Machine {
    cores: usize,
    processor: String,
    memory_gib: f64,
    kernel: String,
    distribution: String,
    file_system: String,
    /// Of 4 KiB into a file that has its size already.
    fdatasync_ms: f64,
    milink: String,
    postgres: Option<String>,
}

impl Machine {
    pub(crate) fn describe(dir: &Path, milink: &Path, postgres: Option<&Path>) -> Result<Machine> {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let postgres = postgres.map(|p| said(Command::new(p.join("postgres")).arg("--version")));
        Ok(Machine {
            cores: std::thread::available_parallelism().map_err(|e| format!("cores: {e}"))?.get(),
            processor: field(&read("/proc/cpuinfo"), "model name", ':'),
            memory_gib: memory_gib(&read("/proc/meminfo")),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            distribution: field(&read("/etc/os-release"), "PRETTY_NAME", '=').trim_matches('"').to_owned(),
            file_system: said(Command::new("stat").args(["--file-system", "--format=%T"]).arg(dir))?,
            fdatasync_ms: fdatasync_ms(dir)?,
            milink: said(Command::new(milink).arg("--version"))?,
            postgres: postgres.transpose()?,
        })
    }

    /// As a Markdown list.
    pub(crate) fn list(&self) -> String {
        let mut out = format!(
            "- {} cores ({}), {:.0} GiB of memory\n- {}, Linux {}\n- {}, 4 KiB write and fdatasync: {:.2} ms (median of {SYNCS})\n- {}\n",
            self.cores,
            self.processor,
            self.memory_gib,
            self.distribution,
            self.kernel,
            self.file_system,
            self.fdatasync_ms,
            self.milink,
        );
        if let Some(postgres) = &self.postgres {
            out += &format!("- {postgres}, default settings\n");
        }
        out
    }
}

/// The first line that a program prints.
fn said(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let out = command.output().map_err(|e| format!("{name}: {e}"))?;
    if !out.status.success() {
        return Err(format!("{name} ended with {}", out.status));
    }
    Ok(String::from_utf8_lossy(&out.stdout).lines().next().unwrap_or_default().to_owned())
}

fn field(text: &str, name: &str, separator: char) -> String {
    let of_line = |line: &str| {
        let (key, value) = line.split_once(separator)?;
        (key.trim() == name).then(|| value.trim().to_owned())
    };
    text.lines().find_map(of_line).unwrap_or_else(|| "unknown".to_owned())
}

fn memory_gib(meminfo: &str) -> f64 {
    let total = field(meminfo, "MemTotal", ':');
    let kib: f64 = total.trim_end_matches("kB").trim().parse().unwrap_or(0.0);
    kib / f64::from(1 << 20)
}

fn fdatasync_ms(dir: &Path) -> Result<f64> {
    let told = |e: std::io::Error| format!("fdatasync in {}: {e}", dir.display());
    let file: File = tempfile::tempfile_in(dir).map_err(told)?;
    for block in 0..SYNCS {
        file.write_all_at(&BLOCK, (block * BLOCK.len()) as u64).map_err(told)?;
    }
    file.sync_all().map_err(told)?;
    let mut took = Vec::new();
    for block in 0..SYNCS {
        let begun = Instant::now();
        file.write_all_at(&BLOCK, (block * BLOCK.len()) as u64).map_err(told)?;
        file.sync_data().map_err(told)?;
        took.push(begun.elapsed().as_secs_f64() * 1000.0);
    }
    Ok(median(&took))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found() {
        assert_eq!(field("a : 1\nmodel name\t: X (R) 9: fast\n", "model name", ':'), "X (R) 9: fast");
        assert_eq!(field("", "model name", ':'), "unknown");
        assert!((memory_gib("MemTotal:       25165824 kB\n") - 24.0).abs() < 0.001);
    }
}
