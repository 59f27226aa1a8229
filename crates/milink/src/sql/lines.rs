//! Where a script's lines come from: a text, or standard input as it is typed or piped.

use std::io::{BufRead as _, IsTerminal as _, Read as _, Write as _};

use super::terminal::Terminal;

/// The lines of a script, as they are needed.
#[derive(Debug)]
pub(super) enum Lines {
    /// All there already, last line first.
    Read(Vec<String>),
    /// Standard input; whether somebody types it.
    Input { typed: bool },
    /// A terminal on which lines can be edited and found again.
    Terminal(Box<Terminal>),
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    Text(String),
    /// Whoever types gives up what was typed since the last GO.
    Cancel,
    End,
}

impl Lines {
    pub(super) fn of(text: &str) -> Lines {
        Lines::Read(text.lines().rev().map(str::to_owned).collect())
    }

    pub(super) fn standard_input() -> Lines {
        let typed = std::io::stdin().is_terminal();
        let terminal = if typed && std::io::stdout().is_terminal() { Terminal::open() } else { None };
        terminal.map_or(Lines::Input { typed }, |t| Lines::Terminal(Box::new(t)))
    }

    pub(super) fn is_typed(&self) -> bool {
        matches!(self, Lines::Input { typed: true } | Lines::Terminal(_))
    }

    /// The next line; `number` is its number in the batch, which whoever types sees.
    pub(super) fn next(&mut self, number: usize) -> Result<Line, String> {
        let typed = match self {
            Lines::Read(lines) => return Ok(lines.pop().map_or(Line::End, Line::Text)),
            Lines::Terminal(terminal) => return terminal.line(&format!("{number}> ")),
            Lines::Input { typed } => *typed,
        };
        if typed {
            let mut err = std::io::stderr();
            // A prompt that nobody sees is no reason to stop.
            drop(write!(err, "{number}> ").and_then(|()| err.flush()));
        }
        let wrong = |e: std::io::Error| format!("standard input: {e}");
        let mut input = std::io::stdin().lock();
        let mut line = Vec::new();
        if input.read_until(b'\n', &mut line).map_err(wrong)? == 0 {
            return Ok(Line::End);
        }
        if line.starts_with(&[0xFF, 0xFE]) || line.starts_with(&[0xFE, 0xFF]) {
            // UTF-16 has its line ends elsewhere: it is read as a whole.
            input.read_to_end(&mut line).map_err(wrong)?;
            *self = Lines::of(&decode(&line).map_err(|e| format!("standard input {e}"))?);
            return self.next(number);
        }
        let text = decode(&line).map_err(|e| format!("standard input {e}"))?;
        Ok(Line::Text(text.trim_end_matches(['\r', '\n']).to_owned()))
    }
}

/// A script's bytes as text: UTF-8, UTF-16 with its mark, or Windows-1252.
///
/// # Errors
/// What the bytes are, if they are no text: SQL made of them would be an error far from its cause.
pub(super) fn decode(bytes: &[u8]) -> Result<String, String> {
    let units = |bytes: &[u8], from: fn([u8; 2]) -> u16| -> String {
        let units: Vec<u16> = bytes.chunks_exact(2).map(|c| from([c[0], c[1]])).collect();
        String::from_utf16_lossy(&units)
    };
    let text = if let Some(rest) = bytes.strip_prefix(&[0xFF, 0xFE]) {
        units(rest, u16::from_le_bytes)
    } else if let Some(rest) = bytes.strip_prefix(&[0xFE, 0xFF]) {
        units(rest, u16::from_be_bytes)
    } else {
        let bytes = bytes.strip_prefix(&[0xEF, 0xBB, 0xBF]).unwrap_or(bytes);
        String::from_utf8(bytes.to_vec()).unwrap_or_else(|_| lab_engine::types::decode_code_page(bytes))
    };
    if text.contains('\0') {
        return Err("is no text: it has NUL bytes (UTF-16 needs its byte order mark)".to_owned());
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_in_several_encodings() {
        assert_eq!(decode(b"\xFF\xFEa\0\xE9\0").as_deref(), Ok("aé"));
        assert_eq!(decode("\u{feff}é".as_bytes()).as_deref(), Ok("é"));
        assert_eq!(decode(b"\xE9").as_deref(), Ok("é"));
        assert!(decode(b"a\0").is_err());
    }
}
