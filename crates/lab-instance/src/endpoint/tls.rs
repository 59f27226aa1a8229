//! TLS as endpoints use it: version 1.3, a certificate on both sides, each compared with what was exchanged.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::server::NoServerSessionStorage;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::TLS13;
use rustls::{
    AlertDescription, CertificateError, ClientConfig, ClientConnection, Connection, DigitallySignedStruct,
    DistinguishedName, Error, InconsistentKeys, OtherError, PeerIncompatible, ServerConfig, ServerConnection,
    SignatureScheme,
};

use super::failure::{EndpointError, Failure, Hop};
use super::trust::{Identity, PinnedCertificate, Refusal, Trust};

/// The application protocol that both sides must name.
pub(super) const ALPN: &[u8] = b"milink-hadr/1";

/// The clock by which certificates are valid or not.
pub type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// What endpoints need to shake hands, made once for an identity.
pub(super) struct Credentials {
    provider: Arc<CryptoProvider>,
    shown: Arc<SingleCertAndKey>,
}

impl Credentials {
    pub(super) fn new(identity: &Identity) -> Result<Credentials, EndpointError> {
        let unusable = |e: Error| EndpointError::Identity(e.to_string());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(identity.private_key_pkcs8.clone()));
        let key = provider.key_provider.load_private_key(key).map_err(unusable)?;
        let certified = CertifiedKey::new(vec![identity.certificate_der.clone().into()], key);
        match certified.keys_match() {
            Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => {}
            Err(e) => return Err(unusable(e)),
        }
        Ok(Credentials { provider, shown: Arc::new(SingleCertAndKey::from(certified)) })
    }

    /// The accepting half of a handshake. Nothing is remembered that could shorten the next one: each is judged anew.
    pub(super) fn accept(&self, verifier: &Arc<PinVerifier>) -> Result<Connection, Error> {
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&[&TLS13])?
            .with_client_cert_verifier(Arc::<PinVerifier>::clone(verifier))
            .with_cert_resolver(Arc::<SingleCertAndKey>::clone(&self.shown));
        config.alpn_protocols = vec![ALPN.to_vec()];
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        config.max_early_data_size = 0;
        Ok(Connection::Server(ServerConnection::new(Arc::new(config))?))
    }

    /// The dialing half.
    pub(super) fn dial(&self, verifier: &Arc<PinVerifier>) -> Result<Connection, Error> {
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&[&TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::<PinVerifier>::clone(verifier))
            .with_client_cert_resolver(Arc::<SingleCertAndKey>::clone(&self.shown));
        config.alpn_protocols = vec![ALPN.to_vec()];
        config.resumption = Resumption::disabled();
        // The pin says who the peer must be; no name goes over the wire in the clear.
        config.enable_sni = false;
        let nobody = ServerName::try_from("endpoint").map_err(|e| Error::General(e.to_string()))?;
        Ok(Connection::Client(ClientConnection::new(Arc::new(config), nobody)?))
    }

    pub(super) fn verifier(&self, trust: Trust, clock: Clock, required_name: Option<String>) -> PinVerifier {
        PinVerifier {
            provider: Arc::clone(&self.provider),
            trust,
            clock,
            required_name,
            verdict: Mutex::new(None),
        }
    }
}

/// Judges the certificate of one peer, and remembers the judgement: TLS itself tells only a class of it.
pub(super) struct PinVerifier {
    provider: Arc<CryptoProvider>,
    trust: Trust,
    clock: Clock,
    required_name: Option<String>,
    verdict: Mutex<Option<Result<Arc<PinnedCertificate>, Refusal>>>,
}

impl std::fmt::Debug for PinVerifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PinVerifier").field("required_name", &self.required_name).finish_non_exhaustive()
    }
}

impl PinVerifier {
    /// The peer's certificate, once it was accepted.
    pub(super) fn accepted(&self) -> Option<Arc<PinnedCertificate>> {
        self.verdict().and_then(Result::ok)
    }

    fn verdict(&self) -> Option<Result<Arc<PinnedCertificate>, Refusal>> {
        self.verdict.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn judge(&self, end_entity: &CertificateDer<'_>) -> Result<(), Error> {
        let verdict = self.trust.check(end_entity, self.required_name.as_deref(), (self.clock)());
        *self.verdict.lock().unwrap_or_else(PoisonError::into_inner) = Some(verdict.clone());
        // The variants choose the alert by which the peer is told.
        verdict.map(|_| ()).map_err(|refusal| {
            Error::InvalidCertificate(match &refusal {
                Refusal::Expired { .. } => CertificateError::Expired,
                Refusal::NotYetValid { .. } => CertificateError::NotValidYet,
                Refusal::OtherName { .. } => CertificateError::NotValidForName,
                Refusal::NotFound | Refusal::OtherThan { .. } => {
                    CertificateError::Other(OtherError(Arc::new(refusal)))
                }
            })
        })
    }

    fn signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    /// What a handshake that failed with a TLS error means.
    pub(super) fn failure(&self, e: &Error) -> Failure {
        if let Some(Err(refusal)) = self.verdict() {
            return Failure::certificate(&refusal);
        }
        let detail = e.to_string();
        match e {
            Error::NoCertificatesPresented => Failure::peer_certificate("Certificate not found", detail),
            Error::InvalidCertificate(CertificateError::BadEncoding) => {
                Failure::peer_certificate("Certificate not found", detail)
            }
            Error::InvalidCertificate(_) => Failure::verification(detail),
            Error::NoApplicationProtocol => no_application_protocol(detail),
            Error::PeerIncompatible(_) => Failure::incompatible(Hop::Tls, "encryption algorithm", 22, detail),
            Error::AlertReceived(alert) => alerted(*alert),
            _ => Failure::ended_by_peer(Hop::Tls, detail),
        }
    }
}

/// One side did not name [`ALPN`].
pub(super) fn no_application_protocol(detail: impl Into<String>) -> Failure {
    Failure::incompatible(Hop::Tls, "authentication protocol", 21, detail)
}

/// What the peer's alert tells.
fn alerted(alert: AlertDescription) -> Failure {
    let refused = |why: &str| {
        Failure::ended_by_peer(
            Hop::Certificate,
            format!("the peer does not accept this endpoint's certificate: {why}"),
        )
    };
    match alert {
        AlertDescription::CertificateExpired => refused("it is expired, or not valid yet"),
        AlertDescription::CertificateUnknown | AlertDescription::UnknownCA => {
            refused("it was not imported there")
        }
        AlertDescription::BadCertificate => refused("it was imported there under another name"),
        AlertDescription::CertificateRequired => refused("none was shown"),
        AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::AccessDenied
        | AlertDescription::DecryptError => refused(&format!("{alert:?}")),
        AlertDescription::NoApplicationProtocol => {
            no_application_protocol("the peer does not know this protocol")
        }
        AlertDescription::ProtocolVersion
        | AlertDescription::HandshakeFailure
        | AlertDescription::InsufficientSecurity => {
            Failure::incompatible(Hop::Tls, "encryption algorithm", 22, format!("the peer says {alert:?}"))
        }
        other => Failure::ended_by_peer(Hop::Tls, format!("the peer says {other:?}")),
    }
}

/// TLS 1.2 is not offered, so nothing may be signed by it.
fn no_tls12() -> Error {
    Error::PeerIncompatible(PeerIncompatible::Tls13RequiredForQuic)
}

impl ServerCertVerifier for PinVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.judge(end_entity).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(no_tls12())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

impl ClientCertVerifier for PinVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.judge(end_entity).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(no_tls12())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
