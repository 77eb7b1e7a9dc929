//! Around every request: a panic ends as a 500, and one line says what happened.

use core::panic::AssertUnwindSafe;

use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use claviger_ports::Clock;
use claviger_ports::system::SystemClock;
use futures_util::FutureExt;
use http::StatusCode;

/// Puts the watch around all routes.
pub(crate) fn watched(router: Router) -> Router {
    router.layer(from_fn(watch))
}

async fn watch(request: Request, next: Next) -> Response {
    let method = request.method().clone();
    // The route as it is declared, never the address: that may carry a code, a ticket, a token.
    let route = request.extensions().get::<MatchedPath>().cloned();
    let began = SystemClock.monotonic_ms();
    // What a handler shares with others lies behind locks that outlive a panic.
    let answered = AssertUnwindSafe(next.run(request)).catch_unwind().await;
    let route = route.as_ref().map_or("-", MatchedPath::as_str);
    let response = answered.unwrap_or_else(|_panic| {
        tracing::error!(%method, route, "a request failed because of a bug in Claviger");
        (
            StatusCode::INTERNAL_SERVER_ERROR,
            "something went wrong here\n",
        )
            .into_response()
    });
    let took_ms = SystemClock.monotonic_ms().saturating_sub(began);
    let status = response.status().as_u16();
    tracing::debug!(%method, route, status, took_ms, "answered");
    response
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::routing::get;
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn a_panic_ends_as_a_500_and_the_next_request_is_served() {
        async fn breaks() -> &'static str {
            panic!("a bug")
        }
        let router = watched(
            Router::new()
                .route("/breaks", get(breaks))
                .route("/works", get(async || "works")),
        );
        let ask = async |path: &str| {
            let request = Request::get(path).body(Body::empty()).unwrap();
            router.clone().oneshot(request).await.unwrap().status()
        };
        assert_eq!(ask("/breaks").await, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(ask("/works").await, StatusCode::OK);
    }
}
