//! The token endpoint: redeems and rotates, in its own time.

use core::future::pending;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::StatusCode;
use serde_json::json;
use tokio::time::sleep;

use super::answer::{Out, document};
use super::{Minted, Shared, TokenRequest, Trouble};

/// Runs to its end whether or not the client waits: what is committed, is committed.
pub(super) async fn issue(shared: Arc<Shared>, form: BTreeMap<String, String>) -> Out {
    let work = async move { run(&shared, &form).await };
    tokio::spawn(work).await.unwrap()
}

async fn run(shared: &Shared, form: &BTreeMap<String, String>) -> Out {
    let is_refresh = form
        .get("grant_type")
        .is_some_and(|grant| grant == "refresh_token");
    let (at, script, before, after) = {
        let mut state = shared.state();
        let state = &mut *state;
        state.ledger.counts.requests += 1;
        state.requests.push(TokenRequest {
            is_refresh,
            grant: None,
            arrived: Instant::now(),
            committed: None,
            answered: None,
        });
        let script = state.script.clone();
        let before = state.dice.between(script.before_ms.0, script.before_ms.1);
        let after = state.dice.between(script.after_ms.0, script.after_ms.1);
        (state.requests.len() - 1, script, before, after)
    };
    let answered = || shared.state().requests[at].answered = Some(Instant::now());
    match script.trouble {
        Trouble::None => {}
        Trouble::Hang => {
            answered();
            return pending().await;
        }
        Trouble::Status(status, retry_after) => {
            answered();
            let status = StatusCode::from_u16(status).unwrap();
            let mut out = document(status, &json!({"error": "temporarily_unavailable"}));
            if let Some(seconds) = retry_after {
                out.headers_mut().insert("retry-after", seconds.into());
            }
            return out;
        }
    }
    sleep(Duration::from_millis(before)).await;
    let minted = commit(shared, form, is_refresh, script.life);
    {
        let mut state = shared.state();
        state.requests[at].committed = minted.as_ref().map(|_| Instant::now());
        state.requests[at].grant = minted.as_ref().map(|minted| minted.grant);
    }
    sleep(Duration::from_millis(after)).await;
    while shared.state().script.is_held {
        sleep(Duration::from_millis(2)).await;
    }
    answered();
    match minted {
        None => document(StatusCode::BAD_REQUEST, &json!({"error": "invalid_grant"})),
        Some(minted) => document(
            StatusCode::OK,
            &json!({
                "access_token": minted.access, "refresh_token": minted.refresh,
                "token_type": "Bearer", "expires_in": script.life.as_secs(),
            }),
        ),
    }
}

fn commit(
    shared: &Shared,
    form: &BTreeMap<String, String>,
    is_refresh: bool,
    life: Duration,
) -> Option<Minted> {
    let mut state = shared.state();
    if is_refresh {
        let token = form.get("refresh_token")?;
        return state.ledger.rotate(token, life, Instant::now());
    }
    form.get("code_verifier")?;
    let resource = state.codes.remove(form.get("code")?)?;
    Some(state.ledger.open(&resource, life, Instant::now()))
}
