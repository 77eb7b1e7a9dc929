//! Whatever happens in whatever order: what we hold works at the issuer, or the reason is legal.

use claviger_broker::Missing;
use claviger_model::{Outcome, Reason, Server, Standing, UserId};
use claviger_ports::FetchError;
use claviger_testkit::text_answer;
use futures_util::future::join_all;
use proptest::prelude::{Just, ProptestConfig, Strategy};
use proptest::{prop_oneof, proptest};

use crate::support::{Installation, Node, bearer, forced, linear};

/// One thing that may happen.
#[derive(Debug, Clone, Copy)]
enum Act {
    /// Callers at one of the nodes.
    Call { node: usize, callers: usize },
    /// A process dies and another takes its place.
    Crash { node: usize },
    /// The access token ends.
    Expire,
    /// The next answer to a refresh gets lost although it was carried out.
    Lose,
    /// A person signs out.
    SignOut { node: usize },
    /// A person signs in anew.
    SignIn { node: usize },
    /// The next answer of the token endpoint is no answer.
    Trouble { kind: usize },
    /// Time goes on, so that whoever backs off tries again.
    Wait,
}

/// What a person would say of the connection, without knowing how it works.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
struct Story {
    is_signed_in: bool,
    /// An answer is about to be lost.
    may_lose: bool,
    /// An answer was lost since the last sign-in.
    lost: bool,
}

const NODES: usize = 3;

fn act() -> impl Strategy<Value = Act> {
    let node = || 0..NODES;
    prop_oneof![
        5 => (node(), 1..5_usize).prop_map(|(node, callers)| Act::Call { node, callers }),
        2 => node().prop_map(|node| Act::Crash { node }),
        4 => Just(Act::Expire),
        1 => Just(Act::Lose),
        1 => node().prop_map(|node| Act::SignOut { node }),
        2 => node().prop_map(|node| Act::SignIn { node }),
        2 => (0..4_usize).prop_map(|kind| Act::Trouble { kind }),
        1 => Just(Act::Wait),
    ]
}

struct Play {
    installation: Installation,
    nodes: Vec<Node>,
    server: Server,
    story: Story,
    is_tolerant: bool,
    seed: u64,
}

// === impl Play ===

impl Play {
    async fn begin(is_tolerant: bool) -> Self {
        let installation = Installation::new();
        installation
            .issuer
            .set(|issuer| issuer.tolerant = is_tolerant);
        let mut nodes = Vec::new();
        for seed in 1..=3 {
            nodes.push(installation.node(seed).await);
        }
        let server = nodes[0].add(linear()).await;
        Self {
            installation,
            nodes,
            server,
            story: Story::default(),
            is_tolerant,
            seed: 4,
        }
    }

    async fn act(&mut self, act: Act) {
        match act {
            Act::Call { node, callers } => {
                let node = &self.nodes[node];
                let calls = (0..callers).map(|_| node.attach(&self.server));
                let all = self.installation.driven(join_all(calls)).await;
                for answer in all {
                    self.judge(answer.map(|attachment| !attachment.headers.is_empty()))
                        .await;
                }
            }
            Act::Crash { node } => {
                self.seed += 1;
                self.nodes[node] = self.installation.node(self.seed).await;
            }
            Act::Expire => self.nodes[0].expire(),
            Act::Lose => {
                self.installation.issuer.set(|issuer| issuer.loses = 1);
                self.story.may_lose = true;
            }
            Act::SignOut { node } => {
                let owner = UserId::owner();
                let ending = self.nodes[node].broker.disconnect(&self.server, &owner);
                self.installation.driven(ending).await.unwrap();
                self.forget();
                self.story.is_signed_in = false;
            }
            Act::SignIn { node } => self.sign_in(node).await,
            Act::Trouble { kind } => self.installation.issuer.set(|issuer| {
                issuer.next.push_back(match kind {
                    0 => Err(FetchError::Connect { reason: "refused" }),
                    1 => text_answer(503, &[("retry-after", "7")], ""),
                    2 => text_answer(502, &[("content-type", "text/html")], "<h1>no</h1>"),
                    _ => text_answer(429, &[], ""),
                });
            }),
            Act::Wait => self.installation.clock.advance_secs(700),
        }
    }

