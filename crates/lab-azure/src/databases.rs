//! `managedInstances/databases`.

use serde_json::{Value, json};

use crate::clock::iso;
use crate::context::{Context, Outcome, Start};
use crate::error::ArmError;
use crate::instance::{Database, Link, SeedingState};
use crate::message::{Method, Response};
use crate::operations::{Work, same};
use crate::target::Family;

const KIND: &str = "managedInstances/databases";

/// `state_desc` in Azure's words.
fn status(database: &Database) -> &'static str {
    match database.state.as_str() {
        _ if database.seeding => "Restoring",
        "ONLINE" => "Online",
        "OFFLINE" => "Offline",
        "RESTORING" => "Restoring",
        "RECOVERING" => "Starting",
        _ => "Inaccessible",
    }
}

fn resource(context: &Context<'_>, database: &Database) -> Value {
    let names = context.names();
    json!({
        "properties": {
            "collation": database.collation,
            "status": status(database),
            "creationDate": iso(database.created_ms),
            "earliestRestorePoint": iso(database.created_ms),
        },
        "location": names.location,
        "tags": {},
        "id": format!("{}/databases/{}", names.instance_id(), database.name),
        "name": database.name,
        "type": "Microsoft.Sql/managedInstances/databases",
    })
}

/// All of them, as resources.
pub(crate) fn resources(context: &Context<'_>) -> Result<Vec<Value>, ArmError> {
    Ok(context.report.databases()?.iter().map(|d| resource(context, d)).collect())
}

/// The list.
pub(crate) fn list(context: &Context<'_>) -> Result<Outcome, ArmError> {
    Ok(Response::json(200, json!({"value": resources(context)?})).into())
}

/// One database.
pub(crate) fn one(context: &Context<'_>, name: &str) -> Result<Outcome, ArmError> {
    let found = context.report.databases()?.iter().find(|d| same(&d.name, name));
    match context.request.method {
        Method::Get => {
            let found = found.ok_or_else(|| ArmError::no_resource(KIND, name))?;
            Ok(Response::json(200, resource(context, found)).into())
        }
        Method::Delete => {
            let Some(found) = found else { return Ok(Response::empty(204).into()) };
            if context.operations.running_on(Family::Databases, name).is_some() {
                return Err(ArmError::conflicting());
            }
            let work = Work::DropDatabase { name: found.name.clone() };
            Ok(Start::new(Family::Databases, "DropManagedDatabase", &found.name, work).into())
        }
        Method::Put | Method::Patch | Method::Post => {
            Err(ArmError::not_in_lab("Microsoft.Sql/managedInstances/databases/write"))
        }
    }
}

/// How far the first copy of a database has got: of a restore in Azure, of seeding here.
pub(crate) fn restore_details(context: &Context<'_>, name: &str) -> Result<Outcome, ArmError> {
    let found = context.report.databases()?.iter().find(|d| same(&d.name, name));
    let found = found.ok_or_else(|| ArmError::no_resource(KIND, name))?;
    let seeding = |link: &Link| link.databases.iter().find(|d| same(&d.name, name)).and_then(|d| d.seeding);
    let seeding = context.report.links()?.iter().find_map(seeding);
    let (status, percent) = match seeding.map(|s| (s.state, s.percent)) {
        Some((SeedingState::Pending | SeedingState::Running, percent)) => ("Restoring", percent),
        Some((SeedingState::Failed, percent)) => ("Failed", percent),
        Some((SeedingState::Completed, _)) | None => ("Completed", 100),
    };
    let id = format!("{}/databases/{}/restoreDetails/Default", context.names().instance_id(), found.name);
    Ok(Response::json(
        200,
        json!({
            "properties": {"type": "Seeding", "status": status, "percentCompleted": percent},
            "id": id,
            "name": "Default",
            "type": "Microsoft.Sql/managedInstances/databases/restoreDetails",
        }),
    )
    .into())
}
