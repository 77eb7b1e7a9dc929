//! F21 and A126: answers that are broken, foreign, late or absent, and connections that are reset.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::sleep;

use crate::issuer::{Issuer, Mode};
use crate::oracle::{Verdict, judge};
use crate::process::{Backend, Cluster};
use crate::proxy::Fault;
use crate::scenario::{Circumstances, Outcome, Scenario};

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![Scenario {
        ids: "F21 A126 A127",
        title: "broken, late and absent answers to a refresh; nothing is deleted",
        backend: None,
        is_alone: false,
        run: |at| Box::pin(run(at)),
    }]
}

/// A fault, and whether the issuer had rotated by then.
fn faults() -> Vec<(&'static str, Fault, bool)> {
    let raw = |status: &str, kind: &str, body: &str| {
        let length = body.len();
        format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
            .into_bytes()
    };
    let html = raw("200 OK", "text/html", "<html>Please sign in</html>");
    let empty = raw("200 OK", "application/json", "");
    let torn = raw("200 OK", "application/json", r#"{"access_token":"at-"#);
    let long =
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9999\r\n\r\n{}"
            .to_vec();
    let informal = b"HTTP/1.1 100 Continue\r\n\r\n".to_vec();
    let nonsense = b"\x16\x03\x01 this is not HTTP\r\n\r\n".to_vec();
    let error_page = raw("500 Internal Server Error", "text/html", "<h1>oops</h1>");
    let late = raw("503 Service Unavailable", "application/json", "{}");
    let grant = raw(
        "500 Internal Server Error",
        "application/json",
        r#"{"error":"invalid_grant"}"#,
    );
    vec![
        ("reset before the request", Fault::Refuse, false),
        ("reset before the headers", Fault::Reset(0), true),
        ("reset inside the headers", Fault::Reset(20), true),
        ("reset behind the headers", Fault::Reset(140), true),
        ("cut before the headers", Fault::Cut(0), true),
        ("cut inside the body", Fault::Cut(190), true),
        (
            "HTML instead of an answer",
            Fault::Stub(html.clone()),
            false,
        ),
        ("HTML after a rotation", Fault::Answer(html), true),
        ("an empty answer", Fault::Stub(empty), false),
        ("half a document", Fault::Answer(torn), true),
        ("a length that is wrong", Fault::Stub(long), false),
        ("100 Continue and silence", Fault::Stub(informal), false),
        ("no HTTP at all", Fault::Stub(nonsense), false),
        ("500 and HTML", Fault::Stub(error_page), false),
        ("503 after a rotation", Fault::Answer(late), true),
        ("invalid_grant under status 500", Fault::Stub(grant), false),
        ("trailing bytes", Fault::Garbage, true),
        ("the answer twice", Fault::Duplicate, true),
        ("byte by byte", Fault::Slow(Duration::from_millis(2)), true),
        (
            "half a second late",
            Fault::Hold(Duration::from_millis(500)),
            true,
        ),
        ("no answer, ever", Fault::Mute, true),
    ]
}

async fn run(at: Arc<Circumstances>) -> Outcome {
    let mut outcome = Outcome::default();
    for name in ["faults", "lost"] {
        outcome.count(name, 0);
    }
    let mut cluster = Cluster::prepare(&at.binary, Backend::Sqlite, 1, None);
    cluster.places[0].set("CLAVIGER_EGRESS_TOKEN_TIMEOUT_S", "15");
    cluster.serve(0, &[]).await.unwrap();
    for round in 0..at.rounds(1, 20) {
        for mode in [Mode::Tolerant, Mode::Strict] {
            // With a strict issuer that has rotated and was not heard, the grant is lost; F02 is
            // about that.
            let all = faults().into_iter().enumerate();
            let all = all.filter(|(_, (_, _, is_rotated))| mode == Mode::Tolerant || !is_rotated);
            let tried = all.map(|(number, (what, fault, _))| {
                let slug = format!("f{round}-{number}-{}", u8::from(mode == Mode::Strict));
                meet(&at, &cluster, mode, slug, what, fault)
            });
            for broken in join_all(tried).await {
                outcome.count("faults", 1);
                if let Err(sentence) = broken {
                    outcome.count("lost", 1);
                    outcome.broke(sentence);
                }
            }
        }
        outcome.rounds += 1;
    }
    outcome
}

/// One refresh meets one fault; the next call must work.
async fn meet(
    at: &Circumstances,
    cluster: &Cluster,
    mode: Mode,
    slug: String,
    what: &str,
    fault: Fault,
) -> Result<(), String> {
    let issuer = Issuer::start(mode, at.seed).await;
    cluster.add(&issuer, &slug).await;
    cluster
        .sign_in(&slug)
        .await
        .map_err(|why| format!("{what}: {why}"))?;
    sleep(Duration::from_millis(1_050)).await;
    issuer.proxy.next([fault]);
    let heard = cluster.call(0, &slug).await;
    if issuer.proxy.calm() > 0 {
        return Err(format!(
            "{what}: no request met it; the call heard {heard:?}"
        ));
    }
    match judge(cluster, &slug).await {
        Verdict::Works => Ok(()),
        verdict => Err(format!(
            "{mode:?}, {what}: {verdict:?}; the call heard {heard:?}{}",
            cluster.talk()
        )),
    }
}
