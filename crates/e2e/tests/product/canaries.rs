//! Secrets with a mark in them go through the product; then every byte it left behind is read.

use core::time::Duration;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::general_purpose::{GeneralPurpose, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::json;
use tokio::time::sleep;
use url::form_urlencoded::byte_serialize;

use crate::support::{Claviger, Gateway, Upstream, ask, rpc};

/// Not all of it is plain in a URL, so that an escaped copy has another form.
const MARK: &str = "cAnArY+7f/3d~Q9==zz.";
const LIFE: Duration = Duration::from_secs(2);

/// A part of a secret this long is a leak as well.
const FRAGMENT: usize = 12;

/// What a secret looks like in six encodings.
struct Needles {
    /// What each pattern stands for: the encoding, and which secret.
    names: Vec<(&'static str, usize)>,
    patterns: AhoCorasick,
}

// === impl Needles ===

impl Needles {
    fn of(secrets: &[String]) -> Self {
        let (mut names, mut patterns) = (Vec::new(), Vec::new());
        for (number, secret) in secrets.iter().enumerate() {
            for part in secret.as_bytes().windows(FRAGMENT.min(secret.len())) {
                for (name, pattern) in encodings(part) {
                    names.push((name, number));
                    patterns.push(pattern);
                }
            }
        }
        Self {
            names,
            patterns: AhoCorasick::new(patterns).unwrap(),
        }
    }

    /// Which encodings of which secrets are in there.
    fn within(&self, bytes: &[u8]) -> BTreeSet<(&'static str, usize)> {
        let found = self.patterns.find_overlapping_iter(bytes);
        found
            .map(|hit| self.names[hit.pattern().as_usize()])
            .collect()
    }
}

/// A fragment in six encodings, some of them in several forms.
fn encodings(part: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let upper = joined(part, "");
    let needed: String = byte_serialize(part).collect();
    let wide = |order: fn(u16) -> [u8; 2]| -> Vec<u8> {
        let units = part.iter().map(|byte| order(u16::from(*byte)));
        units.flatten().collect()
    };
    let mut all = vec![
        ("raw", part.to_vec()),
        ("hex", upper.to_lowercase().into_bytes()),
        ("hex", upper.into_bytes()),
        ("percent", joined(part, "%").into_bytes()),
        ("percent", needed.into_bytes()),
        ("utf-16", wide(u16::to_le_bytes)),
        ("utf-16", wide(u16::to_be_bytes)),
    ];
    all.extend(aligned(part, &STANDARD_NO_PAD).map(|text| ("base64", text)));
    all.extend(aligned(part, &URL_SAFE_NO_PAD).map(|text| ("base64url", text)));
    all
}

/// Each byte in hex, with something before it.
fn joined(part: &[u8], before: &str) -> String {
    let bytes: Vec<String> = part
        .iter()
        .map(|byte| format!("{before}{byte:02X}"))
        .collect();
    bytes.concat()
}

/// A fragment in base64, whatever stood before it in the text that was encoded: where it begins
/// within a group of three bytes decides how it looks. The characters at either end also hold bits
/// of the neighbours and are left out.
fn aligned(part: &[u8], engine: &GeneralPurpose) -> [Vec<u8>; 3] {
    [0, 1, 2].map(|before| {
        let padded = [&vec![0; before][..], part].concat();
        let whole = padded.len() / 3 * 4;
        let skip = if before == 0 { 0 } else { 4 };
        engine.encode(&padded).into_bytes()[skip..whole].to_vec()
    })
}

/// Every file below `dir`.
fn files(dir: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if let Ok(bytes) = fs::read(&path) {
            found.push((path.display().to_string(), bytes));
        }
    }
}

#[test]
fn every_encoding_is_found_where_it_is() {
    let secret = format!("{MARK}rt-1");
    let needles = Needles::of(std::slice::from_ref(&secret));
    for before in ["", "x", "xy", "xyz"] {
        let text = format!("{before}{secret}z");
        let hex = joined(text.as_bytes(), "");
        let percent: String = byte_serialize(text.as_bytes()).collect();
        let hidden: [(&str, Vec<u8>); 6] = [
            ("raw", text.clone().into_bytes()),
            ("hex", hex.into_bytes()),
            ("base64", STANDARD_NO_PAD.encode(&text).into_bytes()),
            ("base64url", URL_SAFE_NO_PAD.encode(&text).into_bytes()),
            ("percent", percent.into_bytes()),
            (
                "utf-16",
                text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            ),
        ];
        for (name, hidden) in hidden {
            assert!(
                needles.within(&hidden).contains(&(name, 0)),
                "{name} after {before:?}"
            );
        }
    }
    assert!(needles.within(b"nothing to be seen here").is_empty());
}

/// Everything a person does with secrets, at the loudest; answers what was said meanwhile.
async fn add_servers(claviger: &Claviger, upstream: &Upstream) -> String {
    let file = claviger.secret_file("client-secret", &format!("{MARK}static"));
    let header = format!("X-Key: {MARK}header");
    let url = upstream.url();
    let mut said = String::new();
    for words in [
        &[
            "own",
            &url,
            "--client-id",
            "i",
            "--client-secret-file",
            &file,
        ][..],
        &["fixed", &url, "--header", &header],
    ] {
        let issuer: &[&str] = if words[0] == "own" {
            &["--issuer", "https://issuer.example"]
        } else {
            &[]
        };
        let fixed = ["--no-discover", "--allow-private", "-vv"];
        let words = [&["server", "add"][..], words, issuer, &fixed].concat();
        let ended = claviger.run(&words).await;
        assert_eq!(ended.code, 0, "{ended:?}");
        said.push_str(&ended.stderr);
    }
    fs::remove_file(&file).unwrap();
    said
}

/// Calls through the gateway, before and after refreshes, and looks at everything.
async fn use_them(claviger: &Claviger, gateway: &Gateway) -> String {
    for _ in 0..2 {
        sleep(LIFE + Duration::from_millis(300)).await;
        for server in ["up", "fixed"] {
            let call = json!({"name": "echo", "arguments": {}});
            let mcp = gateway.mcp(server);
            ask(rpc(&mcp, Some(&gateway.token), "tools/call", &call)).await;
        }
    }
    let mut said = String::new();
    for words in [
        &["status", "-vv"][..],
        &["server", "show", "up", "--json"],
        &["status", "--json"],
    ] {
        let ended = claviger.run(words).await;
        said.push_str(&ended.stdout);
        said.push_str(&ended.stderr);
    }
    said
}

#[tokio::test]
async fn a202_a221_no_byte_on_disk_or_in_a_log_holds_a_secret() {
    let mut claviger = Claviger::new();
    claviger.set("CLAVIGER_LOG_LEVEL", "trace");
    let upstream = Upstream::marked(LIFE, MARK).await;
    claviger.add("up", &upstream.url()).await;
    let mut said = add_servers(&claviger, &upstream).await;
    let gateway = claviger.serve().await;
    let signed_in = claviger.sign_in("up").await;
    assert_eq!(signed_in.code, 0, "{signed_in:?}");
    // The address that the person is to open holds the state, as it must.
    let lines = signed_in.stderr.lines();
    said.extend(lines.filter(|line| !line.contains("state=")));
    said.push_str(&use_them(&claviger, &gateway).await);
    assert!(upstream.counts().refreshes >= 2, "{:?}", upstream.counts());

    // While it runs: the write-ahead log and the rescue journal are there.
    let mut found = vec![("the terminal".to_owned(), said.into_bytes())];
    files(&claviger.data_dir(), &mut found);
    let token = gateway.token.clone();
    claviger.must(&["logout", "up", "--json"]).await;
    for words in [
        &["audit", "export"][..],
        &["audit", "list", "--limit", "10000", "--json"],
    ] {
        let ended = claviger.run(words).await;
        assert_eq!(ended.code, 0, "{ended:?}");
        assert!(ended.stdout.contains("credential.refresh"), "{ended:?}");
        found.push(("the audit log".to_owned(), ended.stdout.into_bytes()));
    }
    let log = gateway.log();
    assert!(log.contains("TRACE") || log.contains("DEBUG"), "{log}");
    found.push(("the log".to_owned(), log.into_bytes()));
    assert_eq!(gateway.stop().await, 0);
    files(&claviger.data_dir(), &mut found);

    let mut secrets = upstream.secrets();
    secrets.extend([
        format!("{MARK}header"),
        format!("{MARK}static"),
        token.clone(),
    ]);
    assert!(secrets.len() > 8, "{secrets:?}");
    let needles = Needles::of(&secrets);
    for (place, bytes) in &found {
        for (encoding, number) in needles.within(bytes) {
            let secret = &secrets[number];
            // Our own token stands in its own file.
            let is_own_file = *secret == token && place.ends_with("/token");
            assert!(is_own_file, "{secret} in {encoding} in {place}");
        }
    }
}
