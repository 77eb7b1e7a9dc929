//! Dynamic client registration: RFC 7591, C-28 to C-30, C-34.

use claviger_crypto::Secret;
use claviger_model::{RegistrationOrigin, Timestamp};
use claviger_ports::{FetchRequest, Sink};
use claviger_wire::{
    AuthMethod, Deviation, ErrorCode, Refusal, RegistrationAnswer, RegistrationRequest,
    RegistrationResponse, parse_registration_answer, parse_web_url, same_origin,
};
use http::HeaderValue;
use http::header::{ACCEPT, CONTENT_TYPE};

use super::{Register, RegisterError, derived};
use crate::client_information::ClientInformation;
use crate::discover::shown;
use crate::event::{Event, EventOutcome, Stage};
use crate::machine::Io;
use crate::token::scope_text;

pub(super) async fn run(io: &Io, input: &Register) -> Result<ClientInformation, RegisterError> {
    let issuer = &input.discovered.issuer;
    let Some(endpoint) = &issuer.registration_endpoint else {
        return Err(by_hand(io, input));
    };
    let mut request = request(input);
    loop {
        let refusal = match send(io, input, endpoint, &request).await? {
            RegistrationAnswer::Registered(response) => {
                return Ok(client(io, input, &request, response));
            }
            RegistrationAnswer::Refused(refusal) => refusal,
            _ => {
                return Err(RegisterError::Answer {
                    issuer: shown(&issuer.issuer),
                    why: claviger_wire::RegistrationAnswerError::NotJson,
                });
            }
        };
        // C-30: some issuers know only "web"; one more try says so.
        if request.application_type == "native" && is_about_redirects(&refusal) {
            request.application_type = "web";
            continue;
        }
        if matches!(refusal.status, 404 | 405 | 501) {
            return Err(by_hand(io, input));
        }
        return Err(RegisterError::Refused {
            issuer: shown(&issuer.issuer),
            refusal,
        });
    }
}

fn request(input: &Register) -> RegistrationRequest {
    let quirk = input.quirks.of(input.discovered.issuer_id());
    let issuer = &input.discovered.issuer;
    // A public client with PKCE has nothing that could leak; a secret only where one must be.
    let auth_method = if issuer.takes(AuthMethod::None) {
        AuthMethod::None
    } else {
        derived(&input.discovered)
    };
    RegistrationRequest {
        client_name: input.client_name.clone(),
        redirect_uris: vec![input.redirect_uri.clone()],
        // C-34, Q19: both, or there will never be a refresh token.
        grant_types: vec!["authorization_code", "refresh_token"],
        response_types: vec!["code"],
        token_endpoint_auth_method: auth_method,
        // C-29: absent means "web" to some, and a web client has no loopback redirect.
        application_type: application_type(&input.redirect_uri),
        scope: input
            .scopes
            .as_ref()
            .and_then(|scopes| scope_text(scopes, &quirk)),
        software_id: Some("claviger".to_owned()),
        software_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
    }
}

/// C-29: a redirect to this machine is a native client, one to a public address a web client.
fn application_type(redirect_uri: &str) -> &'static str {
    if redirect_uri.starts_with("https:") {
        "web"
    } else {
        "native"
    }
}

async fn send(
    io: &Io,
    input: &Register,
    endpoint: &str,
    request: &RegistrationRequest,
) -> Result<RegistrationAnswer, RegisterError> {
    let issuer = || shown(input.discovered.issuer_id());
    let event = Event::new(Stage::Registration, "C-28 (RFC 7591 §3.1)").at_place(endpoint);
    // A struct of texts always has a JSON form.
    let body = serde_json::to_vec(request).unwrap_or_default();
    let mut fetch = FetchRequest::post(Sink::Registration, endpoint, body);
    let json = HeaderValue::from_static("application/json");
    fetch.headers.insert(CONTENT_TYPE, json.clone());
    fetch.headers.insert(ACCEPT, json);
    let response = match io.fetch(fetch).await {
        Ok(response) => response,
        Err(source) => {
            io.tell(
                event
                    .outcome(EventOutcome::Unreachable)
                    .note(source.to_string()),
            );
            return Err(RegisterError::Unreachable {
                issuer: issuer(),
                source,
            });
        }
    };
    let status = response.status.as_u16();
    let event = event.status(status);
    let parsed = match parse_registration_answer(status, &response.body) {
        Ok(parsed) => parsed,
        Err(why) => {
            io.tell(event.outcome(EventOutcome::Unusable).note(why.to_string()));
            return Err(RegisterError::Answer {
                issuer: issuer(),
                why,
            });
        }
    };
    let event = event.deviations(&parsed.deviations);
    io.tell(match &parsed.value {
        RegistrationAnswer::Refused(refusal) => event
            .outcome(EventOutcome::Refused)
            .note(format!("{}: {refusal}", request.application_type)),
        _ => event.note(request.application_type),
    });
    Ok(parsed.value)
}

