//! Finding the peer: dialing, greeting, choosing one of several connections, and noticing that it is gone.

use super::{ConnId, Effect, LinkError, Node, Partner, PartnerKey, Tick};
use crate::same_name;
use crate::wire::{Hello, Message, VERSION, VERSION_MIN};

/// How a partner is reached.
#[derive(Debug)]
pub(super) enum Link {
    /// Nobody is there; try again then. How often it was tried.
    Down { retry_at: Tick, attempts: u32 },
    /// Somebody may be there soon. How often it was tried before.
    Dialing { attempts: u32 },
    /// The connection that counts.
    Up { conn: ConnId },
}

impl Default for Link {
    fn default() -> Link {
        Link::Down { retry_at: Tick::default(), attempts: 0 }
    }
}

/// A connection, known to belong to a partner or not yet.
#[derive(Debug)]
pub(super) struct Connection {
    dialed: Option<PartnerKey>,
    /// Set once the peer has said who it is.
    pub(super) partner: Option<PartnerKey>,
    /// The larger one of two is kept, on both sides: the nonce of who dialed, and its name.
    rank: (u64, String),
    heard_at: Tick,
    pub(super) said_at: Tick,
}

/// Waits between attempts: at once, then longer.
const BACKOFF_MS: [u64; 6] = [100, 250, 500, 1000, 2000, 4000];
/// How long a new connection may take to say who it is.
const GREETING_MS: u64 = 10_000;
/// SQL Server's message for a session that has timed out (35206).
const SESSION_TIMEOUT: u32 = 35206;

impl Node {
    fn hello(&self, partner: &Partner, nonce: u64) -> Hello {
        Hello {
            version: VERSION,
            version_min: VERSION_MIN,
            instance: self.config.instance.clone(),
            group: partner.spec.group.clone(),
            from: partner.spec.here.clone(),
            to: partner.spec.there.clone(),
            nonce,
            format: self.config.format,
            collation: self.config.collation.clone(),
            managed: self.config.managed,
            offer: partner.spec.offer.clone(),
        }
    }

    pub(super) fn opened(&mut self, conn: ConnId, dialed: Option<PartnerKey>) {
        // As good as a clock, so that of connections that both sides dialed the later one is the larger.
        let nonce = (self.config.nonce.saturating_add(self.now.0)).max(self.last_nonce + 1);
        self.last_nonce = nonce;
        let rank = (nonce, self.config.instance.clone());
        let connection = Connection { dialed, partner: None, rank, heard_at: self.now, said_at: self.now };
        self.connections.insert(conn, connection);
        let Some(key) = dialed else { return };
        match self.partners.get(&key) {
            // The peer was faster.
            Some(partner) if partner.conn().is_some() => {
                self.close(conn, SESSION_TIMEOUT, "another connection with this replica is newer");
            }
            Some(partner) => {
                let hello = self.hello(partner, nonce);
                self.send(conn, Message::Hello(hello));
            }
            None => self.close(conn, 35262, "the group or the replica was removed"),
        }
    }

    pub(super) fn dial_failed(&mut self, key: PartnerKey, number: u32, text: String) {
        let now = self.now;
        let Some(partner) = self.partners.get_mut(&key) else { return };
        let news = partner.last_error.as_ref().is_none_or(|e| (e.number, &e.text) != (number, &text));
        partner.last_error = Some(LinkError { number, text: text.clone(), at: now });
        if !matches!(partner.link, Link::Up { .. }) {
            partner.link.fail(now);
        }
        if news {
            self.report(number, text);
        }
    }

    /// A connection is gone, and nobody had to be told.
    pub(super) fn closed(&mut self, conn: ConnId, number: u32, text: &str) {
        let Some(connection) = self.connections.remove(&conn) else { return };
        match connection.partner.or(connection.dialed) {
            Some(key) if self.is_current(key, conn) => self.lost(key, number, text),
            Some(key) => self.dial_ended(key, number, text),
            None => {}
        }
    }

    /// Closes a connection, if it is there.
    pub(super) fn close(&mut self, conn: ConnId, number: u32, text: &str) {
        if self.connections.contains_key(&conn) {
            self.effects.push(Effect::Close { conn, number, text: text.to_owned() });
            self.closed(conn, number, text);
        }
    }

    pub(super) fn drop_link(&mut self, key: PartnerKey, number: u32, text: &str) {
        if let Some(conn) = self.partners.get(&key).and_then(Partner::conn) {
            self.close(conn, number, text);
        }
    }

    pub(super) fn is_current(&self, key: PartnerKey, conn: ConnId) -> bool {
        self.partners.get(&key).and_then(Partner::conn) == Some(conn)
    }

