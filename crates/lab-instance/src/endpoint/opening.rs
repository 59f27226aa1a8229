//! From a TCP connection to one that carries frames: TLS, certificates, preamble, all before a deadline and within bounds.

use std::io::{self, BufRead as _, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustls::Connection;

use super::failure::{Failure, Far, Hop};
use super::frame::{Decoded, FrameDecoder};
use super::preamble::{Answer, Hello, PREAMBLE_MAX, VERSION};
use super::tls::{ALPN, PinVerifier, no_application_protocol};

/// What a peer may send before it is let in. Real handshakes take a few KiB; whatever is kept of these bytes stays below it.
const BEFORE_OPEN: usize = 64 << 10;
/// How long a peer that was refused may take to read why.
const LINGER: Duration = Duration::from_millis(300);

/// Why the handshake did not go on.
enum Broken {
    Timeout,
    Io(io::Error),
    Tls(rustls::Error),
    TooMuch,
    /// What came cannot be anything that an endpoint sends.
    Nonsense(String),
}

impl From<io::Error> for Broken {
    fn from(e: io::Error) -> Broken {
        match e.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Broken::Timeout,
            // TLS holds no more than a handshake may need.
            io::ErrorKind::InvalidData => Broken::Nonsense(e.to_string()),
            _ => Broken::Io(e),
        }
    }
}

/// A connection on its way.
pub(super) struct Opening<'a> {
    pub(super) tcp: &'a TcpStream,
    pub(super) verifier: &'a PinVerifier,
    pub(super) address: SocketAddr,
    pub(super) far: &'a Far,
    pub(super) deadline: Instant,
    spent: usize,
}

