//! Every act: how it goes well, and how it is refused, with a word for programs and a remedy.

use claviger_admin_api::{AddServer, Line, ProblemKind, Request, SetServer};
use claviger_server::Gateway;
use claviger_server::demo::play_browser;
use serde_json::Value;
use tokio::sync::mpsc;

use crate::support::{Place, Upstream, act, approve, done, problem, slug};

pub(crate) async fn bench() -> (Place, Upstream, Box<dyn Gateway>) {
    let (place, upstream) = (Place::new(), Upstream::start().await);
    let gateway = place.open().await;
    (place, upstream, gateway)
}

fn login(force: bool) -> Request {
    Request::Login {
        slug: slug("demo"),
        force,
    }
}

/// Signs in; `person` gets the authorization URL and does what a person does.
pub(crate) async fn sign_in(gateway: &dyn Gateway, person: impl AsyncFnOnce(String)) -> Vec<Line> {
    let (send, mut urls) = mpsc::unbounded_channel();
    let mut lines = Vec::new();
    let mut sink = |line: Line| {
        if let Line::SignInStarted(started) = &line {
            send.send(started.authorization_url.clone()).unwrap();
        }
        lines.push(line);
    };
    let deciding = async { person(urls.recv().await.unwrap()).await };
    let (acted, ()) = tokio::join!(gateway.act(login(false), &mut sink), deciding);
    acted.unwrap();
    lines
}

pub(crate) fn ended(lines: &[Line]) -> (String, String) {
    let mut ends = lines.iter().filter_map(|line| match line {
        Line::SignInEnded(end) => Some((end.outcome.clone(), end.standing.clone())),
        _ => None,
    });
    let end = ends.next().expect("a sign-in that ended");
    // M4: exactly one end.
    assert_eq!(ends.next(), None);
    end
}

