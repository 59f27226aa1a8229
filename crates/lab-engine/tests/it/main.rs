//! The engine as a client sees it: batches in, answers out.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod answers;
mod backup;
mod catalog;
mod certificates;
mod corpus;
mod ddl;
mod language;
mod managed;
mod preparation;
mod procedures;
mod replicas;
mod scripts;
mod security;
mod storage;
mod transactions;

use std::sync::Arc;

use answers::Answers;
use lab_engine::{LoginRequest, Secret, Server, ServerConfig, Session};

/// A server in a folder of its own.
struct Lab {
    server: Arc<Server>,
    folder: tempfile::TempDir,
}

impl Lab {
    fn new() -> Lab {
        let folder = tempfile::tempdir().unwrap();
        let server = Lab::open(&folder);
        Lab { server, folder }
    }

    fn open(folder: &tempfile::TempDir) -> Arc<Server> {
        let config = ServerConfig {
            sa_password: Some(Secret::new("Lab#Pass123".into())),
            server_name: "LAB".into(),
            max_sessions: 100,
            ..ServerConfig::new(folder.path().join("data"))
        };
        Server::open(config).unwrap()
    }

    /// Stops the server, whose sessions are gone, and starts it again.
    fn restart(self) -> Lab {
        let Lab { server, folder } = self;
        assert_eq!(Arc::strong_count(&server), 1, "a session is still open");
        drop(server);
        let server = Lab::open(&folder);
        Lab { server, folder }
    }

    fn session(&self) -> Session {
        self.login("sa", "Lab#Pass123")
    }

    fn login(&self, user: &str, password: &str) -> Session {
        let password = Some(Secret::new(password.into()));
        self.server.login(&LoginRequest { user: user.into(), password, ..LoginRequest::default() }).unwrap()
    }
}

/// Runs a batch.
fn run(session: &mut Session, text: &str) -> Answers {
    let mut answers = Answers::default();
    session.run_batch(text, &mut answers);
    session.barrier().wait().unwrap();
    answers
}

/// Runs a batch that must not fail; the rows of its last result set.
fn rows(session: &mut Session, text: &str) -> Vec<String> {
    let answers = run(session, text);
    assert!(answers.errors.is_empty(), "{text}\n{:#?}", answers.errors);
    answers.last_rows()
}

/// The number of the first error of a batch; 0 without any.
fn error(session: &mut Session, text: &str) -> i32 {
    run(session, text).errors.first().map_or(0, |e| e.number)
}
