//! A backup inside an age file (age-encryption.org): for recipients who open it with an identity.
//! The key file still opens what is in it; this hides the rest: addresses, names, the audit log.

use std::io::{Read, Write};
use std::path::Path;

use super::UpkeepError;

/// What an age file begins with, as bytes and as text.
const HEADS: [&[u8]; 2] = [
    b"age-encryption.org/",
    b"-----BEGIN AGE ENCRYPTED FILE-----",
];

/// Whether a file is one that begins like this.
pub(super) fn is_wrapped(head: &[u8]) -> bool {
    HEADS.iter().any(|known| head.starts_with(known))
}

/// So many bytes tell.
pub(super) const HEAD_BYTES: usize = 40;

/// Whoever may open a backup.
pub(super) struct Recipients {
    #[cfg(feature = "age")]
    all: Vec<age::x25519::Recipient>,
}

// === impl Recipients ===

#[cfg(feature = "age")]
impl Recipients {
    /// Reads `age1…` names; before anything is written, since a backup for nobody is lost.
    pub(super) fn parse(names: &[String]) -> Result<Option<Self>, UpkeepError> {
        let parsed = names.iter().map(|name| {
            name.parse()
                .map_err(|_reason: &str| UpkeepError::Recipient {
                    head: name.chars().take(4).collect(),
                })
        });
        let all = parsed.collect::<Result<Vec<_>, _>>()?;
        Ok((!all.is_empty()).then_some(Self { all }))
    }

    /// Writes everything that `from` gives for them, and nobody else.
    pub(super) fn wrap(
        &self,
        from: &mut dyn Read,
        to: &mut dyn Write,
    ) -> Result<(), std::io::Error> {
        let recipients = self.all.iter().map(|one| one as &dyn age::Recipient);
        let encryptor =
            age::Encryptor::with_recipients(recipients).map_err(std::io::Error::other)?;
        let mut sealed = encryptor.wrap_output(to)?;
        std::io::copy(from, &mut sealed)?;
        // What ends without this is no age file: nobody takes the half of one for the whole.
        sealed.finish()?.flush()
    }
}

#[cfg(not(feature = "age"))]
impl Recipients {
    pub(super) fn parse(names: &[String]) -> Result<Option<Self>, UpkeepError> {
        if names.is_empty() {
            return Ok(None);
        }
        Err(UpkeepError::NotBuiltIn { feature: "age" })
    }

    #[expect(clippy::unused_self, reason = "the same as with age")]
    pub(super) fn wrap(
        &self,
        _from: &mut dyn Read,
        _to: &mut dyn Write,
    ) -> Result<(), std::io::Error> {
        Err(std::io::ErrorKind::Unsupported.into())
    }
}

/// What is in an age file, for whoever has the identity in that file.
#[cfg(feature = "age")]
pub(super) fn unwrap<R: Read + 'static>(
    path: &Path,
    from: R,
    identity: &Path,
) -> Result<Box<dyn Read>, UpkeepError> {
    let failed = |source| UpkeepError::NotUnwrapped {
        path: path.to_owned(),
        source,
    };
    let secret = crate::places::read_key_file(identity).map_err(crate::open::OpenError::from)?;
    let secret = secret.ok_or_else(|| UpkeepError::File {
        path: identity.to_owned(),
        source: std::io::ErrorKind::NotFound.into(),
    })?;
    let identities = age::IdentityFile::from_buffer(secret.as_slice())
        .map_err(|error| failed(error.into()))?
        .into_identities()
        .map_err(|error| failed(error.into()))?;
    let armored = age::armor::ArmoredReader::new(from);
    let decryptor = age::Decryptor::new(armored).map_err(|error| failed(error.into()))?;
    let known = identities.iter().map(|one| &**one as &dyn age::Identity);
    let reader = decryptor
        .decrypt(known)
        .map_err(|error| failed(error.into()))?;
    Ok(Box::new(reader))
}

#[cfg(not(feature = "age"))]
pub(super) fn unwrap<R: Read + 'static>(
    _path: &Path,
    _from: R,
    _identity: &Path,
) -> Result<Box<dyn Read>, UpkeepError> {
    Err(UpkeepError::NotBuiltIn { feature: "age" })
}

