//! What goes wrong.

use lab_hadr::Role;

use crate::copy::SimCopy;
use crate::net::Packet;
use crate::options::Fault;
use crate::world::{Happening, Place, World};

impl World {
    /// Something goes wrong, of the kinds that this seed has.
    pub(crate) fn fault(&mut self) {
        let Some(fault) = self.dice.pick(&self.options.faults) else { return };
        let i = self.dice.below(self.instances.len() as u64) as usize;
        let other =
            (i + 1 + self.dice.below(self.instances.len() as u64 - 1) as usize) % self.instances.len();
        let long = self.dice.wait(4_000_000);
        let until = self.now + long;
        match fault {
            Fault::Crash => self.crash(i, "at random"),
            Fault::CrashAtEffect => {
                let place = self.dice.pick(&[Place::Before, Place::Within, Place::After]);
                let soon = self.dice.pick(&[3, 12, 60]).unwrap_or(12);
                let left = self.dice.below(soon);
                self.instances[i].crash_in = place.map(|place| (left, place));
            }
            Fault::CutBothWays => {
                self.counts.add("cuts both ways");
                self.net.cuts.insert((i, other), until);
                self.net.cuts.insert((other, i), until);
            }
            Fault::CutOneWay => {
                self.counts.add("cuts one way");
                self.net.cuts.insert((i, other), until);
            }
            Fault::DropConnection => self.drop_connection(),
            Fault::CorruptFrame => self.net.corrupt_next = Some((i, other)),
            Fault::FlipReceived => self.instances[i].flip_next = true,
            Fault::SlowDisk => {
                self.counts.add("slow disks");
                self.instances[i].slow_until = until;
            }
            Fault::DiskFull => {
                self.counts.add("full disks");
                self.instances[i].full_until = until;
            }
            Fault::Freeze => {
                self.counts.add("freezes");
                self.instances[i].frozen_until = until;
            }
            Fault::BadCertificate => {
                self.counts.add("certificates replaced");
                self.instances[i].bad_certificate_until = until;
            }
            Fault::SlowWire => {
                self.counts.add("slow wires");
                self.options.latency_us = self.dice.pick(&[50, 500, 5_000, 40_000, 300_000]).unwrap_or(500);
            }
            Fault::Wipe => self.wipe(i),
        }
        self.note(|w| {
            format!("fault {fault:?} at {} or to {}", w.instances[i].name, w.instances[other].name)
        });
    }

    /// A connection ends for both sides; what is on its way is lost.
    fn drop_connection(&mut self) {
        let ids: Vec<u64> = self.net.connections.keys().copied().collect();
        let Some(id) = self.dice.pick(&ids) else { return };
        self.counts.add("connections dropped");
        if let Some(connection) = self.net.connections.get_mut(&id) {
            connection.pipes.iter_mut().for_each(|p| p.retain(|(_, packet)| matches!(packet, Packet::Close)));
        }
        for end in [0, 1] {
            self.hang_up(id, end, "the connection was reset");
        }
    }

    /// An instance and its disks are lost for good; another one with the same name is set up, empty and secondary. If it was
    /// the primary, the secondary is promoted, as the documents have it.
    fn wipe(&mut self, i: usize) {
        let names = self.databases.clone();
        let has_all =
            |copies: &std::collections::BTreeMap<_, SimCopy>| names.iter().all(|db| copies.contains_key(db));
        let was_primary = names.iter().any(|db| self.primaries(db).contains(&i));
        let heirs: Vec<usize> = (0..self.instances.len())
            .filter(|n| *n != i && has_all(&self.instances[*n].copies))
            .filter(|n| self.instances[*n].node.is_some() && self.is_frozen(*n).is_none())
            .collect();
        let Some(heir) = self.dice.pick(&heirs) else { return };
        self.counts.add(if was_primary { "primaries lost for good" } else { "secondaries lost for good" });
        self.crash(i, "for good");
        self.instances[i].copies.clear();
        let now = self.now;
        for db in names {
            self.truth.replaced.insert((i, db), now);
        }
        let listed = self.options.listed_before_seeding;
        for group in &mut self.instances[i].docs.groups {
            (group.role, group.role_at, group.forced) = (Role::Secondary, now, false);
            if !listed {
                group.databases.clear();
            }
        }
        if was_primary && self.primaries(&self.databases[0].clone()).is_empty() {
            self.crown(heir);
        }
    }

    /// Everything that goes wrong ends.
    pub(crate) fn end_faults(&mut self) {
        self.note(|_| "faults end".to_owned());
        self.calm = true;
        self.options.faults.clear();
        self.options.operations.clear();
        self.options.latency_us = self.options.latency_us.min(5_000);
        self.net.cuts.clear();
        self.net.corrupt_next = None;
        let pipes: Vec<(u64, usize)> = self
            .net
            .connections
            .iter()
            .flat_map(|(id, c)| (0..2).flat_map(move |n| c.pipes[n].iter().map(move |_| (*id, n))))
            .collect();
        for (id, pipe) in pipes {
            self.at(1, Happening::Deliver { id, pipe });
        }
        for instance in &mut self.instances {
            instance.crash_in = None;
            instance.frozen_until = 0;
            instance.slow_until = 0;
            instance.full_until = 0;
            instance.bad_certificate_until = 0;
            instance.flip_next = false;
        }
    }

    /// Whether an instance stands still now; what was to happen happens when it goes on.
    pub(crate) fn is_frozen(&self, i: usize) -> Option<u64> {
        self.instances[i].frozen_until.checked_sub(self.now).filter(|wait| *wait > 0)
    }
}
