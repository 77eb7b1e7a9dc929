//! The token endpoint: what is asked, by whom, and the answer's form.

use core::fmt;
use core::net::IpAddr;

use ::http::{HeaderMap, Method, header};
use claviger_crypto::Secret;
use claviger_model::Timestamp;
use claviger_wire::ScopeSet;
use serde_json::{Value, json};

use crate::limit::Counted;
use crate::parameters::Parameters;
use crate::{Client, EndpointError, ErrorCode, GrantType, Issuer, ProvenRequest};

/// A form posted to an endpoint, as it came.
#[derive(Clone, Copy)]
pub struct FormRequest<'a> {
    /// Headers.
    pub headers: &'a HeaderMap,
    /// The URL's query.
    pub query: Option<&'a str>,
    /// The body.
    pub body: &'a [u8],
    /// Where it comes from, if that is known.
    pub address: Option<IpAddr>,
}

/// Tokens. They are shown to one client, once.
#[derive(Debug)]
pub struct TokenAnswer {
    pub(crate) access_token: Secret,
    pub(crate) refresh_token: Option<Secret>,
    pub(crate) expires_in: u32,
    pub(crate) scopes: ScopeSet,
    pub(crate) is_bound: bool,
}

/// A token request whose client is proven.
pub(crate) struct TokenAsk<'a> {
    pub(crate) client: &'a Client,
    pub(crate) parameters: &'a Parameters,
    /// Thumbprint of the key that proved itself, if one did.
    pub(crate) dpop_jkt: Option<String>,
    pub(crate) now: Timestamp,
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
            // RFC 9449 §5: a bound token is no bearer token.
            "token_type": if self.is_bound { "DPoP" } else { "Bearer" },
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
    /// Issues tokens: for a code, a device code, a refresh token, or a client itself.
    pub async fn token(
        &self,
        request: &FormRequest<'_>,
        now: Timestamp,
    ) -> Result<TokenAnswer, EndpointError> {
        let parameters = request.read()?;
        self.admit_form(request, now)?;
        let client = self.authenticate(request, &parameters, now).await?;
        if parameters.repeats("resource") {
            return Err(EndpointError::new(
                ErrorCode::InvalidTarget,
                "only one resource at a time",
            ));
        }
        let url = self.endpoint_url("token");
        let proven = ProvenRequest {
            headers: request.headers,
            method: &Method::POST,
            url: &url,
        };
        let ask = TokenAsk {
            client: &client,
            parameters: &parameters,
            dpop_jkt: self.dpop_key(&proven, None, now).await?,
            now,
        };
        let Some(grant_type) = parameters.one("grant_type") else {
            return Err(malformed("grant_type is missing"));
        };
        match GrantType::parse(grant_type) {
            Some(GrantType::AuthorizationCode) => self.redeem(&ask).await,
            Some(GrantType::ClientCredentials) => self.client_credentials(&ask).await,
            Some(GrantType::DeviceCode) => self.redeem_device(&ask).await,
            Some(GrantType::RefreshToken) => self.refresh(&ask).await,
            None => Err(EndpointError::new(
                ErrorCode::UnsupportedGrantType,
                "grant_type is not offered",
            )),
        }
    }

    /// Counts a request to an endpoint for programs (R8).
    pub(crate) fn admit_form(
        &self,
        request: &FormRequest<'_>,
        now: Timestamp,
    ) -> Result<(), EndpointError> {
        let admitted = self
            .limiter
            .admit_address(Counted::Token, request.address, now);
        Ok(admitted?)
    }
}

pub(crate) fn malformed(description: &'static str) -> EndpointError {
    EndpointError::new(ErrorCode::InvalidRequest, description)
}
