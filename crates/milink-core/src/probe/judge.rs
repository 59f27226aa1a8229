//! What a trial proves.

use super::{Answer, Dial, DialEnd, Expected, Shown, Target, Tls, TlsEnd, Trial};
use crate::observe::{Hop, HopResult, Probe, Vantage};

/// Who answers on a port, told by how the answer begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaks {
    /// SQL Server's port for clients.
    Tds,
    /// A web server or proxy.
    Http,
    /// A shell's server.
    Ssh,
}

impl Speaks {
    fn words(self) -> &'static str {
        match self {
            Speaks::Tds => {
                "TDS answers there: it is the port that clients of SQL Server connect to, and not the endpoint's"
            }
            Speaks::Http => "HTTP answers there: a web server, or a proxy that stands in between",
            Speaks::Ssh => "SSH answers there, and no endpoint of SQL Server",
        }
    }
}

/// Tells who answers. `None` is nobody who is known.
pub fn recognise(bytes: &[u8]) -> Option<Speaks> {
    if bytes.starts_with(b"HTTP/") {
        return Some(Speaks::Http);
    }
    if bytes.starts_with(b"SSH-") {
        return Some(Speaks::Ssh);
    }
    // A tabular result (MS-TDS 2.2.3.1): type 4, status, big-endian length with its header, SPID, packet, window 0.
    match bytes {
        [0x04, status, high, low, _, _, _, 0x00, ..]
            if *status <= 0x01 && u16::from_be_bytes([*high, *low]) >= 8 =>
        {
            Some(Speaks::Tds)
        }
        _ => None,
    }
}

/// The hops that a trial proves.
pub fn judge(target: &Target, trial: &Trial) -> Probe {
    Probe {
        from: Vantage::Here,
        to: target.side,
        address: target.to_string(),
        at: trial.at,
        hops: hops(target, trial),
    }
}

fn hop(hop: Hop, ok: bool, text: impl Into<String>) -> HopResult {
    HopResult { hop, ok, text: text.into() }
}

fn hops(target: &Target, trial: &Trial) -> Vec<HopResult> {
    let addresses = match &trial.names {
        Ok(addresses) if !addresses.is_empty() => addresses,
        Ok(_) => return vec![hop(Hop::Dns, false, format!("{} has no address", target.host))],
        Err(why) => {
            return vec![hop(Hop::Dns, false, format!("{} is not found: {why}", target.host))];
        }
    };
    let list: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    let mut out = vec![hop(Hop::Dns, true, format!("{} is {}", target.host, list.join(", ")))];
    let Some(Dial { address, end: DialEnd::Connected { ms } }) = trial.dials.last() else {
        out.push(hop(Hop::Tcp, false, not_connected(&trial.dials)));
        return out;
    };
    let tcp = format!("{address} takes connections ({ms} ms)");
    let second = trial.prelogin.as_deref().and_then(recognise);
    let first = match &trial.hello {
        Some(Answer::Bytes(bytes)) => recognise(bytes),
        _ => None,
    };
    if let Some(other) = first.or(second) {
        out.push(hop(Hop::Tcp, true, tcp));
        out.push(hop(Hop::Protocol, false, other.words()));
        return out;
    }
    // What is neither proved nor wrong is said with the last hop that was passed.
    let ended_after_tcp = |note: String| vec![hop(Hop::Tcp, true, format!("{tcp}; {note}"))];
    out.extend(match &trial.hello {
        None => vec![hop(Hop::Tcp, true, tcp)],
        Some(Answer::Silent { ms }) => ended_after_tcp(format!(
            "then nothing came back for {ms} ms: either the endpoint does not speak to strangers, or something in between takes \
             connections and lets nothing through"
        )),
        Some(Answer::Closed) => ended_after_tcp(
            "then it was closed at once, as an endpoint does with strangers, and as a firewall does with a protocol that it does not let pass"
                .to_owned(),
        ),
        Some(Answer::Bytes(bytes)) => {
            ended_after_tcp(format!("it answers what is neither TLS nor any other known protocol: {}", begin(bytes)))
        }
        Some(Answer::Tls(tls)) => match tls_hops(tls, target.expected.as_ref()) {
            Ok(hops) => {
                let mut all = vec![hop(Hop::Tcp, true, tcp)];
                all.extend(hops);
                all
            }
            Err(note) => ended_after_tcp(note),
        },
    });
    out
}

fn not_connected(dials: &[Dial]) -> String {
    let one = |dial: &Dial| {
        let said = match &dial.end {
            DialEnd::Connected { .. } => "connected".to_owned(),
            DialEnd::Refused => "refused: nothing listens there, or the endpoint is stopped".to_owned(),
            DialEnd::TimedOut { ms } => {
                format!("timed out after {ms} ms: a firewall drops it, or the host is gone")
            }
            DialEnd::Failed(why) => why.clone(),
        };
        format!("{} {said}", dial.address)
    };
    if dials.is_empty() {
        return "no address was tried".to_owned();
    }
    dials.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// The hops after TCP, or what to say of TCP if TLS proves nothing.
fn tls_hops(tls: &Tls, expected: Option<&Expected>) -> Result<Vec<HopResult>, String> {
    let Some(Shown { thumbprint, subject }) = &tls.certificate else {
        return Err(match &tls.end {
            TlsEnd::Alert(alert) => format!("it answers TLS with the alert {alert}"),
            TlsEnd::Done | TlsEnd::Closed => {
                "it begins TLS, and closes before it shows a certificate".to_owned()
            }
            TlsEnd::Silent => "it begins TLS, and says no more before it shows a certificate".to_owned(),
            TlsEnd::Broken(why) => format!("what it answers looks like TLS and is not: {why}"),
        });
    };
    let version = tls.version.as_deref().unwrap_or("TLS");
    let shows = format!("{subject}, thumbprint {thumbprint}");
    let encrypted = |note: &str| hop(Hop::Tls, true, format!("{version}{note}"));
    let Some(expected) = expected else {
        return Ok(vec![encrypted(&format!(
            "; it shows {shows}, and nobody says which certificate it should be"
        ))]);
    };
    if *thumbprint != expected.thumbprint {
        return Ok(vec![
            encrypted(""),
            hop(
                Hop::Certificate,
                false,
                format!(
                    "it shows {shows}, and not {} with thumbprint {}: something else answers there, or stands in between",
                    expected.name, expected.thumbprint
                ),
            ),
        ]);
    }
    let known = hop(Hop::Certificate, true, format!("it is {}, as {} says", expected.name, expected.said_by));
    if tls.asks {
        let end = match &tls.end {
            TlsEnd::Alert(alert) => format!(", and refuses a stranger ({alert})"),
            TlsEnd::Done | TlsEnd::Closed | TlsEnd::Silent | TlsEnd::Broken(_) => String::new(),
        };
        return Ok(vec![
            encrypted(""),
            known,
            hop(Hop::Protocol, true, format!("it asks for a partner's certificate{end}")),
        ]);
    }
    let known =
        HopResult { text: format!("{}; it asks for no certificate of its partner", known.text), ..known };
    Ok(vec![encrypted(""), known])
}

/// How bytes begin, for people: whatever comes from outside may be anything.
fn begin(bytes: &[u8]) -> String {
    let shown: String =
        bytes.iter().take(32).map(|b| if b.is_ascii_graphic() { char::from(*b) } else { '.' }).collect();
    let hex: Vec<String> = bytes.iter().take(8).map(|b| format!("{b:02X}")).collect();
    format!("'{shown}' ({} ...)", hex.join(" "))
}
