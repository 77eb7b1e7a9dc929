//! Rows to test with: every optional column filled, so that a lost one is seen.

use std::sync::Arc;

use claviger_model::{
    AccountName, ApiToken, ApiTokenId, AuditEntry, Auth, Connection, Credential, CredentialKey,
    Installation, KeyRow, PendingChallenge, Reason, Registration, RegistrationId,
    RegistrationOrigin, Revocation, RevocationId, Server, ServerId, SignIn, SignInId, Slug,
    Standing, TenantId, Timestamp, UserId,
};

use crate::{Store, TenantStore};

/// A tenant.
pub fn tenant(name: &str) -> TenantId {
    TenantId::parse(name).unwrap()
}

/// The handle most behaviours are tried with.
pub fn rows(store: &dyn Store) -> Arc<dyn TenantStore> {
    store.tenant(&tenant("t1"))
}

/// An instant, in seconds from the start of the story.
pub fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(1_795_257_600 + secs)
}

/// A server whose slug is its id.
pub fn server(tenant_name: &str, name: &str) -> Server {
    Server {
        id: ServerId::parse(name).unwrap(),
        tenant: tenant(tenant_name),
        slug: Slug::parse(name).unwrap(),
        display_name: format!("The {name}"),
        url: format!("https://{name}.example/mcp?x=1#y"),
        auth: Auth::None,
        allow_private: true,
        enabled: false,
        created_at: at(0),
        updated_at: at(1),
    }
}

/// A key of the user `u1` in the tenant `t1`.
pub fn key(server: &str) -> CredentialKey {
    key_of("t1", "u1", server, "default")
}

/// Any key.
pub fn key_of(tenant_name: &str, user: &str, server: &str, account: &str) -> CredentialKey {
    CredentialKey {
        tenant: tenant(tenant_name),
        user: UserId::parse(user).unwrap(),
        server: ServerId::parse(server).unwrap(),
        account: AccountName::parse(account).unwrap(),
    }
}

/// A credential with every column filled; its fingerprint tells it from others.
pub fn credential(key: &CredentialKey, fingerprint: &[u8]) -> Credential {
    Credential {
        key: key.clone(),
        version: 1,
        fingerprint: fingerprint.to_vec(),
        issuer: "https://issuer.example".to_owned(),
        token_endpoint: "https://issuer.example/token".to_owned(),
        revocation_endpoint: Some("https://issuer.example/revoke".to_owned()),
        resource: "https://linear.example/mcp".to_owned(),
        registration: Some(RegistrationId::parse("r1").unwrap()),
        scopes_requested: serde_json::from_str(r#"["mcp:read","mcp:write"]"#).unwrap(),
        scopes_granted: serde_json::from_str(r#"["mcp:read"]"#).unwrap(),
        obtained_at: at(2),
        expires_at: Some(at(3602)),
        is_refreshable: true,
        sealed: [b"sealed \0\xff ", fingerprint].concat(),
    }
}

/// A connection with every column filled.
pub fn connection(key: &CredentialKey, standing: Standing) -> Connection {
    Connection {
        key: key.clone(),
        standing,
        reason: Some(Reason::ScopesMissing),
        challenge: Some(PendingChallenge {
            resource_metadata: Some("https://linear.example/.well-known/x".to_owned()),
            scope: Some(serde_json::from_str(r#"["mcp:admin"]"#).unwrap()),
            insufficient_scope: true,
        }),
        step_ups: 2,
        updated_at: at(3),
    }
}

/// Client information with every column filled.
pub fn registration(server: &str, id: &str, issuer: &str) -> Registration {
    Registration {
        id: RegistrationId::parse(id).unwrap(),
        tenant: tenant("t1"),
        server: ServerId::parse(server).unwrap(),
        issuer: issuer.to_owned(),
        origin: RegistrationOrigin::Dynamic,
        client_id: format!("client {id}"),
        auth_method: "client_secret_basic".to_owned(),
        redirect_uri: Some("http://127.0.0.1:4100/callback/x".to_owned()),
        secret_expires_at: Some(at(4)),
        registration_client_uri: Some("https://issuer.example/clients/1".to_owned()),
        sealed: vec![0, 255, 1],
        created_at: at(5),
    }
}

/// A sign-in that is open from 0 to 300 seconds; its `state` is its id.
pub fn sign_in(key: &CredentialKey, id: &str) -> SignIn {
    SignIn {
        id: SignInId::parse(id).unwrap(),
        key: key.clone(),
        state_mac: id.as_bytes().to_vec(),
        sealed: b"verifier".to_vec(),
        created_at: at(0),
        expires_at: at(300),
        outcome: None,
    }
}

/// An API token; its MAC is its id.
pub fn api_token(tenant_name: &str, id: &str) -> ApiToken {
    ApiToken {
        id: ApiTokenId::parse(id).unwrap(),
        tenant: tenant(tenant_name),
        user: UserId::parse("u1").unwrap(),
        name: format!("laptop {id}"),
        mac: id.as_bytes().to_vec(),
        servers: Some(vec![ServerId::parse("linear").unwrap()]),
        created_at: at(6),
        expires_at: Some(at(7)),
    }
}

/// A revocation with every column filled; it is tried next at 60 seconds.
pub fn revocation(key: &CredentialKey, id: &str) -> Revocation {
    Revocation {
        id: RevocationId::parse(id).unwrap(),
        key: key.clone(),
        server_name: format!("The {}", key.server),
        issuer: "https://issuer.example".to_owned(),
        sealed: b"owed \0\xff".to_vec(),
        attempts: 3,
        next_at: at(60),
        last_failure: Some("the issuer answered 503".to_owned()),
        created_at: at(9),
    }
}

/// An entry of the tenant `t1`, made `seq` seconds after the start.
pub fn entry(chain: &str, seq: u64) -> AuditEntry {
    AuditEntry {
        chain: chain.to_owned(),
        seq,
        node: "node-1".to_owned(),
        at: at(i64::try_from(seq).unwrap()),
        tenant: Some(tenant("t1")),
        actor: "user:owner".to_owned(),
        act: "credential.refresh".to_owned(),
        object: "linear".to_owned(),
        outcome: "ok".to_owned(),
        detail: r#"{"a":"ü"}"#.to_owned(),
        count: 2,
        mac: vec![0, 255, 7],
    }
}

/// The installation with every column filled.
pub fn installation() -> Installation {
    Installation {
        id: "c1".to_owned(),
        restore_epoch: 4,
        restored_at: Some(at(10)),
        is_held: true,
        created_at: at(11),
    }
}

/// Bytes of the shape of a sealed record, of this generation of its tenant's key.
pub fn record(generation: u32, body: &[u8]) -> Vec<u8> {
    let (generation, unused) = (generation.to_be_bytes(), [7; 64]);
    [
        b"CLVS\x01\x01kek-name",
        &generation[..],
        &unused,
        &[0; 16],
        body,
    ]
    .concat()
}

/// A wrapped key.
pub fn key_row(tenant_name: Option<&str>, purpose: &str, generation: u32) -> KeyRow {
    KeyRow {
        tenant: tenant_name.map(tenant),
        purpose: purpose.to_owned(),
        generation,
        kek_id: vec![1; 8],
        wrapped: vec![2; 130],
        created_at: at(8),
    }
}

/// Adds the servers `linear` and `notion` to a tenant.
pub async fn insert_servers(store: &dyn Store, tenant_name: &str) {
    let rows = store.tenant(&tenant(tenant_name));
    for name in ["linear", "notion"] {
        rows.insert_server(&server(tenant_name, name))
            .await
            .unwrap();
    }
}
