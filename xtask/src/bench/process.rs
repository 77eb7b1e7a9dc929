//! The candidates as child processes, and what they cost the processor.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};

use crate::machine;

/// A candidate that runs until it is dropped.
#[derive(Debug)]
pub(crate) struct Running(Child);

/// A directory for one run, removed when it is dropped.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

// === impl Running ===

impl Running {
    pub(crate) fn start(command: &mut Command, log: &Path) -> Result<Self> {
        let out = fs::File::create(log).context("cannot make a log file")?;
        let again = out.try_clone().context("cannot share a log file")?;
        let child = command
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(again)
            .spawn();
        Ok(Self(child.with_context(|| {
            format!(
                "cannot start {}",
                Path::new(command.get_program()).display()
            )
        })?))
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.0.try_wait(), Ok(None))
    }

    /// Processor time of the process and its children so far, in microseconds.
    pub(crate) fn cpu_us(&self) -> Result<u64> {
        let ticks_per_second: u64 = machine::ask("getconf", &["CLK_TCK"])
            .and_then(|text| text.parse().ok())
            .context("cannot ask for the length of a tick")?;
        let mut ticks = 0;
        for entry in fs::read_dir("/proc")
            .context("cannot read /proc")?
            .flatten()
        {
            // A process may end between the listing and the reading.
            let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else {
                continue;
            };
            if let Some(usage) = Usage::parse(&stat).filter(|usage| usage.is_of(self.0.id())) {
                ticks += usage.ticks;
            }
        }
        Ok(ticks * 1_000_000 / ticks_per_second)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        machine::stop(&mut self.0);
        self.0.wait().ok();
    }
}

// === impl Scratch ===

impl Scratch {
    pub(crate) fn new(name: &str) -> Result<Self> {
        let path = std::env::temp_dir().join(format!("claviger-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self(path))
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

/// What `/proc/<pid>/stat` says about one process.
struct Usage {
    id: u32,
    parent: u32,
    ticks: u64,
}

// === impl Usage ===

impl Usage {
    fn parse(stat: &str) -> Option<Self> {
        // The name stands in parentheses and may hold anything, parentheses too.
        let (head, tail) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = tail.split_whitespace().collect();
        let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
        Some(Self {
            id: head.split(' ').next()?.parse().ok()?,
            parent: fields.get(1)?.parse().ok()?,
            ticks: number(11)? + number(12)?,
        })
    }

    fn is_of(&self, id: u32) -> bool {
        self.id == id || self.parent == id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_line_is_read_behind_its_name() {
        let stat = "42 (a) b (c)) S 7 42 42 0 -1 4194560 1 0 0 0 11 31 0 0 20 0 1 0 1 1 1";
        let usage = Usage::parse(stat).unwrap();
        assert_eq!((usage.id, usage.parent, usage.ticks), (42, 7, 42));
        assert!(usage.is_of(7) && usage.is_of(42) && !usage.is_of(1));
    }
}
