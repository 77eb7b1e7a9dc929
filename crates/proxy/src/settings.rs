//! Limits of the data path.

use core::time::Duration;

/// Limits in bytes and time. The defaults suit a person's tools and a team's gateway alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Larger request bodies are refused with 413.
    pub max_body_bytes: usize,
    /// Larger request heads are refused with 431.
    pub max_header_bytes: usize,
    /// More request headers are refused with 431.
    pub max_header_count: usize,
    /// How long a caller may take to send a body.
    pub request_timeout: Duration,
    /// How long a call waits for a sign-in that its person agreed to. Below the time after which
    /// common clients give a call up.
    pub sign_in_patience: Duration,
    /// How long an upstream may take until its answer begins.
    pub head_timeout: Duration,
    /// How long a JSON answer may take once it has begun.
    pub json_timeout: Duration,
    /// How long a stream may be silent. Keep it above the keep-alive interval of upstreams (G-14).
    pub stream_idle_timeout: Duration,
    /// How long an answer of the older era is read on after its caller left (G-13).
    pub drain_timeout: Duration,
    /// How much of it.
    pub max_drain_bytes: u64,
    /// How many of them at once; the others are closed.
    pub max_drains: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_body_bytes: 4 * 1024 * 1024,
            max_header_bytes: 32 * 1024,
            max_header_count: 100,
            request_timeout: Duration::from_secs(30),
            sign_in_patience: Duration::from_secs(45),
            head_timeout: Duration::from_mins(5),
            json_timeout: Duration::from_mins(5),
            stream_idle_timeout: Duration::from_mins(15),
            drain_timeout: Duration::from_mins(5),
            max_drain_bytes: 64 * 1024 * 1024,
            max_drains: 256,
        }
    }
}
