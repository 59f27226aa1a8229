//! The token that a change must carry: another site can make a browser send a request, but cannot read a page of ours.
//!
//! It is masked anew in each page, so that a compressed page does not give it away bit by bit to who can make it echo guesses (BREACH).

use axum::http::HeaderMap;
use axum::http::header::{HOST, ORIGIN};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq as _;

use super::random;
use super::session::Session;

/// The header that carries it; htmx sends it with every request, see `base.html`.
pub(crate) const HEADER: &str = "x-csrf-token";
/// The field of a form that carries it.
pub(crate) const FIELD: &str = "csrf";

impl Session {
    /// The token for one page.
    pub(crate) fn csrf_token(&self) -> String {
        let mask: [u8; 32] = random::bytes();
        let mut both = mask.to_vec();
        both.extend(self.csrf.iter().zip(mask).map(|(secret, mask)| secret ^ mask));
        URL_SAFE_NO_PAD.encode(both)
    }

    /// Whether a token is this session's.
    pub(crate) fn is_csrf_token(&self, token: &str) -> bool {
        let Ok(both) = URL_SAFE_NO_PAD.decode(token) else { return false };
        let Some((mask, masked)) = both.split_at_checked(32) else { return false };
        let secret: Vec<u8> = masked.iter().zip(mask).map(|(masked, mask)| masked ^ mask).collect();
        masked.len() == 32 && bool::from(secret.ct_eq(&self.csrf))
    }
}

/// Whether a browser says that a request comes from a page of another site. What says nothing is no browser, and has no cookies either.
pub(super) fn is_from_elsewhere(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
    match text("sec-fetch-site") {
        Some("same-origin" | "none") => false,
        Some(_) => true,
        None => match (text(ORIGIN.as_str()), text(HOST.as_str())) {
            (Some(origin), Some(host)) => origin.split_once("://").is_none_or(|(_, from)| from != host),
            (Some(_), None) => true,
            (None, _) => false,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::security::session::Role;

    fn session() -> Session {
        Session { user: "anna".to_owned(), role: Role::Operator, by: "test", csrf: random::bytes() }
    }

    #[test]
    fn a_token_is_never_the_same_twice_and_only_its_sessions() {
        let (one, other) = (session(), session());
        let (a, b) = (one.csrf_token(), one.csrf_token());
        assert_ne!(a, b);
        assert!(one.is_csrf_token(&a) && one.is_csrf_token(&b));
        assert!(!other.is_csrf_token(&a));
        for bad in ["", "AAAA", "!", &a[..40], &format!("{a}AA")] {
            assert!(!one.is_csrf_token(bad), "{bad}");
        }
    }

    #[test]
    fn browsers_say_where_a_request_comes_from() {
        let headers = |pairs: &[(&'static str, &'static str)]| {
            pairs.iter().map(|(n, v)| (n.parse().unwrap(), v.parse().unwrap())).collect::<HeaderMap>()
        };
        assert!(!is_from_elsewhere(&headers(&[])));
        assert!(!is_from_elsewhere(&headers(&[("sec-fetch-site", "same-origin")])));
        assert!(is_from_elsewhere(&headers(&[("sec-fetch-site", "cross-site")])));
        assert!(is_from_elsewhere(&headers(&[("sec-fetch-site", "same-site")])));
        assert!(!is_from_elsewhere(&headers(&[("origin", "http://a:1"), ("host", "a:1")])));
        assert!(is_from_elsewhere(&headers(&[("origin", "http://b:1"), ("host", "a:1")])));
        assert!(is_from_elsewhere(&headers(&[("origin", "null"), ("host", "a:1")])));
    }
}
