//! The sockets: HTTPS in, values out. Everything is bounded: connections, headers, bodies, time.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::core::{Advanced, Core};
use crate::error::ArmError;
use crate::message::{Method, Request, Response};
use crate::operations::Progress;
use crate::random;

/// Connections at once; more wait until one goes.
const CONNECTIONS_MAX: usize = 256;
/// A body: the longest that anybody sends is a certificate.
const BODY_BYTES_MAX: usize = 256 * 1024;
const HEADERS_MAX: usize = 100;
/// The head of a request, which holds the long addresses of operations.
const HEAD_BYTES_MAX: usize = 32 * 1024;
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
/// How long a connection may be idle, or take to send a head.
const HEAD_LIMIT: Duration = Duration::from_mins(1);
const BODY_LIMIT: Duration = Duration::from_secs(20);
/// How long stopping waits for answers that are on their way.
const STOP_LIMIT: Duration = Duration::from_secs(3);
/// How often an operation that waits looks at the instance.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The answer is lost: the connection ends.
#[derive(Debug)]
struct Lost;

impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the answer was lost, as a fault asks")
    }
}

impl std::error::Error for Lost {}

/// Serves until it is told to stop.
pub(crate) async fn serve(
    core: Arc<Core>,
    listener: TcpListener,
    tls: Arc<rustls::ServerConfig>,
    started: UnboundedReceiver<String>,
    mut stop: watch::Receiver<bool>,
) {
    let acceptor = TlsAcceptor::from(tls);
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let graceful = GracefulShutdown::new();
    let address = listener.local_addr().ok();
    let operations = tokio::spawn(carry_out(Arc::clone(&core), started, stop.clone()));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            accepted = next_connection(&listener, &permits) => accepted,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
        };
        let Some((stream, permit)) = accepted else { continue };
        let (core, acceptor, watcher) = (Arc::clone(&core), acceptor.clone(), graceful.watcher());
        connections.spawn(async move {
            let handshake = tokio::time::timeout(HANDSHAKE_LIMIT, acceptor.accept(stream)).await;
            // Who does not get through the handshake is told so by TLS.
            if let Ok(Ok(stream)) = handshake {
                let service = service_fn(move |request| answer(Arc::clone(&core), request, address));
                let connection = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(HEAD_LIMIT)
                    .max_headers(HEADERS_MAX)
                    .max_buf_size(HEAD_BYTES_MAX)
                    .serve_connection(TokioIo::new(stream), service);
                // An error is the client's going away, or a lost answer: there is nobody to tell.
                let _ = watcher.watch(connection).await;
            }
            drop(permit);
        });
    }
    drop(listener);
    // Who has not got his answer by then does not get it.
    let _ = tokio::time::timeout(STOP_LIMIT, graceful.shutdown()).await;
    connections.shutdown().await;
    // It ends with the stop, and fails only if it panicked, which was reported where it happened.
    let _ = operations.await;
}

async fn next_connection(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> Option<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let permit = Arc::clone(permits).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => {
            // Answers are small and somebody waits for them.
            stream.set_nodelay(true).ok()?;
            Some((stream, permit))
        }
        Err(_) => {
            // Out of file descriptors, mostly: it passes when connections go.
            tokio::time::sleep(Duration::from_millis(50)).await;
            None
        }
    }
}

/// Carries operations out: those that are left from before first, then each that is accepted.
async fn carry_out(core: Arc<Core>, mut started: UnboundedReceiver<String>, mut stop: watch::Receiver<bool>) {
    let mut running = JoinSet::new();
    let stopped = stop.clone();
    let start = |id| see_through(Arc::clone(&core), id, stopped.clone());
    for id in core.unfinished() {
        running.spawn(start(id));
    }
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            Some(_) = running.join_next(), if !running.is_empty() => {}
            id = started.recv() => match id {
                Some(id) => drop(running.spawn(start(id))),
                None => break,
            },
        }
    }
    // What they have asked of the instance goes on there; they are taken up again at the next start.
    while running.join_next().await.is_some() {}
}

async fn see_through(core: Arc<Core>, id: String, mut stop: watch::Receiver<bool>) {
    let mut progress = Progress::default();
    while !*stop.borrow() {
        let (worker, of) = (Arc::clone(&core), id.clone());
        let step = tokio::task::spawn_blocking(move || {
            let advanced = worker.advance(&of, &mut progress);
            (advanced, progress)
        });
        let Ok((advanced, kept)) = step.await else { return };
        progress = kept;
        match advanced {
            Advanced::Ended => return,
            Advanced::Acted => {}
            Advanced::Waits => {
                tokio::select! {
                    _ = stop.wait_for(|stop| *stop) => return,
                    () = tokio::time::sleep(LOOK_EVERY) => {}
                }
            }
        }
    }
}

