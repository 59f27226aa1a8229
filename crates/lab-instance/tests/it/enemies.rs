//! Peers that do not keep to the rules: TLS clients and servers of other makings.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;

use lab_instance::endpoint::Identity;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, DistinguishedName, Error, ServerConfig,
    ServerConnection, SignatureScheme, StreamOwned, SupportedProtocolVersion,
};

use super::PATIENCE;

/// What an enemy shows and speaks.
pub(crate) struct Enemy {
    /// Certificates, the first of which is its own; none at all if empty.
    pub(crate) chain: Vec<Vec<u8>>,
    /// The key it signs with, whether or not it is the certificate's.
    pub(crate) key: Vec<u8>,
    pub(crate) versions: Vec<&'static SupportedProtocolVersion>,
    pub(crate) alpn: Vec<Vec<u8>>,
}

impl Enemy {
    /// One that does all right, to be spoilt.
    pub(crate) fn new(identity: &Identity) -> Enemy {
        Enemy {
            chain: vec![identity.certificate_der.clone()],
            key: identity.private_key_pkcs8.clone(),
            versions: vec![&rustls::version::TLS13],
            alpn: vec![b"milink-hadr/1".to_vec()],
        }
    }

    fn shown(&self) -> Arc<SingleCertAndKey> {
        let provider = rustls::crypto::ring::default_provider();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(self.key.clone()));
        let key = provider.key_provider.load_private_key(key).unwrap();
        let chain = self.chain.iter().map(|der| der.clone().into()).collect();
        // Not checked whether they belong together.
        Arc::new(SingleCertAndKey::from(CertifiedKey::new(chain, key)))
    }

    /// The client side, connected to an endpoint. Nothing is exchanged yet.
    pub(crate) fn client(&self, to: SocketAddr) -> StreamOwned<ClientConnection, TcpStream> {
        let builder = ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
            .with_protocol_versions(&self.versions)
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anybody));
        let mut config = if self.chain.is_empty() {
            builder.with_no_client_auth()
        } else {
            builder.with_client_cert_resolver(self.shown())
        };
        config.alpn_protocols.clone_from(&self.alpn);
        let tls = ClientConnection::new(Arc::new(config), ServerName::try_from("anybody").unwrap()).unwrap();
        StreamOwned::new(tls, tcp(to))
    }

    /// Says hello as the client does, and a frame with something in it, and reads to the end: what was answered, and the
    /// error that ended it.
    pub(crate) fn attack(&self, to: SocketAddr) -> (Vec<u8>, String) {
        let mut stream = self.client(to);
        let said = stream.write_all(&hello()).and_then(|()| stream.write_all(&frame(b"canary")));
        let mut answer = Vec::new();
        let end = match stream.read_to_end(&mut answer) {
            Err(e) => e.to_string(),
            Ok(_) => said.err().map(|e| e.to_string()).unwrap_or_default(),
        };
        (answer, end)
    }

    /// A server that shakes hands with one client, then does something. The handshake's error is returned.
    pub(crate) fn server(
        self,
        then: impl FnOnce(&mut StreamOwned<ServerConnection, TcpStream>) + Send + 'static,
    ) -> (SocketAddr, JoinHandle<String>) {
        let mut config = ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
            .with_protocol_versions(&self.versions)
            .unwrap()
            .with_client_cert_verifier(Arc::new(Anybody))
            .with_cert_resolver(self.shown());
        config.alpn_protocols.clone_from(&self.alpn);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let serving = std::thread::spawn(move || {
            let (mut tcp, _) = listener.accept().unwrap();
            tcp.set_read_timeout(Some(PATIENCE)).unwrap();
            let mut tls = ServerConnection::new(Arc::new(config)).unwrap();
            let end = loop {
                match tls.complete_io(&mut tcp) {
                    Err(e) => break e.to_string(),
                    Ok(_) if !tls.is_handshaking() => break String::new(),
                    Ok(_) => {}
                }
            };
            let mut stream = StreamOwned::new(tls, tcp);
            if end.is_empty() {
                then(&mut stream);
                // Until the endpoint goes.
                let _ = io::copy(&mut stream.sock, &mut io::sink());
            }
            end
        });
        (address, serving)
    }
}

pub(crate) fn tcp(to: SocketAddr) -> TcpStream {
    let tcp = TcpStream::connect(to).unwrap();
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    tcp
}

pub(crate) fn frame(payload: &[u8]) -> Vec<u8> {
    [&(payload.len() as u32).to_le_bytes(), payload].concat()
}

pub(crate) fn hello() -> Vec<u8> {
    frame(b"MILKHADR\x01\0\x01\0\0\0")
}

/// Accepts any certificate: enemies do not care whom they talk to.
#[derive(Debug)]
struct Anybody;

fn schemes() -> Vec<SignatureScheme> {
    rustls::crypto::ring::default_provider().signature_verification_algorithms.supported_schemes()
}

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }
    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }
    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        schemes()
    }
}

impl ClientCertVerifier for Anybody {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }
    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }
    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }
    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        schemes()
    }
}
