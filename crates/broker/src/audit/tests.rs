//! Chains, lanes and the proof.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use claviger_crypto::{Kek, MacKey};
use claviger_model::{AuditEntry, AuditFilter, KeyRow, TenantId, Timestamp, UserId};
use claviger_store::{Audit, Changes, Cursor, Installations, Keys, Store, StoreError, TenantStore};
use claviger_store_sqlite::SqliteStore;
use claviger_testkit::{FixedClock, SeededEntropy};
use tempfile::TempDir;

use super::*;
use crate::{AuditKey, Keks};

/// What happens to the next writes.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    /// Stored, and nobody hears of it.
    StoredUnheard,
    /// Not stored, and nobody hears of it.
    LostUnheard,
    /// Not stored now; it arrives just before the next write.
    Late,
}

/// A log in memory that loses connections.
#[derive(Debug, Default)]
struct Memory {
    rows: Mutex<BTreeMap<(String, u64), AuditEntry>>,
    fates: Mutex<Vec<Fate>>,
    late: Mutex<Vec<AuditEntry>>,
}

impl Memory {
    fn insert(&self, entries: &[AuditEntry]) -> Result<(), StoreError> {
        let mut rows = self.rows.lock().unwrap();
        let place = |entry: &AuditEntry| (entry.chain.clone(), entry.seq);
        if entries.iter().any(|entry| rows.contains_key(&place(entry))) {
            return Err(StoreError::Conflict);
        }
        rows.extend(entries.iter().map(|entry| (place(entry), entry.clone())));
        Ok(())
    }

    fn next(&self, fates: &[Fate]) {
        *self.fates.lock().unwrap() = fates.iter().rev().copied().collect();
    }

    fn all(&self) -> Vec<AuditEntry> {
        self.rows.lock().unwrap().values().cloned().collect()
    }

    fn acts(&self) -> Vec<String> {
        self.all().into_iter().map(|entry| entry.act).collect()
    }
}

fn unheard() -> StoreError {
    StoreError::Failed {
        source: "the connection was lost".into(),
    }
}

#[async_trait]
impl Audit for Memory {
    async fn append_audit(&self, entries: &[AuditEntry]) -> Result<(), StoreError> {
        let late: Vec<_> = self.late.lock().unwrap().drain(..).collect();
        self.insert(&late)?;
        let fate = self.fates.lock().unwrap().pop();
        match fate {
            None => self.insert(entries),
            Some(Fate::StoredUnheard) => {
                self.insert(entries)?;
                Err(unheard())
            }
            Some(Fate::LostUnheard) => Err(unheard()),
            Some(Fate::Late) => {
                self.late.lock().unwrap().extend_from_slice(entries);
                Err(unheard())
            }
        }
    }

    async fn list_audit(&self, _filter: &AuditFilter) -> Result<Vec<AuditEntry>, StoreError> {
        Ok(self.all())
    }

    async fn list_chain_heads(&self) -> Result<Vec<AuditEntry>, StoreError> {
        let mut heads = BTreeMap::new();
        for entry in self.all() {
            heads.insert(entry.chain.clone(), entry);
        }
        Ok(heads.into_values().collect())
    }

    async fn list_chain(
        &self,
        chain: &str,
        after: u64,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        let all = self.all().into_iter();
        let of = all.filter(|entry| entry.chain == chain && entry.seq > after);
        Ok(of.take(limit as usize).collect())
    }

    async fn prune_chain(
        &self,
        chain: &str,
        seq: u64,
        entry: &AuditEntry,
    ) -> Result<u64, StoreError> {
        let before = self.all().len();
        self.rows
            .lock()
            .unwrap()
            .retain(|(of, number), _| of != chain || *number > seq);
        let gone = before - self.all().len();
        self.insert(core::slice::from_ref(entry))?;
        Ok(gone as u64)
    }

    async fn list_aged_chains(&self, before: Timestamp) -> Result<Vec<(String, u64)>, StoreError> {
        let mut aged = BTreeMap::new();
        for entry in self.all().into_iter().filter(|entry| entry.at < before) {
            aged.insert(entry.chain, entry.seq);
        }
        Ok(aged.into_iter().collect())
    }
}

/// SQLite for the keys, memory for the log.
#[derive(Debug)]
struct Fake {
    keys: SqliteStore,
    log: Arc<Memory>,
}

