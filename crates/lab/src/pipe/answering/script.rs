//! Batches that the lab itself runs in an instance.

use std::sync::Arc;

use lab_engine::types::Value;
use lab_engine::{
    ColumnMeta, Done, EnvChange, LoginRequest, ReturnValue, Secret, Server, Session, Sink, SinkClosed,
    SqlError,
};

/// A session of the lab's.
pub(super) struct Script {
    session: Session,
}

impl Script {
    pub(super) fn begin(server: &Arc<Server>, password: &str) -> Result<Script, String> {
        let request = LoginRequest {
            user: "sa".to_owned(),
            password: Some(Secret::new(password.to_owned())),
            program: "milink lab".to_owned(),
            ..LoginRequest::default()
        };
        let session = server.login(&request).map_err(|e| e.message)?;
        Ok(Script { session })
    }

    /// Runs a batch to its end.
    ///
    /// # Errors
    /// The first error that it says, or that it cannot be hardened.
    pub(super) fn run(&mut self, batch: &str) -> Result<(), String> {
        let mut said = FirstError::default();
        self.session.run_batch(batch, &mut said);
        self.session.barrier().wait().map_err(|e| e.message)?;
        match said.0 {
            None => Ok(()),
            Some(e) => Err(e),
        }
    }
}

/// Hears errors only.
#[derive(Default)]
struct FirstError(Option<String>);

impl Sink for FirstError {
    fn columns(&mut self, _: &[ColumnMeta]) {}

    fn row(&mut self, _: &[Value]) -> Result<(), SinkClosed> {
        Ok(())
    }

    fn done(&mut self, _: Done) {}

    fn info(&mut self, _: &SqlError) {}

    fn error(&mut self, error: &SqlError) {
        self.0.get_or_insert_with(|| error.to_string());
    }

    fn env(&mut self, _: EnvChange) {}

    fn return_status(&mut self, _: i32) {}

    fn return_value(&mut self, _: &ReturnValue) {}

    fn flush(&mut self) -> Result<(), SinkClosed> {
        Ok(())
    }
}
