//! How often somebody may try to sign in: a bucket of tries for each address, and one for everybody together.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Tries that an address has at once.
const BURST: f64 = 5.0;
/// One more after this time.
const REFILL: Duration = Duration::from_secs(12);
/// Tries of all addresses together: whoever has many addresses does not get more.
const BURST_ALL: f64 = 50.0;
/// One more after this time.
const REFILL_ALL: Duration = Duration::from_secs(1);
/// Addresses that are remembered; when there are more, full buckets are forgotten, and then everybody's is.
const ADDRESSES_MAX: usize = 4096;

#[derive(Debug, Clone, Copy)]
struct Bucket {
    tries: f64,
    at: Instant,
}

impl Bucket {
    fn filled(self, now: Instant, burst: f64, refill: Duration) -> Bucket {
        let more = now.saturating_duration_since(self.at).as_secs_f64() / refill.as_secs_f64();
        Bucket { tries: (self.tries + more).min(burst), at: now }
    }

    /// Takes a try, or says how long until there is one.
    fn take(&mut self, refill: Duration) -> Result<(), Duration> {
        if self.tries >= 1.0 {
            self.tries -= 1.0;
            Ok(())
        } else {
            Err(refill.mul_f64(1.0 - self.tries))
        }
    }
}

/// The limit of tries.
pub(crate) struct RateLimit(Mutex<Buckets>);

struct Buckets {
    all: Bucket,
    by_address: HashMap<IpAddr, Bucket>,
}

impl RateLimit {
    /// With all tries there.
    pub(super) fn new() -> RateLimit {
        let all = Bucket { tries: BURST_ALL, at: Instant::now() };
        RateLimit(Mutex::new(Buckets { all, by_address: HashMap::new() }))
    }

    /// Takes a try of an address.
    ///
    /// # Errors
    /// How long until there is one.
    pub(crate) fn take(&self, address: IpAddr, now: Instant) -> Result<(), Duration> {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Buckets { all, by_address } = &mut *buckets;
        if by_address.len() >= ADDRESSES_MAX && !by_address.contains_key(&address) {
            by_address.retain(|_, b| b.filled(now, BURST, REFILL).tries < BURST);
            if by_address.len() >= ADDRESSES_MAX {
                by_address.clear();
            }
        }
        let own = by_address.entry(address).or_insert(Bucket { tries: BURST, at: now });
        *own = own.filled(now, BURST, REFILL);
        *all = all.filled(now, BURST_ALL, REFILL_ALL);
        own.take(REFILL)?;
        all.take(REFILL_ALL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_five_tries_and_then_one_in_twelve_seconds() {
        let (limit, now) = (RateLimit::new(), Instant::now());
        let [one, other] = [IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2])];
        for _ in 0..5 {
            limit.take(one, now).unwrap();
        }
        assert!(limit.take(one, now).unwrap_err() <= REFILL);
        limit.take(other, now).unwrap();
        assert!(limit.take(one, now + Duration::from_secs(11)).is_err());
        limit.take(one, now + Duration::from_secs(13)).unwrap();
    }

    #[test]
    fn many_addresses_have_a_limit_too() {
        let (limit, now) = (RateLimit::new(), Instant::now());
        let tries = (0..200u8).filter(|n| limit.take(IpAddr::from([10, 0, 0, *n]), now).is_ok()).count();
        assert_eq!(tries, 50);
    }
}
