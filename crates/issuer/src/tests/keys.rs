//! Access tokens as JWTs, clients that prove themselves by a key, and proofs of possession.

use std::collections::BTreeSet;

use ::http::{HeaderMap, HeaderValue, Method};
use claviger_crypto::{
    PublicKey, Secret, SigningAlgorithm, SigningKey, UnverifiedJws, base64url_encode, sha256,
};
use claviger_model::UserId;
use serde_json::{Value, json};

use super::fixture::{Fixture, Known, RESOURCE, VERIFIER, at, form_headers, settings};
use crate::{
    AuthMethod, EndpointError, ErrorCode, GrantType, ProvenRequest, SigningKeys, StaticClient,
    TokenAnswer, VerifyIssuedError,
};

const TOKEN_URL: &str = "https://as.example/token";

fn key(algorithm: SigningAlgorithm) -> SigningKey {
    SigningKey::from_pem(&SigningKey::generate_pem(algorithm).unwrap()).unwrap()
}

fn public(key: &SigningKey) -> PublicKey {
    key.public_key().unwrap()
}

#[tokio::test]
async fn a_19_access_tokens_may_be_jwts_that_others_verify() {
    for algorithm in [SigningAlgorithm::EdDsa, SigningAlgorithm::Es256] {
        let fixture = Fixture::new();
        let keys = SigningKeys::new(key(algorithm)).unwrap();
        fixture.issuer.sign_access_tokens(keys.clone());
        let (client, tokens) = fixture.signed_in().await;
        let token = tokens.access_token();

        let set = fixture.issuer.key_set();
        let published = PublicKey::from_jwk(&set["keys"][0]).unwrap();
        let read = UnverifiedJws::read(token.expose()).unwrap();
        assert_eq!(read.typ(), Some("at+jwt"));
        assert_eq!(read.key_id(), published.key_id());
        let mut claims = Value::Object(read.verify(&published).unwrap());
        assert!(claims["jti"].take().is_string());
        assert_eq!(
            claims,
            json!({
                "iss": "https://as.example", "sub": "owner", "aud": RESOURCE, "jti": null,
                "client_id": client.id, "scope": "read", "iat": 0, "exp": 600,
            })
        );
        // At home it is a token like any other.
        assert!(fixture.is_live(token, 599).await);
        let fields = [("token", token.expose())];
        fixture.revoke(&client, &fields).await.unwrap();
        assert!(!fixture.is_live(token, 1).await);
        let refresh = tokens.refresh_token().unwrap();
        let refreshed = fixture.refresh(&client, refresh, &[], 2).await.unwrap();
        let again = fixture.refresh(&client, refresh, &[], 3).await.unwrap();
        assert!(again.access_token().matches(refreshed.access_token()));
    }
}

#[tokio::test]
async fn keys_change_with_an_overlap() {
    let fixture = Fixture::new();
    let (old, new) = (key(SigningAlgorithm::Es256), key(SigningAlgorithm::EdDsa));
    let new_keys = SigningKeys::new(new).unwrap();
    let old_keys = SigningKeys::new(old).unwrap();
    let old_public = old_keys.public_key().clone();
    fixture
        .issuer
        .sign_access_tokens(old_keys.beside(new_keys.public_key().clone()));
    let (_, before) = fixture.signed_in().await;
    fixture
        .issuer
        .sign_access_tokens(new_keys.beside(old_public));
    let (_, after) = fixture.signed_in().await;
    let set = fixture.issuer.key_set();
    let keys: Vec<PublicKey> = set["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|jwk| PublicKey::from_jwk(jwk).unwrap())
        .collect();
    for tokens in [&before, &after] {
        let read = UnverifiedJws::read(tokens.access_token().expose()).unwrap();
        let by = keys.iter().find(|key| key.key_id() == read.key_id());
        assert!(read.verify(by.unwrap()).is_some());
    }
    assert!(!format!("{:?}", fixture.issuer.key_set()).contains("\"d\""));
}

/// A client that acts on its own and proves itself by `key`.
async fn robot(fixture: &Fixture, key: &SigningKey) -> Known {
    let wanted = StaticClient {
        id: "robot".to_owned(),
        name: None,
        redirect_uris: Vec::new(),
        auth: AuthMethod::PrivateKeyJwt,
        keys: vec![public(key)],
        grant_types: BTreeSet::from([GrantType::ClientCredentials, GrantType::RefreshToken]),
        user: Some(UserId::parse("robot-user").unwrap()),
        resource: None,
    };
    fixture.issuer.preregister(wanted, at(0)).await.unwrap();
    Known {
        id: "robot".to_owned(),
        secret: None,
    }
}

fn claims() -> Value {
    json!({
        "iss": "robot", "sub": "robot", "aud": "https://as.example",
        "iat": 0, "exp": 300, "jti": "j1",
    })
}

async fn ask(
    fixture: &Fixture,
    assertion: &str,
    more: &[(&str, &str)],
) -> Result<TokenAnswer, EndpointError> {
    let mut fields = vec![
        ("grant_type", "client_credentials"),
        (
            "client_assertion_type",
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        ),
        ("client_assertion", assertion),
    ];
    fields.extend_from_slice(more);
    fixture.post(&form_headers(), &fields, 0).await
}

#[tokio::test]
async fn a103_an_assertion_is_good_once_for_us_alone() {
    let fixture = Fixture::new();
    let key = key(SigningAlgorithm::Es256);
    robot(&fixture, &key).await;
    let signed = key.sign_jwt("JWT", &claims()).unwrap();
    let more = [("scope", "write"), ("resource", RESOURCE)];
    let tokens = ask(&fixture, signed.expose(), &more).await.unwrap();
    // SEP-1046: no person, and no refresh token.
    assert!(tokens.refresh_token().is_none());
    let issued = fixture
        .issuer
        .verify(tokens.access_token(), RESOURCE, at(1))
        .await;
    let issued = issued.unwrap();
    assert_eq!(issued.user.as_str(), "robot-user");
    assert_eq!(issued.scopes.to_string(), "write");
    let error = ask(&fixture, signed.expose(), &more).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::InvalidClient);
}

