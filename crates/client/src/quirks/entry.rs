//! One entry of the quirk file, and what the entries of one issuer come to.

use std::collections::BTreeMap;

use claviger_wire::TokenShape;
use serde::Deserialize;
use url::Url;

/// What holds for one issuer. The default is the spec.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Quirk {
    /// Its name for people.
    pub name: Option<String>,
    /// Pairs of (listed, answering) issuers.
    pub aliases: Vec<(String, String)>,
    /// RFC 8707's parameter.
    pub resource: ResourceMode,
    /// The `audience` parameter.
    pub audience: AudienceMode,
    /// Added to every authorization URL.
    pub authorize_params: Vec<(String, String)>,
    /// Added to the first authorization URL of a connection.
    pub first_params: Vec<(String, String)>,
    /// Added to every token request.
    pub token_params: Vec<(String, String)>,
    /// S256 works although the metadata does not say so.
    pub s256_unadvertised: bool,
    /// Retry Basic without form-encoding once.
    pub basic_raw: bool,
    /// Hosts of its endpoints beside its own.
    pub endpoint_hosts: Vec<String>,
    /// Where and how it puts tokens into an answer.
    pub shape: TokenShape,
    /// `scope` on refresh.
    pub refresh_scope: RefreshScope,
    /// Where a person registers a client by hand.
    pub console_url: Option<String>,
    /// Other origins a challenge of this server may name.
    pub metadata_origins: Vec<String>,
}

/// Whether RFC 8707's `resource` is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ResourceMode {
    /// Never (Q35).
    Omit,
    /// On every leg (C-43).
    #[default]
    Send,
}

/// Whether `audience` is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AudienceMode {
    /// Never.
    #[default]
    Omit,
    /// With the resource as its value (Q36).
    Resource,
}

/// Whether `scope` is sent on refresh.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RefreshScope {
    /// The granted set (Q05).
    Granted,
    /// RFC 6749 §6: left out means the same as before.
    #[default]
    Omit,
}

/// An entry as it stands in the file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    name: Option<String>,
    hosts: Vec<String>,
    aliases: Option<Vec<Alias>>,
    resource: Option<ResourceMode>,
    audience: Option<AudienceMode>,
    authorize_params: Option<BTreeMap<String, String>>,
    first_params: Option<BTreeMap<String, String>>,
    token_params: Option<BTreeMap<String, String>>,
    s256_unadvertised: Option<bool>,
    basic_raw: Option<bool>,
    endpoint_hosts: Option<Vec<String>>,
    token_path: Option<String>,
    scope_separator: Option<char>,
    bearer_types: Option<Vec<String>>,
    refresh_scope: Option<RefreshScope>,
    console_url: Option<String>,
    metadata_origins: Option<Vec<String>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Alias {
    listed: String,
    issuer: String,
}

// === impl Quirk ===

impl Quirk {
    /// Q28: whether `answering` may answer for the issuer `listed`.
    pub fn allows_alias(&self, listed: &str, answering: &str) -> bool {
        self.aliases
            .iter()
            .any(|(one, other)| one == listed && other == answering)
    }

    /// Whether an endpoint of this issuer may be on `host`.
    pub fn allows_endpoint_host(&self, host: &str) -> bool {
        self.endpoint_hosts
            .iter()
            .any(|pattern| host_matches(pattern, host))
    }

    /// `resource` as it is sent to this issuer.
    pub fn resource<'a>(&self, resource: &'a str) -> Option<&'a str> {
        (self.resource == ResourceMode::Send && !resource.is_empty()).then_some(resource)
    }

    /// The parameters of a token request that only this issuer wants.
    pub(crate) fn token_extra(&self, resource: &str) -> Vec<(String, String)> {
        let mut extra = self.token_params.clone();
        extra.extend(self.audience_pair(resource));
        extra
    }

    pub(crate) fn audience_pair(&self, resource: &str) -> Option<(String, String)> {
        (self.audience == AudienceMode::Resource && !resource.is_empty())
            .then(|| ("audience".to_owned(), resource.to_owned()))
    }
}

// === impl Entry ===

impl Entry {
    pub(super) fn check(&self) -> Result<(), String> {
        let name = self.name.as_deref().unwrap_or("without a name");
        if self.hosts.is_empty() {
            return Err(format!("the entry {name} has no `hosts`"));
        }
        // `*` or `*.com` would lift a rule for half the world.
        let broad = |host: &&String| {
            host.split('.').filter(|label| *label != "*").count() < 2 && host.contains('*')
                || host.contains('/')
        };
        if let Some(host) = self.hosts.iter().find(broad) {
            return Err(format!(
                "the host `{host}` of the entry {name} is too broad or no host"
            ));
        }
        Ok(())
    }

    pub(super) fn matches(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default();
        let with_port = url.port().map(|port| format!("{host}:{port}"));
        self.hosts.iter().any(|pattern| {
            host_matches(pattern, host) || with_port.as_ref().is_some_and(|text| text == pattern)
        })
    }

    pub(super) fn apply(&self, to: &mut Quirk) {
        let pairs = |map: &BTreeMap<String, String>| -> Vec<(String, String)> {
            map.iter().map(|(k, v)| (k.clone(), v.clone())).collect()
        };
        let aliases = self.aliases.as_ref().map(|aliases| {
            let pair = |one: &Alias| (one.listed.clone(), one.issuer.clone());
            aliases.iter().map(pair).collect()
        });
        set(&mut to.aliases, aliases);
        set(&mut to.resource, self.resource);
        set(&mut to.audience, self.audience);
        set(
            &mut to.authorize_params,
            self.authorize_params.as_ref().map(pairs),
        );
        set(&mut to.first_params, self.first_params.as_ref().map(pairs));
        set(&mut to.token_params, self.token_params.as_ref().map(pairs));
        set(&mut to.s256_unadvertised, self.s256_unadvertised);
        set(&mut to.basic_raw, self.basic_raw);
        set(&mut to.endpoint_hosts, self.endpoint_hosts.clone());
        set(&mut to.shape.scope_separator, self.scope_separator);
        set(&mut to.shape.bearer_types, self.bearer_types.clone());
        set(&mut to.refresh_scope, self.refresh_scope);
        set(&mut to.metadata_origins, self.metadata_origins.clone());
        set(&mut to.name, self.name.clone().map(Some));
        set(&mut to.shape.path, self.token_path.clone().map(Some));
        set(&mut to.console_url, self.console_url.clone().map(Some));
    }
}

fn set<T>(slot: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *slot = value;
    }
}

/// `*.example.com` is any depth below, a `*` elsewhere is one label.
fn host_matches(pattern: &str, host: &str) -> bool {
    let (pattern, host) = (pattern.to_ascii_lowercase(), host.to_ascii_lowercase());
    if let Some(suffix) = pattern.strip_prefix("*.") {
        return host
            .strip_suffix(suffix)
            .is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'));
    }
    let (mut labels, mut wanted) = (host.split('.'), pattern.split('.'));
    loop {
        match (wanted.next(), labels.next()) {
            (None, None) => return true,
            (Some(want), Some(label)) if want == "*" || want == label => {}
            _ => return false,
        }
    }
}
