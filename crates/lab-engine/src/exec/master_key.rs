//! MASTER KEY.

use lab_tsql::ast::{KeyProtector, MasterKeyStatement};

use super::Stop;
use super::database::random_hex;
use crate::error::SqlError;
use crate::security::crypt::Key;
use crate::security::{Certificate, MasterKey, PrivateKeyEntry, Security};
use crate::server::{MASTER, strong};
use crate::session::Session;
use crate::sink::Sink;
use crate::types::now_datetime;

impl Session {
    /// The database master key: opened by the service's key, or by this session with a password.
    pub(super) fn master_key(&self) -> Result<Key, SqlError> {
        let security = self.server.security();
        let kept = security.master_key.as_ref().ok_or_else(SqlError::no_master_key)?;
        kept.open_by_service(self.server.service_key())
            .or_else(|| self.master_key.clone())
            .ok_or_else(SqlError::no_master_key)
    }

    pub(super) fn run_master_key(
        &mut self,
        statement: &MasterKeyStatement,
        sink: &mut dyn Sink,
    ) -> Result<(), Stop> {
        let what = match statement {
            MasterKeyStatement::Create(_) => "CREATE MASTER KEY",
            MasterKeyStatement::Open(_) => "OPEN MASTER KEY",
            MasterKeyStatement::Close => "CLOSE MASTER KEY",
            MasterKeyStatement::Drop => "DROP MASTER KEY",
            MasterKeyStatement::Regenerate { .. }
            | MasterKeyStatement::AddEncryption(_)
            | MasterKeyStatement::DropEncryption(_) => "ALTER MASTER KEY",
        };
        self.in_master(what)?;
        if !self.shared.rights(MASTER)?.owner {
            return Err(SqlError::no_permission().into());
        }
        match statement {
            MasterKeyStatement::Open(password) => {
                let security = self.server.security();
                let kept = security.master_key.as_ref().ok_or_else(SqlError::no_master_key)?;
                let key = kept.open_by_password(password.expose()).ok_or_else(SqlError::wrong_decryptor)?;
                self.master_key = Some(key);
                return Ok(());
            }
            MasterKeyStatement::Close => {
                if self.master_key.take().is_none() {
                    return Err(SqlError::key_not_open().into());
                }
                return Ok(());
            }
            _ => self.outside_transactions(what)?,
        }
        let server = std::sync::Arc::clone(&self.server);
        let _defining = server.defining();
        let mut security = server.security();
        match statement {
            MasterKeyStatement::Create(password) => {
                if security.master_key.is_some() {
                    return Err(SqlError::master_key_exists().into());
                }
                let password = password.as_ref().ok_or_else(SqlError::key_without_encryptor)?;
                let key = Key::random().map_err(SqlError::crypt)?;
                security.master_key = Some(self.sealed(&key, password.expose(), now_datetime())?);
            }
            MasterKeyStatement::Regenerate { force, password } => {
                self.regenerate(&mut security, *force, password.expose(), sink)?;
            }
            MasterKeyStatement::AddEncryption(by) => self.add_encryption(&mut security, by)?,
            MasterKeyStatement::DropEncryption(by) => drop_encryption(&mut security, by)?,
            MasterKeyStatement::Drop => {
                if security.master_key.is_none() {
                    let name = "##MS_DatabaseMasterKey##";
                    return Err(SqlError::cannot_drop_principal("symmetric key", name).into());
                }
                let user = |c: &&Certificate| matches!(c.private_key, Some(PrivateKeyEntry::MasterKey(_)));
                if let Some(certificate) = security.certificates.values().find(user) {
                    return Err(SqlError::master_key_in_use(&certificate.name).into());
                }
                security.master_key = None;
                self.master_key = None;
            }
            MasterKeyStatement::Open(_) | MasterKeyStatement::Close => {}
        }
        server.save_security(security)?;
        Ok(())
    }

