//! A plain client: signs in, sends, polls.

use std::time::{Duration, Instant};

use lab_azure::{Azure, Principal};
use reqwest::blocking;
use serde_json::{Value, json};

use crate::labs::PATIENCE;

/// What came back.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Value,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default()
    }

    pub(crate) fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or_default()
    }

    pub(crate) fn message(&self) -> &str {
        self.body["error"]["message"].as_str().unwrap_or_default()
    }
}

/// Somebody who has signed in.
pub(crate) struct Client {
    http: blocking::Client,
    pub(crate) endpoint: String,
    instance: String,
    pub(crate) token: String,
    pub(crate) version: &'static str,
}

/// A client that trusts the lab's authority and nobody else.
pub(crate) fn http(azure: &Azure) -> blocking::Client {
    // Another test may have been first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let pem = std::fs::read(azure.ca_file()).unwrap();
    let ca = reqwest::Certificate::from_pem(&pem).unwrap();
    blocking::Client::builder().tls_certs_only([ca]).timeout(PATIENCE).no_proxy().build().unwrap()
}

/// Asks for a token with a secret.
pub(crate) fn sign_in(http: &blocking::Client, azure: &Azure, who: &Principal, scope: &str) -> Reply {
    let url = format!("{}/{}/oauth2/v2.0/token", azure.endpoint(), azure.names().tenant_id);
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", &who.client_id),
        ("client_secret", &who.client_secret),
        ("scope", scope),
    ];
    let text: Vec<String> = form.iter().map(|(k, v)| format!("{k}={}", v.replace('/', "%2F"))).collect();
    let request =
        http.post(url).header("Content-Type", "application/x-www-form-urlencoded").body(text.join("&"));
    reply(request.send().unwrap())
}

fn reply(response: blocking::Response) -> Reply {
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().unwrap();
    let body = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() };
    Reply { status, headers, body }
}

impl Client {
    /// Signs in as one of the lab's principals.
    pub(crate) fn new(azure: &Azure, name: &str) -> Client {
        let http = http(azure);
        let who = azure.principals().iter().find(|p| p.name == name).unwrap();
        // Two slashes: an audience that ends in one.
        let signed_in = sign_in(&http, azure, who, &format!("{}//.default", azure.endpoint()));
        assert_eq!(signed_in.status, 200, "{signed_in:?}");
        Client {
            http,
            endpoint: azure.endpoint(),
            instance: azure.names().instance_id(),
            token: signed_in.body["access_token"].as_str().unwrap().to_owned(),
            version: "2025-08-01-preview",
        }
    }

    /// Sends a request to an address.
    pub(crate) fn try_send(
        &self,
        method: &str,
        url: &str,
        body: Option<&Value>,
    ) -> Result<Reply, reqwest::Error> {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self.http.request(method, url).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.header("Content-Type", "application/json").body(body.to_string());
        }
        request.send().map(reply)
    }

    pub(crate) fn send(&self, method: &str, url: &str, body: Option<&Value>) -> Reply {
        self.try_send(method, url, body).unwrap()
    }

    /// The address of something in the instance.
    pub(crate) fn url(&self, path: &str) -> String {
        let version = self.version;
        format!("{}{}{path}?api-version={version}", self.endpoint, self.instance)
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        self.send("GET", &self.url(path), None)
    }

    pub(crate) fn put(&self, path: &str, body: &Value) -> Reply {
        self.send("PUT", &self.url(path), Some(body))
    }

    pub(crate) fn patch(&self, path: &str, body: &Value) -> Reply {
        self.send("PATCH", &self.url(path), Some(body))
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Reply {
        self.send("POST", &self.url(path), Some(body))
    }

    pub(crate) fn delete(&self, path: &str) -> Reply {
        self.send("DELETE", &self.url(path), None)
    }

    /// Polls an operation until it has ended.
    pub(crate) fn ended(&self, accepted: &Reply) -> Value {
        assert_eq!(accepted.status, 202, "{accepted:?}");
        let url = accepted.header("azure-asyncoperation").to_owned();
        let limit = Instant::now() + PATIENCE;
        loop {
            let polled = self.send("GET", &url, None);
            assert_eq!(polled.status, 200, "{polled:?}");
            if polled.body["status"] != json!("InProgress") {
                return polled.body;
            }
            assert!(Instant::now() < limit, "{polled:?}");
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    /// The same, of one that must succeed.
    pub(crate) fn done(&self, accepted: &Reply) {
        let end = self.ended(accepted);
        assert_eq!(end["status"], json!("Succeeded"), "{end}");
    }

    /// Both sides trust each other from here on, by the documented calls.
    pub(crate) fn exchange_certificates(&self, cloud: &crate::labs::Cloud) {
        let endpoint = self.get("/endpointCertificates/DATABASE_MIRRORING");
        cloud.sql_server_trusts(&endpoint.body);
        let body = json!({"properties": {"publicBlob": cloud.server_blob()}});
        self.done(&self.put(&format!("/serverTrustCertificates/{}", cloud.sql.certificate()), &body));
    }
}
