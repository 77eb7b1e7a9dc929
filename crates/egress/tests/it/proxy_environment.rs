//! A011: proxies that the environment names are not used.

use std::env;
use std::process::Command;

use claviger_ports::{Fetch, FetchRequest, Forward, Sink};
use claviger_testkit::{Canary, RawPeer, Step};

use crate::{egress, get, loopback, named_url, resolve_to_loopback};

#[tokio::test]
async fn goes_straight_to_its_peer() {
    let peer = RawPeer::start(|_| Step::answer(200, &[], b"{}")).await;
    let door = egress(resolve_to_loopback(&["tools.corp.example"]), |_| {});
    let reach = loopback().with_private_host("tools.corp.example");
    let named = named_url("http", "tools.corp.example", &peer);
    for url in [peer.url("/"), named] {
        let request = FetchRequest::get(Sink::KeySet, url.clone());
        assert_eq!(door.fetch(request, &reach).await.unwrap().status, 200);
        let answer = door.forward(get(&url), &reach).await.unwrap();
        assert_eq!(answer.status(), 200);
    }
    for request in peer.requests() {
        // A proxy would be sent the whole URL.
        assert!(request.starts_with("GET / HTTP/1.1\r\n"), "{request}");
    }
}

// The test above, again, in a process whose environment names a proxy.
#[test]
fn a011_the_environments_proxy_is_ignored() {
    let canary = Canary::v4();
    let proxy = format!("http://{}", canary.address());
    let mut child = Command::new(env::current_exe().unwrap());
    child.args(["--exact", "proxy_environment::goes_straight_to_its_peer"]);
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        child
            .env(name, &proxy)
            .env(name.to_ascii_lowercase(), &proxy);
    }
    child.env_remove("NO_PROXY").env_remove("no_proxy");
    let output = child.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("1 passed"), "{text}");
    canary.assert_untouched();
}
