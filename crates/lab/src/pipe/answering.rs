//! The instance's end of a pipe.

use std::io::{BufRead, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lab_azure::ManagedInstance as _;
use lab_instance::{Control, FillableDisk, Instance, SeedingState, Server};

use super::{Answer, Ask, Facts, Outcome, Question, Reissued, line};
use crate::sample;
use script::Script;

mod script;

/// Questions that may be answered at once: more wait, which a supervisor that asks so much is to feel.
const AT_ONCE: usize = 64;

/// Backups need not follow on each other's heels to do harm.
const BETWEEN_BACKUPS: Duration = Duration::from_millis(250);

/// An instance that can be asked.
pub struct Controlled {
    server: Arc<Server>,
    control: Option<Control>,
    disk: FillableDisk,
    password: String,
    backs_up: Arc<AtomicBool>,
    log_backups: Arc<AtomicU64>,
}

impl std::fmt::Debug for Controlled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Controlled").finish_non_exhaustive()
    }
}

/// Answers questions until there are no more: then the supervisor has ended, or wants this instance to.
///
/// # Errors
/// A line is not understood.
pub fn serve_control(
    controlled: &Arc<Controlled>,
    mut input: impl BufRead,
    output: impl Write + Send + 'static,
) -> std::io::Result<()> {
    let output = Arc::new(Mutex::new(output));
    let running = Arc::new(AtomicUsize::new(0));
    while let Some(Question { id, ask }) = line::read(&mut input)? {
        while running.load(Ordering::Acquire) >= AT_ONCE {
            std::thread::sleep(Duration::from_millis(5));
        }
        running.fetch_add(1, Ordering::AcqRel);
        let (controlled, output, ending) =
            (Arc::clone(controlled), Arc::clone(&output), Ending(Arc::clone(&running)));
        // A failover may take its time; others are answered meanwhile.
        std::thread::Builder::new().name("control".to_owned()).stack_size(8 << 20).spawn(move || {
            let _ending = ending;
            let outcome = match controlled.answer(ask) {
                Ok(value) => Outcome::Ok(value),
                Err(why) => Outcome::Error(why),
            };
            // A supervisor that is gone needs no answer.
            drop(line::write(
                &mut *output.lock().unwrap_or_else(PoisonError::into_inner),
                &Answer { id, outcome },
            ));
        })?;
    }
    Ok(())
}

struct Ending(Arc<AtomicUsize>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Controlled {
    /// An instance that runs on that disk, and the password of its `sa`.
    pub fn new(instance: &Instance, disk: FillableDisk, password: String) -> Controlled {
        Controlled {
            server: Arc::clone(instance.server()),
            control: instance.control(),
            disk,
            password,
            backs_up: Arc::default(),
            log_backups: Arc::default(),
        }
    }

    fn answer(&self, ask: Ask) -> Result<serde_json::Value, String> {
        let value = match ask {
            Ask::Managed(call) => {
                let control = self.control.as_ref().ok_or("Always On is not enabled here")?;
                serde_json::to_value(control.ask(&call))
            }
            Ask::Facts => serde_json::to_value(self.facts()),
            Ask::Load(sample) => {
                let mut script = Script::begin(&self.server, &self.password)?;
                for batch in sample::batches(sample) {
                    script.run(&batch)?;
                }
                Ok(serde_json::Value::Null)
            }
            Ask::DiskFull(full) => {
                self.disk.fill(full);
                Ok(serde_json::Value::Null)
            }
            Ask::BackUpLogDuringSeeding(on) => {
                self.back_up_during_seeding(on)?;
                Ok(serde_json::Value::Null)
            }
            Ask::Reissue { only_if, not_before, not_after } => {
                let shown = self.server.mirroring_endpoint().and_then(|e| e.certificate).map(|c| c.der);
                if only_if.is_some() && only_if != shown {
                    return Ok(serde_json::Value::Null);
                }
                let made = self.server.reissue_endpoint_certificate(not_before, not_after);
                let made = made.map_err(|e| e.message)?;
                serde_json::to_value(Reissued { old: made.old, new: made.new })
            }
            Ask::Exchange(Reissued { old, new }) => {
                let known = self.server.exchange_imported_certificate(&old, &new).map_err(|e| e.message)?;
                serde_json::to_value(known)
            }
        };
        value.map_err(|e| format!("the answer cannot be written: {e}"))
    }

    fn facts(&self) -> Facts {
        Facts {
            host_name: self.server.host_name(),
            endpoint_port: self.server.mirroring_endpoint().map(|e| e.port),
            disk_full: self.disk.is_full(),
            log_backups: self.log_backups.load(Ordering::Relaxed),
        }
    }

    /// Starts or stops the one who backs up at the wrong moment.
    fn back_up_during_seeding(&self, on: bool) -> Result<(), String> {
        if self.backs_up.swap(on, Ordering::AcqRel) || !on {
            return Ok(());
        }
        let control = self.control.clone().ok_or("Always On is not enabled here")?;
        let (on, taken) = (Arc::clone(&self.backs_up), Arc::clone(&self.log_backups));
        let mut script = Script::begin(&self.server, &self.password)?;
        let spawned = std::thread::Builder::new().name("log backups".to_owned()).stack_size(8 << 20);
        spawned
            .spawn(move || {
                while on.load(Ordering::Acquire) {
                    let seeding = control.links().into_iter().flat_map(|link| link.seedings);
                    for seeding in seeding.filter(|s| s.state == SeedingState::Seeding && s.ended.is_none()) {
                        let database = seeding.database.as_str().replace(']', "]]");
                        let number = taken.load(Ordering::Relaxed);
                        let backup =
                            format!("BACKUP LOG [{database}] TO DISK = N'fault-{number}.trn' WITH INIT");
                        // The side that receives the copy cannot back up: it is the other's turn.
                        if script.run(&backup).is_ok() {
                            taken.fetch_add(1, Ordering::Relaxed);
                            std::thread::sleep(BETWEEN_BACKUPS);
                        }
                    }
                    std::thread::sleep(Duration::from_millis(10));
                }
            })
            .map(|_| ())
            .map_err(|e| format!("a thread for log backups: {e}"))
    }
}
