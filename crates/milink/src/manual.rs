//! `milink completion` and `milink man`: what is made from the definition of the arguments.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Command};
use clap_complete::Shell;

use crate::connect::VARIABLES;
use crate::exit::{Exit, Failure};
use crate::output::{Output, OutputArguments};

/// Prints a script that completes milink's arguments.
///
/// bash: `source <(milink completion bash)`; zsh: put it as `_milink` into a folder of $fpath;
/// fish: `milink completion fish | source`; PowerShell: `milink completion powershell | Out-String | Invoke-Expression`.
#[derive(Debug, Args)]
pub(crate) struct Completion {
    /// For which shell.
    #[arg(value_enum)]
    shell: Shell,
}

/// Writes the manual pages: one for milink and one for each verb.
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// The folder; made if it is not there.
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    #[command(flatten)]
    output: OutputArguments,
}

pub(crate) fn completion(arguments: &Completion, mut command: Command) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, "milink", &mut script);
    let output = Output::plain();
    output.end(output.print(&String::from_utf8_lossy(&script)))
}

pub(crate) fn man(arguments: &Man, command: Command) -> ExitCode {
    let output = Output::of(&arguments.output);
    let dir = &arguments.dir;
    let written = std::fs::create_dir_all(dir).and_then(|()| clap_mangen::generate_to(command, dir));
    output.end(match written {
        Ok(()) => {
            output.note(&format!(
                "The manual pages are in {}; look: man {}/milink.1",
                dir.display(),
                dir.display()
            ));
            Ok(())
        }
        Err(e) => Err(Failure {
            now_true: "some pages may have been written".to_owned(),
            ..Failure::file(
                format!("the manual pages cannot be written: {e}"),
                dir,
                "name a folder that can be written",
            )
        }),
    })
}

/// What stands below the verbs in `milink --help`, and so in the manual.
pub(crate) fn epilogue() -> String {
    let mut out = "Exit codes:\n".to_owned();
    for exit in Exit::ALL {
        // Writing to a string cannot fail, here and below.
        writeln!(out, "  {:<4} {}", exit.number(), exit.meaning()).unwrap_or(());
    }
    out.push_str("\nEnvironment (flags go before it, and it goes before a context):\n");
    let width = VARIABLES.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    for (name, meaning) in VARIABLES {
        writeln!(out, "  {name:<width$}  {meaning}").unwrap_or(());
    }
    out
}
