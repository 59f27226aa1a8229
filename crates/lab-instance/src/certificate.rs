//! The server's certificate: made at the first start, kept in the data folder, self-signed as SQL Server's own.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::{TLS12, TLS13};

/// How connections are encrypted: inside of TDS, and around it (strict).
#[derive(Debug, Clone)]
pub(crate) struct Tls {
    /// TLS 1.2 only: TLS 1.3 sends tickets after the handshake, for which there is no PRELOGIN packet any more.
    pub(crate) inside: Arc<rustls::ServerConfig>,
    /// TLS 1.2 and 1.3, ALPN `tds/8.0`.
    pub(crate) strict: Arc<rustls::ServerConfig>,
}

/// Reads the certificate and key of a data folder, making them first if they are not there.
pub(crate) fn load_or_make(data_dir: &Path, host_names: &[String]) -> Result<Tls, String> {
    let (cert_path, key_path) = (data_dir.join("tls-cert.pem"), data_dir.join("tls-key.pem"));
    if !cert_path.exists() || !key_path.exists() {
        let made = rcgen::generate_simple_self_signed(host_names.to_vec())
            .map_err(|e| format!("make a certificate: {e}"))?;
        write_private(&key_path, made.signing_key.serialize_pem().as_bytes())?;
        std::fs::write(&cert_path, made.cert.pem()).map_err(|e| format!("{}: {e}", cert_path.display()))?;
    }
    let certs: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&cert_path)
        .and_then(Iterator::collect)
        .map_err(|e| format!("{}: {e}", cert_path.display()))?;
    let key = PrivateKeyDer::from_pem_file(&key_path).map_err(|e| format!("{}: {e}", key_path.display()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = |versions: &[&'static rustls::SupportedProtocolVersion]| {
        rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions)
            .and_then(|b| b.with_no_client_auth().with_single_cert(certs.clone(), key.clone_key()))
            .map_err(|e| format!("certificate: {e}"))
    };
    let inside = config(&[&TLS12])?;
    let mut strict = config(&[&TLS13, &TLS12])?;
    strict.alpn_protocols = vec![b"tds/8.0".to_vec()];
    Ok(Tls { inside: Arc::new(inside), strict: Arc::new(strict) })
}

fn write_private(path: &Path, bytes: &[u8]) -> Result<(), String> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = std::fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .map_err(|e| format!("{}: {e}", path.display()))?;
    file.write_all(bytes).map_err(|e| format!("{}: {e}", path.display()))
}
