//! The grade of a drill: what a rehearsal has shown, held against what was promised.
//!
//! RTO is the longest pause between acknowledged commits, as the applications had it, and not how long a tool was busy. RPO is the number
//! of commits that were acknowledged and are not there in the end. A drill in which nothing was written, or nothing happened, or nobody
//! could look, has passed nothing: it fails.

use serde::{Deserialize, Serialize};

use crate::check::report::escaped;
use crate::moment::Moment;
use crate::plan::Verb;
use crate::run::{Picture, StepState, Verdict};

/// What was promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Thresholds {
    /// The longest pause between acknowledged commits, in milliseconds.
    pub rto_ms: u64,
    /// Acknowledged commits that may be lost.
    pub rpo_commits: u64,
    /// Fewer acknowledged commits prove nothing.
    pub commits_min: u64,
}

impl Default for Thresholds {
    fn default() -> Thresholds {
        Thresholds { rto_ms: 60_000, rpo_commits: 0, commits_min: 100 }
    }
}

/// What the workload's ledger has counted.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ledger {
    /// For how long it has been written, in milliseconds.
    pub elapsed_ms: u64,
    /// Commits that were acknowledged.
    pub acknowledged: u64,
    /// Commits that were refused: nothing of them may be there.
    pub refused: u64,
    /// Commits without an answer: they may be there or not.
    pub uncertain: u64,
    /// The longest time between two acknowledgements, in milliseconds.
    pub longest_pause_ms: u64,
    /// How often another side took the commits.
    pub role_changes: u32,
    /// Who takes them.
    pub primary: Option<String>,
    /// How far the other side is behind, in milliseconds.
    pub lag_ms: Option<u64>,
    /// The last error that a writer was given.
    pub last_error: Option<String>,
    /// What was found on each side in the end; empty while it is written.
    pub found: Vec<SideCount>,
}

/// What was found on a side when the writers had ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SideCount {
    /// Which.
    pub side: String,
    /// What was found, or why nobody could look.
    pub counted: Result<Counted, String>,
}

/// What a side has, held against what was acknowledged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Counted {
    /// Whether it is primary.
    pub primary: bool,
    /// Acknowledged commits that are not there.
    pub lost: u64,
    /// Commits that are there more than once.
    pub doubled: u64,
    /// Commits that are not what was written.
    pub damaged: u64,
    /// Commits that should not be there.
    pub unwanted: u64,
}

/// A run of the link that fell into the drill.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DrilledRun {
    /// Its number in the journal.
    pub number: i64,
    /// What it was for.
    pub verb: Verb,
    /// When it began.
    pub began: Moment,
    /// When it ended.
    pub ended: Option<Moment>,
    /// Its steps.
    pub picture: Picture,
}

/// Something that was broken or mended on purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Injected {
    /// When.
    pub at: Moment,
    /// What.
    pub what: String,
}

/// All that is known of a drill.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// What it is called.
    pub name: String,
    /// When the workload began.
    pub began: Moment,
    /// When it ended.
    pub ended: Moment,
    /// What was counted.
    pub ledger: Ledger,
    /// What was broken and mended.
    pub injected: Vec<Injected>,
    /// What was run meanwhile, the oldest first.
    pub runs: Vec<DrilledRun>,
}

/// How a question was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Grade {
    /// As promised.
    Passed,
    /// Not as promised.
    Failed,
    /// Nobody could tell, which is no pass.
    Unknown,
}

impl Grade {
    fn of(passed: bool) -> Grade {
        if passed { Grade::Passed } else { Grade::Failed }
    }
}

impl std::fmt::Display for Grade {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Grade::Passed => "passed",
            Grade::Failed => "failed",
            Grade::Unknown => "unknown",
        })
    }
}

/// One question of the grade.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Case {
    /// What it belongs to: `objectives`, or a run.
    pub group: String,
    /// What was asked.
    pub name: String,
    /// How it was answered.
    pub grade: Grade,
    /// What was seen.
    pub seen: String,
    /// What was wanted.
    pub wanted: String,
    /// How long it took, in milliseconds, if it took any time.
    pub took_ms: Option<u64>,
}

