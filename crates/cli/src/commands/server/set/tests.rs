//! What is sent to the gateway, and what the person is told of it.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use clap::Parser;
use claviger_admin_api::LogoutView;
use serde_json::json;

use super::*;
use crate::args::Cli;
use crate::testing::{Bench, Fake, server_view};

fn changed(ended: &[(&str, &str)]) -> Fake {
    let mut lines: Vec<Line> = ended
        .iter()
        .map(|(user, at_issuer)| {
            Line::LoggedOut(LogoutView {
                server: "linear".to_owned(),
                user: (*user).to_owned(),
                ended_here: true,
                at_issuer: (*at_issuer).to_owned(),
                message: None,
            })
        })
        .collect();
    lines.push(Line::Server(server_view("linear")));
    lines.push(Line::Done);
    Fake::saying(lines)
}

#[tokio::test]
async fn sends_what_was_given_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let secret = dir.path().join("secret");
    fs::write(&secret, "s3\n").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    let bench = Bench::new(changed(&[]));
    let words = [
        "server",
        "set",
        "linear",
        "--name",
        "Linear (work)",
        "--disable",
    ];
    bench.run(&words).await;
    let words = [
        "server",
        "set",
        "linear",
        "--client-id",
        "me",
        "--client-secret-file",
        secret.to_str().unwrap(),
        "--no-issuer",
        "--scope",
        "a",
        "--scope",
        "b",
        "--no-allow-private",
        "--yes",
    ];
    bench.run(&words).await;
    // What closes the gateway is remembered too.
    let asked: Vec<_> = bench
        .asked()
        .into_iter()
        .filter(serde_json::Value::is_object)
        .collect();
    assert_eq!(asked[0]["op"], "set_server");
    assert_eq!(asked[0]["display_name"], "Linear (work)");
    assert_eq!(asked[0]["enabled"], json!(false));
    assert_eq!(asked[1]["client_id"], "me");
    assert_eq!(asked[1]["client_secret"], "s3");
    assert_eq!(asked[1]["scopes"], json!(["a", "b"]));
    assert_eq!(asked[1]["allow_private"], json!(false));
    assert_eq!(
        (&asked[1]["no_issuer"], &asked[1]["yes"]),
        (&json!(true), &json!(true))
    );
    // What is absent stays as it is.
    assert_eq!(asked[0]["client_id"], json!(null));
    assert_eq!(asked[0]["allow_private"], json!(null));
    assert_eq!(asked[1]["enabled"], json!(null));
    assert_eq!(asked[1]["no_client"], json!(false));
}

#[tokio::test]
async fn g6_says_what_ended_and_what_is_pending() {
    let words = [
        "server",
        "set",
        "linear",
        "--url",
        "https://other.example/mcp",
    ];
    let bench = Bench::new(changed(&[("owner", "revoked"), ("ann", "pending")]));
    let ran = bench.run(&words).await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(
        ran.out.contains("✓ here       the credential is gone\n"),
        "{}",
        ran.out
    );
    assert!(
        ran.out.contains("✓ here       ann's credential is gone\n"),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("! at issuer  pending"), "{}", ran.out);
    assert!(
        ran.err.ends_with("next: claviger login linear\n"),
        "{}",
        ran.err
    );
    let json_words = [&words[..], &["--json"]].concat();
    let ran = Bench::new(changed(&[("owner", "pending")]))
        .run(&json_words)
        .await;
    assert!(ran.out.contains("\"at_issuer\":\"pending\""), "{}", ran.out);
    // Nothing ended, nothing to sign in to.
    let ran = Bench::new(changed(&[])).run(&words).await;
    assert!(!ran.err.contains("next:"), "{}", ran.err);
}

#[tokio::test]
async fn a_private_address_is_asked_about() {
    let words = ["server", "set", "linear", "--url", "http://127.0.0.1:1/mcp"];
    let bench = Bench::new(changed(&[]));
    let ran = bench.run(&words).await;
    assert_eq!(ran.code, 3, "{}", ran.err);
    assert!(bench.asked().is_empty());
    let allowed = [&words[..], &["--allow-private"]].concat();
    assert_eq!(bench.run(&allowed).await.code, 0);
    assert_eq!(bench.asked()[0]["allow_private"], json!(true));
}

#[test]
fn what_contradicts_itself_is_no_command() {
    for words in [
        &["--enable", "--disable"][..],
        &["--allow-private", "--no-allow-private"],
        &["--issuer", "https://i.example", "--no-issuer"],
        &["--scope", "a", "--no-scope"],
        &["--client-id", "a", "--no-client"],
        &["--client-secret-file", "a", "--private-key-file", "b"],
        &["--auth", "magic"],
    ] {
        let words = [&["claviger", "server", "set", "linear"][..], words].concat();
        assert!(Cli::try_parse_from(words.iter()).is_err(), "{words:?}");
    }
}
