//! Data types on the wire: TYPE_INFO, and the values that follow it in rows and parameters.

mod collation;
mod decode;
mod down_level;
mod encode;
mod info;
mod plp;
mod scalar;
mod value;
mod variant;

pub use collation::Collation;
pub use decode::decode_value;
pub(crate) use decode::{Place, decode_at};
pub use encode::{encode_row, encode_value};
pub use info::{Length, Temporal, TypeInfo};
pub use value::Value;
