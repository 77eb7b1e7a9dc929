//! The reader of rescue journals: it never panics, and gives back exactly the entries that were
//! written whole and not settled, whatever a crash or a disk made of the rest.
//!
//! The input is a journal; and it is acts, of which a journal is written here by hand, as a second
//! opinion on its format, and then spoilt.
#![no_main]

use claviger_crypto::sha256;
use libfuzzer_sys::fuzz_target;

/// The one pure file of the journal. The server around it would be built for nothing.
#[expect(dead_code, reason = "the writer's side")]
#[path = "../../crates/server/src/journal/format.rs"]
mod format;

use format::{HEAD_LEN, MAX_PAYLOAD, scan};

const ID: [u8; 16] = [7; 16];

fn record(kind: u8, number: u64, payload: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(payload.len()).unwrap().to_le_bytes().to_vec();
    bytes.push(kind);
    bytes.extend_from_slice(&number.to_le_bytes());
    bytes.extend_from_slice(payload);
    let check = sha256(&[&ID[..], &bytes].concat());
    bytes.extend_from_slice(&check[..8]);
    bytes
}

/// What two bytes of the input do: an entry, its end, or something of a later version.
fn acts(input: &[u8]) -> Vec<(u8, u64, Vec<u8>)> {
    let pairs = input.chunks_exact(2).take(64);
    pairs
        .map(|pair| {
            let (kind, number) = (pair[0] % 3 + 1, u64::from(pair[1] % 8));
            let payload = if kind == 1 { vec![pair[0]; usize::from(pair[1])] } else { Vec::new() };
            (kind, number, payload)
        })
        .collect()
}

/// The entries that are open after these acts.
fn open_after(acts: &[(u8, u64, Vec<u8>)]) -> Vec<(u64, Vec<u8>)> {
    let mut open: Vec<(u64, Vec<u8>)> = Vec::new();
    for (kind, number, payload) in acts {
        match kind {
            1 => open.push((*number, payload.clone())),
            2 => open.retain(|(one, _)| one != number),
            _ => {}
        }
    }
    open
}

fn open_in(bytes: &[u8]) -> Vec<(u64, Vec<u8>)> {
    let open = scan(bytes).expect("it begins as a journal does").open;
    open.iter().map(|one| (one.number, one.payload.to_vec())).collect()
}

fn is_sound(bytes: &[u8]) {
    let Ok(scanned) = scan(bytes) else { return };
    assert!((HEAD_LEN..=bytes.len()).contains(&scanned.end));
    assert!(scanned.open.iter().all(|one| one.payload.len() <= MAX_PAYLOAD));
    // What was read whole reads the same without what follows.
    let whole = scan(&bytes[..scanned.end]).expect("the head is there");
    assert_eq!((whole.open, whole.end, whole.is_torn), (scanned.open, scanned.end, false));
}

fuzz_target!(|input: &[u8]| {
    is_sound(input);
    let (spoil, input) = input.split_first_chunk::<4>().map_or(([0; 4], input), |(a, b)| (*a, b));
    let acts = acts(input);
    let head = [&b"claviger-journal"[..], &ID].concat();
    let mut bytes = head.clone();
    let mut ends = vec![bytes.len()];
    for (kind, number, payload) in &acts {
        bytes.extend(record(*kind, *number, payload));
        ends.push(bytes.len());
    }
    assert_eq!(open_in(&bytes), open_after(&acts));
    // A crash tears it anywhere, or a disk flips a bit: what stands before is read, and no more.
    let at = usize::from(u16::from_be_bytes([spoil[0], spoil[1]])) % bytes.len();
    if at < HEAD_LEN {
        return;
    }
    let whole = ends.iter().rposition(|end| *end <= at).unwrap_or(0);
    assert_eq!(open_in(&bytes[..at]), open_after(&acts[..whole]));
    bytes[at] ^= spoil[2].max(1);
    assert_eq!(open_in(&bytes), open_after(&acts[..whole]));
    is_sound(&bytes);
});
