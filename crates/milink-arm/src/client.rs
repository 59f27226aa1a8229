//! The client: how a call is sent, sent again and answered. The calls themselves are in `reads` and `writes`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Method, Url};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::address::{self, Address};
use crate::answer::{Again, Bad, Good, judge};
use crate::cloud::Cloud;
use crate::error::{ArmError, RequestIds};
use crate::login::Login;
use crate::retry::{Backoff, Repeat, random};
use crate::tokens::Tokens;
use crate::wire::{NoAnswer, Wire, WireOptions, not_sent};
use milink_core::secret::Secret;

/// How a client behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// Root certificates (PEM) that are trusted besides the system's.
    pub ca_file: Option<PathBuf>,
    /// How long one try may take.
    pub request_timeout: Duration,
    /// How often a request that may be repeated is sent again.
    pub retries: u32,
    /// The first wait before that, doubled each time.
    pub retry_base: Duration,
    /// What the client calls itself.
    pub user_agent: String,
    /// How much is asked about links.
    pub link_view: LinkView,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            ca_file: None,
            request_timeout: Duration::from_secs(30),
            retries: 4,
            retry_base: Duration::from_secs(1),
            user_agent: concat!("milink/", env!("CARGO_PKG_VERSION")).to_owned(),
            link_view: LinkView::default(),
        }
    }
}

/// How much is asked about links, and so which version of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum LinkView {
    /// The stable version. A link does not say whether it may have several databases.
    #[default]
    Stable,
    /// A preview in which links say their `linkMode`.
    WithMode,
    /// A later preview in which links say their last error.
    WithErrors,
}

impl LinkView {
    /// The version to ask for.
    pub fn api_version(self) -> &'static str {
        match self {
            LinkView::Stable => "2025-01-01",
            LinkView::WithMode => "2025-08-01-preview",
            LinkView::WithErrors => "2026-08-01-preview",
        }
    }
}

/// A client of Resource Manager. Copies share connections and tokens.
#[derive(Debug, Clone)]
pub struct ArmClient {
    pub(crate) inner: Arc<Inner>,
    pub(crate) view: LinkView,
}

#[derive(Debug)]
pub(crate) struct Inner {
    cloud: Cloud,
    pub(crate) endpoint: Url,
    wire: Wire,
    tokens: Tokens,
    backoff: Backoff,
}

/// A request, before it is sent.
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) body: Option<Value>,
    pub(crate) repeat: Repeat,
}

impl Call {
    pub(crate) fn get(url: Url) -> Call {
        Call { method: Method::GET, url, body: None, repeat: Repeat::Safe }
    }

    /// A try of a read that was lost leaves nothing to wonder about.
    fn changes(&self) -> bool {
        self.method != Method::GET
    }
}

/// A good answer, and how many requests it took.
pub(crate) struct Answered {
    pub(crate) good: Good,
    pub(crate) attempts: u32,
    /// An earlier one of them may have been carried out as well.
    pub(crate) after_lost_try: bool,
}

fn wire(endpoint: &Url, options: &Options) -> Result<Wire, ArmError> {
    Wire::new(&WireOptions {
        ca_file: options.ca_file.as_deref(),
        request_timeout: options.request_timeout,
        user_agent: &options.user_agent,
        // No proxy leads to this machine.
        direct: address::is_loopback(endpoint),
        https_only: true,
    })
}

impl Cloud {
    /// Asks Resource Manager at that address what cloud it belongs to. Nobody need be signed in for it.
    pub async fn discover(arm_endpoint: &str, options: &Options) -> Result<Cloud, ArmError> {
        let endpoint = address::endpoint(arm_endpoint)?;
        let wire = wire(&endpoint, options)?;
        let url = Address::new().add("metadata").add("endpoints").url(&endpoint, "2022-09-01")?;
        let backoff = Backoff { retries: options.retries, base: options.retry_base };
        let answered = send(&wire, None, &backoff, &Call::get(url)).await?;
        let Good { status, body, ids, .. } = answered.good;
        let unexpected = |why| ArmError::Unexpected { status, why, ids: Box::new(ids) };
        match body {
            Ok(Some(body)) => Cloud::from_metadata(arm_endpoint, &body).map_err(unexpected),
            Ok(None) => Err(unexpected("it does not say what cloud it belongs to".to_owned())),
            Err(why) => Err(unexpected(why)),
        }
    }
}

