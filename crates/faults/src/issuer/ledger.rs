//! Every token the issuer gave away, and what became of it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// What happens to a refresh token that was used already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// It works once more for this long after it was used.
    Grace(Duration),
    /// It ends everything that came of the grant (RFC 9700, 4.14.2).
    Strict,
    /// It works until its successor, or the access token that came with it, is first used.
    Tolerant,
}

/// One refresh token.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    #[cfg(test)]
    token: String,
    parent: Option<usize>,
    /// When the issuer made it durable: from here on its parent is spent.
    pub(crate) committed: Instant,
}

/// One sign-in and its chain of refresh tokens.
#[derive(Debug, Clone)]
pub(crate) struct Grant {
    pub(crate) resource: String,
    pub(crate) chain: Vec<Link>,
    live: usize,
    is_live_used: bool,
    /// Why nothing of it works any more.
    pub(crate) ended: Option<Ended>,
}

/// How a grant ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ended {
    pub(crate) why: Why,
    /// When the token that was live then had been committed.
    pub(crate) live_since: Instant,
    /// Whether the access token that came with it had been used.
    pub(crate) was_live_used: bool,
}

/// Why a grant ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    Reused,
    Revoked,
}

/// What happened so far.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Token requests that arrived, whatever became of them.
    pub(crate) requests: u64,
    pub(crate) registrations: u64,
    pub(crate) redemptions: u64,
    /// Refresh tokens handed out for the live one.
    pub(crate) rotations: u64,
    /// Refresh tokens handed out for one that was used before: the chain forks.
    pub(crate) forks: u64,
    /// Refresh tokens refused because they were used before.
    pub(crate) reuses: u64,
    /// Refresh tokens that no grant knows, or whose grant has ended.
    pub(crate) unknown: u64,
    pub(crate) revocations: u64,
    pub(crate) calls: u64,
    pub(crate) refused_calls: u64,
}

#[derive(Debug)]
struct Access {
    grant: usize,
    link: usize,
    ends: Instant,
}

/// The tokens of an answer.
#[derive(Debug)]
pub(crate) struct Minted {
    pub(crate) access: String,
    pub(crate) refresh: String,
    pub(crate) grant: usize,
}

#[derive(Debug)]
pub(crate) struct Ledger {
    pub(crate) mode: Mode,
    pub(crate) counts: Counts,
    pub(crate) grants: Vec<Grant>,
    refresh: BTreeMap<String, (usize, usize)>,
    access: BTreeMap<String, Access>,
    serial: u64,
}

// === impl Ledger ===

impl Ledger {
    pub(crate) fn new(mode: Mode) -> Self {
        Self {
            mode,
            counts: Counts::default(),
            grants: Vec::new(),
            refresh: BTreeMap::new(),
            access: BTreeMap::new(),
            serial: 0,
        }
    }

    /// A new grant for a code.
    pub(crate) fn open(&mut self, resource: &str, life: Duration, now: Instant) -> Minted {
        self.counts.redemptions += 1;
        self.grants.push(Grant {
            resource: resource.to_owned(),
            chain: Vec::new(),
            live: 0,
            is_live_used: false,
            ended: None,
        });
        self.mint(self.grants.len() - 1, None, life, now)
    }

    /// Rotates; `None` is `invalid_grant`.
    pub(crate) fn rotate(&mut self, token: &str, life: Duration, now: Instant) -> Option<Minted> {
        let known = self.refresh.get(token).copied();
        let Some((at, link)) = known.filter(|(at, _)| self.grants[*at].ended.is_none()) else {
            self.counts.unknown += 1;
            return None;
        };
        let grant = &self.grants[at];
        if link == grant.live {
            self.counts.rotations += 1;
            return Some(self.mint(at, Some(link), life, now));
        }
        let is_parent = grant.chain[grant.live].parent == Some(link);
        let since = now - grant.chain[grant.live].committed;
        let is_good = is_parent
            && match self.mode {
                Mode::Grace(span) => since < span,
                Mode::Strict => false,
                Mode::Tolerant => !grant.is_live_used,
            };
        if is_good {
            self.counts.forks += 1;
            return Some(self.mint(at, Some(link), life, now));
        }
        self.counts.reuses += 1;
        if self.mode == Mode::Strict {
            self.end(at, Why::Reused);
        }
        None
    }

    /// RFC 7009: a refresh token ends its grant, an access token itself.
    pub(crate) fn revoke(&mut self, token: &str) {
        self.counts.revocations += 1;
        if let Some((at, _)) = self.refresh.get(token).copied() {
            self.end(at, Why::Revoked);
        }
        self.access.remove(token);
    }

    /// Whether an access token opens `resource`.
    pub(crate) fn admits(&mut self, token: &str, resource: &str, now: Instant) -> bool {
        let found = self.access.get(token).filter(|access| access.ends > now);
        let Some((at, link)) = found.map(|access| (access.grant, access.link)) else {
            self.counts.refused_calls += 1;
            return false;
        };
        let grant = &mut self.grants[at];
        if grant.resource != resource || grant.ended.is_some() {
            self.counts.refused_calls += 1;
            return false;
        }
        grant.is_live_used |= link == grant.live;
        self.counts.calls += 1;
        true
    }

