//! The world: instances, network, clock and everybody who does something, in one thread and from one seed.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

use lab_hadr::{ConnId, DbName, Effect, Event, GroupId, Mode, Node, NodeConfig, PartnerKey, Role, Tick};
use lab_store::{ForkId, Lsn, PageMap};

use crate::copy::SimCopy;
use crate::docs::{Docs, GroupDoc, instance_name};
use crate::net::{End, Network, Packet};
use crate::operator::Task;
use crate::truth::{Fork, Truth};
use crate::{Counts, Dice, Options, Planted};

/// What happens at a moment. `life` is the instance's: what belongs to an earlier one does not happen.
#[derive(Debug)]
pub(crate) enum Happening {
    Tick { i: usize, life: u64 },
    Inbox { i: usize, life: u64 },
    Deliver { id: u64, pipe: usize },
    Dialed { i: usize, life: u64, key: PartnerKey },
    Synced { i: usize, life: u64, db: DbName, generation: u64, to: Lsn },
    Redo { i: usize, life: u64, db: DbName, generation: u64 },
    Ship { i: usize, life: u64, conn: ConnId, db: DbName, from: Lsn },
    Tell { i: usize, life: u64, event: Box<Event> },
    Restart { i: usize, life: u64 },
    Commit,
    Maintain,
    Fault,
    Operate,
    Task(Task),
    Sample,
}

struct Due {
    at: u64,
    number: u64,
    what: Happening,
}

impl PartialEq for Due {
    fn eq(&self, other: &Due) -> bool {
        (self.at, self.number) == (other.at, other.number)
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Due) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Due) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

/// A copy that is being read for a peer.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) chunks: VecDeque<Vec<u8>>,
    /// It was told of only once what it shows is hardened.
    pub(crate) begin: Option<(DbName, Lsn, u64)>,
}

/// A copy that is being written.
#[derive(Debug)]
pub(crate) struct Writing {
    pub(crate) snapshot: u64,
    pub(crate) rewind: bool,
    pub(crate) pages: PageMap,
    /// The node's number of it.
    pub(crate) seeding: u64,
    /// Chunks that the node was told of.
    pub(crate) written: u64,
}

/// Where in an effect the instance dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Before,
    Within,
    After,
}

/// An instance.
pub(crate) struct Instance {
    pub(crate) name: String,
    pub(crate) life: u64,
    /// Nothing while it is down.
    pub(crate) node: Option<Node>,
    started: u64,
    clock_ahead_ms: u64,
    // Durable.
    pub(crate) docs: Docs,
    /// What a crash brings back, if that is a bug.
    pub(crate) docs_after_crash: Option<Docs>,
    pub(crate) copies: BTreeMap<DbName, SimCopy>,
    // Gone in a crash.
    pub(crate) next_conn: u64,
    inbox: VecDeque<Event>,
    inbox_due: u64,
    pub(crate) readings: BTreeMap<u64, Reading>,
    pub(crate) writings: BTreeMap<DbName, Writing>,
    pub(crate) pins: BTreeMap<(DbName, PartnerKey), Lsn>,
    /// Databases of groups that were dropped, and whether the role that they had there was forced: a promotion may have been
    /// under way.
    pub(crate) dropped: BTreeMap<DbName, bool>,
    /// Until the node has been configured as it is to be, its pins are not known.
    pub(crate) unconfigured: u32,
    /// REQUIRED_SYNCHRONIZED_SECONDARIES_TO_COMMIT as the node knows it.
    pub(crate) required: BTreeMap<DbName, u32>,
    pub(crate) failovers: BTreeMap<GroupId, u64>,
    // Faults.
    pub(crate) crash_in: Option<(u64, Place)>,
    /// It dies within the effect that is being carried out.
    pub(crate) dying: bool,
    pub(crate) frozen_until: u64,
    pub(crate) slow_until: u64,
    pub(crate) full_until: u64,
    pub(crate) bad_certificate_until: u64,
    pub(crate) flip_next: bool,
}

