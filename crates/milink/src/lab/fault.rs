//! `milink lab fault`.

use clap::{Args, Subcommand, ValueEnum};
use lab::Side;
use lab::faults::{AzureFault, CertificateFault, Change, Directions};

use super::{Done, Output, Where, print, print_json};

#[derive(Debug, Args)]
pub(crate) struct FaultArguments {
    #[command(subcommand)]
    what: What,
    /// The lab's folder [default: the platform's folder for state].
    #[arg(long, env = "MILINK_LAB_DATA", value_name = "DIR", global = true)]
    data: Option<std::path::PathBuf>,
    /// The form of the list.
    #[arg(long, short, value_enum, default_value = "table", global = true)]
    output: Output,
}

#[derive(Debug, Args)]
struct Way {
    /// Which way over the wire: to-managed, to-sqlserver, both.
    #[arg(long, default_value = "both")]
    direction: Directions,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Deliver nothing over the wire, and refuse nothing: a partition.
    Cut(Way),
    /// End cuts, delays, throttles and corruption of the wire.
    Heal(Way),
    /// Deliver everything later.
    Delay {
        /// Milliseconds.
        ms: u64,
        #[command(flatten)]
        way: Way,
    },
    /// Deliver no more than that.
    Throttle {
        /// Kilobytes a second, on each connection.
        kb_per_s: u64,
        #[command(flatten)]
        way: Way,
    },
    /// Change one bit of what comes next.
    Corrupt(Way),
    /// Kill an instance: nothing gets to say goodbye.
    Kill {
        /// sqlserver or managed.
        instance: Side,
    },
    /// Stop an instance in order.
    Stop {
        /// sqlserver or managed.
        instance: Side,
    },
    /// Start an instance again.
    Start {
        /// sqlserver or managed.
        instance: Side,
    },
    /// Leave an instance no room on its disk.
    DiskFull {
        /// sqlserver or managed.
        instance: Side,
        /// Full, or not.
        #[arg(value_enum, default_value = "on")]
        state: OnOff,
    },
    /// Break the certificate of an instance's endpoint, or give both sides a good one.
    Certificate {
        /// sqlserver or managed.
        instance: Side,
        /// What to do.
        #[arg(value_enum)]
        action: CertificateAction,
    },
    /// Have the local Azure do wrong to the next requests: 429, 500, slow, lost-answer, duplicate.
    Azure {
        /// 429, 500, slow, lost-answer or duplicate.
        kind: AzureFault,
        /// To how many requests [default: 1]; of slow, how many milliseconds later each answer comes from now on [default: 1000].
        /// 0 ends it.
        n: Option<u32>,
    },
    /// Take a log backup during each seeding.
    LogBackupDuringSeeding {
        /// From now on, or no more.
        #[arg(value_enum, default_value = "on")]
        state: OnOff,
    },
    /// Show what is broken.
    List,
    /// Mend everything, and start what is down.
    Clear,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum OnOff {
    On,
    Off,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CertificateAction {
    /// One whose time has passed, which the partner has.
    Expire,
    /// Another one than the partner has.
    Replace,
    /// A good one on both sides.
    Restore,
}

impl What {
    /// The change that is wanted; nothing if it is only to be shown what is broken.
    fn change(&self) -> Option<Change> {
        Some(match self {
            What::List => return None,
            What::Cut(Way { direction }) => Change::Cut { direction: *direction },
            What::Heal(Way { direction }) => Change::Heal { direction: *direction },
            What::Delay { ms, way } => Change::Delay { direction: way.direction, ms: *ms },
            What::Throttle { kb_per_s, way } => {
                Change::Throttle { direction: way.direction, kb_per_s: *kb_per_s }
            }
            What::Corrupt(Way { direction }) => Change::Corrupt { direction: *direction },
            What::Kill { instance } => Change::Kill { instance: *instance },
            What::Stop { instance } => Change::Stop { instance: *instance },
            What::Start { instance } => Change::Start { instance: *instance },
            What::DiskFull { instance, state } => {
                Change::DiskFull { instance: *instance, on: *state == OnOff::On }
            }
            What::Certificate { instance, action } => Change::Certificate {
                instance: *instance,
                with: match action {
                    CertificateAction::Expire => Some(CertificateFault::Expired),
                    CertificateAction::Replace => Some(CertificateFault::Replaced),
                    CertificateAction::Restore => None,
                },
            },
            What::Azure { kind, n } => {
                // A millisecond would be no fault that anybody sees.
                let usual = if *kind == AzureFault::Slow { 1000 } else { 1 };
                Change::Azure { kind: *kind, n: n.unwrap_or(usual) }
            }
            What::LogBackupDuringSeeding { state } => {
                Change::LogBackupDuringSeeding { on: *state == OnOff::On }
            }
            What::Clear => Change::Clear,
        })
    }
}

pub(super) fn run(arguments: &FaultArguments) -> Done {
    let place = Where { data: arguments.data.clone() };
    let client = place.client()?;
    let faults = match arguments.what.change() {
        Some(change) => client.fault(&change)?,
        None => client.status()?.faults,
    };
    match arguments.output {
        Output::Json => print_json(&faults),
        Output::Table if faults.is_empty() => print("nothing is broken\n"),
        Output::Table => print(&faults.iter().map(|f| format!("{f}\n")).collect::<String>()),
    }
}
