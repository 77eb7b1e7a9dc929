//! Conversations with a server in a box.

use claviger_mcp::header::{MCP_METHOD, MCP_NAME, MCP_PROTOCOL_VERSION, MCP_SESSION_ID};
use url::Url;

use super::*;
use crate::testing::{Bench, Ended, Fake, answer, json_answer};

fn read(request: &McpRequest) -> (Value, String) {
    let body: Value = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
    let method = body["method"].as_str().unwrap_or_default().to_owned();
    (body, method)
}

fn result(body: &Value, result: &Value) -> http::Response<claviger_ports::Body> {
    json_answer(
        200,
        &json!({ "jsonrpc": "2.0", "id": body["id"], "result": result }),
    )
}

fn error(body: &Value, error: &Value) -> http::Response<claviger_ports::Body> {
    json_answer(
        200,
        &json!({ "jsonrpc": "2.0", "id": body["id"], "error": error }),
    )
}

/// A server with sessions whose tool calls are answered like this.
fn legacy(
    answer_call: impl Fn(&Value) -> http::Response<claviger_ports::Body> + Send + Sync + 'static,
) -> Fake {
    Fake::forwarding(move |request| {
        let (body, method) = read(request);
        match method.as_str() {
            "initialize" => {
                let version = body["params"]["protocolVersion"].clone();
                let mut response = result(&body, &json!({ "protocolVersion": version }));
                response
                    .headers_mut()
                    .insert(MCP_SESSION_ID, "s1".parse().unwrap());
                response
            }
            _ if request
                .headers
                .get(MCP_SESSION_ID)
                .is_none_or(|id| id != "s1") =>
            {
                error(&body, &json!({ "code": -32600, "message": "no session" }))
            }
            "tools/list" if body["params"]["cursor"] == "2" => {
                result(&body, &json!({ "tools": [{ "name": "b" }] }))
            }
            "tools/list" => {
                let tool = json!({
                    "name": "a", "description": "\n  Adds.\nMore.",
                    "inputSchema": {
                        "properties": { "x": { "type": "number" }, "y": {} }, "required": ["x"],
                    },
                });
                result(&body, &json!({ "tools": [tool], "nextCursor": "2" }))
            }
            "tools/call" => answer_call(&body),
            _ => answer(202, "text/plain", ""),
        }
    })
}

fn text(text: &str) -> Value {
    json!({ "content": [{ "type": "text", "text": text }] })
}

fn sent_methods(bench: &Bench) -> Vec<String> {
    let sent = bench.gateway.sent.lock().unwrap();
    sent.iter()
        .map(|body| body["method"].as_str().unwrap_or("-").to_owned())
        .collect()
}

#[tokio::test]
async fn lists_all_pages_within_one_session_and_ends_it() {
    let bench = Bench::new(legacy(|_| panic!("no call was expected")));
    let ran = bench.run(&["tools", "linear"]).await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(ran.out, "a\n  Adds.\n  x: number, [y: any]\nb\n");
    assert_eq!(
        sent_methods(&bench),
        [
            "initialize",
            "notifications/initialized",
            "tools/list",
            "tools/list",
            "-"
        ]
    );
    let ran = bench.run(&["tools", "linear", "--json"]).await;
    let names = ran
        .out
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    assert_eq!(
        names.map(|tool| tool["name"].clone()).collect::<Vec<_>>(),
        ["a", "b"]
    );
}

#[tokio::test]
async fn a198_prints_text_without_what_a_terminal_would_obey() {
    let bench = Bench::new(legacy(|body| {
        result(
            body,
            &text(&format!(
                "\u{1b}[31m{}\u{1b}]0;t\u{7}",
                body["params"]["arguments"]
            )),
        )
    }));
    let ran = bench
        .run(&["call", "linear", "a", "--arg", "x=5", "--arg", "y=five"])
        .await;
    assert_eq!(
        (ran.code, ran.out.as_str()),
        (0, "{\"x\":5,\"y\":\"five\"}\n")
    );
}

