//! The effectful half of the link tool: it looks at both sides, runs plans with a journal, and watches. It decides nothing: checks, plans,
//! and what comes next are `milink-core`'s.

pub mod hooks;
pub mod look;
pub mod receipt;
