//! The hub: one watcher for each context. It looks at both sides at an interval and publishes a [`Snapshot`], from which every page, stream
//! and metric is made: a hundred browsers cost the two sides what one does.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use milink_core::moment::Moment;
use milink_core::names::Side;
use milink_core::observe::{Instance, Observation, same_name};
use milink_core::status::{self, LinkStatus};
use milink_ops::sides::now;
use tokio::sync::{Notify, watch};

use crate::connect::{Connect, Connected, ContextInfo};
use crate::history::History;
use crate::rehearsal::Rehearsing;
use crate::runs::Runs;

/// After so many quick looks everything is looked at again: databases come and go, certificates are replaced.
const QUICK_LOOKS: u32 = 15;
/// While nobody watches a context it is looked at so many times less often.
const IDLE: u32 = 5;
/// Fragments of one snapshot that are kept; more are made anew for who asks.
const FRAGMENTS_MAX: usize = 2048;

/// When somebody was heard of last, and since when no more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// When it answered last.
    pub(crate) seen_at: Option<Moment>,
    /// Since when it does not answer; `None` while it does.
    pub(crate) stale_since: Option<Moment>,
    /// Why it does not.
    pub(crate) why: Option<String>,
}

impl Stamp {
    fn next(&self, at: Moment, silent: Option<&str>) -> Stamp {
        match silent {
            None => Stamp { seen_at: Some(at), stale_since: None, why: None },
            Some(why) => Stamp {
                seen_at: self.seen_at,
                stale_since: self.stale_since.or(Some(at)),
                why: Some(why.to_owned()),
            },
        }
    }
}

/// What is known of a context at one moment. It never changes.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    /// Counts up with each look of this context.
    pub(crate) number: u64,
    /// The newest look; `None` before the first.
    pub(crate) seen: Option<Arc<Observation>>,
    /// SQL Server.
    pub(crate) sql_server: Stamp,
    /// The managed instance.
    pub(crate) managed: Stamp,
    /// Azure.
    pub(crate) azure: Stamp,
    /// The links of the newest look.
    pub(crate) links: Vec<LinkStatus>,
    /// Who did not answer, and why.
    pub(crate) silent: Vec<String>,
    /// Why no connection could even be prepared.
    pub(crate) trouble: Option<String>,
    /// The looks in which SQL Server and the managed instance answered last.
    last: [Option<Arc<Observation>>; 2],
    fragments: Mutex<BTreeMap<String, Arc<str>>>,
}

impl Snapshot {
    /// What comes after `self` once everybody was looked at.
    fn next(&self, seen: Observation) -> Snapshot {
        let seen = Arc::new(seen);
        let at = seen.at;
        let keep = |known: bool, place: usize| {
            if known { Some(Arc::clone(&seen)) } else { self.last[place].clone() }
        };
        Snapshot {
            number: self.number + 1,
            sql_server: self.sql_server.next(at, seen.sql_server.get().err()),
            managed: self.managed.next(at, seen.managed.get().err()),
            azure: self.azure.next(at, seen.azure.get().err()),
            links: status::links(&seen),
            silent: status::silent(&seen),
            trouble: None,
            last: [keep(seen.sql_server.known().is_some(), 0), keep(seen.managed.known().is_some(), 1)],
            seen: Some(seen),
            fragments: Mutex::default(),
        }
    }

    /// What comes after `self` if nobody could be looked at.
    fn troubled(&self, at: Moment, why: &str) -> Snapshot {
        Snapshot {
            number: self.number + 1,
            seen: None,
            sql_server: self.sql_server.next(at, Some(why)),
            managed: self.managed.next(at, Some(why)),
            azure: self.azure.next(at, Some(why)),
            links: Vec::new(),
            silent: vec![why.to_owned()],
            trouble: Some(why.to_owned()),
            last: self.last.clone(),
            fragments: Mutex::default(),
        }
    }

    /// A look with links that were thought up.
    #[cfg(test)]
    pub(crate) fn with_links(seen: Observation, links: Vec<LinkStatus>) -> Snapshot {
        Snapshot::default().then(seen, links)
    }

