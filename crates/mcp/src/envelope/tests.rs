//! What is read, and what is refused.

use proptest::prelude::*;

use super::*;

fn read(text: &str) -> Result<Message<'_>, EnvelopeError> {
    Message::read(text.as_bytes())
}

fn refused(text: &str) -> EnvelopeError {
    read(text).expect_err(text)
}

#[test]
fn reads_a_modern_call_without_copying() {
    let text = r#" {"jsonrpc":"2.0","id":"a\u0062","method":"tools/call","params":{"name":"echo","arguments":{"a":1,"a":2},
        "_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"elicitation":{"url":{}}}}}} "#;
    let message = read(text).unwrap();
    let one = message.single().unwrap();
    assert_eq!(one.kind, Kind::Request);
    assert_eq!(one.id.unwrap().get(), r#""a\u0062""#);
    assert_eq!(one.meta_version.as_deref(), Some("2026-07-28"));
    assert_eq!(one.elicits_url, Some(true));
    assert_eq!(one.operation(), "tools/call echo");
    assert!(matches!(one.method, Some(Cow::Borrowed(_))));
}

#[test]
fn reads_what_initialize_says_of_the_client() {
    let with = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{"elicitation":{"form":{},"url":{}}}}}"#;
    let forms = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{"elicitation":{}}}}"#;
    for (text, expected) in [(with, true), (forms, false)] {
        let message = read(text).unwrap();
        let one = message.single().unwrap();
        assert_eq!(one.elicits_url, Some(expected));
        assert_eq!(one.initialize_version.as_deref(), Some("2025-11-25"));
    }
}

#[test]
fn tells_requests_notifications_and_responses_apart() {
    for (text, kind) in [
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#, Kind::Request),
        (
            r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
            Kind::Notification,
        ),
        (r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, Kind::Response),
        (
            r#"{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":""}}"#,
            Kind::Response,
        ),
    ] {
        assert_eq!(read(text).unwrap().single().unwrap().kind, kind, "{text}");
    }
    for text in [
        r#"{"jsonrpc":"2.0"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"a","result":{}}"#,
        r#"{"jsonrpc":"2.0","id":null,"method":"a"}"#,
    ] {
        assert_eq!(refused(text), EnvelopeError::Kind, "{text}");
    }
}

#[test]
fn a151_keys_that_stand_twice_are_refused() {
    for text in [
        r#"{"jsonrpc":"2.0","id":1,"method":"a","method":"b"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"a","m\u0065thod":"b"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","name":"b"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"a","params":{"_meta":{"x":1,"x":2}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"a","params":{},"params":{}}"#,
    ] {
        assert_eq!(refused(text), EnvelopeError::DuplicateKey, "{text}");
    }
}

#[test]
fn a151_keys_that_some_readers_take_for_ours_are_refused() {
    for (text, twin) in [
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"a","Method":"b"}"#,
            "method",
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"a","paramſ":{}}"#,
            "params",
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"a","params":{"tasKId":"b"}}"#,
            "taskId",
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"a","params":{"NAME":"b"}}"#,
            "name",
        ),
    ] {
        assert_eq!(refused(text), EnvelopeError::LookAlike(twin), "{text}");
    }
}

#[test]
fn a151_bytes_around_the_message_are_refused() {
    let plain = r#"{"jsonrpc":"2.0","id":1,"method":"a"}"#;
    assert_eq!(refused(&format!("\u{feff}{plain}")), EnvelopeError::NotUtf8);
    for text in [
        format!("{plain}{plain}"),
        format!("{plain} x"),
        format!("{plain}\0"),
        format!("[{plain}]]"),
        String::new(),
    ] {
        assert_eq!(refused(&text), EnvelopeError::Malformed, "{text}");
    }
    assert_eq!(
        Message::read(b"{\"jsonrpc\":\"2.0\",\"method\":\"\xff\"}").unwrap_err(),
        EnvelopeError::NotUtf8
    );
}

#[test]
fn a151_ids_that_do_not_survive_a_reader_are_refused() {
    for id in ["1e3", "1.0", "9223372036854775808", "true", "[1]", "{}"] {
        let text = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"a"}}"#);
        assert_eq!(refused(&text), EnvelopeError::Id, "{id}");
    }
}

#[test]
fn refuses_what_is_no_object_and_what_is_too_deep() {
    for text in ["1", "null", "\"x\""] {
        assert_eq!(refused(text), EnvelopeError::NotAnObject, "{text}");
    }
    let params = r#"{"jsonrpc":"2.0","id":1,"method":"a","params":[1]}"#;
    assert_eq!(refused(params), EnvelopeError::MemberType("params"));
    let deep = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"a","params":{{"a":{}{}}}}}"#,
        "[".repeat(130),
        "]".repeat(130)
    );
    assert_eq!(refused(&deep), EnvelopeError::TooDeep);
    let text = r#"{"jsonrpc":"2.0","id":1,"method":"a","params":{"a":"\"[[[[[[[[[[[[[[[[["}}"#;
    assert!(read(text).is_ok());
    assert_eq!(
        refused(r#"{"jsonrpc":"1.0","id":1,"method":"a"}"#),
        EnvelopeError::Version
    );
}

#[test]
fn a_batch_is_told_apart_and_bounded() {
    let one = r#"{"jsonrpc":"2.0","id":1,"method":"a"}"#;
    assert_eq!(
        read(&format!("[{one},{one}]")).unwrap().envelopes().len(),
        2
    );
    assert_eq!(refused("[]"), EnvelopeError::BatchSize);
    let many = vec![one; 65].join(",");
    assert_eq!(refused(&format!("[{many}]")), EnvelopeError::BatchSize);
    assert_eq!(refused(&format!("[[{one}]]")), EnvelopeError::NotAnObject);
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(message) = Message::read(&bytes) {
            prop_assert!(!message.envelopes().is_empty());
        }
    }

    // A151: what was read agrees with a reader in which the first key wins and with one in which
    // the last one does.
    #[test]
    fn a151_agrees_with_other_readers(method in "[a-z/]{1,12}", name in any::<String>(), id in any::<i64>()) {
        let body = serde_json::json!({"jsonrpc": "2.0", "id": id, "method": method, "params": {"name": name}}).to_string();
        let message = Message::read(body.as_bytes()).unwrap();
        let one = message.single().unwrap();
        prop_assert_eq!(one.method.as_deref(), Some(method.as_str()));
        prop_assert_eq!(one.name.as_deref(), Some(name.as_str()));
        prop_assert_eq!(one.id.unwrap().get(), id.to_string());
    }
}
