//! Plans as text that others run: T-SQL and REST now, the other forms stand beside them.

pub mod rest;
pub mod tsql;