/// The world.
pub(crate) struct World {
    pub(crate) options: Options,
    pub(crate) planted: Option<Planted>,
    pub(crate) dice: Dice,
    pub(crate) now: u64,
    queue: BinaryHeap<Reverse<Due>>,
    number: u64,
    pub(crate) instances: Vec<Instance>,
    pub(crate) net: Network,
    pub(crate) truth: Truth,
    pub(crate) counts: Counts,
    pub(crate) violation: Option<String>,
    pub(crate) trace: Option<Vec<String>>,
    /// Faults have stopped, and everything must come to rest.
    pub(crate) calm: bool,
    pub(crate) unsettled_since: Option<u64>,
    pub(crate) databases: Vec<DbName>,
    next_snapshot: u64,
}

impl World {
    pub(crate) fn new(seed: u64, planted: Option<Planted>, trace: bool) -> World {
        let mut dice = Dice::new(seed);
        let options = Options::roll(&mut dice);
        let mut world = World {
            planted,
            dice,
            now: 0,
            queue: BinaryHeap::new(),
            number: 0,
            instances: Vec::new(),
            net: Network::default(),
            truth: Truth::default(),
            counts: Counts::default(),
            violation: None,
            trace: trace.then(Vec::new),
            calm: false,
            unsettled_since: None,
            databases: Vec::new(),
            next_snapshot: 0,
            options,
        };
        world.note(|w| format!("{:?}", w.options));
        for n in 0..world.options.topology.instances() {
            let clock = world.dice.below(10_000);
            world.instances.push(Instance::new(n, clock));
        }
        world.write_docs();
        for n in 0..world.options.databases {
            world.create_database(n);
        }
        for i in 0..world.instances.len() {
            world.start(i);
        }
        world.begin();
        world
    }

    /// The documents as the operator who made the link has written them.
    fn write_docs(&mut self) {
        for (n, (a, b)) in self.options.topology.groups().iter().enumerate() {
            let name = format!("dag{}", n + 1);
            for (here, there, role) in [(*a, *b, Role::Primary), (*b, *a, Role::Secondary)] {
                let doc = GroupDoc {
                    id: GroupId::of(&[&name]),
                    name: name.clone(),
                    peer: there,
                    here: instance_name(here),
                    there: instance_name(there),
                    role,
                    forced: false,
                    role_at: 0,
                    synchronous: self.options.synchronous,
                    automatic: self.options.automatic_seeding,
                    session_timeout_ms: self.options.session_timeout_ms,
                    required: self.options.required,
                    databases: Vec::new(),
                };
                self.instances[here].docs.groups.push(doc);
            }
        }
    }

    /// A new database on the first instance, with a full backup, and in its groups.
    pub(crate) fn create_database(&mut self, n: usize) {
        let db = DbName::new(&format!("db{}", n + 1));
        let fork = self.new_fork(None, false, 0);
        let mut copy = SimCopy::new(fork);
        copy.control.full_backup = Some(Lsn(0));
        self.databases.push(db.clone());
        self.instances[0].copies.insert(db.clone(), copy);
        for _ in 0..self.dice.below(12) {
            self.write(0, &db);
        }
        self.harden_all(0, &db);
        self.accept_all(0, &db);
        for (at, instance) in self.instances.iter_mut().enumerate() {
            let listed = at == 0 || self.options.listed_before_seeding || !self.options.automatic_seeding;
            for group in instance.docs.groups.iter_mut().filter(|_| listed) {
                group.databases.push(db.clone());
            }
        }
        if !self.options.automatic_seeding {
            for i in 1..self.instances.len() {
                self.restore(0, i, &db);
            }
        }
    }

    fn begin(&mut self) {
        let o = &self.options;
        let rates = [
            (o.commit_every_us, Happening::Commit),
            (o.maintain_every_us, Happening::Maintain),
            (o.fault_every_us, Happening::Fault),
            (o.operate_every_us, Happening::Operate),
            (500_000, Happening::Sample),
        ];
        for (every, what) in rates {
            let at = self.dice.wait(every);
            self.at(at, what);
        }
    }

