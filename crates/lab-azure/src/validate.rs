//! Reading bodies: each value by its name, of its type, and nothing is taken for what it is not.

use serde_json::{Map, Value};

use crate::error::ArmError;

/// The longest name of an object of SQL Server.
pub(crate) const NAME_MAX: usize = 128;

/// A body, or an object within it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Object<'a> {
    map: &'a Map<String, Value>,
    /// Where it is, for messages.
    at: &'a str,
}

/// Reads a body as a JSON object.
pub(crate) fn parse(body: &[u8]) -> Result<Value, ArmError> {
    let value: Value = serde_json::from_slice(body).map_err(|e| ArmError::bad_content(&e.to_string()))?;
    if value.is_object() { Ok(value) } else { Err(ArmError::bad_content("a JSON object was expected")) }
}

impl<'a> Object<'a> {
    /// What was read with [`parse`].
    pub(crate) fn new(value: &'a Value, at: &'a str) -> Result<Object<'a>, ArmError> {
        let map = value.as_object().ok_or_else(|| ArmError::bad_body(at))?;
        Ok(Object { map, at })
    }

    /// A property by its name in any case; null is as good as absent.
    fn get(&self, name: &str) -> Option<&'a Value> {
        let found = self.map.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value).filter(|value| !value.is_null())
    }

    fn wrong(&self, name: &str) -> ArmError {
        ArmError::bad_body(&if self.at.is_empty() { name.to_owned() } else { format!("{}.{name}", self.at) })
    }

    /// An object.
    pub(crate) fn object(&self, name: &'a str) -> Result<Option<Object<'a>>, ArmError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let map = value.as_object().ok_or_else(|| self.wrong(name))?;
        Ok(Some(Object { map, at: name }))
    }

    /// A text.
    pub(crate) fn text(&self, name: &str) -> Result<Option<&'a str>, ArmError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        value.as_str().map(Some).ok_or_else(|| self.wrong(name))
    }

    /// A list.
    pub(crate) fn list(&self, name: &str) -> Result<Option<&'a [Value]>, ArmError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        value.as_array().map(|list| Some(list.as_slice())).ok_or_else(|| self.wrong(name))
    }

    /// A whole number.
    pub(crate) fn number(&self, name: &str) -> Result<Option<i64>, ArmError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        value.as_i64().map(Some).ok_or_else(|| self.wrong(name))
    }

    /// True or false.
    pub(crate) fn truth(&self, name: &str) -> Result<Option<bool>, ArmError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        value.as_bool().map(Some).ok_or_else(|| self.wrong(name))
    }

    /// One of some words, in any case. Azure names the parameter with a capital.
    pub(crate) fn word<T: Copy>(&self, name: &str, words: &[(&str, T)]) -> Result<Option<T>, ArmError> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let found = words.iter().find(|(word, _)| word.eq_ignore_ascii_case(text));
        found.map(|(_, value)| Some(*value)).ok_or_else(|| ArmError::bad_value(&capital(name)))
    }

    /// The properties, in their order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'a str> {
        self.map.keys().map(String::as_str)
    }

    /// Texts by their names: tags.
    pub(crate) fn texts(&self) -> Result<Vec<(String, String)>, ArmError> {
        let text = |(key, value): (&String, &Value)| {
            let value = value.as_str().ok_or_else(|| self.wrong(key))?;
            Ok((key.clone(), value.to_owned()))
        };
        self.map.iter().map(text).collect()
    }
}

fn capital(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map(|first| first.to_ascii_uppercase().to_string() + chars.as_str()).unwrap_or_default()
}

/// Whether a text can be the name of a resource.
pub(crate) fn is_name(text: &str) -> bool {
    let bad = |c: char| c.is_control() || "<>%&\\?/".contains(c);
    !text.trim().is_empty() && text.chars().count() <= NAME_MAX && !text.chars().any(bad)
}

/// The name of a resource in a path.
pub(crate) fn name(text: &str) -> Result<String, ArmError> {
    if is_name(text) { Ok(text.to_owned()) } else { Err(ArmError::bad_name(text, NAME_MAX)) }
}

