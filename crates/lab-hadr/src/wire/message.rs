//! What two instances say to each other.
//!
//! A message is a byte that names it, and its fields in order. A reader skips messages that it does not know, and bytes
//! behind the last field that it knows: a newer peer may add either. What an older one must understand is raised with the
//! version in [`Hello`].

use super::codec::{Malformed, Reader, Writer};
use crate::{DbName, Group, Groups, Role};
use lab_store::{History, Lsn};

/// The version that this program speaks.
pub const VERSION: u16 = 1;
/// The oldest version that it understands.
pub const VERSION_MIN: u16 = 1;

/// Who speaks, and for which group. The first message on a connection, from both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// The newest version that the speaker knows.
    pub version: u16,
    /// The oldest one that it understands.
    pub version_min: u16,
    /// Its server name.
    pub instance: String,
    /// The group, by name.
    pub group: String,
    /// What the speaker is called in the group: a server's name, or its group's in a distributed one.
    pub from: String,
    /// Whom it wants to speak to.
    pub to: String,
    /// Grows with each connection that the dialing side opens: the newest of several connections is kept.
    pub nonce: u64,
    /// The format of the speaker's databases: a copy is brought forward, never back.
    pub format: u16,
    /// The server's collation.
    pub collation: String,
    /// The speaker is a managed instance. The first version did not say so.
    pub managed: bool,
    /// The group, if the speaker is primary in it: a replica that has not joined it learns what there is to be joined.
    pub offer: Option<Box<Group>>,
}

/// What a replica has of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copy {
    /// The forks of its log, and where that ends.
    pub history: History,
    /// The oldest position that its log can still be read from.
    pub log_start: Lsn,
    /// What is durable.
    pub hardened: Lsn,
    /// What is in the pages.
    pub redone: Lsn,
}

/// A database as [`Status`] names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyStatus {
    /// Its name.
    pub name: DbName,
    /// Nothing, if the speaker has none.
    pub copy: Option<Copy>,
    /// SET HADR SUSPEND on the speaker's side.
    pub suspended: bool,
}

/// What the speaker is in the group, and what it has. Follows [`Hello`], and comes again whenever that changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Its role, once its databases have been brought there.
    pub role: Role,
    /// The databases of the group.
    pub databases: Vec<CopyStatus>,
    /// The speaker's setting: a pair is synchronous only if both are.
    pub synchronous: bool,
}

/// How far a secondary is with a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// In its log, perhaps not durable.
    pub received: Lsn,
    /// Durable.
    pub hardened: Lsn,
    /// In the pages.
    pub redone: Lsn,
    /// Commit time of the last record that was redone, 100 ns since 0001-01-01.
    pub redone_time: i64,
}

/// What a primary tells of a database beside its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PrimaryState {
    /// Where its log ends.
    pub end: Lsn,
    /// Commit time of its last record.
    pub end_time: i64,
    /// The secondary counts as synchronized.
    pub synchronized: bool,
    /// Data movement is suspended at the primary.
    pub suspended: bool,
    /// The log before this has been backed up.
    pub backed_up: Option<Lsn>,
    /// Where the last full backup stands.
    pub full_backup: Option<Lsn>,
}

/// The beginning of a copy on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeedBegin {
    /// The position that the pages show.
    pub lsn: Lsn,
    /// Bytes of pages that are to come, before compression.
    pub bytes_total: u64,
    /// The chunks are compressed (trace flag 9567).
    pub compressed: bool,
    /// What the store needs to know.
    pub header: Vec<u8>,
}

/// A range of pages, both ends included.
pub type PageRange = (u32, u32);

