//! Opens the person's browser.

use url::{Host, Url};
use webbrowser::{Browser, BrowserOptions};

/// Why no browser was opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    /// A016: `javascript:`, `file:` and the like would run something.
    #[error("the address is neither http nor https")]
    Scheme,
    /// There is none, or it did not start.
    #[error("no browser could be started")]
    Start(#[source] std::io::Error),
}

/// Opens `url` in the person's browser, which may be `$BROWSER`.
///
/// A017, A195: `webbrowser` starts the program itself, with the address as one argument and no
/// shell in between. What it gets is written by the `url` crate: it begins with `http`, never with
/// `-`, and has quotes, spaces and control characters encoded.
pub(crate) fn open(url: &Url) -> Result<(), OpenError> {
    if !is_web(url) {
        return Err(OpenError::Scheme);
    }
    let mut options = BrowserOptions::new();
    options.with_suppress_output(true);
    webbrowser::open_browser_with_options(Browser::Default, url.as_str(), &options)
        .map_err(OpenError::Start)
}

/// Reads an address that a person is to open. Only http and https with a host.
pub(crate) fn parse(text: &str) -> Result<Url, OpenError> {
    let url = Url::parse(text).ok().filter(is_web);
    url.ok_or(OpenError::Scheme)
}

/// C-73: whether the host's name is written in Punycode, and could look like another one.
pub(crate) fn is_punycode(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name.split('.').any(|label| label.starts_with("xn--")),
        _ => false,
    }
}

fn is_web(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https") && url.host().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a016_only_http_and_https_are_opened() {
        for text in [
            "javascript:alert(1)",
            "data:text/html,x",
            "file:///etc/passwd",
            "vbscript:x",
            "\u{1}javascript:alert(1)",
            "ms-msdt:/id",
            "-version",
            "https:",
            "",
        ] {
            assert!(matches!(parse(text), Err(OpenError::Scheme)), "{text:?}");
            if let Ok(url) = Url::parse(text) {
                assert!(matches!(open(&url), Err(OpenError::Scheme)), "{text:?}");
            }
        }
    }

    #[test]
    fn a017_a195_what_the_browser_gets_is_one_encoded_argument() {
        let text = "https://issuer.example/a?x=$(touch /tmp/p)`id`\"'; rm -rf ~&y=\t--z\n";
        let url = parse(text).unwrap();
        assert!(url.as_str().starts_with("https://issuer.example/a?"));
        assert!(
            !url.as_str()
                .contains([' ', '"', '\'', '\n', '\t', '<', '>']),
            "{url}"
        );
    }

    #[test]
    fn c73_punycode_is_seen() {
        assert!(is_punycode(&parse("https://аpple.example/").unwrap()));
        assert!(is_punycode(
            &parse("https://login.xn--pple-43d.com/").unwrap()
        ));
        assert!(!is_punycode(&parse("https://apple.example/xn--").unwrap()));
    }
}
