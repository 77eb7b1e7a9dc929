//! Files and environments, good and bad.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::*;
use crate::{Flag, KeySource, LogFormat, LogLevel};

/// A home with an optional config file, and an environment that points there.
fn sources(home: &Path, file: Option<&str>, environment: &[(&str, &str)]) -> Sources {
    if let Some(text) = file {
        fs::create_dir_all(home.join(".config/claviger")).unwrap();
        fs::write(home.join(".config/claviger/claviger.toml"), text).unwrap();
    }
    let mut sources = Sources::default();
    sources.environment.insert("HOME".into(), home.into());
    for (name, value) in environment {
        sources.environment.insert(name.into(), value.into());
    }
    sources
}

fn load(file: Option<&str>, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let home = TempDir::new().unwrap();
    Config::load(&sources(home.path(), file, environment))
}

/// What is wrong, a line each, with the directory cut off.
fn problems(file: &str, environment: &[(&str, &str)]) -> Vec<String> {
    let home = TempDir::new().unwrap();
    let error = Config::load(&sources(home.path(), Some(file), environment)).unwrap_err();
    let directory = format!("{}/.config/claviger/", home.path().display());
    let lines = error
        .problems
        .iter()
        .map(|problem| problem.to_string().replace(&directory, ""));
    lines.collect()
}

#[test]
fn nothing_has_to_be_configured() {
    let home = TempDir::new().unwrap();
    let config = Config::load(&sources(home.path(), None, &[])).unwrap();
    assert_eq!(config.data_dir, home.path().join(".local/share/claviger"));
    assert_eq!(config.file, None);
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:7447");
    assert_eq!(config.sign_in.timeout_s, 300);
    assert_eq!(config.sign_in.client_name, "Claviger");
    assert!(
        config
            .entries()
            .iter()
            .all(|entry| entry.origin == Origin::Default)
    );
}

#[test]
fn a_flag_beats_the_environment_beats_the_file() {
    let home = TempDir::new().unwrap();
    let file = "[server]\nlisten = '127.0.0.1:1'\nshutdown_grace_s = 1\n[log]\nlevel = 'error'\n";
    let environment = [
        ("CLAVIGER_SERVER_LISTEN", "127.0.0.1:2"),
        ("CLAVIGER_LOG_LEVEL", "debug"),
    ];
    let mut sources = sources(home.path(), Some(file), &environment);
    sources.flags.push(Flag::listen("127.0.0.1:3"));
    let config = Config::load(&sources).unwrap();
    assert_eq!(config.server.listen.port(), 3);
    assert_eq!(config.log.level, Some(LogLevel::Debug));
    assert_eq!(config.server.shutdown_grace_s, 1);
    let origin = |key: &str| {
        let entry = config
            .entries()
            .iter()
            .find(|entry| entry.key == key)
            .unwrap();
        entry.origin.to_string()
    };
    assert_eq!(origin("server.listen"), "--listen");
    assert_eq!(origin("log.level"), "CLAVIGER_LOG_LEVEL");
    assert!(origin("server.shutdown_grace_s").ends_with("claviger.toml:3"));
    assert_eq!(origin("log.format"), "default");
}

#[test]
fn reads_every_type_from_the_file_and_from_the_environment() {
    let file = r#"
        [server]
        public_url = "https://gateway.example"
        [egress]
        extra_ports = [8443, 9443]
        [log]
        format = "json"
    "#;
    let config = load(Some(file), &[]).unwrap();
    assert_eq!(
        config.server.public_url.unwrap().as_str(),
        "https://gateway.example/"
    );
    assert_eq!(config.egress.extra_ports, [8443, 9443]);
    assert_eq!(config.log.format, LogFormat::Json);

    let config = load(
        None,
        &[
            ("CLAVIGER_EGRESS_EXTRA_PORTS", "8443, 9443"),
            ("CLAVIGER_SIGN_IN_CALLBACK_PORT", "4000"),
            ("CLAVIGER_SIGN_IN_CLIENT_NAME", ""),
        ],
    );
    let config = config.unwrap();
    assert_eq!(config.egress.extra_ports, [8443, 9443]);
    assert_eq!(config.sign_in.callback_port, Some(4000));
    assert_eq!(
        config.sign_in.client_name, "Claviger",
        "an empty variable is not set"
    );
}

