//! Findings in the forms that build servers read: JUnit XML and SARIF 2.1.0.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::catalogue::{CHECKS, Check, Severity, check};
use crate::finding::{Finding, Status};

/// JUnit XML: a suite for each subject, a case for each check. What failed is a failure, what could not be seen is an error, and a warning is a
/// case that passed with something to read.
pub fn junit(findings: &[Finding]) -> String {
    let mut suites: BTreeMap<String, Vec<&Finding>> = BTreeMap::new();
    for finding in findings {
        suites.entry(finding.subject.to_string()).or_default().push(finding);
    }
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let all: Vec<&Finding> = findings.iter().collect();
    line(&mut out, 0, &format!("<testsuites name=\"milink check\" {}>", counts(&all)));
    for (subject, cases) in suites {
        line(&mut out, 1, &format!("<testsuite name=\"{}\" {}>", escaped(&subject), counts(&cases)));
        for finding in cases {
            case(&mut out, &subject, finding);
        }
        line(&mut out, 1, "</testsuite>");
    }
    out.push_str("</testsuites>\n");
    out
}

fn line(out: &mut String, depth: usize, text: &str) {
    out.push_str(&format!("{:1$}{text}\n", "", depth * 2));
}

fn counts(findings: &[&Finding]) -> String {
    let count = |status: Status| findings.iter().filter(|f| f.status == status).count();
    format!(
        "tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\"",
        findings.len(),
        count(Status::Failed),
        count(Status::Unknown),
        count(Status::Skipped)
    )
}

fn case(out: &mut String, subject: &str, finding: &Finding) {
    let title = check(finding.check).map_or("", |c| c.title);
    let name = escaped(&format!("{}: {title}", finding.check));
    let head = format!("<testcase classname=\"{}\" name=\"{name}\"", escaped(subject));
    let seen = escaped(&finding.seen);
    let told = escaped(&details(finding));
    match finding.status {
        Status::Pass => line(out, 2, &format!("{head}/>")),
        Status::Skipped => {
            line(out, 2, &format!("{head}>"));
            line(out, 3, &format!("<skipped message=\"{seen}\"/>"));
            line(out, 2, "</testcase>");
        }
        Status::Warning => {
            line(out, 2, &format!("{head}>"));
            line(out, 3, &format!("<system-out>warning: {told}</system-out>"));
            line(out, 2, "</testcase>");
        }
        Status::Failed | Status::Unknown => {
            let element = if finding.status == Status::Failed { "failure" } else { "error" };
            line(out, 2, &format!("{head}>"));
            line(
                out,
                3,
                &format!("<{element} type=\"{}\" message=\"{seen}\">{told}</{element}>", finding.status),
            );
            line(out, 2, "</testcase>");
        }
    }
}

/// Everything that is worth telling of a finding that is no pass.
fn details(finding: &Finding) -> String {
    let mut out = format!("seen: {}\nwanted: {}\nwhy: {}\n", finding.seen, finding.wanted, finding.why);
    if let Some(fix) = &finding.fix {
        out.push_str(&format!("fix: {}\n", fix.advice));
    }
    out.push_str(&format!("source: {}", finding.source));
    out
}

/// For text and for attributes. XML 1.0 cannot hold most control characters at all, not even escaped.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() || ('\u{fffe}'..='\u{ffff}').contains(&c) => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// SARIF 2.1.0: a rule for each check of the catalogue, a result for each finding, with its subject as a logical location.
pub fn sarif(findings: &[Finding]) -> Value {
    let rules: Vec<Value> = CHECKS.iter().map(rule).collect();
    let results: Vec<Value> = findings.iter().map(result).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "milink", "version": env!("CARGO_PKG_VERSION"), "rules": rules } },
            "results": results,
        }],
    })
}

fn rule(check: &Check) -> Value {
    json!({
        "id": check.id,
        "shortDescription": { "text": check.title },
        "fullDescription": { "text": check.why },
        "help": { "text": format!("Why: {}. Source: {}.", check.why, check.source) },
        "defaultConfiguration": {
            "level": match check.severity {
                Severity::Blocks | Severity::BlocksIfSeen => "error",
                Severity::Warns => "warning",
            },
        },
    })
}

fn result(finding: &Finding) -> Value {
    // By the specification only what failed has a level; `open` is what could not be decided.
    let (kind, level) = match finding.status {
        Status::Pass => ("pass", "none"),
        Status::Skipped => ("notApplicable", "none"),
        Status::Unknown => ("open", "none"),
        Status::Warning => ("fail", "warning"),
        Status::Failed => ("fail", "error"),
    };
    let subject = finding.subject.to_string();
    let mut message = format!("{subject}: seen: {}; wanted: {}.", finding.seen, finding.wanted);
    if let Some(fix) = &finding.fix {
        message.push_str(&format!(" To mend it: {}.", fix.advice));
    }
    let mut out = json!({
        "ruleId": finding.check,
        "kind": kind,
        "level": level,
        "message": { "text": message },
        "locations": [{
            "logicalLocations": [{ "name": subject, "fullyQualifiedName": subject, "kind": "resource" }],
        }],
        // What makes it the same finding in the next run, whatever is seen then.
        "partialFingerprints": { "checkAndSubject/v1": format!("{}@{subject}", finding.check) },
    });
    if let Some(index) = CHECKS.iter().position(|c| c.id == finding.check)
        && let Some(map) = out.as_object_mut()
    {
        map.insert("ruleIndex".to_owned(), json!(index));
    }
    out
}
