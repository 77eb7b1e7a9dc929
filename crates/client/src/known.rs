//! Whether an issuer still knows our client, seen before a person is sent there (Q09).
//!
//! Who has lost our registration says so on the authorization page: the browser stays there and
//! nothing ever calls back.

use claviger_ports::{FetchRequest, FetchResponse, Sink};
use http::header::LOCATION;

use crate::Machine;
use crate::event::{Event, EventOutcome, Stage};
use crate::machine::Io;

/// What an authorization page says of our client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientKnown {
    /// That it knows no such client, or not this redirect URI of it.
    Lost,
    /// Nothing of the kind.
    NotLost,
}

/// Begins to ask an authorization page. `url` is a whole request whose `state` and challenge are
/// nobody's, so that its answer is of no use to anybody.
pub fn client_known(url: String) -> Machine<ClientKnown> {
    Machine::new(|io| run(io, url))
}

async fn run(io: Io, url: String) -> ClientKnown {
    let event = Event::new(Stage::Authorization, "Q09").at_place(&url);
    let request = FetchRequest::get(Sink::AuthorizationPage, url);
    match io.fetch(request).await {
        Ok(response) => {
            let event = event.status(response.status.as_u16());
            if is_lost(&response) {
                let event = event.outcome(EventOutcome::Refused);
                io.tell(event.note("the issuer does not know our client any more"));
                return ClientKnown::Lost;
            }
            io.tell(event.outcome(EventOutcome::Noted));
        }
        // What is not heard changes nothing.
        Err(error) => io.tell(
            event
                .outcome(EventOutcome::Unreachable)
                .note(error.to_string()),
        ),
    }
    ClientKnown::NotLost
}

fn is_lost(response: &FetchResponse) -> bool {
    match response.status.as_u16() {
        // RFC 6749 §4.1.2.1 wants a page; some send the error along.
        302 | 303 | 307 => response
            .headers
            .get(LOCATION)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|location| location.contains("error=invalid_client")),
        400 | 401 | 403 | 404 | 422 => {
            let text = String::from_utf8_lossy(&response.body).to_lowercase();
            SIGNS.iter().any(|sign| text.contains(sign))
        }
        _ => false,
    }
}

/// As issuers say it, in lower case. A bare 400 says nothing.
const SIGNS: [&str; 16] = [
    "invalid_client",
    "invalid client",
    "invalid_redirect_uri",
    "invalid redirect",
    "invalid `client_id`",
    "client not found",
    "client not registered",
    "client does not exist",
    "client is not registered",
    "no such client",
    "unknown client",
    "unregistered client",
    "unregistered redirect",
    "redirect uri mismatch",
    "redirect_uri_mismatch",
    "redirect_uri is not registered",
];

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, HeaderValue, StatusCode};

    use super::*;

    fn answer(status: u16, location: &str, body: &str) -> FetchResponse {
        let mut headers = HeaderMap::new();
        if !location.is_empty() {
            headers.insert(LOCATION, HeaderValue::from_str(location).unwrap());
        }
        FetchResponse {
            status: StatusCode::from_u16(status).unwrap(),
            headers,
            body: Bytes::copy_from_slice(body.as_bytes()),
        }
    }

    #[test]
    fn q09_a_lost_client_is_told_from_everything_else() {
        let lost = [
            answer(400, "", r#"{"error":"invalid_client"}"#),
            answer(
                401,
                "",
                r#"{"error": "invalid_client", "error_description": "x"}"#,
            ),
            answer(400, "", "<h1>OAuth client not registered</h1>"),
            answer(404, "", "Client Not Found"),
            answer(422, "", "Unknown client"),
            answer(400, "", "Unregistered redirect_uri"),
            answer(302, "http://127.0.0.1:1/c?error=invalid_client&state=s", ""),
        ];
        for response in lost {
            assert!(is_lost(&response), "{response:?}");
        }
        let others = [
            answer(200, "", "<form>Sign in. Unknown client software?</form>"),
            answer(302, "https://issuer.example/login?next=/authorize", ""),
            answer(302, "http://127.0.0.1:1/c?error=invalid_scope", ""),
            answer(303, "", ""),
            answer(400, "", ""),
            answer(400, "", r#"{"error":"invalid_request"}"#),
            answer(403, "", "<title>Just a moment…</title>"),
            answer(404, "", "not found"),
            answer(429, "", "invalid_client"),
            answer(500, "", "invalid_client"),
        ];
        for response in others {
            assert!(!is_lost(&response), "{response:?}");
        }
    }
}
