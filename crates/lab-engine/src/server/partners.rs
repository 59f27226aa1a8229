//! Certificates of partners, as the service that owns a managed instance brings and takes them.

use super::Server;
use crate::error::SqlError;
use crate::security::{Certificate, KeyEncryption, x509};

impl Server {
    /// Accepts somebody else's certificate under a name, as CREATE CERTIFICATE ... FROM BINARY does.
    ///
    /// # Errors
    /// 15232: there is one of that name, or the same one under another; 15468 and kin: it is none. Storage errors of master.
    pub fn import_certificate(&self, name: &str, der: &[u8]) -> Result<(), SqlError> {
        let _defining = self.defining();
        let mut security = self.security();
        x509::facts(der).ok_or_else(SqlError::bad_certificate_data)?;
        if security.certificate_named(name).is_some() || security.certificates.values().any(|c| c.der == der)
        {
            return Err(SqlError::certificate_exists(name));
        }
        let id = security.next_certificate_id();
        let certificate = Certificate {
            id,
            name: name.to_owned(),
            der: der.to_vec(),
            private_key: None,
            active_for_begin_dialog: false,
            issues: Vec::new(),
            key_backed_up: None,
        };
        security.certificates.insert(id, certificate);
        self.save_security(security)
    }

    /// Forgets somebody else's certificate.
    ///
    /// # Errors
    /// 15151: there is none of that name. Storage errors of master.
    pub fn drop_imported_certificate(&self, name: &str) -> Result<(), SqlError> {
        let _defining = self.defining();
        let mut security = self.security();
        let found =
            security.certificate_named(name).filter(|c| c.encryption() == KeyEncryption::NoPrivateKey);
        let id = found.map(|c| c.id).ok_or_else(|| SqlError::cannot_drop_principal("certificate", name))?;
        security.certificates.remove(&id);
        self.save_security(security)
    }
}
