//! DBCC TRACEON, TRACEOFF, TRACESTATUS.

use rusqlite::types::Value;

use crate::error::SqlError;
use crate::server::TRACE_FLAG_MAX;
use crate::session::Session;

/// Stands for "of all sessions" among the flags.
const GLOBAL: i64 = -1;

impl Session {
    pub(super) fn set_trace_flags(&mut self, on: bool, values: &[Value]) -> Result<(), SqlError> {
        let (flags, global) = flags(values)?;
        for flag in flags {
            if global {
                self.server.set_trace_flag(flag, on);
                let (id, verb) = (self.id(), if on { "TRACEON" } else { "TRACEOFF" });
                self.server.log_event(&format!("spid{id}"), &format!("DBCC {verb} {flag}, server process ID (SPID) {id}. This is an informational message only; no user action is required."));
            } else if on {
                self.trace_flags.insert(flag);
            } else {
                self.trace_flags.remove(&flag);
            }
        }
        Ok(())
    }

    /// Flag, status, global, session: those that were asked for, or all that are on. -1 leaves out the session's own.
    pub(super) fn trace_status(&self, values: &[Value]) -> Result<Vec<Vec<Value>>, SqlError> {
        let (asked, only_global) = flags(values)?;
        let everywhere = self.server.trace_flags();
        let shown: Vec<u32> = if !asked.is_empty() {
            asked
        } else if only_global {
            everywhere.iter().copied().collect()
        } else {
            everywhere.union(&self.trace_flags).copied().collect()
        };
        let row = |flag: u32| {
            let (global, session) = (everywhere.contains(&flag), self.trace_flags.contains(&flag));
            let row = [i64::from(flag), i64::from(global || session), global.into(), session.into()];
            row.map(Value::Integer).to_vec()
        };
        Ok(shown.into_iter().map(row).collect())
    }
}

/// The flags among the arguments, and whether -1 is one of them.
fn flags(values: &[Value]) -> Result<(Vec<u32>, bool), SqlError> {
    let mut flags = Vec::new();
    let mut global = false;
    for (n, value) in values.iter().enumerate() {
        let flag = match value {
            Value::Integer(GLOBAL) => {
                global = true;
                continue;
            }
            Value::Integer(flag) => u32::try_from(*flag).ok().filter(|f| (1..=TRACE_FLAG_MAX).contains(f)),
            _ => None,
        };
        flags.push(flag.ok_or_else(|| {
            let text = format!("Parameter {} is incorrect for this DBCC statement.", n + 1);
            SqlError::new(2560, 16, 9, text)
        })?);
    }
    Ok((flags, global))
}
