//! What is said on stderr while a verb works: steps, and how far a seeding is.
//!
//! On a terminal the last line is rewritten in place; elsewhere each line is written once, so that a log stays
//! readable.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write};
use std::time::{Duration, Instant};

use super::seeding::{Seeding, bytes, seconds};
use super::table::safe;

/// How often a log hears of a seeding.
const LOG_EVERY: Duration = Duration::from_secs(10);
/// A step that took longer than this tells a log how long.
const LONG: Duration = Duration::from_secs(1);
const BAR_WIDTH: usize = 24;

/// Says how far a verb is. Dropping it leaves the line that is being rewritten as it last was.
pub(crate) struct Progress {
    /// Nothing: `--only-show-errors`.
    out: Option<Box<dyn Write + Send>>,
    /// The terminal's width; nothing if there is none.
    width: Option<usize>,
    started: Instant,
    step: Option<Step>,
    done: usize,
    total: Option<usize>,
    seedings: BTreeMap<String, Seeding>,
    /// When a log last heard of a seeding.
    told: Option<Duration>,
    /// A line is on the terminal that the next one replaces.
    open: bool,
}

struct Step {
    text: String,
    since: Duration,
}

impl std::fmt::Debug for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Progress")
            .field("done", &self.done)
            .field("total", &self.total)
            .finish_non_exhaustive()
    }
}

impl Progress {
    pub(super) fn silent() -> Progress {
        Progress::new(None, None)
    }

    pub(super) fn to_stderr() -> Progress {
        let terminal = std::io::stderr().is_terminal();
        let size = || rustix::termios::tcgetwinsize(std::io::stderr()).ok().map(|s| usize::from(s.ws_col));
        // A terminal that does not say how wide it is gets what fits the narrowest.
        let width = terminal.then(|| size().filter(|w| *w > 0).unwrap_or(80));
        Progress::new(Some(Box::new(std::io::stderr())), width)
    }

    fn new(out: Option<Box<dyn Write + Send>>, width: Option<usize>) -> Progress {
        Progress {
            out,
            width,
            started: Instant::now(),
            step: None,
            done: 0,
            total: None,
            seedings: BTreeMap::new(),
            told: None,
            open: false,
        }
    }

    /// How many steps there will be.
    pub(crate) fn expect(&mut self, steps: usize) {
        self.total = Some(steps);
    }

    /// A step begins.
    pub(crate) fn step(&mut self, text: &str) {
        self.begin(text, self.started.elapsed());
    }

    fn begin(&mut self, text: &str, now: Duration) {
        self.step = Some(Step { text: safe(text), since: now });
        let line = format!("{}{}", self.count(), safe(text));
        if self.width.is_some() { self.rewrite(&line) } else { self.line(&line) }
    }

    /// What the step that runs is waiting for.
    pub(crate) fn waiting(&mut self, for_what: &str) {
        let now = self.started.elapsed();
        if self.width.is_none() {
            return;
        }
        let Some(step) = &self.step else { return };
        let span = seconds(now.saturating_sub(step.since));
        let line = format!("{}{} ({span}: {})", self.count(), step.text, safe(for_what));
        self.rewrite(&line);
    }

    /// The step has ended: `done`, `was so already`.
    pub(crate) fn ended(&mut self, how: &str) {
        self.finish_step(how, self.started.elapsed());
    }

    fn finish_step(&mut self, how: &str, now: Duration) {
        let Some(step) = self.step.take() else { return };
        let span = now.saturating_sub(step.since);
        let line = format!("{}{}: {} ({})", self.count(), step.text, safe(how), seconds(span));
        self.seedings.clear();
        self.told = None;
        if self.width.is_some() {
            self.rewrite(&line);
            self.close();
        } else if span >= LONG || how != "done" {
            self.line(&line);
        }
        self.done += 1;
    }

    /// Says something on a line of its own.
    pub(crate) fn note(&mut self, text: &str) {
        self.line(&safe(text));
    }

    /// What was observed of a database that is being seeded; several are summed up.
    pub(crate) fn seeding(&mut self, database: &str, transferred: u64, total: Option<u64>) {
        self.observe(database, transferred, total, self.started.elapsed());
    }

    fn observe(&mut self, database: &str, transferred: u64, total: Option<u64>, now: Duration) {
        self.seedings.entry(safe(database)).or_default().observe(now, transferred, total);
        let line = bar(&self.seedings);
        if self.width.is_some() {
            self.rewrite(&line);
        } else if self.told.is_none_or(|then| now.saturating_sub(then) >= LOG_EVERY) {
            self.told = Some(now);
            self.line(&line);
        }
    }

    /// Ends the line that is being rewritten, so that something else can be printed.
    pub(crate) fn close(&mut self) {
        if std::mem::take(&mut self.open) {
            self.write("\n");
        }
    }

