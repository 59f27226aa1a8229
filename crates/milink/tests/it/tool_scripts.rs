//! Scripts that the tool writes, read by others than the one that wrote them: the lab's parser, a public one, and a shell.

use std::path::{Path, PathBuf};
use std::process::Command;

use lab_tsql::{ParseOptions, parse_batch};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn golden() -> PathBuf {
    root().join("crates/milink-core/tests/golden")
}

/// The reviewed scripts whose names end so.
fn scripts(ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for case in std::fs::read_dir(golden()).unwrap() {
        for file in std::fs::read_dir(case.unwrap().path()).unwrap() {
            found.push(file.unwrap().path());
        }
    }
    found.retain(|path| path.to_string_lossy().ends_with(ending));
    found
}

/// The first batch of a script that is not parsed, or not as something that the lab carries out.
fn fault(script: &str) -> Option<String> {
    let mut batch = String::new();
    for line in script.lines().chain(["GO"]) {
        if line.trim().eq_ignore_ascii_case("GO") {
            match parse_batch(&batch, &ParseOptions::default()) {
                Ok(parsed) if !format!("{parsed:?}").contains("Unsupported(") => {}
                Ok(parsed) => return Some(format!("{batch}: {parsed:?}")),
                Err(e) => return Some(format!("{batch}: {e:?}")),
            }
            batch.clear();
        } else {
            batch.push_str(line);
            batch.push('\n');
        }
    }
    None
}

#[test]
fn the_lab_s_parser_reads_every_t_sql_script() {
    let files = scripts(".sql");
    assert!(files.len() >= 10, "{files:?}");
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        assert_eq!(fault(&text), None, "{}", file.display());
    }
    for wrong in
        ["CREATE AVAILABILITY GROUP [a] WITH (;", "BACKUP DATABASE [a TO DISK = N'x';", "SELECT 'open"]
    {
        assert!(fault(wrong).is_some(), "{wrong}");
    }
}

#[test]
fn a_public_parser_reads_every_t_sql_script() {
    let python = root().join(".venv/bin/python");
    assert!(
        python.exists(),
        "sqlglot is not installed ({} is missing): run tests/clients/install",
        python.display()
    );
    let out = Command::new(python)
        .arg(root().join("tests/clients/scripts.py"))
        .arg(golden())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&out.stdout);
    let complained = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success() && said.trim() == "scripts: ok", "{said}{complained}");
}

#[test]
fn a_shell_reads_every_az_script() {
    let files = scripts(".az.sh");
    assert!(files.len() >= 5, "{files:?}");
    for file in files {
        let out = Command::new("bash").arg("-n").arg(&file).output().unwrap();
        assert!(out.status.success(), "{}: {}", file.display(), String::from_utf8_lossy(&out.stderr));
    }
}
