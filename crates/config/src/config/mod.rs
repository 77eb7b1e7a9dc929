//! The whole configuration.

use std::path::PathBuf;

use claviger_crypto::Secret;

use crate::file::ConfigFile;
use crate::keys::Reader;
use crate::{
    AuditSettings, ConfigError, EgressSettings, Entry, IssuersSettings, KeySettings,
    LimitsSettings, LogSettings, Origin, ServerSettings, SignInSettings, Sources, StoreSettings,
    locate, sealing,
};

/// The settings of an installation.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// Where the database, the keys and the sockets are; absolute. `CLAVIGER_DATA_DIR`.
    pub data_dir: PathBuf,
    /// The file that was read, if there was one. `CLAVIGER_CONFIG`.
    pub file: Option<PathBuf>,
    /// The audit log.
    pub audit: AuditSettings,
    /// Connections to other machines.
    pub egress: EgressSettings,
    /// What is known about issuers.
    pub issuers: IssuersSettings,
    /// The key that wraps all others.
    pub keys: KeySettings,
    /// Bounds on what comes in.
    pub limits: LimitsSettings,
    /// The log.
    pub log: LogSettings,
    /// The listener.
    pub server: ServerSettings,
    /// Sign-ins at other people's issuers.
    pub sign_in: SignInSettings,
    /// The database.
    pub store: StoreSettings,
    entries: Vec<Entry>,
}

impl Config {
    /// Reads and checks everything. What is wrong is listed at once.
    pub fn load(sources: &Sources) -> Result<Self, ConfigError> {
        let mut problems = Vec::new();
        let file = locate::config_file(sources);
        let parsed = match file.as_deref().map(ConfigFile::read) {
            None => ConfigFile::default(),
            Some(Ok(parsed)) => parsed,
            Some(Err(found)) => {
                problems.extend(found);
                ConfigFile::default()
            }
        };
        let (data_dir, origin) = locate::data_dir(sources).unwrap_or_else(|problem| {
            problems.push(problem);
            (PathBuf::new(), Origin::Default)
        });

        let mut reader = Reader::new(sources, &parsed);
        reader.entries.push(Entry {
            key: "data_dir".to_owned(),
            value: Some(data_dir.display().to_string().into()),
            origin,
        });
        let config = Self {
            data_dir,
            file: file.clone(),
            audit: reader.section("audit", AuditSettings::read),
            egress: reader.section("egress", EgressSettings::read),
            issuers: reader.section("issuers", |keys| {
                IssuersSettings::read(keys, file.as_deref())
            }),
            keys: reader.section("keys", |keys| {
                let key = sources.variable(sealing::KEY_VARIABLE);
                // A line with other bytes than text is no key, and is refused as one.
                let key = key.map(|text| Secret::new(text.to_string_lossy()));
                KeySettings::read(keys, file.as_deref(), key)
            }),
            limits: reader.section("limits", LimitsSettings::read),
            log: reader.section("log", LogSettings::read),
            server: reader.section("server", ServerSettings::read),
            sign_in: reader.section("sign_in", SignInSettings::read),
            store: reader.section("store", |keys| StoreSettings::read(keys, file.as_deref())),
            entries: Vec::new(),
        };
        reader.refuse_unknown_sections();
        problems.append(&mut reader.problems);
        if problems.is_empty() {
            Ok(Self {
                entries: reader.entries,
                ..config
            })
        } else {
            Err(ConfigError { problems })
        }
    }

    /// Every setting with its value and where that came from, in the order of the sections.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Where the admin socket is.
    pub fn admin_socket(&self) -> PathBuf {
        self.data_dir.join("admin.sock")
    }
}

#[cfg(test)]
mod tests;
