//! The token endpoint: what is asked, by whom, and the answer's form.

use core::fmt;

use ::http::{HeaderMap, header};
use claviger_crypto::{Secret, TokenKind};
use claviger_model::Timestamp;
use claviger_wire::ScopeSet;
use serde_json::{Value, json};

use crate::parameters::Parameters;
use crate::{AccessRow, EndpointError, ErrorCode, Family, Issuer};

/// A form posted to an endpoint, as it came.
#[derive(Clone, Copy)]
pub struct FormRequest<'a> {
    /// Headers.
    pub headers: &'a HeaderMap,
    /// The URL's query.
    pub query: Option<&'a str>,
    /// The body.
    pub body: &'a [u8],
}

/// Tokens. They are shown to one client, once.
#[derive(Debug)]
pub struct TokenAnswer {
    pub(crate) access_token: Secret,
    pub(crate) refresh_token: Option<Secret>,
    pub(crate) expires_in: u32,
    pub(crate) scopes: ScopeSet,
}

// === impl TokenAnswer ===

impl TokenAnswer {
    /// The access token.
    pub fn access_token(&self) -> &Secret {
        &self.access_token
    }

    /// The refresh token, if there is one.
    pub fn refresh_token(&self) -> Option<&Secret> {
        self.refresh_token.as_ref()
    }

    /// What was granted.
    pub fn scopes(&self) -> &ScopeSet {
        &self.scopes
    }

    /// The answer's body; it carries the tokens.
    pub fn body(&self) -> Value {
        let mut body = json!({
            "access_token": self.access_token.expose(),
            "token_type": "Bearer",
            "expires_in": self.expires_in,
            "scope": self.scopes.to_string(),
        });
        if let Some(refresh_token) = &self.refresh_token {
            body["refresh_token"] = json!(refresh_token.expose());
        }
        body
    }
}

// === impl FormRequest ===

impl FormRequest<'_> {
    pub(crate) fn read(&self) -> Result<Parameters, EndpointError> {
        // A101: a query ends up in logs.
        if self.query.is_some_and(|query| !query.is_empty()) {
            return Err(malformed("parameters belong into the body"));
        }
        let mut types = self.headers.get_all(header::CONTENT_TYPE).iter();
        let (Some(kind), None) = (types.next(), types.next()) else {
            return Err(malformed("one Content-Type header is needed"));
        };
        let kind = kind.to_str().unwrap_or_default();
        let essence = kind.split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(malformed(
                "the body must be application/x-www-form-urlencoded",
            ));
        }
        let Some(parameters) = Parameters::parse(self.body) else {
            return Err(malformed("too many parameters"));
        };
        if parameters.any_repeats() {
            return Err(malformed("a parameter came more than once"));
        }
        Ok(parameters)
    }
}

// The headers and the body carry secrets.
impl fmt::Debug for FormRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FormRequest").finish_non_exhaustive()
    }
}

// === impl Issuer ===

impl Issuer {
    /// Issues tokens for a code or a refresh token.
    pub async fn token(
        &self,
        request: &FormRequest<'_>,
        now: Timestamp,
    ) -> Result<TokenAnswer, EndpointError> {
        let parameters = request.read()?;
        let client = self.authenticate(request.headers, &parameters).await?;
        if parameters.repeats("resource") {
            return Err(EndpointError::new(
                ErrorCode::InvalidTarget,
                "only one resource at a time",
            ));
        }
        match parameters.one("grant_type") {
            Some("authorization_code") => self.redeem(&client, &parameters, now).await,
            Some("refresh_token") => self.refresh(&client, &parameters, now).await,
            Some(_) => Err(EndpointError::new(
                ErrorCode::UnsupportedGrantType,
                "grant_type must be authorization_code or refresh_token",
            )),
            None => Err(malformed("grant_type is missing")),
        }
    }

    /// A fresh access token of a family, and its row.
    pub(crate) fn mint_access(
        &self,
        family: &Family,
        scopes: ScopeSet,
        now: Timestamp,
    ) -> (Secret, AccessRow) {
        let (token, mac) = self.mint(TokenKind::Access);
        let row = AccessRow {
            mac,
            grant: family.grant.clone(),
            client_id: family.client_id.clone(),
            resource: family.resource.clone(),
            scopes,
            tenant: family.tenant.clone(),
            user: family.user.clone(),
            expires_at: now.plus(self.settings.access_ttl_s.into()),
        };
        (token, row)
    }
}

pub(crate) fn malformed(description: &'static str) -> EndpointError {
    EndpointError::new(ErrorCode::InvalidRequest, description)
}
