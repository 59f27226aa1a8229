//! An instance of the demo.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const PASSWORD: &str = "Demo#Pass1";

/// A running instance; it ends with this.
pub(super) struct Instance {
    milink: PathBuf,
    child: Child,
    /// @@SERVERNAME.
    pub(super) name: String,
    /// Where it answers.
    pub(super) server: String,
}

impl Instance {
    pub(super) fn start(milink: &Path, name: &str, data: &Path) -> Result<Instance, String> {
        let mut child = Command::new(milink)
            .args([
                "lab",
                "serve-instance",
                "--hadr",
                "on",
                "--name",
                name,
                "--listen",
                "127.0.0.1:0",
                "--data",
            ])
            .arg(data.join(name))
            .env("MSSQL_SA_PASSWORD", PASSWORD)
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| format!("{}: {e}", milink.display()))?;
        let mut line = String::new();
        if let Some(out) = child.stdout.take() {
            BufReader::new(out)
                .read_line(&mut line)
                .map_err(|e| format!("the instance's first line: {e}"))?;
        }
        let ready: Option<serde_json::Value> = serde_json::from_str(&line).ok();
        let server = ready.as_ref().and_then(|r| r["server"].as_str()).unwrap_or_default().to_owned();
        let instance = Instance { milink: milink.to_owned(), child, name: name.to_owned(), server };
        if instance.server.is_empty() { Err("the instance did not start".to_owned()) } else { Ok(instance) }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.milink);
        command.args(["sql", "-S", &self.server, "-U", "sa", "-C"]).args(arguments);
        command.env("SQLCMDPASSWORD", PASSWORD);
        command
    }

    /// Runs `milink sql` on it; what it says is shown.
    pub(super) fn sql(&self, arguments: &[&str]) -> Result<(), String> {
        let status = self.command(arguments).status().map_err(|e| format!("milink sql: {e}"))?;
        if status.success() { Ok(()) } else { Err("milink sql failed".to_owned()) }
    }

    /// Asks it for one value.
    pub(super) fn ask(&self, query: &str) -> Result<String, String> {
        let query = format!("SET NOCOUNT ON; {query}");
        let out = self
            .command(&["-b", "-h", "-1", "-W", "-Q", &query])
            .output()
            .map_err(|e| format!("milink sql: {e}"))?;
        if !out.status.success() {
            return Err(format!("{}: {}", self.name, String::from_utf8_lossy(&out.stderr)));
        }
        Ok(String::from_utf8_lossy(&out.stdout).lines().next().unwrap_or_default().trim().to_owned())
    }

    /// Runs a batch whose answer nobody needs to see.
    pub(super) fn run(&self, batch: &str) -> Result<(), String> {
        self.ask(batch).map(|_| ())
    }

    pub(super) fn stop(&mut self) -> Result<(), String> {
        let pid = self.child.id().to_string();
        let asked = Command::new("kill").args(["-TERM", &pid]).status().map_err(|e| format!("kill: {e}"))?;
        let ended = self.child.wait().map_err(|e| format!("the instance's end: {e}"))?;
        if asked.success() && ended.success() {
            Ok(())
        } else {
            Err("the instance did not stop in order".to_owned())
        }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // After stop() it is dead already; on an error nobody waits for a clean end.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
