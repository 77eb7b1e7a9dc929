//! Commands that only show what the gateway says.

use claviger_admin_api::{
    ConnectionView, Line, LogoutView, ProblemKind, RevocationView, StepStatus, StepView,
};

use crate::testing::{Bench, Fake, problem, server_view};

fn connection(server: &str, standing: &str, expires_in_s: Option<i64>) -> Line {
    Line::Connection(ConnectionView {
        server: server.to_owned(),
        standing: standing.to_owned(),
        reason: (standing == "needs_sign_in").then(|| "refresh_refused".to_owned()),
        issuer: None,
        scopes: Vec::new(),
        expires_at: None,
        expires_in_s,
        is_refreshable: expires_in_s.is_some_and(|seconds| seconds > 1000),
        pending_revocations: 0,
        hint: (standing == "needs_sign_in").then(|| format!("claviger login {server}")),
    })
}

fn step(status: StepStatus, hint: Option<&str>) -> Line {
    Line::Step(StepView {
        stage: "issuer metadata".to_owned(),
        status,
        what: "https://issuer.example/.well-known".to_owned(),
        outcome: "HTTP 200".to_owned(),
        rule: Some("RFC 8414 §3.3".to_owned()),
        hint: hint.map(str::to_owned),
        deviations: Vec::new(),
        took_ms: None,
    })
}

#[tokio::test]
async fn status_is_a_table_with_the_way_out() {
    let bench = Bench::new(Fake::saying(vec![
        connection("linear", "connected", Some(3600)),
        connection("a-longer-name", "needs_sign_in", None),
        connection("short", "expiring", Some(59)),
        Line::Done,
    ]));
    let ran = bench.run(&["status"]).await;
    assert_eq!(
        ran.out,
        "\
SERVER         STANDING       ENDS                       REASON
linear         connected      in 60 min, then refreshed  -
a-longer-name  needs_sign_in  -                          refresh_refused
short          expiring       in 59 s                    -
"
    );
    assert_eq!(
        ran.err,
        "hint: a-longer-name: claviger login a-longer-name\n"
    );
    let ran = bench.run(&["status", "--json"]).await;
    assert_eq!(ran.out.lines().count(), 3);
}

#[tokio::test]
async fn k10_a_sign_out_tells_both_halves() {
    for (ended_here, at_issuer, here, there) in [
        (
            true,
            "revoked",
            "✓ here       the credential is gone",
            "✓ at issuer  revoked",
        ),
        (true, "not_offered", "✓ here", "! at issuer  not offered"),
        (true, "failed", "✓ here", "✗ at issuer  failed: it was down"),
        (
            true,
            "pending",
            "✓ here",
            "! at issuer  pending, tried again",
        ),
        (
            false,
            "nothing_to_revoke",
            "· here       there was no",
            "· at issuer  nothing to revoke",
        ),
    ] {
        let view = LogoutView {
            server: "linear".to_owned(),
            user: "owner".to_owned(),
            ended_here,
            at_issuer: at_issuer.to_owned(),
            message: (at_issuer == "failed").then(|| "it was down".to_owned()),
        };
        let bench = Bench::new(Fake::saying(vec![Line::LoggedOut(view), Line::Done]));
        let ran = bench.run(&["logout", "linear"]).await;
        assert_eq!(ran.code, 0);
        assert!(
            ran.out.contains(here) && ran.out.contains(there),
            "{}",
            ran.out
        );
        assert!(
            bench
                .run(&["logout", "linear", "--json"])
                .await
                .out
                .contains(at_issuer)
        );
    }
}

#[tokio::test]
async fn a139_what_is_owed_to_issuers_is_shown_until_they_confirm() {
    let lines = vec![
        connection("linear", "connected", Some(3600)),
        Line::PendingRevocations { pending: 2 },
        Line::Done,
    ];
    let bench = Bench::new(Fake::saying(lines));
    let ran = bench.run(&["status"]).await;
    assert!(
        ran.out
            .ends_with("! revocations  2 revocations are not confirmed by their issuers yet\n"),
        "{}",
        ran.out
    );
    assert_eq!(ran.err, "next: claviger status --revocations\n");
    let ran = bench.run(&["status", "--json"]).await;
    assert!(
        ran.out
            .ends_with("{\"line\":\"pending_revocations\",\"pending\":2}\n")
    );

    let view = RevocationView {
        id: "r1".to_owned(),
        server: "gone".to_owned(),
        user: "owner".to_owned(),
        issuer: "https://issuer.example".to_owned(),
        attempts: 3,
        next_at: "2026-11-21T10:00:00Z".to_owned(),
        next_in_s: 40,
        last_failure: Some("no answer in time".to_owned()),
        created_at: "2026-11-21T09:00:00Z".to_owned(),
    };
    let bench = Bench::new(Fake::saying(vec![Line::Revocation(view), Line::Done]));
    let words = ["status", "--revocations"];
    let ran = bench.run(&words).await;
    assert_eq!(
        ran.out,
        "\
SERVER  USER   ISSUER                  TRIES  NEXT     LAST FAILURE
gone    owner  https://issuer.example  3      in 40 s  no answer in time
"
    );
    let ran = bench.run(&["status", "--revocations", "--json"]).await;
    assert!(ran.out.contains("\"attempts\":3"), "{}", ran.out);
    let ran = Bench::new(Fake::saying(vec![Line::Done])).run(&words).await;
    assert_eq!(
        (ran.out.as_str(), ran.err.as_str()),
        ("", "✓ every issuer has confirmed\n")
    );
}

