//! Procedures that change the session or the server.

use rusqlite::types::Value;

use super::args::{argument, done, int, text};
use crate::error::SqlError;
use crate::exec::call::{Passed, Returned, name_from_text};
use crate::exec::{Frame, Stop};
use crate::server::ServerEntry;
use crate::session::Session;
use crate::sink::{ColumnMeta, Done, DoneKind, Sink};
use crate::system::SETTINGS;
use crate::types::SqlType;

/// sp_rename @objname, @newname, @objtype
pub(super) fn rename(
    session: &mut Session,
    frame: &Frame,
    passed: &[Passed],
    sink: &mut dyn Sink,
) -> Result<Returned, Stop> {
    let name = text(passed, 0, "@objname").unwrap_or_default();
    let new = text(passed, 1, "@newname").unwrap_or_default();
    let what = text(passed, 2, "@objtype").unwrap_or_else(|| "OBJECT".to_owned()).to_ascii_uppercase();
    if new.is_empty() || new.chars().count() > 128 {
        return Err(SqlError::new(
            15223,
            11,
            1,
            "Error: The input parameter 'newname' is not allowed to be null.",
        )
        .into());
    }
    if !matches!(what.as_str(), "OBJECT" | "COLUMN" | "INDEX") {
        return Err(SqlError::unsupported(&format!("sp_rename of a {what}")).into());
    }
    let name = name_from_text(&name);
    session.atomically(sink, |s, _| s.rename(frame, &name, &new, &what))?;
    sink.info(&SqlError::new(
        15477,
        0,
        1,
        "Caution: Changing any part of an object name could break scripts and stored procedures.",
    ));
    done()
}

/// Raises a message of the server from a procedure written in T-SQL, under its own number: RAISERROR with text has 50000.
pub(super) fn raise_message(
    session: &mut Session,
    frame: &Frame,
    passed: &[Passed],
    _: &mut dyn Sink,
) -> Result<Returned, Stop> {
    let number = int(passed, 0, "@number").unwrap_or(50_000);
    let name = text(passed, 2, "@name").unwrap_or_default();
    let database = session.name_of(frame.database.unwrap_or_else(|| session.current_database()));
    Err(match number {
        15009 => SqlError::new(
            15009,
            16,
            1,
            format!("The object '{name}' does not exist in database '{database}' or is invalid for this operation."),
        ),
        15010 => SqlError::new(
            15010,
            16,
            1,
            format!("The database '{name}' does not exist. Supply a valid database name. To see available databases, use sys.databases."),
        ),
        15197 => SqlError::new(15197, 16, 1, format!("There is no text for object '{name}'.")),
        _ => SqlError::unsupported(&name),
    }
    .into())
}

/// sp_configure @configname, @configvalue
pub(super) fn configure(
    session: &mut Session,
    _: &Frame,
    passed: &[Passed],
    sink: &mut dyn Sink,
) -> Result<Returned, Stop> {
    let name = text(passed, 0, "@configname");
    let value = int(passed, 1, "@configvalue");
    let found: Vec<_> = SETTINGS
        .iter()
        .filter(|s| name.as_deref().is_none_or(|n| s.1.to_lowercase().contains(&n.to_lowercase())))
        .collect();
    // A whole name is meant even where another contains it.
    let exact = found.iter().copied().find(|s| name.as_deref().is_some_and(|n| s.1.eq_ignore_ascii_case(n)));
    let found = exact.map_or(found, |one| vec![one]);
    if let (Some(name), true) = (&name, found.is_empty()) {
        return Err(SqlError::new(
            15123,
            16,
            1,
            format!("The configuration option '{name}' does not exist, or it may be an advanced option."),
        )
        .into());
    }
    let current = |setting: &(i64, &str, i64, i64, i64, bool)| {
        session
            .server
            .configuration
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .get(setting.1)
            .copied()
            .unwrap_or(setting.2)
    };
    if let Some(value) = value {
        let [setting] = found.as_slice() else {
            return Err(SqlError::new(
                15124,
                16,
                1,
                format!("The configuration option '{}' is not unique.", name.unwrap_or_default()),
            )
            .into());
        };
        if !session.shared.has_server_role("serveradmin") {
            return Err(SqlError::no_permission().into());
        }
        session.outside_transactions("CONFIG")?;
        session.refuse_setting_on_managed(setting.1)?;
        if !(setting.3..=setting.4).contains(&value) {
            return Err(SqlError::new(
                15129,
                16,
                1,
                format!("'{value}' is not a valid value for configuration option '{}'.", setting.1),
            )
            .into());
        }
        let old = current(setting);
        session.server.save_entry(ServerEntry::Setting(setting.0, setting.1.to_owned(), value))?;
        let text = format!(
            "Configuration option '{}' changed from {old} to {value}. Run the RECONFIGURE statement to install.",
            setting.1
        );
        session.server.log_event(&format!("spid{}", session.id()), &text);
        sink.info(&SqlError::new(15457, 0, 1, text));
        return done();
    }
    let columns =
        ["minimum", "maximum", "config_value", "run_value"].map(|c| ColumnMeta::new(c, SqlType::Int));
    let mut all = vec![ColumnMeta::new("name", SqlType::nvarchar(35))];
    all.extend(columns);
    sink.columns(&all);
    for setting in &found {
        let now = current(setting);
        let row = [
            Value::Text(setting.1.to_owned()),
            Value::Integer(setting.3),
            Value::Integer(setting.4),
            Value::Integer(now),
            Value::Integer(now),
        ];
        sink.row(&row).map_err(|_| Stop::Closed)?;
    }
    sink.done(Done {
        kind: DoneKind::InProc,
        rows: Some(found.len() as u64),
        command: Done::SELECT,
        error: false,
    });
    done()
}

/// sp_set_session_context @key, @value, @read_only
pub(super) fn set_session_context(
    session: &mut Session,
    _: &Frame,
    passed: &[Passed],
    _: &mut dyn Sink,
) -> Result<Returned, Stop> {
    let key = text(passed, 0, "@key").filter(|k| !k.is_empty());
    let key = key.ok_or_else(|| SqlError::new(15664, 16, 1, "Cannot set key '' in the session context."))?;
    let variant = match argument(passed, 1, "@value") {
        Some(Passed { value: Some(value), ty, .. }) if *value != Value::Null => crate::types::convert(
            value,
            *ty,
            SqlType::Variant,
            None,
            crate::types::ConvertKind::Explicit,
            &crate::types::ConvertContext::default(),
        )?,
        _ => Value::Null,
    };
    session.shared.state().session_context.insert(key.to_lowercase(), variant);
    done()
}

/// sp_reset_connection, as pools call it by name.
pub(super) fn reset_connection(
    session: &mut Session,
    _: &Frame,
    _: &[Passed],
    sink: &mut dyn Sink,
) -> Result<Returned, Stop> {
    session.reset(false, sink)?;
    done()
}
