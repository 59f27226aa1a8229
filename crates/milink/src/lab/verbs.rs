//! The short verbs of `milink lab`.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::path::Path;
use std::time::Duration;

use clap::Args;
use lab::{Folder, Side};

use super::up::STOP_LIMIT;
use super::{Done, Failure, Output, Where, print, print_json, report};

#[derive(Debug, Args)]
pub(crate) struct Status {
    #[command(flatten)]
    place: Where,
    /// The form of the output.
    #[arg(long, short, value_enum, default_value = "table")]
    output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct Named {
    /// The snapshot's name.
    name: String,
    #[command(flatten)]
    place: Where,
}

#[derive(Debug, Args)]
pub(crate) struct Logs {
    #[command(flatten)]
    place: Where,
    /// Go on with what comes, until Ctrl-C.
    #[arg(long, short)]
    follow: bool,
    /// How many of the last lines of each log are shown.
    #[arg(long, short = 'n', default_value_t = 20)]
    lines: usize,
}

pub(super) fn status(arguments: &Status) -> Done {
    let status = arguments.place.client()?.status()?;
    match arguments.output {
        Output::Json => print_json(&status),
        Output::Table => print(&table(&status)),
    }
}

pub(super) fn env(place: &Where) -> Done {
    print(&lab::exports(&place.client()?.status()?))
}

pub(super) fn down(place: &Where) -> Done {
    let folder = place.folder()?;
    place.client()?.down()?;
    if !folder.wait_until_free(STOP_LIMIT) {
        return Err(Failure::Error(format!(
            "the lab has not stopped in {} s; see {}",
            STOP_LIMIT.as_secs(),
            folder.lab_log().display()
        )));
    }
    report("Stopped. Its data stays: `milink lab up` starts it again.");
    Ok(())
}

pub(super) fn reset(place: &Where) -> Done {
    let client = place.client()?;
    report("Removing all databases; both instances stop meanwhile");
    client.reset()?;
    report("The lab is as it was at first");
    Ok(())
}

pub(super) fn snapshot(arguments: &Named) -> Done {
    let client = arguments.place.client()?;
    report("Copying; both instances stop meanwhile");
    client.snapshot(&arguments.name)?;
    report(&format!("Snapshot '{}' is made; the lab runs on", arguments.name));
    Ok(())
}

pub(super) fn restore(arguments: &Named) -> Done {
    let client = arguments.place.client()?;
    report("Restoring; both instances stop meanwhile");
    client.restore(&arguments.name)?;
    report(&format!("The lab is as it was in snapshot '{}'", arguments.name));
    Ok(())
}

/// The principals that have a role as it is: contributor, reader, documented. They come first.
const WHOLE_ROLES: usize = 3;

/// A status document for people.
pub(super) fn table(status: &lab::Status) -> String {
    let lab::Status { sqlserver, managed, azure, lab, .. } = status;
    let process = |side: Side| status.processes.iter().find(|p| p.name == side);
    let state = |side: Side| match process(side) {
        Some(p) => p.pid.map_or_else(|| p.state.clone(), |pid| format!("{} (process {pid})", p.state)),
        None => "unknown".to_owned(),
    };
    let snapshots = if lab.snapshots.is_empty() { "none".to_owned() } else { lab.snapshots.join(", ") };
    let faults: Vec<String> = status.faults.iter().map(ToString::to_string).collect();
    let faults = if faults.is_empty() { "none".to_owned() } else { faults.join("; ") };
    let ca = azure.ca_file.display().to_string();
    let data = lab.data.display().to_string();
    // The others lack an action each: they are in the JSON.
    let first =
        azure.principals.iter().take(WHOLE_ROLES).map(|p| p.name.as_str()).collect::<Vec<_>>().join(", ");
    let principals = match azure.principals.len().saturating_sub(WHOLE_ROLES) {
        0 => first,
        more => format!("{first} and {more} more, with their secrets: milink lab status -o json"),
    };
    let (sqlserver_title, managed_title) =
        (format!("SQL Server {}", lab.version), format!("managed instance ({})", lab.policy));
    let (sqlserver_state, managed_state) = (state(Side::SqlServer), state(Side::Managed));
    let rows = [
        (sqlserver_title.as_str(), sqlserver_state.as_str()),
        ("  server", &sqlserver.server),
        ("  user, password", &format!("{} {}", sqlserver.user, sqlserver.password)),
        ("  endpoint", &sqlserver.endpoint),
        (managed_title.as_str(), &managed_state),
        ("  server", &managed.server),
        ("  user, password", &format!("{} {}", managed.user, managed.password)),
        ("  endpoint", &managed.endpoint),
        ("  resource", &managed.resource_id),
        ("local Azure", &azure.arm_endpoint),
        ("  authority", &azure.authority),
        ("  certificate", &ca),
        ("  principals", &principals),
        ("faults", &faults),
        ("snapshots", &snapshots),
        ("data", &data),
    ];
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let mut out = String::new();
    for (name, value) in rows {
        // Writing to a string cannot fail.
        writeln!(out, "{name:<width$}  {value}").unwrap_or(());
    }
    out
}

/// A log that is read on as it grows.
struct Followed {
    name: String,
    file: Option<File>,
    path: std::path::PathBuf,
}

impl Followed {
    fn read(&mut self) -> String {
        if self.file.is_none() {
            self.file = File::open(&self.path).ok();
        }
        let mut text = Vec::new();
        if let Some(file) = &mut self.file {
            // What cannot be read now is read later, or is gone.
            drop(file.read_to_end(&mut text));
        }
        String::from_utf8_lossy(&text).into_owned()
    }

    fn show(&self, text: &str) -> Done {
        let lines: String = text.lines().map(|line| format!("{:<9} {line}\n", self.name)).collect();
        print(&lines)
    }
}

pub(super) fn logs(arguments: &Logs) -> Done {
    let folder = arguments.place.folder()?;
    if folder.settings().map_err(lab::ClientError::Folder)?.is_none() {
        return Err(lab::ClientError::Folder(lab::FolderError::NoLab(folder.path().to_owned())).into());
    }
    let mut logs = followed(&folder);
    for log in &mut logs {
        let text = log.read();
        let lines: Vec<&str> = text.lines().collect();
        let last = lines.get(lines.len().saturating_sub(arguments.lines)..).unwrap_or_default();
        log.show(&last.join("\n"))?;
    }
    if !arguments.follow {
        return Ok(());
    }
    loop {
        std::thread::sleep(Duration::from_millis(200));
        for log in &mut logs {
            log.reopen_if_shorter();
            let text = log.read();
            log.show(&text)?;
        }
    }
}

fn followed(folder: &Folder) -> Vec<Followed> {
    let log = |name: &str, path: &Path| Followed { name: name.to_owned(), file: None, path: path.to_owned() };
    let mut logs = vec![log("lab", &folder.lab_log()), log("azure", &folder.azure_log())];
    for side in Side::ALL {
        logs.push(log(side.word(), &folder.instance_log(*side)));
        logs.push(log(side.word(), &folder.error_log(*side)));
    }
    logs
}

impl Followed {
    /// An error log is rotated at each start of its instance: the new one is read from its beginning.
    fn reopen_if_shorter(&mut self) {
        let Some(file) = &mut self.file else { return };
        let at = file.stream_position().unwrap_or_default();
        let long = std::fs::metadata(&self.path).map(|m| m.len()).unwrap_or_default();
        if long < at {
            self.file = File::open(&self.path).ok();
        }
    }
}
