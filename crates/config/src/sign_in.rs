//! `[sign_in]`: sign-ins at other people's issuers.

use url::Url;

use crate::keys::Keys;

/// Sign-ins at other people's issuers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SignInSettings {
    /// The port of the loopback listener for callbacks; absent takes the last one used, else any
    /// free one.
    ///
    /// `CLAVIGER_SIGN_IN_CALLBACK_PORT`, not set, from 1024 to 65535.
    pub callback_port: Option<u16>,
    /// The `https` URL of our client id metadata document, where one is published.
    ///
    /// `CLAVIGER_SIGN_IN_CLIENT_METADATA_URL`, not set.
    pub client_metadata_url: Option<Url>,
    /// The name under which people see us at an issuer (M7).
    ///
    /// `CLAVIGER_SIGN_IN_CLIENT_NAME`, default `Claviger`, 1 to 64 characters.
    pub client_name: String,
    /// How long a sign-in waits for the person, in seconds.
    ///
    /// `CLAVIGER_SIGN_IN_TIMEOUT_S`, default 300, from 10 to 600.
    pub timeout_s: u32,
}

impl SignInSettings {
    pub(crate) fn read(keys: &mut Keys<'_, '_>) -> Self {
        Self {
            callback_port: keys.read("callback_port", None, PORT, |port| match port {
                Some(0..=1023) => Err(PORT),
                _ => Ok(()),
            }),
            client_metadata_url: keys.read(
                "client_metadata_url",
                None,
                METADATA_URL,
                check_metadata_url,
            ),
            client_name: keys.read(
                "client_name",
                "Claviger".to_owned(),
                NAME,
                |name: &String| {
                    let length = name.chars().count();
                    let is_fit = (1..=64).contains(&length) && !name.chars().any(char::is_control);
                    if is_fit { Ok(()) } else { Err(NAME) }
                },
            ),
            // The `state` of a sign-in is valid for 600 s; waiting longer would be in vain.
            timeout_s: keys.read("timeout_s", 300, TIMEOUT, |seconds| {
                if (10..=600).contains(seconds) {
                    Ok(())
                } else {
                    Err(TIMEOUT)
                }
            }),
        }
    }
}

/// draft-ietf-oauth-client-id-metadata-document §3: https, with a path, without fragment and user.
#[expect(clippy::ref_option, reason = "the signature of a check")]
fn check_metadata_url(url: &Option<Url>) -> Result<(), &'static str> {
    let Some(url) = url else { return Ok(()) };
    let is_fit = url.scheme() == "https"
        && url.path() != "/"
        && url.username().is_empty()
        && url.password().is_none()
        && url.fragment().is_none();
    if is_fit { Ok(()) } else { Err(METADATA_URL) }
}

const METADATA_URL: &str = "accepted is an https URL with a path, without user and fragment, such as https://example.com/claviger.json";
const NAME: &str = "accepted is a text of 1 to 64 characters";
const PORT: &str = "accepted is a port from 1024 to 65535";
const TIMEOUT: &str = "accepted is a number of seconds from 10 to 600";
