//! A registration that is there already: read, renewed, taken back (RFC 7592).
//!
//! Each request is an errand of its own. An issuer may give another management token with every
//! answer and forget the one before, so what an answer brought is stored before the next is sent.

use claviger_crypto::Secret;
use claviger_model::Timestamp;
use claviger_ports::{FetchRequest, FetchResponse, Sink};
use claviger_wire::{
    AuthMethod, RegistrationAnswer, RegistrationResponse, RegistrationUpdate,
    parse_registration_answer,
};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method};

use crate::event::{Event, EventOutcome, Stage};
use crate::machine::Io;
use crate::{ClientInformation, Machine};

/// What the issuer says of a registration now.
#[derive(Debug, Clone)]
pub enum Managed {
    /// It is there, and this is all we know of it now.
    Kept {
        /// The client information; its secrets may be new ones.
        client: Box<ClientInformation>,
        /// What may be said back to the issuer to have it renewed.
        update: RegistrationUpdate,
    },
    /// The issuer does not know it, or manages none.
    Refused,
    /// No answer, or none that can be used.
    Unknown,
}

/// Begins to read a registration.
pub fn read_registration(client: ClientInformation) -> Machine<Managed> {
    Machine::new(|io| async move { ask(&io, client, Method::GET, None).await })
}

/// Begins to update a registration with what it says already, for which an issuer renews its
/// secret. `client` holds the secret and the management token of the last answer.
pub fn update_registration(
    client: ClientInformation,
    update: RegistrationUpdate,
) -> Machine<Managed> {
    Machine::new(|io| async move {
        let body = update.print(client.secret.as_ref());
        ask(&io, client, Method::PUT, Some(body)).await
    })
}

/// Begins to take a registration back; says whether the issuer did.
pub fn delete_registration(client: ClientInformation) -> Machine<bool> {
    Machine::new(|io| async move {
        let sent = send(&io, &client, Method::DELETE, None).await;
        sent.is_some_and(|(response, event)| {
            let is_gone = response.status.is_success();
            let outcome = if is_gone {
                EventOutcome::Ok
            } else {
                EventOutcome::Refused
            };
            io.tell(event.outcome(outcome));
            is_gone
        })
    })
}

async fn ask(io: &Io, client: ClientInformation, method: Method, body: Option<Vec<u8>>) -> Managed {
    let Some((response, event)) = send(io, &client, method, body).await else {
        return Managed::Unknown;
    };
    let status = response.status.as_u16();
    if !response.status.is_success() {
        io.tell(event.outcome(EventOutcome::Refused));
        return match status {
            // RFC 7592 §2.1: 401 also where the client is no more.
            400 | 401 | 403 | 404 | 405 | 410 | 501 => Managed::Refused,
            _ => Managed::Unknown,
        };
    }
    let parsed = parse_registration_answer(status, &response.body).map(|parsed| parsed.value);
    let update = RegistrationUpdate::of_answer(&response.body);
    match (parsed, update) {
        // Another client's information is none of ours.
        (Ok(RegistrationAnswer::Registered(answer)), Some(update))
            if answer.client_id == client.client_id =>
        {
            io.tell(event);
            Managed::Kept {
                client: Box::new(merged(client, answer)),
                update,
            }
        }
        _ => {
            io.tell(event.outcome(EventOutcome::Unusable));
            Managed::Unknown
        }
    }
}

/// What was answered counts; what was not is as it was.
fn merged(client: ClientInformation, answer: RegistrationResponse) -> ClientInformation {
    let given = answer.client_secret.filter(|secret| !secret.is_empty());
    let ends = answer.client_secret_expires_at.map(Timestamp::from_secs);
    let old = client.secret.as_ref().map(Secret::expose);
    let is_new = given.as_ref().map(Secret::expose) != old && given.is_some();
    // RFC 7591 §3.2.1: with a new secret comes its end, and none is never. An old one keeps its
    // end where nothing is said of it.
    let secret_expires_at = if is_new {
        ends
    } else {
        ends.or(client.secret_expires_at)
    };
    let stated = answer.auth_method.as_deref().and_then(AuthMethod::parse);
    let auth_method = match (&given, stated) {
        (
            Some(_),
            Some(method @ (AuthMethod::ClientSecretBasic | AuthMethod::ClientSecretPost)),
        ) => method,
        _ => client.auth_method,
    };
    ClientInformation {
        secret: given.or(client.secret),
        auth_method,
        secret_expires_at,
        registration_access_token: answer
            .registration_access_token
            .or(client.registration_access_token),
        ..client
    }
}

async fn send(
    io: &Io,
    client: &ClientInformation,
    method: Method,
    body: Option<Vec<u8>>,
) -> Option<(FetchResponse, Event)> {
    let place = client.registration_client_uri.as_deref()?;
    let token = client.registration_access_token.as_ref()?;
    let rule = match method {
        Method::GET => "RFC 7592 §2.1",
        Method::PUT => "RFC 7592 §2.2",
        _ => "RFC 7592 §2.3",
    };
    let event = Event::new(Stage::Registration, rule).at_place(place);
    let request = request(place, token, method, body)?;
    match io.fetch(request).await {
        Ok(response) => {
            let event = event.status(response.status.as_u16());
            Some((response, event))
        }
        Err(error) => {
            let event = event.outcome(EventOutcome::Unreachable);
            io.tell(event.note(error.to_string()));
            None
        }
    }
}

fn request(
    place: &str,
    token: &Secret,
    method: Method,
    body: Option<Vec<u8>>,
) -> Option<FetchRequest> {
    let mut bearer = HeaderValue::from_str(&format!("Bearer {}", token.expose())).ok()?;
    bearer.set_sensitive(true);
    let mut request = FetchRequest::get(Sink::Registration, place);
    request.method = method;
    request.headers.insert(AUTHORIZATION, bearer);
    let json = HeaderValue::from_static("application/json");
    request.headers.insert(ACCEPT, json.clone());
    if let Some(body) = body {
        request.headers.insert(CONTENT_TYPE, json);
        request.body = Some(body.into());
    }
    Some(request)
}
