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
    #![proptest_config(ProptestConfig::with_cases(4_000))]
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(message) = Message::read(&bytes) {
            prop_assert!(!message.envelopes().is_empty());
        }
    }

    // A151: whatever is accepted, readers agree on: the one in which the first key wins, the one in
    // which the last one does, and the one that does not mind case.
    #[test]
    fn a151_agrees_with_other_readers(
        top in members(&["id", "method", "Method", "METHOD", "params", "x"]),
        inner in members(&["name", "Name", "uri", "_meta", "taskId", "taſkId", "tasKId", "x"]),
    ) {
        let object = |pairs: &[(String, String)]| {
            let pairs: Vec<_> = pairs.iter().map(|(key, value)| format!("{key}:{value}")).collect();
            format!("{{{}}}", pairs.join(","))
        };
        let mut top = top;
        top.push((r#""jsonrpc""#.to_owned(), String::new()));
        for (key, value) in &mut top {
            match serde_json::from_str::<String>(key).unwrap().as_str() {
                "jsonrpc" => *value = r#""2.0""#.to_owned(),
                "params" => *value = object(&inner),
                _ => {}
            }
        }
        let text = object(&top);
        let Ok(message) = Message::read(text.as_bytes()) else {
            return Ok(());
        };
        let one = message.single().unwrap();
        let plain = |text: &str| serde_json::from_str::<String>(text).unwrap();
        let lax = |pairs: &[(String, String)], wanted: &str| -> Vec<String> {
            let same = pairs.iter().filter(|(key, _)| {
                let key = plain(key).replace('ſ', "s").replace('\u{212a}', "k");
                key.eq_ignore_ascii_case(wanted)
            });
            same.map(|(_, value)| value.clone()).collect()
        };
        let method = lax(&top, "method");
        prop_assert_eq!(method.len(), usize::from(one.method.is_some()), "{}", text);
        if let (Some(found), Some(said)) = (&one.method, method.first()) {
            prop_assert_eq!(found.as_ref(), plain(said));
        }
        if !lax(&top, "params").is_empty() {
            for (wanted, found) in [("name", &one.name), ("uri", &one.uri), ("taskId", &one.task_id)] {
                let said = lax(&inner, wanted);
                prop_assert!(said.len() <= 1, "{}", text);
                let said = said.first().and_then(|raw| serde_json::from_str::<String>(raw).ok());
                prop_assert_eq!(found.as_deref(), said.as_deref());
            }
        }
    }

    #[test]
    fn ids_and_texts_are_read_as_they_are_written(
        method in "[a-z/]{1,12}",
        name in any::<String>(),
        id in any::<i64>(),
    ) {
        let body = serde_json::json!({
            "jsonrpc": "2.0", "id": id, "method": method, "params": {"name": name},
        });
        let body = body.to_string();
        let message = Message::read(body.as_bytes()).unwrap();
        let one = message.single().unwrap();
        prop_assert_eq!(one.method.as_deref(), Some(method.as_str()));
        prop_assert_eq!(one.name.as_deref(), Some(name.as_str()));
        prop_assert_eq!(one.id.unwrap().get(), id.to_string());
    }
}

/// Members of an object as raw text; keys come plain and escaped, once and twice.
fn members(keys: &'static [&'static str]) -> impl Strategy<Value = Vec<(String, String)>> {
    let key = (prop::sample::select(keys), any::<bool>()).prop_map(|(key, is_escaped)| {
        let second = key
            .char_indices()
            .nth(1)
            .filter(|(_, one)| is_escaped && one.is_ascii());
        match second {
            Some((at, one)) => {
                let (head, tail) = key.split_at(at);
                let tail: String = tail.chars().skip(1).collect();
                format!("\"{head}\\u{:04x}{tail}\"", u32::from(one))
            }
            None => format!("\"{key}\""),
        }
    });
    let value = prop::sample::select(VALUES).prop_map(str::to_owned);
    prop::collection::vec((key, value), 2..6)
}

const VALUES: &[&str] = &[r#""a""#, r#""b""#, "1", "{}", "null"];
