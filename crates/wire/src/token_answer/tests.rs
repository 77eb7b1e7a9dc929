//! Token answers as issuers send them.

use proptest::prelude::*;

use super::*;
use crate::ErrorCode;

fn read(status: u16, body: &str) -> Result<Parsed<TokenAnswer>, TokenAnswerError> {
    parse_token_answer(status, body.as_bytes(), &TokenShape::default())
}

fn tokens_of(parsed: Parsed<TokenAnswer>) -> Parsed<TokenResponse> {
    parsed.map(|answer| match answer {
        TokenAnswer::Tokens(tokens) => tokens,
        TokenAnswer::Refused(refusal) => panic!("{refusal}"),
    })
}

fn expires(text: &str) -> (Option<i64>, bool) {
    let body = format!(r#"{{"access_token":"a","token_type":"bearer","expires_in":{text}}}"#);
    let parsed = tokens_of(read(200, &body).unwrap());
    (parsed.value.expires_in, parsed.has("Q03"))
}

#[test]
fn q03_a086_reads_every_kind_of_span() {
    assert_eq!(expires("3600"), (Some(3600), false));
    assert_eq!(expires("\"3600\""), (Some(3600), true));
    assert_eq!(expires("3599.7"), (Some(3599), true));
    assert_eq!(expires("\"3.6e3\""), (Some(3600), true));
    for unknown in ["0", "-1", "null", "\"soon\"", "[]", "0.2", "\"NaN\""] {
        assert_eq!(expires(unknown).0, None, "{unknown}");
    }
    assert_eq!(expires("1e308"), (Some(LIFE_LIMIT_S), true));
    assert_eq!(expires("9223372036854775807"), (Some(LIFE_LIMIT_S), false));
    assert_eq!(expires("\"inf\""), (Some(LIFE_LIMIT_S), true));
}

#[test]
fn q02_an_empty_refresh_token_is_none() {
    let parsed = tokens_of(
        read(
            200,
            r#"{"access_token":"a","token_type":"Bearer","refresh_token":""}"#,
        )
        .unwrap(),
    );
    assert!(parsed.value.refresh_token.is_none());
    assert!(parsed.has("Q02"));
}

#[test]
fn q38_reads_forms_lists_and_missing_types() {
    let parsed = tokens_of(read(200, "access_token=a&scope=x%2Cy&token_type=bearer\n").unwrap());
    assert!(parsed.has("Q38"));
    let parsed = tokens_of(read(200, r#"{"access_token":"a","scope":["x","y"]}"#).unwrap());
    assert_eq!(parsed.value.scopes.unwrap().to_string(), "x y");
}

#[test]
fn q38_reads_a_nested_answer_by_quirk() {
    let shape = TokenShape {
        path: Some("authed_user".to_owned()),
        scope_separator: ',',
        bearer_types: vec!["user".to_owned()],
    };
    let body =
        br#"{"ok":true,"authed_user":{"access_token":"xoxp","token_type":"user","scope":"a,b"}}"#;
    let parsed = tokens_of(parse_token_answer(200, body, &shape).unwrap());
    assert_eq!(parsed.value.access_token.expose(), "xoxp");
    assert_eq!(parsed.value.scopes.unwrap().to_string(), "a b");
    // Without the entry it is no answer.
    assert_eq!(
        parse_token_answer(200, body, &TokenShape::default()).map(|_| ()),
        Err(TokenAnswerError::NoAccessToken)
    );
}

#[test]
fn q38_an_error_wins_over_the_status() {
    for body in [
        r#"{"error":"invalid_grant","access_token":"a"}"#,
        r#"{"ok":false,"error":"invalid_grant"}"#,
        "error=invalid_grant&error_description=x",
    ] {
        let parsed = read(200, body).unwrap();
        assert!(parsed.has("Q38"), "{body}");
        assert!(matches!(
            parsed.value,
            TokenAnswer::Refused(Refusal {
                code: Some(ErrorCode::InvalidGrant),
                ..
            })
        ));
    }
}

#[test]
fn a086_refuses_tokens_that_split_headers_and_other_kinds() {
    for token in [
        "a\\r\\nX: y",
        "a\\u0000",
        "a b",
        "\\u00e9",
        &"x".repeat(16_385),
    ] {
        let body = format!(r#"{{"access_token":"{token}","token_type":"Bearer"}}"#);
        assert_eq!(read(200, &body).map(|_| ()), Err(TokenAnswerError::Token));
    }
    let body = r#"{"access_token":"a","token_type":"mac"}"#;
    assert_eq!(
        read(200, body).map(|_| ()),
        Err(TokenAnswerError::TokenType)
    );
}

#[test]
fn a088_keeps_nothing_of_an_error_body_but_the_code() {
    let body = r#"{"error":"invalid_client","error_description":"secret hunter2 AADSTS7000215","x":"hunter2"}"#;
    let parsed = read(401, body).unwrap();
    let shown = format!("{parsed:?}");
    assert!(!shown.contains("hunter2") && shown.contains("AADSTS7000215"));
    // An outage's page is no OAuth error.
    let page = read(502, "<html>hunter2</html>").unwrap();
    assert!(matches!(
        page.value,
        TokenAnswer::Refused(Refusal {
            status: 502,
            code: None,
            is_json: false,
            ..
        })
    ));
    assert_eq!(
        read(200, "<html>").map(|_| ()),
        Err(TokenAnswerError::NotReadable)
    );
}

proptest! {
    #[test]
    fn a086_no_bytes_make_it_panic(status in 100_u16..600, body in any::<Vec<u8>>()) {
        if let Ok(parsed) = parse_token_answer(status, &body, &TokenShape::default()) {
            prop_assert!(parsed.deviations.len() < 8);
        }
    }

    #[test]
    fn q03_a_span_is_positive_and_bounded(text in "-?[0-9]{1,25}(\\.[0-9]{1,5})?(e[0-9]{1,3})?") {
        if let Some(secs) = expires(&format!("\"{text}\"")).0 {
            prop_assert!((1..=LIFE_LIMIT_S).contains(&secs));
        }
    }
}
