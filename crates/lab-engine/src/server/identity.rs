//! By what name others know the server.

use super::Server;

impl Server {
    /// `@@SERVERNAME`.
    pub fn name(&self) -> &str {
        &self.config.server_name
    }

    /// The host name of the server's endpoints. A managed instance is known by its fully qualified name, which its
    /// certificate has at its partners; names under `localhost` are the machine's own (RFC 6761, section 6.3).
    pub fn host_name(&self) -> String {
        format!("{}.localhost", self.name().to_lowercase())
    }

    /// The collation of the server.
    pub fn collation_name(&self) -> &'static str {
        self.collation.name()
    }
}
