//! Names and texts of any kind stay what they are between SQL's quotes.

use milink_core::script::tsql;
use proptest::prelude::*;

/// What SQL Server reads between two quotes, and what is left over after them.
fn read(text: &str, open: &str, close: char) -> (String, String) {
    let mut rest = text.strip_prefix(open).unwrap().chars().peekable();
    let mut out = String::new();
    while let Some(c) = rest.next() {
        if c != close {
            out.push(c);
        } else if rest.peek() == Some(&close) {
            rest.next();
            out.push(close);
        } else {
            return (out, rest.collect());
        }
    }
    panic!("{text} does not end");
}

proptest! {
    #[test]
    fn a_name_is_read_as_it_was_meant(name in ".*") {
        prop_assert_eq!(read(&tsql::name(&name), "[", ']'), (name, String::new()));
    }

    #[test]
    fn a_text_is_read_as_it_was_meant(text in ".*") {
        prop_assert_eq!(read(&tsql::text(&text), "N'", '\''), (text, String::new()));
    }

    #[test]
    fn names_of_quotes_alone(name in "[\\[\\]'\"-]{0,20}") {
        prop_assert_eq!(read(&tsql::name(&name), "[", ']').0, name.clone());
        prop_assert_eq!(read(&tsql::text(&name), "N'", '\'').0, name);
    }
}
