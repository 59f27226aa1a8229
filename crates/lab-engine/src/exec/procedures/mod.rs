//! System procedures: those that speak to the session are Rust, those that read the catalog are T-SQL.

mod args;
mod cursors;
mod describe;
mod error_log;
mod link;
mod prepare;
mod properties;
mod server;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use lab_tsql::ast::{CreateModule, ModuleBody, ObjectName, StatementKind};
use lab_tsql::{ParseOptions, parse_batch};

use super::call::{Passed, Returned};
use super::{Frame, Stop};
use crate::error::SqlError;
use crate::session::Session;
use crate::sink::Sink;

type Native = fn(&mut Session, &Frame, &[Passed], &mut dyn Sink) -> Result<Returned, Stop>;

/// A system procedure, and the database it was named in.
pub(super) struct SystemProcedure {
    work: Work,
    database: Option<String>,
}

enum Work {
    /// SQL Server has it, a lab instance does not.
    Refused(&'static str),
    Native(Native),
    Script(Arc<CreateModule>),
}

const NATIVE: &[(&str, Native)] = &[
    ("sp_executesql", prepare::execute_sql),
    ("sp_prepare", prepare::prepare),
    ("sp_prepexec", prepare::prepare_and_execute),
    ("sp_execute", prepare::execute),
    ("sp_unprepare", prepare::unprepare),
    ("sp_prepexecrpc", prepare::prepare_rpc),
    ("sp_cursoropen", cursors::open),
    ("sp_cursorprepexec", cursors::prepare_and_open),
    ("sp_cursorprepare", prepare::prepare),
    ("sp_cursorexecute", cursors::execute),
    ("sp_cursorunprepare", prepare::unprepare),
    ("sp_cursorfetch", cursors::fetch),
    ("sp_cursoroption", cursors::option),
    ("sp_cursorclose", cursors::close),
    ("sp_cursor", cursors::positioned),
    ("sp_describe_first_result_set", describe::first_result_set),
    ("sp_describe_undeclared_parameters", describe::undeclared_parameters),
    ("sp_addextendedproperty", properties::add),
    ("sp_updateextendedproperty", properties::update),
    ("sp_dropextendedproperty", properties::drop),
    ("sp_raise_message", server::raise_message),
    ("sp_rename", server::rename),
    ("sp_configure", server::configure),
    ("sp_set_session_context", server::set_session_context),
    ("sp_reset_connection", server::reset_connection),
    ("sp_readerrorlog", error_log::read),
    ("xp_readerrorlog", error_log::read),
    ("sp_cycle_errorlog", error_log::cycle),
    ("sp_multidb_milink", link::multi_database),
    ("sp_certificate_add_issuer", link::add_issuer),
    ("sp_validate_certificate_ca_chain", link::validate_chain),
    ("sp_get_endpoint_certificate", link::endpoint_certificate),
];

/// Procedures of SQL Server that are refused by their names, so that nobody looks for a mistake of his own.
const REFUSED: &[&str] = &[
    "sp_addextendedproc",
    "sp_addlinkedserver",
    "sp_addlinkedsrvlogin",
    "sp_addmessage",
    "sp_addtype",
    "sp_addumpdevice",
    "sp_attach_db",
    "sp_attach_single_file_db",
    "sp_bindefault",
    "sp_bindrule",
    "sp_bindsession",
    "sp_catalogs",
    "sp_change_users_login",
    "sp_control_plan_guide",
    "sp_create_plan_guide",
    "sp_createstats",
    "sp_delete_backuphistory",
    "sp_detach_db",
    "sp_dropmessage",
    "sp_dropserver",
    "sp_droptype",
    "sp_estimate_data_compression_savings",
    "sp_executeexternalscript",
    "sp_getapplock",
    "sp_getbindtoken",
    "sp_helpextendedproc",
    "sp_invoke_external_rest_endpoint",
    "sp_monitor",
    "sp_oacreate",
    "sp_oamethod",
    "sp_procoption",
    "sp_refreshsqlmodule",
    "sp_refreshview",
    "sp_releaseapplock",
    "sp_sequence_get_range",
    "sp_server_diagnostics",
    "sp_serveroption",
    "sp_setapprole",
    "sp_settriggerorder",
    "sp_tableoption",
    "sp_trace_create",
    "sp_trace_setevent",
    "sp_trace_setstatus",
    "sp_unbindefault",
    "sp_unbindrule",
    "sp_unsetapprole",
    "sp_xml_preparedocument",
    "sp_xml_removedocument",
    "xp_cmdshell",
    "xp_create_subdir",
    "xp_delete_file",
    "xp_dirtree",
    "xp_enumerrorlogs",
    "xp_fileexist",
    "xp_fixeddrives",
    "xp_instance_regread",
    "xp_instance_regwrite",
    "xp_loginconfig",
    "xp_logevent",
    "xp_regread",
    "xp_regwrite",
    "xp_sscanf",
    "xp_sprintf",
];

/// Names that ODBC 3 clients call for procedures with the same columns.
const SAME_AS: &[(&str, &str)] = &[
    ("sp_columns_90", "sp_columns_100"),
    ("sp_statistics_100", "sp_statistics"),
    ("sp_special_columns_100", "sp_special_columns"),
    ("sp_sproc_columns_100", "sp_sproc_columns"),
    ("sp_datatype_info_100", "sp_datatype_info"),
    ("sp_datatype_info_90", "sp_datatype_info"),
    ("sp_tablecollations", "sp_tablecollations_100"),
    ("sp_tablecollations_90", "sp_tablecollations_100"),
];

/// The system procedure that a name means, wherever it is called from.
pub(super) fn find(name: &ObjectName) -> Option<SystemProcedure> {
    if name.server().is_some()
        || name.schema().is_some_and(|s| !s.eq_ignore_ascii_case("sys") && !s.eq_ignore_ascii_case("dbo"))
    {
        return None;
    }
    let lower = name.name().to_ascii_lowercase();
    let lower = SAME_AS.iter().find(|(alias, _)| *alias == lower).map_or(lower.as_str(), |(_, same)| same);
    let work = match NATIVE.iter().find(|(known, _)| *known == lower) {
        Some((_, native)) => Work::Native(*native),
        None if REFUSED.contains(&lower) => Work::Refused(REFUSED.iter().find(|r| **r == lower)?),
        None => Work::Script(Arc::clone(scripts().get(lower)?)),
    };
    Some(SystemProcedure { work, database: name.database().map(str::to_owned) })
}

/// The names of all system procedures.
pub(crate) fn names() -> Vec<String> {
    let native = NATIVE.iter().map(|(name, _)| (*name).to_owned());
    native
        .chain(SAME_AS.iter().map(|(name, _)| (*name).to_owned()))
        .chain(scripts().keys().cloned())
        .collect()
}

fn scripts() -> &'static BTreeMap<String, Arc<CreateModule>> {
    static SCRIPTS: OnceLock<BTreeMap<String, Arc<CreateModule>>> = OnceLock::new();
    SCRIPTS.get_or_init(|| {
        let both =
            include_str!("catalog.sql").split("\nGO\n").chain(include_str!("server.sql").split("\nGO\n"));
        both.filter_map(parse_script).collect()
    })
}