#[test]
fn a228_refuses_unknown_keys_and_sections_and_names_the_nearest() {
    let file = "[server]\nlisen = '127.0.0.1:1'\nzzz = 1\n\n[sigin_in]\ntimeout_s = 20\n";
    let found = problems(file, &[("CLAVIGER_LOG_LEVLE", "info")]);
    assert_eq!(
        found,
        [
            "CLAVIGER_LOG_LEVLE: there is no key `levle` in [log]; did you mean `level`?",
            "claviger.toml:2: there is no key `lisen` in [server]; did you mean `listen`?",
            "claviger.toml:3: there is no key `zzz` in [server]; \
         keys: listen, public_url, shutdown_grace_s",
            "claviger.toml:5: there is no section [sigin_in]; did you mean `sign_in`?",
        ]
    );
}

#[test]
fn variables_of_others_are_left_alone() {
    // What a container platform sets by itself for a service of this name.
    let environment = [
        ("CLAVIGER_SERVICE_HOST", "10.0.0.1"),
        ("CLAVIGER_PORT_7447_TCP", "x"),
    ];
    load(None, &environment).unwrap();
}

#[test]
fn says_where_and_what_was_found_and_what_is_accepted() {
    let file = "[server]\nlisten = 'localhost:80'\n\n[egress]\nconnect_timeout_s = 1.5\n\
                extra_ports = [0]\n[sign_in]\ntimeout_s = 601\n";
    let found = problems(file, &[("CLAVIGER_LOG_FORMAT", "xml\u{1b}[2J")]);
    assert_eq!(
        found,
        [
            "claviger.toml:5: egress.connect_timeout_s: found a number with a fraction; \
         accepted is a number of seconds from 1 to 60",
            "claviger.toml:6: egress.extra_ports: found a list of 1; \
         accepted is a list of ports from 1 to 65535, such as [8443]",
            "CLAVIGER_LOG_FORMAT: log.format: found \"xml\\u{1b}[2J\"; \
         accepted are \"text\" and \"json\"",
            "claviger.toml:2: server.listen: found \"localhost:80\"; \
         accepted is an IP address and a port, such as 127.0.0.1:7447 or [::1]:0",
            "claviger.toml:8: sign_in.timeout_s: found 601; \
         accepted is a number of seconds from 10 to 600",
        ]
    );
}

#[test]
fn a229_refuses_a_bind_off_loopback_and_a_plain_http_address() {
    for address in ["0.0.0.0:7447", "[::]:7447", "192.168.1.2:80"] {
        let error = load(None, &[("CLAVIGER_SERVER_LISTEN", address)]).unwrap_err();
        assert!(
            error.to_string().contains("reverse proxy"),
            "{address}: {error}"
        );
    }
    for address in ["127.0.0.1:0", "[::1]:0", "127.1.2.3:80"] {
        load(None, &[("CLAVIGER_SERVER_LISTEN", address)]).unwrap();
    }
    for url in [
        "http://gateway.example",
        "https://u:p@gateway.example",
        "ftp://gateway.example",
    ] {
        load(None, &[("CLAVIGER_SERVER_PUBLIC_URL", url)]).unwrap_err();
    }
    for url in [
        "http://127.0.0.1:7447",
        "http://localhost:7447",
        "https://gateway.example/x",
    ] {
        load(None, &[("CLAVIGER_SERVER_PUBLIC_URL", url)]).unwrap();
    }
}

#[test]
fn a026_refuses_an_ipv4_address_written_as_ipv6() {
    for address in ["[::ffff:127.0.0.1]:7447", "[::ffff:8.8.8.8]:80"] {
        let error = load(None, &[("CLAVIGER_SERVER_LISTEN", address)]).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("write an IPv4 address as one, such as 127.0.0.1:7447"),
            "{address}: {text}"
        );
    }
}