#[tokio::test]
async fn n7_doctor_prints_steps_as_data_and_says_what_to_do() {
    let words = ["doctor", "https://x.example/mcp"];
    let well = vec![
        step(StepStatus::Ok, None),
        step(StepStatus::Nothing, None),
        Line::Done,
    ];
    let ran = Bench::new(Fake::saying(well)).run(&words).await;
    let next = "next: claviger server add NAME https://x.example/mcp\n";
    assert_eq!((ran.code, ran.err.as_str()), (0, next));
    assert!(
        ran.out.ends_with("✓ all is well after 2 steps\n"),
        "{}",
        ran.out
    );

    let warned = vec![step(StepStatus::Warned, Some("mend it")), Line::Done];
    let ran = Bench::new(Fake::saying(warned)).run(&words).await;
    assert_eq!(ran.code, 0);
    assert!(
        ran.out
            .contains("RFC 8414 §3.3\n            hint: mend it\n"),
        "{}",
        ran.out
    );
    assert!(
        ran.out.ends_with("! it works, with 1 of 1 steps to mend\n"),
        "{}",
        ran.out
    );

    let failed = || {
        vec![
            step(StepStatus::Failed, Some("mend it")),
            problem(ProblemKind::Unreachable, "discovery"),
        ]
    };
    let ran = Bench::new(Fake::saying(failed())).run(&words).await;
    assert_eq!(ran.code, 4);
    assert!(ran.out.contains("✗ failed  issuer metadata"), "{}", ran.out);
    let ran = Bench::new(Fake::saying(failed()))
        .run(&[&words[..], &["--json"]].concat())
        .await;
    let lines: Vec<serde_json::Value> = ran
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines[0]["status"], "failed");
    assert_eq!(lines[1]["error"], "discovery");
}

#[tokio::test]
async fn lists_and_shows_servers() {
    let views = vec![
        Line::Server(server_view("linear")),
        Line::Server(server_view("notes")),
        Line::Done,
    ];
    let bench = Bench::new(Fake::saying(views));
    let ran = bench.run(&["server", "list"]).await;
    assert_eq!(
        ran.out,
        "SERVER  SIGN-IN  URL
linear  yes      https://linear.example/mcp
notes   yes      https://notes.example/mcp
"
    );
    assert_eq!(
        bench
            .run(&["server", "list", "--json"])
            .await
            .out
            .lines()
            .count(),
        2
    );
    let ran = Bench::new(Fake::saying(vec![Line::Done]))
        .run(&["server", "list"])
        .await;
    assert_eq!((ran.out.as_str(), ran.code), ("", 0));
    assert!(ran.err.contains("claviger server add"), "{}", ran.err);
    let ran = Bench::new(Fake::saying(vec![Line::Done]))
        .run(&["server", "remove", "a"])
        .await;
    assert_eq!((ran.err.as_str(), ran.code), ("✓ removed a\n", 0));
}

#[tokio::test]
async fn a198_what_a_server_calls_itself_cannot_forge_a_line() {
    let mut view = server_view("linear");
    view.display_name = "\u{1b}[2Jx\n✓ all is well".to_owned();
    let bench = Bench::new(Fake::saying(vec![Line::Server(view), Line::Done]));
    let ran = bench.run(&["server", "show", "linear"]).await;
    assert!(
        ran.out.contains("name          x ✓ all is well\n"),
        "{}",
        ran.out
    );
    let ran = bench.run(&["server", "show", "linear", "--json"]).await;
    assert!(!ran.out.contains('\u{1b}'), "{}", ran.out);
}

#[tokio::test]
async fn an_answer_without_an_end_is_an_error() {
    let ran = Bench::new(Fake::saying(Vec::new()))
        .run(&["server", "list"])
        .await;
    assert_eq!(ran.code, 4, "{}", ran.err);
}

#[tokio::test]
async fn config_show_prints_a_config_file() {
    let bench = Bench::new(Fake::saying(Vec::new()));
    let ran = bench.run(&["config", "show"]).await;
    assert!(
        ran.out.contains("[server]\nlisten = \"127.0.0.1:7447\"\n"),
        "{}",
        ran.out
    );
    let ran = bench.run(&["config", "show", "--origin"]).await;
    assert!(
        ran.out.contains("timeout_s = 300  # default\n"),
        "{}",
        ran.out
    );
    let ran = bench.run(&["config", "show", "--json"]).await;
    for line in ran.out.lines() {
        let entry: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(
            entry["key"].is_string() && entry["origin"]["from"] == "default",
            "{line}"
        );
    }
    assert!(bench.asked().is_empty(), "no gateway is needed");
}
