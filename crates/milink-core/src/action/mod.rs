//! What is done to a side: a T-SQL statement or a call of Azure Resource Manager, as data.
//!
//! An action says everything but secrets and what is known only when it is carried out (a certificate that an earlier step makes).
//! Rendering it as T-SQL, PowerShell or a REST body is the work of [`crate::script`].

mod arm;
mod statement;

pub use arm::{ArmCall, FailoverType, HybridUsage, LinkBody, RoleChange};
pub use statement::{Member, MemberOptions, Statement};

use serde::{Deserialize, Serialize};

use crate::names::{Hex, Side};
use crate::observe::Observation;

/// Something that changes a side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Action {
    /// A statement, in `master`.
    Sql {
        /// Where.
        side: Side,
        /// What.
        statement: Statement,
    },
    /// A call of Azure Resource Manager, on the managed instance.
    Arm {
        /// What.
        call: ArmCall,
    },
}

impl Action {
    /// A statement on SQL Server.
    pub fn sql(statement: Statement) -> Action {
        Action::Sql { side: Side::SqlServer, statement }
    }

    /// A call of Azure.
    pub fn arm(call: ArmCall) -> Action {
        Action::Arm { call }
    }
}

/// A certificate's public part that an action needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "of")]
pub enum PublicKey {
    /// It is known already.
    Known {
        /// Its DER form.
        der: Hex,
    },
    /// The certificate of that name on SQL Server, which an earlier step may make.
    SqlServer {
        /// The certificate.
        certificate: String,
    },
    /// The certificate of the managed instance's endpoint.
    ManagedEndpoint,
    /// A root certificate that Azure uses, which comes with `milink` (see [`crate::facts::roots`]).
    BundledRoot {
        /// Its common name.
        name: String,
    },
}

impl PublicKey {
    /// The DER form, from what is seen now.
    ///
    /// # Errors
    /// It cannot be seen; the text says what is missing.
    pub fn resolve(&self, seen: &Observation) -> Result<Hex, String> {
        match self {
            PublicKey::Known { der } => Ok(der.clone()),
            PublicKey::SqlServer { certificate } => {
                let instance = seen.sql_server.get()?;
                let found = instance.certificate(certificate);
                found.map(|c| c.public.clone()).ok_or_else(|| {
                    format!("certificate {certificate} is not on SQL Server, or cannot be seen by this login")
                })
            }
            PublicKey::ManagedEndpoint => {
                let azure = seen.azure.get()?;
                let found = azure.endpoint_certificate.as_ref();
                found.map(|c| c.public.clone()).ok_or_else(|| {
                    "Azure does not give the certificate of the managed instance's endpoint".to_owned()
                })
            }
            PublicKey::BundledRoot { name } => {
                let root = crate::facts::roots::der(name);
                root.map(|der| Hex::new(der.to_vec()))
                    .ok_or_else(|| format!("no root certificate {name} comes with milink"))
            }
        }
    }
}
