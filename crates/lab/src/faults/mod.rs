//! What is broken on purpose: a set that is data, and what follows from a change of it.
//!
//! [`Faults`] knows no process, socket or clock. A change of it is refused, or gives the [`Effect`]s that the supervisor
//! carries out; what the supervisor sees by itself (a byte that was changed, a request that was failed) is told to it.

mod model;

pub use model::{Effect, Fault, Faults, Refusal, WireState};

use serde::{Deserialize, Serialize};

use crate::settings::{Side, words};

words! {
    /// A way over the wire.
    Direction, "direction" {
        /// From SQL Server to the managed instance.
        ToManaged = "to-managed",
        /// From the managed instance to SQL Server.
        ToSqlServer = "to-sqlserver",
    }
}

words! {
    /// One way over the wire, or both.
    Directions, "direction" {
        /// From SQL Server to the managed instance.
        ToManaged = "to-managed",
        /// From the managed instance to SQL Server.
        ToSqlServer = "to-sqlserver",
        /// Both ways.
        Both = "both",
    }
}

impl Directions {
    /// The ways that are meant.
    pub fn each(self) -> &'static [Direction] {
        match self {
            Directions::ToManaged => &[Direction::ToManaged],
            Directions::ToSqlServer => &[Direction::ToSqlServer],
            Directions::Both => Direction::ALL,
        }
    }
}

words! {
    /// What the local Azure does wrong.
    AzureFault, "fault of Azure" {
        /// It answers 429.
        TooManyRequests = "429",
        /// It answers 500.
        ServerError = "500",
        /// It answers late.
        Slow = "slow",
        /// It does what it is asked, and the answer is lost.
        LostAnswer = "lost-answer",
        /// It gets the request twice.
        Duplicate = "duplicate",
    }
}

words! {
    /// What is wrong with an endpoint's certificate.
    CertificateFault, "fault of a certificate" {
        /// Its time has passed; the partner has it.
        Expired = "expired",
        /// It is another one than the partner has.
        Replaced = "replaced",
    }
}

/// A change that somebody wants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "kebab-case")]
pub enum Change {
    /// Deliver nothing, and refuse nothing: what a partition does.
    Cut {
        /// Which way.
        direction: Directions,
    },
    /// End cuts, delays, throttles and corruption.
    Heal {
        /// Which way.
        direction: Directions,
    },
    /// Deliver everything later.
    Delay {
        /// Which way.
        direction: Directions,
        /// By how much.
        ms: u64,
    },
    /// Deliver no more than that.
    Throttle {
        /// Which way.
        direction: Directions,
        /// Kilobytes a second, on each connection.
        kb_per_s: u64,
    },
    /// Change one bit of what comes next.
    Corrupt {
        /// Which way.
        direction: Directions,
    },
    /// SIGKILL.
    Kill {
        /// Which instance.
        instance: Side,
    },
    /// Stop in order.
    Stop {
        /// Which instance.
        instance: Side,
    },
    /// Start again.
    Start {
        /// Which instance.
        instance: Side,
    },
    /// Have no room on the disk, or some again.
    DiskFull {
        /// Which instance.
        instance: Side,
        /// Full, or not.
        on: bool,
    },
    /// Break the certificate of an endpoint; without a fault, give both sides a good one.
    Certificate {
        /// Whose endpoint.
        instance: Side,
        /// What is wrong with it.
        with: Option<CertificateFault>,
    },
    /// Have the local Azure do wrong to the next requests.
    Azure {
        /// What.
        kind: AzureFault,
        /// For how many requests; of a slow one, by how many milliseconds. 0 ends it.
        n: u32,
    },
    /// Take a log backup during each seeding.
    LogBackupDuringSeeding {
        /// From now on, or no more.
        on: bool,
    },
    /// End all that can be ended; start what is down.
    Clear,
}
