//! Several KEKs, their sentinels, and a service that keeps the KEK for itself.

use core::time::Duration;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use async_trait::async_trait;
use claviger_broker::{KekProvider, KekProviderError, Keks, KeyName, Missing, Vault, VaultError};
use claviger_crypto::{Context, Kek, SealedFor, UnwrapError, hex};
use claviger_model::{TenantId, UserId};
use claviger_testkit::SeededEntropy;
use zeroize::Zeroizing;

use crate::support::{Installation, Node, linear};

fn kek(byte: u8) -> Kek {
    Kek::new([byte; 32])
}

fn keks(first: u8, old: &[u8]) -> Keks {
    let old = old.iter().map(|byte| Arc::new(kek(*byte)) as _).collect();
    Keks::new(Arc::new(kek(first)), old)
}

async fn open(
    installation: &Installation,
    node: &Node,
    keks: impl Into<Keks>,
) -> Result<Vault, VaultError> {
    let entropy = Arc::new(SeededEntropy::new(99));
    Vault::open(
        keks,
        node.store.keys(),
        entropy,
        Arc::clone(&installation.clock) as _,
    )
    .await
}

fn context() -> Context {
    Context::new(SealedFor::Header).at("servers", "test")
}

/// A service that may be away.
#[derive(Debug)]
struct Service {
    kek: Kek,
    is_up: AtomicBool,
    asked: AtomicU32,
}

impl Service {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            kek: kek(7),
            is_up: AtomicBool::new(true),
            asked: AtomicU32::new(0),
        })
    }

    fn ask(&self) -> Result<(), KekProviderError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if self.is_up.load(Ordering::Relaxed) {
            return Ok(());
        }
        let source = std::io::Error::from(std::io::ErrorKind::ConnectionRefused).into();
        Err(KekProviderError::Unavailable { source })
    }
}

#[async_trait]
impl KekProvider for Service {
    fn id(&self) -> [u8; 8] {
        self.kek.id()
    }

    async fn wrap(
        &self,
        name: &KeyName<'_>,
        fresh: [u8; 32],
        key: &[u8; 32],
    ) -> Result<Vec<u8>, KekProviderError> {
        self.ask()?;
        KekProvider::wrap(&self.kek, name, fresh, key).await
    }

    async fn unwrap(
        &self,
        name: &KeyName<'_>,
        wrapped: &[u8],
    ) -> Result<Zeroizing<[u8; 32]>, KekProviderError> {
        self.ask()?;
        KekProvider::unwrap(&self.kek, name, wrapped).await
    }
}

#[tokio::test]
async fn a208_a_kek_that_wraps_something_cannot_be_left_out() {
    let (installation, node, _server) = Installation::signed_in().await;
    let before = node.store.keys().list_keys().await.unwrap();
    let refused = open(&installation, &node, kek(9)).await.unwrap_err();
    let VaultError::WrongKey {
        source: UnwrapError::OtherKek { wrapped_by, given },
    } = refused
    else {
        panic!("{refused:?}");
    };
    assert_eq!(wrapped_by, hex(&kek(7).id()));
    assert_eq!(given, hex(&kek(9).id()));
    // Two that are both another one.
    assert!(open(&installation, &node, keks(9, &[8])).await.is_err());
    assert_eq!(node.store.keys().list_keys().await.unwrap(), before);
    // In second place it still unwraps.
    let vault = open(&installation, &node, keks(9, &[8, 7])).await.unwrap();
    let tenant = TenantId::default_tenant();
    let sealed = vault.seal(&tenant, &context(), b"x").await.unwrap();
    let opened = vault.open_record(&tenant, &context(), &sealed).await;
    assert_eq!(**opened.unwrap(), *b"x");
    // What is new is wrapped by the first one.
    let other = TenantId::parse("other").unwrap();
    vault.seal(&other, &context(), b"x").await.unwrap();
    let rows = node.store.keys().list_keys().await.unwrap();
    let new = rows.iter().find(|row| row.tenant.as_ref() == Some(&other));
    assert_eq!(new.unwrap().kek_id, kek(9).id());
}

