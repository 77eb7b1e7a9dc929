//! Peers that answer anything at all.

use claviger_client::{
    Discover, Machine, Need, Redeem, Refresh, Register, Step, discover, redeem, refresh, register,
};
use claviger_crypto::Secret;
use claviger_model::Timestamp;
use claviger_ports::{FetchError, FetchResponse};
use claviger_wire::{Callback, ScopeSet};
use http::{HeaderMap, HeaderValue, StatusCode};
use proptest::prelude::*;

use crate::support::*;

type Answer = Result<FetchResponse, FetchError>;

fn body() -> impl Strategy<Value = Vec<u8>> {
    let words = prop::sample::select(vec![
        prm().to_string(),
        metadata(ISSUER).to_string(),
        tokens().to_string(),
        "{\"client_id\":\"x\"}".to_owned(),
        "{\"error\":\"invalid_grant\"}".to_owned(),
        "{\"error\":\"invalid_redirect_uri\"}".to_owned(),
    ]);
    prop_oneof![
        words.prop_map(String::into_bytes),
        any::<Vec<u8>>(),
        "[{}\\[\\]\":,a-z0-9 ]{0,40}".prop_map(String::into_bytes),
    ]
}

fn answer() -> impl Strategy<Value = Answer> {
    let headers = prop::sample::select(vec!["application/json", "text/html", "Bearer scope=\"a"]);
    let whole = (100_u16..1000, headers, body()).prop_map(|(status, header, body)| {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static(header));
        headers.append("www-authenticate", HeaderValue::from_static(header));
        headers.append(
            "www-authenticate",
            HeaderValue::from_bytes(b"\xff").unwrap(),
        );
        Ok(FetchResponse {
            status: StatusCode::from_u16(status).unwrap(),
            headers,
            body: body.into(),
        })
    });
    prop_oneof![
        9 => whole,
        1 => Just(Err(FetchError::Timeout)),
    ]
}

/// Runs an errand on these answers, over and over; it has to end soon. Gives how often it asked.
fn ends<T: Clone>(mut machine: Machine<T>, answers: &[Answer]) -> usize {
    for (asked, answer) in answers.iter().cycle().take(60).enumerate() {
        match machine.step(Timestamp::from_secs(NOW)) {
            Step::Done(_) => return asked,
            Step::Need(Need::Http(request)) => {
                // C-69: whatever they say, nothing goes out in the clear or to another scheme.
                assert!(request.url.starts_with("https://"), "{}", request.url);
                machine.answer(answer.clone());
            }
            Step::Need(other) => panic!("{other:?}"),
        }
    }
    panic!("60 requests and no end");
}

proptest! {
    #[test]
    fn a_discovery_ends_whatever_they_say(answers in prop::collection::vec(answer(), 1..8)) {
        ends(discover(Discover::new(SERVER, quirks())), &answers);
        ends(discover(input()), &answers);
    }

    #[test]
    fn a_code_is_sent_once_whatever_they_say(
        answers in prop::collection::vec(answer(), 1..4),
        query in "(code|error|iss|state|x)=[a-z%0-9]{0,9}(&(code|error|iss)=[a-z]{0,5}){0,3}",
    ) {
        let pending = pending();
        let query = format!("state={}&{query}", pending.state.expose());
        if let Ok(callback) = Callback::parse(&query) {
            let asked = ends(redeem(Redeem { pending, callback, quirks: quirks(), jti: [0; 16] }), &answers);
            prop_assert!(asked <= 1);
        }
    }

    #[test]
    fn a_registration_and_a_refresh_end_whatever_they_say(answers in prop::collection::vec(answer(), 1..4)) {
        ends(register(Register {
            discovered: found(),
            existing: None,
            preset: None,
            document_url: None,
            redirect_uri: REDIRECT.to_owned(),
            client_name: "n".to_owned(),
            scopes: None,
            quirks: quirks(),
        }), &answers);
        ends(refresh(Refresh {
            issuer: ISSUER.to_owned(),
            token_endpoint: TOKEN.to_owned(),
            client: public_client(),
            refresh_token: Secret::new("rt-0"),
            resource: SERVER.to_owned(),
            scopes_granted: ScopeSet::new(),
            quirks: quirks(),
            jti: [0; 16],
        }), &answers);
    }
}
