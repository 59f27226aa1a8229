//! Bulk load data (2.2.6.1): COLMETADATA, ROW and DONE tokens from the client.
//!
//! | token | |
//! |---|---|
//! | 81 COLMETADATA | count USHORT; for each column: user type ULONG (7.1: USHORT), flags USHORT, TYPE_INFO, (table name US_VARCHAR), name B_VARCHAR |
//! | D1 ROW | a value for each column |
//! | D2 NBCROW | a bitmap of NULLs, then the other values |
//! | FD DONE | status USHORT, command USHORT, count ULONGLONG (7.1: ULONG; some clients of later versions send that, too, so that nothing behind the token is looked at) |

use crate::read::{DecodeError, Reader, Result, utf16};
use crate::types::{Place, TypeInfo, Value, decode_at};
use crate::version::TdsVersion;

/// A column that the client will send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BulkColumn {
    /// Its name.
    pub name: String,
    /// Its type on the wire.
    pub ty: TypeInfo,
}

/// What came next.
#[derive(Debug, Clone, PartialEq)]
pub enum BulkEvent {
    /// The columns, before the first row.
    Columns(Vec<BulkColumn>),
    /// A row.
    Row(Vec<Value<'static>>),
    /// The client is done.
    Done,
}

/// SQL Server's limit of columns in a table.
const MAX_COLUMNS: u16 = 1024;

/// Decodes bulk load data as its packets arrive; holds one row at most.
#[derive(Debug)]
pub struct BulkDecoder {
    version: TdsVersion,
    limit: usize,
    buffer: Vec<u8>,
    taken: usize,
    columns: Vec<TypeInfo>,
    /// An incomplete row is not looked at again before this much is there: a long one is then read a few times, not once
    /// for each packet.
    retry_at: usize,
    /// DONE was read: what comes after it is not looked at.
    done: bool,
}

impl BulkDecoder {
    /// `limit`: the bytes that one row may have.
    pub fn new(version: TdsVersion, limit: usize) -> BulkDecoder {
        BulkDecoder {
            version,
            limit,
            buffer: Vec::new(),
            taken: 0,
            columns: Vec::new(),
            retry_at: 0,
            done: false,
        }
    }

    /// Adds the contents of a packet; `last` ends the message.
    pub fn feed(&mut self, payload: &[u8], last: bool) {
        if self.done {
            return;
        }
        if self.taken > 0 {
            self.buffer.drain(..self.taken);
            self.taken = 0;
        }
        self.buffer.extend_from_slice(payload);
        if last {
            self.retry_at = 0;
        }
    }

    /// What comes next; `None` until more bytes come.
    ///
    /// # Errors
    /// The bytes are no bulk load data, or a row is longer than the limit.
    pub fn next_event(&mut self) -> Result<Option<BulkEvent>> {
        let rest = self.buffer.get(self.taken..).unwrap_or_default();
        if rest.is_empty() || rest.len() < self.retry_at {
            return Ok(None);
        }
        let mut r = Reader::new(rest);
        match event(&mut r, self.version, &self.columns) {
            Ok(event) => {
                self.taken += rest.len() - r.remaining();
                self.retry_at = 0;
                match &event {
                    BulkEvent::Columns(columns) => self.columns = columns.iter().map(|c| c.ty).collect(),
                    BulkEvent::Done => self.done = true,
                    BulkEvent::Row(_) => {}
                }
                Ok(Some(event))
            }
            Err(DecodeError::NeedMore) if rest.len() > self.limit => {
                Err(DecodeError::malformed("a row of bulk load data is too long", self.limit))
            }
            Err(DecodeError::NeedMore) => {
                self.retry_at = rest.len() + rest.len() / 4 + 1;
                Ok(None)
            }
            Err(e) => Err(e),
        }
    }

    /// Drops what was fed: the load has failed, and its rows are read only to reach their end.
    pub fn forget(&mut self) {
        self.buffer.clear();
        self.taken = 0;
    }

