//! What a commit says about itself beside its pages: who made it, and which rows it touched.
//!
//! A secondary reads from it that the catalog has to be loaded anew; after a forced failover it tells what exists on one
//! side only. In a record it is a few bytes: `session`, then twice the number of tables plus one if the catalog changed,
//! then for each table its object id (zigzag), and the rows inserted, updated and deleted. Each is a LEB128 number in its
//! shortest form, so that a note has one form only.

use serde::{Deserialize, Serialize};

/// Rows of a table that a commit touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableRows {
    /// The table.
    pub object_id: i32,
    /// Rows inserted.
    pub inserted: u32,
    /// Rows updated.
    pub updated: u32,
    /// Rows deleted.
    pub deleted: u32,
}

/// What a commit says about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitNote {
    /// The session that committed; 0 if it was none of a user's.
    pub session: u16,
    /// Something of the catalog changed: what was read of it before is out of date.
    pub catalog_changed: bool,
    /// What became of rows, by table.
    pub rows: Vec<TableRows>,
}

impl CommitNote {
    /// Writes it behind `out`.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put(out, u64::from(self.session));
        put(out, (self.rows.len() as u64) << 1 | u64::from(self.catalog_changed));
        for table in &self.rows {
            put(out, u64::from((table.object_id << 1 ^ table.object_id >> 31) as u32));
            put(out, u64::from(table.inserted));
            put(out, u64::from(table.updated));
            put(out, u64::from(table.deleted));
        }
    }

    /// Reads it from the start of `bytes`, and what lies behind it; nothing if it is none.
    pub(crate) fn decode(mut bytes: &[u8]) -> Option<(CommitNote, &[u8])> {
        let session = u16::try_from(get(&mut bytes)?).ok()?;
        let counted = get(&mut bytes)?;
        let count = usize::try_from(counted >> 1).ok()?;
        // Four numbers for each table: nothing is allocated for tables that cannot be there.
        if count > bytes.len() / 4 {
            return None;
        }
        let mut rows = Vec::with_capacity(count);
        for _ in 0..count {
            let id = u32::try_from(get(&mut bytes)?).ok()?;
            rows.push(TableRows {
                object_id: (id >> 1) as i32 ^ -((id & 1) as i32),
                inserted: u32::try_from(get(&mut bytes)?).ok()?,
                updated: u32::try_from(get(&mut bytes)?).ok()?,
                deleted: u32::try_from(get(&mut bytes)?).ok()?,
            });
        }
        Some((CommitNote { session, catalog_changed: counted & 1 == 1, rows }, bytes))
    }
}

fn put(out: &mut Vec<u8>, mut n: u64) {
    while n > 0x7f {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

fn get(bytes: &mut &[u8]) -> Option<u64> {
    let mut n = 0;
    for shift in (0..63).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        n |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            // A last byte of zero would be a longer form of a shorter number.
            return (*byte != 0 || shift == 0).then_some(n);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    prop_compose! {
        fn any_table()(object_id: i32, inserted: u32, updated in 0_u32..300, deleted: u32) -> TableRows {
            TableRows { object_id, inserted, updated, deleted }
        }
    }

    proptest! {
        #[test]
        fn a_note_survives_its_bytes(
            session: u16, catalog_changed: bool, rows in prop::collection::vec(any_table(), 0..6), behind: Vec<u8>,
        ) {
            let note = CommitNote { session, catalog_changed, rows };
            let mut bytes = Vec::new();
            note.encode(&mut bytes);
            let len = bytes.len();
            bytes.extend(&behind);
            prop_assert_eq!(CommitNote::decode(&bytes), Some((note, &behind[..])));
            for cut in 0..len {
                prop_assert_eq!(CommitNote::decode(&bytes[..cut]), None);
            }
        }

        #[test]
        fn what_is_read_is_what_is_written(bytes in prop::collection::vec(prop_oneof![0_u8..4, any::<u8>()], 0..40)) {
            if let Some((note, rest)) = CommitNote::decode(&bytes) {
                let mut again = Vec::new();
                note.encode(&mut again);
                prop_assert_eq!(&again[..], &bytes[..bytes.len() - rest.len()]);
            }
        }
    }

    #[test]
    fn a_note_is_small() {
        let mut bytes = Vec::new();
        CommitNote::default().encode(&mut bytes);
        assert_eq!(bytes, [0, 0]);
        bytes.clear();
        let rows = vec![TableRows { object_id: 581_577_110, inserted: 1, updated: 0, deleted: 0 }];
        CommitNote { session: 52, catalog_changed: false, rows }.encode(&mut bytes);
        assert_eq!(bytes.len(), 10);
    }
}
