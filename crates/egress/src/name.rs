//! Host names that never lead out, whatever they resolve to.

/// Why a host name is refused, if it is.
///
/// `name` is in the form `url::Host` gives it: lower case, ASCII.
pub(crate) fn refuse_name(name: &str) -> Option<&'static str> {
    if name.ends_with('.') {
        // `localhost.` and `metadata.google.internal.` are the same hosts and match no other rule.
        return Some("the host name ends in a dot");
    }
    if name.len() > 253
        || name
            .split('.')
            .any(|label| label.is_empty() || label.len() > 63)
    {
        return Some("the host name is malformed");
    }
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if !name.bytes().all(is_plain) {
        return Some("the host name is malformed");
    }
    if !name.contains('.') {
        // Search domains turn a single label into a neighbor of ours.
        return Some("the host name has a single label");
    }
    if LOCAL_SUFFIXES.iter().any(|suffix| ends_in(name, suffix)) {
        return Some("the host name is a local one");
    }
    if name.starts_with("metadata.") {
        return Some("the host name is a metadata service's");
    }
    None
}

fn ends_in(name: &str, suffix: &str) -> bool {
    name.strip_suffix(suffix)
        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

// RFC 6761, RFC 6762, RFC 8375 and the suffix ICANN reserved for private use.
const LOCAL_SUFFIXES: [&str; 5] = ["localhost", "local", "internal", "home.arpa", "arpa"];

#[cfg(test)]
mod tests {
    use super::refuse_name;

    #[test]
    fn refuses_local_names_and_only_those() {
        for refused in [
            "localhost",
            "printer",
            "a.localhost",
            "nas.local",
            "metadata.google.internal",
            "vault.corp.internal",
            "router.home.arpa",
            "1.0.0.127.in-addr.arpa",
            "metadata.example.com",
            "example.com.",
            "localhost.",
            "a..example",
            ".example",
            "ex%61mple.com",
        ] {
            assert!(refuse_name(refused).is_some(), "{refused}");
        }
        for admitted in [
            "example.com",
            "notlocalhost.example",
            "mylocal.dev",
            "internal.example.com",
            "xn--bcher-kva.example",
            "my_host.example.com",
            "metadatas.example.com",
        ] {
            assert_eq!(refuse_name(admitted), None, "{admitted}");
        }
    }

    #[test]
    fn refuses_names_no_resolver_can_hold() {
        assert!(refuse_name(&format!("{}.example", "a".repeat(64))).is_some());
        assert!(refuse_name(&"a.".repeat(130)).is_some());
    }
}
