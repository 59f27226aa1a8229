//! What a managed instance has from the start: an endpoint and a certificate that an authority vouches for.
//!
//! In Azure that authority is a public one, whose roots are imported on SQL Server, and the service renews the certificate
//! before it expires. A lab has one root for each instance, whose key is thrown away once it has signed: nothing is renewed,
//! and the certificate is good for as long as its root.

use std::collections::BTreeMap;

use lab_tsql::ast::{EncryptionAlgorithm, EncryptionLevel, EndpointRole, EndpointState};

use super::{OpenError, Server};
use crate::security::crypt::Key;
use crate::security::objects::FIRST_ENDPOINT;
use crate::security::{Certificate, Endpoint, MasterKey, PrivateKeyEntry, x509};
use crate::types::{now_datetime, parse_hex, unix_seconds};

const ENDPOINT: &str = "database_mirroring_endpoint";
const CERTIFICATE: &str = "managed_instance_endpoint_certificate";
/// The document that holds the root, in hexadecimal.
pub(super) const ROOT: &str = "managed root certificate";
const DAY: i64 = 86_400;
/// How long root and certificate are good: longer than a lab is kept.
const YEARS: i64 = 10;

impl Server {
    /// The root that vouches for a managed instance's endpoint certificate; partners import it.
    pub fn managed_root_certificate(&self) -> Option<Vec<u8>> {
        parse_hex(self.documents().get(ROOT)?)
    }

    /// Makes key, certificate and endpoint of a managed instance, unless they are there, and moves the endpoint to the port
    /// that the start asks for.
    pub(crate) fn settle_managed(&self) -> Result<(), OpenError> {
        if !self.config.flavor.is_managed() {
            return Ok(());
        }
        let failed = |what: String| OpenError::Storage(format!("make the endpoint's certificate: {what}"));
        let mut security = self.security();
        let port = self.config.mirroring_port;
        if let Some(endpoint) = &mut security.endpoint {
            if endpoint.port == port {
                return Ok(());
            }
            endpoint.port = port;
            return self.save_security(security).map_err(|e| OpenError::Storage(e.message));
        }
        let now = unix_seconds(now_datetime());
        let not_after = now + YEARS * 365 * DAY;
        let host = &self.config.server_name;
        let root_subject = format!("milink lab root of {host}");
        let root = x509::Wanted { subject: &root_subject, dns_name: None, not_before: now - DAY, not_after };
        let wanted = x509::Wanted { subject: host, dns_name: Some(host), not_before: now - DAY, not_after };
        let (root_der, made) = x509::issued(&root, &wanted).map_err(|e| failed(e.to_string()))?;
        let crypt = |_| failed("no randomness".to_owned());
        let key = Key::random().map_err(crypt)?;
        let guid = crate::exec::random_hex().map_err(|e| failed(e.message))?;
        security.master_key =
            Some(MasterKey::new(&key, None, self.service_key(), guid, now_datetime()).map_err(crypt)?);
        let sealed = key.seal(&made.pkcs8, &Certificate::purpose(&made.der)).map_err(crypt)?;
        let id = security.next_certificate_id();
        let certificate = Certificate {
            id,
            name: CERTIFICATE.to_owned(),
            der: made.der,
            private_key: Some(PrivateKeyEntry::MasterKey(sealed)),
            active_for_begin_dialog: false,
            issues: Vec::new(),
            key_backed_up: None,
        };
        security.certificates.insert(id, certificate);
        security.endpoint = Some(Endpoint {
            id: FIRST_ENDPOINT,
            name: ENDPOINT.to_owned(),
            state: EndpointState::Started.word().to_owned(),
            port,
            ip: None,
            role: EndpointRole::All.word().to_owned(),
            windows: None,
            certificate: Some(id),
            certificate_first: false,
            encryption: EncryptionLevel::Required.word().to_owned(),
            algorithms: vec![EncryptionAlgorithm::Aes.word().to_owned()],
            connect: BTreeMap::new(),
        });
        // The root first: an endpoint whose root nobody can import would be of no use.
        let hex: String = root_der.iter().map(|byte| format!("{byte:02X}")).collect();
        self.put_document(ROOT, Some(hex))
            .and_then(|()| self.save_security(security))
            .map_err(|e| OpenError::Storage(e.message))
    }
}