fn parse_script(text: &str) -> Option<(String, Arc<CreateModule>)> {
    let batch = parse_batch(text, &ParseOptions::default()).ok()?;
    match batch.statements.into_iter().next()?.kind {
        StatementKind::CreateModule(create) => Some((create.name.name().to_lowercase(), Arc::from(create))),
        _ => None,
    }
}

impl Session {
    pub(super) fn call_system(
        &mut self,
        frame: &Frame,
        procedure: &SystemProcedure,
        passed: Vec<Passed>,
        sink: &mut dyn Sink,
    ) -> Result<Returned, Stop> {
        let create = match &procedure.work {
            Work::Refused(name) => return Err(SqlError::unsupported(name).into()),
            Work::Native(native) => return native(self, frame, &passed, sink),
            Work::Script(create) => create,
        };
        let ModuleBody::Procedure { parameters, body } = &create.body else {
            return Err(SqlError::internal("a system procedure without a body").into());
        };
        let mut inner = Frame::inner();
        inner.procedure = Some((create.name.name().to_owned(), -1));
        inner.database = match &procedure.database {
            Some(name) => {
                Some(self.server.database_named(name).ok_or_else(|| SqlError::database_not_found(name))?.id)
            }
            None => Some(frame.database.unwrap_or_else(|| self.current_database())),
        };
        self.call_body(inner, parameters, passed, body, sink)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_script_is_a_procedure() {
        let both = format!("{}\nGO\n{}", include_str!("catalog.sql"), include_str!("server.sql"));
        let written = both.matches("CREATE PROCEDURE").count();
        let broken: Vec<String> = both
            .split("\nGO\n")
            .filter_map(|t| {
                parse_batch(t, &ParseOptions::default())
                    .err()
                    .map(|e| format!("{e:?} in {}", t.lines().next().unwrap_or("")))
            })
            .collect();
        assert!(broken.is_empty(), "{broken:#?}");
        assert_eq!(scripts().len(), written);
    }
}