#[tokio::test]
async fn a103_refuses_assertions_for_others_too_long_and_unsigned() {
    let fixture = Fixture::new();
    let own = key(SigningAlgorithm::Es256);
    robot(&fixture, &own).await;
    let changes: [(&str, Value); 13] = [
        ("aud", json!(["https://as.example"])),
        ("aud", json!(["https://as.example", "https://evil.example"])),
        ("aud", json!("https://evil.example")),
        ("aud", json!("https://as.example/")),
        ("aud", json!(TOKEN_URL)),
        ("iss", json!("other")),
        ("exp", json!(361)),
        ("exp", json!(-60)),
        ("exp", Value::Null),
        ("iat", json!(61)),
        ("nbf", json!(61)),
        ("jti", Value::Null),
        ("jti", json!("x".repeat(300))),
    ];
    for (member, value) in changes {
        let mut wrong = claims();
        wrong[member] = value;
        let signed = own.sign_jwt("JWT", &wrong).unwrap();
        let error = ask(&fixture, signed.expose(), &[]).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidClient, "{wrong}");
    }
    let foreign = key(SigningAlgorithm::Es256)
        .sign_jwt("JWT", &claims())
        .unwrap();
    let part = |json: &Value| base64url_encode(json.to_string().as_bytes());
    let none = format!("{}.{}.", part(&json!({"alg": "none"})), part(&claims()));
    let symmetric = format!(
        "{}.{}.AAAA",
        part(&json!({"alg": "HS256"})),
        part(&claims())
    );
    let good = own.sign_jwt("JWT", &claims()).unwrap();
    for assertion in [foreign.expose(), &none, &symmetric, "", "x.y.z"] {
        assert!(ask(&fixture, assertion, &[]).await.is_err());
    }
    for more in [("client_id", "other"), ("client_secret", "x")] {
        let error = ask(&fixture, good.expose(), &[more]).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidRequest);
    }
    // None of these used the good one up.
    assert!(
        ask(&fixture, good.expose(), &[("client_id", "robot")])
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn a036_nobody_acts_alone_but_whom_an_operator_named() {
    let fixture = Fixture::new();
    for method in ["none", "client_secret_post"] {
        let client = fixture.client(method).await;
        let secret = client.secret.clone().unwrap_or_default();
        let mut fields = vec![
            ("grant_type", "client_credentials"),
            ("client_id", client.id.as_str()),
        ];
        if !secret.is_empty() {
            fields.push(("client_secret", &secret));
        }
        let error = fixture.post(&form_headers(), &fields, 0).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::UnauthorizedClient, "{method}");
    }
    let wanted = |auth, user: Option<&str>| StaticClient {
        id: "r".to_owned(),
        name: None,
        redirect_uris: Vec::new(),
        auth,
        keys: Vec::new(),
        grant_types: BTreeSet::from([GrantType::ClientCredentials]),
        user: user.map(|user| UserId::parse(user).unwrap()),
        resource: None,
    };
    for wanted in [
        wanted(AuthMethod::None, Some("u")),
        wanted(AuthMethod::SecretBasic, None),
        wanted(AuthMethod::PrivateKeyJwt, Some("u")),
    ] {
        assert!(fixture.issuer.preregister(wanted, at(0)).await.is_err());
    }
}

