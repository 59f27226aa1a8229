//! Tokens: where they come from, and how long they are kept.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use azure_core::cloud::{CloudConfiguration, CustomConfiguration};
use azure_core::credentials::{AccessToken, TokenCredential};
use azure_core::http::headers::{HeaderName, HeaderValue, Headers};
use azure_core::http::{
    AsyncRawResponse, Body, ClientOptions, ExponentialRetryOptions, HttpClient, Method, Request,
    RetryOptions, StatusCode, Transport,
};
use azure_core::time::OffsetDateTime;
use azure_identity::{
    AzureCliCredential, AzureDeveloperCliCredential, ClientAssertionCredentialOptions,
    ClientSecretCredential, ClientSecretCredentialOptions, ManagedIdentityCredential,
    ManagedIdentityCredentialOptions, UserAssignedId, WorkloadIdentityCredential,
    WorkloadIdentityCredentialOptions,
};
use reqwest::Url;
use tokio::sync::Mutex;

use crate::error::ArmError;
use crate::login::Login;
use crate::wire::{NoAnswer, Wire, WireOptions, chain, not_sent};
use milink_core::secret::Secret;

/// A token that ends sooner is not begun with.
const SLACK: Duration = Duration::from_mins(5);

/// The machine's identity service, where there is one, answers at once; where there is none, nothing answers.
const IDENTITY_SERVICE: &str = "http://169.254.169.254/metadata/identity/oauth2/token";
const IDENTITY_MAX: Duration = Duration::from_secs(30);
const IDENTITY_SERVICE_MAX: Duration = Duration::from_secs(1);

/// Where tokens come from.
pub(crate) struct Tokens {
    login: Login,
    authority: String,
    /// For the authority.
    wire: Wire,
    retries: u32,
    user_agent: String,
    // Held while a token is fetched, so that many calls at once fetch one token and not many.
    held: Mutex<Held>,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("login", &self.login).field("authority", &self.authority).finish()
    }
}

#[derive(Default)]
struct Held {
    /// By scope. The Azure CLI's credential keeps none itself and would be run for each call.
    tokens: HashMap<String, AccessToken>,
    /// What has given a token before.
    credential: Option<Arc<dyn TokenCredential>>,
}

impl Tokens {
    pub(crate) fn new(
        login: Login,
        authority: String,
        wire: Wire,
        retries: u32,
        user_agent: String,
    ) -> Tokens {
        Tokens { login, authority, wire, retries, user_agent, held: Mutex::default() }
    }

    /// A token for an audience.
    pub(crate) async fn get(&self, audience: &str) -> Result<Secret, ArmError> {
        if let Login::Token(token) = &self.login {
            return Ok(token.clone());
        }
        let scope = format!("{audience}/.default");
        let mut held = self.held.lock().await;
        if let Some(token) = held.tokens.get(&scope)
            && token.expires_on > OffsetDateTime::now_utc() + SLACK
        {
            return Ok(Secret::new(token.token.secret()));
        }
        let token = match held.credential.clone() {
            Some(credential) => self.ask(&credential, &scope).await?,
            None => {
                let (credential, token) = self.begin(&scope).await?;
                held.credential = Some(credential);
                token
            }
        };
        let secret = Secret::new(token.token.secret());
        held.tokens.insert(scope, token);
        Ok(secret)
    }

    /// Azure does not take that token: forget it, so that the next call gets another one. Whether there is another one.
    pub(crate) async fn renew(&self, audience: &str, refused: &Secret) -> bool {
        if let Login::Token(_) = &self.login {
            return false;
        }
        let scope = format!("{audience}/.default");
        let mut held = self.held.lock().await;
        // Somebody else may have renewed it meanwhile.
        if held.tokens.get(&scope).is_some_and(|token| token.token.secret() == refused.expose()) {
            held.tokens.clear();
            // The credentials keep their tokens as well, and cannot be told to forget one.
            held.credential = None;
        }
        true
    }