    /// Bytes that belong to no whole token; at the end of the message there must be none.
    pub fn left_over(&self) -> usize {
        self.buffer.len() - self.taken
    }
}

fn event(r: &mut Reader<'_>, version: TdsVersion, columns: &[TypeInfo]) -> Result<BulkEvent> {
    match r.u8()? {
        0x81 => self::columns(r, version).map(BulkEvent::Columns),
        0xD1 if !columns.is_empty() => columns
            .iter()
            .map(|ty| decode_at(*ty, r, Place::Row).map(Value::into_owned))
            .collect::<Result<_>>()
            .map(BulkEvent::Row),
        0xD2 if !columns.is_empty() => {
            let nulls = r.take(columns.len().div_ceil(8))?;
            let is_null = |n: usize| nulls.get(n / 8).is_some_and(|byte| byte & (1 << (n % 8)) != 0);
            let mut row = Vec::with_capacity(columns.len());
            for (n, ty) in columns.iter().enumerate() {
                row.push(if is_null(n) { Value::Null } else { decode_at(*ty, r, Place::Row)?.into_owned() });
            }
            Ok(BulkEvent::Row(row))
        }
        0xFD => {
            r.take(r.remaining())?;
            Ok(BulkEvent::Done)
        }
        other => Err(DecodeError::malformed("unexpected token in bulk load data", other)),
    }
}

fn columns(r: &mut Reader<'_>, version: TdsVersion) -> Result<Vec<BulkColumn>> {
    let count = r.u16()?;
    if count == 0 || count > MAX_COLUMNS {
        return Err(DecodeError::malformed("number of columns in bulk load data", count));
    }
    (0..count).map(|_| column(r, version)).collect()
}

fn column(r: &mut Reader<'_>, version: TdsVersion) -> Result<BulkColumn> {
    r.take(if version.is_7_2() { 6 } else { 4 })?;
    let ty = TypeInfo::decode(r)?;
    if ty.has_table_name() {
        // NB: one US_VARCHAR in every version: clients send no count of parts here as servers do in their answers.
        let units = r.u16()?;
        r.take(usize::from(units) * 2)?;
    }
    let units = r.u8()?;
    Ok(BulkColumn { name: utf16(r.take(usize::from(units) * 2)?)?, ty })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stream() -> Vec<u8> {
        [
            &[0x81, 2, 0][..],
            &[0, 0, 0, 0, 9, 0, 0x26, 4, 1, b'a', 0],
            &[0, 0, 0, 0, 9, 0, 0xA5, 0xFF, 0xFF, 1, b'b', 0],
            &[0xD1, 4, 7, 0, 0, 0],
            &[3, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 1, 2, 3, 0, 0, 0, 0],
            &[0xD2, 0b10, 4, 8, 0, 0, 0],
            &[0xFD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        ]
        .concat()
    }

    proptest! {
        #[test]
        fn rows_come_out_however_the_stream_is_cut(cut in 1usize..60) {
            let mut d = BulkDecoder::new(TdsVersion::V7_4, 1000);
            let mut got = Vec::new();
            let wire = stream();
            let pieces: Vec<&[u8]> = wire.chunks(cut).collect();
            for (n, piece) in pieces.iter().enumerate() {
                d.feed(piece, n + 1 == pieces.len());
                while let Some(event) = d.next_event().unwrap() {
                    got.push(event);
                }
            }
            prop_assert_eq!(d.left_over(), 0);
            prop_assert_eq!(got.len(), 4);
            prop_assert_eq!(&got[1], &BulkEvent::Row(vec![Value::Int(7), Value::Bytes(vec![1, 2, 3].into())]));
            prop_assert_eq!(&got[2], &BulkEvent::Row(vec![Value::Int(8), Value::Null]));
        }

        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut d = BulkDecoder::new(TdsVersion::V7_4, 1000);
            d.feed(&stream()[..25], false);
            d.feed(&bytes, true);
            while let Ok(Some(_)) = d.next_event() {}
        }
    }

    #[test]
    fn a_text_column_names_its_table() {
        let mut d = BulkDecoder::new(TdsVersion::V7_4, 1000);
        let column = [
            &[0x81, 1, 0, 0, 0, 0, 0, 9, 0, 0x23, 0xFF, 0xFF, 0xFF, 0x7F, 9, 4, 0, 0, 0x34][..],
            &[2, 0, b'd', 0, b't', 0, 1, b'a', 0],
        ];
        d.feed(&column.concat(), true);
        let Ok(Some(BulkEvent::Columns(columns))) = d.next_event() else { panic!("no columns") };
        assert_eq!(columns.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["a"]);
        assert_eq!(d.left_over(), 0);
    }

    #[test]
    fn a_row_without_end_is_refused() {
        let mut d = BulkDecoder::new(TdsVersion::V7_4, 100);
        d.feed(&stream()[..25], false);
        d.feed(
            &[&[0xD1, 0][..], &[0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0], &[0; 150]]
                .concat(),
            false,
        );
        let mut last = d.next_event();
        while let Ok(Some(_)) = last {
            last = d.next_event();
        }
        assert!(last.is_err());
    }
}
