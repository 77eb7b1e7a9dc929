//! Herds against one issuer and several, in time that only passes while nobody works.

use core::sync::atomic::{AtomicU64, Ordering};
use std::collections::BTreeMap;

use claviger_model::Timestamp;
use claviger_testkit::SeededEntropy;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, join_all};
use http::HeaderValue;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::*;
use crate::TokenMark;
use crate::cache::tests::credential;
use crate::cache::{Age, Held};

/// tokio's clock, which stands still while anybody works.
struct Paused(Instant);

impl Clock for Paused {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(1_000 + i64::try_from(self.0.elapsed().as_secs()).unwrap())
    }

    fn monotonic_ms(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis()).unwrap()
    }

    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn sleep(&self, span: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(span))
    }
}

struct Ground {
    herd: Herd,
    clock: Arc<Paused>,
    site: Site,
    /// How many requests the issuer saw in each second.
    seen: Mutex<BTreeMap<u64, u64>>,
    at_once: AtomicU64,
    most_at_once: AtomicU64,
}

impl Ground {
    fn new() -> Arc<Self> {
        let clock = Arc::new(Paused(Instant::now()));
        Arc::new(Self {
            herd: Herd::new(Arc::clone(&clock) as _, Arc::new(SeededEntropy::new(22))),
            clock,
            site: site("issuer"),
            seen: Mutex::default(),
            at_once: AtomicU64::new(0),
            most_at_once: AtomicU64::new(0),
        })
    }

    /// Asks the issuer once, which takes so long to answer so.
    async fn ask(&self, urgency: &mut Urgency, ms: u64, heard: Heard) -> Result<(), Shut> {
        let permit = self.herd.admit(&self.site, urgency).await?;
        let now = self.clock.monotonic_ms();
        *self.seen.lock().unwrap().entry(now / 1_000).or_default() += 1;
        let at_once = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_at_once.fetch_max(at_once, Ordering::SeqCst);
        self.clock.sleep(Duration::from_millis(ms)).await;
        self.at_once.fetch_sub(1, Ordering::SeqCst);
        permit.heard(heard);
        Ok(())
    }

    /// Comes again when it is told to.
    async fn ask_until_heard(&self, urgency: &mut Urgency) {
        while let Err(shut) = self.ask(urgency, 100, ANSWER).await {
            let pause = Duration::from_secs(u64::from(shut.retry_after_s));
            self.clock.sleep(pause).await;
        }
    }

    async fn refresh(self: Arc<Self>, is_waited_for: bool) {
        let (_tell, mut urgency) = Urgency::new(is_waited_for);
        self.ask_until_heard(&mut urgency).await;
    }

    /// Asks an issuer that is down until then, and is heard after.
    async fn outlast(&self, down_until_ms: u64) {
        loop {
            let is_down = self.clock.monotonic_ms() < down_until_ms;
            let heard = if is_down { FAULT } else { ANSWER };
            let pause_s = match self.ask(&mut Urgency::waited(), 100, heard).await {
                Ok(()) if !is_down => return,
                Ok(()) => 1,
                Err(shut) => u64::from(shut.retry_after_s),
            };
            self.clock.sleep(Duration::from_secs(pause_s)).await;
        }
    }

    /// The busiest second against the mean of all from the first to the last.
    fn check_peak(&self, requests: u64) {
        let seen = self.seen.lock().unwrap();
        let total: u64 = seen.values().sum();
        assert_eq!(total, requests);
        let (first, last) = (seen.keys().min().unwrap(), seen.keys().max().unwrap());
        let (seconds, peak) = (last - first + 1, seen.values().max().unwrap());
        assert!(
            peak * seconds <= 3 * total,
            "{peak} in a second, {total} in {seconds} s"
        );
        assert!(*peak <= u64::from(PER_S + BURST));
        assert!(self.most_at_once.load(Ordering::SeqCst) <= u64::from(AT_ONCE));
    }
}

fn site(name: &str) -> Site {
    Site {
        issuer: format!("https://{name}.example"),
        endpoint: format!("https://{name}.example/token"),
    }
}

const ANSWER: Heard = Heard::Answer {
    retry_after_s: None,
};
const FAULT: Heard = Heard::Fault {
    retry_after_s: None,
};
const CREDENTIALS: u64 = 10_000;

/// All were obtained in one second and end in one second, and all are used every second.
#[tokio::test(start_paused = true)]
async fn f22_ten_thousand_that_end_together_are_refreshed_over_time() {
    let ground = Ground::new();
    let entropy = SeededEntropy::new(7);
    let mut waiting: Vec<(Held, u8)> = (0..CREDENTIALS)
        .map(|_| {
            let mut mark = [0; 32];
            entropy.fill(&mut mark);
            let held = Held {
                row: credential(Some(3_600)),
                header: HeaderValue::from_static("Bearer x"),
                mark: TokenMark(mark),
            };
            (held, mark[0])
        })
        .collect();
    let mut refreshes = JoinSet::new();
    while !waiting.is_empty() {
        let now = ground.clock.now();
        waiting.retain(|(held, jitter)| {
            let age = held.age(now, *jitter);
            assert_ne!(age, Age::Expired);
            if age == Age::Aging {
                refreshes.spawn(Arc::clone(&ground).refresh(false));
            }
            age == Age::Fresh
        });
        ground.clock.sleep(Duration::from_secs(1)).await;
    }
    refreshes.join_all().await;
    ground.check_peak(CREDENTIALS);
}

