//! Tables: what a document looks like to people, and cell by cell to scripts as TSV.

use std::fmt::Write as _;

use comfy_table::{
    Attribute, CellAlignment, Color, ContentArrangement, ContentLineStyle, LineStyle, TableStyle,
};

/// How a cell is meant. Colour only repeats what the text says, so that nothing is lost without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Tone {
    /// As it is.
    #[default]
    Plain,
    /// As it should be.
    Good,
    /// Worth a look.
    Warning,
    /// Wrong.
    Bad,
    /// Of less weight: unknown, skipped.
    Faint,
}

/// One value. There is no way to make one of a secret: that type has neither `Display` nor a conversion to text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Cell {
    text: String,
    tone: Tone,
    /// Aligned to the right.
    number: bool,
}

impl Cell {
    /// A value that is meant in a certain way.
    pub(crate) fn toned(text: impl Into<String>, tone: Tone) -> Cell {
        Cell { text: text.into(), tone, number: false }
    }

    /// A number, or a quantity with its unit.
    pub(crate) fn number(value: impl ToString) -> Cell {
        Cell { text: value.to_string(), tone: Tone::Plain, number: true }
    }

    /// The same cell, meant otherwise.
    pub(crate) fn with(self, tone: Tone) -> Cell {
        Cell { tone, ..self }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Cell {
        Cell::toned(text, Tone::Plain)
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Cell {
        Cell::toned(text, Tone::Plain)
    }
}

impl From<&String> for Cell {
    fn from(text: &String) -> Cell {
        Cell::toned(text.as_str(), Tone::Plain)
    }
}

/// What is not known, or not there, is an empty cell.
impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Cell {
        value.map(Into::into).unwrap_or_default()
    }
}

macro_rules! numbers {
    ($($type:ty),*) => {
        $(impl From<$type> for Cell {
            fn from(value: $type) -> Cell {
                Cell::number(value)
            }
        })*
    };
}
numbers!(u8, u16, u32, u64, usize, i32, i64, f64);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Body {
    /// Columns with names.
    Columns(Vec<String>),
    /// A name and its value on each line.
    Pairs,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Section {
    heading: Option<String>,
    body: Body,
    rows: Vec<Vec<Cell>>,
    /// What is said if there are no rows.
    empty: Option<String>,
}

/// One table, or several under headings.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Table {
    sections: Vec<Section>,
}

impl Table {
    fn of(body: Body) -> Table {
        Table { sections: vec![Section { heading: None, body, rows: Vec::new(), empty: None }] }
    }

    /// A table with named columns.
    pub(crate) fn new<N: Into<String>>(columns: impl IntoIterator<Item = N>) -> Table {
        Table::of(Body::Columns(columns.into_iter().map(Into::into).collect()))
    }

    /// Names and values, one to a line: one thing and what is known of it.
    pub(crate) fn pairs() -> Table {
        Table::of(Body::Pairs)
    }

    /// Adds a row to the last section.
    pub(crate) fn row<C: Into<Cell>>(&mut self, cells: impl IntoIterator<Item = C>) -> &mut Table {
        if let Some(section) = self.sections.last_mut() {
            section.rows.push(cells.into_iter().map(Into::into).collect());
        }
        self
    }

    /// Adds a name and its value to the last section.
    pub(crate) fn pair(&mut self, name: &str, value: impl Into<Cell>) -> &mut Table {
        self.row([Cell::from(name), value.into()])
    }

    /// What stands above the last section.
    pub(crate) fn under(mut self, heading: impl Into<String>) -> Table {
        if let Some(section) = self.sections.last_mut() {
            section.heading = Some(heading.into());
        }
        self
    }

    /// What the last section says if it has no rows.
    pub(crate) fn or_say(mut self, empty: impl Into<String>) -> Table {
        if let Some(section) = self.sections.last_mut() {
            section.empty = Some(empty.into());
        }
        self
    }

    /// Another table below this one.
    pub(crate) fn and(mut self, other: Table) -> Table {
        self.sections.extend(other.sections);
        self
    }

