//! `[store]`: the database.

use std::path::{Path, PathBuf};

use claviger_crypto::Secret;

use crate::keys::Keys;
use crate::secret_file::Refused;
use crate::{postgres_url, secret_file};

/// The database: SQLite in the data directory, or PostgreSQL where a URL is given. The URL holds
/// a password, so it stands in a file of its own or in the environment, never in the config file.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StoreSettings {
    /// How long a request waits for a connection to PostgreSQL, in seconds.
    ///
    /// `CLAVIGER_STORE_ACQUIRE_TIMEOUT_S`, default 5, from 1 to 60.
    pub acquire_timeout_s: u32,
    /// How long one statement waits for rows that another transaction holds, in seconds.
    ///
    /// `CLAVIGER_STORE_LOCK_TIMEOUT_S`, default 2, from 1 to 60.
    pub lock_timeout_s: u32,
    /// How many connections to PostgreSQL are open at most.
    ///
    /// `CLAVIGER_STORE_MAX_CONNECTIONS`, default 10, from 2 to 1000.
    pub max_connections: u32,
    /// The URL of the role that owns the schema, where that is another; it migrates.
    ///
    /// `CLAVIGER_STORE_OWNER_URL`, not set; else what `owner_url_file` holds.
    pub owner_url: Option<Secret>,
    /// The file, mode 0600, with the URL of the owner. A relative path begins at the config
    /// file's directory.
    ///
    /// `CLAVIGER_STORE_OWNER_URL_FILE`, not set.
    pub owner_url_file: Option<PathBuf>,
    /// How long one statement may take, in seconds.
    ///
    /// `CLAVIGER_STORE_STATEMENT_TIMEOUT_S`, default 5, from 1 to 60.
    pub statement_timeout_s: u32,
    /// The URL of PostgreSQL; not set is SQLite in the data directory.
    ///
    /// `CLAVIGER_STORE_URL`, not set; else what `url_file` holds.
    pub url: Option<Secret>,
    /// The file, mode 0600, with the URL. A relative path begins at the config file's directory.
    ///
    /// `CLAVIGER_STORE_URL_FILE`, not set.
    pub url_file: Option<PathBuf>,
}

impl StoreSettings {
    pub(crate) fn read(keys: &mut Keys<'_, '_>, config_file: Option<&Path>) -> Self {
        let base = config_file.and_then(Path::parent);
        let acquire_timeout_s = seconds(keys, "acquire_timeout_s", 5);
        let lock_timeout_s = seconds(keys, "lock_timeout_s", 2);
        let max_connections = keys.read("max_connections", 10, CONNECTIONS, |count| {
            if (2..=1000).contains(count) {
                Ok(())
            } else {
                Err(CONNECTIONS)
            }
        });
        let (owner_url, owner_url_file) = url(keys, "owner_url", "owner_url_file", base);
        let statement_timeout_s = seconds(keys, "statement_timeout_s", 5);
        let (url, url_file) = url(keys, "url", "url_file", base);
        if owner_url.is_some() && url.is_none() {
            let key = if owner_url_file.is_some() {
                "owner_url_file"
            } else {
                "owner_url"
            };
            let accepted = "name the role that reads and writes with `url_file` as well";
            keys.refuse(key, "found the owner of the database alone", accepted);
        }
        Self {
            acquire_timeout_s,
            lock_timeout_s,
            max_connections,
            owner_url,
            owner_url_file,
            statement_timeout_s,
            url,
            url_file,
        }
    }

    /// The PostgreSQL database, for people: without user and password. `None` is SQLite.
    pub fn shown(&self) -> Option<String> {
        self.url
            .as_ref()
            .map(|url| postgres_url::shown(url.expose()))
    }

    /// The same PostgreSQL settings for another database, whose URL stands in the file `path`; a
    /// role that may make the schema.
    pub fn with_url_file(&self, path: &Path) -> Result<Self, UrlFileError> {
        let failed = |found: String, accepted: String| UrlFileError { found, accepted };
        let url = secret_file::read(path)
            .map_err(|Refused { found, accepted }| failed(found, accepted))?;
        postgres_url::check(url.expose()).map_err(|(found, accepted)| {
            failed(format!("{}: {found}", path.display()), accepted.to_owned())
        })?;
        Ok(Self {
            url: Some(url),
            url_file: Some(path.to_owned()),
            owner_url: None,
            owner_url_file: None,
            ..self.clone()
        })
    }
}

/// A file that holds no URL of a database that may be used. It is not shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found}")]
pub struct UrlFileError {
    /// What was found.
    pub found: String,
    /// What is accepted instead, or what to do.
    pub accepted: String,
}

/// A URL from the environment or from the file that a setting names, and the name of that file.
fn url(
    keys: &mut Keys<'_, '_>,
    key: &'static str,
    file_key: &'static str,
    base: Option<&Path>,
) -> (Option<Secret>, Option<PathBuf>) {
    let given = keys.read_secret(key, file_key);
    let named: Option<PathBuf> = keys.read(file_key, None, PATH, |_| Ok(()));
    let named = named.map(|path| base.map_or_else(|| path.clone(), |base| base.join(&path)));
    let (found_in, url) = match (given, &named) {
        (None, None) => return (None, None),
        (Some(_), Some(_)) => {
            keys.refuse(
                key,
                "found beside a file that holds it too",
                "name one of the two",
            );
            return (None, named);
        }
        (Some(url), None) => (key, url),
        (None, Some(path)) => match secret_file::read(path) {
            Ok(url) => (file_key, url),
            Err(Refused { found, accepted }) => {
                keys.refuse(file_key, &found, &accepted);
                return (None, named);
            }
        },
    };
    if let Err((found, accepted)) = postgres_url::check(url.expose()) {
        keys.refuse(found_in, found, accepted);
        return (None, named);
    }
    (Some(url), named)
}

fn seconds(keys: &mut Keys<'_, '_>, key: &'static str, default: u32) -> u32 {
    keys.read(key, default, MINUTE, |seconds| {
        if (1..=60).contains(seconds) {
            Ok(())
        } else {
            Err(MINUTE)
        }
    })
}

const CONNECTIONS: &str = "accepted is a number from 2 to 1000";
const MINUTE: &str = "accepted is a number of seconds from 1 to 60";
const PATH: &str = "accepted is the path of a file with the URL, mode 600";

#[cfg(test)]
mod tests;
