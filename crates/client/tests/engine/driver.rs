//! The same errands through the doors.

use claviger_client::{Discovery, discover, driver};
use claviger_ports::Reach;
use claviger_testkit::{FixedClock, ScriptedFetch};

use crate::support::*;

#[tokio::test]
async fn an_errand_runs_through_the_doors_within_its_reach() {
    let fetch = ScriptedFetch::new();
    fetch
        .document(PRM, &prm())
        .document(META, &metadata(ISSUER));
    let reach = Reach::public().with_private_host("mcp.example");
    let mut errand = discover(input());
    let end = driver::run(&mut errand, &fetch, &reach, &FixedClock::at(NOW)).await;
    assert!(matches!(end, Ok(Discovery::SignIn(_))));
    assert!(
        fetch
            .requests()
            .iter()
            .all(|request| request.reach == reach)
    );
    let events = errand.drain_events();
    assert_eq!(events.len(), 3);
    assert!(events.iter().all(|event| event.at.as_secs() == NOW));
    let line = events[0].to_string();
    assert_eq!(
        line,
        "resource metadata: ok https://mcp.example/.well-known/oauth-protected-resource/a/mcp (200) [C-04 path (RFC 9728 §3.1)]"
    );
}

#[test]
fn errands_can_be_sent_to_another_thread() {
    fn is_send<T: Send>(_: &T) {}
    let errand = discover(input());
    is_send(&errand);
}