/// What the client calls this server, for links that work for it.
fn origin(headers: &HeaderMap, address: Option<SocketAddr>) -> String {
    let good = |host: &&str| {
        !host.is_empty()
            && host.len() <= 255
            && host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-:[]".contains(&b))
    };
    let host = headers.get(hyper::header::HOST).and_then(|h| h.to_str().ok()).filter(good);
    match (host, address) {
        (Some(host), _) => format!("https://{host}"),
        (None, Some(address)) => format!("https://{address}"),
        (None, None) => "https://localhost".to_owned(),
    }
}

async fn answer(
    core: Arc<Core>,
    incoming: hyper::Request<Incoming>,
    address: Option<SocketAddr>,
) -> Result<hyper::Response<Full<Bytes>>, Lost> {
    let began = Instant::now();
    let (head, body) = incoming.into_parts();
    let origin = origin(&head.headers, address);
    let path = head.uri.path_and_query().map_or("/", |p| p.as_str());
    let text = |name: &str| head.headers.get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
    let client_id =
        text("x-ms-return-client-request-id").is_some().then(|| text("x-ms-client-request-id")).flatten();
    let Some(method) = Method::parse(head.method.as_str()) else {
        let error = ArmError::no_method(head.method.as_str(), head.uri.path());
        return Ok(render(error.response(), None, client_id));
    };
    let mut request = Request::new(method, path, origin);
    request.authorization = text("authorization");
    let collected = tokio::time::timeout(BODY_LIMIT, Limited::new(body, BODY_BYTES_MAX).collect()).await;
    match collected {
        Ok(Ok(body)) => request.body = body.to_bytes().to_vec(),
        Ok(Err(_)) => {
            let message =
                format!("The request content exceeds the maximum size of '{BODY_BYTES_MAX}' bytes.");
            let error = ArmError::new(413, "RequestContentTooLarge", message);
            return Ok(render(error.response(), Some(method), client_id));
        }
        Err(_) => {
            let error = ArmError::new(408, "RequestTimeout", "The request content did not arrive in time.");
            return Ok(render(error.response(), Some(method), client_id));
        }
    }
    let meets = core.meet(&request);
    if meets.slow_ms > 0 {
        tokio::time::sleep(Duration::from_millis(meets.slow_ms)).await;
    }
    let worker = Arc::clone(&core);
    let path = request.path.clone();
    let response = tokio::task::spawn_blocking(move || worker.handle(&request, meets)).await;
    // It fails only if it panicked.
    let response = response.unwrap_or_else(|_| ArmError::internal().response());
    let ms = began.elapsed().as_millis();
    let fate = if meets.lost_answer { ", and the answer is lost" } else { "" };
    // Without the query, which holds signatures.
    (core.log)(&format!("{} {path} {} in {ms} ms{fate}", head.method, response.status));
    if meets.lost_answer {
        return Err(Lost);
    }
    Ok(render(response, Some(method), client_id))
}

/// What is in every answer of Azure: ids to look for in logs, and what is left of the budget.
fn render(
    response: Response,
    method: Option<Method>,
    client_id: Option<String>,
) -> hyper::Response<Full<Bytes>> {
    let id = random::guid().unwrap_or_default();
    let mut headers: Vec<(&'static str, String)> = vec![
        ("Cache-Control", "no-cache".to_owned()),
        ("Pragma", "no-cache".to_owned()),
        ("Expires", "-1".to_owned()),
        ("Strict-Transport-Security", "max-age=31536000; includeSubDomains".to_owned()),
        ("X-Content-Type-Options", "nosniff".to_owned()),
        ("x-ms-request-id", id.clone()),
        ("x-ms-correlation-request-id", id.clone()),
        ("x-ms-routing-request-id", format!("LAB:{id}")),
    ];
    let budget = match method {
        Some(Method::Get) => Some(("reads", "1099", "16499")),
        Some(Method::Delete) => Some(("deletes", "799", "11999")),
        Some(Method::Put | Method::Patch | Method::Post) => Some(("writes", "799", "11999")),
        None => None,
    };
    let mut out = hyper::Response::new(Full::new(Bytes::new()));
    *out.status_mut() = hyper::StatusCode::from_u16(response.status).unwrap_or_default();
    if let Some(body) = response.body {
        headers.push(("Content-Type", "application/json; charset=utf-8".to_owned()));
        *out.body_mut() = Full::new(Bytes::from(body.to_string()));
    }
    headers.extend(response.headers);
    headers.extend(client_id.map(|id| ("x-ms-client-request-id", id)));
    let mut put = |name: &str, value: &str| {
        let pair = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value));
        // A later one of the same name counts. What can be no header would be an answer with a hole: it is left out.
        if let (Ok(name), Ok(value)) = pair {
            out.headers_mut().insert(name, value);
        }
    };
    for (name, value) in headers {
        put(name, &value);
    }
    if let Some((kind, own, global)) = budget {
        put(&format!("x-ms-ratelimit-remaining-subscription-{kind}"), own);
        put(&format!("x-ms-ratelimit-remaining-subscription-global-{kind}"), global);
    }
    out
}