    async fn ask(&self, credential: &Arc<dyn TokenCredential>, scope: &str) -> Result<AccessToken, ArmError> {
        credential.get_token(&[scope], None).await.map_err(|error| self.refused(&chain(&error)))
    }

    fn refused(&self, why: &str) -> ArmError {
        let message = match &self.login {
            Login::ClientSecret { secret, .. } if !secret.is_empty() => why.replace(secret.expose(), "***"),
            _ => why.to_owned(),
        };
        ArmError::Unauthenticated { message: message.trim().to_owned(), ids: Box::default() }
    }

    /// The first credential that gives a token, and its token.
    async fn begin(&self, scope: &str) -> Result<(Arc<dyn TokenCredential>, AccessToken), ArmError> {
        let mut failures: Vec<ArmError> = Vec::new();
        for login in self.candidates().await? {
            let tried = async {
                let credential = self.credential(&login)?;
                let token = self.ask(&credential, scope).await?;
                Ok((credential, token))
            };
            match tried.await {
                Ok(found) => return Ok(found),
                Err(error) => failures.push(error),
            }
        }
        match failures.as_slice() {
            [one] => Err(one.clone()),
            several => {
                let all: Vec<String> = several.iter().map(ToString::to_string).collect();
                Err(self.refused(&format!("none of the ways to sign in works: {}", all.join("; "))))
            }
        }
    }

    /// What is tried, in this order. What was set up on purpose stands alone: if it fails, that is the error, and nobody is
    /// signed in as somebody else instead.
    async fn candidates(&self) -> Result<Vec<Login>, ArmError> {
        let variable = |name: &str| std::env::var(name).ok();
        let nothing = || {
            self.refused(
                "the environment names nobody: AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET are needed",
            )
        };
        match &self.login {
            Login::Environment => Ok(vec![Login::from_environment(variable)?.ok_or_else(nothing)?]),
            Login::Default => {
                if let Some(login) = Login::from_environment(variable)? {
                    return Ok(vec![login]);
                }
                let machine = Login::ManagedIdentity { client_id: variable("AZURE_CLIENT_ID") };
                if ["IDENTITY_ENDPOINT", "MSI_ENDPOINT"].iter().any(|name| variable(name).is_some()) {
                    return Ok(vec![machine]);
                }
                let mut candidates = vec![Login::AzCli, Login::AzureDeveloperCli];
                if self.machine_has_identity().await {
                    candidates.insert(0, machine);
                }
                Ok(candidates)
            }
            other => Ok(vec![other.clone()]),
        }
    }

    /// Whether the machine has an identity service. A short question: elsewhere the credential would wait for a long time.
    async fn machine_has_identity(&self) -> bool {
        let Ok(wire) = self.identity_wire(IDENTITY_SERVICE_MAX) else { return false };
        let Ok(url) = Url::parse(IDENTITY_SERVICE) else { return false };
        match wire.request(reqwest::Method::GET, url).build() {
            // Without its header it refuses, and has thereby answered.
            Ok(request) => wire.send(request).await.is_ok_and(|answer| answer.status == 400),
            Err(_) => false,
        }
    }

    fn identity_wire(&self, request_timeout: Duration) -> Result<Wire, ArmError> {
        let user_agent = &self.user_agent;
        Wire::new(&WireOptions {
            ca_file: None,
            request_timeout,
            user_agent,
            direct: true,
            https_only: false,
        })
    }

    fn options(&self, wire: Wire) -> ClientOptions {
        let mut cloud = CustomConfiguration::default();
        cloud.authority_host.clone_from(&self.authority);
        ClientOptions {
            cloud: Some(Arc::new(CloudConfiguration::Custom(cloud))),
            transport: Some(Transport::new(Arc::new(TokenTransport { wire }))),
            retry: RetryOptions::exponential(ExponentialRetryOptions {
                max_retries: self.retries,
                ..ExponentialRetryOptions::default()
            }),
            ..ClientOptions::default()
        }
    }

