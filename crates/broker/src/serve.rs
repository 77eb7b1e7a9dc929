//! What to attach to a request: from memory while it is fresh.

use std::sync::Arc;

use async_trait::async_trait;
use claviger_crypto::{Context, SealedFor, Secret, base64_decode};
use claviger_model::{Auth, CredentialKey, Grant, HeaderTemplate, OauthSettings, Reason, Server};
use http::{HeaderName, HeaderValue};

use crate::audit::{Use, Used};
use crate::broker::{Inner, key_of, origin_of};
use crate::cache::{Age, Held};
use crate::refresh::{Landed, Seen};
use crate::{
    Act, Asker, Attach, Attachment, Broker, HoldError, Missing, Note, Refusal, VaultError,
};

/// What a caller is told to wait when an issuer does not answer, in seconds.
const RETRY_AFTER_S: u32 = 5;

/// What a sealed setting of a server is for; it opens for nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting<'a> {
    /// The secret of the operator's client with this id.
    ClientSecret {
        /// The id.
        client_id: &'a str,
    },
    /// The value of a fixed header.
    Header {
        /// The header, in lower case.
        name: &'a str,
    },
    /// The private key of the operator's client with this id.
    PrivateKey {
        /// The id.
        client_id: &'a str,
    },
}

/// Who asks for which credential.
pub(crate) struct Asking<'a> {
    pub(crate) asker: &'a Asker,
    pub(crate) key: CredentialKey,
}

#[async_trait]
impl Attach for Broker {
    async fn attach(&self, server: &Server, asker: &Asker) -> Result<Attachment, Missing> {
        match &server.auth {
            Auth::Headers { headers } => {
                let attached = self.fixed_headers(server, headers).await?;
                let of = Used::Fixed(key_of(server, &asker.user));
                self.used(server, asker, of).await?;
                Ok(attached)
            }
            Auth::Oauth(settings) => self.oauth(server, asker, settings).await,
            // `none`, and whatever a later version may add: nothing is attached.
            _ => Ok(Attachment::default()),
        }
    }

    async fn refused(
        &self,
        server: &Server,
        asker: &Asker,
        used: &Attachment,
        refusal: &Refusal,
    ) -> Result<Attachment, Missing> {
        match &server.auth {
            Auth::Oauth(settings) => {
                self.answer_refusal(server, asker, settings, used, refusal)
                    .await
            }
            Auth::Headers { .. } => Err(Missing::Misconfigured {
                server: server.slug.to_string(),
                hint: "the upstream refused the fixed headers; set new ones".to_owned(),
            }),
            _ => Err(Missing::Misconfigured {
                server: server.slug.to_string(),
                hint: "the upstream asks for a sign-in, but the server is set to need none"
                    .to_owned(),
            }),
        }
    }
}

// === impl Broker ===

impl Broker {
    async fn oauth(
        &self,
        server: &Server,
        asker: &Asker,
        settings: &OauthSettings,
    ) -> Result<Attachment, Missing> {
        let inner = &self.inner;
        let asking = Asking::new(server, asker);
        let key = &asking.key;
        let held = match inner.hold(server, key).await {
            Ok(Some(held)) => held,
            // Bare: the upstream decides, and says in its challenge what to sign in for.
            Ok(None) => return Ok(Attachment::default()),
            Err(error) => return Err(broken(server, &error)),
        };
        let now = inner.parts.clock.now();
        match held.age(now, jitter_of(&held)) {
            Age::Fresh if !inner.wants_recheck(&held) => self.attached(server, &held, asker).await,
            Age::Aging | Age::Fresh => {
                // Served while it is refreshed; nobody waits for what still works.
                inner.start_quiet_renewal(server, settings, key, &held);
                self.attached(server, &held, asker).await
            }
            Age::Expired if can_renew(&held, settings) => {
                let seen = Seen::of(&held.row);
                let landed = inner.renew_patiently(server, settings, key, seen).await;
                self.settle(server, &asking, landed).await
            }
            Age::Expired => Err(self.needs_sign_in(server, key, Some(Reason::Expired)).await),
        }
    }

    async fn fixed_headers(
        &self,
        server: &Server,
        templates: &[HeaderTemplate],
    ) -> Result<Attachment, Missing> {
        let mut headers = Vec::with_capacity(templates.len());
        for template in templates {
            let role = Setting::Header {
                name: &template.name,
            };
            let opened = self
                .inner
                .open_setting(server, role, &template.sealed_value)
                .await;
            let value = match opened {
                Ok(value) => value,
                Err(error) => return Err(broken(server, &error)),
            };
            let (Ok(name), Ok(mut value)) = (
                HeaderName::from_bytes(template.name.as_bytes()),
                HeaderValue::from_str(value.expose()),
            ) else {
                return Err(Missing::Misconfigured {
                    server: server.slug.to_string(),
                    hint: format!("the fixed header `{}` cannot be sent", template.name),
                });
            };
            value.set_sensitive(true);
            headers.push((name, value));
        }
        Ok(Attachment {
            headers,
            mark: None,
        })
    }

    /// Seals a secret setting of a server, for storing it inside its `auth`.
    pub async fn seal_setting(
        &self,
        server: &Server,
        setting: Setting<'_>,
        secret: &Secret,
    ) -> Result<String, HoldError> {
        let context = setting_context(server, setting);
        let plain = secret.expose().as_bytes();
        let sealed = self
            .inner
            .parts
            .vault
            .seal(&server.tenant, &context, plain)
            .await?;
        Ok(claviger_crypto::base64_encode(&sealed))
    }

