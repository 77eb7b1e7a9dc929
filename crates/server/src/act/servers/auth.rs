//! How a server is authorized: what was typed, checked and sealed.

use claviger_broker::Setting;
use claviger_crypto::{Secret, SigningKey};
use claviger_model::{Grant, HeaderTemplate, OauthSettings, Server};
use claviger_wire::{Scope, ScopeSet};
use http::{HeaderName, HeaderValue};

use super::usage;
use crate::act::{Refused, hold_problem};
use crate::app::App;

/// OAuth settings as they shall be.
#[derive(Default)]
pub(super) struct Wish<'a> {
    pub(super) grant: Grant,
    pub(super) client_id: Option<String>,
    pub(super) client_secret: Option<&'a str>,
    pub(super) private_key: Option<&'a str>,
    /// Secrets that stay as they are sealed.
    pub(super) kept_secret: Option<String>,
    pub(super) kept_key: Option<String>,
    pub(super) client_metadata_url: Option<String>,
    pub(super) issuer: Option<String>,
    pub(super) scopes: Option<ScopeSet>,
}

pub(super) async fn oauth(
    app: &App,
    server: &Server,
    wish: Wish<'_>,
) -> Result<OauthSettings, Refused> {
    let has_new_secret = wish.client_secret.is_some() || wish.private_key.is_some();
    let has_secret = has_new_secret || wish.kept_secret.is_some() || wish.kept_key.is_some();
    if has_secret && wish.client_id.is_none() {
        return Err(usage("a client secret or key needs --client-id"));
    }
    if wish.grant == Grant::ClientCredentials && !has_secret {
        return Err(usage(
            "client_credentials needs --client-id and --client-secret-file or --private-key-file",
        ));
    }
    if let Some(pem) = wish.private_key
        && let Err(error) = SigningKey::from_pem(&Secret::new(pem))
    {
        return Err(usage(&format!("the private key cannot be used: {error}")));
    }
    let client_id = wish.client_id.as_deref().unwrap_or_default();
    let role = Setting::ClientSecret { client_id };
    let client_secret = seal(app, server, role, wish.client_secret).await?;
    let role = Setting::PrivateKey { client_id };
    let private_key = seal(app, server, role, wish.private_key).await?;
    Ok(OauthSettings {
        grant: wish.grant,
        sealed_client_secret: client_secret.or(wish.kept_secret),
        sealed_private_key: private_key.or(wish.kept_key),
        client_id: wish.client_id,
        client_metadata_url: wish.client_metadata_url,
        issuer: wish.issuer,
        scopes: wish.scopes,
    })
}

pub(super) fn parse_grant(text: Option<&str>) -> Result<Grant, Refused> {
    match text {
        None | Some("authorization_code") => Ok(Grant::AuthorizationCode),
        Some("client_credentials") => Ok(Grant::ClientCredentials),
        Some(other) => Err(usage(&format!(
            "`{other}` is no grant we know; use authorization_code or client_credentials"
        ))),
    }
}

pub(super) fn parse_scopes(texts: &[String]) -> Result<Option<ScopeSet>, Refused> {
    if texts.is_empty() {
        return Ok(None);
    }
    let parsed: Result<ScopeSet, _> = texts
        .iter()
        .flat_map(|text| text.split_whitespace())
        .map(Scope::parse)
        .collect();
    parsed.map(Some).map_err(|error| usage(&error.to_string()))
}

pub(super) async fn fixed_headers(
    app: &App,
    server: &Server,
    lines: &[String],
) -> Result<Vec<HeaderTemplate>, Refused> {
    let mut headers = Vec::with_capacity(lines.len());
    for line in lines {
        headers.push(fixed_header(app, server, line).await?);
    }
    Ok(headers)
}

async fn seal(
    app: &App,
    server: &Server,
    role: Setting<'_>,
    secret: Option<&str>,
) -> Result<Option<String>, Refused> {
    let Some(secret) = secret else {
        return Ok(None);
    };
    let secret = Secret::new(secret);
    let sealed = app.broker.seal_setting(server, role, &secret).await;
    sealed.map(Some).map_err(|error| hold_problem(&error))
}

async fn fixed_header(app: &App, server: &Server, header: &str) -> Result<HeaderTemplate, Refused> {
    let (name, value) = header
        .split_once(':')
        .ok_or_else(|| usage("a header is written `Name: value`"))?;
    let (name, value) = (name.trim(), value.trim());
    let parsed = HeaderName::from_bytes(name.as_bytes())
        // Not shown: what stands before the colon may be the key itself.
        .map_err(|error| usage(&format!("the name of a fixed header cannot be sent: {error}")))?;
    // They are ours to set; a fixed one would cut the request in two or send it elsewhere.
    if FRAMING.contains(&parsed.as_str()) {
        return Err(usage(&format!(
            "`{parsed}` is set by Claviger itself and cannot be fixed"
        )));
    }
    HeaderValue::from_str(value)
        .map_err(|error| usage(&format!("the value of `{parsed}` cannot be sent: {error}")))?;
    let role = Setting::Header {
        name: parsed.as_str(),
    };
    let sealed_value = seal(app, server, role, Some(value))
        .await?
        .unwrap_or_default();
    Ok(HeaderTemplate {
        name: parsed.to_string(),
        sealed_value,
    })
}

const FRAMING: [&str; 12] = [
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "mcp-session-id",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "proxy-connection",
];
