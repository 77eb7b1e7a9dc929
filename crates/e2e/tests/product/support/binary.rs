//! The binary `claviger` on a throw-away data directory.

use core::time::Duration;
use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use claviger_testkit::postgres::Database;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use super::http::{ask, browse, get};

/// Longer than any command of these tests may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Claviger with data of its own.
pub(crate) struct Claviger {
    home: TempDir,
    /// More of the environment.
    environment: Vec<(&'static str, String)>,
}

/// A command that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A gateway that serves. It dies with this value.
pub(crate) struct Gateway {
    /// `http://127.0.0.1:PORT`.
    pub(crate) origin: String,
    pub(crate) token: String,
    pub(crate) ready: Value,
    child: Child,
    log: PathBuf,
}

// === impl Claviger ===

impl Claviger {
    pub(crate) fn new() -> Self {
        Self {
            home: TempDir::new().unwrap(),
            environment: Vec::new(),
        }
    }

    /// Gives every later command one more variable.
    pub(crate) fn set(&mut self, name: &'static str, value: &str) {
        self.environment.push((name, value.to_owned()));
    }

    /// A node on this PostgreSQL database.
    pub(crate) fn on(database: &Database) -> Self {
        Self::at(&database.url(), &database.owner_url())
    }

    /// A node on the PostgreSQL database behind these URLs.
    pub(crate) fn at(url: &str, owner_url: &str) -> Self {
        let mut node = Self::new();
        for (name, variable, url) in [
            ("url", "CLAVIGER_STORE_URL_FILE", url),
            ("owner-url", "CLAVIGER_STORE_OWNER_URL_FILE", owner_url),
        ] {
            let file = node.secret_file(name, url);
            node.environment.push((variable, file));
        }
        node
    }

    /// Gives this node the same key file as `other`.
    pub(crate) fn share_key_of(&self, other: &Self) {
        let mut builder = fs::DirBuilder::new();
        builder.mode(0o700).create(self.data_dir()).unwrap();
        fs::copy(other.data_dir().join("key"), self.data_dir().join("key")).unwrap();
    }