#[test]
fn an_unknown_key_never_shows_its_value() {
    let file = "[server]\nclient_secret = 'hunter2'\n[log]\nlevel = 'hunter2\n";
    assert!(!problems(file, &[]).join("\n").contains("hunter2"));
    let file = "[server]\nclient_secret = 'hunter2'\n";
    let found = problems(file, &[("CLAVIGER_SERVER_SECRET", "hunter2")]);
    assert_eq!(found.len(), 2);
    assert!(!found.join("\n").contains("hunter2"));
}

#[test]
fn broken_files_name_the_line() {
    let found = problems("[server]\nlisten = \n", &[]);
    assert!(found[0].starts_with("claviger.toml:2: "), "{found:?}");
    let found = problems("listen = '127.0.0.1:1'\n", &[]);
    assert_eq!(
        found,
        [
            "claviger.toml:1: listen: found outside of a section; every key belongs under a [section]"
        ]
    );

    let home = TempDir::new().unwrap();
    let mut sources = sources(home.path(), None, &[]);
    sources.config = Some(home.path().join("absent.toml"));
    let error = Config::load(&sources).unwrap_err();
    assert!(error.to_string().contains("absent.toml"), "{error}");
    fs::write(home.path().join("absent.toml"), b"[log]\n\xff").unwrap();
    let error = Config::load(&sources).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("absent.toml:2: found a byte that is not UTF-8"),
        "{error}"
    );
}

#[test]
fn directories_follow_the_xdg_rules() {
    let data_dir = |environment: &[(&str, &str)], flag: Option<&str>| {
        let environment = environment
            .iter()
            .map(|(name, value)| (name.into(), value.into()));
        let sources = Sources {
            data_dir: flag.map(PathBuf::from),
            environment: environment.collect(),
            ..Sources::default()
        };
        Config::load(&sources).map(|config| config.data_dir.display().to_string())
    };
    let home = ("HOME", "/home/a");
    assert_eq!(
        data_dir(&[home], None).unwrap(),
        "/home/a/.local/share/claviger"
    );
    assert_eq!(
        data_dir(&[home, ("XDG_DATA_HOME", "/data")], None).unwrap(),
        "/data/claviger"
    );
    let relative = [home, ("XDG_DATA_HOME", "data")];
    assert_eq!(
        data_dir(&relative, None).unwrap(),
        "/home/a/.local/share/claviger"
    );
    let variable = [home, ("CLAVIGER_DATA_DIR", "/srv/c")];
    assert_eq!(data_dir(&variable, None).unwrap(), "/srv/c");
    assert_eq!(data_dir(&variable, Some("/flag")).unwrap(), "/flag");
    assert!(data_dir(&[], Some("here")).unwrap().starts_with('/'));
    let error = data_dir(&[], None).unwrap_err();
    assert!(error.to_string().contains("--data-dir"), "{error}");
    let error = data_dir(&[], Some(&"/x".repeat(60))).unwrap_err();
    assert!(error.to_string().contains("admin socket"), "{error}");
}

#[test]
fn a_quirk_file_is_found_beside_the_config_file() {
    let home = TempDir::new().unwrap();
    let file = "[issuers]\nquirks_file = 'quirks.toml'\n";
    let sources = sources(home.path(), Some(file), &[]);
    let error = Config::load(&sources).unwrap_err();
    assert!(error.to_string().contains("no such file"), "{error}");
    let quirks = home.path().join(".config/claviger/quirks.toml");
    fs::write(&quirks, "").unwrap();
    assert_eq!(
        Config::load(&sources).unwrap().issuers.quirks_file,
        Some(quirks)
    );
}

