//! Scripts as they were reviewed: each is a file under `tests/golden`. `MILINK_GOLDEN=write` writes them anew.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use milink_core::action::{Action, Statement};
use milink_core::facts::policy::UpdatePolicy;
use milink_core::names::{CommitMode, FailoverMode, Hex, LinkMode, Side};
use milink_core::observe::{Instance, Observation, Seen};
use milink_core::plan::failover::{FailoverOptions, planned};
use milink_core::plan::{DropOptions, Plan, create, drop};
use milink_core::script::{Form, render};
use milink_core::spec::LinkSpec;

use crate::create::{FAMILIES, link};
use crate::model::{World, now};
use crate::removal::linked;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// Compares a plan's scripts with the files of a folder, and notes which those are.
fn check(case: &str, plan: &Plan, seen: &Observation, forms: &[Form], files: &mut BTreeSet<PathBuf>) {
    #[expect(clippy::disallowed_methods, reason = "whoever runs the tests says whether files are written")]
    let write = std::env::var("MILINK_GOLDEN").is_ok_and(|v| v == "write");
    for script in forms.iter().flat_map(|form| render(plan, seen, *form)) {
        let path = folder().join(case).join(&script.file_name);
        if write {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, &script.text).unwrap();
        }
        let reviewed = fs::read_to_string(&path)
            .unwrap_or_else(|e| panic!("{}: {e}; MILINK_GOLDEN=write writes it", path.display()));
        assert_eq!(script.text, reviewed, "{}: MILINK_GOLDEN=write writes it anew", path.display());
        assert!(files.insert(path), "{} comes twice", script.file_name);
    }
}

/// An authority's certificate is long; all but one case have a short one that Azure names.
fn short_root(world: &mut World) {
    let root = ("CN=Microsoft RSA Root Certificate Authority 2017, O=Microsoft Corporation, C=US", "a root");
    let roots = &mut world.azure().endpoint_certificate.as_mut().unwrap().roots;
    roots.push((root.0.to_owned(), Hex::new(root.1.as_bytes().to_vec())));
}

#[test]
fn scripts_are_as_they_were_reviewed() {
    let mut files = BTreeSet::new();
    for (family, build, policy) in FAMILIES {
        for primary in Side::BOTH {
            let mut world = World::new(build, policy, primary, &["Sales"]);
            let reference = family == "2022-cu13";
            if !(reference && primary == Side::SqlServer) {
                short_root(&mut world);
            }
            let mut link = link(primary);
            link.failover_mode =
                if family.starts_with("202") { FailoverMode::TwoWay } else { FailoverMode::OneWay };
            let Ok(plan) = create(&link, &world.seen, now()) else { continue };
            let from = if primary == Side::SqlServer { "sql-server" } else { "managed-instance" };
            let forms: &[Form] = if reference { &Form::ALL } else { &[Form::Tsql] };
            check(&format!("{family}-from-{from}"), &plan, &world.seen, forms, &mut files);
        }
    }
    several_databases(&mut files);
    removals_and_failovers(&mut files);
    // What is there is what was compared.
    let mut there = BTreeSet::new();
    for case in fs::read_dir(folder()).unwrap() {
        there.extend(fs::read_dir(case.unwrap().path()).unwrap().map(|f| f.unwrap().path()));
    }
    assert_eq!(there, files);
}

fn several_databases(files: &mut BTreeSet<PathBuf>) {
    // Names that are hard to quote, too.
    let names = ["O'Brien]s", "Stock"];
    let mut world = World::new("17.0.4000.1", UpdatePolicy::SqlServer2025, Side::SqlServer, &names);
    short_root(&mut world);
    world.sql_server().multi_database = Some(false);
    let mut spec = LinkSpec::new("erp", &names);
    spec.link_mode = LinkMode::MultiDatabase;
    spec.failover_mode = FailoverMode::TwoWay;
    spec.commit_mode = CommitMode::Synchronous;
    spec.sql_server.endpoint = Some("TCP://10.0.0.5:5022".to_owned());
    let plan = create(&spec.links().unwrap()[0], &world.seen, now()).unwrap();
    check("several-databases", &plan, &world.seen, &Form::ALL, files);
}

fn removals_and_failovers(files: &mut BTreeSet<PathBuf>) {
    let (world, made) = linked(Side::SqlServer);
    let plan = drop(&made, &world.seen, DropOptions::default()).unwrap();
    check("drop", &plan, &world.seen, &Form::ALL, files);
    for (family, build, _) in &FAMILIES[2..5] {
        let mut world = world.clone();
        let Seen::At { value, .. } = &mut world.seen.sql_server else { panic!() };
        *value = Instance { version: build.parse().unwrap(), ..value.clone() };
        let plan = planned(&made, Side::Managed, &world.seen, FailoverOptions::default()).unwrap();
        check(&format!("failover-{family}"), &plan, &world.seen, &Form::ALL, files);
    }
    // The other way, by hand: the statement on SQL Server must not run before Azure has demoted.
    let (mut world, made) = linked(Side::Managed);
    world.sql_server().version = "16.0.4095.4".parse().unwrap();
    let plan = planned(&made, Side::SqlServer, &world.seen, FailoverOptions::default()).unwrap();
    check("failover-by-hand-to-sql-server", &plan, &world.seen, &Form::ALL, files);
    let parts = render(&plan, &world.seen, Form::Tsql);
    let force = parts.iter().position(|s| s.text.contains("FORCE_FAILOVER_ALLOW_DATA_LOSS")).unwrap();
    assert!(parts[force].file_name.ends_with(".2.sql"), "{:?}", parts[force].file_name);
}

#[test]
fn a_name_that_tools_would_run_is_not_written() {
    for name in ["a\nGO\nSHUTDOWN", "a\n:!! rm", "$(Secret)", "a\n!!rm"] {
        let mut world = World::new("16.0.4125.3", UpdatePolicy::SqlServer2022, Side::SqlServer, &[name]);
        short_root(&mut world);
        let mut link = link(Side::SqlServer);
        link.databases = vec![name.to_owned()];
        let plan = create(&link, &world.seen, now()).unwrap();
        for form in [Form::Tsql, Form::PowerShell, Form::Az] {
            for script in render(&plan, &world.seen, form) {
                assert!(script.text.contains("would be taken for a command of sqlcmd"), "{name:?} {form}");
                let bare = |line: &str| matches!(line.trim(), "SHUTDOWN" | ":!! rm" | "!!rm");
                assert!(!script.text.lines().any(bare), "{name:?} {form}: {}", script.text);
            }
        }
    }
}

#[test]
fn no_password_is_in_any_script() {
    let world = World::new("16.0.4125.3", UpdatePolicy::SqlServer2022, Side::SqlServer, &["Sales"]);
    let plan = create(&link(Side::SqlServer), &world.seen, now()).unwrap();
    let made = plan
        .steps
        .iter()
        .any(|s| matches!(&s.action, Some(Action::Sql { statement: Statement::CreateMasterKey, .. })));
    assert!(made);
    for form in [Form::Tsql, Form::PowerShell, Form::Az] {
        let [script] = &render(&plan, &world.seen, form)[..] else { panic!("{form}") };
        assert!(script.text.contains("PASSWORD = N'$(MasterKeyPassword)'"), "{form}");
    }
}
