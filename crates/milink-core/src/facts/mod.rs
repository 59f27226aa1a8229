//! Facts.
#![allow(missing_docs)]
pub mod policy {
    #[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
    pub enum UpdatePolicy {
        A,
    }
}
pub mod version {
    #[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
    pub struct ServerVersion(u32);
}
