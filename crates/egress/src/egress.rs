//! The door itself: what is shared by everything that goes out.

use core::fmt;
use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;

use claviger_model::Fault;
use claviger_ports::Resolve;

use crate::connector::Door;
use crate::dial::{Dial, Dialer, SystemDial};
use crate::pools::Pools;
use crate::settings::EgressSettings;
use crate::tls::client_config;
use crate::turns::Turns;

/// The only way out. It opens `Fetch` for small documents and `Forward` for streams.
pub struct Egress {
    pub(crate) settings: EgressSettings,
    pub(crate) door: Arc<Door>,
    pub(crate) pools: Pools,
    pub(crate) turns: Turns,
}

/// Why no door could be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EgressError {
    /// TLS cannot be used with these settings.
    #[error("TLS cannot be set up; check the extra certificate authorities")]
    Tls {
        /// The cause.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

// === impl Egress ===

impl Egress {
    /// A door with these settings; names are looked up by `resolver`.
    pub fn new(
        settings: EgressSettings,
        resolver: Arc<dyn Resolve>,
    ) -> Result<Arc<Self>, EgressError> {
        Self::dialling(settings, resolver, Arc::new(SystemDial))
    }

    /// Never dials this socket: we listen on it.
    pub fn add_own_address(&self, address: SocketAddr) {
        self.door.dialer.add_own(address);
    }

    /// Lets go of every unused connection. Requests under way go on.
    // G6: a server that was changed is reached by the new rules from here on.
    pub fn close_idle(&self) {
        self.pools.clear();
    }

    pub(crate) fn dialling(
        settings: EgressSettings,
        resolver: Arc<dyn Resolve>,
        dial: Arc<dyn Dial>,
    ) -> Result<Arc<Self>, EgressError> {
        let tls = client_config(&settings.tls).map_err(|source| EgressError::Tls {
            source: source.into(),
        })?;
        let door = Arc::new(Door {
            dialer: Dialer::new(resolver, dial, &settings),
            tls,
            connect_timeout: settings.connect_timeout,
            extra_ports: settings.extra_ports.clone(),
        });
        Ok(Arc::new(Self {
            pools: Pools::new(Arc::clone(&door), &settings),
            turns: Turns::new(settings.concurrent_fetches),
            door,
            settings,
        }))
    }
}

impl fmt::Debug for Egress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Egress").finish_non_exhaustive()
    }
}

// === impl EgressError ===

impl EgressError {
    /// Who is to blame.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Tls { .. } => Fault::Operator,
        }
    }
}
