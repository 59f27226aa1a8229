//! The lab as a place to rehearse in: its faults as buttons, its workload as a drill. `milink-web` knows no lab; here the two meet.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lab::faults::{AzureFault, CertificateFault, Change, Directions};
use lab::{Client, Folder, Side};
use milink_core::drill::Ledger;
use milink_ops::sides::now;
use milink_web::{Drill, DrillState, Fault, Rehearsal, Workload};
use tokio::sync::oneshot;

use super::STACK_BYTES;
use crate::lab::workload::{Told, Wish, write_orders};

/// How late everything is delivered by the button.
const DELAY_MS: u64 = 200;
/// How little is delivered by the button.
const THROTTLE_KB: u64 = 64;
/// How late Azure answers by the button.
const AZURE_SLOW_MS: u32 = 3_000;
/// To how many requests Azure does wrong by the button.
const AZURE_REQUESTS: u32 = 3;

/// A lab that runs.
pub(super) struct LabRehearsal {
    data: PathBuf,
    newest: Arc<Mutex<Newest>>,
}

/// The newest workload.
#[derive(Default)]
struct Newest {
    drill: Option<Drill>,
    stop: Option<oneshot::Sender<()>>,
}

impl LabRehearsal {
    /// The lab of a folder.
    pub(super) fn new(data: PathBuf) -> LabRehearsal {
        LabRehearsal { data, newest: Arc::default() }
    }

    /// Talks to the lab where nothing else has to wait for it.
    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Client) -> Result<T, lab::ClientError> + Send + 'static,
    ) -> Result<T, String> {
        let data = self.data.clone();
        let done = tokio::task::spawn_blocking(move || work(&connect(&data)?).map_err(|e| e.to_string()));
        done.await.unwrap_or_else(|e| Err(e.to_string()))
    }
}

fn connect(data: &std::path::Path) -> Result<Client, String> {
    let folder = Folder::new(data).map_err(|e| e.to_string())?;
    Client::connect(&folder).map_err(|e| e.to_string())
}

fn lock(newest: &Mutex<Newest>) -> MutexGuard<'_, Newest> {
    newest.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The faults that have a button: group, name, title, what it does, and the change.
fn buttons() -> Vec<(&'static str, String, String, &'static str, Change)> {
    let mut all = Vec::new();
    let mut add = |group, name: &str, title: &str, about, change| {
        all.push((group, name.to_owned(), title.to_owned(), about, change));
    };
    for (word, title, direction) in [
        ("both", "both ways", Directions::Both),
        ("to-managed", "to the managed instance", Directions::ToManaged),
        ("to-sqlserver", "to SQL Server", Directions::ToSqlServer),
    ] {
        let about = "Delivers nothing that way, and refuses nothing: a partition.";
        add("Wire", &format!("cut-{word}"), &format!("Cut {title}"), about, Change::Cut { direction });
    }
    let direction = Directions::Both;
    let about = "Delivers everything later, by 200 ms.";
    add("Wire", "delay", "Delay both ways", about, Change::Delay { direction, ms: DELAY_MS });
    let about = "Delivers 64 KB a second on each connection, and no more.";
    add(
        "Wire",
        "throttle",
        "Throttle both ways",
        about,
        Change::Throttle { direction, kb_per_s: THROTTLE_KB },
    );
    add("Wire", "corrupt", "Corrupt", "Changes one bit of what comes next.", Change::Corrupt { direction });
    add("Wire", "heal", "Heal the wire", "Ends what was done to the wire.", Change::Heal { direction });
    for (instance, who) in [(Side::SqlServer, "SQL Server"), (Side::Managed, "the managed instance")] {
        let word = instance.word();
        let mut of = |verb: &str, title: &str, about, change| {
            add("Instances", &format!("{verb}-{word}"), &format!("{title} {who}"), about, change);
        };
        of("kill", "Kill", "Ends the process without warning.", Change::Kill { instance });
        of("stop", "Stop", "Ends the process in order.", Change::Stop { instance });
        of("start", "Start", "Starts it again.", Change::Start { instance });
        of(
            "disk-full",
            "Fill the disk of",
            "Leaves no room on its disk.",
            Change::DiskFull { instance, on: true },
        );
        of("disk-room", "Make room on the disk of", "Ends that.", Change::DiskFull { instance, on: false });
        let with = Some(CertificateFault::Expired);
        of(
            "expire",
            "Expire the certificate of",
            "Its endpoint's time has passed.",
            Change::Certificate { instance, with },
        );
        let with = Some(CertificateFault::Replaced);
        of(
            "replace",
            "Replace the certificate of",
            "Its endpoint has another one than the partner has.",
            Change::Certificate { instance, with },
        );
    }
    for (kind, title, about, n) in [
        (AzureFault::TooManyRequests, "Azure answers 429", "To the next 3 requests.", AZURE_REQUESTS),
        (AzureFault::ServerError, "Azure answers 500", "To the next 3 requests.", AZURE_REQUESTS),
        (AzureFault::Slow, "Azure is slow", "Every answer comes 3 s later.", AZURE_SLOW_MS),
        (
            AzureFault::LostAnswer,
            "Azure loses an answer",
            "It does what it is asked, and its next answer is lost.",
            1,
        ),
        (AzureFault::Duplicate, "Azure does it twice", "The next request is carried out twice.", 1),
    ] {
        add("Azure", &format!("azure-{kind}"), title, about, Change::Azure { kind, n });
    }
    let about = "Takes a log backup during each seeding.";
    add("Seeding", "log-backup", "Back up the log", about, Change::LogBackupDuringSeeding { on: true });
    all
}

