//! Every outbound connection: address rules, pinning, limits and TLS.
