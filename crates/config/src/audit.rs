//! `[audit]`: the log of what was done with credentials.

use toml::Value;

use crate::keys::Keys;
use crate::raw::{Raw, Setting};

/// The audit log. Changes are recorded always, uses as it says here.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditSettings {
    /// After how many days an entry may be deleted.
    ///
    /// `CLAVIGER_AUDIT_KEEP_DAYS`, default 400, from 1 to 36500.
    pub keep_days: u32,
    /// What becomes of uses: `normal` gathers them for a second, `strict` lets a request wait until
    /// its use is stored, `off` records no uses.
    ///
    /// `CLAVIGER_AUDIT_MODE`, default `normal`.
    pub mode: AuditMode,
    /// How many uses may wait in memory.
    ///
    /// `CLAVIGER_AUDIT_QUEUE`, default 10000, from 256 to 1000000.
    pub queue: u32,
}

/// What becomes of uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditMode {
    /// Gathered for a second; how many did not fit is recorded.
    Normal,
    /// Not recorded.
    Off,
    /// Stored before the request goes out.
    Strict,
}

// === impl AuditSettings ===

impl AuditSettings {
    pub(crate) fn read(keys: &mut Keys<'_, '_>) -> Self {
        Self {
            keep_days: keys.read("keep_days", 400, DAYS, |days| {
                if (1..=36_500).contains(days) {
                    Ok(())
                } else {
                    Err(DAYS)
                }
            }),
            mode: keys.read("mode", AuditMode::Normal, MODE, |_| Ok(())),
            queue: keys.read("queue", 10_000, QUEUE, |length| {
                if (256..=1_000_000).contains(length) {
                    Ok(())
                } else {
                    Err(QUEUE)
                }
            }),
        }
    }
}

const DAYS: &str = "accepted is a number of days from 1 to 36500";
const MODE: &str = "accepted are \"normal\", \"strict\" and \"off\"";
const QUEUE: &str = "accepted is a number from 256 to 1000000";

// === impl AuditMode ===

impl AuditMode {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Off => "off",
            Self::Strict => "strict",
        }
    }
}

impl Setting for AuditMode {
    fn parse(raw: &Raw) -> Option<Self> {
        let text = String::parse(raw)?;
        [Self::Normal, Self::Off, Self::Strict]
            .into_iter()
            .find(|mode| mode.as_str() == text)
    }

    fn shown(&self) -> Option<Value> {
        Some(self.as_str().into())
    }
}
