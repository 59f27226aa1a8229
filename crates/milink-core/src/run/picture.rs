//! What a run looks like from outside: each step, how far it is, what was sent and what was answered. Made of what the machine tells while a
//! run goes on ([`Picture::tell`]), or of what its journal keeps ([`Picture::of_journal`]), for whoever shows it.

use serde::Serialize;

use super::{Entry, Outcome, Progress, Record, Verdict};
use crate::moment::Moment;
use crate::observe::Observation;
use crate::plan::{Phase, Plan};
use crate::script;
use crate::status::{self, SeedingStatus};

/// A run, as it is shown.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Picture {
    /// The link.
    pub link: String,
    /// Its steps, in their order.
    pub steps: Vec<StepPicture>,
    /// Why the former state is being brought back, if it is.
    pub rolling_back: Option<String>,
    /// The copies that are being made, by their databases.
    pub seeding: Vec<(String, SeedingStatus)>,
    /// How it ended.
    pub verdict: Option<Verdict>,
}

/// A step, as it is shown.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StepPicture {
    /// Its name within the plan.
    pub id: String,
    /// What it does.
    pub title: String,
    /// Where it belongs.
    pub phase: Phase,
    /// What it sends, as text; `None` if it only waits.
    pub sends: Option<String>,
    /// Whether there is no way back once it is done.
    pub irreversible: bool,
    /// How far it is.
    pub state: StepState,
    /// When it began, if that is known.
    pub began: Option<Moment>,
    /// When it ended, if it did.
    pub ended: Option<Moment>,
    /// What is seen while it waits, and for how long it has and may, in milliseconds.
    pub waiting: Option<Waiting>,
    /// What happened, line by line.
    pub events: Vec<StepEvent>,
    /// Whether its action was, or was about to be, given: a run may have stopped at it without.
    #[serde(skip)]
    given: bool,
}

/// How far a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepState {
    /// It has not begun.
    Ahead,
    /// It is under way.
    UnderWay,
    /// It is proved done.
    Done,
    /// It was so already.
    WasSo,
    /// It is being taken back.
    TakingBack,
    /// It was taken back.
    TakenBack,
    /// It failed, or was given up.
    Failed,
    /// Nobody can tell what became of it.
    Uncertain,
}

/// What a step waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Waiting {
    /// What is seen instead.
    pub seen: String,
    /// For how long it has waited, in milliseconds.
    pub waited_ms: u64,
    /// After how long it gives up, in milliseconds.
    pub timeout_ms: u64,
}

/// Something that happened at a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StepEvent {
    /// When.
    pub at: Option<Moment>,
    /// What.
    pub text: String,
}

impl Picture {
    /// A plan of which nothing is done yet.
    pub fn of(plan: &Plan) -> Picture {
        let steps = plan.steps.iter().map(|step| StepPicture {
            id: step.id.clone(),
            title: step.title.clone(),
            phase: step.phase,
            sends: step.action.as_ref().map(script::sent),
            irreversible: step.irreversible,
            state: StepState::Ahead,
            began: None,
            ended: None,
            waiting: None,
            events: Vec::new(),
            given: false,
        });
        Picture {
            link: plan.link.name.clone(),
            steps: steps.collect(),
            rolling_back: None,
            seeding: Vec::new(),
            verdict: None,
        }
    }

    /// What a journal keeps of a run. A run that was interrupted is shown as far as it had come.
    pub fn of_journal(plan: &Plan, records: &[(Moment, Record)]) -> Picture {
        let mut picture = Picture::of(plan);
        for (at, record) in records {
            picture.take(*at, &record.entry);
        }
        picture
    }

    /// Takes what the machine tells.
    pub fn tell(&mut self, at: Moment, told: &Progress) {
        match told {
            Progress::Begins { step, back, .. } => self.step(*step, |s| {
                s.begins(at, *back);
            }),
            Progress::Proved { step, skipped, back, seen, .. } => {
                self.step(*step, |s| {
                    // What an earlier process gave was not so by itself.
                    let was_so = *skipped && !s.given;
                    s.proved(at, *back, was_so, seen);
                });
            }
            Progress::Waiting { step, seen, waited_ms, timeout_ms, .. } => self.step(*step, |s| {
                s.waiting =
                    Some(Waiting { seen: seen.clone(), waited_ms: *waited_ms, timeout_ms: *timeout_ms });
            }),
            Progress::Repeats { step, why, .. } => {
                self.step(*step, |s| s.happened(at, format!("given again: {why}")));
            }
            Progress::RollingBack { step, why, .. } => {
                self.rolling_back = Some(why.clone());
                self.step(*step, |s| s.fails(at, StepState::Failed, why));
            }
        }
    }

