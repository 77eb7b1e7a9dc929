//! The only place where concrete types meet.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use claviger_broker::Broker;
use claviger_config::Config;
use claviger_crypto::{Secret, base64url_encode};
use claviger_guard::{Guard, GuardSettings};
use claviger_model::{TenantId, Timestamp};
use claviger_ports::{Clock, Entropy, Tasks};
use claviger_proxy::Proxy;
use claviger_store::{Store, StoreError};

use crate::api_tokens::ApiTokenDirectory;
use crate::catalogue::MemoryCatalogue;
use crate::doors::Doors;
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
        let doors = Doors::open(config, own_sockets)?;
        let (clock, entropy) = (Arc::clone(&doors.clock), Arc::clone(&doors.entropy));
        let opened = open::open(&config.data_dir, Arc::clone(&entropy), Arc::clone(&clock)).await?;
        let broker = doors.broker(config, &opened, base.clone())?;
        let catalogue = Arc::new(MemoryCatalogue::default());
        let api_tokens = Arc::new(ApiTokenDirectory::new(Arc::clone(&opened.vault)));
        let guard = Guard::new(Arc::clone(&api_tokens) as _, GuardSettings::default());
        let proxy = doors.proxy(config, &opened, &broker, &catalogue);
        let landing = Arc::new(landing(
            config,
            &opened,
            base.clone(),
            Arc::clone(&doors.tasks) as _,
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
            tasks: doors.tasks,
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

    /// A new token file, or the one that another process made in between.
    fn make_local_token(&self, now: Timestamp) -> Result<Secret, OpenError> {
        let path = &self.places.token_file;
        let (secret, _row) = self.api_tokens.make_local(&*self.entropy, now);
        let unique = base64url_encode(&self.entropy.id_bytes());
        let line = Secret::new(format!("{}\n", secret.expose()));
        create_secret_file(path, &line, &unique)?;
        Ok(read_secret_file(path)?.unwrap_or(line))
    }

    /// The token file and its row, whichever of the two is missing.
    async fn ensure_local_token(&self) -> Result<(), OpenError> {
        let now = self.clock.now();
        let tenant = TenantId::default_tenant();
        let rows = self.store.tenant(&tenant);
        let path = &self.places.token_file;
        let text = match read_secret_file(path)? {
            Some(text) => text,
            None => self.make_local_token(now)?,
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

/// Where callbacks land: on our own listener, or on one that opens for a sign-in.
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
