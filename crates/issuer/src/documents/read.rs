//! What a client id metadata document has to say, and must not.

use claviger_model::{TenantId, Timestamp};
use serde_json::Value;

use crate::register::read::{read_keys, read_wanted};
use crate::{AuthMethod, Client, ClientOrigin};

/// The client a document describes; nothing if any of it is wrong.
pub(super) fn read_document(
    url: &str,
    body: &[u8],
    tenant: &TenantId,
    now: Timestamp,
) -> Option<Client> {
    let document: Value = serde_json::from_slice(body).ok()?;
    let members = document.as_object()?;
    // A039: the same text, since anything else may be somebody else's.
    if members.get("client_id")?.as_str()? != url {
        return None;
    }
    // A042: what everybody may read is no secret.
    let secret = ["client_secret", "client_secret_expires_at"];
    if secret.iter().any(|member| members.contains_key(*member)) {
        return None;
    }
    // required.
    members.get("client_name")?.as_str()?;
    let mut wanted = read_wanted(body).ok()?;
    // Who says nothing is public; RFC 7591's default needs a secret.
    wanted
        .token_endpoint_auth_method
        .get_or_insert_with(|| AuthMethod::None.as_str().to_owned());
    let read = wanted.read().ok()?;
    let keys = match read.auth {
        AuthMethod::None => Vec::new(),
        AuthMethod::PrivateKeyJwt => read_keys(members.get("jwks")).ok()?,
        AuthMethod::SecretBasic | AuthMethod::SecretPost => return None,
    };
    Some(Client {
        id: url.to_owned(),
        tenant: tenant.clone(),
        origin: ClientOrigin::Document,
        name: read.name,
        redirect_uris: read.redirect_uris,
        auth: read.auth,
        secret_mac: None,
        keys,
        grant_types: read.grant_types,
        user: None,
        resource: None,
        registration_mac: None,
        created_at: now,
        used_at: None,
    })
}