    /// What comes after `self`, with links that were thought up.
    #[cfg(test)]
    pub(crate) fn then(&self, seen: Observation, links: Vec<LinkStatus>) -> Snapshot {
        Snapshot { links, ..self.next(seen) }
    }

    /// A link of the newest look.
    pub(crate) fn link(&self, name: &str) -> Option<&LinkStatus> {
        self.links.iter().find(|l| same_name(&l.name, name))
    }

    /// A side as it answered last, which may be long ago: [`Snapshot::stamp`] says so.
    pub(crate) fn last_known(&self, side: Side) -> Option<&Instance> {
        let place = match side {
            Side::SqlServer => 0,
            Side::Managed => 1,
        };
        self.last[place].as_ref().and_then(|seen| seen.side(side).known())
    }

    /// When a side was heard of last.
    pub(crate) fn stamp(&self, side: Side) -> &Stamp {
        match side {
            Side::SqlServer => &self.sql_server,
            Side::Managed => &self.managed,
        }
    }

    /// A piece of a page made of this snapshot, made once for all browsers that want it.
    pub(crate) fn fragment(&self, key: &str, make: impl FnOnce(&Snapshot) -> String) -> Arc<str> {
        let lock = || self.fragments.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = lock().get(key) {
            return Arc::clone(made);
        }
        // NB: made without the lock. Two may make the same; one of them is kept.
        let made: Arc<str> = make(self).into();
        let mut kept = lock();
        if kept.len() < FRAGMENTS_MAX {
            return Arc::clone(kept.entry(key.to_owned()).or_insert(made));
        }
        made
    }
}

/// A context with its watcher's newest snapshot.
pub(crate) struct Watched {
    /// What it is called, and where it leads.
    pub(crate) info: ContextInfo,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    connected: watch::Receiver<Option<Arc<Connected>>>,
    look_now: Arc<Notify>,
    runs: OnceLock<Runs>,
    rehearsing: Option<Rehearsing>,
    /// How its links were lately.
    pub(crate) history: Arc<History>,
}

impl Watched {
    /// The newest snapshot.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshots.borrow())
    }

    /// Every snapshot from now on, as far as the reader keeps up; the newest is there at once.
    pub(crate) fn subscribe(&self) -> watch::Receiver<Arc<Snapshot>> {
        let mut snapshots = self.snapshots.clone();
        snapshots.mark_changed();
        snapshots
    }

    /// The connections, for who acts; `None` while they cannot be prepared.
    pub(crate) fn connected(&self) -> Option<Arc<Connected>> {
        self.connected.borrow().clone()
    }

    /// Its runs; `None` while nobody can say where its journal is.
    pub(crate) fn runs(&self) -> Option<&Runs> {
        Some(self.runs_of(&*self.connected()?))
    }

    /// Its runs, for who has its connections.
    pub(crate) fn runs_of(&self, connected: &Connected) -> &Runs {
        self.runs.get_or_init(|| Runs::new(&connected.journal))
    }

    /// Where it can be rehearsed, if it can.
    pub(crate) fn rehearsing(&self) -> Option<&Rehearsing> {
        self.rehearsing.as_ref()
    }

    /// Has everything looked at soon, as after something was changed.
    pub(crate) fn look_now(&self) {
        self.look_now.notify_one();
    }
}

/// All contexts.
pub(crate) struct Hub {
    contexts: Vec<Arc<Watched>>,
}

impl Hub {
    /// Begins to watch all contexts, until `stop` says so. There must be a runtime.
    pub(crate) fn start(connect: &Arc<dyn Connect>, every: Duration, stop: &watch::Receiver<bool>) -> Hub {
        let contexts = connect.contexts().into_iter().map(|info| {
            let (snapshots, read) = watch::channel(Arc::new(Snapshot::default()));
            let (connections, connected) = watch::channel(None);
            let look_now = Arc::new(Notify::new());
            let rehearsing = connect.rehearsal(&info.name).map(Rehearsing::new);
            let history = Arc::new(History::default());
            let watcher = Watcher {
                name: info.name.clone(),
                connect: Arc::clone(connect),
                every,
                look_now: Arc::clone(&look_now),
                snapshots,
                connections,
                history: Arc::clone(&history),
            };
            // It owns nothing that must be closed in order, and ends with the stop.
            tokio::spawn(watcher.run(stop.clone()));
            let runs = OnceLock::new();
            let watched = Watched { info, snapshots: read, connected, look_now, runs, rehearsing, history };
            Arc::new(watched)
        });
        Hub { contexts: contexts.collect() }
    }