    /// Says what happens, if somebody wants to read it.
    pub(crate) fn note(&mut self, text: impl FnOnce(&World) -> String) {
        if self.trace.is_some() {
            let line = format!("{:>10.3} ms  {}", self.now as f64 / 1000.0, text(self));
            if let Some(trace) = &mut self.trace {
                trace.push(line);
            }
        }
    }

    /// A rule is broken. The first one counts.
    pub(crate) fn broken(&mut self, what: String) {
        self.note(|_| format!("BROKEN: {what}"));
        self.violation.get_or_insert(what);
    }

    pub(crate) fn has(&self, bug: Planted) -> bool {
        self.planted == Some(bug)
    }

    /// So much later, that happens.
    pub(crate) fn at(&mut self, in_us: u64, what: Happening) {
        self.number += 1;
        self.queue.push(Reverse(Due { at: self.now + in_us, number: self.number, what }));
    }

    pub(crate) fn next(&mut self) -> Option<Happening> {
        let Reverse(due) = self.queue.pop()?;
        self.now = due.at;
        Some(due.what)
    }

    pub(crate) fn is_alive(&self, i: usize, life: u64) -> bool {
        self.instances[i].life == life && self.instances[i].node.is_some()
    }

    pub(crate) fn new_fork(
        &mut self,
        parent: Option<(ForkId, Lsn)>,
        forced: bool,
        instance: usize,
    ) -> ForkId {
        let [low, high] = [self.dice.any().to_le_bytes(), self.dice.any().to_le_bytes()];
        let mut id = [0; 16];
        id.iter_mut().zip(low.into_iter().chain(high)).for_each(|(to, from)| *to = from);
        let fork = ForkId(id);
        self.truth.forks.insert(fork, Fork { parent, forced, instance, at: self.now });
        fork
    }

    pub(crate) fn new_snapshot(&mut self, snapshot: crate::copy::Snapshot) -> u64 {
        self.next_snapshot += 1;
        self.truth.snapshots.insert(self.next_snapshot, snapshot);
        self.next_snapshot
    }

    /// Starts an instance with what it has durably.
    pub(crate) fn start(&mut self, i: usize) {
        let ahead = self.dice.below(1000);
        let instance = &mut self.instances[i];
        instance.clock_ahead_ms += ahead;
        instance.started = self.now;
        let config = NodeConfig {
            instance: instance.name.clone(),
            format: 1,
            collation: "SQL_Latin1_General_CP1_CI_AS".to_owned(),
            managed: false,
            nonce: 1_000_000 + self.now / 1000 + instance.clock_ahead_ms,
        };
        instance.node = Some(Node::new(config).with_pin_step(self.options.pin_step_bytes));
        let life = instance.life;
        self.note(|w| format!("{} starts", w.instances[i].name));
        let names: Vec<DbName> = self.instances[i].copies.keys().cloned().collect();
        for db in names {
            self.recover(i, &db);
            self.tell_copy(i, &db);
        }
        self.tell_config(i);
        let wait = self.dice.below(250_000);
        self.at(wait, Happening::Tick { i, life });
    }

    fn recover(&mut self, i: usize, db: &DbName) {
        let believe = self.has(Planted::TornTailBelieved);
        let Some(copy) = self.instances[i].copies.get_mut(db) else { return };
        if let Err(why) = copy.recover(believe) {
            return self.broken(format!("{} cannot recover {db}: {why}", instance_name(i)));
        }
        let ids: Vec<i64> = copy.content.iter().map(|e| e.id).collect();
        self.truth.durable.entry(i).or_default().extend(ids);
        self.check_copy(i, db);
    }

    /// Tells the node what there is of a database.
    pub(crate) fn tell_copy(&mut self, i: usize, db: &DbName) {
        let copy = self.instances[i].copies.get(db).map(SimCopy::local);
        self.tell(i, Event::Copy { db: db.clone(), copy });
    }

