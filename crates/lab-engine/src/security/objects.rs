//! What `master` keeps: the master key, certificates, the endpoint.

use std::collections::BTreeMap;

use lab_tsql::ast::{
    EncryptionAlgorithm, EncryptionLevel, EndpointRole, EndpointState, WindowsAuthentication,
};
use serde::{Deserialize, Serialize};

use super::crypt::{CryptError, Key, PasswordSealed, Sealed};
use crate::catalog::same_name;

/// `symmetric_key_id` of the database master key.
pub(crate) const MASTER_KEY_ID: i64 = 101;
/// Certificates of users have ids from here.
const FIRST_CERTIFICATE: i32 = 256;
/// Endpoints of users have ids from here.
pub(crate) const FIRST_ENDPOINT: i32 = 65_536;

const MASTER_KEY: &str = "database master key";

/// The database master key, under passwords and the service master key.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct MasterKey {
    pub(crate) by_passwords: Vec<PasswordSealed>,
    pub(crate) by_service: Option<Sealed>,
    pub(crate) guid: String,
    pub(crate) created: i64,
    pub(crate) modified: i64,
}

impl MasterKey {
    /// Seals a key; without a password it opens by the service key alone, as a managed instance's does.
    pub(crate) fn new(
        key: &Key,
        password: Option<&str>,
        service: &Key,
        guid: String,
        now: i64,
    ) -> Result<MasterKey, CryptError> {
        let by_passwords = password
            .map(|p| PasswordSealed::new(p, key.bytes(), MASTER_KEY))
            .transpose()?
            .into_iter()
            .collect();
        let by_service = Some(key.seal_under(service)?);
        Ok(MasterKey { by_passwords, by_service, guid, created: now, modified: now })
    }

    pub(crate) fn open_by_service(&self, service: &Key) -> Option<Key> {
        let bytes = service.open(self.by_service.as_ref()?, MASTER_KEY).ok()?;
        Key::from_bytes(&bytes)
    }

    pub(crate) fn open_by_password(&self, password: &str) -> Option<Key> {
        self.password_at(password).map(|(_, key)| key)
    }

    /// Which of its passwords this is, and the key.
    pub(crate) fn password_at(&self, password: &str) -> Option<(usize, Key)> {
        self.by_passwords.iter().enumerate().find_map(|(n, sealed)| {
            let bytes = sealed.open(password, MASTER_KEY).ok()?;
            Key::from_bytes(&bytes).map(|key| (n, key))
        })
    }

    pub(crate) fn add_password(&mut self, key: &Key, password: &str) -> Result<(), CryptError> {
        self.by_passwords.push(PasswordSealed::new(password, key.bytes(), MASTER_KEY)?);
        Ok(())
    }
}

impl Key {
    /// This key, a database's master key, under the service's.
    pub(crate) fn seal_under(&self, service: &Key) -> Result<Sealed, CryptError> {
        service.seal(self.bytes(), MASTER_KEY)
    }
}

/// How a private key is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum PrivateKeyEntry {
    /// Under the database master key.
    MasterKey(Sealed),
    /// Under a password of its own.
    Password(PasswordSealed),
}

/// `pvt_key_encryption_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyEncryption {
    NoPrivateKey,
    MasterKey,
    Password,
}

impl KeyEncryption {
    pub(crate) fn code(self) -> &'static str {
        match self {
            KeyEncryption::NoPrivateKey => "NA",
            KeyEncryption::MasterKey => "MK",
            KeyEncryption::Password => "PW",
        }
    }

    pub(crate) fn description(self) -> &'static str {
        match self {
            KeyEncryption::NoPrivateKey => "NO_PRIVATE_KEY",
            KeyEncryption::MasterKey => "ENCRYPTED_BY_MASTER_KEY",
            KeyEncryption::Password => "ENCRYPTED_BY_PASSWORD",
        }
    }
}

/// A certificate.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Certificate {
    pub(crate) id: i32,
    pub(crate) name: String,
    pub(crate) der: Vec<u8>,
    pub(crate) private_key: Option<PrivateKeyEntry>,
    pub(crate) active_for_begin_dialog: bool,
    /// What names it may vouch for, by `sp_certificate_add_issuer`.
    pub(crate) issues: Vec<String>,
    pub(crate) key_backed_up: Option<i64>,
}

