//! Everything outside: protected servers and their issuers; every other place says 404.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use claviger_ports::{Fetch, FetchError, FetchRequest, FetchResponse, Reach};
use claviger_testkit::{Recorded, json_answer, text_answer};
use serde_json::json;
use url::Url;

use super::Issuer;

#[derive(Default)]
pub(crate) struct World {
    issuers: Mutex<Vec<Arc<Issuer>>>,
    /// The issuer of each protected server; empty for one that is open.
    servers: Mutex<BTreeMap<String, String>>,
    requests: Mutex<Vec<Recorded>>,
}

// === impl World ===

impl World {
    pub(crate) fn add(&self, issuer: &Arc<Issuer>) {
        self.issuers.lock().unwrap().push(Arc::clone(issuer));
    }

    /// A server whose issuer this is from now on.
    pub(crate) fn protect(&self, url: &str, issuer: &str) {
        let mut servers = self.servers.lock().unwrap();
        servers.insert(url.to_owned(), issuer.to_owned());
    }

    /// A server that asks nobody.
    pub(crate) fn open(&self, url: &str) {
        self.protect(url, "");
    }

    pub(crate) fn requests(&self) -> Vec<Recorded> {
        self.requests.lock().unwrap().clone()
    }

    /// Requests to addresses that begin with this.
    pub(crate) fn requests_to(&self, start: &str) -> Vec<Recorded> {
        let mut requests = self.requests();
        requests.retain(|request| request.url.starts_with(start));
        requests
    }

    pub(crate) fn forget(&self) {
        self.requests.lock().unwrap().clear();
    }

    fn server(&self, url: &str) -> Option<Result<FetchResponse, FetchError>> {
        let servers = self.servers.lock().unwrap();
        for (server, issuer) in servers.iter() {
            let place = Url::parse(server).unwrap();
            let origin = place.origin().ascii_serialization();
            let metadata = format!(
                "{origin}/.well-known/oauth-protected-resource{}",
                place.path()
            );
            if url == server && issuer.is_empty() {
                return Some(json_answer(200, &json!({"jsonrpc": "2.0", "id": 1})));
            }
            if url == server {
                let challenge = format!("Bearer resource_metadata=\"{metadata}\"");
                let headers = [("www-authenticate", challenge.as_str())];
                return Some(text_answer(401, &headers, ""));
            }
            if url == metadata && !issuer.is_empty() {
                let document = json!({"resource": server, "authorization_servers": [issuer]});
                return Some(json_answer(200, &document));
            }
        }
        None
    }
}

#[async_trait]
impl Fetch for World {
    async fn fetch(
        &self,
        request: FetchRequest,
        reach: &Reach,
    ) -> Result<FetchResponse, FetchError> {
        let recorded = Recorded {
            sink: request.sink,
            method: request.method,
            url: request.url,
            headers: request.headers,
            body: request.body.unwrap_or_default(),
            reach: reach.clone(),
        };
        self.requests.lock().unwrap().push(recorded.clone());
        if let Some(answer) = self.server(&recorded.url) {
            return answer;
        }
        let issuers = self.issuers.lock().unwrap().clone();
        for issuer in issuers {
            if let Some(answer) = issuer.answer(&recorded).await {
                return answer;
            }
        }
        text_answer(404, &[], "")
    }
}
