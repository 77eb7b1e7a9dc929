//! A gateway that serves, and the signals it is sent.

use std::fs;
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use super::command::{Place, parsed};
use crate::http::{self, ask};

/// How long a gateway may take to start on a busy machine.
const START: Duration = Duration::from_mins(3);

/// A gateway that serves. It dies with this value.
#[derive(Debug)]
pub(crate) struct Gateway {
    pub(crate) origin: String,
    pub(crate) token: String,
    child: Child,
}

// === impl Place ===

impl Place {
    /// Starts the gateway and waits until it serves.
    pub(crate) async fn serve(&self, more: &[(&str, String)]) -> Result<Gateway, String> {
        let ready_file = self.scratch.join("ready.json");
        fs::remove_file(&ready_file).ok();
        let sink = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log())
            .unwrap();
        let words = [
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--ready-file",
            ready_file.to_str().unwrap(),
        ];
        let mut child = self
            .command(&words)
            .envs(more.iter().map(|(name, value)| (name, value)))
            .stdout(sink.try_clone().unwrap())
            .stderr(sink)
            .spawn()
            .unwrap();
        let since = Instant::now();
        let ready = loop {
            if let Some(ready) = parsed(&ready_file) {
                break ready;
            }
            if let Some(status) = child.try_wait().unwrap() {
                return Err(format!(
                    "serve ended: {status}\n{}",
                    self.tail(20).join("\n")
                ));
            }
            if since.elapsed() > START {
                return Err(format!("serve is not ready\n{}", self.tail(20).join("\n")));
            }
            sleep(Duration::from_millis(5)).await;
        };
        let token =
            fs::read_to_string(self.data.join("token")).map_err(|error| error.to_string())?;
        Ok(Gateway {
            origin: format!("http://{}", ready["address"].as_str().unwrap_or_default()),
            token: token.trim().to_owned(),
            child,
        })
    }
}

// === impl Gateway ===

impl Gateway {
    /// Where a server is reached.
    pub(crate) fn mcp(&self, slug: &str) -> String {
        format!("{}/{slug}/mcp", self.origin)
    }

    /// One call; the error says what came instead of a result.
    pub(crate) async fn call(&self, slug: &str, patience: Duration) -> Result<(), String> {
        let answer = ask(http::call(&self.mcp(slug), &self.token), patience).await?;
        if answer.is_done() {
            return Ok(());
        }
        Err(format!("{} {}", answer.status.as_u16(), answer.text))
    }

    /// `kill -9`, and the wait until it is gone.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.ok();
    }

    /// Waits until it is gone by itself; false if it is not.
    pub(crate) async fn dies(&mut self, patience: Duration) -> bool {
        timeout(patience, self.child.wait()).await.is_ok()
    }

    /// Ends it in order, as Ctrl-C does.
    pub(crate) async fn stop(mut self) -> bool {
        self.signal("INT").await;
        self.dies(START).await
    }

    /// From now on it can write `bytes` into a file, and no more.
    pub(crate) async fn limit_files(&self, bytes: &str) {
        if let Some(id) = self.child.id() {
            let mut command = Command::new("prlimit");
            command.args([
                &format!("--pid={id}"),
                &format!("--fsize={bytes}:unlimited"),
            ]);
            let set = command.status().await.unwrap();
            assert!(set.success(), "prlimit: {set}");
        }
    }

    /// Any other signal.
    /// Any other signal; the shell has the command where the machine has none.
    pub(crate) async fn signal(&self, name: &str) {
        if let Some(id) = self.child.id() {
            let mut command = Command::new("sh");
            let sent = command
                .args(["-c", "kill -s \"$1\" \"$2\"", "sh", name, &id.to_string()])
                .status();
            assert!(sent.await.unwrap().success(), "kill -s {name} {id}");
        }
    }

    /// `kill -9` without a wait.
    pub(crate) fn start_kill(&mut self) {
        // It may have died by itself.
        self.child.start_kill().ok();
    }
}
