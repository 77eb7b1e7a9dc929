//! Claviger as real processes: several gateways on one SQLite file, or on one PostgreSQL.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use claviger_testkit::postgres::{self, Database};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::http::browse;
use crate::issuer::Issuer;

pub(crate) use command::{Place, end};
pub(crate) use gateway::Gateway;
pub(crate) use wire::Wire;

mod command;
mod gateway;
mod journal;
pub(crate) mod sqlite;
mod wire;

/// Which database stands behind the gateways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backend {
    Postgres,
    Sqlite,
}

/// The machines: a place for each node, and what they share.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) backend: Backend,
    pub(crate) places: Vec<Place>,
    pub(crate) nodes: Vec<Option<Gateway>>,
    pub(crate) database: Option<Database>,
    _folder: TempDir,
}

// === impl Backend ===

impl Backend {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Sqlite => "sqlite",
        }
    }
}

// === impl Cluster ===

impl Cluster {
    /// Starts `nodes` gateways on a new database; `None` where there is no PostgreSQL.
    pub(crate) async fn start(binary: &Path, backend: Backend, nodes: usize) -> Option<Self> {
        let database = match backend {
            Backend::Postgres => Some(
                tokio::task::spawn_blocking(postgres::database)
                    .await
                    .unwrap()?,
            ),
            Backend::Sqlite => None,
        };
        let mut cluster = Self::prepare(binary, backend, nodes, database);
        for at in 0..nodes {
            cluster.serve(at, &[]).await.unwrap();
        }
        Some(cluster)
    }

    /// The places of `nodes` gateways; nothing runs yet.
    pub(crate) fn prepare(
        binary: &Path,
        backend: Backend,
        nodes: usize,
        database: Option<Database>,
    ) -> Self {
        let folder = TempDir::new().unwrap();
        let places = (0..nodes).map(|at| {
            let data = match backend {
                Backend::Postgres => format!("data-{at}"),
                Backend::Sqlite => "data".to_owned(),
            };
            let scratch = folder.path().join(format!("node-{at}"));
            let mut place = Place::new(binary.to_owned(), scratch, folder.path().join(data));
            if let Some(database) = &database {
                place.use_database(&database.url(), &database.owner_url());
            }
            place
        });
        Self {
            backend,
            places: places.collect(),
            nodes: (0..nodes).map(|_| None).collect(),
            database,
            _folder: folder,
        }
    }

    /// Starts one node, with more of an environment.
    pub(crate) async fn serve(&mut self, at: usize, more: &[(&str, String)]) -> Result<(), String> {
        let place = &self.places[at];
        if at > 0 {
            place.share_key_of(&self.places[0]);
        }
        if self.backend == Backend::Sqlite && self.places.len() > 1 {
            // One server a data directory is what the product wants. Its lock stands for a person's
            // mistake here: several gateways on one file are the hardest case for the database.
            place.forget_server();
        }
        self.nodes[at] = Some(place.serve(more).await?);
        Ok(())
    }

    pub(crate) fn node(&self, at: usize) -> &Gateway {
        self.nodes[at].as_ref().expect("it was started")
    }

    /// `kill -9`.
    pub(crate) async fn kill(&mut self, at: usize) {
        if let Some(node) = self.nodes[at].take() {
            node.kill().await;
        }
    }

    /// The same for several at once.
    pub(crate) async fn kill_all(&mut self, all: &[usize]) {
        for at in all {
            if let Some(node) = &mut self.nodes[*at] {
                node.start_kill();
            }
        }
        for at in all {
            self.kill(*at).await;
        }
    }

    /// Ends a node in order.
    pub(crate) async fn stop(&mut self, at: usize) -> bool {
        match self.nodes[at].take() {
            Some(node) => node.stop().await,
            None => true,
        }
    }

    /// Any node that runs.
    pub(crate) fn alive(&self) -> Option<usize> {
        (0..self.nodes.len()).find(|at| self.nodes[*at].is_some())
    }

    /// Adds a server of the issuer under `slug`, without signing in.
    pub(crate) async fn add(&self, issuer: &Issuer, slug: &str) {
        let url = issuer.resource(slug);
        let words = [
            "server",
            "add",
            slug,
            &url,
            "--no-discover",
            "--allow-private",
            "--json",
        ];
        let ended = self.places[0].run(&words).await;
        assert_eq!(ended.code, 0, "server add: {ended:?}");
    }

    /// Signs in by `claviger login`, playing the browser.
    pub(crate) async fn sign_in(&self, slug: &str) -> Result<(), String> {
        self.sign_in_with(slug, &[]).await
    }

    /// The same with more words.
    pub(crate) async fn sign_in_with(&self, slug: &str, more: &[&str]) -> Result<(), String> {
        let place = &self.places[self.alive().unwrap_or(0)];
        let words = ["login", slug, "--no-browser", "--json"];
        let ended = place
            .run_with(&[&words[..], more].concat(), |line| async move {
                if let Some(url) = line["authorization_url"].as_str() {
                    browse(url).await.ok();
                }
            })
            .await;
        if ended.code == 0 {
            return Ok(());
        }
        Err(format!(
            "login {slug}: exit {}: {}",
            ended.code,
            ended.talk()
        ))
    }

    /// Servers `s0`, `s1`, … of the issuer, signed in.
    pub(crate) async fn link(&self, issuer: &Issuer, count: usize) -> Vec<String> {
        let slugs: Vec<String> = (0..count).map(|at| format!("s{at}")).collect();
        for slug in &slugs {
            self.add(issuer, slug).await;
            self.sign_in(slug).await.unwrap();
        }
        self.settle(&slugs).await;
        slugs
    }

