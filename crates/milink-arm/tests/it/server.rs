//! A server that answers what a test says, counts what it is asked, and knows no Azure but its token endpoint.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use milink_arm::{ArmClient, Cloud, InstanceId, LinkId, Login, Options, Secret, SubscriptionId};
use pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

pub(crate) const SUB: &str = "00000000-0000-0000-0000-000000000000";
pub(crate) const CLIENT_SECRET: &str = "client-secret-canary";
pub(crate) const TOKEN: &str = "token-canary";

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: String,
    /// Path and query, byte for byte.
    pub(crate) target: String,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// What it does about it.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    Answer {
        status: u16,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    },
    /// An answer whose body ends early.
    Torn {
        status: u16,
        headers: Vec<(String, String)>,
    },
    /// It has read the request, and hangs up.
    HangUp,
    /// It never answers.
    Silence,
}

pub(crate) fn json(status: u16, body: &str) -> Reply {
    with(status, &[], body)
}

pub(crate) fn with(status: u16, headers: &[(&str, &str)], body: &str) -> Reply {
    let headers = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    Reply::Answer { status, headers, body: body.as_bytes().to_vec() }
}

pub(crate) struct Server {
    pub(crate) origin: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    tokens: Arc<Mutex<Vec<Asked>>>,
    /// What whoever asks for a token gets instead.
    refusal: Arc<Mutex<Option<Reply>>>,
    // Holds the root certificate's file.
    folder: tempfile::TempDir,
}

impl Server {
    /// Answers by what is asked and how often something was asked before.
    pub(crate) async fn start(reply: impl Fn(&Asked, usize) -> Reply + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), made.cert.pem()).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key);
        let tls = TlsAcceptor::from(Arc::new(config.unwrap()));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let tokens = Arc::new(Mutex::new(Vec::new()));
        let reply = Arc::new(reply);
        let refusal = Arc::new(Mutex::new(None));
        let (all, given, refused) = (Arc::clone(&asked), Arc::clone(&tokens), Arc::clone(&refusal));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (tls, reply) = (tls.clone(), Arc::clone(&reply));
                let (all, given, refused) = (Arc::clone(&all), Arc::clone(&given), Arc::clone(&refused));
                tokio::spawn(async move {
                    let Ok(mut stream) = tls.accept(stream).await else { return };
                    let Some(request) = read(&mut stream).await else { return };
                    let answer = if request.target.contains("/oauth2/v2.0/token") {
                        let nth = push(&given, &request);
                        let token = format!("{TOKEN}-{}", nth + 1);
                        let body = format!(
                            r#"{{"token_type":"Bearer","expires_in":3600,"access_token":"{token}"}}"#
                        );
                        let refused: Option<Reply> = refused.lock().unwrap().clone();
                        refused.unwrap_or_else(|| json(200, &body))
                    } else {
                        let nth = push(&all, &request);
                        reply(&request, nth)
                    };
                    write(&mut stream, answer).await;
                });
            }
        });
        Server { origin, asked, tokens, refusal, folder }
    }

    /// Answers these in turn, and the last one for ever.
    pub(crate) async fn in_turn(replies: Vec<Reply>) -> Server {
        Server::start(move |_, nth| replies.get(nth).or(replies.last()).unwrap().clone()).await
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) fn token_requests(&self) -> Vec<Asked> {
        self.tokens.lock().unwrap().clone()
    }

    /// From now on nobody gets a token.
    pub(crate) fn refuse_tokens(&self, status: u16, body: &str) {
        *self.refusal.lock().unwrap() = Some(json(status, body));
    }

    pub(crate) fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    pub(crate) fn cloud(&self) -> Cloud {
        Cloud {
            arm_endpoint: self.origin.clone(),
            authority: self.origin.clone(),
            audience: format!("{}/", self.origin),
            sql_audience: "https://database.windows.net/".to_owned(),
            sql_suffix: "database.windows.net".to_owned(),
        }
    }

    pub(crate) fn options(&self) -> Options {
        Options {
            ca_file: Some(self.ca_file()),
            request_timeout: Duration::from_secs(5),
            retries: 3,
            retry_base: Duration::from_millis(10),
            ..Options::default()
        }
    }

    pub(crate) fn client(&self) -> ArmClient {
        ArmClient::new(self.cloud(), login(), self.options()).unwrap()
    }
}

pub(crate) fn login() -> Login {
    let (tenant, client_id) = (SUB.to_owned(), "app".to_owned());
    Login::ClientSecret { tenant, client_id, secret: Secret::new(CLIENT_SECRET) }
}

pub(crate) fn instance() -> InstanceId {
    SubscriptionId::parse(SUB).unwrap().group("rg").instance("mi")
}

pub(crate) fn link() -> LinkId {
    instance().link("link1")
}

fn push(all: &Mutex<Vec<Asked>>, request: &Asked) -> usize {
    let mut all = all.lock().unwrap();
    all.push(request.clone());
    all.len() - 1
}

async fn read(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> Option<Asked> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).ok()?;
    let mut line = head.lines().next()?.split(' ');
    let (method, target) = (line.next()?.to_owned(), line.next()?.to_owned());
    let mut asked = Asked { method, target, head, body: String::new() };
    let length: usize = asked.header("content-length").map_or(0, |l| l.parse().unwrap());
    while bytes.len() < end + 4 + length {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    asked.body = String::from_utf8(bytes[end + 4..].to_vec()).ok()?;
    Some(asked)
}

async fn write(stream: &mut (impl tokio::io::AsyncWrite + Unpin), reply: Reply) {
    let head = |status: u16, headers: &[(String, String)], length: usize| {
        let more: String = headers.iter().map(|(n, v)| format!("{n}: {v}\r\n")).collect();
        format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {length}\r\n{more}\r\n")
    };
    let bytes = match reply {
        Reply::Answer { status, headers, body } => {
            let length = if status == 204 { 0 } else { body.len() };
            [head(status, &headers, length).into_bytes(), body].concat()
        }
        Reply::Torn { status, headers } => {
            [head(status, &headers, 1000).into_bytes(), br#"{"name":"#.to_vec()].concat()
        }
        Reply::HangUp => return,
        Reply::Silence => {
            // Longer than any test: its runtime ends this.
            tokio::time::sleep(Duration::from_hours(1)).await;
            return;
        }
    };
    // A client that has seen enough hangs up.
    let _ = stream.write_all(&bytes).await;
    let _ = stream.shutdown().await;
}
