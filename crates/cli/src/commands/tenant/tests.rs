//! Tenants: shown, and removed only once somebody said so.

use claviger_admin_api::{Line, LogoutView, ProblemKind, Request, TenantView};
use serde_json::json;

use crate::testing::{Bench, Fake, problem, say};

fn view(tenant: &str) -> Line {
    Line::Tenant(TenantView {
        tenant: tenant.to_owned(),
        is_default: tenant == "default",
        servers: 2,
        connections: 3,
        api_tokens: 1,
        pending_revocations: 4,
    })
}

/// Two tenants; removing one ends one connection.
fn gateway() -> Fake {
    Fake::acting(|request| {
        let lines = match request {
            Request::ListTenants => vec![view("acme"), view("default"), Line::Done],
            Request::RemoveTenant { tenant } if tenant == "acme" => {
                let ended = LogoutView {
                    server: "linear".to_owned(),
                    user: "u1".to_owned(),
                    ended_here: true,
                    at_issuer: "revoked".to_owned(),
                    message: None,
                };
                let removed = Line::TenantRemoved {
                    tenant: tenant.clone(),
                    servers: 2,
                    connections: 1,
                    api_tokens: 1,
                    inherited: 4,
                    lost: 0,
                };
                vec![Line::LoggedOut(ended), removed, Line::Done]
            }
            _ => vec![problem(ProblemKind::Refused, "default_tenant")],
        };
        lines.into_iter().map(say).collect()
    })
}

#[tokio::test]
async fn tenants_are_a_table() {
    let bench = Bench::new(gateway());
    let ran = bench.run(&["tenant", "list"]).await;
    assert_eq!(
        ran.out,
        "\
TENANT   SERVERS  CONNECTIONS  API TOKENS  OWED
acme     2        3            1           4
default  2        3            1           4
"
    );
    let ran = bench.run(&["tenant", "list", "--json"]).await;
    assert_eq!(ran.out.lines().count(), 2);
}

#[tokio::test]
async fn a_tenant_is_removed_once_somebody_who_saw_what_ends_said_so() {
    let mut bench = Bench::new(gateway());
    bench.is_there = true;
    bench.lines = vec!["yes"];
    let ran = bench.run(&["tenant", "remove", "acme"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    let shown = "acme ends for good: 2 servers, 3 connections, 1 API token, 4 pending revocations.";
    assert!(ran.err.contains(shown), "{}", ran.err);
    assert!(ran.err.contains("✓ removed acme"), "{}", ran.err);
    assert!(
        ran.err.contains("claviger status --revocations"),
        "{}",
        ran.err
    );
    assert!(ran.out.contains("u1's credential is gone"), "{}", ran.out);
    assert_eq!(
        bench.asked(),
        [
            json!({"op": "list_tenants"}),
            json!({"op": "remove_tenant", "tenant": "acme"}),
            json!("close"),
        ]
    );
}

#[tokio::test]
async fn nobody_said_so_and_nothing_is_removed() {
    for (is_there, lines) in [(true, vec!["n"]), (true, vec![]), (false, vec!["y"])] {
        let mut bench = Bench::new(gateway());
        (bench.is_there, bench.lines) = (is_there, lines);
        let ran = bench.run(&["tenant", "remove", "acme"]).await;
        assert_eq!(ran.code, 3, "{ran:?}");
        assert!(ran.err.contains("hint: nothing was changed"), "{}", ran.err);
        assert_eq!(
            bench.asked(),
            [json!({"op": "list_tenants"}), json!("close")]
        );
    }
    let bench = Bench::new(gateway());
    let ran = bench
        .run(&["tenant", "remove", "acme", "--yes", "--json"])
        .await;
    assert_eq!((ran.code, ran.out.lines().count()), (0, 2), "{ran:?}");
    assert_eq!(bench.asked().len(), 2);
    // What cannot be removed is not asked about.
    let ran = bench.run(&["tenant", "remove", "default"]).await;
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.err.contains("it was wrong"), "{}", ran.err);
}