impl<'a> Opening<'a> {
    pub(super) fn new(
        tcp: &'a TcpStream,
        verifier: &'a PinVerifier,
        address: SocketAddr,
        far: &'a Far,
        deadline: Instant,
    ) -> Opening<'a> {
        Opening { tcp, verifier, address, far, deadline, spent: 0 }
    }

    /// The accepting side, up to what the dialer wants. The answer is [`Opening::answer`].
    pub(super) fn accept(&mut self, tls: &mut Connection) -> Result<Hello, Failure> {
        self.recognise()?;
        self.handshake(tls)?;
        if tls.alpn_protocol() != Some(ALPN) {
            // A client that names no protocol at all is let through by TLS.
            let failure = no_application_protocol("the peer names no application protocol");
            self.answer(tls, Some(&failure));
            return Err(failure);
        }
        let hello = self.read_preamble(tls)?;
        Hello::decode(&hello).map_err(|e| self.stranger(Hop::Preamble, e.to_string())).and_then(|hello| {
            if hello.speaks(VERSION) {
                Ok(hello)
            } else {
                let detail = format!("the peer speaks versions {} to {}", hello.lowest, hello.highest);
                let failure = Failure::incompatible(Hop::Preamble, "authentication protocol", 21, detail);
                self.answer(tls, Some(&failure));
                Err(failure)
            }
        })
    }

    /// Tells the dialer that it is welcome, or why not.
    pub(super) fn answer(&mut self, tls: &mut Connection, refused: Option<&Failure>) -> bool {
        let answer = match refused {
            None => Answer { version: VERSION, number: 0, text: String::new() },
            Some(failure) => Answer { version: 0, number: failure.number, text: failure.text.clone() },
        };
        let sent = self.write_frame(tls, &answer.encode()).is_ok();
        if refused.is_some() {
            tls.send_close_notify();
            // Whether the peer reads it is its own affair.
            drop(self.flush(tls));
        }
        sent
    }

    /// The dialing side, up to the welcome.
    pub(super) fn dial(&mut self, tls: &mut Connection, server_name: Option<String>) -> Result<(), Failure> {
        self.handshake(tls)?;
        if tls.alpn_protocol() != Some(ALPN) {
            return Err(no_application_protocol("the peer names no application protocol"));
        }
        let hello = Hello { lowest: VERSION, highest: VERSION, server_name };
        let written = self.write_frame(tls, &hello.encode());
        // A peer that refuses our certificate says so before it closes, and writing may fail first: its word is worth more.
        let answer = self.read_preamble(tls).map_err(|e| match (&written, e) {
            (Err(Broken::Io(io)), e) if e.number == 10_054 => Failure::broken(e.hop, io),
            (_, e) => e,
        })?;
        let answer = Answer::decode(&answer).map_err(|e| self.stranger(Hop::Preamble, e.to_string()))?;
        match answer {
            Answer { number: 0, version: VERSION, .. } => Ok(()),
            Answer { number: 0, version, .. } => Err(Failure::incompatible(
                Hop::Preamble,
                "authentication protocol",
                21,
                format!("the peer chose version {version}"),
            )),
            Answer { number, text, .. } => {
                let detail = format!("the peer refused: {text}");
                Err(Failure::new(Hop::Preamble, number, text, detail))
            }
        }
    }

    /// Tells strangers by their first byte, which costs nothing yet.
    fn recognise(&mut self) -> Result<(), Failure> {
        const TLS_HANDSHAKE: u8 = 0x16;
        let mut first = [0];
        let peeked = self.arm().and_then(|()| Ok(self.tcp.peek(&mut first)?));
        match (peeked, first) {
            (Ok(0), _) => Err(self.failure(Hop::Tls, Broken::Io(io::ErrorKind::UnexpectedEof.into()))),
            (Ok(_), [TLS_HANDSHAKE]) => Ok(()),
            (Ok(_), [byte]) => Err(self.stranger(
                Hop::Tls,
                match byte {
                    0x12 | 0x10 => "a TDS client connected to the mirroring endpoint".to_owned(),
                    b'A'..=b'Z' => {
                        "a client of a text protocol connected to the mirroring endpoint".to_owned()
                    }
                    _ => format!("what came is not TLS: it begins with {byte:#04x}"),
                },
            )),
            (Err(e), _) => Err(self.failure(Hop::Tls, e)),
        }
    }

    fn handshake(&mut self, tls: &mut Connection) -> Result<(), Failure> {
        while tls.is_handshaking() {
            let step =
                self.flush(tls).and_then(|()| if tls.is_handshaking() { self.read(tls) } else { Ok(()) });
            if let Err(e) = step {
                return Err(self.refuse(tls, Hop::Tls, e));
            }
        }
        self.flush(tls).map_err(|e| self.failure(Hop::Tls, e))
    }

    /// The first frame, and nothing after it: what follows stays in TLS's buffer.
    fn read_preamble(&mut self, tls: &mut Connection) -> Result<Vec<u8>, Failure> {
        let mut decoder = FrameDecoder::new(PREAMBLE_MAX);
        loop {
            let step = match plaintext(tls, &mut decoder) {
                Ok(Some(Decoded::Frame(frame))) => return Ok(frame),
                Ok(Some(Decoded::Goodbye(goodbye))) => {
                    return Err(Failure::new(
                        Hop::Preamble,
                        goodbye.number,
                        goodbye.text,
                        "the peer refused",
                    ));
                }
                Ok(None) => self.read(tls),
                Err(e) => Err(e),
            };
            if let Err(e) = step {
                return Err(self.refuse(tls, Hop::Preamble, e));
            }
        }
    }

    fn read(&mut self, tls: &mut Connection) -> Result<(), Broken> {
        self.arm()?;
        let read = match tls.read_tls(&mut &*self.tcp) {
            Ok(0) => return Err(Broken::Io(io::ErrorKind::UnexpectedEof.into())),
            Ok(read) => read,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => return Ok(()),
            Err(e) => return Err(e.into()),
        };
        self.spent += read;
        if self.spent > BEFORE_OPEN {
            return Err(Broken::TooMuch);
        }
        tls.process_new_packets().map_err(Broken::Tls)?;
        Ok(())
    }

    fn write_frame(&mut self, tls: &mut Connection, payload: &[u8]) -> Result<(), Broken> {
        let mut writer = tls.writer();
        writer.write_all(&(payload.len() as u32).to_le_bytes())?;
        writer.write_all(payload)?;
        self.flush(tls)
    }

    fn flush(&mut self, tls: &mut Connection) -> Result<(), Broken> {
        while tls.wants_write() {
            self.arm()?;
            match tls.write_tls(&mut &*self.tcp) {
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e.into()),
            }
        }
        Ok(())
    }

    /// Every wait ends at the deadline, however slowly bytes trickle in.
    fn arm(&self) -> Result<(), Broken> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left < Duration::from_millis(1) {
            return Err(Broken::Timeout);
        }
        self.tcp.set_read_timeout(Some(left))?;
        self.tcp.set_write_timeout(Some(left))?;
        Ok(())
    }

    fn refuse(&mut self, tls: &mut Connection, hop: Hop, e: Broken) -> Failure {
        // The alert tells the peer why; it is gone in any case.
        drop(self.flush(tls));
        self.failure(hop, e)
    }

    fn failure(&self, hop: Hop, e: Broken) -> Failure {
        match e {
            Broken::Timeout => Failure::timeout(hop, self.far),
            Broken::Io(e) => Failure::broken(hop, &e),
            Broken::Tls(rustls::Error::InvalidMessage(e)) => {
                self.stranger(Hop::Tls, format!("what came is not TLS: {e:?}"))
            }
            Broken::Tls(e) => self.verifier.failure(&e),
            Broken::TooMuch => self.stranger(hop, "too many bytes before the handshake was done"),
            Broken::Nonsense(detail) => self.stranger(hop, detail),
        }
    }

    fn stranger(&self, hop: Hop, detail: impl Into<String>) -> Failure {
        let near_role = match self.far {
            Far::Client(_) => "Target",
            Far::Server { .. } => "Initiator",
        };
        Failure::stranger(hop, near_role, self.address, detail)
    }
}

/// The next frame of what is decrypted already.
fn plaintext(tls: &mut Connection, decoder: &mut FrameDecoder) -> Result<Option<Decoded>, Broken> {
    loop {
        let mut reader = tls.reader();
        let chunk = match reader.fill_buf() {
            Ok([]) => return Err(Broken::Io(io::ErrorKind::UnexpectedEof.into())),
            Ok(chunk) => chunk,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(e) => return Err(Broken::Io(e)),
        };
        let (taken, frame) = decoder.feed(chunk).map_err(|e| Broken::Nonsense(e.to_string()))?;
        reader.consume(taken);
        if frame.is_some() {
            return Ok(frame);
        }
    }
}

/// Closes a connection that was refused, but lets the peer read why: closing over unread bytes would make TCP throw the
/// reason away.
pub(super) fn linger(tcp: &TcpStream) {
    let until = Instant::now() + LINGER;
    let mut left = BEFORE_OPEN;
    let mut buffer = [0; 4096];
    if tcp.shutdown(Shutdown::Write).is_err() {
        return;
    }
    loop {
        let time = until.saturating_duration_since(Instant::now());
        if time < Duration::from_millis(1) || tcp.set_read_timeout(Some(time)).is_err() {
            return;
        }
        match (&*tcp).read(&mut buffer) {
            Ok(read) if read > 0 && read < left => left -= read,
            _ => return,
        }
    }
}
