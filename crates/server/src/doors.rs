//! The doors of this process, opened with its configuration, and what stands right behind them.

use core::net::SocketAddr;
use core::time::Duration;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use claviger_broker::{
    Actor, Attach, AuditMode, AuditParts, AuditSettings, Auditor, Broker, BrokerParts,
    BrokerSettings,
};
use claviger_client::Quirks;
use claviger_config::Config;
use claviger_crypto::TenantKey;
use claviger_egress::{Egress, EgressSettings, SystemResolve};
use claviger_ports::system::{SystemClock, SystemEntropy};
use claviger_ports::{Clock, Entropy, Journal};
use claviger_proxy::{Parts, Proxy, SessionKey};

use crate::blocked::Watched;
use crate::catalogue::MemoryCatalogue;
use crate::journal::FileJournal;
use crate::open::{OpenError, Opened};
use crate::places::node_id;
use crate::tasks::TrackedTasks;

/// Clock, randomness, background work, and the way out.
pub(crate) struct Doors {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) tasks: Arc<TrackedTasks>,
    pub(crate) egress: Arc<Egress>,
}

// === impl Doors ===

impl Doors {
    pub(crate) fn open(config: &Config, own_sockets: Vec<SocketAddr>) -> Result<Self, OpenError> {
        let settings = egress_settings(config, own_sockets);
        let egress = Egress::new(settings, Arc::new(SystemResolve))
            .map_err(|source| OpenError::Egress { source })?;
        Ok(Self {
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            tasks: Arc::new(TrackedTasks::default()),
            egress,
        })
    }

    pub(crate) fn broker(
        &self,
        config: &Config,
        opened: &Opened,
        link_base: Option<String>,
    ) -> Result<Broker, OpenError> {
        let audit = Arc::new(self.auditor(config, opened, link_base.is_some())?);
        let fetch = Watched {
            door: Arc::clone(&self.egress),
            audit: Arc::clone(&audit),
        };
        Ok(Broker::new(BrokerParts {
            audit,
            store: Arc::clone(&opened.store),
            vault: Arc::clone(&opened.vault),
            fetch: Arc::new(fetch),
            journal: self.journal(opened),
            clock: Arc::clone(&self.clock),
            entropy: Arc::clone(&self.entropy),
            tasks: Arc::clone(&self.tasks) as _,
            quirks: Arc::new(quirks(config)?),
            settings: broker_settings(config, link_base),
        }))
    }

    pub(crate) fn auditor(
        &self,
        config: &Config,
        opened: &Opened,
        is_served: bool,
    ) -> Result<Auditor, OpenError> {
        let node = if opened.is_shared {
            node_id(&opened.places, &*self.entropy)?
        } else {
            "local".to_owned()
        };
        Ok(Auditor::new(AuditParts {
            store: Arc::clone(&opened.store),
            vault: Arc::clone(&opened.vault),
            clock: Arc::clone(&self.clock),
            entropy: Arc::clone(&self.entropy),
            settings: audit_settings(config, node, is_served),
        }))
    }

    fn journal(&self, opened: &Opened) -> Arc<dyn Journal> {
        let directory = opened.places.data_dir.join("journal");
        Arc::new(FileJournal::new(directory, Arc::clone(&self.entropy)))
    }

    pub(crate) fn proxy(
        &self,
        config: &Config,
        opened: &Opened,
        broker: &Broker,
        catalogue: &Arc<MemoryCatalogue>,
    ) -> Proxy {
        let forward = Watched {
            door: Arc::clone(&self.egress),
            audit: Arc::clone(broker.audit()),
        };
        Proxy::new(Parts {
            attach: Arc::new(broker.clone()) as Arc<dyn Attach>,
            forward: Arc::new(forward),
            servers: Arc::clone(catalogue) as _,
            sessions: Arc::new(session_key(opened, Arc::clone(&self.entropy))),
            tasks: Arc::clone(&self.tasks) as _,
            clock: Arc::clone(&self.clock),
            entropy: Arc::clone(&self.entropy),
            settings: proxy_settings(config),
        })
    }
}

fn audit_settings(config: &Config, node: String, is_served: bool) -> AuditSettings {
    AuditSettings {
        node,
        admin: admin(is_served),
        mode: match config.audit.mode {
            claviger_config::AuditMode::Normal => AuditMode::Normal,
            claviger_config::AuditMode::Off => AuditMode::Off,
            claviger_config::AuditMode::Strict => AuditMode::Strict,
        },
        queue: usize::try_from(config.audit.queue).unwrap_or(usize::MAX),
        keep_days: config.audit.keep_days,
        ..AuditSettings::default()
    }
}

/// Who can open the data directory is the owner; which user that is, the system may tell. What a
/// server does without being asked, it does itself; who asks over its admin socket is named there.
fn admin(is_served: bool) -> Actor {
    if is_served {
        return Actor::System;
    }
    let user = fs::metadata("/proc/self").ok().map(|own| own.uid());
    Actor::Cli(user)
}

fn broker_settings(config: &Config, link_base: Option<String>) -> BrokerSettings {
    BrokerSettings {
        client_name: config.sign_in.client_name.clone(),
        client_metadata_url: config
            .sign_in
            .client_metadata_url
            .as_ref()
            .map(ToString::to_string),
        link_base,
        sign_in_timeout_s: config.sign_in.timeout_s,
    }
}

fn egress_settings(config: &Config, own_sockets: Vec<SocketAddr>) -> EgressSettings {
    let seconds = |seconds: u32| Duration::from_secs(u64::from(seconds));
    EgressSettings {
        connect_timeout: seconds(config.egress.connect_timeout_s),
        document_timeout: seconds(config.egress.metadata_timeout_s),
        token_timeout: seconds(config.egress.token_timeout_s),
        head_timeout: seconds(config.egress.head_timeout_s),
        idle_timeout: seconds(config.egress.idle_timeout_s),
        extra_ports: config.egress.extra_ports.clone(),
        own_addresses: own_sockets,
        ..EgressSettings::default()
    }
}

fn proxy_settings(config: &Config) -> claviger_proxy::Settings {
    let count = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
    claviger_proxy::Settings {
        max_body_bytes: count(config.limits.body_bytes),
        max_header_bytes: count(config.limits.header_bytes),
        max_header_count: count(config.limits.header_count),
        ..claviger_proxy::Settings::default()
    }
}

/// Ids of MCP sessions are sealed with a key of their own that every process derives alike.
fn session_key(opened: &Opened, entropy: Arc<dyn Entropy>) -> SessionKey {
    let key = opened.vault.derived_key("mcp-session");
    SessionKey::new(TenantKey::new(1, [0; 8], key), entropy)
}

fn quirks(config: &Config) -> Result<Quirks, OpenError> {
    let built_in = Quirks::built_in();
    let Some(path) = &config.issuers.quirks_file else {
        return Ok(built_in);
    };
    let failed = |source| OpenError::Quirks {
        path: path.clone(),
        source,
    };
    let text = fs::read_to_string(path).map_err(|source| failed(Box::new(source)))?;
    built_in
        .with_overrides(&text)
        .map_err(|source| failed(Box::new(source)))
}
