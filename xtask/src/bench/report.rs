//! Figures, and the three ways to show them.

use bench_driver::statistics::median;
use serde::Serialize;

use super::Result;
use super::machine::Machine;
use super::server::Side;

/// Changes when a field of the JSON changes its meaning or goes away.
const SCHEMA_VERSION: u32 = 1;

/// What one run gave; of several, each field's median.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Sample {
    /// In the figure's unit.
    pub(crate) value: f64,
    /// Half of the requests were answered within this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) p50_us: Option<f64>,
    /// 99 of 100 requests were answered within this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) p99_us: Option<f64>,
    /// Who kept the machine busy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cores: Option<Cores>,
}

/// Cores that were busy on average.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Cores {
    /// With the server.
    pub(crate) server: f64,
    /// With the load generator.
    pub(crate) driver: f64,
    /// With anything else: what the kernel does for both in the background, and whatever disturbs the measurement.
    pub(crate) others: f64,
}

impl Sample {
    /// A value alone.
    pub(crate) fn of(value: f64) -> Sample {
        Sample { value, p50_us: None, p99_us: None, cores: None }
    }

    fn middle(samples: &[Sample]) -> Option<Sample> {
        let first = samples.first()?;
        let of = |field: fn(&Sample) -> Option<f64>| {
            field(first)?;
            Some(median(&samples.iter().filter_map(field).collect::<Vec<_>>()))
        };
        Some(Sample {
            value: of(|s| Some(s.value))?,
            p50_us: of(|s| s.p50_us),
            p99_us: of(|s| s.p99_us),
            cores: first.cores.is_some().then(|| Cores {
                server: of(|s| s.cores.map(|c| c.server)).unwrap_or_default(),
                driver: of(|s| s.cores.map(|c| c.driver)).unwrap_or_default(),
                others: of(|s| s.cores.map(|c| c.others)).unwrap_or_default(),
            }),
        })
    }
}

/// What is aimed at.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Aim {
    /// Ours to the peer's.
    RatioAtLeast(f64),
    /// Ours to the peer's.
    RatioAtMost(f64),
    /// Ours, whatever the peer's is.
    AtMost(f64),
}

/// One thing that was measured on both sides.
#[derive(Debug)]
pub(crate) struct Figure {
    benchmark: &'static str,
    how: &'static str,
    unit: &'static str,
    connections: Option<u32>,
    aim: Option<Aim>,
    ours: Vec<Sample>,
    peer: Vec<Sample>,
}

impl Figure {
    pub(crate) fn new(
        benchmark: &'static str,
        how: &'static str,
        unit: &'static str,
        aim: Option<Aim>,
    ) -> Figure {
        Figure { benchmark, how, unit, connections: None, aim, ours: Vec::new(), peer: Vec::new() }
    }

    pub(crate) fn with_connections(self, connections: u32) -> Figure {
        Figure { connections: Some(connections), ..self }
    }

    pub(crate) fn add(&mut self, side: Side, sample: Sample) {
        match side {
            Side::Milink => self.ours.push(sample),
            Side::Postgres => self.peer.push(sample),
        }
    }

    /// What it is, for people who wait.
    pub(crate) fn title(&self) -> String {
        match self.connections {
            Some(n) => format!("{}, {}, {n} connections", self.benchmark, self.how),
            None => format!("{}, {}", self.benchmark, self.how),
        }
    }

    fn row(&self) -> Row {
        let (ours, peer) = (Sample::middle(&self.ours), Sample::middle(&self.peer));
        let ratio = ours.zip(peer).filter(|(_, p)| p.value > 0.0).map(|(o, p)| o.value / p.value);
        let met = match self.aim {
            Some(Aim::RatioAtLeast(least)) => ratio.map(|r| r >= least),
            Some(Aim::RatioAtMost(most)) => ratio.map(|r| r <= most),
            Some(Aim::AtMost(most)) => ours.map(|o| o.value <= most),
            None => None,
        };
        Row {
            benchmark: self.benchmark,
            how: self.how,
            connections: self.connections,
            unit: self.unit,
            ours,
            peer,
            ratio,
            aim: self.aim,
            met,
        }
    }
}

/// A figure as it is shown.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    benchmark: &'static str,
    how: &'static str,
    connections: Option<u32>,
    unit: &'static str,
    ours: Option<Sample>,
    peer: Option<Sample>,
    /// Ours to the peer's.
    ratio: Option<f64>,
    aim: Option<Aim>,
    met: Option<bool>,
}

impl Row {
    fn cells(&self) -> Vec<String> {
        let value = |s: Option<Sample>| s.map_or_else(String::new, |s| number(s.value));
        let pair = |field: fn(&Sample) -> Option<f64>, scale: f64| {
            let show = |s: Option<Sample>| s.as_ref().and_then(field).map(|v| format!("{:.2}", v / scale));
            match (show(self.ours), show(self.peer)) {
                (Some(ours), Some(peer)) => format!("{ours} / {peer}"),
                (ours, peer) => ours.or(peer).unwrap_or_default(),
            }
        };
        let aim = match self.aim {
            Some(Aim::RatioAtLeast(least)) => format!("ratio >= {least}"),
            Some(Aim::RatioAtMost(most)) => format!("ratio <= {most}"),
            Some(Aim::AtMost(most)) => format!("<= {most} {}", self.unit),
            None => String::new(),
        };
        let met = match self.met {
            Some(true) => "yes",
            Some(false) => "no",
            None => "",
        };
        vec![
            self.benchmark.to_owned(),
            self.how.to_owned(),
            self.connections.map_or_else(String::new, |n| n.to_string()),
            self.unit.to_owned(),
            value(self.ours),
            value(self.peer),
            self.ratio.map_or_else(String::new, |r| format!("{r:.2}")),
            aim,
            met.to_owned(),
            pair(|s| s.p50_us, 1000.0),
            pair(|s| s.p99_us, 1000.0),
            pair(|s| s.cores.map(|c| c.server), 1.0),
            pair(|s| s.cores.map(|c| c.driver), 1.0),
            pair(|s| s.cores.map(|c| c.others), 1.0),
        ]
    }
}

