//! Certificates that change under their names: what a drill needs, and no statement does.

use super::Server;
use super::managed::ROOT;
use crate::error::SqlError;
use crate::security::{Certificate, PrivateKeyEntry, x509};

/// A certificate before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reissued {
    /// What the endpoint showed.
    pub old: Vec<u8>,
    /// What it shows now.
    pub new: Vec<u8>,
}

impl Server {
    /// Gives the certificate of the mirroring endpoint another key and other dates (seconds since 1970) under the name that
    /// it has. Partners know the old one until they are given the new one.
    ///
    /// # Errors
    /// There is no endpoint with a certificate, or no master key to seal the new private key with. Storage errors of master.
    pub fn reissue_endpoint_certificate(
        &self,
        not_before: i64,
        not_after: i64,
    ) -> Result<Reissued, SqlError> {
        let _defining = self.defining();
        let mut security = self.security();
        let missing =
            || SqlError::new(35204, 16, 1, "The endpoint has no certificate to replace.".to_owned());
        let id = security.endpoint.as_ref().and_then(|e| e.certificate).ok_or_else(missing)?;
        let key = security.master_key.as_ref().and_then(|m| m.open_by_service(self.service_key()));
        let key = key.ok_or_else(missing)?;
        let certificate = security.certificates.get_mut(&id).ok_or_else(missing)?;
        let subject = x509::facts(&certificate.der).ok_or_else(SqlError::bad_certificate_data)?.subject;
        let failed = |what: String| SqlError::internal(format!("make a certificate: {what}"));
        let managed = self.config.flavor.is_managed();
        let host = &self.config.server_name;
        let wanted = x509::Wanted {
            subject: if managed { host } else { &subject },
            dns_name: managed.then_some(host.as_str()),
            not_before,
            not_after,
        };
        let (root, made) = if managed {
            let subject = format!("milink lab root of {host}");
            // A root outlives what it vouches for.
            let root = x509::Wanted {
                subject: &subject,
                dns_name: None,
                not_before,
                not_after: not_after.max(not_before + ROOT_SECONDS),
            };
            x509::issued(&root, &wanted).map(|(root, made)| (Some(root), made))
        } else {
            x509::self_signed(&wanted).map(|made| (None, made))
        }
        .map_err(|e| failed(e.to_string()))?;
        let sealed = key.seal(&made.pkcs8, &Certificate::purpose(&made.der));
        let sealed = sealed.map_err(|_| failed("no randomness".to_owned()))?;
        let old = std::mem::replace(&mut certificate.der, made.der.clone());
        certificate.private_key = Some(PrivateKeyEntry::MasterKey(sealed));
        certificate.key_backed_up = None;
        if let Some(root) = root {
            let hex: String = root.iter().map(|byte| format!("{byte:02X}")).collect();
            self.put_document(ROOT, Some(hex))?;
        }
        self.save_security(security)?;
        Ok(Reissued { old, new: made.der })
    }

    /// Puts a partner's new certificate in the place of its old one, under the name that it has here; whether it was there.
    ///
    /// # Errors
    /// The new one is no certificate. Storage errors of master.
    pub fn exchange_imported_certificate(&self, old: &[u8], new: &[u8]) -> Result<bool, SqlError> {
        let _defining = self.defining();
        let mut security = self.security();
        x509::facts(new).ok_or_else(SqlError::bad_certificate_data)?;
        let found = security.certificates.values_mut().find(|c| c.private_key.is_none() && c.der == old);
        let Some(certificate) = found else { return Ok(false) };
        certificate.der = new.to_vec();
        self.save_security(security)?;
        Ok(true)
    }
}

/// Ten years.
const ROOT_SECONDS: i64 = 3650 * 86_400;
