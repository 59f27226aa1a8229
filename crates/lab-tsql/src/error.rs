//! Why a batch cannot be parsed, as SQL Server says it.

/// A syntax error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    /// SQL Server's message number.
    pub number: i32,
    /// Its severity.
    pub class: u8,
    /// Its state.
    pub state: u8,
    /// The line in the batch, from 1.
    pub line: u32,
    /// The text.
    pub message: String,
}

impl ParseError {
    pub(crate) fn new(number: i32, class: u8, state: u8, line: u32, message: String) -> ParseError {
        ParseError { number, class, state, line, message }
    }
}

impl std::fmt::Display for ParseError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Msg {}, Level {}, State {}, Line {}: {}",
            self.number, self.class, self.state, self.line, self.message
        )
    }
}

impl std::error::Error for ParseError {}
