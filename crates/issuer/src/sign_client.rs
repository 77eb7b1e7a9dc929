//! Clients whose id is their registration: signed by us and stored nowhere.
//!
//! A public client has nothing to keep from anybody, so its id may say it all. It survives a
//! restart and a wiped database (Q09), and no table fills up with it (Q47). What is too long for
//! an address bar is stored after all.

use std::collections::BTreeSet;

use claviger_crypto::{base64url_decode, base64url_encode};
use claviger_model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{AuthMethod, Client, ClientOrigin, GrantType, Issuer, RedirectUri};

#[derive(Serialize, Deserialize)]
struct Signed {
    #[serde(rename = "r")]
    redirect_uris: Vec<String>,
    #[serde(rename = "n", skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(rename = "g")]
    grant_types: Vec<String>,
    #[serde(rename = "t")]
    created_at: i64,
    /// Two installations that say the same are still two clients.
    #[serde(rename = "x")]
    random: String,
}

impl Issuer {
    /// The id that says everything about this client; none if it would be too long.
    pub(crate) fn sign_client(&self, client: &Client) -> Option<String> {
        let signed = Signed {
            redirect_uris: client
                .redirect_uris
                .iter()
                .map(|uri| uri.as_str().to_owned())
                .collect(),
            name: client.name.clone(),
            grant_types: client
                .grant_types
                .iter()
                .map(|one| one.as_str().to_owned())
                .collect(),
            created_at: client.created_at.as_secs(),
            random: base64url_encode(&self.doors.entropy.id_bytes()),
        };
        let body = base64url_encode(&serde_json::to_vec(&signed).ok()?);
        let mac = base64url_encode(&self.mac("client_id", &[&self.settings.issuer, &body]));
        let id = format!("{PREFIX}{body}.{mac}");
        (id.len() <= MAX_ID_BYTES).then_some(id)
    }

    /// The client behind an id that we signed.
    pub(crate) fn read_signed(&self, id: &str) -> Option<Client> {
        let (body, mac) = id.strip_prefix(PREFIX)?.split_once('.')?;
        let mac = base64url_decode(mac)?;
        if !self.has_mac_bytes("client_id", &[&self.settings.issuer, body], &mac) {
            return None;
        }
        let signed: Signed = serde_json::from_slice(&base64url_decode(body)?).ok()?;
        // The rules may have become stricter since.
        let redirect_uris: Result<Vec<RedirectUri>, _> = signed
            .redirect_uris
            .iter()
            .map(|text| RedirectUri::parse(text))
            .collect();
        let grant_types: BTreeSet<GrantType> = signed
            .grant_types
            .iter()
            .filter_map(|text| GrantType::parse(text))
            .collect();
        Some(Client {
            id: id.to_owned(),
            tenant: self.settings.tenant.clone(),
            origin: ClientOrigin::Signed,
            name: signed.name,
            redirect_uris: redirect_uris.ok()?,
            auth: AuthMethod::None,
            secret_mac: None,
            keys: Vec::new(),
            grant_types,
            user: None,
            resource: None,
            registration_mac: None,
            created_at: Timestamp::from_secs(signed.created_at),
            used_at: None,
        })
    }

    pub(crate) fn is_signed_form(id: &str) -> bool {
        id.starts_with(PREFIX)
    }
}

/// A038: never URL-shaped.
const PREFIX: &str = "clv_sc_";
/// An id travels in query strings.
const MAX_ID_BYTES: usize = 1_024;