    /// Waits until every node that runs knows every server: news takes a moment.
    pub(crate) async fn settle(&self, slugs: &[String]) {
        let since = Instant::now();
        for at in 0..self.nodes.len() {
            for slug in slugs {
                while self.nodes[at].is_some() && since.elapsed() < Duration::from_mins(2) {
                    match self.call(at, slug).await {
                        Ok(()) => break,
                        Err(_) => sleep(Duration::from_millis(30)).await,
                    }
                }
            }
        }
    }

    /// One call through one node.
    pub(crate) async fn call(&self, at: usize, slug: &str) -> Result<(), String> {
        let node = self.nodes[at].as_ref().ok_or("the node is down")?;
        node.call(slug, Duration::from_mins(2)).await
    }

    /// The standing of a connection and its reason.
    pub(crate) async fn standing(&self, slug: &str) -> Option<(String, Option<String>)> {
        let place = &self.places[self.alive().unwrap_or(0)];
        let ended = place.run(&["status", slug, "--json"]).await;
        let line = ended.lines().into_iter().next()?;
        let reason = line["reason"].as_str().map(ToOwned::to_owned);
        Some((line["standing"].as_str()?.to_owned(), reason))
    }

    /// Whether a lease is held, by the clock of the database; on PostgreSQL.
    pub(crate) fn has_leases(&self) -> bool {
        let held = "SELECT count(*) FROM claviger.leases \
                    WHERE expires_at_ms > extract(epoch FROM clock_timestamp()) * 1000";
        let database = self.database.as_ref().expect("it is on PostgreSQL");
        tokio::task::block_in_place(|| database.query(held)) != "0"
    }

    /// Stops a node with SIGSTOP, at no moment at which it locks the database.
    pub(crate) async fn freeze(&self, at: usize) {
        loop {
            self.node(at).signal("STOP").await;
            if self.is_unlocked().await {
                return;
            }
            self.node(at).signal("CONT").await;
            sleep(Duration::from_millis(20)).await;
        }
    }

    async fn is_unlocked(&self) -> bool {
        let Some(database) = &self.database else {
            return sqlite::is_unlocked(&self.file()).await;
        };
        let open = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                    AND state LIKE 'idle in transaction%'";
        tokio::task::block_in_place(|| database.query(open)) == "0"
    }

    /// Lets the time of every lease pass: nobody has to sit through the life of a dead node's. To
    /// be used only while nobody lives who may hold one.
    pub(crate) async fn pass_leases(&self) {
        self.change(
            "UPDATE claviger.leases SET expires_at_ms = 0",
            "UPDATE leases SET expires_at_ms = 0",
        )
        .await;
    }

    /// The same for some servers.
    pub(crate) async fn pass_leases_of(&self, slugs: &[&str]) {
        if slugs.is_empty() {
            return;
        }
        let slugs = format!("('{}')", slugs.join("', '"));
        let change = |schema: &str| {
            format!(
                "UPDATE {schema}leases SET expires_at_ms = 0 WHERE server_id IN \
                 (SELECT id FROM {schema}servers WHERE slug IN {slugs})"
            )
        };
        self.change(&change("claviger."), &change("")).await;
    }

    /// Whether a sign-in is open, and whether its callback has arrived.
    pub(crate) async fn open_sign_in(&self, slug: &str) -> Option<bool> {
        let ask = |schema: &str| {
            format!(
                "SELECT count(*) + count(taken_at) FROM {schema}sign_ins WHERE outcome IS NULL \
                 AND server_id = (SELECT id FROM {schema}servers WHERE slug = '{slug}')"
            )
        };
        let count = match &self.database {
            Some(database) => {
                let query = ask("claviger.");
                let told = tokio::task::block_in_place(|| database.query(&query));
                told.parse().unwrap()
            }
            None => sqlite::number(&self.file(), &ask("")).await,
        };
        (count > 0).then_some(count > 1)
    }

    async fn change(&self, on_postgres: &str, on_sqlite: &str) {
        match &self.database {
            Some(database) => {
                tokio::task::block_in_place(|| database.query(on_postgres));
            }
            None => sqlite::change(&self.file(), on_sqlite).await,
        }
    }

    /// How many answers of issuers stand in the rescue journals of all nodes, settled or not.
    pub(crate) fn noted(&self) -> usize {
        let mut folders: Vec<&Path> = self.places.iter().map(|place| &*place.data).collect();
        folders.dedup();
        folders.into_iter().map(journal::entries).sum()
    }

    /// The SQLite file.
    pub(crate) fn file(&self) -> PathBuf {
        self.places[0].data.join("claviger.db")
    }

    /// The last lines that all nodes said, to be put behind a sentence about them.
    pub(crate) fn talk(&self) -> String {
        let most = LINES / self.places.len().max(1);
        let mut text = LOG.to_owned();
        for (node, place) in self.places.iter().enumerate() {
            for line in place.tail(most) {
                write!(text, "\nnode {node}: {line}").ok();
            }
        }
        text
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // The folder goes with this value, and with it what would say why.
        if std::thread::panicking() {
            last_words(self.talk());
        }
    }
}

/// What stands between a sentence and the log of the processes it is about.
pub(crate) const LOG: &str = "\n── log";

/// How many lines of the log are worth to be read.
const LINES: usize = 40;

static LAST_WORDS: Mutex<String> = Mutex::new(String::new());

fn last_words(talk: String) {
    *LAST_WORDS.lock().unwrap_or_else(PoisonError::into_inner) = talk;
}

/// What the gateways said of a scenario that failed itself.
pub(crate) fn take_last_words() -> String {
    core::mem::take(&mut LAST_WORDS.lock().unwrap_or_else(PoisonError::into_inner))
}