    /// Tells the node what it is configured to.
    pub(crate) fn tell_config(&mut self, i: usize) {
        let config = self.instances[i].docs.config(self.has(Planted::IgnoreRequired));
        self.instances[i].unconfigured += u32::from(self.instances[i].node.is_some());
        self.tell(i, Event::Configured(config));
    }

    /// Puts an event into the node's queue.
    pub(crate) fn tell(&mut self, i: usize, event: Event) {
        if self.instances[i].node.is_none() {
            return;
        }
        let late = self.dice.below(self.options.inbox_us);
        let instance = &mut self.instances[i];
        instance.inbox_due = instance.inbox_due.max(self.now + late);
        instance.inbox.push_back(event);
        let (wait, life) = (instance.inbox_due - self.now, instance.life);
        self.at(wait, Happening::Inbox { i, life });
    }

    /// Later, that is told, unless the instance dies before.
    pub(crate) fn tell_later(&mut self, in_us: u64, i: usize, event: Event) {
        let life = self.instances[i].life;
        self.at(in_us, Happening::Tell { i, life, event: Box::new(event) });
    }

    pub(crate) fn take_event(&mut self, i: usize) -> Option<Event> {
        self.instances[i].inbox.pop_front()
    }

    /// Tells the node, and carries out what it wants.
    pub(crate) fn step(&mut self, i: usize, event: Event) {
        let bound = 40 + 40 * self.databases.len() * self.options.topology.instances();
        self.note(|w| format!("{} <- {}", w.instances[i].name, crate::show::event(&event)));
        self.counts.add("events");
        if let Event::Copy { db, .. } = &event
            && let Some(copy) = self.instances[i].copies.get_mut(db)
        {
            copy.told = true;
        }
        let (configured, told) = match &event {
            Event::Configured(config) => (true, config.databases.clone()),
            _ => (false, BTreeMap::new()),
        };
        let tick = Tick((self.now - self.instances[i].started) / 1000);
        let Some(node) = &mut self.instances[i].node else { return };
        let effects = node.step(tick, event);
        if configured {
            self.instances[i].unconfigured = self.instances[i].unconfigured.saturating_sub(1);
        }
        // A statement that lowers it counts at once, one that raises it when it is done.
        let docs = &self.instances[i].docs;
        let required = self.databases.iter().filter(|_| configured).map(|db| {
            let told = told.get(db).map_or(0, |spec| spec.required_synchronized);
            (db.clone(), if self.has(Planted::IgnoreRequired) { docs.required(db) } else { told })
        });
        let required: BTreeMap<DbName, u32> = required.collect();
        for (db, n) in &required {
            let now = self.instances[i].required.entry(db.clone()).or_insert(0);
            *now = (*now).min(*n);
        }
        if effects.len() > bound {
            return self.broken(format!("{} effects of one event: {effects:?}", effects.len()));
        }
        let life = self.instances[i].life;
        for effect in effects {
            let place = self.dies_at(i);
            if place == Some(Place::Before) {
                return self.crash(i, "before an effect");
            }
            self.instances[i].dying = place == Some(Place::Within);
            self.carry_out(i, effect);
            if !self.is_alive(i, life) || self.violation.is_some() {
                return;
            }
            if place.is_some() {
                return self.crash(i, "within or after an effect");
            }
            // Clients do not wait until a step is done.
            if self.dice.permille(30) {
                self.commit_somewhere(i, true);
            }
        }
        self.instances[i].required.extend(required);
    }

    fn dies_at(&mut self, i: usize) -> Option<Place> {
        let (left, place) = self.instances[i].crash_in?;
        if left > 0 {
            self.instances[i].crash_in = Some((left - 1, place));
            return None;
        }
        self.instances[i].crash_in = None;
        self.counts.add("crashes at an effect");
        Some(place)
    }

