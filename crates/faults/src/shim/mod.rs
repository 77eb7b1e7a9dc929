//! A disk and a resolver that fail on demand, below a gateway: a library that is loaded before the
//! C library. It needs a C compiler, as the product does, and nothing that only root may do.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::process::Place;

const SOURCE: &str = include_str!("shim.c");

/// The switches of one scenario.
#[derive(Debug)]
pub(crate) struct Shim {
    folder: TempDir,
}

/// What every write meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Disk {
    /// `ENOSPC`
    Full,
    /// `EIO`
    Failing,
    /// `EROFS`
    ReadOnly,
    /// `EDQUOT`
    OverQuota,
}

// === impl Shim ===

impl Shim {
    /// Builds it; the error says why not.
    pub(crate) fn build() -> Result<Self, String> {
        let folder = TempDir::new().map_err(|error| error.to_string())?;
        let source = folder.path().join("shim.c");
        fs::write(&source, SOURCE).map_err(|error| error.to_string())?;
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .arg(folder.path().join("shim.so"))
            .arg(&source)
            .arg("-ldl")
            .output()
            .map_err(|error| format!("no C compiler: {error}"))?;
        if !built.status.success() {
            let said = String::from_utf8_lossy(&built.stderr).into_owned();
            return Err(format!("the C compiler says: {said}"));
        }
        fs::create_dir(folder.path().join("switches")).map_err(|error| error.to_string())?;
        Ok(Self { folder })
    }

    /// Everything that is started at `place` from now on stands on it.
    pub(crate) fn below(&self, place: &mut Place) {
        let library = self.folder.path().join("shim.so");
        let data = place.data.clone();
        for (name, path) in [
            ("LD_PRELOAD", &*library),
            ("FAULTS_SHIM", &self.switches()),
            ("FAULTS_ROOT", &data),
        ] {
            place.set(name, path.to_str().unwrap());
        }
    }

    /// From now on every write meets this.
    pub(crate) fn breaks(&self, disk: Disk) {
        let number = match disk {
            Disk::Full => 28,
            Disk::Failing => 5,
            Disk::ReadOnly => 30,
            Disk::OverQuota => 122,
        };
        self.turn_on("write", &number.to_string());
    }

    /// Writing works again.
    pub(crate) fn mends(&self) {
        fs::remove_file(self.switches().join("write")).unwrap();
    }

    /// The next fsync of a file whose path has this part fails.
    pub(crate) fn fails_sync(&self, part: &str) {
        fs::remove_file(self.switches().join("sync.done")).ok();
        self.turn_on("sync", part);
    }

    /// Whether that has happened.
    pub(crate) fn has_failed_sync(&self) -> bool {
        self.switches().join("sync.done").exists()
    }

    /// Files that were asked to sync once more after they had failed.
    pub(crate) fn asked_again(&self) -> String {
        fs::read_to_string(self.switches().join("again")).unwrap_or_default()
    }

    /// What `localhost` resolves to.
    pub(crate) fn name_is(&self, what: &str) {
        self.turn_on("name", what);
    }

    fn turn_on(&self, name: &str, text: &str) {
        let (draft, switch) = (self.switches().join("draft"), self.switches().join(name));
        fs::write(&draft, text).unwrap();
        fs::rename(&draft, &switch).unwrap();
    }

    fn switches(&self) -> PathBuf {
        Path::new(self.folder.path()).join("switches")
    }
}
