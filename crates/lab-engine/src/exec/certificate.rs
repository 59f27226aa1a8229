//! CREATE, DROP, BACKUP CERTIFICATE.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use lab_tsql::ast::{
    CertificateSource, CertificateStatement, CreateCertificate, Ident, KeyMaterial, PrivateKeyClause,
};
use rusqlite::types::Value;
use serde::{Deserialize, Serialize};

use super::Stop;
use crate::error::SqlError;
use crate::security::crypt::PasswordSealed;
use crate::security::{Certificate, PrivateKeyEntry, x509};
use crate::server::MASTER;
use crate::session::Session;
use crate::sink::Sink;
use crate::types::{ConvertContext, ConvertKind, SqlType, convert, now_datetime, unix_seconds};

/// A year, which a certificate is valid for if nothing else is said.
const VALID_SECONDS: i64 = 365 * 86_400;
/// Longer files are no certificates and no keys.
const FILE_MAX: u64 = 1 << 20;
/// Longer subjects are cut off, as in SQL Server.
const SUBJECT_MAX: usize = 128;
/// What a private key in a file of BACKUP CERTIFICATE is sealed for.
const BACKUP: &str = "private key backup";

/// A file that BACKUP CERTIFICATE writes for a private key.
#[derive(Serialize, Deserialize)]
struct KeyFile {
    format: String,
    key: PasswordSealed,
}

const KEY_FILE: &str = "milink lab private key 1";

impl Session {
    pub(super) fn run_certificate(
        &mut self,
        statement: &CertificateStatement,
        sink: &mut dyn Sink,
    ) -> Result<(), Stop> {
        let (what, name) = match statement {
            CertificateStatement::Create(create) => ("CREATE CERTIFICATE", &create.name),
            CertificateStatement::Drop(name) => ("DROP CERTIFICATE", name),
            CertificateStatement::Backup { name, .. } => ("BACKUP CERTIFICATE", name),
        };
        self.in_master(what)?;
        if !self.shared.rights(MASTER)?.owner {
            return Err(match statement {
                CertificateStatement::Create(_) => SqlError::no_permission(),
                CertificateStatement::Drop(_) => SqlError::cannot_drop_principal("certificate", &name.value),
                CertificateStatement::Backup { .. } => {
                    SqlError::principal_not_found("certificate", &name.value)
                }
            }
            .into());
        }
        self.outside_transactions(what)?;
        match statement {
            CertificateStatement::Create(create) => self.create_certificate(create, sink)?,
            CertificateStatement::Drop(name) => self.drop_certificate(name)?,
            CertificateStatement::Backup { name, file, private_key } => {
                self.backup_certificate(name, file, private_key.as_ref())?;
            }
        }
        Ok(())
    }

    /// Keys and certificates are those of `master`: a lab encrypts nothing else with them.
    pub(super) fn in_master(&self, what: &str) -> Result<(), SqlError> {
        if self.current_database() == MASTER {
            return Ok(());
        }
        Err(SqlError::unsupported(&format!("{what} outside of master")))
    }

