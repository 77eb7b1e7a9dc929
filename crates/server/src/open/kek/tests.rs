//! Key sources, good and bad.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::sync::Mutex;

use claviger_config::{Config, Sources};
use claviger_ports::system::SystemEntropy;
use tempfile::TempDir;

use super::*;
use crate::places::PlacesError;

struct Bench {
    home: TempDir,
    settings: KeySettings,
    keyring: Box<dyn Keyring>,
}

/// A keyring in memory.
#[derive(Default)]
struct InMemory {
    entries: Mutex<BTreeMap<String, String>>,
    /// It is locked, and nobody unlocks it.
    is_locked: bool,
}

impl Keyring for InMemory {
    fn read(&self, entry: &str) -> Result<Option<Secret>, KekError> {
        if self.is_locked {
            return Err(KekError::Keyring {
                source: "locked".into(),
            });
        }
        Ok(self.entries.lock().unwrap().get(entry).map(Secret::new))
    }

    fn write(&self, entry: &str, text: &Secret) -> Result<(), KekError> {
        let text = text.expose().to_owned();
        self.entries.lock().unwrap().insert(entry.to_owned(), text);
        Ok(())
    }
}

impl Bench {
    fn new(file: &str, environment: &[(&str, &str)]) -> Self {
        let home = TempDir::new().unwrap();
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let config = home.path().join("claviger.toml");
        fs::write(&config, file).unwrap();
        let mut sources = Sources {
            config: Some(config),
            ..Sources::default()
        };
        sources
            .environment
            .insert("HOME".into(), home.path().into());
        for (name, value) in environment {
            sources.environment.insert(name.into(), value.into());
        }
        let settings = Config::load(&sources).unwrap().keys;
        Self {
            home,
            settings,
            keyring: Box::new(OfSystem),
        }
    }

    fn keks(&self, has_data: bool) -> Result<(Keks, bool), OpenError> {
        let places = Places::prepare(&self.home.path().join("data")).unwrap();
        let place = KeyPlace {
            settings: &self.settings,
            places: &places,
            entropy: &SystemEntropy,
            absent: Absent::Make,
            database: "db",
            keyring: &*self.keyring,
        };
        place.keks(has_data)
    }

    fn write(&self, name: &str, text: &[u8], mode: u32) -> PathBuf {
        let path = self.home.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }
}

fn line(byte: u8) -> String {
    Kek::new([byte; 32]).to_key_file().expose().to_owned()
}

fn id(byte: u8) -> String {
    claviger_crypto::hex(&Kek::new([byte; 32]).id())
}

#[test]
fn the_first_start_makes_a_key_file_and_the_second_reads_it() {
    let bench = Bench::new("", &[]);
    let (made, is_new) = bench.keks(false).unwrap();
    assert!(is_new);
    let (read, is_new) = bench.keks(true).unwrap();
    assert!(!is_new);
    assert_eq!(made.ids(), read.ids());
}

#[test]
fn old_files_only_unwrap_and_have_to_be_there() {
    let bench = Bench::new("[keys]\nfile = 'new'\nold_files = ['a', 'b']\n", &[]);
    bench.write("new", line(1).as_bytes(), 0o600);
    bench.write("a", line(2).as_bytes(), 0o400);
    assert!(matches!(
        bench.keks(true),
        Err(OpenError::KeyFileMissing { .. })
    ));
    bench.write("b", line(3).as_bytes(), 0o600);
    let (keks, _) = bench.keks(true).unwrap();
    assert_eq!(keks.ids(), [id(1), id(2), id(3)]);
}

