//! The supervisor's end of a pipe.

use std::collections::BTreeMap;
use std::io::BufReader;
use std::process::{ChildStdin, ChildStdout};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::{Answer, Ask, Outcome, Question, line};

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum PipeError {
    /// The process is gone, or does not answer: whether it has done what it was asked is not known.
    Silent,
    /// It says why not.
    Refused(String),
}

impl std::fmt::Display for PipeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            PipeError::Silent => f.write_str("the instance does not answer"),
            PipeError::Refused(why) => f.write_str(why),
        }
    }
}

/// Those who wait for answers; nobody can any more once it is closed.
#[derive(Default)]
struct Waiting {
    answers: BTreeMap<u64, Sender<Outcome>>,
    closed: bool,
}

/// Asks a child process.
pub(crate) struct Pipe {
    input: Mutex<Option<ChildStdin>>,
    waiting: Arc<Mutex<Waiting>>,
    next: AtomicU64,
}

impl std::fmt::Debug for Pipe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pipe").finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pipe {
    /// A pipe to a child, and where the first line that it says will come.
    pub(crate) fn new(
        input: ChildStdin,
        output: ChildStdout,
    ) -> std::io::Result<(Pipe, Receiver<serde_json::Value>)> {
        let waiting = Arc::new(Mutex::new(Waiting::default()));
        let (ready, first) = mpsc::channel();
        let answers = Arc::clone(&waiting);
        std::thread::Builder::new().name("instance's answers".to_owned()).spawn(move || {
            let mut output = BufReader::new(output);
            if let Ok(Some(line)) = line::read(&mut output) {
                // Whoever started it may have given up.
                drop(ready.send(line));
                while let Ok(Some(Answer { id, outcome })) = line::read(&mut output) {
                    if let Some(waiting) = lock(&answers).answers.remove(&id) {
                        drop(waiting.send(outcome));
                    }
                }
            }
            let mut waiting = lock(&answers);
            waiting.closed = true;
            waiting.answers.clear();
        })?;
        Ok((Pipe { input: Mutex::new(Some(input)), waiting, next: AtomicU64::new(1) }, first))
    }

    /// Ends the child's input: it stops in order.
    pub(crate) fn close(&self) {
        drop(lock(&self.input).take());
    }

    pub(crate) fn ask<T: DeserializeOwned>(&self, ask: Ask, limit: Duration) -> Result<T, PipeError> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = mpsc::channel();
        {
            let mut waiting = lock(&self.waiting);
            if waiting.closed {
                return Err(PipeError::Silent);
            }
            waiting.answers.insert(id, sender);
        }
        let written = match lock(&self.input).as_mut() {
            Some(input) => line::write(input, &Question { id, ask }).is_ok(),
            None => false,
        };
        let outcome = if written { answer.recv_timeout(limit) } else { Err(RecvTimeoutError::Disconnected) };
        match outcome {
            Ok(Outcome::Ok(value)) => serde_json::from_value(value)
                .map_err(|e| PipeError::Refused(format!("the instance's answer is not understood: {e}"))),
            Ok(Outcome::Error(why)) => Err(PipeError::Refused(why)),
            Err(_) => {
                lock(&self.waiting).answers.remove(&id);
                Err(PipeError::Silent)
            }
        }
    }
}
