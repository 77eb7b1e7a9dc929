//! What may be set about outbound connections.

use core::time::Duration;
use std::net::{Ipv6Addr, SocketAddr};

use claviger_model::Fault;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject};

/// Limits and exceptions. The defaults are those of the reference deployment.
#[derive(Debug, Clone)]
pub struct EgressSettings {
    /// For resolving, connecting and the TLS handshake together.
    pub connect_timeout: Duration,
    /// For a whole metadata request.
    pub document_timeout: Duration,
    /// For a whole token request: a slow issuer must not cost a refresh token.
    pub token_timeout: Duration,
    /// For what a probe reads after the head.
    pub probe_body_timeout: Duration,
    /// From a forwarded request to the head of its answer. Tools may think for long before they
    /// answer in JSON.
    pub head_timeout: Duration,
    /// How long an unused connection to an upstream is kept.
    pub idle_timeout: Duration,
    /// How many unused connections are kept for one upstream.
    pub idle_per_host: usize,
    /// For how many different reaches connections are kept.
    pub pools: usize,
    /// Bytes of a client id metadata document, decoded.
    pub client_document_bytes: usize,
    /// Bytes of any other document, decoded.
    pub document_bytes: usize,
    /// How many bounded requests run at once; token requests have as many of their own.
    pub concurrent_fetches: usize,
    /// Ports besides 443 that public hosts may be reached on.
    pub extra_ports: Vec<u16>,
    /// Sockets we listen on ourselves; they are never dialled.
    pub own_addresses: Vec<SocketAddr>,
    /// The /96 prefix of this network's NAT64, if it has one. Addresses below it are judged by the
    /// IPv4 address they carry; without it they are refused, and so is every host that only NAT64
    /// reaches.
    pub nat64_prefix: Option<Ipv6Addr>,
    /// Whom TLS trusts.
    pub tls: TlsSettings,
}

/// Whom TLS trusts.
#[derive(Debug, Clone)]
pub struct TlsSettings {
    /// Certificate authorities besides those of the machine.
    pub extra_roots: Vec<CertificateDer<'static>>,
    /// Whether the machine's own certificate authorities are trusted.
    pub system_roots: bool,
}

/// A text in which no certificate can be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidPem {
    /// There is none.
    #[error("the text holds no certificate; expected `-----BEGIN CERTIFICATE-----`")]
    Empty,
    /// One is damaged.
    #[error("the text holds a certificate that cannot be read")]
    Malformed {
        /// The cause.
        #[source]
        source: pem::Error,
    },
}

// === impl EgressSettings ===

impl Default for EgressSettings {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            document_timeout: Duration::from_secs(10),
            token_timeout: Duration::from_secs(30),
            probe_body_timeout: Duration::from_secs(1),
            head_timeout: Duration::from_mins(5),
            idle_timeout: Duration::from_mins(1),
            idle_per_host: 32,
            pools: 64,
            client_document_bytes: 5 * 1_024,
            document_bytes: 64 * 1_024,
            concurrent_fetches: 64,
            extra_ports: vec![8443],
            own_addresses: Vec::new(),
            nat64_prefix: None,
            tls: TlsSettings::default(),
        }
    }
}

// === impl InvalidPem ===

impl InvalidPem {
    /// Who is to blame.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Empty | Self::Malformed { .. } => Fault::Operator,
        }
    }
}

// === impl TlsSettings ===

impl TlsSettings {
    /// Also trusts the certificate authorities in this PEM text; says how many there were.
    pub fn trust_pem(&mut self, pem: &[u8]) -> Result<usize, InvalidPem> {
        let mut found = Vec::new();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            found.push(certificate.map_err(|source| InvalidPem::Malformed { source })?);
        }
        if found.is_empty() {
            return Err(InvalidPem::Empty);
        }
        let count = found.len();
        self.extra_roots.append(&mut found);
        Ok(count)
    }
}

impl Default for TlsSettings {
    fn default() -> Self {
        Self {
            extra_roots: Vec::new(),
            system_roots: true,
        }
    }
}
