//! `[limits]`: bounds on what comes in.

use crate::keys::Keys;

/// Bounds on what comes in (A236, A237).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LimitsSettings {
    /// The largest body of a forwarded request, in bytes.
    ///
    /// `CLAVIGER_LIMITS_BODY_BYTES`, default 4194304, from 1024 to 67108864.
    pub body_bytes: u32,
    /// Connections at one time; more wait.
    ///
    /// `CLAVIGER_LIMITS_CONNECTIONS`, default 1024, from 1 to 65536.
    pub connections: u32,
    /// The largest head of a request, all its headers together, in bytes.
    ///
    /// `CLAVIGER_LIMITS_HEADER_BYTES`, default 65536, from 8192 to 1048576.
    pub header_bytes: u32,
    /// The most headers of a request.
    ///
    /// `CLAVIGER_LIMITS_HEADER_COUNT`, default 100, from 10 to 1000.
    pub header_count: u32,
    /// How long the head of a request may take to arrive, in seconds.
    ///
    /// `CLAVIGER_LIMITS_HEADER_TIMEOUT_S`, default 10, from 1 to 60.
    pub header_timeout_s: u32,
}

impl LimitsSettings {
    pub(crate) fn read(keys: &mut Keys<'_, '_>) -> Self {
        let mut number = |key, default, least, most, accepted| {
            keys.read(key, default, accepted, move |number: &u32| {
                if (least..=most).contains(number) {
                    Ok(())
                } else {
                    Err(accepted)
                }
            })
        };
        Self {
            body_bytes: number("body_bytes", 4_194_304, 1024, 67_108_864, BODY),
            connections: number("connections", 1024, 1, 65_536, CONNECTIONS),
            header_bytes: number("header_bytes", 65_536, 8192, 1_048_576, HEADER),
            header_count: number("header_count", 100, 10, 1000, COUNT),
            header_timeout_s: number("header_timeout_s", 10, 1, 60, TIMEOUT),
        }
    }
}

const BODY: &str = "accepted is a number of bytes from 1024 to 67108864";
const CONNECTIONS: &str = "accepted is a number from 1 to 65536";
const COUNT: &str = "accepted is a number from 10 to 1000";
const HEADER: &str = "accepted is a number of bytes from 8192 to 1048576";
const TIMEOUT: &str = "accepted is a number of seconds from 1 to 60";
