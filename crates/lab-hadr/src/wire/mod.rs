//! Messages as bytes.

mod codec;
mod message;

pub use codec::Malformed;
pub use message::*;

#[cfg(test)]
mod tests;
