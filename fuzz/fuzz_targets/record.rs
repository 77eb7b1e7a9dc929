//! The reader of sealed records: it never panics, and opens nothing but what was sealed.
//!
//! The input is a record, or a change to be made to a good one: what comes first decides.
#![no_main]

use claviger_crypto::{Context, SealedFor, TenantKey, open, record_generation, record_kek_id, seal};
use libfuzzer_sys::fuzz_target;

const SECRET: &[u8] = b"a refresh token that nobody may see";

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

/// Writes the input over a good record, at the place its first two bytes name.
fn changed(good: &[u8], input: &[u8]) -> Vec<u8> {
    let mut record = good.to_vec();
    let Some((head, rest)) = input.split_first_chunk::<2>() else {
        return record;
    };
    let at = usize::from(u16::from_be_bytes(*head)) % (record.len() + 1);
    let end = record.len().min(at + rest.len());
    record.splice(at..end, rest.iter().copied());
    record
}

fuzz_target!(|input: &[u8]| {
    let key = TenantKey::new(3, *b"kek-one!", [9; 32]);
    let good = seal(&key, &place(), [1; 32], SECRET);
    for record in [input.to_vec(), changed(&good, input)] {
        let opened = open(&key, &place(), &record);
        assert_eq!(opened.is_ok(), record == good, "only the record itself opens");
        if let Ok(opened) = opened {
            assert_eq!(&opened[..], SECRET);
        }
        // Whoever names a generation has the form of a record.
        assert_eq!(record_generation(&record).is_some(), record_kek_id(&record).is_some());
    }
});
