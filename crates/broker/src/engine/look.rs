//! Looking at a server: what it asks for, and whether we could sign in.

use std::sync::Arc;

use claviger_client::{
    Discover, DiscoverError, Discovered, Discovery, RegisterError, Start, discover,
};
use claviger_model::{Auth, Fault, OauthSettings, PendingChallenge, Server, Standing, UserId};
use claviger_ports::Reach;
use claviger_wire::{BearerChallenge, Scope, ScopeSet};
use url::Url;

use crate::broker::{Inner, key_of, reach_of};
use crate::serve::Chain;
use crate::step::{Step, StepKind, StepSink};
use crate::{Broker, HoldError};

/// What is looked at.
#[derive(Debug, Clone)]
pub struct Look {
    url: String,
    reach: Reach,
    settings: OauthSettings,
}

/// What was found.
#[derive(Debug, Clone)]
pub struct Found {
    /// Whether a person, or a client of ours, has to sign in.
    pub needs_sign_in: bool,
    /// The issuer.
    pub issuer: Option<String>,
    /// Ways to register there: `static`, `document`, `dynamic`.
    pub registration: Vec<String>,
    /// Scopes the server names.
    pub scopes: ScopeSet,
}

/// Why a look, or what follows from it, failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LookError {
    /// Discovery.
    #[error("discovery failed: {source}")]
    Discover {
        /// The cause.
        #[source]
        source: DiscoverError,
    },
    /// Registration.
    #[error("registration failed: {source}")]
    Register {
        /// The cause.
        #[source]
        source: RegisterError,
    },
    /// The authorization request cannot be made.
    #[error("the sign-in cannot be prepared: {message}")]
    Prepare {
        /// Why, in words of ours.
        message: String,
    },
    /// Rows or seals.
    #[error("could not read or write client information")]
    Hold {
        /// The cause.
        #[source]
        source: HoldError,
    },
}

// === impl Look ===

impl Look {
    /// A look at any URL.
    pub fn at(url: &str, allow_private: bool) -> Self {
        let host = Url::parse(url)
            .ok()
            .and_then(|url| url.host().map(|host| host.to_string()));
        let reach = match host {
            Some(host) if allow_private => Reach::public().with_private_host(&host),
            _ => Reach::public(),
        };
        Self {
            url: url.to_owned(),
            reach,
            settings: OauthSettings::default(),
        }
    }

    /// A look at a server, with what its operator fixed.
    pub fn of(server: &Server) -> Self {
        let settings = match &server.auth {
            Auth::Oauth(settings) => (**settings).clone(),
            _ => OauthSettings::default(),
        };
        Self {
            url: server.url.clone(),
            reach: reach_of(server),
            settings,
        }
    }
}

// === impl LookError ===