/// A message. `db` is the database that it is about; `seed` the copy, as the primary counts them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "a field of a variant is what the variant says")]
pub enum Message {
    /// Who speaks.
    Hello(Hello),
    /// What it has.
    Status(Status),
    /// The connection is of no use, and why, in SQL Server's number and words.
    Refuse { number: u32, text: String },
    /// Nothing to say.
    Heartbeat,
    /// Say again what you have: it is to be decided anew.
    Resync,
    /// From a secondary: send the log from here on.
    Subscribe { db: DbName, from: Lsn },
    /// From either side: no more log of this database, and why.
    Unsubscribe { db: DbName, number: u32, text: String },
    /// Whole records, of hardened log.
    Log { db: DbName, from: Lsn, bytes: Vec<u8> },
    /// How far a secondary is.
    Progress { db: DbName, progress: Progress },
    /// What a primary tells beside its log.
    PrimaryState { db: DbName, state: PrimaryState },
    /// From a secondary: send a copy. With a position, only these pages and those that the primary has changed since.
    SeedRequest { db: DbName, since: Option<Lsn>, pages: Vec<PageRange> },
    /// A copy begins.
    SeedBegin { db: DbName, seed: u64, begin: SeedBegin },
    /// Pages, numbered from 0.
    SeedChunk { db: DbName, seed: u64, chunk: u64, bytes: Vec<u8> },
    /// That many chunks have been written.
    SeedAck { db: DbName, seed: u64, chunks: u64 },
    /// All pages have been sent.
    SeedEnd { db: DbName, seed: u64 },
    /// The copy has failed on the speaker's side.
    SeedAbort { db: DbName, seed: u64, number: u32, text: String },
    /// From a primary that has become a secondary: take over, if each database ends here.
    Handover { ends: Vec<(DbName, Lsn)> },
    /// The secondary does not take over.
    HandoverRefused { number: u32, text: String },
    /// From the primary of a group: what the group is now.
    Offer { group: Box<Group> },
    /// From the primary: begin again the copies that have failed.
    RetrySeeding,
}

const HELLO: u8 = 1;
const STATUS: u8 = 2;
const REFUSE: u8 = 3;
const HEARTBEAT: u8 = 4;
const SUBSCRIBE: u8 = 5;
const UNSUBSCRIBE: u8 = 6;
const LOG: u8 = 7;
const PROGRESS: u8 = 8;
const PRIMARY_STATE: u8 = 9;
const SEED_REQUEST: u8 = 10;
const SEED_BEGIN: u8 = 11;
const SEED_CHUNK: u8 = 12;
const SEED_ACK: u8 = 13;
const SEED_END: u8 = 14;
const SEED_ABORT: u8 = 15;
const HANDOVER: u8 = 16;
const HANDOVER_REFUSED: u8 = 17;
const RESYNC: u8 = 18;
const OFFER: u8 = 19;
const RETRY_SEEDING: u8 = 20;

/// The bytes before the log's own in a [`Message::Log`]: whoever ships large blocks need not copy them together.
pub fn log_head(db: &DbName, from: Lsn, len: usize) -> Vec<u8> {
    let mut w = Writer::default();
    w.u8(LOG);
    w.text(db.as_str());
    w.lsn(from);
    w.u32(len as u32);
    w.0
}