    /// A connection that this side had dialed came to nothing.
    fn dial_ended(&mut self, key: PartnerKey, number: u32, text: &str) {
        let now = self.now;
        if let Some(partner) = self.partners.get_mut(&key)
            && matches!(partner.link, Link::Dialing { .. })
        {
            partner.last_error = Some(LinkError { number, text: text.to_owned(), at: now });
            partner.link.fail(now);
        }
    }

    /// The connection that counted is gone.
    fn lost(&mut self, key: PartnerKey, number: u32, text: &str) {
        let now = self.now;
        let Some(partner) = self.partners.get_mut(&key) else { return };
        partner.link = Link::Down { retry_at: now.after(BACKOFF_MS[0]), attempts: 0 };
        partner.last_error = Some(LinkError { number, text: text.to_owned(), at: now });
        partner.peer = None;
        partner.peer_offer = None;
        partner.complained.clear();
        partner.peer_was_asked = false;
        partner.told = None;
        let (here, there) = (partner.spec.here.clone(), partner.spec.there.clone());
        self.report(
            35267,
            format!(
                "Always On Availability Groups connection with the replica '{there}' terminated for the replica \
                 '{here}': {text} (error {number}). This is an informational message only."
            ),
        );
        self.drop_seeds(key);
        self.drop_outs(key);
        self.drop_ins(key);
        self.handover_interrupted(key);
    }

    pub(super) fn frame(&mut self, conn: ConnId, bytes: &[u8]) {
        let now = self.now;
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        connection.heard_at = now;
        let (partner, dialed) = (connection.partner, connection.dialed);
        match (Message::decode(bytes), partner) {
            (Ok(None), _) => {}
            (Ok(Some(Message::Hello(hello))), None) => self.greeted(conn, hello),
            (Ok(Some(Message::Refuse { number, text })), _) => self.close(conn, number, &text),
            // Whom this side has dialed says that it is no replica any more, and refuses it then.
            (Ok(Some(Message::Offer { group })), None) if dialed.is_some() => {
                if let Some(key) = dialed {
                    self.offered(key, group);
                }
            }
            (Ok(Some(message)), Some(key)) if self.is_current(key, conn) => self.message(key, conn, message),
            // Of a connection that another one has replaced.
            (Ok(Some(_)), Some(_)) => {}
            (Ok(Some(_)), None) | (Err(_), _) => {
                self.close(conn, 35206, "a message that could not be understood was received");
            }
        }
    }

    fn message(&mut self, key: PartnerKey, conn: ConnId, message: Message) {
        match message {
            Message::Hello(_) | Message::Refuse { .. } => {
                self.close(conn, 35206, "a second greeting was received");
            }
            Message::Heartbeat => {}
            Message::Resync => {
                if let Some(partner) = self.partners.get(&key) {
                    let status = self.status(partner);
                    self.tell_anew(key, conn, status);
                }
            }
            Message::Status(status) => self.told(key, status),
            Message::Subscribe { db, from } => self.subscribed(key, conn, db, from),
            Message::Unsubscribe { db, number, text } => self.unsubscribed(key, &db, number, &text),
            Message::Log { db, from, bytes } => self.log(key, conn, &db, from, bytes),
            Message::Progress { db, progress } => self.progressed(key, &db, progress),
            Message::PrimaryState { db, state } => self.primary_said(key, &db, state),
            Message::SeedRequest { db, since, pages } => self.seed_requested(key, conn, db, since, pages),
            Message::SeedBegin { db, seed, begin } => self.seed_begins(key, &db, seed, begin),
            Message::SeedChunk { db, seed, chunk, bytes } => self.seed_chunk(key, &db, seed, chunk, bytes),
            Message::SeedAck { seed, chunks, .. } => self.seed_acknowledged(key, seed, chunks),
            Message::SeedEnd { db, seed } => self.seed_ends(key, &db, seed),
            Message::SeedAbort { db, seed, number, text } => self.seed_aborted(key, &db, seed, number, &text),
            Message::Handover { ends } => self.handed_over(key, conn, &ends),
            Message::HandoverRefused { number, text } => self.handover_refused(key, number, &text),
            Message::Offer { group } => self.offered(key, group),
            Message::RetrySeeding => self.retry_seedings_here(key),
        }
    }

    fn told(&mut self, key: PartnerKey, status: crate::wire::Status) {
        if let Some(partner) = self.partners.get_mut(&key) {
            partner.peer = Some(status);
            partner.peer_is_fresh = true;
            partner.peer_was_asked = false;
        }
        self.answered(key);
        self.settle_partner(key);
        if let Some(partner) = self.partners.get_mut(&key) {
            partner.peer_is_fresh = false;
            if partner.seeding_wanted {
                self.retry_seedings_here(key);
            }
        }
        self.advance_handover(key);
    }

