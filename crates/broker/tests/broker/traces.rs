//! No secret in the database's files, and none in the log at its most talkative.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use claviger_broker::AtIssuer;
use claviger_crypto::{base64_encode, base64url_encode};
use claviger_model::UserId;
use claviger_ports::FetchError;
use claviger_testkit::json_answer;
use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;
use url::form_urlencoded;

use crate::support::{Installation, begin, forced, linear, own, refusal};

/// Raw, hex, base64 at every alignment, percent, UTF-16.
fn encodings(secret: &str) -> Vec<Vec<u8>> {
    let bytes = secret.as_bytes();
    let digit = |nibble: u8| char::from_digit(nibble.into(), 16).unwrap();
    let pair = |byte: &u8| [digit(byte >> 4), digit(byte & 15)];
    let hex: String = bytes.iter().flat_map(pair).collect();
    let percent: String = form_urlencoded::byte_serialize(bytes).collect();
    let wide = |bytes_of: fn(u16) -> [u8; 2]| secret.encode_utf16().flat_map(bytes_of).collect();
    let mut all = vec![
        bytes.to_vec(),
        hex.to_uppercase().into_bytes(),
        hex.into_bytes(),
        percent.into_bytes(),
        wide(u16::to_le_bytes),
        wide(u16::to_be_bytes),
    ];
    for skipped in 0..3 {
        // Whole groups only, so that neighbours do not show in them.
        let rest = &bytes[skipped..];
        let whole = &rest[..rest.len() - rest.len() % 3];
        all.push(base64_encode(whole).into_bytes());
        all.push(base64url_encode(whole).into_bytes());
    }
    all
}

#[track_caller]
fn assert_clean(place: &str, haystack: &[u8], secrets: &BTreeSet<String>) {
    for secret in secrets {
        for needle in encodings(secret) {
            let hit = haystack.windows(needle.len()).any(|one| one == needle);
            assert!(!hit, "{secret} stands in {place}");
        }
    }
}

/// Signs in, refreshes, fails, steps up, obtains and disconnects.
async fn live(installation: &Installation) {
    installation.issuer.set(|issuer| issuer.confidential = true);
    let node = installation.node(1).await;
    let server = node.add(linear()).await;
    let owner = UserId::owner();
    let bare = node.attach(&server).await.unwrap();
    let no = refusal(401, "Bearer");
    node.refused(&server, &bare, &no).await.unwrap_err();
    node.sign_in(&server, &owner).await;
    node.expire();
    node.bearer(&server).await;
    let used = node.attach(&server).await.unwrap();
    node.refused(&server, &used, &no).await.unwrap_err();
    node.expire();
    let lost = json_answer(401, &json!({"error": "invalid_client"}));
    let dead = json_answer(400, &json!({"error": "invalid_grant"}));
    for trouble in [Err(FetchError::Broken), lost, dead] {
        installation
            .issuer
            .set(|issuer| issuer.next.push_back(trouble));
        node.attach(&server).await.unwrap_err();
        installation.clock.advance_secs(600);
    }
    node.sign_in_with(&server, &owner, forced()).await;
    let started = node.start(&server, &owner, forced()).await;
    let query = installation.issuer.agree(&started.authorization_url);
    let broken = query.replace("iss=https", "iss=http");
    drop(node.complete(&server, &broken).await);
    let robot = claviger_model::Server {
        id: claviger_model::ServerId::parse("robot").unwrap(),
        slug: claviger_model::Slug::parse("robot").unwrap(),
        ..own(&node).await
    };
    let sealed = node
        .broker
        .seal_setting(
            &robot,
            claviger_broker::Setting::ClientSecret {
                client_id: "static-client",
            },
            &claviger_crypto::Secret::new("canary~static/secret+1="),
        )
        .await
        .unwrap();
    let robot = with_secret(robot, sealed);
    let robot = node.add(robot).await;
    let own_user = UserId::parse("robot").unwrap();
    drop(node.begin(&robot, &own_user, begin()).await.unwrap());
    let done = node.broker.disconnect(&robot, &own_user).await.unwrap();
    assert_eq!(done.at_issuer, AtIssuer::Revoked);
    // What is left in the database is a live credential, a registration and a sign-in in flight.
    node.start(&server, &owner, forced()).await;
    node.tasks.finished().await;
}

fn with_secret(mut server: claviger_model::Server, sealed: String) -> claviger_model::Server {
    if let claviger_model::Auth::Oauth(settings) = &mut server.auth {
        settings.sealed_client_secret = Some(sealed);
    }
    server
}

fn planted(installation: &Installation) -> BTreeSet<String> {
    let mut secrets = installation.issuer.set(|issuer| issuer.secrets.clone());
    secrets.insert("canary~static/secret+1=".to_owned());
    assert!(secrets.len() > 12);
    secrets
}

#[tokio::test]
async fn a202_no_file_of_the_database_holds_a_secret() {
    let installation = Installation::new();
    live(&installation).await;
    let secrets = planted(&installation);
    let mut files = 0;
    for entry in fs::read_dir(installation.dir.path()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        assert_clean(&path.display().to_string(), &bytes, &secrets);
        files += 1;
    }
    assert!(files >= 2, "database and log");
}

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Kept {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[test]
fn a221_the_log_at_trace_holds_no_secret() {
    let kept = Kept::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(kept.clone())
        .with_ansi(false)
        .finish();
    let installation = Installation::new();
    // One thread, so that spawned work logs to it as well.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    tracing::subscriber::with_default(subscriber, || runtime.block_on(live(&installation)));
    let log = kept.0.lock().unwrap().clone();
    let text = String::from_utf8_lossy(&log);
    assert!(
        text.contains("a sign-in ended") && text.contains("refused"),
        "{text}"
    );
    assert_clean("the log", &log, &planted(&installation));
}
