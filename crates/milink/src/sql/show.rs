//! Results and messages on their way out.

use std::io::Write;

use milink_sql::{ColumnInfo, ServerError, Value};

use super::Output;

/// Rows of a table that are looked at for the widths of its columns; wider ones later push their line out.
const LOOKED_AT: usize = 1000;
/// A cell wider than this does not widen its column.
const WIDTH_MAX: usize = 100;

/// How a table looks.
#[derive(Debug)]
pub(crate) struct Table {
    /// After so many rows the heading comes again; 0 for once, less for not at all.
    pub(crate) headings: i64,
    /// What stands between columns.
    pub(crate) separator: String,
    /// Columns are not filled up.
    pub(crate) tight: bool,
}

/// Writes results in the form that was asked for; messages of the server go to stderr.
pub(crate) struct Shown {
    out: Box<dyn Write>,
    output: Output,
    table: Table,
    columns: Vec<ColumnInfo>,
    waiting: Vec<Vec<Value>>,
    widths: Option<Vec<usize>>,
    rows: u64,
    /// Rows of a table that are printed.
    told: i64,
}

type Written = Result<(), String>;

fn lost(e: std::io::Error) -> String {
    format!("cannot write the results: {e}")
}

impl Shown {
    pub(crate) fn new(out: Box<dyn Write>, output: Output, table: Table) -> Shown {
        Shown { out, output, table, columns: Vec::new(), waiting: Vec::new(), widths: None, rows: 0, told: 0 }
    }

    fn line(&mut self, text: &str) -> Written {
        self.out.write_all(text.as_bytes()).and_then(|()| self.out.write_all(b"\n")).map_err(lost)
    }

    /// A result set begins.
    pub(crate) fn begin(&mut self, columns: Vec<ColumnInfo>) -> Written {
        self.columns = columns;
        self.rows = 0;
        self.widths = None;
        match self.output {
            Output::Tsv => {
                let names: Vec<String> = self.columns.iter().map(|c| escaped(&c.name)).collect();
                self.line(&names.join("\t"))
            }
            Output::Json => {
                let names: Vec<&str> = self.columns.iter().map(|c| c.name.as_str()).collect();
                let names = serde_json::Value::from(names);
                self.out.write_all(format!("{{\"columns\":{names},\"rows\":[").as_bytes()).map_err(lost)
            }
            Output::Table => Ok(()),
        }
    }

    /// A row of it.
    pub(crate) fn cells(&mut self, cells: Vec<Value>) -> Written {
        self.rows += 1;
        match self.output {
            Output::Tsv => {
                let cells: Vec<String> = cells.iter().map(|c| escaped(&c.to_string())).collect();
                self.line(&cells.join("\t"))
            }
            Output::Json => {
                let values: Vec<serde_json::Value> = cells.iter().map(json).collect();
                let comma = if self.rows > 1 { "," } else { "" };
                self.out
                    .write_all(format!("{comma}{}", serde_json::Value::from(values)).as_bytes())
                    .map_err(lost)
            }
            Output::Table if self.widths.is_some() => self.table_body(&cells),
            Output::Table => {
                self.waiting.push(cells);
                if self.waiting.len() >= LOOKED_AT { self.table_head() } else { Ok(()) }
            }
        }
    }

    /// The result set ends.
    pub(crate) fn ended(&mut self) -> Written {
        match self.output {
            Output::Tsv => Ok(()),
            Output::Json => self.line("]}"),
            Output::Table => {
                if self.widths.is_none() {
                    self.table_head()?;
                }
                self.changed(self.rows)
            }
        }
    }

    /// A statement without result set changed rows.
    pub(crate) fn changed(&mut self, rows: u64) -> Written {
        match self.output {
            Output::Table => {
                let text =
                    if rows == 1 { "(1 row affected)".to_owned() } else { format!("({rows} rows affected)") };
                self.line(&format!("\n{text}"))
            }
            Output::Json | Output::Tsv => Ok(()),
        }
    }

    fn table_head(&mut self) -> Written {
        let rows = std::mem::take(&mut self.waiting);
        let width = |text: &str| text.chars().count().min(WIDTH_MAX);
        let mut widths: Vec<usize> = self.columns.iter().map(|c| width(&c.name).max(1)).collect();
        for row in &rows {
            for (cell, most) in row.iter().zip(&mut widths) {
                *most = (*most).max(width(&cell.to_string()));
            }
        }
        self.widths = Some(widths);
        self.told = 0;
        if self.table.headings >= 0 {
            self.heading()?;
        }
        rows.iter().try_for_each(|row| self.table_body(row))
    }

