//! A sealed id opens for its owner only.

use claviger_model::{Auth, ServerId, Slug, Timestamp};
use claviger_testkit::SeededEntropy;

use super::*;

fn server(id: u8, url: &str) -> Server {
    Server {
        id: ServerId::from_random([id; 16]),
        tenant: TenantId::default_tenant(),
        slug: Slug::parse("notes").unwrap(),
        display_name: "Notes".to_owned(),
        url: url.to_owned(),
        auth: Auth::None,
        allow_private: false,
        enabled: true,
        created_at: Timestamp::from_secs(0),
        updated_at: Timestamp::from_secs(0),
    }
}

fn key(byte: u8) -> SessionKey {
    let key = TenantKey::new(1, [0; 8], [byte; 32]);
    SessionKey::new(key, Arc::new(SeededEntropy::new(u64::from(byte))))
}

#[test]
fn a153_g03_b18_a_session_id_opens_for_its_owner_only() {
    let (tenant, user) = (TenantId::default_tenant(), UserId::owner());
    let (other_tenant, other_user) = (
        TenantId::parse("other").unwrap(),
        UserId::parse("other").unwrap(),
    );
    let here = server(1, "https://up.example/mcp");
    let place = Place {
        tenant: &tenant,
        user: &user,
        server: &here,
    };
    let note = SessionNote {
        upstream_id: "raw-upstream-id".to_owned(),
        elicits_url: Some(true),
    };
    let sealed = key(1).seal(&place, &note);
    assert!(sealed.bytes().all(|byte| matches!(byte, 0x21..=0x7e)));
    assert!(!sealed.contains("raw-upstream-id"));
    assert_eq!(key(1).open(&place, &sealed), Some(note));

    let elsewhere = server(2, "https://up.example/mcp");
    let moved = server(1, "https://moved.example/mcp");
    for foreign in [
        Place {
            tenant: &other_tenant,
            ..place
        },
        Place {
            user: &other_user,
            ..place
        },
        Place {
            server: &elsewhere,
            ..place
        },
        Place {
            server: &moved,
            ..place
        },
    ] {
        assert_eq!(key(1).open(&foreign, &sealed), None, "{foreign:?}");
    }
    assert_eq!(key(2).open(&place, &sealed), None);
    for at in 0..sealed.len() {
        let mut broken = sealed.clone().into_bytes();
        broken[at] = if broken[at] == b'A' { b'B' } else { b'A' };
        let broken = String::from_utf8(broken).unwrap();
        assert_eq!(key(1).open(&place, &broken), None, "byte {at}");
    }
    assert_eq!(key(1).open(&place, &"A".repeat(MAX_SEALED + 1)), None);
    assert_eq!(key(1).open(&place, ""), None);
}