    /// Takes a look at both sides: how far the copies are.
    pub fn see(&mut self, seen: &Observation) {
        let under_way =
            self.steps.iter().any(|s| s.phase == Phase::Seeding && s.state == StepState::UnderWay);
        if !under_way {
            return;
        }
        let databases = status::link(&self.link, seen).databases.into_iter();
        self.seeding = databases.filter_map(|d| d.seeding.map(|s| (d.name, s))).collect();
    }

    /// Takes the end.
    pub fn end(&mut self, at: Moment, verdict: &Verdict) {
        let place = |name: &str| self.steps.iter().position(|s| s.id == *name);
        let failed = match verdict {
            Verdict::Reached => None,
            Verdict::Stopped { step, why, .. } | Verdict::RolledBack { step, why, .. } => {
                place(step).map(|p| (p, StepState::Failed, why.clone()))
            }
            Verdict::Uncertain { step, why, .. } => {
                place(step).map(|p| (p, StepState::Uncertain, why.clone()))
            }
        };
        if let Some((place, state, why)) = failed {
            self.step(place, |s| s.fails(at, state, &why));
        }
        self.verdict = Some(verdict.clone());
    }

    /// The step that is under way or failed, else the next one.
    pub fn current(&self) -> Option<&StepPicture> {
        let busy = |s: &&StepPicture| {
            !matches!(s.state, StepState::Ahead | StepState::Done | StepState::WasSo | StepState::TakenBack)
        };
        self.steps.iter().find(busy).or_else(|| self.steps.iter().find(|s| s.state == StepState::Ahead))
    }

    /// How many steps are done.
    pub fn done(&self) -> usize {
        self.steps.iter().filter(|s| matches!(s.state, StepState::Done | StepState::WasSo)).count()
    }

    fn take(&mut self, at: Moment, entry: &Entry) {
        let place = |name: &str| self.steps.iter().position(|s| s.id == *name);
        match entry {
            Entry::Intent { step, back } => {
                let back = *back;
                if let Some(place) = place(step) {
                    self.step(place, |s| {
                        s.given |= !back;
                        s.begins(at, back);
                        s.happened(at, "about to be given".to_owned());
                    });
                }
            }
            Entry::Outcome { step, outcome, .. } => {
                let said = match outcome {
                    Outcome::Done => "answered: done".to_owned(),
                    // The operation's address is signed: it stays in the journal.
                    Outcome::Started { .. } => "answered: begun".to_owned(),
                    Outcome::Refused { code, text } => format!("refused: {code} {text}"),
                    Outcome::Uncertain { why } => format!("no answer: {why}"),
                };
                if let Some(place) = place(step) {
                    self.step(place, |s| s.happened(at, said));
                }
            }
            Entry::Proved { step, back, seen } => {
                if let Some(place) = place(step) {
                    // What was never given was so before.
                    let skipped = !self.steps[place].given && self.steps[place].sends.is_some();
                    self.step(place, |s| s.proved(at, *back, skipped, seen));
                }
            }
            Entry::Disproved { step, seen, .. } => {
                if let Some(place) = place(step) {
                    self.step(place, |s| s.happened(at, format!("not carried out after all: {seen}")));
                }
            }
            Entry::RollingBack { step, why } => {
                self.rolling_back = Some(why.clone());
                if let Some(place) = place(step) {
                    self.step(place, |s| s.fails(at, StepState::Failed, why));
                }
            }
            Entry::Ended { verdict } => self.end(at, verdict),
        }
    }

    fn step(&mut self, place: usize, change: impl FnOnce(&mut StepPicture)) {
        if let Some(step) = self.steps.get_mut(place) {
            change(step);
        }
    }
}

impl StepPicture {
    fn begins(&mut self, at: Moment, back: bool) {
        self.state = if back { StepState::TakingBack } else { StepState::UnderWay };
        self.began = self.began.or(Some(at));
        self.ended = None;
    }

    fn proved(&mut self, at: Moment, back: bool, skipped: bool, seen: &str) {
        self.state = match (back, skipped) {
            (true, _) => StepState::TakenBack,
            (false, true) => StepState::WasSo,
            (false, false) => StepState::Done,
        };
        self.began = self.began.or(Some(at));
        self.ended = Some(at);
        self.waiting = None;
        if !seen.is_empty() {
            self.happened(at, seen.to_owned());
        }
    }

    fn fails(&mut self, at: Moment, state: StepState, why: &str) {
        self.state = state;
        self.ended = Some(at);
        self.waiting = None;
        self.happened(at, why.to_owned());
    }

    /// The machine says some things with every look; once is enough.
    fn happened(&mut self, at: Moment, text: String) {
        if self.events.last().is_none_or(|last| last.text != text) {
            self.events.push(StepEvent { at: Some(at), text });
        }
    }
}
