//! A prepared statement: its text and what its parameters are declared as.

/// What a handle of sp_prepare stands for.
#[derive(Debug, Clone)]
pub(crate) struct Prepared {
    pub(crate) statement: String,
    pub(crate) declared: String,
}
