//! An installation to test with: a database in a directory, brokers on it, and a world around it.

use core::future::Future;
use core::time::Duration;
use std::path::PathBuf;
use std::sync::Arc;

use claviger_broker::{
    Attach, Attachment, AuditParts, AuditSettings, Auditor, Begin, BeginError, Begun, Broker,
    BrokerParts, BrokerSettings, Completed, Ended, Keks, Missing, Refusal, Setting, Started, Vault,
    VaultError,
};
use claviger_client::Quirks;
use claviger_crypto::{Kek, Secret};
use claviger_model::{
    AccountName, Auth, Connection, Credential, CredentialKey, Grant, OauthSettings, Registration,
    Server, ServerId, Slug, TenantId, Timestamp, UserId,
};
use claviger_store::{Store, TenantStore};
use claviger_store_postgres::{PostgresStore, Settings};
use claviger_store_sqlite::SqliteStore;
use claviger_testkit::postgres::{self, Database};
use claviger_testkit::{FixedClock, MemoryJournal, SeededEntropy, TokioTasks};
use http::StatusCode;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, SqliteConnection};
use tempfile::TempDir;

pub(crate) use issuer::Issuer;
pub(crate) use world::World;

mod issuer;
mod world;

pub(crate) const NOW: i64 = 1_800_000_000;
pub(crate) const ISSUER: &str = "https://issuer.example";
pub(crate) const OTHER_ISSUER: &str = "https://other.example";
pub(crate) const REDIRECT: &str = "http://127.0.0.1:7448/callback/linear";

/// One database, one clock, one world; any number of processes' worth of brokers.
pub(crate) struct Installation {
    pub(crate) dir: TempDir,
    pub(crate) clock: Arc<FixedClock>,
    pub(crate) world: Arc<World>,
    pub(crate) issuer: Arc<Issuer>,
    /// Instead of the file, where it is one.
    pub(crate) shared: Option<Database>,
}

/// What one process has.
pub(crate) struct Node {
    pub(crate) broker: Broker,
    pub(crate) store: Arc<dyn Store>,
    /// The same, where it is a file.
    pub(crate) file: Option<Arc<SqliteStore>>,
    pub(crate) vault: Arc<Vault>,
    pub(crate) tasks: Arc<TokioTasks>,
    pub(crate) journal: Arc<MemoryJournal>,
    clock: Arc<FixedClock>,
    issuer: Arc<Issuer>,
}

// === impl Installation ===

impl Installation {
    pub(crate) fn new() -> Self {
        let (world, issuer) = (Arc::new(World::default()), Arc::new(Issuer::at(ISSUER)));
        world.add(&issuer);
        world.protect("https://linear.example/mcp", ISSUER);
        Self {
            dir: tempfile::tempdir().unwrap(),
            clock: Arc::new(FixedClock::at(NOW)),
            world,
            issuer,
            shared: None,
        }
    }

    /// The same on PostgreSQL, where there is one.
    pub(crate) fn on_postgres() -> Option<Self> {
        Some(Self {
            shared: Some(postgres::database()?),
            ..Self::new()
        })
    }

    async fn open_store(&self) -> (Arc<dyn Store>, Option<Arc<SqliteStore>>) {
        let Some(database) = &self.shared else {
            let store = Arc::new(SqliteStore::open(&self.database()).await.unwrap());
            return (Arc::clone(&store) as _, Some(store));
        };
        let mut settings = Settings::new(Secret::new(database.url()));
        settings.owner_url = Some(Secret::new(database.owner_url()));
        let store = PostgresStore::connect(&settings).await.unwrap();
        (Arc::new(store), None)
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.dir.path().join("claviger.db")
    }

    /// Another process on the same database.
    pub(crate) async fn node(&self, seed: u64) -> Node {
        self.node_with([7; 32], seed).await.unwrap()
    }

    pub(crate) async fn node_with(&self, kek: [u8; 32], seed: u64) -> Result<Node, VaultError> {
        self.node_of(Kek::new(kek), seed).await
    }

