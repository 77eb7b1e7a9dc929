//! Where a server's requests go: exactly its URL, and nothing of the caller's.

use claviger_model::Server;
use claviger_ports::Reach;
use http::Uri;
use url::Url;

/// A fixed address and how far it may reach.
#[derive(Debug, Clone)]
pub(crate) struct Upstream {
    pub(crate) uri: Uri,
    pub(crate) reach: Reach,
}

/// A server whose URL cannot be used; the hint names no part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the server's URL cannot be used: {0}")]
pub(crate) struct BadUrl(&'static str);

impl Upstream {
    // A159: path, query and authority of the caller's request have no say in it.
    pub(crate) fn of(server: &Server) -> Result<Self, BadUrl> {
        let mut url = Url::parse(&server.url).or(Err(BadUrl("it does not parse")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(BadUrl("it is neither http nor https"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(BadUrl("it holds a user name or password"));
        }
        url.set_fragment(None);
        let host = url.host().map(|host| host.to_string());
        let reach = match host {
            Some(host) if server.allow_private => Reach::public().with_private_host(&host),
            _ => Reach::public(),
        };
        let uri = Uri::try_from(url.as_str()).or(Err(BadUrl("it does not parse")))?;
        Ok(Self { uri, reach })
    }
}
