//! Reads a secret from the file that a setting names.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use claviger_crypto::Secret;

/// What was found instead of a secret, and what is accepted. Never what was in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) found: String,
    pub(crate) accepted: String,
}

/// Reads a secret, without the white space around it.
pub(crate) fn read(path: &Path) -> Result<Secret, Refused> {
    let unreadable = |error: io::Error| Refused {
        found: format!("could not read {}: {error}", path.display()),
        accepted: "accepted is the path of a file that holds the secret and nothing else"
            .to_owned(),
    };
    let file = File::open(path).map_err(unreadable)?;
    // A210: asked of what was opened, not of the name: nothing can be slipped in between.
    let metadata = file.metadata().map_err(unreadable)?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(Refused {
            found: format!(
                "{} may be read or written by others (mode {mode:03o})",
                path.display()
            ),
            accepted: format!("chmod 600 {}", path.display()),
        });
    }
    let mut text = String::new();
    let read = file.take(MOST + 1).read_to_string(&mut text);
    match read.map_err(unreadable)? {
        bytes if bytes as u64 <= MOST && !text.trim().is_empty() => Ok(Secret::new(text.trim())),
        _ => Err(Refused {
            found: format!("{} is empty or too large", path.display()),
            accepted: "the file holds the secret and nothing else".to_owned(),
        }),
    }
}

const MOST: u64 = 64 * 1024;
