//! How tables lie in SQLite, and how rows get in and out with their constraints.
//!
//! A table is `t<object id>`, its columns `c<column id>`: names that no rename touches and that never meet one of
//! SQLite's own. Tables are STRICT, so a value in the wrong representation is an error and not a surprise.

mod layout;
mod references;
mod unique;
mod writer;

pub(crate) use layout::{column_declaration, create_index_sql, create_table_sql, index_name, table_name};
pub(crate) use references::{Cascaded, Changed, ForeignKeys};
pub(crate) use unique::violated_index;
pub(crate) use writer::{LoweredCheck, RowWriter, WriteKind};
