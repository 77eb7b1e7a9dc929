//! Sign-ins with a gateway that plays its part.

use claviger_admin_api::{Problem, ProblemKind};

use super::*;
use crate::testing::{Beat, Bench, Fake, problem, say};

const URL: &str = "https://issuer.example/authorize?state=s1&client_id=c";

fn started(url: &str) -> Beat {
    say(Line::SignInStarted(SignInStarted {
        id: "i1".to_owned(),
        server: "linear".to_owned(),
        authorization_url: url.to_owned(),
        redirect_uri: "http://127.0.0.1:4000/callback/x".to_owned(),
        timeout_s: 300,
    }))
}

fn ended(outcome: &str) -> Beat {
    say(Line::SignInEnded(SignInEnded {
        server: "linear".to_owned(),
        outcome: outcome.to_owned(),
        standing: "connected".to_owned(),
        message: None,
        hint: None,
    }))
}

fn done() -> Beat {
    say(Line::Done)
}

/// A sign-in that ends like this.
fn ending(outcome: &'static str) -> Fake {
    Fake::acting(move |_| vec![started(URL), ended(outcome), done()])
}

#[tokio::test]
async fn opens_the_browser_and_names_the_host() {
    let bench = Bench::new(ending("success"));
    let ran = bench.run(&["login", "linear"]).await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(*bench.opened.lock().unwrap(), [URL]);
    assert!(
        ran.err.contains("sign in to linear at issuer.example"),
        "{}",
        ran.err
    );
    assert!(
        ran.err.contains("next: claviger tools linear"),
        "{}",
        ran.err
    );
    assert_eq!(ran.out, "");
    assert_eq!(bench.asked().last().unwrap(), "close");
}

#[tokio::test]
async fn a_program_gets_the_address_and_then_the_end() {
    let bench = Bench::new(ending("success"));
    let ran = bench
        .run(&["login", "linear", "--no-browser", "--json"])
        .await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    let lines: Vec<serde_json::Value> = ran
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2, "{}", ran.out);
    assert_eq!(lines[0]["authorization_url"], URL);
    assert_eq!(lines[1]["outcome"], "success");
    assert!(bench.opened.lock().unwrap().is_empty());
}

#[tokio::test]
async fn m12_a_pasted_callback_goes_to_the_gateway_while_it_waits() {
    let gateway = Fake::acting(|request| match request {
        Request::Login { .. } => vec![started(URL), Beat::Wait, ended("success"), done()],
        Request::Callback { .. } => vec![Beat::Nudge, done()],
        other => panic!("{other:?}"),
    });
    let bench = Bench {
        lines: vec!["", " http://127.0.0.1:4000/callback/x?code=1 "],
        ..Bench::new(gateway)
    };
    let ran = bench.run(&["login", "linear", "--no-browser"]).await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(ran.out.trim(), URL);
    let asked = bench.asked();
    assert_eq!(asked[1]["op"], "callback");
    assert_eq!(asked[1]["url"], "http://127.0.0.1:4000/callback/x?code=1");
}

#[tokio::test]
async fn a_wrong_paste_is_told_and_the_wait_goes_on() {
    let gateway = Fake::acting(|request| match request {
        Request::Login { .. } => vec![started(URL), Beat::Wait, ended("success"), done()],
        Request::Callback { url } if url == "nonsense" => {
            vec![problem(ProblemKind::Refused, "unknown_state")]
                .into_iter()
                .map(say)
                .collect()
        }
        Request::Callback { .. } => vec![Beat::Nudge, done()],
        other => panic!("{other:?}"),
    });
    let bench = Bench {
        lines: vec!["nonsense", "right"],
        ..Bench::new(gateway)
    };
    let ran = bench.run(&["login", "linear", "--no-browser"]).await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.contains("error: it was wrong"), "{}", ran.err);
}

#[tokio::test]
async fn without_a_display_the_address_is_printed_and_it_is_said_why() {
    for (surroundings, why) in [
        (Surroundings::Remote, "over SSH"),
        (Surroundings::NoDisplay, "no display"),
    ] {
        let bench = Bench {
            surroundings,
            ..Bench::new(ending("success"))
        };
        let ran = bench.run(&["login", "linear"]).await;
        assert!(ran.err.contains(why), "{}", ran.err);
        assert_eq!(ran.out.trim(), URL);
        assert!(bench.opened.lock().unwrap().is_empty());
    }
}

#[tokio::test]
async fn c73_warns_of_names_that_only_look_alike() {
    let bench = Bench::new(Fake::acting(|_| {
        vec![
            started("https://xn--pple-43d.com/authorize"),
            ended("success"),
            done(),
        ]
    }));
    let ran = bench.run(&["login", "linear"]).await;
    assert!(
        ran.err.contains("warning the host's name has letters"),
        "{}",
        ran.err
    );
    let ran = Bench::new(ending("success"))
        .run(&["login", "linear"])
        .await;
    assert!(!ran.err.contains("warning"), "{}", ran.err);
}