    fn count(&self) -> String {
        let now = self.done + 1;
        match self.total {
            Some(total) => {
                let digits = total.to_string().len();
                format!("[{now:>digits$}/{total}] ")
            }
            None => String::new(),
        }
    }

    fn rewrite(&mut self, line: &str) {
        // One that wraps could not be taken back.
        let width = self.width.unwrap_or(usize::MAX).saturating_sub(1);
        let line: String = line.chars().take(width).collect();
        self.open = true;
        self.write(&format!("\r\x1b[K{line}"));
    }

    fn line(&mut self, line: &str) {
        let clear = if std::mem::take(&mut self.open) { "\r\x1b[K" } else { "" };
        self.write(&format!("{clear}{line}\n"));
    }

    fn write(&mut self, text: &str) {
        if let Some(out) = &mut self.out {
            // Nobody is left to be told when stderr is gone.
            drop(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.close();
    }
}

/// `Chinook [#####---] 45 % 120.4 MB of 260.0 MB, 12.3 MB/s, about 12 s left`.
fn bar(seedings: &BTreeMap<String, Seeding>) -> String {
    let name = match seedings.iter().next() {
        Some((name, _)) if seedings.len() == 1 => name.clone(),
        _ => format!("{} databases", seedings.len()),
    };
    let transferred: u64 = seedings.values().map(Seeding::transferred).sum();
    // One unknown total makes the sum unknown.
    let total: Option<u64> = seedings.values().map(Seeding::total).sum();
    let rates: Vec<f64> = seedings.values().filter_map(Seeding::rate).collect();
    // The one that takes longest decides.
    let left =
        seedings.values().map(Seeding::left).try_fold(Duration::ZERO, |most, l| l.map(|l| most.max(l)));
    let mut out = format!("Seeding {name} ");
    match total.filter(|t| *t > 0) {
        Some(total) => {
            let fraction = (transferred as f64 / total as f64).min(1.0);
            let full = (fraction * BAR_WIDTH as f64) as usize;
            let percent = (fraction * 100.0).floor();
            let (hashes, dashes) = ("#".repeat(full), "-".repeat(BAR_WIDTH - full));
            out += &format!("[{hashes}{dashes}] {percent} % {} of {}", bytes(transferred), bytes(total));
        }
        None => out += &bytes(transferred),
    }
    if !rates.is_empty() {
        out += &format!(", {}/s", bytes(rates.iter().sum::<f64>() as u64));
    }
    if let Some(left) = left.filter(|_| total.is_some_and(|t| transferred < t)) {
        out += &format!(", about {} left", seconds(left));
    }
    out
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn said(width: Option<usize>) -> String {
        const MB: u64 = 1 << 20;
        let kept = Kept::default();
        let mut progress = Progress::new(Some(Box::new(kept.clone())), width);
        let at = Duration::from_secs;
        progress.expect(10);
        progress.begin("Create the certificate", at(0));
        progress.finish_step("done", at(0));
        progress.begin("Wait for seeding", at(1));
        for s in 0..20 {
            progress.observe("Chinook", s * 5 * MB, Some(100 * MB), at(1 + s));
        }
        progress.finish_step("done", at(21));
        progress.begin("Fence the old primary", at(21));
        progress.finish_step("was so already", at(21));
        drop(progress);
        String::from_utf8(kept.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn a_log_gets_few_lines() {
        assert_eq!(
            said(None),
            "[ 1/10] Create the certificate\n\
             [ 2/10] Wait for seeding\n\
             Seeding Chinook [------------------------] 0 % 0 B of 100.0 MB\n\
             Seeding Chinook [############------------] 50 % 50.0 MB of 100.0 MB, 5.0 MB/s, about 10 s left\n\
             [ 2/10] Wait for seeding: done (20 s)\n\
             [ 3/10] Fence the old primary\n\
             [ 3/10] Fence the old primary: was so already (0.0 s)\n"
        );
    }

    #[test]
    fn a_terminal_gets_one_line_that_changes() {
        let text = said(Some(60));
        assert_eq!(text.matches('\n').count(), 3, "one for each step: {text}");
        for line in text.split(['\n', '\r']) {
            assert!(line.replace("\x1b[K", "").chars().count() < 60, "{line}");
        }
    }

    #[test]
    fn several_are_one() {
        let mut all = BTreeMap::new();
        for (name, total) in [("a", Some(100)), ("b", None)] {
            let mut seeding = Seeding::default();
            seeding.observe(Duration::ZERO, 50, total);
            all.insert(name.to_owned(), seeding);
        }
        assert_eq!(bar(&all), "Seeding 2 databases 100 B");
    }

    #[test]
    fn silence() {
        let mut progress = Progress::silent();
        progress.step("x");
        progress.ended("done");
        assert!(format!("{progress:?}").contains("done: 1"));
    }
}
