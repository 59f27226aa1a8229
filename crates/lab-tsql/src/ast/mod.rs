//! The syntax tree.

mod availability;
mod ddl;
mod dml;
mod endpoint;
mod expr;
mod keys;
mod query;
mod statement;
mod words;

pub use availability::*;
pub use ddl::*;
pub use dml::*;
pub use endpoint::*;
pub use expr::*;
pub use keys::*;
pub use query::*;
pub use statement::*;

/// A place in the text of a batch. Two places are always equal: trees are compared by what they mean.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pos {
    /// Byte offset in the batch.
    pub offset: u32,
    /// Line, from 1.
    pub line: u32,
}

impl PartialEq for Pos {
    fn eq(&self, _: &Pos) -> bool {
        true
    }
}

impl Eq for Pos {}

/// An identifier as written, without its brackets or quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ident {
    /// The name.
    pub value: String,
    /// Where it stands.
    pub pos: Pos,
}

impl Ident {
    /// An identifier that stands nowhere in particular.
    pub fn new(value: impl Into<String>) -> Ident {
        Ident { value: value.into(), pos: Pos::default() }
    }
}

/// A name of up to four parts: `server.database.schema.name`; parts in the middle may be empty (`db..t`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectName {
    /// From left to right; an omitted part in the middle is an empty identifier.
    pub parts: Vec<Ident>,
}

impl ObjectName {
    /// The last part.
    pub fn name(&self) -> &str {
        self.parts.last().map_or("", |p| p.value.as_str())
    }

    /// The part `n` places left of the name, unless omitted.
    pub fn qualifier(&self, n: usize) -> Option<&str> {
        let at = self.parts.len().checked_sub(n + 1)?;
        self.parts.get(at).map(|p| p.value.as_str()).filter(|v| !v.is_empty())
    }

    /// The schema, if written.
    pub fn schema(&self) -> Option<&str> {
        self.qualifier(1)
    }

    /// The database, if written.
    pub fn database(&self) -> Option<&str> {
        self.qualifier(2)
    }

    /// The linked server, if written.
    pub fn server(&self) -> Option<&str> {
        self.qualifier(3)
    }

    /// Line of the first part.
    pub fn line(&self) -> u32 {
        self.parts.first().map_or(0, |p| p.pos.line)
    }
}

impl std::fmt::Display for ObjectName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (n, part) in self.parts.iter().enumerate() {
            if n > 0 {
                f.write_str(".")?;
            }
            f.write_str(&part.value)?;
        }
        Ok(())
    }
}

/// A data type as written: `decimal(10, 2)`, `nvarchar(max)`, `dbo.MyType`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataType {
    /// Its name.
    pub name: ObjectName,
    /// Length or precision, and scale.
    pub args: Vec<u32>,
    /// `(max)`.
    pub max: bool,
}
