//! Availability groups as the statements make them.

mod model;
mod url;

pub use model::*;
pub use url::ListenerUrl;
