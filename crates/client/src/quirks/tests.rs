//! The quirk file, ours and an operator's.

use super::*;

#[test]
fn n12_the_built_in_file_reads_and_matches_by_host() {
    let quirks = Quirks::built_in();
    let entra = quirks.of("https://login.microsoftonline.com/x/v2.0");
    assert_eq!(entra.resource, ResourceMode::Omit);
    assert!(entra.s256_unadvertised);
    assert_eq!(entra.refresh_scope, RefreshScope::Granted);
    let google = quirks.of("https://accounts.google.com");
    assert_eq!(
        google.authorize_params,
        [("access_type".to_owned(), "offline".to_owned())]
    );
    assert!(google.allows_alias(
        "https://accounts.google.com/",
        "https://accounts.google.com"
    ));
    let slack = quirks.of("https://slack.com");
    assert_eq!(slack.shape.path.as_deref(), Some("authed_user"));
    assert_eq!(slack.shape.scope_separator, ',');
    assert!(
        quirks
            .of("https://github.com/login/oauth")
            .console_url
            .is_some()
    );
    assert!(
        quirks
            .of("https://cf.mcp.atlassian.com")
            .console_url
            .is_some()
    );
    assert_eq!(
        quirks.of("https://t.eu.auth0.com/").audience,
        AudienceMode::Resource
    );
    assert!(
        quirks
            .of("https://cognito-idp.eu-west-1.amazonaws.com/p")
            .s256_unadvertised
    );
}

#[test]
fn an_unknown_issuer_gets_the_spec() {
    let quirks = Quirks::built_in();
    for url in [
        "https://login.microsoftonline.com.evil.example",
        "https://evil.example/login.microsoftonline.com",
        "https://auth0.com",
        "https://xauth0.com",
        "https://cognito-idp.a.b.amazonaws.com",
        "not a url",
    ] {
        assert_eq!(quirks.of(url), Quirk::default(), "{url}");
    }
}

#[test]
fn n12_an_operators_fields_go_before_ours() {
    let quirks = Quirks::built_in()
        .with_overrides(
            "[[issuer]]\nhosts=[\"login.microsoftonline.com\", \"127.0.0.1:9\"]\nresource=\"send\"\n",
        )
        .unwrap();
    let entra = quirks.of("https://login.microsoftonline.com/x");
    assert_eq!(entra.resource, ResourceMode::Send);
    assert!(entra.s256_unadvertised, "what was not set stays");
    assert_eq!(
        quirks.of("http://127.0.0.1:9/x").resource,
        ResourceMode::Send
    );
}

#[test]
fn n12_refuses_unknown_keys_and_broad_hosts() {
    for text in [
        "[[issuer]]\nhosts=[\"a.example\"]\nresorce=\"omit\"\n",
        "[[provider]]\n",
        "[[issuer]]\nhosts=[]\n",
        "[[issuer]]\nhosts=[\"*\"]\n",
        "[[issuer]]\nhosts=[\"*.com\"]\n",
        "[[issuer]]\nhosts=[\"https://a.example\"]\n",
        "[[issuer]]\nhosts=[\"a.example\"]\nresource=\"perhaps\"\n",
    ] {
        assert!(Quirks::none().with_overrides(text).is_err(), "{text}");
    }
}