    /// Whether any access token works.
    pub(crate) fn is_any_fresh(&self, now: Instant) -> bool {
        self.access.values().any(|access| access.ends > now)
    }

    /// Whether an access token for a resource works.
    pub(crate) fn is_fresh(&self, resource: &str, now: Instant) -> bool {
        let of = |access: &&Access| self.grants[access.grant].resource == resource;
        let mut all = self.access.values().filter(of);
        all.any(|access| access.ends > now)
    }

    /// The last grant for a resource.
    pub(crate) fn last(&self, resource: &str) -> Option<&Grant> {
        self.grants
            .iter()
            .rev()
            .find(|grant| grant.resource == resource)
    }

    /// How many grants for a resource still work.
    pub(crate) fn working(&self, resource: &str) -> usize {
        let of = |grant: &&Grant| grant.resource == resource && grant.ended.is_none();
        self.grants.iter().filter(of).count()
    }

    fn mint(&mut self, at: usize, parent: Option<usize>, life: Duration, now: Instant) -> Minted {
        self.serial += 1;
        let (access, refresh) = (format!("at-{}", self.serial), format!("rt-{}", self.serial));
        let grant = &mut self.grants[at];
        // Of two successors only the later one is good; the access token of the other ends too.
        if parent.is_some() && parent != Some(grant.live) {
            let lost = grant.live;
            self.access
                .retain(|_, access| access.grant != at || access.link != lost);
        }
        grant.chain.push(Link {
            #[cfg(test)]
            token: refresh.clone(),
            parent,
            committed: now,
        });
        grant.live = grant.chain.len() - 1;
        grant.is_live_used = false;
        self.refresh.insert(refresh.clone(), (at, grant.live));
        let ends = now + life;
        let link = grant.live;
        self.access.insert(
            access.clone(),
            Access {
                grant: at,
                link,
                ends,
            },
        );
        Minted {
            access,
            refresh,
            grant: at,
        }
    }

    fn end(&mut self, at: usize, why: Why) {
        let grant = &mut self.grants[at];
        let live_since = grant.chain[grant.live].committed;
        grant.ended = Some(Ended {
            why,
            live_since,
            was_live_used: grant.is_live_used,
        });
        self.access.retain(|_, access| access.grant != at);
    }
}

// === impl Grant ===

impl Grant {
    /// The only refresh token that still rotates.
    #[cfg(test)]
    fn live_token(&self) -> &str {
        &self.chain[self.live].token
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFE: Duration = Duration::from_secs(1);

    fn opened(mode: Mode) -> (Ledger, String, Instant) {
        let (mut ledger, now) = (Ledger::new(mode), Instant::now());
        let first = ledger.open("r", LIFE, now);
        (ledger, first.refresh, now)
    }

    #[test]
    fn a_strict_issuer_ends_the_grant_at_the_second_use() {
        let (mut ledger, first, now) = opened(Mode::Strict);
        let second = ledger.rotate(&first, LIFE, now).unwrap();
        assert!(ledger.rotate(&first, LIFE, now).is_none());
        assert!(ledger.rotate(&second.refresh, LIFE, now).is_none());
        assert!(!ledger.admits(&second.access, "r", now));
        assert_eq!(ledger.last("r").unwrap().ended.unwrap().why, Why::Reused);
        assert_eq!((ledger.counts.reuses, ledger.counts.unknown), (1, 1));
    }

    #[test]
    fn a_tolerant_issuer_takes_the_last_token_until_the_new_one_is_used() {
        let (mut ledger, first, now) = opened(Mode::Tolerant);
        let lost = ledger.rotate(&first, LIFE, now).unwrap();
        let second = ledger.rotate(&first, LIFE, now).unwrap();
        assert_eq!(ledger.counts.forks, 1);
        assert!(!ledger.admits(&lost.access, "r", now));
        assert!(ledger.rotate(&lost.refresh, LIFE, now).is_none());
        assert!(ledger.admits(&second.access, "r", now));
        assert!(ledger.rotate(&first, LIFE, now).is_none());
        assert_eq!(ledger.last("r").unwrap().live_token(), second.refresh);
        assert!(ledger.rotate(&second.refresh, LIFE, now).is_some());
    }

    #[test]
    fn a_grace_ends() {
        let (mut ledger, first, now) = opened(Mode::Grace(LIFE));
        ledger.rotate(&first, LIFE, now).unwrap();
        assert!(ledger.rotate(&first, LIFE, now).is_some());
        assert!(ledger.rotate(&first, LIFE, now + LIFE).is_none());
    }

    #[test]
    fn a_revoked_grant_is_over() {
        let (mut ledger, first, now) = opened(Mode::Tolerant);
        ledger.revoke(&first);
        assert_eq!(ledger.working("r"), 0);
        assert!(ledger.rotate(&first, LIFE, now).is_none());
    }
}
