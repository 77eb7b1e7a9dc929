//! Reads a secret that a person keeps in a file of their own.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::error::CommandError;
use crate::exit::Exit;

/// Why a secret could not be read. Never says what was in it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretFileError {
    #[error("{} is empty", path.display())]
    Empty { path: PathBuf },
    #[error("could not read {}", path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{} is larger than {MOST} bytes", path.display())]
    TooLarge { path: PathBuf },
    #[error("{} may be read by others (mode {mode:03o})", path.display())]
    TooOpen { path: PathBuf, mode: u32 },
}

/// Reads a secret, without the white space around it. `-` is standard input.
pub(crate) fn read(path: &Path) -> Result<String, SecretFileError> {
    let failed = |source| SecretFileError::Io {
        path: path.to_owned(),
        source,
    };
    if path == Path::new("-") {
        return read_from(io::stdin().lock(), path);
    }
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    let mode = metadata.permissions().mode() & 0o777;
    // Asked of what was opened, not of the name: nothing can be slipped in between.
    if mode & 0o077 != 0 {
        return Err(SecretFileError::TooOpen {
            path: path.to_owned(),
            mode,
        });
    }
    read_from(file, path)
}

fn read_from(source: impl Read, path: &Path) -> Result<String, SecretFileError> {
    let mut text = String::new();
    let path = path.to_owned();
    match source.take(MOST + 1).read_to_string(&mut text) {
        Err(source) => Err(SecretFileError::Io { path, source }),
        Ok(_) if text.len() as u64 > MOST => Err(SecretFileError::TooLarge { path }),
        Ok(_) if text.trim().is_empty() => Err(SecretFileError::Empty { path }),
        Ok(_) => Ok(text.trim().to_owned()),
    }
}

impl From<SecretFileError> for CommandError {
    fn from(error: SecretFileError) -> Self {
        let failed = Self::new(Exit::USAGE, "secret_file", error.to_string());
        match &error {
            SecretFileError::TooOpen { path, .. } => {
                failed.with_hint(format!("chmod 600 {}", path.display()))
            }
            SecretFileError::Io { source, .. } => failed.caused_by(source),
            SecretFileError::Empty { .. } | SecretFileError::TooLarge { .. } => {
                failed.with_hint("the file holds the secret and nothing else")
            }
        }
    }
}

const MOST: u64 = 64 * 1024;

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn file(text: &str, mode: u32) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        (dir, path)
    }

    #[test]
    fn reads_the_whole_and_trims_it() {
        for mode in [0o600, 0o400] {
            let (_dir, path) = file("\n  s3cret\r\n", mode);
            assert_eq!(read(&path).unwrap(), "s3cret");
        }
        let (_dir, path) = file("-----BEGIN PRIVATE KEY-----\nabc\n-----END-----\n", 0o600);
        assert_eq!(read(&path).unwrap().lines().count(), 3);
    }

    #[test]
    fn a210_refuses_a_file_that_others_may_read_and_says_what_to_do() {
        for mode in [0o640, 0o604, 0o644, 0o666, 0o620] {
            let (_dir, path) = file("s3cret", mode);
            let error = CommandError::from(read(&path).unwrap_err());
            assert_eq!(
                error.hint,
                Some(format!("chmod 600 {}", path.display())),
                "{mode:o}"
            );
            assert_eq!(error.exit, Exit::USAGE);
            assert!(!format!("{error:?}").contains("s3cret"));
        }
    }

    #[test]
    fn refuses_what_cannot_be_a_secret() {
        let (_dir, path) = file(" \n", 0o600);
        assert!(matches!(read(&path), Err(SecretFileError::Empty { .. })));
        let (_dir, path) = file(&"x".repeat(70_000), 0o600);
        assert!(matches!(read(&path), Err(SecretFileError::TooLarge { .. })));
        assert!(matches!(
            read(Path::new("/absent")),
            Err(SecretFileError::Io { .. })
        ));
    }
}
