//! What the audit log promises.

use claviger_model::{AuditEntry, AuditFilter};

use super::fixtures::{at, entry, tenant};
use crate::{Store, StoreError};

/// Adds a condition.
type Ask = fn(&mut AuditFilter);

fn all() -> AuditFilter {
    AuditFilter {
        limit: 100,
        ..AuditFilter::default()
    }
}

/// Every field comes back; lists go from the newest on, chains from the oldest on.
pub async fn lists_every_field_the_newest_first(store: &dyn Store) {
    let audit = store.audit();
    assert_eq!(audit.list_audit(&all()).await.unwrap(), []);
    assert_eq!(audit.list_chain_heads().await.unwrap(), []);
    let (first, second, mut third) = (entry("a", 1), entry("a", 2), entry("b", 3));
    third.tenant = None;
    third.count = u64::from(u32::MAX);
    let entries = [first.clone(), third.clone(), second.clone()];
    audit.append_audit(&entries).await.unwrap();
    audit.append_audit(&[]).await.unwrap();
    let listed = audit.list_audit(&all()).await.unwrap();
    assert_eq!(listed, [third.clone(), second.clone(), first.clone()]);
    let newest = AuditFilter { limit: 1, ..all() };
    let listed = audit.list_audit(&newest).await.unwrap();
    assert_eq!(listed, [third.clone()]);
    let heads = audit.list_chain_heads().await.unwrap();
    assert_eq!(heads, [second.clone(), third]);
    let chain = audit.list_chain("a", 0, 10).await.unwrap();
    assert_eq!(chain, [first.clone(), second.clone()]);
    assert_eq!(audit.list_chain("a", 0, 1).await.unwrap(), [first]);
    assert_eq!(audit.list_chain("a", 1, 10).await.unwrap(), [second]);
    assert_eq!(audit.list_chain("a", 2, 10).await.unwrap(), []);
    assert_eq!(audit.list_chain("c", 0, 10).await.unwrap(), []);
}

/// Every condition holds by itself and together with the others.
pub async fn filters_by_every_field(store: &dyn Store) {
    let audit = store.audit();
    let plain = entry("a", 1);
    let of = |seq: u64, change: fn(&mut AuditEntry)| {
        let mut entry = entry("a", seq);
        change(&mut entry);
        entry
    };
    let entries = [
        plain.clone(),
        of(2, |entry| entry.tenant = Some(tenant("t2"))),
        of(3, |entry| entry.tenant = None),
        of(4, |entry| entry.actor = String::from("system")),
        of(5, |entry| entry.act = String::from("credential")),
        of(6, |entry| entry.act = String::from("credential_other")),
        of(7, |entry| entry.object = String::from("notion")),
    ];
    audit.append_audit(&entries).await.unwrap();
    let asked: [(Ask, &[u64]); 7] = [
        (|_| {}, &[7, 6, 5, 4, 3, 2, 1]),
        (|filter| filter.tenant = Some(tenant("t2")), &[2]),
        (|filter| filter.actor = Some("system".to_owned()), &[4]),
        (
            |filter| filter.act = Some("credential".to_owned()),
            &[7, 5, 4, 3, 2, 1],
        ),
        (
            |filter| {
                filter.act = Some("credential.refresh".to_owned());
                filter.object = Some("notion".to_owned());
            },
            &[7],
        ),
        (
            |filter| {
                filter.since = Some(at(3));
                filter.until = Some(at(5));
            },
            &[4, 3],
        ),
        (|filter| filter.object = Some("%".to_owned()), &[]),
    ];
    for (ask, expected) in asked {
        let mut filter = all();
        ask(&mut filter);
        let listed = audit.list_audit(&filter).await.unwrap();
        let numbers: Vec<_> = listed.iter().map(|entry| entry.seq).collect();
        assert_eq!(numbers, expected, "{filter:?}");
    }
}

/// Of entries that are added together, all are there or none.
pub async fn appends_all_or_none(store: &dyn Store) {
    let audit = store.audit();
    let first = entry("a", 1);
    audit
        .append_audit(core::slice::from_ref(&first))
        .await
        .unwrap();
    let mut changed = entry("a", 1);
    changed.outcome = String::from("failed");
    for entries in [
        &[entry("a", 2), changed][..],
        &[entry("b", 1), entry("b", 1)],
    ] {
        let refused = audit.append_audit(entries).await;
        assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
    }
    assert_eq!(audit.list_audit(&all()).await.unwrap(), [first]);
}

/// Pruning takes the beginning of one chain and leaves a note of it, or does nothing at all.
pub async fn prunes_the_beginning_of_one_chain(store: &dyn Store) {
    let audit = store.audit();
    let entries: Vec<_> = (1..=4)
        .flat_map(|seq| [entry("a", seq), entry("b", seq)])
        .collect();
    audit.append_audit(&entries).await.unwrap();
    let aged = audit.list_aged_chains(at(3)).await.unwrap();
    assert_eq!(aged, [("a".to_owned(), 2), ("b".to_owned(), 2)]);
    assert_eq!(audit.list_aged_chains(at(1)).await.unwrap(), []);

    let refused = audit.prune_chain("a", 2, &entry("b", 4)).await;
    assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
    assert_eq!(audit.list_chain("a", 0, 10).await.unwrap().len(), 4);
    let note = entry("c", 9);
    assert_eq!(audit.prune_chain("a", 2, &note).await.unwrap(), 2);
    let left = audit.list_chain("a", 0, 10).await.unwrap();
    assert_eq!(left, [entry("a", 3), entry("a", 4)]);
    assert_eq!(audit.list_chain("b", 0, 10).await.unwrap().len(), 4);
    assert_eq!(audit.list_chain("c", 0, 10).await.unwrap(), [note]);
    let aged = audit.list_aged_chains(at(5)).await.unwrap();
    assert_eq!(aged, [("a".to_owned(), 4), ("b".to_owned(), 4)]);
}
