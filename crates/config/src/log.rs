//! `[log]`: what is written to standard error while it runs.

use toml::Value;

use crate::keys::Keys;
use crate::raw::{Raw, Setting};

/// The log.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogSettings {
    /// `text` for people, `json` for machines.
    ///
    /// `CLAVIGER_LOG_FORMAT`, default `text`.
    pub format: LogFormat,
    /// The least severe level that is written: `error`, `warn`, `info`, `debug` or `trace`.
    ///
    /// `CLAVIGER_LOG_LEVEL`, default `warn` for commands and `info` for `serve`.
    pub level: Option<LogLevel>,
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// How severe a log line is at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Something is broken.
    Error,
    /// Something is odd.
    Warn,
    /// Something happened.
    Info,
    /// How it happened.
    Debug,
    /// All of it; never a secret.
    Trace,
}

// === impl LogSettings ===

impl LogSettings {
    pub(crate) fn read(keys: &mut Keys<'_, '_>) -> Self {
        Self {
            format: keys.read(
                "format",
                LogFormat::Text,
                "accepted are \"text\" and \"json\"",
                |_| Ok(()),
            ),
            level: keys.read(
                "level",
                None,
                "accepted are \"error\", \"warn\", \"info\", \"debug\" and \"trace\"",
                |_| Ok(()),
            ),
        }
    }
}

// === impl LogFormat ===

impl LogFormat {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Text => "text",
        }
    }
}

impl Setting for LogFormat {
    fn parse(raw: &Raw) -> Option<Self> {
        let text = String::parse(raw)?;
        [Self::Json, Self::Text]
            .into_iter()
            .find(|format| format.as_str() == text)
    }

    fn shown(&self) -> Option<Value> {
        Some(self.as_str().into())
    }
}

// === impl LogLevel ===

impl LogLevel {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

impl Setting for LogLevel {
    fn parse(raw: &Raw) -> Option<Self> {
        let text = String::parse(raw)?;
        let levels = [
            Self::Error,
            Self::Warn,
            Self::Info,
            Self::Debug,
            Self::Trace,
        ];
        levels.into_iter().find(|level| level.as_str() == text)
    }

    fn shown(&self) -> Option<Value> {
        Some(self.as_str().into())
    }
}
