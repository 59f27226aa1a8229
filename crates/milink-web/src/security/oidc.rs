//! Sign-in at Entra, or at another OpenID provider: the authorization code flow with PKCE.
//!
//! Whoever comes back must bring the state that this browser was sent away with, in the address and in a cookie: a link that somebody else
//! made signs nobody in. What a user may do is said by the claim `roles` of the ID token, which in Entra holds the application roles; who has
//! none of the two is not let in.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreAuthenticationFlow, CoreErrorResponseType, CoreGenderClaim,
    CoreJsonWebKey, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreProviderMetadata,
    CoreRevocableToken, CoreRevocationErrorResponse, CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AdditionalClaims, AuthorizationCode, Client, ClientId, ClientSecret, CsrfToken, EmptyExtraTokenFields,
    EndpointMaybeSet, EndpointNotSet, EndpointSet, HttpRequest, HttpResponse, IdTokenFields, IssuerUrl,
    Nonce, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope, StandardErrorResponse,
    StandardTokenResponse, TokenResponse as _,
};
use reqwest::redirect;
use serde::{Deserialize, Serialize};

use super::session::Role;
use crate::options::OidcOptions;
use crate::server::ServeError;

/// How long a visitor may take at the provider.
const AWAY_MAX: Duration = Duration::from_mins(10);
/// Visitors who are away at the same time; the one that has been for longest is forgotten for a new one.
const PENDING_MAX: usize = 256;
/// How long the provider may take for an answer.
const PATIENCE: Duration = Duration::from_secs(15);
/// The longest answer of the provider.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// Where the provider leads back to.
pub(super) const CALLBACK: &str = "/sign-in/oidc/callback";

/// Entra's application roles.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Roles {
    #[serde(default)]
    roles: Vec<String>,
}

impl AdditionalClaims for Roles {}

type Fields = IdTokenFields<
    Roles,
    EmptyExtraTokenFields,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;
type OidcClient = Client<
    Roles,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    StandardTokenResponse<Fields, CoreTokenType>,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// Why nobody is signed in. What the provider says may hold tokens, and is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OidcError {
    /// The provider does not answer as it should.
    Provider,
    /// The way back is not this browser's, or it took too long.
    State,
    /// The provider's token is not valid.
    Token,
    /// The user has neither of the two roles.
    NoRole,
}

impl fmt::Display for OidcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl OidcError {
    /// What it is, for people.
    pub(super) fn text(self) -> &'static str {
        match self {
            OidcError::Provider => "The sign-in service does not answer as it should. Try it again.",
            OidcError::State => {
                "The way back from the sign-in service is not this browser's, or it took too long. Try it again."
            }
            OidcError::Token => "What the sign-in service says of you cannot be verified.",
            OidcError::NoRole => {
                "You have signed in, but have neither the reader's nor the operator's role in this application. Ask who administers it."
            }
        }
    }
}

struct Pending {
    metadata: CoreProviderMetadata,
    verifier: PkceCodeVerifier,
    nonce: Nonce,
    to: String,
    since: Instant,
}

/// Where a visitor is sent, and the state that their browser keeps.
pub(super) struct Away {
    pub(super) url: String,
    pub(super) state: String,
}

/// Who came back.
pub(super) struct Back {
    pub(super) user: String,
    pub(super) role: Role,
    pub(super) to: String,
}

/// The provider, and who is away there.
pub(crate) struct Oidc {
    options: OidcOptions,
    issuer: IssuerUrl,
    redirect: RedirectUrl,
    http: reqwest::Client,
    pending: Mutex<HashMap<String, Pending>>,
}

