//! The effectful half of the link tool: it looks at both sides, runs plans with a journal, and watches. It decides nothing: checks, plans,
//! and what comes next are `milink-core`'s.
//!
//! - [`sides`] holds the connections; [`look`] makes an observation of what they answer; `act` carries out one action;
//! - [`driver`] carries out the effects of a run; [`journal`] keeps what it was going to do and what became of it;
//! - [`runner`] takes a link, begins or resumes its run, and lets many watch it;
//! - [`audit`] keeps who asked for what, where several people share one `milink`; it and the journal are chains of hashes (`chain`);
//! - [`probe`] tries the endpoints from this machine;
//! - [`links`] knows a link from its journal, or from what is seen, and which of its runs can be taken back;
//! - [`hooks`] asks programs of the user; [`receipt`] counts both sides.

mod act;
pub mod audit;
mod chain;
pub mod driver;
pub mod hooks;
pub mod journal;
pub mod links;
pub mod look;
pub mod objects;
pub mod probe;
pub mod receipt;
pub mod runner;
pub mod sides;
