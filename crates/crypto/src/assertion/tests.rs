//! Assertions as another library reads them.

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair as _,
};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde_json::{Value, json};

use super::AssertionClaims;
use crate::{Secret, SigningAlgorithm, SigningKey, SigningKeyError, base64_encode};

fn claims() -> AssertionClaims {
    AssertionClaims {
        issuer: "client-1".to_owned(),
        subject: "client-1".to_owned(),
        audience: "https://issuer.example".to_owned(),
        issued_at: 4_000_000_000,
        expires_at: 4_000_000_060,
        id: "once".to_owned(),
    }
}

fn pem(label: &str, der: &[u8]) -> Secret {
    let body = base64_encode(der);
    let lines: Vec<&str> = body
        .as_bytes()
        .chunks(64)
        .map(|line| core::str::from_utf8(line).unwrap())
        .collect();
    Secret::new(format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    ))
}

fn check(key: &SigningKey, public: &DecodingKey, algorithm: Algorithm) {
    let token = key.sign(&claims()).unwrap();
    let mut validation = Validation::new(algorithm);
    validation.set_audience(&["https://issuer.example"]);
    let read = decode::<Value>(token.expose(), public, &validation).unwrap();
    assert_eq!(read.header.typ.as_deref(), Some("JWT"));
    assert_eq!(read.header.kid.as_deref(), key.key_id());
    assert_eq!(
        read.claims,
        json!({
            "iss": "client-1", "sub": "client-1", "aud": "https://issuer.example",
            "iat": 4_000_000_000_u64, "exp": 4_000_000_060_u64, "jti": "once",
        })
    );
}

#[test]
fn es256() {
    let alg = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let der = EcdsaKeyPair::generate_pkcs8(alg, &SystemRandom::new()).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(alg, der.as_ref()).unwrap();
    let key = SigningKey::from_pem(&pem("PRIVATE KEY", der.as_ref())).unwrap();
    assert_eq!(key.algorithm(), SigningAlgorithm::Es256);
    let public = DecodingKey::from_ec_der(pair.public_key().as_ref());
    check(&key.with_key_id("k1"), &public, Algorithm::ES256);
}

#[test]
fn es384() {
    let alg = &ECDSA_P384_SHA384_FIXED_SIGNING;
    let der = EcdsaKeyPair::generate_pkcs8(alg, &SystemRandom::new()).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(alg, der.as_ref()).unwrap();
    let key = SigningKey::from_pem(&pem("PRIVATE KEY", der.as_ref())).unwrap();
    assert_eq!(key.algorithm(), SigningAlgorithm::Es384);
    let public = DecodingKey::from_ec_der(pair.public_key().as_ref());
    check(&key, &public, Algorithm::ES384);
}

#[test]
fn ed25519() {
    let der = Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new()).unwrap();
    let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.as_ref()).unwrap();
    let key = SigningKey::from_pem(&pem("PRIVATE KEY", der.as_ref())).unwrap();
    assert_eq!(key.algorithm(), SigningAlgorithm::EdDsa);
    let public = DecodingKey::from_ed_der(pair.public_key().as_ref());
    check(&key, &public, Algorithm::EdDSA);
}

#[test]
fn rsa_signs_both_ways() {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
    let key = SigningKey::from_pem(&pem("PRIVATE KEY", der.as_ref())).unwrap();
    let public = DecodingKey::from_rsa_der(pair.public_key().as_ref());
    assert_eq!(key.algorithm(), SigningAlgorithm::Rs256);
    check(&key, &public, Algorithm::RS256);
    let key = key.with_algorithm(SigningAlgorithm::Ps256).unwrap();
    check(&key, &public, Algorithm::PS256);
    assert_eq!(
        key.with_algorithm(SigningAlgorithm::Es256).err(),
        Some(SigningKeyError::OtherAlgorithm {
            algorithm: SigningAlgorithm::Es256
        })
    );
}

#[test]
fn refuses_other_keys_and_says_which() {
    for (text, expected) in [
        (Secret::new(""), SigningKeyError::NotPem),
        (Secret::new("-----BEGIN "), SigningKeyError::NotPem),
        (pem("CERTIFICATE", b"x"), SigningKeyError::NotPem),
        (pem("EC PRIVATE KEY", b"x"), SigningKeyError::NotPkcs8),
        (
            pem("ENCRYPTED PRIVATE KEY", b"x"),
            SigningKeyError::Encrypted,
        ),
        (pem("PRIVATE KEY", b"x"), SigningKeyError::Unsupported),
        (
            Secret::new("-----BEGIN PRIVATE KEY-----\n!\n-----END PRIVATE KEY-----"),
            SigningKeyError::NotPem,
        ),
    ] {
        assert_eq!(SigningKey::from_pem(&text).err(), Some(expected));
    }
}

#[test]
fn algorithm_names_round_trip_and_others_are_unknown() {
    for name in ["EdDSA", "ES256", "ES384", "PS256", "RS256"] {
        assert_eq!(SigningAlgorithm::parse(name).unwrap().as_str(), name);
    }
    for name in ["none", "HS256", "es256", ""] {
        assert_eq!(SigningAlgorithm::parse(name), None);
    }
}
