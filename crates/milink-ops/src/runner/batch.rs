//! Many links at once: a canary first, then so many at a time, and no more after the first that fails.

use std::sync::Arc;

use milink_core::fleet::Waves;
use milink_core::plan::Plan;
use milink_core::run::{Picture, Verdict};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::{NotStarted, Runner, Started};
use crate::journal::RunId;
use crate::sides::Sides;

/// Many runs, as they are shown: one line for each link, in the order of their plans.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// The links.
    pub links: Vec<BatchLink>,
    /// Whether nothing of it is under way any more.
    pub over: bool,
}

/// One of them.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchLink {
    /// Its name.
    pub link: String,
    /// How far it is.
    pub state: BatchState,
}

/// How far one of many is.
#[derive(Debug, Clone, PartialEq)]
pub enum BatchState {
    /// It has not begun, and will not if another one fails before.
    Waits,
    /// It is under way.
    UnderWay(RunId),
    /// Its run ended.
    Ended(RunId, Box<Verdict>),
    /// It could not be begun: why.
    NotStarted(String),
}

impl Runner {
    /// Begins many plans by themselves, `parallel` at a time, the first of them alone. A link whose run is open is gone on with instead of
    /// begun, so that the same call goes on with a batch that was interrupted. `stop` begins no more, and asks those under way to end at
    /// the next safe place. There must be a runtime.
    pub fn begin_all(
        &self,
        sides: &Sides,
        plans: Vec<Plan>,
        parallel: usize,
        stop: watch::Receiver<bool>,
    ) -> watch::Receiver<Arc<Batch>> {
        let waiting = |p: &Plan| BatchLink { link: p.link.name.clone(), state: BatchState::Waits };
        let batch = Batch { links: plans.iter().map(waiting).collect(), over: false };
        let (send, batches) = watch::channel(Arc::new(batch));
        let (runner, sides) = (self.clone(), sides.clone());
        // The journal keeps what it does: nothing has to be waited for when the process ends.
        tokio::spawn(async move { runner.waves(&sides, plans, parallel, stop, send).await });
        batches
    }

    async fn waves(
        &self,
        sides: &Sides,
        plans: Vec<Plan>,
        parallel: usize,
        mut stop: watch::Receiver<bool>,
        batches: watch::Sender<Arc<Batch>>,
    ) {
        let becomes = |place: usize, state: BatchState| {
            batches.send_modify(|batch| Arc::make_mut(batch).links[place].state = state);
        };
        let mut waves = Waves::new(plans.len(), parallel, plans.len() > 1, false);
        let mut running: JoinSet<(usize, RunId, Option<Verdict>)> = JoinSet::new();
        let mut asked_to_stop = false;
        loop {
            while !*stop.borrow() {
                let begun = waves.begin();
                if begun.is_empty() {
                    break;
                }
                for place in begun {
                    match self.start(sides, &plans[place]) {
                        Ok((run, task)) => {
                            becomes(place, BatchState::UnderWay(run));
                            running.spawn(async move { (place, run, task.await.ok()) });
                        }
                        Err(why) => {
                            becomes(place, BatchState::NotStarted(why));
                            waves.ended(place, false);
                        }
                    }
                }
            }
            let ended = tokio::select! {
                ended = running.join_next() => ended,
                asked = async { stop.wait_for(|stop| *stop).await.is_ok() }, if !asked_to_stop => {
                    asked_to_stop = true;
                    // Without anybody who could ask, everything goes on.
                    if asked {
                        for link in &batches.borrow().links {
                            if let BatchState::UnderWay(run) = link.state {
                                self.stop(run);
                            }
                        }
                    }
                    continue;
                }
            };
            match ended {
                None => break,
                Some(Ok((place, run, verdict))) => {
                    waves.ended(place, verdict == Some(Verdict::Reached));
                    becomes(
                        place,
                        match verdict {
                            Some(verdict) => BatchState::Ended(run, Box::new(verdict)),
                            None => BatchState::NotStarted(format!(
                                "milink failed within itself; run {run} of the journal says how far it came"
                            )),
                        },
                    );
                }
                // The task only waits for another one: it cannot fail unless the process ends.
                Some(Err(_)) => break,
            }
        }
        batches.send_modify(|batch| Arc::make_mut(batch).over = true);
    }

    /// Begins a plan, or goes on with its link's run.
    fn start(&self, sides: &Sides, plan: &Plan) -> Result<(RunId, tokio::task::JoinHandle<Verdict>), String> {
        match Started::begin(self.journal(), plan.clone()) {
            Ok(started) => Ok(self.go(sides, started, Picture::of(plan))),
            Err(NotStarted::Open(_)) => {
                let started = Started::resume(self.journal(), &plan.link.name).map_err(|e| e.to_string())?;
                let picture = super::picture_of(started.journal(), started.id(), started.plan())
                    .map_err(|e| e.to_string())?;
                Ok(self.go(sides, started, Picture { verdict: None, ..picture }))
            }
            Err(e) => Err(e.to_string()),
        }
    }
}