    /// A file outside of the data directory that only its owner may read; answers its path.
    pub(crate) fn secret_file(&self, name: &str, text: &str) -> String {
        let path = self.scratch(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// The data directory. It does not exist before the first command.
    pub(crate) fn data_dir(&self) -> PathBuf {
        self.home.path().join("data")
    }

    /// A place for files that do not belong to the product.
    pub(crate) fn scratch(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// A command with nothing of the person's own environment that could change it.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command
            .args(args)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home.path())
            .env("CLAVIGER_DATA_DIR", self.data_dir())
            .env("XDG_CONFIG_HOME", self.scratch("config"))
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(self.home.path())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// Runs a command to its end.
    pub(crate) async fn run(&self, args: &[&str]) -> Ended {
        end(self.command(args)).await
    }

    /// Runs a command that must come through, and answers its JSON lines.
    pub(crate) async fn must(&self, args: &[&str]) -> Vec<Value> {
        let ended = self.run(args).await;
        assert_eq!(ended.code, 0, "claviger {args:?}: {ended:#?}");
        ended.lines()
    }

    /// Adds a server without looking at it.
    pub(crate) async fn add(&self, slug: &str, url: &str) {
        let fixed = ["--no-discover", "--allow-private", "--json"];
        self.must(&[&["server", "add", slug, url][..], &fixed].concat())
            .await;
    }

    /// Signs in by `claviger login`, playing the browser.
    pub(crate) async fn sign_in(&self, slug: &str) -> Ended {
        self.sign_in_by(slug, false).await
    }

    /// Signs in as a person does whose browser cannot reach this machine: by pasting.
    pub(crate) async fn sign_in_by_pasting(&self, slug: &str) -> Ended {
        self.sign_in_by(slug, true).await
    }

    async fn sign_in_by(&self, slug: &str, pastes: bool) -> Ended {
        let mut child = self
            .command(&["login", slug, "--no-browser", "--json"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut stdout = String::new();
        let all = async {
            while let Some(line) = lines.next_line().await.unwrap() {
                stdout.push_str(&line);
                stdout.push('\n');
                let value: Value = serde_json::from_str(&line).expect("a JSON object per line");
                let Some(url) = value["authorization_url"].as_str() else {
                    continue;
                };
                if pastes {
                    let answer = ask(get(url)).await;
                    let callback = answer.header("location").expect("a way back");
                    stdin.write_all(callback.as_bytes()).await.unwrap();
                    stdin.write_all(b"\n").await.unwrap();
                } else {
                    browse(url).await;
                }
            }
            child.wait().await.unwrap()
        };
        let status = timeout(PATIENCE, all).await.expect("the sign-in ends");
        drop(stdin);
        let mut stderr = String::new();
        let mut talk = child.stderr.take().unwrap();
        talk.read_to_string(&mut stderr).await.unwrap();
        Ended {
            code: status.code().unwrap_or(-1),
            stdout,
            stderr,
        }
    }

    /// Starts the gateway on a port of its own choice and waits until it serves.
    pub(crate) async fn serve(&self) -> Gateway {
        self.serve_with(&[]).await
    }

    /// Starts the gateway with more words on its command line.
    pub(crate) async fn serve_with(&self, more: &[&str]) -> Gateway {
        let ready_file = self.scratch("ready.json");
        if ready_file.exists() {
            fs::remove_file(&ready_file).unwrap();
        }
        let log = self.scratch("serve.log");
        let sink = fs::File::create(&log).unwrap();
        let words = [
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--ready-file",
            ready_file.to_str().unwrap(),
        ];
        let mut child = self
            .command(&[&words[..], more].concat())
            .stdout(sink.try_clone().unwrap())
            .stderr(sink)
            .spawn()
            .unwrap();
        let waiting = async {
            loop {
                if let Some(ready) = parsed(&ready_file) {
                    break ready;
                }
                if let Some(status) = child.try_wait().unwrap() {
                    panic!("serve ended: {status}\n{}", read(&log));
                }
                sleep(Duration::from_millis(10)).await;
            }
        };
        let ready = timeout(PATIENCE, waiting)
            .await
            .unwrap_or_else(|_| panic!("serve is not ready\n{}", read(&log)));
        Gateway {
            origin: format!("http://{}", ready["address"].as_str().unwrap()),
            token: read(&self.data_dir().join("token")).trim().to_owned(),
            ready,
            child,
            log,
        }
    }
}

// === impl Ended ===

impl Ended {
    /// The JSON objects of stdout. Anything else there fails the test.
    pub(crate) fn lines(&self) -> Vec<Value> {
        self.stdout
            .lines()
            .map(|line| {
                let value: Value = serde_json::from_str(line)
                    .unwrap_or_else(|error| panic!("not JSON ({error}): {line}"));
                assert!(value.is_object(), "not an object: {line}");
                value
            })
            .collect()
    }
}

// === impl Gateway ===

impl Gateway {
    /// Where a server is reached.
    pub(crate) fn mcp(&self, slug: &str) -> String {
        format!("{}/{slug}/mcp", self.origin)
    }

    /// Everything it has said so far.
    pub(crate) fn log(&self) -> String {
        read(&self.log)
    }

    /// Stops it as Ctrl-C does, and answers its exit code.
    pub(crate) async fn stop(mut self) -> i32 {
        let pid = self.child.id().expect("it runs").to_string();
        // std and tokio can only kill outright.
        let sent = Command::new("kill").args(["-INT", &pid]).status().await;
        assert!(sent.unwrap().success());
        let status = timeout(PATIENCE, self.child.wait())
            .await
            .expect("it stops");
        status.unwrap().code().unwrap_or(-1)
    }
}

/// Runs any command to its end, within reason.
pub(crate) async fn end(mut command: Command) -> Ended {
    let output = timeout(PATIENCE, command.output())
        .await
        .unwrap_or_else(|_| panic!("does not end: {command:?}"))
        .unwrap();
    Ended {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).expect("stdout is UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("stderr is UTF-8"),
    }
}

/// Where the binary is: `CLAVIGER_BIN`, or where `cargo build` puts it beside these tests.
fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("CLAVIGER_BIN") {
        return PathBuf::from(path);
    }
    let deps = std::env::current_exe().unwrap();
    let built = deps.ancestors().nth(2).unwrap().join("claviger");
    assert!(
        built.exists(),
        "no binary at {}: run `cargo build`, or name one in CLAVIGER_BIN",
        built.display()
    );
    built
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn parsed(path: &Path) -> Option<Value> {
    serde_json::from_str(&fs::read_to_string(path).ok()?).ok()
}