impl LookError {
    /// A stable word for it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Discover { .. } => "discovery_failed",
            Self::Register { .. } => "registration_failed",
            Self::Prepare { .. } => "sign_in_not_prepared",
            Self::Hold { .. } => "credential",
        }
    }

    /// Who has to act.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Discover { source } => source.fault(),
            Self::Register { source } => source.fault(),
            Self::Prepare { .. } => Fault::Peer,
            Self::Hold { .. } => Fault::Us,
        }
    }

    /// Whether the other side did not answer.
    pub fn is_unreachable(&self) -> bool {
        match self {
            Self::Discover { source } => matches!(source, DiscoverError::Unreachable { .. }),
            Self::Register { source } => source.is_transient(),
            _ => false,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        use claviger_client::UnreachableCause::Fetch;
        use claviger_ports::FetchError::Blocked;
        match self {
            Self::Discover {
                source:
                    DiscoverError::Unreachable {
                        cause: Fetch(Blocked { .. }),
                        ..
                    },
            } => Some(
                "if the server is on this machine or network and is yours, use --allow-private"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}

impl From<HoldError> for LookError {
    fn from(source: HoldError) -> Self {
        Self::Hold { source }
    }
}

impl From<claviger_store::StoreError> for LookError {
    fn from(source: claviger_store::StoreError) -> Self {
        Self::Hold {
            source: source.into(),
        }
    }
}

// === impl Broker ===

impl Broker {
    /// Looks at a server without changing anything: discovery, and which registration would do.
    pub async fn look(&self, look: &Look, steps: StepSink<'_>) -> Result<Found, LookError> {
        let inner = &self.inner;
        let input = Discover {
            grant: look.settings.grant,
            pinned_issuer: look.settings.issuer.clone(),
            reach: look.reach.clone(),
            ..Discover::new(look.url.clone(), Arc::clone(&inner.parts.quirks))
        };
        let discovery = inner.run(&mut discover(input), &look.reach, steps).await;
        let found = match discovery.map_err(|source| LookError::Discover { source })? {
            Discovery::SignIn(discovered) => inner.found(&look.settings, &discovered),
            _ => Found {
                needs_sign_in: false,
                issuer: None,
                registration: Vec::new(),
                scopes: ScopeSet::new(),
            },
        };
        steps(verdict(&found));
        Ok(found)
    }

    /// Remembers that a server answered without a sign-in; a later challenge corrects it.
    pub async fn note_found(&self, server: &Server, user: &UserId, found: &Found) {
        if found.needs_sign_in {
            return;
        }
        let key = key_of(server, user);
        if let Err(error) = self.inner.note_standing(&key, Standing::NoSignIn).await {
            tracing::warn!(error = %Chain(&error), "could not remember what a look found");
        }
    }
}

// === impl Inner ===

impl Inner {
    pub(crate) async fn discover(
        &self,
        server: &Server,
        settings: &OauthSettings,
        challenge: Option<&PendingChallenge>,
        preferred_issuer: Option<String>,
        steps: StepSink<'_>,
    ) -> Result<Discovery, LookError> {
        let reach = reach_of(server);
        let start = challenge.map_or(Start::Probe, |challenge| {
            Start::Challenge(BearerChallenge {
                error: None,
                scope: challenge.scope.clone(),
                resource_metadata: challenge.resource_metadata.clone(),
            })
        });
        let input = Discover {
            start,
            grant: settings.grant,
            pinned_issuer: settings.issuer.clone(),
            preferred_issuer,
            reach: reach.clone(),
            ..Discover::new(server.url.clone(), Arc::clone(&self.parts.quirks))
        };
        self.run(&mut discover(input), &reach, steps)
            .await
            .map_err(|source| LookError::Discover { source })
    }

    fn found(&self, settings: &OauthSettings, discovered: &Discovered) -> Found {
        let issuer = &discovered.issuer;
        let our_document = settings.client_metadata_url.is_some()
            || self.parts.settings.client_metadata_url.is_some();
        let ways = [
            ("static", settings.client_id.is_some()),
            (
                "document",
                issuer.client_id_metadata_document_supported && our_document,
            ),
            ("dynamic", issuer.registration_endpoint.is_some()),
        ];
        let named = discovered.scopes_supported().unwrap_or_default();
        Found {
            needs_sign_in: true,
            issuer: Some(discovered.issuer_id().to_owned()),
            registration: ways
                .iter()
                .filter(|(_, there)| *there)
                .map(|(way, _)| (*way).to_owned())
                .collect(),
            scopes: named
                .iter()
                .filter_map(|scope| Scope::parse(scope).ok())
                .collect(),
        }
    }
}

/// Whether a sign-in could work, as the last step of a look.
fn verdict(found: &Found) -> Step {
    let (kind, outcome, hint) = if !found.needs_sign_in {
        (StepKind::Ok, "no sign-in is needed".to_owned(), None)
    } else if found.registration.is_empty() {
        let hint = "register a client with the issuer by hand and pass --client-id".to_owned();
        (
            StepKind::Warned,
            "the issuer registers no clients by itself".to_owned(),
            Some(hint),
        )
    } else {
        (
            StepKind::Ok,
            format!("can register: {}", found.registration.join(", ")),
            None,
        )
    };
    Step {
        stage: "verdict".to_owned(),
        kind,
        what: found.issuer.clone().unwrap_or_default(),
        outcome,
        rule: Some("C-20".to_owned()),
        hint,
        deviations: Vec::new(),
        took_ms: None,
    }
}
