//! Which redirect URIs register, and which match.

use super::*;

fn refused(text: &str) -> InvalidRedirect {
    match RedirectUri::parse(text) {
        Ok(_) => panic!("accepted {text}"),
        Err(error) => error,
    }
}

#[test]
fn accepts_what_clients_really_register() {
    for text in [
        "https://claude.ai/api/mcp/auth_callback",
        "https://a.example",
        "https://a.example:8443/cb?x=1&y=%20",
        "https://a.example/cb/",
        "http://127.0.0.1:33418/",
        "http://127.0.0.1/callback",
        "http://[::1]:5000/cb",
        "http://localhost:6274/oauth/callback",
        "http://localhost/cb",
        "cursor://anysphere.cursor-mcp/oauth/callback",
        "vscode://vscode.github-authentication/did-authenticate",
        "com.example.app:/cb",
        "com.example.app://cb",
        "https://xn--nxasmq6b.example/cb",
    ] {
        assert!(RedirectUri::parse(text).is_ok(), "{text}");
    }
}

#[test]
fn a029_refuses_schemes_that_run_or_read_something() {
    for text in [
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "vbscript:x",
        "blob:https://a.example/x",
        "mailto:a@example.com",
        "about:blank",
        "ftp://a.example/cb",
        "ws://a.example/cb",
        "urn:ietf:wg:oauth:2.0:oob",
        "myapp:/cb",
        ".com:/cb",
    ] {
        let error = refused(text);
        assert!(
            matches!(error, InvalidRedirect::Scheme | InvalidRedirect::Syntax),
            "{text}: {error}"
        );
    }
    for text in [
        "\u{1}javascript:alert(1)",
        "\tjavascript:x",
        " https://a.example/cb",
    ] {
        assert_eq!(refused(text), InvalidRedirect::Character, "{text:?}");
    }
}

#[test]
fn a030_a15_refuses_plain_http_beyond_loopback_as_written() {
    for text in [
        "http://a.example/cb",
        "http://localhost.evil/cb",
        "http://127.0.0.1.evil/cb",
        "http://10.0.0.1/cb",
        "http://127.0.0.2/cb",
        "http://0.0.0.0/cb",
        "http://[::]/cb",
    ] {
        assert_eq!(refused(text), InvalidRedirect::PlainHttp, "{text}");
    }
    for text in [
        "http://127.0.0.1@evil/cb",
        "http://u:p@127.0.0.1/cb",
        "https://a.example@evil/cb",
    ] {
        assert_eq!(refused(text), InvalidRedirect::User, "{text}");
    }
    for text in [
        "http://2130706433/",
        "http://0x7f000001/",
        "http://127.1/",
        "http://0177.0.0.1/",
        "http://LOCALHOST/cb",
        "http://127.0.0.%31/cb",
        "http://[0:0:0:0:0:0:0:1]/cb",
        "https://A.example/cb",
    ] {
        assert_eq!(refused(text), InvalidRedirect::Host, "{text}");
    }
}

#[test]
fn a031_refuses_what_can_be_read_in_two_ways() {
    for (text, expected) in [
        ("https://*.example/cb", InvalidRedirect::Character),
        ("https://a.example/*", InvalidRedirect::Character),
        ("https://a.example\\@evil/", InvalidRedirect::Character),
        ("https://a.example/\tcb", InvalidRedirect::Character),
        ("https://a.example/c b", InvalidRedirect::Character),
        ("https://\u{430}.example/cb", InvalidRedirect::Character),
        ("https://a.example/cb#x", InvalidRedirect::Fragment),
        ("https://a.example/cb#", InvalidRedirect::Fragment),
        ("https://a.example/a/../cb", InvalidRedirect::Path),
        ("https://a.example/./cb", InvalidRedirect::Path),
        ("https://a.example/a/%2e%2E/cb", InvalidRedirect::Path),
        ("https://a.example/a%2f..%2Fcb", InvalidRedirect::Path),
        ("https:a.example/cb", InvalidRedirect::Syntax),
        ("https:/a.example/cb", InvalidRedirect::Syntax),
        ("HTTPS://a.example/cb", InvalidRedirect::Scheme),
        ("/cb", InvalidRedirect::Syntax),
        ("", InvalidRedirect::Syntax),
    ] {
        assert_eq!(refused(text), expected, "{text}");
    }
}