#[tokio::test]
async fn a118_a_robot_whose_user_is_gone_gets_nothing() {
    let fixture = Fixture::new();
    let key = key(SigningAlgorithm::EdDsa);
    robot(&fixture, &key).await;
    fixture.person.leave();
    let signed = key.sign_jwt("JWT", &claims()).unwrap();
    let error = ask(&fixture, signed.expose(), &[]).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::UnauthorizedClient);
}

struct Proof<'a> {
    key: &'a SigningKey,
    claims: Value,
    jwk: Value,
    typ: &'a str,
}

impl<'a> Proof<'a> {
    fn new(key: &'a SigningKey, id: &str) -> Self {
        Self {
            key,
            claims: json!({"htm": "POST", "htu": TOKEN_URL, "iat": 0, "jti": id}),
            jwk: public(key).to_jwk(),
            typ: "dpop+jwt",
        }
    }

    fn with(mut self, name: &str, value: Value) -> Self {
        self.claims[name] = value;
        self
    }

    /// The product signs no proofs, so the header is put together here.
    fn header(&self) -> HeaderValue {
        let signed = self.key.sign_with_header(
            &json!({"typ": self.typ, "alg": self.key.algorithm().as_str(), "jwk": self.jwk}),
            &self.claims,
        );
        HeaderValue::from_str(signed.unwrap().expose()).unwrap()
    }

    fn headers(&self) -> HeaderMap {
        let mut headers = form_headers();
        headers.insert("dpop", self.header());
        headers
    }
}

async fn redeem(
    fixture: &Fixture,
    client: &Known,
    code: &str,
    headers: &HeaderMap,
) -> Result<TokenAnswer, EndpointError> {
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("code_verifier", VERIFIER),
        ("client_id", &client.id),
    ];
    fixture.post(headers, &fields, 0).await
}

async fn refresh(
    fixture: &Fixture,
    client: &Known,
    token: &Secret,
    headers: &HeaderMap,
) -> Result<TokenAnswer, EndpointError> {
    let fields = [
        ("grant_type", "refresh_token"),
        ("refresh_token", token.expose()),
        ("client_id", &client.id),
    ];
    fixture.post(headers, &fields, 0).await
}

#[tokio::test]
async fn a104_a_bound_token_is_good_with_its_key_only() {
    let fixture = Fixture::new();
    let (own, other) = (key(SigningAlgorithm::Es256), key(SigningAlgorithm::Es256));
    let client = fixture.client("none").await;
    let code = fixture.code(&client).await;
    let tokens = redeem(&fixture, &client, &code, &Proof::new(&own, "1").headers()).await;
    let tokens = tokens.unwrap();
    assert_eq!(tokens.body()["token_type"], "DPoP");
    let token = tokens.access_token();
    // As a bearer token it is nothing.
    let bearer = fixture.issuer.verify(token, RESOURCE, at(1)).await;
    assert!(matches!(bearer, Err(VerifyIssuedError::NeedsProof)));

    let ath = json!(base64url_encode(&sha256(token.expose().as_bytes())));
    let about = |key, id: &str, ath: &Value| {
        let proof = Proof::new(key, id)
            .with("htu", json!(RESOURCE))
            .with("htm", json!("GET"));
        HeaderMap::from_iter([(
            "dpop".parse().unwrap(),
            proof.with("ath", ath.clone()).header(),
        )])
    };
    let verify = async |headers: &HeaderMap| {
        let request = ProvenRequest {
            headers,
            method: &Method::GET,
            url: RESOURCE,
        };
        fixture
            .issuer
            .verify_proven(token, &request, RESOURCE, at(1))
            .await
    };
    let good = about(&own, "2", &ath);
    assert!(verify(&good).await.is_ok());
    assert!(verify(&good).await.is_err(), "a proof came twice");
    assert!(verify(&about(&other, "3", &ath)).await.is_err());
    assert!(verify(&about(&own, "4", &json!("x"))).await.is_err());
    assert!(verify(&about(&own, "5", &Value::Null)).await.is_err());
    assert!(verify(&HeaderMap::new()).await.is_err());

    // A104: nor is the refresh token, and trying does not end it.
    let token = tokens.refresh_token().unwrap();
    for headers in [form_headers(), Proof::new(&other, "6").headers()] {
        let error = refresh(&fixture, &client, token, &headers)
            .await
            .unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidDpopProof);
    }
    let refreshed = refresh(&fixture, &client, token, &Proof::new(&own, "7").headers()).await;
    let again = refresh(&fixture, &client, token, &Proof::new(&own, "8").headers()).await;
    let (refreshed, again) = (refreshed.unwrap(), again.unwrap());
    assert!(again.access_token().matches(refreshed.access_token()));
    // A112: the replay with another key ends it all.
    let stolen = refresh(&fixture, &client, token, &Proof::new(&other, "9").headers()).await;
    assert_eq!(stolen.unwrap_err().code(), ErrorCode::InvalidGrant);
    let successor = refreshed.refresh_token().unwrap();
    let after = refresh(
        &fixture,
        &client,
        successor,
        &Proof::new(&own, "10").headers(),
    )
    .await;
    assert_eq!(after.unwrap_err().code(), ErrorCode::InvalidGrant);
}

