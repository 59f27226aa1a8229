//! The lab's certificate authority and the server's certificate, made at the first start.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use pki_types::pem::PemObject as _;
use pki_types::{CertificateDer, PrivateKeyDer};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, SanType, SerialNumber, date_time_ymd,
};

use crate::folder::{Folder, FolderError, Readable, failed};
use crate::random;

const CA: &str = "ca.pem";
const CA_KEY: &str = "ca-key.pem";
const SERVER: &str = "server.pem";
const SERVER_KEY: &str = "server-key.pem";
/// The names that the server's certificate is for.
const SERVER_NAMES: &str = "server-names.json";
/// The lab's authority and those of this machine: the variables that clients read replace their own roots.
const BUNDLE: &str = "ca-bundle.pem";
/// Where Linux distributions keep their roots.
const SYSTEM_BUNDLES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

const CA_NAME: &str = "milink lab certificate authority";
const DAY: u64 = 86_400;
const CA_DAYS: u64 = 3650;
/// Some clients take no certificate of a server that is valid for longer.
const SERVER_DAYS: u64 = 825;
/// A server's certificate that will not be valid for longer is made anew at a start.
const RENEW_DAYS: u64 = 30;

/// The authority, and what it has issued.
pub(crate) struct Authority {
    pub(crate) ca_file: PathBuf,
    pub(crate) bundle_file: PathBuf,
    pub(crate) tls: Arc<rustls::ServerConfig>,
    /// The server's certificate, in DER.
    pub(crate) server_der: Vec<u8>,
}

#[derive(serde::Serialize, serde::Deserialize, PartialEq)]
struct Issued {
    names: Vec<String>,
    /// Seconds since 1970.
    not_after: u64,
}

fn params(name: &str, now: u64, days: u64) -> Result<CertificateParams, String> {
    let mut params = CertificateParams::default();
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, name);
    params.distinguished_name = subject;
    // The type of dates is of a crate that rcgen does not pass on: it is inferred. A day before now: clocks differ.
    let epoch = date_time_ymd(1970, 1, 1);
    params.not_before = epoch + std::time::Duration::from_secs(now.saturating_sub(DAY));
    params.not_after = epoch + std::time::Duration::from_secs(now + days * DAY);
    let mut serial: [u8; 16] = random::bytes().map_err(|_| "no randomness".to_owned())?;
    // A serial number is positive.
    serial[0] &= 0x7f;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    Ok(params)
}

fn make_ca(now: u64) -> Result<(String, String), String> {
    let key = KeyPair::generate().map_err(|e| e.to_string())?;
    let mut params = params(CA_NAME, now, CA_DAYS)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let made = params.self_signed(&key).map_err(|e| e.to_string())?;
    Ok((made.pem(), key.serialize_pem()))
}

fn make_server(ca_key: &str, names: &[String], now: u64) -> Result<(String, String), String> {
    let ca_key = KeyPair::from_pem(ca_key).map_err(|e| e.to_string())?;
    // An issuer is a name and a key, and both are known.
    let issuer = Issuer::new(params(CA_NAME, now, CA_DAYS)?, ca_key);
    let key = KeyPair::generate().map_err(|e| e.to_string())?;
    let mut params = params(names.first().map_or("localhost", String::as_str), now, SERVER_DAYS)?;
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    for name in names {
        params.subject_alt_names.push(match name.parse::<IpAddr>() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) => SanType::DnsName(name.as_str().try_into().map_err(|e: rcgen::Error| e.to_string())?),
        });
    }
    let made = params.signed_by(&key, &issuer).map_err(|e| e.to_string())?;
    Ok((made.pem(), key.serialize_pem()))
}

fn text(folder: &Folder, name: &str) -> Result<Option<String>, FolderError> {
    let bytes = folder.read(name)?;
    Ok(bytes.map(|b| String::from_utf8_lossy(&b).into_owned()))
}