    fn greeted(&mut self, conn: ConnId, hello: Hello) {
        let Some(connection) = self.connections.get(&conn) else { return };
        let is_it = |p: &Partner| {
            same_name(&p.spec.group, &hello.group)
                && same_name(&p.spec.here, &hello.to)
                && same_name(&p.spec.there, &hello.from)
        };
        let found = match connection.dialed {
            Some(key) => self.partners.get(&key).filter(|p| is_it(p)),
            None => self.partners.values().find(|p| is_it(p)),
        };
        let refusal = match found {
            None => Some((
                35250,
                format!(
                    "{} has no replica '{}' of the availability group '{}' that replicates with '{}'",
                    self.config.instance, hello.to, hello.group, hello.from
                ),
            )),
            // As if all that comes from a managed instance had to go through its gateway: the link does not come about.
            Some(partner) if hello.managed && !partner.spec.names_server => {
                Some((33320, "Tried to send redirect request but the redirect string is empty".to_owned()))
            }
            Some(_) if hello.version < VERSION_MIN || hello.version_min > VERSION => Some((
                35207,
                format!(
                    "{} speaks versions {VERSION_MIN} to {VERSION} of the protocol, {} speaks {} to {}",
                    self.config.instance, hello.instance, hello.version_min, hello.version
                ),
            )),
            Some(_) => None,
        };
        let removed = self.removed_from(&hello);
        if let Some((number, text)) = refusal {
            if number == 35250
                && let Some(group) = hello.offer
            {
                self.effects.push(Effect::Offered { group });
            }
            if number == 35250
                && let Some(group) = removed
            {
                self.send(conn, Message::Offer { group });
            }
            self.send(conn, Message::Refuse { number, text: text.clone() });
            self.close(conn, number, &text);
            return;
        }
        let Some(key) = found.map(|p| p.spec.key) else { return };
        self.meet(key, conn, hello);
    }

    /// The peer has said who it is: of this connection and the one that there may be, the larger is kept.
    fn meet(&mut self, key: PartnerKey, conn: ConnId, hello: Hello) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        let accepted = connection.dialed.is_none();
        if accepted {
            connection.rank = (hello.nonce, hello.instance.clone());
        }
        connection.partner = Some(key);
        let rank = connection.rank.clone();
        let current = self.partners.get(&key).and_then(Partner::conn);
        if let Some(current) = current {
            if self.connections.get(&current).is_some_and(|c| c.rank > rank) {
                return self.close(conn, SESSION_TIMEOUT, "another connection with this replica is newer");
            }
            self.close(current, SESSION_TIMEOUT, "another connection with this replica is newer");
        }
        if accepted && let Some(partner) = self.partners.get(&key) {
            let greeting = self.hello(partner, hello.nonce);
            self.send(conn, Message::Hello(greeting));
        }
        let Some(partner) = self.partners.get_mut(&key) else { return };
        partner.link = Link::Up { conn };
        partner.last_error = None;
        partner.peer_format = hello.format;
        partner.peer_managed = hello.managed;
        let (here, there) = (partner.spec.here.clone(), partner.spec.there.clone());
        self.report(
            35266,
            format!(
                "Always On Availability Groups connection with the replica '{there}' established for the replica \
                 '{here}'. This is an informational message only."
            ),
        );
        self.tell_offer(key);
        self.tell_status(key);
    }

    /// Dials, sends heartbeats, and gives up what has been silent for too long.
    pub(super) fn tend_connections(&mut self) {
        let now = self.now;
        let timeouts: Vec<(ConnId, u64)> = self
            .connections
            .iter()
            .map(|(conn, c)| {
                let spec = c.partner.and_then(|key| self.partners.get(&key)).map(|p| &p.spec);
                (*conn, spec.map_or(GREETING_MS, |s| s.session_timeout_ms))
            })
            .collect();
        for (conn, timeout) in timeouts {
            let Some(connection) = self.connections.get(&conn) else { continue };
            if now.since(connection.heard_at) >= timeout {
                self.close(
                    conn,
                    SESSION_TIMEOUT,
                    "the session has timed out: nothing was heard of the replica",
                );
            } else if connection.partner.is_some() && now.since(connection.said_at) >= (timeout / 4).min(1000)
            {
                self.send(conn, Message::Heartbeat);
            }
        }
        for (key, partner) in &mut self.partners {
            if let Link::Down { retry_at, attempts } = partner.link
                && retry_at <= now
            {
                partner.link = Link::Dialing { attempts };
                self.effects.push(Effect::Dial { partner: *key });
            }
        }
    }
}

impl Link {
    /// Nobody was there: wait longer each time.
    fn fail(&mut self, now: Tick) {
        let attempts = match self {
            Link::Down { attempts, .. } | Link::Dialing { attempts } => *attempts,
            Link::Up { .. } => 0,
        };
        let wait = BACKOFF_MS.get(attempts as usize).or(BACKOFF_MS.last()).copied().unwrap_or(1000);
        *self = Link::Down { retry_at: now.after(wait), attempts: attempts.saturating_add(1) };
    }
}
