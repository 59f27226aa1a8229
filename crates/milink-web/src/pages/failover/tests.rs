use milink_core::names::Side;
use milink_core::receipt::{Comparison, TableSum};

use super::receipt::Counted;
use super::view::{Choose, Now, Review, pressed};
use super::*;
use crate::pages::change::PlanView;
use crate::pages::fixture;
use milink_core::role_change::NotNow;

fn fields(kind: &str, to: &str) -> Fields {
    Fields { kind: kind.to_owned(), to: to.to_owned(), ..Fields::default() }.or_usual()
}

#[test]
fn the_direction_is_told_from_what_is_seen() {
    let (link, mut seen) = fixture::linked();
    let choose = Choose::of(&link, &seen, Fields::usual(), Vec::new());
    let planned = choose.planned.unwrap();
    assert_eq!((planned.from.as_str(), planned.to_word), ("SQL Server", "managed"));
    assert_eq!(
        choose.forced.iter().map(|(d, likely)| (d.to_word, *likely)).collect::<Vec<_>>(),
        [("sql-server", false), ("managed", true)]
    );
    fixture::become_primary(&mut seen, Side::Managed);
    let choose = Choose::of(&link, &seen, Fields::usual(), Vec::new());
    assert!(choose.planned.is_none() && choose.cannot.is_some());
    assert!(choose.forced.iter().all(|(_, likely)| !likely));
}

#[test]
fn a_review_shows_gates_with_values_each_statement_and_the_point_of_no_return() {
    let (link, seen) = fixture::linked();
    let review = Review::of(&link, &seen, &fields("planned", "").wish().unwrap());
    assert_eq!(review.now.gates.shut, 0, "{:#?}", review.now.gates.rows);
    assert!(review.now.gates.rows.iter().any(|g| g.seen.contains("sessions")));
    assert!(review.now.lost.is_empty());
    let plan = review.plan.unwrap();
    assert_eq!(plan.steps.iter().filter(|s| s.no_return).count(), 1);
    let html = piece(&plan);
    assert!(html.contains("Point of no return"), "{html}");
    assert!(html.contains("ALTER AVAILABILITY GROUP"), "{html}");
}

#[test]
fn a_forced_failover_says_what_is_lost_and_is_refused_when_the_name_differs() {
    let (link, seen) = fixture::linked();
    let wish = fields("forced", "managed").wish().unwrap();
    let review = Review::of(&link, &seen, &wish);
    assert_eq!(review.now.lost.len(), link.databases.len());
    for typed in ["", "another", &link.name.to_uppercase(), &format!(" {}", link.name)] {
        let (status, why) = pressed(&link, &seen, &wish, typed).unwrap_err();
        assert_eq!((status, &why), (StatusCode::UNPROCESSABLE_ENTITY, &NotNow::NotConfirmed), "{typed:?}");
        let review = Review::of(&link, &seen, &wish).refused(&why);
        assert!(review.not_confirmed && review.refused.is_some());
    }
    let plan = pressed(&link, &seen, &wish, &link.name).unwrap();
    assert_eq!(plan.verb, Verb::ForcedFailover);
    // The other way the side is primary already, whatever was typed.
    let back = fields("forced", "sql-server").wish().unwrap();
    let (status, _) = pressed(&link, &seen, &back, &link.name).unwrap_err();
    assert_eq!(status, StatusCode::CONFLICT);
}

#[test]
fn a_planned_failover_is_refused_by_a_gate_and_by_another_direction_than_was_shown() {
    let (link, seen) = fixture::linked();
    let begun = pressed(&link, &seen, &fields("planned", "managed").wish().unwrap(), "");
    assert_eq!(begun.unwrap().verb, Verb::PlannedFailover);
    let (status, _) =
        pressed(&link, &seen, &fields("planned", "sql-server").wish().unwrap(), "").unwrap_err();
    assert_eq!(status, StatusCode::CONFLICT);
    let mut busy = seen.clone();
    fixture::keep_azure_busy(&mut busy);
    let (status, why) = pressed(&link, &busy, &fields("planned", "managed").wish().unwrap(), "").unwrap_err();
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(view::said(&why).contains("failover.operations"), "{}", view::said(&why));
}

#[test]
fn hostile_names_are_text_wherever_they_are_shown() {
    let (mut link, seen) = fixture::linked();
    link.name = "<img src=x onerror=alert(1)>\"'&".to_owned();
    link.databases = vec!["<script>alert(2)</script>".to_owned()];
    let wish = fields("forced", "managed").wish().unwrap();
    let plan = milink_core::plan::Plan {
        verb: Verb::ForcedFailover,
        link: link.clone(),
        steps: Vec::new(),
        notes: vec!["</p><script>alert(3)</script>".to_owned()],
    };
    let html = piece(&Now::of(&link, &seen, &wish)) + &piece(&PlanView::of(&plan, &seen));
    assert!(html.contains("&#60;script&#62;alert(2)"), "{html}");
    assert!(!html.contains("<script") && !html.contains("<img"), "{html}");
}

#[test]
fn a_receipt_names_each_table_that_differs() {
    let sum = |rows| vec![TableSum { table: "dbo.<b>".to_owned(), rows, checksum: Some(7) }];
    let counted = Counted::of(&Comparison::of("Sales", [None, None], &sum(3), &sum(4)));
    assert_eq!(counted.tone, "bad");
    assert_eq!(
        counted.different,
        [("dbo.<b>".to_owned(), "3 rows, checksum 7".to_owned(), "4 rows, checksum 7".to_owned())]
    );
    assert_eq!(Counted::of(&Comparison::of("Sales", [None, None], &sum(3), &sum(3))).tone, "good");
}
