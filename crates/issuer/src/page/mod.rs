//! The two pages a person may see here: the question, and what went wrong.
//!
//! No script, no image, no font; one style sheet, allowed by its hash. Everything that came from
//! outside is escaped.

use ::http::StatusCode;
use claviger_crypto::{base64_encode, sha256};

use crate::{ConsentForm, ConsentRequest};

const STYLE: &str = include_str!("page.css");

/// A page and the one style sheet in it.
#[derive(Debug, Clone)]
pub struct Page {
    /// The whole document.
    pub html: String,
    /// The content of its `<style>`, exactly.
    pub style: &'static str,
}

/// Where a page's form may lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FormAction<'a> {
    /// To us, and by the redirect after it to this origin or scheme.
    Beyond(&'a str),
    /// There is no form.
    Nowhere,
    /// To us.
    Us,
}

/// What is wrong with a visit. Shown on our own page, never redirected anywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PageProblem {
    /// The client's metadata document is not one we may take.
    DocumentInvalid,
    /// The client's metadata document could not be fetched.
    DocumentUnreachable,
    /// The form did not come from the page we showed to this browser.
    NotThisBrowser,
    /// The redirect URI is missing or not one of the client's.
    RedirectMismatch,
    /// A parameter came more than once.
    Repeated,
    /// The question was answered before, or too late.
    Stale,
    /// Too much of everything.
    TooLong,
    /// Too many visits from there.
    TooMany,
    /// The store does not answer.
    Unavailable,
    /// No such client.
    UnknownClient,
}

// === impl Page ===

impl Page {
    // A059, A067: nobody frames the page, nothing is loaded, nothing leaks by referrer. The form
    // may go to us, and the redirect that answers it to the client.
    /// The content security policy under which it is shown.
    pub fn content_security_policy(&self, form_action: FormAction<'_>) -> String {
        let hash = base64_encode(&sha256(self.style.as_bytes()));
        let form_action = match form_action {
            FormAction::Beyond(target) => format!("'self' {target}"),
            FormAction::Nowhere => "'none'".to_owned(),
            FormAction::Us => "'self'".to_owned(),
        };
        format!(
            "default-src 'none'; style-src 'sha256-{hash}'; form-action {form_action}; \
             frame-ancestors 'none'; base-uri 'none'"
        )
    }
}

// === impl PageProblem ===

impl PageProblem {
    /// The status.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::NotThisBrowser => StatusCode::FORBIDDEN,
            Self::DocumentUnreachable => StatusCode::BAD_GATEWAY,
            Self::TooMany => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// What happened and what to do, for a person.
    pub const fn text(self) -> (&'static str, &'static str) {
        match self {
            Self::DocumentInvalid => (
                "The program's description of itself is not one we can take.",
                "Nothing was granted. Tell its makers.",
            ),
            Self::DocumentUnreachable => (
                "The program's description of itself cannot be read at the moment.",
                "Nothing was granted. Try again in a little while.",
            ),
            Self::NotThisBrowser => (
                "This answer did not come from the page we showed you.",
                "Start the sign-in again from the program that sent you here, and keep to one browser.",
            ),
            Self::RedirectMismatch => (
                "The program wants the answer at an address it did not register.",
                "Nothing was granted. If you trust the program, let it register again.",
            ),
            Self::Repeated => (
                "The request says the same thing twice.",
                "Nothing was granted. Start the sign-in again.",
            ),
            Self::Stale => (
                "This sign-in was answered before, or it took too long.",
                "Start it again from the program that sent you here.",
            ),
            Self::TooLong => (
                "The request is too long.",
                "Nothing was granted. Start the sign-in again.",
            ),
            Self::TooMany => (
                "Too many attempts came from your network.",
                "Try again in a minute.",
            ),
            Self::Unavailable => (
                "We cannot answer at the moment.",
                "Try again in a little while.",
            ),
            Self::UnknownClient => (
                "The program that sent you here is not registered.",
                "Nothing was granted. Let the program register again, then start the sign-in again.",
            ),
        }
    }
}

/// The page that asks (P-03, A-11).
pub fn consent_page(request: &ConsentRequest, form: &ConsentForm) -> Page {
    let name = request
        .client_name
        .as_deref()
        .unwrap_or("An unnamed program");
    let scopes = if request.scopes.is_empty() {
        "<li>Basic use, without any particular scope</li>".to_owned()
    } else {
        let items = request.scopes.iter();
        items.fold(String::new(), |list, scope| {
            list + "<li><code>" + &escape(scope.as_str()) + "</code></li>"
        })
    };
    let warning = if request.is_loopback_only {
        "<p class=\"warn\">The answer goes to a program on this computer. Go on only if you have \
         just started it yourself.</p>"
    } else {
        ""
    };
    let known_by = request
        .client_host
        .as_deref()
        .map_or_else(String::new, |host| {
            format!(
                "<dt>is published at</dt><dd><code>{}</code></dd>",
                escape(host)
            )
        });
    let main = format!(
        "<h1>Let <em>{name}</em> in?</h1>\
         <p class=\"mark\">It calls itself so; nobody has verified the name.</p>\
         <dl>{known_by}<dt>wants to use</dt><dd><code>{resource}</code></dd>\
         <dt>may then</dt><dd><ul>{scopes}</ul></dd>\
         <dt>answer goes to</dt><dd><code>{host}</code></dd>\
         <dt>lasts</dt><dd>{lasts}, or until you revoke it</dd></dl>{warning}\
         <form method=\"post\" action=\"{action}\">\
         <input type=\"hidden\" name=\"pending_id\" value=\"{pending_id}\">\
         <input type=\"hidden\" name=\"csrf\" value=\"{csrf}\">\
         <button name=\"decision\" value=\"approve\" class=\"yes\">Approve</button>\
         <button name=\"decision\" value=\"deny\">Deny</button></form>",
        name = escape(name),
        resource = escape(&request.resource),
        host = escape(&request.redirect_host),
        lasts = span(request.lasts_s),
        action = escape(&form.action),
        pending_id = escape(&form.pending_id),
        csrf = escape(form.csrf.expose()),
    );
    frame("Approve access", &main)
}

