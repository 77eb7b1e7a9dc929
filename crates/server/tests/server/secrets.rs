//! Secrets go in and never come out.

use claviger_admin_api::{AddServer, Line, Request};
use claviger_server::Gateway;

use serde_json::Value;

use crate::support::{Place, Upstream, act, slug};

const CANARY: &str = "CANARY-4f1d";

fn texts(lines: &[Line]) -> String {
    serde_json::to_string(lines).unwrap()
}

/// Everything that can be asked about one server.
async fn everything(gateway: &dyn Gateway, name: &str) -> String {
    let mut all = String::new();
    let name = || slug(name);
    for request in [
        Request::ListServers,
        Request::ShowServer { slug: name() },
        Request::Status { slug: None },
        Request::Status { slug: Some(name()) },
        Request::CancelLogin { slug: name() },
        Request::Logout { slug: name() },
        Request::RemoveServer {
            slug: name(),
            yes: false,
        },
    ] {
        all.push_str(&texts(&act(gateway, request).await));
    }
    all
}

/// Servers with secrets; the later ones are refused.
const ADDED: &[(&str, &str)] = &[
    (
        "secret",
        r#"{"client_id": "i", "client_secret": "CANARY-4f1d", "issuer": "https://i.example"}"#,
    ),
    (
        "machine",
        r#"{"grant": "client_credentials", "client_id": "i", "client_secret": "CANARY-4f1d", "no_discover": false}"#,
    ),
    (
        "fixed",
        r#"{"headers": ["Authorization: Bearer CANARY-4f1d"]}"#,
    ),
    ("key", r#"{"client_id": "i", "private_key": "CANARY-4f1d"}"#),
    ("alone", r#"{"client_secret": "CANARY-4f1d"}"#),
    ("name", r#"{"headers": ["Bearer CANARY-4f1d: x"]}"#),
    ("value", r#"{"headers": ["X-Key: CANARY-4f1d\u0001"]}"#),
    ("colon", r#"{"headers": ["CANARY-4f1d without a colon"]}"#),
];

#[tokio::test]
async fn a172_no_secret_comes_back_in_any_line() {
    let (place, upstream) = (Place::new(), Upstream::start().await);
    let gateway = place.open().await;
    let mut all = String::new();
    for (name, what) in ADDED {
        let mut add = serde_json::to_value(upstream.as_server(name)).unwrap();
        let what: Value = serde_json::from_str(what).unwrap();
        let members = add.as_object_mut().unwrap();
        members.insert("no_discover".to_owned(), true.into());
        members.extend(what.as_object().unwrap().clone());
        let add: AddServer = serde_json::from_value(add).unwrap();
        let name = add.slug.clone();
        all.push_str(&texts(
            &act(&*gateway, Request::AddServer(Box::new(add))).await,
        ));
        let login = Request::Login {
            slug: name.clone(),
            force: false,
        };
        if name == "machine" || name == "fixed" {
            all.push_str(&texts(&act(&*gateway, login).await));
        }
        all.push_str(&everything(&*gateway, &name).await);
    }
    assert!(all.contains("\"has_client_secret\":true"), "{all}");
    assert_eq!(all.matches(CANARY).count(), 0, "{all}");

    // A196, at rest: sealed, so that no file holds them as they were given.
    for file in std::fs::read_dir(place.dir()).unwrap() {
        let path = file.unwrap().path();
        let bytes = std::fs::read(&path).unwrap_or_default();
        let found = bytes
            .windows(CANARY.len())
            .any(|window| window == CANARY.as_bytes());
        assert!(!found, "{}", path.display());
    }
    gateway.close().await;
}
