//! Running a plan: the effects of [`milink_core::run::Run`], carried out.
//!
//! Nothing is decided here. What a step needs, when its action may be given and when it is done are the machine's; this looks, writes the
//! journal, acts, and waits.

use std::future::Future;
use std::time::Duration;

use milink_core::action::Action;
use milink_core::moment::Moment;
use milink_core::observe::Observation;
use milink_core::run::{Effect, Event, OperationState, Outcome, Progress, Record, Run, Verdict};
use tokio::sync::watch;

use crate::journal::JournalError;

/// Who looks and acts. [`crate::sides::Sides`] does it for real; tests stand between.
pub trait Hands {
    /// Looks at both sides and Azure.
    fn look(&self) -> impl Future<Output = Observation> + Send;

    /// Gives an action. `seen` is the last look, from which certificates are taken.
    fn act(&self, action: &Action, seen: &Observation) -> impl Future<Output = Outcome> + Send;

    /// Asks what became of an operation.
    fn poll(&self, operation: &str) -> impl Future<Output = OperationState> + Send;
}

/// Where entries are kept. [`crate::journal::RunJournal`] does it for real.
pub trait Keeper {
    /// Keeps an entry; it survives a crash when this returns.
    ///
    /// # Errors
    /// It cannot be kept. Nothing is done then.
    fn keep(&mut self, at: Moment, record: &Record) -> Result<(), JournalError>;
}

/// Runs a plan to its end.
///
/// `stop` asks it to end at the next safe place. Each look and each progress is told to `tell`.
///
/// # Errors
/// The journal cannot be written; nothing was done that is not in it.
pub async fn drive(
    mut run: Run,
    hands: &impl Hands,
    keeper: &mut impl Keeper,
    mut stop: watch::Receiver<bool>,
    tell: &mut (dyn FnMut(Told<'_>) + Send),
) -> Result<Verdict, JournalError> {
    let mut effects: std::collections::VecDeque<Effect> = run.begin().into();
    let mut last: Option<Box<Observation>> = None;
    let mut stopping = false;
    while let Some(effect) = effects.pop_front() {
        let event = match effect {
            Effect::Observe { after_ms } => {
                if wait(after_ms, &mut stop, stopping).await {
                    stopping = true;
                    effects.extend(run.step(Event::Stop));
                }
                let seen = Box::new(hands.look().await);
                tell(Told::Seen(&seen));
                last = Some(seen.clone());
                Event::Observed(seen)
            }
            Effect::Journal(record) => {
                keeper.keep(crate::sides::now(), &record)?;
                Event::Journaled
            }
            Effect::Act { action, .. } => {
                // The machine looks before it acts.
                let outcome = match &last {
                    Some(seen) => hands.act(&action, seen).await,
                    None => {
                        Outcome::Refused { code: String::new(), text: "nothing was looked at yet".to_owned() }
                    }
                };
                Event::Acted(outcome)
            }
            Effect::Poll { operation, after_ms } => {
                if wait(after_ms, &mut stop, stopping).await {
                    stopping = true;
                    effects.extend(run.step(Event::Stop));
                }
                Event::Polled(hands.poll(&operation).await)
            }
            Effect::Tell(progress) => {
                tell(Told::Progress(&progress));
                continue;
            }
            Effect::Ended(verdict) => return Ok(*verdict),
        };
        effects.extend(run.step(event));
    }
    unreachable!("a run that has not ended always has an effect under way")
}

/// What is told while a plan runs.
#[derive(Debug)]
pub enum Told<'a> {
    /// Both sides were looked at.
    Seen(&'a Observation),
    /// A step goes on.
    Progress(&'a Progress),
}

/// Waits, or until somebody asks to stop who has not done so before; whether that happened.
async fn wait(ms: u64, stop: &mut watch::Receiver<bool>, stopping: bool) -> bool {
    if *stop.borrow() && !stopping {
        return true;
    }
    let pause = tokio::time::sleep(Duration::from_millis(ms));
    if stopping {
        pause.await;
        return false;
    }
    // What is seen through the channel is locked: it may not be kept over the next wait.
    let asked = async { stop.wait_for(|asked| *asked).await.is_ok() };
    tokio::select! {
        () = pause => false,
        asked = asked => {
            if !asked {
                // Nobody is left who could ask.
                tokio::time::sleep(Duration::from_millis(ms)).await;
            }
            asked
        }
    }
}
