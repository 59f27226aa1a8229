//! The SQL engine: catalog, types, binder, lowering to SQLite, control flow, system views.

mod error;
mod request;
mod sink;
pub mod types;

pub use error::SqlError;
pub use request::*;
pub use sink::*;
