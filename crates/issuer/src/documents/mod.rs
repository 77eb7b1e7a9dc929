//! Client id metadata documents: clients that are known by a URL of theirs (SEP-991).
//!
//! Fetched through the one guarded door, for a person who is signed in, within a budget; kept as
//! long as its headers say, within bounds; an error is never kept.

use core::fmt;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ::http::{HeaderMap, HeaderValue, StatusCode, header};
use claviger_model::{TenantId, Timestamp};
use claviger_ports::{Fetch, FetchRequest, Reach, Sink};
use claviger_wire::{check_document_url, is_json};
use url::Url;

use self::read::read_document;
use crate::Client;

mod read;

/// Whose documents are taken, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentSettings {
    /// Only of these hosts; of every host if empty.
    pub hosts_allowed: Vec<String>,
    /// Never of these hosts.
    pub hosts_denied: Vec<String>,
    /// A document is kept at least so long.
    pub cache_min_s: u32,
    /// And at most so long.
    pub cache_max_s: u32,
    /// So many are kept; the one that ends first gives way.
    pub cache_entries: usize,
    /// So many are fetched at once; more are refused.
    pub concurrent: usize,
    /// How far the door may reach.
    pub reach: Reach,
}

/// Why there is no client behind a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DocumentError {
    Busy,
    Invalid,
    Refused,
    Unreachable,
}

pub(crate) struct Documents {
    fetch: Arc<dyn Fetch>,
    settings: DocumentSettings,
    cache: Mutex<BTreeMap<String, Cached>>,
    running: AtomicUsize,
}

struct Cached {
    client: Client,
    fresh_until: Timestamp,
}

/// One of the places for fetches; given back when dropped.
struct Place<'a>(&'a AtomicUsize);

// === impl DocumentSettings ===

impl Default for DocumentSettings {
    fn default() -> Self {
        Self {
            hosts_allowed: Vec::new(),
            hosts_denied: Vec::new(),
            cache_min_s: 60,
            // at most a day.
            cache_max_s: 86_400,
            cache_entries: 1_000,
            concurrent: 8,
            reach: Reach::public(),
        }
    }
}

// === impl Documents ===

impl Documents {
    pub(crate) fn new(fetch: Arc<dyn Fetch>, settings: DocumentSettings) -> Self {
        Self {
            fetch,
            settings,
            cache: Mutex::default(),
            running: AtomicUsize::new(0),
        }
    }

    pub(crate) fn cached(&self, url: &str, now: Timestamp) -> Option<Client> {
        let cache = self.cache();
        let cached = cache.get(url).filter(|cached| cached.fresh_until > now)?;
        Some(cached.client.clone())
    }

    /// The client of this document, anew.
    pub(crate) async fn fetch(
        &self,
        url: &str,
        tenant: &TenantId,
        now: Timestamp,
    ) -> Result<Client, DocumentError> {
        // A040: on the text as it came.
        if check_document_url(url).is_err() || !self.is_allowed(url) {
            return Err(DocumentError::Refused);
        }
        // A045: a flood waits outside.
        let place = Place::take(&self.running, self.settings.concurrent);
        let Some(place) = place else {
            return Err(DocumentError::Busy);
        };
        let mut request = FetchRequest::get(Sink::ClientDocument, url);
        let json = HeaderValue::from_static("application/json");
        request.headers.insert(header::ACCEPT, json);
        let answer = self.fetch.fetch(request, &self.settings.reach).await;
        drop(place);
        let answer = answer.ok().ok_or(DocumentError::Unreachable)?;
        // A041: 200 and nothing else; the door follows no redirect. A042: 5 KiB.
        let typed = answer
            .headers
            .get(header::CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok())
            .is_some_and(is_json);
        if answer.status != StatusCode::OK || !typed || answer.body.len() > MAX_BYTES {
            return Err(DocumentError::Invalid);
        }
        let client = read_document(url, &answer.body, tenant, now);
        let client = client.ok_or(DocumentError::Invalid)?;
        self.keep(client.clone(), self.life_s(&answer.headers), now);
        Ok(client)
    }

    fn keep(&self, client: Client, life_s: u32, now: Timestamp) {
        let mut cache = self.cache();
        while cache.len() >= self.settings.cache_entries.max(1) && !cache.contains_key(&client.id) {
            let first = cache.iter().min_by_key(|(_, cached)| cached.fresh_until);
            let Some(url) = first.map(|(url, _)| url.clone()) else {
                return;
            };
            cache.remove(&url);
        }
        let cached = Cached {
            fresh_until: now.plus(life_s.into()),
            client,
        };
        cache.insert(cached.client.id.clone(), cached);
    }

    // RFC 9111 §5.2.2, within our bounds.
    fn life_s(&self, headers: &HeaderMap) -> u32 {
        let directives = headers
            .get_all(header::CACHE_CONTROL)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(|one| one.trim().to_ascii_lowercase());
        let mut life_s = DEFAULT_LIFE_S;
        for directive in directives {
            if matches!(directive.as_str(), "no-store" | "no-cache") {
                return self.settings.cache_min_s;
            }
            if let Some(seconds) = directive.strip_prefix("max-age=") {
                life_s = seconds.trim_matches('"').parse().unwrap_or(DEFAULT_LIFE_S);
            }
        }
        let (min, max) = (self.settings.cache_min_s, self.settings.cache_max_s);
        life_s.max(min).min(max)
    }

    fn is_allowed(&self, url: &str) -> bool {
        let Some(host) = Url::parse(url)
            .ok()
            .and_then(|url| url.host_str().map(str::to_owned))
        else {
            return false;
        };
        let listed = |hosts: &[String]| hosts.iter().any(|one| one.eq_ignore_ascii_case(&host));
        let allowed = &self.settings.hosts_allowed;
        (allowed.is_empty() || listed(allowed)) && !listed(&self.settings.hosts_denied)
    }

    fn cache(&self) -> MutexGuard<'_, BTreeMap<String, Cached>> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Documents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Documents").finish_non_exhaustive()
    }
}

// === impl Place ===

impl<'a> Place<'a> {
    fn take(running: &'a AtomicUsize, limit: usize) -> Option<Self> {
        let more = |count: usize| (count < limit).then_some(count + 1);
        let taken = running.fetch_update(Ordering::SeqCst, Ordering::SeqCst, more);
        taken.ok().map(|_| Self(running))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

const MAX_BYTES: usize = 5 * 1_024;
/// Of a document that says nothing about it.
const DEFAULT_LIFE_S: u32 = 300;
