//! Dynamic client registration: RFC 7591.

use ::http::StatusCode;
use claviger_crypto::{Secret, base64url_encode, hex};
use claviger_model::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    AuthMethod, Client, EndpointError, ErrorCode, Issuer, IssuerEvent, IssuerStoreError,
    RedirectUri, RegistrationMode,
};

const MAX_REDIRECT_URIS: usize = 10;
const MAX_NAME_CHARS: usize = 80;

/// What a client sends. Unknown members are ignored, `null` counts as absent.
#[derive(Debug, Deserialize)]
struct Wanted {
    redirect_uris: Option<Vec<String>>,
    client_name: Option<String>,
    token_endpoint_auth_method: Option<String>,
    grant_types: Option<Vec<String>>,
    response_types: Option<Vec<String>>,
    client_uri: Option<String>,
    logo_uri: Option<String>,
    tos_uri: Option<String>,
    policy_uri: Option<String>,
}

/// A new client and, once only, its secret.
#[derive(Debug)]
pub struct Registered {
    client: Client,
    secret: Option<Secret>,
}

// === impl Registered ===

impl Registered {
    /// The client.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The answer's body; it carries the secret.
    pub fn body(&self) -> Value {
        let client = &self.client;
        let uris: Vec<&str> = client
            .redirect_uris
            .iter()
            .map(RedirectUri::as_str)
            .collect();
        let mut body = json!({
            "client_id": client.id,
            "client_id_issued_at": client.created_at.as_secs(),
            "redirect_uris": uris,
            "token_endpoint_auth_method": client.auth.as_str(),
            "grant_types": grant_types(client.may_refresh),
            "response_types": ["code"],
        });
        if let Some(name) = &client.name {
            body["client_name"] = json!(name);
        }
        if let Some(secret) = &self.secret {
            body["client_secret"] = json!(secret.expose());
            // RFC 7591 §3.2.1: 0 means that it does not expire.
            body["client_secret_expires_at"] = json!(0);
        }
        body
    }
}

// === impl AuthMethod ===

impl AuthMethod {
    /// As it stands on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::SecretBasic => "client_secret_basic",
            Self::SecretPost => "client_secret_post",
        }
    }
}

// === impl Issuer ===

impl Issuer {
    /// Registers a client that asks for it.
    pub async fn register(&self, body: &[u8], now: Timestamp) -> Result<Registered, EndpointError> {
        if self.settings.registration == RegistrationMode::Off {
            return Err(EndpointError::new(
                ErrorCode::UnauthorizedClient,
                "this issuer registers nobody; ask its operator for a client id",
            )
            .with_status(StatusCode::FORBIDDEN));
        }
        let Ok(wanted) = serde_json::from_slice::<Wanted>(body) else {
            return Err(bad("the body is no JSON object with client metadata"));
        };
        let registered = self.draw_up(wanted, now)?;
        let stored = self.doors.store.insert_client(registered.client.clone());
        match stored.await {
            // A028: a flood of registrations ends at the store's bound.
            Err(IssuerStoreError::Full) => Err(EndpointError::new(
                ErrorCode::TemporarilyUnavailable,
                "too many clients have registered; try again later",
            )
            .with_status(StatusCode::TOO_MANY_REQUESTS)),
            Err(source) => Err(source.into()),
            Ok(()) => {
                self.observe(IssuerEvent::Registered);
                Ok(registered)
            }
        }
    }