impl ArmClient {
    /// A client of a cloud. Nothing is sent yet.
    pub fn new(cloud: Cloud, login: Login, options: Options) -> Result<ArmClient, ArmError> {
        let endpoint = address::endpoint(&cloud.arm_endpoint)?;
        let authority = address::authority(&cloud.authority)?;
        let arm_wire = wire(&endpoint, &options)?;
        let token_wire = wire(&authority, &options)?;
        let Options { retries, retry_base, user_agent, link_view, .. } = options;
        let tokens = Tokens::new(login, cloud.authority.clone(), token_wire, retries, user_agent);
        let backoff = Backoff { retries, base: retry_base };
        let inner = Inner { cloud, endpoint, wire: arm_wire, tokens, backoff };
        Ok(ArmClient { inner: Arc::new(inner), view: link_view })
    }

    /// The cloud that it is for.
    pub fn cloud(&self) -> &Cloud {
        &self.inner.cloud
    }

    /// The same client, asking more or less about links.
    pub fn with_link_view(&self, view: LinkView) -> ArmClient {
        ArmClient { inner: Arc::clone(&self.inner), view }
    }

    /// A token for another audience: [`Cloud::sql_audience`] for the SQL side.
    pub async fn token(&self, audience: &str) -> Result<Secret, ArmError> {
        self.inner.tokens.get(audience).await
    }

    pub(crate) async fn call(&self, call: &Call) -> Result<Answered, ArmError> {
        // What comes from an answer or a journal is checked where it comes in; here once more, since the token is added here.
        if !address::same_origin(&self.inner.endpoint, &call.url) {
            return Err(not_sent("the address is not one of this cloud's Resource Manager"));
        }
        let tokens = Some((&self.inner.tokens, self.inner.cloud.audience.as_str()));
        // Large, and many at once: on the heap.
        Box::pin(send(&self.inner.wire, tokens, &self.inner.backoff, call)).await
    }

    /// Reads one thing.
    pub(crate) async fn read<T: DeserializeOwned>(&self, url: Url) -> Result<T, ArmError> {
        let Good { status, body, ids, .. } = self.call(&Call::get(url)).await?.good;
        let ids = Box::new(ids);
        // A read whose answer did not arrive is no answer.
        let body = match body {
            Ok(Some(body)) => body,
            Ok(None) => return Err(ArmError::Unexpected { status, why: "an empty answer".to_owned(), ids }),
            Err(why) => return Err(ArmError::Unexpected { status, why, ids }),
        };
        serde_json::from_value(body).map_err(|error| ArmError::Unexpected {
            status,
            why: error.to_string(),
            ids,
        })
    }
}

/// Sends a request until there is an answer to keep, or an error.
async fn send(
    wire: &Wire,
    tokens: Option<(&Tokens, &str)>,
    backoff: &Backoff,
    call: &Call,
) -> Result<Answered, ArmError> {
    let client_request_id = guid();
    let lost_ids = || {
        let client_request_id = Some(client_request_id.clone());
        Box::new(RequestIds { client_request_id, ..RequestIds::default() })
    };
    let mut attempts = 0;
    let mut renewed = false;
    // What became of an earlier try is not known: whatever a later one is answered, that one may have been carried out.
    let mut doubt: Option<String> = None;
    let settle = |error: ArmError, doubt: &Option<String>| match doubt {
        Some(why) if error.is_certain() => {
            let ids = error.ids().cloned().map_or_else(lost_ids, Box::new);
            let why = format!("an earlier try had no answer ({why}); a later one had this one: {error}");
            ArmError::Uncertain { why, ids }
        }
        _ => error,
    };
    loop {
        attempts += 1;
        let token = match tokens {
            None => None,
            Some((tokens, audience)) => {
                Some(tokens.get(audience).await.map_err(|error| settle(error, &doubt))?)
            }
        };
        let request = fill(wire, call, token.as_ref(), &client_request_id)?;
        let (error, again) = match wire.send(request).await {
            Ok(answer) => match judge(answer, &client_request_id) {
                Ok(good) => return Ok(Answered { good, attempts, after_lost_try: doubt.is_some() }),
                Err(Bad { error, again }) => (scrubbed(error, token.as_ref()), again),
            },
            Err(NoAnswer::NotSent { why, passing }) => {
                let again = if passing { Again::Later(None) } else { Again::No };
                (ArmError::NotSent { why }, again)
            }
            Err(NoAnswer::Lost { why }) => (ArmError::Uncertain { why, ids: lost_ids() }, Again::Later(None)),
        };
        if call.changes() && !error.is_certain() {
            doubt = Some(error.to_string());
        }
        let wait = match again {
            Again::No => None,
            Again::Later(asked) => backoff.wait(attempts, asked, random()),
            Again::WithNewToken => match (tokens, &token) {
                (Some((tokens, audience)), Some(token)) if !renewed => {
                    renewed = true;
                    tokens.renew(audience, token).await.then_some(Duration::ZERO)
                }
                _ => None,
            },
        };
        match wait {
            Some(wait) if call.repeat == Repeat::Safe => tokio::time::sleep(wait).await,
            _ => return Err(settle(error, &doubt)),
        }
    }
}

