//! Client metadata as it comes: RFC 7591 §2. Unknown members are ignored, `null` counts as absent.

use std::collections::BTreeSet;

use claviger_crypto::PublicKey;
use serde::Deserialize;
use serde_json::Value;

use crate::{AuthMethod, EndpointError, ErrorCode, GrantType, RedirectUri};

/// What a client sends.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Wanted {
    pub(crate) client_id: Option<String>,
    redirect_uris: Option<Vec<String>>,
    client_name: Option<String>,
    pub(crate) token_endpoint_auth_method: Option<String>,
    grant_types: Option<Vec<String>>,
    response_types: Option<Vec<String>>,
    jwks: Option<Value>,
    jwks_uri: Option<String>,
    client_uri: Option<String>,
    logo_uri: Option<String>,
    tos_uri: Option<String>,
    policy_uri: Option<String>,
    pub(crate) software_id: Option<String>,
}

/// The same, checked.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) redirect_uris: Vec<RedirectUri>,
    pub(crate) name: Option<String>,
    pub(crate) auth: AuthMethod,
    pub(crate) grant_types: BTreeSet<GrantType>,
    pub(crate) keys: Vec<PublicKey>,
}

pub(crate) fn read_wanted(body: &[u8]) -> Result<Wanted, EndpointError> {
    serde_json::from_slice(body)
        .ok()
        .ok_or(bad("the body is no JSON object with client metadata"))
}

// === impl Wanted ===

impl Wanted {
    /// The redirect URIs that are ones.
    pub(crate) fn parsed_redirects(&self) -> Vec<RedirectUri> {
        let texts = self.redirect_uris.iter().flatten();
        texts
            .filter_map(|text| RedirectUri::parse(text).ok())
            .collect()
    }

    pub(crate) fn read(self) -> Result<Read, EndpointError> {
        let grant_types = read_grants(self.grant_types.as_deref())?;
        // A device has nowhere to send a browser.
        let redirects = grant_types.contains(&GrantType::AuthorizationCode);
        let redirect_uris = read_redirects(self.redirect_uris.unwrap_or_default(), redirects)?;
        let auth = match self.token_endpoint_auth_method.as_deref() {
            // RFC 7591 §2: the default if omitted.
            None => AuthMethod::SecretBasic,
            Some(text) => match AuthMethod::parse(text) {
                Some(method) => method,
                None => return Err(bad("token_endpoint_auth_method is not offered")),
            },
        };
        if self
            .response_types
            .is_some_and(|types| types.iter().any(|one| one != "code"))
        {
            return Err(bad("response_types may hold `code` only"));
        }
        // A034, A035: they are neither kept, shown nor fetched, but an ugly one tells who is
        // asking.
        let links = [
            self.client_uri,
            self.logo_uri,
            self.tos_uri,
            self.policy_uri,
            self.jwks_uri,
        ];
        if links.iter().flatten().any(|link| !is_web(link)) {
            return Err(bad("a link in the client metadata is no https URL"));
        }
        let keys = match auth {
            AuthMethod::PrivateKeyJwt => read_keys(self.jwks.as_ref())?,
            _ => Vec::new(),
        };
        Ok(Read {
            redirect_uris,
            name: self.client_name.as_deref().and_then(tidy_name),
            auth,
            grant_types,
            keys,
        })
    }
}

/// The public keys of a key set; at least one.
pub(crate) fn read_keys(jwks: Option<&Value>) -> Result<Vec<PublicKey>, EndpointError> {
    let keys = jwks
        .and_then(|jwks| jwks.get("keys"))
        .and_then(Value::as_array);
    let Some(keys) = keys.filter(|keys| !keys.is_empty() && keys.len() <= MAX_KEYS) else {
        return Err(bad("private_key_jwt needs `jwks` with one to ten keys"));
    };
    let read: Result<Vec<PublicKey>, _> = keys.iter().map(PublicKey::from_jwk).collect();
    read.ok().ok_or(bad(
        "`jwks` holds a key that is not public or not supported",
    ))
}

fn read_redirects(texts: Vec<String>, needed: bool) -> Result<Vec<RedirectUri>, EndpointError> {
    let wrong = |text| EndpointError::new(ErrorCode::InvalidRedirectUri, text);
    if texts.is_empty() && needed {
        return Err(wrong("redirect_uris is empty"));
    }
    if texts.len() > MAX_REDIRECT_URIS {
        return Err(wrong("more than 10 redirect URIs"));
    }
    let mut uris = Vec::with_capacity(texts.len());
    for text in texts {
        match RedirectUri::parse(&text) {
            Ok(uri) => uris.push(uri),
            Err(error) => return Err(wrong(error.as_str())),
        }
    }
    Ok(uris)
}

/// What is not asked for is given, since clients forget to ask.
fn read_grants(grants: Option<&[String]>) -> Result<BTreeSet<GrantType>, EndpointError> {
    let Some(grants) = grants else {
        return Ok(BTreeSet::from([
            GrantType::AuthorizationCode,
            GrantType::RefreshToken,
        ]));
    };
    let mut grant_types = BTreeSet::new();
    for grant in grants {
        // A036: nobody who registers may act without a person, or by `implicit` or `password`.
        match GrantType::parse(grant) {
            Some(GrantType::ClientCredentials) | None => {
                return Err(bad(
                    "grant_types may hold authorization_code, refresh_token and the device code",
                ));
            }
            Some(grant) => {
                grant_types.insert(grant);
            }
        }
    }
    if grant_types
        .iter()
        .all(|one| *one == GrantType::RefreshToken)
    {
        return Err(bad("grant_types lacks authorization_code"));
    }
    Ok(grant_types)
}

// A033: no line breaks, no invisible or direction-changing characters, no novels.
pub(crate) fn tidy_name(name: &str) -> Option<String> {
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

pub(crate) fn bad(description: &'static str) -> EndpointError {
    EndpointError::new(ErrorCode::InvalidClientMetadata, description)
}

const MAX_REDIRECT_URIS: usize = 10;
const MAX_NAME_CHARS: usize = 80;
const MAX_KEYS: usize = 10;
