//! Its HTTP: metadata, registration, a person who always says yes, and the MCP servers.

use core::convert::Infallible;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use url::{Url, form_urlencoded};

use super::{Shared, token};

pub(super) type Out = Response<Full<Bytes>>;

const ABOUT: &str = "/.well-known/oauth-protected-resource";

pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            let service = service_fn(move |request| answer(Arc::clone(&shared), request));
            // One request a connection: so the proxy knows what it holds.
            let serving = http1::Builder::new()
                .keep_alive(false)
                .serve_connection(TokioIo::new(stream), service);
            // A client that goes away is no failure of the issuer.
            drop(serving.await);
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Out, Infallible> {
    let (parts, body) = request.into_parts();
    let Ok(body) = body.collect().await else {
        return Ok(document(StatusCode::BAD_REQUEST, &json!({})));
    };
    let body = body.to_bytes();
    let bearer = parts
        .headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let path = parts.uri.path();
    Ok(match (&parts.method, path) {
        (&Method::POST, "/token") => token::issue(shared, pairs(&body)).await,
        (&Method::POST, "/register") => shared.register(&body),
        (&Method::POST, "/revoke") => shared.revoke(&pairs(&body)),
        (&Method::GET, "/authorize") => {
            shared.authorize(&pairs(parts.uri.query().unwrap_or("").as_bytes()))
        }
        (&Method::GET, "/.well-known/oauth-authorization-server") => {
            document(StatusCode::OK, &shared.metadata())
        }
        (&Method::POST, path) if path.starts_with("/r/") => shared.mcp(path, bearer, &body),
        (&Method::GET, path) if path.starts_with(ABOUT) => {
            let origin = &shared.origin;
            let resource = format!("{origin}{}", path.trim_start_matches(ABOUT));
            let about = json!({"resource": resource, "authorization_servers": [origin]});
            document(StatusCode::OK, &about)
        }
        _ => document(StatusCode::NOT_FOUND, &json!({})),
    })
}

// === impl Shared ===

impl Shared {
    fn metadata(&self) -> Value {
        let origin = &self.origin;
        json!({
            "issuer": origin,
            "authorization_endpoint": format!("{origin}/authorize"),
            "token_endpoint": format!("{origin}/token"),
            "registration_endpoint": format!("{origin}/register"),
            "revocation_endpoint": format!("{origin}/revoke"),
            "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["none"],
            "authorization_response_iss_parameter_supported": true,
        })
    }

    fn register(&self, body: &[u8]) -> Out {
        let asked: Value = serde_json::from_slice(body).unwrap_or_default();
        let mut state = self.state();
        state.ledger.counts.registrations += 1;
        state.clients += 1;
        let answer = json!({
            "client_id": format!("client-{}", state.clients),
            "token_endpoint_auth_method": "none",
            "redirect_uris": asked["redirect_uris"], "grant_types": asked["grant_types"],
        });
        document(StatusCode::CREATED, &answer)
    }

    fn revoke(&self, form: &BTreeMap<String, String>) -> Out {
        let mut state = self.state();
        let status = StatusCode::from_u16(state.script.revocation_status).unwrap();
        if status.is_success()
            && let Some(token) = form.get("token")
        {
            state.ledger.revoke(token);
        }
        document(status, &json!({}))
    }

    fn authorize(&self, query: &BTreeMap<String, String>) -> Out {
        let mut state = self.state();
        state.serial += 1;
        let code = format!("code-{}", state.serial);
        let (Some(resource), Some(back), Some(known)) = (
            query.get("resource"),
            query.get("redirect_uri"),
            query.get("state"),
        ) else {
            return document(
                StatusCode::BAD_REQUEST,
                &json!({"error": "invalid_request"}),
            );
        };
        state.codes.insert(code.clone(), resource.clone());
        let mut back = Url::parse(back).unwrap();
        back.query_pairs_mut()
            .append_pair("code", &code)
            .append_pair("state", known)
            .append_pair("iss", &self.origin);
        let mut response = document(StatusCode::FOUND, &json!({}));
        let place = back.as_str().parse().unwrap();
        response.headers_mut().insert(header::LOCATION, place);
        response
    }

    fn mcp(&self, path: &str, bearer: Option<&str>, body: &[u8]) -> Out {
        let resource = format!("{}{path}", self.origin);
        let is_admitted = bearer.is_some_and(|token| {
            let mut state = self.state();
            state.ledger.admits(token, &resource, Instant::now())
        });
        if !is_admitted {
            let mut refusal =
                document(StatusCode::UNAUTHORIZED, &json!({"error": "invalid_token"}));
            let place = format!("Bearer resource_metadata=\"{}{ABOUT}{path}\"", self.origin);
            let place = place.parse().unwrap();
            refusal
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, place);
            return refusal;
        }
        let request: Value = serde_json::from_slice(body).unwrap_or_default();
        let result = match request["method"].as_str().unwrap_or_default() {
            "initialize" => json!({
                "protocolVersion": request["params"]["protocolVersion"],
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "faults", "version": "1"},
            }),
            "tools/list" => json!({
                "tools": [{"name": "echo", "description": "A tool", "inputSchema": {"type": "object"}}],
                "ttlMs": 0, "cacheScope": "private", "resultType": "complete",
            }),
            "tools/call" => {
                let said = request["params"]["arguments"].to_string();
                json!({"content": [{"type": "text", "text": said}], "resultType": "complete"})
            }
            _ => return document(StatusCode::ACCEPTED, &json!({})),
        };
        let answer = json!({"jsonrpc": "2.0", "id": request["id"], "result": result});
        document(StatusCode::OK, &answer)
    }
}

fn pairs(text: &[u8]) -> BTreeMap<String, String> {
    form_urlencoded::parse(text).into_owned().collect()
}

pub(super) fn document(status: StatusCode, value: &Value) -> Out {
    let mut response = Response::new(Full::from(value.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
    headers.insert(header::CACHE_CONTROL, "no-store".parse().unwrap());
    response
}
