//! A file under a name that nobody opens, until it is whole (F09).

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::UpkeepError;

/// A draft: mode 0600, empty at first, ours alone; gone when dropped.
#[derive(Debug)]
pub(super) struct Draft {
    path: PathBuf,
    /// Kept for as long as the draft: whoever wants to write the same one is refused.
    _lock: File,
}

/// What SQLite, and we, keep beside a database.
const BESIDE: [&str; 4] = ["-wal", "-shm", "-journal", "-lock"];

// === impl Draft ===

impl Draft {
    /// Begins one at `path`, in place of one that a killed process left behind.
    pub(super) fn begin(path: PathBuf) -> Result<Self, UpkeepError> {
        let lock = claim(&path).map_err(|source| UpkeepError::File {
            path: path.clone(),
            source,
        })?;
        let draft = Self { path, _lock: lock };
        draft.remove_beside();
        Ok(draft)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives it its name. What is there already is replaced only if that is meant.
    pub(super) fn publish(self, to: &Path, may_replace: bool) -> Result<(), UpkeepError> {
        let failed = |source| UpkeepError::File {
            path: to.to_owned(),
            source,
        };
        self.remove_beside();
        if may_replace {
            fs::rename(&self.path, to).map_err(failed)?;
        } else {
            // Of two at once exactly one gets the name, where the file system knows hard links.
            match fs::hard_link(&self.path, to) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    let path = to.to_owned();
                    return Err(UpkeepError::FileExists { path });
                }
                Err(_) if fs::symlink_metadata(to).is_err() => {
                    fs::rename(&self.path, to).map_err(failed)?;
                }
                Err(error) => return Err(failed(error)),
            }
        }
        sync_directory(to).map_err(failed)
    }

    fn remove_beside(&self) {
        for suffix in BESIDE {
            remove(&beside(&self.path, suffix));
        }
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        remove(&self.path);
        self.remove_beside();
    }
}

/// The name of a file that stands beside another one.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Waits until the name of a file is on the disk.
pub(super) fn sync_directory(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| *parent != Path::new(""));
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

/// Makes the file, or takes over the one that a killed process left behind. A link, or what others
/// may write, is nothing of ours.
fn claim(path: &Path) -> io::Result<File> {
    let refused = |what: &str| io::Error::new(io::ErrorKind::AlreadyExists, what.to_owned());
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    let file = match made {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let named = fs::symlink_metadata(path)?;
            if !named.file_type().is_file() || named.mode() & 0o077 != 0 {
                return Err(refused("something else stands where the draft is written"));
            }
            let file = OpenOptions::new().write(true).open(path)?;
            let opened = file.metadata()?;
            if (named.dev(), named.ino()) != (opened.dev(), opened.ino()) {
                return Err(refused("the draft was swapped"));
            }
            file
        }
        made => made?,
    };
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(refused("another process is writing it"));
        }
        Err(TryLockError::Error(error)) => return Err(error),
    }
    file.set_len(0)?;
    Ok(file)
}

fn remove(path: &Path) {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::debug!(%error, path = %path.display(), "could not remove a draft");
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn f09_a_draft_is_gone_unless_it_was_published() {
        let dir = tempfile::tempdir().unwrap();
        let (part, to) = (dir.path().join("b.part"), dir.path().join("b"));
        fs::write(&part, "left behind").unwrap();
        fs::set_permissions(&part, fs::Permissions::from_mode(0o600)).unwrap();
        let draft = Draft::begin(part.clone()).unwrap();
        assert_eq!(fs::metadata(&part).unwrap().len(), 0);
        assert!(Draft::begin(part.clone()).is_err(), "two write one draft");
        drop(draft);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        let draft = Draft::begin(part.clone()).unwrap();
        fs::write(&part, "whole").unwrap();
        draft.publish(&to, false).unwrap();
        assert_eq!(fs::read(&to).unwrap(), b"whole");
        assert_eq!(fs::metadata(&to).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn f09_what_is_there_is_replaced_only_if_that_is_meant() {
        let dir = tempfile::tempdir().unwrap();
        let (part, to) = (dir.path().join("b.part"), dir.path().join("b"));
        fs::write(&to, "mine").unwrap();
        let draft = Draft::begin(part.clone()).unwrap();
        let refused = draft.publish(&to, false);
        assert!(matches!(refused, Err(UpkeepError::FileExists { .. })));
        assert_eq!(fs::read(&to).unwrap(), b"mine");
        let draft = Draft::begin(part).unwrap();
        draft.publish(&to, true).unwrap();
        assert_eq!(fs::read(&to).unwrap(), b"");
    }

    #[test]
    fn a_link_where_the_draft_is_written_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (part, mine) = (dir.path().join("b.part"), dir.path().join("mine"));
        fs::write(&mine, "mine").unwrap();
        symlink(&mine, &part).unwrap();
        assert!(Draft::begin(part).is_err());
        assert_eq!(fs::read(&mine).unwrap(), b"mine");
    }
}
