//! The proof accepts exactly what was written: whatever is cut, left out, doubled, moved or changed
//! in a log of several chains is found, but for what no checkpoint that is left knows of.

use std::collections::BTreeMap;

use claviger_crypto::{MacKey, hex};
use claviger_model::{AuditEntry, TenantId, Timestamp};
use proptest::prelude::{Just, ProptestConfig, Strategy, any};
use proptest::sample::Index;
use proptest::{prop_assert_eq, prop_oneof, proptest};

use super::anchor::checkpoint;
use super::lane::Lane;
use super::{Act, Note, Verifier};
use crate::AuditKey;

/// One thing that a log of several processes does.
#[derive(Debug, Clone)]
enum Step {
    /// A lane writes so many entries at once, with this generation of the key.
    Append(Index, usize, u32),
    /// How far all have come is written down.
    Checkpoint,
    /// The beginning of a lane is deleted as too old.
    Prune(Index, Index),
}

/// One thing that somebody does to it.
#[derive(Debug, Clone)]
enum Deed {
    Change(Index, Field),
    Cut(Index, Index),
    Double(Index, Index),
    Drop(Index),
    /// An entry to another place.
    Move(Index, Index),
    Swap(Index, Index),
}

#[derive(Debug, Clone, Copy)]
enum Field {
    Act,
    Actor,
    At,
    Chain,
    Count,
    Detail,
    Mac,
    Node,
    Object,
    Outcome,
    Seq,
    Tenant,
}

const FIELDS: [Field; 12] = [
    Field::Act,
    Field::Actor,
    Field::At,
    Field::Chain,
    Field::Count,
    Field::Detail,
    Field::Mac,
    Field::Node,
    Field::Object,
    Field::Outcome,
    Field::Seq,
    Field::Tenant,
];

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let append = (any::<Index>(), 1..4_usize, 1..3_u32);
    let step = prop_oneof![
        6 => append.prop_map(|(lane, count, key)| Step::Append(lane, count, key)),
        2 => Just(Step::Checkpoint),
        1 => (any::<Index>(), any::<Index>()).prop_map(|(lane, to)| Step::Prune(lane, to)),
    ];
    proptest::collection::vec(step, 1..20)
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let index = any::<Index>;
    let field = proptest::sample::select(FIELDS.to_vec());
    let deed = prop_oneof![
        (index(), field).prop_map(|(at, field)| Deed::Change(at, field)),
        (index(), index()).prop_map(|(chain, to)| Deed::Cut(chain, to)),
        (index(), index()).prop_map(|(from, to)| Deed::Double(from, to)),
        index().prop_map(Deed::Drop),
        (index(), index()).prop_map(|(from, to)| Deed::Move(from, to)),
        (index(), index()).prop_map(|(one, other)| Deed::Swap(one, other)),
    ];
    proptest::collection::vec(deed, 0..4)
}

fn key(generation: u32) -> AuditKey {
    AuditKey {
        generation,
        key: MacKey::new([u8::try_from(generation).unwrap(); 32]),
    }
}

/// A log as it is written: lanes, and one that writes down how far they have come.
struct Log {
    lanes: Vec<Lane>,
    anchor: Lane,
    chains: BTreeMap<String, Vec<AuditEntry>>,
    /// By entry of the anchor: what it says of which chain.
    claims: Vec<(u64, String, u64)>,
    pruned: Vec<(u64, String, u64)>,
}

impl Log {
    fn of(steps: &[Step]) -> Self {
        let mut log = Self {
            lanes: (1..=3).map(|id| Lane::new([id; 16])).collect(),
            anchor: Lane::new([9; 16]),
            chains: BTreeMap::new(),
            claims: Vec::new(),
            pruned: Vec::new(),
        };
        for (at, step) in steps.iter().enumerate() {
            log.step(i64::try_from(at).unwrap(), step);
        }
        log
    }

    fn step(&mut self, at: i64, step: &Step) {
        let now = Timestamp::from_secs(at);
        match step {
            Step::Append(lane, count, generation) => {
                let at = lane.index(self.lanes.len());
                let note = Note::new(Act::ServerAdd, at).of_tenant(&TenantId::default_tenant());
                let notes = vec![note; *count];
                let lane = &mut self.lanes[at];
                for entry in lane.next_all(&key(*generation), "n", now, &notes) {
                    lane.kept(&entry);
                    self.chains
                        .entry(entry.chain.clone())
                        .or_default()
                        .push(entry);
                }
            }
            Step::Checkpoint => {
                let others = self
                    .chains
                    .iter()
                    .filter(|(id, _)| **id != self.anchor.chain);
                let heads = others.filter_map(|(_, all)| all.last().cloned());
                let heads: Vec<AuditEntry> = heads.collect();
                let entry = self.say(now, &checkpoint("n", &heads));
                let claims = heads
                    .into_iter()
                    .map(|head| (entry.seq, head.chain, head.seq));
                self.claims.extend(claims);
            }
            Step::Prune(lane, to) => {
                let chain = self.lanes[lane.index(self.lanes.len())].chain.clone();
                let Some(all) = self.chains.get(&chain).filter(|all| !all.is_empty()) else {
                    return;
                };
                let gone = to.index(all.len());
                let last = all[gone].clone();
                let note = Note::new(Act::Prune, &chain)
                    .with("seq", last.seq)
                    .with("mac", hex(&last.mac));
                let entry = self.say(now, &note);
                self.chains.get_mut(&chain).unwrap().drain(..=gone);
                self.pruned.push((entry.seq, chain, last.seq));
            }
        }
    }

