//! Redirect URIs: which may be registered, and which match.

use claviger_model::Fault;
use url::Url;

/// Longer ones are refused.
const MAX_BYTES: usize = 2_048;

/// Private-use schemes without a dot that are known to belong to one program.
const KNOWN_SCHEMES: [&str; 6] = [
    "claude",
    "cursor",
    "vscode",
    "vscode-insiders",
    "windsurf",
    "zed",
];

/// A redirect URI as it was registered, compared as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedirectUri(String);

/// Why a text cannot be registered as a redirect URI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.as_str())]
#[non_exhaustive]
pub enum InvalidRedirect {
    /// Control characters, blanks, wildcards, backslashes, or beyond ASCII.
    Character,
    /// RFC 6749 §3.1.2.
    Fragment,
    /// The host is not written the way it is meant.
    Host,
    /// Over 2 KiB.
    Length,
    /// Dot segments, encoded or not.
    Path,
    /// Plain `http` for anything but loopback.
    PlainHttp,
    /// A scheme that runs or reads something, or one that belongs to nobody.
    Scheme,
    /// Not an absolute URI.
    Syntax,
    /// A user name or password in it.
    User,
}

// === impl InvalidRedirect ===

impl InvalidRedirect {
    /// Who has to act: the client that registers it.
    pub const fn fault(self) -> Fault {
        Fault::Caller
    }

    /// The same sentence as `Display`, for a registration's answer.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Character => "a redirect URI has a character that is not allowed in one",
            Self::Fragment => "a redirect URI has a fragment",
            Self::Host => "a redirect URI's host is written in an ambiguous way",
            Self::Length => "a redirect URI is too long",
            Self::Path => "a redirect URI's path has dot segments",
            Self::PlainHttp => "a redirect URI uses http beyond loopback; use https",
            Self::Scheme => "a redirect URI's scheme is not allowed",
            Self::Syntax => "a redirect URI is not absolute",
            Self::User => "a redirect URI has a user part",
        }
    }
}

// === impl RedirectUri ===

impl RedirectUri {
    /// Reads what a client wants to register.
    pub fn parse(text: &str) -> Result<Self, InvalidRedirect> {
        if text.len() > MAX_BYTES {
            return Err(InvalidRedirect::Length);
        }
        // A031: checked on the text as it came, since URL parsers repair what they read.
        let allowed = |byte: u8| byte.is_ascii_graphic() && !b"*\\<>\"{}|^`".contains(&byte);
        if !text.bytes().all(allowed) {
            return Err(InvalidRedirect::Character);
        }
        if text.contains('#') {
            return Err(InvalidRedirect::Fragment);
        }
        let Some((scheme, rest)) = text.split_once(':') else {
            return Err(InvalidRedirect::Syntax);
        };
        let Ok(url) = Url::parse(text) else {
            return Err(InvalidRedirect::Syntax);
        };
        if has_dot_segments(rest) {
            return Err(InvalidRedirect::Path);
        }
        match scheme {
            "http" | "https" => check_web(rest, &url)?,
            _ if is_private_use(scheme) => {}
            _ => return Err(InvalidRedirect::Scheme),
        }
        Ok(Self(text.to_owned()))
    }

    /// As it was registered.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    // RFC 8252 §7.3: only the port of a loopback address may vary; RFC 9700 §4.1.3: all else is
    // compared as text.
    /// Whether `presented` is this redirect URI.
    pub fn matches(&self, presented: &str) -> bool {
        if self.0 == presented {
            return true;
        }
        let (Some(ours), Some(theirs)) = (Loopback::read(&self.0), Loopback::read(presented))
        else {
            return false;
        };
        // `localhost` is a name that somebody else may answer; its port is free only where the
        // client registered it without one.
        let port_is_free = ours.host != "localhost" || ours.port.is_none();
        port_is_free && ours.host == theirs.host && ours.rest == theirs.rest
    }

    /// The host a person should see, or the scheme of a program's own address.
    pub fn host(&self) -> &str {
        let (scheme, rest) = self.0.split_once(':').unwrap_or((&self.0, ""));
        match rest.strip_prefix("//") {
            Some(rest) if matches!(scheme, "http" | "https") => {
                rest.split(['/', '?']).next().unwrap_or(rest)
            }
            _ => scheme,
        }
    }

    /// The same without a port, to look up in a list.
    pub fn host_without_port(&self) -> &str {
        match self.host().rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => self.host(),
        }
    }

    /// Whether it leads to a program on the person's own machine.
    pub fn is_loopback(&self) -> bool {
        Loopback::read(&self.0).is_some()
    }
}

/// The parts of `http://<loopback>[:port]<rest>`, as they are written.
struct Loopback<'a> {
    host: &'a str,
    port: Option<&'a str>,
    rest: &'a str,
}

impl<'a> Loopback<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let after = text.strip_prefix("http://")?;
        let (host, after) = ["127.0.0.1", "[::1]", "localhost"]
            .into_iter()
            .find_map(|host| Some((host, after.strip_prefix(host)?)))?;
        let (port, rest) = match after.strip_prefix(':') {
            Some(after) => {
                let digits = after.bytes().take_while(u8::is_ascii_digit).count();
                let (port, rest) = after.split_at_checked(digits)?;
                // No leading zero and no 65536: those are other texts for the same port.
                port.parse::<u16>()
                    .ok()
                    .filter(|number| *number != 0 && number.to_string() == port)?;
                (Some(port), rest)
            }
            None => (None, after),
        };
        let ends = rest.is_empty() || rest.starts_with(['/', '?']);
        ends.then_some(Self { host, port, rest })
    }
}

fn check_web(rest: &str, url: &Url) -> Result<(), InvalidRedirect> {
    let Some(rest) = rest.strip_prefix("//") else {
        return Err(InvalidRedirect::Syntax);
    };
    let authority = rest.split(['/', '?']).next().unwrap_or(rest);
    if authority.contains('@') {
        return Err(InvalidRedirect::User);
    }
    let Some(host) = url.host_str() else {
        return Err(InvalidRedirect::Syntax);
    };
    // A030: `2130706433`, `127.1` or `0x7f.1` parse as an address that is not what is written.
    let written = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => host,
        _ => authority,
    };
    if written != host {
        return Err(InvalidRedirect::Host);
    }
    if url.scheme() == "http" && Loopback::read(url.as_str()).is_none() {
        return Err(InvalidRedirect::PlainHttp);
    }
    Ok(())
}

fn has_dot_segments(rest: &str) -> bool {
    let path = rest.split('?').next().unwrap_or(rest);
    path.to_ascii_lowercase()
        .replace("%2e", ".")
        .replace("%2f", "/")
        .split('/')
        .any(|segment| matches!(segment, "." | ".."))
        || path.to_ascii_lowercase().contains("%2e")
}

// RFC 8252 §7.1: a scheme of one's own contains a dot; a few known ones do not.
fn is_private_use(scheme: &str) -> bool {
    let plain = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+')
    };
    let reversed_domain = scheme.contains('.')
        && !scheme.starts_with('.')
        && !scheme.ends_with('.')
        && scheme.starts_with(|c: char| c.is_ascii_lowercase())
        && scheme.bytes().all(plain);
    reversed_domain || KNOWN_SCHEMES.contains(&scheme)
}

#[cfg(test)]
mod tests;
