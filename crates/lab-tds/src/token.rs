//! The server's tokens (2.2.7), appended to a buffer.

use crate::types::{Collation, TypeInfo, Value, encode_value};
use crate::version::TdsVersion;
use crate::write::{b_varbyte, b_varchar, patch_u16, reserve_u16, us_varchar};

/// LOGINACK (2.2.7.14): length USHORT, interface BYTE, TDS version big-endian, program B_VARCHAR, its version 4 BYTEs.
pub fn login_ack(out: &mut Vec<u8>, version: TdsVersion, program: &str, program_version: [u8; 4]) {
    out.push(0xAD);
    let at = reserve_u16(out);
    out.push(1);
    out.extend_from_slice(&version.login_ack().to_be_bytes());
    b_varchar(out, program);
    out.extend_from_slice(&program_version);
    close(out, at);
}

/// What has changed (2.2.7.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EnvChange<'a> {
    /// The current database: new and old.
    Database(&'a str, &'a str),
    /// The language: new and old.
    Language(&'a str, &'a str),
    /// The packet size in bytes: new and old.
    PacketSize(u16, u16),
    /// The collation of the current database.
    Collation(Collation),
    /// A transaction began.
    Begin(u64),
    /// A transaction committed.
    Commit(u64),
    /// A transaction was rolled back.
    Rollback(u64),
    /// RESETCONNECTION was carried out.
    Reset,
}

/// ENVCHANGE: length USHORT, type BYTE, new value, old value. TDS 7.1 knows none of transactions and resets.
pub fn env_change(out: &mut Vec<u8>, version: TdsVersion, change: EnvChange<'_>) {
    let since_7_2 = matches!(
        change,
        EnvChange::Begin(_) | EnvChange::Commit(_) | EnvChange::Rollback(_) | EnvChange::Reset
    );
    if since_7_2 && !version.is_7_2() {
        return;
    }
    out.push(0xE3);
    let at = reserve_u16(out);
    match change {
        EnvChange::Database(new, old) => texts(out, 1, new, old),
        EnvChange::Language(new, old) => texts(out, 2, new, old),
        EnvChange::PacketSize(new, old) => texts(out, 4, &new.to_string(), &old.to_string()),
        EnvChange::Collation(collation) => bytes(out, 7, &collation.0, &[]),
        EnvChange::Begin(id) => bytes(out, 8, &id.to_le_bytes(), &[]),
        EnvChange::Commit(id) => bytes(out, 9, &[], &id.to_le_bytes()),
        EnvChange::Rollback(id) => bytes(out, 10, &[], &id.to_le_bytes()),
        EnvChange::Reset => bytes(out, 18, &[], &[]),
    }
    close(out, at);
}

fn texts(out: &mut Vec<u8>, kind: u8, new: &str, old: &str) {
    out.push(kind);
    b_varchar(out, new);
    b_varchar(out, old);
}

fn bytes(out: &mut Vec<u8>, kind: u8, new: &[u8], old: &[u8]) {
    out.push(kind);
    b_varbyte(out, new);
    b_varbyte(out, old);
}

fn close(out: &mut [u8], at: usize) {
    let length = out.len() - at - 2;
    patch_u16(out, at, length as u16);
}

/// FEATUREEXTACK (2.2.7.11): for each feature its id BYTE, length ULONG and data; 0xFF ends the list.
pub fn feature_ext_ack(out: &mut Vec<u8>, features: &[(u8, &[u8])]) {
    out.push(0xAE);
    for (id, data) in features {
        out.push(*id);
        out.extend_from_slice(&(data.len() as u32).to_le_bytes());
        out.extend_from_slice(data);
    }
    out.push(0xFF);
}

/// Which of the three completion tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DoneKind {
    /// DONE.
    Done,
    /// DONEPROC.
    Proc,
    /// DONEINPROC.
    InProc,
}

/// DONE, DONEPROC, DONEINPROC (2.2.7.6 to 2.2.7.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done {
    /// Which one.
    pub kind: DoneKind,
    /// Its status bits.
    pub status: u16,
    /// CurCmd.
    pub command: u16,
    /// Rows, valid with [`Done::COUNT`].
    pub rows: u64,
}

