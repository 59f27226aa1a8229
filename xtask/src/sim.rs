//! `cargo xtask sim`: the protocol of availability groups in simulated worlds, one for each seed.

use std::io::Write as _;
use std::time::Instant;

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// How many seeds to run.
    #[arg(long, default_value_t = 10_000)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Threads; as many as there are processors if it is not said.
    #[arg(long)]
    jobs: Option<usize>,
    /// Run this seed alone.
    #[arg(long, conflicts_with_all = ["seeds", "from"])]
    seed: Option<u64>,
    /// Print everything that happens in it.
    #[arg(long, requires = "seed")]
    trace: bool,
    /// Go on until that many seeds have broken a rule.
    #[arg(long, default_value_t = 1)]
    violations: usize,
}

/// Runs the seeds; the last line is the verdict.
pub(crate) fn run(arguments: &Arguments) -> Result<(), String> {
    let mut out = std::io::stdout();
    let mut say = |line: &str| writeln!(out, "{line}").map_err(|e| format!("stdout: {e}"));
    if let Some(seed) = arguments.seed {
        let outcome = lab_sim::run(seed, None, arguments.trace);
        for line in &outcome.trace {
            say(line)?;
        }
        return match outcome.violation {
            Some(why) => {
                say(&format!("VIOLATION in seed {seed}: {why}"))?;
                Err(format!("seed {seed} breaks a rule"))
            }
            None => say(&format!("OK: seed {seed}")),
        };
    }
    let jobs = arguments.jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let begun = Instant::now();
    let report = lab_sim::run_many(arguments.from, arguments.seeds, jobs, None, arguments.violations);
    let seconds = begun.elapsed().as_secs_f64();
    for (what, n) in &report.counts.0 {
        say(&format!("{n:>12} {what}"))?;
    }
    for (seed, why) in &report.violations {
        say(&format!("seed {seed}: {why}"))?;
    }
    let range = format!("seeds {} to {}", arguments.from, arguments.from + arguments.seeds.saturating_sub(1));
    if let Some((seed, _)) = report.violations.first() {
        say(&format!("VIOLATION: {range}: seed {seed}; see it with cargo xtask sim --seed {seed} --trace"))?;
        return Err(format!("seed {seed} breaks a rule"));
    }
    let missed = report.counts.below_floor(report.seeds);
    if !missed.is_empty() {
        say(&format!("NOTHING PROVED: {range}: too little happened: {}", missed.join(", ")))?;
        return Err("too little happened".to_owned());
    }
    say(&format!("OK: {range}, {} run in {seconds:.1} s, no rule broken", report.seeds))
}