    fn credential(&self, login: &Login) -> Result<Arc<dyn TokenCredential>, ArmError> {
        let client_options = self.options(self.wire.clone());
        let made: azure_core::Result<Arc<dyn TokenCredential>> = match login {
            Login::ClientSecret { tenant, client_id, secret } => ClientSecretCredential::new(
                tenant,
                client_id.clone(),
                secret.expose().to_owned().into(),
                Some(ClientSecretCredentialOptions { client_options }),
            )
            .map(|c| c as Arc<dyn TokenCredential>),
            Login::WorkloadIdentity { tenant, client_id, token_file } => {
                let options = WorkloadIdentityCredentialOptions {
                    credential_options: ClientAssertionCredentialOptions { client_options },
                    tenant_id: tenant.clone(),
                    client_id: client_id.clone(),
                    token_file_path: token_file.clone(),
                };
                WorkloadIdentityCredential::new(Some(options)).map(|c| c as Arc<dyn TokenCredential>)
            }
            Login::ManagedIdentity { client_id } => {
                let options = ManagedIdentityCredentialOptions {
                    user_assigned_id: client_id.clone().map(UserAssignedId::ClientId),
                    client_options: self.options(self.identity_wire(IDENTITY_MAX)?),
                };
                ManagedIdentityCredential::new(Some(options)).map(|c| c as Arc<dyn TokenCredential>)
            }
            Login::AzCli => AzureCliCredential::new(None).map(|c| c as Arc<dyn TokenCredential>),
            Login::AzureDeveloperCli => {
                AzureDeveloperCliCredential::new(None).map(|c| c as Arc<dyn TokenCredential>)
            }
            Login::Default | Login::Environment | Login::Token(_) => {
                return Err(not_sent("a login that stands for others was to be used itself"));
            }
        };
        made.map_err(|error| self.refused(&chain(&error)))
    }
}

/// Our own client of HTTP for the credentials: our roots, our time-outs, and a limit to what is read.
#[derive(Debug)]
struct TokenTransport {
    wire: Wire,
}

#[async_trait::async_trait]
impl HttpClient for TokenTransport {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        use azure_core::error::ErrorKind;
        let wrong = |kind, why: String| azure_core::Error::with_message(kind, why);
        let method = match request.method() {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
            other => return Err(wrong(ErrorKind::Other, format!("{other:?} is not used for tokens"))),
        };
        let mut filled = self.wire.request(method, request.url().clone());
        for (name, value) in request.headers().iter() {
            filled = filled.header(name.as_str(), value.as_str());
        }
        filled = match request.body() {
            Body::Bytes(bytes) => filled.body(bytes.clone()),
            Body::SeekableStream(_) => {
                return Err(wrong(ErrorKind::Other, "a stream is not used for tokens".to_owned()));
            }
        };
        let request = filled.build().map_err(|e| wrong(ErrorKind::Other, chain(&e.without_url())))?;
        let answer = self.wire.send(request).await.map_err(|lost| match lost {
            NoAnswer::NotSent { why, passing: true } => wrong(ErrorKind::Connection, why),
            // Not a kind that is tried again.
            NoAnswer::NotSent { why, passing: false } => wrong(ErrorKind::Credential, why),
            NoAnswer::Lost { why } => wrong(ErrorKind::Io, why),
        })?;
        let body = answer.body.map_err(|why| wrong(ErrorKind::Io, why))?;
        let named = |(name, value): (&reqwest::header::HeaderName, &reqwest::header::HeaderValue)| {
            let value = value.to_str().ok()?.to_owned();
            Some((HeaderName::from(name.as_str().to_owned()), HeaderValue::from(value)))
        };
        let headers: HashMap<_, _> = answer.headers.iter().filter_map(named).collect();
        Ok(AsyncRawResponse::from_bytes(StatusCode::from(answer.status), Headers::from(headers), body))
    }
}