    /// The same with any KEKs.
    pub(crate) async fn node_of(
        &self,
        keks: impl Into<Keks>,
        seed: u64,
    ) -> Result<Node, VaultError> {
        let (store, file) = self.open_store().await;
        let (entropy, tasks) = (
            Arc::new(SeededEntropy::new(seed)),
            Arc::new(TokioTasks::new()),
        );
        let vault = Vault::open(
            keks,
            store.keys(),
            Arc::clone(&entropy) as _,
            Arc::clone(&self.clock) as _,
        )
        .await?;
        let vault = Arc::new(vault);
        let audit = Auditor::new(AuditParts {
            store: Arc::clone(&store) as _,
            vault: Arc::clone(&vault),
            clock: Arc::clone(&self.clock) as _,
            entropy: Arc::clone(&entropy) as _,
            settings: AuditSettings::default(),
        });
        let journal = Arc::new(MemoryJournal::new());
        let broker = Broker::new(BrokerParts {
            store: Arc::clone(&store),
            vault: Arc::clone(&vault),
            audit: Arc::new(audit),
            fetch: Arc::clone(&self.world) as _,
            journal: Arc::clone(&journal) as _,
            clock: Arc::clone(&self.clock) as _,
            entropy,
            tasks: Arc::clone(&tasks) as _,
            quirks: Arc::new(Quirks::none()),
            settings: BrokerSettings {
                client_name: "Claviger".to_owned(),
                client_metadata_url: None,
                link_base: Some("http://127.0.0.1:7447".to_owned()),
                sign_in_timeout_s: 300,
            },
        });
        Ok(Node {
            broker,
            store,
            file,
            vault,
            tasks,
            journal,
            clock: Arc::clone(&self.clock),
            issuer: Arc::clone(&self.issuer),
        })
    }

    /// One process with one server, and its owner signed in.
    pub(crate) async fn signed_in() -> (Self, Node, Server) {
        let installation = Self::new();
        let node = installation.node(1).await;
        let server = node.add(linear()).await;
        let ended = node.sign_in(&server, &UserId::owner()).await;
        assert_eq!(ended.outcome, claviger_model::Outcome::Success, "{ended:?}");
        (installation, node, server)
    }

    /// Somebody else holds every lease from now on.
    pub(crate) async fn give_leases_away(&self) {
        let statement = "UPDATE leases SET owner = 'somebody else', epoch = epoch + 1,
             expires_at_ms = 9000000000000";
        self.sql(statement).await;
    }

    /// Nobody's beat came through for as long as a lease lasts.
    pub(crate) async fn end_leases(&self) {
        self.sql("UPDATE leases SET expires_at_ms = 0").await;
    }

    /// What somebody does with the database behind our back.
    pub(crate) async fn sql(&self, statement: &'static str) {
        let options = SqliteConnectOptions::new().filename(self.database());
        let mut db = SqliteConnection::connect_with(&options).await.unwrap();
        sqlx::query(statement).execute(&mut db).await.unwrap();
    }

    /// Runs `work` while time goes on.
    pub(crate) async fn driven<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = Box::pin(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                () = real_pause() => self.clock.advance(Duration::from_millis(20)),
            }
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the database is real and takes real time; the clock everybody reads is fixed"
)]
async fn real_pause() {
    tokio::time::sleep(Duration::from_millis(2)).await;
}

/// A protected server.
pub(crate) fn linear() -> Server {
    Server {
        id: ServerId::parse("linear").unwrap(),
        tenant: TenantId::default_tenant(),
        slug: Slug::parse("linear").unwrap(),
        display_name: "Linear".to_owned(),
        url: "https://linear.example/mcp".to_owned(),
        auth: Auth::Oauth(Box::default()),
        allow_private: false,
        enabled: true,
        created_at: Timestamp::from_secs(NOW),
        updated_at: Timestamp::from_secs(NOW),
    }
}

/// The same, with a client of the operator's that signs in as itself.
pub(crate) async fn own(node: &Node) -> Server {
    let sealed = node
        .broker
        .seal_setting(
            &linear(),
            Setting::ClientSecret {
                client_id: "static-client",
            },
            &Secret::new("canary~static/secret+1="),
        )
        .await
        .unwrap();
    let settings = OauthSettings {
        grant: Grant::ClientCredentials,
        client_id: Some("static-client".to_owned()),
        sealed_client_secret: Some(sealed),
        ..OauthSettings::default()
    };
    Server {
        auth: Auth::Oauth(Box::new(settings)),
        ..linear()
    }
}

