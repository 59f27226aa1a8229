//! MASTER KEY and CERTIFICATE.

use super::{Parsed, Parser};
use crate::ast::{
    CertificateSource, CertificateStatement, CreateCertificate, Ident, KeyMaterial, KeyProtector,
    MasterKeyStatement, PrivateKeyClause, Secret, StatementKind,
};
use crate::lexer::Token;

impl Parser<'_> {
    pub(super) fn master_key(&mut self, verb: &str) -> Parsed<StatementKind> {
        let statement = match verb {
            "CREATE" => {
                let password = if self.is_word("ENCRYPTION") { Some(self.encryption()?) } else { None };
                MasterKeyStatement::Create(password)
            }
            "OPEN" => MasterKeyStatement::Open(self.decryption()?),
            "CLOSE" => MasterKeyStatement::Close,
            "DROP" => MasterKeyStatement::Drop,
            _ => self.alter_master_key()?,
        };
        Ok(StatementKind::MasterKey(statement))
    }

    fn alter_master_key(&mut self) -> Parsed<MasterKeyStatement> {
        let force = self.accept_word("FORCE");
        if self.accept_word("REGENERATE") {
            self.expect_word("WITH")?;
            return Ok(MasterKeyStatement::Regenerate { force, password: self.encryption()? });
        }
        if force {
            return Err(self.unexpected());
        }
        match self.accept_any(&["ADD", "DROP"]) {
            Some("ADD") => Ok(MasterKeyStatement::AddEncryption(self.key_protector()?)),
            Some(_) => Ok(MasterKeyStatement::DropEncryption(self.key_protector()?)),
            None => Err(self.unexpected()),
        }
    }

    fn key_protector(&mut self) -> Parsed<KeyProtector> {
        if self.accept_words(&["ENCRYPTION", "BY", "SERVICE", "MASTER", "KEY"]) {
            return Ok(KeyProtector::ServiceMasterKey);
        }
        Ok(KeyProtector::Password(self.encryption()?))
    }

    /// `ENCRYPTION BY PASSWORD = '...'`
    fn encryption(&mut self) -> Parsed<Secret> {
        self.by_password("ENCRYPTION")
    }

    /// `DECRYPTION BY PASSWORD = '...'`
    fn decryption(&mut self) -> Parsed<Secret> {
        self.by_password("DECRYPTION")
    }

    fn by_password(&mut self, word: &str) -> Parsed<Secret> {
        for word in [word, "BY", "PASSWORD"] {
            self.expect_word(word)?;
        }
        Ok(Secret::new(self.equals_text()?))
    }

    pub(super) fn certificate(&mut self, verb: &str) -> Parsed<StatementKind> {
        if verb == "ALTER" {
            return Ok(self.recognised("ALTER CERTIFICATE"));
        }
        self.at += 1;
        let name = self.ident()?;
        if verb == "DROP" {
            return Ok(StatementKind::Certificate(CertificateStatement::Drop(name)));
        }
        let owner = if self.accept_word("AUTHORIZATION") { Some(self.ident()?) } else { None };
        let source =
            if self.accept_word("FROM") { self.existing_certificate()? } else { self.new_certificate()? };
        let mut active_for_begin_dialog = None;
        if self.accept_words(&["ACTIVE", "FOR", "BEGIN_DIALOG"]) {
            self.expect("=")?;
            active_for_begin_dialog = Some(self.on_off()?);
        }
        let create = CreateCertificate { name, owner, source, active_for_begin_dialog };
        Ok(StatementKind::Certificate(CertificateStatement::Create(Box::new(create))))
    }

    fn existing_certificate(&mut self) -> Parsed<CertificateSource> {
        if self.accept_word("ASSEMBLY") {
            self.ident()?;
            self.refuse("CREATE CERTIFICATE FROM ASSEMBLY");
            return Ok(CertificateSource::Existing {
                material: KeyMaterial::Binary(Vec::new()),
                private_key: None,
            });
        }
        if self.accept_word("EXECUTABLE") {
            self.refuse("CREATE CERTIFICATE FROM EXECUTABLE FILE");
        }
        let material = self.key_material()?;
        let private_key = if self.accept_word("WITH") {
            self.certificate_format("CREATE CERTIFICATE")?;
            Some(self.private_key()?)
        } else {
            None
        };
        Ok(CertificateSource::Existing { material, private_key })
    }

    /// `FORMAT = 'PFX',` of SQL Server 2022.
    fn certificate_format(&mut self, statement: &str) -> Parsed<()> {
        if self.accept_word("FORMAT") {
            self.equals_text()?;
            self.expect(",")?;
            self.refuse(&format!("{statement} WITH FORMAT"));
        }
        Ok(())
    }

    /// `FILE = '...'` or `BINARY = 0x...`
    fn key_material(&mut self) -> Parsed<KeyMaterial> {
        if self.accept_word("FILE") {
            return Ok(KeyMaterial::File(self.equals_text()?));
        }
        self.expect_word("BINARY")?;
        self.expect("=")?;
        let Token::Binary(bytes) = self.peek() else { return Err(self.unexpected()) };
        let bytes = bytes.clone();
        self.at += 1;
        Ok(KeyMaterial::Binary(bytes))
    }

    fn private_key(&mut self) -> Parsed<PrivateKeyClause> {
        self.expect_word("PRIVATE")?;
        self.expect_word("KEY")?;
        self.expect("(")?;
        let (mut material, mut decryption, mut encryption) = (None, None, None);
        loop {
            if self.is_word("DECRYPTION") {
                decryption = Some(self.decryption()?);
            } else if self.is_word("ENCRYPTION") {
                encryption = Some(self.encryption()?);
            } else if self.accept_word("ALGORITHM") {
                self.equals_text()?;
                self.refuse("PRIVATE KEY ALGORITHM");
            } else {
                material = Some(self.key_material()?);
            }
            if !self.accept(",") {
                break;
            }
        }
        let material = material.ok_or_else(|| self.unexpected())?;
        self.expect(")")?;
        Ok(PrivateKeyClause { material, decryption, encryption })
    }

    fn new_certificate(&mut self) -> Parsed<CertificateSource> {
        let encryption = if self.is_word("ENCRYPTION") { Some(self.encryption()?) } else { None };
        self.expect_word("WITH")?;
        let (mut subject, mut start_date, mut expiry_date) = (None, None, None);
        loop {
            let slot = match self.accept_any(&["SUBJECT", "START_DATE", "EXPIRY_DATE"]) {
                Some("SUBJECT") => &mut subject,
                Some("START_DATE") => &mut start_date,
                Some(_) => &mut expiry_date,
                None => return Err(self.unexpected()),
            };
            *slot = Some(self.equals_text()?);
            if !self.accept(",") {
                break;
            }
        }
        let subject = subject.ok_or_else(|| self.unexpected())?;
        Ok(CertificateSource::New { encryption, subject, start_date, expiry_date })
    }

    /// What follows BACKUP where it is no backup of a database.
    pub(in crate::parser) fn backup_certificate(&mut self) -> Parsed<StatementKind> {
        self.at += 1;
        let name: Ident = self.ident()?;
        self.expect_word("TO")?;
        self.expect_word("FILE")?;
        let file = self.equals_text()?;
        let private_key = if self.accept_word("WITH") {
            self.certificate_format("BACKUP CERTIFICATE")?;
            Some(self.private_key()?)
        } else {
            None
        };
        Ok(StatementKind::Certificate(CertificateStatement::Backup { name, file, private_key }))
    }
}
