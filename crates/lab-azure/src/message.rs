//! Requests and responses as values, so that deciding needs no socket.

use serde_json::Value;

/// The methods that mean something here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Put,
    Patch,
    Post,
    Delete,
}

impl Method {
    /// Reads one; HEAD and the rest mean nothing to a resource manager's clients.
    pub(crate) fn parse(text: &str) -> Option<Method> {
        Some(match text {
            "GET" => Method::Get,
            "PUT" => Method::Put,
            "PATCH" => Method::Patch,
            "POST" => Method::Post,
            "DELETE" => Method::Delete,
            _ => return None,
        })
    }

    pub(crate) fn changes_something(self) -> bool {
        self != Method::Get
    }
}

/// A request, as far as it matters.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: Method,
    /// As it came.
    pub(crate) path: String,
    /// The parts between slashes, decoded.
    pub(crate) segments: Vec<String>,
    pub(crate) query: Vec<(String, String)>,
    /// `https://` and what the client calls this server: links in answers must work for that client.
    pub(crate) origin: String,
    pub(crate) authorization: Option<String>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// Takes a path and query apart.
    pub(crate) fn new(method: Method, path_and_query: &str, origin: String) -> Request {
        let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
        let segments = path.split('/').filter(|s| !s.is_empty()).map(|s| decoded(s, false)).collect();
        Request {
            method,
            path: path.to_owned(),
            segments,
            query: pairs(query),
            origin,
            authorization: None,
            body: Vec::new(),
        }
    }

    /// A parameter of the query, by its name in any case.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// `a=b&c=d`, as queries and forms have it.
pub(crate) fn pairs(text: &str) -> Vec<(String, String)> {
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(key, true), decoded(value, true))
        })
        .collect()
}

/// Percent-decodes; what is no valid escape stays as it is.
fn decoded(text: &str, plus_is_space: bool) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        let escaped = (byte == b'%').then(|| after.get(..2)).flatten().and_then(|digits| {
            let text =
                std::str::from_utf8(digits).ok().filter(|t| t.bytes().all(|b| b.is_ascii_hexdigit()))?;
            u8::from_str_radix(text, 16).ok()
        });
        match escaped {
            Some(value) => {
                out.push(value);
                rest = after.get(2..).unwrap_or_default();
            }
            None if byte == b'+' && plus_is_space => out.push(b' '),
            None => out.push(byte),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// A response.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Option<Value>,
}

impl Response {
    pub(crate) fn json(status: u16, body: Value) -> Response {
        Response { status, headers: Vec::new(), body: Some(body) }
    }

    pub(crate) fn empty(status: u16) -> Response {
        Response { status, headers: Vec::new(), body: None }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Response {
        self.headers.push((name, value.into()));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_queries_are_taken_apart() {
        let request =
            Request::new(Method::Get, "/a%20b/%zz/c+d/%41?Api-Version=2025-01-01&x=1%2B1+2&y", String::new());
        assert_eq!(request.segments, ["a b", "%zz", "c+d", "A"]);
        assert_eq!(request.parameter("api-version"), Some("2025-01-01"));
        assert_eq!(request.parameter("x"), Some("1+1 2"));
        assert_eq!(request.parameter("y"), Some(""));
        assert_eq!(request.parameter("z"), None);
        assert_eq!(decoded("%", false), "%");
        assert_eq!(decoded("%4", false), "%4");
        assert_eq!(decoded("%ff", false), "\u{fffd}");
    }
}
