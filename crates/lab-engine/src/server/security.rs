//! The server's keys, certificates and endpoint, its documents, and what the instance gets to know of them.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError};

use lab_tsql::ast::{EncryptionAlgorithm, EncryptionLevel, EndpointRole, EndpointState};

use super::entries::{self, Kind};
use super::{Server, lock};
use crate::error::SqlError;
use crate::security::crypt::Key;
use crate::security::{KeyEncryption, Security, x509};

/// A private key in PKCS#8. It prints as `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct PrivateKey(Vec<u8>);

impl PrivateKey {
    /// The key itself, for the TLS library.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// What the mirroring endpoint proves itself with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointCertificate {
    /// Its name in `sys.certificates`.
    pub name: String,
    /// The certificate.
    pub der: Vec<u8>,
    /// Its private key; without one that can be opened the endpoint cannot prove anything.
    pub private_key_pkcs8: Option<PrivateKey>,
}

/// The endpoint for database mirroring, which availability groups use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MirroringEndpoint {
    /// Its name.
    pub name: String,
    /// LISTENER_PORT.
    pub port: u16,
    /// LISTENER_IP; `None` is ALL.
    pub ip: Option<IpAddr>,
    /// STATE.
    pub state: EndpointState,
    /// ROLE.
    pub role: EndpointRole,
    /// ENCRYPTION.
    pub encryption: EncryptionLevel,
    /// ALGORITHM, in the order of preference.
    pub algorithms: Vec<EncryptionAlgorithm>,
    /// AUTHENTICATION = CERTIFICATE.
    pub certificate: Option<EndpointCertificate>,
}

/// A certificate without a private key: that of somebody else, who is trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedCertificate {
    /// Its name, which for a managed instance is that instance's host name.
    pub name: String,
    /// Its id.
    pub id: i32,
    /// The certificate.
    pub der: Vec<u8>,
    /// Valid from, in seconds since 1970.
    pub not_before: i64,
    /// Valid until.
    pub not_after: i64,
    /// SHA-1 of the whole.
    pub thumbprint: [u8; 20],
    /// The names that it may vouch for as a root, by `sp_certificate_add_issuer`.
    pub issues: Vec<String>,
}

/// Called after each change of certificates or endpoints.
pub(crate) type SecurityListener = Arc<dyn Fn() + Send + Sync>;

impl Server {
    pub(crate) fn security(&self) -> Security {
        self.security.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn service_key(&self) -> &Key {
        &self.service_key
    }

    /// The mirroring endpoint, if there is one.
    pub fn mirroring_endpoint(&self) -> Option<MirroringEndpoint> {
        let security = self.security();
        let endpoint = security.endpoint.as_ref()?;
        let certificate = endpoint.certificate.and_then(|id| security.certificates.get(&id)).map(|c| {
            let key = security.master_key.as_ref().and_then(|m| m.open_by_service(&self.service_key));
            EndpointCertificate {
                name: c.name.clone(),
                der: c.der.clone(),
                private_key_pkcs8: key.and_then(|key| c.open_private_key(&key)).map(PrivateKey),
            }
        });
        Some(MirroringEndpoint {
            name: endpoint.name.clone(),
            port: endpoint.port,
            ip: endpoint.ip,
            state: endpoint.state(),
            role: endpoint.role(),
            encryption: endpoint.encryption(),
            algorithms: endpoint.algorithms(),
            certificate,
        })
    }

    /// The certificates of others, by their ids.
    pub fn trusted_certificates(&self) -> Vec<TrustedCertificate> {
        let security = self.security();
        let others =
            security.certificates.into_values().filter(|c| c.encryption() == KeyEncryption::NoPrivateKey);
        others
            .filter_map(|c| {
                let facts = x509::facts(&c.der)?;
                Some(TrustedCertificate {
                    name: c.name,
                    id: c.id,
                    der: c.der,
                    not_before: facts.not_before,
                    not_after: facts.not_after,
                    thumbprint: facts.thumbprint,
                    issues: c.issues,
                })
            })
            .collect()
    }

    /// Has `listener` called after each committed change of certificates or endpoints, on the thread that made it.
    pub fn on_security_change(&self, listener: Arc<dyn Fn() + Send + Sync>) {
        lock(&self.security_listeners).push(listener);
    }

    /// Makes `next` what there is, durably, and tells who asked to be told. The caller holds [`Server::defining`].
    pub(crate) fn save_security(&self, next: Security) -> Result<(), SqlError> {
        let before = entries::security_rows(&self.security());
        let after = entries::security_rows(&next);
        self.change_master(|conn| {
            for (key, body) in &after {
                if before.get(key) != Some(body) {
                    entries::put_row(conn, key.0, key.1, body)?;
                }
            }
            for key in before.keys().filter(|key| !after.contains_key(key)) {
                entries::delete_row(conn, key.0, key.1)?;
            }
            Ok(())
        })?;
        *self.security.write().unwrap_or_else(PoisonError::into_inner) = next;
        let listeners = lock(&self.security_listeners).clone();
        listeners.iter().for_each(|listener| listener());
        Ok(())
    }

    /// Keeps a text under a name in `master`, durably when it returns; `None` forgets it.
    ///
    /// # Errors
    /// `master` cannot be written.
    pub fn put_document(&self, name: &str, body: Option<String>) -> Result<(), SqlError> {
        // Held over the write: two writers of one name must be kept in the order in which they are remembered.
        let mut documents = lock(&self.documents);
        let known = documents.get(name).map(|(id, _)| *id);
        match (body, known) {
            (Some(body), known) => {
                let id = known.unwrap_or_else(|| documents.values().map(|(id, _)| id + 1).max().unwrap_or(1));
                let row = entries::document_row(name, &body);
                self.change_master(|conn| entries::put_row(conn, Kind::Document, id, &row))?;
                documents.insert(name.to_owned(), (id, body));
            }
            (None, Some(id)) => {
                self.change_master(|conn| entries::delete_row(conn, Kind::Document, id))?;
                documents.remove(name);
            }
            (None, None) => {}
        }
        Ok(())
    }

    /// All documents, by their names.
    pub fn documents(&self) -> BTreeMap<String, String> {
        lock(&self.documents).iter().map(|(name, (_, body))| (name.clone(), body.clone())).collect()
    }
}