    /// The text for a terminal of that width; without a width, each row is one line however long.
    pub(super) fn text(&self, width: Option<u16>, color: bool) -> String {
        let mut out = String::new();
        for section in &self.sections {
            if !out.is_empty() {
                out.push('\n');
            }
            if let Some(heading) = &section.heading {
                // Writing to a string cannot fail, here and below.
                writeln!(out, "{}", bold(&safe(heading), color)).unwrap_or(());
            }
            match (&section.body, section.rows.is_empty(), &section.empty) {
                (_, true, Some(empty)) => writeln!(out, "{empty}").unwrap_or(()),
                (Body::Pairs, ..) => out.push_str(&section.lines(&[], width, color)),
                (Body::Columns(names), ..) if width.is_some_and(|w| section.crowds(names, w)) => {
                    out.push_str(&section.records(names, width, color));
                }
                (Body::Columns(names), ..) => out.push_str(&section.lines(names, width, color)),
            }
        }
        out
    }

    /// As az has it: the values of a row between tabs, without a heading. What would end a cell or a row is
    /// written as an escape.
    pub(super) fn tsv(&self) -> String {
        let mut out = String::new();
        for row in self.sections.iter().flat_map(|s| &s.rows) {
            let cells: Vec<String> = row.iter().map(|c| escaped(&c.text)).collect();
            writeln!(out, "{}", cells.join("\t")).unwrap_or(());
        }
        out
    }
}

/// Below this width a column is no longer read with pleasure.
const COLUMN_WIDTH_MIN: usize = 7;

impl Section {
    /// Whether the columns would be squeezed too much.
    fn crowds(&self, names: &[String], width: u16) -> bool {
        let natural = |i: usize, name: &String| {
            let cells = self.rows.iter().filter_map(|r| r.get(i)).map(|c| c.text.chars().count());
            cells.chain([name.chars().count()]).max().unwrap_or_default()
        };
        let wanted = |(i, name)| natural(i, name).min(COLUMN_WIDTH_MIN) + 2;
        names.iter().enumerate().map(wanted).sum::<usize>() > usize::from(width) + 2
    }

    /// Rows in columns; pairs have no names of columns.
    fn lines(&self, names: &[String], width: Option<u16>, color: bool) -> String {
        let mut table = comfy_table::Table::new();
        table.load_style(STYLE).force_no_tty();
        if color {
            table.enforce_styling();
        }
        if let Some(width) = width {
            table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
        }
        if !names.is_empty() {
            let head = |n: &String| comfy_table::Cell::new(safe(n)).add_attribute(Attribute::Bold);
            table.set_header(names.iter().map(head).collect::<Vec<_>>());
        }
        for row in &self.rows {
            // A row on one line can be searched for; only a terminal gets several.
            let shown = row.iter().map(|c| c.shown(width.is_some()));
            table.add_row(shown.collect::<Vec<_>>());
        }
        let last = table.column_count().saturating_sub(1);
        for (i, column) in table.column_iter_mut().enumerate() {
            column.set_padding((0, u16::from(i != last)));
        }
        format!("{}\n", table.trim_fmt())
    }

