//! `cargo xtask demo`: the main job as far as it exists today. An instance is started, Chinook is loaded into it as its
//! author publishes it, and three questions are asked.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use crate::report;

const PASSWORD: &str = "Demo#Pass1";

const QUESTIONS: [(&str, &str); 3] = [
    (
        "The five best-selling genres",
        "SELECT TOP 5 g.Name, COUNT(*) AS Sold, SUM(l.UnitPrice * l.Quantity) AS Income
         FROM InvoiceLine AS l JOIN Track AS t ON t.TrackId = l.TrackId JOIN Genre AS g ON g.GenreId = t.GenreId
         GROUP BY g.Name ORDER BY Sold DESC, g.Name",
    ),
    (
        "Each country's best customer",
        "WITH s AS (SELECT c.Country, c.FirstName + N' ' + c.LastName AS Customer, SUM(i.Total) AS Total,
             ROW_NUMBER() OVER (PARTITION BY c.Country ORDER BY SUM(i.Total) DESC, c.CustomerId) AS n
           FROM Customer AS c JOIN Invoice AS i ON i.CustomerId = c.CustomerId
           GROUP BY c.Country, c.CustomerId, c.FirstName, c.LastName)
         SELECT TOP 5 Country, Customer, Total FROM s WHERE n = 1 ORDER BY Total DESC, Country",
    ),
    ("The database", "SELECT name, state_desc, recovery_model_desc FROM sys.databases WHERE database_id > 4"),
];

/// Builds, starts, loads, asks, stops.
pub(crate) fn run() -> Result<(), String> {
    let milink = build()?;
    let folder = tempfile::tempdir().map_err(|e| format!("a folder for the instance: {e}"))?;
    report("Starting an instance:");
    report("  milink lab serve-instance --data DIR --listen 127.0.0.1:0");
    let mut instance = Instance::start(&milink, folder.path())?;
    report(&format!("  it answers at {}", instance.server));
    let chinook = Path::new(env!("CARGO_MANIFEST_DIR")).join("../demo/Chinook_SqlServer.sql");
    report("Loading Chinook, unedited:");
    report(&format!("  milink sql -S {} -U sa -C -b -i demo/Chinook_SqlServer.sql", instance.server));
    let begun = Instant::now();
    let counts = folder.path().join("load.txt");
    instance.sql(&milink, &["-b", "-i", &chinook.to_string_lossy(), "-o", &counts.to_string_lossy()])?;
    report(&format!("  done in {:.1} s", begun.elapsed().as_secs_f64()));
    for (title, question) in QUESTIONS {
        report(&format!("{title}:"));
        instance.sql(&milink, &["-b", "-d", "Chinook", "-Q", question])?;
    }
    instance.stop()
}

fn build() -> Result<PathBuf, String> {
    report("Building milink (the first time takes some minutes)");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let status = Command::new("cargo")
        .args(["build", "--release", "--quiet", "--package", "milink"])
        .current_dir(&root)
        .status()
        .map_err(|e| format!("cargo: {e}"))?;
    if !status.success() {
        return Err("milink could not be built".to_owned());
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    Ok(target.join("release/milink"))
}

/// A running instance; it ends with this.
struct Instance {
    child: Child,
    server: String,
}

impl Instance {
    fn start(milink: &Path, data: &Path) -> Result<Instance, String> {
        let mut child = Command::new(milink)
            .args(["lab", "serve-instance", "--listen", "127.0.0.1:0", "--data"])
            .arg(data.join("data"))
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
        let instance = Instance { child, server };
        if instance.server.is_empty() { Err("the instance did not start".to_owned()) } else { Ok(instance) }
    }

    fn sql(&self, milink: &Path, arguments: &[&str]) -> Result<(), String> {
        let status = Command::new(milink)
            .args(["sql", "-S", &self.server, "-U", "sa", "-C"])
            .args(arguments)
            .env("SQLCMDPASSWORD", PASSWORD)
            .status()
            .map_err(|e| format!("milink sql: {e}"))?;
        if status.success() { Ok(()) } else { Err("milink sql failed".to_owned()) }
    }

    fn stop(&mut self) -> Result<(), String> {
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