#[test]
fn a032_refuses_a_long_one() {
    let long = format!("https://a.example/{}", "a".repeat(8_192));
    assert_eq!(refused(&long), InvalidRedirect::Length);
}

fn matches(registered: &str, presented: &str) -> bool {
    RedirectUri::parse(registered).unwrap().matches(presented)
}

#[test]
fn a049_a14_matches_as_text() {
    let registered = "https://a.example/cb?x=1";
    assert!(matches(registered, registered));
    for presented in [
        "https://a.example/cb",
        "https://a.example/cb?x=1&y=2",
        "https://a.example/cb?x=1#f",
        "https://a.example/cb/?x=1",
        "https://a.example/c",
        "https://a.example/cbx?x=1",
        "https://a.example/CB?x=1",
        "https://A.example/cb?x=1",
        "https://a.example:443/cb?x=1",
        "https://a.example/./cb?x=1",
        "https://a.example/x/../cb?x=1",
        "https://a.example/%63b?x=1",
        "https://a.example.evil/cb?x=1",
        "https://evil/https://a.example/cb?x=1",
        "https://a.example@evil/cb?x=1",
        "http://a.example/cb?x=1",
        "//a.example/cb?x=1",
        " https://a.example/cb?x=1",
        "",
    ] {
        assert!(!matches(registered, presented), "{presented}");
    }
}

#[test]
fn a049_a14_only_the_port_of_a_loopback_literal_may_vary() {
    for (registered, presented, expected) in [
        ("http://127.0.0.1/cb", "http://127.0.0.1:5000/cb", true),
        ("http://127.0.0.1:1/cb", "http://127.0.0.1:65535/cb", true),
        ("http://127.0.0.1:1/cb", "http://127.0.0.1/cb", true),
        ("http://[::1]/cb", "http://[::1]:5000/cb", true),
        ("http://127.0.0.1/cb", "http://127.0.0.1:5000/cb/", false),
        ("http://127.0.0.1/cb", "http://127.0.0.1:5000/cb?x", false),
        ("http://127.0.0.1/cb", "http://127.0.0.1:0/cb", false),
        ("http://127.0.0.1/cb", "http://127.0.0.1:65536/cb", false),
        ("http://127.0.0.1/cb", "http://127.0.0.1:05000/cb", false),
        (
            "http://127.0.0.1/cb",
            "http://127.0.0.1:5000@evil/cb",
            false,
        ),
        ("http://127.0.0.1/cb", "http://127.0.0.1.evil/cb", false),
        ("http://127.0.0.1/cb", "https://127.0.0.1:5000/cb", false),
        ("http://127.0.0.1/cb", "http://127.0.0.1:/cb", false),
        ("https://127.0.0.1/cb", "https://127.0.0.1:5000/cb", false),
        // A name somebody else may answer: free only where it was registered without a port.
        ("http://localhost/cb", "http://localhost:5000/cb", true),
        ("http://localhost:1/cb", "http://localhost:5000/cb", false),
        ("http://localhost:1/cb", "http://localhost/cb", false),
    ] {
        assert_eq!(matches(registered, presented), expected, "{presented}");
    }
}

#[test]
fn a050_localhost_and_the_literals_are_strangers() {
    for (registered, presented) in [
        ("http://localhost/cb", "http://127.0.0.1/cb"),
        ("http://127.0.0.1/cb", "http://localhost/cb"),
        ("http://127.0.0.1/cb", "http://[::1]/cb"),
    ] {
        assert!(!matches(registered, presented), "{registered}");
    }
}

#[test]
fn shows_the_host_or_the_scheme() {
    for (text, host, loopback) in [
        ("https://a.example:8443/cb", "a.example:8443", false),
        ("http://127.0.0.1:5/cb", "127.0.0.1:5", true),
        ("cursor://anysphere.cursor-mcp/cb", "cursor", false),
    ] {
        let uri = RedirectUri::parse(text).unwrap();
        assert_eq!((uri.host(), uri.is_loopback()), (host, loopback), "{text}");
    }
}
