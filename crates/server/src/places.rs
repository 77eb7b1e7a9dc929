//! Where things are on disk, and how they come to be there.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use claviger_crypto::{Secret, base64url_encode};
use claviger_ports::Entropy;
use zeroize::Zeroizing;

/// The files of an installation.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    /// The data directory, mode 0700.
    pub data_dir: PathBuf,
    /// The database.
    pub database: PathBuf,
    /// The key file: without it nothing in the database can be opened.
    pub key_file: PathBuf,
    /// The name of this node among those that share a database.
    pub node_file: PathBuf,
    /// Which installation the database of this data directory was, and its restore epoch.
    pub installation_file: PathBuf,
    /// The local API token.
    pub token_file: PathBuf,
    /// The admin socket of a running server.
    pub admin_socket: PathBuf,
}

/// Why a file of ours cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PlacesError {
    /// It could not be read or made.
    #[error("could not use {}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// Others may read or write it (A196, A210).
    #[error("{} may be read or written by others (mode {mode:03o})", path.display())]
    TooOpen {
        /// Which.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It belongs to somebody else (A210).
    #[error("{} belongs to another user (id {owner})", path.display())]
    NotOurs {
        /// Which.
        path: PathBuf,
        /// Whose.
        owner: u32,
    },
    /// It is a link, or not a plain file.
    #[error("{} is not a plain file", path.display())]
    NotPlain {
        /// Which.
        path: PathBuf,
    },
}

impl PlacesError {
    /// What to do.
    pub fn hint(&self) -> String {
        match self {
            Self::Io { path, source } => {
                let path = path.display();
                match source.kind() {
                    io::ErrorKind::PermissionDenied => format!(
                        "make {path} yours (chown), or name a directory of your own with --data-dir"
                    ),
                    io::ErrorKind::StorageFull => format!("free some space for {path}"),
                    io::ErrorKind::ReadOnlyFilesystem => {
                        "name a directory that can be written with --data-dir".to_owned()
                    }
                    io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
                        format!("{path} must be a directory; name another one with --data-dir")
                    }
                    _ => format!("check that {path} is yours and can be written"),
                }
            }
            Self::NotOurs { path, .. } => {
                format!(
                    "make {} yours with chown, if you know what is in it",
                    path.display()
                )
            }
            Self::TooOpen { path, .. } => format!("chmod go-rwx {}", path.display()),
            Self::NotPlain { path } => {
                format!(
                    "put a plain file in place of {}, or move it away",
                    path.display()
                )
            }
        }
    }
}

