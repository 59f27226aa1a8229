//! Whatever is sent to the local Azure: it is answered, with no more than there is to say, and what it starts comes to an end.
#![no_main]

use std::sync::LazyLock;

use lab_azure::probe::Probe;
use libfuzzer_sys::fuzz_target;

/// Making its key takes longer than a request.
static PROBE: LazyLock<Probe> = LazyLock::new(|| Probe::new().expect("there is randomness"));

/// The longest list, of roles; and what an answer may repeat of a request, with each byte escaped.
const LIST_BYTES_MAX: usize = 128 * 1024;
const REPEATED_MAX: usize = 32;

fuzz_target!(|input: &[u8]| {
    let Some(judged) = PROBE.judge(input) else { return };
    assert!((200..600).contains(&judged.status), "{judged:?}");
    assert!(judged.body_bytes <= LIST_BYTES_MAX + REPEATED_MAX * input.len(), "{judged:?}");
    for (name, value) in &judged.headers {
        assert!(value.bytes().all(|b| (b' '..=b'~').contains(&b)), "{name} cannot be sent: {value:?}");
    }
});
