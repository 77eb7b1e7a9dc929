//! The issuer: its settings, its doors and its key.

use core::fmt;
use core::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, RwLock};

use claviger_crypto::{MacKey, Secret, TokenKind, mint};
use claviger_model::Timestamp;
use claviger_ports::{Entropy, Fetch};
use url::Url;

use crate::documents::Documents;
use crate::limit::Limiter;
use crate::{
    Approve, DocumentSettings, InvalidSettings, IssuerEvent, IssuerSettings, IssuerStore,
    IssuerStoreError, Observe, SigningKeys, TokenMac,
};

/// What an issuer asks of the outside.
#[derive(Clone)]
pub struct IssuerDoors {
    /// Its rows.
    pub store: Arc<dyn IssuerStore>,
    /// Random bytes.
    pub entropy: Arc<dyn Entropy>,
    /// The person.
    pub approve: Arc<dyn Approve>,
    /// Who hears what happens.
    pub observe: Arc<dyn Observe>,
}

/// An authorization server. Every endpoint is a method.
pub struct Issuer {
    pub(crate) settings: IssuerSettings,
    pub(crate) doors: IssuerDoors,
    pub(crate) url: Url,
    pub(crate) limiter: Limiter,
    pub(crate) documents: Option<Documents>,
    swept_at: AtomicI64,
    pub(crate) signing: RwLock<Option<SigningKeys>>,
    mac_key: MacKey,
}

// === impl Issuer ===

impl Issuer {
    /// An issuer; unsafe settings are refused.
    pub fn new(
        settings: IssuerSettings,
        doors: IssuerDoors,
        mac_key: MacKey,
    ) -> Result<Self, InvalidSettings> {
        let url = settings.check()?;
        Ok(Self {
            limiter: Limiter::new(settings.limits),
            documents: None,
            swept_at: AtomicI64::new(i64::MIN),
            signing: RwLock::default(),
            settings,
            doors,
            url,
            mac_key,
        })
    }

    /// Takes client id metadata documents from now on, fetched through this door.
    #[must_use]
    pub fn with_client_documents(
        mut self,
        fetch: Arc<dyn Fetch>,
        settings: DocumentSettings,
    ) -> Self {
        self.documents = Some(Documents::new(fetch, settings));
        self
    }

    /// Its settings.
    pub fn settings(&self) -> &IssuerSettings {
        &self.settings
    }

    /// Who asks the person.
    pub fn approve(&self) -> &dyn Approve {
        &*self.doors.approve
    }

    pub(crate) fn mac(&self, purpose: &str, parts: &[&str]) -> TokenMac {
        let parts: Vec<&[u8]> = parts.iter().map(|part| part.as_bytes()).collect();
        self.mac_key.mac(purpose, &parts)
    }

    pub(crate) fn has_mac(&self, purpose: &str, parts: &[&str], mac: &TokenMac) -> bool {
        let parts: Vec<&[u8]> = parts.iter().map(|part| part.as_bytes()).collect();
        self.mac_key.verify(purpose, &parts, mac)
    }

    /// The same for a MAC that came from outside, of whatever length.
    pub(crate) fn has_mac_bytes(&self, purpose: &str, parts: &[&str], mac: &[u8]) -> bool {
        let parts: Vec<&[u8]> = parts.iter().map(|part| part.as_bytes()).collect();
        self.mac_key.verify(purpose, &parts, mac)
    }

    /// A fresh token and the MAC to store.
    pub(crate) fn mint(&self, kind: TokenKind) -> (Secret, TokenMac) {
        let token = mint(kind, self.doors.entropy.key_bytes());
        let mac = self.token_mac(&token);
        (token, mac)
    }

    pub(crate) fn token_mac(&self, token: &Secret) -> TokenMac {
        self.mac("token", &[token.expose()])
    }

    pub(crate) fn observe(&self, event: IssuerEvent) {
        self.doors.observe.observe(event);
    }

    /// Sweeps once a minute at most, when something is added.
    pub(crate) async fn sweep_sometimes(&self, now: Timestamp) -> Result<(), IssuerStoreError> {
        let due = |last: i64| {
            let age = now.as_secs().saturating_sub(last);
            // A clock that went back is no reason to stop.
            (!(0..SWEEP_INTERVAL_S).contains(&age)).then_some(now.as_secs())
        };
        let order = Ordering::Relaxed;
        if self.swept_at.fetch_update(order, order, due).is_ok() {
            self.doors.store.sweep(now).await?;
        }
        Ok(())
    }

    /// The path of an endpoint: below the issuer's own path.
    pub(crate) fn endpoint_path(&self, name: &str) -> String {
        format!("{}/{name}", self.url.path().trim_end_matches('/'))
    }

    pub(crate) fn endpoint_url(&self, name: &str) -> String {
        let origin = self.url.origin().ascii_serialization();
        format!("{origin}{}", self.endpoint_path(name))
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuer")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for IssuerDoors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuerDoors").finish_non_exhaustive()
    }
}

const SWEEP_INTERVAL_S: i64 = 60;