    fn sealed(&self, key: &Key, password: &str, created: i64) -> Result<MasterKey, SqlError> {
        if !strong(password) {
            return Err(SqlError::weak_password());
        }
        let guid = random_hex()?;
        let service = self.server.service_key();
        let mut made =
            MasterKey::new(key, Some(password), service, guid, now_datetime()).map_err(SqlError::crypt)?;
        made.created = created;
        Ok(made)
    }

    /// A new key in place of the old one; what the old one encrypts is encrypted anew.
    fn regenerate(
        &mut self,
        security: &mut Security,
        force: bool,
        password: &str,
        sink: &mut dyn Sink,
    ) -> Result<(), SqlError> {
        let kept = security.master_key.clone().ok_or_else(SqlError::no_master_key)?;
        let old = match self.master_key() {
            Ok(key) => Some(key),
            Err(_) if force => {
                let text = "The current master key cannot be decrypted. The error was ignored because the FORCE option was specified.";
                sink.info(&SqlError::new(15585, 0, 1, text));
                None
            }
            Err(_) => return Err(SqlError::master_key_closed()),
        };
        let new = Key::random().map_err(SqlError::crypt)?;
        for certificate in security.certificates.values_mut() {
            if !matches!(certificate.private_key, Some(PrivateKeyEntry::MasterKey(_))) {
                continue;
            }
            let opened = old.as_ref().and_then(|old| certificate.open_private_key(old));
            certificate.private_key = match opened {
                Some(pkcs8) => {
                    let purpose = Certificate::purpose(&certificate.der);
                    let sealed = new.seal(&pkcs8, &purpose).map_err(SqlError::crypt)?;
                    Some(PrivateKeyEntry::MasterKey(sealed))
                }
                None if force => {
                    let name = &certificate.name;
                    let text = format!(
                        "An error occurred while decrypting certificate '{name}' that was encrypted by the old master key. The error was ignored because the FORCE option was specified."
                    );
                    sink.info(&SqlError::new(15584, 0, 1, text));
                    None
                }
                None => return Err(SqlError::not_decrypted(&certificate.name)),
            };
        }
        let mut made = self.sealed(&new, password, kept.created)?;
        made.guid = kept.guid;
        if kept.by_service.is_none() {
            made.by_service = None;
        }
        security.master_key = Some(made);
        self.master_key = self.master_key.take().map(|_| new);
        Ok(())
    }

    fn add_encryption(&self, security: &mut Security, by: &KeyProtector) -> Result<(), SqlError> {
        let key = self.master_key()?;
        let kept = security.master_key.as_mut().ok_or_else(SqlError::no_master_key)?;
        match by {
            KeyProtector::ServiceMasterKey => {
                if kept.by_service.is_some() {
                    return Err(SqlError::encryption_exists("master key", "##MS_ServiceMasterKey##"));
                }
                kept.by_service = Some(key.seal_under(self.server.service_key()).map_err(SqlError::crypt)?);
            }
            KeyProtector::Password(password) => {
                if !strong(password.expose()) {
                    return Err(SqlError::weak_password());
                }
                if kept.open_by_password(password.expose()).is_some() {
                    return Err(SqlError::encryption_exists("password", ""));
                }
                kept.add_password(&key, password.expose()).map_err(SqlError::crypt)?;
            }
        }
        kept.modified = now_datetime();
        Ok(())
    }
}

fn drop_encryption(security: &mut Security, by: &KeyProtector) -> Result<(), SqlError> {
    let kept = security.master_key.as_mut().ok_or_else(SqlError::no_master_key)?;
    match by {
        KeyProtector::ServiceMasterKey => {
            kept.by_service.take().ok_or_else(SqlError::wrong_decryptor)?;
        }
        KeyProtector::Password(password) => {
            let (at, _) = kept.password_at(password.expose()).ok_or_else(SqlError::wrong_decryptor)?;
            if kept.by_passwords.len() == 1 {
                return Err(SqlError::key_without_encryptor());
            }
            kept.by_passwords.remove(at);
        }
    }
    kept.modified = now_datetime();
    Ok(())
}
