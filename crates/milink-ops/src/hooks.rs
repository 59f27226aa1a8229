//! Programs of the user that are asked before and told after a role change.
//!
//! A hook is a program with arguments, run without a shell. It learns what happens from its environment (`MILINK_LINK`, `MILINK_VERB`,
//! `MILINK_MOMENT`, `MILINK_NEW_PRIMARY`). One that is asked before and does not end with 0, in time, vetoes.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::process::Command;

/// How much of what a hook says is kept, in bytes.
const SAID_MAX: u64 = 64 * 1024;

/// A program of the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// How long it may take.
    pub timeout: Duration,
}

/// What a hook is told, as variables of its environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occasion<'a> {
    /// The link.
    pub link: &'a str,
    /// What is done, such as `planned-failover`.
    pub verb: &'a str,
    /// `before` or `after`.
    pub moment: &'a str,
    /// Who is primary when it has worked: `sql-server` or `managed`.
    pub new_primary: &'a str,
}

/// A hook that says no, or that cannot be asked; that is a no as well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Veto {
    /// The program.
    pub program: String,
    /// Why: how it ended, and the end of what it said.
    pub why: String,
}

impl std::fmt::Display for Veto {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "hook {}: {}", self.program, self.why)
    }
}

impl Hook {
    /// Runs it.
    ///
    /// # Errors
    /// It vetoes.
    pub async fn run(&self, occasion: &Occasion<'_>) -> Result<(), Veto> {
        let Some((program, arguments)) = self.command.split_first() else {
            return Err(Veto { program: String::new(), why: "it has no program".to_owned() });
        };
        let veto = |why: String| Veto { program: program.clone(), why };
        let mut child = Command::new(program)
            .args(arguments)
            .env("MILINK_LINK", occasion.link)
            .env("MILINK_VERB", occasion.verb)
            .env("MILINK_MOMENT", occasion.moment)
            .env("MILINK_NEW_PRIMARY", occasion.new_primary)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|e| veto(format!("cannot be started: {e}")))?;
        let mut said = Vec::new();
        let pipe = child.stderr.take();
        let ended = tokio::time::timeout(self.timeout, async {
            if let Some(pipe) = pipe {
                // What it says explains a veto; that it cannot be read changes nothing about how it ends.
                let read = pipe.take(SAID_MAX).read_to_end(&mut said).await;
                drop(read);
            }
            child.wait().await
        })
        .await;
        match ended {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => {
                let said = String::from_utf8_lossy(&said);
                let last =
                    said.lines().rev().find(|l| !l.trim().is_empty()).unwrap_or_default().trim().to_owned();
                Err(veto(if last.is_empty() {
                    format!("ended with {status}")
                } else {
                    format!("{last} ({status})")
                }))
            }
            Ok(Err(e)) => Err(veto(format!("cannot be waited for: {e}"))),
            Err(_) => Err(veto(format!("did not end within {} s", self.timeout.as_secs()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OCCASION: Occasion<'_> =
        Occasion { link: "sales", verb: "planned-failover", moment: "before", new_primary: "managed" };

    fn shell(script: &str) -> Hook {
        let command = ["sh", "-c", script].map(str::to_owned).to_vec();
        Hook { command, timeout: Duration::from_secs(2) }
    }

    fn run(hook: &Hook) -> Result<(), Veto> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(hook.run(&OCCASION))
    }

    #[test]
    fn a_hook_knows_what_happens_and_may_veto() {
        assert_eq!(
            run(&shell("test \"$MILINK_LINK/$MILINK_MOMENT/$MILINK_NEW_PRIMARY\" = sales/before/managed")),
            Ok(())
        );
        let veto = run(&shell("echo the batch is not through >&2; exit 3")).unwrap_err();
        assert!(veto.why.starts_with("the batch is not through (exit status: 3"), "{veto}");
    }

    #[test]
    fn a_hook_that_hangs_or_is_missing_vetoes() {
        let hook = Hook { timeout: Duration::from_millis(50), ..shell("sleep 5") };
        assert!(run(&hook).unwrap_err().why.contains("did not end"));
        let hook = Hook { command: vec!["/nowhere/hook".to_owned()], timeout: Duration::from_secs(1) };
        assert!(run(&hook).unwrap_err().why.contains("cannot be started"));
    }
}
