//! The only place where concrete types meet.

use core::fmt;
use std::sync::Arc;

use claviger_broker::{Act, Broker, Note, VaultError};
use claviger_config::Config;
use claviger_crypto::{Secret, TokenKind, base64url_encode, kind_of, mint};
use claviger_egress::Egress;
use claviger_guard::{Guard, GuardSettings};
use claviger_model::TenantId;
use claviger_ports::{Clock, Entropy, Tasks};
use claviger_proxy::Proxy;
use claviger_store::{Store, StoreError};
use tokio::sync::Semaphore;

use crate::api_tokens::ApiTokenDirectory;
use crate::catalogue::MemoryCatalogue;
use crate::doors::Doors;
use crate::installation::settle;
use crate::landing::{Landing, Loopback};
use crate::open::{self, Absent, OpenError, Opened};
use crate::places::{Places, create_secret_file, node_id, read_secret_file};
use crate::pulse::Pulse;
use crate::tasks::TrackedTasks;
use crate::web::{self, Site, Web};

/// Every piece of a running installation.
pub(crate) struct App {
    pub(crate) places: Places,
    pub(crate) store: Arc<dyn Store>,
    /// The database, for people.
    pub(crate) database: String,
    pub(crate) broker: Broker,
    pub(crate) catalogue: Arc<MemoryCatalogue>,
    pub(crate) api_tokens: Arc<ApiTokenDirectory>,
    /// When the database last answered.
    pub(crate) pulse: Arc<Pulse>,
    pub(crate) guard: Guard,
    pub(crate) proxy: Proxy,
    pub(crate) landing: Arc<Landing>,
    pub(crate) web: Arc<Web>,
    pub(crate) tasks: Arc<TrackedTasks>,
    egress: Arc<Egress>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    /// The gateway's own address, where it has one.
    pub(crate) base: Option<String>,
    pub(crate) sign_in_timeout_s: u32,
    pub(crate) is_first_start: bool,
    /// Whether other machines use the same database.
    pub(crate) is_shared: bool,
}

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
        let (random, time) = (Arc::clone(&entropy), Arc::clone(&clock));
        let opened = open::open(config, random, time, Absent::Make).await?;
        let broker = broker(&doors, config, &opened, base.clone()).await?;
        let catalogue = Arc::new(MemoryCatalogue::default());
        let pulse = Arc::new(Pulse::new(clock.monotonic_ms()));
        let api_tokens = Arc::new(ApiTokenDirectory::new(
            Arc::clone(&opened.vault),
            Arc::clone(&opened.store),
            Arc::clone(&clock),
            Arc::clone(&pulse),
        ));
        let guard = Guard::new(Arc::clone(&api_tokens) as _, GuardSettings::default());
        let proxy = doors.proxy(config, &opened, &broker, &catalogue);
        let tasks = Arc::clone(&doors.tasks) as _;
        let landing = Arc::new(landing(config, &opened, base.clone(), tasks));
        let web = Arc::new(Web {
            broker: broker.clone(),
            catalogue: Arc::clone(&catalogue),
            landing: Arc::clone(&landing),
            entropy: Arc::clone(&entropy),
            site: site(config),
            begins: Semaphore::new(web::BEGINS),
        });
        if let Landing::Loopback(loopback) = &*landing {
            loopback.set_routes(web::router(Arc::clone(&web)));
        }
        let app = Arc::new(Self {
            places: opened.places,
            store: opened.store,
            database: opened.database,
            broker,
            catalogue,
            api_tokens,
            pulse,
            guard,
            proxy,
            landing,
            web,
            tasks: doors.tasks,
            egress: doors.egress,
            clock,
            entropy,
            base,
            sign_in_timeout_s: config.sign_in.timeout_s,
            is_first_start: opened.is_first_start,
            is_shared: opened.is_shared,
        });
        Arc::clone(&app).record();
        app.ensure_local_token(opened.is_shared).await?;
        app.reload()
            .await
            .map_err(|source| OpenError::Store { source })?;
        app.rescue_soon();
        Ok(app)
    }

    /// Reads the servers anew. Where one is gone or another one now, kept connections go too: one
    /// that was made under old settings serves no request under new ones (G6).
    pub(crate) async fn reload_servers(&self) -> Result<(), StoreError> {
        if self.catalogue.reload(&*self.store).await? {
            self.egress.close_idle();
        }
        Ok(())
    }

    /// Writes the audit log for as long as this process lives.
    fn record(self: Arc<Self>) {
        let audit = Arc::clone(self.broker.audit());
        self.tasks
            .spawn("audit", Box::pin(async move { audit.ship().await }));
    }

    /// Stores what processes left that died; nobody waits for it.
    fn rescue_soon(&self) {
        let broker = self.broker.clone();
        let rescue = async move {
            broker.rescue().await;
        };
        self.tasks.spawn("replay journals", Box::pin(rescue));
    }

    /// Reads anew what is kept in memory.
    pub(crate) async fn reload(&self) -> Result<(), StoreError> {
        self.reload_servers().await?;
        self.api_tokens.reload().await?;
        if let Some(row) = self.store.installation().find_installation().await? {
            self.broker.set_installation(&row);
        }
        self.broker.invalidate();
        match self.broker.reload_keys().await {
            Err(VaultError::Store { source }) => Err(source),
            // What cannot be unwrapped now is said where it is needed.
            _ => Ok(()),
        }
    }

    /// A new token file, or the one that another process made in between.
    fn make_local_token(&self) -> Result<Secret, OpenError> {
        let path = &self.places.token_file;
        let secret = mint(TokenKind::Api, self.entropy.key_bytes());
        let unique = base64url_encode(&self.entropy.id_bytes());
        let line = Secret::new(format!("{}\n", secret.expose()));
        create_secret_file(path, &line, &unique)?;
        Ok(read_secret_file(path)?.unwrap_or(line))
    }

    /// What the row of the token file is called. On a shared database every node has a token file
    /// of its own, and none of them may end the tokens of the others.
    fn local_token_name(&self, is_shared: bool) -> Result<String, OpenError> {
        if !is_shared {
            return Ok("local".to_owned());
        }
        let id = node_id(&self.places, &*self.entropy)?;
        Ok(format!("local {id}"))
    }

    /// A note about an administrative act.
    pub(crate) fn note(&self, act: Act, object: impl fmt::Display) -> Note {
        Note::new(act, object).by(self.broker.audit().admin())
    }

    /// The token file and its row, whichever of the two is missing.
    async fn ensure_local_token(&self, is_shared: bool) -> Result<(), OpenError> {
        let now = self.clock.now();
        let tenant = TenantId::default_tenant();
        let rows = self.store.tenant(&tenant);
        let path = &self.places.token_file;
        let text = match read_secret_file(path)? {
            Some(text) => text,
            None => self.make_local_token()?,
        };
        let secret = Secret::new(text.expose().trim());
        if kind_of(secret.expose()) != Some(TokenKind::Api) {
            return Err(OpenError::TokenFile { path: path.clone() });
        }
        let name = self.local_token_name(is_shared)?;
        let row = self
            .api_tokens
            .describe_local(name, &secret, &*self.entropy, now);
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
            // One with the same MAC is this very token, stored by another process just now.
            if old.name == row.name && old.mac != row.mac {
                let note = self
                    .note(Act::ApiTokenDelete, &old.id)
                    .with("name", old.name);
                let recorded = self.broker.audit().change(&tenant, note).await;
                let (draft, rows) = recorded.map_err(failed)?;
                let deleted = rows.delete_api_token(&old.id).await;
                draft.settle(deleted).map_err(failed)?;
            }
        }
        let note = self.note(Act::ApiTokenCreate, &row.id);
        let note = note.with("name", row.name.as_str());
        let recorded = self.broker.audit().change(&tenant, note).await;
        let (draft, rows) = recorded.map_err(failed)?;
        match draft.settle(rows.insert_api_token(&row).await) {
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

/// The broker, which knows what may be sent on behalf of this installation.
async fn broker(
    doors: &Doors,
    config: &Config,
    opened: &Opened,
    base: Option<String>,
) -> Result<Broker, OpenError> {
    let (store, entropy) = (&*opened.store, &*doors.entropy);
    let row = settle(&opened.places, store, entropy, doors.clock.now()).await?;
    let broker = doors.broker(config, opened, base)?;
    broker.set_installation(&row);
    Ok(broker)
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

fn site(config: &Config) -> Site {
    let Some(url) = &config.server.public_url else {
        return Site::default();
    };
    Site {
        host: public_host(config),
        prefix: url.path().trim_end_matches('/').to_owned(),
        is_https: url.scheme() == "https",
    }
}