/// The page that says what went wrong. It repeats nothing of the request (A064).
pub fn problem_page(problem: PageProblem) -> Page {
    let (what, then) = problem.text();
    frame(
        "This sign-in cannot go on",
        &format!("<h1>This sign-in cannot go on</h1><p>{what}</p><p>{then}</p>"),
    )
}

/// The page where a person types the code of a device.
pub fn device_code_page(action: &str, is_retry: bool) -> Page {
    let retry = if is_retry {
        "<p class=\"warn\">That code is not good, or not good any more. Look at the device again.</p>"
    } else {
        ""
    };
    let main = format!(
        "<h1>Connect a device</h1>\
         <p class=\"mark\">Type the code that the device in front of you shows. If somebody sent \
         you a code, stop here: they would get in as you.</p>{retry}\
         <form method=\"post\" action=\"{action}\">\
         <input name=\"user_code\" aria-label=\"Code\" autocomplete=\"off\" \
         autocapitalize=\"characters\" spellcheck=\"false\" maxlength=\"16\" required autofocus>\
         <button class=\"yes\">Go on</button></form>",
        action = escape(action),
    );
    frame("Connect a device", &main)
}

/// The page after an answer that a device waits for.
pub fn done_page(is_approved: bool) -> Page {
    let (what, then) = if is_approved {
        (
            "The device is let in.",
            "You may close this page and go back to it.",
        )
    } else {
        (
            "The device is not let in.",
            "Nothing was granted. You may close this page.",
        )
    };
    frame(what, &format!("<h1>{what}</h1><p>{then}</p>"))
}

fn frame(title: &str, main: &str) -> Page {
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\">\
         <title>{title}</title><style>{STYLE}</style></head>\
         <body><main>{main}</main></body></html>\n"
    );
    Page { html, style: STYLE }
}

fn span(seconds: u32) -> String {
    let (count, unit) = match seconds {
        0..120 => (seconds, "second"),
        120..7_200 => (seconds / 60, "minute"),
        7_200..172_800 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural}")
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use claviger_crypto::Secret;
    use claviger_wire::ScopeSet;

    use super::*;

    fn request(name: &str, is_loopback_only: bool) -> ConsentRequest {
        ConsentRequest {
            client_id: "c".to_owned(),
            client_name: Some(name.to_owned()),
            redirect_uri: Some("http://127.0.0.1:9/cb".to_owned()),
            user: None,
            client_host: None,
            redirect_host: "127.0.0.1".to_owned(),
            is_loopback_only,
            resource: "https://a.example/mcp".to_owned(),
            scopes: ScopeSet::parse_lossy("read write"),
            lasts_s: 86_400 * 90,
        }
    }

    fn form() -> ConsentForm {
        ConsentForm {
            action: "/authorize".to_owned(),
            pending_id: "f1".to_owned(),
            csrf: Secret::new("s1"),
        }
    }

    #[test]
    fn a033_a_hostile_name_stays_text() {
        let page = consent_page(&request("<script>alert('x')</script>\"&", false), &form());
        assert!(!page.html.contains("<script"));
        assert!(page.html.contains("&lt;script&gt;alert(&#39;x&#39;)"));
    }

    #[test]
    fn a11_p03_shows_who_what_where_and_how_long() {
        let html = consent_page(&request("Editor", true), &form()).html;
        for needed in [
            "Editor",
            "nobody has verified",
            "https://a.example/mcp",
            "<code>read</code>",
            "<code>127.0.0.1</code>",
            "90 days",
            "on this computer",
            "name=\"csrf\" value=\"s1\"",
        ] {
            assert!(html.contains(needed), "{needed}");
        }
        let elsewhere = consent_page(&request("Editor", false), &form()).html;
        assert!(!elsewhere.contains("on this computer"));
    }

    #[test]
    fn a059_a067_policy_lets_nothing_in() {
        let page = consent_page(&request("Editor", true), &form());
        let policy = page.content_security_policy(FormAction::Beyond("http://127.0.0.1:9"));
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"));
        assert!(policy.contains("form-action 'self' http://127.0.0.1:9;"));
        assert!(policy.contains("frame-ancestors 'none'"));
        assert!(
            page.html
                .contains(&format!("<style>{}</style>", page.style))
        );
        for loads in ["src=", "href=", "url(", "@import"] {
            assert!(!page.html.contains(loads), "{loads}");
        }
    }
}
