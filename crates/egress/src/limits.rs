//! How long and how large an answer may be, by what it is for.

use core::time::Duration;

use claviger_ports::Sink;

use crate::EgressSettings;

/// The limits of one sink.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// From the first byte of the lookup to the last byte of the answer.
    pub(crate) total: Duration,
    /// Of the decoded body.
    pub(crate) body_bytes: usize,
    /// Whether a body that is too large or too slow is cut instead of refused.
    pub(crate) is_head_enough: bool,
}

// === impl Limits ===

impl Limits {
    pub(crate) fn of(sink: Sink, settings: &EgressSettings) -> Self {
        Self {
            total: match sink {
                Sink::Token => settings.token_timeout,
                _ => settings.document_timeout,
            },
            body_bytes: match sink {
                Sink::ClientDocument => settings.client_document_bytes,
                _ => settings.document_bytes,
            },
            is_head_enough: sink == Sink::Probe,
        }
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use claviger_ports::Sink;

    use super::Limits;
    use crate::EgressSettings;

    #[test]
    fn a012_a013_limits_follow_from_the_sink() {
        let settings = EgressSettings::default();
        for sink in Sink::ALL {
            let limits = Limits::of(sink, &settings);
            let (bytes, secs) = match sink {
                Sink::ClientDocument => (5 * 1_024, 10),
                Sink::Token => (64 * 1_024, 30),
                _ => (64 * 1_024, 10),
            };
            assert_eq!(limits.body_bytes, bytes, "{sink:?}");
            assert_eq!(limits.total, Duration::from_secs(secs), "{sink:?}");
            assert_eq!(limits.is_head_enough, sink == Sink::Probe);
        }
    }
}