#[async_trait::async_trait]
impl Rehearsal for LabRehearsal {
    fn faults(&self) -> Vec<Fault> {
        let fault = |(group, name, title, about, _): (&str, String, String, &str, Change)| Fault {
            name,
            title,
            about: about.to_owned(),
            group: group.to_owned(),
        };
        buttons().into_iter().map(fault).collect()
    }

    async fn in_force(&self) -> Result<Vec<String>, String> {
        let status = self.with(Client::status).await?;
        Ok(status.faults.iter().map(ToString::to_string).collect())
    }

    async fn apply(&self, fault: &str) -> Result<(), String> {
        let found = buttons().into_iter().find(|(_, name, ..)| name == fault);
        let (.., change) = found.ok_or_else(|| format!("there is no fault {fault}"))?;
        self.with(move |client| client.fault(&change)).await.map(drop)
    }

    async fn clear(&self) -> Result<(), String> {
        self.with(|client| client.fault(&Change::Clear)).await.map(drop)
    }

    async fn start(&self, workload: Workload) -> Result<(), String> {
        let (stop, stopped) = oneshot::channel::<()>();
        {
            let mut newest = lock(&self.newest);
            let busy = newest
                .drill
                .as_ref()
                .is_some_and(|d| matches!(d.state, DrillState::Writing | DrillState::Counting));
            if busy {
                return Err("a workload is under way".to_owned());
            }
            let ledger = Ledger::default();
            newest.drill = Some(Drill { state: DrillState::Writing, began: now(), ended: None, ledger });
            newest.stop = Some(stop);
        }
        let (data, newest) = (self.data.clone(), Arc::clone(&self.newest));
        let wish = Wish::of(workload.rate, workload.connections);
        // The writers share one thread, which is none of the server's. It ends with the process: what it writes is only the lab's.
        let begun = std::thread::Builder::new().name("workload".to_owned()).stack_size(STACK_BYTES).spawn(
            move || {
                let told = Arc::clone(&newest);
                let tell = move |news: Told| tell(&told, &news);
                // Nobody is left to stop it when the sender is gone: then it is stopped.
                let until = async move { drop(stopped.await) };
                let report = connect(&data)
                    .and_then(|client| write_orders(&client, &wish, until, tell).map_err(|e| e.to_string()));
                let mut newest = lock(&newest);
                newest.stop = None;
                let Some(drill) = &mut newest.drill else { return };
                drill.ended = drill.ended.or_else(|| Some(now()));
                match report {
                    Ok(report) => {
                        drill.ledger = report.ledger(&drill.ledger);
                        drill.state = DrillState::Ended;
                    }
                    Err(why) => drill.state = DrillState::Failed(why),
                }
            },
        );
        begun.map(drop).map_err(|e| {
            *lock(&self.newest) = Newest::default();
            format!("no thread can be started: {e}")
        })
    }

    async fn stop(&self) -> Result<(), String> {
        let stop = lock(&self.newest).stop.take();
        stop.and_then(|stop| stop.send(()).ok()).ok_or_else(|| "nobody writes".to_owned())
    }

    fn drill(&self) -> Option<Drill> {
        lock(&self.newest).drill.clone()
    }
}

fn tell(newest: &Mutex<Newest>, news: &Told) {
    let mut newest = lock(newest);
    let Some(drill) = &mut newest.drill else { return };
    match news {
        Told::Begins { .. } => {}
        Told::Sample(sample) => drill.ledger = sample.ledger(&drill.ledger),
        Told::Counting => {
            drill.state = DrillState::Counting;
            drill.ended = Some(now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_button_has_a_name_of_its_own_and_groups_stay_together() {
        let faults = LabRehearsal::new(PathBuf::new()).faults();
        let mut names: Vec<&str> = faults.iter().map(|f| f.name.as_str()).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
        let mut groups: Vec<&str> = faults.iter().map(|f| f.group.as_str()).collect();
        groups.dedup();
        assert_eq!(groups, ["Wire", "Instances", "Azure", "Seeding"]);
    }
}
