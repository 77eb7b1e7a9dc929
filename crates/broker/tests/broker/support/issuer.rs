//! A small issuer that keeps a ledger of what it gave, and rotates refresh tokens strictly.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Mutex;

use claviger_crypto::base64_decode;
use claviger_ports::{FetchError, FetchResponse};
use claviger_testkit::{Gate, Recorded, form_pairs, json_answer, text_answer};
use http::Method;
use serde_json::{Value, json};
use url::Url;
use url::form_urlencoded::Serializer;

type Answer = Result<FetchResponse, FetchError>;

pub(crate) struct Issuer {
    base: String,
    state: Mutex<State>,
}

/// How it behaves, and what it did.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a habit of its own that a test switches"
)]
pub(crate) struct State {
    /// Seconds an access token lives; `None` says nothing about it.
    pub(crate) expires_in: Option<u64>,
    /// Gives a refresh token.
    pub(crate) refreshable: bool,
    /// Gives another refresh token on each refresh, and ends the grant if an old one comes.
    pub(crate) rotates: bool,
    /// Takes a spent refresh token again until its successor is used (FAPI 2.0).
    pub(crate) tolerant: bool,
    /// So many answers to refreshes get lost on their way, although they were carried out.
    pub(crate) loses: u32,
    /// Registers confidential clients.
    pub(crate) confidential: bool,
    /// Advertises and sends `iss`.
    pub(crate) sends_iss: bool,
    /// Offers RFC 7009.
    pub(crate) revokes: bool,
    /// Says which scopes it has.
    pub(crate) scopes: Option<Vec<String>>,
    /// Never grants these.
    pub(crate) withheld: Vec<String>,
    /// When the secrets it gives end; 0 is never.
    pub(crate) secret_ends: i64,
    /// Lets clients read, renew and end their registration, with a new token each time (RFC 7592).
    pub(crate) manages: bool,
    /// Renews a secret when it is read, not only when it is updated.
    pub(crate) renews_on_read: bool,
    /// Registers nobody any more.
    pub(crate) is_full: bool,
    /// Registrations that were taken back.
    pub(crate) deregistered: Vec<String>,
    /// Knows no client any more.
    pub(crate) forgot_clients: bool,
    /// Answers of the token endpoint that come before anything else.
    pub(crate) next: VecDeque<Answer>,
    /// Holds the answers of the token endpoint back.
    pub(crate) gate: Option<Gate>,
    /// Answers of the revocation endpoint that come before anything else.
    pub(crate) next_revocations: VecDeque<Answer>,
    /// Holds the answers of the revocation endpoint back.
    pub(crate) revocation_gate: Option<Gate>,
    /// Refresh tokens that were taken.
    pub(crate) redeemed: u32,
    /// Refresh tokens that came a second time.
    pub(crate) reused: u32,
    /// Tokens of `client_credentials`.
    pub(crate) obtained: u32,
    /// What was revoked, oldest first.
    pub(crate) revoked: Vec<String>,
    /// Every secret it gave.
    pub(crate) secrets: BTreeSet<String>,
    clients: BTreeMap<String, Option<String>>,
    /// The management token of each client, the last one given.
    managed: BTreeMap<String, String>,
    /// When the secret of each client ends.
    ends: BTreeMap<String, i64>,
    codes: BTreeMap<String, String>,
    live: BTreeMap<String, String>,
    /// Each with the successor it was spent for.
    spent: BTreeMap<String, String>,
    count: u32,
}

// === impl Issuer ===

