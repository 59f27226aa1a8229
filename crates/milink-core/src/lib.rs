//! The pure half of the link tool. It has no I/O, no clock, no randomness: what is seen comes in, what is to be done goes out.
//!
//! ```text
//! LinkSpec ──► Link ─┐
//!                    ├─► checks ──► findings
//! Observation ───────┤
//!                    └─► plan ──► Plan ──► run ──► actions ──► (somebody acts, and looks again)
//!                                  └─► script: T-SQL, PowerShell, az, Bicep
//! ```
//!
//! - [`spec`]: what the user wants;
//! - [`observe`]: what both sides report, with the moment of each look;
//! - [`facts`]: versions, limits, errors, states, rights, as tables with their sources;
//! - [`check`]: everything that has to be before a link is made or failed over; [`finding`]: what a check found, and how it is mended;
//! - [`run`]: the machine that runs a plan, events in and effects out;
//! - [`status`], [`doctor`]: how a link is, what is wrong with it, and what comes next;
//! - [`fleet`]: in which order many links are worked on; [`receipt`]: proof that both sides hold the same;
//! - [`role_change`]: a failover as it is asked for, with its gates and its plan; [`drill`]: the grade of a rehearsal;
//! - [`objects`]: logins, jobs and whatever else does not follow a database;
//! - [`probe`]: what came back from an endpoint, hop by hop;
//! - [`action`]: statements and calls as data; [`plan`]: steps with their conditions;
//! - [`script`]: plans as T-SQL, REST, PowerShell, az and Bicep.

pub mod action;
pub mod check;
pub mod doctor;
pub mod drill;
pub mod facts;
pub mod finding;
pub mod fleet;
pub mod lsn;
pub mod moment;
pub mod names;
pub mod objects;
pub mod observe;
pub mod plan;
pub mod probe;
pub mod receipt;
pub mod role_change;
pub mod run;
pub mod script;
pub mod secret;
pub mod spec;
pub mod status;