/// The graded report.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// What is reported on.
    pub evidence: Evidence,
    /// Against what.
    pub thresholds: Thresholds,
    /// The questions with their answers.
    pub cases: Vec<Case>,
}

impl Report {
    /// Whether every question was answered as promised.
    pub fn passed(&self) -> bool {
        self.cases.iter().all(|c| c.grade == Grade::Passed)
    }
}

/// Grades a drill.
pub fn grade(evidence: Evidence, thresholds: Thresholds) -> Report {
    const OBJECTIVES: &str = "objectives";
    let ledger = &evidence.ledger;
    let objective = |name: &str, grade: Grade, seen: String, wanted: String| Case {
        group: OBJECTIVES.to_owned(),
        name: name.to_owned(),
        grade,
        seen,
        wanted,
        took_ms: None,
    };
    let mut cases = vec![
        Case {
            took_ms: Some(ledger.longest_pause_ms),
            ..objective(
                "RTO: longest pause between acknowledged commits",
                Grade::of(ledger.longest_pause_ms <= thresholds.rto_ms),
                format!("{} ms", ledger.longest_pause_ms),
                format!("{} ms at most", thresholds.rto_ms),
            )
        },
        rpo(ledger, thresholds, &objective),
        whole(ledger, &objective),
        objective(
            "Enough was written to prove something",
            Grade::of(ledger.acknowledged >= thresholds.commits_min.max(1)),
            format!("{} commits acknowledged", ledger.acknowledged),
            format!("{} at least", thresholds.commits_min.max(1)),
        ),
        objective(
            "Something happened",
            Grade::of(!evidence.injected.is_empty() || !evidence.runs.is_empty()),
            format!("{} faults, {} runs", evidence.injected.len(), evidence.runs.len()),
            "a fault or a run at least".to_owned(),
        ),
    ];
    cases.extend(evidence.runs.iter().flat_map(run));
    Report { evidence, thresholds, cases }
}

/// What the side that is primary in the end does not have.
fn rpo(
    ledger: &Ledger,
    thresholds: Thresholds,
    objective: &impl Fn(&str, Grade, String, String) -> Case,
) -> Case {
    let counted = |s: &SideCount| s.counted.as_ref().ok().copied();
    let primaries: Vec<Counted> = ledger.found.iter().filter_map(counted).filter(|c| c.primary).collect();
    let (grade, seen) = match primaries.as_slice() {
        [] => (Grade::Unknown, "no primary could be counted".to_owned()),
        [one] => (Grade::of(one.lost <= thresholds.rpo_commits), format!("{} commits", one.lost)),
        // Two histories are written: whichever wins, the other's commits are lost.
        many => (Grade::Failed, format!("{} sides say that they are primary", many.len())),
    };
    let wanted = format!("{} commits at most", thresholds.rpo_commits);
    objective("RPO: acknowledged commits that are lost", grade, seen, wanted)
}

/// Nothing is there twice, damaged, or although it was refused.
fn whole(ledger: &Ledger, objective: &impl Fn(&str, Grade, String, String) -> Case) -> Case {
    let counted: Vec<(&str, &Counted)> =
        ledger.found.iter().filter_map(|s| Some((s.side.as_str(), s.counted.as_ref().ok()?))).collect();
    let clean = counted.iter().all(|(_, c)| c.doubled + c.damaged + c.unwanted == 0);
    let said = counted.iter().map(|(side, c)| {
        format!("{side}: {} doubled, {} damaged, {} unwanted", c.doubled, c.damaged, c.unwanted)
    });
    let (grade, seen) = if counted.is_empty() {
        (Grade::Unknown, "no side could be counted".to_owned())
    } else {
        (Grade::of(clean), said.collect::<Vec<_>>().join("; "))
    };
    objective("What is there is what was written, once", grade, seen, "nothing of it".to_owned())
}

