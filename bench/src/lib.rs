//! Load generators for the benchmarks that `cargo xtask bench` runs.
//!
//! The generator shares the machine's cores with the server that it drives, so whatever it spends shows in the figures.
//! Both protocols are therefore spoken in the same spare way: one blocking socket and one thread for each connection,
//! requests that are built once and of which only the key is written anew, and answers of which only what tells success
//! from failure is read. Nothing here is a general client, and nothing is shared with the server's own wire code.
//!
//! 1. [`request`]: a request with holes for its keys.
//! 2. [`tds`], [`postgres`]: connect, send a request, judge the answer.
//! 3. [`bulk`]: the same rows as an INSERT BULK message and as COPY data.
//! 4. [`load`]: many connections for a while.
//! 5. [`groups`]: two lab instances that replicate; [`relay`]: what that costs on the wire.
//! 6. [`lag`], [`outage`]: what a secondary shows, and how long nobody can write while roles change.
//! 7. [`statistics`]: medians and percentiles.

pub mod bulk;
pub mod groups;
pub mod lag;
pub mod load;
pub mod outage;
pub mod postgres;
pub mod relay;
pub mod request;
mod session;
pub mod statistics;
pub mod tds;

pub use session::{Session, Target};

/// What stops a run: a benchmark has no use for telling failures apart.
pub type Result<T> = std::result::Result<T, String>;
