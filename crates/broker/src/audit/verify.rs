//! The proof: every entry of every chain against the keys, without a database.

use core::fmt;
use std::collections::BTreeMap;

use claviger_crypto::MacKey;
use claviger_model::AuditEntry;
use serde_json::{Map, Value};

use super::Act;
use super::canonical::mac;
use super::line::unhex;
use super::note::generation_of;
use crate::AuditKey;

/// Takes entries chain by chain, each chain in order, and says what is wrong with them.
#[derive(Debug, Default)]
pub struct Verifier {
    keys: BTreeMap<u32, MacKey>,
    chains: BTreeMap<String, Walk>,
    /// How far a chain had come, by what another entry says.
    claims: BTreeMap<String, Claim>,
    pruned: BTreeMap<String, Vec<Claim>>,
    expected: BTreeMap<String, Claim>,
    problems: Vec<Problem>,
    entries: u64,
    may_begin_late: bool,
    /// Without any key: only numbers are looked at.
    is_order_only: bool,
}

/// One chain so far.
#[derive(Debug, Default)]
struct Walk {
    seq: u64,
    head: Vec<u8>,
    /// The first entry, where it is not the first of its chain: it stands behind what was pruned.
    unrooted: Option<Box<AuditEntry>>,
}

/// That a chain had an entry with this number and MAC.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Claim {
    seq: u64,
    mac: Vec<u8>,
    by: String,
}

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The chain.
    pub chain: String,
    /// The first number it is about.
    pub seq: u64,
    /// What.
    pub kind: ProblemKind,
}

/// What may be wrong with a chain.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ProblemKind {
    /// An entry is not as it was written, or stands where it was not written.
    Changed,
    /// Entries are missing, up to and with this number.
    Missing {
        /// The last of them.
        to: u64,
    },
    /// The same number again, or a lower one than before.
    OutOfOrder,
    /// The chain went further; an entry elsewhere, or an earlier copy, says so.
    Truncated {
        /// Where it ends now; 0 if nothing of it is there.
        ends_at: u64,
        /// Who says so.
        by: String,
    },
    /// It names a key that is not there, or none.
    UnknownKey,
    /// An earlier copy has another entry there.
    Rewritten,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// How many entries were read.
    pub entries: u64,
    /// How many chains.
    pub chains: u64,
    /// What is wrong, by chain and number.
    pub problems: Vec<Problem>,
    /// Whether the MACs were looked at, and not the numbers alone.
    pub is_proved: bool,
}

// === impl Verifier ===

impl Verifier {
    /// With every key there is.
    pub fn new(keys: impl IntoIterator<Item = AuditKey>) -> Self {
        Self {
            keys: keys
                .into_iter()
                .map(|key| (key.generation, key.key))
                .collect(),
            ..Self::default()
        }
    }

    /// Without any key. Then only the numbers are judged, and what checkpoints say of other chains is
    /// taken as it is: that shows what was lost by accident, and nothing that was done on purpose.
    pub fn order_only() -> Self {
        Self {
            is_order_only: true,
            ..Self::default()
        }
    }

    /// An entry of an earlier copy: it has to be there, or to have been pruned. Before any entry.
    pub fn expect(&mut self, entry: &AuditEntry) {
        let claim = Claim {
            seq: entry.seq,
            mac: entry.mac.clone(),
            by: "an earlier copy".to_owned(),
        };
        higher(&mut self.expected, &entry.chain, claim);
    }

    /// Chains may begin with any entry: an export need not hold the old ones. The first entry of
    /// such a chain is then taken as it is.
    pub fn allow_late_beginnings(&mut self) {
        self.may_begin_late = true;
    }

    /// The next entry of its chain.
    pub fn push(&mut self, entry: &AuditEntry) {
        self.entries += 1;
        let is_new = !self.chains.contains_key(&entry.chain);
        let walk = self.chains.entry(entry.chain.clone()).or_default();
        if entry.seq <= walk.seq {
            let kind = if entry.seq == 0 {
                ProblemKind::Changed
            } else {
                ProblemKind::OutOfOrder
            };
            self.problems.push(problem(entry, kind));
            return;
        }
        let is_gap = entry.seq != walk.seq + 1;
        let before = core::mem::replace(&mut walk.head, entry.mac.clone());
        let last = core::mem::replace(&mut walk.seq, entry.seq);
        if is_new && is_gap {
            // Judged at the end: what was pruned may be said by an entry that comes later.
            walk.unrooted = Some(Box::new(entry.clone()));
        } else if is_gap {
            self.problems.push(Problem {
                chain: entry.chain.clone(),
                seq: last + 1,
                kind: ProblemKind::Missing { to: entry.seq - 1 },
            });
        } else if let Some(kind) = self.judge(&before, entry) {
            self.problems.push(problem(entry, kind));
        } else {
            self.hear(entry);
        }
        if let Some(expected) = self.expected.get(&entry.chain)
            && expected.seq == entry.seq
            && expected.mac != entry.mac
        {
            self.problems.push(problem(entry, ProblemKind::Rewritten));
        }
    }

    /// What came of it, once every entry was given.
    pub fn finish(mut self) -> Verdict {
        self.root();
        let mut claims = core::mem::take(&mut self.claims);
        for (chain, claim) in core::mem::take(&mut self.expected) {
            higher(&mut claims, &chain, claim);
        }
        for (chain, claim) in claims {
            let ends_at = self.chains.get(&chain).map_or(0, |walk| walk.seq);
            let was_pruned = self
                .pruned
                .get(&chain)
                .is_some_and(|pruned| pruned.iter().any(|pruned| pruned.seq >= claim.seq));
            if ends_at < claim.seq && !was_pruned {
                self.problems.push(Problem {
                    chain,
                    seq: ends_at + 1,
                    kind: ProblemKind::Truncated {
                        ends_at,
                        by: claim.by,
                    },
                });
            }
        }
        self.problems.sort();
        self.problems.dedup();
        Verdict {
            is_proved: !self.is_order_only,
            entries: self.entries,
            chains: u64::try_from(self.chains.len()).unwrap_or(u64::MAX),
            problems: self.problems,
        }
    }

