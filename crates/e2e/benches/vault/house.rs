//! One installation: a database with so many credentials, and a broker on it.

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use claviger_broker::{
    Asker, Attach as _, Attachment, AuditParts, AuditSettings, Auditor, Broker, BrokerParts,
    BrokerSettings, Refusal, Setting, Vault,
};
use claviger_client::Quirks;
use claviger_crypto::{Kek, Secret};
use claviger_model::{
    AccountName, Auth, CredentialKey, Grant, OauthSettings, Server, ServerId, Slug, TenantId,
    Timestamp, UserId,
};
use claviger_ports::system::{SystemClock, SystemEntropy};
use claviger_ports::{Clock as _, Tasks as _};
use claviger_store::Store;
use claviger_testkit::{MemoryJournal, ScriptedFetch, TokioTasks, json_answer};
use http::{Method, StatusCode};
use serde_json::json;

use crate::place::{Home, Place};

/// A running installation.
pub(crate) struct House {
    pub(crate) backend: &'static str,
    pub(crate) stored: u32,
    pub(crate) home: Home,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) vault: Arc<Vault>,
    pub(crate) audit: Arc<Auditor>,
    pub(crate) server: Server,
    broker: Broker,
    tasks: Arc<TokioTasks>,
    users: Vec<UserId>,
}

const ISSUER: &str = "https://issuer.example";
const UPSTREAM: &str = "https://bench.example";

// === impl House ===

impl House {
    /// Obtains the credentials in use as the product does, and fills the table up with copies that
    /// nobody reads.
    pub(crate) async fn build(
        place: &Place<'_>,
        name: &str,
        stored: u32,
        hot: u32,
    ) -> Result<Self> {
        let home = place.home(name);
        let store = home.open().await?;
        let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
        let tasks = Arc::new(TokioTasks::new());
        let kek = Kek::new([7; 32]);
        let (random, time) = (Arc::clone(&entropy), Arc::clone(&clock));
        let vault = Arc::new(Vault::open(kek, store.keys(), random, time).await?);
        let audit = Arc::new(Auditor::new(AuditParts {
            store: Arc::clone(&store),
            vault: Arc::clone(&vault),
            clock: Arc::clone(&clock) as _,
            entropy: Arc::clone(&entropy) as _,
            settings: AuditSettings::default(),
        }));
        let broker = Broker::new(BrokerParts {
            store: Arc::clone(&store),
            vault: Arc::clone(&vault),
            audit: Arc::clone(&audit),
            fetch: Arc::new(issuer()),
            journal: Arc::new(MemoryJournal::new()),
            clock,
            entropy,
            tasks: Arc::clone(&tasks) as _,
            quirks: Arc::new(Quirks::none()),
            settings: BrokerSettings {
                client_name: "Claviger".to_owned(),
                client_metadata_url: None,
                link_base: None,
                sign_in_timeout_s: 300,
            },
        });
        let server = server(&broker).await?;
        let tenant = store.tenant(&server.tenant);
        tenant.insert_server(&server).await?;
        let house = Self {
            backend: place.name(),
            stored,
            home,
            store,
            vault,
            audit,
            server,
            broker,
            tasks,
            users: (0..hot).map(user).collect::<Result<_>>()?,
        };
        for user in house.users() {
            house.obtain(user).await?;
        }
        house.home.copy_credential(stored - hot).await?;
        house.broker.invalidate();
        Ok(house)
    }

    /// Who is in use.
    pub(crate) fn users(&self) -> &[UserId] {
        &self.users
    }

    /// Uses go to the audit log, as they do in a server.
    pub(crate) fn keep_the_log(&self) {
        let audit = Arc::clone(&self.audit);
        let shipping = Box::pin(async move { audit.ship().await });
        self.tasks.spawn("audit", shipping);
    }

    pub(crate) async fn close(self) {
        self.audit.close().await;
    }

    /// What the proxy asks for a call.
    pub(crate) async fn attach(&self, call: usize) -> Result<()> {
        self.attach_for(&self.users[call % self.users.len()]).await
    }

