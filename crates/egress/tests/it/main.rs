//! The door from outside: hostile addresses, hostile peers, and what must still work.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail loudly")]

mod forward;
mod hostile;
mod http2;
mod limits;
mod memory;
mod proxy_environment;
mod reach;
mod redirects;
mod tls;

use std::net::IpAddr;
use std::sync::Arc;

use claviger_egress::{Egress, EgressSettings, TlsSettings};
use claviger_ports::{Body, Reach};
use claviger_testkit::{RawPeer, ScriptedResolve};
use http::Request;

/// A door that trusts the test authority alone.
fn egress(resolve: ScriptedResolve, change: impl FnOnce(&mut EgressSettings)) -> Arc<Egress> {
    let mut tls = TlsSettings {
        system_roots: false,
        ..TlsSettings::default()
    };
    tls.trust_pem(include_bytes!("../data/ca.pem")).unwrap();
    let mut settings = EgressSettings {
        tls,
        ..EgressSettings::default()
    };
    change(&mut settings);
    Egress::new(settings, Arc::new(resolve)).unwrap()
}

/// Opens 127.0.0.1 by its address.
fn loopback() -> Reach {
    Reach::public().with_private_host("127.0.0.1")
}

/// These names all have the address 127.0.0.1.
fn resolve_to_loopback(names: &[&str]) -> ScriptedResolve {
    let resolve = ScriptedResolve::new();
    for name in names {
        resolve.host(name, [IpAddr::from([127, 0, 0, 1])]);
    }
    resolve
}

fn named_url(scheme: &str, name: &str, peer: &RawPeer) -> String {
    format!("{scheme}://{name}:{}/", peer.port())
}

fn get(url: &str) -> Request<Body> {
    Request::get(url)
        .body(claviger_ports::empty_body())
        .unwrap()
}
