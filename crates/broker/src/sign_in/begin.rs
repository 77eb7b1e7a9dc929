//! Beginning a sign-in: discover, register, and the URL for the browser.

use std::sync::Arc;

use claviger_crypto::Secret;
use claviger_model::{
    Auth, Connection, CredentialKey, Fault, Grant, OauthSettings, Outcome, PendingChallenge,
    Server, SignIn, SignInId, Standing, UserId,
};
use claviger_store::StoreError;

use super::Ended;
use super::flight_record::FlightRecord;
use crate::broker::{Inner, key_of};
use crate::cache::{Age, Held};
use crate::engine::{LookError, Prepared, SoFar};
use crate::refresh::{Landed, Seen};
use crate::serve::Chain;
use crate::standing::asks_for_more;
use crate::step::StepSink;
use crate::terms::Terms;
use crate::{Act, Actor, Broker, HoldError, Link, Note};

/// How a sign-in is begun.
#[derive(Debug)]
pub struct Begin {
    /// Where the issuer sends the browser back; a listener is bound there already (Z4).
    pub redirect_uri: String,
    /// Sign in even if there is a usable credential.
    pub force: bool,
    /// End a sign-in that is in flight instead of pointing to it.
    pub start_over: bool,
    /// What the browser's cookie will say, where a browser begins it.
    pub binding: Option<Secret>,
    /// The link it is begun with, where it is.
    pub link: Option<Link>,
}

/// What became of it.
#[derive(Debug)]
pub enum Begun {
    /// There is a usable credential (M5).
    Connected,
    /// The server needs no sign-in (M5).
    NoSignIn,
    /// The person has to go on in a browser.
    Started(Started),
}

/// A sign-in that waits for the person.
#[derive(Debug)]
pub struct Started {
    /// Its id.
    pub id: SignInId,
    /// Where the person goes; carries `state`.
    pub authorization_url: String,
}

/// Why a sign-in could not begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BeginError {
    /// Rows or seals.
    #[error("could not prepare the sign-in")]
    Hold {
        /// The cause.
        #[source]
        source: HoldError,
    },
    /// This is a copy that nobody called the live one (F33).
    #[error("no sign-in begins on a restored copy that nobody has called the live one")]
    Held,
    /// One is under way (M3).
    #[error("a sign-in is already under way, begun {since_s} s ago")]
    InFlight {
        /// Which.
        id: SignInId,
        /// For how long.
        since_s: i64,
    },
    /// Discovery or registration failed.
    #[error(transparent)]
    Look(#[from] LookError),
    /// A setting is wrong.
    #[error("the server is misconfigured: {hint}")]
    Misconfigured {
        /// What to do.
        hint: String,
    },
    /// The server is disabled (K11).
    #[error("the server is switched off")]
    SwitchedOff,
    /// The issuer does not answer.
    #[error("the issuer cannot be reached")]
    Unreachable,
}

/// For how long a `state` counts, in seconds (`contract.md`).
const STATE_TTL: i64 = 600;

// === impl BeginError ===

impl BeginError {
    /// A stable word for it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Hold { .. } => "credential",
            Self::InFlight { .. } => "sign_in_in_flight",
            Self::Look(source) => source.code(),
            Self::Misconfigured { .. } => "misconfigured",
            Self::SwitchedOff => "server_disabled",
            Self::Unreachable => "unreachable",
        }
    }

    /// Who has to act.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Hold { source } => source.fault(),
            Self::InFlight { .. } | Self::SwitchedOff => Fault::Caller,
            Self::Look(source) => source.fault(),
            Self::Held | Self::Misconfigured { .. } => Fault::Operator,
            Self::Unreachable => Fault::Peer,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Held => Some("`claviger restore --confirm-live` says so".to_owned()),
            Self::Look(source) => source.hint(),
            Self::Unreachable => Some("try again in a moment".to_owned()),
            _ => None,
        }
    }

    /// Whether the other side did not answer.
    pub fn is_unreachable(&self) -> bool {
        match self {
            Self::Look(source) => source.is_unreachable(),
            Self::Unreachable => true,
            _ => false,
        }
    }
}

impl From<HoldError> for BeginError {
    fn from(source: HoldError) -> Self {
        Self::Hold { source }
    }
}

impl From<StoreError> for BeginError {
    fn from(source: StoreError) -> Self {
        Self::Hold {
            source: source.into(),
        }
    }
}

// === impl Broker ===

impl Broker {
    /// Begins a sign-in of `user` at `server`, unless none is needed or one is under way.
    pub async fn begin(
        &self,
        server: &Server,
        user: &UserId,
        begin: Begin,
        steps: StepSink<'_>,
    ) -> Result<Begun, BeginError> {
        let Auth::Oauth(settings) = &server.auth else {
            return Ok(Begun::NoSignIn);
        };
        if !server.enabled {
            return Err(BeginError::SwitchedOff);
        }
        let inner = &self.inner;
        let key = key_of(server, user);
        self.make_way(&key, begin.start_over).await?;
        let connection = inner.connection(&key).await?;
        let held = match inner.reread(server, &key).await {
            Ok(held) => held,
            Err(HoldError::Store { source }) => return Err(source.into()),
            // What cannot be opened is of no use; signing in anew is the way out.
            Err(error) => {
                tracing::warn!(server = %server.slug, error = %Chain(&error), "what is stored cannot be opened");
                None
            }
        };
        if !begin.force
            && inner
                .is_usable(server, settings, &key, held.as_deref(), connection.as_ref())
                .await
        {
            return Ok(Begun::Connected);
        }
        if inner.is_held() {
            return Err(BeginError::Held);
        }
        if settings.grant == Grant::ClientCredentials {
            let seen = held.map(|held| Seen::of(&held.row)).unwrap_or_default();
            return landed(inner.renew(server, settings, &key, seen).await);
        }
        let challenge = connection.and_then(|connection| connection.challenge);
        let asked_before = held.map(|held| held.row.clone());
        let so_far = SoFar {
            key: &key,
            challenge: challenge.as_ref(),
            before: asked_before.as_ref(),
        };
        let prepared = inner
            .prepare(server, settings, so_far, &begin, steps)
            .await?;
        let Some(prepared) = prepared else {
            inner.note_standing(&key, Standing::NoSignIn).await?;
            return Ok(Begun::NoSignIn);
        };
        let started = inner
            .depart(server, &key, prepared, challenge, &begin, self.by_or(user))
            .await?;
        Ok(Begun::Started(started))
    }