    /// An instance dies, and its disk loses what was not synced.
    pub(crate) fn crash(&mut self, i: usize, why: &str) {
        if self.instances[i].node.is_none() {
            return;
        }
        self.note(|w| format!("{} dies: {why}", w.instances[i].name));
        self.counts.add("crashes");
        let instance = &mut self.instances[i];
        let life = instance.end_life();
        for copy in instance.copies.values_mut() {
            copy.lose_power(&mut self.dice);
        }
        self.lose_clients(i, None);
        let silent = self.dice.permille(300);
        let ends: Vec<(u64, usize)> = self.ends_of(i);
        for (id, end) in ends {
            self.close_end(id, end, !silent);
        }
        let wait = self.dice.wait(1_500_000);
        self.at(wait, Happening::Restart { i, life });
    }

    pub(crate) fn ends_of(&self, i: usize) -> Vec<(u64, usize)> {
        let ends = self.net.connections.iter().flat_map(|(id, c)| (0..2).map(move |n| (*id, n, c.ends[n])));
        ends.filter(|(_, _, end)| end.instance == i && end.open).map(|(id, n, _)| (id, n)).collect()
    }

    /// One end of a connection is gone; the other one gets to know it, unless the machine just vanished.
    pub(crate) fn close_end(&mut self, id: u64, end: usize, audible: bool) {
        let Some(connection) = self.net.connections.get_mut(&id) else { return };
        connection.ends[end].open = false;
        if audible {
            self.send_packet(id, end, Packet::Close);
        }
        self.net.tidy();
    }

    pub(crate) fn send_packet(&mut self, id: u64, pipe: usize, packet: Packet) {
        let latency = self.options.latency_us;
        let due = self.now + latency / 2 + self.dice.below(latency);
        if let Some(due) = self.net.put(id, pipe, due, packet) {
            self.at(due - self.now, Happening::Deliver { id, pipe });
        }
    }

    /// A packet arrives, or what is left of it.
    pub(crate) fn deliver(&mut self, id: u64, pipe: usize) {
        let Some((to, packet)) = self.net.take(id, pipe, self.now) else { return };
        match packet {
            _ if !to.open => {
                // Nobody is there: the sender is told, if that gets through.
                self.send_packet(id, 1 - pipe, Packet::Close);
            }
            Packet::Close => {
                self.hang_up(id, 1 - pipe, "the connection was closed by the peer");
            }
            Packet::Frame(bytes) => {
                let from = self.net.connections.get(&id).map(|c| c.ends[pipe].instance);
                if self.net.corrupt_next == from.map(|from| (from, to.instance)) {
                    self.net.corrupt_next = None;
                    self.counts.add("frames corrupted");
                    // TLS finds it, and says so to both sides.
                    self.hang_up(id, 1 - pipe, "a damaged frame was received");
                    return self.close_end(id, 1 - pipe, true);
                }
                self.counts.add("frames delivered");
                let conn = self.conn_of_frame(from, to);
                self.tell(to.instance, Event::Frame { conn, bytes });
            }
        }
    }

    /// Usually the one that it came on.
    fn conn_of_frame(&self, from: Option<usize>, to: End) -> ConnId {
        let newest = self.net.connections.values().filter_map(|c| {
            let end = c.ends.iter().position(|e| e.instance == to.instance && e.open && e.conn > to.conn)?;
            (Some(c.ends[1 - end].instance) == from).then_some(c.ends[end].conn)
        });
        match newest.max() {
            Some(newest) if self.has(Planted::FramesOfOlderConnection) => newest,
            Some(_) | None => to.conn,
        }
    }

    /// An end learns that its connection is gone.
    pub(crate) fn hang_up(&mut self, id: u64, end: usize, text: &str) {
        let Some(connection) = self.net.connections.get_mut(&id) else { return };
        let End { instance, conn, open } = connection.ends[end];
        if open {
            connection.ends[end].open = false;
            self.counts.add("connections lost");
            self.tell(instance, Event::Closed { conn, number: 35206, text: text.to_owned() });
        }
        self.net.tidy();
    }

