//! The rows of a bulk load, decoded from a client's packets as they arrive.

use std::sync::{Arc, Mutex};

use lab_engine::types::{SqlType, Value};
use lab_engine::{BulkColumn, RowsEnd, SqlError};
use lab_tds::{BulkDecoder, BulkEvent, PacketKind, PacketStatus, TdsVersion};

use crate::answer::lock;
use crate::channel::{Channel, OwnedPacket};
use crate::values::{from_wire, sql_type};

/// The bytes that one row may have: a value of 2 GB does not fit, one as long as the longest request does.
const ROW_MAX: usize = 256 * 1024 * 1024;

/// How a client's message of rows has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BulkEnd {
    /// With its last packet.
    Complete,
    /// The client gave it up in its last packet, and waits for a single DONE.
    Ignored,
    /// An Attention cut it short; it is to be acknowledged.
    Cancelled,
}

/// Where the rows of a bulk load come from.
pub(crate) struct BulkRows {
    channel: Arc<Mutex<Channel>>,
    decoder: BulkDecoder,
    types: Vec<SqlType>,
    /// `None` while there is more to read.
    end: Option<BulkEnd>,
}

impl BulkRows {
    /// `first`: the message's first packet, read already.
    pub(crate) fn new(channel: Arc<Mutex<Channel>>, version: TdsVersion, first: &OwnedPacket) -> BulkRows {
        let decoder = BulkDecoder::new(version, ROW_MAX);
        let mut rows = BulkRows { channel, decoder, types: Vec::new(), end: None };
        rows.take(first);
        rows
    }

    /// The columns that the client declares before its rows.
    pub(crate) fn columns(&mut self) -> Result<Vec<BulkColumn>, RowsEnd> {
        match self.next_event()? {
            Some(BulkEvent::Columns(columns)) => {
                let columns: Vec<BulkColumn> = columns
                    .into_iter()
                    .map(|c| {
                        let (ty, collation) = sql_type(c.ty);
                        BulkColumn { name: c.name, ty, collation }
                    })
                    .collect();
                self.types = columns.iter().map(|c| c.ty).collect();
                Ok(columns)
            }
            _ => Err(wrong("bulk load data begins with its columns").into()),
        }
    }

    /// The next row, as the values that the engine keeps.
    pub(crate) fn next_row(&mut self) -> Result<Option<Vec<Value>>, RowsEnd> {
        let values = match self.next_event()? {
            Some(BulkEvent::Row(values)) => values,
            Some(BulkEvent::Columns(_)) => return Err(wrong("bulk load data has columns twice").into()),
            Some(BulkEvent::Done) | None => return Ok(None),
        };
        let mut row = Vec::with_capacity(values.len());
        for (n, (value, ty)) in values.into_iter().zip(&self.types).enumerate() {
            row.push(from_wire(value, *ty).map_err(|_| {
                let text =
                    format!("Received an invalid column length from the bcp client for colid {}.", n + 1);
                SqlError::new(4815, 16, 1, text)
            })?);
        }
        Ok(Some(row))
    }

    /// Reads to the end of the message without looking at what it says; how it ended. `None` if the connection did.
    pub(crate) fn drain(&mut self) -> Option<BulkEnd> {
        while self.end.is_none() {
            self.read().ok()?;
            self.decoder.forget();
        }
        self.end
    }

    fn next_event(&mut self) -> Result<Option<BulkEvent>, RowsEnd> {
        loop {
            if matches!(self.end, Some(BulkEnd::Ignored | BulkEnd::Cancelled)) {
                return Err(RowsEnd::Cancelled);
            }
            if let Some(event) = self.decoder.next_event().map_err(|e| wrong(&e.to_string()))? {
                return Ok(Some(event));
            }
            if self.end.is_some() {
                return if self.decoder.left_over() == 0 {
                    Ok(None)
                } else {
                    Err(wrong("a row is not complete").into())
                };
            }
            self.read()?;
        }
    }

    fn read(&mut self) -> Result<(), RowsEnd> {
        let packet = {
            let mut channel = lock(&self.channel);
            if channel.attention_seen() {
                // The statement asked, and took the Attention off the wire: nothing comes after it.
                self.end = Some(BulkEnd::Cancelled);
                return Ok(());
            }
            channel.read_packet().map_err(|_| RowsEnd::Closed)?
        };
        self.take(&packet);
        Ok(())
    }

    fn take(&mut self, packet: &OwnedPacket) {
        let status = packet.header.status;
        self.end = if packet.header.kind == PacketKind::ATTENTION {
            Some(BulkEnd::Cancelled)
        } else if !status.contains(PacketStatus::END_OF_MESSAGE) {
            None
        } else if status.contains(PacketStatus::IGNORE) {
            Some(BulkEnd::Ignored)
        } else {
            Some(BulkEnd::Complete)
        };
        if packet.header.kind == PacketKind::BULK_LOAD {
            self.decoder.feed(&packet.payload, self.end.is_some());
        }
    }
}

fn wrong(why: &str) -> SqlError {
    let text = format!("The incoming tabular data stream (TDS) protocol stream is incorrect. {why}.");
    SqlError::new(4002, 16, 1, text)
}
