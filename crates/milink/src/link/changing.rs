//! Running a plan for the user: it is shown and confirmed, journaled and driven, and its end becomes an exit code.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use milink_core::moment::Moment;
use milink_core::observe::Observation;
use milink_core::plan::{Phase, Plan};
use milink_core::run::{Progress as Told, Record, Recovered, Run, Verdict};
use milink_core::script::sent;
use milink_core::status;
use milink_ops::driver::{self, drive};
use milink_ops::journal::{Journal, RunId, RunRecord};
use milink_ops::sides::{Sides, now};
use serde::Serialize;
use tokio::sync::watch;

use super::session::{Session, journal_failure};
use crate::exit::{Exit, Failure, NOTHING_CHANGED};
use crate::output::{Cell, Document, Output, Progress, Table, Tone};

/// A plan, as it is shown: each step with its statement or call, and what it waits for.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PlanDocument {
    /// The plan.
    pub(crate) plan: Plan,
    /// For each step, what it sends; `None` if it only waits.
    sends: Vec<Option<String>>,
    /// For each step, whether it is proved already.
    done: Vec<bool>,
}

impl PlanDocument {
    /// A plan with what is seen now.
    pub(crate) fn of(plan: Plan, seen: &Observation) -> PlanDocument {
        let sends = plan.steps.iter().map(|s| s.action.as_ref().map(sent)).collect();
        let done = plan.steps.iter().map(|s| s.proved_by.judge(seen).holds()).collect();
        PlanDocument { plan, sends, done }
    }
}

impl Document for PlanDocument {
    const SCHEMA_VERSION: u32 = 1;

    fn table(&self) -> Table {
        let mut table = Table::new(["", "STEP", "WHAT IS DONE", "WHAT IS SENT"]);
        for (place, step) in self.plan.steps.iter().enumerate() {
            let sends = self.sends.get(place).cloned().flatten();
            let done = self.done.get(place) == Some(&true);
            let mark = match (done, step.irreversible) {
                (true, _) => Cell::toned("done", Tone::Good),
                (false, true) => Cell::toned("no way back", Tone::Warning),
                (false, false) => Cell::from(""),
            };
            table.row([
                mark,
                Cell::from(step.id.clone()),
                Cell::from(step.title.clone()),
                sends.map_or_else(|| Cell::toned("waits", Tone::Faint), Cell::from),
            ]);
        }
        let table = table.under(format!("Link {}", self.plan.link.name)).or_say("Nothing has to be done.");
        if self.plan.notes.is_empty() {
            return table;
        }
        let mut notes = Table::new(["NOTE"]);
        for note in &self.plan.notes {
            notes.row([Cell::from(note.clone())]);
        }
        table.and(notes)
    }
}

/// Asks whether to go on. Without a terminal, and without --yes, the answer is no.
///
/// # Errors
/// Nobody says yes.
pub(crate) fn confirm(output: &Output, yes: bool, question: &str) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    let no = |what: &str, code| Failure {
        code,
        what: what.to_owned(),
        where_: "the question before anything is done".to_owned(),
        now_true: NOTHING_CHANGED.to_owned(),
        next: "say --yes to go on without being asked, or --what-if to see what would be done".to_owned(),
    };
    if !output.is_for_people() || !std::io::stdin().is_terminal() {
        return Err(no("nobody is there who could say yes", Exit::BadArguments));
    }
    let mut err = std::io::stderr();
    let asked = write!(err, "{question} [y/N] ").and_then(|()| err.flush());
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    match (asked, read) {
        (Ok(()), Ok(_)) if matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes") => Ok(()),
        _ => Err(no("the answer was no", Exit::Cancelled)),
    }
}

/// How a run shows what it does.
pub(crate) struct Screen {
    progress: Progress,
    /// Put before each line where several runs share the screen.
    prefix: String,
    phase: Option<Phase>,
    plan: Plan,
}

impl Screen {
    pub(crate) fn new(output: &Output, plan: &Plan, prefix: &str) -> Screen {
        let mut progress = output.progress();
        progress.expect(plan.steps.len());
        Screen { progress, prefix: prefix.to_owned(), phase: None, plan: plan.clone() }
    }

    fn tell(&mut self, told: &Told) {
        let prefix = &self.prefix;
        match told {
            Told::Begins { step, title, back, .. } => {
                self.phase = self.plan.steps.get(*step).map(|s| s.phase);
                let taking = if *back { "Taking back: " } else { "" };
                self.progress.step(&format!("{prefix}{taking}{title}"));
            }
            Told::Proved { skipped, seen, .. } => {
                let how = if *skipped { "is so already" } else { "done" };
                let seen = if seen.is_empty() { String::new() } else { format!(": {seen}") };
                self.progress.ended(&format!("{how}{seen}"));
            }
            Told::Waiting { seen, .. } => self.progress.waiting(&format!("{prefix}{seen}")),
            Told::Repeats { why, .. } => self.progress.note(&format!("{prefix}again: {why}")),
            Told::RollingBack { why, .. } => {
                self.progress.note(&format!("{prefix}the former state is brought back: {why}"));
            }
        }
    }

    fn see(&mut self, seen: &Observation) {
        if self.phase != Some(Phase::Seeding) {
            return;
        }
        for d in status::link(&self.plan.link.name, seen).databases {
            if let Some(seeding) = d.seeding {
                let size = Some(seeding.size_bytes).filter(|s| *s > 0);
                self.progress.seeding(&d.name, seeding.transferred_bytes, size);
            }
        }
    }
}

