//! Batches that the lab itself runs in an instance.

use std::sync::Arc;

use lab_engine::{FirstError, LoginRequest, Secret, Server, Session};

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
        said.into_result().map_err(|e| e.to_string())
    }
}
