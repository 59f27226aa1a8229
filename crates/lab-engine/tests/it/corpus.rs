//! The real databases, unedited.

use crate::{Lab, rows, run};

/// Splits a script where a client would: at lines that say GO.
fn batches(text: &str) -> Vec<String> {
    let mut out = vec![String::new()];
    for line in text.lines() {
        if line.trim().eq_ignore_ascii_case("go") {
            out.push(String::new());
        } else {
            let last = out.last_mut().unwrap();
            last.push_str(line);
            last.push('\n');
        }
    }
    out
}

fn corpus(name: &str) -> Option<String> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus").join(name);
    let bytes = std::fs::read(path).ok()?;
    Some(if let Some(rest) = bytes.strip_prefix(&[0xFF, 0xFE]) {
        let units: Vec<u16> = rest.chunks_exact(2).map(|c| u16::from_le_bytes([c[0], c[1]])).collect();
        String::from_utf16(&units).unwrap()
    } else {
        String::from_utf8(bytes.clone())
            .unwrap_or_else(|_| lab_engine::types::decode_code_page(&bytes))
            .trim_start_matches('\u{feff}')
            .to_owned()
    })
}

fn load(lab: &Lab, before: &str, name: &str) -> lab_engine::Session {
    let mut session = lab.session();
    for batch in before.split(';') {
        rows(&mut session, batch);
    }
    let text = corpus(name).expect("the corpus lies beside the project");
    for (n, batch) in batches(&text).iter().enumerate() {
        let answers = run(&mut session, batch);
        let head: String = batch.chars().take(300).collect();
        assert!(answers.errors.is_empty(), "batch {n}: {:#?}\n{head}", answers.errors);
    }
    session
}

#[test]
fn chinook_loads() {
    let lab = Lab::new();
    let mut s = load(&lab, "", "Chinook_SqlServer.sql");
    assert_eq!(rows(&mut s, "SELECT COUNT(*) FROM Track"), ["3503"]);
    assert_eq!(rows(&mut s, "SELECT TOP 1 Name FROM Artist ORDER BY ArtistId"), ["AC/DC"]);
    assert_eq!(
        rows(&mut s, "SELECT COUNT(*) FROM InvoiceLine il JOIN Invoice i ON i.InvoiceId = il.InvoiceId"),
        ["2240"]
    );
    assert_eq!(rows(&mut s, "SELECT SUM(Total) FROM Invoice"), ["2328.60"]);
}

#[test]
fn northwind_loads() {
    let lab = Lab::new();
    let mut s = load(&lab, "CREATE DATABASE Northwind;USE Northwind", "instnwnd.sql");
    assert_eq!(rows(&mut s, "USE Northwind SELECT COUNT(*) FROM Orders"), ["830"]);
    assert_eq!(rows(&mut s, "SELECT COUNT(*) FROM [Order Details]"), ["2155"]);
    assert_eq!(rows(&mut s, "EXEC CustOrdersOrders 'ALFKI'").len(), 6);
    assert_eq!(
        rows(&mut s, "SELECT TOP 3 ProductName FROM [Alphabetical list of products] ORDER BY ProductName"),
        ["Aniseed Syrup", "Boston Crab Meat", "Camembert Pierrot"]
    );
}
