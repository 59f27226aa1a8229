//! Where secrets are kept. A secret itself is never written down: a context holds a reference to it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use milink_sql::Secret;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::environment::Environment;
use crate::exit::{Exit, Failure};

/// Where a secret is kept: what a context may hold in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SecretRef {
    /// An environment variable.
    Environment(String),
    /// A file, whose last line end is no part of it.
    File(PathBuf),
    /// The platform's keyring.
    Keyring {
        /// The name of the service.
        service: String,
        /// The name of the account.
        user: String,
    },
}

/// How a reference is written.
pub(crate) const FORMS: &str = "env:NAME, file:PATH or keyring:SERVICE/USER";

impl FromStr for SecretRef {
    type Err = String;

    /// The error never holds the text: who writes a secret here by mistake must not see it in a log.
    fn from_str(text: &str) -> Result<SecretRef, String> {
        let wrong =
            || format!("this is no reference to a secret; write {FORMS}, and never the secret itself");
        let (kind, rest) = text.split_once(':').ok_or_else(wrong)?;
        match kind {
            "env" if is_variable(rest) => Ok(SecretRef::Environment(rest.to_owned())),
            "file" if !rest.is_empty() => Ok(SecretRef::File(PathBuf::from(rest))),
            "keyring" => match rest.split_once('/') {
                Some((service, user)) if !service.is_empty() && !user.is_empty() => {
                    Ok(SecretRef::Keyring { service: service.to_owned(), user: user.to_owned() })
                }
                _ => Err(wrong()),
            },
            _ => Err(wrong()),
        }
    }
}

fn is_variable(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SecretRef::Environment(name) => write!(f, "env:{name}"),
            SecretRef::File(path) => write!(f, "file:{}", path.display()),
            SecretRef::Keyring { service, user } => write!(f, "keyring:{service}/{user}"),
        }
    }
}

impl Serialize for SecretRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SecretRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<SecretRef, D::Error> {
        let text = String::deserialize(deserializer).map_err(|_| serde::de::Error::custom(FORMS))?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl SecretRef {
    /// Reads the secret.
    ///
    /// # Errors
    /// It is not there, or cannot be read.
    pub(crate) fn read(&self, environment: &Environment) -> Result<Secret, Failure> {
        match self {
            SecretRef::Environment(name) => environment.get(name)?.map(Secret::new).ok_or_else(|| {
                self.missing("the variable is not set".to_owned(), format!("set it: export {name}=..."))
            }),
            SecretRef::File(path) => {
                let text = std::fs::read_to_string(path).map_err(|e| {
                    self.missing(
                        e.to_string(),
                        "make the file readable for you, and for nobody else".to_owned(),
                    )
                })?;
                let text = text.strip_suffix('\n').unwrap_or(&text);
                let text = text.strip_suffix('\r').unwrap_or(text);
                if text.is_empty() {
                    let next = "write the secret into it".to_owned();
                    return Err(self.missing("the file is empty".to_owned(), next));
                }
                Ok(Secret::new(text.to_owned()))
            }
            SecretRef::Keyring { service, user } => super::keyring::read(service, user).map_err(|e| {
                self.missing(
                    e,
                    format!("see whether the keyring has '{service}' for '{user}' and is unlocked"),
                )
            }),
        }
    }

    fn missing(&self, why: String, next: String) -> Failure {
        Failure {
            code: Exit::NotFound,
            ..Failure::arguments(format!("the secret cannot be read: {why}"), self.to_string(), next)
        }
    }
}

/// A secret, or where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Given {
    /// Itself, from a flag or a variable.
    Itself(Secret),
    /// Where it is; read only when it is needed, since a keyring may ask its owner.
    At(SecretRef),
}

impl Given {
    pub(super) fn read(&self, environment: &Environment) -> Result<Secret, Failure> {
        match self {
            Given::Itself(secret) => Ok(secret.clone()),
            Given::At(place) => place.read(environment),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references() {
        for text in ["env:SQLCMDPASSWORD", "file:/run/secrets/sa", "keyring:milink/sa@prod"] {
            assert_eq!(text.parse::<SecretRef>().map(|r| r.to_string()).as_deref(), Ok(text));
        }
        for wrong in ["hunter2", "env:", "env:A B", "keyring:x", "keyring:/x", "pass:word", "file:"] {
            let e = wrong.parse::<SecretRef>().unwrap_err();
            assert!(
                !e.contains("hunter2") && !e.contains("word;") && e.contains("keyring:SERVICE/USER"),
                "{e}"
            );
        }
    }

    #[test]
    fn files_and_variables() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, "a b\r\n").unwrap();
        let environment = Environment::of([("PW", "x")]);
        assert_eq!(SecretRef::File(path).read(&environment).unwrap().expose(), "a b");
        assert_eq!(SecretRef::Environment("PW".to_owned()).read(&environment).unwrap().expose(), "x");
        let e = SecretRef::Environment("NONE".to_owned()).read(&environment).unwrap_err();
        assert_eq!((e.code, e.where_.as_str()), (Exit::NotFound, "env:NONE"));
        let e = SecretRef::File("/nowhere/at/all".into()).read(&environment).unwrap_err();
        assert!(e.to_string().contains("/nowhere/at/all"), "{e}");
    }
}
