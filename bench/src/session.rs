//! Either side's session, so that a workload is written once.

use std::net::SocketAddr;

use crate::{Result, postgres, tds};

/// The server that is driven.
#[derive(Debug, Clone)]
pub enum Target {
    /// A lab instance.
    Tds {
        /// Where it listens.
        address: SocketAddr,
        /// sa's password.
        password: String,
        /// The database.
        database: String,
    },
    /// A PostgreSQL cluster that trusts its clients.
    Postgres {
        /// Where it listens.
        address: SocketAddr,
        /// The database.
        database: String,
    },
}

impl Target {
    /// Connects.
    pub fn open(&self) -> Result<Session> {
        match self {
            Target::Tds { address, password, database } => {
                tds::Session::open(*address, password, database).map(Session::Tds)
            }
            Target::Postgres { address, database } => {
                postgres::Session::open(*address, database).map(Session::Postgres)
            }
        }
    }
}

/// A connection to either.
#[derive(Debug)]
pub enum Session {
    /// To a lab instance.
    Tds(tds::Session),
    /// To PostgreSQL.
    Postgres(postgres::Session),
}

impl Session {
    /// Sends a request and waits for its answer; gives the rows that it returned or changed.
    pub fn round_trip(&mut self, request: &[u8]) -> Result<u64> {
        match self {
            Session::Tds(session) => session.round_trip(request),
            Session::Postgres(session) => session.round_trip(request),
        }
    }

    /// Runs a text as a batch or a simple query.
    pub fn run(&mut self, text: &str) -> Result<u64> {
        let request = match self {
            Session::Tds(_) => tds::batch(text),
            Session::Postgres(_) => postgres::simple(text),
        };
        self.round_trip(&request).map_err(|e| {
            let start: String = text.chars().take(80).collect();
            format!("{start}: {e}")
        })
    }
}