impl Authority {
    /// Reads authority and certificate, making what is missing. `now` is in seconds since 1970.
    ///
    /// # Errors
    /// Files cannot be read or written, or hold something else.
    pub(crate) fn open(folder: &Folder, host_name: &str, now: u64) -> Result<Authority, FolderError> {
        let ca_error = |what: String| failed(&folder.file(CA), what);
        let (ca, ca_key) = match (text(folder, CA)?, text(folder, CA_KEY)?) {
            (Some(ca), Some(key)) => (ca, key),
            // Without its key it could not renew anything: better a new one now than in two years.
            _ => {
                let (ca, key) = make_ca(now).map_err(ca_error)?;
                folder.write(CA_KEY, key.as_bytes(), Readable::ByOwner)?;
                folder.write(CA, ca.as_bytes(), Readable::ByAll)?;
                // What another authority has issued is worth nothing.
                folder.write_json(SERVER_NAMES, &Issued { names: Vec::new(), not_after: 0 })?;
                (ca, key)
            }
        };
        let system = SYSTEM_BUNDLES.iter().find_map(|path| std::fs::read_to_string(path).ok());
        folder.write(BUNDLE, format!("{ca}\n{}", system.unwrap_or_default()).as_bytes(), Readable::ByAll)?;

        let mut names = vec![host_name.to_owned()];
        for name in ["localhost", "127.0.0.1", "::1"] {
            if name != host_name {
                names.push(name.to_owned());
            }
        }
        let known: Option<Issued> = folder.read_json(SERVER_NAMES)?;
        let good = known.is_some_and(|i| i.names == names && i.not_after > now + RENEW_DAYS * DAY);
        if !good || folder.read(SERVER)?.is_none() || folder.read(SERVER_KEY)?.is_none() {
            let (server, key) =
                make_server(&ca_key, &names, now).map_err(|what| failed(&folder.file(SERVER), what))?;
            folder.write(SERVER_KEY, key.as_bytes(), Readable::ByOwner)?;
            folder.write(SERVER, server.as_bytes(), Readable::ByAll)?;
            folder.write_json(SERVER_NAMES, &Issued { names, not_after: now + SERVER_DAYS * DAY })?;
        }
        let (cert, key) = (folder.file(SERVER), folder.file(SERVER_KEY));
        let server = CertificateDer::from_pem_file(&cert).map_err(|e| failed(&cert, e))?;
        let key = PrivateKeyDer::from_pem_file(&key).map_err(|e| failed(&key, e))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut tls = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|b| b.with_no_client_auth().with_single_cert(vec![server.clone()], key))
            .map_err(|e| failed(&cert, e))?;
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Authority {
            ca_file: folder.file(CA),
            bundle_file: folder.file(BUNDLE),
            tls: Arc::new(tls),
            server_der: server.to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;

    #[test]
    fn what_was_issued_stays_until_it_runs_out_or_its_name_changes() {
        let temp = tempfile::tempdir().unwrap();
        let folder = Folder::open(temp.path().to_owned()).unwrap();
        let first = Authority::open(&folder, "localhost", NOW).unwrap();
        let again = Authority::open(&folder, "localhost", NOW + DAY).unwrap();
        assert_eq!(first.server_der, again.server_der);
        let ca = folder.read(CA).unwrap();
        let renamed = Authority::open(&folder, "lab.test", NOW).unwrap();
        assert_ne!(first.server_der, renamed.server_der);
        let late = Authority::open(&folder, "lab.test", NOW + (SERVER_DAYS - RENEW_DAYS) * DAY).unwrap();
        assert_ne!(late.server_der, renamed.server_der);
        assert_eq!(folder.read(CA).unwrap(), ca, "clients trust it still");
        std::fs::remove_file(folder.file(CA_KEY)).unwrap();
        Authority::open(&folder, "lab.test", NOW).unwrap();
        assert_ne!(folder.read(CA).unwrap(), ca);
    }
}
