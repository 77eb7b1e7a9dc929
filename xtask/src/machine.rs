//! What the chores need of the machine: time, environment, output and child processes.

use std::env;
use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// How a child process ended and what it said, without colors.
#[derive(Debug)]
pub(crate) struct Ran {
    /// It exited with 0.
    pub(crate) is_ok: bool,
    /// It was ended because its time was over.
    pub(crate) is_late: bool,
    /// Both of its streams, line by line, in the order in which they arrived.
    pub(crate) lines: Vec<String>,
}

/// The monotonic clock.
#[expect(
    clippy::disallowed_methods,
    reason = "the chores measure real time, and only here"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// One environment variable, if it is set and not empty.
#[expect(
    clippy::disallowed_methods,
    reason = "the chores read the environment, and only here"
)]
pub(crate) fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// Prints one line; a reader who went away is no failure of ours.
pub(crate) fn say(line: &str) {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).ok();
}

/// Where a program stands on the PATH.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let path = variable("PATH")?;
    env::split_paths(&path)
        .map(|directory| directory.join(name))
        .find(|candidate| candidate.is_file())
}

/// The cargo that started us, so that a pinned toolchain stays the one in use.
pub(crate) fn cargo(root: &Path) -> Command {
    let mut command = Command::new(variable("CARGO").unwrap_or_else(|| "cargo".to_owned()));
    command.current_dir(root);
    if io::stdout().is_terminal() {
        command.env("CARGO_TERM_COLOR", "always");
    }
    command
}

/// Runs a command, shows its output as it comes and keeps a copy, for at most `limit`.
pub(crate) fn run(command: &mut Command, limit: Duration) -> Result<Ran> {
    let program = command.get_program().to_owned();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {}", Path::new(&program).display()))?;
    let (sender, lines) = mpsc::channel();
    if let Some(stream) = child.stdout.take() {
        follow(stream, sender.clone());
    }
    if let Some(stream) = child.stderr.take() {
        follow(stream, sender);
    }
    let end = now() + limit;
    let mut seen = Vec::new();
    let mut is_late = false;
    loop {
        match lines.recv_timeout(end.saturating_duration_since(now())) {
            Ok(line) => {
                say(&line);
                seen.push(without_colors(&line));
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                is_late = true;
                stop(&mut child);
                break;
            }
        }
    }
    let status = child.wait().context("cannot wait for a child process")?;
    Ok(Ran {
        is_ok: status.success() && !is_late,
        is_late,
        lines: seen,
    })
}

/// Runs a quick command in silence and returns its standard output, if it succeeded.
pub(crate) fn ask<S: AsRef<OsStr>>(program: S, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Asks a child to end, so that it can end its own children; takes it away if it does not listen.
pub(crate) fn stop(child: &mut Child) {
    ask("kill", &["-TERM", &child.id().to_string()]);
    let end = now() + Duration::from_secs(5);
    while now() < end {
        if matches!(child.try_wait(), Ok(Some(_))) {
            return;
        }
        thread::park_timeout(Duration::from_millis(50));
    }
    child.kill().ok();
}

fn follow(stream: impl Read + Send + 'static, sender: Sender<String>) {
    thread::spawn(move || {
        let mut reader = BufReader::new(stream);
        let mut line = Vec::new();
        while reader
            .read_until(b'\n', &mut line)
            .is_ok_and(|read| read > 0)
        {
            let text = String::from_utf8_lossy(&line);
            if sender.send(text.trim_end().to_owned()).is_err() {
                return;
            }
            line.clear();
        }
    });
}

fn without_colors(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut in_escape = false;
    for letter in line.chars() {
        match letter {
            '\u{1b}' => in_escape = true,
            letter if in_escape => in_escape = !letter.is_ascii_alphabetic(),
            letter => plain.push(letter),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_loses_its_colors_and_nothing_else() {
        assert_eq!(without_colors("\u{1b}[32;1mPASS\u{1b}[0m [m]"), "PASS [m]");
    }

    #[test]
    fn a_command_is_shown_kept_and_judged() {
        let ran = run(
            Command::new("sh").args(["-c", "echo one; echo two >&2; exit 3"]),
            Duration::from_secs(30),
        )
        .unwrap();
        let mut lines = ran.lines;
        lines.sort();
        assert!(!ran.is_ok);
        assert!(!ran.is_late);
        assert_eq!(lines, ["one", "two"]);
    }

    #[test]
    fn a_command_that_hangs_is_ended() {
        let ran = run(
            Command::new("sh").args(["-c", "exec sleep 60"]),
            Duration::from_millis(200),
        )
        .unwrap();
        assert!(!ran.is_ok);
        assert!(ran.is_late);
    }
}
