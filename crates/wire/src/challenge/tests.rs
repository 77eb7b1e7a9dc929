//! Challenges as servers write them, and as attackers do.

use proptest::prelude::*;

use super::*;

fn bearer(values: &[&str]) -> BearerChallenge {
    BearerChallenge::parse(values.iter().copied())
        .value
        .unwrap()
}

#[test]
fn c01_c03_reads_what_a_server_says() {
    let challenge = bearer(&[
        r#"Bearer realm="x", error="invalid_token", resource_metadata="https://h.example/a,b", scope="mcp:basic mcp:write""#,
    ]);
    assert_eq!(challenge.error, Some(ErrorCode::InvalidToken));
    assert_eq!(
        challenge.resource_metadata.as_deref(),
        Some("https://h.example/a,b")
    );
    assert_eq!(challenge.scope.unwrap().to_string(), "mcp:basic mcp:write");
}

#[test]
fn a024_finds_bearer_among_other_schemes() {
    let challenge = bearer(&[
        r#"Negotiate YIIabc==, Basic realm="say \"Bearer resource_metadata=x\"""#,
        r#"DPoP algs="ES256", bearer Scope = a , resource_metadata=https://h.example/p?q=1"#,
    ]);
    assert_eq!(challenge.scope.unwrap().to_string(), "a");
    assert_eq!(
        challenge.resource_metadata.as_deref(),
        Some("https://h.example/p?q=1")
    );
    let all = parse_challenges([r#"Negotiate YIIabc==, Basic realm="x""#]).value;
    assert_eq!(all[0].token68.as_deref(), Some("YIIabc=="));
    assert_eq!(all[1].param("realm"), Some("x"));
}

#[test]
fn a024_bearer_inside_another_value_is_no_challenge() {
    let read = BearerChallenge::parse([r#"Basic realm="x, Bearer scope=\"admin\"""#]);
    assert_eq!(read.value, None);
}

#[test]
fn a024_unbalanced_quotes_lose_only_their_own_parameter() {
    let read = BearerChallenge::parse([r#"Bearer scope="a", resource_metadata="https://h"#]);
    assert!(read.has("A024"));
    let challenge = read.value.unwrap();
    assert_eq!(challenge.resource_metadata, None);
    assert_eq!(challenge.scope.unwrap().to_string(), "a");
}

#[test]
fn a024_a_doubled_parameter_has_no_value() {
    let read = BearerChallenge::parse([
        r#"Bearer resource_metadata="https://a.example", resource_metadata="https://b.example""#,
    ]);
    assert!(read.has("A024"));
    assert_eq!(read.value.unwrap().resource_metadata, None);
}

#[test]
fn reads_parameters_that_only_spaces_part() {
    let challenge = bearer(&[r#"Bearer error="insufficient_scope" scope="a b""#]);
    assert_eq!(challenge.error, Some(ErrorCode::InsufficientScope));
    assert_eq!(challenge.scope.unwrap().len(), 2);
}

#[test]
fn a_bare_scheme_is_a_challenge() {
    assert_eq!(bearer(&["Bearer"]), BearerChallenge::default());
    assert_eq!(BearerChallenge::parse([]).value, None);
    assert_eq!(BearerChallenge::parse([",,=\"", "\"Bearer"]).value, None);
}

#[test]
fn a024_64_kib_are_read_in_part() {
    let long = format!("Bearer scope=\"a\", x=\"{}\"", "\"".repeat(65_536));
    assert!(BearerChallenge::parse([long.as_str()]).has("A024"));
}

proptest! {
    #[test]
    fn a024_no_text_makes_it_panic(text in any::<String>(), more in "[Bbearr =\",\\\\a-z68/+]{0,80}") {
        let read = parse_challenges([text.as_str(), more.as_str()]);
        prop_assert!(read.deviations.len() <= 8);
        let bearer = BearerChallenge::parse([text.as_str(), more.as_str()]);
        prop_assert!(bearer.deviations.len() < 100);
    }

    #[test]
    fn a_quoted_value_survives(value in "[ -~]{0,40}") {
        let quoted = value.replace('\\', "\\\\").replace('"', "\\\"");
        let header = format!("Bearer x=\"{quoted}\", scope=\"s\"");
        let read = parse_challenges([header.as_str()]).value;
        prop_assert_eq!(read[0].param("x"), Some(value.as_str()));
        prop_assert_eq!(read[0].param("scope"), Some("s"));
    }
}