impl Issuer {
    pub(crate) fn at(base: &str) -> Self {
        let clients = [(
            "static-client".to_owned(),
            Some("canary~static/secret+1=".to_owned()),
        )];
        Self {
            base: base.to_owned(),
            state: Mutex::new(State {
                expires_in: Some(3_600),
                refreshable: true,
                rotates: true,
                tolerant: false,
                loses: 0,
                confidential: false,
                sends_iss: true,
                revokes: true,
                scopes: None,
                withheld: Vec::new(),
                secret_ends: 0,
                manages: false,
                renews_on_read: false,
                is_full: false,
                deregistered: Vec::new(),
                forgot_clients: false,
                next: VecDeque::new(),
                gate: None,
                next_revocations: VecDeque::new(),
                revocation_gate: None,
                redeemed: 0,
                reused: 0,
                obtained: 0,
                revoked: Vec::new(),
                secrets: BTreeSet::new(),
                clients: clients.into(),
                managed: BTreeMap::new(),
                ends: BTreeMap::new(),
                codes: BTreeMap::new(),
                live: BTreeMap::new(),
                spent: BTreeMap::new(),
                count: 0,
            }),
        }
    }

    /// Changes how it behaves, or reads what it did.
    pub(crate) fn set<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap())
    }

    pub(crate) fn redeemed(&self) -> u32 {
        self.set(|state| state.redeemed)
    }

    /// What was revoked, by the kind of token, oldest first.
    pub(crate) fn revoked(&self) -> Vec<String> {
        let kind = |token: &String| {
            let kind = token.trim_start_matches("canary~").split('/').next();
            kind.unwrap_or_default().to_owned()
        };
        self.set(|state| state.revoked.iter().map(kind).collect())
    }

    /// How many refresh tokens are good.
    pub(crate) fn live(&self) -> usize {
        self.set(|state| state.live.len())
    }

    pub(crate) fn token_url(&self) -> String {
        format!("{}/token", self.base)
    }

    /// The person agrees: the query of the callback.
    #[track_caller]
    pub(crate) fn agree(&self, authorization_url: &str) -> String {
        let asked = Url::parse(authorization_url).unwrap();
        let asked: BTreeMap<String, String> = asked.query_pairs().into_owned().collect();
        assert!(authorization_url.starts_with(&self.base));
        assert_eq!(asked["code_challenge_method"], "S256");
        self.set(|state| {
            assert!(state.clients.contains_key(&asked["client_id"]));
            let code = state.secret("code");
            let scope = asked.get("scope").cloned().unwrap_or_default();
            state.codes.insert(code.clone(), scope);
            state.secrets.insert(asked["state"].clone());
            let mut query = Serializer::new(String::new());
            query.append_pair("code", &code);
            query.append_pair("state", &asked["state"]);
            if state.sends_iss {
                query.append_pair("iss", &self.base);
            }
            query.finish()
        })
    }

    pub(crate) async fn answer(&self, request: &Recorded) -> Option<Answer> {
        let place = request.url.strip_prefix(&self.base)?;
        Some(match place {
            "/.well-known/oauth-authorization-server" => json_answer(200, &self.metadata()),
            "/register" => self.set(|state| state.register(&self.base, request)),
            "/token" => {
                let (answer, gate) = self.set(|state| {
                    let queued = state.next.pop_front();
                    let answer = queued.unwrap_or_else(|| state.token(request));
                    (answer, state.gate.clone())
                });
                if let Some(gate) = gate {
                    gate.pass().await;
                }
                answer
            }
            _ if place.starts_with("/authorize?") => self.set(|state| state.page(request)),
            _ if place.starts_with("/register/") => {
                self.set(|state| state.manage(&self.base, request))
            }
            "/revoke" => {
                let (queued, gate) = self.set(|state| {
                    let queued = state.next_revocations.pop_front();
                    (queued, state.revocation_gate.clone())
                });
                if let Some(gate) = gate {
                    gate.pass().await;
                }
                queued.unwrap_or_else(|| self.set(|state| state.revoke(request)))
            }
            _ => text_answer(404, &[], ""),
        })
    }

    fn metadata(&self) -> Value {
        let base = &self.base;
        self.set(|state| {
            let methods = if state.confidential {
                json!(["client_secret_post"])
            } else {
                json!(["none", "client_secret_post"])
            };
            let mut document = json!({
                "issuer": base,
                "authorization_endpoint": format!("{base}/authorize"),
                "token_endpoint": format!("{base}/token"),
                "registration_endpoint": format!("{base}/register"),
                "token_endpoint_auth_methods_supported": methods,
                "code_challenge_methods_supported": ["S256"],
                "authorization_response_iss_parameter_supported": state.sends_iss,
            });
            if let Some(scopes) = &state.scopes {
                document["scopes_supported"] = json!(scopes);
            }
            if state.revokes {
                document["revocation_endpoint"] = json!(format!("{base}/revoke"));
            }
            document
        })
    }
}