impl Oidc {
    /// Prepares it; the provider is not asked before somebody wants to sign in.
    pub(super) fn of(options: &OidcOptions) -> Result<Oidc, ServeError> {
        let wrong = |what: &str, why: String| ServeError::Oidc(format!("{what}: {why}"));
        let issuer =
            IssuerUrl::new(options.issuer.clone()).map_err(|e| wrong("--oidc-issuer", e.to_string()))?;
        let redirect = RedirectUrl::new(format!("{}{CALLBACK}", options.public_url))
            .map_err(|e| wrong("--public-url", e.to_string()))?;
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            // Somebody else may be first, with any provider; that is fine.
            drop(rustls::crypto::ring::default_provider().install_default());
        }
        // A redirect would carry the application's secret elsewhere.
        let mut builder = reqwest::Client::builder().timeout(PATIENCE).redirect(redirect::Policy::none());
        if let Some(path) = &options.ca_file {
            let failed = |why: String| ServeError::File { path: path.clone(), why };
            let pem = std::fs::read(path).map_err(|e| failed(e.to_string()))?;
            let roots = reqwest::Certificate::from_pem_bundle(&pem).map_err(|e| failed(e.to_string()))?;
            builder = builder.tls_certs_merge(roots);
        }
        let http = builder.build().map_err(|e| wrong("TLS", e.to_string()))?;
        Ok(Oidc { options: options.clone(), issuer, redirect, http, pending: Mutex::default() })
    }

    /// Sends a visitor away.
    pub(super) async fn away(&self, to: String, now: Instant) -> Result<Away, OidcError> {
        let http = |request| send(self.http.clone(), request);
        let metadata = CoreProviderMetadata::discover_async(self.issuer.clone(), &http)
            .await
            .map_err(|_| OidcError::Provider)?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let client =
            OidcClient::from_provider_metadata(metadata.clone(), self.client_id(), self.client_secret())
                .set_redirect_uri(self.redirect.clone());
        let flow = CoreAuthenticationFlow::AuthorizationCode;
        let (url, state, nonce) = client
            .authorize_url(flow, CsrfToken::new_random, Nonce::new_random)
            .add_scope(Scope::new("profile".to_owned()))
            .set_pkce_challenge(challenge)
            .url();
        let mut pending = self.lock();
        pending.retain(|_, p| now.duration_since(p.since) <= AWAY_MAX);
        if pending.len() >= PENDING_MAX
            && let Some(oldest) = pending.iter().min_by_key(|(_, p)| p.since).map(|(s, _)| s.clone())
        {
            pending.remove(&oldest);
        }
        let state = state.secret().clone();
        pending.insert(state.clone(), Pending { metadata, verifier, nonce, to, since: now });
        Ok(Away { url: url.to_string(), state })
    }

    /// Takes back who comes from the provider. `kept` is the state that the browser has.
    pub(super) async fn back(
        &self,
        state: &str,
        kept: &str,
        code: String,
        now: Instant,
    ) -> Result<Back, OidcError> {
        let pending = if state == kept { self.lock().remove(state) } else { None };
        let pending = pending.filter(|p| now.duration_since(p.since) <= AWAY_MAX).ok_or(OidcError::State)?;
        let Pending { metadata, verifier, nonce, to, .. } = pending;
        let client = OidcClient::from_provider_metadata(metadata, self.client_id(), self.client_secret())
            .set_redirect_uri(self.redirect.clone());
        let http = |request| send(self.http.clone(), request);
        let exchange = client.exchange_code(AuthorizationCode::new(code)).map_err(|_| OidcError::Provider)?;
        let answer = exchange
            .set_pkce_verifier(verifier)
            .request_async(&http)
            .await
            .map_err(|_| OidcError::Provider)?;
        let token = answer.id_token().ok_or(OidcError::Token)?;
        let claims = token.claims(&client.id_token_verifier(), &nonce).map_err(|_| OidcError::Token)?;
        let role = self.role(&claims.additional_claims().roles).ok_or(OidcError::NoRole)?;
        let user = claims.preferred_username().map_or(claims.subject().as_str(), |n| n.as_str());
        Ok(Back { user: user.chars().take(128).collect(), role, to })
    }

    fn role(&self, roles: &[String]) -> Option<Role> {
        let has = |role: &String| roles.contains(role);
        if has(&self.options.operator_role) {
            Some(Role::Operator)
        } else {
            has(&self.options.reader_role).then_some(Role::Reader)
        }
    }

    fn client_id(&self) -> ClientId {
        ClientId::new(self.options.client_id.clone())
    }

    fn client_secret(&self) -> Option<ClientSecret> {
        self.options.client_secret.as_ref().map(|s| ClientSecret::new(s.expose().to_owned()))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Pending>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The provider did not answer.
#[derive(Debug)]
struct Unanswered;

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no answer")
    }
}

impl std::error::Error for Unanswered {}

async fn send(http: reqwest::Client, request: HttpRequest) -> Result<HttpResponse, Unanswered> {
    let request = reqwest::Request::try_from(request).map_err(|_| Unanswered)?;
    let mut response = http.execute(request).await.map_err(|_| Unanswered)?;
    let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|_| Unanswered)? {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(Unanswered);
        }
        body.extend_from_slice(&chunk);
    }
    let mut answer = HttpResponse::new(body);
    *answer.status_mut() = status;
    *answer.headers_mut() = headers;
    Ok(answer)
}
