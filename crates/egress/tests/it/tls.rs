//! Certificates: trusted, expired, for somebody else, from nobody.

use std::net::IpAddr;
use std::sync::Arc;

use claviger_egress::{Egress, EgressSettings, InvalidPem, TlsSettings};
use claviger_ports::{Fetch, FetchError, FetchRequest, Forward, ForwardError, Reach, Sink};
use claviger_testkit::{Duplex, RawPeer, ScriptedResolve, Step, Wrap};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, SupportedProtocolVersion};
use tokio_rustls::TlsAcceptor;

use crate::{egress, get, named_url, resolve_to_loopback};

const PEER: &[u8] = include_bytes!("../data/peer.pem");
const EXPIRED: &[u8] = include_bytes!("../data/expired.pem");
const KEY: &[u8] = include_bytes!("../data/peer.key.pem");

/// A server with the good certificate that speaks these protocols.
pub(crate) fn server_config(alpn: &[&[u8]]) -> ServerConfig {
    config(PEER, &[&TLS13], alpn)
}

fn config(
    certificate: &[u8],
    versions: &[&'static SupportedProtocolVersion],
    alpn: &[&[u8]],
) -> ServerConfig {
    let certificate = CertificateDer::from_pem_slice(certificate).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate],
            PrivateKeyDer::from_pem_slice(KEY).unwrap(),
        )
        .unwrap();
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    config
}

fn over_tls(certificate: &[u8], versions: &[&'static SupportedProtocolVersion]) -> Wrap {
    let config = config(certificate, versions, &[b"http/1.1"]);
    let acceptor = TlsAcceptor::from(Arc::new(config));
    Arc::new(move |stream| {
        let acceptor = acceptor.clone();
        Box::pin(async move {
            let stream = acceptor.accept(stream).await?;
            Ok(Box::new(stream) as Box<dyn Duplex>)
        })
    })
}

async fn peer(certificate: &[u8]) -> RawPeer {
    let wrap = over_tls(certificate, &[&TLS12, &TLS13]);
    RawPeer::start_over(wrap, |_| Step::answer(200, &[], b"{}")).await
}

async fn fetch(door: &Egress, url: String, reach: &Reach) -> Result<u16, FetchError> {
    let request = FetchRequest::post(Sink::Token, url, "refresh_token=1");
    let answer = door.fetch(request, reach).await?;
    Ok(answer.status.as_u16())
}

fn opened(names: &[&str]) -> Reach {
    names
        .iter()
        .fold(Reach::public(), |reach, name| reach.with_private_host(name))
}

#[tokio::test]
async fn a_trusted_peer_is_spoken_to_over_each_allowed_version() {
    for version in [&TLS12, &TLS13] {
        let peer = RawPeer::start_over(over_tls(PEER, &[version]), |_| {
            Step::answer(200, &[], b"{}")
        })
        .await;
        let door = egress(resolve_to_loopback(&["peer.example"]), |_| {});
        let reach = opened(&["peer.example", "127.0.0.1"]);
        let url = named_url("https", "peer.example", &peer);
        assert_eq!(fetch(&door, url.clone(), &reach).await, Ok(200));
        let by_address = format!("https://{}/", peer.address());
        assert_eq!(fetch(&door, by_address, &reach).await, Ok(200));
        let answer = door.forward(get(&url), &reach).await.unwrap();
        assert_eq!(answer.status(), 200);
        let request = peer.requests().remove(0);
        let host = format!("host: peer.example:{}\r\n", peer.port());
        assert!(request.contains(&host), "{request}");
    }
}

#[tokio::test]
async fn a_certificate_that_proves_nothing_ends_the_handshake() {
    let names = ["peer.example", "stranger.example"];
    let door = egress(resolve_to_loopback(&names), |_| {});
    let reach = opened(&names);
    for (certificate, name, reason) in [
        (EXPIRED, "peer.example", "the certificate has expired"),
        (
            PEER,
            "stranger.example",
            "the certificate is for another name",
        ),
    ] {
        let peer = peer(certificate).await;
        let url = named_url("https", name, &peer);
        let error = fetch(&door, url.clone(), &reach).await.unwrap_err();
        assert_eq!(error, FetchError::Tls { reason });
        assert!(error.surely_unsent());
        let error = door.forward(get(&url), &reach).await.unwrap_err();
        assert_eq!(error, ForwardError::Tls { reason });
        assert!(peer.requests().is_empty());
    }
}

#[tokio::test]
async fn an_authority_the_machine_does_not_know_is_not_trusted() {
    let peer = peer(PEER).await;
    let door = Egress::new(
        EgressSettings::default(),
        Arc::new(resolve_to_loopback(&["peer.example"])),
    )
    .unwrap();
    let url = named_url("https", "peer.example", &peer);
    let outcome = fetch(&door, url, &opened(&["peer.example"])).await;
    assert_eq!(
        outcome,
        Err(FetchError::Tls {
            reason: "the certificate's authority is not trusted"
        })
    );
}

#[tokio::test]
async fn an_extra_authority_adds_to_those_of_the_machine() {
    let peer = peer(PEER).await;
    let mut settings = EgressSettings::default();
    let count = settings.tls.trust_pem(include_bytes!("../data/ca.pem"));
    assert_eq!(count.unwrap(), 1);
    let resolve = Arc::new(resolve_to_loopback(&["peer.example"]));
    let door = Egress::new(settings, resolve).unwrap();
    let url = named_url("https", "peer.example", &peer);
    let outcome = fetch(&door, url, &opened(&["peer.example"])).await;
    assert_eq!(outcome, Ok(200));
}

#[tokio::test]
async fn plain_text_on_a_tls_port_is_a_failed_handshake() {
    let plain = RawPeer::start(|_| vec![]).await;
    let door = egress(ScriptedResolve::new(), |settings| {
        settings.connect_timeout = core::time::Duration::from_millis(200);
    });
    let url = format!("https://{}/", plain.address());
    let error = fetch(&door, url, &opened(&["127.0.0.1"]))
        .await
        .unwrap_err();
    assert!(error.surely_unsent(), "{error:?}");
}

#[tokio::test]
async fn a_vetted_public_name_that_turns_private_is_refused_over_tls_too() {
    let peer = peer(PEER).await;
    let resolve = ScriptedResolve::new();
    resolve.host("peer.example", [IpAddr::from([127, 0, 0, 1])]);
    let door = egress(resolve, |settings| settings.extra_ports = vec![peer.port()]);
    let url = named_url("https", "peer.example", &peer);
    let outcome = fetch(&door, url, &Reach::public()).await;
    assert!(matches!(outcome, Err(FetchError::Blocked { .. })));
    assert_eq!(peer.connections(), 0);
}

#[test]
fn a_text_without_certificates_is_an_error() {
    let mut tls = TlsSettings::default();
    assert!(matches!(tls.trust_pem(b"nothing"), Err(InvalidPem::Empty)));
    assert!(matches!(tls.trust_pem(KEY), Err(InvalidPem::Empty)));
    let damaged = b"-----BEGIN CERTIFICATE-----\n%%%\n-----END CERTIFICATE-----\n";
    assert!(matches!(
        tls.trust_pem(damaged),
        Err(InvalidPem::Malformed { .. })
    ));
}