// === impl State ===

impl State {
    /// A secret whose encodings all differ from it.
    fn secret(&mut self, kind: &str) -> String {
        self.count += 1;
        let secret = format!("canary~{kind}/{:04}+zQ7=", self.count);
        self.secrets.insert(secret.clone());
        secret
    }

    fn register(&mut self, base: &str, request: &Recorded) -> Answer {
        let asked = request.json();
        if self.is_full {
            return text_answer(503, &[], "");
        }
        self.count += 1;
        // Two issuers give no id alike.
        let host = base.rsplit('/').next().unwrap();
        let id = format!("client-{}-{host}", self.count);
        let secret = self.confidential.then(|| self.secret("client-secret"));
        self.clients.insert(id.clone(), secret.clone());
        let mut answer = json!({
            "client_id": id,
            "redirect_uris": asked["redirect_uris"],
            "token_endpoint_auth_method": asked["token_endpoint_auth_method"],
        });
        if let Some(secret) = secret {
            answer["client_secret"] = json!(secret);
            answer["client_secret_expires_at"] = json!(self.secret_ends);
            self.ends.insert(id.clone(), self.secret_ends);
        }
        if self.manages {
            self.hand_out(base, &id, &mut answer);
        }
        json_answer(201, &answer)
    }

    /// Another management token; the one before is worth nothing from now on.
    fn hand_out(&mut self, base: &str, id: &str, answer: &mut Value) {
        let token = self.secret("registration");
        self.managed.insert(id.to_owned(), token.clone());
        answer["registration_access_token"] = json!(token);
        answer["registration_client_uri"] = json!(format!("{base}/register/{id}"));
    }

    /// RFC 7592.
    fn manage(&mut self, base: &str, request: &Recorded) -> Answer {
        let id = request.url.rsplit('/').next().unwrap().to_owned();
        let bearer = self.managed.get(&id).map(|token| format!("Bearer {token}"));
        let is_known = self.clients.contains_key(&id) && !self.forgot_clients;
        if bearer.is_none() || !is_known || request.header("authorization") != bearer.as_deref() {
            return json_answer(401, &json!({"error": "invalid_token"}));
        }
        if request.method == Method::DELETE {
            self.clients.remove(&id);
            self.deregistered.push(id);
            return text_answer(204, &[], "");
        }
        let mut answer =
            json!({"client_id": id, "redirect_uris": ["http://127.0.0.1:7448/callback/linear"]});
        if request.method == Method::PUT {
            let said = request.json();
            assert_eq!(said["client_id"], json!(id));
            assert_eq!(said["redirect_uris"], answer["redirect_uris"]);
            assert_eq!(said["client_secret"], json!(self.clients[&id]));
            assert!(said.get("registration_access_token").is_none());
        }
        if request.method == Method::PUT || self.renews_on_read {
            let secret = self.secret("client-secret");
            self.clients.insert(id.clone(), Some(secret.clone()));
            self.ends.insert(id.clone(), self.secret_ends);
        }
        answer["client_secret_expires_at"] = json!(self.ends[&id]);
        answer["client_secret"] = json!(self.clients[&id]);
        self.hand_out(base, &id, &mut answer);
        json_answer(200, &answer)
    }

    /// The page a browser would see.
    fn page(&mut self, request: &Recorded) -> Answer {
        let asked = Url::parse(&request.url).unwrap();
        let asked: BTreeMap<String, String> = asked.query_pairs().into_owned().collect();
        if self.forgot_clients || !self.clients.contains_key(&asked["client_id"]) {
            return text_answer(400, &[], "<h1>Client not found</h1>");
        }
        text_answer(200, &[], "<form>Sign in</form>")
    }

