//! What an answer means. Pure: status, headers and body in, a value or an error out.

use std::time::Duration;

use reqwest::header::HeaderMap;
use serde_json::Value;

use crate::error::{ArmError, RequestIds};
use crate::wire::Answer;

/// A good answer.
#[derive(Debug)]
pub(crate) struct Good {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    /// What it holds; empty is `None`. A body that was lost or is no JSON is an error only to whoever needs it.
    pub(crate) body: Result<Option<Value>, String>,
    pub(crate) ids: RequestIds,
}

/// What may be done after a bad answer, other than to report it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    /// Nothing.
    No,
    /// The same again, after a while.
    Later(Option<Duration>),
    /// The same again, with a new token.
    WithNewToken,
}

/// A bad answer.
#[derive(Debug)]
pub(crate) struct Bad {
    pub(crate) error: ArmError,
    pub(crate) again: Again,
}

/// The longest text that is taken from an answer into an error.
const TEXT_MAX: usize = 4096;

pub(crate) fn judge(answer: Answer, client_request_id: &str) -> Result<Good, Bad> {
    let Answer { status, headers, body } = answer;
    let ids = ids(&headers, client_request_id);
    if matches!(status, 200 | 201 | 202 | 204) {
        let body = body.and_then(|bytes| json(&bytes));
        return Ok(Good { status, headers, body, ids });
    }
    let ids = Box::new(ids);
    let (code, message) = envelope(body.as_deref().unwrap_or_default());
    let retry_after = retry_after(&headers);
    let (error, again) = match status {
        401 => {
            let message = join(&code, &message);
            (ArmError::Unauthenticated { message, ids }, Again::WithNewToken)
        }
        403 => {
            let action = quoted(&message, "action '");
            let scope = quoted(&message, "scope '");
            (ArmError::Forbidden { action, scope, code, message, ids }, Again::No)
        }
        404 => {
            let cause = headers.get("x-ms-failure-cause").and_then(|h| h.to_str().ok());
            let by_gateway = cause.is_some_and(|c| c.eq_ignore_ascii_case("gateway"));
            (ArmError::NotFound { code, message, by_gateway, ids }, Again::No)
        }
        429 => (ArmError::Throttled { retry_after, code, message, ids }, Again::Later(retry_after)),
        408 | 500 | 502..=504 => {
            let why = format!("{status} {}", join(&code, &message));
            (ArmError::Uncertain { why, ids }, Again::Later(retry_after))
        }
        400..=499 => (ArmError::Refused { status, code, message, ids }, Again::No),
        300..=399 => {
            let why = "a redirect, which is not followed".to_owned();
            (ArmError::Unexpected { status, why, ids }, Again::No)
        }
        _ => (ArmError::Unexpected { status, why: join(&code, &message), ids }, Again::No),
    };
    Err(Bad { error, again })
}

/// The names of a request, as an answer has them.
fn ids(headers: &HeaderMap, client_request_id: &str) -> RequestIds {
    let get = |name: &str| header(headers, name).map(|text| shorten(text, 128));
    RequestIds {
        client_request_id: Some(client_request_id.to_owned()),
        request_id: get("x-ms-request-id"),
        correlation_id: get("x-ms-correlation-request-id"),
        operation_identifier: get("x-ms-operation-identifier"),
    }
}

pub(crate) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim).filter(|text| !text.is_empty())
}

/// `Retry-After` in seconds, as Resource Manager writes it. A date, which HTTP allows too, is as good as none: our own waiting
/// then applies.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    header(headers, "retry-after").and_then(|text| text.parse().ok()).map(Duration::from_secs)
}

fn json(bytes: &[u8]) -> Result<Option<Value>, String> {
    if bytes.trim_ascii().is_empty() {
        return Ok(None);
    }
    // What the text is must not get into the message: it may hold anything.
    serde_json::from_slice(bytes).map(Some).map_err(|error| format!("the answer is no JSON: {error}"))
}

/// Code and message of an error. What has no envelope is shown as it is, shortened.
pub(crate) fn envelope(bytes: &[u8]) -> (String, String) {
    let value: Value = match serde_json::from_slice(bytes) {
        Ok(value) => value,
        Err(_) => return (String::new(), shorten(String::from_utf8_lossy(bytes).trim(), 200)),
    };
    let error = value.get("error").filter(|e| e.is_object()).unwrap_or(&value);
    code_and_message(error)
}

