//! The only place where concrete types meet.

use core::fmt;
use core::time::Duration;
use std::fs;
use std::sync::Arc;

use claviger_broker::{Attach, Broker, BrokerParts, BrokerSettings};
use claviger_client::Quirks;
use claviger_config::Config;
use claviger_crypto::{Secret, TenantKey, base64url_encode};
use claviger_egress::{Egress, EgressSettings, SystemResolve};
use claviger_guard::{Guard, GuardSettings};
use claviger_ports::system::{SystemClock, SystemEntropy};
use claviger_ports::{Clock, Entropy, Tasks};
use claviger_proxy::{Parts, Proxy, SessionKey};
use claviger_store::{Store, StoreError};

use crate::api_tokens::ApiTokenDirectory;
use crate::catalogue::MemoryCatalogue;
use crate::landing::{Landing, Loopback};
use crate::open::{self, OpenError, Opened};
use crate::places::{Places, create_secret_file, read_secret_file};
use crate::tasks::TrackedTasks;
use crate::web::{self, Web};

/// Every piece of a running installation.
pub(crate) struct App {
    pub(crate) places: Places,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) broker: Broker,
    pub(crate) catalogue: Arc<MemoryCatalogue>,
    pub(crate) api_tokens: Arc<ApiTokenDirectory>,
    pub(crate) guard: Guard,
    pub(crate) proxy: Proxy,
    pub(crate) landing: Arc<Landing>,
    pub(crate) web: Arc<Web>,
    pub(crate) tasks: Arc<TrackedTasks>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    /// The gateway's own address, where it has one.
    pub(crate) base: Option<String>,
    pub(crate) sign_in_timeout_s: u32,
    pub(crate) is_first_start: bool,
}

/// How often changes by other processes are looked for. A revocation must count within a second.
const POLL: Duration = Duration::from_millis(250);

// === impl App ===

