//! Writes the tables of facts as a document: `cargo run -p milink-core --example facts > docs/facts.md`.

use std::io::Write as _;

fn main() -> std::io::Result<()> {
    std::io::stdout().lock().write_all(milink_core::facts::markdown().as_bytes())
}
