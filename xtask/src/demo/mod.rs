//! `cargo xtask demo`: the main job as far as it exists today. Two instances are started, Chinook is loaded into one as its
//! author publishes it and questions are asked; then it is given a live copy on the other one, and the roles are changed.

mod instance;
mod link;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::report;
use instance::Instance;

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

/// Builds, starts, loads, asks, links, fails over, stops.
pub(crate) fn run() -> Result<(), String> {
    let milink = build()?;
    let folder = tempfile::tempdir().map_err(|e| format!("a folder for the instance: {e}"))?;
    report("Starting two instances:");
    report("  milink lab serve-instance --data DIR --listen 127.0.0.1:0 --name NAME --hadr on");
    let mut instance = Instance::start(&milink, "SQL1", folder.path())?;
    let mut other = Instance::start(&milink, "SQL2", folder.path())?;
    report(&format!("  they answer at {} and {}", instance.server, other.server));
    let chinook = Path::new(env!("CARGO_MANIFEST_DIR")).join("../demo/Chinook_SqlServer.sql");
    report("Loading Chinook, unedited:");
    report(&format!("  milink sql -S {} -U sa -C -b -i demo/Chinook_SqlServer.sql", instance.server));
    let begun = Instant::now();
    let counts = folder.path().join("load.txt");
    instance.sql(&["-b", "-i", &chinook.to_string_lossy(), "-o", &counts.to_string_lossy()])?;
    report(&format!("  done in {:.1} s", begun.elapsed().as_secs_f64()));
    for (title, question) in QUESTIONS {
        report(&format!("{title}:"));
        instance.sql(&["-b", "-d", "Chinook", "-Q", question])?;
    }
    link::show(&instance, &other)?;
    instance.stop()?;
    other.stop()
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
