//! Sign in, look, call, sign out, by command.

use core::time::Duration;

use crate::support::{Claviger, Upstream};

const LIFE: Duration = Duration::from_mins(10);

#[tokio::test]
async fn a_sign_in_leads_to_calls_and_a_sign_out_ends_it_at_the_issuer() {
    let claviger = Claviger::new();
    let upstream = Upstream::protected(LIFE).await;
    claviger.add("up", &upstream.url()).await;

    let refused = claviger.run(&["tools", "up", "--json"]).await;
    assert_eq!(refused.code, 3, "{refused:?}");
    assert_eq!(refused.lines().last().unwrap()["error"], "needs_sign_in");

    let ended = claviger.sign_in("up").await;
    assert_eq!(ended.code, 0, "{ended:?}");
    let last = ended.lines().pop().unwrap();
    assert_eq!(last["outcome"], "success");
    assert_eq!(last["server"], "up");
    assert_eq!(last["standing"], "connected");

    let status = claviger.must(&["status", "up", "--json"]).await;
    assert_eq!(status[0]["standing"], "connected");
    assert!(status[0]["expires_at"].is_string(), "{status:?}");
    let tools = claviger.must(&["tools", "up", "--json"]).await;
    assert!(
        tools.iter().any(|tool| tool.to_string().contains("echo")),
        "{tools:?}"
    );
    let call = ["call", "up", "echo", "--json", r#"{"word":"hello"}"#];
    let said = claviger.run(&call).await;
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stdout.contains("hello"), "{said:?}");

    let out = claviger.run(&["logout", "up", "--json"]).await;
    assert_eq!(out.code, 0, "{out:?}");
    assert!(upstream.counts().revocations >= 1);
    assert_eq!(claviger.run(&call).await.code, 3);
}

#[tokio::test]
async fn no_secret_reaches_the_terminal() {
    let claviger = Claviger::new();
    let upstream = Upstream::protected(LIFE).await;
    claviger.add("up", &upstream.url()).await;

    let mut all = String::new();
    let signed_in = claviger.sign_in("up").await;
    all.push_str(&signed_in.stdout);
    all.push_str(&signed_in.stderr);
    for command in [
        &["status", "up", "-vv"][..],
        &["status", "up", "--json"],
        &["server", "show", "up"],
        &["server", "show", "up", "--json"],
        &["call", "up", "echo", "-vv"],
        &["logout", "up", "-vv"],
    ] {
        let ended = claviger.run(command).await;
        assert_eq!(ended.code, 0, "{command:?}: {ended:?}");
        all.push_str(&ended.stdout);
        all.push_str(&ended.stderr);
    }
    for secret in ["at-1", "rt-1", "the-code"] {
        assert!(!all.contains(secret), "{secret} in:\n{all}");
    }
}

#[tokio::test]
async fn m12_a_pasted_callback_finishes_the_sign_in() {
    let claviger = Claviger::new();
    let upstream = Upstream::protected(LIFE).await;
    claviger.add("up", &upstream.url()).await;

    let ended = claviger.sign_in_by_pasting("up").await;
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(ended.lines().last().unwrap()["outcome"], "success");
    assert_eq!(upstream.counts().redemptions, 1);
}

#[tokio::test]
async fn a_person_who_says_no_is_believed() {
    let claviger = Claviger::new();
    let upstream = Upstream::protected(LIFE).await;
    upstream.deny();
    claviger.add("up", &upstream.url()).await;

    let ended = claviger.sign_in("up").await;
    assert_eq!(ended.code, 3, "{ended:?}");
    let last = ended.lines().pop().unwrap();
    assert_eq!(last["outcome"], "denied", "{last}");
    assert_ne!(last["standing"], "connected", "{last}");
    assert_eq!(upstream.counts().redemptions, 0);
}
