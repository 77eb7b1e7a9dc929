//! One page: a heading, sentences, facts, at most one button.

use core::fmt::{self, Write as _};

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use claviger_crypto::{base64_encode, sha256};
use claviger_model::Server;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use http::{HeaderName, HeaderValue, StatusCode};
use url::Url;

use super::style::CSS;
use crate::web::Site;

/// How the heading is coloured; the words say the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Bad,
    Good,
    Plain,
}

/// A page of ours. Every text is escaped when it is written.
#[derive(Debug)]
pub(crate) struct Page {
    status: StatusCode,
    tone: Tone,
    heading: String,
    sentences: Vec<String>,
    facts: Vec<(String, String)>,
    button: Option<Button>,
    prefix: String,
}

#[derive(Debug)]
struct Button {
    label: String,
    action: String,
}

// === impl Page ===

impl Page {
    pub(crate) fn new(status: StatusCode, tone: Tone, heading: impl Into<String>) -> Self {
        Self {
            status,
            tone,
            heading: heading.into(),
            sentences: Vec::new(),
            facts: Vec::new(),
            button: None,
            prefix: String::new(),
        }
    }

    /// Under the address by which people see our pages.
    pub(crate) fn at(mut self, site: &Site) -> Self {
        site.prefix.clone_into(&mut self.prefix);
        self
    }

    /// Which server this is about, and where it really is: a name can be chosen to mislead.
    pub(crate) fn server(self, server: &Server) -> Self {
        let url = Url::parse(&server.url).ok();
        let host = url
            .as_ref()
            .and_then(|url| url.host().map(|host| (host.to_string(), url.port())));
        let host = match host {
            Some((host, Some(port))) => format!("{host}:{port}"),
            Some((host, None)) => host,
            None => server.url.clone(),
        };
        let name = if server.display_name == server.slug.as_str() {
            server.display_name.clone()
        } else {
            format!("{} ({})", server.display_name, server.slug)
        };
        self.fact("Server", name).fact("Host", host)
    }

    pub(crate) fn sentence(mut self, text: impl Into<String>) -> Self {
        self.sentences.push(text.into());
        self
    }

    pub(crate) fn fact(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.facts.push((name.into(), value.into()));
        self
    }

    pub(crate) fn button(mut self, label: impl Into<String>, action: impl Into<String>) -> Self {
        self.button = Some(Button {
            label: label.into(),
            action: action.into(),
        });
        self
    }

    fn html(&self) -> String {
        let (tone, mark) = match self.tone {
            Tone::Bad => ("bad", CROSS),
            Tone::Good => ("good", CHECK),
            Tone::Plain => ("plain", ""),
        };
        let heading = escape(&self.heading);
        let mut body = format!("<h1>{mark}<span>{heading}</span></h1>");
        for sentence in &self.sentences {
            push(&mut body, format_args!("<p>{}</p>", escape(sentence)));
        }
        if !self.facts.is_empty() {
            body.push_str("<dl>");
            for (name, value) in &self.facts {
                let (name, value) = (escape(name), escape(value));
                push(
                    &mut body,
                    format_args!("<div><dt>{name}</dt><dd>{value}</dd></div>"),
                );
            }
            body.push_str("</dl>");
        }
        if let Some(button) = &self.button {
            body.push_str(&button.html());
        }
        let prefix = escape(&self.prefix);
        format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
             <meta name=\"color-scheme\" content=\"light dark\">\
             <link rel=\"icon\" type=\"image/svg+xml\" href=\"{prefix}/favicon.svg\">\
             <title>{heading} · Claviger</title><style>{CSS}</style></head>\
             <body class=\"{tone}\"><div class=\"brand\">{KEY}<span>Claviger</span></div>\
             <main>{body}</main></body></html>"
        )
    }
}

// A key, drawn inline: pages of a sign-in load nothing but their icon, and that from us (A067).
const KEY: &str = "<svg viewBox=\"0 0 24 24\" fill=\"none\" stroke=\"currentColor\" \
stroke-width=\"2\" stroke-linecap=\"round\" aria-hidden=\"true\"><circle cx=\"7.5\" cy=\"15.5\" \
r=\"4.5\"/><path d=\"M10.8 12.2 20 3m-3.5 3.5 3 3M13 10l2 2\"/></svg>";

