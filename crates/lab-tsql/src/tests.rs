//! The corpora, the drivers' first batches, and errors.

mod hadr;

use crate::ast::StatementKind;
use crate::{ParseOptions, parse_batch};

fn batches(name: &str) -> Vec<String> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus").join(name);
    let bytes = std::fs::read(&path).expect("the corpus lies beside the project");
    let text: String = bytes.iter().map(|b| *b as char).collect();
    let text = text.trim_start_matches("ï»¿").to_owned();
    let mut out = vec![String::new()];
    for line in text.lines() {
        if line.trim().eq_ignore_ascii_case("go") {
            out.push(String::new());
        } else if let Some(last) = out.last_mut() {
            last.push_str(line);
            last.push('\n');
        }
    }
    out
}

#[test]
fn the_corpora_parse_without_an_error_or_an_unknown_statement() {
    for name in ["Chinook_SqlServer.sql", "instnwnd.sql"] {
        let mut statements = 0;
        for (n, batch) in batches(name).iter().enumerate() {
            let parsed = parse_batch(batch, &ParseOptions { quoted_identifier: true });
            let parsed = parsed.unwrap_or_else(|e| {
                panic!("{name}, batch {n}: {e}\n{}", batch.chars().take(600).collect::<String>())
            });
            for statement in &parsed.statements {
                if let StatementKind::Unsupported(what) = &statement.kind {
                    panic!("{name}, batch {n}: {what} is not supported");
                }
            }
            statements += parsed.statements.len();
        }
        assert!(statements > 50, "{name}: only {statements} statements");
    }
}

#[test]
fn drivers_first_batches_need_no_separators() {
    for batch in [
        "SELECT @@MAX_PRECISION SET TRANSACTION ISOLATION LEVEL READ COMMITTED SET IMPLICIT_TRANSACTIONS OFF SET QUOTED_IDENTIFIER ON SET TEXTSIZE 2147483647",
        "set ansi_nulls on\nset ansi_null_dflt_on on\nset ansi_padding on\nset arithabort on\nset datefirst 7\nset dateformat mdy\nset language us_english\nset nocount off\nset textsize 2147483647\nset transaction isolation level read committed\nset xact_abort off",
        "sp_datatype_info_100 -9,3",
        "IF @@TRANCOUNT > 0 COMMIT TRAN",
        "SET ARITHABORT ON; SET LOCK_TIMEOUT -1",
    ] {
        parse_batch(batch, &ParseOptions::default()).unwrap_or_else(|e| panic!("{batch}: {e}"));
    }
}

#[test]
fn errors_have_sql_servers_number_line_and_wording() {
    for (batch, wanted) in [
        ("SELECT 1\nSELEC 2", "Msg 102, Level 15, State 1, Line 2: Incorrect syntax near '2'."),
        ("SELECT FROM t", "Msg 156, Level 15, State 1, Line 1: Incorrect syntax near the keyword 'FROM'."),
        (
            "PRINT 'abc",
            "Msg 105, Level 15, State 1, Line 1: Unclosed quotation mark after the character string 'abc'.",
        ),
        ("/* a /* b */", "Msg 113, Level 15, State 1, Line 1: Missing end comment mark '*/'."),
        (
            "SELECT 1\nCREATE VIEW v AS SELECT 1 AS a",
            "Msg 111, Level 15, State 1, Line 2: 'CREATE VIEW' must be the first statement in a query batch.",
        ),
        ("SELECT (1", "Msg 102, Level 15, State 1, Line 1: Incorrect syntax near '1'."),
    ] {
        let error = parse_batch(batch, &ParseOptions::default()).expect_err(batch);
        assert_eq!(error.to_string(), wanted, "{batch}");
    }
}

#[test]
fn hostile_nesting_is_refused_and_does_not_exhaust_the_stack() {
    for text in [
        "(".repeat(50_000),
        format!("SELECT {}", "-".to_string() + &"(".repeat(50_000)),
        "BEGIN ".repeat(50_000),
        format!("SELECT {}1", "NOT ".repeat(50_000)),
    ] {
        assert!(parse_batch(&text, &ParseOptions::default()).is_err());
    }
}

#[test]
fn no_cut_of_the_corpus_makes_the_parser_panic() {
    for name in ["Chinook_SqlServer.sql", "instnwnd.sql"] {
        for batch in batches(name).iter().filter(|b| b.len() < 4000) {
            for cut in (0..batch.len()).step_by(7) {
                if let Some(head) = batch.get(..cut) {
                    parse_batch(head, &ParseOptions::default()).ok();
                }
            }
        }
    }
}

#[test]
fn parentheses_in_from_hold_a_query_or_a_table_and_take_no_time_to_tell() {
    let parses = |text: &str| parse_batch(text, &ParseOptions::default()).is_ok();
    assert!(parses("SELECT * FROM ((SELECT 1 AS a) UNION ALL (SELECT 2)) AS t"));
    assert!(parses("SELECT * FROM (((SELECT 1 AS a))) AS t"));
    assert!(parses("SELECT * FROM ((SELECT 1 AS a) AS t JOIN (SELECT 1 AS a) AS u ON t.a = u.a)"));
    assert!(parses(
        "SELECT * FROM (((SELECT 1 AS a) UNION (SELECT 2)) AS t CROSS JOIN (u JOIN v ON u.a = v.a))"
    ));
    assert!(!parses("SELECT * FROM ((SELECT 1 AS a) UNION ALL (SELECT 2))"), "without a name");
    // Found by fuzzing: each attempt at a query was followed by one at a table.
    let level = format!("SELECT 1 UNION ALL SELECT n FROM{}", "(".repeat(12));
    assert!(!parses(&level.repeat(8)));
}
