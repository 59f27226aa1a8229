//! Remote procedure calls: procedures called with typed parameters.

use super::call::{Passed, name_from_text};
use super::{Frame, Stop};
use crate::error::SqlError;
use crate::request::{Outcome, ProcName, RpcCall};
use crate::session::Session;
use crate::sink::{Done, DoneKind, ReturnValue, Sink};

/// The procedures that have a number (MS-TDS 2.2.6.6).
const BY_NUMBER: [&str; 15] = [
    "sp_cursor",
    "sp_cursoropen",
    "sp_cursorprepare",
    "sp_cursorexecute",
    "sp_cursorprepexec",
    "sp_cursorunprepare",
    "sp_cursorfetch",
    "sp_cursoroption",
    "sp_cursorclose",
    "sp_executesql",
    "sp_prepare",
    "sp_execute",
    "sp_prepexec",
    "sp_prepexecrpc",
    "sp_unprepare",
];

impl Session {
    /// Calls a procedure for a client, and sends back what its output parameters became.
    pub fn run_rpc(&mut self, call: &RpcCall, sink: &mut dyn Sink) -> Outcome {
        let shown = match &call.procedure {
            ProcName::Id(id) => by_number(*id).unwrap_or("?").to_owned(),
            ProcName::Name(name) => name.clone(),
        };
        self.request("EXECUTE", &shown, sink, |session, sink| session.rpc(call, &shown, sink))
    }

    fn rpc(&mut self, call: &RpcCall, name: &str, sink: &mut dyn Sink) -> Result<(), Stop> {
        let mut frame = Frame::batch();
        frame.done_kind = DoneKind::Proc;
        let passed = call
            .params
            .iter()
            .map(|p| Passed {
                name: p.name.clone(),
                ty: p.ty,
                value: (!p.default).then(|| p.value.clone()),
                output: p.output,
            })
            .collect();
        if name == "?" {
            return Err(SqlError::procedure_not_found("?").into());
        }
        match self.call(&frame, &name_from_text(name), passed, sink) {
            Ok(returned) => {
                sink.return_status(returned.status);
                for (at, variable) in returned.outputs {
                    let Some(param) = call.params.get(at).filter(|p| p.output) else { continue };
                    sink.return_value(&ReturnValue {
                        ordinal: at as u16,
                        name: param.name.clone(),
                        ty: variable.ty,
                        collation: self.database_collation(),
                        value: variable.value,
                    });
                }
                sink.done(Done { kind: DoneKind::Proc, rows: None, command: Done::OTHER, error: false });
                Ok(())
            }
            Err(Stop::Error(e)) => {
                self.last_error = e.number;
                if self.tran.count > 0 && self.settings.xact_abort {
                    self.rollback_all(sink)?;
                }
                sink.error(&e);
                sink.done(Done { kind: DoneKind::Proc, rows: None, command: Done::OTHER, error: true });
                if e.class >= 20 { Err(Stop::Closed) } else { Ok(()) }
            }
            Err(Stop::Aborted | Stop::Scope) => {
                // The batch inside ended early and said why; the call still has to end.
                sink.done(Done { kind: DoneKind::Proc, rows: None, command: Done::OTHER, error: true });
                Err(Stop::Aborted)
            }
            Err(other) => Err(other),
        }
    }
}

fn by_number(id: u16) -> Option<&'static str> {
    BY_NUMBER.get(usize::from(id).checked_sub(1)?).copied()
}
