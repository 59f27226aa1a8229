//! Tokens: JSON Web Tokens signed with ES256, and the signatures in the addresses of operations.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, UnparsedPublicKey,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::folder::{Folder, FolderError, Readable, failed};

const KEY: &str = "token-key.pk8";

/// Signs and checks.
pub(crate) struct Signer {
    pair: EcdsaKeyPair,
    random: SystemRandom,
    /// The key's name in tokens: of its own hash.
    key_id: String,
}

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claims {
    /// Whom it is for.
    pub(crate) aud: String,
    /// Who made it.
    pub(crate) iss: String,
    /// Seconds since 1970.
    pub(crate) iat: i64,
    pub(crate) nbf: i64,
    pub(crate) exp: i64,
    /// The client.
    pub(crate) appid: String,
    /// Its object in the directory.
    pub(crate) oid: String,
    pub(crate) sub: String,
    pub(crate) tid: String,
    pub(crate) ver: String,
    pub(crate) idtyp: String,
}

fn new_key() -> Result<Vec<u8>, ring::error::Unspecified> {
    let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())?;
    Ok(made.as_ref().to_vec())
}

impl Signer {
    /// Reads the key, making it first if it is not there.
    ///
    /// # Errors
    /// The file cannot be read or written, or holds no such key.
    pub(crate) fn open(folder: &Folder) -> Result<Signer, FolderError> {
        let file = folder.file(KEY);
        let pkcs8 = match folder.read(KEY)? {
            Some(bytes) => bytes,
            None => {
                let made = new_key().map_err(|e| failed(&file, e))?;
                folder.write(KEY, &made, Readable::ByOwner)?;
                made
            }
        };
        Signer::with_key(&pkcs8).map_err(|e| failed(&file, e))
    }

    /// One with a key that nobody has seen, and that is kept nowhere.
    ///
    /// # Errors
    /// There is no randomness.
    pub(crate) fn fresh() -> Result<Signer, String> {
        Signer::with_key(&new_key().map_err(|e| e.to_string())?).map_err(|e| e.to_string())
    }

    fn with_key(pkcs8: &[u8]) -> Result<Signer, ring::error::KeyRejected> {
        let random = SystemRandom::new();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8, &random)?;
        let digest = ring::digest::digest(&ring::digest::SHA256, pair.public_key().as_ref());
        let key_id = BASE64.encode(digest.as_ref().get(..20).unwrap_or_default());
        Ok(Signer { pair, random, key_id })
    }

    /// A signature, in the letters of addresses.
    pub(crate) fn sign(&self, text: &str) -> Option<String> {
        // It fails if there is no randomness: then nothing may be signed.
        self.pair.sign(&self.random, text.as_bytes()).ok().map(|s| BASE64.encode(s.as_ref()))
    }

    /// Whether a signature of [`Signer::sign`] belongs to a text.
    pub(crate) fn verifies(&self, text: &str, signature: &str) -> bool {
        let Ok(signature) = BASE64.decode(signature) else { return false };
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, self.pair.public_key().as_ref());
        key.verify(text.as_bytes(), &signature).is_ok()
    }

    /// Makes a token.
    pub(crate) fn token(&self, claims: &Claims) -> Option<String> {
        let header = json!({"typ": "JWT", "alg": "ES256", "kid": self.key_id});
        let part = |value: &Value| BASE64.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(&serde_json::to_value(claims).ok()?));
        Some(format!("{signed}.{}", self.sign(&signed)?))
    }

    /// What a token says, if it is one of ours. Whether it is still good, and for whom, is for the caller to see.
    pub(crate) fn read(&self, token: &str) -> Option<Claims> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let header: Value = serde_json::from_slice(&BASE64.decode(header).ok()?).ok()?;
        // The algorithm is ours to choose, not the token's.
        if header.get("alg").and_then(Value::as_str) != Some("ES256") || !self.verifies(signed, signature) {
            return None;
        }
        serde_json::from_slice(&BASE64.decode(claims).ok()?).ok()
    }

    /// The public key, as `/discovery/keys` shows it (RFC 7517).
    pub(crate) fn key_set(&self) -> Value {
        // 0x04, x, y: an uncompressed point.
        let point = self.pair.public_key().as_ref();
        let part = |range: std::ops::Range<usize>| BASE64.encode(point.get(range).unwrap_or_default());
        json!({"keys": [{
            "kty": "EC", "use": "sig", "alg": "ES256", "crv": "P-256", "kid": self.key_id,
            "x": part(1..33), "y": part(33..65),
        }]})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims() -> Claims {
        Claims {
            aud: "https://localhost:1".to_owned(),
            iss: "https://localhost:1/t/".to_owned(),
            iat: 1,
            nbf: 1,
            exp: 2,
            appid: "a".to_owned(),
            oid: "o".to_owned(),
            sub: "o".to_owned(),
            tid: "t".to_owned(),
            ver: "1.0".to_owned(),
            idtyp: "app".to_owned(),
        }
    }

    #[test]
    fn only_our_own_tokens_are_read() {
        let temp = tempfile::tempdir().unwrap();
        let folder = Folder::open(temp.path().to_owned()).unwrap();
        let signer = Signer::open(&folder).unwrap();
        let token = signer.token(&claims()).unwrap();
        assert_eq!(signer.read(&token), Some(claims()));
        assert_eq!(Signer::open(&folder).unwrap().read(&token), Some(claims()), "the key is kept");

        let [header, body, signature]: [&str; 3] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
        let none = BASE64.encode(json!({"alg": "none", "typ": "JWT"}).to_string());
        let other = BASE64.encode(json!({"aud": "x"}).to_string());
        let elsewhere = tempfile::tempdir().unwrap();
        let stranger = Signer::open(&Folder::open(elsewhere.path().to_owned()).unwrap()).unwrap();
        for forged in [
            format!("{none}.{body}."),
            format!("{none}.{body}.{signature}"),
            format!("{header}.{other}.{signature}"),
            format!("{header}.{body}"),
            stranger.token(&claims()).unwrap(),
            String::new(),
            "..".to_owned(),
            "é.é.é".to_owned(),
        ] {
            assert_eq!(signer.read(&forged), None, "{forged}");
        }
    }

    #[test]
    fn the_published_key_checks_what_was_signed() {
        let temp = tempfile::tempdir().unwrap();
        let signer = Signer::open(&Folder::open(temp.path().to_owned()).unwrap()).unwrap();
        let set = signer.key_set();
        let number = |name: &str| BASE64.decode(set["keys"][0][name].as_str().unwrap()).unwrap();
        let point = [vec![4], number("x"), number("y")].concat();
        let signature = BASE64.decode(signer.sign("text").unwrap()).unwrap();
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
        key.verify(b"text", &signature).unwrap();
    }
}
