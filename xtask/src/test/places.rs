//! Where the steps find what other steps made: the binary, the cache, Node and Python.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::machine::{self, cargo};
use crate::repository;

use super::setup::{self, Tools};
use super::steps::BUILD_LIMIT;

/// Made once per run, filled by the first step that needs it.
#[derive(Debug)]
pub(crate) struct Places {
    pub(crate) root: PathBuf,
    binary: Option<PathBuf>,
    tools: Option<Tools>,
}

// === impl Places ===

impl Places {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self {
            root,
            binary: None,
            tools: None,
        }
    }

    /// The binary in the debug profile, built if it is not fresh.
    pub(crate) fn binary(&mut self) -> Result<PathBuf> {
        if let Some(binary) = &self.binary {
            return Ok(binary.clone());
        }
        let ran = machine::run(
            cargo(&self.root).args(["build", "--package", "claviger-cli"]),
            BUILD_LIMIT,
        )?;
        anyhow::ensure!(ran.is_ok, "the binary does not build");
        let binary = repository::target(&self.root)
            .join("debug")
            .join("claviger");
        anyhow::ensure!(binary.is_file(), "no binary at {}", binary.display());
        self.binary = Some(binary.clone());
        Ok(binary)
    }

    /// What `tests/` needs from npm and `PyPI`, installed if the lock files changed.
    pub(crate) fn tools(&mut self) -> Result<&Tools> {
        if self.tools.is_none() {
            self.tools = Some(setup::install(&self.root, &self.cache())?);
        }
        // The branch above has just filled it; an empty default would hide a mistake.
        self.tools
            .as_ref()
            .ok_or_else(|| anyhow::anyhow!("set-up left no tools behind"))
    }

    /// Where tests keep what may be thrown away.
    pub(crate) fn cache(&self) -> PathBuf {
        self.root.join("tests").join(".cache")
    }

    /// Gives a child what every whole-product test may rely on.
    pub(crate) fn equip(&self, command: &mut Command, binary: &Path) {
        command
            .env("CLAVIGER_BIN", binary)
            .env("CLAVIGER_TEST_CACHE", self.cache());
        if let Some(python) = self.tools.as_ref().and_then(|tools| tools.python.as_ref()) {
            command.env("CLAVIGER_TEST_PYTHON", python);
        }
    }
}