impl Certificate {
    pub(crate) fn encryption(&self) -> KeyEncryption {
        match self.private_key {
            None => KeyEncryption::NoPrivateKey,
            Some(PrivateKeyEntry::MasterKey(_)) => KeyEncryption::MasterKey,
            Some(PrivateKeyEntry::Password(_)) => KeyEncryption::Password,
        }
    }

    /// What a private key of this certificate is sealed for.
    pub(crate) fn purpose(der: &[u8]) -> String {
        let thumbprint = super::x509::thumbprint(der);
        thumbprint.iter().fold("private key ".to_owned(), |text, byte| text + &format!("{byte:02X}"))
    }

    /// The private key, if it is under the master key.
    pub(crate) fn open_private_key(&self, master_key: &Key) -> Option<Vec<u8>> {
        match self.private_key.as_ref()? {
            PrivateKeyEntry::MasterKey(sealed) => {
                master_key.open(sealed, &Certificate::purpose(&self.der)).ok()
            }
            PrivateKeyEntry::Password(_) => None,
        }
    }
}

/// The mirroring endpoint.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Endpoint {
    pub(crate) id: i32,
    pub(crate) name: String,
    /// STARTED, STOPPED, DISABLED.
    pub(crate) state: String,
    pub(crate) port: u16,
    /// `None` for all addresses.
    pub(crate) ip: Option<std::net::IpAddr>,
    pub(crate) role: String,
    /// NEGOTIATE, NTLM or KERBEROS.
    pub(crate) windows: Option<String>,
    pub(crate) certificate: Option<i32>,
    pub(crate) certificate_first: bool,
    /// DISABLED, SUPPORTED, REQUIRED.
    pub(crate) encryption: String,
    /// In the order of preference.
    pub(crate) algorithms: Vec<String>,
    /// Principals that may connect, by their ids, and whether they are denied instead.
    pub(crate) connect: BTreeMap<i32, bool>,
}

/// The variant of a set of words that a kept word is; the first one if an older version wrote something else.
fn word_of<T: Copy>(all: &[T], word: fn(T) -> &'static str, kept: &str) -> Option<T> {
    all.iter().copied().find(|value| word(*value) == kept)
}

impl Endpoint {
    pub(crate) fn state(&self) -> EndpointState {
        word_of(EndpointState::ALL, EndpointState::word, &self.state).unwrap_or(EndpointState::Stopped)
    }

    pub(crate) fn role(&self) -> EndpointRole {
        word_of(EndpointRole::ALL, EndpointRole::word, &self.role).unwrap_or(EndpointRole::All)
    }

    pub(crate) fn encryption(&self) -> EncryptionLevel {
        word_of(EncryptionLevel::ALL, EncryptionLevel::word, &self.encryption)
            .unwrap_or(EncryptionLevel::Required)
    }

    pub(crate) fn windows(&self) -> Option<WindowsAuthentication> {
        word_of(WindowsAuthentication::ALL, WindowsAuthentication::word, self.windows.as_deref()?)
    }

    pub(crate) fn algorithms(&self) -> Vec<EncryptionAlgorithm> {
        let known = |kept: &String| word_of(EncryptionAlgorithm::ALL, EncryptionAlgorithm::word, kept);
        self.algorithms.iter().filter_map(known).collect()
    }
}

/// All of it, as the server has it in memory.
#[derive(Debug, Clone, Default)]
pub(crate) struct Security {
    pub(crate) master_key: Option<MasterKey>,
    pub(crate) certificates: BTreeMap<i32, Certificate>,
    pub(crate) endpoint: Option<Endpoint>,
}

impl Security {
    pub(crate) fn certificate_named(&self, name: &str) -> Option<&Certificate> {
        self.certificates.values().find(|c| same_name(&c.name, name))
    }

    pub(crate) fn next_certificate_id(&self) -> i32 {
        self.certificates.keys().next_back().map_or(FIRST_CERTIFICATE, |last| last + 1)
    }

    pub(crate) fn endpoint_named(&self, name: &str) -> Option<&Endpoint> {
        self.endpoint.as_ref().filter(|e| same_name(&e.name, name))
    }
}
