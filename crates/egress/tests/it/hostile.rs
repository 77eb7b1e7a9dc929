//! A002: every hostile URL through every sink, and nobody may have noticed.

use std::net::IpAddr;

use claviger_egress::Egress;
use claviger_ports::{Fetch, FetchError, FetchRequest, Forward, ForwardError, Reach, Sink};
use claviger_testkit::{Canary, ScriptedResolve};
use http::{Request, Uri};

use crate::egress;

#[tokio::test]
async fn a001_a002_b14_b16_b17_no_hostile_url_leads_anywhere() {
    let (v4, v6) = Canary::pair();
    let urls = corpus(v4.port());
    assert!(urls.len() >= 120, "only {} hostile URLs", urls.len());
    let resolve = ScriptedResolve::new();
    resolve.everything_else([IpAddr::from([127, 0, 0, 1])]);
    let door = egress(resolve, |settings| settings.extra_ports = vec![v4.port()]);
    for url in &urls {
        for sink in Sink::ALL {
            check(&door, sink, url).await;
        }
    }
    v4.assert_untouched();
    if let Some(v6) = v6 {
        v6.assert_untouched();
    }
}

// The same through a reach that opens some other server's host: it opens nothing else.
#[tokio::test]
async fn a023_a_reach_for_one_host_admits_no_hostile_url() {
    let (v4, v6) = Canary::pair();
    let resolve = ScriptedResolve::new();
    resolve.everything_else([IpAddr::from([127, 0, 0, 1])]);
    let door = egress(resolve, |settings| settings.extra_ports = vec![v4.port()]);
    let reach = Reach::public().with_private_host("tools.corp.example");
    for url in corpus(v4.port()) {
        let request = FetchRequest::get(Sink::Probe, url.clone());
        let outcome = door.fetch(request, &reach).await;
        assert!(
            matches!(outcome, Err(FetchError::Blocked { .. })),
            "{url:?} {outcome:?}"
        );
    }
    v4.assert_untouched();
    if let Some(v6) = v6 {
        v6.assert_untouched();
    }
}

// Without this, a test that touches nothing would prove nothing.
#[tokio::test]
async fn the_canary_is_reachable_once_it_is_opened() {
    let canary = Canary::v4();
    let door = egress(ScriptedResolve::new(), |settings| {
        settings.document_timeout = core::time::Duration::from_millis(200);
    });
    let url = format!("http://{}/", canary.address());
    let reach = Reach::public().with_private_host("127.0.0.1");
    let outcome = door
        .fetch(FetchRequest::get(Sink::KeySet, url), &reach)
        .await;
    assert_eq!(outcome.unwrap_err(), FetchError::Timeout);
    assert_eq!(canary.touches(), 1);
}

async fn check(door: &Egress, sink: Sink, url: &str) {
    let reach = Reach::public();
    let text = if sink == Sink::Upstream {
        // What is no URI cannot even be asked for.
        let Ok(uri) = Uri::try_from(url) else {
            return;
        };
        let mut request = Request::new(claviger_ports::full_body("{}"));
        *request.uri_mut() = uri.clone();
        // The fragment is gone before this door sees the URI; what is left must be harmless too.
        let error = door.forward(request, &reach).await.unwrap_err();
        assert!(
            matches!(error, ForwardError::Blocked { .. }),
            "{sink:?} {url:?} {error:?}"
        );
        error.to_string()
    } else {
        let request = FetchRequest::post(sink, url, "secret=1");
        let error = door.fetch(request, &reach).await.unwrap_err();
        assert!(
            matches!(error, FetchError::Blocked { .. }) && error.surely_unsent(),
            "{sink:?} {url:?} {error:?}"
        );
        error.to_string()
    };
    // Nothing of the URL comes back to whoever sent it.
    for fragment in ["127", "169.254", "issuer", "example", "meta-data"] {
        assert!(!text.contains(fragment), "{sink:?} {url:?} {text}");
    }
}

fn corpus(port: u16) -> Vec<String> {
    include_str!("../hostile_urls.txt")
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| unescape(&line.replace("{port}", &port.to_string())))
        .collect()
}

fn unescape(line: &str) -> String {
    let mut text = line.to_owned();
    for (escape, character) in [
        ("\\t", '\t'),
        ("\\n", '\n'),
        ("\\r", '\r'),
        ("\\0", '\0'),
        ("\\u{1}", '\u{1}'),
        ("\\u{7f}", '\u{7f}'),
        ("\\u{ad}", '\u{ad}'),
        ("\\u{200b}", '\u{200b}'),
        ("\\u{202e}", '\u{202e}'),
        ("\\u{feff}", '\u{feff}'),
    ] {
        text = text.replace(escape, &character.to_string());
    }
    assert!(!text.contains("\\u{"), "an unknown escape in {line:?}");
    text
}
