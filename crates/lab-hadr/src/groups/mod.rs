//! Availability groups as the statements make them: [`Command`] and [`Facts`] go in, and out come the [`Groups`] as they
//! are from now on, with what has to be done beyond that ([`Action`]), or a [`crate::Refusal`].

mod apply;
mod command;
mod facts;
mod live;
mod model;
mod options;
mod stored;
mod url;

pub use apply::{Action, Change};
pub use command::*;
pub use facts::*;
pub use live::*;
pub use model::*;
pub use stored::StoredGroups;
pub use url::ListenerUrl;
