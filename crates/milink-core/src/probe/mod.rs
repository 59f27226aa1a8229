//! From what came back from an endpoint's address to the hops that this proves.
//!
//! What a stranger can prove, and what not. The handshake of a database mirroring endpoint is not published, and it lets nobody in who has
//! no certificate that the other side trusts. So the probe says what anybody may say, a TLS hello, and reads the answer; if that is not an
//! endpoint's, it dials once more and asks what a client of SQL Server would (MS-TDS 2.2.6.5, PRELOGIN). That proves:
//!
//! - *DNS* and *TCP*: of any endpoint, from where the probe was made;
//! - *TLS*, *certificate*, *protocol*: of an endpoint that answers TLS, shows the very certificate that is known of it, and asks for a
//!   partner's. Nobody else has the key to that certificate;
//! - that something else answers: TDS, HTTP, SSH, or TLS with another certificate.
//!
//! An endpoint that answers a stranger's hello by closing the connection, or not at all, may be sound, and so may a firewall be that does not
//! let its handshake pass: the probe ends after TCP then, and says what it met, without a failure. Only the two sides themselves can tell
//! those apart (`sys.dm_hadr_availability_replica_states`), and so it is with the ports 11000 to 11999 to which a managed instance sends a
//! partner on: one has to be let in to be sent there (Prepare, network).

mod judge;
mod target;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};

pub use judge::{Speaks, judge, recognise};
pub use target::{Expected, Target, Told, targets};

use crate::moment::Moment;
use crate::names::Thumbprint;

/// How much of an answer is kept.
pub const KEPT_BYTES: usize = 512;

/// What came back, hop by hop, as far as it was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// When it was begun.
    pub at: Moment,
    /// The addresses that the name has now. A managed instance's change, so it is asked each time.
    pub names: Result<Vec<IpAddr>, String>,
    /// The addresses that were dialled, in their order; the last one is the one that answered, if one did.
    pub dials: Vec<Dial>,
    /// What came of the TLS hello, if a connection was made.
    pub hello: Option<Answer>,
    /// What came of a PRELOGIN on a second connection, if that was asked; empty if nothing did.
    pub prelogin: Option<Vec<u8>>,
}

/// An address that was dialled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dial {
    /// Which.
    pub address: SocketAddr,
    /// What came of it.
    pub end: DialEnd,
}

/// What came of dialling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DialEnd {
    /// A connection.
    Connected {
        /// How long it took.
        ms: u64,
    },
    /// The host has said no: nothing listens, or a firewall answers for it.
    Refused,
    /// Nobody has said anything.
    TimedOut {
        /// How long it was waited.
        ms: u64,
    },
    /// Something else, in the system's words.
    Failed(String),
}

/// What came of a TLS hello.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Nothing, and the connection stayed.
    Silent {
        /// How long it was waited.
        ms: u64,
    },
    /// The connection was closed or reset before anything came.
    Closed,
    /// Something that is not TLS: how it begins, no more than [`KEPT_BYTES`].
    Bytes(Vec<u8>),
    /// TLS.
    Tls(Tls),
}

/// What is known of a server that answers TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The version that was agreed on, if one was.
    pub version: Option<String>,
    /// The certificate that it has proved to have the key of.
    pub certificate: Option<Shown>,
    /// Whether it has asked for ours.
    pub asks: bool,
    /// How it ended.
    pub end: TlsEnd,
}

/// A certificate that was shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Its SHA-1.
    pub thumbprint: Thumbprint,
    /// Its subject, as far as it can be read.
    pub subject: String,
}

/// How TLS ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsEnd {
    /// The handshake is done, and the server says no more.
    Done,
    /// By an alert, by its name.
    Alert(String),
    /// The connection was closed.
    Closed,
    /// It stopped half-way.
    Silent,
    /// What came breaks the rules of TLS, or is more than a handshake needs.
    Broken(String),
}

impl Answer {
    /// Whether it is what an endpoint answers that is the right one, so that nothing else need be asked.
    pub fn is_the_endpoint(&self, expected: Option<&Expected>) -> bool {
        let Answer::Tls(tls) = self else { return false };
        let is = |e: &Expected| tls.certificate.as_ref().is_some_and(|c| c.thumbprint == e.thumbprint);
        tls.asks && expected.is_some_and(is)
    }
}