impl Done {
    /// More tokens follow.
    pub const MORE: u16 = 0x01;
    /// The statement failed.
    pub const ERROR: u16 = 0x02;
    /// The row count is valid.
    pub const COUNT: u16 = 0x10;
    /// The answer to an Attention.
    pub const ATTENTION: u16 = 0x20;
    /// DONE_RPCINBATCH: a call's end, and another call of the same message follows.
    pub const RPC_IN_BATCH: u16 = 0x80;

    /// Appends the token: status USHORT, command USHORT, rows ULONGLONG (7.1: LONG).
    pub fn encode(&self, out: &mut Vec<u8>, version: TdsVersion) {
        out.push(match self.kind {
            DoneKind::Done => 0xFD,
            DoneKind::Proc => 0xFE,
            DoneKind::InProc => 0xFF,
        });
        out.extend_from_slice(&self.status.to_le_bytes());
        out.extend_from_slice(&self.command.to_le_bytes());
        if version.is_7_2() {
            out.extend_from_slice(&self.rows.to_le_bytes());
        } else {
            out.extend_from_slice(&u32::try_from(self.rows).unwrap_or(u32::MAX).to_le_bytes());
        }
    }
}

/// What ERROR and INFO say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerMessage<'a> {
    /// ERROR rather than INFO.
    pub is_error: bool,
    /// The message number.
    pub number: i32,
    /// Its state.
    pub state: u8,
    /// Its severity.
    pub class: u8,
    /// The text.
    pub text: &'a str,
    /// The server that says it.
    pub server: &'a str,
    /// The procedure it was raised in; empty outside of procedures.
    pub procedure: &'a str,
    /// The line, from 1.
    pub line: u32,
}

/// The longest text of a message in UTF-16 units: the token's length has 16 bits.
const MESSAGE_MAX: usize = 4000;

impl ServerMessage<'_> {
    /// Appends ERROR (2.2.7.10) or INFO (2.2.7.13).
    pub fn encode(&self, out: &mut Vec<u8>, version: TdsVersion) {
        out.push(if self.is_error { 0xAA } else { 0xAB });
        let at = reserve_u16(out);
        out.extend_from_slice(&self.number.to_le_bytes());
        out.extend_from_slice(&[self.state, self.class]);
        us_varchar(out, self.text, MESSAGE_MAX);
        b_varchar(out, self.server);
        b_varchar(out, self.procedure);
        if version.is_7_2() {
            out.extend_from_slice(&self.line.to_le_bytes());
        } else {
            out.extend_from_slice(&u16::try_from(self.line).unwrap_or(u16::MAX).to_le_bytes());
        }
        close(out, at);
    }
}

/// A column of COLMETADATA.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name; empty for an expression.
    pub name: String,
    /// Its type as it will be sent.
    pub ty: TypeInfo,
    /// UserType: 0x50 for rowversion, 0 otherwise.
    pub user_type: u32,
    /// The flags.
    pub flags: u16,
}

impl Column {
    /// fNullable.
    pub const NULLABLE: u16 = 0x01;
    /// usUpdateable: the client may write it.
    pub const UPDATEABLE: u16 = 0x04;
    /// usUpdateable: nobody knows.
    pub const UPDATE_UNKNOWN: u16 = 0x08;
    /// fIdentity.
    pub const IDENTITY: u16 = 0x10;
    /// fComputed.
    pub const COMPUTED: u16 = 0x20;
}

/// COLMETADATA (2.2.7.4): count USHORT; for each column user type, flags USHORT, TYPE_INFO, (table name), name B_VARCHAR.
pub fn column_metadata(out: &mut Vec<u8>, version: TdsVersion, columns: &[Column]) {
    out.push(0x81);
    out.extend_from_slice(&(columns.len() as u16).to_le_bytes());
    for column in columns {
        head(out, version, column.user_type, column.flags);
        column.ty.encode(out);
        if column.ty.has_table_name() {
            // One part without a name: nobody updates through a text pointer here, but mssql-jdbc refuses a name of no parts.
            out.extend_from_slice(if version.is_7_2() { &[1, 0, 0] } else { &[0, 0] });
        }
        b_varchar(out, &column.name);
    }
}