/// `tcp://host:port`.
pub(crate) fn is_endpoint(text: &str) -> bool {
    let Some((scheme, address)) = text.split_once("://") else { return false };
    let Some((host, port)) = address.rsplit_once(':') else { return false };
    let good = |c: char| c.is_ascii_alphanumeric() || ".-_:[]".contains(c);
    scheme.eq_ignore_ascii_case("tcp")
        && !host.is_empty()
        && host.len() <= 255
        && host.chars().all(good)
        && port.parse::<u16>().is_ok_and(|p| p != 0)
}

/// Hexadecimal, with or without `0x`.
pub(crate) fn hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text).as_bytes();
    if digits.is_empty() || !digits.len().is_multiple_of(2) {
        return None;
    }
    let digit = |b: u8| char::from(b).to_digit(16).map(|d| d as u8);
    digits.chunks_exact(2).map(|pair| Some(digit(*pair.first()?)? << 4 | digit(*pair.get(1)?)?)).collect()
}

/// Upper-case hexadecimal, as Azure answers it.
pub(crate) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02X}")).collect()
}

/// `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx`.
pub(crate) fn is_guid(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    parts.iter().map(|p| p.len()).eq([8, 4, 4, 4, 12])
        && parts.iter().all(|p| p.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// `YYYY-MM-DD`, with `-preview` or without; the date alone comes back.
pub(crate) fn api_date(version: &str) -> Option<&str> {
    let date = version.strip_suffix("-preview").unwrap_or(version);
    let parts: Vec<&str> = date.split('-').collect();
    let [year, month, day] = parts.as_slice() else { return None };
    let digits = [year, month, day].iter().all(|p| p.bytes().all(|b| b.is_ascii_digit()));
    let within =
        |part: &str, most: u8| part.len() == 2 && part.parse::<u8>().is_ok_and(|n| (1..=most).contains(&n));
    (digits && year.len() == 4 && within(month, 12) && within(day, 31)).then_some(date)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_of_their_types() {
        let body = json!({"Text": "a", "list": [1], "number": 4, "null": null, "inner": {"mode": "sync"}});
        let object = Object::new(&body, "").unwrap();
        assert_eq!(object.text("text").unwrap(), Some("a"));
        assert_eq!(object.text("null").unwrap(), None);
        assert_eq!(object.text("list").unwrap_err().code, "InvalidResourceRequestBody");
        assert_eq!(object.number("number").unwrap(), Some(4));
        let inner = object.object("inner").unwrap().unwrap();
        assert_eq!(inner.word("mode", &[("Sync", 1)]).unwrap(), Some(1));
        let error = inner.word("mode", &[("Async", 1)]).unwrap_err();
        assert!(error.message.contains("parameter Mode"), "{}", error.message);
        assert!(inner.number("mode").unwrap_err().message.contains("inner.mode"));
    }

    #[test]
    fn names_versions_and_endpoints_have_their_forms() {
        assert!(is_name("Link 1") && !is_name(" ") && !is_name("a/b") && !is_name(&"n".repeat(129)));
        assert!(is_endpoint("tcp://10.0.1.8:5022") && is_endpoint("TCP://[::1]:5022"));
        for bad in ["not_valid_value", "tcp://:5022", "tcp://h", "tcp://h:0", "tcp://h:70000", "http://h:1"] {
            assert!(!is_endpoint(bad), "{bad}");
        }
        assert_eq!(api_date("2025-08-01-preview"), Some("2025-08-01"));
        for bad in ["2025-8-1", "2025-13-01", "latest", "2025-01-01-beta", "", "+025-01-01"] {
            assert_eq!(api_date(bad), None, "{bad}");
        }
        assert_eq!(hex("0x30fF"), Some(vec![0x30, 0xff]));
        assert_eq!((hex("0x"), hex("3"), hex("zz"), hex("é")), (None, None, None, None));
        assert!(is_guid("1ab00000-0000-4000-8000-000000000001") && !is_guid("1ab00000"));
    }
}
