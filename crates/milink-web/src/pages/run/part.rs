//! A run as it is shown: what is made of its picture.

use milink_core::plan::Verb;
use milink_core::run::{Picture, StepEvent, StepPicture, StepState, Verdict};
use milink_core::status::SeedingStatus;

use super::href;
use crate::pages::database::bytes;
use crate::runs::{Follow, OneRun};

/// A link's run, with the buttons that fit it.
#[derive(Debug)]
pub(crate) struct RunPart {
    pub(crate) title: String,
    pub(crate) link: String,
    /// Its number, and its own page.
    pub(crate) run: Option<(String, String)>,
    pub(crate) tone: &'static str,
    pub(crate) state: String,
    pub(crate) done: usize,
    pub(crate) of: usize,
    /// From its first step to its last, if it is over.
    pub(crate) took: Option<String>,
    /// Why the former state is being brought back.
    pub(crate) rolling_back: Option<String>,
    pub(crate) seeding: Vec<SeedingBar>,
    pub(crate) steps: Vec<StepView>,
    pub(crate) end: Option<End>,
    pub(crate) can_pause: bool,
    /// Whether it waits to be gone on with or taken back.
    pub(crate) open: bool,
    /// Whether there is something that could be taken back.
    pub(crate) can_undo: bool,
    pub(crate) operator: bool,
    pub(crate) csrf: String,
    /// Whether its steps are shown at once.
    pub(crate) unfolded: bool,
}

/// A step.
#[derive(Debug)]
pub(crate) struct StepView {
    pub(crate) number: usize,
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) phase: &'static str,
    pub(crate) tone: &'static str,
    pub(crate) state: &'static str,
    pub(crate) current: bool,
    pub(crate) irreversible: bool,
    pub(crate) took: Option<String>,
    pub(crate) waiting: Option<String>,
    pub(crate) sends: Option<String>,
    pub(crate) events: Vec<StepEvent>,
}

/// A copy that is being made.
#[derive(Debug)]
pub(crate) struct SeedingBar {
    pub(crate) database: String,
    pub(crate) state: String,
    pub(crate) percent: Option<u64>,
    pub(crate) text: String,
    pub(crate) failure: Option<String>,
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) tone: &'static str,
    pub(crate) title: String,
    pub(crate) why: String,
    pub(crate) undone: Vec<String>,
    pub(crate) now_true: Vec<String>,
    pub(crate) next: Option<(String, String)>,
}

/// The runs of a follower.
pub(crate) fn parts(context: &str, follow: &Follow, csrf: &str, operator: bool) -> Vec<RunPart> {
    let alone = follow.links.len() == 1;
    let part = |followed: &crate::runs::Followed| match &followed.run {
        Some(run) => of(context, run, csrf, operator, alone),
        None => none(&followed.link, followed.refused.as_deref()),
    };
    follow.links.iter().map(part).collect()
}

fn none(link: &str, refused: Option<&str>) -> RunPart {
    let end = refused.map(|why| End {
        tone: "bad",
        title: "It could not be begun".to_owned(),
        why: why.to_owned(),
        undone: Vec::new(),
        now_true: vec!["nothing was changed".to_owned()],
        next: None,
    });
    RunPart {
        title: format!("Link {link}"),
        link: link.to_owned(),
        run: None,
        tone: if refused.is_some() { "bad" } else { "plain" },
        state: if refused.is_some() { "not begun" } else { "waits for its turn" }.to_owned(),
        done: 0,
        of: 0,
        took: None,
        rolling_back: None,
        seeding: Vec::new(),
        steps: Vec::new(),
        end,
        can_pause: false,
        open: false,
        can_undo: false,
        operator: false,
        csrf: String::new(),
        unfolded: true,
    }
}

fn of(context: &str, run: &OneRun, csrf: &str, operator: bool, alone: bool) -> RunPart {
    let (record, picture, live) = (run.record(), run.picture(), run.is_live());
    let (tone, state) = state(&picture, live);
    let end = picture.verdict.as_ref().map(|v| end(&record.link, v));
    let reached = picture.verdict == Some(Verdict::Reached);
    let changes = picture.steps.iter().any(|s| matches!(s.state, StepState::Done | StepState::UnderWay));
    RunPart {
        title: format!("{} {}", doing(record.verb), record.link),
        link: record.link.clone(),
        run: Some((record.id.to_string(), href(context, record.id))),
        tone,
        state: state.to_owned(),
        done: picture.done(),
        of: picture.steps.len(),
        took: took(&picture),
        rolling_back: picture.rolling_back.clone(),
        seeding: picture.seeding.iter().map(|(database, s)| bar(database, s)).collect(),
        steps: steps(&picture),
        end,
        can_pause: live,
        open: run.open,
        can_undo: run.open || (!live && reached && changes && record.verb == Verb::Create),
        operator,
        csrf: csrf.to_owned(),
        unfolded: alone || live || !reached,
    }
}

fn took(picture: &Picture) -> Option<String> {
    picture.verdict.as_ref()?;
    let began = picture.steps.iter().filter_map(|s| s.began).min()?;
    let ended = picture.steps.iter().filter_map(|s| s.ended).max()?;
    Some(duration(ended.ms_since(began)))
}

