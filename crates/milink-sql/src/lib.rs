//! A client of one SQL Server or managed instance over TDS; it knows nothing of links.
//!
//! A [`Target`] says where the instance is, as whom to log in, and how sure to be of the server: from a server's name as
//! sqlcmd takes it ([`Server`]) or an ADO.NET connection string. A [`Client`] is a bounded pool of connections to
//! one target. Its requests end in time, and what they end with tells a caller what to do next:
//!
//! - [`Client::query`] and [`Client::batch`] read. They are repeated once, when a pooled connection turns out to have died.
//! - [`Client::execute`] changes something. It is never repeated; [`SqlError::is_certain`] tells whether it can have been
//!   applied. When that is not certain, look before you repeat it.
//!
//! Each request begins with a session as it is after the login: no setting, temporary table or open transaction
//! outlives the request that made it. Dropping a request's future closes its connection.
//!
//! A [`Session`] is one connection for a script whose batches build on each other; its answers can be taken as they
//! come ([`Sink`]).
//!
//! What is answered are [`Rows`] of [`Value`]s, bounded in number and size.

mod client;
mod collect;
mod connect;
mod connection;
mod connection_string;
mod decode;
mod error;
mod rows;
mod server;
mod session;
mod target;
mod value;

pub use client::{Client, Options};
pub use connection::Sink;
pub use error::{ServerError, ServerMessage, SqlError};
pub use milink_core::secret::Secret;
pub use rows::{Batch, ColumnInfo, Executed, Row, Rows};
pub use server::Server;
pub use session::{Session, Stopped};
pub use target::{
    ApplicationIntent, Authentication, Encrypt, Entra, EntraMethod, Target, TargetError, TokenSource,
};
pub use value::{FromValue, Value};
