//! TLS towards peers: one provider, 1.2 and up, certificates always verified.

use std::io;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::ServerName;
use rustls::{CertificateError, ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use url::Host;

use crate::refusal::Refusal;
use crate::settings::TlsSettings;

/// Why TLS could not be set up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsSetupError {
    #[error("no certificate authority can be used")]
    Roots {
        #[source]
        source: rustls::Error,
    },
    #[error("the trusted certificates make no verifier")]
    Verifier {
        #[source]
        source: rustls::client::VerifierBuilderError,
    },
}

/// Builds the one configuration every handshake uses.
pub(crate) fn client_config(settings: &TlsSettings) -> Result<Arc<ClientConfig>, TlsSetupError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = verifier(settings, &provider)?;
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|source| TlsSetupError::Roots { source })?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // Early data may be replayed by whoever recorded it.
    config.enable_early_data = false;
    Ok(Arc::new(config))
}

/// Shakes hands with the peer that should be `host`.
pub(crate) async fn handshake(
    config: &Arc<ClientConfig>,
    host: &Host<String>,
    stream: TcpStream,
) -> Result<TlsStream<TcpStream>, Refusal> {
    let name = match host {
        Host::Domain(name) => ServerName::try_from(name.clone()).or(Err(Refusal::Tls(
            "the host is not a name a certificate can hold",
        )))?,
        Host::Ipv4(address) => ServerName::from(*address),
        Host::Ipv6(address) => ServerName::from(*address),
    };
    TlsConnector::from(Arc::clone(config))
        .connect(name, stream)
        .await
        .map_err(|error| Refusal::Tls(phrase(&error)))
}

fn verifier(
    settings: &TlsSettings,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, TlsSetupError> {
    let mut roots = RootCertStore::empty();
    if settings.system_roots {
        let system = rustls_platform_verifier::Verifier::new_with_extra_roots(
            settings.extra_roots.iter().cloned(),
            Arc::clone(provider),
        );
        match system {
            Ok(verifier) => return Ok(Arc::new(verifier)),
            Err(source) => {
                // A container without certificates is common; Mozilla's list is better than none.
                tracing::warn!(
                    error = %source,
                    "the machine's certificate authorities cannot be used; taking the built-in ones"
                );
            }
        }
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    for extra in &settings.extra_roots {
        roots
            .add(extra.clone())
            .map_err(|source| TlsSetupError::Roots { source })?;
    }
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
            .build()
            .map_err(|source| TlsSetupError::Verifier { source })?;
    Ok(verifier)
}

// Fixed phrases: a certificate's own text is written by whoever made it.
fn phrase(error: &io::Error) -> &'static str {
    let inner = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidCertificate(reason)) => match reason {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "the certificate has expired"
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "the certificate is not valid yet"
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "the certificate is for another name"
            }
            CertificateError::Revoked => "the certificate was revoked",
            CertificateError::UnknownIssuer => "the certificate's authority is not trusted",
            _ => "the certificate is not valid",
        },
        Some(rustls::Error::AlertReceived(_)) => "the peer refused the handshake",
        Some(rustls::Error::PeerIncompatible(_)) => "no common protocol version or cipher",
        Some(rustls::Error::InvalidMessage(_)) => "the peer does not speak TLS",
        Some(_) => "the handshake was not valid",
        None => "the connection closed during the handshake",
    }
}