const HEADINGS: [&str; 14] = [
    "benchmark",
    "how",
    "connections",
    "unit",
    "ours",
    "PostgreSQL",
    "ratio",
    "aim",
    "met",
    "p50 ms",
    "p99 ms",
    "server cores",
    "driver cores",
    "other cores",
];

/// All that was measured, and where.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    schema_version: u32,
    machine: Machine,
    /// How often the sides took turns.
    rounds: u32,
    /// How long each run of insert, select and log measured.
    seconds: f64,
    results: Vec<Row>,
}

impl Report {
    pub(crate) fn new(machine: Machine, rounds: u32, seconds: f64, figures: &[Figure]) -> Report {
        let results = figures.iter().map(Figure::row).collect();
        Report { schema_version: SCHEMA_VERSION, machine, rounds, seconds, results }
    }

    /// For programs.
    pub(crate) fn json(&self) -> Result<String> {
        serde_json::to_string_pretty(self).map(|text| text + "\n").map_err(|e| format!("JSON: {e}"))
    }

    /// For people: a table that is Markdown as well.
    pub(crate) fn table(&self) -> String {
        let mut rows = vec![HEADINGS.map(str::to_owned).to_vec()];
        rows.extend(self.results.iter().map(Row::cells));
        // A column that says nothing is left out.
        let used: Vec<usize> =
            (0..HEADINGS.len()).filter(|c| rows.iter().skip(1).any(|r| !r[*c].is_empty())).collect();
        let width = |c: usize| rows.iter().map(|r| r[c].len()).max().unwrap_or(0).max(3);
        let mut out = String::new();
        for (number, row) in rows.iter().enumerate() {
            for &c in &used {
                out += &format!("| {:width$} ", row[c], width = width(c));
            }
            out += "|\n";
            if number == 0 {
                for &c in &used {
                    out += &format!("|{}", "-".repeat(width(c) + 2));
                }
                out += "|\n";
            }
        }
        out
    }

    /// A part of docs/benchmarks.md: the figures, and where they come from.
    pub(crate) fn part(&self, name: &str) -> String {
        format!(
            "Made by `cargo xtask bench {name} --write`: {} rounds of {} s, of which the medians are shown.\n\n{}\n{}",
            self.rounds,
            self.seconds,
            self.table(),
            self.machine.list()
        )
    }
}

/// Puts a part into the page, between its marks; the rest of the page is written by people.
pub(crate) fn with_part(page: &str, name: &str, part: &str) -> Result<String> {
    let (begin, end) = (format!("<!-- begin {name} -->\n"), format!("<!-- end {name} -->"));
    let marks = page.split_once(&begin).and_then(|(before, rest)| Some((before, rest.split_once(&end)?.1)));
    let (before, after) = marks.ok_or_else(|| format!("docs/benchmarks.md has no marks for {name}"))?;
    Ok(format!("{before}{begin}{part}{end}{after}"))
}

/// One decimal for small values, none for others.
fn number(value: f64) -> String {
    if value < 100.0 { format!("{value:.1}") } else { format!("{value:.0}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(aim: Aim, ours: &[f64], peer: &[f64]) -> Row {
        let mut figure = Figure::new("insert", "batch", "commits/s", Some(aim)).with_connections(4);
        ours.iter().for_each(|v| figure.add(Side::Milink, Sample::of(*v)));
        peer.iter().for_each(|v| figure.add(Side::Postgres, Sample::of(*v)));
        figure.row()
    }

    #[test]
    fn ratios_are_of_medians_and_aims_are_judged_by_them() {
        let row = figure(Aim::RatioAtLeast(1.0), &[900.0, 100.0, 300.0], &[600.0, 100.0, 900.0]);
        assert_eq!((row.ratio, row.met), (Some(0.5), Some(false)));
        assert_eq!(figure(Aim::AtMost(50.0), &[50.0], &[]).met, Some(true));
        assert_eq!(figure(Aim::RatioAtLeast(1.0), &[50.0], &[]).met, None);
        assert_eq!(figure(Aim::RatioAtMost(0.5), &[50.0], &[100.0]).met, Some(true));
        assert_eq!(figure(Aim::RatioAtMost(0.5), &[51.0], &[100.0]).met, Some(false));
    }

    #[test]
    fn a_part_of_the_page_is_replaced() {
        let page = "a\n<!-- begin all -->\nold\n<!-- end all -->\nz\n";
        let expected = "a\n<!-- begin all -->\nnew\n<!-- end all -->\nz\n";
        assert_eq!(with_part(page, "all", "new\n"), Ok(expected.to_owned()));
        assert!(with_part(page, "replication", "new\n").is_err());
    }

    #[test]
    fn the_table_leaves_empty_columns_out() {
        let results = vec![figure(Aim::AtMost(50.0), &[1234.4], &[])];
        let report =
            Report { schema_version: 1, machine: Machine::default(), rounds: 3, seconds: 5.0, results };
        let table = report.table();
        assert!(table.starts_with("| benchmark | how   | connections | unit      | ours | aim"), "{table}");
        assert!(table.contains("| 1234 |"), "{table}");
        assert!(report.json().unwrap().contains("\"schemaVersion\": 1"));
    }
}