#[async_trait]
impl Store for Fake {
    fn tenant(&self, tenant: &TenantId) -> Arc<dyn TenantStore> {
        self.keys.tenant(tenant)
    }

    fn keys(&self) -> Arc<dyn Keys> {
        self.keys.keys()
    }

    fn audit(&self) -> Arc<dyn Audit> {
        Arc::clone(&self.log) as _
    }

    fn installation(&self) -> Arc<dyn Installations> {
        self.keys.installation()
    }

    async fn locate(&self, mac: &[u8]) -> Result<Option<TenantId>, StoreError> {
        self.keys.locate(mac).await
    }

    async fn list_tenants(&self) -> Result<Vec<TenantId>, StoreError> {
        self.keys.list_tenants().await
    }

    async fn list_changes(&self, since: Option<&Cursor>) -> Result<Changes, StoreError> {
        self.keys.list_changes(since).await
    }

    async fn data_version(&self) -> Result<i64, StoreError> {
        self.keys.data_version().await
    }
}

struct Home {
    _dir: TempDir,
    store: Arc<Fake>,
    vault: Arc<Vault>,
    clock: Arc<FixedClock>,
}

impl Home {
    async fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let keys = SqliteStore::open(&dir.path().join("claviger.db"))
            .await
            .unwrap();
        let clock = Arc::new(FixedClock::at(1_800_000_000));
        let entropy = Arc::new(SeededEntropy::new(1));
        let vault = Vault::open(
            Kek::new([7; 32]),
            keys.keys(),
            entropy,
            Arc::clone(&clock) as _,
        );
        let vault = Arc::new(vault.await.unwrap());
        let log = Arc::new(Memory::default());
        Self {
            _dir: dir,
            store: Arc::new(Fake { keys, log }),
            vault,
            clock,
        }
    }

    /// Another process.
    fn process(&self, seed: u64) -> Auditor {
        self.with(seed, AuditMode::Normal, 10_000)
    }

    fn with(&self, seed: u64, mode: AuditMode, queue: usize) -> Auditor {
        Auditor::new(AuditParts {
            store: Arc::clone(&self.store) as _,
            vault: Arc::clone(&self.vault),
            clock: Arc::clone(&self.clock) as _,
            entropy: Arc::new(SeededEntropy::new(seed)),
            settings: AuditSettings {
                node: format!("node-{seed}"),
                mode,
                queue,
                ..AuditSettings::default()
            },
        })
    }

    fn log(&self) -> &Memory {
        &self.store.log
    }

    async fn verdict(&self, entries: &[AuditEntry]) -> Verdict {
        let mut verifier = Verifier::new([self.vault.audit_key().await.unwrap()]);
        for entry in entries {
            verifier.push(entry);
        }
        verifier.finish()
    }

    async fn problems(&self, entries: &[AuditEntry]) -> Vec<ProblemKind> {
        let verdict = self.verdict(entries).await;
        verdict.problems.into_iter().map(|one| one.kind).collect()
    }
}

fn note(text: &str) -> Note {
    Note::new(Act::ServerAdd, text)
}

/// One process with five entries on one chain, the first of which begins it.
async fn told() -> (Home, Auditor) {
    let home = Home::new().await;
    let auditor = home.process(1);
    for name in ["one", "two", "three", "four"] {
        auditor.tell(note(name)).await.unwrap();
    }
    (home, auditor)
}

#[tokio::test]
async fn a_chain_begins_says_what_happened_and_ends() {
    let (home, auditor) = told().await;
    auditor.close().await;
    let add = "server.add";
    assert_eq!(
        home.log().acts(),
        ["audit.begin", add, add, add, add, "audit.end"]
    );
    let all = home.log().all();
    assert_eq!(home.verdict(&all).await.problems, []);
    assert_eq!(
        (all[0].node.as_str(), all[0].object.as_str()),
        ("node-1", "node-1")
    );
    assert!(all[0].detail.contains("\"key\":1"), "{}", all[0].detail);
}

