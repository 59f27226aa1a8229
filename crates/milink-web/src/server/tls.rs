//! The server's certificate and key.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use super::ServeError;
use crate::options::TlsFiles;

/// TLS 1.2 and 1.3 with a certificate from files.
pub(super) fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor, ServeError> {
    let failed = |path: &Path, why: String| ServeError::File { path: path.to_owned(), why };
    let open = |path: &Path| File::open(path).map(BufReader::new).map_err(|e| failed(path, e.to_string()));
    let chain = CertificateDer::pem_reader_iter(open(&files.certificate)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| failed(&files.certificate, e.to_string()))?;
    if chain.is_empty() {
        return Err(failed(&files.certificate, "it holds no certificate".to_owned()));
    }
    let key =
        PrivateKeyDer::from_pem_reader(open(&files.key)?).map_err(|e| failed(&files.key, e.to_string()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| failed(&files.key, e.to_string()))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|e| failed(&files.key, e.to_string()))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
