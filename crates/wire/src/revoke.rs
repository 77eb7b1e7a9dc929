//! Revocation: RFC 7009 §2.1.

use claviger_crypto::Secret;
use url::form_urlencoded::Serializer;

use crate::{ClientAuth, Printed};

/// Which kind of token is revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenHint {
    /// An access token.
    AccessToken,
    /// A refresh token.
    RefreshToken,
}

/// A revocation request.
#[derive(Debug, Clone)]
pub struct RevocationRequest<'a> {
    /// The token to end.
    pub token: &'a Secret,
    /// Its kind.
    pub hint: TokenHint,
}

impl RevocationRequest<'_> {
    /// Prints the form.
    pub fn print(&self, auth: &ClientAuth) -> Printed {
        let mut form = Serializer::new(String::new());
        form.append_pair("token", self.token.expose());
        let hint = match self.hint {
            TokenHint::AccessToken => "access_token",
            TokenHint::RefreshToken => "refresh_token",
        };
        form.append_pair("token_type_hint", hint);
        let authorization = auth.print(&mut form);
        Printed {
            body: Secret::new(form.finish()),
            authorization,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_the_form() {
        let token = Secret::new("t/1");
        let request = RevocationRequest {
            token: &token,
            hint: TokenHint::RefreshToken,
        };
        let auth = ClientAuth::None {
            client_id: "c".to_owned(),
        };
        assert_eq!(
            request.print(&auth).body.expose(),
            "token=t%2F1&token_type_hint=refresh_token&client_id=c"
        );
    }
}
