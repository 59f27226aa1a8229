//! Trying an endpoint from this machine. What is tried and what comes back is bounded in time and in bytes; what it proves is
//! [`milink_core::probe`]'s to say.
//!
//! NB: an endpoint writes a line about each stranger into its error log. So an endpoint is tried when somebody asks for it, and not at
//! each look.

mod hello;
#[cfg(test)]
mod tests;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use milink_core::observe::Probe;
use milink_core::probe::{Dial, DialEnd, KEPT_BYTES, Target, Trial, judge};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::sides::now;

/// How many addresses of a name are dialled.
const ADDRESSES_MAX: usize = 4;

/// How long each part may take.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// To find the name's addresses.
    pub lookup: Duration,
    /// To be let in, at each address.
    pub connect: Duration,
    /// To answer a hello.
    pub answer: Duration,
}

impl Default for Patience {
    fn default() -> Patience {
        Patience {
            lookup: Duration::from_secs(5),
            connect: Duration::from_secs(3),
            answer: Duration::from_secs(3),
        }
    }
}

/// Tries an endpoint.
pub async fn probe(target: &Target, patience: Patience) -> Probe {
    judge(target, &trial(target, patience).await)
}

async fn trial(target: &Target, patience: Patience) -> Trial {
    let mut trial =
        Trial { at: now(), names: Ok(Vec::new()), dials: Vec::new(), hello: None, prelogin: None };
    let addresses = match lookup(target, patience.lookup).await {
        Ok(addresses) => addresses,
        Err(why) => return Trial { names: Err(why), ..trial },
    };
    trial.names = Ok(addresses.iter().map(SocketAddr::ip).collect());
    for address in addresses {
        let (end, stream) = dial(address, patience.connect).await;
        trial.dials.push(Dial { address, end });
        let Some(stream) = stream else { continue };
        let answer = hello::hello(stream, address.ip(), patience.answer).await;
        if !answer.is_the_endpoint(target.expected.as_ref()) {
            trial.prelogin = Some(prelogin(address, patience).await);
        }
        trial.hello = Some(answer);
        break;
    }
    trial
}

async fn lookup(target: &Target, patience: Duration) -> Result<Vec<SocketAddr>, String> {
    // Names under `localhost` are this machine, whether its resolver knows that or not (RFC 6761, 6.3).
    let plain = target.host.trim_end_matches('.').to_ascii_lowercase();
    if plain == "localhost" || plain.ends_with(".localhost") {
        let loopback: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        return Ok(loopback.map(|ip| SocketAddr::new(ip, target.port)).to_vec());
    }
    match timeout(patience, tokio::net::lookup_host((target.host.as_str(), target.port))).await {
        Ok(Ok(found)) => {
            let mut addresses: Vec<SocketAddr> = Vec::new();
            for address in found {
                if !addresses.contains(&address) && addresses.len() < ADDRESSES_MAX {
                    addresses.push(address);
                }
            }
            Ok(addresses)
        }
        Ok(Err(e)) => Err(e.to_string()),
        Err(_) => Err(format!("the resolver did not answer within {} s", patience.as_secs_f64())),
    }
}

async fn dial(address: SocketAddr, patience: Duration) -> (DialEnd, Option<TcpStream>) {
    let begun = Instant::now();
    let ms = |begun: Instant| u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    match timeout(patience, TcpStream::connect(address)).await {
        Ok(Ok(stream)) => (DialEnd::Connected { ms: ms(begun) }, Some(stream)),
        Ok(Err(e)) if e.kind() == io::ErrorKind::ConnectionRefused => (DialEnd::Refused, None),
        Ok(Err(e)) if e.kind() == io::ErrorKind::TimedOut => (DialEnd::TimedOut { ms: ms(begun) }, None),
        Ok(Err(e)) => (DialEnd::Failed(e.to_string()), None),
        Err(_) => (DialEnd::TimedOut { ms: ms(begun) }, None),
    }
}

/// What a client of SQL Server says first: PRELOGIN with a version and no wish for encryption (MS-TDS 2.2.6.5).
const PRELOGIN: [u8; 26] = [
    0x12, 0x01, 0x00, 0x1A, 0x00, 0x00, 0x01, 0x00, // header: type, last packet, 26 bytes
    0x00, 0x00, 0x0B, 0x00, 0x06, // VERSION at 11, 6 bytes
    0x01, 0x00, 0x11, 0x00, 0x01, // ENCRYPTION at 17, 1 byte
    0xFF, // TERMINATOR
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, // version
    0x00, // ENCRYPT_OFF
];

/// How the answer to that begins; empty if none comes.
async fn prelogin(address: SocketAddr, patience: Patience) -> Vec<u8> {
    let (_, Some(mut stream)) = dial(address, patience.connect).await else { return Vec::new() };
    let mut answer = vec![0; KEPT_BYTES];
    let read = timeout(patience.answer, async {
        stream.write_all(&PRELOGIN).await?;
        stream.read(&mut answer).await
    });
    // That nothing came, or not in time, is the same here: it is not a server of clients.
    let length = read.await.ok().and_then(Result::ok).unwrap_or(0);
    answer.truncate(length);
    answer
}
