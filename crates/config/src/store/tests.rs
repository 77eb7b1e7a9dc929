//! URLs from files and from the environment, and where they must not stand.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use tempfile::TempDir;

use crate::{Config, ConfigError, Sources};

const URL: &str = "postgres://app:hunter2@localhost/claviger";

/// A home with a config file and a file `url` beside it, of this mode.
fn load(
    home: &TempDir,
    file: &str,
    mode: u32,
    environment: &[(&str, &str)],
) -> Result<Config, ConfigError> {
    let (config, url) = (home.path().join("claviger.toml"), home.path().join("url"));
    fs::write(&config, file).unwrap();
    fs::write(&url, format!("{URL}\n")).unwrap();
    fs::set_permissions(&url, Permissions::from_mode(mode)).unwrap();
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
    Config::load(&sources)
}

#[test]
fn nothing_said_is_sqlite() {
    let home = TempDir::new().unwrap();
    let config = load(&home, "", 0o600, &[]).unwrap();
    assert!(config.store.url.is_none());
    assert_eq!(config.store.shown(), None);
}

#[test]
fn a_url_comes_from_a_file_or_from_the_environment_and_is_never_shown() {
    let home = TempDir::new().unwrap();
    let from_file = load(&home, "[store]\nurl_file = 'url'\n", 0o600, &[]).unwrap();
    let from_environment = load(&home, "", 0o600, &[("CLAVIGER_STORE_URL", URL)]).unwrap();
    for config in [from_file, from_environment] {
        assert_eq!(config.store.url.as_ref().unwrap().expose(), URL);
        let shown = config.store.shown().unwrap();
        assert_eq!(shown, "PostgreSQL, database claviger at localhost");
        let entries = format!("{:?} {config:?}", config.entries());
        assert!(!entries.contains("hunter2"), "{entries}");
    }
}

#[test]
fn a_secret_in_the_config_file_is_refused_and_not_repeated() {
    let home = TempDir::new().unwrap();
    let file = format!("[store]\nurl = '{URL}'\n");
    let text = load(&home, &file, 0o600, &[]).unwrap_err().to_string();
    assert!(
        text.contains("`url_file`") && text.contains("claviger.toml:2"),
        "{text}"
    );
    assert!(!text.contains("hunter2"), "{text}");
}

#[test]
fn a210_refuses_a_url_file_that_others_may_read() {
    let home = TempDir::new().unwrap();
    for mode in [0o640, 0o604, 0o620] {
        let text = load(&home, "[store]\nurl_file = 'url'\n", mode, &[]).unwrap_err();
        let text = text.to_string();
        assert!(text.contains("chmod 600"), "{text}");
    }
}

#[test]
fn two_urls_for_one_role_are_refused() {
    let home = TempDir::new().unwrap();
    let both = [("CLAVIGER_STORE_URL", URL)];
    let error = load(&home, "[store]\nurl_file = 'url'\n", 0o600, &both).unwrap_err();
    assert!(error.to_string().contains("one of the two"), "{error}");
    let error = load(&home, "[store]\nowner_url_file = 'url'\n", 0o600, &[]).unwrap_err();
    assert!(error.to_string().contains("url_file` as well"), "{error}");
}

#[test]
fn a_network_without_verify_full_is_refused_and_the_password_is_not_repeated() {
    let home = TempDir::new().unwrap();
    let far = "postgres://app:hunter2@db.example/claviger?sslmode=require";
    let error = load(&home, "", 0o600, &[("CLAVIGER_STORE_URL", far)]).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("verify-full") && !text.contains("hunter2"),
        "{text}"
    );
    let absent = load(&home, "[store]\nurl_file = 'absent'\n", 0o600, &[]).unwrap_err();
    assert!(absent.to_string().contains("could not read"), "{absent}");
}
