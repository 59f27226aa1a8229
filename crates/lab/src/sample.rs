//! The sample databases, as their authors publish them (see `demo/` for their licences).

use crate::settings::Sample;

const CHINOOK: &str = include_str!("../../../demo/Chinook_SqlServer.sql");
const NORTHWIND: &str = include_str!("../../../demo/Northwind_SqlServer.sql");

/// The batches that make a sample. A load that was broken off leaves a database, which is made anew.
pub(crate) fn batches(sample: Sample) -> Vec<String> {
    match sample {
        Sample::None => Vec::new(),
        // It drops and makes its database by itself.
        Sample::Chinook => split(CHINOOK),
        Sample::Northwind => {
            let begin = ["DROP DATABASE IF EXISTS Northwind", "CREATE DATABASE Northwind", "USE Northwind"];
            begin.into_iter().map(str::to_owned).chain(split(NORTHWIND)).collect()
        }
    }
}

/// Splits a script where a client would: at lines that say GO.
fn split(text: &str) -> Vec<String> {
    let text = text.trim_start_matches('\u{feff}');
    let mut out = vec![String::new()];
    for line in text.lines() {
        if line.trim().eq_ignore_ascii_case("go") {
            out.push(String::new());
        } else if let Some(last) = out.last_mut() {
            last.push_str(line);
            last.push('\n');
        }
    }
    out.retain(|batch| !batch.trim().is_empty());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_split_at_go() {
        assert_eq!(split("\u{feff}a\nGO\n\n  go \nb\nc"), ["a\n", "b\nc\n"]);
        assert!(batches(Sample::Chinook).len() > 20 && batches(Sample::Northwind).len() > 50);
    }
}
