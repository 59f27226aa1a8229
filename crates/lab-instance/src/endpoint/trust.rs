//! Who is who: the certificate that an endpoint shows, and those that it accepts.
//!
//! Trust is what was exchanged by hand: a peer is accepted if the certificate it shows is, byte for byte, one that was imported
//! here. Chains, names inside of certificates and revocation say nothing.

use std::sync::Arc;
use std::time::SystemTime;

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// The certificate and key by which an endpoint is known.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    /// The certificate.
    pub certificate_der: Vec<u8>,
    /// Its private key.
    pub private_key_pkcs8: Vec<u8>,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Identity({}, ***)", Thumbprint::of(&self.certificate_der))
    }
}

/// SHA-256 of a certificate. (`sys.certificates.thumbprint` is SHA-1, which is not for telling friend from foe.)
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Thumbprint([u8; 32]);

impl Thumbprint {
    /// That of a certificate.
    pub fn of(certificate_der: &[u8]) -> Thumbprint {
        Thumbprint(Sha256::digest(certificate_der).into())
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl std::fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

impl std::fmt::Debug for Thumbprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

/// A certificate of `sys.certificates` that a peer may show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinnedCertificate {
    /// Its name in `sys.certificates`; for a managed instance, that must be its host name.
    pub name: String,
    /// The certificate.
    pub der: Vec<u8>,
    /// From when it is valid.
    pub not_before: SystemTime,
    /// Until when.
    pub not_after: SystemTime,
}

/// All certificates that peers may show.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    pins: Vec<(Thumbprint, Arc<PinnedCertificate>)>,
}

/// Why a certificate is not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// It was never exchanged.
    NotFound,
    /// Another certificate of the same issuer and serial number was: this one is a forgery, or was made anew.
    OtherThan {
        /// The name of the one that is here.
        name: String,
    },
    /// It was exchanged under another name than the host that was dialed.
    OtherName {
        /// The host that was dialed.
        wanted: String,
        /// The name that the certificate has here.
        found: String,
    },
    /// Its time has not come.
    NotYetValid {
        /// Its name here.
        name: String,
    },
    /// Its time is over.
    Expired {
        /// Its name here.
        name: String,
    },
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Refusal::NotFound => f.write_str("the peer's certificate was not imported here"),
            Refusal::OtherThan { name } => write!(
                f,
                "the peer's certificate is not the one imported as '{name}', though issuer and serial number are the same"
            ),
            Refusal::OtherName { wanted, found } => {
                write!(
                    f,
                    "the peer's certificate was imported as '{found}', but must have the name '{wanted}'"
                )
            }
            Refusal::NotYetValid { name } => write!(f, "the certificate '{name}' is not valid yet"),
            Refusal::Expired { name } => write!(f, "the certificate '{name}' has expired"),
        }
    }
}

impl std::error::Error for Refusal {}

impl Trust {
    /// Trust in these certificates and no others.
    pub fn new(certificates: Vec<PinnedCertificate>) -> Trust {
        Trust { pins: certificates.into_iter().map(|c| (Thumbprint::of(&c.der), Arc::new(c))).collect() }
    }

    /// Whether a certificate is among them, whatever its time.
    pub fn contains(&self, der: &[u8]) -> bool {
        self.same(der).next().is_some()
    }

    /// The certificate that a peer shows, if it is accepted at this time, under this name if one is required.
    ///
    /// # Errors
    /// It is not, and why.
    pub fn check(
        &self,
        der: &[u8],
        required_name: Option<&str>,
        now: SystemTime,
    ) -> Result<Arc<PinnedCertificate>, Refusal> {
        let Some(known) = self.same(der).next() else {
            return Err(self.twin(der).map_or(Refusal::NotFound, |name| Refusal::OtherThan { name }));
        };
        let pin = match required_name {
            None => known,
            // It may have been imported under several names.
            Some(wanted) => self
                .same(der)
                .find(|p| same_name(&p.name, wanted))
                .ok_or_else(|| Refusal::OtherName { wanted: wanted.to_owned(), found: known.name.clone() })?,
        };
        if now < pin.not_before {
            return Err(Refusal::NotYetValid { name: pin.name.clone() });
        }
        if now > pin.not_after {
            return Err(Refusal::Expired { name: pin.name.clone() });
        }
        Ok(Arc::clone(pin))
    }

