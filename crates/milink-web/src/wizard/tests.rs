use std::fs;

use milink_core::moment::Moment;
use milink_core::names::{CommitMode, FailoverMode, Side};

use super::*;
use crate::connect::Endpoints;

fn draft(context: &str) -> Draft {
    Draft::new(DraftId::new().unwrap(), context, "anna", Moment::from_unix_ms(1))
}

fn fields(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()
}

fn wrong(typed: &Typed) -> Vec<(Page, &'static str)> {
    let found = typed.links(&Endpoints::default()).err().unwrap_or_default();
    found.into_iter().map(|w| (w.page, w.field)).collect()
}

#[test]
fn what_is_kept_is_read_by_another_server() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("state/journal.db");
    let mut wanted = draft("prod");
    wanted.typed.take(
        Page::Options,
        &fields(&[("name", "sälés \"x\""), ("two_way", "yes"), ("commit_mode", "synchronous")]),
    );
    wanted.typed.take(
        Page::Databases,
        &fields(&[("database", " odd "), ("database", "a]b'c"), ("database", " odd "), ("database", "")]),
    );
    wanted.visit(Page::Options);
    wanted.executed = Some(Executed { at: Moment::from_unix_ms(2), links: vec!["x".to_owned()] });
    Store::beside(&journal).add(&wanted).unwrap();
    let store = Store::beside(&journal);
    assert_eq!(store.find("prod", &wanted.id).unwrap(), Some(wanted.clone()));
    assert_eq!(wanted.typed.databases, [" odd ", "a]b'c"]);
    // Another context has its own.
    assert_eq!(store.find("test", &wanted.id).unwrap(), None);
    assert!(!store.remove("test", &wanted.id).unwrap());
    assert_eq!(store.list("prod").unwrap(), std::slice::from_ref(&wanted));
    let changed = store.change("prod", &wanted.id, |d| d.typed.name = "new".to_owned()).unwrap().unwrap();
    assert_eq!(Store::beside(&journal).find("prod", &wanted.id).unwrap(), Some(changed));
    assert!(store.remove("prod", &wanted.id).unwrap());
    assert_eq!(store.find("prod", &wanted.id).unwrap(), None);
}

#[test]
fn a_write_that_was_interrupted_leaves_the_draft_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::beside(&folder.path().join("journal.db"));
    let before = draft("prod");
    store.add(&before).unwrap();
    let file = folder.path().join("wizard").join(format!("{}.json", before.id.as_str()));
    fs::write(file.with_extension("new"), "{\"version\": 1, \"id\"").unwrap();
    assert_eq!(store.list("prod").unwrap(), std::slice::from_ref(&before));
    assert!(store.change("prod", &before.id, |d| d.typed.name = "x".to_owned()).unwrap().is_some());
    assert!(!file.with_extension("new").exists());
    // One that is damaged is an error, and takes no other with it.
    let other = draft("prod");
    store.add(&other).unwrap();
    fs::write(&file, "{").unwrap();
    assert!(matches!(store.find("prod", &before.id), Err(StoreError::Io(..))));
    assert_eq!(store.list("prod").unwrap(), [other]);
    fs::write(&file, "{\"version\": 2}").unwrap();
    assert!(matches!(store.find("prod", &before.id), Err(StoreError::Newer(2))));
}

#[test]
fn a_name_of_a_draft_is_no_path() {
    for bad in [
        "",
        "../../etc/passwd",
        "0123456789abcdeF",
        "0123456789abcde",
        "0123456789abcdef0",
        "...............",
    ] {
        assert!(bad.parse::<DraftId>().is_err(), "{bad}");
    }
    assert!("0123456789abcdef".parse::<DraftId>().is_ok());
    assert!(serde_json::from_str::<DraftId>("\"../x\"").is_err());
}

