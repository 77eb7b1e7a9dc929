//! Under which settings of a server a credential is obtained, and which changes of them end it.

use claviger_model::{Auth, Credential, Grant, Server};
use claviger_wire::ScopeSet;
use serde::{Deserialize, Serialize};

/// The settings a credential depends on. A name, a secret or a switch is none of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Terms {
    url: String,
    auth: AuthKind,
    grant: Grant,
    client_id: Option<String>,
    client_metadata_url: Option<String>,
    issuer: Option<String>,
    scopes: Option<ScopeSet>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum AuthKind {
    Headers,
    None,
    Oauth,
}

// === impl Terms ===

impl Terms {
    pub(crate) fn of(server: &Server) -> Self {
        let settings = match &server.auth {
            Auth::Oauth(settings) => (**settings).clone(),
            _ => claviger_model::OauthSettings::default(),
        };
        Self {
            url: server.url.clone(),
            auth: match &server.auth {
                Auth::Headers { .. } => AuthKind::Headers,
                Auth::Oauth(_) => AuthKind::Oauth,
                _ => AuthKind::None,
            },
            grant: settings.grant,
            client_id: settings.client_id,
            client_metadata_url: settings.client_metadata_url,
            issuer: settings.issuer,
            scopes: settings.scopes,
        }
    }

    /// The settings that are not what they were, of those that end what was obtained under them
    /// (G6). `held` is what was obtained: an issuer or scopes that are named for the first time
    /// change nothing for a credential that is theirs already.
    pub(crate) fn ended_by(&self, new: &Self, held: &[Credential]) -> Vec<&'static str> {
        let changes = [
            ("url", self.url != new.url),
            ("auth", self.auth != new.auth),
            ("grant", self.grant != new.grant),
            (
                "client",
                self.client_id != new.client_id
                    || self.client_metadata_url != new.client_metadata_url,
            ),
            ("issuer", is_other_issuer(self, new, held)),
            ("scopes", is_scope_gone(self, new, held)),
        ];
        let ending = changes.into_iter().filter(|(_, is_ending)| *is_ending);
        ending.map(|(name, _)| name).collect()
    }

    /// Whether what is obtained under these terms is good under `new` ones too.
    pub(crate) fn hold_under(&self, new: &Self) -> bool {
        self.ended_by(new, &[]).is_empty()
    }
}

fn is_other_issuer(old: &Terms, new: &Terms, held: &[Credential]) -> bool {
    match (&old.issuer, &new.issuer) {
        (None, Some(issuer)) => held.is_empty() || held.iter().any(|row| row.issuer != *issuer),
        (old, new) => old != new,
    }
}

fn is_scope_gone(old: &Terms, new: &Terms, held: &[Credential]) -> bool {
    match (&old.scopes, &new.scopes) {
        (None, Some(scopes)) => {
            let fits = |row: &Credential| {
                row.scopes_requested.is_subset(scopes) && row.scopes_granted.is_subset(scopes)
            };
            held.is_empty() || !held.iter().all(fits)
        }
        (Some(old), Some(new)) => !old.is_subset(new),
        (_, None) => false,
    }
}

#[cfg(test)]
mod tests {
    use claviger_model::{OauthSettings, ServerId, Slug, TenantId, Timestamp};

    use super::*;
    use crate::cache::tests::credential;

    type Change = fn(&mut Server, &mut OauthSettings);

    fn scopes(text: &str) -> ScopeSet {
        ScopeSet::parse_lossy(text)
    }

    fn server() -> (Server, OauthSettings) {
        let settings = OauthSettings {
            client_id: Some("client".to_owned()),
            sealed_client_secret: Some("secret".to_owned()),
            issuer: Some("https://issuer.example".to_owned()),
            scopes: Some(scopes("read write")),
            ..OauthSettings::default()
        };
        let server = Server {
            id: ServerId::parse("one").unwrap(),
            tenant: TenantId::default_tenant(),
            slug: Slug::parse("one").unwrap(),
            display_name: "One".to_owned(),
            url: "https://one.example/mcp".to_owned(),
            auth: Auth::None,
            allow_private: false,
            enabled: true,
            created_at: Timestamp::from_secs(0),
            updated_at: Timestamp::from_secs(0),
        };
        (server, settings)
    }

    fn terms(change: Change) -> Terms {
        let (mut server, mut settings) = server();
        change(&mut server, &mut settings);
        if server.auth == Auth::None {
            server.auth = Auth::Oauth(Box::new(settings));
        }
        Terms::of(&server)
    }

    #[test]
    fn g6_each_setting_ends_or_keeps() {
        let changes: [(&[&str], Change); 16] = [
            (&[], |_, _| {}),
            (&[], |server, _| server.display_name = "Other".to_owned()),
            (&[], |server, _| server.enabled = false),
            (&[], |server, _| server.allow_private = true),
            (&[], |_, settings| settings.sealed_client_secret = None),
            (&[], |_, settings| {
                settings.sealed_private_key = Some("key".to_owned());
            }),
            (&[], |_, settings| {
                settings.scopes = Some(scopes("read write more"));
            }),
            (&[], |_, settings| settings.scopes = None),
            (&["scopes"], |_, settings| {
                settings.scopes = Some(scopes("read"));
            }),
            (&["url"], |server, _| {
                server.url = "https://one.example/other".to_owned();
            }),
            (&["auth", "client", "issuer"], |server, _| {
                server.auth = Auth::Headers {
                    headers: Vec::new(),
                };
            }),
            (&["grant"], |_, settings| {
                settings.grant = Grant::ClientCredentials;
            }),
            (&["client"], |_, settings| settings.client_id = None),
            (&["client"], |_, settings| {
                settings.client_metadata_url = Some("https://me.example/client".to_owned());
            }),
            (&["issuer"], |_, settings| settings.issuer = None),
            (&["issuer"], |_, settings| {
                settings.issuer = Some("https://other.example".to_owned());
            }),
        ];
        let old = terms(|_, _| {});
        for (index, (ending, change)) in changes.into_iter().enumerate() {
            let new = terms(change);
            assert_eq!(old.ended_by(&new, &[credential(None)]), ending, "{index}");
        }
    }

    #[test]
    fn g6_what_is_named_for_the_first_time_keeps_what_is_its_own() {
        let open = terms(|_, settings| {
            settings.issuer = None;
            settings.scopes = None;
        });
        let named = terms(|_, _| {});
        let mut row = credential(None);
        row.scopes_granted = scopes("read");
        assert!(open.ended_by(&named, &[row.clone()]).is_empty());
        row.scopes_granted = scopes("admin");
        assert_eq!(open.ended_by(&named, &[row.clone()]), ["scopes"]);
        row.issuer = "https://other.example".to_owned();
        assert_eq!(open.ended_by(&named, &[row]), ["issuer", "scopes"]);
        // Nobody knows what a sign-in under way is going to bring.
        assert!(!open.hold_under(&named));
        assert!(named.hold_under(&named.clone()));
    }
}
