//! The simulated world in which the protocol of availability groups is proved.
//!
//! A seed expands into [`Options`]: instances, groups, how fast disk and wire are, which faults and which people there are.
//! In [`world`] everything happens in one thread, in the order of a virtual clock. Each instance has a real
//! [`lab_hadr::Node`]; what that wants is carried out ([`exec`]) on a simulated disk with real log records ([`copy`]) and a
//! network that delays, cuts and loses ([`net`]). Clients commit ([`clients`]), machines fail ([`faults`]), people change
//! roles and settings ([`operator`]). The world knows what no instance knows ([`truth`]) and judges by it ([`check`]).
//!
//! After a while faults stop, and everything must come to rest ([`mod@run`]): one primary, equal copies, nothing lost that was
//! acknowledged. [`Planted`] bugs prove that what is wrong is found.

mod check;
mod clients;
mod copy;
mod counts;
mod dice;
mod docs;
mod exec;
mod faults;
mod net;
mod operator;
mod options;
mod planted;
mod run;
mod show;
mod truth;
mod world;

pub use counts::Counts;
pub use dice::Dice;
pub use options::{Fault, Operation, Options, Topology};
pub use planted::Planted;
pub use run::{Outcome, Report, run, run_many};
