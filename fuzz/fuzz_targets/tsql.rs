//! Whatever is sent as T-SQL: the parser answers with a tree or an error, and never more than the stack holds.
#![no_main]

use lab_tsql::{ParseOptions, parse_batch, parse_data_type, parse_expression, parse_parameters};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let text = String::from_utf8_lossy(input);
    for quoted_identifier in [true, false] {
        let options = ParseOptions { quoted_identifier };
        if let Err(e) = parse_batch(&text, &options) {
            assert!(e.to_string().len() < 64 * 1024, "an error as long as a book");
        }
        drop(parse_expression(&text, &options));
    }
    drop(parse_data_type(&text));
    drop(parse_parameters(&text));
});
