//! Why a connection could not be made, or ended: SQL Server's numbers and wordings, and the hop that failed.

use std::io;
use std::net::{IpAddr, SocketAddr};

use super::frame::{FrameError, Goodbye};
use super::preamble::PreambleError;
use super::trust::Refusal;

/// The part of the way at which a connection failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hop {
    /// The host name.
    Resolve,
    /// The TCP connection.
    Tcp,
    /// The TLS handshake.
    Tls,
    /// The certificate of either side.
    Certificate,
    /// The endpoint's own first words.
    Preamble,
}

impl std::fmt::Display for Hop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Hop::Resolve => "resolve",
            Hop::Tcp => "tcp",
            Hop::Tls => "tls",
            Hop::Certificate => "certificate",
            Hop::Preamble => "preamble",
        })
    }
}

/// Why a connection was not made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The number, as `last_connect_error_number` shows it.
    pub number: i32,
    /// The text, as `last_connect_error_description` shows it.
    pub text: String,
    /// Where it failed.
    pub hop: Hop,
    /// What exactly was wrong, which SQL Server's wording does not always say.
    pub detail: String,
}

/// Who was at the other end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Far {
    /// Somebody who connected to this endpoint.
    Client(IpAddr),
    /// An endpoint that was dialed.
    Server {
        /// The host of its URL.
        host: String,
        /// The port.
        port: u16,
    },
}

/// A line of the error log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// The number of the message.
    pub number: i32,
    /// Its severity.
    pub severity: u8,
    /// The text.
    pub text: String,
}

impl Failure {
    pub(super) fn new(hop: Hop, number: i32, text: impl Into<String>, detail: impl Into<String>) -> Failure {
        Failure { number, text: text.into(), hop, detail: detail.into() }
    }

    /// What the error log says of it.
    pub fn log_line(&self, far: &Far) -> LogLine {
        match (self.hop, far) {
            (Hop::Resolve | Hop::Tcp, Far::Server { host, port }) => LogLine {
                number: 1474,
                severity: 16,
                text: format!(
                    "Database mirroring connection error 2 '{}' for 'TCP://{host}:{port}'.",
                    self.text
                ),
            },
            (_, far) => {
                let far = match far {
                    Far::Client(address) => format!("[CLIENT: {address}]"),
                    Far::Server { host, .. } => format!("[SERVER: {host}]"),
                };
                LogLine {
                    number: 28_047,
                    severity: 10,
                    text: format!(
                        "Database Mirroring login attempt failed with error: '{}'.  {far}",
                        self.text
                    ),
                }
            }
        }
    }

    /// The host name means nothing.
    pub(super) fn resolve(host: &str, e: &io::Error) -> Failure {
        Failure::new(Hop::Resolve, 11_001, connect_text(11_001), format!("{host}: {e}"))
    }

    /// No TCP connection.
    pub(super) fn tcp(e: &io::Error) -> Failure {
        let number = match e.kind() {
            io::ErrorKind::ConnectionRefused => 10_061,
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => 10_060,
            io::ErrorKind::HostUnreachable => 10_065,
            io::ErrorKind::NetworkUnreachable => 10_051,
            _ => 10_054,
        };
        Failure::new(Hop::Tcp, number, connect_text(number), e.to_string())
    }

    /// The other side said nothing, or not enough, in the time that it had.
    pub(super) fn timeout(hop: Hop, far: &Far) -> Failure {
        let far = match far {
            Far::Client(address) => address.to_string(),
            Far::Server { host, port } => format!("TCP://{host}:{port}"),
        };
        Failure::new(
            hop,
            35_201,
            format!(
                "A connection timeout has occurred while attempting to establish a connection to '{far}'. Either a networking or firewall issue exists, or the endpoint address provided for the replica is not the database mirroring endpoint of the host server instance."
            ),
            "the other side did not finish the handshake in time",
        )
    }

    /// The connection broke on the way.
    pub(super) fn broken(hop: Hop, e: &io::Error) -> Failure {
        Failure::new(
            hop,
            10_054,
            "An error occurred while receiving data: '10054(An existing connection was forcibly closed by the remote host.)'.",
            e.to_string(),
        )
    }

    /// What came is nothing that an endpoint would say.
    pub(super) fn stranger(hop: Hop, near_role: &str, far: SocketAddr, detail: impl Into<String>) -> Failure {
        Failure::new(hop, 9642, transport_text(near_role, &far.to_string()), detail)
    }