const CHECK: &str = "<svg viewBox=\"0 0 24 24\" fill=\"none\" stroke=\"currentColor\" \
stroke-width=\"2.5\" stroke-linecap=\"round\" stroke-linejoin=\"round\" aria-hidden=\"true\">\
<path d=\"m6 12.5 4 4 8-9\"/></svg>";

const CROSS: &str = "<svg viewBox=\"0 0 24 24\" fill=\"none\" stroke=\"currentColor\" \
stroke-width=\"2.5\" stroke-linecap=\"round\" aria-hidden=\"true\"><path d=\"M12 6v7m0 4.5v.01\"/>\
</svg>";

/// The icon of our pages.
pub(crate) const ICON: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 24 24\">\
<rect width=\"24\" height=\"24\" rx=\"5\" fill=\"#1c1a17\"/><g fill=\"none\" stroke=\"#e0b354\" \
stroke-width=\"2\" stroke-linecap=\"round\"><circle cx=\"8.5\" cy=\"15\" r=\"3.6\"/>\
<path d=\"M11.2 12.4 18.5 5m-2.8 2.8 2.3 2.3\"/></g></svg>";

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.html()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        let fixed = [
            (CONTENT_TYPE, "text/html; charset=utf-8"),
            (CACHE_CONTROL, "no-store"),
            // A067: nothing on the page can carry `code` or `state` elsewhere.
            (REFERRER_POLICY, "no-referrer"),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            // A059: both, for browsers of either age.
            (X_FRAME_OPTIONS, "DENY"),
            // Another site's window that opened us learns nothing of where we go.
            (
                HeaderName::from_static("cross-origin-opener-policy"),
                "same-origin",
            ),
        ];
        for (name, value) in fixed {
            headers.insert(name, HeaderValue::from_static(value));
        }
        if let Ok(policy) = HeaderValue::from_str(&policy()) {
            headers.insert(CONTENT_SECURITY_POLICY, policy);
        }
        response
    }
}

// === impl Button ===

impl Button {
    fn html(&self) -> String {
        format!(
            "<form method=\"post\" action=\"{}\"><button>{}</button></form>",
            escape(&self.action),
            escape(&self.label)
        )
    }
}

/// Writing to a text cannot fail.
fn push(text: &mut String, piece: fmt::Arguments<'_>) {
    if text.write_fmt(piece).is_err() {
        tracing::error!("a page is incomplete");
    }
}

/// No `form-action`: browsers apply it to the redirect that follows the POST, and that one leads
/// to the issuer.
fn policy() -> String {
    let digest = base64_encode(&sha256(CSS.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{digest}'; img-src 'self'; base-uri 'none'; \
         frame-ancestors 'none'"
    )
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // Controls and bidirectional overrides could make a name look like another one (A033).
            '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{200e}' | '\u{200f}' => out.push(' '),
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {}
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn g9_a083_escapes_every_text() {
        let hostile = "<script>alert(1)</script>\"'&\u{202e}";
        let page = Page::new(StatusCode::OK, Tone::Bad, hostile)
            .sentence(hostile)
            .fact(hostile, hostile)
            .button(hostile, hostile)
            .html();
        assert!(!page.contains("<script"));
        assert!(!page.contains('\u{202e}'));
        assert_eq!(page.matches("&lt;script&gt;alert(1)").count(), 7);
    }

    #[test]
    fn a059_a067_pages_are_not_framed_and_load_nothing() {
        let response = Page::new(StatusCode::OK, Tone::Good, "Signed in").into_response();
        let policy = response.headers()[CONTENT_SECURITY_POLICY]
            .to_str()
            .unwrap();
        assert!(policy.starts_with("default-src 'none'"));
        assert!(policy.contains("frame-ancestors 'none'"));
        assert_eq!(response.headers()[X_FRAME_OPTIONS], "DENY");
        assert_eq!(response.headers()[REFERRER_POLICY], "no-referrer");
    }
}
