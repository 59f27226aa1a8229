//! AVAILABILITY GROUP and SET HADR: who may, where, and to whom they go.

use lab_tsql::ast::{AvailabilityGroupStatement, Ident, SetHadr};

use super::Stop;
use crate::error::SqlError;
use crate::server::{AlwaysOnCaller, AlwaysOnStatement, MASTER};
use crate::session::Session;
use crate::sink::Sink;

impl Session {
    pub(super) fn run_availability_group(
        &mut self,
        statement: &AvailabilityGroupStatement,
        sink: &mut dyn Sink,
    ) -> Result<(), Stop> {
        let (verb, name) = match statement {
            AvailabilityGroupStatement::Create(create) => ("CREATE", &create.name),
            AvailabilityGroupStatement::Alter(name, _) => ("ALTER", name),
            AvailabilityGroupStatement::Drop(name) => ("DROP", name),
        };
        if !self.shared.state().sysadmin {
            let e = match statement {
                AvailabilityGroupStatement::Create(_) => SqlError::no_permission(),
                AvailabilityGroupStatement::Alter(..) => {
                    SqlError::cannot_alter("availability group", &name.value)
                }
                AvailabilityGroupStatement::Drop(_) => {
                    SqlError::cannot_drop_principal("availability group", &name.value)
                }
            };
            return Err(e.into());
        }
        self.outside_transactions(&format!("{verb} AVAILABILITY GROUP"))?;
        if self.current_database() != MASTER {
            return Err(SqlError::group_ddl_outside_master().into());
        }
        self.always_on(&AlwaysOnStatement::AvailabilityGroup(statement), sink)
    }

    pub(super) fn run_set_hadr(
        &mut self,
        database: Option<&Ident>,
        set: &SetHadr,
        sink: &mut dyn Sink,
    ) -> Result<(), Stop> {
        let found = match database {
            Some(name) => self
                .server
                .database_named(&name.value)
                .ok_or_else(|| SqlError::cannot_alter_database(&name.value).at(name.pos.line))?,
            None => self.database(self.current_database())?,
        };
        if !self.owns_database(found.id) {
            return Err(SqlError::cannot_alter_database(&found.name()).into());
        }
        self.outside_transactions("ALTER DATABASE")?;
        self.always_on(&AlwaysOnStatement::SetHadr { database: found.name(), set }, sink)
    }

    fn always_on(&mut self, statement: &AlwaysOnStatement<'_>, sink: &mut dyn Sink) -> Result<(), Stop> {
        let always_on = self.server.always_on().filter(|_| self.server.hadr_enabled());
        let always_on = always_on.ok_or_else(SqlError::hadr_disabled)?;
        let caller = {
            let state = self.shared.state();
            AlwaysOnCaller {
                session: self.shared.id,
                login: state.login.clone(),
                is_sysadmin: state.sysadmin,
                database: self.server.database_name(state.database),
            }
        };
        for text in always_on.execute(statement, &caller)? {
            sink.info(&SqlError::new(0, 0, 1, text));
        }
        Ok(())
    }
}
