//! Claviger as real processes: several gateways on one SQLite file, or on one PostgreSQL.

use std::path::{Path, PathBuf};
use std::time::Duration;

use claviger_testkit::postgres::{self, Database};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::http::browse;
use crate::issuer::Issuer;

pub(crate) use command::{Place, end};
pub(crate) use gateway::Gateway;

mod command;
mod gateway;
pub(crate) mod sqlite;

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
                while self.nodes[at].is_some() && since.elapsed() < Duration::from_secs(30) {
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
        node.call(slug, Duration::from_secs(30)).await
    }

    /// The standing of a connection and its reason.
    pub(crate) async fn standing(&self, slug: &str) -> Option<(String, Option<String>)> {
        let place = &self.places[self.alive().unwrap_or(0)];
        let ended = place.run(&["status", slug, "--json"]).await;
        let line = ended.lines().into_iter().next()?;
        let reason = line["reason"].as_str().map(ToOwned::to_owned);
        Some((line["standing"].as_str()?.to_owned(), reason))
    }

    /// Lets the time of every lease pass: nobody has to sit through the life of a dead node's.
    pub(crate) async fn pass_leases(&self) {
        match &self.database {
            Some(database) => {
                database.query("UPDATE claviger.leases SET expires_at_ms = 0");
            }
            None => sqlite::change(&self.file(), "UPDATE leases SET expires_at_ms = 0").await,
        }
    }

    /// The SQLite file.
    pub(crate) fn file(&self) -> PathBuf {
        self.places[0].data.join("claviger.db")
    }

    /// The last lines that all nodes said.
    pub(crate) fn talk(&self) -> String {
        let all = self.places.iter().map(Place::tail);
        all.collect::<Vec<_>>().join("\n--\n")
    }
}
