//! Either side's session, so that a workload is written once.

use std::net::SocketAddr;
use std::time::Duration;

use crate::request::Request;
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
        let request = self.request(text);
        self.round_trip(&request).map_err(|e| told(text, &e))
    }

    /// The first value of a query's first row, as text; NULL is empty.
    pub fn value(&mut self, text: &str) -> Result<String> {
        let request = self.request(text);
        self.value_of(&request).map_err(|e| told(text, &e))
    }

    /// The first value of the first row that a request gives, as text; NULL is empty.
    pub fn value_of(&mut self, request: &[u8]) -> Result<String> {
        match self {
            Session::Tds(session) => session.value(request),
            Session::Postgres(session) => session.value(request),
        }
    }

    /// A batch or a simple query.
    pub fn request(&self, text: &str) -> Vec<u8> {
        match self {
            Session::Tds(_) => tds::batch(text),
            Session::Postgres(_) => postgres::simple(text),
        }
    }

    /// A batch or a simple query with a key between each two texts.
    pub fn request_with_keys(&self, texts: &[&str]) -> Request {
        match self {
            Session::Tds(_) => tds::batch_with_keys(texts),
            Session::Postgres(_) => postgres::simple_with_keys(texts),
        }
    }

    /// Lets whoever waits for an answer give up after that time.
    pub fn set_patience(&self, patience: Duration) -> Result<()> {
        match self {
            Session::Tds(session) => session.set_patience(patience),
            Session::Postgres(session) => session.set_patience(patience),
        }
    }
}

fn told(text: &str, why: &str) -> String {
    let start: String = text.chars().take(80).collect();
    format!("{start}: {why}")
}