/// Nobody used them until all had ended, and then everybody comes in one instant.
#[tokio::test(start_paused = true)]
async fn f22_ten_thousand_callers_in_one_instant_are_no_wave() {
    for is_waited_for in [true, false] {
        let ground = Ground::new();
        let mut asking = JoinSet::new();
        for _ in 0..CREDENTIALS {
            asking.spawn(Arc::clone(&ground).refresh(is_waited_for));
        }
        asking.join_all().await;
        // A130: all are through within half a minute, those nobody waits for in twice that.
        let most_ms = if is_waited_for { 30_000 } else { 60_000 };
        assert!(ground.clock.monotonic_ms() < most_ms);
        ground.check_peak(CREDENTIALS);
    }
}

/// An issuer that asks for patience is not asked by anybody meanwhile, and sees no wave after.
#[tokio::test(start_paused = true)]
async fn f22_retry_after_counts_for_everybody() {
    for heard in [
        Heard::Answer {
            retry_after_s: Some(90),
        },
        Heard::Fault {
            retry_after_s: Some(90),
        },
    ] {
        let ground = Ground::new();
        let first = ground.ask(&mut Urgency::waited(), 0, heard).await;
        first.unwrap();
        let mut asking = JoinSet::new();
        for _ in 0..2_000 {
            let ground = Arc::clone(&ground);
            asking.spawn(async move { ground.ask_until_heard(&mut Urgency::waited()).await });
        }
        asking.join_all().await;
        let mut seen = ground.seen.lock().unwrap();
        assert_eq!(seen.remove(&0), Some(1));
        assert_eq!(seen.keys().next(), Some(&90));
        drop(seen);
        ground.check_peak(2_000);
        // Another issuer was not asked to wait.
        assert!(ground.herd.is_shut(&site("other")).is_none());
    }
}

/// A130: down for a minute with everything due: one probe at a time, and all are through soon after.
#[tokio::test(start_paused = true)]
async fn f22_a130_an_issuer_that_is_down_for_a_minute_is_probed_and_caught_up_with() {
    let ground = Ground::new();
    let mut asking = JoinSet::new();
    for n in 0..CREDENTIALS {
        let ground = Arc::clone(&ground);
        asking.spawn(async move {
            ground.clock.sleep(Duration::from_millis(n % 1_000)).await;
            ground.outlast(60_000).await;
        });
    }
    asking.join_all().await;
    assert!(ground.clock.monotonic_ms() < 90_000);
    let seen = ground.seen.lock().unwrap();
    // The first second until it opened, and then a probe every two to four seconds.
    let during: u64 = seen.range(2..60).map(|(_, count)| count).sum();
    assert!((10..60).contains(&during), "{during} while it was down");
    let peak = seen.values().max().unwrap();
    assert!(*peak <= u64::from(PER_S + BURST));
}

/// F23: an issuer that never answers holds up nobody at another.
#[tokio::test(start_paused = true)]
async fn f23_an_issuer_that_hangs_does_not_touch_another() {
    let ground = Ground::new();
    let mut stuck = JoinSet::new();
    for _ in 0..1_000 {
        let ground = Arc::clone(&ground);
        stuck.spawn(async move {
            let asked = ground.ask(&mut Urgency::waited(), 30_000, FAULT).await;
            (asked, ground.clock.monotonic_ms())
        });
    }
    ground.clock.sleep(Duration::from_secs(1)).await;
    let before = ground.clock.monotonic_ms();
    for _ in 0..BURST {
        let (other, mut urgency) = (site("other"), Urgency::waited());
        let admitted = ground.herd.admit(&other, &mut urgency).await;
        admitted.unwrap().heard(ANSWER);
    }
    assert_eq!(ground.clock.monotonic_ms(), before);
    let ends = stuck.join_all().await;
    let asked = ends.iter().filter(|(asked, _)| asked.is_ok()).count();
    assert_eq!(asked, usize::try_from(AT_ONCE).unwrap());
    // Who could not even ask is told so, and nobody waits for longer than a request may take.
    let refused = ends.iter().filter(|(asked, _)| asked.is_err());
    assert!(refused.clone().count() > 900);
    assert!(refused.map(|(_, at)| *at).all(|at| at <= LONGEST_WAIT_MS));
}

