//! Documents as issuers publish them, and as attackers do.

use proptest::prelude::*;

use super::*;

const JSON: Option<&str> = Some("application/json");

fn issuer(body: &str) -> Result<IssuerMetadata, MetadataError> {
    parse_issuer_metadata(JSON, body.as_bytes()).map(|parsed| parsed.value)
}

#[test]
fn reads_a_full_document() {
    let metadata = issuer(
        r#"{"issuer":"https://i.example","authorization_endpoint":"https://i.example/a",
        "token_endpoint":"https://i.example/t","code_challenge_methods_supported":["S256"],
        "authorization_response_iss_parameter_supported":true,"unknown":{"x":[1]}}"#,
    )
    .unwrap();
    assert_eq!(metadata.issuer, "https://i.example");
    assert!(metadata.authorization_response_iss_parameter_supported);
    assert!(metadata.takes(crate::AuthMethod::ClientSecretBasic));
    assert!(!metadata.takes(crate::AuthMethod::None));
}

#[test]
fn a006_a_document_without_issuer_is_refused() {
    for body in [
        r#"{"token_endpoint":"https://i.example/t"}"#,
        r#"{"issuer":null,"token_endpoint":"https://i.example/t"}"#,
        r#"{"issuer":7,"token_endpoint":"https://i.example/t"}"#,
    ] {
        assert_eq!(
            issuer(body),
            Err(MetadataError::Missing { field: "issuer" })
        );
    }
}

#[test]
fn a014_a_document_labelled_otherwise_is_refused() {
    let body = br#"{"resource":"https://h.example"}"#;
    for kind in ["text/html", "text/plain; charset=utf-8", ""] {
        assert_eq!(
            parse_resource_metadata(Some(kind), body),
            Err(MetadataError::Json(JsonError::ContentType))
        );
    }
    assert!(parse_resource_metadata(None, body).unwrap().has("A014"));
}

#[test]
fn a016_a_document_with_a_dangerous_endpoint_is_refused() {
    for endpoint in [
        "javascript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "vbscript:x",
        "intent:x",
        "\\u0001javascript:x",
    ] {
        let body = format!(
            r#"{{"issuer":"https://i.example","token_endpoint":"https://i.example/t","authorization_endpoint":"{endpoint}"}}"#
        );
        assert!(
            matches!(
                issuer(&body),
                Err(MetadataError::Url {
                    field: "authorization_endpoint",
                    ..
                })
            ),
            "{endpoint}"
        );
    }
}

#[test]
fn q16_a_mistyped_optional_member_is_absent_and_noted() {
    let parsed = parse_issuer_metadata(
        JSON,
        br#"{"issuer":"https://i.example","token_endpoint":"https://i.example/t",
        "registration_endpoint":"file:///x","revocation_endpoint":7,"scopes_supported":null}"#,
    )
    .unwrap();
    assert_eq!(parsed.value.registration_endpoint, None);
    assert_eq!(parsed.value.revocation_endpoint, None);
    assert_eq!(parsed.value.scopes_supported, None);
    assert!(parsed.has("A016") && parsed.has("Q16"));
}

#[test]
fn resource_keeps_its_bytes_and_lists() {
    let parsed = parse_resource_metadata(
        JSON,
        br#"{"resource":"https://H.example:443","authorization_servers":["https://a.example",7],"scopes_supported":[]}"#,
    )
    .unwrap();
    // Q29: nothing is rewritten.
    assert_eq!(parsed.value.resource, "https://H.example:443");
    assert_eq!(parsed.value.authorization_servers, ["https://a.example"]);
    assert_eq!(parsed.value.scopes_supported, Some(Vec::new()));
}

#[test]
fn c44_a_resource_with_a_fragment_or_without_a_scheme_is_refused() {
    for resource in ["https://h.example/#x", "h.example/mcp", "urn:x:y"] {
        let body = format!(r#"{{"resource":"{resource}"}}"#);
        assert!(matches!(
            parse_resource_metadata(JSON, body.as_bytes()),
            Err(MetadataError::Url { .. })
        ));
    }
}

proptest! {
    #[test]
    fn a015_no_bytes_make_the_readers_panic(body in any::<Vec<u8>>(), text in "[{}\\[\\]\":,a-z0-9\\\\]{0,60}") {
        for body in [body.as_slice(), text.as_bytes()] {
            prop_assert!(parse_issuer_metadata(JSON, body).is_err());
            prop_assert!(parse_resource_metadata(None, body).is_err());
        }
    }
}