    /// The same for everybody once.
    pub(crate) async fn attach_all(&self, users: &[UserId]) -> Result<()> {
        for user in users {
            self.attach_for(user).await?;
        }
        Ok(())
    }

    /// The same, when it is not in memory.
    pub(crate) async fn attach_cold(&self, call: usize) -> Result<()> {
        let user = &self.users[call % self.users.len()];
        self.broker.forget(&self.key(user), None);
        self.attach_for(user).await
    }

    pub(crate) fn key(&self, user: &UserId) -> CredentialKey {
        CredentialKey {
            tenant: self.server.tenant.clone(),
            user: user.clone(),
            server: self.server.id.clone(),
            account: AccountName::default_account(),
        }
    }

    async fn attach_for(&self, user: &UserId) -> Result<()> {
        let attached = self
            .broker
            .attach(&self.server, &Asker::from(user.clone()))
            .await?;
        ensure!(!attached.headers.is_empty(), "nothing was attached");
        Ok(())
    }

    /// By `client_credentials`, after a refusal of the upstream.
    async fn obtain(&self, user: &UserId) -> Result<()> {
        let metadata = format!("{UPSTREAM}/.well-known/oauth-protected-resource/mcp");
        let refusal = Refusal {
            status: StatusCode::UNAUTHORIZED,
            www_authenticate: vec![format!("Bearer resource_metadata=\"{metadata}\"")],
            operation: "tools/call echo".to_owned(),
        };
        let bare = Attachment::default();
        let asker = Asker::from(user.clone());
        let got = self.broker.refused(&self.server, &asker, &bare, &refusal);
        got.await.context("the benchmark's issuer gave nothing")?;
        Ok(())
    }
}

pub(crate) fn user(number: u32) -> Result<UserId> {
    UserId::parse(&format!("u{number}")).context("the name of a user")
}

async fn server(broker: &Broker) -> Result<Server> {
    let now = Timestamp::from_secs(SystemClock.now().as_secs());
    let mut server = Server {
        id: ServerId::parse("bench").context("an id")?,
        tenant: TenantId::default_tenant(),
        slug: Slug::parse("bench").context("a slug")?,
        display_name: "Bench".to_owned(),
        url: format!("{UPSTREAM}/mcp"),
        auth: Auth::None,
        allow_private: false,
        enabled: true,
        created_at: now,
        updated_at: now,
    };
    let client_id = "bench";
    let role = Setting::ClientSecret { client_id };
    let secret = Secret::new("a-secret-of-the-benchmark");
    let sealed = broker.seal_setting(&server, role, &secret).await?;
    server.auth = Auth::Oauth(Box::new(OauthSettings {
        grant: Grant::ClientCredentials,
        client_id: Some(client_id.to_owned()),
        sealed_client_secret: Some(sealed),
        ..OauthSettings::default()
    }));
    Ok(server)
}

/// Gives a token of a usual size that lives for a year.
fn issuer() -> ScriptedFetch {
    let fetch = ScriptedFetch::new();
    let token = json!({
        "access_token": "t".repeat(600), "token_type": "Bearer", "expires_in": 31_536_000,
    });
    fetch.document(
        &format!("{UPSTREAM}/.well-known/oauth-protected-resource/mcp"),
        &json!({"resource": format!("{UPSTREAM}/mcp"), "authorization_servers": [ISSUER]}),
    );
    fetch.document(
        &format!("{ISSUER}/.well-known/oauth-authorization-server"),
        &json!({
            "issuer": ISSUER,
            "authorization_endpoint": format!("{ISSUER}/authorize"),
            "token_endpoint": format!("{ISSUER}/token"),
            "response_types_supported": ["code"],
            "grant_types_supported": ["client_credentials"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
            "code_challenge_methods_supported": ["S256"],
        }),
    );
    fetch.always(
        Method::POST,
        &format!("{ISSUER}/token"),
        json_answer(200, &token),
    );
    fetch
}
