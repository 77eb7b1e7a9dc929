//! A throw-away installation, with the demo's protected server beside it.

use core::net::SocketAddr;
use core::time::Duration;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use claviger_admin_api::{AddServer, Line, Problem, Request};
use claviger_config::{Config, Flag, Sources};
use claviger_ports::Tasks;
use claviger_server::demo::{DemoSettings, ProtectedDemo, RunningDemo};
use claviger_server::{Gateway, Ready, ServeError, serve};
use claviger_testkit::TokioTasks;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

pub(crate) use web::{Answer, approve, ask, get, initialize, post, rpc};

mod web;

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A directory, and how to come to an installation in it.
pub(crate) struct Place {
    home: TempDir,
    flags: Vec<(&'static str, String)>,
}

/// A server that serves. It ends with this value.
pub(crate) struct Running {
    pub(crate) ready: Ready,
    stop: CancellationToken,
    ended: oneshot::Receiver<Result<(), ServeError>>,
    // Held so that the server ends with this value.
    _tasks: TokioTasks,
}

/// The demo's protected server.
pub(crate) struct Upstream {
    pub(crate) demo: RunningDemo,
    _tasks: Arc<TokioTasks>,
}

// === impl Place ===

impl Place {
    pub(crate) fn new() -> Self {
        Self {
            home: TempDir::new().unwrap(),
            flags: vec![("server.listen", "127.0.0.1:0".to_owned())],
        }
    }

    pub(crate) fn with(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.flags.retain(|(known, _)| *known != key);
        self.flags.push((key, value.into()));
        self
    }

    /// The data directory. It does not exist at first.
    pub(crate) fn dir(&self) -> PathBuf {
        self.home.path().join("data")
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir().join(name)
    }

    pub(crate) fn config(&self) -> Config {
        let flags = self.flags.iter().map(|(key, value)| Flag {
            key,
            flag: "--flag",
            value: value.clone(),
        });
        let sources = Sources {
            data_dir: Some(self.dir()),
            flags: flags.collect(),
            ..Sources::default()
        };
        Config::load(&sources).unwrap()
    }

    /// What a command line talks to.
    pub(crate) async fn open(&self) -> Box<dyn Gateway> {
        claviger_server::open(&self.config()).await.unwrap()
    }

    pub(crate) async fn serve(&self) -> Running {
        self.try_serve().await.unwrap()
    }

    pub(crate) async fn try_serve(&self) -> Result<Running, ServeError> {
        let (tell_ready, ready) = oneshot::channel();
        let (tell_end, ended) = oneshot::channel();
        let (stop, config, tasks) = (CancellationToken::new(), self.config(), TokioTasks::new());
        let stopped = stop.clone().cancelled_owned();
        let serving = async move {
            let on_ready = move |ready: &Ready| drop(tell_ready.send(ready.clone()));
            drop(tell_end.send(serve(config, stopped, on_ready).await));
        };
        tasks.spawn("serve", Box::pin(serving));
        match timeout(PATIENCE, ready)
            .await
            .expect("it serves or says why not")
        {
            Ok(ready) => Ok(Running {
                ready,
                stop,
                ended,
                _tasks: tasks,
            }),
            Err(_) => Err(ended.await.unwrap().expect_err("it ended before it served")),
        }
    }
}

// === impl Running ===

impl Running {
    pub(crate) fn address(&self) -> SocketAddr {
        self.ready.address
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.ready.address)
    }

    pub(crate) fn token(&self) -> String {
        read(&self.ready.token_file).trim().to_owned()
    }

    /// Begins the end, as SIGTERM does.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }

    pub(crate) async fn stopped(self) {
        self.stop.cancel();
        let ended = timeout(PATIENCE, self.ended).await.expect("it ends");
        ended.unwrap().unwrap();
    }

    /// Calls a server as an MCP client does, and gives what came back.
    pub(crate) async fn call(&self, slug: &str) -> Answer {
        ask(rpc(
            &self.url(&format!("/{slug}/mcp")),
            &self.token(),
            &initialize(),
        ))
        .await
    }

    /// The link that a client is given where nobody has signed in.
    pub(crate) async fn link(&self, slug: &str) -> String {
        let answer = self.call(slug).await;
        let (_, rest) = answer
            .text
            .split_once("/login/")
            .unwrap_or_else(|| panic!("no link in {answer:?}"));
        let ticket: String = rest
            .chars()
            .take_while(|char| char.is_ascii_alphanumeric() || "-_".contains(*char))
            .collect();
        self.url(&format!("/login/{ticket}"))
    }
}

// === impl Upstream ===

impl Upstream {
    pub(crate) async fn start() -> Self {
        let tasks = Arc::new(TokioTasks::new());
        let shared = Arc::<TokioTasks>::clone(&tasks) as Arc<dyn Tasks>;
        let demo = ProtectedDemo::start(DemoSettings::default(), shared).await;
        Self {
            demo: demo.unwrap(),
            _tasks: tasks,
        }
    }

    pub(crate) fn as_server(&self, slug: &str) -> AddServer {
        AddServer {
            slug: slug.to_owned(),
            url: self.demo.url().to_owned(),
            allow_private: true,
            ..AddServer::default()
        }
    }

    pub(crate) async fn add(&self, gateway: &dyn Gateway, slug: &str) {
        done(act(gateway, Request::AddServer(Box::new(self.as_server(slug)))).await);
    }
}

/// Every line of an act.
pub(crate) async fn act(gateway: &dyn Gateway, request: Request) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut sink = |line| lines.push(line);
    let acting = gateway.act(request, &mut sink);
    timeout(PATIENCE, acting).await.expect("it ends").unwrap();
    let is_last = |line: &Line| matches!(line, Line::Done | Line::Problem(_));
    let ends: Vec<_> = lines.iter().map(is_last).collect();
    assert_eq!(
        ends.iter().filter(|is_last| **is_last).count(),
        1,
        "{lines:?}"
    );
    assert_eq!(ends.last(), Some(&true), "{lines:?}");
    lines
}

/// The lines of an act that went well, without the last one.
#[track_caller]
pub(crate) fn done(mut lines: Vec<Line>) -> Vec<Line> {
    assert_eq!(lines.pop(), Some(Line::Done), "after {lines:?}");
    lines
}

/// Why an act did not go well.
#[track_caller]
pub(crate) fn problem(mut lines: Vec<Line>) -> Problem {
    match lines.pop() {
        Some(Line::Problem(problem)) => problem,
        other => panic!("{other:?} after {lines:?}"),
    }
}

pub(crate) fn slug(name: &str) -> String {
    name.to_owned()
}

pub(crate) fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}
