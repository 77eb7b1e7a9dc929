//! Where one node lives, and the commands that are run there.

use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

/// Longer than any command may take.
const PATIENCE: Duration = Duration::from_mins(3);

/// The folders and the environment of one node.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) binary: PathBuf,
    pub(crate) scratch: PathBuf,
    pub(crate) data: PathBuf,
    pub(crate) environment: Vec<(String, String)>,
}

/// A command that has ended; without a code it was killed.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

// === impl Place ===

impl Place {
    pub(crate) fn new(binary: PathBuf, scratch: PathBuf, data: PathBuf) -> Self {
        fs::create_dir_all(&scratch).unwrap();
        Self {
            binary,
            scratch,
            data,
            environment: Vec::new(),
        }
    }

    /// From now on everything here uses this PostgreSQL database.
    pub(crate) fn use_database(&mut self, url: &str, owner_url: &str) {
        for (name, variable, url) in [
            ("url", "CLAVIGER_STORE_URL_FILE", url),
            ("owner-url", "CLAVIGER_STORE_OWNER_URL_FILE", owner_url),
        ] {
            let path = self.scratch.join(name);
            fs::write(&path, url).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            self.set(variable, path.to_str().unwrap());
        }
    }

    /// One more variable for everything that runs here.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Every node on one database needs the same key file.
    pub(crate) fn share_key_of(&self, other: &Self) {
        if self.data == other.data || self.data.join("key").exists() {
            return;
        }
        let mut builder = fs::DirBuilder::new();
        builder
            .mode(0o700)
            .recursive(true)
            .create(&self.data)
            .unwrap();
        fs::copy(other.data.join("key"), self.data.join("key")).unwrap();
    }

    /// The next server does not find the one that runs.
    pub(crate) fn forget_server(&self) {
        for name in ["serve.lock", "admin.sock"] {
            // There may be none.
            fs::remove_file(self.data.join(name)).ok();
        }
    }

    /// A command with nothing of the person's own environment that could change it.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command
            .args(words)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &self.scratch)
            .env("CLAVIGER_DATA_DIR", &self.data)
            .env("XDG_CONFIG_HOME", self.scratch.join("config"))
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.scratch)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// Runs a command to its end.
    pub(crate) async fn run(&self, words: &[&str]) -> Ended {
        end(self.command(words)).await
    }

    /// Runs a command to its end, and shows every JSON line to `listener` as it comes.
    pub(crate) async fn run_with<F: Future<Output = ()>>(
        &self,
        words: &[&str],
        listener: impl Fn(Value) -> F,
    ) -> Ended {
        self.follow(self.command(words), listener).await
    }

    /// The same with a command that was prepared.
    pub(crate) async fn follow<F: Future<Output = ()>>(
        &self,
        mut command: Command,
        listener: impl Fn(Value) -> F,
    ) -> Ended {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut talk = child.stderr.take().unwrap();
        let (mut stdout, mut stderr) = (String::new(), String::new());
        let all = async {
            while let Ok(Some(line)) = lines.next_line().await {
                stdout.push_str(&line);
                stdout.push('\n');
                if let Ok(value) = serde_json::from_str(&line) {
                    listener(value).await;
                }
            }
            talk.read_to_string(&mut stderr).await.ok();
            child.wait().await.unwrap().code().unwrap_or(-1)
        };
        let code = timeout(PATIENCE, all).await.unwrap_or(-2);
        Ended {
            code,
            stdout,
            stderr,
        }
    }

    /// The end of what the gateway here said, without the lines that every start says.
    pub(crate) fn tail(&self, most: usize) -> Vec<String> {
        let text = fs::read_to_string(self.log()).unwrap_or_default();
        let is_news = |line: &&str| !["  ", "next: ", "✓ "].iter().any(|at| line.starts_with(at));
        let lines: Vec<&str> = text.lines().filter(is_news).collect();
        let last = &lines[lines.len().saturating_sub(most)..];
        last.iter().map(|line| (*line).to_owned()).collect()
    }

    /// Everything the gateways here said.
    pub(crate) fn log(&self) -> PathBuf {
        self.scratch.join("serve.log")
    }
}

// === impl Ended ===

impl Ended {
    /// The JSON objects of stdout.
    pub(crate) fn lines(&self) -> Vec<Value> {
        let lines = self.stdout.lines();
        lines
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    /// What it told a person, on one line.
    pub(crate) fn talk(&self) -> String {
        let lines: Vec<&str> = self.stderr.lines().chain(self.stdout.lines()).collect();
        lines.join(" | ")
    }
}

/// Runs any command to its end; code -2 says that it did not come to one.
pub(crate) async fn end(mut command: Command) -> Ended {
    match timeout(PATIENCE, command.output()).await {
        Err(_) => Ended {
            code: -2,
            stdout: String::new(),
            stderr: "it does not end".to_owned(),
        },
        Ok(output) => {
            let output = output.unwrap();
            Ended {
                code: output.status.code().unwrap_or(-1),
                stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
                stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            }
        }
    }
}

/// Reads a file that is written as a whole.
pub(super) fn parsed(path: &Path) -> Option<Value> {
    serde_json::from_str(&fs::read_to_string(path).ok()?).ok()
}
