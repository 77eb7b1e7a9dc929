//! The file and who may read it.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tokio::task::spawn_blocking;

use crate::OpenError;

/// Makes the file with mode 0600, or checks the one that is there and what SQLite keeps beside it.
pub(crate) fn prepare(path: &Path) -> Result<(), OpenError> {
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    match made {
        Ok(_) => {}
        Err(source) if source.kind() == io::ErrorKind::AlreadyExists => {}
        Err(source) => {
            return Err(OpenError::File {
                path: path.to_owned(),
                source,
            });
        }
    }
    for suffix in ["", "-wal", "-shm", "-journal", LOCK] {
        check(beside(path, suffix))?;
    }
    Ok(())
}

/// Waits until no other process is opening the same file; ends when the answer is dropped.
///
/// SQLite does not wait by itself when two processes switch a new file to WAL at once. The lock is
/// a file of its own: to close any handle of the database would drop SQLite's locks on it.
pub(crate) async fn lock(path: &Path) -> Result<File, OpenError> {
    let path = beside(path, LOCK);
    let failed = |source| OpenError::File {
        path: path.clone(),
        source,
    };
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(failed)?;
    let waited = spawn_blocking(move || file.lock().map(|()| file)).await;
    waited
        .unwrap_or_else(|stopped| Err(stopped.into()))
        .map_err(failed)
}

fn check(path: PathBuf) -> Result<(), OpenError> {
    // Of the link itself: a link in a shared folder could point the tokens anywhere.
    let metadata = match fs::symlink_metadata(&path) {
        Ok(metadata) => metadata,
        // Another process that closes takes its side files away.
        Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(OpenError::File { path, source }),
    };
    if !metadata.is_file() {
        return Err(OpenError::NotAFile { path });
    }
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(OpenError::WideMode { path, mode });
    }
    Ok(())
}

/// Takes the lock file away, once nobody else can know of the database.
pub(crate) fn remove_lock(path: &Path) -> Result<(), OpenError> {
    let path = beside(path, LOCK);
    match fs::remove_file(&path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(OpenError::File { path, source })
        }
        _ => Ok(()),
    }
}

/// Waits until a file is on the disk.
pub(crate) fn sync(path: &Path) -> Result<(), OpenError> {
    File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(|source| OpenError::File {
            path: path.to_owned(),
            source,
        })
}

pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

const LOCK: &str = "-lock";

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::symlink;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn makes_a_file_nobody_else_can_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.db");
        prepare(&path).unwrap();
        assert_eq!(mode(&path), 0o600);
        prepare(&path).unwrap();
    }

    #[test]
    fn a210_refuses_a_file_others_can_read() {
        for (suffix, wide) in [
            ("", 0o640),
            ("", 0o604),
            ("", 0o602),
            ("-wal", 0o644),
            ("-lock", 0o660),
        ] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("c.db");
            prepare(&path).unwrap();
            let target = beside(&path, suffix);
            fs::write(&target, "").unwrap();
            fs::set_permissions(&target, Permissions::from_mode(wide)).unwrap();
            let refused = prepare(&path).unwrap_err();
            assert!(
                matches!(refused, OpenError::WideMode { mode, .. } if mode == wide),
                "{refused}"
            );
            assert!(refused.to_string().contains(&format!("{wide:04o}")));
        }
    }

    #[test]
    fn refuses_links_and_folders() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.db");
        symlink(dir.path().join("elsewhere.db"), &path).unwrap();
        assert!(matches!(prepare(&path), Err(OpenError::NotAFile { .. })));
        assert!(!dir.path().join("elsewhere.db").exists());
        assert!(matches!(
            prepare(dir.path()),
            Err(OpenError::NotAFile { .. })
        ));
    }

    #[test]
    fn names_the_file_it_cannot_make() {
        let dir = tempfile::tempdir().unwrap();
        let refused = prepare(&dir.path().join("no/such/c.db")).unwrap_err();
        assert!(refused.to_string().contains("no/such/c.db"), "{refused}");
    }
}