#[test]
fn every_key_is_documented_with_its_variable() {
    let sources = [
        ("audit", include_str!("../audit.rs")),
        ("egress", include_str!("../egress.rs")),
        ("issuers", include_str!("../issuers.rs")),
        ("keys", include_str!("../sealing.rs")),
        ("limits", include_str!("../limits.rs")),
        ("log", include_str!("../log.rs")),
        ("server", include_str!("../server.rs")),
        ("sign_in", include_str!("../sign_in.rs")),
        ("store", include_str!("../store/mod.rs")),
    ];
    let config = load(None, &[]).unwrap();
    let mut documented = 0;
    for entry in config
        .entries()
        .iter()
        .filter(|entry| entry.key != "data_dir")
    {
        let (section, key) = entry.key.split_once('.').unwrap();
        let (_, text) = sources.iter().find(|(name, _)| *name == section).unwrap();
        let variable = format!("/// `CLAVIGER_{section}_{key}`").to_uppercase();
        assert!(text.to_uppercase().contains(&variable), "{variable}");
        documented += 1;
    }
    let variables = sources
        .iter()
        .map(|(_, text)| text.matches("/// `CLAVIGER_").count());
    assert_eq!(documented, variables.sum::<usize>());
}

#[test]
fn the_example_names_every_key_with_its_default() {
    let example = include_str!("../../../../docs/claviger.toml");
    let as_it_is = load(Some(example), &[]).unwrap();
    let defaults = load(None, &[]).unwrap();
    for (found, default) in as_it_is.entries().iter().zip(defaults.entries()).skip(1) {
        assert_eq!((&found.key, &found.value), (&default.key, &default.value));
        let is_in_the_file = matches!(found.origin, Origin::File { .. });
        assert_eq!(is_in_the_file, default.value.is_some(), "{}", found.key);
    }
    // The rest stands there as a comment, and may be taken as it is.
    let settable = example
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            // Files have to be there.
            Some(comment) if comment.contains(" = ") && !comment.contains("_file") => comment,
            _ => line,
        })
        .collect::<Vec<_>>()
        .join("\n");
    let all = load(Some(&settable), &[]).unwrap();
    for entry in all.entries().iter().skip(1) {
        // Secrets stand nowhere in it.
        let is_elsewhere = entry.key.ends_with("_file") || entry.key.ends_with("url");
        assert!(entry.value.is_some() || is_elsewhere, "{}", entry.key);
    }
}

#[test]
fn a210_the_key_is_a_variable_of_its_own_and_is_never_shown() {
    let text = "claviger-kek-1:CANARY";
    let environment = [("CLAVIGER_KEY", text), ("CLAVIGER_KEYS_SOURCE", "env")];
    let config = load(None, &environment).unwrap();
    assert_eq!(config.keys.source, KeySource::Env);
    assert_eq!(config.keys.key.as_ref().unwrap().expose(), text);
    let shown = format!("{config:?} {:?}", config.entries());
    assert!(!shown.contains("CANARY"), "{shown}");
    // In the file it has no place at all.
    let found = problems("[keys]\nkey = 'CANARY'\n", &[]);
    assert_eq!(found.len(), 1);
    assert!(
        found[0].contains("no key `key`") && !found[0].contains("CANARY"),
        "{found:?}"
    );
}

#[test]
fn a_key_source_that_cannot_work_is_refused() {
    let found = problems(
        "[keys]\nsource = 'age'\nrotate_after_days = 4000\n[log]\n",
        &[],
    );
    assert_eq!(
        found,
        [
            "claviger.toml:3: keys.rotate_after_days: found 4000; accepted are 0 (never) to 3650",
            "claviger.toml:2: keys.source: found \"age\" alone; name the age file with `file`",
            "claviger.toml:2: keys.source: found \"age\" without one thing that opens it; name \
             either `age_identity_file` or `age_passphrase_file`",
        ]
    );
    let found = problems("[keys]\nsource = 'vault'\n", &[]);
    assert!(found[0].contains("\"keyring\" and \"age\""), "{found:?}");
    // Relative paths begin at the file's directory.
    let home = TempDir::new().unwrap();
    let file = "[keys]\nfile = 'new'\nold_files = ['old', '/old']\n";
    let config = Config::load(&sources(home.path(), Some(file), &[])).unwrap();
    let directory = home.path().join(".config/claviger");
    assert_eq!(config.keys.file, Some(directory.join("new")));
    assert_eq!(
        config.keys.old_files,
        [directory.join("old"), "/old".into()]
    );
}
