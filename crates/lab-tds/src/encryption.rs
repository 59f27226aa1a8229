//! Who encrypts what: a decision from what the client asks and how the server is set (2.2.6.5, ENCRYPTION).

use crate::prelogin::EncryptionOption;

/// How the server is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerEncryption {
    /// The server has no certificate.
    Unsupported,
    /// The client chooses; the login packet is encrypted whenever it can be.
    Optional,
    /// Force Encryption.
    Required,
}

/// What travels encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// Nothing.
    Plain,
    /// LOGIN7 alone: after it the TLS session is left behind.
    LoginOnly,
    /// Everything from LOGIN7 on.
    Full,
}

/// The outcome of PRELOGIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Negotiated {
    /// What the PRELOGIN answer says.
    pub answer: EncryptionOption,
    /// `None`: the two cannot agree, and the connection is closed after the answer.
    pub wire: Option<Wire>,
}

/// Decides about encryption inside TDS. `client` is `None` if PRELOGIN or its ENCRYPTION option was missing. Strict
/// connections are encrypted before the first TDS byte and do not come here.
pub fn negotiate(client: Option<EncryptionOption>, server: ServerEncryption) -> Negotiated {
    let agreed = |answer, wire| Negotiated { answer, wire: Some(wire) };
    let refused = |answer| Negotiated { answer, wire: None };
    let client = client.unwrap_or(EncryptionOption::NOT_SUPPORTED).without_certificate_bit();
    match (client, server) {
        (EncryptionOption::OFF, ServerEncryption::Optional) => agreed(EncryptionOption::OFF, Wire::LoginOnly),
        (EncryptionOption::OFF, ServerEncryption::Required) => agreed(EncryptionOption::REQUIRED, Wire::Full),
        (EncryptionOption::OFF, ServerEncryption::Unsupported) => {
            agreed(EncryptionOption::NOT_SUPPORTED, Wire::Plain)
        }
        // REQUIRED is a server's word in the specification, but clients say it too.
        (
            EncryptionOption::ON | EncryptionOption::REQUIRED,
            ServerEncryption::Optional | ServerEncryption::Required,
        ) => agreed(EncryptionOption::ON, Wire::Full),
        (EncryptionOption::ON | EncryptionOption::REQUIRED, ServerEncryption::Unsupported) => {
            refused(EncryptionOption::NOT_SUPPORTED)
        }
        // What is not understood cannot be relied on for encryption.
        (_, ServerEncryption::Optional | ServerEncryption::Unsupported) => {
            agreed(EncryptionOption::NOT_SUPPORTED, Wire::Plain)
        }
        (_, ServerEncryption::Required) => refused(EncryptionOption::REQUIRED),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use EncryptionOption as E;
    use ServerEncryption::*;

    #[test]
    fn the_whole_table() {
        let check = |client, server, answer, wire| {
            assert_eq!(negotiate(client, server), Negotiated { answer, wire }, "{client:?} {server:?}");
        };
        check(Some(E::OFF), Optional, E::OFF, Some(Wire::LoginOnly));
        check(Some(E::OFF), Required, E::REQUIRED, Some(Wire::Full));
        check(Some(E::OFF), Unsupported, E::NOT_SUPPORTED, Some(Wire::Plain));
        check(Some(E::ON), Optional, E::ON, Some(Wire::Full));
        check(Some(E::ON), Required, E::ON, Some(Wire::Full));
        check(Some(E::ON), Unsupported, E::NOT_SUPPORTED, None);
        check(Some(E::NOT_SUPPORTED), Optional, E::NOT_SUPPORTED, Some(Wire::Plain));
        check(Some(E::NOT_SUPPORTED), Required, E::REQUIRED, None);
        check(Some(E::REQUIRED), Optional, E::ON, Some(Wire::Full));
        check(None, Optional, E::NOT_SUPPORTED, Some(Wire::Plain));
        check(None, Required, E::REQUIRED, None);
        check(Some(E(0x80)), Optional, E::OFF, Some(Wire::LoginOnly));
    }
}