#[test]
fn hostile_values_are_kept_as_they_came_and_named_at_their_fields() {
    let mut typed = Typed::default();
    typed
        .take(Page::Options, &fields(&[("name", "a\nb"), ("name_rule", "x"), ("initial_primary", "nobody")]));
    typed.take(
        Page::Secondary,
        &fields(&[("listener_port", "70000"), ("certificate_days", "-1"), ("sql_group", "a\u{0}b")]),
    );
    assert_eq!(typed.initial_primary, Side::SqlServer);
    assert_eq!(typed.listener_port, "70000");
    assert_eq!(
        wrong(&typed),
        [
            (Page::Options, "name"),
            (Page::Secondary, "sql_group"),
            (Page::Secondary, "listener_port"),
            (Page::Secondary, "certificate_days")
        ]
    );
    typed.take(Page::Options, &fields(&[("name", &"n".repeat(100_000))]));
    assert_eq!(typed.name.len(), 4096);
    assert!(wrong(&typed).contains(&(Page::Options, "name")));
    // What a page does not ask for is not taken from it.
    typed.take(Page::Databases, &fields(&[("name", "other"), ("database", "Sales")]));
    assert_eq!((typed.name.len(), typed.databases.len()), (4096, 1));
}

#[test]
fn errors_of_a_spec_are_at_the_field_that_decides_them() {
    let mut typed = Typed::default();
    assert_eq!(wrong(&typed), [(Page::Options, "name")]);
    typed.name = "erp".to_owned();
    assert_eq!(wrong(&typed), [(Page::Databases, "database")]);
    typed.databases = vec!["Sales".to_owned(), "Stock".to_owned()];
    assert_eq!(wrong(&typed), []);
    typed.name_rule = "{link}".to_owned();
    assert_eq!(wrong(&typed), [(Page::Options, "name_rule")]);
    typed.name_rule = String::new();
    typed.sql_group = "same".to_owned();
    assert_eq!(wrong(&typed), [(Page::Secondary, "sql_group")]);
    typed.sql_group = "AG_{database}".to_owned();
    typed.managed_group = "AG_{database}".to_owned();
    assert_eq!(wrong(&typed), [(Page::Secondary, "managed_group")]);
}

#[test]
fn the_command_says_what_is_wanted_and_nothing_a_shell_reads_otherwise() {
    let mut typed = Typed {
        name: "it's; rm -rf".to_owned(),
        databases: vec!["Sales".to_owned(), "a b".to_owned()],
        ..Typed::default()
    };
    let endpoints = Endpoints { sql_server: Some("TCP://sql.example:5022".to_owned()), managed: None };
    let said = |typed: &Typed| command("prod", &typed.spec(&endpoints).unwrap());
    assert_eq!(
        said(&typed).unwrap(),
        "milink create --context prod --name 'it'\\''s; rm -rf' --database Sales --database 'a b' --partner-endpoint TCP://sql.example:5022"
    );
    typed.two_way = true;
    typed.synchronous = true;
    typed.initial_primary = Side::Managed;
    let spec = typed.spec(&endpoints).unwrap();
    assert_eq!((spec.failover_mode, spec.commit_mode), (FailoverMode::TwoWay, CommitMode::Synchronous));
    assert!(
        said(&typed)
            .unwrap()
            .contains("--initial-primary managed --failover-mode two-way --replication-mode sync")
    );
    // What has no flag is not left out of the command: there is none.
    typed.certificate_days = "30".to_owned();
    assert_eq!(said(&typed), None);
}

#[test]
fn pages_come_in_their_order_and_azure_is_asked_where_it_is_needed() {
    let walk = |side| std::iter::successors(Some(Page::Introduction), |p| p.next(side)).collect::<Vec<_>>();
    assert_eq!(walk(Side::Managed), Page::ALL);
    assert!(!walk(Side::SqlServer).contains(&Page::Login));
    for side in Side::BOTH {
        for pair in walk(side).windows(2) {
            assert_eq!(pair[1].previous(side), Some(pair[0]));
        }
    }
}