    fn create_certificate(
        &mut self,
        create: &CreateCertificate,
        sink: &mut dyn Sink,
    ) -> Result<(), SqlError> {
        let name = &create.name.value;
        if name.contains('\\') {
            return Err(SqlError::invalid_name_characters(name));
        }
        if create.owner.as_ref().is_some_and(|owner| !owner.value.eq_ignore_ascii_case("dbo")) {
            return Err(SqlError::unsupported("CREATE CERTIFICATE AUTHORIZATION other than dbo"));
        }
        let server = std::sync::Arc::clone(&self.server);
        let _defining = server.defining();
        let mut security = server.security();
        if security.certificate_named(name).is_some() {
            return Err(SqlError::certificate_exists(name));
        }
        let mut warnings = Vec::new();
        let (der, private_key) = match &create.source {
            CertificateSource::New { encryption, subject, start_date, expiry_date } => {
                let now = unix_seconds(now_datetime());
                let start = start_date.as_deref().map(|d| self.date(d)).transpose()?;
                let expiry = expiry_date.as_deref().map(|d| self.date(d)).transpose()?;
                let not_before = start.unwrap_or(now);
                let not_after = expiry.unwrap_or(not_before + VALID_SECONDS);
                if not_after < not_before {
                    return Err(SqlError::certificate_dates());
                }
                if not_after < now {
                    warnings.push((15214, "Warning: The certificate you created is expired."));
                }
                if not_before > now {
                    warnings.push((
                        15215,
                        "Warning: The certificate you created is not yet valid; its start date is in the future.",
                    ));
                }
                if subject.is_empty() {
                    return Err(SqlError::certificate_subject());
                }
                let subject: String = subject.chars().take(SUBJECT_MAX).collect();
                // Asked before the work of making a key pair.
                let master_key = if encryption.is_none() { Some(self.master_key()?) } else { None };
                let wanted = x509::Wanted { subject: &subject, dns_name: None, not_before, not_after };
                let made = x509::self_signed(&wanted).map_err(|_| SqlError::certificate_generation())?;
                let purpose = Certificate::purpose(&made.der);
                let kept = match (encryption, master_key) {
                    (Some(password), _) => PrivateKeyEntry::Password(
                        PasswordSealed::new(password.expose(), &made.pkcs8, &purpose)
                            .map_err(SqlError::crypt)?,
                    ),
                    (None, Some(key)) => {
                        PrivateKeyEntry::MasterKey(key.seal(&made.pkcs8, &purpose).map_err(SqlError::crypt)?)
                    }
                    (None, None) => return Err(SqlError::no_master_key()),
                };
                (made.der, Some(kept))
            }
            CertificateSource::Existing { material, private_key } => {
                let der = match material {
                    KeyMaterial::Binary(bytes) => bytes.clone(),
                    KeyMaterial::File(path) => x509::from_file(&self.read_key_file(path)?)
                        .ok_or_else(SqlError::bad_certificate_file)?,
                };
                let facts = x509::facts(&der).ok_or_else(|| match material {
                    KeyMaterial::Binary(_) => SqlError::bad_certificate_data(),
                    KeyMaterial::File(_) => SqlError::bad_certificate_file(),
                })?;
                let kept =
                    private_key.as_ref().map(|clause| self.import_key(clause, &der, &facts)).transpose()?;
                (der, kept)
            }
        };
        if security.certificates.values().any(|known| known.der == der) {
            return Err(SqlError::certificate_exists(name));
        }
        let id = security.next_certificate_id();
        let certificate = Certificate {
            id,
            name: name.clone(),
            der,
            private_key,
            active_for_begin_dialog: create.active_for_begin_dialog.unwrap_or(true),
            issues: Vec::new(),
            key_backed_up: None,
        };
        security.certificates.insert(id, certificate);
        server.save_security(security)?;
        for (number, text) in warnings {
            sink.info(&SqlError::new(number, 0, 1, text));
        }
        Ok(())
    }

    /// A date as START_DATE and EXPIRY_DATE have it, in seconds since 1970.
    fn date(&self, text: &str) -> Result<i64, SqlError> {
        let context = ConvertContext { date_format: self.settings.date_format, ..ConvertContext::default() };
        let text = Value::Text(text.to_owned());
        let from = SqlType::nvarchar(64);
        match convert(&text, from, SqlType::DateTime, None, ConvertKind::Explicit, &context)? {
            Value::Integer(datetime) => Ok(unix_seconds(datetime)),
            _ => Err(SqlError::text_to_date("datetime")),
        }
    }

    fn import_key(
        &self,
        clause: &PrivateKeyClause,
        der: &[u8],
        facts: &x509::Facts,
    ) -> Result<PrivateKeyEntry, SqlError> {
        let bytes = match &clause.material {
            KeyMaterial::Binary(bytes) => bytes.clone(),
            KeyMaterial::File(path) => self.read_key_file(path)?,
        };
        let pkcs8 = match serde_json::from_slice::<KeyFile>(&bytes) {
            Ok(file) if file.format == KEY_FILE => {
                let password = clause.decryption.as_ref().ok_or_else(SqlError::key_password)?;
                file.key.open(password.expose(), BACKUP).map_err(|_| SqlError::key_password())?
            }
            _ => x509::private_key(&bytes).ok_or_else(SqlError::key_format)?,
        };
        if !x509::belongs_to(&pkcs8, facts) {
            return Err(SqlError::key_of_another());
        }
        let purpose = Certificate::purpose(der);
        match &clause.encryption {
            Some(password) => PasswordSealed::new(password.expose(), &pkcs8, &purpose)
                .map(PrivateKeyEntry::Password)
                .map_err(SqlError::crypt),
            None => self
                .master_key()?
                .seal(&pkcs8, &purpose)
                .map(PrivateKeyEntry::MasterKey)
                .map_err(SqlError::crypt),
        }
    }