/// Who waits goes first, also who joins a refresh that stands in the line already.
#[tokio::test(start_paused = true)]
async fn f23_who_waits_goes_before_the_background() {
    let ground = Ground::new();
    let order = Arc::new(Mutex::new(Vec::new()));
    let mut running = Vec::new();
    for _ in 0..BACKGROUND_AT_ONCE {
        running.push(
            ground
                .herd
                .admit(&ground.site, &mut Urgency::waited())
                .await,
        );
    }
    let stand = |name: &'static str, mut urgency: Urgency| {
        let (ground, order) = (Arc::clone(&ground), Arc::clone(&order));
        async move {
            let permit = ground.herd.admit(&ground.site, &mut urgency).await;
            order.lock().unwrap().push(name);
            ground.clock.sleep(Duration::from_secs(1)).await;
            drop(permit);
        }
    };
    let mut line = JoinSet::new();
    let mut tells = Vec::new();
    for name in ["quiet one", "quiet two", "joined"] {
        let (tell, quiet) = Urgency::new(false);
        line.spawn(stand(name, quiet));
        tells.push(tell);
    }
    // Their random times are over, and no place is free for them.
    ground.clock.sleep(Duration::from_millis(SPREAD_MS)).await;
    assert!(order.lock().unwrap().is_empty());
    tells[2].send_replace(true);
    line.spawn(stand("waits", Urgency::waited()));
    ground.clock.sleep(Duration::from_millis(10)).await;
    // Places are kept for those who are waited for.
    let mut first = order.lock().unwrap().clone();
    first.sort_unstable();
    assert_eq!(first, ["joined", "waits"]);
    drop(running);
    line.join_all().await;
    let all = order.lock().unwrap().clone();
    assert!(all[2..].iter().all(|name| name.starts_with("quiet")));
}

/// The breaker counts faults in a row, and nothing an issuer says.
#[tokio::test(start_paused = true)]
async fn a130_an_answer_never_opens_the_breaker_and_faults_do() {
    let ground = Ground::new();
    for _ in 0..100 {
        let asked = ground.ask(&mut Urgency::waited(), 10, ANSWER).await;
        asked.unwrap();
    }
    assert!(ground.herd.is_shut(&ground.site).is_none());
    for _ in 0..5 {
        let asked = ground.ask(&mut Urgency::waited(), 10, FAULT).await;
        asked.unwrap();
    }
    let shut = ground.herd.is_shut(&ground.site).unwrap();
    assert_eq!(shut.retry_after_s, 1);
    let sent_away = ground.ask(&mut Urgency::waited(), 10, ANSWER).await;
    assert_eq!(sent_away, Err(shut));
    ground.clock.sleep(Duration::from_secs(1)).await;
    // One probe; who comes meanwhile is sent away.
    let (mut urgency, mut other) = (Urgency::waited(), Urgency::waited());
    let probe = ground.ask(&mut urgency, 500, ANSWER);
    let meanwhile = async {
        ground.clock.sleep(Duration::from_millis(100)).await;
        ground.ask(&mut other, 10, ANSWER).await
    };
    let (probed, refused) = futures_util::future::join(probe, meanwhile).await;
    assert!(probed.is_ok() && refused.is_err());
    let calls = (0..20).map(async |_| ground.ask(&mut Urgency::waited(), 10, ANSWER).await);
    assert!(join_all(calls).await.iter().all(Result::is_ok));
}

/// A permit that was never used leaves no probe behind that nobody makes.
#[tokio::test(start_paused = true)]
async fn a_probe_that_asks_nothing_is_followed_by_another() {
    let ground = Ground::new();
    for _ in 0..5 {
        ground.ask(&mut Urgency::waited(), 0, FAULT).await.unwrap();
    }
    ground.clock.sleep(Duration::from_secs(1)).await;
    let mut waited = Urgency::waited();
    let unused = ground.herd.admit(&ground.site, &mut waited).await;
    assert!(ground.herd.is_shut(&ground.site).is_some());
    drop(unused);
    let again = ground.herd.admit(&ground.site, &mut waited).now_or_never();
    again.unwrap().unwrap().heard(Heard::Nothing);
    ground.ask(&mut waited, 0, ANSWER).await.unwrap();
    assert!(ground.herd.is_shut(&ground.site).is_none());
}

/// However many issuers somebody names, few are remembered, and those in trouble the longest.
#[tokio::test(start_paused = true)]
async fn the_table_is_bounded() {
    let ground = Ground::new();
    for _ in 0..5 {
        ground.ask(&mut Urgency::waited(), 0, FAULT).await.unwrap();
    }
    for n in 0..MOST * 2 {
        let site = site(&format!("issuer-{n}"));
        let admitted = ground.herd.admit(&site, &mut Urgency::waited()).await;
        admitted.unwrap().heard(ANSWER);
        ground.clock.sleep(Duration::from_millis(100)).await;
    }
    let gates = ground.herd.gates.lock().unwrap();
    assert!(gates.len() <= MOST);
    assert!(gates.contains_key(&ground.site));
}