/// Requests with a proof that is none, by what is wrong with it.
fn wrong_proofs(own: &SigningKey) -> Vec<(&'static str, HeaderMap)> {
    let mut private = public(own).to_jwk();
    private["d"] = json!("AA");
    let other = public(&key(SigningAlgorithm::EdDsa)).to_jwk();
    let new = || Proof::new(own, "1");
    let mut twice = new().headers();
    twice.append("dpop", Proof::new(own, "2").header());
    let mut nonsense = form_headers();
    nonsense.insert("dpop", HeaderValue::from_static("x"));
    let claims = [
        ("htm", json!("GET")),
        ("htu", json!("https://as.example/revoke")),
        ("htu", json!("https://evil.example/token")),
        ("iat", json!(-61)),
        ("iat", json!(61)),
        ("iat", json!(i64::MAX)),
        ("iat", Value::Null),
        ("jti", Value::Null),
    ];
    let mut cases: Vec<_> = claims
        .into_iter()
        .map(|(name, value)| (name, new().with(name, value).headers()))
        .collect();
    cases.extend([
        (
            "typ",
            Proof {
                typ: "JWT",
                ..new()
            }
            .headers(),
        ),
        (
            "private",
            Proof {
                jwk: private,
                ..new()
            }
            .headers(),
        ),
        (
            "foreign",
            Proof {
                jwk: other,
                ..new()
            }
            .headers(),
        ),
        ("twice", twice),
        ("nonsense", nonsense),
    ]);
    cases
}

#[tokio::test]
async fn a104_refuses_proofs_about_something_else() {
    let fixture = Fixture::new();
    let own = key(SigningAlgorithm::EdDsa);
    let client = fixture.client("none").await;
    let code = fixture.code(&client).await;
    for (name, headers) in wrong_proofs(&own) {
        let error = redeem(&fixture, &client, &code, &headers)
            .await
            .unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidDpopProof, "{name}");
    }
    let good = Proof::new(&own, "1").with("htu", json!("https://as.example/token?x#y"));
    let good = good.headers();
    assert!(redeem(&fixture, &client, &code, &good).await.is_ok());
    // A104: the same proof again, for another code.
    let code = fixture.code(&client).await;
    let error = redeem(&fixture, &client, &code, &good).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::InvalidDpopProof);
}

#[tokio::test]
async fn a104_a_nonce_of_any_node_is_good_on_every_node() {
    let mut settings = settings();
    settings.dpop_nonces = true;
    let (one, two) = (Fixture::with(settings.clone()), Fixture::with(settings));
    let own = key(SigningAlgorithm::Es256);
    let client = two.client("none").await;
    let code = two.code(&client).await;
    let old = one.issuer.dpop_nonce(at(-900));
    for (id, nonce) in [("1", Value::Null), ("2", json!("guess")), ("3", json!(old))] {
        let headers = Proof::new(&own, id).with("nonce", nonce).headers();
        let error = redeem(&two, &client, &code, &headers).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::UseDpopNonce);
    }
    let nonce = json!(one.issuer.dpop_nonce(at(-1)));
    let headers = Proof::new(&own, "4").with("nonce", nonce).headers();
    assert!(redeem(&two, &client, &code, &headers).await.is_ok());
}

#[tokio::test]
async fn a104_a_code_asked_for_with_a_key_is_redeemed_with_it() {
    let fixture = Fixture::new();
    let (own, other) = (key(SigningAlgorithm::Es256), key(SigningAlgorithm::Es256));
    let client = fixture.client("none").await;
    let jkt = public(&own).thumbprint();
    let code = fixture.code_for(&client, &[("dpop_jkt", &jkt)]).await;
    for headers in [form_headers(), Proof::new(&other, "1").headers()] {
        let error = redeem(&fixture, &client, &code, &headers)
            .await
            .unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidDpopProof);
    }
    let headers = Proof::new(&own, "2").headers();
    assert!(redeem(&fixture, &client, &code, &headers).await.is_ok());
    let fields = fixture
        .refused(&super::fixture::query(&client, &[("dpop_jkt", "x")]))
        .await;
    assert_eq!(fields["error"], "invalid_request");
}