impl Message {
    /// The message as bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::default();
        match self {
            Message::Hello(hello) => {
                w.u8(HELLO);
                // These two are the same in every version.
                w.u16(hello.version);
                w.u16(hello.version_min);
                w.text(&hello.instance);
                w.text(&hello.group);
                w.text(&hello.from);
                w.text(&hello.to);
                w.u64(hello.nonce);
                w.u16(hello.format);
                w.text(&hello.collation);
                w.u8(u8::from(hello.managed));
                w.optional(hello.offer.as_ref(), |w, group| write_group(w, group));
            }
            Message::Status(status) => {
                w.u8(STATUS);
                w.u8(role_byte(status.role));
                w.u8(u8::from(status.synchronous));
                w.u32(status.databases.len() as u32);
                status.databases.iter().for_each(|d| write_copy(&mut w, d));
            }
            Message::Refuse { number, text } => {
                w.u8(REFUSE);
                w.u32(*number);
                w.text(text);
            }
            Message::Heartbeat => w.u8(HEARTBEAT),
            Message::Resync => w.u8(RESYNC),
            Message::Subscribe { db, from } => {
                w.u8(SUBSCRIBE);
                w.text(db.as_str());
                w.lsn(*from);
            }
            Message::Unsubscribe { db, number, text } => {
                w.u8(UNSUBSCRIBE);
                w.text(db.as_str());
                w.u32(*number);
                w.text(text);
            }
            Message::Log { db, from, bytes } => {
                w.0 = log_head(db, *from, bytes.len());
                w.0.extend(bytes);
            }
            Message::Progress { db, progress } => {
                w.u8(PROGRESS);
                w.text(db.as_str());
                w.lsn(progress.received);
                w.lsn(progress.hardened);
                w.lsn(progress.redone);
                w.u64(progress.redone_time as u64);
            }
            Message::PrimaryState { db, state } => {
                w.u8(PRIMARY_STATE);
                w.text(db.as_str());
                w.lsn(state.end);
                w.u64(state.end_time as u64);
                w.u8(u8::from(state.synchronized));
                w.u8(u8::from(state.suspended));
                w.optional(state.backed_up, Writer::lsn);
                w.optional(state.full_backup, Writer::lsn);
            }
            Message::SeedRequest { db, since, pages } => {
                w.u8(SEED_REQUEST);
                w.text(db.as_str());
                w.optional(*since, Writer::lsn);
                w.u32(pages.len() as u32);
                for (first, last) in pages {
                    w.u32(*first);
                    w.u32(*last);
                }
            }
            Message::SeedBegin { db, seed, begin } => {
                seed_head(&mut w, SEED_BEGIN, db, *seed);
                w.lsn(begin.lsn);
                w.u64(begin.bytes_total);
                w.u8(u8::from(begin.compressed));
                w.bytes(&begin.header);
            }
            Message::SeedChunk { db, seed, chunk, bytes } => {
                seed_head(&mut w, SEED_CHUNK, db, *seed);
                w.u64(*chunk);
                w.u32(crc32c::crc32c(bytes));
                w.bytes(bytes);
            }
            Message::SeedAck { db, seed, chunks } => {
                seed_head(&mut w, SEED_ACK, db, *seed);
                w.u64(*chunks);
            }
            Message::SeedEnd { db, seed } => seed_head(&mut w, SEED_END, db, *seed),
            Message::SeedAbort { db, seed, number, text } => {
                seed_head(&mut w, SEED_ABORT, db, *seed);
                w.u32(*number);
                w.text(text);
            }
            Message::Handover { ends } => {
                w.u8(HANDOVER);
                w.u32(ends.len() as u32);
                for (db, end) in ends {
                    w.text(db.as_str());
                    w.lsn(*end);
                }
            }
            Message::HandoverRefused { number, text } => {
                w.u8(HANDOVER_REFUSED);
                w.u32(*number);
                w.text(text);
            }
            Message::Offer { group } => {
                w.u8(OFFER);
                write_group(&mut w, group);
            }
            Message::RetrySeeding => w.u8(RETRY_SEEDING),
        }
        w.0
    }

    /// Reads a message; nothing if it is one that only newer versions know.
    ///
    /// # Errors
    /// It is none.
    pub fn decode(bytes: &[u8]) -> Result<Option<Message>, Malformed> {
        let mut r = Reader(bytes);
        Ok(Some(match r.u8()? {
            HELLO => Message::Hello(Hello {
                version: r.u16()?,
                version_min: r.u16()?,
                instance: r.text()?,
                group: r.text()?,
                from: r.text()?,
                to: r.text()?,
                nonce: r.u64()?,
                format: r.u16()?,
                collation: r.text()?,
                managed: r.is_left() && r.bool()?,
                offer: if r.is_left() { r.optional(read_group)? } else { None },
            }),
            STATUS => Message::Status(Status {
                role: read_role(&mut r)?,
                synchronous: r.bool()?,
                databases: r.list(6, read_copy)?,
            }),
            REFUSE => Message::Refuse { number: r.u32()?, text: r.text()? },
            HEARTBEAT => Message::Heartbeat,
            RESYNC => Message::Resync,
            SUBSCRIBE => Message::Subscribe { db: read_db(&mut r)?, from: r.lsn()? },
            UNSUBSCRIBE => Message::Unsubscribe { db: read_db(&mut r)?, number: r.u32()?, text: r.text()? },
            LOG => Message::Log { db: read_db(&mut r)?, from: r.lsn()?, bytes: r.bytes()?.to_vec() },
            PROGRESS => Message::Progress {
                db: read_db(&mut r)?,
                progress: Progress {
                    received: r.lsn()?,
                    hardened: r.lsn()?,
                    redone: r.lsn()?,
                    redone_time: r.u64()? as i64,
                },
            },
            PRIMARY_STATE => Message::PrimaryState {
                db: read_db(&mut r)?,
                state: PrimaryState {
                    end: r.lsn()?,
                    end_time: r.u64()? as i64,
                    synchronized: r.bool()?,
                    suspended: r.bool()?,
                    backed_up: r.optional(Reader::lsn)?,
                    full_backup: r.optional(Reader::lsn)?,
                },
            },
            SEED_REQUEST => Message::SeedRequest {
                db: read_db(&mut r)?,
                since: r.optional(Reader::lsn)?,
                pages: r.list(8, |r| Ok((r.u32()?, r.u32()?)))?,
            },
            SEED_BEGIN => Message::SeedBegin {
                db: read_db(&mut r)?,
                seed: r.u64()?,
                begin: SeedBegin {
                    lsn: r.lsn()?,
                    bytes_total: r.u64()?,
                    compressed: r.bool()?,
                    header: r.bytes()?.to_vec(),
                },
            },
            SEED_CHUNK => read_chunk(&mut r)?,
            SEED_ACK => Message::SeedAck { db: read_db(&mut r)?, seed: r.u64()?, chunks: r.u64()? },
            SEED_END => Message::SeedEnd { db: read_db(&mut r)?, seed: r.u64()? },
            SEED_ABORT => {
                Message::SeedAbort { db: read_db(&mut r)?, seed: r.u64()?, number: r.u32()?, text: r.text()? }
            }
            HANDOVER => Message::Handover { ends: r.list(12, |r| Ok((read_db(r)?, r.lsn()?)))? },
            HANDOVER_REFUSED => Message::HandoverRefused { number: r.u32()?, text: r.text()? },
            OFFER => Message::Offer { group: read_group(&mut r)? },
            RETRY_SEEDING => Message::RetrySeeding,
            _ => return Ok(None),
        }))
    }
}

