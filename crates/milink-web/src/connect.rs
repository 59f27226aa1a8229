//! How this crate gets at the two sides: the binary knows flags, environment and contexts, and hands over who connects.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use milink_core::spec::LinkSpec;
use milink_ops::sides::Sides;

use crate::rehearsal::Rehearsal;

/// A context, as it is shown. Nothing in it is secret: it has been read from a file that holds no secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContextInfo {
    /// Its name, which is also in addresses of pages.
    pub name: String,
    /// SQL Server's address, if it is configured.
    pub sql_server: Option<String>,
    /// The managed instance's, if it is configured.
    pub managed: Option<String>,
    /// The managed instance's name in Azure, if it is configured.
    pub instance: Option<String>,
}

/// A context whose secrets have been read and whose connections can be made.
pub struct Connected {
    /// Both sides and Azure.
    pub sides: Sides,
    /// Where its runs are written down.
    pub journal: PathBuf,
    /// What the context says of links that are made with it: a spec for such a link begins with these addresses of endpoints.
    pub endpoints: Endpoints,
    /// What should be said about the configuration.
    pub warnings: Vec<String>,
}

/// Where the endpoints can be reached by each other, as far as the configuration says so.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Endpoints {
    /// SQL Server's: `TCP://host:port`.
    pub sql_server: Option<String>,
    /// The managed instance's.
    pub managed: Option<String>,
}

impl Endpoints {
    /// Puts the addresses into a spec that does not have its own.
    pub fn complete(&self, spec: &mut LinkSpec) {
        if spec.sql_server.endpoint.is_none() {
            spec.sql_server.endpoint.clone_from(&self.sql_server);
        }
        if spec.managed.endpoint.is_none() {
            spec.managed.endpoint.clone_from(&self.managed);
        }
    }
}

/// Who knows the contexts.
#[async_trait]
pub trait Connect: Send + Sync + 'static {
    /// All contexts, in the order in which they are shown. The first is the one that pages begin with.
    fn contexts(&self) -> Vec<ContextInfo>;

    /// Where a context can be rehearsed, if it can. It is asked once.
    fn rehearsal(&self, _context: &str) -> Option<Arc<dyn Rehearsal>> {
        None
    }

    /// Reads a context's secrets and prepares its connections. It is asked again later if it fails.
    ///
    /// # Errors
    /// Why it cannot be used, for people; it may hold no secret.
    async fn connect(&self, context: &str) -> Result<Connected, String>;
}
