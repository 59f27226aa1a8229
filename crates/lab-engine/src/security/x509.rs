//! Certificates: reading those of anybody, making our own.

use pki_types::pem::PemObject as _;
use pki_types::{CertificateDer, PrivateKeyDer};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, SanType, SerialNumber, date_time_ymd,
};
use x509_parser::prelude::{FromDer as _, X509Certificate, X509Name};
use x509_parser::public_key::PublicKey;

/// What `sys.certificates` shows of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    /// The values of the subject's parts, as SQL Server lists them: `US, DigiCert Inc, ...`.
    pub(crate) subject: String,
    pub(crate) issuer: String,
    pub(crate) serial: Vec<u8>,
    /// Seconds since 1970, UTC.
    pub(crate) not_before: i64,
    pub(crate) not_after: i64,
    /// SHA-1 of the whole.
    pub(crate) thumbprint: [u8; 20],
    pub(crate) key_bits: i64,
    /// The SubjectPublicKeyInfo.
    pub(crate) public_key: Vec<u8>,
}

/// Reads a certificate; `None` if it is none.
pub(crate) fn facts(der: &[u8]) -> Option<Facts> {
    let (rest, parsed) = X509Certificate::from_der(der).ok()?;
    if !rest.is_empty() {
        return None;
    }
    let key_bits = match parsed.public_key().parsed().ok()? {
        PublicKey::RSA(key) => key.key_size() as i64,
        PublicKey::EC(point) => point.key_size() as i64,
        _ => parsed.public_key().subject_public_key.data.len() as i64 * 8,
    };
    Some(Facts {
        subject: name_values(parsed.subject()),
        issuer: name_values(parsed.issuer()),
        serial: parsed.raw_serial().to_vec(),
        not_before: parsed.validity().not_before.timestamp(),
        not_after: parsed.validity().not_after.timestamp(),
        thumbprint: thumbprint(der),
        key_bits,
        public_key: parsed.public_key().raw.to_vec(),
    })
}

fn name_values(name: &X509Name<'_>) -> String {
    let values: Vec<&str> = name.iter_attributes().filter_map(|part| part.as_str().ok()).collect();
    values.join(", ")
}

pub(crate) fn thumbprint(der: &[u8]) -> [u8; 20] {
    let digest = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, der);
    let mut out = [0; 20];
    out.copy_from_slice(digest.as_ref());
    out
}

/// The certificate in a file: DER, or the first of a PEM.
pub(crate) fn from_file(bytes: &[u8]) -> Option<Vec<u8>> {
    if bytes.first() == Some(&0x30) {
        return Some(bytes.to_vec());
    }
    CertificateDer::from_pem_slice(bytes).ok().map(|der| der.to_vec())
}

/// The private key in a file or literal, as PKCS#8: DER or PEM, not encrypted.
pub(crate) fn private_key(bytes: &[u8]) -> Option<Vec<u8>> {
    let key = if bytes.first() == Some(&0x30) {
        PrivateKeyDer::try_from(bytes).ok()?.clone_key()
    } else {
        PrivateKeyDer::from_pem_slice(bytes).ok()?
    };
    KeyPair::try_from(&key).ok().map(|pair| pair.serialize_der())
}

/// Whether a private key is that of a certificate.
pub(crate) fn belongs_to(pkcs8: &[u8], facts: &Facts) -> bool {
    use rcgen::PublicKeyData as _;
    KeyPair::try_from(pkcs8).is_ok_and(|pair| pair.subject_public_key_info() == facts.public_key)
}

/// A new certificate and its private key in PKCS#8.
pub(crate) struct Made {
    pub(crate) der: Vec<u8>,
    pub(crate) pkcs8: Vec<u8>,
}

/// What a new certificate says.
pub(crate) struct Wanted<'a> {
    /// The common name.
    pub(crate) subject: &'a str,
    /// A DNS name that it is for, if any.
    pub(crate) dns_name: Option<&'a str>,
    pub(crate) not_before: i64,
    pub(crate) not_after: i64,
}

impl Wanted<'_> {
    fn params(&self) -> Result<CertificateParams, rcgen::Error> {
        let mut params = CertificateParams::default();
        let mut name = DistinguishedName::new();
        name.push(DnType::CommonName, self.subject);
        params.distinguished_name = name;
        // The type of dates is of a crate that rcgen does not pass on: it is inferred.
        let epoch = date_time_ymd(1970, 1, 1);
        let date = |unix_seconds: i64| {
            let distance = std::time::Duration::from_secs(unix_seconds.unsigned_abs());
            if unix_seconds >= 0 { epoch + distance } else { epoch - distance }
        };
        params.not_before = date(self.not_before);
        params.not_after = date(self.not_after);
        let mut serial = [0; 16];
        getrandom::fill(&mut serial).map_err(|_| rcgen::Error::RingUnspecified)?;
        // A serial number is positive.
        serial[0] = serial[0] & 0x7F | 0x40;
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        if let Some(dns) = self.dns_name {
            params.subject_alt_names = vec![SanType::DnsName(dns.try_into()?)];
            params.extended_key_usages =
                vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        }
        Ok(params)
    }
}

/// A key pair and a certificate of it that vouches for itself. P-256: `ring` makes no RSA keys, as SQL Server does.
pub(crate) fn self_signed(wanted: &Wanted<'_>) -> Result<Made, rcgen::Error> {
    let pair = KeyPair::generate()?;
    let certificate = wanted.params()?.self_signed(&pair)?;
    Ok(Made { der: certificate.der().to_vec(), pkcs8: pair.serialize_der() })
}

/// A root authority, and a certificate that it vouches for, as a managed instance has. The root's key is thrown away.
pub(crate) fn issued(root: &Wanted<'_>, wanted: &Wanted<'_>) -> Result<(Vec<u8>, Made), rcgen::Error> {
    let root_pair = KeyPair::generate()?;
    let mut params = root.params()?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let root_der = params.self_signed(&root_pair)?.der().to_vec();
    let pair = KeyPair::generate()?;
    let certificate = wanted.params()?.signed_by(&pair, &Issuer::from_params(&params, &root_pair))?;
    Ok((root_der, Made { der: certificate.der().to_vec(), pkcs8: pair.serialize_der() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(subject: &str) -> Wanted<'_> {
        Wanted { subject, dns_name: None, not_before: 1_700_000_000, not_after: 1_800_000_000 }
    }

    #[test]
    fn what_is_made_can_be_read_again() {
        let made = self_signed(&wanted("Certificate for SQL1")).unwrap();
        let facts = facts(&made.der).unwrap();
        assert_eq!(
            (facts.subject.as_str(), facts.issuer.as_str()),
            ("Certificate for SQL1", "Certificate for SQL1")
        );
        assert_eq!((facts.not_before, facts.not_after), (1_700_000_000, 1_800_000_000));
        assert!(belongs_to(&made.pkcs8, &facts));
        let other = self_signed(&wanted("other")).unwrap();
        assert!(!belongs_to(&other.pkcs8, &facts));
        assert_eq!(private_key(&made.pkcs8).unwrap(), made.pkcs8);
        assert!(super::facts(b"0 no certificate").is_none() && private_key(b"no key").is_none());
    }
}
