//! `/metrics`: every link of every context as Prometheus text.
//!
//! What OpenTelemetry's sqlserver receiver has a name for has that name, as OpenTelemetry writes its names for Prometheus: dots become
//! underscores, the unit is appended. What it has none for begins with `milink_`. What is not known has no sample: a zero would be a lie.

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use milink_core::moment::Moment;
use milink_core::names::Side;
use milink_core::status::{DatabaseStatus, LinkState, LinkStatus, Primary};
use milink_ops::sides::now;

use crate::app::App;
use crate::assets;
use crate::state::Snapshot;

/// All links of all contexts.
pub(crate) async fn metrics(State(app): State<App>) -> Response {
    let contexts = app.hub.contexts();
    let snapshots: Vec<_> = contexts.iter().map(|c| (c.info.name.as_str(), c.snapshot())).collect();
    let snapshots: Vec<(&str, &Snapshot)> = snapshots.iter().map(|(name, s)| (*name, &**s)).collect();
    let content_type = [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    (content_type, text(&snapshots, now())).into_response()
}

/// A Grafana dashboard over these metrics.
pub(crate) async fn dashboard() -> Response {
    let file = assets::find("grafana/milink.json").map(assets::Asset::bytes).unwrap_or_default();
    ([(CONTENT_TYPE, "application/json")], file).into_response()
}

/// A metric: its name, its unit's suffix included, what it is, and its samples: labels and a value.
struct Metric {
    name: &'static str,
    help: &'static str,
    samples: Vec<(String, f64)>,
}

fn text(contexts: &[(&str, &Snapshot)], now: Moment) -> String {
    let mut out = String::new();
    for metric in all(contexts, now) {
        let Metric { name, help, samples } = metric;
        out.push_str(&format!("# HELP {name} {help}\n# TYPE {name} gauge\n"));
        for (labels, value) in samples {
            out.push_str(&format!("{name}{{{labels}}} {value}\n"));
        }
    }
    out
}

fn all(contexts: &[(&str, &Snapshot)], now: Moment) -> Vec<Metric> {
    let links = || contexts.iter().flat_map(|(c, s)| s.links.iter().map(move |l| (*c, l)));
    let databases = || links().flat_map(|(c, l)| l.databases.iter().map(move |d| (c, l, d)));
    let by_link = |name, help, value: fn(&LinkStatus) -> Option<f64>| Metric {
        name,
        help,
        samples: links().filter_map(|(c, l)| Some((of_link(c, l), value(l)?))).collect(),
    };
    let by_database = |name, help, values: &[(&str, fn(&DatabaseStatus) -> Option<u64>)]| Metric {
        name,
        help,
        samples: databases()
            .flat_map(|(c, l, d)| {
                let sample = move |(more, value): &(&str, fn(&DatabaseStatus) -> Option<u64>)| {
                    Some((format!("{}{more}", of_database(c, l, d)), value(d)? as f64))
                };
                values.iter().filter_map(sample).collect::<Vec<_>>()
            })
            .collect(),
    };
    const SEND: &str = ",queue_type=\"log_send\"";
    const REDO: &str = ",queue_type=\"redo\"";
    vec![
        answers(contexts),
        age(contexts, now),
        states(&links().collect::<Vec<_>>()),
        by_link("milink_link_two_primaries", "1 if both sides of the link are primary.", |l| {
            (l.primary != Primary::Unknown).then(|| f64::from(u8::from(l.primary == Primary::Both)))
        }),
        by_link("milink_link_connected", "1 if the two halves are connected, as the primary sees it.", |l| {
            l.connected.map(|c| f64::from(u8::from(c)))
        }),
        by_link(
            "milink_link_certificate_days",
            "Days until the first certificate of the link expires.",
            |l| l.certificates.iter().filter_map(|c| c.days_left).min().map(|d| d as f64),
        ),
        by_database(
            "sqlserver_availability_group_database_replica_secondary_lag_seconds",
            "How far the secondary is behind: what a forced failover would lose.",
            &[("", |d| d.data_loss_seconds)],
        ),
        by_database(
            "sqlserver_availability_group_database_replica_queue_size_kibibytes",
            "Log that is not sent, and log that is not redone.",
            &[(SEND, |d| d.send_queue_kb), (REDO, |d| d.redo_queue_kb)],
        ),
        by_database(
            "sqlserver_availability_group_database_replica_queue_rate_kibibytes_per_second",
            "How fast log is sent and redone.",
            &[(SEND, |d| d.send_rate_kb), (REDO, |d| d.redo_rate_kb)],
        ),
        by_database(
            "milink_database_recovery_seconds",
            "How long redo would take before the secondary could be primary.",
            &[("", |d| d.recovery_seconds)],
        ),
        by_database(
            "milink_database_seeding_percent",
            "How much of the first copy is made.",
            &[("", |d| d.seeding.as_ref().and_then(milink_core::status::SeedingStatus::percent))],
        ),
    ]
}

/// Who answers.
fn answers(contexts: &[(&str, &Snapshot)]) -> Metric {
    let samples = contexts.iter().filter(|(_, s)| s.number > 0).flat_map(|(c, s)| {
        [("sql-server", s.stamp(Side::SqlServer)), ("managed", s.stamp(Side::Managed)), ("azure", &s.azure)]
            .map(|(who, stamp)| {
                (labels(&[("context", c), ("side", who)]), f64::from(u8::from(stamp.why.is_none())))
            })
    });
    Metric {
        name: "milink_side_answers",
        help: "1 if it answered the newest look.",
        samples: samples.collect(),
    }
}

/// How old the newest look is.
fn age(contexts: &[(&str, &Snapshot)], now: Moment) -> Metric {
    let sample = |(c, s): &(&str, &Snapshot)| {
        let at = s.seen.as_ref()?.at;
        Some((labels(&[("context", c)]), now.ms_since(at) as f64 / 1000.0))
    };
    let help = "How long ago everything was looked at.";
    Metric { name: "milink_look_age_seconds", help, samples: contexts.iter().filter_map(sample).collect() }
}

/// One sample for each link, with its state as a label, so that an alarm can name it.
fn states(links: &[(&str, &LinkStatus)]) -> Metric {
    let sample = |(c, l): &(&str, &LinkStatus)| {
        let state = l.state.to_string().to_lowercase();
        (
            format!("{},state=\"{}\"", of_link(c, l), escape(&state)),
            f64::from(u8::from(l.state == LinkState::Healthy)),
        )
    };
    let help = "1 if the link is healthy; its state is a label.";
    Metric { name: "milink_link_healthy", help, samples: links.iter().map(sample).collect() }
}

fn of_link(context: &str, link: &LinkStatus) -> String {
    labels(&[("context", context), ("link", &link.name)])
}

fn of_database(context: &str, link: &LinkStatus, database: &DatabaseStatus) -> String {
    labels(&[("context", context), ("link", &link.name), ("database_name", &database.name)])
}

fn labels(pairs: &[(&str, &str)]) -> String {
    pairs.iter().map(|(name, value)| format!("{name}=\"{}\"", escape(value))).collect::<Vec<_>>().join(",")
}

fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_has_no_sample_and_names_are_escaped() {
        let at = Moment::from_unix_ms(1_000);
        let none = milink_core::observe::Seen::Unknown { at, why: "off".to_owned() };
        let seen = milink_core::observe::Observation {
            at,
            sql_server: none.clone(),
            managed: none,
            azure: milink_core::observe::Seen::Unknown { at, why: "off".to_owned() },
            probes: Vec::new(),
        };
        let mut link = milink_core::status::link("a\"b", &seen);
        link.primary = Primary::Both;
        link.state = LinkState::TwoPrimaries;
        let snapshot = Snapshot::with_links(seen, vec![link]);
        let text = text(&[("prod", &snapshot)], Moment::from_unix_ms(3_500));
        for line in [
            "milink_look_age_seconds{context=\"prod\"} 2.5",
            "milink_link_healthy{context=\"prod\",link=\"a\\\"b\",state=\"two primaries\"} 0",
            "milink_link_two_primaries{context=\"prod\",link=\"a\\\"b\"} 1",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
        }
        assert!(!text.contains("milink_link_connected{"), "{text}");
    }
}