    /// Each row as names and values: what a narrow terminal gets of many columns.
    fn records(&self, names: &[String], width: Option<u16>, color: bool) -> String {
        let record = |row: &Vec<Cell>| {
            let rows = names.iter().zip(row).map(|(n, c)| vec![Cell::from(n), c.clone()]).collect();
            Section { heading: None, body: Body::Pairs, rows, empty: None }.lines(&[], width, color)
        };
        self.rows.iter().map(record).collect::<Vec<_>>().join("\n")
    }
}

/// A line of dashes below the names, and two blanks between columns.
const STYLE: TableStyle = TableStyle::new()
    .header_lines(ContentLineStyle::none().junction(' '))
    .header_separator(LineStyle::none().fill('-').junction(' '))
    .content_lines(ContentLineStyle::none().junction(' '));

impl Cell {
    fn shown(&self, lines: bool) -> comfy_table::Cell {
        let text =
            if lines { self.text.lines().map(safe).collect::<Vec<_>>().join("\n") } else { safe(&self.text) };
        let cell = comfy_table::Cell::new(text);
        let cell = if self.number { cell.set_alignment(CellAlignment::Right) } else { cell };
        match self.tone {
            Tone::Plain => cell,
            Tone::Good => cell.fg(Color::Green),
            Tone::Warning => cell.fg(Color::Yellow),
            Tone::Bad => cell.fg(Color::Red),
            Tone::Faint => cell.add_attribute(Attribute::Dim),
        }
    }
}

pub(super) fn bold(text: &str, color: bool) -> String {
    if color { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() }
}

/// Names come from servers: none may steer the terminal that shows it.
pub(super) fn safe(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' => out.push(' '),
            c if c.is_control() => out.extend(c.escape_default()),
            c => out.push(c),
        }
    }
    out
}

fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('\t', "\\t").replace('\n', "\\n").replace('\r', "\\r");
    safe(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings() -> Table {
        let mut table = Table::new(["Check", "Status", "Seen", "Bytes"]);
        table.row([
            Cell::from("recovery model"),
            Cell::toned("failed", Tone::Bad),
            "SIMPLE; a link needs FULL, because the log is what it ships".into(),
            Cell::number(1_234_567),
        ]);
        table.row([Cell::from("collation"), Cell::toned("ok", Tone::Good), "same".into(), 8_u64.into()]);
        table
    }

    #[test]
    fn without_a_terminal_a_row_is_a_line() {
        assert_eq!(
            findings().text(None, false),
            "Check           Status  Seen                                                         Bytes\n\
             --------------- ------- ------------------------------------------------------------ -------\n\
             recovery model  failed  SIMPLE; a link needs FULL, because the log is what it ships  1234567\n\
             collation       ok      same                                                               8\n"
        );
    }

    #[test]
    fn it_fits_the_terminal() {
        for width in [20_u16, 30, 40, 60, 80, 120] {
            let text = findings().text(Some(width), false);
            for line in text.lines() {
                assert!(line.chars().count() <= usize::from(width), "{width}:\n{text}");
            }
            assert!(text.contains("SIMPLE"), "{text}");
        }
    }

    #[test]
    fn colour_is_only_added() {
        let text = findings().text(None, true);
        assert!(text.contains("\x1b[31m") || text.contains("38;5;9m"), "{text:?}");
        let mut bare = String::new();
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once('\x1b') {
            bare.push_str(before);
            rest = after.split_once('m').unwrap().1;
        }
        bare.push_str(rest);
        let trimmed: String = bare.lines().map(|l| format!("{}\n", l.trim_end())).collect();
        assert_eq!(trimmed, findings().text(None, false));
    }

    #[test]
    fn names_cannot_steer_the_terminal() {
        let mut table = Table::pairs().under("a\x1b[2J");
        table.pair("name", "x\x1b]0;owned\x07y");
        let text = table.text(Some(80), false);
        assert!(!text.contains('\x1b') && !text.contains('\x07'), "{text:?}");
        assert!(!table.tsv().contains('\x1b'));
    }

    #[test]
    fn tsv_has_no_heading_and_keeps_its_columns() {
        let mut table = Table::new(["a", "b"]);
        table.row(["x\ty", "line\nline"]);
        table.row([Cell::from(None::<String>), Cell::number(3)]);
        assert_eq!(table.tsv(), "x\\ty\tline\\nline\n\t3\n");
    }

    #[test]
    fn sections_stand_apart() {
        let mut link = Table::pairs().under("orders");
        link.pair("state", Cell::toned("healthy", Tone::Good)).pair("mode", "Synchronous");
        let text = link.and(Table::new(["Database"]).under("Databases").or_say("none")).text(None, false);
        assert_eq!(text, "orders\nstate  healthy\nmode   Synchronous\n\nDatabases\nnone\n");
    }
}
