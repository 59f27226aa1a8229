//! Frames: how messages lie in the decrypted stream.
//!
//! | field | bytes | |
//! |---|---|---|
//! | length | 4 | little-endian; at most [`FRAME_MAX`] |
//! | payload | length | |
//!
//! A length of `FFFFFFFF` begins a goodbye instead: one more length (at most [`GOODBYE_MAX`]), then why the sender ends the
//! connection: an error number (4, little-endian) and its text (UTF-8). It is the last thing that a side sends.

use super::failure::printable;

/// The longest frame.
pub const FRAME_MAX: usize = 64 << 20;
/// The longest goodbye.
pub const GOODBYE_MAX: usize = 1024;
/// What stands in the place of a length before a goodbye.
const GOODBYE: u32 = u32::MAX;
/// What a frame may take before its bytes have come. More is taken only as they come: at most twice of what is there.
const ROOM: usize = 64 << 10;

/// Why a peer ends the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Goodbye {
    /// The number of the error.
    pub number: i32,
    /// Its text.
    pub text: String,
}

impl Goodbye {
    /// The bytes that carry it. A text that is too long is cut.
    pub fn encode(&self) -> Vec<u8> {
        let text = cut(&self.text, GOODBYE_MAX - 4);
        let mut bytes = Vec::with_capacity(12 + text.len());
        bytes.extend_from_slice(&GOODBYE.to_le_bytes());
        bytes.extend_from_slice(&(text.len() as u32 + 4).to_le_bytes());
        bytes.extend_from_slice(&self.number.to_le_bytes());
        bytes.extend_from_slice(text.as_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Result<Goodbye, FrameError> {
        let (number, text) = bytes.split_first_chunk().ok_or(FrameError::Goodbye)?;
        let text = std::str::from_utf8(text).map_err(|_| FrameError::Goodbye)?;
        Ok(Goodbye { number: i32::from_le_bytes(*number), text: printable(text) })
    }
}

/// The longest beginning of a text that has at most `most` bytes.
pub(super) fn cut(text: &str, most: usize) -> &str {
    text.get(..text.floor_char_boundary(most)).unwrap_or_default()
}

/// What a peer sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Decoded {
    /// A message.
    Frame(Vec<u8>),
    /// The end, and why.
    Goodbye(Goodbye),
}

/// Why bytes are no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameError {
    /// The length is over what is allowed here.
    TooLong {
        /// What the peer announces.
        length: u32,
        /// What is allowed.
        most: usize,
    },
    /// The goodbye is malformed.
    Goodbye,
}

impl std::fmt::Display for FrameError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            FrameError::TooLong { length, most } => {
                write!(f, "a frame of {length} bytes was announced, at most {most} are allowed")
            }
            FrameError::Goodbye => f.write_str("the goodbye is malformed"),
        }
    }
}

impl std::error::Error for FrameError {}

/// Takes frames out of a stream, whatever the pieces in which it comes.
#[derive(Debug)]
pub struct FrameDecoder {
    most: usize,
    state: State,
}

#[derive(Debug)]
enum State {
    Length { bytes: [u8; 4], have: usize, goodbye: bool },
    Body { length: usize, body: Vec<u8>, goodbye: bool },
}

const START: State = State::Length { bytes: [0; 4], have: 0, goodbye: false };

impl FrameDecoder {
    /// A decoder of frames of at most `most` bytes.
    pub fn new(most: usize) -> FrameDecoder {
        FrameDecoder { most: most.min(FRAME_MAX), state: START }
    }

    /// Whether nothing of a frame has come yet: a stream that ends here was not cut.
    pub fn is_between_frames(&self) -> bool {
        matches!(self.state, State::Length { have: 0, goodbye: false, .. })
    }

