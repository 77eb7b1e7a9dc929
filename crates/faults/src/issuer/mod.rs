//! An authorization server with protected MCP servers, all in this process, that writes down every
//! token it gives away.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::dice::Dice;
use crate::proxy::Proxy;

pub(crate) use ledger::{Counts, Grant, Mode, Why};
use ledger::{Ledger, Minted};

mod answer;
mod ledger;
mod token;

/// The issuer and its servers, behind a [`Proxy`]. It ends with this value.
#[derive(Debug)]
pub(crate) struct Issuer {
    pub(crate) proxy: Proxy,
    shared: Arc<Shared>,
    // Held so that the tasks end with the issuer.
    _accepting: JoinSet<()>,
}

#[derive(Debug)]
struct Shared {
    origin: String,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    ledger: Ledger,
    script: Script,
    dice: Dice,
    /// What the codes that are out were asked for.
    codes: BTreeMap<String, String>,
    serial: u64,
    clients: u64,
    /// Token requests that arrived; the last ones are under way.
    requests: Vec<TokenRequest>,
}

/// How the issuer behaves from now on.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    /// What `expires_in` says, and how long access tokens work.
    pub(crate) life: Duration,
    /// Milliseconds between a token request and its commit: from, to.
    pub(crate) before_ms: (u64, u64),
    /// Milliseconds between the commit and the answer: from, to.
    pub(crate) after_ms: (u64, u64),
    /// Answers wait behind their commit until this is false again.
    pub(crate) is_held: bool,
    /// What token requests meet instead of service.
    pub(crate) trouble: Trouble,
    /// What revocation requests are answered with.
    pub(crate) revocation_status: u16,
}

/// What token requests meet instead of service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    None,
    /// No answer, ever.
    Hang,
    /// This status, and `Retry-After` if it is given.
    Status(u16, Option<u32>),
}

/// One token request, as the issuer saw it.
#[derive(Debug, Clone)]
pub(crate) struct TokenRequest {
    pub(crate) is_refresh: bool,
    pub(crate) grant: Option<usize>,
    pub(crate) arrived: Instant,
    pub(crate) committed: Option<Instant>,
    pub(crate) answered: Option<Instant>,
}

// === impl Issuer ===

impl Issuer {
    pub(crate) async fn start(mode: Mode, seed: u64) -> Self {
        Self::named("127.0.0.1", mode, seed).await
    }

    /// The same under a name; whoever asks has to know where that is.
    pub(crate) async fn named(host: &str, mode: Mode, seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Proxy::start(listener.local_addr().unwrap()).await;
        let shared = Arc::new(Shared {
            origin: proxy.origin(host),
            state: Mutex::new(State {
                ledger: Ledger::new(mode),
                script: Script::default(),
                dice: Dice::of(seed, "issuer"),
                codes: BTreeMap::new(),
                serial: 0,
                clients: 0,
                requests: Vec::new(),
            }),
        });
        let mut accepting = JoinSet::new();
        accepting.spawn(answer::serve(listener, Arc::clone(&shared)));
        Self {
            proxy,
            shared,
            _accepting: accepting,
        }
    }

    /// The address of one protected MCP server.
    pub(crate) fn resource(&self, slug: &str) -> String {
        format!("{}/r/{slug}/mcp", self.shared.origin)
    }

    pub(crate) fn counts(&self) -> Counts {
        self.shared.state().ledger.counts
    }

    /// Changes how it behaves.
    pub(crate) fn script(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.shared.state().script);
    }

    /// Looks into the ledger.
    pub(crate) fn ledger<T>(&self, look: impl FnOnce(&mut Ledger) -> T) -> T {
        look(&mut self.shared.state().ledger)
    }

    /// The last grant of a server.
    pub(crate) fn last(&self, slug: &str) -> Option<Grant> {
        let resource = self.resource(slug);
        self.ledger(|ledger| ledger.last(&resource).cloned())
    }

    /// How many grants of a server work.
    pub(crate) fn working(&self, slug: &str) -> usize {
        let resource = self.resource(slug);
        self.ledger(|ledger| ledger.working(&resource))
    }

    /// Token requests without an answer.
    pub(crate) fn open_requests(&self) -> usize {
        let state = self.shared.state();
        let open = state.requests.iter().filter(|one| one.answered.is_none());
        open.count()
    }

    /// Waits until every token request that arrived is answered.
    pub(crate) async fn quiet(&self) {
        while self.open_requests() > 0 {
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until the issuer has committed this many rotations since, whether or not it answered.
    pub(crate) async fn committed(&self, since: Instant, count: usize) -> bool {
        let committed = || {
            let all = self.requests_since(since);
            all.iter().filter(|one| one.committed.is_some()).count()
        };
        while committed() < count && since.elapsed() < Duration::from_mins(2) {
            sleep(Duration::from_millis(2)).await;
        }
        committed() >= count
    }

    /// All token requests that arrived since.
    pub(crate) fn requests_since(&self, since: Instant) -> Vec<TokenRequest> {
        let state = self.shared.state();
        let later = state.requests.iter().filter(|one| one.arrived >= since);
        later.cloned().collect()
    }
}

// === impl Shared ===

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

// === impl Script ===

impl Default for Script {
    fn default() -> Self {
        Self {
            life: Duration::from_secs(1),
            before_ms: (0, 40),
            after_ms: (0, 40),
            is_held: false,
            trouble: Trouble::None,
            revocation_status: 200,
        }
    }
}
