//! Arguments as they are understood.

use serde_json::json;

use super::*;

#[test]
fn a_value_that_reads_as_json_is_json() {
    let args = |pairs: &[&str], json: Option<&str>| CallArgs {
        slug: "linear".to_owned().try_into().unwrap(),
        tool: "a".to_owned(),
        args: pairs.iter().copied().map(str::to_owned).collect(),
        json: json.map(str::to_owned),
        protocol_version: None,
    };
    for (pairs, json, expected) in [
        (&[][..], None, json!({})),
        (
            &["a=1", "b=true", "c=null"],
            None,
            json!({ "a": 1, "b": true, "c": null }),
        ),
        (
            &["a=text", "b=a=b", "c="],
            None,
            json!({ "a": "text", "b": "a=b", "c": "" }),
        ),
        (
            &["a=\"1\"", "b=[1, 2]"],
            None,
            json!({ "a": "1", "b": [1, 2] }),
        ),
        (
            &["b=2"],
            Some(r#"{"a":1,"b":1}"#),
            json!({ "a": 1, "b": 2 }),
        ),
    ] {
        assert_eq!(arguments(&args(pairs, json)).unwrap(), expected);
    }
}