    /// Takes bytes until a frame is whole. Says how many it took, and the frame.
    ///
    /// # Errors
    /// The bytes are no frame. Nothing after them can be understood.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(usize, Option<Decoded>), FrameError> {
        let mut rest = bytes;
        loop {
            match &mut self.state {
                State::Length { bytes: length, have, goodbye } => {
                    while let (Some(place), Some((byte, after))) = (length.get_mut(*have), rest.split_first())
                    {
                        *place = *byte;
                        *have += 1;
                        rest = after;
                    }
                    if *have < length.len() {
                        return Ok((bytes.len(), None));
                    }
                    self.state = next(u32::from_le_bytes(*length), *goodbye, self.most)?;
                }
                State::Body { length, body, goodbye } => {
                    let missing = length.saturating_sub(body.len());
                    let (taken, after) = rest.split_at(missing.min(rest.len()));
                    if body.capacity() - body.len() < taken.len() {
                        body.reserve_exact(missing.min(body.len().max(ROOM).max(taken.len())));
                    }
                    body.extend_from_slice(taken);
                    rest = after;
                    if body.len() < *length {
                        return Ok((bytes.len(), None));
                    }
                    let (whole, goodbye) = (std::mem::take(body), *goodbye);
                    self.state = START;
                    let decoded = if !goodbye {
                        Decoded::Frame(whole)
                    } else {
                        Decoded::Goodbye(Goodbye::decode(&whole)?)
                    };
                    return Ok((bytes.len() - rest.len(), Some(decoded)));
                }
            }
        }
    }
}

fn next(length: u32, goodbye: bool, most: usize) -> Result<State, FrameError> {
    let most = if goodbye { GOODBYE_MAX } else { most };
    match length {
        GOODBYE if !goodbye => Ok(State::Length { bytes: [0; 4], have: 0, goodbye: true }),
        length if length as usize > most => Err(FrameError::TooLong { length, most }),
        length => Ok(State::Body { length: length as usize, body: Vec::new(), goodbye }),
    }
}

/// A frame on its way out: parts that leave one after the other, so that a header need not be copied together with a block.
#[derive(Debug, Default, Clone)]
pub struct Frame {
    parts: Vec<Part>,
}

/// Bytes of a frame: its own, or shared with frames to other peers.
#[derive(Debug, Clone)]
pub enum Part {
    /// Owned by this frame.
    Owned(Vec<u8>),
    /// Shared.
    Shared(std::sync::Arc<Vec<u8>>),
}

impl From<Vec<u8>> for Part {
    fn from(bytes: Vec<u8>) -> Part {
        Part::Owned(bytes)
    }
}

impl From<std::sync::Arc<Vec<u8>>> for Part {
    fn from(bytes: std::sync::Arc<Vec<u8>>) -> Part {
        Part::Shared(bytes)
    }
}

impl Part {
    fn bytes(&self) -> &[u8] {
        match self {
            Part::Owned(bytes) => bytes,
            Part::Shared(bytes) => bytes,
        }
    }
}

impl From<Vec<u8>> for Frame {
    fn from(bytes: Vec<u8>) -> Frame {
        Frame { parts: vec![bytes.into()] }
    }
}

impl From<Vec<Vec<u8>>> for Frame {
    fn from(parts: Vec<Vec<u8>>) -> Frame {
        Frame { parts: parts.into_iter().map(Part::Owned).collect() }
    }
}

impl Frame {
    /// A header, and what follows it.
    pub fn new(header: Vec<u8>, body: impl Into<Part>) -> Frame {
        Frame { parts: vec![header.into(), body.into()] }
    }

    /// The bytes of the payload.
    pub fn payload_len(&self) -> usize {
        self.parts.iter().map(|p| p.bytes().len()).sum()
    }