pub(crate) async fn standing(gateway: &dyn Gateway) -> String {
    let lines = done(act(gateway, Request::Status { slug: None }).await);
    match &lines[..] {
        [Line::Connection(view)] => view.standing.clone(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_server_is_added_shown_listed_and_removed_with_its_grant() {
    let (_place, upstream, gateway) = bench().await;
    upstream.add(&*gateway, "demo").await;
    let show = Request::ShowServer { slug: slug("demo") };
    for request in [show, Request::ListServers] {
        match &done(act(&*gateway, request).await)[..] {
            [Line::Server(view)] => {
                assert_eq!((view.slug.as_str(), view.auth.as_str()), ("demo", "oauth"));
                assert!(!view.has_client_secret);
            }
            other => panic!("{other:?}"),
        }
    }
    let lines = sign_in(&*gateway, async |url| {
        play_browser(&url).await.unwrap();
    })
    .await;
    assert_eq!(ended(&lines), (slug("success"), slug("connected")));
    assert_eq!(standing(&*gateway).await, "connected");

    // K10: revoked at the issuer before the row goes.
    let lines = done(
        act(
            &*gateway,
            Request::RemoveServer {
                slug: slug("demo"),
                yes: false,
            },
        )
        .await,
    );
    match &lines[..] {
        [Line::LoggedOut(view)] => assert_eq!(view.at_issuer, "revoked"),
        other => panic!("{other:?}"),
    }
    assert_eq!(upstream.demo.counters().revocations, 1);
    assert_eq!(done(act(&*gateway, Request::ListServers).await), []);
    gateway.close().await;
}

#[tokio::test]
async fn k10_m5_signing_in_again_is_needless_and_signing_out_revokes() {
    let (_place, upstream, gateway) = bench().await;
    upstream.add(&*gateway, "demo").await;
    drop(
        sign_in(&*gateway, async |url| {
            play_browser(&url).await.unwrap();
        })
        .await,
    );
    let lines = done(act(&*gateway, login(false)).await);
    assert_eq!(ended(&lines), (slug("success"), slug("connected")));
    assert_eq!(upstream.demo.counters().redemptions, 1);

    let logout = || Request::Logout { slug: slug("demo") };
    match &done(act(&*gateway, logout()).await)[..] {
        [Line::LoggedOut(view)] => {
            assert!(view.ended_here);
            assert_eq!(view.at_issuer, "revoked");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(standing(&*gateway).await, "needs_sign_in");
    match &done(act(&*gateway, logout()).await)[..] {
        [Line::LoggedOut(view)] => assert!(!view.ended_here),
        other => panic!("{other:?}"),
    }
    gateway.close().await;
}

#[tokio::test]
async fn m3_m4_a_sign_in_ends_once_declined_or_cancelled() {
    let (_place, upstream, gateway) = bench().await;
    upstream.add(&*gateway, "demo").await;
    let lines = sign_in(&*gateway, async |url| {
        let callback = approve(&url, "deny").await;
        drop(crate::support::ask(crate::support::get(&callback)).await);
    })
    .await;
    assert_eq!(ended(&lines).0, "denied");

    let cancel = || Request::CancelLogin { slug: slug("demo") };
    let lines = sign_in(&*gateway, async |_url| {
        // M3: a second one is refused, with a way out.
        let second = problem(act(&*gateway, login(false)).await);
        assert_eq!(second.kind, ProblemKind::Refused);
        assert_eq!(second.code, "sign_in_in_flight");
        assert!(second.hint.unwrap().contains("--force"));
        done(act(&*gateway, cancel()).await);
    })
    .await;
    assert_eq!(ended(&lines).0, "cancelled");
    let none = problem(act(&*gateway, cancel()).await);
    assert_eq!(
        (none.kind, none.code.as_str()),
        (ProblemKind::Refused, "no_sign_in")
    );
    assert!(none.hint.is_some());
    gateway.close().await;
}

#[tokio::test]
async fn m12_a_pasted_callback_finishes_a_sign_in_once() {
    let (_place, upstream, gateway) = bench().await;
    upstream.add(&*gateway, "demo").await;
    let lines = sign_in(&*gateway, async |url| {
        let callback = approve(&url, "approve").await;
        let paste = |url: &str| Request::Callback {
            url: url.to_owned(),
        };
        let pasted = done(act(&*gateway, paste(&callback)).await);
        assert_eq!(ended(&pasted).0, "success");
        let again = problem(act(&*gateway, paste(&callback)).await);
        assert_eq!(
            (again.kind, again.code.as_str()),
            (ProblemKind::Usage, "not_a_callback")
        );
        for wrong in [
            "",
            "nothing",
            "https://example.com/",
            "http://127.0.0.1/callback/x",
        ] {
            let refused = problem(act(&*gateway, paste(wrong)).await);
            assert_eq!(refused.code, "not_a_callback", "{wrong}");
            assert!(refused.hint.is_some());
        }
    })
    .await;
    assert_eq!(ended(&lines).0, "success");
    assert_eq!(upstream.demo.counters().redemptions, 1);
    gateway.close().await;
}

#[tokio::test]
async fn n7_doctor_walks_and_stores_nothing() {
    let (_place, upstream, gateway) = bench().await;
    let doctor = |url: &str, allow_private| Request::Doctor {
        url: url.to_owned(),
        allow_private,
    };
    let lines = done(act(&*gateway, doctor(upstream.demo.url(), true)).await);
    assert!(lines.iter().all(|line| matches!(line, Line::Step(_))));
    assert!(lines.len() >= 4, "{lines:?}");
    assert_eq!(upstream.demo.counters().registrations, 0);
    let plain = problem(act(&*gateway, doctor(upstream.demo.url(), false)).await);
    assert_eq!(
        (plain.kind, plain.code.as_str()),
        (ProblemKind::Usage, "invalid_url")
    );
    let nobody = problem(act(&*gateway, doctor("http://127.0.0.1:9/mcp", true)).await);
    assert_eq!(nobody.kind, ProblemKind::Unreachable, "{nobody:?}");
    assert!(nobody.hint.is_some());
    gateway.close().await;
}

/// What is wrong with each, on top of a server that could be added.
const REFUSED: &[(&str, &str)] = &[
    ("invalid_name", r#"{"slug": "Not A Slug"}"#),
    ("invalid_url", r#"{"url": "mcp.example"}"#),
    ("invalid_url", r#"{"url": "ftp://mcp.example/"}"#),
    ("invalid_url", r#"{"url": "https://a:b@mcp.example/"}"#),
    ("invalid_url", r#"{"allow_private": false}"#),
    ("invalid_url", r#"{"issuer": "javascript:1"}"#),
    (
        "invalid_url",
        r#"{"client_metadata_url": "http://a.example/c"}"#,
    ),
    ("invalid_server", r#"{"display_name": "two\nlines"}"#),
    ("invalid_server", r#"{"grant": "password"}"#),
    ("invalid_server", r#"{"grant": "client_credentials"}"#),
    ("invalid_server", r#"{"client_secret": "s"}"#),
    (
        "invalid_server",
        r#"{"client_id": "i", "private_key": "k"}"#,
    ),
    // A019: without looking, nobody knows whose the secret is.
    (
        "invalid_server",
        r#"{"client_id": "i", "client_secret": "s"}"#,
    ),
    ("invalid_server", r#"{"scopes": ["a\"b"]}"#),
    ("invalid_server", r#"{"headers": ["no colon"]}"#),
    ("invalid_server", r#"{"headers": ["a b: c"]}"#),
    ("invalid_server", r#"{"headers": ["X: a\r\nY: b"]}"#),
    ("invalid_server", r#"{"headers": ["Host: inside.example"]}"#),
    ("invalid_server", r#"{"headers": ["Content-Length: 1"]}"#),
    // Z2
    (
        "invalid_server",
        r#"{"headers": ["X: a"], "client_id": "id"}"#,
    ),
];

#[tokio::test]
async fn what_cannot_be_added_is_refused_with_a_remedy_and_leaves_nothing_behind() {
    let (_place, upstream, gateway) = bench().await;
    let plain = || AddServer {
        no_discover: true,
        ..upstream.as_server("demo")
    };
    for (code, what) in REFUSED {
        let mut add = serde_json::to_value(plain()).unwrap();
        let what: Value = serde_json::from_str(what).unwrap();
        add.as_object_mut()
            .unwrap()
            .extend(what.as_object().unwrap().clone());
        let add = serde_json::from_value(add).unwrap();
        let problem = problem(act(&*gateway, Request::AddServer(Box::new(add))).await);
        assert_eq!(problem.kind, ProblemKind::Usage, "{what}");
        assert_eq!(problem.code, *code, "{what}");
        assert!(problem.hint.is_some(), "{what}");
    }
    // K2: discovery that fails leaves nothing behind.
    let nobody = AddServer {
        url: slug("http://127.0.0.1:9/mcp"),
        no_discover: false,
        ..plain()
    };
    let unreachable = problem(act(&*gateway, Request::AddServer(Box::new(nobody))).await);
    assert_eq!(unreachable.kind, ProblemKind::Unreachable);
    assert_eq!(done(act(&*gateway, Request::ListServers).await), []);

    done(act(&*gateway, Request::AddServer(Box::new(plain()))).await);
    let taken = problem(act(&*gateway, Request::AddServer(Box::new(plain()))).await);
    assert_eq!(
        (taken.kind, taken.code.as_str()),
        (ProblemKind::Refused, "name_taken")
    );
    gateway.close().await;
}

#[tokio::test]
async fn acts_on_a_server_that_is_not_there_say_so() {
    let (_place, _upstream, gateway) = bench().await;
    let none = || slug("none");
    let requests = [
        Request::CancelLogin { slug: none() },
        Request::Login {
            slug: none(),
            force: false,
        },
        Request::Logout { slug: none() },
        Request::RemoveServer {
            slug: none(),
            yes: false,
        },
        Request::SetServer(Box::new(SetServer {
            slug: none(),
            ..SetServer::default()
        })),
        Request::ShowServer { slug: none() },
        Request::Status { slug: Some(none()) },
    ];
    for request in requests {
        let refused = problem(act(&*gateway, request).await);
        assert_eq!(refused.kind, ProblemKind::Refused);
        assert_eq!(refused.code, "unknown_server");
        assert!(refused.hint.unwrap().contains("server list"));
    }
    assert_eq!(
        done(act(&*gateway, Request::Status { slug: None }).await),
        []
    );
    gateway.close().await;
}
