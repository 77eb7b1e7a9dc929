//! Why a connection was not made, and how callers are told.

use std::error::Error;

use claviger_ports::{FetchError, ForwardError};

/// Why there is no connection. Nothing was sent in any of these cases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// A rule of ours forbids it.
    #[error("the address is not allowed ({0})")]
    Blocked(&'static str),
    /// Resolving or connecting failed.
    #[error("could not connect ({0})")]
    Connect(&'static str),
    /// The handshake failed.
    #[error("the TLS handshake failed ({0})")]
    Tls(&'static str),
}

// === impl Refusal ===

impl Refusal {
    /// Finds the refusal below a client's error.
    pub(crate) fn within(error: &(dyn Error + 'static)) -> Option<Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(refusal) = error.downcast_ref::<Self>() {
                return Some(*refusal);
            }
            next = error.source();
        }
        None
    }
}

impl From<Refusal> for FetchError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Blocked(reason) => Self::Blocked { reason },
            Refusal::Connect(reason) => Self::Connect { reason },
            Refusal::Tls(reason) => Self::Tls { reason },
        }
    }
}

impl From<Refusal> for ForwardError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Blocked(reason) => Self::Blocked { reason },
            Refusal::Connect(reason) => Self::Connect { reason },
            Refusal::Tls(reason) => Self::Tls { reason },
        }
    }
}