/// Begins a plan in the journal and drives it to its end.
///
/// # Errors
/// The journal cannot be used.
pub(crate) async fn begin(
    sides: &Sides,
    journal: &mut Journal,
    plan: Plan,
    screen: Screen,
    stop: watch::Receiver<bool>,
) -> Result<(RunId, Verdict), Failure> {
    let id = journal.begin(&plan, now()).map_err(|e| journal_failure(&e))?;
    let run = Run::new(plan, Recovered::nothing());
    go_on(sides, journal, id, run, screen, stop).await
}

/// Drives a run of the journal to its end.
///
/// # Errors
/// The journal cannot be used.
pub(crate) async fn go_on(
    sides: &Sides,
    journal: &mut Journal,
    id: RunId,
    run: Run,
    mut screen: Screen,
    stop: watch::Receiver<bool>,
) -> Result<(RunId, Verdict), Failure> {
    let mut keeper = journal.keeper(id);
    let mut tell = |told: driver::Told<'_>| match told {
        driver::Told::Progress(progress) => screen.tell(progress),
        driver::Told::Seen(seen) => screen.see(seen),
    };
    let verdict = drive(run, sides, &mut keeper, stop, &mut tell).await.map_err(|e| journal_failure(&e))?;
    screen.progress.close();
    Ok((id, verdict))
}

/// Ctrl-C once asks to stop at the next safe place; twice ends at once.
pub(crate) fn stop_on_ctrl_c(output: &Output) -> watch::Receiver<bool> {
    let (send, stop) = watch::channel(false);
    let output = output.clone();
    tokio::spawn(async move {
        let mut first = true;
        while tokio::signal::ctrl_c().await.is_ok() {
            if !first {
                std::process::exit(i32::from(Exit::Interrupted.number()));
            }
            first = false;
            output.note("Stopping at the next safe place; Ctrl-C again ends at once, and milink resume goes on from there.");
            send.send_replace(true);
        }
    });
    stop
}

/// How a run ended, for programs and people.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Ended {
    /// The link.
    pub(crate) link: String,
    /// The run's number in the journal.
    pub(crate) run: RunId,
    /// When it began and ended.
    pub(crate) started: Moment,
    /// When it ended.
    pub(crate) ended: Moment,
    /// How.
    pub(crate) verdict: Verdict,
}

/// The failure that a verdict is; `None` if the goal is reached.
pub(crate) fn failure(link: &str, verdict: &Verdict) -> Option<Failure> {
    let (code, step, why, now_true, next) = match verdict {
        Verdict::Reached => return None,
        Verdict::Stopped { step, why, now_true, next } => (Exit::Error, step, why, now_true, next),
        Verdict::RolledBack { step, why, now_true, next, .. } => (Exit::Refused, step, why, now_true, next),
        Verdict::Uncertain { step, why, now_true, next } => (Exit::Uncertain, step, why, now_true, next),
    };
    Some(Failure {
        code,
        what: format!("link {link}: {why}"),
        where_: format!("step {step}"),
        now_true: now_true.join("\n"),
        next: format!("{} ({})", next.command, next.why),
    })
}

/// Refuses to begin while another run of the link is open.
///
/// # Errors
/// There is one.
pub(crate) fn nothing_open(journal: &Journal, link: &str) -> Result<(), Failure> {
    match journal.open_run(link).map_err(|e| journal_failure(&e))? {
        None => Ok(()),
        Some((run, _)) => Err(Failure {
            code: Exit::Refused,
            what: format!("run {} of link {link} is not through", run.id),
            where_: "the journal".to_owned(),
            now_true: NOTHING_CHANGED.to_owned(),
            next: format!("milink resume {link} goes on with it, milink undo {link} takes it back"),
        }),
    }
}

/// The session's sides, journal and lock, to run one plan.
///
/// # Errors
/// The plan does not reach its goal.
pub(crate) async fn run_one(session: &Session, plan: Plan) -> Result<Ended, Failure> {
    let mut journal = session.journal()?;
    let link = plan.link.name.clone();
    let _lock = journal.lock(&link).map_err(|e| journal_failure(&e))?;
    nothing_open(&journal, &link)?;
    let started = now();
    let screen = Screen::new(&session.output, &plan, "");
    let stop = stop_on_ctrl_c(&session.output);
    let (run, verdict) = begin(&session.sides, &mut journal, plan, screen, stop).await?;
    Ok(Ended { link, run, started, ended: now(), verdict })
}

/// The session's sides, journal and lock, to run one plan in the place of a run, which ends with `ends`.
///
/// # Errors
/// Another run of the link was begun meanwhile, or the journal cannot be used.
pub(crate) async fn run_instead(
    session: &Session,
    old: &RunRecord,
    ends: &Record,
    plan: Plan,
) -> Result<Ended, Failure> {
    let mut journal = session.journal()?;
    let link = plan.link.name.clone();
    let _lock = journal.lock(&link).map_err(|e| journal_failure(&e))?;
    let newest = journal.runs(Some(&link)).map_err(|e| journal_failure(&e))?.into_iter().next();
    if newest.is_some_and(|run| run.id != old.id) {
        nothing_open(&journal, &link)?;
    }
    let started = now();
    let screen = Screen::new(&session.output, &plan, "");
    let stop = stop_on_ctrl_c(&session.output);
    let run = journal.begin_instead(old.id, ends, &plan, started).map_err(|e| journal_failure(&e))?;
    let machine = Run::new(plan, Recovered::nothing());
    let (run, verdict) = go_on(&session.sides, &mut journal, run, machine, screen, stop).await?;
    Ok(Ended { link, run, started, ended: now(), verdict })
}
