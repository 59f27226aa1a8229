//! What the other end of a mirroring connection sends before and after it is trusted: frames, preambles, certificates.
//! Nothing panics, nothing is allocated by an unchecked number, what is read is what was written, and no certificate is
//! accepted that was not exchanged.
#![no_main]

use std::time::SystemTime;

use lab_instance::endpoint::frame::{Decoded, FRAME_MAX, FrameDecoder, GOODBYE_MAX};
use lab_instance::endpoint::preamble::{Answer, Hello, PREAMBLE_MAX};
use lab_instance::endpoint::{PinnedCertificate, Trust};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((choice, bytes)) = input.split_first() else { return };
    for most in [PREAMBLE_MAX, FRAME_MAX] {
        let whole = decode(bytes, most, bytes.len().max(1));
        // The pieces in which a stream comes make no difference.
        assert_eq!(whole, decode(bytes, most, 1 + usize::from(*choice)));
    }
    if let Ok(hello) = Hello::decode(bytes) {
        assert_eq!(Hello::decode(&hello.encode()), Ok(hello));
    }
    if let Ok(answer) = Answer::decode(bytes) {
        assert_eq!(Answer::decode(&answer.encode()), Ok(answer));
    }
    let (pinned, shown) = bytes.split_at(bytes.len() / 2);
    let trust = Trust::new(vec![PinnedCertificate {
        name: "pinned".to_owned(),
        der: pinned.to_vec(),
        not_before: SystemTime::UNIX_EPOCH,
        not_after: SystemTime::UNIX_EPOCH,
    }]);
    assert_eq!(trust.check(shown, None, SystemTime::UNIX_EPOCH).is_ok(), pinned == shown);
});

/// The frames of a stream, and whether it ends in an error.
fn decode(bytes: &[u8], most: usize, step: usize) -> (Vec<Decoded>, bool) {
    let mut decoder = FrameDecoder::new(most);
    let mut frames = Vec::new();
    for piece in bytes.chunks(step) {
        let mut rest = piece;
        while !rest.is_empty() {
            let Ok((taken, frame)) = decoder.feed(rest) else { return (frames, true) };
            match &frame {
                Some(Decoded::Frame(frame)) => assert!(frame.len() <= most && frame.capacity() <= 2 * bytes.len() + (128 << 10)),
                Some(Decoded::Goodbye(goodbye)) => assert!(goodbye.text.len() <= GOODBYE_MAX),
                None => assert_eq!(taken, rest.len()),
            }
            frames.extend(frame);
            rest = rest.get(taken..).unwrap_or_default();
        }
    }
    (frames, false)
}