fn fill(
    wire: &Wire,
    call: &Call,
    token: Option<&Secret>,
    client_request_id: &str,
) -> Result<reqwest::Request, ArmError> {
    let mut request = wire
        .request(call.method.clone(), call.url.clone())
        .header("accept", "application/json")
        .header("x-ms-client-request-id", client_request_id);
    if let Some(token) = token {
        request = request.bearer_auth(token.expose());
    }
    request = match &call.body {
        Some(body) => request.header("content-type", "application/json").body(body.to_string()),
        // A POST without a body must still say that its body is empty.
        None if call.method == Method::POST => request.header("content-length", "0"),
        None => request,
    };
    request.build().map_err(|error| not_sent(crate::wire::chain(&error.without_url())))
}

/// An error in which a server that sends our token back does not make us print it.
fn scrubbed(error: ArmError, token: Option<&Secret>) -> ArmError {
    let Some(token) = token.filter(|t| !t.is_empty()) else { return error };
    let clean =
        |text: String| if text.contains(token.expose()) { text.replace(token.expose(), "***") } else { text };
    match error {
        ArmError::NotSent { why } => ArmError::NotSent { why: clean(why) },
        ArmError::Refused { status, code, message, ids } => {
            ArmError::Refused { status, code: clean(code), message: clean(message), ids }
        }
        ArmError::Throttled { retry_after, code, message, ids } => {
            ArmError::Throttled { retry_after, code: clean(code), message: clean(message), ids }
        }
        ArmError::Unauthenticated { message, ids } => {
            ArmError::Unauthenticated { message: clean(message), ids }
        }
        ArmError::Forbidden { action, scope, code, message, ids } => ArmError::Forbidden {
            action: action.map(clean),
            scope: scope.map(clean),
            code: clean(code),
            message: clean(message),
            ids,
        },
        ArmError::NotFound { code, message, by_gateway, ids } => {
            ArmError::NotFound { code: clean(code), message: clean(message), by_gateway, ids }
        }
        ArmError::Uncertain { why, ids } => ArmError::Uncertain { why: clean(why), ids },
        ArmError::Unexpected { status, why, ids } => ArmError::Unexpected { status, why: clean(why), ids },
    }
}

/// A new random GUID; it only names a request.
fn guid() -> String {
    let [a, b] = [getrandom::u64().unwrap_or_default(), getrandom::u64().unwrap_or_default()];
    let (a, b) = (a & !0xF000 | 0x4000, b & !(0xC << 60) | 0x8 << 60);
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        a >> 32,
        a >> 16 & 0xFFFF,
        a & 0xFFFF,
        b >> 48,
        b & 0xFFFF_FFFF_FFFF
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guid_is_one_of_version_4() {
        let (one, other) = (guid(), guid());
        assert_ne!(one, other);
        assert_eq!((one.len(), &one[14..15], one.split('-').count()), (36, "4", 5));
        assert!("89ab".contains(&one[19..20]), "{one}");
    }

    #[test]
    fn an_error_never_holds_the_token() {
        let token = Secret::new("canary");
        let error = judge(
            crate::wire::Answer {
                status: 403,
                headers: reqwest::header::HeaderMap::new(),
                body: Ok(
                    br#"{"error":{"code":"canary","message":"perform action 'canary' over scope 'canary'"}}"#
                        .to_vec(),
                ),
            },
            "me",
        )
        .unwrap_err()
        .error;
        assert!(format!("{error:?}").contains("canary"));
        assert!(!format!("{:?}", scrubbed(error, Some(&token))).contains("canary"));
    }
}