fn head(out: &mut Vec<u8>, version: TdsVersion, user_type: u32, flags: u16) {
    if version.is_7_2() {
        out.extend_from_slice(&user_type.to_le_bytes());
    } else {
        out.extend_from_slice(&(user_type as u16).to_le_bytes());
    }
    out.extend_from_slice(&flags.to_le_bytes());
}

/// The byte that begins ROW (2.2.7.17); the values follow, see [`crate::types::encode_row`].
pub const ROW: u8 = 0xD1;

/// RETURNSTATUS (2.2.7.16).
pub fn return_status(out: &mut Vec<u8>, status: i32) {
    out.push(0x79);
    out.extend_from_slice(&status.to_le_bytes());
}

/// RETURNVALUE (2.2.7.18): ordinal USHORT, name B_VARCHAR, status BYTE (1: an output parameter), user type, flags,
/// TYPE_INFO, value.
pub fn return_value(
    out: &mut Vec<u8>,
    version: TdsVersion,
    ordinal: u16,
    name: &str,
    ty: TypeInfo,
    value: &Value<'_>,
) {
    out.push(0xAC);
    out.extend_from_slice(&ordinal.to_le_bytes());
    b_varchar(out, name);
    out.push(1);
    head(out, version, 0, Column::NULLABLE);
    ty.encode(out);
    encode_value(out, ty, value);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(make: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = Vec::new();
        make(&mut out);
        out
    }

    #[test]
    fn golden() {
        let v = TdsVersion::V7_4;
        assert_eq!(made(|o| env_change(o, v, EnvChange::Database("m", ""))), [0xE3, 5, 0, 1, 1, b'm', 0, 0]);
        assert_eq!(
            made(|o| env_change(o, v, EnvChange::Begin(5))),
            [0xE3, 11, 0, 8, 8, 5, 0, 0, 0, 0, 0, 0, 0, 0]
        );
        assert!(made(|o| env_change(o, TdsVersion::V7_1, EnvChange::Begin(5))).is_empty());
        let done = Done { kind: DoneKind::Done, status: Done::COUNT, command: 0xC1, rows: 2 };
        assert_eq!(made(|o| done.encode(o, v)), [0xFD, 0x10, 0, 0xC1, 0, 2, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(made(|o| done.encode(o, TdsVersion::V7_1)), [0xFD, 0x10, 0, 0xC1, 0, 2, 0, 0, 0]);
        assert_eq!(made(|o| return_status(o, -6)), [0x79, 0xFA, 0xFF, 0xFF, 0xFF]);
        assert_eq!(made(|o| feature_ext_ack(o, &[(10, &[1])])), [0xAE, 10, 1, 0, 0, 0, 1, 0xFF]);
        let ack = made(|o| login_ack(o, v, "M", [16, 0, 1, 2]));
        assert_eq!(ack, [0xAD, 12, 0, 1, 0x74, 0, 0, 4, 1, b'M', 0, 16, 0, 1, 2]);
        let e = ServerMessage {
            is_error: true,
            number: 208,
            state: 1,
            class: 16,
            text: "x",
            server: "",
            procedure: "",
            line: 3,
        };
        assert_eq!(
            made(|o| e.encode(o, v)),
            [0xAA, 16, 0, 208, 0, 0, 0, 1, 16, 1, 0, b'x', 0, 0, 0, 3, 0, 0, 0]
        );
        let column = Column { name: "a".into(), ty: TypeInfo::INT, user_type: 0, flags: Column::NULLABLE };
        assert_eq!(
            made(|o| column_metadata(o, v, &[column])),
            [0x81, 1, 0, 0, 0, 0, 0, 1, 0, 0x26, 4, 1, b'a', 0]
        );
        assert_eq!(
            made(|o| return_value(o, v, 0, "@p", TypeInfo::INT, &Value::Int(1))),
            [0xAC, 0, 0, 2, b'@', 0, b'p', 0, 1, 0, 0, 0, 0, 1, 0, 0x26, 4, 4, 1, 0, 0, 0]
        );
    }
}
