//! Messages we answer with ourselves. Texts and links come from us, never from an upstream.

use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::{Era, code};

/// A JSON-RPC error; without an id it is `null`.
pub fn error(id: Option<&RawValue>, code: i64, message: &str, data: Option<Value>) -> String {
    let mut error = json!({ "code": code, "message": message });
    if let (Some(data), Some(members)) = (data, error.as_object_mut()) {
        members.insert("data".to_owned(), data);
    }
    format!(r#"{{"jsonrpc":"2.0","id":{},"error":{error}}}"#, text(id))
}

/// A JSON-RPC result.
pub fn result(id: Option<&RawValue>, result: &Value) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{},"result":{result}}}"#, text(id))
}

/// Several answers to a batch (2025-03-26).
pub fn batch(answers: &[String]) -> String {
    format!("[{}]", answers.join(","))
}

/// A tool call that failed with a text for the model and the person behind it.
pub fn tool_error(id: Option<&RawValue>, message: &str, era: Era, data: &Value) -> String {
    let mut body = json!({
        "content": [{ "type": "text", "text": message }],
        "isError": true,
        "_meta": data,
    });
    if let (Era::Modern, Some(members)) = (era, body.as_object_mut()) {
        // T-07: every result of the modern era says whether it is complete.
        members.insert("resultType".to_owned(), json!("complete"));
    }
    result(id, &body)
}

/// 2025-11-25: error -32042, somebody has to open `url` first. `elicitation_id` is opaque.
///
/// The members of `ours` stand beside the elicitation, and tell it from one of an upstream's.
pub fn url_elicitation_required(
    id: Option<&RawValue>,
    message: &str,
    url: &str,
    elicitation_id: &str,
    ours: &Value,
) -> String {
    let elicitation = json!({
        "mode": "url",
        "elicitationId": elicitation_id,
        "url": url,
        "message": message,
    });
    let mut data = ours.as_object().cloned().unwrap_or_default();
    data.insert("elicitations".to_owned(), json!([elicitation]));
    let data = Value::Object(data);
    error(id, code::URL_ELICITATION_REQUIRED, message, Some(data))
}

/// 2026-07-28: a result that asks for input; the caller repeats the call with a new id.
///
/// There is no `requestState`: nothing has to come back, the retry is a call like the first.
/// `meta` tells it from a request of an upstream's.
pub fn input_required(
    id: Option<&RawValue>,
    key: &str,
    message: &str,
    url: &str,
    meta: &Value,
) -> String {
    let request = json!({
        "method": "elicitation/create",
        "params": { "mode": "url", "message": message, "url": url },
    });
    let body = json!({
        "resultType": "input_required",
        "inputRequests": { key: request },
        "_meta": meta,
    });
    result(id, &body)
}

fn text(id: Option<&RawValue>) -> &str {
    id.map_or("null", RawValue::get)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    fn read(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn t22_errors_carry_the_id() {
        let id = id(r#""a\"b""#);
        assert_eq!(
            read(&error(Some(&id), -31001, "no", Some(json!({"a": 1})))),
            json!({"jsonrpc": "2.0", "id": "a\"b", "error": {"code": -31001, "message": "no", "data": {"a": 1}}})
        );
        assert_eq!(
            read(&error(None, -32700, "no", None)),
            json!({"jsonrpc": "2.0", "id": null, "error": {"code": -32700, "message": "no"}})
        );
    }

    #[test]
    fn t14_input_is_asked_for_by_url_and_without_state() {
        let id = id("7");
        assert_eq!(
            read(&input_required(
                Some(&id),
                "sign_in",
                "Sign in",
                "https://gw/x",
                &json!({"claviger": {"server": "a"}})
            )),
            json!({"jsonrpc": "2.0", "id": 7, "result": {
                "_meta": {"claviger": {"server": "a"}},
                "resultType": "input_required",
                "inputRequests": {"sign_in": {
                    "method": "elicitation/create",
                    "params": {"mode": "url", "message": "Sign in", "url": "https://gw/x"}
                }}
            }})
        );
    }

    #[test]
    fn g07_url_elicitation_of_2025_11_25() {
        let id = id("7");
        assert_eq!(
            read(&url_elicitation_required(
                Some(&id),
                "Sign in",
                "https://gw/x",
                "e1",
                &json!({"claviger": {"server": "a"}})
            )),
            json!({"jsonrpc": "2.0", "id": 7, "error": {"code": -32042, "message": "Sign in", "data": {
                "claviger": {"server": "a"},
                "elicitations": [{"mode": "url", "elicitationId": "e1", "url": "https://gw/x", "message": "Sign in"}]
            }}})
        );
    }

    #[test]
    fn t07_a_failed_tool_says_that_it_is_complete_in_the_modern_era_only() {
        let id = id("1");
        let modern = read(&tool_error(Some(&id), "no", Era::Modern, &json!({})));
        let legacy = read(&tool_error(Some(&id), "no", Era::Legacy, &json!({})));
        assert_eq!(modern["result"]["resultType"], "complete");
        assert_eq!(legacy["result"].get("resultType"), None);
        assert_eq!(legacy["result"]["isError"], true);
    }
}