fn state(picture: &Picture, live: bool) -> (&'static str, &'static str) {
    match (&picture.verdict, live) {
        (Some(Verdict::Reached), _) => ("good", "done"),
        (Some(Verdict::Stopped { .. }), _) => ("bad", "stopped"),
        (Some(Verdict::RolledBack { .. }), _) => ("warning", "taken back"),
        (Some(Verdict::Uncertain { .. }), _) => ("bad", "uncertain"),
        (None, true) if picture.rolling_back.is_some() => ("warning", "being taken back"),
        (None, true) => ("plain", "under way"),
        (None, false) => ("warning", "interrupted"),
    }
}

fn end(link: &str, verdict: &Verdict) -> End {
    let end =
        |tone, title: String, why: &String, now_true: &Vec<String>, next: &milink_core::run::Next| End {
            tone,
            title,
            why: why.clone(),
            undone: Vec::new(),
            now_true: now_true.clone(),
            next: Some((next.command.clone(), next.why.clone())).filter(|(command, _)| !command.is_empty()),
        };
    match verdict {
        Verdict::Reached => End {
            tone: "good",
            title: "Every step is proved done".to_owned(),
            why: format!("Link {link} is as it was wanted."),
            undone: Vec::new(),
            now_true: Vec::new(),
            next: None,
        },
        Verdict::Stopped { step, why, now_true, next } => {
            end("bad", format!("It stopped at step {step}"), why, now_true, next)
        }
        Verdict::RolledBack { step, why, undone, now_true, next } => {
            let title = if step.is_empty() {
                "It was taken back".to_owned()
            } else {
                format!("It failed at step {step}, and the former state is back")
            };
            End { undone: undone.clone(), ..end("warning", title, why, now_true, next) }
        }
        Verdict::Uncertain { step, why, now_true, next } => {
            end("bad", format!("Nobody can tell what became of step {step}"), why, now_true, next)
        }
    }
}

fn steps(picture: &Picture) -> Vec<StepView> {
    let current =
        picture.current().filter(|_| picture.verdict != Some(Verdict::Reached)).map(|s| s.id.clone());
    let view = |(place, step): (usize, &StepPicture)| {
        let (tone, state) = step_state(step.state);
        StepView {
            number: place + 1,
            id: step.id.clone(),
            title: step.title.clone(),
            phase: phase(step.phase),
            tone,
            state,
            current: current.as_ref() == Some(&step.id),
            irreversible: step.irreversible,
            took: step.began.zip(step.ended).map(|(began, ended)| duration(ended.ms_since(began))),
            waiting: step.waiting.as_ref().map(|w| {
                format!("{}; has waited {} of {}", w.seen, duration(w.waited_ms), duration(w.timeout_ms))
            }),
            sends: step.sends.clone(),
            events: step.events.clone(),
        }
    };
    picture.steps.iter().enumerate().map(view).collect()
}

/// A step's state as a badge: its tone and words.
pub(crate) fn step_state(state: StepState) -> (&'static str, &'static str) {
    match state {
        StepState::Ahead => ("plain", "ahead"),
        StepState::UnderWay => ("plain", "under way"),
        StepState::Done => ("good", "done"),
        StepState::WasSo => ("good", "was so already"),
        StepState::TakingBack => ("warning", "being taken back"),
        StepState::TakenBack => ("warning", "taken back"),
        StepState::Failed => ("bad", "failed"),
        StepState::Uncertain => ("bad", "uncertain"),
    }
}

fn bar(database: &str, seeding: &SeedingStatus) -> SeedingBar {
    let mut text = format!("{} of {}", bytes(seeding.transferred_bytes), bytes(seeding.size_bytes));
    if seeding.is_under_way() {
        text.push_str(&format!(", {}/s", bytes(seeding.rate_bytes)));
        if let Some(at) = seeding.estimate {
            text.push_str(&format!(", expected to be through at {at}"));
        }
    }
    if seeding.attempts > 1 {
        text.push_str(&format!(", attempt {}", seeding.attempts));
    }
    SeedingBar {
        database: database.to_owned(),
        state: seeding.state.clone(),
        percent: seeding.percent(),
        text,
        failure: seeding.failure.clone(),
    }
}

/// What a verb does, with a link's name behind it.
pub(crate) fn doing(verb: Verb) -> &'static str {
    match verb {
        Verb::Create => "Make link",
        Verb::PlannedFailover => "Planned failover of link",
        Verb::ForcedFailover => "Forced failover of link",
        Verb::Repair => "Repair link",
        Verb::Drop => "Drop link",
        Verb::Undo => "Take back what was done for link",
        Verb::Fix => "Mend what stands against link",
        Verb::Purge => "Remove what is left over of link",
    }
}

/// A phase's heading.
pub(crate) fn phase(phase: milink_core::plan::Phase) -> &'static str {
    use milink_core::plan::Phase;
    match phase {
        Phase::Trust => "Certificates and endpoints",
        Phase::Backup => "Backups",
        Phase::Groups => "Availability groups",
        Phase::Link => "Link",
        Phase::Seeding => "Seeding",
        Phase::Drain => "Drain",
        Phase::Demote => "Demote",
        Phase::Promote => "Promote",
        Phase::Verify => "Verify",
        Phase::Cleanup => "Clean up",
    }
}

/// Milliseconds as people read them.
pub(crate) fn duration(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0 => format!("{ms} ms"),
        1..60 => format!("{}.{} s", seconds, ms % 1000 / 100),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}