#[tokio::test]
async fn t16_a175_every_field_of_every_entry_is_covered() {
    let (home, _auditor) = told().await;
    let all = home.log().all();
    let changes: [fn(&mut AuditEntry); 9] = [
        |entry| entry.node.push('x'),
        |entry| entry.at = entry.at.plus(1),
        |entry| entry.tenant = Some(TenantId::default_tenant()),
        |entry| entry.actor.push('x'),
        |entry| entry.act.push('x'),
        |entry| entry.object.push('x'),
        |entry| entry.outcome.push('x'),
        |entry| entry.detail = entry.detail.replace('}', ",\"a\":1}"),
        |entry| entry.count += 1,
    ];
    for index in 0..all.len() {
        for change in changes {
            let mut forged = all.clone();
            change(&mut forged[index]);
            assert_eq!(home.problems(&forged).await, [ProblemKind::Changed]);
        }
        let mut forged = all.clone();
        forged[index].mac[0] ^= 1;
        let problems = home.problems(&forged).await;
        assert!(problems.contains(&ProblemKind::Changed), "{problems:?}");
    }
}

#[tokio::test]
async fn t16_what_is_taken_away_added_or_moved_is_found() {
    let (home, _auditor) = told().await;
    let all = home.log().all();
    let mut cut = all.clone();
    cut.remove(2);
    assert_eq!(home.problems(&cut).await, [ProblemKind::Missing { to: 3 }]);
    let cut = &all[2..];
    assert_eq!(home.problems(cut).await, [ProblemKind::Missing { to: 2 }]);

    let mut swapped = all.clone();
    swapped.swap(2, 3);
    let problems = home.problems(&swapped).await;
    assert!(problems.contains(&ProblemKind::OutOfOrder), "{problems:?}");
    let mut renumbered = all.clone();
    renumbered.swap(2, 3);
    (renumbered[2].seq, renumbered[3].seq) = (3, 4);
    assert!(
        home.problems(&renumbered)
            .await
            .contains(&ProblemKind::Changed)
    );

    let mut added = all.clone();
    let mut more = all[4].clone();
    more.seq = 6;
    added.push(more);
    assert_eq!(home.problems(&added).await, [ProblemKind::Changed]);
    let mut other = all.clone();
    for entry in &mut other {
        entry.chain = "ff".repeat(16);
    }
    assert_eq!(home.problems(&other).await.len(), 5);
    let mut unkeyed = all.clone();
    unkeyed[1].detail = unkeyed[1].detail.replace("\"key\":1", "\"key\":9");
    assert_eq!(home.problems(&unkeyed).await, [ProblemKind::UnknownKey]);
}

#[tokio::test]
async fn t16_an_end_that_was_cut_off_is_known_by_the_checkpoint_of_another_chain() {
    let (home, auditor) = told().await;
    assert_eq!(auditor.checkpoint().await.unwrap(), 1);
    // Nothing happened since: nothing is written.
    assert_eq!(auditor.checkpoint().await.unwrap(), 0);
    let all = home.log().all();
    assert_eq!(home.verdict(&all).await.problems, []);
    let chain = all
        .iter()
        .find(|entry| entry.act == "server.add")
        .unwrap()
        .chain
        .clone();
    let truncated = |from: u64| {
        let kept = all
            .iter()
            .filter(|one| one.chain != chain || one.seq < from);
        kept.cloned().collect::<Vec<_>>()
    };
    for (from, left) in [(5, 4), (1, 0)] {
        let problems = home.verdict(&truncated(from)).await.problems;
        assert_eq!((problems.len(), problems[0].seq), (1, from));
        let ends_at = left;
        assert!(
            matches!(&problems[0].kind, ProblemKind::Truncated { ends_at: at, .. } if *at == ends_at)
        );
    }
}

#[tokio::test]
async fn two_processes_do_not_answer_each_others_checkpoints_for_ever() {
    let home = Home::new().await;
    let (one, two) = (home.process(1), home.process(2));
    one.tell(note("a")).await.unwrap();
    two.tell(note("b")).await.unwrap();
    assert_eq!(one.checkpoint().await.unwrap(), 2);
    assert_eq!(two.checkpoint().await.unwrap(), 3);
    for _ in 0..3 {
        assert_eq!(
            one.checkpoint().await.unwrap() + two.checkpoint().await.unwrap(),
            0
        );
    }
    assert_eq!(home.verdict(&home.log().all()).await.problems, []);
}