/// Code and message of an error object, with what its `details` add.
pub(crate) fn code_and_message(error: &Value) -> (String, String) {
    let text =
        |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut message = text(error, "message");
    let details = error.get("details").and_then(Value::as_array);
    for detail in details.into_iter().flatten().take(3) {
        let more = join(&text(detail, "code"), &text(detail, "message"));
        if !more.is_empty() && !message.contains(&text(detail, "message")) {
            message.push_str(if message.is_empty() { "" } else { " | " });
            message.push_str(&more);
        }
    }
    (shorten(&text(error, "code"), 256), shorten(&message, TEXT_MAX))
}

fn join(code: &str, message: &str) -> String {
    [code, message].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(": ")
}

/// A text of bounded length, without what moves a cursor.
fn shorten(text: &str, max: usize) -> String {
    text.chars().take(max).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// What stands between that word and the next quote.
fn quoted(message: &str, after: &str) -> Option<String> {
    let (_, rest) = message.split_once(after)?;
    let (text, _) = rest.split_once('\'')?;
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn answer(status: u16, set: &[(&'static str, &'static str)], body: &str) -> Answer {
        let mut headers = HeaderMap::new();
        for (name, value) in set {
            headers.insert(*name, value.parse().unwrap());
        }
        Answer { status, headers, body: Ok(body.as_bytes().to_vec()) }
    }

    fn fault(status: u16, set: &[(&'static str, &'static str)], body: &str) -> (ArmError, Again) {
        let Bad { error, again } = judge(answer(status, set, body), "me").unwrap_err();
        (error, again)
    }

    #[test]
    fn names_the_missing_permission() {
        let said = r#"{"error":{"code":"AuthorizationFailed","message":"The client 'x' with object id 'y' does not have
            authorization to perform action 'Microsoft.Sql/managedInstances/read' over scope '/subscriptions/s' or the scope is invalid."}}"#
            .replace('\n', " ");
        let (error, again) = fault(403, &[], &said);
        let ArmError::Forbidden { action, scope, .. } = &error else { panic!("{error}") };
        assert_eq!(action.as_deref(), Some("Microsoft.Sql/managedInstances/read"));
        assert_eq!(scope.as_deref(), Some("/subscriptions/s"));
        assert_eq!((again, error.is_certain()), (Again::No, true));
    }

    #[test]
    fn tells_a_missing_link_from_a_missing_instance() {
        let said = r#"{"error":{"code":"ResourceNotFound","message":"no"}}"#;
        let gateway = |set| matches!(fault(404, set, said).0, ArmError::NotFound { by_gateway: true, .. });
        assert!(gateway(&[("x-ms-failure-cause", "gateway")]));
        assert!(!gateway(&[]));
    }

    #[test]
    fn what_a_failing_server_says_proves_nothing() {
        for status in [408, 500, 502, 503, 504] {
            let (error, again) = fault(status, &[("retry-after", "7")], "<html>\u{1b}[2J</html>");
            assert!(!error.is_certain(), "{error}");
            assert!(!error.to_string().contains('\u{1b}'));
            assert_eq!(again, Again::Later(Some(Duration::from_secs(7))));
        }
        assert!(!fault(302, &[("location", "https://elsewhere/")], "").0.is_certain());
        assert!(!fault(501, &[], "").0.is_certain());
    }

    #[test]
    fn keeps_the_names_of_the_request() {
        let set = [("x-ms-request-id", "theirs"), ("x-ms-correlation-request-id", "both")];
        let (error, again) = fault(429, &set, "{}");
        assert_eq!(again, Again::Later(None));
        assert!(error.to_string().contains("client request me, request theirs, correlation both"), "{error}");
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_panic(status in 100_u16..=999, body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let answer = Answer { status, headers: HeaderMap::new(), body: Ok(body) };
            let _ = judge(answer, "me");
        }

        #[test]
        fn only_four_statuses_are_good(status in 100_u16..=999) {
            let good = judge(answer(status, &[], "{}"), "me").is_ok();
            prop_assert_eq!(good, [200, 201, 202, 204].contains(&status));
        }
    }
}