fn seed_head(w: &mut Writer, kind: u8, db: &DbName, seed: u64) {
    w.u8(kind);
    w.text(db.as_str());
    w.u64(seed);
}

fn read_chunk(r: &mut Reader<'_>) -> Result<Message, Malformed> {
    let (db, seed, chunk, crc) = (read_db(r)?, r.u64()?, r.u64()?, r.u32()?);
    let bytes = r.bytes()?;
    if crc32c::crc32c(bytes) != crc {
        return Err(Malformed);
    }
    Ok(Message::SeedChunk { db, seed, chunk, bytes: bytes.to_vec() })
}

fn read_db(r: &mut Reader<'_>) -> Result<DbName, Malformed> {
    let name = r.text()?;
    // sysname
    if name.is_empty() || name.chars().count() > 128 { Err(Malformed) } else { Ok(DbName::new(&name)) }
}

/// A group as it is kept in master, with the number of that form.
fn write_group(w: &mut Writer, group: &Group) {
    let groups = Groups { groups: vec![group.clone()] };
    w.bytes(&serde_json::to_vec(&groups).expect("a group's maps have texts for keys"));
}

fn read_group(r: &mut Reader<'_>) -> Result<Box<Group>, Malformed> {
    let groups: Groups = serde_json::from_slice(r.bytes()?).map_err(|_| Malformed)?;
    let [group] = <[Group; 1]>::try_from(groups.groups).map_err(|_| Malformed)?;
    Ok(Box::new(group))
}

fn role_byte(role: Role) -> u8 {
    role.number() as u8
}

fn read_role(r: &mut Reader<'_>) -> Result<Role, Malformed> {
    let byte = r.u8()?;
    [Role::Resolving, Role::Primary, Role::Secondary]
        .into_iter()
        .find(|role| role_byte(*role) == byte)
        .ok_or(Malformed)
}

fn write_copy(w: &mut Writer, database: &CopyStatus) {
    w.text(database.name.as_str());
    w.u8(u8::from(database.suspended));
    w.optional(database.copy.as_ref(), |w, copy| {
        w.history(&copy.history);
        w.lsn(copy.log_start);
        w.lsn(copy.hardened);
        w.lsn(copy.redone);
    });
}

fn read_copy(r: &mut Reader<'_>) -> Result<CopyStatus, Malformed> {
    Ok(CopyStatus {
        name: read_db(r)?,
        suspended: r.bool()?,
        copy: r.optional(|r| {
            Ok(Copy { history: r.history()?, log_start: r.lsn()?, hardened: r.lsn()?, redone: r.lsn()? })
        })?,
    })
}
