//! A client of Azure Resource Manager for managed instances and their links. It makes typed calls and answers typed facts;
//! it decides nothing about links.
//!
//! The life of a call: an id ([`ids`]) becomes an address, a token is had (`login`), the request is sent and sent again where
//! that is safe (`retry`), the answer is judged ([`ArmError`]) and read ([`models`]). A write that was accepted is followed
//! by its [`OperationRef`], from this process or another one.
//!
//! What never happens here: a token goes to no host but the one of the cloud's endpoint, nothing is sent without TLS, a
//! `failover` or a `setRole` is never sent twice, and no answer is read without a limit to its size.

mod address;
mod answer;
mod client;
mod cloud;
mod error;
pub mod ids;
mod login;
pub mod models;
mod operation;
mod reads;
mod retry;
mod tokens;
mod wire;
mod writes;

pub use client::{ArmClient, LinkView, Options};
pub use cloud::Cloud;
pub use error::{ArmError, RequestIds};
pub use ids::{DatabaseId, InstanceId, LinkId, ResourceGroupId, Scope, SubscriptionId};
pub use login::Login;
pub use milink_core::secret::Secret;
pub use models::certificates::{EndpointCertificate, TrustCertificate};
pub use models::failover_groups::InstanceFailoverGroup;
pub use models::instances::{HybridUsage, ManagedDatabase, ManagedInstance, ManagedInstanceProperties};
pub use models::links::{
    FailoverType, Link, LinkBody, LinkDatabase, LinkMode, LinkPatch, LinkRole, RoleChangeType,
};
pub use models::operations::ManagementOperation;
pub use models::permissions::PermissionEntry;
pub use operation::{Accepted, OperationRef, Progress};