impl Places {
    /// Names the files below `data_dir`, and makes the directory if it is not there.
    pub(crate) fn prepare(data_dir: &Path) -> Result<Self, PlacesError> {
        let failed = |source| PlacesError::Io {
            path: data_dir.to_owned(),
            source,
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(data_dir)
            .map_err(failed)?;
        let metadata = fs::metadata(data_dir).map_err(failed)?;
        // Only writing matters on the directory: whoever may write could swap the files in it.
        refuse_wider(data_dir, &metadata, 0o022)?;
        Ok(Self {
            database: data_dir.join("claviger.db"),
            key_file: data_dir.join("key"),
            node_file: data_dir.join("node"),
            installation_file: data_dir.join("installation"),
            token_file: data_dir.join("token"),
            admin_socket: data_dir.join("admin.sock"),
            data_dir: data_dir.to_owned(),
        })
    }

    /// Waits until no other process of this data directory puts a key into the keyring; ends when
    /// the answer is dropped.
    pub(crate) fn lock_keyring(&self) -> Result<File, PlacesError> {
        let locked = File::open(&self.data_dir).and_then(|dir| dir.lock().map(|()| dir));
        locked.map_err(|source| PlacesError::Io {
            path: self.data_dir.clone(),
            source,
        })
    }
}

/// Reads a key file; `None` if there is none. As [`read_secret_file`], and nobody else may write its
/// folder either, or they could put another file in its place (A210).
pub(crate) fn read_key_file(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, PlacesError> {
    let Some(bytes) = read_bytes(path)? else {
        return Ok(None);
    };
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let metadata = fs::metadata(folder).map_err(|source| PlacesError::Io {
        path: folder.to_owned(),
        source,
    })?;
    refuse_wider(folder, &metadata, 0o022)?;
    Ok(Some(bytes))
}

/// The name of this node among those of a shared database: random, and the same at every start.
pub(crate) fn node_id(places: &Places, entropy: &dyn Entropy) -> Result<String, PlacesError> {
    let path = &places.node_file;
    let unique = base64url_encode(&entropy.id_bytes());
    let id = Secret::new(base64url_encode(&entropy.id_bytes()));
    create_secret_file(path, &id, &unique)?;
    let id = read_secret_file(path)?.unwrap_or(id);
    Ok(id.expose().trim().to_owned())
}

/// Reads a secret file of ours; `None` if there is none. Refuses links and wider modes.
pub(crate) fn read_secret_file(path: &Path) -> Result<Option<Secret>, PlacesError> {
    let Some(bytes) = read_bytes(path)? else {
        return Ok(None);
    };
    let text = core::str::from_utf8(&bytes).map_err(|source| PlacesError::Io {
        path: path.to_owned(),
        source: io::Error::new(io::ErrorKind::InvalidData, source),
    })?;
    Ok(Some(Secret::new(text)))
}

fn read_bytes(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, PlacesError> {
    let failed = |source| PlacesError::Io {
        path: path.to_owned(),
        source,
    };
    let named = match fs::symlink_metadata(path) {
        Ok(named) => named,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    // Before it is opened: to open a pipe is to wait.
    if !named.file_type().is_file() {
        return Err(PlacesError::NotPlain {
            path: path.to_owned(),
        });
    }
    let file = File::open(path).map_err(failed)?;
    let opened = file.metadata().map_err(failed)?;
    // What was opened is what was named: no link was followed, none was slipped in between.
    let same = named.dev() == opened.dev() && named.ino() == opened.ino();
    if !same {
        return Err(PlacesError::NotPlain {
            path: path.to_owned(),
        });
    }
    refuse_wider(path, &opened, 0o077)?;
    refuse_foreign(path, &opened)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
    file.take(MOST).read_to_end(&mut bytes).map_err(failed)?;
    Ok(Some(bytes))
}

/// Makes a secret file with mode 0600, whole or not at all. False if there was one already.
pub(crate) fn create_secret_file(
    path: &Path,
    text: &Secret,
    unique: &str,
) -> Result<bool, PlacesError> {
    let failed = |source| PlacesError::Io {
        path: path.to_owned(),
        source,
    };
    let draft = path.with_extension(format!("{unique}.new"));
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)
        .map_err(failed)?;
    let written = file
        .write_all(text.expose().as_bytes())
        .and_then(|()| file.sync_all());
    if let Err(error) = written {
        // The disk is full, say: half a secret helps nobody and is not left behind.
        fs::remove_file(&draft).map_err(failed)?;
        return Err(failed(error));
    }
    // A hard link appears with its content and fails where the name is taken, so that of two
    // processes that start at once exactly one makes the file.
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft).map_err(failed)?;
    match linked {
        Ok(()) => {
            sync_directory(path).map_err(failed)?;
            Ok(true)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(failed(error)),
    }
}

/// More than any secret of ours has, in bytes.
const MOST: u64 = 1024 * 1024;

fn sync_directory(path: &Path) -> io::Result<()> {
    path.parent()
        .map_or(Ok(()), |parent| File::open(parent)?.sync_all())
}

/// Whoever owns a file can open it to others at any time. Root can read it anyway.
fn refuse_foreign(path: &Path, metadata: &Metadata) -> Result<(), PlacesError> {
    let owner = metadata.uid();
    if owner != 0 && owner != rustix::process::geteuid().as_raw() {
        return Err(PlacesError::NotOurs {
            path: path.to_owned(),
            owner,
        });
    }
    Ok(())
}

fn refuse_wider(path: &Path, metadata: &Metadata, forbidden: u32) -> Result<(), PlacesError> {
    let mode = metadata.mode() & 0o777;
    if mode & forbidden != 0 {
        return Err(PlacesError::TooOpen {
            path: path.to_owned(),
            mode,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a196_makes_secret_files_that_only_the_owner_may_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        assert!(create_secret_file(&path, &Secret::new("one"), "a").unwrap());
        assert!(!create_secret_file(&path, &Secret::new("two"), "b").unwrap());
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(read_secret_file(&path).unwrap().unwrap().expose(), "one");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a210_refuses_a_secret_file_that_others_may_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        create_secret_file(&path, &Secret::new("one"), "a").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(
            read_secret_file(&path),
            Err(PlacesError::TooOpen { mode: 0o640, .. })
        ));
    }

    #[test]
    fn a196_refuses_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let (path, target) = (dir.path().join("key"), dir.path().join("elsewhere"));
        create_secret_file(&target, &Secret::new("one"), "a").unwrap();
        symlink(&target, &path).unwrap();
        assert!(matches!(
            read_secret_file(&path),
            Err(PlacesError::NotPlain { .. })
        ));
    }

    #[test]
    fn refuses_a_directory_that_others_may_write() {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
        assert!(matches!(
            Places::prepare(dir.path()),
            Err(PlacesError::TooOpen { .. })
        ));
    }

    #[test]
    fn a_missing_file_is_not_an_error() {
        let dir = tempfile::tempdir().unwrap();
        assert!(
            read_secret_file(&dir.path().join("none"))
                .unwrap()
                .is_none()
        );
    }
}
