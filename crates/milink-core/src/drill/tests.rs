use super::*;
use crate::spec::LinkSpec;

fn ledger(pause_ms: u64, lost: u64) -> Ledger {
    let side = |side: &str, primary| SideCount {
        side: side.to_owned(),
        counted: Ok(Counted { primary, lost, ..Counted::default() }),
    };
    Ledger {
        acknowledged: 3_000,
        longest_pause_ms: pause_ms,
        role_changes: 1,
        found: vec![side("SQL Server", false), side("managed instance", true)],
        ..Ledger::default()
    }
}

fn evidence(ledger: Ledger) -> Evidence {
    let at: Moment = "2026-11-25T03:00:00Z".parse().unwrap();
    let link = LinkSpec::new("sales", &["Sales"]).links().unwrap().remove(0);
    let plan = crate::plan::Plan { verb: Verb::PlannedFailover, link, steps: Vec::new(), notes: Vec::new() };
    let mut picture = Picture::of(&plan);
    picture.end(at.plus_ms(900), &Verdict::Reached);
    Evidence {
        name: "drill of sales".to_owned(),
        began: at,
        ended: at.plus_ms(30_000),
        ledger,
        injected: vec![Injected { at, what: "cut both".to_owned() }],
        runs: vec![DrilledRun {
            number: 7,
            verb: Verb::PlannedFailover,
            began: at,
            ended: Some(at.plus_ms(900)),
            picture,
        }],
    }
}

fn thresholds() -> Thresholds {
    Thresholds { rto_ms: 2_000, rpo_commits: 0, commits_min: 100 }
}

/// The questions that were not answered as promised.
fn wrong(evidence: Evidence) -> Vec<(String, Grade)> {
    let report = grade(evidence, thresholds());
    let wrong = report.cases.iter().filter(|c| c.grade != Grade::Passed);
    let wrong: Vec<_> =
        wrong.map(|c| (c.name.split(':').next().unwrap_or_default().to_owned(), c.grade)).collect();
    assert_eq!(report.passed(), wrong.is_empty());
    wrong
}

#[test]
fn a_good_drill_passes() {
    assert_eq!(wrong(evidence(ledger(2_000, 0))), []);
}

#[test]
fn a_drill_fails_by_time_by_loss_and_by_proving_nothing() {
    let failed = |name: &str| (name.to_owned(), Grade::Failed);
    assert_eq!(wrong(evidence(ledger(2_001, 0))), [failed("RTO")]);
    assert_eq!(wrong(evidence(ledger(0, 1))), [failed("RPO")]);
    let few = Ledger { acknowledged: 99, ..ledger(0, 0) };
    assert_eq!(wrong(evidence(few)), [failed("Enough was written to prove something")]);
    let idle = Evidence { injected: Vec::new(), runs: Vec::new(), ..evidence(ledger(0, 0)) };
    assert_eq!(wrong(idle), [failed("Something happened")]);
    let mut two = ledger(0, 0);
    two.found[0].counted = Ok(Counted { primary: true, ..Counted::default() });
    assert_eq!(wrong(evidence(two)), [failed("RPO")]);
    let mut doubled = ledger(0, 0);
    doubled.found[0].counted = Ok(Counted { doubled: 1, ..Counted::default() });
    assert_eq!(wrong(evidence(doubled)), [failed("What is there is what was written, once")]);
}

#[test]
fn what_nobody_could_count_is_no_pass() {
    let blind = Ledger {
        found: vec![SideCount { side: "SQL Server".to_owned(), counted: Err("no answer".to_owned()) }],
        ..ledger(0, 0)
    };
    let graded = wrong(evidence(blind));
    assert_eq!(graded.len(), 2, "{graded:?}");
    assert!(graded.iter().all(|(_, grade)| *grade == Grade::Unknown), "{graded:?}");
}

#[test]
fn a_run_that_does_not_reach_its_goal_fails_the_drill() {
    let mut drilled = evidence(ledger(0, 0));
    drilled.runs[0].picture.verdict = Some(Verdict::Stopped {
        step: "drain".to_owned(),
        why: "time is up".to_owned(),
        now_true: Vec::new(),
        next: crate::run::Next::new("milink resume sales", "it waits"),
    });
    assert_eq!(wrong(drilled), [("The run reaches its goal".to_owned(), Grade::Failed)]);
    let mut open = evidence(ledger(0, 0));
    open.runs[0].picture.verdict = None;
    assert_eq!(wrong(open), [("The run reaches its goal".to_owned(), Grade::Unknown)]);
}

#[test]
fn the_junit_report_counts_what_it_holds_and_escapes_names() {
    let hostile = Evidence { name: "<x a=\"1\">&'\u{1}".to_owned(), ..evidence(ledger(5_000, 1)) };
    let text = junit(&grade(hostile, thresholds()));
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[1],
        "<testsuites name=\"&lt;x a=&quot;1&quot;&gt;&amp;&apos;\u{fffd}\" tests=\"6\" failures=\"2\" errors=\"0\" skipped=\"0\">"
    );
    assert_eq!(text.matches("<failure ").count(), 2);
    assert_eq!(text.matches("<testcase ").count(), 6);
    for element in ["testsuites", "testsuite", "testcase", "failure", "system-out"] {
        let opened =
            text.matches(&format!("<{element} ")).count() + text.matches(&format!("<{element}>")).count();
        assert_eq!(opened, text.matches(&format!("</{element}>")).count(), "{element}:\n{text}");
    }
    assert!(text.contains("time=\"5.000\""), "{text}");
}
