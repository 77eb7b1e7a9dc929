//! Dynamic client registration: RFC 7591.

use core::fmt;
use core::net::IpAddr;

use ::http::{HeaderMap, StatusCode, header};
use claviger_crypto::{PublicKey, Secret, TokenKind, base64url_encode, hex, mint, sha256};
use claviger_model::Timestamp;
use serde_json::{Value, json};

use self::read::{Wanted, bad, read_wanted};
use crate::limit::Counted;
use crate::{
    AuthMethod, Client, ClientOrigin, EndpointError, ErrorCode, Issuer, IssuerEvent,
    IssuerStoreError, RedirectUri, RegistrationMode,
};

mod manage;
mod preregister;
pub(crate) mod read;

pub use preregister::StaticClient;

/// Somebody who wants to register.
#[derive(Clone, Copy)]
pub struct RegisterRequest<'a> {
    /// Headers.
    pub headers: &'a HeaderMap,
    /// The body.
    pub body: &'a [u8],
    /// Where the request comes from, if that is known.
    pub address: Option<IpAddr>,
}

/// A client and, once only, its secrets.
#[derive(Debug)]
pub struct Registered {
    client: Client,
    secret: Option<Secret>,
    registration: Option<(String, Secret)>,
}

// === impl RegisterRequest ===

impl fmt::Debug for RegisterRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegisterRequest").finish_non_exhaustive()
    }
}

// === impl Registered ===

impl Registered {
    /// The client.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Its secret, if a new one was made.
    pub fn secret(&self) -> Option<&Secret> {
        self.secret.as_ref()
    }

    /// The answer's body; it carries the secrets.
    pub fn body(&self) -> Value {
        let client = &self.client;
        let uris: Vec<&str> = client
            .redirect_uris
            .iter()
            .map(RedirectUri::as_str)
            .collect();
        let grants: Vec<&str> = client.grant_types.iter().map(|one| one.as_str()).collect();
        let is_web = client
            .redirect_uris
            .iter()
            .all(|uri| uri.as_str().starts_with("https:"));
        let mut body = json!({
            "client_id": client.id,
            "client_id_issued_at": client.created_at.as_secs(),
            "redirect_uris": uris,
            "token_endpoint_auth_method": client.auth.as_str(),
            "grant_types": grants,
            "response_types": ["code"],
            "application_type": if is_web { "web" } else { "native" },
        });
        if let Some(name) = &client.name {
            body["client_name"] = json!(name);
        }
        if !client.keys.is_empty() {
            let keys: Vec<Value> = client.keys.iter().map(PublicKey::to_jwk).collect();
            body["jwks"] = json!({ "keys": keys });
        }
        if let Some(secret) = &self.secret {
            body["client_secret"] = json!(secret.expose());
            // RFC 7591 §3.2.1: 0 means that it does not expire.
            body["client_secret_expires_at"] = json!(0);
        }
        if let Some((uri, token)) = &self.registration {
            // Q45: some clients do not go on without these.
            body["registration_client_uri"] = json!(uri);
            body["registration_access_token"] = json!(token.expose());
        }
        body
    }
}

// === impl Issuer ===

impl Issuer {
    /// Registers a client that asks for it.
    pub async fn register(
        &self,
        request: &RegisterRequest<'_>,
        now: Timestamp,
    ) -> Result<Registered, EndpointError> {
        // A028: before anything else is done for them.
        self.limiter
            .admit_address(Counted::Register, request.address, now)?;
        self.limiter.admit(Counted::RegisterTotal, "", now)?;
        self.check_may_register(request)?;
        let wanted = read_wanted(request.body)?;
        self.check_listed(&wanted)?;
        let registered = self.draw_up_client(wanted, now)?;
        if registered.client.origin == ClientOrigin::Dynamic {
            self.sweep_sometimes(now).await?;
            let stored = self.doors.store.insert_client(registered.client.clone());
            match stored.await {
                // A028: a flood of registrations ends at the store's bound.
                Err(IssuerStoreError::Full) => {
                    return Err(EndpointError::new(
                        ErrorCode::TemporarilyUnavailable,
                        "too many clients have registered; try again later",
                    )
                    .with_status(StatusCode::TOO_MANY_REQUESTS));
                }
                stored => stored?,
            }
        }
        self.observe(IssuerEvent::Registered);
        Ok(registered)
    }