    /// The next bytes to leave, at most `most`, when `gone` bytes (of length and payload) have left.
    pub(super) fn piece<'a>(&'a self, length: &'a [u8; 4], gone: usize, most: usize) -> Vec<&'a [u8]> {
        let mut pieces = Vec::with_capacity(self.parts.len() + 1);
        let (mut skip, mut room) = (gone, most);
        for part in std::iter::once(length.as_slice()).chain(self.parts.iter().map(Part::bytes)) {
            let start = skip.min(part.len());
            skip -= start;
            let end = part.len().min(start.saturating_add(room));
            let piece = part.get(start..end).unwrap_or_default();
            room -= piece.len();
            if !piece.is_empty() {
                pieces.push(piece);
            }
        }
        pieces
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests {
    use super::*;

    fn stream(frames: &[Frame]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for frame in frames {
            let length = (frame.payload_len() as u32).to_le_bytes();
            let mut gone = 0;
            while gone < 4 + frame.payload_len() {
                for piece in frame.piece(&length, gone, 7) {
                    bytes.extend_from_slice(piece);
                    gone += piece.len();
                }
            }
        }
        bytes
    }

    fn decode_all(decoder: &mut FrameDecoder, bytes: &[u8], step: usize) -> Vec<Decoded> {
        let mut decoded = Vec::new();
        for piece in bytes.chunks(step) {
            let mut rest = piece;
            while !rest.is_empty() {
                let (taken, frame) = decoder.feed(rest).unwrap();
                decoded.extend(frame);
                rest = rest.get(taken..).unwrap();
            }
        }
        decoded
    }

    #[test]
    fn frames_come_out_as_they_went_in_whatever_the_pieces() {
        let sent = [
            Frame::from(Vec::<u8>::new()),
            Frame::new(vec![1, 2, 3], vec![4; 300]),
            Frame::from(vec![vec![], vec![9], vec![], vec![8; 20]]),
        ];
        let mut bytes = stream(&sent);
        bytes.extend(Goodbye { number: 35_206, text: "gone\nnow".into() }.encode());
        for step in [1, 2, 3, 5, 64, 4096] {
            let mut decoder = FrameDecoder::new(FRAME_MAX);
            let got = decode_all(&mut decoder, &bytes, step);
            let mut second = vec![1, 2, 3];
            second.extend([4; 300]);
            let mut third = vec![9];
            third.extend([8; 20]);
            assert_eq!(
                got,
                [
                    Decoded::Frame(vec![]),
                    Decoded::Frame(second),
                    Decoded::Frame(third),
                    // Whatever could make a second line of the error log is gone.
                    Decoded::Goodbye(Goodbye { number: 35_206, text: "gone now".into() }),
                ]
            );
            assert!(decoder.is_between_frames());
        }
    }

    #[test]
    fn a_length_alone_allocates_nothing() {
        let mut decoder = FrameDecoder::new(FRAME_MAX);
        decoder.feed(&(FRAME_MAX as u32).to_le_bytes()).unwrap();
        let mut fed = 0;
        for _ in 0..100 {
            decoder.feed(&[7; 1000]).unwrap();
            fed += 1000;
            let State::Body { body, .. } = &decoder.state else { panic!("in the body") };
            assert!(body.capacity() <= (2 * fed).max(ROOM + 1000), "{} for {fed}", body.capacity());
        }
    }

    #[test]
    fn a_length_over_the_bound_is_refused() {
        let length = FRAME_MAX as u32 + 1;
        assert_eq!(
            FrameDecoder::new(usize::MAX).feed(&length.to_le_bytes()),
            Err(FrameError::TooLong { length, most: FRAME_MAX })
        );
        let mut long_goodbye = GOODBYE.to_le_bytes().to_vec();
        long_goodbye.extend(GOODBYE.to_le_bytes());
        assert!(FrameDecoder::new(FRAME_MAX).feed(&long_goodbye).is_err());
        let long = Goodbye { number: 1, text: "ä".repeat(GOODBYE_MAX) }.encode();
        assert!(matches!(FrameDecoder::new(8).feed(&long), Ok((_, Some(Decoded::Goodbye(_))))));
    }
}
