//! What of a browser matters here: cookies, and no redirect that is not looked at.

use reqwest::header::{COOKIE, SET_COOKIE};
use reqwest::{Client, RequestBuilder, Response};

use crate::server::Running;

/// A browser.
pub(crate) struct Browser {
    pub(crate) client: Client,
    pub(crate) cookie: Option<String>,
    base: String,
}

/// A client that follows no redirects.
pub(crate) fn client() -> Client {
    // Another test may have been first.
    drop(rustls::crypto::ring::default_provider().install_default());
    Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

impl Browser {
    /// One that has not signed in.
    pub(crate) fn new(server: &Running) -> Browser {
        Browser { client: client(), cookie: None, base: server.url("") }
    }

    /// One that has, by the newest one-time address.
    pub(crate) async fn signed_in(server: &Running) -> Browser {
        let mut browser = Browser::new(server);
        let response = browser.client.get(server.one_time()).send().await.unwrap();
        assert_eq!(response.status(), 200);
        browser.keep_cookie(&response);
        browser
    }

    /// Keeps the session's cookie.
    pub(crate) fn keep_cookie(&mut self, response: &Response) {
        let set = response.headers().get(SET_COOKIE).expect("no cookie").to_str().unwrap();
        self.cookie = Some(set.split(';').next().unwrap().to_owned());
    }

    /// A request with the cookie.
    pub(crate) fn with_cookie(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.cookie {
            Some(cookie) => request.header(COOKIE, cookie),
            None => request,
        }
    }

    /// Gets a page.
    pub(crate) async fn get(&self, path: &str) -> Response {
        self.with_cookie(self.client.get(format!("{}{path}", self.base))).send().await.unwrap()
    }

    /// Gets a page's text.
    pub(crate) async fn text(&self, path: &str) -> String {
        let response = self.get(path).await;
        let status = response.status();
        let text = response.text().await.unwrap();
        assert_eq!(status, 200, "{path}: {text}");
        text
    }

    /// The token of a page.
    pub(crate) async fn csrf(&self) -> String {
        let page = self.text("/c/prod").await;
        let after = page.split("\"x-csrf-token\":\"").nth(1).expect("the page has no token");
        after.split('"').next().unwrap().to_owned()
    }

    /// A change, which carries nothing by itself.
    pub(crate) fn post(&self, path: &str) -> RequestBuilder {
        self.with_cookie(self.client.post(format!("{}{path}", self.base)))
    }
}
