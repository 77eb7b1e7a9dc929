//! Rows to test with: every optional column filled, so that a lost one is seen.

use std::collections::BTreeSet;

use claviger_crypto::{PublicKey, Secret, sha256};
use claviger_model::{TenantId, Timestamp, UserId};
use claviger_wire::ScopeSet;
use serde_json::json;

use crate::{
    AccessRow, AnswerTo, AuthMethod, Client, ClientOrigin, CodeRow, DeviceRow, Family, GrantType,
    Pending, PushedRow, RedirectUri, Rotate, TokenMac,
};

/// Where every family begins and most of the story happens.
pub const GRANT: &str = "g1";

/// The tenant whose issuer the store belongs to.
pub fn tenant() -> TenantId {
    TenantId::default_tenant()
}

/// An instant, in seconds from the start of the story.
pub fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(1_795_257_600 + secs)
}

/// A MAC that belongs to this text.
pub fn mac(text: &str) -> TokenMac {
    sha256(text.as_bytes())
}

/// A user.
pub fn user(name: &str) -> UserId {
    UserId::parse(name).unwrap()
}

/// A client with every column filled.
pub fn client(id: &str) -> Client {
    let key = json!({
        "kty": "OKP", "crv": "Ed25519", "kid": "k1", "alg": "EdDSA",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    });
    Client {
        id: id.to_owned(),
        tenant: tenant(),
        origin: ClientOrigin::Dynamic,
        name: Some("Editor \u{e9}".to_owned()),
        redirect_uris: ["http://127.0.0.1:7000/cb", "https://a.example/cb?x=%20"]
            .map(|text| RedirectUri::parse(text).unwrap())
            .to_vec(),
        auth: AuthMethod::PrivateKeyJwt,
        secret_mac: Some(mac("secret")),
        keys: vec![PublicKey::from_jwk(&key).unwrap()],
        grant_types: BTreeSet::from([
            GrantType::AuthorizationCode,
            GrantType::ClientCredentials,
            GrantType::DeviceCode,
            GrantType::RefreshToken,
        ]),
        user: Some(user("robot")),
        resource: Some("https://a.example/mcp".to_owned()),
        registration_mac: Some(mac("registration")),
        created_at: at(0),
        used_at: Some(at(1)),
    }
}

/// A request whose answer goes to a browser.
pub fn pending(id: &str) -> Pending {
    Pending {
        id: id.to_owned(),
        tenant: tenant(),
        client_id: "c1".to_owned(),
        answer_to: AnswerTo::Redirect {
            redirect_uri: "http://127.0.0.1:7000/cb".to_owned(),
            state: Some(Secret::new("s t&=")),
            code_challenge: "challenge".to_owned(),
        },
        resource: "https://a.example/mcp".to_owned(),
        scopes: ScopeSet::parse_lossy("read write"),
        user: Some(user("u1")),
        dpop_jkt: Some("jkt".to_owned()),
        csrf_mac: mac("csrf"),
        cookie_mac: mac("cookie"),
        expires_at: at(600),
    }
}

/// Pushed parameters.
pub fn pushed(name: &str) -> PushedRow {
    PushedRow {
        mac: mac(name),
        tenant: tenant(),
        client_id: "c1".to_owned(),
        parameters: Secret::new("a=1&b=%20"),
        expires_at: at(60),
    }
}

/// A code that begins `grant`.
pub fn code(name: &str, grant: &str) -> CodeRow {
    CodeRow {
        mac: mac(name),
        grant: grant.to_owned(),
        client_id: "c1".to_owned(),
        redirect_uri: "http://127.0.0.1:7000/cb".to_owned(),
        code_challenge: "challenge".to_owned(),
        resource: "https://a.example/mcp".to_owned(),
        scopes: ScopeSet::parse_lossy("read write"),
        tenant: tenant(),
        user: user("u1"),
        dpop_jkt: Some("jkt".to_owned()),
        expires_at: at(60),
        failures: 0,
        is_redeemed: false,
    }
}

/// A device that begins `grant`.
pub fn device(name: &str, grant: &str) -> DeviceRow {
    DeviceRow {
        mac: mac(name),
        user_code_mac: mac(&format!("{name} user code")),
        tenant: tenant(),
        grant: grant.to_owned(),
        client_id: "c1".to_owned(),
        resource: "https://a.example/mcp".to_owned(),
        scopes: ScopeSet::parse_lossy("read write"),
        decision: None,
        interval_s: 5,
        polled_at: None,
        expires_at: at(600),
    }
}

/// A family of the user `u1` whose live refresh token has the MAC of `current`.
pub fn family(grant: &str, current: &str) -> Family {
    Family {
        grant: grant.to_owned(),
        client_id: "c1".to_owned(),
        resource: "https://a.example/mcp".to_owned(),
        scopes: ScopeSet::parse_lossy("read write"),
        tenant: tenant(),
        user: user("u1"),
        dpop_jkt: Some("jkt".to_owned()),
        current_mac: Some(mac(current)),
        replay: None,
        idle_expires_at: at(1_000),
        expires_at: at(9_000),
        revoked_at: None,
    }
}

/// An access token of `grant`.
pub fn access(name: &str, grant: &str) -> AccessRow {
    AccessRow {
        mac: mac(name),
        grant: grant.to_owned(),
        client_id: "c1".to_owned(),
        resource: "https://a.example/mcp".to_owned(),
        scopes: ScopeSet::parse_lossy("read"),
        tenant: tenant(),
        user: user("u1"),
        dpop_jkt: Some("jkt".to_owned()),
        issued_at: at(0),
        expires_at: at(600),
    }
}

/// A step from one refresh token to the next, with an answer and an access token named after it.
pub fn rotate(current: &str, next: &str, secs: i64) -> Rotate {
    Rotate {
        current: mac(current),
        next: mac(next),
        sealed: Some(format!("answer {next}").into_bytes()),
        now: at(secs),
        idle_expires_at: at(secs + 1_000),
        access: access(&format!("access {next}"), GRANT),
    }
}
