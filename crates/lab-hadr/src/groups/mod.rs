//! Availability groups as the statements make them: [`Command`] and [`Facts`] go in, and out come the [`Groups`] as they
//! are from now on, with what has to be done beyond that ([`Action`]), or a [`crate::Refusal`].
//! [`system_views`] shows them, with what is going on in them ([`LiveState`]).

mod apply;
mod command;
mod facts;
mod live;
mod model;
mod options;
mod rows;
mod stored;
mod url;

pub use apply::{Action, Change};
pub use command::*;
pub use facts::*;
pub use live::*;
pub use model::*;
pub use rows::*;
pub use stored::StoredGroups;
pub use url::ListenerUrl;