#[tokio::test]
async fn a226_a_lost_connection_leaves_no_hole_and_no_twin() {
    for fate in [Fate::StoredUnheard, Fate::LostUnheard, Fate::Late] {
        for at in 0..3 {
            let home = Home::new().await;
            let auditor = home.process(1);
            if at > 0 {
                auditor.tell(note("before")).await.unwrap();
            }
            home.log().next(&[fate]);
            assert!(auditor.tell(note("lost")).await.is_err());
            if at > 1 {
                home.log().next(&[fate]);
                // The fence may be refused at once, and then this one is heard.
                drop(auditor.tell(note("lost again")).await);
            }
            auditor.tell(note("after")).await.unwrap();
            auditor.close().await;
            let all = home.log().all();
            assert_eq!(home.verdict(&all).await.problems, [], "{fate:?} {at}");
            let chains: std::collections::BTreeSet<_> = all.iter().map(|one| &one.chain).collect();
            assert_eq!(chains.len(), 1);
            let after = all.iter().filter(|one| one.object == "after").count();
            assert_eq!(after, 1, "{fate:?} {at}");
        }
    }
}

#[tokio::test]
async fn a226_several_entries_of_a_lost_connection_are_all_there_or_none() {
    for fate in [Fate::StoredUnheard, Fate::LostUnheard, Fate::Late] {
        let (home, auditor) = told().await;
        let notes = ["a", "b", "c"].map(note).to_vec();
        let draft = auditor.draft(notes).await.unwrap();
        home.log().next(&[fate]);
        let written = home.log().append_audit(draft.entries()).await;
        assert!(draft.settle(written).is_err());
        auditor.tell(note("after")).await.unwrap();
        let all = home.log().all();
        assert_eq!(home.verdict(&all).await.problems, [], "{fate:?}");
        let there = all
            .iter()
            .filter(|one| ["a", "b", "c"].contains(&one.object.as_str()));
        let expected = if fate == Fate::LostUnheard { 0 } else { 3 };
        assert_eq!(there.count(), expected, "{fate:?}");
        assert_eq!(all.last().unwrap().object, "after");
    }
}

#[tokio::test]
async fn a_draft_that_is_dropped_is_in_doubt_and_its_number_is_used_once() {
    let (home, auditor) = told().await;
    let draft = auditor.draft(vec![note("forgotten")]).await.unwrap();
    let entry = draft.entries()[0].clone();
    drop(draft);
    auditor.tell(note("after")).await.unwrap();
    let all = home.log().all();
    let acts: Vec<_> = all.iter().skip(5).map(|one| one.act.as_str()).collect();
    assert_eq!((acts, entry.seq), (vec!["audit.void", "server.add"], 6));
    assert_eq!(home.verdict(&all).await.problems, []);
}

#[tokio::test]
async fn a_write_that_changed_nothing_gives_its_number_back() {
    let (home, auditor) = told().await;
    let draft = auditor.draft(vec![note("nothing")]).await.unwrap();
    assert!(!draft.settle(Ok(false)).unwrap());
    let draft = auditor.draft(vec![note("conflict")]).await.unwrap();
    assert!(draft.settle::<()>(Err(StoreError::Conflict)).is_err());
    auditor.tell(note("after")).await.unwrap();
    assert_eq!(home.log().all().last().unwrap().seq, 6);
    assert_eq!(home.verdict(&home.log().all()).await.problems, []);
}

#[tokio::test]
async fn writes_at_once_have_lanes_of_their_own_and_others_wait() {
    let home = Home::new().await;
    let auditor = home.process(1);
    let mut drafts = Vec::new();
    for _ in 0..32 {
        drafts.push(auditor.draft(vec![note("at once")]).await.unwrap());
    }
    assert!(futures_util::FutureExt::now_or_never(auditor.draft(vec![note("one more")])).is_none());
    for draft in drafts {
        let written = home.log().append_audit(draft.entries()).await;
        draft.settle(written).unwrap();
    }
    auditor.tell(note("alone")).await.unwrap();
    let verdict = home.verdict(&home.log().all()).await;
    assert_eq!((verdict.chains, verdict.entries), (32, 65));
    assert_eq!(verdict.problems, []);
}

