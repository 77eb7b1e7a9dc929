//! Which addresses are dialled, seen from the dialler's side.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use claviger_ports::Reach;
use claviger_testkit::{Canary, ScriptedResolve};
use futures_util::future::BoxFuture;
use tokio::net::{TcpListener, TcpStream};

use super::{Dial, Dialer, SystemDial, alternated};
use crate::EgressSettings;
use crate::refusal::Refusal;
use crate::target::Target;

/// Writes down what it should dial and connects to its listener instead, or to nothing.
struct Recording {
    dialled: Mutex<Vec<SocketAddr>>,
    answers: Option<SocketAddr>,
    refuses: Vec<IpAddr>,
}

impl Dial for Recording {
    fn dial(&self, address: SocketAddr) -> BoxFuture<'static, io::Result<TcpStream>> {
        self.dialled.lock().unwrap().push(address);
        let answers = self
            .answers
            .filter(|_| !self.refuses.contains(&address.ip()));
        Box::pin(async move {
            match answers {
                Some(answers) => TcpStream::connect(answers).await,
                None => Err(io::ErrorKind::ConnectionRefused.into()),
            }
        })
    }
}

fn recording(answers: Option<SocketAddr>, refuses: &[&str]) -> Arc<Recording> {
    Arc::new(Recording {
        dialled: Mutex::default(),
        answers,
        refuses: refuses.iter().map(|ip| ip.parse().unwrap()).collect(),
    })
}