#[cfg(feature = "age")]
#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Cursor;
    use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
    use std::sync::Arc;

    use age::secrecy::ExposeSecret as _;
    use claviger_config::{Config, Sources};
    use claviger_ports::system::{SystemClock, SystemEntropy};

    use super::*;
    use crate::open;
    use crate::upkeep::{BackupHow, RestoreHow, backup, restore};

    /// An identity file, and who it is for.
    fn identity(folder: &Path) -> (std::path::PathBuf, String) {
        let made = age::x25519::Identity::generate();
        let path = folder.join("identity");
        let text = format!("# mine\n{}\n", made.to_string().expose_secret());
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        (path, made.to_public().to_string())
    }

    #[test]
    fn what_is_wrapped_opens_for_its_recipients_and_nobody_else() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for dir in [&one, &other] {
            fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
        }
        let (mine, name) = identity(one.path());
        let (foreign, _) = identity(other.path());
        // More than one of age's pieces of 64 KiB.
        let plain: Vec<u8> = (0..200_000_u32).map(|n| (n % 251) as u8).collect();
        let mut wrapped = Vec::new();
        let recipients = Recipients::parse(&[name]).unwrap().unwrap();
        recipients.wrap(&mut &plain[..], &mut wrapped).unwrap();
        assert!(is_wrapped(&wrapped[..HEAD_BYTES]));
        assert!(!wrapped.windows(64).any(|piece| piece == &plain[..64]));

        let path = Path::new("backup.age");
        let read = |bytes: &[u8], identity: &Path| -> Result<Vec<u8>, String> {
            let mut reader = unwrap(path, Cursor::new(bytes.to_vec()), identity)
                .map_err(|error| error.to_string())?;
            let mut out = Vec::new();
            let done = reader.read_to_end(&mut out);
            done.map(|_| out).map_err(|error| error.to_string())
        };
        assert_eq!(read(&wrapped, &mine).unwrap(), plain);
        let refused = read(&wrapped, &foreign).unwrap_err();
        assert!(refused.contains("backup.age"), "{refused}");
        // F09: a file that broke off is nothing, and neither is one that was touched.
        for end in [wrapped.len() - 1, wrapped.len() - 16, 70_000] {
            read(&wrapped[..end], &mine).unwrap_err();
        }
        let mut touched = wrapped.clone();
        touched[150_000] ^= 1;
        read(&touched, &mine).unwrap_err();
        // A210: an identity that others may read is refused, as a key file is.
        fs::set_permissions(&mine, fs::Permissions::from_mode(0o644)).unwrap();
        read(&wrapped, &mine).unwrap_err();
    }

    fn config(home: &Path) -> Config {
        fs::set_permissions(home, fs::Permissions::from_mode(0o700)).unwrap();
        let mut sources = Sources {
            data_dir: Some(home.join("data")),
            ..Sources::default()
        };
        sources.environment.insert("HOME".into(), home.into());
        Config::load(&sources).unwrap()
    }

    #[tokio::test]
    async fn f09_a_backup_for_a_recipient_is_restored_with_its_identity() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (start, next) = (config(from.path()), config(to.path()));
        let doors = (Arc::new(SystemEntropy), Arc::new(SystemClock));
        let opened = open::open(&start, doors.0, doors.1, open::Absent::Make);
        drop(opened.await.unwrap());
        let (identity, name) = identity(to.path());
        let file = from.path().join("backup.age");
        let how = BackupHow {
            recipients: vec![name],
            ..BackupHow::default()
        };
        let made = backup(&start, &file, &how, &mut |_| {}).await.unwrap();
        let bytes = fs::read(&file).unwrap();
        assert!(is_wrapped(&bytes) && made.bytes == bytes.len() as u64);
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let left = fs::read_dir(from.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name());
        let left: Vec<_> = left
            .filter(|name| name.to_string_lossy().contains("part"))
            .collect();
        assert!(left.is_empty(), "{left:?}");

        let key = to.path().join("data/key");
        fs::DirBuilder::new()
            .mode(0o700)
            .create(to.path().join("data"))
            .unwrap();
        fs::copy(from.path().join("data/key"), key).unwrap();
        let refused = restore(&next, &file, &RestoreHow::default(), &mut |_| {}).await;
        let refused = refused.unwrap_err();
        assert!(
            matches!(refused, UpkeepError::Wrapped { .. }),
            "{refused:?}"
        );
        assert!(refused.hint().unwrap().contains("--identity"));
        let how = RestoreHow {
            opens_with: Some(identity),
            ..RestoreHow::default()
        };
        let done = restore(&next, &file, &how, &mut |_| {}).await.unwrap();
        assert_eq!(done.contents, made.contents);
        assert!(to.path().join("data/claviger.db").exists());
    }

    #[test]
    fn a_name_that_is_no_recipient_is_refused_first() {
        for name in ["", "age1", "AGE-SECRET-KEY-1CANARY", "ssh-ed25519 AAAA"] {
            let refused = Recipients::parse(&[name.to_owned()]).err().unwrap();
            let shown = format!("{refused} {refused:?}");
            assert!(matches!(refused, UpkeepError::Recipient { .. }), "{shown}");
            assert!(!shown.contains("CANARY"), "{shown}");
        }
        assert!(Recipients::parse(&[]).unwrap().is_none());
    }
}