    fn say(&mut self, now: Timestamp, note: &Note) -> AuditEntry {
        let entry = self.anchor.next(&key(1), "n", now, note);
        self.anchor.kept(&entry);
        let chain = self.chains.entry(entry.chain.clone()).or_default();
        chain.push(entry.clone());
        entry
    }

    fn lines(&self) -> Vec<AuditEntry> {
        self.chains.values().flatten().cloned().collect()
    }

    /// Whether lines may pass: every chain is there from its beginning on, and goes at least as far
    /// as whatever is left of the anchor says.
    fn accepts(&self, lines: &[AuditEntry]) -> bool {
        let mut chains: BTreeMap<&str, Vec<&AuditEntry>> = BTreeMap::new();
        for line in lines {
            chains.entry(&line.chain).or_default().push(line);
        }
        let is_beginning = chains.iter().all(|(chain, found)| {
            let written = self.chains.get(*chain).map_or(&[][..], Vec::as_slice);
            found.len() <= written.len() && found.iter().zip(written).all(|(a, b)| *a == b)
        });
        let known = chains.get(self.anchor.chain.as_str());
        let known = known.and_then(|all| all.last()).map_or(0, |last| last.seq);
        let pruned = |chain: &str| {
            let said = self
                .pruned
                .iter()
                .filter(|(seq, of, _)| *seq <= known && of == chain);
            said.map(|(_, _, to)| *to).max().unwrap_or(0)
        };
        let is_rooted = chains.iter().all(|(chain, found)| {
            let first = found.first().map_or(1, |first| first.seq);
            first == 1 || pruned(chain) + 1 == first
        });
        let is_long =
            self.claims
                .iter()
                .filter(|(seq, _, _)| *seq <= known)
                .all(|(_, chain, to)| {
                    let found = chains.get(chain.as_str()).and_then(|found| found.last());
                    found.is_some_and(|last| last.seq >= *to) || pruned(chain) >= *to
                });
        is_beginning && is_rooted && is_long
    }
}

impl Deed {
    fn to(&self, lines: &mut Vec<AuditEntry>) {
        if lines.is_empty() {
            return;
        }
        let at = |index: &Index| index.index(lines.len());
        match self {
            Self::Change(index, field) => {
                let at = at(index);
                field.change(&mut lines[at]);
            }
            Self::Cut(index, keep) => {
                let chain = lines[at(index)].chain.clone();
                let all = lines.iter().filter(|one| one.chain == chain);
                let seqs: Vec<_> = all.map(|one| one.seq).collect();
                let first = seqs[keep.index(seqs.len())];
                lines.retain(|one| one.chain != chain || one.seq < first);
            }
            Self::Double(from, to) => {
                let (line, to) = (lines[at(from)].clone(), at(to));
                lines.insert(to, line);
            }
            Self::Drop(index) => {
                let at = at(index);
                lines.remove(at);
            }
            Self::Move(from, to) => {
                let (from, to) = (at(from), at(to));
                let line = lines.remove(from);
                lines.insert(to, line);
            }
            Self::Swap(one, other) => {
                let (one, other) = (at(one), at(other));
                lines.swap(one, other);
            }
        }
    }
}

impl Field {
    fn change(self, entry: &mut AuditEntry) {
        match self {
            Self::Act => entry.act.push('x'),
            Self::Actor => entry.actor = "user:somebody".to_owned(),
            Self::At => entry.at = entry.at.plus(1),
            Self::Chain => entry.chain = hex(&[2; 16]),
            Self::Count => entry.count += 1,
            Self::Detail => entry.detail.push(' '),
            Self::Mac => {
                if let Some(last) = entry.mac.last_mut() {
                    *last ^= 1;
                }
            }
            Self::Node => entry.node.push('x'),
            Self::Object => entry.object.clear(),
            Self::Outcome => entry.outcome = "refused".to_owned(),
            Self::Seq => entry.seq += 1,
            Self::Tenant => entry.tenant = None,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 512,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn n11_a175_the_proof_accepts_exactly_what_was_written(steps in steps(), deeds in deeds()) {
        let log = Log::of(&steps);
        let mut lines = log.lines();
        for deed in &deeds {
            deed.to(&mut lines);
        }
        let mut verifier = Verifier::new([key(1), key(2)]);
        for line in &lines {
            verifier.push(line);
        }
        let problems = verifier.finish().problems;
        prop_assert_eq!(problems.is_empty(), log.accepts(&lines), "{:?}", problems);
    }
}