    /// The attachment of a token; that it is used is recorded.
    pub(crate) async fn attached(
        &self,
        server: &Server,
        held: &Arc<Held>,
        asker: &Asker,
    ) -> Result<Attachment, Missing> {
        self.used(server, asker, Used::Held(Arc::clone(held)))
            .await?;
        Ok(attachment(held))
    }

    async fn used(&self, server: &Server, asker: &Asker, of: Used) -> Result<(), Missing> {
        let one = Use {
            by: asker.clone(),
            server: server.slug.clone(),
            of,
        };
        self.inner.parts.audit.used(one).await
    }

    /// What a flight's end means to somebody who waits with a request.
    pub(crate) async fn settle(
        &self,
        server: &Server,
        asking: &Asking<'_>,
        landed: Landed,
    ) -> Result<Attachment, Missing> {
        match landed {
            Landed::Fresh(held) => self.attached(server, &held, asking.asker).await,
            Landed::Ended(reason) => {
                let key = &asking.key;
                Err(self.needs_sign_in(server, key, Some(reason)).await)
            }
            Landed::Misconfigured(hint) => Err(Missing::Misconfigured {
                server: server.slug.to_string(),
                hint,
            }),
            Landed::Unreachable { retry_after_s } => Err(Missing::Unreachable {
                server: server.slug.to_string(),
                retry_after_s: retry_after_s.unwrap_or(RETRY_AFTER_S),
            }),
        }
    }

    pub(crate) async fn needs_sign_in(
        &self,
        server: &Server,
        key: &CredentialKey,
        reason: Option<Reason>,
    ) -> Missing {
        let link = self.link(key).await;
        Missing::NeedsSignIn {
            server: server.slug.to_string(),
            reason,
            link,
        }
    }
}

// === impl Asking ===

impl<'a> Asking<'a> {
    pub(crate) fn new(server: &Server, asker: &'a Asker) -> Self {
        Self {
            asker,
            key: key_of(server, &asker.user),
        }
    }
}

// === impl Inner ===

impl Inner {
    /// Opens a secret setting of a server. Fails where its URL, or what the secret is for, was
    /// changed in the database.
    pub(crate) async fn open_setting(
        &self,
        server: &Server,
        setting: Setting<'_>,
        sealed: &str,
    ) -> Result<Secret, HoldError> {
        // What is no record at all opens no more than one that was changed.
        let record = base64_decode(sealed).unwrap_or_default();
        let context = setting_context(server, setting);
        let about = || Note::server(Act::Tamper, server).with("of", setting.word());
        let opened = self
            .open_sealed(&server.tenant, &context, &record, about)
            .await?;
        let text = core::str::from_utf8(&opened).map_err(|source| HoldError::Shape {
            source: Box::new(source),
        })?;
        Ok(Secret::new(text))
    }
}

/// Our own trouble with a stored credential: never the caller's fault, never a sign-in.
pub(crate) fn broken(server: &Server, error: &HoldError) -> Missing {
    tracing::error!(server = %server.slug, error = %Chain(error), "a credential cannot be used");
    match error {
        // F30: nothing is wrong with what is stored, and a sign-in would not mend it.
        HoldError::Store { .. }
        | HoldError::Vault {
            source: VaultError::Store { .. } | VaultError::Unavailable { .. },
        } => Missing::Unreachable {
            server: server.slug.to_string(),
            retry_after_s: RETRY_AFTER_S,
        },
        _ => Missing::Misconfigured {
            server: server.slug.to_string(),
            hint: "its stored credential cannot be opened; sign in anew, or see the log".to_owned(),
        },
    }
}

/// An error and its causes in one line.
pub(crate) struct Chain<'a>(pub(crate) &'a (dyn std::error::Error + 'static));

impl core::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

fn attachment(held: &Arc<Held>) -> Attachment {
    Attachment {
        headers: vec![(http::header::AUTHORIZATION, held.header.clone())],
        mark: Some(held.mark),
    }
}

pub(crate) fn can_renew(held: &Held, settings: &OauthSettings) -> bool {
    held.row.is_refreshable || settings.grant == Grant::ClientCredentials
}

/// Differs between credentials, and not between calls.
fn jitter_of(held: &Held) -> u8 {
    held.mark.0.first().copied().unwrap_or(0)
}

// === impl Setting ===

impl Setting<'_> {
    const fn word(&self) -> &'static str {
        match self {
            Self::ClientSecret { .. } => "client_secret",
            Self::Header { .. } => "header",
            Self::PrivateKey { .. } => "private_key",
        }
    }
}

/// A204: a client secret that was moved into a fixed header in the database does not open there.
pub(crate) fn setting_context(server: &Server, setting: Setting<'_>) -> Context {
    let role = match setting {
        Setting::ClientSecret { client_id } => format!("auth.client_secret:{client_id}"),
        Setting::Header { name } => format!("auth.header:{name}"),
        Setting::PrivateKey { client_id } => format!("auth.private_key:{client_id}"),
    };
    Context::new(SealedFor::Header)
        .at("servers", &role)
        .tenant(server.tenant.as_str())
        .server(server.id.as_str())
        .origin(&origin_of(server))
}