pub(crate) fn key(server: &Server, user: &UserId) -> CredentialKey {
    CredentialKey {
        tenant: server.tenant.clone(),
        user: user.clone(),
        server: server.id.clone(),
        account: AccountName::default_account(),
    }
}

pub(crate) fn begin() -> Begin {
    Begin {
        redirect_uri: REDIRECT.to_owned(),
        force: false,
        start_over: false,
        binding: None,
        link: None,
    }
}

pub(crate) fn forced() -> Begin {
    Begin {
        force: true,
        ..begin()
    }
}

pub(crate) fn refusal(status: u16, challenge: &str) -> Refusal {
    Refusal {
        status: StatusCode::from_u16(status).unwrap(),
        www_authenticate: vec![challenge.to_owned()],
        operation: "tools/call echo".to_owned(),
    }
}

/// What is attached, as text.
pub(crate) fn bearer(attachment: &Attachment) -> String {
    let (name, value) = attachment.headers.first().expect("a header is attached");
    assert_eq!(name, "authorization");
    assert!(value.is_sensitive());
    value.to_str().unwrap().to_owned()
}

pub(crate) fn ended(completed: Completed) -> Ended {
    match completed {
        Completed::Ended { ended, .. } => ended,
        Completed::NotOurs => panic!("the callback was nobody's"),
    }
}

// === impl Node ===

impl Node {
    pub(crate) async fn add(&self, server: Server) -> Server {
        self.rows().insert_server(&server).await.unwrap();
        server
    }

    pub(crate) fn rows(&self) -> Arc<dyn TenantStore> {
        self.store.tenant(&TenantId::default_tenant())
    }

    pub(crate) async fn credential(&self, server: &Server) -> Option<Credential> {
        let key = key(server, &UserId::owner());
        self.rows().find_credential(&key).await.unwrap()
    }

    pub(crate) async fn connection(&self, server: &Server) -> Option<Connection> {
        let key = key(server, &UserId::owner());
        self.rows().find_connection(&key).await.unwrap()
    }

    pub(crate) async fn registrations(&self, server: &Server) -> Vec<Registration> {
        self.rows().list_registrations(&server.id).await.unwrap()
    }

    pub(crate) async fn begin(
        &self,
        server: &Server,
        user: &UserId,
        begin: Begin,
    ) -> Result<Begun, BeginError> {
        self.broker
            .begin(server, user, begin, &mut |_step| {})
            .await
    }

    pub(crate) async fn start(&self, server: &Server, user: &UserId, begin: Begin) -> Started {
        match self.begin(server, user, begin).await.unwrap() {
            Begun::Started(started) => started,
            other => panic!("nothing was started: {other:?}"),
        }
    }

    /// Signs in, the person agreeing at the issuer of this installation.
    pub(crate) async fn sign_in(&self, server: &Server, user: &UserId) -> Ended {
        self.sign_in_with(server, user, begin()).await
    }

    pub(crate) async fn sign_in_with(&self, server: &Server, user: &UserId, begin: Begin) -> Ended {
        let started = self.start(server, user, begin).await;
        let query = self.issuer.agree(&started.authorization_url);
        ended(self.complete(server, &query).await)
    }

    pub(crate) async fn complete(&self, server: &Server, query: &str) -> Completed {
        self.broker.complete(&server.id, query, None).await
    }

    pub(crate) async fn attach(&self, server: &Server) -> Result<Attachment, Missing> {
        self.broker.attach(server, &UserId::owner().into()).await
    }

    /// The header attached for the owner.
    pub(crate) async fn bearer(&self, server: &Server) -> String {
        bearer(&self.attach(server).await.unwrap())
    }

    pub(crate) async fn refused(
        &self,
        server: &Server,
        used: &Attachment,
        refusal: &Refusal,
    ) -> Result<Attachment, Missing> {
        let owner = UserId::owner().into();
        self.broker.refused(server, &owner, used, refusal).await
    }

    /// Until the access token has ended.
    pub(crate) fn expire(&self) {
        self.clock.advance_secs(3_601);
    }
}