#[tokio::test]
async fn a016_an_address_that_is_no_web_address_is_neither_opened_nor_printed() {
    let url = "javascript:alert(1)";
    let bench = Bench::new(Fake::acting(move |_| {
        vec![started(url), ended("failed"), done()]
    }));
    let ran = bench.run(&["login", "linear"]).await;
    assert_eq!(ran.code, 3);
    assert!(bench.opened.lock().unwrap().is_empty());
    assert!(!format!("{ran:?}").contains("alert"), "{ran:?}");
}

#[tokio::test]
async fn every_end_but_success_is_exit_code_3_with_a_hint() {
    for (outcome, words) in [
        ("denied", "was refused at the issuer"),
        ("failed", "the sign-in to linear failed"),
        ("cancelled", "was cancelled"),
        ("timed_out", "--timeout-s waits longer"),
    ] {
        let ran = Bench::new(ending(outcome)).run(&["login", "linear"]).await;
        assert_eq!(ran.code, 3);
        assert!(ran.err.contains(words), "{}", ran.err);
        assert_eq!(ran.err.matches("hint:").count(), 1, "{}", ran.err);
        let ran = Bench::new(ending(outcome))
            .run(&["login", "linear", "--json"])
            .await;
        assert_eq!((ran.code, ran.out.lines().count()), (3, 2), "{}", ran.out);
    }
}

#[tokio::test(start_paused = true)]
async fn stops_waiting_after_the_time_that_was_given() {
    let gateway = Fake::acting(|request| match request {
        Request::Login { .. } => vec![started(URL), Beat::Wait, ended("cancelled"), done()],
        Request::CancelLogin { .. } => vec![Beat::Nudge, done()],
        other => panic!("{other:?}"),
    });
    let bench = Bench::new(gateway);
    let ran = bench
        .run(&["login", "linear", "--timeout-s", "2", "--json"])
        .await;
    assert_eq!(ran.code, 3);
    assert!(
        ran.out
            .lines()
            .last()
            .unwrap()
            .contains(r#""outcome":"timed_out""#),
        "{}",
        ran.out
    );
    assert!(
        ran.err.contains("timed out before you were done"),
        "{}",
        ran.err
    );
    assert_eq!(bench.asked()[1]["op"], "cancel_login");
}

#[tokio::test]
async fn only_trouble_is_told_unless_more_is_wanted() {
    let step = |status, stage: &str| {
        say(Line::Step(StepView {
            stage: stage.to_owned(),
            status,
            what: String::new(),
            outcome: "so it went".to_owned(),
            rule: None,
            hint: None,
            deviations: Vec::new(),
            took_ms: None,
        }))
    };
    let gateway = move || {
        Fake::acting(move |_| {
            let (well, odd) = (
                step(StepStatus::Ok, "well"),
                step(StepStatus::Warned, "odd"),
            );
            vec![well, odd, started(URL), ended("success"), done()]
        })
    };
    let ran = Bench::new(gateway()).run(&["login", "linear"]).await;
    assert!(
        !ran.err.contains("well") && ran.err.contains("! warning odd"),
        "{}",
        ran.err
    );
    let ran = Bench::new(gateway()).run(&["login", "linear", "-v"]).await;
    assert!(ran.err.contains("✓ ok      well"), "{}", ran.err);
}

#[tokio::test]
async fn a_usable_credential_needs_no_visit() {
    let bench = Bench::new(Fake::acting(|_| vec![ended("success"), done()]));
    let ran = bench.run(&["login", "linear"]).await;
    assert_eq!(ran.code, 0);
    assert!(bench.opened.lock().unwrap().is_empty());
    assert!(!ran.err.contains("Open this address"), "{}", ran.err);
}

#[tokio::test]
async fn a_second_sign_in_is_refused_with_the_gateways_words() {
    let refused = Problem {
        kind: ProblemKind::Refused,
        code: "sign_in_in_flight".to_owned(),
        message: "a sign-in to linear is under way".to_owned(),
        hint: None,
    };
    let bench = Bench::new(Fake::saying(vec![Line::Problem(refused)]));
    let ran = bench.run(&["login", "linear", "--json"]).await;
    assert_eq!(ran.code, 3);
    let line: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(line["error"], "sign_in_in_flight");
    assert_eq!(line["server"], "linear");
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_hangs_is_left() {
    let gateway = Fake::acting(|request| match request {
        Request::Login { .. } => vec![started(URL), Beat::Wait],
        _ => vec![done()],
    });
    let ran = Bench::new(gateway)
        .run(&["login", "linear", "--timeout-s", "1"])
        .await;
    assert_eq!(ran.code, 4, "{}", ran.err);
}
