//! A TLS hello, and what is answered. Nobody is trusted: which certificate was shown is written down, and judged elsewhere.

use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use milink_core::names::{Hex, Thumbprint};
use milink_core::probe::{Answer, KEPT_BYTES, Shown, Tls, TlsEnd};
use rustls::client::ResolvesClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme};
use sha1::{Digest as _, Sha1};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

/// No handshake needs more.
const READ_MAX: usize = 64 << 10;
/// How long to wait, after the handshake, for what the server says to a stranger.
const AFTER: Duration = Duration::from_millis(500);
/// The types of TLS records that a server begins with: alert and handshake (RFC 8446, 5.1).
const RECORDS: [u8; 2] = [0x15, 0x16];
const SUBJECT_MAX: usize = 120;

/// What a server shows.
#[derive(Debug)]
struct Notes {
    provider: Arc<CryptoProvider>,
    certificate: Mutex<Option<Vec<u8>>>,
    asked: AtomicBool,
}

impl ServerCertVerifier for Notes {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let mut certificate = self.certificate.lock().unwrap_or_else(PoisonError::into_inner);
        *certificate = Some(end_entity.to_vec());
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    // A certificate alone anybody can show: the signature proves that its key is there.
    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

impl ResolvesClientCert for Notes {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.asked.store(true, Ordering::Relaxed);
        None
    }

    fn has_certs(&self) -> bool {
        true
    }
}

fn connection(notes: &Arc<Notes>, ip: IpAddr) -> Result<ClientConnection, Error> {
    let config = ClientConfig::builder_with_provider(Arc::clone(&notes.provider))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::<Notes>::clone(notes))
        .with_client_cert_resolver(Arc::<Notes>::clone(notes));
    // By its address: an endpoint has one certificate, and no name is asked for.
    ClientConnection::new(Arc::new(config), ServerName::from(ip))
}

/// Says hello on a connection.
pub(super) async fn hello(mut stream: TcpStream, ip: IpAddr, patience: Duration) -> Answer {
    let notes = Arc::new(Notes {
        provider: Arc::new(rustls::crypto::ring::default_provider()),
        certificate: Mutex::default(),
        asked: AtomicBool::new(false),
    });
    let tls = |version: Option<String>, end| {
        let certificate = notes.certificate.lock().unwrap_or_else(PoisonError::into_inner);
        Answer::Tls(Tls {
            version,
            certificate: certificate.as_deref().map(shown),
            asks: notes.asked.load(Ordering::Relaxed),
            end,
        })
    };
    let mut client = match connection(&notes, ip) {
        Ok(client) => client,
        Err(e) => return tls(None, TlsEnd::Broken(e.to_string())),
    };
    let mut first = Vec::new();
    let end = talk(&mut stream, &mut client, &mut first, patience).await;
    let is_tls = first.first().is_some_and(|kind| RECORDS.contains(kind));
    match end {
        TlsEnd::Silent if first.is_empty() => {
            Answer::Silent { ms: u64::try_from(patience.as_millis()).unwrap_or(u64::MAX) }
        }
        TlsEnd::Closed if first.is_empty() => Answer::Closed,
        _ if !first.is_empty() && !is_tls => Answer::Bytes(first),
        end => {
            // A version is agreed on by the first message, and proved by what is signed.
            let version = client.protocol_version().map(|v| format!("{v:?}"));
            tls(version, end)
        }
    }
}

/// Talks until the handshake is over and the server has had time to say what it thinks of it. `first` is how its answer begins.
async fn talk(
    stream: &mut TcpStream,
    client: &mut ClientConnection,
    first: &mut Vec<u8>,
    patience: Duration,
) -> TlsEnd {
    let mut deadline = Instant::now() + patience;
    let (mut read, mut done) = (0, false);
    let mut buffer = [0; 4096];
    loop {
        if let Err(end) = flush(stream, client, deadline).await {
            return end;
        }
        if !done && !client.is_handshaking() {
            done = true;
            deadline = deadline.min(Instant::now() + AFTER);
        }
        let length = match timeout_at(deadline, stream.read(&mut buffer)).await {
            Err(_) => return if done { TlsEnd::Done } else { TlsEnd::Silent },
            Ok(Ok(0) | Err(_)) => return TlsEnd::Closed,
            Ok(Ok(length)) => length,
        };
        let mut bytes = buffer.get(..length).unwrap_or_default();
        let room = KEPT_BYTES.saturating_sub(first.len());
        first.extend(bytes.iter().take(room));
        read += length;
        if read > READ_MAX {
            return TlsEnd::Broken(format!("more than {READ_MAX} bytes came"));
        }
        if !first.first().is_some_and(|kind| RECORDS.contains(kind)) {
            return TlsEnd::Closed;
        }
        while !bytes.is_empty() {
            let taken = client.read_tls(&mut bytes);
            let state = client.process_new_packets();
            // The alert that tells the server why is not waited for.
            match (taken, state) {
                (_, Err(Error::AlertReceived(alert))) => return TlsEnd::Alert(format!("{alert:?}")),
                (_, Err(e)) => return TlsEnd::Broken(short(&e.to_string())),
                (Err(e), Ok(_)) => return TlsEnd::Broken(short(&e.to_string())),
                // It talks on: what it says is no matter here.
                (_, Ok(state)) if state.plaintext_bytes_to_read() > 0 => return TlsEnd::Done,
                (_, Ok(state)) if state.peer_has_closed() => return TlsEnd::Closed,
                (Ok(0), Ok(_)) => return TlsEnd::Broken("it does not end".to_owned()),
                (Ok(_), Ok(_)) => {}
            }
        }
    }
}

async fn flush(
    stream: &mut TcpStream,
    client: &mut ClientConnection,
    deadline: Instant,
) -> Result<(), TlsEnd> {
    while client.wants_write() {
        let mut bytes = Vec::new();
        client.write_tls(&mut bytes).map_err(|e: io::Error| TlsEnd::Broken(short(&e.to_string())))?;
        match timeout_at(deadline, stream.write_all(&bytes)).await {
            Err(_) => return Err(TlsEnd::Silent),
            // A server that has refused may still have said why: reading tells.
            Ok(Err(_)) => return Ok(()),
            Ok(Ok(())) => {}
        }
    }
    Ok(())
}

fn shown(der: &[u8]) -> Shown {
    let subject = x509_parser::parse_x509_certificate(der)
        .map_or_else(|_| "a certificate that cannot be read".to_owned(), |(_, c)| c.subject().to_string());
    Shown { thumbprint: Thumbprint::new(Hex::new(Sha1::digest(der).to_vec())), subject: short(&subject) }
}

/// A stranger's text, bounded and without what a terminal would obey.
fn short(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '.' } else { c }).take(SUBJECT_MAX).collect()
}
