//! One request and its answer: TLS, time-outs, and a limit to what is read. Nothing is judged here and nothing repeated.

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Certificate, Client, Request, Url};

use crate::error::ArmError;

/// The most that is read of one answer. A page of a thousand links is about a megabyte.
pub(crate) const BODY_MAX: usize = 8 << 20;

const CONNECT_MAX: Duration = Duration::from_secs(10);

/// What a client is made of.
pub(crate) struct WireOptions<'a> {
    pub(crate) ca_file: Option<&'a Path>,
    pub(crate) request_timeout: Duration,
    pub(crate) user_agent: &'a str,
    /// The environment's proxies are passed by: for this machine itself, and for the identity service of a machine.
    pub(crate) direct: bool,
    /// Only the identity service of a machine is asked without TLS; it has none.
    pub(crate) https_only: bool,
}

/// A client of HTTP.
#[derive(Clone, Debug)]
pub(crate) struct Wire {
    http: Client,
}

/// An answer, as far as it arrived.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    /// The body, or why there is none: status and headers are good all the same.
    pub(crate) body: Result<Vec<u8>, String>,
}

/// No answer.
#[derive(Debug)]
pub(crate) enum NoAnswer {
    /// Nothing was sent.
    NotSent {
        why: String,
        /// It may be otherwise in a moment. A certificate that does not convince will not.
        passing: bool,
    },
    /// It was sent, at least in part.
    Lost { why: String },
}

impl Wire {
    pub(crate) fn new(options: &WireOptions<'_>) -> Result<Wire, ArmError> {
        // The HTTP client takes the process's provider and has none of its own. Somebody else may have been first, with any
        // provider; that is fine.
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            let _first_or_not = rustls::crypto::ring::default_provider().install_default();
        }
        let mut builder = Client::builder()
            .user_agent(options.user_agent)
            .timeout(options.request_timeout)
            .connect_timeout(CONNECT_MAX.min(options.request_timeout))
            .https_only(options.https_only)
            // A redirect would carry the token elsewhere, or a POST twice.
            .redirect(reqwest::redirect::Policy::none())
            // Whether something is sent twice is decided in one place only, and not there.
            .retry(reqwest::retry::never());
        if options.direct {
            builder = builder.no_proxy();
        }
        if let Some(file) = options.ca_file {
            builder = builder.tls_certs_merge(roots(file)?);
        }
        let http = builder.build().map_err(|error| not_sent(format!("no TLS: {}", chain(&error))))?;
        Ok(Wire { http })
    }

    /// A request that can be filled in.
    pub(crate) fn request(&self, method: reqwest::Method, url: Url) -> reqwest::RequestBuilder {
        self.http.request(method, url)
    }

    pub(crate) async fn send(&self, request: Request) -> Result<Answer, NoAnswer> {
        let mut response = match self.http.execute(request).await {
            Ok(response) => response,
            Err(error) if error.is_connect() || error.is_builder() => {
                let passing = error.is_connect() && !certificate_refused(&error);
                return Err(NoAnswer::NotSent { why: chain(&error.without_url()), passing });
            }
            Err(error) => return Err(NoAnswer::Lost { why: chain(&error.without_url()) }),
        };
        let status = response.status().as_u16();
        let headers = std::mem::take(response.headers_mut());
        let mut body = Vec::new();
        let body = loop {
            match response.chunk().await {
                Ok(None) => break Ok(body),
                Ok(Some(chunk)) if body.len().saturating_add(chunk.len()) > BODY_MAX => {
                    break Err(format!("the answer is longer than {BODY_MAX} bytes"));
                }
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Err(error) => break Err(chain(&error.without_url())),
            }
        };
        Ok(Answer { status, headers, body })
    }
}

fn roots(file: &Path) -> Result<Vec<Certificate>, ArmError> {
    let wrong = |why: String| not_sent(format!("the root certificates in {}: {why}", file.display()));
    let pem = std::fs::read(file).map_err(|error| wrong(error.to_string()))?;
    let found = Certificate::from_pem_bundle(&pem).map_err(|error| wrong(chain(&error)))?;
    if found.is_empty() { Err(wrong("there are none".to_owned())) } else { Ok(found) }
}

pub(crate) fn not_sent(why: impl Into<String>) -> ArmError {
    ArmError::NotSent { why: why.into() }
}

/// An error with its causes: the outermost alone says next to nothing.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        next = cause.source();
    }
    text
}

/// Whether TLS itself said no. An `io::Error` hides what it wraps from `source`.
fn certificate_refused(error: &reqwest::Error) -> bool {
    let mut next: Option<&(dyn Error + 'static)> = error.source();
    while let Some(cause) = next {
        let wrapped = cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        let tls = wrapped.and_then(|w| w.downcast_ref()).or_else(|| cause.downcast_ref());
        if let Some(rustls::Error::InvalidCertificate(_)) = tls {
            return true;
        }
        next = match wrapped {
            Some(wrapped) => Some(wrapped),
            None => cause.source(),
        };
    }
    false
}
