//! Where values may come from, as plain values.

use std::collections::BTreeMap;
use std::env;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// Everything a configuration is read from, but the file itself.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// `--data-dir`.
    pub data_dir: Option<PathBuf>,
    /// `--config`.
    pub config: Option<PathBuf>,
    /// Flags that stand for one setting.
    pub flags: Vec<Flag>,
    /// The environment. An empty variable counts as not set.
    pub environment: BTreeMap<OsString, OsString>,
}

/// A flag of the command line that stands for one setting.
#[derive(Debug, Clone)]
pub struct Flag {
    /// `section.key`.
    pub key: &'static str,
    /// The flag, with its dashes.
    pub flag: &'static str,
    /// Its value.
    pub value: String,
}

impl Sources {
    /// Takes the environment of this process; nothing else in the product reads it.
    pub fn from_process() -> Self {
        Self {
            environment: env::vars_os().collect(),
            ..Self::default()
        }
    }

    /// A variable that is set and not empty.
    pub(crate) fn variable(&self, name: &str) -> Option<&OsStr> {
        let value = self.environment.get(OsStr::new(name))?;
        (!value.is_empty()).then_some(value.as_os_str())
    }
}

impl Flag {
    /// `--listen`.
    pub fn listen(address: &str) -> Self {
        Self {
            key: "server.listen",
            flag: "--listen",
            value: address.to_owned(),
        }
    }

    /// `--timeout-s` of a sign-in.
    pub fn sign_in_timeout_s(seconds: u32) -> Self {
        Self {
            key: "sign_in.timeout_s",
            flag: "--timeout-s",
            value: seconds.to_string(),
        }
    }
}
