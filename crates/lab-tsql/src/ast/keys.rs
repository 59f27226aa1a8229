//! Master keys and certificates.

use super::Ident;

/// A password as a statement carries it. It prints as `***`, so that no tree that is logged gives it away.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a password.
    pub fn new(value: impl Into<String>) -> Secret {
        Secret(value.into())
    }

    /// The password itself, for whoever derives a key from it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// What encrypts a master key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyProtector {
    /// SERVICE MASTER KEY.
    ServiceMasterKey,
    /// PASSWORD.
    Password(Secret),
}

/// The statements about the database master key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MasterKeyStatement {
    /// CREATE MASTER KEY; only Azure SQL Database may leave the password out.
    Create(Option<Secret>),
    /// ALTER MASTER KEY REGENERATE WITH ENCRYPTION BY PASSWORD.
    Regenerate {
        /// FORCE: what cannot be decrypted is lost.
        force: bool,
        /// The new password.
        password: Secret,
    },
    /// ALTER MASTER KEY ADD ENCRYPTION BY.
    AddEncryption(KeyProtector),
    /// ALTER MASTER KEY DROP ENCRYPTION BY.
    DropEncryption(KeyProtector),
    /// OPEN MASTER KEY DECRYPTION BY PASSWORD.
    Open(Secret),
    /// CLOSE MASTER KEY.
    Close,
    /// DROP MASTER KEY.
    Drop,
}

/// Where a certificate or a private key is taken from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyMaterial {
    /// FILE.
    File(String),
    /// BINARY.
    Binary(Vec<u8>),
}

/// `WITH PRIVATE KEY (...)`.
#[derive(Clone, PartialEq, Eq)]
pub struct PrivateKeyClause {
    /// FILE or BINARY.
    pub material: KeyMaterial,
    /// DECRYPTION BY PASSWORD: what the material, or the kept key, is encrypted by.
    pub decryption: Option<Secret>,
    /// ENCRYPTION BY PASSWORD: what the kept key, or the written material, shall be encrypted by.
    pub encryption: Option<Secret>,
}

impl std::fmt::Debug for PrivateKeyClause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // BINARY holds the key itself, possibly in clear.
        f.write_str("PrivateKeyClause(***)")
    }
}

/// What a new certificate is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateSource {
    /// A new key pair, self-signed.
    New {
        /// ENCRYPTION BY PASSWORD: the private key is not encrypted by the master key.
        encryption: Option<Secret>,
        /// SUBJECT.
        subject: String,
        /// START_DATE as written.
        start_date: Option<String>,
        /// EXPIRY_DATE as written.
        expiry_date: Option<String>,
    },
    /// FROM FILE or FROM BINARY.
    Existing {
        /// The certificate.
        material: KeyMaterial,
        /// Its private key.
        private_key: Option<PrivateKeyClause>,
    },
}

/// CREATE CERTIFICATE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateCertificate {
    /// Its name.
    pub name: Ident,
    /// AUTHORIZATION.
    pub owner: Option<Ident>,
    /// What it is made from.
    pub source: CertificateSource,
    /// ACTIVE FOR BEGIN_DIALOG.
    pub active_for_begin_dialog: Option<bool>,
}

/// The statements about certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateStatement {
    /// CREATE CERTIFICATE.
    Create(Box<CreateCertificate>),
    /// DROP CERTIFICATE.
    Drop(Ident),
    /// BACKUP CERTIFICATE.
    Backup {
        /// Which.
        name: Ident,
        /// TO FILE.
        file: String,
        /// WITH PRIVATE KEY; its material is the file to be written.
        private_key: Option<PrivateKeyClause>,
    },
}