#[tokio::test]
async fn a207_every_kek_has_a_sentinel_that_is_tried_first() {
    let (installation, node, _server) = Installation::signed_in().await;
    open(&installation, &node, keks(9, &[7])).await.unwrap();
    let rows = node.store.keys().list_keys().await.unwrap();
    let sentinels: Vec<_> = rows
        .iter()
        .filter(|row| row.purpose == "sentinel")
        .map(|row| (row.generation, row.kek_id.clone()))
        .collect();
    let expected = [(1, kek(7).id().to_vec()), (2, kek(9).id().to_vec())];
    assert_eq!(sentinels, expected);
    // It holds nothing up once its KEK is gone.
    open(&installation, &node, kek(7)).await.unwrap();
}

#[tokio::test]
async fn f30_a_service_that_is_away_at_the_start_refuses_it() {
    let (installation, node, _server) = Installation::signed_in().await;
    let service = Service::new();
    service.is_up.store(false, Ordering::Relaxed);
    let before = node.store.keys().list_keys().await.unwrap();
    let keks = Keks::new(Arc::clone(&service) as _, Vec::new());
    let refused = open(&installation, &node, keks).await.unwrap_err();
    assert!(
        matches!(refused, VaultError::Unavailable { .. }),
        "{refused:?}"
    );
    assert_eq!(node.store.keys().list_keys().await.unwrap(), before);
}

#[tokio::test]
async fn f30_a_service_that_goes_away_is_missed_once_its_answers_are_old() {
    let installation = Installation::new();
    let service = Service::new();
    let keks = Keks::new(Arc::clone(&service) as _, Vec::new()).with_ttl(Duration::from_mins(1));
    let node = installation.node_of(keks, 1).await.unwrap();
    let server = node.add(linear()).await;
    node.sign_in(&server, &UserId::owner()).await;
    let asked = service.asked.load(Ordering::Relaxed);
    node.broker.invalidate();
    node.bearer(&server).await;
    assert_eq!(
        service.asked.load(Ordering::Relaxed),
        asked,
        "it is not asked again"
    );
    service.is_up.store(false, Ordering::Relaxed);
    installation.clock.advance(Duration::from_secs(50));
    node.broker.invalidate();
    node.bearer(&server).await;
    installation.clock.advance(Duration::from_secs(20));
    node.broker.invalidate();
    // 503, and no sign-in, which would not mend it.
    let missing = node.attach(&server).await.unwrap_err();
    assert!(
        matches!(missing, Missing::Unreachable { .. }),
        "{missing:?}"
    );
    service.is_up.store(true, Ordering::Relaxed);
    node.bearer(&server).await;
}

#[tokio::test]
async fn an_audit_key_and_a_journal_key_are_the_same_for_every_process() {
    let installation = Installation::new();
    let (one, two) = (installation.node(1).await, installation.node(2).await);
    let one = open(&installation, &one, kek(7)).await.unwrap();
    let two = open(&installation, &two, kek(7)).await.unwrap();
    let key = one.audit_key().await.unwrap();
    assert_eq!(key.generation, 1);
    let mac = key.key.mac("chain", &[b"entry"]);
    let same = two.audit_key_of(1).await.unwrap();
    assert!(same.key.verify("chain", &[b"entry"], &mac));
    let gone = two.audit_key_of(2).await.unwrap_err();
    assert!(matches!(gone, VaultError::UnknownKey));
    let entry = one.seal_journal(&context(), b"token").await.unwrap();
    let opened = two.open_journal(&context(), &entry).await.unwrap();
    assert_eq!(**opened, *b"token");
    // It is nobody's tenant key.
    let tenant = TenantId::default_tenant();
    one.seal(&tenant, &context(), b"x").await.unwrap();
    assert!(two.open_record(&tenant, &context(), &entry).await.is_err());
}