#[test]
fn a210_a_key_file_that_others_may_read_or_swap_is_refused() {
    let bench = Bench::new("[keys]\nfile = 'keys/key'\n", &[]);
    let folder = bench.home.path().join("keys");
    fs::create_dir(&folder).unwrap();
    let open = |mode| fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).unwrap();
    open(0o700);
    for mode in [0o640, 0o604, 0o660, 0o644] {
        let path = bench.write("keys/key", line(1).as_bytes(), mode);
        let error = bench.keks(true).unwrap_err();
        assert!(
            matches!(error, OpenError::Places(PlacesError::TooOpen { .. })),
            "{error:?}"
        );
        let hint = error.hint().unwrap();
        assert!(
            hint.starts_with("chmod") && hint.contains(path.to_str().unwrap()),
            "{hint}"
        );
    }
    bench.write("keys/key", line(1).as_bytes(), 0o600);
    for mode in [0o770, 0o707, 0o777] {
        open(mode);
        let error = bench.keks(true).unwrap_err();
        assert!(
            matches!(error, OpenError::Places(PlacesError::TooOpen { .. })),
            "{error:?}"
        );
    }
    open(0o755);
    bench.keks(true).unwrap();
    fs::rename(folder.join("key"), folder.join("elsewhere")).unwrap();
    symlink(folder.join("elsewhere"), folder.join("key")).unwrap();
    let error = bench.keks(true).unwrap_err();
    assert!(
        matches!(error, OpenError::Places(PlacesError::NotPlain { .. })),
        "{error:?}"
    );
}

#[test]
fn a210_a_key_file_of_somebody_else_is_refused() {
    let bench = Bench::new("[keys]\nfile = 'key'\n", &[]);
    let path = bench.write("key", line(1).as_bytes(), 0o600);
    // Only root can give a file away, and root alone can read it then.
    if chown(&path, Some(65534), None).is_ok() {
        let error = bench.keks(true).unwrap_err();
        assert!(
            matches!(error, OpenError::Places(PlacesError::NotOurs { .. })),
            "{error:?}"
        );
        assert!(error.hint().unwrap().contains("chown"));
    }
}

#[test]
fn a207_truncated_and_foreign_key_files_are_refused_without_being_shown() {
    let whole = line(1);
    for text in [
        "",
        "\n",
        whole.split_at(20).0,
        whole.split_at(whole.len() - 2).0,
        "hunter2CANARY\n",
    ] {
        let bench = Bench::new("[keys]\nfile = 'key'\n", &[]);
        bench.write("key", text.as_bytes(), 0o600);
        let error = bench.keks(true).unwrap_err();
        assert!(
            matches!(error, OpenError::KeyFile { .. }),
            "{text}: {error:?}"
        );
        let shown = format!("{error:?} {error} {:?}", error.hint());
        assert!(!shown.contains("CANARY"), "{shown}");
    }
}

#[test]
fn the_variable_is_taken_at_its_word() {
    let text = line(4);
    let environment = [
        ("CLAVIGER_KEYS_SOURCE", "env"),
        ("CLAVIGER_KEY", text.as_str()),
    ];
    let bench = Bench::new("", &environment);
    assert_eq!(bench.keks(true).unwrap().0.ids(), [id(4)]);
    // No fallback, neither to a file that is there nor to a new one.
    let bench = Bench::new("[keys]\nsource = 'env'\nfile = 'key'\n", &[]);
    bench.write("key", line(1).as_bytes(), 0o600);
    for has_data in [true, false] {
        let error = bench.keks(has_data).unwrap_err();
        assert!(
            matches!(error, OpenError::Kek(KekError::NoVariable)),
            "{error:?}"
        );
    }
    let bench = Bench::new("[keys]\nsource = 'env'\n", &[("CLAVIGER_KEY", "CANARY")]);
    let error = bench.keks(false).unwrap_err();
    assert!(
        matches!(error, OpenError::Kek(KekError::Variable { .. })),
        "{error:?}"
    );
    assert!(!format!("{error:?}{error}").contains("CANARY"));
}

#[cfg(not(feature = "keyring"))]
#[test]
fn a_keyring_that_is_not_built_in_is_no_reason_for_a_file() {
    let bench = Bench::new("[keys]\nsource = 'keyring'\n", &[]);
    let error = bench.keks(false).unwrap_err();
    assert!(
        matches!(error, OpenError::Kek(KekError::NotBuiltIn { .. })),
        "{error:?}"
    );
    assert!(!bench.home.path().join("data/key").exists());
}

