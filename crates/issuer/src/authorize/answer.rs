//! Where the browser goes with an answer.

use claviger_crypto::Secret;

use super::Fault;
use crate::Issuer;

/// Where the browser is sent, with status 303.
#[derive(Debug, Clone)]
pub struct Redirect(Secret);

// === impl Redirect ===

impl Redirect {
    pub(crate) fn to(url: String) -> Self {
        Self(Secret::new(url))
    }

    /// The URL; it may carry a code.
    pub fn location(&self) -> &Secret {
        &self.0
    }
}

impl Issuer {
    pub(crate) fn redirect_error(
        &self,
        redirect_uri: &str,
        state: Option<&str>,
        fault: &Fault,
    ) -> Redirect {
        let Fault(code, description) = fault;
        let fields = [("error", code.as_str()), ("error_description", description)];
        self.redirect(redirect_uri, &fields, state)
    }

    // RFC 9207 §2: `iss` in every answer, errors included (A-17, A065).
    pub(crate) fn redirect(
        &self,
        redirect_uri: &str,
        fields: &[(&str, &str)],
        state: Option<&str>,
    ) -> Redirect {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(fields);
        if let Some(state) = state {
            query.append_pair("state", state);
        }
        query.append_pair("iss", &self.settings.issuer);
        // The registered text stays as it is; a parser might rewrite it.
        let separator = match redirect_uri.split_once('?') {
            None => "?",
            Some((_, query)) if query.is_empty() || query.ends_with('&') => "",
            Some(_) => "&",
        };
        Redirect(Secret::new(format!(
            "{redirect_uri}{separator}{}",
            query.finish()
        )))
    }
}
