//! T-SQL: lexer, parser, syntax tree, printer. No I/O.