impl App {
    /// Composes everything. `base` is where our own pages are served, if they are.
    pub(crate) async fn compose(
        config: &Config,
        base: Option<String>,
        own_sockets: Vec<core::net::SocketAddr>,
    ) -> Result<Arc<Self>, OpenError> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
        let tasks = Arc::new(TrackedTasks::default());
        let opened = open::open(&config.data_dir, Arc::clone(&entropy), Arc::clone(&clock)).await?;
        let egress = Egress::new(
            egress_settings(config, own_sockets),
            Arc::new(SystemResolve),
        )
        .map_err(|source| OpenError::Egress { source })?;
        let broker = Broker::new(BrokerParts {
            store: Arc::clone(&opened.store),
            vault: Arc::clone(&opened.vault),
            fetch: Arc::clone(&egress) as _,
            clock: Arc::clone(&clock),
            entropy: Arc::clone(&entropy),
            tasks: Arc::clone(&tasks) as _,
            quirks: Arc::new(quirks(config)?),
            settings: broker_settings(config, base.clone()),
        });
        let catalogue = Arc::new(MemoryCatalogue::default());
        let api_tokens = Arc::new(ApiTokenDirectory::new(Arc::clone(&opened.vault)));
        let guard = Guard::new(Arc::clone(&api_tokens) as _, GuardSettings::default());
        let proxy = Proxy::new(Parts {
            attach: Arc::new(broker.clone()) as Arc<dyn Attach>,
            forward: egress,
            servers: Arc::clone(&catalogue) as _,
            sessions: Arc::new(session_key(&opened, Arc::clone(&entropy))),
            tasks: Arc::clone(&tasks) as _,
            clock: Arc::clone(&clock),
            entropy: Arc::clone(&entropy),
            settings: proxy_settings(config),
        });
        let landing = Arc::new(landing(
            config,
            &opened,
            base.clone(),
            Arc::clone(&tasks) as _,
        ));
        let web = Arc::new(Web {
            broker: broker.clone(),
            catalogue: Arc::clone(&catalogue),
            landing: Arc::clone(&landing),
            entropy: Arc::clone(&entropy),
            hosts: public_host(config).into_iter().collect(),
        });
        if let Landing::Loopback(loopback) = &*landing {
            loopback.set_routes(web::router(Arc::clone(&web)));
        }
        let app = Arc::new(Self {
            places: opened.places,
            store: opened.store,
            broker,
            catalogue,
            api_tokens,
            guard,
            proxy,
            landing,
            web,
            tasks,
            clock,
            entropy,
            base,
            sign_in_timeout_s: config.sign_in.timeout_s,
            is_first_start: opened.is_first_start,
        });
        app.ensure_local_token().await?;
        app.reload()
            .await
            .map_err(|source| OpenError::Store { source })?;
        Ok(app)
    }

    /// Reads anew what is kept in memory.
    pub(crate) async fn reload(&self) -> Result<(), StoreError> {
        self.catalogue.reload(&*self.store).await?;
        self.api_tokens.reload(&*self.store).await?;
        self.broker.invalidate();
        Ok(())
    }

    /// Follows changes made by other processes until `closed` resolves.
    pub(crate) async fn follow(self: Arc<Self>, closed: impl Future<Output = ()>) {
        let mut closed = core::pin::pin!(closed);
        let mut seen = None;
        loop {
            tokio::select! {
                () = &mut closed => return,
                () = self.clock.sleep(POLL) => {}
            }
            let version = match self.store.data_version().await {
                Ok(version) => Some(version),
                Err(error) => {
                    tracing::warn!(%error, "could not look for changes; caches are dropped");
                    None
                }
            };
            // Without an answer nothing in memory may be trusted for longer.
            if version.is_some() && version == seen {
                continue;
            }
            match self.reload().await {
                Ok(()) => seen = version,
                Err(error) => tracing::warn!(%error, "could not read changes"),
            }
        }
    }

    /// The token file and its row, whichever of the two is missing.
    async fn ensure_local_token(&self) -> Result<(), OpenError> {
        let now = self.clock.now();
        let tenant = claviger_model::TenantId::default_tenant();
        let rows = self.store.tenant(&tenant);
        let path = &self.places.token_file;
        let text = match read_secret_file(path)? {
            Some(text) => text,
            None => {
                let (secret, _row) = self.api_tokens.make_local(&*self.entropy, now);
                let unique = base64url_encode(&self.entropy.id_bytes());
                let line = Secret::new(format!("{}\n", secret.expose()));
                create_secret_file(path, &line, &unique)?;
                read_secret_file(path)?.unwrap_or(line)
            }
        };
        let secret = Secret::new(text.expose().trim());
        let row = self.api_tokens.describe_local(&secret, &*self.entropy, now);
        let failed = |source| OpenError::Store { source };
        if rows
            .find_api_token(&row.mac)
            .await
            .map_err(failed)?
            .is_some()
        {
            return Ok(());
        }
        // The file counts: a token that was in an earlier one stops working.
        for old in rows.list_api_tokens().await.map_err(failed)? {
            if old.name == row.name {
                rows.delete_api_token(&old.id).await.map_err(failed)?;
            }
        }
        match rows.insert_api_token(&row).await {
            Ok(()) | Err(StoreError::Conflict) => Ok(()),
            Err(source) => Err(failed(source)),
        }
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App")
            .field("places", &self.places)
            .finish_non_exhaustive()
    }
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

fn egress_settings(config: &Config, own_sockets: Vec<core::net::SocketAddr>) -> EgressSettings {
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

fn landing(
    config: &Config,
    opened: &Opened,
    base: Option<String>,
    tasks: Arc<dyn Tasks>,
) -> Landing {
    match base {
        Some(base) => Landing::Own(base),
        None => Landing::Loopback(Loopback::new(
            opened.places.data_dir.join("callback-port"),
            config.sign_in.callback_port,
            tasks,
        )),
    }
}

/// The host of the public URL, which clients and browsers may name.
pub(crate) fn public_host(config: &Config) -> Option<String> {
    let url = config.server.public_url.as_ref()?;
    url.host().map(|host| host.to_string())
}