    fn token(&mut self, request: &Recorded) -> Answer {
        let form: BTreeMap<String, String> = request.form().into_iter().collect();
        if !self.knows(request, &form) {
            return json_answer(401, &json!({"error": "invalid_client"}));
        }
        let asked = form.get("scope").cloned().unwrap_or_default();
        match form["grant_type"].as_str() {
            "authorization_code" => match self.codes.remove(&form["code"]) {
                Some(scope) if form.contains_key("code_verifier") => {
                    self.secrets.insert(form["code_verifier"].clone());
                    self.grant(&scope, self.refreshable)
                }
                _ => json_answer(400, &json!({"error": "invalid_grant"})),
            },
            "client_credentials" => {
                self.obtained += 1;
                self.grant(&asked, false)
            }
            "refresh_token" => self.refresh(&form["refresh_token"]),
            other => panic!("an unknown grant: {other}"),
        }
    }

    fn refresh(&mut self, token: &str) -> Answer {
        if let Some(successor) = self.spent.get(token).cloned() {
            match self.live.remove(&successor) {
                // Nobody used the successor: the one who asks never got it.
                Some(scope) if self.tolerant => {
                    self.live.insert(token.to_owned(), scope);
                }
                _ => {
                    self.reused += 1;
                    self.live.clear();
                }
            }
        }
        let Some(scope) = self.live.get(token).cloned() else {
            return json_answer(400, &json!({"error": "invalid_grant"}));
        };
        self.redeemed += 1;
        if self.rotates {
            self.live.remove(token);
        }
        let before: BTreeSet<String> = self.live.keys().cloned().collect();
        let answer = self.grant(&scope, self.rotates);
        if let Some(successor) = self.live.keys().find(|one| !before.contains(*one)) {
            self.spent.insert(token.to_owned(), successor.clone());
        }
        if self.loses > 0 {
            self.loses -= 1;
            return Err(FetchError::Broken);
        }
        answer
    }

    /// How many refresh tokens would be taken now.
    pub(crate) fn live(&self) -> usize {
        self.live.len()
    }

    fn grant(&mut self, scope: &str, with_refresh: bool) -> Answer {
        let granted: Vec<&str> = scope
            .split(' ')
            .filter(|one| !one.is_empty() && !self.withheld.iter().any(|held| held == one))
            .collect();
        let granted = granted.join(" ");
        let mut answer = json!({"token_type": "Bearer", "access_token": self.secret("access")});
        if !granted.is_empty() {
            answer["scope"] = json!(granted);
        }
        if let Some(seconds) = self.expires_in {
            answer["expires_in"] = json!(seconds);
        }
        if with_refresh {
            let token = self.secret("refresh");
            self.live.insert(token.clone(), granted);
            answer["refresh_token"] = json!(token);
        }
        json_answer(200, &answer)
    }

    fn revoke(&mut self, request: &Recorded) -> Answer {
        let token = request.field("token").unwrap();
        self.live.remove(&token);
        self.revoked.push(token);
        text_answer(200, &[], "")
    }

    fn knows(&self, request: &Recorded, form: &BTreeMap<String, String>) -> bool {
        if self.forgot_clients {
            return false;
        }
        let basic = request
            .header("authorization")
            .and_then(|value| value.strip_prefix("Basic "));
        let (id, secret) = match basic {
            Some(basic) => {
                let pair = String::from_utf8(base64_decode(basic).unwrap()).unwrap();
                let (id, secret) = pair.split_once(':').unwrap();
                let decoded = |text: &str| form_pairs(format!("x={text}").as_bytes())[0].1.clone();
                (decoded(id), Some(decoded(secret)))
            }
            None => (
                form["client_id"].clone(),
                form.get("client_secret").cloned(),
            ),
        };
        self.clients.get(&id).is_some_and(|known| *known == secret)
    }
}
