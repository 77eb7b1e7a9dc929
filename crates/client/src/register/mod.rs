//! Client information: pre-registered, document, dynamic, or by hand (C-20).

pub use error::RegisterError;
pub use manage::{Managed, delete_registration, read_registration, update_registration};

use std::sync::Arc;

use claviger_crypto::Secret;
use claviger_model::RegistrationOrigin;
use claviger_wire::{AuthMethod, ScopeSet, check_document_url, classify_redirect};

use crate::client_information::ClientInformation;
use crate::discover::{Discovered, Legacy};
use crate::event::{Event, EventOutcome, Stage};
use crate::machine::Io;
use crate::{Machine, Quirks};

mod dynamic;
mod error;
mod manage;

/// What client information is needed for.
#[derive(Debug, Clone)]
pub struct Register {
    /// What was discovered.
    pub discovered: Discovered,
    /// What we hold already, for whichever issuer.
    pub existing: Option<ClientInformation>,
    /// What the operator set.
    pub preset: Option<Preset>,
    /// The URL of our client id metadata document.
    pub document_url: Option<String>,
    /// Where the code will come to, byte for byte.
    pub redirect_uri: String,
    /// The name people see at the issuer (M7).
    pub client_name: String,
    /// The scopes that will be asked for (Q20).
    pub scopes: Option<ScopeSet>,
    /// The quirk file.
    pub quirks: Arc<Quirks>,
}

/// A pre-registered client.
#[derive(Debug, Clone)]
pub struct Preset {
    /// The client id.
    pub client_id: String,
    /// Its secret.
    pub secret: Option<Secret>,
    /// Its private key, as PKCS#8 PEM.
    pub private_key: Option<Secret>,
    /// The issuer it was registered with, if the operator said so.
    pub issuer: Option<String>,
}

/// Begins a registration. It ends without a request wherever something fitting is there.
pub fn register(input: Register) -> Machine<Result<ClientInformation, RegisterError>> {
    Machine::new(|io| run(io, input))
}

async fn run(io: Io, input: Register) -> Result<ClientInformation, RegisterError> {
    classify_redirect(&input.redirect_uri).map_err(|why| RegisterError::Redirect { why })?;
    if let Some(preset) = &input.preset {
        let client = preset.client_for(&input.discovered)?;
        choice(&io, "C-20 pre-registered", "the client id of the setting");
        return Ok(ClientInformation {
            redirect_uri: Some(input.redirect_uri.clone()),
            ..client
        });
    }
    // C-13, Q39: nothing that is stored goes to addresses that were only guessed.
    let guessed = input.discovered.legacy == Legacy::DefaultEndpoints;
    if let Some(existing) = input.existing.as_ref().filter(|_| !guessed)
        && still_fits(existing, &input, io.now())
    {
        choice(&io, "M6, C-31", "the client information we hold");
        return Ok(existing.clone());
    }
    if let Some(document) = usable_document(&io, &input) {
        choice(
            &io,
            "C-20, C-23 document",
            "our client id metadata document",
        );
        return Ok(ClientInformation {
            redirect_uri: Some(input.redirect_uri.clone()),
            ..ClientInformation::public(
                input.discovered.issuer_id(),
                document,
                RegistrationOrigin::Document,
            )
        });
    }
    dynamic::run(&io, &input).await
}

// === impl Preset ===

impl Preset {
    /// C-33: the pre-registered client at the discovered issuer, unless it belongs to another.
    pub fn client_for(&self, discovered: &Discovered) -> Result<ClientInformation, RegisterError> {
        let issuer = discovered.issuer_id();
        if let Some(registered) = self.issuer.as_ref().filter(|one| *one != issuer) {
            return Err(RegisterError::IssuerChanged {
                registered: registered.clone(),
                now: crate::discover::shown(issuer),
            });
        }
        // Q39: a secret of the operator's never goes to addresses that were only guessed.
        let has_secret = self.secret.is_some() || self.private_key.is_some();
        if discovered.legacy == Legacy::DefaultEndpoints && has_secret {
            return Err(RegisterError::GuessedEndpoints);
        }
        Ok(ClientInformation {
            secret: self.secret.clone(),
            private_key: self.private_key.clone(),
            auth_method: self.method(discovered),
            ..ClientInformation::public(issuer, &self.client_id, RegistrationOrigin::Static)
        })
    }

    fn method(&self, discovered: &Discovered) -> AuthMethod {
        if self.private_key.is_some() {
            return AuthMethod::PrivateKeyJwt;
        }
        match &self.secret {
            Some(secret) if !secret.is_empty() => derived(discovered),
            _ => AuthMethod::None,
        }
    }
}

/// C-57: how a secret is sent where nobody said how: as the issuer lists first. Some that list
/// both do only one of them by the letter, and theirs is the one they name first. Where nothing
/// is listed, RFC 8414 §2 means Basic.
pub(crate) fn derived(discovered: &Discovered) -> AuthMethod {
    let listed = discovered
        .issuer
        .token_endpoint_auth_methods_supported
        .as_deref()
        .unwrap_or_default();
    listed
        .iter()
        .filter_map(|name| AuthMethod::parse(name))
        .find(|method| {
            matches!(
                method,
                AuthMethod::ClientSecretBasic | AuthMethod::ClientSecretPost
            )
        })
        .unwrap_or(AuthMethod::ClientSecretBasic)
}

/// M6: what we hold is reused for the same issuer, while its redirect URI still fits and its
/// secret has not ended (Q10).
fn still_fits(
    existing: &ClientInformation,
    input: &Register,
    now: claviger_model::Timestamp,
) -> bool {
    let same_issuer = existing.issuer == input.discovered.issuer_id();
    let ends = existing
        .secret_expires_at
        .filter(|_| existing.secret.is_some());
    let lasts = ends.is_none_or(|end| end.since(now) > SECRET_MARGIN_S);
    // Many issuers compare redirect URIs as text, ports included (Q21).
    let same_redirect = existing.redirect_uri.as_deref() == Some(input.redirect_uri.as_str());
    let is_dynamic = existing.origin == RegistrationOrigin::Dynamic;
    same_issuer && lasts && same_redirect && is_dynamic
}

/// C-23 to C-25: our document, where the issuer takes one and its URL is as it must be.
fn usable_document(io: &Io, input: &Register) -> Option<String> {
    let text = input.document_url.as_deref()?;
    if !input
        .discovered
        .issuer
        .client_id_metadata_document_supported
    {
        return None;
    }
    if check_document_url(text).is_err() {
        io.tell(
            Event::new(Stage::Registration, "C-24, C-25")
                .outcome(EventOutcome::Refused)
                .note("the URL of our client id metadata document is not one an issuer may take"),
        );
        return None;
    }
    Some(text.to_owned())
}

fn choice(io: &Io, rule: &'static str, note: &'static str) {
    io.tell(Event::new(Stage::Registration, rule).note(note));
}

const SECRET_MARGIN_S: i64 = 300;
