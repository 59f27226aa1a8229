//! A lab to rehearse Managed Instance links in: a SQL Server, a managed instance, a local Azure, and the wire between the two.
//!
//! A **supervisor** ([`Lab`]) starts two processes, one for each instance, so that a kill is a kill. It holds what is between
//! them: the [`wire`](mod@wire), whose two proxies break what passes on demand, and the local Azure, which acts on the
//! managed instance. It reaches an instance over a [`pipe`]: a JSON line for a question, one for the answer, on the child's
//! standard input and output. A child whose input ends stops in order, so nothing outlives a supervisor that is killed.
//!
//! Everything that a lab is lies in one [`folder`]. What its user wants broken is a set of [`faults`], which is data; the
//! supervisor carries out what follows from it. Other processes (the verbs of `milink lab`) talk to the supervisor over
//! [`api`], with [`Client`].

mod api;
mod azure;
mod child;
mod client;
mod env;
pub mod faults;
mod folder;
mod log;
pub mod pipe;
mod ports;
mod sample;
mod settings;
mod status;
mod supervisor;
mod wire;

pub use client::{Client, ClientError};
pub use env::exports;
pub use folder::{Folder, FolderError, default_folder};
pub use log::Progress;
pub use pipe::{Controlled, serve_control};
pub use ports::{PortChoice, Ports};
pub use settings::{Policy, Sample, Settings, Side, Version};
pub use status::{AzureStatus, LabStatus, ManagedStatus, Principal, ProcessStatus, SqlServerStatus, Status};
pub use supervisor::{Lab, LabError, Wishes};