    /// What is durable of a change: all of it, unless the instance dies in it.
    pub(crate) fn becomes_durable(&mut self, i: usize) -> bool {
        !self.instances[i].dying || self.dice.coin()
    }

    /// How long a sync takes now.
    pub(crate) fn sync_time(&mut self, i: usize) -> u64 {
        let usual = self.options.sync_us / 2 + self.dice.below(self.options.sync_us);
        if self.instances[i].slow_until > self.now { usual * 20 + 300_000 } else { usual }
    }

    /// Instances whose copy says durably that it is the primary.
    pub(crate) fn primaries(&self, db: &DbName) -> Vec<usize> {
        let is = |i: &usize| {
            self.instances[*i]
                .copies
                .get(db)
                .is_some_and(|c| c.mode_after_crash.unwrap_or(c.control.mode) == Mode::Primary)
        };
        (0..self.instances.len()).filter(is).collect()
    }

    pub(crate) fn send(&mut self, i: usize, conn: ConnId, bytes: Vec<u8>) {
        let Some((id, end)) = self.net.find(i, conn) else { return };
        // A frame that is cut off by the death of its sender is none.
        if self.becomes_durable(i) {
            self.send_packet(id, end, Packet::Frame(bytes));
        }
    }

    pub(crate) fn close(&mut self, i: usize, conn: ConnId) {
        if let Some((id, end)) = self.net.find(i, conn) {
            self.close_end(id, end, true);
        }
    }

    pub(crate) fn effects_note(&mut self, i: usize, effect: &Effect) {
        self.note(|w| format!("{} -> {}", w.instances[i].name, crate::show::effect(effect)));
    }
}

impl Instance {
    fn new(n: usize, clock_ahead_ms: u64) -> Instance {
        Instance {
            name: instance_name(n),
            life: 0,
            node: None,
            started: 0,
            clock_ahead_ms,
            docs: Docs::default(),
            docs_after_crash: None,
            copies: BTreeMap::new(),
            next_conn: 1,
            inbox: VecDeque::new(),
            inbox_due: 0,
            readings: BTreeMap::new(),
            writings: BTreeMap::new(),
            pins: BTreeMap::new(),
            dropped: BTreeMap::new(),
            unconfigured: 0,
            required: BTreeMap::new(),
            failovers: BTreeMap::new(),
            crash_in: None,
            dying: false,
            frozen_until: 0,
            slow_until: 0,
            full_until: 0,
            bad_certificate_until: 0,
            flip_next: false,
        }
    }

    /// Whether a human has forced the role that a database has here.
    pub(crate) fn is_forced(&self, db: &DbName) -> bool {
        let mut groups = self.docs.groups.iter().filter(|g| g.databases.contains(db)).peekable();
        let before = || self.dropped.get(db).copied().unwrap_or(false);
        if groups.peek().is_none() { before() } else { groups.any(|g| g.forced) }
    }

    /// A forwarder that is no secondary any more is a primary of its own: somebody has wanted that.
    pub(crate) fn owns_up_to_roles(&mut self) {
        let leads = self.docs.groups.iter().all(|g| g.role == Role::Primary);
        // Even if the copy is only just being made.
        let follows =
            !self.writings.is_empty() || self.copies.values().any(|c| c.control.mode == Mode::Secondary);
        if leads && follows {
            self.docs.groups.iter_mut().for_each(|g| g.forced = true);
        }
    }

    /// Everything that is not durable is gone; the number of the life to come.
    fn end_life(&mut self) -> u64 {
        self.life += 1;
        self.node = None;
        if let Some(docs) = self.docs_after_crash.take() {
            self.docs = docs;
        }
        self.inbox.clear();
        self.inbox_due = 0;
        self.readings.clear();
        self.writings.clear();
        self.pins.clear();
        self.unconfigured = 0;
        self.required.clear();
        self.failovers.clear();
        self.crash_in = None;
        self.dying = false;
        self.flip_next = false;
        self.life
    }
}
