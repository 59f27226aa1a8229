//! Sealing secrets: AES-256-GCM under keys of 32 bytes, which passwords become by PBKDF2.

use pbkdf2::pbkdf2_hmac;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use serde::{Deserialize, Serialize};
use sha2::Sha512;

/// Rounds of PBKDF2-HMAC-SHA512, as for the passwords of logins.
const ROUNDS: u32 = 210_000;
const SALT: usize = 16;

/// A key. It prints as `***` and is wiped when it goes.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Key([u8; 32]);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        // Volatile writes need `unsafe`, which this crate does not have; a plain one is better than none.
        self.0 = std::hint::black_box([0; 32]);
    }
}

/// The operating system gives no random bytes, or what is sealed cannot be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CryptError {
    NoRandomness,
    WrongKey,
}

impl Key {
    pub(crate) fn random() -> Result<Key, CryptError> {
        Ok(Key(random()?))
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Key> {
        bytes.try_into().ok().map(Key)
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    fn derived(password: &str, salt: &[u8], rounds: u32) -> Key {
        let mut out = [0; 32];
        pbkdf2_hmac::<Sha512>(password.as_bytes(), salt, rounds, &mut out);
        Key(out)
    }

    fn cipher(&self) -> Result<LessSafeKey, CryptError> {
        UnboundKey::new(&AES_256_GCM, &self.0).map(LessSafeKey::new).map_err(|_| CryptError::WrongKey)
    }

    /// Seals `secret`, bound to `purpose`: what was sealed for one thing does not open as another.
    pub(crate) fn seal(&self, secret: &[u8], purpose: &str) -> Result<Sealed, CryptError> {
        let nonce: [u8; NONCE_LEN] = random()?;
        let mut bytes = secret.to_vec();
        self.cipher()?
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(purpose.as_bytes()),
                &mut bytes,
            )
            .map_err(|_| CryptError::WrongKey)?;
        Ok(Sealed { nonce: nonce.to_vec(), bytes })
    }

    pub(crate) fn open(&self, sealed: &Sealed, purpose: &str) -> Result<Vec<u8>, CryptError> {
        let nonce = sealed.nonce.as_slice().try_into().map_err(|_| CryptError::WrongKey)?;
        let mut bytes = sealed.bytes.clone();
        let opened = self
            .cipher()?
            .open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from(purpose.as_bytes()), &mut bytes)
            .map_err(|_| CryptError::WrongKey)?;
        Ok(opened.to_vec())
    }
}

fn random<const N: usize>() -> Result<[u8; N], CryptError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| CryptError::NoRandomness)?;
    Ok(bytes)
}

/// A secret under a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sealed {
    nonce: Vec<u8>,
    bytes: Vec<u8>,
}

/// A secret under a password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PasswordSealed {
    rounds: u32,
    salt: Vec<u8>,
    sealed: Sealed,
}

impl PasswordSealed {
    pub(crate) fn new(password: &str, secret: &[u8], purpose: &str) -> Result<PasswordSealed, CryptError> {
        let salt: [u8; SALT] = random()?;
        let sealed = Key::derived(password, &salt, ROUNDS).seal(secret, purpose)?;
        Ok(PasswordSealed { rounds: ROUNDS, salt: salt.to_vec(), sealed })
    }

    pub(crate) fn open(&self, password: &str, purpose: &str) -> Result<Vec<u8>, CryptError> {
        // Read from a file that anybody may have written: rounds beyond reason would only take time.
        if self.rounds > 10 * ROUNDS {
            return Err(CryptError::WrongKey);
        }
        Key::derived(password, &self.salt, self.rounds).open(&self.sealed, purpose)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_with_its_key_and_purpose_only() {
        let (key, other) = (Key::random().unwrap(), Key::random().unwrap());
        let sealed = key.seal(b"secret", "a").unwrap();
        assert_eq!(key.open(&sealed, "a").unwrap(), b"secret");
        assert_eq!(key.open(&sealed, "b"), Err(CryptError::WrongKey));
        assert_eq!(other.open(&sealed, "a"), Err(CryptError::WrongKey));
        let mut broken = sealed.clone();
        broken.bytes[0] ^= 1;
        assert_eq!(key.open(&broken, "a"), Err(CryptError::WrongKey));
        assert_eq!(format!("{key:?}"), "***");
        let sealed = PasswordSealed::new("pass", b"secret", "a").unwrap();
        assert_eq!(sealed.open("pass", "a").unwrap(), b"secret");
        assert_eq!(sealed.open("Pass", "a"), Err(CryptError::WrongKey));
    }
}