#[tokio::test]
async fn arguments_come_as_one_object_and_the_result_goes_out_as_one() {
    let bench = Bench::new(legacy(|body| result(body, &body["params"]["arguments"])));
    let ran = bench
        .run(&["call", "linear", "a", "--json", r#"{"x":[1]}"#])
        .await;
    assert_eq!((ran.code, ran.out.as_str()), (0, "{\"x\":[1]}\n"));
    let ran = bench.run(&["call", "linear", "a", "--json"]).await;
    assert_eq!((ran.code, ran.out.as_str()), (0, "{}\n"));
    for words in [
        &["--json", "[1]"][..],
        &["--json", "{"],
        &["--arg", "=1"],
        &["--arg", "x"],
    ] {
        let ran = bench.run(&[&["call", "linear", "a"], words].concat()).await;
        assert_eq!(ran.code, 2, "{words:?}");
        assert_eq!(ran.err.matches("hint:").count(), 1, "{}", ran.err);
    }
}

#[tokio::test]
async fn a_tool_that_fails_is_printed_and_exit_code_3() {
    let bench = Bench::new(legacy(|body| {
        result(
            body,
            &json!({ "content": [{ "type": "text", "text": "no" }], "isError": true }),
        )
    }));
    let ran = bench.run(&["call", "linear", "a"]).await;
    assert_eq!((ran.code, ran.out.as_str()), (3, "no\n"));
    assert!(ran.err.contains("a reports an error"), "{}", ran.err);
}

#[tokio::test]
async fn content_that_is_no_text_is_named() {
    let bench = Bench::new(legacy(|body| {
        result(
            body,
            &json!({ "content": [
                { "type": "image", "mimeType": "image/png", "data": "AAAA" },
                { "type": "resource_link", "uri": "file:///a" },
                { "type": "resource", "resource": { "uri": "x:y", "text": "inside\n" } },
            ]}),
        )
    }));
    let ran = bench.run(&["call", "linear", "a"]).await;
    assert_eq!(ran.out, "[image, image/png]\n[link] file:///a\ninside\n");
    let bench = Bench::new(legacy(|body| {
        result(body, &json!({ "structuredContent": { "a": 1 } }))
    }));
    assert_eq!(
        bench.run(&["call", "linear", "a"]).await.out,
        "{\n  \"a\": 1\n}\n"
    );
}

#[tokio::test]
async fn reads_streams_and_answers_what_the_server_asks_meanwhile() {
    let bench = Bench::new(legacy(|body| {
        let answer_text = json!({ "jsonrpc": "2.0", "id": body["id"], "result": text("late") });
        let events = format!(
            "data: {{\"jsonrpc\":\"2.0\",\"id\":\"p\",\"method\":\"ping\"}}\n\n\
             data: {{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"sampling/createMessage\"}}\n\n\
             data: {answer_text}\n\n"
        );
        answer(200, "text/event-stream", &events)
    }));
    let ran = bench.run(&["call", "linear", "a"]).await;
    assert_eq!((ran.code, ran.out.as_str()), (0, "late\n"), "{}", ran.err);
    let sent = bench.gateway.sent.lock().unwrap().clone();
    assert!(
        sent.iter()
            .any(|body| body["id"] == "p" && body["result"] == json!({}))
    );
    assert!(
        sent.iter()
            .any(|body| body["id"] == 9 && body["error"]["code"] == -32601)
    );
}

#[tokio::test]
async fn t04_stateless_requests_stand_alone_with_mirrored_headers() {
    let bench = Bench::new(Fake::forwarding(|request| {
        let (body, _) = read(request);
        let header = |name| {
            request
                .headers
                .get(name)
                .and_then(|value| value.to_str().ok())
        };
        assert_eq!(header(MCP_PROTOCOL_VERSION), Some("2026-07-28"));
        assert_eq!(header(MCP_METHOD), body["method"].as_str());
        assert_eq!(header(MCP_NAME), Some("a"));
        assert_eq!(header(MCP_SESSION_ID), None);
        result(&body, &text("ok"))
    }));
    let ran = bench
        .run(&["call", "linear", "a", "--protocol-version", "2026-07-28"])
        .await;
    assert_eq!((ran.code, ran.out.as_str()), (0, "ok\n"), "{}", ran.err);
    assert_eq!(sent_methods(&bench), ["tools/call"]);
}

/// A stateless server whose tool mirrors its argument `region` into a header.
fn mirroring() -> Fake {
    Fake::forwarding(|request| {
        let (body, method) = read(request);
        let region = request.headers.get("mcp-param-region");
        match (method.as_str(), region) {
            ("tools/list", _) => {
                let good = json!({ "properties": {
                    "region": { "type": "string", "x-mcp-header": "Region" },
                }});
                let bad = json!({ "properties": {
                    "all": { "type": "object", "x-mcp-header": "All" },
                }});
                let tools = json!([
                    { "name": "a", "inputSchema": good },
                    { "name": "b", "inputSchema": bad },
                ]);
                result(&body, &json!({ "tools": tools }))
            }
            (_, Some(region)) => result(&body, &text(region.to_str().unwrap())),
            (_, None) => error(
                &body,
                &json!({ "code": -32020, "message": "header missing" }),
            ),
        }
    })
}

#[tokio::test]
async fn t10_mirrors_arguments_that_the_server_misses_and_leaves_out_broken_tools() {
    let version = ["--protocol-version", "2026-07-28"];
    let bench = Bench::new(mirroring());
    let words = ["call", "linear", "a", "--arg", "region=eu"];
    let ran = bench.run(&[&words[..], &version].concat()).await;
    assert_eq!((ran.code, ran.out.as_str()), (0, "eu\n"), "{}", ran.err);
    assert_eq!(
        sent_methods(&bench),
        ["tools/call", "tools/list", "tools/call"]
    );

    let words = ["call", "linear", "b", "--arg", "all={}"];
    let ran = Bench::new(mirroring())
        .run(&[&words[..], &version].concat())
        .await;
    assert_eq!(ran.code, 3);

    let ran = Bench::new(mirroring())
        .run(&[&["tools", "linear"], &version[..]].concat())
        .await;
    assert_eq!(ran.out, "a\n  [region: string]\n");
    assert!(ran.err.contains("b is left out"), "{}", ran.err);
}

#[tokio::test]
async fn a_session_is_ended_even_when_the_call_fails() {
    let bench = Bench::new(legacy(|body| {
        error(body, &json!({ "code": -1, "message": "no" }))
    }));
    assert_eq!(bench.run(&["call", "linear", "a"]).await.code, 3);
    assert_eq!(sent_methods(&bench).last().unwrap(), "-");
}

#[tokio::test]
async fn t18_t01_a_server_without_sessions_is_asked_again_without_one() {
    let fake = |code: i64| {
        Fake::forwarding(move |request| {
            let (body, method) = read(request);
            if method == "initialize" {
                let refusal = json!({ "code": code, "message": "unsupported" });
                let body = json!({ "jsonrpc": "2.0", "id": body["id"], "error": refusal });
                return json_answer(400, &body);
            }
            result(&body, &text("ok"))
        })
    };
    for code in [-32601, -32022, -32020, -32602] {
        let ran = Bench::new(fake(code)).run(&["call", "linear", "a"]).await;
        assert_eq!((ran.code, ran.out.as_str()), (0, "ok\n"), "{}", ran.err);
        let words = ["call", "linear", "a", "--protocol-version", "2025-11-25"];
        assert_eq!(Bench::new(fake(code)).run(&words).await.code, 3);
    }
    let words = ["call", "linear", "a"];
    assert_eq!(Bench::new(fake(-32603)).run(&words).await.code, 3);
}

/// How a refusal ends, for a program.
async fn refused(answer: impl Fn(&Value) -> Value + Send + Sync + 'static) -> (Ended, Value) {
    let bench = Bench::new(legacy(move |body| {
        let mut message = json!({ "jsonrpc": "2.0", "id": body["id"] });
        let more = answer(body);
        message
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        json_answer(200, &message)
    }));
    let ran = bench.run(&["call", "linear", "a", "--json", "{}"]).await;
    let line = serde_json::from_str(ran.out.lines().last().unwrap()).unwrap();
    (ran, line)
}

#[tokio::test]
async fn g07_a_missing_sign_in_is_exit_code_3_with_its_word_in_every_shape() {
    let link = json!({ "claviger": {
        "standing": "needs_sign_in", "url": "https://gw/x", "server": "linear",
    }});
    let shapes = [
        json!({ "error": { "code": -31001, "message": "Open https://gw/x", "data": link } }),
        json!({ "error": { "code": -32042, "message": "linear needs a sign-in", "data": {
            "elicitations": [{ "mode": "url", "url": "https://gw/x" }],
            "claviger": link["claviger"] } } }),
        json!({ "result": { "resultType": "input_required", "_meta": link, "inputRequests": { "sign_in": {
            "method": "elicitation/create",
            "params": { "mode": "url", "url": "https://gw/x" } } } } }),
        json!({ "result": { "isError": true, "_meta": link,
            "content": [{ "type": "text", "text": "Open https://gw/x" }] } }),
    ];
    for shape in shapes {
        let (ran, line) = refused(move |_| shape.clone()).await;
        assert_eq!(ran.code, 3, "{}", ran.out);
        assert_eq!(line["error"], "needs_sign_in", "{}", ran.out);
        assert_eq!(line["server"], "linear");
        assert_eq!(line["message"], "linear needs a sign-in");
        assert_eq!(line["hint"], "claviger login linear");
    }
}

#[tokio::test]
async fn c73_an_address_of_the_server_behind_is_shown_and_never_opened() {
    let at = |url: &str| json!({ "mode": "url", "message": "Pay \u{1b}[2Jfirst", "url": url });
    let by_error = |params: &Value| {
        let data = json!({ "elicitations": [params] });
        json!({ "error": { "code": -32042, "message": "m", "data": data } })
    };
    let by_result = |params: &Value| {
        let request = json!({ "method": "elicitation/create", "params": params });
        let requests = json!({ "claviger_sign_in": request });
        json!({ "result": { "resultType": "input_required", "inputRequests": requests } })
    };
    for (url, host, is_warned) in [
        ("https://pay.example/a?b=c", "pay.example", false),
        ("https://аpple.example/x", "xn--pple-43d.example", true),
        ("http://pay.example:8080/", "pay.example:8080", true),
    ] {
        for shape in [by_error(&at(url)), by_result(&at(url))] {
            let (ran, line) = refused(move |_| shape.clone()).await;
            assert_eq!((ran.code, &line["error"]), (3, &json!("input_required")));
            let full = Url::parse(url).unwrap();
            assert_eq!(line["elicitations"][0]["url"], full.as_str());
            assert!(ran.err.contains(full.as_str()), "{}", ran.err);
            let shown = format!("it leads to {host}\n");
            assert!(ran.err.contains(&shown), "{}", ran.err);
            assert_eq!(ran.err.contains("! warning"), is_warned, "{}", ran.err);
            assert!(ran.err.contains("Pay first"), "{}", ran.err);
            assert!(!ran.err.contains("claviger login"), "{}", ran.err);
        }
    }
    let (ran, line) = refused(move |_| by_error(&at("javascript:alert(1)"))).await;
    assert_eq!(ran.code, 3);
    assert_eq!(line["elicitations"][0]["url"], Value::Null);
    assert!(!ran.err.contains("javascript"), "{}", ran.err);
    let form = json!({ "mode": "form", "message": "Your name?" });
    let (ran, line) = refused(move |_| by_result(&form)).await;
    assert_eq!((ran.code, line.get("elicitations")), (3, None));

    let bench = Bench::new(legacy(move |body| {
        let data = json!({ "elicitations": [at("https://pay.example/")] });
        error(
            body,
            &json!({ "code": -32042, "message": "m", "data": data }),
        )
    }));
    assert_eq!(bench.run(&["call", "linear", "a"]).await.code, 3);
    assert!(bench.opened.lock().unwrap().is_empty());
}

#[tokio::test]
async fn t07_a_result_of_an_unknown_type_is_a_bad_answer() {
    for kind in [json!("partial"), json!("Complete"), json!(1), json!(null)] {
        let (ran, line) =
            refused(move |_| json!({ "result": { "resultType": kind, "content": [] } })).await;
        assert_eq!((ran.code, &line["error"]), (4, &json!("bad_answer")));
    }
    let (ran, _) =
        refused(|_| json!({ "result": { "resultType": "complete", "content": [] } })).await;
    assert_eq!(ran.code, 0);
}

#[tokio::test]
async fn errors_of_the_gateway_have_their_exit_codes() {
    for (code, exit, word) in [
        (-31002, 3, "needs_scopes"),
        (-31003, 4, "unreachable"),
        (-31004, 5, "misconfigured"),
        (-31005, 4, "bad_answer"),
        (-31006, 3, "refused"),
        (-32602, 3, "server_error"),
    ] {
        let (ran, line) =
            refused(move |_| json!({ "error": { "code": code, "message": "words" } })).await;
        assert_eq!(
            (ran.code, line["error"].as_str()),
            (exit, Some(word)),
            "{code}"
        );
    }
}

#[tokio::test]
async fn an_answer_that_is_no_mcp_is_exit_code_4() {
    for (status, kind, body) in [
        (404, "text/html", "<html>"),
        (200, "application/json", "{"),
        (200, "text/event-stream", ": nothing\n\n"),
        (502, "text/plain", ""),
    ] {
        let bench = Bench::new(Fake::forwarding(move |_| answer(status, kind, body)));
        let ran = bench.run(&["tools", "linear"]).await;
        assert_eq!(ran.code, 4, "{}", ran.err);
        assert!(!ran.err.contains("html"), "{}", ran.err);
    }
}