    fn draw_up(&self, wanted: Wanted, now: Timestamp) -> Result<Registered, EndpointError> {
        let redirect_uris = read_redirects(wanted.redirect_uris.unwrap_or_default())?;
        let auth = match wanted.token_endpoint_auth_method.as_deref() {
            // RFC 7591 §2: the default if omitted.
            None | Some("client_secret_basic") => AuthMethod::SecretBasic,
            Some("client_secret_post") => AuthMethod::SecretPost,
            Some("none") => AuthMethod::None,
            Some(_) => return Err(bad("token_endpoint_auth_method is not offered")),
        };
        let may_refresh = read_grants(wanted.grant_types.as_deref())?;
        if wanted
            .response_types
            .is_some_and(|types| types.iter().any(|one| one != "code"))
        {
            return Err(bad("response_types may hold `code` only"));
        }
        // A034: they are neither kept nor shown, but an ugly one tells who is asking.
        let links = [
            wanted.client_uri,
            wanted.logo_uri,
            wanted.tos_uri,
            wanted.policy_uri,
        ];
        if links.iter().flatten().any(|link| !is_web(link)) {
            return Err(bad("a link in the client metadata is no https URL"));
        }
        // A038: the id is ours to choose and never looks like a URL.
        let id = format!("clv_client_{}", hex(&self.doors.entropy.id_bytes()));
        let secret = (auth != AuthMethod::None)
            .then(|| Secret::new(base64url_encode(&self.doors.entropy.key_bytes())));
        let secret_mac = secret
            .as_ref()
            .map(|secret| self.mac("client_secret", &[&id, secret.expose()]));
        let client = Client {
            id,
            name: wanted.client_name.as_deref().and_then(tidy_name),
            redirect_uris,
            auth,
            secret_mac,
            may_refresh,
            created_at: now,
        };
        Ok(Registered { client, secret })
    }
}

fn read_redirects(texts: Vec<String>) -> Result<Vec<RedirectUri>, EndpointError> {
    if texts.is_empty() {
        return Err(EndpointError::new(
            ErrorCode::InvalidRedirectUri,
            "redirect_uris is empty",
        ));
    }
    if texts.len() > MAX_REDIRECT_URIS {
        return Err(EndpointError::new(
            ErrorCode::InvalidRedirectUri,
            "more than 10 redirect URIs",
        ));
    }
    let mut uris = Vec::with_capacity(texts.len());
    for text in texts {
        match RedirectUri::parse(&text) {
            Ok(uri) => uris.push(uri),
            Err(error) => {
                return Err(EndpointError::new(
                    ErrorCode::InvalidRedirectUri,
                    error.as_str(),
                ));
            }
        }
    }
    Ok(uris)
}

/// Whether the client may refresh. What is not asked for is given, since clients forget to ask.
fn read_grants(grants: Option<&[String]>) -> Result<bool, EndpointError> {
    let Some(grants) = grants else {
        return Ok(true);
    };
    // A036: a public client cannot have `client_credentials`, nobody `implicit` or `password`.
    let known = |grant: &String| matches!(grant.as_str(), "authorization_code" | "refresh_token");
    if !grants.iter().all(known) {
        return Err(bad(
            "grant_types may hold authorization_code and refresh_token only",
        ));
    }
    if !grants.iter().any(|grant| grant == "authorization_code") {
        return Err(bad("grant_types lacks authorization_code"));
    }
    Ok(grants.iter().any(|grant| grant == "refresh_token"))
}

fn grant_types(may_refresh: bool) -> &'static [&'static str] {
    if may_refresh {
        &["authorization_code", "refresh_token"]
    } else {
        &["authorization_code"]
    }
}

// A033: no line breaks, no invisible or direction-changing characters, no novels.
fn tidy_name(name: &str) -> Option<String> {
    let hidden = |c: char| {
        matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}')
            || ('\u{200b}'..='\u{200f}').contains(&c)
            || ('\u{2028}'..='\u{202e}').contains(&c)
            || ('\u{2060}'..='\u{206f}').contains(&c)
            || ('\u{e0000}'..='\u{e007f}').contains(&c)
    };
    let tidy: String = name
        .chars()
        .map(|c| if c.is_whitespace() { ' ' } else { c })
        .filter(|c| !c.is_control() && !hidden(*c))
        .take(MAX_NAME_CHARS)
        .collect();
    let tidy = tidy.trim();
    (!tidy.is_empty()).then(|| tidy.to_owned())
}

fn is_web(link: &str) -> bool {
    link.starts_with("https://") && link.len() <= 2_048 && !link.chars().any(char::is_control)
}

fn bad(description: &'static str) -> EndpointError {
    EndpointError::new(ErrorCode::InvalidClientMetadata, description)
}
