use axum::http::StatusCode;
use milink_core::action::{Action, Statement};
use milink_core::names::{Role as LinkRole, Side};
use milink_core::plan::{Condition, Phase, Plan, Repeat, Step, Undo, Verb};
use milink_core::spec::LinkSpec;
use milink_ops::journal::Journal;
use milink_ops::sides::now;

use crate::security::Role;
use crate::testing::Visit;

/// A plan whose only step waits for what nobody can see.
fn waits(link: &str) -> Plan {
    let link = LinkSpec::new(link, &["Sales"]).links().unwrap().remove(0);
    let step = Step {
        id: "create-group".to_owned(),
        title: "Make <the> group".to_owned(),
        phase: Phase::Groups,
        action: Some(Action::sql(Statement::TraceOn { flag: 1800 })),
        requires: Condition::Role { name: link.name.clone(), side: Side::Managed, role: LinkRole::Secondary },
        proved_by: Condition::Role {
            name: link.name.clone(),
            side: Side::Managed,
            role: LinkRole::Secondary,
        },
        stable_ms: 0,
        timeout_ms: 600_000,
        undo: Undo::Nothing,
        repeat: Repeat::Safe,
        irreversible: true,
    };
    Plan { verb: Verb::Create, link, steps: vec![step], notes: Vec::new() }
}

#[tokio::test]
async fn a_run_that_a_server_left_behind_is_shown_and_gone_on_with() {
    let visit = Visit::new().await;
    let path = visit.folder.path().join("journal.db");
    let run = Journal::open(&path).unwrap().begin(&waits("sales"), now()).unwrap();
    let href = super::href("prod", run);
    let page = visit.text(&href).await;
    for part in [
        "Executing actions",
        "interrupted",
        "Resume",
        "Undo...",
        "Make &#60;the&#62; group",
        "DBCC TRACEON",
        "no way back",
        &format!("sse-connect=\"/events/prod/runs/{run}\""),
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert_eq!(visit.send(&format!("{href}/resume"), &[]).await, href);
    // It ends by itself, since nobody is there; what it says then is the machine's.
    for _ in 0..200 {
        let page = visit.text(&href).await;
        if page.contains("It stopped at step create-group") {
            let audit = visit.text("/audit").await;
            assert!(audit.contains("link sales: run 1 is gone on with"), "{audit}");
            return;
        }
        visit.post(&format!("{href}/pause"), &[]).await;
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("{}", visit.text(&href).await);
}

#[tokio::test]
async fn what_cannot_be_shown_is_said() {
    let visit = Visit::new().await;
    assert_eq!(visit.get("/c/prod/runs/77").await.status, StatusCode::NOT_FOUND);
    let broken = visit.get("/c/broken/runs/1").await;
    assert_eq!(broken.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(visit.get("/c/nowhere/runs/1").await.status, StatusCode::NOT_FOUND);
    let run =
        Journal::open(&visit.folder.path().join("journal.db")).unwrap().begin(&waits("a"), now()).unwrap();
    let undo = visit.text(&format!("{}/undo", super::href("prod", run))).await;
    assert!(undo.contains("It cannot be taken back now") && undo.contains("was not seen"), "{undo}");
}

#[tokio::test]
async fn a_reader_sees_no_button_and_may_not_press_it() {
    let visit = Visit::new().await;
    let run =
        Journal::open(&visit.folder.path().join("journal.db")).unwrap().begin(&waits("a"), now()).unwrap();
    let reader = Visit::at(visit.folder.clone(), Role::Reader).await;
    let href = super::href("prod", run);
    assert!(!reader.text(&href).await.contains("Resume"));
    assert_eq!(reader.post(&format!("{href}/resume"), &[]).await.status, StatusCode::FORBIDDEN);
}
