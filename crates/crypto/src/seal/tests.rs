//! What opens, and what must not.

use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_assert, prop_assert_eq};
use proptest::{prop_oneof, proptest};

use super::{OpenError, TenantKey, open, record_generation, record_kek_id, seal};
use crate::{Context, SealedFor};

fn key() -> TenantKey {
    TenantKey::new(3, *b"kek-one!", [9; 32])
}

fn place() -> Context {
    Context::new(SealedFor::Credential)
        .at("credentials", "sealed")
        .tenant("t1")
        .user("u1")
        .account("default")
        .server("s1")
        .origin("https://mcp.example")
        .issuer("https://issuer.example")
        .version(7)
}

// A small alphabet, so that equal and shifted fields are met often.
fn word() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "[ab]{1,2}"]
}

fn context() -> impl Strategy<Value = Context> {
    let sealed_for = prop_oneof![
        Just(SealedFor::Credential),
        Just(SealedFor::Header),
        Just(SealedFor::Journal),
        Just(SealedFor::Key),
        Just(SealedFor::McpSession),
        Just(SealedFor::Registration),
        Just(SealedFor::SignIn),
    ];
    let words = (word(), word(), word(), word(), word(), word(), word());
    (sealed_for, words, proptest::option::of(word()), 0..3_u64).prop_map(
        |(sealed_for, words, origin, version)| {
            let context = Context::new(sealed_for)
                .at(words.0, words.1)
                .tenant(words.2)
                .user(words.3)
                .account(words.4)
                .server(words.5)
                .issuer(words.6)
                .version(version);
            match origin {
                Some(origin) => context.origin(&origin),
                None => context,
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    // PROP3: `open(seal(x, ctx), ctx') = x` iff ctx = ctx'.
    #[test]
    fn prop3_opens_only_in_its_own_place(
        here in context(),
        there in context(),
        salt in any::<[u8; 32]>(),
        plaintext in any::<Vec<u8>>(),
    ) {
        let record = seal(&key(), &here, salt, &plaintext);
        let back = open(&key(), &here, &record);
        prop_assert_eq!(back.as_deref().ok(), Some(&plaintext));
        prop_assert_eq!(open(&key(), &there, &record).is_ok(), here == there);
    }

    // PROP3, A204: any flipped bit fails.
    #[test]
    fn prop3_any_flipped_bit_fails(
        plaintext in any::<Vec<u8>>(),
        at in any::<proptest::sample::Index>(),
        bit in 0..8_u32,
    ) {
        let mut record = seal(&key(), &place(), [1; 32], &plaintext);
        let at = at.index(record.len());
        record[at] ^= 1 << bit;
        prop_assert!(open(&key(), &place(), &record).is_err());
    }

    // Nothing that is not a record opens or panics.
    #[test]
    fn random_bytes_are_no_record(bytes in any::<Vec<u8>>()) {
        prop_assert!(open(&key(), &place(), &bytes).is_err());
        prop_assert!(record_generation(&bytes).is_none());
    }
}

#[test]
fn a204_each_flipped_byte_and_each_truncation_fails() {
    let record = seal(&key(), &place(), [1; 32], b"a refresh token");
    for at in 0..record.len() {
        let mut changed = record.clone();
        changed[at] ^= 0xff;
        assert!(open(&key(), &place(), &changed).is_err(), "byte {at}");
        assert!(
            open(&key(), &place(), &record[..at]).is_err(),
            "length {at}"
        );
    }
    let longer = [&record[..], &[0]].concat();
    assert_eq!(open(&key(), &place(), &longer), Err(OpenError::Refused));
}

#[test]
fn a203_a205_every_field_of_the_place_is_bound() {
    let record = seal(&key(), &place(), [1; 32], b"x");
    let elsewhere = [
        place().at("registrations", "sealed"),
        place().at("credentials", "other"),
        place().tenant("t2"),
        place().user("u2"),
        place().account("work"),
        place().server("s2"),
        place().origin("https://evil.example"),
        place().issuer("https://issuer.example/"),
        place().version(6),
        // The same text, one field further.
        place().tenant("").user("t1u1"),
        Context::new(SealedFor::SignIn)
            .at("credentials", "sealed")
            .tenant("t1")
            .user("u1")
            .account("default")
            .server("s1")
            .origin("https://mcp.example")
            .issuer("https://issuer.example")
            .version(7),
    ];
    assert!(open(&key(), &place(), &record).is_ok());
    for context in elsewhere {
        assert_eq!(
            open(&key(), &context, &record),
            Err(OpenError::Refused),
            "{context:?}"
        );
    }
}

#[test]
fn names_the_generation_it_needs() {
    let record = seal(&key(), &place(), [1; 32], b"x");
    assert_eq!(record_generation(&record), Some(3));
    assert_eq!(record_kek_id(&record), Some(*b"kek-one!"));
    let next = TenantKey::new(4, *b"kek-one!", [9; 32]);
    assert_eq!(
        open(&next, &place(), &record),
        Err(OpenError::OtherGeneration { sealed_with: 3 })
    );
    let foreign = TenantKey::new(3, *b"kek-one!", [8; 32]);
    assert_eq!(open(&foreign, &place(), &record), Err(OpenError::Refused));
}

#[test]
fn a_rewrapped_key_opens_what_it_sealed_before() {
    let record = seal(&key(), &place(), [1; 32], b"x");
    let rewrapped = TenantKey::new(3, *b"kek-two!", [9; 32]);
    let opened = open(&rewrapped, &place(), &record).unwrap();
    assert_eq!(&opened[..], b"x");
}

#[test]
fn refuses_a_later_format() {
    let mut record = seal(&key(), &place(), [1; 32], b"x");
    record[4] = 2;
    assert_eq!(
        open(&key(), &place(), &record),
        Err(OpenError::UnknownFormat)
    );
}

#[test]
fn has_the_layout_that_is_documented() {
    let record = seal(&key(), &place(), [5; 32], b"twelve bytes");
    assert_eq!(&record[..6], b"CLVS\x01\x01");
    assert_eq!(&record[6..14], b"kek-one!");
    assert_eq!(&record[14..18], [0, 0, 0, 3]);
    assert_eq!(&record[18..50], [5; 32]);
    assert_eq!(record.len(), 82 + 12 + 16);
}

// What was sealed by a release must open in every later one.
#[test]
fn the_format_is_frozen() {
    let record = seal(&key(), &place(), [5; 32], b"a refresh token");
    assert_eq!(
        crate::hex(&crate::sha256(&record)),
        "72137a1e18a1702dc28e34d43e563836d0e691e3ffa024eb6e80ff722078b676"
    );
}

#[test]
fn one_place_and_another_salt_give_another_record() {
    let one = seal(&key(), &place(), [1; 32], b"x");
    let two = seal(&key(), &place(), [2; 32], b"x");
    assert_ne!(one[50..], two[50..]);
}

#[test]
fn debug_shows_no_key() {
    let shown = format!("{:?}", key());
    assert!(
        shown.contains("[redacted]") && !shown.contains('9'),
        "{shown}"
    );
}
