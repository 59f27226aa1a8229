//! Lines of JSON whose length is bounded.

use std::io::{self, BufRead, Read as _, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// More than the longest honest line (an instance with hundreds of links).
const LINE_MAX: u64 = 16 << 20;

/// The next line as a value; nothing at the end.
///
/// # Errors
/// The line is too long, or no such value. What comes after is of no use.
pub(super) fn read<T: DeserializeOwned>(input: &mut impl BufRead) -> io::Result<Option<T>> {
    read_within(input, LINE_MAX)
}

fn read_within<T: DeserializeOwned>(input: &mut impl BufRead, most: u64) -> io::Result<Option<T>> {
    let mut line = Vec::new();
    let read = input.by_ref().take(most).read_until(b'\n', &mut line)?;
    if read == 0 {
        return Ok(None);
    }
    if line.last() != Some(&b'\n') && read as u64 == most {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a line of more than {most} bytes")));
    }
    serde_json::from_slice(&line).map(Some).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))
}

/// Writes a value as a line.
///
/// # Errors
/// The other end is gone.
pub(super) fn write<T: Serialize>(output: &mut impl Write, value: &T) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    output.write_all(&line)?;
    output.flush()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;

    #[test]
    fn lines_there_and_back() {
        let mut out = Vec::new();
        write(&mut out, &vec!["a\nb"]).unwrap();
        write(&mut out, &vec!["c"]).unwrap();
        let mut input = &out[..];
        assert_eq!(read::<Vec<String>>(&mut input).unwrap(), Some(vec!["a\nb".to_owned()]));
        assert_eq!(read::<Vec<String>>(&mut input).unwrap(), Some(vec!["c".to_owned()]));
        assert_eq!(read::<Vec<String>>(&mut input).unwrap(), None);
    }

    #[test]
    fn a_line_without_end_is_refused() {
        assert!(read_within::<String>(&mut &b"\"0123456789\"\n"[..], 8).is_err());
        assert!(read_within::<String>(&mut &b"nonsense\n"[..], 80).is_err());
    }
}
