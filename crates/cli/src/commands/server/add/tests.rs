//! What is sent to the gateway, what is asked of the person, what is printed.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use claviger_admin_api::{ProblemKind, StepStatus, StepView};

use super::*;
use crate::testing::{Bench, Fake, problem, server_view};

fn added(slug: &str) -> Fake {
    let step = StepView {
        stage: "probe".to_owned(),
        status: StepStatus::Warned,
        what: "POST https://linear.example/mcp".to_owned(),
        outcome: "401 with a challenge".to_owned(),
        rule: Some("RFC 9728 §5.1".to_owned()),
        hint: Some("name resource_metadata in the challenge".to_owned()),
        deviations: vec!["Q03".to_owned()],
        took_ms: Some(12),
    };
    Fake::saying(vec![
        Line::Step(step),
        Line::Server(server_view(slug)),
        Line::Done,
    ])
}

#[tokio::test]
async fn shows_the_steps_and_what_was_found_and_what_comes_next() {
    let bench = Bench::new(added("linear"));
    let ran = bench
        .run(&["server", "add", "linear", "https://linear.example/mcp"])
        .await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(
        ran.err,
        "! warning probe              POST https://linear.example/mcp: 401 with a challenge (12 ms)
            RFC 9728 §5.1, Q03
            hint: name resource_metadata in the challenge
next: claviger login linear
"
    );
    assert_eq!(
        ran.out,
        "linear
  url           https://linear.example/mcp
  sign-in       needed
  auth          oauth, authorization_code
  issuer        https://issuer.example
  registration  document dynamic
  scopes        read
"
    );
}

#[tokio::test]
async fn sends_what_was_given() {
    let dir = tempfile::tempdir().unwrap();
    let secret = dir.path().join("secret");
    fs::write(&secret, "s3cret\n").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    let bench = Bench::new(added("robot"));
    let words = ["server", "add", "robot", "https://robot.example/mcp"];
    let options = [
        "--client-id",
        "robot",
        "--grant",
        "client_credentials",
        "--scope",
        "a",
    ];
    let more = [
        "--scope",
        "b",
        "--name",
        "Robot",
        "--issuer",
        "https://issuer.example",
        "--json",
    ];
    let file = ["--client-secret-file", secret.to_str().unwrap()];
    let ran = bench
        .run(&[&words[..], &options, &more, &file].concat())
        .await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    let asked = &bench.asked()[0];
    assert_eq!(asked["op"], "add_server");
    assert_eq!(asked["client_secret"], "s3cret");
    assert_eq!(asked["grant"], "client_credentials");
    assert_eq!(asked["scopes"], serde_json::json!(["a", "b"]));
    assert_eq!(asked["issuer"], "https://issuer.example");
    assert_eq!(asked["display_name"], "Robot");
    assert!(!format!("{ran:?}").contains("s3cret"));
}

#[tokio::test]
async fn a_secret_that_others_may_read_goes_nowhere() {
    let dir = tempfile::tempdir().unwrap();
    let secret = dir.path().join("secret");
    fs::write(&secret, "s3cret\n").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o644)).unwrap();
    let bench = Bench::new(added("robot"));
    let words = [
        "server",
        "add",
        "robot",
        "https://robot.example/mcp",
        "--client-id",
        "robot",
    ];
    let file = ["--client-secret-file", secret.to_str().unwrap()];
    let ran = bench.run(&[&words[..], &file].concat()).await;
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("hint: chmod 600"), "{}", ran.err);
    assert!(bench.asked().is_empty());
}

#[tokio::test]
async fn headers_may_come_from_a_file_of_ones_own() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("headers");
    fs::write(&file, "Authorization: Bearer s3cret\n\nX-Team: core\n").unwrap();
    let words = [
        "server",
        "add",
        "keyed",
        "https://keyed.example/mcp",
        "--header",
        "X-A: 1",
    ];
    let at_file = format!("@{}", file.display());
    let words = [&words[..], &["--header", &at_file]].concat();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(Bench::new(added("keyed")).run(&words).await.code, 2);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let bench = Bench::new(added("keyed"));
    assert_eq!(bench.run(&words).await.code, 0);
    let expected = serde_json::json!(["X-A: 1", "Authorization: Bearer s3cret", "X-Team: core"]);
    assert_eq!(bench.asked()[0]["headers"], expected);
}

#[tokio::test]
async fn a_private_address_needs_a_yes() {
    let words = ["server", "add", "mine", "http://127.0.0.1:3000/mcp"];
    let bench = Bench::new(added("mine"));
    let ran = bench.run(&words).await;
    assert_eq!(ran.code, 3);
    assert!(
        ran.err
            .contains("hint: if you mean it, add --allow-private"),
        "{}",
        ran.err
    );
    assert!(bench.asked().is_empty());

    for (answer, is_allowed) in [("y", true), ("YES", true), ("", false), ("n", false)] {
        let bench = Bench {
            is_there: true,
            lines: vec![answer],
            ..Bench::new(added("mine"))
        };
        let ran = bench.run(&words).await;
        assert!(ran.err.contains("[y/N]"), "{}", ran.err);
        assert_eq!(ran.code == 0, is_allowed, "{answer}");
        assert_eq!(
            bench.asked().first().map(|it| it["allow_private"] == true),
            is_allowed.then_some(true)
        );
    }

    let bench = Bench::new(added("mine"));
    let ran = bench
        .run(&[&words[..], &["--allow-private"]].concat())
        .await;
    assert_eq!(ran.code, 0);
    assert_eq!(bench.asked()[0]["allow_private"], true);
}

#[test]
fn knows_what_is_plainly_private() {
    for (url, expected) in [
        ("http://127.0.0.1/", true),
        ("http://2130706433/", true),
        ("http://[::1]/", true),
        ("http://[::ffff:10.0.0.1]/", true),
        ("http://[fd00::1]/", true),
        ("http://192.168.1.1/", true),
        ("http://169.254.169.254/", true),
        ("http://0.0.0.0/", true),
        ("http://localhost/", true),
        ("http://LOCALHOST./", true),
        ("http://a.localhost/", true),
        ("http://printer.local/", true),
        ("http://intranet/", true),
        ("https://mcp.linear.app/", false),
        ("https://1.1.1.1/", false),
        ("https://[2606:4700::1111]/", false),
        ("https://notlocalhost.example/", false),
        ("https://mylan.example/", false),
    ] {
        let url = Url::parse(url).unwrap();
        assert_eq!(is_private(&url.host().unwrap()), expected, "{url}");
    }
}

#[tokio::test]
async fn every_kind_of_problem_has_its_exit_code_and_one_hint() {
    for (kind, code) in [
        (ProblemKind::Usage, 2),
        (ProblemKind::Refused, 3),
        (ProblemKind::Unreachable, 4),
        (ProblemKind::Configuration, 5),
        (ProblemKind::Bug, 70),
    ] {
        let words = ["server", "add", "linear", "https://linear.example/mcp"];
        let ran = Bench::new(Fake::saying(vec![problem(kind, "some_code")]))
            .run(&words)
            .await;
        assert_eq!(ran.code, code);
        assert_eq!(ran.err, "error: it was wrong\nhint: do it right\n");
        assert_eq!(ran.out, "");
        let bench = Bench::new(Fake::saying(vec![problem(kind, "some_code")]));
        let ran = bench.run(&[&words[..], &["--json"]].concat()).await;
        let line: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!(
            line,
            serde_json::json!({
                "error": "some_code", "server": "linear",
                "message": "it was wrong", "hint": "do it right",
            })
        );
    }
}
