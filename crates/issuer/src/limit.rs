//! How often who may ask: fixed windows in bounded memory, of plain values.

use core::net::IpAddr;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use claviger_model::Timestamp;

/// So many requests in so many seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// How many.
    pub requests: u32,
    /// In how many seconds.
    pub window_s: u32,
}

/// The limits of every endpoint (R8, A028, A073). They hold for each process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimits {
    /// Visits to the authorization endpoint, by address.
    pub authorize: RateLimit,
    /// Client metadata documents that are fetched on the word of one address (A045).
    pub documents: RateLimit,
    /// Registrations, by address.
    pub register: RateLimit,
    /// Registrations of everybody together.
    pub register_total: RateLimit,
    /// Token, revocation, introspection, device and pushed requests, by address.
    pub token: RateLimit,
    /// Requests that one client has proven to be its own.
    pub token_of_client: RateLimit,
    /// User codes of devices that one address tries (RFC 8628 §5.1).
    pub user_code: RateLimit,
}

/// What is counted; each has windows of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Counted {
    Authorize,
    Documents,
    Register,
    RegisterTotal,
    Token,
    TokenOfClient,
    UserCode,
}

/// The counters of one process.
#[derive(Debug)]
pub(crate) struct Limiter {
    limits: RateLimits,
    windows: Mutex<BTreeMap<(Counted, String), Window>>,
}

#[derive(Debug, Clone, Copy)]
struct Window {
    ends_at: Timestamp,
    requests: u32,
}

/// Too many; another attempt makes sense after so many seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooMany {
    pub(crate) retry_after_s: u32,
}

// === impl RateLimit ===

impl RateLimit {
    /// So many in a minute.
    pub const fn per_minute(requests: u32) -> Self {
        Self {
            requests,
            window_s: 60,
        }
    }
}

// === impl RateLimits ===

impl Default for RateLimits {
    fn default() -> Self {
        Self {
            authorize: RateLimit::per_minute(120),
            documents: RateLimit::per_minute(20),
            register: RateLimit::per_minute(30),
            register_total: RateLimit::per_minute(600),
            token: RateLimit::per_minute(1_200),
            token_of_client: RateLimit::per_minute(6_000),
            user_code: RateLimit::per_minute(5),
        }
    }
}

// === impl Limiter ===

impl Limiter {
    pub(crate) fn new(limits: RateLimits) -> Self {
        Self {
            limits,
            windows: Mutex::default(),
        }
    }

    /// Counts a request from this address. One that nobody knows is not limited by address.
    pub(crate) fn admit_address(
        &self,
        counted: Counted,
        address: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<(), TooMany> {
        match address {
            Some(address) => self.admit(counted, &network(address), now),
            None => Ok(()),
        }
    }

    /// Counts a request.
    pub(crate) fn admit(
        &self,
        counted: Counted,
        whose: &str,
        now: Timestamp,
    ) -> Result<(), TooMany> {
        let limit = self.limit(counted);
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (counted, whose.to_owned());
        if !windows.contains_key(&key) {
            make_room(&mut windows, now);
        }
        let fresh = Window {
            ends_at: now.plus(limit.window_s.into()),
            requests: 0,
        };
        let window = windows.entry(key).or_insert(fresh);
        // A clock that jumped back would else keep a window for long.
        if window.ends_at <= now || window.ends_at > fresh.ends_at {
            *window = fresh;
        }
        if window.requests >= limit.requests {
            let left = window.ends_at.since(now).max(1);
            return Err(TooMany {
                retry_after_s: u32::try_from(left).unwrap_or(limit.window_s),
            });
        }
        window.requests += 1;
        Ok(())
    }

    fn limit(&self, counted: Counted) -> RateLimit {
        match counted {
            Counted::Authorize => self.limits.authorize,
            Counted::Documents => self.limits.documents,
            Counted::Register => self.limits.register,
            Counted::RegisterTotal => self.limits.register_total,
            Counted::Token => self.limits.token,
            Counted::TokenOfClient => self.limits.token_of_client,
            Counted::UserCode => self.limits.user_code,
        }
    }
}

/// Memory is bounded: what is over goes first, then what ends first.
fn make_room(windows: &mut BTreeMap<(Counted, String), Window>, now: Timestamp) {
    if windows.len() < MAX_WINDOWS {
        return;
    }
    windows.retain(|_, window| window.ends_at > now);
    while windows.len() >= MAX_WINDOWS {
        let first = windows.iter().min_by_key(|(_, window)| window.ends_at);
        let Some(key) = first.map(|(key, _)| key.clone()) else {
            return;
        };
        windows.remove(&key);
    }
}

/// Whoever has one IPv6 address has 2^64 of them.
fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

const MAX_WINDOWS: usize = 20_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    fn limiter() -> Limiter {
        Limiter::new(RateLimits {
            register: RateLimit::per_minute(2),
            ..RateLimits::default()
        })
    }

    fn admit(limiter: &Limiter, address: &str, secs: i64) -> Result<(), TooMany> {
        let address = Some(address.parse().unwrap());
        limiter.admit_address(Counted::Register, address, at(secs))
    }

    #[test]
    fn r8_a028_counts_by_window_and_network() {
        let limiter = limiter();
        for secs in [0, 1] {
            assert!(admit(&limiter, "192.0.2.1", secs).is_ok());
        }
        let refused = admit(&limiter, "192.0.2.1", 2).unwrap_err();
        assert_eq!(refused.retry_after_s, 58);
        // An IPv4 address in IPv6's clothes is the same one.
        assert!(admit(&limiter, "::ffff:192.0.2.1", 2).is_err());
        assert!(admit(&limiter, "192.0.2.2", 2).is_ok());
        assert!(admit(&limiter, "192.0.2.1", 60).is_ok());
        for address in ["2001:db8::1", "2001:db8::2"] {
            assert!(admit(&limiter, address, 0).is_ok());
        }
        assert!(admit(&limiter, "2001:db8::3", 0).is_err());
        assert!(admit(&limiter, "2001:db8:0:1::3", 0).is_ok());
        assert!(
            limiter
                .admit_address(Counted::Register, None, at(0))
                .is_ok()
        );
        assert!(limiter.admit(Counted::Token, "192.0.2.1", at(2)).is_ok());
    }

    #[test]
    fn a_clock_that_goes_back_locks_nobody_out() {
        let limiter = limiter();
        for _ in 0..2 {
            assert!(admit(&limiter, "192.0.2.1", 10_000).is_ok());
        }
        assert!(admit(&limiter, "192.0.2.1", 0).is_ok());
    }

    #[test]
    fn r8_its_memory_is_bounded() {
        let limiter = limiter();
        for n in 0..MAX_WINDOWS + 500 {
            let secs = i64::try_from(n / 5_000).unwrap();
            assert!(
                limiter
                    .admit(Counted::Token, &n.to_string(), at(secs))
                    .is_ok()
            );
        }
        assert_eq!(limiter.windows.lock().unwrap().len(), MAX_WINDOWS);
    }
}