#[tokio::test]
async fn somebody_elses_entry_in_a_chain_ends_it_for_us() {
    let (home, auditor) = told().await;
    let mut forged = home.log().all().pop().unwrap();
    forged.seq += 1;
    home.log().insert(&[forged]).unwrap();
    assert!(auditor.tell(note("refused")).await.is_err());
    auditor.tell(note("after")).await.unwrap();
    let verdict = home.verdict(&home.log().all()).await;
    assert_eq!(verdict.chains, 2);
    assert_eq!(verdict.problems.len(), 1);
}

#[tokio::test]
async fn what_is_too_old_goes_and_the_rest_is_still_proved() {
    let (home, auditor) = told().await;
    auditor.checkpoint().await.unwrap();
    home.clock.advance_secs(401 * 86_400);
    auditor.tell(note("young")).await.unwrap();
    let pruner = home.process(2);
    assert_eq!(pruner.prune().await.unwrap(), 7);
    let all = home.log().all();
    assert_eq!(home.verdict(&all).await.problems, []);
    assert!(all.iter().any(|one| one.act == "audit.prune"));
    // Without the entry that says so, the beginning is missing.
    let unsaid: Vec<_> = all
        .iter()
        .filter(|one| one.node == "node-1")
        .cloned()
        .collect();
    assert_eq!(
        home.problems(&unsaid).await,
        [ProblemKind::Missing { to: 5 }]
    );
    let mut forged = all.clone();
    let young = forged.iter_mut().find(|one| one.object == "young").unwrap();
    young.object = "other".to_owned();
    assert_eq!(home.problems(&forged).await, [ProblemKind::Changed]);
}

#[tokio::test]
async fn an_earlier_copy_shows_a_database_that_was_set_back() {
    let (home, _auditor) = told().await;
    let all = home.log().all();
    let mut verifier = Verifier::new([home.vault.audit_key().await.unwrap()]);
    verifier.expect(&all[4]);
    for entry in &all[..3] {
        verifier.push(entry);
    }
    let problems = verifier.finish().problems;
    let by = "an earlier copy".to_owned();
    assert_eq!(problems[0].kind, ProblemKind::Truncated { ends_at: 3, by });
}

fn one_use() -> Use {
    let key = claviger_model::CredentialKey {
        tenant: TenantId::default_tenant(),
        user: UserId::owner(),
        server: claviger_model::ServerId::parse("linear").unwrap(),
        account: claviger_model::AccountName::default_account(),
    };
    Use {
        by: UserId::owner().into(),
        server: claviger_model::Slug::parse("linear").unwrap(),
        of: Used::Fixed(key),
    }
}

#[tokio::test]
async fn a227_f41_in_strict_mode_nothing_is_used_while_the_log_is_blocked() {
    let home = Home::new().await;
    let auditor = home.with(1, AuditMode::Strict, 1);
    {
        let mut waiting = core::pin::pin!(auditor.used(one_use()));
        assert!(futures_util::FutureExt::now_or_never(waiting.as_mut()).is_none());
        // There is no place for another one, so it is refused at once.
        let full = auditor.used(one_use()).await;
        assert!(matches!(full, Err(crate::Missing::Unrecorded { .. })));
        home.clock.advance_secs(6);
        let late = waiting.await;
        assert!(matches!(late, Err(crate::Missing::Unrecorded { .. })));
    }
    // What waited is stored once the log is back.
    auditor.close().await;
    let acts = home.log().acts();
    assert_eq!(acts, ["audit.begin", "credential.use", "audit.end"]);
}

#[tokio::test]
async fn f41_uses_without_a_place_are_counted_and_the_number_is_recorded() {
    let home = Home::new().await;
    let auditor = home.with(1, AuditMode::Normal, 2);
    for _ in 0..5 {
        auditor.used(one_use()).await.unwrap();
    }
    auditor.close().await;
    let all = home.log().all();
    let count = |act: &str| all.iter().find(|one| one.act == act).map(|one| one.count);
    assert_eq!(
        (count("credential.use"), count("audit.lost")),
        (Some(2), Some(3))
    );
    assert_eq!(home.verdict(&all).await.problems, []);
}

