//! Keys, certificates and endpoints: what a server proves itself with, and whom it trusts.
//!
//! As in SQL Server, keys lie over each other: the service master key in a file of the data folder opens the database
//! master key, which opens private keys. Nothing of `master` can be read with `master` alone, and no view, message or log
//! line shows a key. [`crypt`] seals and derives, [`x509`] reads and makes certificates, [`objects`] are what is kept.

pub(crate) mod chain;
pub(crate) mod crypt;
pub(crate) mod objects;
pub(crate) mod service_key;
pub(crate) mod x509;

pub(crate) use objects::{Certificate, Endpoint, KeyEncryption, MasterKey, PrivateKeyEntry, Security};
