//! Endpoints.

use std::net::IpAddr;

use super::Ident;
use super::words::words;

words! {
    /// What an endpoint does with its connections.
    EndpointState {
        /// It listens.
        Started = "STARTED",
        /// It listens and answers with errors.
        Stopped = "STOPPED",
        /// It does not listen.
        Disabled = "DISABLED",
    }
}

words! {
    /// The part that a mirroring endpoint can play.
    EndpointRole {
        /// Of a witness only.
        Witness = "WITNESS",
        /// Of a partner only.
        Partner = "PARTNER",
        /// Of both.
        All = "ALL",
    }
}

words! {
    /// How Windows accounts prove who they are.
    WindowsAuthentication {
        /// Kerberos or NTLM.
        Negotiate = "NEGOTIATE",
        /// NTLM.
        Ntlm = "NTLM",
        /// Kerberos.
        Kerberos = "KERBEROS",
    }
}

words! {
    /// Whether an endpoint encrypts.
    EncryptionLevel {
        /// Never.
        Disabled = "DISABLED",
        /// If the other side does.
        Supported = "SUPPORTED",
        /// Always.
        Required = "REQUIRED",
    }
}

words! {
    /// By which cipher.
    EncryptionAlgorithm {
        /// AES.
        Aes = "AES",
        /// RC4, deprecated.
        Rc4 = "RC4",
    }
}

/// LISTENER_IP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListenerIp {
    /// ALL.
    All,
    /// One address.
    Address(IpAddr),
}

/// `AS TCP (...)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TcpOptions {
    /// LISTENER_PORT; any number that could be read, for the engine to refuse.
    pub port: Option<u32>,
    /// LISTENER_IP.
    pub ip: Option<ListenerIp>,
}

/// AUTHENTICATION: at least one of both is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointAuthentication {
    /// WINDOWS.
    pub windows: Option<WindowsAuthentication>,
    /// CERTIFICATE.
    pub certificate: Option<Ident>,
    /// CERTIFICATE is tried before WINDOWS.
    pub certificate_first: bool,
}

/// ENCRYPTION.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointEncryption {
    /// Whether.
    pub level: EncryptionLevel,
    /// ALGORITHM: one or both in the order of preference; none if not written.
    pub algorithms: Vec<EncryptionAlgorithm>,
}

/// `FOR DATABASE_MIRRORING (...)`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MirroringOptions {
    /// ROLE.
    pub role: Option<EndpointRole>,
    /// AUTHENTICATION.
    pub authentication: Option<EndpointAuthentication>,
    /// ENCRYPTION.
    pub encryption: Option<EndpointEncryption>,
}

/// CREATE or ALTER ENDPOINT; only ALTER leaves clauses out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointDefinition {
    /// Its name.
    pub name: Ident,
    /// AUTHORIZATION.
    pub owner: Option<Ident>,
    /// STATE.
    pub state: Option<EndpointState>,
    /// AS TCP.
    pub tcp: Option<TcpOptions>,
    /// FOR DATABASE_MIRRORING.
    pub mirroring: Option<MirroringOptions>,
}

words! {
    /// What happens to a permission.
    PermissionVerb {
        /// GRANT.
        Grant = "GRANT",
        /// DENY.
        Deny = "DENY",
        /// REVOKE.
        Revoke = "REVOKE",
    }
}

/// The statements about endpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndpointStatement {
    /// CREATE ENDPOINT.
    Create(Box<EndpointDefinition>),
    /// ALTER ENDPOINT.
    Alter(Box<EndpointDefinition>),
    /// DROP ENDPOINT.
    Drop(Ident),
    /// GRANT, DENY or REVOKE CONNECT ON ENDPOINT.
    Connect {
        /// Which of the three.
        verb: PermissionVerb,
        /// The endpoint.
        endpoint: Ident,
        /// Whose permission.
        grantees: Vec<Ident>,
    },
}