    fn heading(&mut self) -> Written {
        let tight = self.table.tight;
        let widths = self.widths.clone().unwrap_or_default();
        let names: Vec<Value> = self.columns.iter().map(|c| Value::Text(c.name.clone())).collect();
        let dashes = self.columns.iter().zip(widths).map(|(c, width)| {
            Value::Text("-".repeat(if tight { c.name.chars().count().max(1) } else { width }))
        });
        let dashes: Vec<Value> = dashes.collect();
        self.table_row(&names)?;
        self.table_row(&dashes)
    }

    /// A row, after the heading if it is time for it again.
    fn table_body(&mut self, cells: &[Value]) -> Written {
        if self.table.headings > 0 && self.told > 0 && self.told % self.table.headings == 0 {
            self.line("")?;
            self.heading()?;
        }
        self.told += 1;
        self.table_row(cells)
    }

    fn table_row(&mut self, cells: &[Value]) -> Written {
        let widths = self.widths.clone().unwrap_or_default();
        let cell = |((cell, column), width): ((&Value, &ColumnInfo), usize)| {
            let text = cell.to_string().replace(['\r', '\n'], " ");
            match (self.table.tight, column.numeric) {
                (true, _) => text.trim_end().to_owned(),
                (false, true) => format!("{text:>width$}"),
                (false, false) => format!("{text:<width$}"),
            }
        };
        let line: Vec<String> = cells.iter().zip(&self.columns).zip(widths).map(cell).collect();
        let line = line.join(&self.table.separator);
        let line = if self.table.separator == " " { line.trim_end() } else { &line };
        self.line(line)
    }

    /// An error or message. Those of PRINT are part of the output, as in sqlcmd; errors go to stderr.
    pub(crate) fn message(&mut self, m: &ServerError) -> Written {
        self.out.flush().map_err(lost)?;
        if !m.is_error() {
            return match self.output {
                Output::Table => self.line(&m.message),
                Output::Json | Output::Tsv => to_stderr(&m.message),
            };
        }
        let procedure = m.procedure.as_deref().map(|p| format!(", Procedure {p}")).unwrap_or_default();
        let line = if m.line > 0 { format!(", Line {}", m.line) } else { String::new() };
        to_stderr(&format!(
            "Msg {}, Level {}, State {}{procedure}{line}\n{}",
            m.number, m.class, m.state, m.message
        ))
    }

    /// An error that is not the server's.
    pub(crate) fn complain(&mut self, text: &str) -> Written {
        self.out.flush().map_err(lost)?;
        to_stderr(text)
    }

    pub(crate) fn finish(&mut self) -> Written {
        self.out.flush().map_err(lost)
    }
}

fn to_stderr(text: &str) -> Written {
    writeln!(std::io::stderr(), "{text}").map_err(lost)
}

/// What would end a cell or a line of TSV is written as an escape.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\t', "\\t").replace('\n', "\\n").replace('\r', "\\r")
}

fn json(cell: &Value) -> serde_json::Value {
    match cell {
        Value::Null => serde_json::Value::Null,
        Value::Bit(on) => (*on).into(),
        Value::Int(n) if n.unsigned_abs() < 1 << 53 => (*n).into(),
        // Numbers that JSON's readers would round are text.
        Value::Int(_) | Value::Real(_) | Value::Float(_) | Value::Decimal(_) => {
            let text = cell.to_string();
            let whole = text.parse::<i64>().ok().filter(|n| n.unsigned_abs() < 1 << 53);
            let number = || text.parse::<f64>().ok().filter(|f| f.to_string() == text);
            match whole {
                Some(n) => n.into(),
                None => number()
                    .and_then(serde_json::Number::from_f64)
                    .map_or_else(|| text.as_str().into(), serde_json::Value::Number),
            }
        }
        Value::Text(_)
        | Value::Bytes(_)
        | Value::Date(_)
        | Value::Time(_)
        | Value::DateTime(_)
        | Value::DateTimeOffset(_)
        | Value::Guid(_)
        | Value::Xml(_)
        | Value::Json(_) => cell.to_string().into(),
    }
}