/// A run as a whole, and each of its steps.
fn run(run: &DrilledRun) -> Vec<Case> {
    let group = format!("run {} ({})", run.number, verb(run.verb));
    let verdict = match &run.picture.verdict {
        Some(Verdict::Reached) => (Grade::Passed, "reached its goal".to_owned()),
        Some(Verdict::Stopped { step, why, .. }) => (Grade::Failed, format!("stopped at {step}: {why}")),
        Some(Verdict::RolledBack { step, why, .. }) => {
            (Grade::Failed, format!("was taken back after {step}: {why}"))
        }
        Some(Verdict::Uncertain { step, why, .. }) => {
            (Grade::Unknown, format!("uncertain since {step}: {why}"))
        }
        None => (Grade::Unknown, "has not ended".to_owned()),
    };
    let whole = Case {
        group: group.clone(),
        name: "The run reaches its goal".to_owned(),
        grade: verdict.0,
        seen: verdict.1,
        wanted: "its goal".to_owned(),
        took_ms: run.ended.map(|ended| ended.ms_since(run.began)),
    };
    let steps = run.picture.steps.iter().map(|step| Case {
        group: group.clone(),
        name: format!("{}: {}", step.id, step.title),
        grade: match step.state {
            StepState::Done | StepState::WasSo => Grade::Passed,
            StepState::Failed | StepState::TakenBack | StepState::TakingBack => Grade::Failed,
            StepState::Ahead | StepState::UnderWay | StepState::Uncertain => Grade::Unknown,
        },
        seen: step.events.last().map_or_else(|| state(step.state).to_owned(), |e| e.text.clone()),
        wanted: "done".to_owned(),
        took_ms: step.began.and_then(|began| Some(step.ended?.ms_since(began))),
    });
    std::iter::once(whole).chain(steps).collect()
}

/// What a plan is for, as it is called in reports.
pub fn verb(verb: Verb) -> &'static str {
    match verb {
        Verb::Create => "create",
        Verb::PlannedFailover => "planned failover",
        Verb::ForcedFailover => "forced failover",
        Verb::Repair => "repair",
        Verb::Drop => "drop",
        Verb::Undo => "undo",
        Verb::Fix => "fix",
        Verb::Purge => "purge",
    }
}

fn state(state: StepState) -> &'static str {
    match state {
        StepState::Ahead => "not begun",
        StepState::UnderWay => "under way",
        StepState::Done => "done",
        StepState::WasSo => "was so already",
        StepState::TakingBack => "being taken back",
        StepState::TakenBack => "taken back",
        StepState::Failed => "failed",
        StepState::Uncertain => "uncertain",
    }
}

/// The report as JUnit XML: what failed is a failure, what nobody could tell is an error.
pub fn junit(report: &Report) -> String {
    let mut groups: Vec<(&str, Vec<&Case>)> = Vec::new();
    for case in &report.cases {
        match groups.last_mut() {
            Some((group, cases)) if *group == case.group => cases.push(case),
            _ => groups.push((&case.group, vec![case])),
        }
    }
    let all: Vec<&Case> = report.cases.iter().collect();
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    out.push_str(&format!("<testsuites name=\"{}\" {}>\n", escaped(&report.evidence.name), counts(&all)));
    for (group, cases) in groups {
        let group = escaped(group);
        let at = escaped(&report.evidence.began.to_string());
        out.push_str(&format!("  <testsuite name=\"{group}\" timestamp=\"{at}\" {}>\n", counts(&cases)));
        for case in cases {
            let time = case.took_ms.map_or_else(String::new, |ms| format!(" time=\"{}\"", seconds(ms)));
            let head = format!("<testcase classname=\"{group}\" name=\"{}\"{time}", escaped(&case.name));
            let seen = escaped(&case.seen);
            let told = escaped(&format!("seen: {}\nwanted: {}", case.seen, case.wanted));
            let element = match case.grade {
                Grade::Passed => {
                    out.push_str(&format!("    {head}><system-out>{told}</system-out></testcase>\n"));
                    continue;
                }
                Grade::Failed => "failure",
                Grade::Unknown => "error",
            };
            out.push_str(&format!(
                "    {head}><{element} type=\"{}\" message=\"{seen}\">{told}</{element}></testcase>\n",
                case.grade
            ));
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

fn counts(cases: &[&Case]) -> String {
    let count = |grade: Grade| cases.iter().filter(|c| c.grade == grade).count();
    format!(
        "tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"0\"",
        cases.len(),
        count(Grade::Failed),
        count(Grade::Unknown)
    )
}

fn seconds(ms: u64) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

#[cfg(test)]
mod tests;