fn ips(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn target(url: &str, reach: &Reach) -> Target {
    Target::check(url, reach, &[]).unwrap()
}

#[tokio::test]
async fn a009_b16_dials_only_the_vetted_address_in_a_thousand_rounds() {
    let canary = Canary::v4();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dial = recording(Some(listener.local_addr().unwrap()), &[]);
    let resolve = Arc::new(ScriptedResolve::new());
    let answers = [ips(&["93.184.216.34"]), ips(&["127.0.0.1"])];
    let rounds = 1_000;
    resolve.sequence(
        "rebind.example",
        answers.iter().cycle().take(rounds).cloned(),
    );
    let dialer = Dialer::new(
        Arc::clone(&resolve) as _,
        Arc::clone(&dial) as _,
        &EgressSettings::default(),
    );
    let target = target("https://rebind.example/", &Reach::public());
    for round in 0..rounds {
        let outcome = dialer.connect(&target).await;
        if round % 2 == 0 {
            outcome.unwrap();
        } else {
            assert_eq!(
                outcome.unwrap_err(),
                Refusal::Blocked("the address is private")
            );
        }
        while let Ok(accepted) =
            tokio::time::timeout(core::time::Duration::ZERO, listener.accept()).await
        {
            drop(accepted);
        }
    }
    assert_eq!(resolve.asked().len(), rounds);
    let dialled = dial.dialled.lock().unwrap();
    assert_eq!(dialled.len(), rounds / 2);
    assert!(
        dialled
            .iter()
            .all(|address| address.ip() == ips(&["93.184.216.34"])[0])
    );
    canary.assert_untouched();
}

#[tokio::test]
async fn a010_a_mixed_answer_is_refused_in_any_order() {
    for answer in [
        ["93.184.216.34", "10.0.0.1"],
        ["10.0.0.1", "93.184.216.34"],
        ["93.184.216.34", "::1"],
        ["2606:4700::1", "::ffff:93.184.216.34"],
        ["93.184.216.34", "169.254.169.254"],
    ] {
        let dial = recording(None, &[]);
        let resolve = Arc::new(ScriptedResolve::new());
        resolve.host("mixed.example", ips(&answer));
        let dialer = Dialer::new(resolve, Arc::clone(&dial) as _, &EgressSettings::default());
        let outcome = dialer
            .connect(&target("https://mixed.example/", &Reach::public()))
            .await;
        assert!(matches!(outcome, Err(Refusal::Blocked(_))), "{answer:?}");
        assert!(dial.dialled.lock().unwrap().is_empty(), "{answer:?}");
    }
}

#[tokio::test]
async fn an_opened_host_still_never_reaches_reserved_addresses() {
    let reach = Reach::public().with_private_host("inside.example");
    for answer in [
        "169.254.169.254",
        "0.0.0.0",
        "::ffff:10.0.0.1",
        "100.100.100.200",
    ] {
        let dial = recording(None, &[]);
        let resolve = Arc::new(ScriptedResolve::new());
        resolve.host("inside.example", ips(&[answer]));
        let dialer = Dialer::new(resolve, Arc::clone(&dial) as _, &EgressSettings::default());
        let outcome = dialer
            .connect(&target("http://inside.example/", &reach))
            .await;
        assert_eq!(
            outcome.unwrap_err(),
            Refusal::Blocked("the address is reserved"),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn c69_an_opened_host_at_a_public_address_is_not_spoken_to_in_the_clear() {
    let reach = Reach::public()
        .with_private_host("inside.example")
        .with_private_host("1.1.1.1");
    let phrase = "the address is public and the scheme is http";
    let public = Refusal::Blocked(phrase);
    let closed = Refusal::Connect("no address accepts connections");
    for (url, answer, expected) in [
        ("http://inside.example/", &["93.184.216.34"][..], &public),
        ("http://inside.example:3000/", &["2606:4700::1"], &public),
        // A010: one public address among private ones is one too many.
        (
            "http://inside.example/",
            &["10.0.0.1", "93.184.216.34"],
            &public,
        ),
        ("http://1.1.1.1/", &[], &public),
        ("http://inside.example/", &["10.0.0.1"], &closed),
        ("https://inside.example/", &["93.184.216.34"], &closed),
        ("https://1.1.1.1/", &[], &closed),
    ] {
        let dial = recording(None, &[]);
        let resolve = Arc::new(ScriptedResolve::new());
        resolve.host("inside.example", ips(answer));
        let dialer = Dialer::new(resolve, Arc::clone(&dial) as _, &EgressSettings::default());
        let outcome = dialer.connect(&target(url, &reach)).await.unwrap_err();
        assert_eq!(outcome, *expected, "{url} {answer:?}");
        let is_dialled = !dial.dialled.lock().unwrap().is_empty();
        assert_eq!(is_dialled, *expected == closed, "{url} {answer:?}");
    }
}

#[tokio::test]
async fn a026_our_own_sockets_are_never_dialled() {
    let reach = Reach::public()
        .with_private_host("localhost")
        .with_private_host("127.0.0.1");
    let resolve = Arc::new(ScriptedResolve::new());
    resolve.host("localhost", ips(&["127.0.0.1"]));
    for (own, url, is_refused) in [
        ("127.0.0.1:8080", "http://127.0.0.1:8080/", true),
        ("127.0.0.1:8080", "http://localhost:8080/", true),
        ("0.0.0.0:8080", "http://localhost:8080/", true),
        ("[::]:8080", "http://localhost:8080/", true),
        ("[::ffff:127.0.0.1]:8080", "http://localhost:8080/", true),
        ("[::ffff:0.0.0.0]:8080", "http://127.0.0.1:8080/", true),
        ("[::ffff:127.0.0.1]:8080", "http://localhost:8081/", false),
        ("127.0.0.1:8080", "http://localhost:8081/", false),
        ("127.0.0.2:8080", "http://localhost:8080/", false),
    ] {
        let dial = recording(None, &[]);
        let dialer = Dialer::new(
            Arc::clone(&resolve) as _,
            Arc::clone(&dial) as _,
            &EgressSettings {
                own_addresses: vec![own.parse().unwrap()],
                ..EgressSettings::default()
            },
        );
        let outcome = dialer.connect(&target(url, &reach)).await.unwrap_err();
        let refused = outcome == Refusal::Blocked("the address is our own");
        assert_eq!(refused, is_refused, "{own} {url} {outcome}");
        assert_eq!(dial.dialled.lock().unwrap().is_empty(), is_refused);
    }
}

#[tokio::test]
async fn a026_a_listener_on_all_interfaces_is_recognized_by_its_own_end() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let resolve = Arc::new(ScriptedResolve::new());
    let own: SocketAddr = format!("0.0.0.0:{}", address.port()).parse().unwrap();
    let dialer = Dialer::new(resolve, Arc::new(SystemDial), &EgressSettings::default());
    let stream = TcpStream::connect(address).await.unwrap();
    assert!(!dialer.reached_itself(&stream));
    dialer.add_own(own);
    assert!(dialer.reached_itself(&stream));
}

#[tokio::test]
async fn the_next_address_is_tried_when_one_refuses() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dial = recording(
        Some(listener.local_addr().unwrap()),
        &["2606:4700::1", "1.1.1.1"],
    );
    let resolve = Arc::new(ScriptedResolve::new());
    resolve.host("many.example", ips(&["2606:4700::1", "1.1.1.1", "8.8.8.8"]));
    let dialer = Dialer::new(resolve, Arc::clone(&dial) as _, &EgressSettings::default());
    dialer
        .connect(&target("https://many.example/", &Reach::public()))
        .await
        .unwrap();
    assert_eq!(dial.dialled.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn a_name_without_addresses_is_no_connection() {
    let resolve = Arc::new(ScriptedResolve::new());
    resolve.host("empty.example", []);
    let dialer = Dialer::new(resolve, recording(None, &[]), &EgressSettings::default());
    for url in ["https://empty.example/", "https://unknown.example/"] {
        let outcome = dialer.connect(&target(url, &Reach::public())).await;
        assert_eq!(
            outcome.unwrap_err(),
            Refusal::Connect("the name could not be resolved")
        );
    }
}

#[test]
fn families_take_turns() {
    let address = |text: &str| SocketAddr::new(text.parse().unwrap(), 443);
    let [a, b, c, d] = ["2606:4700::1", "2606:4700::2", "1.1.1.1", "8.8.8.8"].map(address);
    assert_eq!(alternated(vec![a, b, c, d]), [a, c, b, d]);
    assert_eq!(alternated(vec![c, a, b]), [c, a, b]);
    assert_eq!(alternated(vec![c, d]), [c, d]);
}