#[test]
fn a207_a_keyring_makes_its_entry_once_and_is_taken_at_its_word() {
    let mut bench = Bench::new("[keys]\nsource = 'keyring'\nkeyring_entry = 'mine'\n", &[]);
    bench.keyring = Box::new(InMemory::default());
    // A database is there already, and its key is not.
    let error = bench.keks(true).unwrap_err();
    assert!(
        matches!(&error, OpenError::Kek(KekError::NoEntry { entry }) if entry == "mine"),
        "{error:?}"
    );
    assert!(error.hint().unwrap().contains("`mine`"));
    let (made, is_new) = bench.keks(false).unwrap();
    assert!(is_new);
    let (again, is_new) = bench.keks(false).unwrap();
    assert!(!is_new);
    assert_eq!(made.ids(), again.ids());
    assert_eq!(bench.keks(true).unwrap().0.ids(), made.ids());
    assert!(!bench.home.path().join("data/key").exists());

    bench.keyring.write("mine", &Secret::new("CANARY")).unwrap();
    let error = bench.keks(true).unwrap_err();
    assert!(
        matches!(error, OpenError::Kek(KekError::Entry { .. })),
        "{error:?}"
    );
    assert!(!format!("{error:?}{error}").contains("CANARY"));
    bench.keyring = Box::new(InMemory {
        is_locked: true,
        ..InMemory::default()
    });
    for has_data in [true, false] {
        let error = bench.keks(has_data).unwrap_err();
        assert!(
            matches!(error, OpenError::Kek(KekError::Keyring { .. })),
            "{error:?}"
        );
        assert!(error.hint().unwrap().contains("unlock"), "{error:?}");
    }
}

// A machine without a desktop has none: it says so, and within a runtime.
#[cfg(feature = "keyring")]
#[tokio::test]
async fn the_keyring_of_the_system_answers_or_says_that_it_does_not() {
    match OfSystem.read("claviger-test-that-nobody-has") {
        Ok(None) | Err(KekError::Keyring { .. }) => {}
        other => panic!("{other:?}"),
    }
}

#[cfg(feature = "age")]
#[test]
fn an_age_file_opens_with_its_identity_or_its_passphrase() {
    use ::age::secrecy::{ExposeSecret, SecretString};

    let identity = ::age::x25519::Identity::generate();
    let text = line(5);
    let file = ::age::encrypt(&identity.to_public(), text.as_bytes()).unwrap();
    let settings = "[keys]\nsource = 'age'\nfile = 'key.age'\nage_identity_file = 'identity'\n";
    let bench = Bench::new(settings, &[]);
    bench.write("key.age", &file, 0o600);
    let secret = format!("# mine\n{}\n", identity.to_string().expose_secret());
    bench.write("identity", secret.as_bytes(), 0o600);
    assert_eq!(bench.keks(true).unwrap().0.ids(), [id(5)]);
    let other = ::age::x25519::Identity::generate();
    bench.write(
        "identity",
        other.to_string().expose_secret().as_bytes(),
        0o600,
    );
    let error = bench.keks(true).unwrap_err();
    assert!(
        matches!(error, OpenError::Kek(KekError::Age { .. })),
        "{error:?}"
    );

    let mut recipient =
        ::age::scrypt::Recipient::new(SecretString::from("correct horse".to_owned()));
    recipient.set_work_factor(10);
    let file = ::age::encrypt_and_armor(&recipient, text.as_bytes()).unwrap();
    let settings = "[keys]\nsource = 'age'\nfile = 'key.age'\nage_passphrase_file = 'words'\n";
    let bench = Bench::new(settings, &[]);
    bench.write("key.age", file.as_bytes(), 0o600);
    bench.write("words", b"correct horse\n", 0o600);
    assert_eq!(bench.keks(true).unwrap().0.ids(), [id(5)]);
    bench.write("words", b"wrong horse\n", 0o600);
    assert!(bench.keks(true).is_err());
}
