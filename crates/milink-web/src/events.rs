//! Server-sent events: one stream for a page, which carries whatever the page shows live.
//!
//! A page names its topics in the stream's address (`/events/prod?topics=tree,links`), and each topic is an event whose data is a piece of
//! HTML that htmx puts where `sse-swap` has its name. A browser has six connections to a server, and each tab of it one stream: so there is
//! one stream to a page, and not one to a topic.
//!
//! Who adds something live adds a row to [`TOPICS`]. A piece is made once for each snapshot, for all browsers, and is sent only if it is
//! another than the one before.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::{HeaderName, HeaderValue};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use futures_core::Stream;
use serde::Deserialize;
use tokio::sync::mpsc;

use crate::api::problem::Problem;
use crate::app::App;
use crate::pages;
use crate::state::{Snapshot, Watched};

/// Topics of one stream.
const TOPICS_MAX: usize = 16;
/// Events that wait for a browser; one that is slower gets the newest state later, and not every one between.
const WAITING_MAX: usize = 16;
/// Something is sent after so long, so that both ends notice when the other has gone.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// A run may change many times in a second, and is sent no more often than this.
const RUNS_EVERY: Duration = Duration::from_millis(400);

/// What makes a topic's piece of HTML: of the context, what follows the topic's colon (`link:orders`), and a snapshot.
type Make = fn(&Watched, &str, &Snapshot) -> String;

/// All topics by the word before the colon.
const TOPICS: &[(&str, Make)] = &[
    ("tree", |watched, _, snapshot| pages::tree::fragment(watched, snapshot)),
    ("seen", |_, _, snapshot| pages::context::seen_fragment(snapshot)),
    ("failover", pages::failover::fragment),
    ("fork", pages::repair::fragment),
    ("ledger", |watched, _, snapshot| pages::rehearse::fragment(watched, snapshot)),
    ("links", |watched, _, snapshot| pages::dashboard::list_fragment(watched, snapshot)),
    ("link", pages::dashboard::link_fragment),
    ("databases", |watched, _, snapshot| pages::context::databases_fragment(watched, snapshot)),
];

/// The streams.
pub(crate) fn routes() -> Router<App> {
    Router::new().route("/events/{context}", get(stream))
}

/// The address of a page's stream.
pub(crate) fn address(context: &str, topics: &[&str]) -> String {
    let query = serde_urlencoded::to_string([("topics", topics.join(","))]).unwrap_or_default();
    format!("{}?{query}", pages::path(&["events", context]))
}

#[derive(Deserialize)]
struct Wanted {
    #[serde(default)]
    topics: String,
}

struct Topic {
    name: String,
    argument: String,
    make: Make,
    sent: Option<Arc<str>>,
}

async fn stream(
    State(app): State<App>,
    Path(context): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Response {
    let Some(watched) = app.hub.context(&context).cloned() else {
        return Problem::new(StatusCode::NOT_FOUND, "No such context", "").into_response();
    };
    let Some(topics) = topics(&wanted.topics) else {
        return Problem::new(StatusCode::BAD_REQUEST, "No such topic", "").into_response();
    };
    answer(&app, |events| async move { feed(&watched, topics, &events).await })
}

/// The topics that a stream's address names.
fn topics(names: &str) -> Option<Vec<Topic>> {
    let known = |name: &str| {
        let (word, argument) = name.split_once(':').unwrap_or((name, ""));
        let (_, make) = TOPICS.iter().find(|(w, _)| *w == word)?;
        Some(Topic { name: name.to_owned(), argument: argument.to_owned(), make: *make, sent: None })
    };
    let topics: Option<Vec<Topic>> = names.split(',').map(known).collect();
    topics.filter(|t| t.len() <= TOPICS_MAX)
}

/// A stream of what `work` sends, until it ends, the browser has gone or the server stops.
fn answer<W: Future<Output = ()> + Send + 'static>(
    app: &App,
    work: impl FnOnce(mpsc::Sender<Event>) -> W,
) -> Response {
    let (events, receiver) = mpsc::channel(WAITING_MAX);
    let mut stop = app.stopping();
    let work = work(events.clone());
    tokio::spawn(async move {
        tokio::select! {
            () = work => {}
            () = events.closed() => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
    });
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE);
    let mut response = Sse::new(Events(receiver)).keep_alive(keep_alive).into_response();
    // A proxy in front must not collect events.
    response
        .headers_mut()
        .insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}

/// A stream of a page that shows runs: the object tree, and `piece` as topic `run` whenever it is another one.
pub(crate) fn of_runs(
    app: &App,
    watched: Arc<Watched>,
    mut piece: impl FnMut() -> Option<String> + Send + 'static,
) -> Response {
    let tree = topics("tree").unwrap_or_default();
    answer(app, |events| async move {
        let runs = async {
            let mut sent = String::new();
            loop {
                // It reads the journal now and then.
                let made = tokio::task::spawn_blocking(move || (piece(), piece)).await;
                let Ok((made, again)) = made else { return };
                piece = again;
                if let Some(made) = made.filter(|made| *made != sent) {
                    if events.send(Event::default().event("run").data(&made)).await.is_err() {
                        return;
                    }
                    sent = made;
                }
                tokio::time::sleep(RUNS_EVERY).await;
            }
        };
        tokio::join!(runs, feed(&watched, tree, &events));
    })
}

/// Sends what changed, until the watcher ends or the browser has gone.
async fn feed(watched: &Watched, mut topics: Vec<Topic>, events: &mpsc::Sender<Event>) {
    let mut snapshots = watched.subscribe();
    while snapshots.changed().await.is_ok() {
        let snapshot = Arc::clone(&snapshots.borrow_and_update());
        for topic in &mut topics {
            let made = snapshot.fragment(&topic.name, |s| (topic.make)(watched, &topic.argument, s));
            if topic.sent.as_deref() == Some(&*made) {
                continue;
            }
            let event = Event::default().event(&topic.name).data(&*made);
            if events.send(event).await.is_err() {
                return;
            }
            topic.sent = Some(made);
        }
    }
}

/// The receiving end as a stream.
struct Events(mpsc::Receiver<Event>);

impl Stream for Events {
    type Item = Result<Event, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx).map(|event| event.map(Ok))
    }
}