fn client(
    io: &Io,
    input: &Register,
    request: &RegistrationRequest,
    response: RegistrationResponse,
) -> ClientInformation {
    let secret = response.client_secret.filter(|secret| !secret.is_empty());
    let auth_method = granted(
        io,
        input,
        request,
        response.auth_method.as_deref(),
        secret.as_ref(),
    );
    ClientInformation {
        secret,
        auth_method,
        redirect_uri: Some(input.redirect_uri.clone()),
        secret_expires_at: response.client_secret_expires_at.map(Timestamp::from_secs),
        registration_client_uri: response
            .registration_client_uri
            .filter(|uri| is_managed_there(input, uri)),
        registration_access_token: response.registration_access_token,
        ..ClientInformation::public(
            input.discovered.issuer_id(),
            response.client_id,
            RegistrationOrigin::Dynamic,
        )
    }
}

/// The management token is a credential of this registration endpoint, and goes nowhere else.
fn is_managed_there(input: &Register, uri: &str) -> bool {
    let endpoint = input.discovered.issuer.registration_endpoint.as_deref();
    let endpoint = endpoint.and_then(|text| parse_web_url(text).ok());
    let (Some(endpoint), Ok(uri)) = (endpoint, parse_web_url(uri)) else {
        return false;
    };
    same_origin(&endpoint, &uri)
}

/// Q17: what was granted counts, not what was asked for; without a word, what was given decides.
fn granted(
    io: &Io,
    input: &Register,
    request: &RegistrationRequest,
    stated: Option<&str>,
    secret: Option<&Secret>,
) -> AuthMethod {
    let asked = request.token_endpoint_auth_method;
    let method = match (secret, stated.and_then(AuthMethod::parse)) {
        // An empty secret is none, whatever the method says.
        (None, _) | (Some(_), Some(AuthMethod::None)) => AuthMethod::None,
        (
            Some(_),
            Some(method @ (AuthMethod::ClientSecretBasic | AuthMethod::ClientSecretPost)),
        ) => method,
        (Some(_), _) if asked != AuthMethod::None => asked,
        (Some(_), _) => derived(&input.discovered),
    };
    if method != asked {
        let deviation = Deviation::new("Q17", "another way of proving than was asked for");
        io.tell(
            Event::new(Stage::Registration, "C-57 (RFC 7591 §3.2.1)")
                .outcome(EventOutcome::Noted)
                .note(method.as_str())
                .deviations(&[deviation]),
        );
    }
    method
}

fn is_about_redirects(refusal: &Refusal) -> bool {
    refusal.status == 400
        && matches!(
            refusal.code,
            Some(ErrorCode::InvalidRedirectUri | ErrorCode::InvalidClientMetadata)
        )
}

fn by_hand(io: &Io, input: &Register) -> RegisterError {
    io.tell(
        Event::new(Stage::Registration, "C-20, C-22")
            .outcome(EventOutcome::Refused)
            .note("neither pre-registered, nor by document, nor dynamic"),
    );
    let issuer = input.discovered.issuer_id();
    RegisterError::BringYourOwn {
        issuer: shown(issuer),
        redirect_uri: input.redirect_uri.clone(),
        console_url: input.quirks.of(issuer).console_url,
    }
}