    /// M3: one sign-in in flight per connection; a second is refused with a pointer to the first.
    async fn make_way(&self, key: &CredentialKey, start_over: bool) -> Result<(), BeginError> {
        let inner = &self.inner;
        let now = inner.parts.clock.now();
        let Some(open) = inner.rows(key).find_open_sign_in(key, now).await? else {
            return Ok(());
        };
        if !start_over {
            return Err(inner.in_flight(&open));
        }
        let ended = Ended::new(Outcome::Cancelled, "another sign-in was begun in its place");
        inner.end(&key.tenant, &open.id, ended).await;
        Ok(())
    }
}

// === impl Inner ===

impl Inner {
    /// M5: a usable or refreshable credential makes a sign-in needless, unless something is asked
    /// for that it does not give.
    async fn is_usable(
        self: &Arc<Self>,
        server: &Server,
        settings: &OauthSettings,
        key: &CredentialKey,
        held: Option<&Held>,
        connection: Option<&Connection>,
    ) -> bool {
        let Some(held) = held else {
            return false;
        };
        if connection.is_some_and(asks_for_more) {
            return false;
        }
        if held.age(self.parts.clock.now(), 0) != Age::Expired {
            return true;
        }
        let seen = Seen::of(&held.row);
        held.row.is_refreshable
            && matches!(
                self.renew(server, settings, key, seen).await,
                Landed::Fresh(_)
            )
    }

    /// Stores the sign-in; only then does anybody learn its `state`.
    async fn depart(
        &self,
        server: &Server,
        key: &CredentialKey,
        prepared: Prepared,
        challenge: Option<PendingChallenge>,
        begin: &Begin,
        by: Actor,
    ) -> Result<Started, BeginError> {
        let now = self.parts.clock.now();
        let id = match &begin.link {
            Some(link) => link.sign_in(self),
            None => SignInId::from_random(self.parts.entropy.id_bytes()),
        };
        let record = FlightRecord {
            pending: prepared.pending,
            binding: begin
                .binding
                .as_ref()
                .map(|binding| self.parts.vault.mark("sign-in-cookie", binding).to_vec()),
            registration: prepared.registration,
            challenged: challenge
                .filter(|challenge| challenge.insufficient_scope)
                .and_then(|challenge| challenge.scope),
            terms: Terms::of(server),
        };
        let sealed = record.seal(self, server, key, &id).await?;
        let sign_in = SignIn {
            id: id.clone(),
            key: key.clone(),
            state_mac: self.parts.vault.mark("state", &prepared.state).to_vec(),
            sealed,
            created_at: now,
            expires_at: now.plus(STATE_TTL),
            outcome: None,
        };
        let rows = self.rows(key);
        let note = Note::credential(Act::SignInBegin, server, key)
            .by(by)
            .with("sign_in", id.as_str());
        let (draft, recorded) = self.parts.audit.change(&key.tenant, note).await?;
        match draft.settle(recorded.insert_sign_in(&sign_in).await) {
            Ok(()) => {
                self.remember_whose(&key.tenant, &id);
                Ok(Started {
                    id,
                    authorization_url: prepared.authorization_url,
                })
            }
            // Somebody was faster between our look and our write; it may have ended since.
            Err(StoreError::Conflict) => {
                let open = rows.find_open_sign_in(key, now).await?;
                Err(self.in_flight(&open.unwrap_or(sign_in)))
            }
            Err(error) => Err(error.into()),
        }
    }

    fn in_flight(&self, open: &SignIn) -> BeginError {
        self.remember_whose(&open.key.tenant, &open.id);
        let now = self.parts.clock.now();
        BeginError::InFlight {
            id: open.id.clone(),
            since_s: now.since(open.created_at).max(0),
        }
    }

    pub(crate) async fn note_standing(
        &self,
        key: &CredentialKey,
        standing: Standing,
    ) -> Result<(), StoreError> {
        let connection = Connection {
            key: key.clone(),
            standing,
            reason: None,
            challenge: None,
            step_ups: 0,
            updated_at: self.parts.clock.now(),
        };
        self.rows(key).update_connection(&connection).await
    }
}

fn landed(landed: Landed) -> Result<Begun, BeginError> {
    match landed {
        Landed::Fresh(_) => Ok(Begun::Connected),
        Landed::Misconfigured(hint) => Err(BeginError::Misconfigured { hint }),
        Landed::Ended(reason) => Err(BeginError::Misconfigured {
            hint: format!("the issuer refused ({})", reason.as_str()),
        }),
        Landed::Unreachable { .. } => Err(BeginError::Unreachable),
    }
}