    /// What is wrong with an entry behind this MAC.
    fn judge(&self, before: &[u8], entry: &AuditEntry) -> Option<ProblemKind> {
        if self.is_order_only {
            return None;
        }
        let key = generation_of(entry).and_then(|generation| self.keys.get(&generation));
        match key {
            None => Some(ProblemKind::UnknownKey),
            Some(key) if mac(key, before, entry).as_slice() != entry.mac => {
                Some(ProblemKind::Changed)
            }
            Some(_) => None,
        }
    }

    /// What a true entry says about other chains.
    fn hear(&mut self, entry: &AuditEntry) {
        let detail: Option<Map<String, Value>> = serde_json::from_str(&entry.detail).ok();
        let Some(detail) = detail else { return };
        let by = || format!("{}, {}", entry.chain, entry.seq);
        if entry.act == Act::Checkpoint.as_str() {
            let heads = detail.get("heads").and_then(Value::as_array);
            for head in heads.into_iter().flatten() {
                let Some((chain, seq, mac)) = head_of(head) else {
                    continue;
                };
                higher(&mut self.claims, chain, Claim { seq, mac, by: by() });
            }
        }
        if entry.act == Act::Prune.as_str()
            && let Some(seq) = detail.get("seq").and_then(Value::as_u64)
            && let Some(mac) = detail.get("mac").and_then(Value::as_str).and_then(unhex)
        {
            let pruned = self.pruned.entry(entry.object.clone()).or_default();
            pruned.push(Claim { seq, mac, by: by() });
        }
    }

    /// Chains that do not begin with their first entry: the last entry that was pruned says what
    /// stood before. Such an entry may itself say what was pruned elsewhere.
    fn root(&mut self) {
        let mut unrooted: Vec<AuditEntry> = self
            .chains
            .values_mut()
            .filter_map(|walk| walk.unrooted.take().map(|entry| *entry))
            .collect();
        loop {
            let before = unrooted.len();
            let mut later = Vec::new();
            for entry in unrooted {
                let pruned = self.pruned.get(&entry.chain).and_then(|pruned| {
                    let mut pruned = pruned.iter();
                    pruned.find(|one| one.seq.checked_add(1) == Some(entry.seq))
                });
                let Some(mac) = pruned.map(|pruned| pruned.mac.clone()) else {
                    later.push(entry);
                    continue;
                };
                match self.judge(&mac, &entry) {
                    Some(kind) => self.problems.push(problem(&entry, kind)),
                    None => self.hear(&entry),
                }
            }
            if later.is_empty() || later.len() == before {
                let missing = later.iter().filter(|_| !self.may_begin_late);
                let missing = missing.map(|entry| Problem {
                    chain: entry.chain.clone(),
                    seq: 1,
                    kind: ProblemKind::Missing { to: entry.seq - 1 },
                });
                self.problems.extend(missing);
                return;
            }
            unrooted = later;
        }
    }
}

fn problem(entry: &AuditEntry, kind: ProblemKind) -> Problem {
    Problem {
        chain: entry.chain.clone(),
        seq: entry.seq,
        kind,
    }
}

fn higher(claims: &mut BTreeMap<String, Claim>, chain: &str, claim: Claim) {
    match claims.get_mut(chain) {
        Some(known) if known.seq >= claim.seq => {}
        Some(known) => *known = claim,
        None => drop(claims.insert(chain.to_owned(), claim)),
    }
}

fn head_of(head: &Value) -> Option<(&str, u64, Vec<u8>)> {
    let [chain, seq, mac] = head.as_array()?.as_slice() else {
        return None;
    };
    Some((chain.as_str()?, seq.as_u64()?, unhex(mac.as_str()?)?))
}

// === impl ProblemKind ===

impl ProblemKind {
    /// A stable word for it.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Missing { .. } => "missing",
            Self::OutOfOrder => "out_of_order",
            Self::Truncated { .. } => "truncated",
            Self::UnknownKey => "unknown_key",
            Self::Rewritten => "rewritten",
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { chain, seq, kind } = self;
        match kind {
            ProblemKind::Changed => {
                write!(f, "chain {chain}: entry {seq} is not as it was written")
            }
            ProblemKind::Missing { to } if to == seq => {
                write!(f, "chain {chain}: entry {seq} is missing")
            }
            ProblemKind::Missing { to } => {
                write!(f, "chain {chain}: the entries {seq} to {to} are missing")
            }
            ProblemKind::OutOfOrder => {
                write!(
                    f,
                    "chain {chain}: entry {seq} is there twice or out of order"
                )
            }
            ProblemKind::Truncated { ends_at: 0, by } => {
                write!(f, "chain {chain}: it is gone as a whole ({by} knew it)")
            }
            ProblemKind::Truncated { ends_at, by } => write!(
                f,
                "chain {chain}: it ends with entry {ends_at}, and went further ({by} knew it)"
            ),
            ProblemKind::UnknownKey => {
                write!(f, "chain {chain}: entry {seq} names no key that is there")
            }
            ProblemKind::Rewritten => write!(
                f,
                "chain {chain}: entry {seq} is another one than in the earlier copy"
            ),
        }
    }
}
