//! Client authentication: RFC 6749 §2.3, RFC 7591 §2.

use ::http::{HeaderMap, header};
use claviger_crypto::{Secret, UnverifiedJws, base64_decode};
use claviger_model::Timestamp;

use crate::limit::Counted;
use crate::parameters::Parameters;
use crate::{AuthMethod, Client, EndpointError, ErrorCode, FormRequest, Issuer};

/// What a client shows of itself; nothing of it is proven.
pub(crate) struct Presented {
    pub(crate) client_id: String,
    pub(crate) secret: Option<Secret>,
    assertion: Option<UnverifiedJws>,
    method: AuthMethod,
}

// === impl Presented ===

impl Presented {
    pub(crate) fn is_basic(&self) -> bool {
        self.method == AuthMethod::SecretBasic
    }
}

impl Issuer {
    /// The client that sent the request, by the method it registered and no other.
    pub(crate) async fn authenticate(
        &self,
        request: &FormRequest<'_>,
        parameters: &Parameters,
        now: Timestamp,
    ) -> Result<Client, EndpointError> {
        let presented = presented(request.headers, parameters)?;
        let basic = presented.is_basic();
        // A107: an unknown client and a wrong secret take the same way and get the same answer.
        let client = self.find_asking_client(&presented.client_id, parameters, now);
        let client = client.await?;
        let expected = client.as_ref().and_then(|client| client.secret_mac);
        let secret = presented.secret.as_ref().map_or("", Secret::expose);
        let proven = self.has_mac(
            "client_secret",
            &[&presented.client_id, secret],
            &expected.unwrap_or_default(),
        );
        // A098: a client with a secret is never let through without it, nor by another way.
        let Some(client) = client.filter(|client| client.auth == presented.method) else {
            return Err(failed(basic));
        };
        let proven = match client.auth {
            AuthMethod::None => true,
            AuthMethod::PrivateKeyJwt => match &presented.assertion {
                Some(assertion) => self.is_own_assertion(&client, assertion, now).await?,
                None => false,
            },
            AuthMethod::SecretBasic | AuthMethod::SecretPost => proven,
        };
        if !proven {
            return Err(failed(basic));
        }
        self.limiter
            .admit(Counted::TokenOfClient, &client.id, now)?;
        Ok(client)
    }
}

/// What the request shows, in the header or in the body.
pub(crate) fn presented(
    headers: &HeaderMap,
    parameters: &Parameters,
) -> Result<Presented, EndpointError> {
    if headers.contains_key(header::AUTHORIZATION) {
        from_header(headers, parameters)
    } else if parameters.one("client_assertion").is_some() {
        from_assertion(parameters)
    } else {
        from_body(parameters)
    }
}

fn from_header(headers: &HeaderMap, parameters: &Parameters) -> Result<Presented, EndpointError> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(EndpointError::new(
            ErrorCode::InvalidRequest,
            "more than one Authorization header",
        ));
    };
    // RFC 6749 §2.3: a client uses no more than one method in a request.
    if parameters.one("client_secret").is_some() || parameters.one("client_assertion").is_some() {
        return Err(EndpointError::new(
            ErrorCode::InvalidRequest,
            "client authentication in the header and in the body",
        ));
    }
    let Some((client_id, secret)) = value.to_str().ok().and_then(read_basic) else {
        return Err(failed(true));
    };
    check_named(parameters, &client_id)?;
    Ok(Presented {
        client_id,
        secret: Some(secret),
        assertion: None,
        method: AuthMethod::SecretBasic,
    })
}

// RFC 7521 §4.2: the assertion names the client; `client_id` may repeat it.
fn from_assertion(parameters: &Parameters) -> Result<Presented, EndpointError> {
    if parameters.one("client_secret").is_some() {
        return Err(EndpointError::new(
            ErrorCode::InvalidRequest,
            "client authentication by assertion and by secret",
        ));
    }
    let is_jwt = parameters.one("client_assertion_type") == Some(JWT_BEARER);
    let read = parameters.one("client_assertion").filter(|_| is_jwt);
    let read = read.and_then(UnverifiedJws::read);
    let named = read.as_ref().and_then(UnverifiedJws::unverified_subject);
    let (Some(assertion), Some(client_id)) = (read, named) else {
        return Err(failed(false));
    };
    check_named(parameters, &client_id)?;
    Ok(Presented {
        client_id,
        secret: None,
        assertion: Some(assertion),
        method: AuthMethod::PrivateKeyJwt,
    })
}

fn from_body(parameters: &Parameters) -> Result<Presented, EndpointError> {
    let Some(client_id) = parameters.one("client_id") else {
        return Err(failed(false));
    };
    let secret = parameters.one("client_secret").map(Secret::new);
    let method = match secret {
        Some(_) => AuthMethod::SecretPost,
        None => AuthMethod::None,
    };
    Ok(Presented {
        client_id: client_id.to_owned(),
        secret,
        assertion: None,
        method,
    })
}

fn check_named(parameters: &Parameters, client_id: &str) -> Result<(), EndpointError> {
    if parameters
        .one("client_id")
        .is_some_and(|named| named != client_id)
    {
        return Err(EndpointError::new(
            ErrorCode::InvalidRequest,
            "client_id in the body is not the one that authenticated",
        ));
    }
    Ok(())
}

// RFC 6749 §2.3.1: id and secret are form-encoded before they are joined.
fn read_basic(value: &str) -> Option<(String, Secret)> {
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(base64_decode(encoded.trim())?).ok()?;
    let (id, secret) = text.split_once(':')?;
    let (id, secret) = (form_decode(id)?, form_decode(secret)?);
    if id.is_empty() || secret.is_empty() {
        return None;
    }
    Some((id, Secret::new(secret)))
}

fn form_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let (high, low) = (nibble(rest.next()?)?, nibble(rest.next()?)?);
                high << 4 | low
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

fn nibble(byte: u8) -> Option<u8> {
    let digit = char::from(byte).to_digit(16)?;
    u8::try_from(digit).ok()
}

pub(crate) fn failed(challenge: bool) -> EndpointError {
    EndpointError::new(ErrorCode::InvalidClient, "client authentication failed")
        .with_challenge(challenge)
}

/// RFC 7523 §2.2.
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

#[cfg(test)]
mod tests {
    use super::*;
    use claviger_crypto::base64_encode;

    #[test]
    fn a23_id_and_secret_are_form_decoded() {
        let value = format!("bAsIc {}", base64_encode(b"a%3Ab:s%20c+d%2B"));
        let (id, secret) = read_basic(&value).unwrap();
        assert_eq!((id.as_str(), secret.expose()), ("a:b", "s c d+"));
    }

    #[test]
    fn a099_malformed_basic_is_no_authentication() {
        for inner in [
            &b"nocolon"[..],
            b":",
            b"a:",
            b":b",
            b"a:%zz",
            b"a:%4",
            b"\xff:\xff",
        ] {
            let value = format!("Basic {}", base64_encode(inner));
            assert!(read_basic(&value).is_none(), "{inner:?}");
        }
        for value in ["Basic", "Basic !!!", "Bearer abc", ""] {
            assert!(read_basic(value).is_none(), "{value}");
        }
    }
}
