use axum::http::StatusCode;
use milink_core::plan::{Plan, Verb};
use milink_core::spec::LinkSpec;
use milink_ops::journal::Journal;
use milink_ops::sides::now;

use crate::security::Role;
use crate::testing::Visit;

/// Begins a draft; what its addresses begin with.
async fn begun(visit: &Visit) -> String {
    let href = visit.send("/c/prod/new-link", &[("database", "Sales"), ("primary", "")]).await;
    href.strip_suffix("/introduction").expect(&href).to_owned()
}

#[tokio::test]
async fn every_page_is_there_while_nobody_answers_and_says_so() {
    let visit = Visit::new().await;
    let start = visit.text("/c/prod/new-link?database=Sal%3Ces").await;
    assert!(start.contains("Sal&#60;es") && start.contains("Begin"), "{start}");
    let base = begun(&visit).await;
    let options = [
        ("page", "options"),
        ("go", "next"),
        ("name", "sales"),
        ("initial_primary", "managed"),
        ("two_way", "yes"),
    ];
    assert_eq!(visit.send(&format!("{base}/options"), &options).await, format!("{base}/requirements"));
    for (page, title, says) in [
        ("introduction", "Introduction", "near-real-time"),
        ("options", "Specify Link Options", "value=\"sales\""),
        ("requirements", "Requirements", "is configured"),
        ("databases", "Select Databases", "does not answer"),
        ("secondary", "Specify Secondary Replica", "It does not answer"),
        ("login", "Login to Azure", "no managed instance in Azure is configured"),
        ("validation", "Validation", "of the checks are in the way"),
        ("summary", "Summary", "There is no plan"),
        ("executing", "Executing actions", "Nothing was begun yet"),
        ("results", "Results", "Nothing was begun yet"),
    ] {
        let text = visit.text(&format!("{base}/{page}")).await;
        assert!(text.contains(&format!("<h1>{title}</h1>")) && text.contains(says), "{page}: {text}");
        assert!(!text.contains("style=") && !text.contains("onclick"), "{page}");
    }
    let summary = visit.text(&format!("{base}/summary")).await;
    assert!(summary.contains("milink create --context prod --name sales --database Sales"), "{summary}");
    let file = visit.text(&format!("{base}/spec.toml")).await;
    assert!(file.contains("databases = [\"Sales\"]"), "{file}");
    // Nothing is begun from what nobody could see.
    let refused = visit.post(&format!("{base}/finish"), &[]).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert!(refused.text.contains("in the way"), "{}", refused.text);
    let mended = visit.post(&format!("{base}/mend"), &[("page", "requirements"), ("mend", "all")]).await;
    assert_eq!(mended.status, StatusCode::CONFLICT, "{}", mended.text);
}

#[tokio::test]
async fn what_was_typed_survives_errors_going_back_and_a_restart() {
    let visit = Visit::new().await;
    let base = begun(&visit).await;
    let secondary = format!("{base}/secondary");
    let typed =
        [("page", "secondary"), ("listener_port", "50<22"), ("certificate", "Cert\"x"), ("go", "next")];
    // Something is wrong here: Next stays, and says it at the field.
    assert_eq!(visit.send(&secondary, &typed).await, secondary);
    let page = visit.text(&secondary).await;
    assert!(page.contains("a port from 1 to 65535 is wanted") && page.contains("aria-invalid"), "{page}");
    let back = [("listener_port", "50<22"), ("certificate", "Cert\"y"), ("go", "back")];
    assert_eq!(visit.send(&secondary, &back).await, format!("{base}/databases"));
    let boxes = [("database", "Sales"), ("database", "St<ock"), ("go", "summary")];
    assert_eq!(visit.send(&format!("{base}/databases"), &boxes).await, format!("{base}/summary"));
    let folder = visit.folder.clone();
    drop(visit);
    let visit = Visit::at(folder, Role::Operator).await;
    let page = visit.text(&secondary).await;
    assert!(page.contains("value=\"50&#60;22\"") && page.contains("value=\"Cert&#34;y\""), "{page}");
    let page = visit.text(&format!("{base}/databases")).await;
    assert!(page.contains("value=\"St&#60;ock\" checked"), "{page}");
    assert!(!page.contains("St<ock"));
    assert!(visit.text("/c/prod/new-link").await.contains("Sales, St&#60;ock"));
    let audit = visit.text("/audit").await;
    assert!(audit.contains("Specify Secondary Replica kept"), "{audit}");
    assert_eq!(visit.send(&format!("{base}/discard"), &[]).await, "/c/prod/new-link");
    assert_eq!(visit.get(&secondary).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn addresses_that_name_nothing_are_answered() {
    let visit = Visit::new().await;
    let base = begun(&visit).await;
    for bad in [
        format!("{base}/nothing"),
        "/c/prod/new-link/0123456789abcdef/options".to_owned(),
        "/c/prod/new-link/..%2F..%2Fjournal/options".to_owned(),
        base.replace("/c/prod/", "/c/nowhere/"),
        format!("{base}/scripts/7/x"),
    ] {
        assert_eq!(visit.get(&bad).await.status, StatusCode::NOT_FOUND, "{bad}");
    }
    assert_eq!(visit.get("/c/broken/new-link").await.status, StatusCode::SERVICE_UNAVAILABLE);
    let reader = Visit::at(visit.folder.clone(), Role::Reader).await;
    assert_eq!(reader.post(&format!("{base}/options"), &[("name", "x")]).await.status, StatusCode::FORBIDDEN);
    assert!(reader.text(&format!("{base}/options")).await.contains("need the role operator"));
}

#[tokio::test]
async fn runs_that_a_killed_server_left_are_found_and_gone_on_with() {
    let visit = Visit::new().await;
    let base = begun(&visit).await;
    let id = base.rsplit('/').next().unwrap().to_owned();
    let at = now();
    let spec = LinkSpec::new("sales", &["Sales"]);
    let executed = crate::wizard::Executed { at, links: vec!["sales".to_owned()] };
    let runs = visit.app.hub.context("prod").unwrap().runs().unwrap();
    let changed = runs.drafts.change("prod", &id.parse().unwrap(), |draft| {
        draft.typed.name = "sales".to_owned();
        draft.executed = Some(executed);
    });
    changed.unwrap().unwrap();
    let plan = Plan {
        verb: Verb::Create,
        link: spec.links().unwrap().remove(0),
        steps: Vec::new(),
        notes: Vec::new(),
    };
    let journal = Journal::open(runs.runner.journal()).unwrap().begin(&plan, at).unwrap();
    let page = visit.text(&format!("{base}/executing")).await;
    assert!(page.contains("interrupted") && page.contains("Resume what is not through"), "{page}");
    assert!(page.contains(&format!("sse-connect=\"/events/prod/new-link/{id}\"")), "{page}");
    assert_eq!(visit.send(&format!("{base}/finish"), &[]).await, format!("{base}/executing"));
    for _ in 0..200 {
        let page = visit.text(&format!("{base}/results")).await;
        if page.contains("badge good\">done") {
            assert!(page.contains(&format!("/c/prod/runs/{journal}")), "{page}");
            assert!(!visit.text(&format!("{base}/executing")).await.contains("Resume what"));
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("{}", visit.text(&format!("{base}/results")).await);
}