#[test]
fn a_line_gives_the_entry_back() {
    let entry = AuditEntry {
        chain: "c".to_owned(),
        seq: 1,
        node: "n".to_owned(),
        at: Timestamp::from_secs(5),
        tenant: Some(TenantId::default_tenant()),
        actor: Actor::User(UserId::owner()).to_string(),
        act: "server.add".to_owned(),
        object: "öbject \"1\"".to_owned(),
        outcome: "ok".to_owned(),
        detail: "{\"key\":1}".to_owned(),
        count: 3,
        mac: vec![1, 255],
    };
    let line = line_of_entry(&entry);
    assert!(!line.contains('\n'));
    let read = Exported::Entry(Box::new(entry));
    assert_eq!(read_line(line.as_bytes()), Ok(read));
    for bad in [
        "",
        "{}",
        "[1]",
        &line.replace("01ff", "01f"),
        &line.replace("\"count\"", "\"coun\""),
    ] {
        assert_eq!(read_line(bad.as_bytes()), Err(Unreadable), "{bad}");
    }
    let long = line.replace("\"n\"", &format!("\"{}\"", "n".repeat(LONGEST_LINE)));
    assert_eq!(read_line(long.as_bytes()), Err(Unreadable));
}

#[tokio::test]
async fn a_key_in_an_export_unwraps_with_the_key_file_and_no_other() {
    let home = Home::new().await;
    let rows = home.store.keys().list_keys().await.unwrap();
    let mut rows: Vec<_> = rows.into_iter().filter(is_key_of_log).collect();
    let row = rows.remove(0);
    assert!(rows.is_empty());
    let line = line_of_key(&row);
    let read = Exported::Key(Box::new(row.clone()));
    assert_eq!(read_line(line.as_bytes()), Ok(read));
    let keks = Keks::from(Kek::new([7; 32]));
    let key = AuditKey::unwrapped(&keks, &row).await.unwrap();
    let known = home.vault.audit_key().await.unwrap();
    assert_eq!(
        (key.generation, key.key.mac("x", &[])),
        (1, known.key.mac("x", &[]))
    );
    // Another generation's, another purpose's, another KEK.
    let moved = KeyRow {
        generation: 2,
        ..row.clone()
    };
    let other = KeyRow {
        purpose: "journal".to_owned(),
        ..row.clone()
    };
    for row in [moved, other] {
        assert!(AuditKey::unwrapped(&keks, &row).await.is_err());
    }
    let keks = Keks::from(Kek::new([8; 32]));
    assert!(AuditKey::unwrapped(&keks, &row).await.is_err());
}

#[test]
fn without_a_key_only_the_order_is_judged_and_that_is_said() {
    let key = AuditKey {
        generation: 1,
        key: MacKey::new([1; 32]),
    };
    let notes: Vec<_> = (0..4).map(|at| note(&format!("{at}"))).collect();
    let lane = lane::Lane::new([1; 16]);
    let mut entries = lane.next_all(&key, "n", Timestamp::from_secs(0), &notes);
    entries[1].object = "forged".to_owned();
    let judged = |entries: &[&AuditEntry]| {
        let mut verifier = Verifier::order_only();
        for entry in entries {
            verifier.push(entry);
        }
        verifier.finish()
    };
    let all: Vec<_> = entries.iter().collect();
    let verdict = judged(&all);
    assert_eq!((verdict.problems, verdict.is_proved), (vec![], false));
    let holed = judged(&[all[0], all[2], all[3]]);
    assert_eq!(holed.problems[0].kind, ProblemKind::Missing { to: 2 });
}

#[test]
fn a221_a_note_takes_no_control_characters_and_no_novels() {
    let note = Note::new(Act::ServerAdd, "a\u{1b}[31m\0b\n").with("why", "x".repeat(2_000));
    let entry = note.entry(1);
    assert_eq!(entry.object, "a[31mb");
    assert!(entry.detail.len() < 600);
}

#[test]
fn another_key_proves_nothing() {
    let key = |byte| AuditKey {
        generation: 1,
        key: MacKey::new([byte; 32]),
    };
    let lane = lane::Lane::new([1; 16]);
    let entry = lane.next(&key(1), "n", Timestamp::from_secs(1), &note("a"));
    for (byte, problems) in [(1, 0), (2, 1)] {
        let mut verifier = Verifier::new([key(byte)]);
        verifier.push(&entry);
        assert_eq!(verifier.finish().problems.len(), problems);
    }
}
