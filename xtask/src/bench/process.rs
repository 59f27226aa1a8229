//! Processor time and memory of a process and its children, as /proc has them.

use std::path::Path;

use super::Result;

/// What Linux counts processor time in, on every machine that this runs on (sysconf _SC_CLK_TCK).
const TICKS_A_SECOND: f64 = 100.0;

/// Seconds of processor time of `pid`, of its children that live, and of those that it has waited for.
pub(crate) fn cpu_seconds(pid: u32) -> Result<f64> {
    let mut ticks = 0;
    for member in family(pid)? {
        ticks += std::fs::read_to_string(format!("/proc/{member}/stat"))
            .ok()
            .and_then(|stat| ticks_of(&stat, member == pid))
            // A child may have gone meanwhile; its time is then its parent's.
            .unwrap_or(0);
    }
    Ok(ticks as f64 / TICKS_A_SECOND)
}

/// Seconds of processor time of this process, the load generator.
pub(crate) fn own_cpu_seconds() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").map_err(|e| format!("/proc/self/stat: {e}"))?;
    let ticks = ticks_of(&stat, false).ok_or("/proc/self/stat is not as expected")?;
    Ok(ticks as f64 / TICKS_A_SECOND)
}

/// Seconds of processor time that the whole machine has spent on anything.
pub(crate) fn machine_cpu_seconds() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/stat").map_err(|e| format!("/proc/stat: {e}"))?;
    let ticks = busy_ticks(&stat).ok_or("/proc/stat is not as expected")?;
    Ok(ticks as f64 / TICKS_A_SECOND)
}

/// The first line's user, nice, system, (idle, iowait,) irq, softirq and steal.
fn busy_ticks(stat: &str) -> Option<u64> {
    let fields: Vec<u64> = stat
        .lines()
        .next()?
        .strip_prefix("cpu ")?
        .split_ascii_whitespace()
        .map_while(|f| f.parse().ok())
        .collect();
    Some(fields.get(..3)?.iter().sum::<u64>() + fields.get(5..8)?.iter().sum::<u64>())
}

/// Bytes of memory of `pid` and its children, what they share counted once.
pub(crate) fn memory(pid: u32) -> Result<u64> {
    let mut kib = 0;
    for member in family(pid)? {
        let path = format!("/proc/{member}/smaps_rollup");
        let rollup = std::fs::read_to_string(&path).map_err(|e| format!("{path}: {e}"))?;
        kib += pss_kib(&rollup).ok_or_else(|| format!("{path} has no Pss"))?;
    }
    Ok(kib * 1024)
}

/// A process and its children; no server here has grandchildren.
fn family(pid: u32) -> Result<Vec<u32>> {
    let mut out = vec![pid];
    let list = std::fs::read_dir("/proc").map_err(|e| format!("/proc: {e}"))?;
    for entry in list.flatten() {
        let Some(other) = entry.file_name().to_str().and_then(|n| n.parse::<u32>().ok()) else { continue };
        let stat = std::fs::read_to_string(Path::new("/proc").join(entry.file_name()).join("stat"));
        if stat.ok().and_then(|s| parent(&s)) == Some(pid) {
            out.push(other);
        }
    }
    Ok(out)
}

/// The fields of /proc/PID/stat after the name, which may hold anything: the state is the first.
fn fields(stat: &str) -> Option<Vec<&str>> {
    Some(stat.rsplit_once(") ")?.1.split_ascii_whitespace().collect())
}

fn parent(stat: &str) -> Option<u32> {
    fields(stat)?.get(1)?.parse().ok()
}

/// utime and stime, and with children that were waited for cutime and cstime.
fn ticks_of(stat: &str, with_children: bool) -> Option<u64> {
    let fields = fields(stat)?;
    let last = if with_children { 14 } else { 12 };
    fields.get(11..=last)?.iter().map(|f| f.parse::<u64>().ok()).sum()
}

fn pss_kib(rollup: &str) -> Option<u64> {
    let line = rollup.lines().find_map(|l| l.strip_prefix("Pss:"))?;
    line.trim().trim_end_matches("kB").trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_and_smaps_are_read() {
        let stat = "7 (a) b) S 3 7 7 0 -1 4194560 1 2 3 4 100 20 3 4 20 0 1 0";
        assert_eq!(parent(stat), Some(3));
        assert_eq!(ticks_of(stat, false), Some(120));
        assert_eq!(ticks_of(stat, true), Some(127));
        assert_eq!(busy_ticks("cpu  1 2 4 800 900 8 16 32 0 0\ncpu0 1 2\n"), Some(63));
        assert_eq!(pss_kib("x [rollup]\nRss:  9 kB\nPss:      1234 kB\nPss_Dirty: 1 kB\n"), Some(1234));
    }
}