    // A027: closed is closed, and a token is a token.
    fn check_may_register(&self, request: &RegisterRequest<'_>) -> Result<(), EndpointError> {
        match &self.settings.registration {
            RegistrationMode::AllowList(_) | RegistrationMode::Open => Ok(()),
            RegistrationMode::Off => Err(EndpointError::new(
                ErrorCode::UnauthorizedClient,
                "this issuer registers nobody; ask its operator for a client id",
            )
            .with_status(StatusCode::FORBIDDEN)),
            RegistrationMode::Token { tokens_sha256 } => {
                let presented = bearer(request.headers).map(|token| {
                    let digest = hex(&sha256(token.expose().as_bytes()));
                    self.mac("initial_access_token", &[&digest])
                });
                let known = |digest: &[u8; 32]| {
                    Some(self.mac("initial_access_token", &[&hex(digest)])) == presented
                };
                if tokens_sha256.iter().any(known) {
                    return Ok(());
                }
                Err(EndpointError::new(
                    ErrorCode::InvalidToken,
                    "registration needs an initial access token from the operator",
                )
                .with_bearer_challenge())
            }
        }
    }

    fn check_listed(&self, wanted: &Wanted) -> Result<(), EndpointError> {
        let RegistrationMode::AllowList(list) = &self.settings.registration else {
            return Ok(());
        };
        let software = wanted.software_id.as_ref();
        if software.is_some_and(|id| list.software_ids.contains(id)) {
            return Ok(());
        }
        let listed = |uri: &RedirectUri| {
            let host = uri.host_without_port();
            list.redirect_hosts
                .iter()
                .any(|one| one.eq_ignore_ascii_case(host))
        };
        let uris = wanted.parsed_redirects();
        if !uris.is_empty() && uris.iter().all(listed) {
            return Ok(());
        }
        Err(EndpointError::new(
            ErrorCode::InvalidRedirectUri,
            "this issuer does not take clients from there; ask its operator",
        )
        .with_status(StatusCode::FORBIDDEN))
    }

    fn draw_up_client(&self, wanted: Wanted, now: Timestamp) -> Result<Registered, EndpointError> {
        let read = wanted.read()?;
        let mut client = Client {
            // A038: the id is ours to choose and never looks like a URL.
            id: format!("clv_client_{}", hex(&self.doors.entropy.id_bytes())),
            tenant: self.settings.tenant.clone(),
            origin: ClientOrigin::Dynamic,
            name: read.name,
            redirect_uris: read.redirect_uris,
            auth: read.auth,
            secret_mac: None,
            keys: read.keys,
            grant_types: read.grant_types,
            user: None,
            resource: None,
            registration_mac: None,
            created_at: now,
            used_at: None,
        };
        // Q47: only who has a secret or a key needs a row.
        if client.auth == AuthMethod::None
            && let Some(id) = self.sign_client(&client)
        {
            client.id = id;
            client.origin = ClientOrigin::Signed;
        }
        let secret = self.give_secret(&mut client);
        let token = if client.origin == ClientOrigin::Signed {
            self.derived_registration_token(&client.id)
        } else {
            let (token, mac) = self.mint(TokenKind::Registration);
            client.registration_mac = Some(mac);
            token
        };
        let uri = self.registration_url(&client.id);
        Ok(Registered {
            client,
            secret,
            registration: Some((uri, token)),
        })
    }

    /// A new secret for a client that needs one.
    fn give_secret(&self, client: &mut Client) -> Option<Secret> {
        if !client.auth.has_secret() {
            client.secret_mac = None;
            return None;
        }
        let secret = Secret::new(base64url_encode(&self.doors.entropy.key_bytes()));
        client.secret_mac = Some(self.mac("client_secret", &[&client.id, secret.expose()]));
        Some(secret)
    }

    /// What is stored nowhere is made again each time.
    fn derived_registration_token(&self, client_id: &str) -> Secret {
        mint(
            TokenKind::Registration,
            self.mac("registration_token", &[client_id]),
        )
    }

    fn registration_url(&self, client_id: &str) -> String {
        format!("{}/{client_id}", self.endpoint_url("register"))
    }
}

/// The one bearer token of a request.
fn bearer(headers: &HeaderMap) -> Option<Secret> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then(|| Secret::new(token))
}