    /// All contexts, in their order.
    pub(crate) fn contexts(&self) -> &[Arc<Watched>] {
        &self.contexts
    }

    /// A context by its name.
    pub(crate) fn context(&self, name: &str) -> Option<&Arc<Watched>> {
        self.contexts.iter().find(|c| c.info.name == name)
    }
}

struct Watcher {
    name: String,
    connect: Arc<dyn Connect>,
    every: Duration,
    look_now: Arc<Notify>,
    snapshots: watch::Sender<Arc<Snapshot>>,
    connections: watch::Sender<Option<Arc<Connected>>>,
    history: Arc<History>,
}

impl Watcher {
    async fn run(self, mut stop: watch::Receiver<bool>) {
        let work = async {
            let mut quick = 0;
            loop {
                self.look(&mut quick).await;
                // The hub itself holds one receiver.
                let watched = self.snapshots.receiver_count() > 1;
                let pause = if watched { self.every } else { self.every * IDLE };
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = self.look_now.notified() => quick = 0,
                }
            }
        };
        tokio::select! {
            () = work => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }

    /// Looks once. `quick` counts down to the next look at everything.
    async fn look(&self, quick: &mut u32) {
        let before = Arc::clone(&self.snapshots.borrow());
        // NB: on a line of its own, so that the channel is not held while it is connected.
        let prepared = self.connections.borrow().clone();
        let connected = match prepared {
            Some(connected) => Ok(connected),
            None => self.connect.connect(&self.name).await.map(Arc::new),
        };
        let connected = match connected {
            Ok(connected) => connected,
            Err(why) => {
                let at = now();
                self.history.take(at, &[], true);
                self.snapshots.send_replace(Arc::new(before.troubled(at, &why)));
                return;
            }
        };
        self.connections.send_replace(Some(Arc::clone(&connected)));
        let seen = match &before.seen {
            Some(last) if *quick > 0 => {
                *quick -= 1;
                Box::pin(connected.sides.look_again(last)).await
            }
            _ => {
                *quick = QUICK_LOOKS;
                Box::pin(connected.sides.look()).await
            }
        };
        let at = seen.at;
        let next = Arc::new(before.next(seen));
        self.history.take(at, &next.links, !next.silent.is_empty());
        self.snapshots.send_replace(next);
    }
}

#[cfg(test)]
mod tests {
    use milink_core::observe::Seen;

    use super::*;

    fn look(at: i64) -> Observation {
        fn silent<T>(at: Moment) -> Seen<T> {
            Seen::Unknown { at, why: "no answer".to_owned() }
        }
        let at = Moment::from_unix_ms(at);
        Observation { at, sql_server: silent(at), managed: silent(at), azure: silent(at), probes: Vec::new() }
    }

    #[test]
    fn stale_is_counted_from_the_first_look_without_an_answer() {
        let at = Moment::from_unix_ms;
        let stamp = Stamp::default().next(at(1), None).next(at(2), Some("gone")).next(at(3), Some("still"));
        assert_eq!(
            stamp,
            Stamp { seen_at: Some(at(1)), stale_since: Some(at(2)), why: Some("still".to_owned()) }
        );
        assert_eq!(stamp.next(at(4), None), Stamp { seen_at: Some(at(4)), ..Stamp::default() });
    }

    #[test]
    fn a_fragment_is_made_once_for_a_snapshot() {
        let snapshot = Snapshot::default().next(look(1));
        let made = snapshot.fragment("tree", |s| format!("{}", s.number));
        assert_eq!(&*made, "1");
        assert!(Arc::ptr_eq(&made, &snapshot.fragment("tree", |_| "again".to_owned())));
        assert_eq!(&*snapshot.next(look(2)).fragment("tree", |s| format!("{}", s.number)), "2");
    }
}