    async fn sign_in(&mut self, node: usize) {
        let (owner, node) = (UserId::owner(), &self.nodes[node]);
        // What was queued is meant for refreshes.
        let queued = self
            .installation
            .issuer
            .set(|issuer| core::mem::take(&mut issuer.next));
        let signing_in = node.sign_in_with(&self.server, &owner, forced());
        let ended = self.installation.driven(signing_in).await;
        assert_eq!(ended.outcome, Outcome::Success, "{ended:?}");
        self.installation.issuer.set(|issuer| issuer.next = queued);
        self.forget();
        self.story = Story {
            is_signed_in: true,
            lost: false,
            ..self.story
        };
    }

    /// What the other nodes hear by polling.
    fn forget(&self) {
        for node in &self.nodes {
            node.broker.invalidate();
        }
    }

    /// What a caller may hear, given what happened.
    async fn judge(&mut self, answer: Result<bool, Missing>) {
        let (reused, loses) = self.installation.issuer.set(|one| (one.reused, one.loses));
        self.story.lost |= self.story.may_lose && loses == 0;
        self.story.may_lose &= loses > 0;
        match answer {
            Ok(is_attached) => assert!(self.story.is_signed_in || !is_attached, "{:?}", self.story),
            Err(Missing::Unreachable { .. }) => assert!(self.story.is_signed_in),
            Err(Missing::NeedsSignIn { reason, .. }) => {
                let is_lost = reason == Some(Reason::AmbiguousRotation) && !self.is_tolerant;
                assert!(
                    is_lost && reused > 0 && self.story.lost,
                    "{reason:?} after {:?}",
                    self.story
                );
                self.story.is_signed_in = false;
                let connection = self.nodes[0].connection(&self.server).await.unwrap();
                assert_eq!(connection.standing, Standing::NeedsSignIn);
            }
            Err(other) => panic!("{other:?} after {:?}", self.story),
        }
    }

    /// When the trouble is over: it works everywhere, or it said why not.
    async fn end(mut self) {
        self.installation.issuer.set(|issuer| {
            issuer.next.clear();
            issuer.loses = 0;
        });
        self.story.may_lose = false;
        for node in 0..NODES {
            self.installation.clock.advance_secs(3_601 + 700);
            self.forget();
            let calling = self.nodes[node].attach(&self.server);
            let answer = self.installation.driven(calling).await;
            match &answer {
                Ok(attachment) if !attachment.headers.is_empty() => {
                    let token = bearer(attachment);
                    let token = token.strip_prefix("Bearer ").unwrap().to_owned();
                    let is_known = self
                        .installation
                        .issuer
                        .set(|one| one.secrets.contains(&token));
                    assert!(is_known && self.story.is_signed_in);
                }
                Err(Missing::Unreachable { .. }) => panic!("nobody is in trouble any more"),
                _ => {}
            }
            self.judge(answer.map(|attachment| !attachment.headers.is_empty()))
                .await;
        }
        let held = self.nodes[0].credential(&self.server).await;
        assert_eq!(held.is_some(), self.story.is_signed_in, "{:?}", self.story);
        let (reused, live) = self.installation.issuer.set(|one| (one.reused, one.live()));
        assert!(
            !self.is_tolerant || reused == 0,
            "a spent token was sent after its successor"
        );
        assert!(!self.story.is_signed_in || live >= 1);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 24,
        failure_persistence: None,
        max_shrink_iters: 200,
        ..ProptestConfig::default()
    })]

    // PROP2 against the issuer's ledger, PROP1 for what we hold: a sign-out is final, and no order
    // of refreshes, replays, crashes and sign-outs forks a grant.
    #[test]
    fn prop1_prop2_what_is_held_works_or_says_why(
        is_tolerant in proptest::bool::ANY,
        acts in proptest::collection::vec(act(), 1..14),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut play = Play::begin(is_tolerant).await;
            play.sign_in(0).await;
            for act in acts {
                play.act(act).await;
            }
            play.end().await;
        });
    }
}