    /// The two sides speak no common version of something.
    pub(super) fn incompatible(hop: Hop, what: &str, state: u8, detail: impl Into<String>) -> Failure {
        let text = format!("Connection handshake failed. There is no compatible {what}. State {state}.");
        Failure::new(hop, 28_027, text, detail)
    }

    /// The peer's certificate is not accepted.
    pub(super) fn certificate(refusal: &Refusal) -> Failure {
        let reason = match refusal {
            Refusal::OtherThan { .. } => {
                return Failure::new(
                    Hop::Certificate,
                    28_045,
                    "Connection handshake failed. The certificate used by the peer does not match the one in MASTER database with same issuer name and serial number. State 89.",
                    refusal.to_string(),
                );
            }
            Refusal::NotFound => "Certificate not found",
            Refusal::OtherName { .. } => "Certificate name does not match",
            Refusal::NotYetValid { .. } => "Certificate not yet valid",
            Refusal::Expired { .. } => "Certificate expired",
        };
        Failure::peer_certificate(reason, refusal.to_string())
    }

    pub(super) fn peer_certificate(reason: &str, detail: impl Into<String>) -> Failure {
        let text = format!(
            "Connection handshake failed. The certificate used by the peer is invalid due to the following reason: {reason}. State 89."
        );
        Failure::new(Hop::Certificate, 28_035, text, detail)
    }

    /// The peer cannot have the private key of the certificate it shows.
    pub(super) fn verification(detail: impl Into<String>) -> Failure {
        let text = "Connection handshake failed. The handshake verification failed. State 91.";
        Failure::new(Hop::Certificate, 28_038, text, detail)
    }

    /// The peer ended the handshake, for a reason that it gives.
    pub(super) fn ended_by_peer(hop: Hop, detail: impl Into<String>) -> Failure {
        let text = "Connection handshake failed. Could not send a handshake message because the connection was closed by peer. State 79.";
        Failure::new(hop, 28_028, text, detail)
    }

    /// There is no room for one more.
    pub(super) fn crowded(most: usize) -> Failure {
        let text = "Connection handshake failed. Not enough memory available. State 1.";
        Failure::new(Hop::Preamble, 28_026, text, format!("{most} connections are open already"))
    }

    /// A managed instance was not told which server is wanted (the link then ends in 41976).
    pub(super) fn redirect_empty() -> Failure {
        Failure::new(
            Hop::Preamble,
            33_320,
            "Tried to send redirect request but the redirect string is empty",
            "the listener URL of a managed instance must end in ;Server=[name]",
        )
    }

    /// A managed instance was asked for a server that it does not know.
    pub(super) fn redirect_unknown(name: &str) -> Failure {
        let detail = format!("no server '{}' is known behind this endpoint", printable(name));
        Failure::new(Hop::Preamble, 33_319, "The redirector returned lookup failure", detail)
    }

    /// A server name that no server can have.
    pub(super) fn redirect_malformed() -> Failure {
        let text = "Failed to parse the redirect info string";
        Failure::new(Hop::Preamble, 33_324, text, "the server name is too long")
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({}): {} ({})", self.number, self.hop, self.text, self.detail)
    }
}

impl std::error::Error for Failure {}

/// Why dialing failed.
pub type DialError = Failure;

fn connect_text(number: i32) -> String {
    let os = match number {
        11_001 => "No such host is known.",
        10_061 => "No connection could be made because the target machine actively refused it.",
        10_060 => {
            "A connection attempt failed because the connected party did not properly respond after a period of time, or established connection failed because connected host has failed to respond."
        }
        10_065 => "A socket operation was attempted to an unreachable host.",
        10_051 => "A socket operation was attempted to an unreachable network.",
        _ => "An existing connection was forcibly closed by the remote host.",
    };
    format!("Connection attempt failed with error: '{number}({os})'.")
}

fn transport_text(near_role: &str, far: &str) -> String {
    format!(
        "An error occurred in a Service Broker/Database Mirroring transport connection endpoint, Error: 8474, State: 11. (Near endpoint role: {near_role}, far endpoint address: '{far}')"
    )
}

