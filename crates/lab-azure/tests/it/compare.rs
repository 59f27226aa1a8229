//! Comparing what was recorded with what is answered: field by field, each value by what kind of value it is.

use std::collections::BTreeSet;

use serde_json::Value;

/// What a text is, where it is not the same each time.
fn kind(text: &str) -> Option<&'static str> {
    let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    let guid = text.len() == 36
        && text.split('-').map(str::len).eq([8, 4, 4, 4, 12])
        && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    if guid {
        return Some("guid");
    }
    let time = text.len() >= 20 && text.ends_with('Z') && text.as_bytes().get(10) == Some(&b'T');
    if time {
        return Some("time");
    }
    digits(text).then_some("number as text")
}

/// A difference: where, what was recorded, and what is answered.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Difference {
    pub(crate) recording: String,
    pub(crate) exchange: String,
    pub(crate) place: String,
    pub(crate) recorded: String,
    pub(crate) answered: String,
}

/// What two values differ by. Names have been mapped already.
pub(crate) fn differences(
    recorded: &Value,
    answered: &Value,
    place: &str,
    out: &mut Vec<(String, String, String)>,
) {
    match (recorded, answered) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let inner = format!("{place}.{key}");
                match (a.get(key), b.get(key)) {
                    (Some(a), Some(b)) => differences(a, b, &inner, out),
                    (Some(a), None) => out.push((inner, short(a), "absent".to_owned())),
                    (None, Some(b)) => out.push((inner, "absent".to_owned(), short(b))),
                    (None, None) => {}
                }
            }
        }
        (Value::Array(a), Value::Array(b)) => {
            if a.len() != b.len() {
                out.push((format!("{place}[]"), format!("{} items", a.len()), format!("{} items", b.len())));
            }
            // Databases come in no order that means anything.
            let named = |list: &[Value]| {
                let mut list = list.to_vec();
                list.sort_by_key(|v| v["databaseName"].as_str().unwrap_or_default().to_owned());
                list
            };
            for (a, b) in named(a).iter().zip(&named(b)) {
                differences(a, b, &format!("{place}[]"), out);
            }
        }
        (Value::String(a), Value::String(b)) => {
            let same = a == b || kind(a).is_some_and(|k| Some(k) == kind(b));
            if !same {
                out.push((place.to_owned(), short(recorded), short(answered)));
            }
        }
        (a, b) if a == b => {}
        (a, b) => out.push((place.to_owned(), short(a), short(b))),
    }
}

/// A value, with what is different each time taken out: differences are listed, and the list must not change.
fn short(value: &Value) -> String {
    match value {
        Value::String(text) => match kind(text) {
            Some(kind) => format!("a {kind}"),
            None => format!("\"{text}\""),
        },
        Value::Object(_) => "an object".to_owned(),
        Value::Array(list) => format!("{} items", list.len()),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_difference_is_found_wherever_it_is() {
        let of = |a: Value, b: Value| {
            let mut out = Vec::new();
            differences(&a, &b, "", &mut out);
            out.into_iter().map(|(place, a, b)| format!("{place}: {a} / {b}")).collect::<Vec<_>>()
        };
        assert!(of(json!({"a": "2026-08-11T10:58:29.89Z"}), json!({"a": "2024-08-11T10:58:29Z"})).is_empty());
        assert!(
            of(
                json!([{"databaseName": "a"}, {"databaseName": "b"}]),
                json!([{"databaseName": "b"}, {"databaseName": "a"}])
            )
            .is_empty()
        );
        assert_eq!(
            of(json!({"a": "x", "b": 1}), json!({"a": "y", "c": 1})),
            [".a: \"x\" / \"y\"", ".b: 1 / absent", ".c: absent / 1"]
        );
        assert_eq!(of(json!([1]), json!([])), ["[]: 1 items / 0 items"]);
        assert_eq!(of(json!({"a": "1"}), json!({"a": 1})), [".a: a number as text / 1"]);
        assert_eq!(of(json!("0a-1"), json!("2026-08-11T10:58:29Z")), [": \"0a-1\" / a time"]);
    }
}