    fn key_file_path(&self, path: &str) -> PathBuf {
        self.server.config.data_dir.join(path)
    }

    fn read_key_file(&self, path: &str) -> Result<Vec<u8>, SqlError> {
        let mut bytes = Vec::new();
        std::fs::File::open(self.key_file_path(path))
            .and_then(|file| file.take(FILE_MAX).read_to_end(&mut bytes))
            .map_err(|_| SqlError::bad_certificate_file())?;
        Ok(bytes)
    }

    /// Writes a new file, which only its owner may read.
    fn write_key_file(&self, path: &str, bytes: &[u8]) -> Result<(), SqlError> {
        let mut options = std::fs::OpenOptions::new();
        options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(self.key_file_path(path))
            .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
            .map_err(|_| SqlError::cannot_write_file(path))
    }

    fn drop_certificate(&self, name: &Ident) -> Result<(), SqlError> {
        let _defining = self.server.defining();
        let mut security = self.server.security();
        let found = security.certificate_named(&name.value).map(|c| c.id);
        let id = found.ok_or_else(|| SqlError::cannot_drop_principal("certificate", &name.value))?;
        if security.endpoint.as_ref().is_some_and(|e| e.certificate == Some(id)) {
            return Err(SqlError::certificate_in_use());
        }
        security.certificates.remove(&id);
        self.server.save_security(security)
    }

    fn backup_certificate(
        &self,
        name: &Ident,
        file: &str,
        private_key: Option<&PrivateKeyClause>,
    ) -> Result<(), SqlError> {
        let _defining = self.server.defining();
        let mut security = self.server.security();
        let certificate = security
            .certificate_named(&name.value)
            .cloned()
            .ok_or_else(|| SqlError::principal_not_found("certificate", &name.value))?;
        let key_file = private_key.map(|clause| self.sealed_key(&certificate, clause)).transpose()?;
        self.write_key_file(file, &certificate.der)?;
        if let Some((path, bytes)) = key_file {
            self.write_key_file(&path, &bytes)?;
            if let Some(kept) = security.certificates.get_mut(&certificate.id) {
                kept.key_backed_up = Some(now_datetime());
            }
            self.server.save_security(security)?;
        }
        Ok(())
    }

    /// The private key of a certificate as a file: where, and what.
    fn sealed_key(
        &self,
        certificate: &Certificate,
        clause: &PrivateKeyClause,
    ) -> Result<(String, Vec<u8>), SqlError> {
        let KeyMaterial::File(path) = &clause.material else {
            return Err(SqlError::unsupported("BACKUP CERTIFICATE WITH PRIVATE KEY BINARY"));
        };
        let encryption = clause.encryption.as_ref().ok_or_else(SqlError::key_needs_password)?;
        let pkcs8 = match (&certificate.private_key, &clause.decryption) {
            (None, _) => return Err(SqlError::no_key_to_dump(&certificate.name)),
            (Some(PrivateKeyEntry::MasterKey(_)), Some(_)) => return Err(SqlError::key_needs_no_password()),
            (Some(PrivateKeyEntry::MasterKey(_)), None) => {
                let key = self.master_key()?;
                certificate.open_private_key(&key).ok_or_else(SqlError::key_corrupted)?
            }
            (Some(PrivateKeyEntry::Password(sealed)), Some(password)) => sealed
                .open(password.expose(), &Certificate::purpose(&certificate.der))
                .map_err(|_| SqlError::key_password())?,
            (Some(PrivateKeyEntry::Password(_)), None) => return Err(SqlError::key_has_password()),
        };
        let key = PasswordSealed::new(encryption.expose(), &pkcs8, BACKUP).map_err(SqlError::crypt)?;
        let file = KeyFile { format: KEY_FILE.to_owned(), key };
        Ok((path.clone(), serde_json::to_vec(&file).map_err(SqlError::internal)?))
    }
}