/// Text of a peer as it may stand in a line of the error log.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Why a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CloseReason {
    /// The peer is gone without a word: the network, a crash, a kill.
    Lost(String),
    /// The peer said why.
    ByPeer(Goodbye),
    /// What came is not what a peer may send.
    Protocol(String),
    /// The peer does not read what it is sent.
    QueueFull,
    /// The certificate by which the peer was let in is no longer accepted here.
    CertificateRemoved {
        /// The name that it had.
        name: String,
    },
    /// The time of that certificate is over.
    CertificateExpired {
        /// The name that it has.
        name: String,
    },
    /// This endpoint shows another certificate now.
    IdentityReplaced,
    /// The endpoint was stopped.
    Stopped,
    /// Its owner wanted it so.
    Asked(Goodbye),
}

impl CloseReason {
    /// What the peer is told.
    pub(super) fn goodbye(&self) -> Goodbye {
        match self {
            CloseReason::ByPeer(goodbye) | CloseReason::Asked(goodbye) => goodbye.clone(),
            other => Goodbye { number: other.number(), text: other.to_string() },
        }
    }

    /// The number that goes with it.
    pub fn number(&self) -> i32 {
        match self {
            CloseReason::Lost(_) => 10_054,
            CloseReason::ByPeer(goodbye) | CloseReason::Asked(goodbye) => goodbye.number,
            CloseReason::Protocol(_) => 9642,
            CloseReason::QueueFull => 35_206,
            CloseReason::CertificateRemoved { .. } | CloseReason::CertificateExpired { .. } => 28_035,
            CloseReason::IdentityReplaced => 28_036,
            CloseReason::Stopped => 9666,
        }
    }
}

impl std::fmt::Display for CloseReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            CloseReason::Lost(detail) => write!(f, "the connection was lost: {detail}"),
            CloseReason::ByPeer(goodbye) => write!(f, "the peer ended the connection: {}", goodbye.text),
            CloseReason::Protocol(detail) => f.write_str(detail),
            CloseReason::QueueFull => f.write_str("the peer does not read what it is sent"),
            CloseReason::CertificateRemoved { name } => {
                write!(f, "the certificate '{name}' is no longer accepted")
            }
            CloseReason::CertificateExpired { name } => write!(f, "the certificate '{name}' has expired"),
            CloseReason::IdentityReplaced => f.write_str("the endpoint's certificate was replaced"),
            CloseReason::Stopped => {
                f.write_str("The Database Mirroring endpoint is in disabled or stopped state.")
            }
            CloseReason::Asked(goodbye) => f.write_str(&goodbye.text),
        }
    }
}

impl From<FrameError> for CloseReason {
    fn from(e: FrameError) -> CloseReason {
        CloseReason::Protocol(e.to_string())
    }
}

/// Why an endpoint could not start, or be changed.
#[derive(Debug)]
pub enum EndpointError {
    /// The certificate and key cannot be used.
    Identity(String),
    /// Somebody else listens there.
    PortInUse(SocketAddr),
    /// The address cannot be listened on.
    Listen(SocketAddr, io::Error),
}

impl EndpointError {
    /// The number of the message in the error log.
    pub fn number(&self) -> i32 {
        match self {
            EndpointError::Identity(_) => 28_055,
            EndpointError::PortInUse(_) => 9692,
            EndpointError::Listen(..) => 9693,
        }
    }
}

impl std::fmt::Display for EndpointError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            EndpointError::Identity(e) => {
                write!(f, "The certificate is not valid for endpoint authentication: {e}.")
            }
            EndpointError::PortInUse(address) => write!(
                f,
                "The Database Mirroring endpoint cannot listen on port {} because it is in use by another process.",
                address.port()
            ),
            EndpointError::Listen(_, e) => write!(
                f,
                "The Database Mirroring endpoint cannot listen for connections due to the following error: '{e}'."
            ),
        }
    }
}

impl std::error::Error for EndpointError {}

/// Why a frame was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendError {
    /// The connection has ended; `closed` says or will say why.
    Closed,
    /// As much waits to be sent as may; the connection is closed.
    Full,
    /// The frame is longer than a frame may be.
    TooLong,
}

impl std::fmt::Display for SendError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            SendError::Closed => "the connection is closed",
            SendError::Full => "the connection's queue is full",
            SendError::TooLong => "the frame is too long",
        })
    }
}

impl std::error::Error for SendError {}

impl From<PreambleError> for String {
    fn from(e: PreambleError) -> String {
        e.to_string()
    }
}