    fn same<'a>(&'a self, der: &'a [u8]) -> impl Iterator<Item = &'a Arc<PinnedCertificate>> {
        let shown = Thumbprint::of(der);
        self.pins
            .iter()
            // The time that this takes says nothing about how much was right.
            .filter(move |(thumbprint, pin)| bool::from(thumbprint.0.ct_eq(&shown.0)) && pin.der == der)
            .map(|(_, pin)| pin)
    }

    /// The name of a certificate that has the issuer and serial number of this one.
    fn twin(&self, der: &[u8]) -> Option<String> {
        let of = issuer_and_serial(der)?;
        self.pins.iter().find(|(_, p)| issuer_and_serial(&p.der) == Some(of)).map(|(_, p)| p.name.clone())
    }
}

/// Host names have no case, and SQL Server's names have none in its usual collations.
pub(super) fn same_name(a: &str, b: &str) -> bool {
    a.to_lowercase() == b.to_lowercase()
}

/// The issuer and the serial number, as they lie in a certificate (RFC 5280, 4.1). They only choose between two wordings of
/// the same refusal.
fn issuer_and_serial(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (_, certificate, _) = element(der)?;
    let (_, mut to_be_signed, _) = element(certificate)?;
    // The version is optional.
    if let (0xA0, _, rest) = element(to_be_signed)? {
        to_be_signed = rest;
    }
    let (_, serial, rest) = element(to_be_signed)?;
    let (_, _algorithm, rest) = element(rest)?;
    let (_, issuer, _) = element(rest)?;
    Some((issuer, serial))
}

/// Tag, contents and what follows of a DER element with a one-byte tag.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7F => (usize::from(*first), rest),
        0x81..=0x84 => {
            let (long, rest) = rest.split_at_checked(usize::from(first & 0x7F))?;
            (long.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (contents, rest) = rest.split_at_checked(length)?;
    Some((*tag, contents, rest))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn pin(name: &str, der: &[u8]) -> PinnedCertificate {
        PinnedCertificate { name: name.into(), der: der.to_vec(), not_before: at(100), not_after: at(200) }
    }

    #[test]
    fn only_what_was_exchanged_is_accepted_in_its_time_under_its_name() {
        let trust = Trust::new(vec![pin("one", b"1"), pin("mi.example", b"2"), pin("again", b"2")]);
        let name = |der: &[u8], required, now| trust.check(der, required, at(now)).map(|p| p.name.clone());
        assert_eq!(name(b"1", None, 100).unwrap(), "one");
        assert_eq!(name(b"1", None, 200).unwrap(), "one");
        assert_eq!(name(b"1", None, 201), Err(Refusal::Expired { name: "one".into() }));
        assert_eq!(name(b"1", None, 99), Err(Refusal::NotYetValid { name: "one".into() }));
        assert_eq!(name(b"3", None, 150), Err(Refusal::NotFound));
        assert_eq!(name(b"", None, 150), Err(Refusal::NotFound));
        assert_eq!(name(b"2", Some("AGAIN"), 150).unwrap(), "again");
        assert_eq!(
            name(b"2", Some("other"), 150),
            Err(Refusal::OtherName { wanted: "other".into(), found: "mi.example".into() })
        );
    }

    #[test]
    fn a_twin_is_named() {
        let make = || rcgen::generate_simple_self_signed(["same".to_owned()]).unwrap().cert.der().to_vec();
        let (one, other) = (make(), make());
        // The serial numbers of these are derived from their keys, so issuer and serial number differ.
        assert_ne!(issuer_and_serial(&one).unwrap(), issuer_and_serial(&other).unwrap());
        let mut forged = one.clone();
        *forged.last_mut().unwrap() ^= 1;
        let trust = Trust::new(vec![pin("mine", &one)]);
        assert_eq!(trust.check(&forged, None, at(150)), Err(Refusal::OtherThan { name: "mine".into() }));
        assert_eq!(trust.check(&other, None, at(150)), Err(Refusal::NotFound));
    }

    #[test]
    fn no_beginning_of_a_certificate_is_read_past_its_end() {
        let der = rcgen::generate_simple_self_signed(["x".to_owned()]).unwrap().cert.der().to_vec();
        for end in 0..der.len() {
            issuer_and_serial(der.get(..end).unwrap());
        }
    }
}
