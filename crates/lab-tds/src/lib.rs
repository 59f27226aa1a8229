//! TDS 7.1 to 7.4 and 8.0 as a server sees it: packets, messages, tokens, types. No I/O: bytes in, values out.
//!
//! The way of a connection through this crate:
//!
//! 1. [`PacketReader`] cuts the byte stream into packets, [`Assembler`] joins them into messages of bounded size.
//! 2. [`Prelogin`] says what the client wants; [`negotiate`] decides about encryption.
//! 3. [`Login7`] carries the login; the answer is [`token::login_ack`], [`token::env_change`] and
//!    [`token::feature_ext_ack`].
//! 4. Requests: [`SqlBatch`], [`RpcRequest`], [`TransactionManagerRequest`], [`BulkDecoder`], and Attention, which is a
//!    packet kind without contents.
//! 5. Answers are [`token`]s written one after the other into a [`PacketWriter`].
//!
//! Every read is checked against what is left and every length is bounded before anything is allocated: `decode` never
//! panics, `encode` cannot fail. Sections cited are those of \[MS-TDS\].

mod all_headers;
mod batch;
mod bulk;
mod code_page;
mod encryption;
mod login;
mod packet;
mod prelogin;
mod read;
mod rpc;
pub mod token;
mod transaction;
pub mod types;
mod version;
mod write;

pub use all_headers::AllHeaders;
pub use batch::SqlBatch;
pub use bulk::{BulkColumn, BulkDecoder, BulkEvent};
pub use encryption::{Negotiated, ServerEncryption, Wire, negotiate};
pub use login::{Feature, FederatedAuth, Login7, Password};
pub use packet::{
    Assembled, Assembler, Message, Packet, PacketHeader, PacketKind, PacketReader, PacketStatus,
    PacketWriter, Reset,
};
pub use prelogin::{EncryptionOption, Prelogin};
pub use read::DecodeError;
pub use rpc::{Procedure, RpcCalls, RpcParameter, RpcRequest};
pub use transaction::{BeginTransaction, TransactionManagerRequest};
pub use types::{Collation, TypeInfo, Value};
pub use version::TdsVersion;
