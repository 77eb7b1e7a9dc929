//! The bytes of a journal: a head with a random id, then records. Pure.
//!
//! A record is its length, kind, number, payload, and a checksum over all of that and the id of the
//! file, so that what a disk gives back from another time is no record. The checksum finds what a
//! crash tore; against people who write, every payload is sealed.

use claviger_crypto::sha256;

/// The longest payload. A token answer has 64 KiB at most.
pub const MAX_PAYLOAD: usize = 1024 * 1024;

/// The bytes before the first record.
pub const HEAD_LEN: usize = MAGIC.len() + ID_LEN;

pub(crate) const ID_LEN: usize = 16;
const MAGIC: [u8; 16] = *b"claviger-journal";
const CHECK_LEN: usize = 8;
const FIXED_LEN: usize = 4 + 1 + 8;

const ENTRY: u8 = 1;
const SETTLED: u8 = 2;

/// What a journal holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scanned<'a> {
    /// Its id.
    pub id: [u8; 16],
    /// The entries that were not settled, in the order in which they were written.
    pub open: Vec<Unsettled<'a>>,
    /// Where the last whole record ends.
    pub end: usize,
    /// Whether anything follows it: the tail is torn.
    pub is_torn: bool,
}

/// One entry that the database may not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsettled<'a> {
    /// Its number in this file.
    pub number: u64,
    /// The sealed entry.
    pub payload: &'a [u8],
}

/// It is no journal of this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it does not begin as a journal does")]
pub struct NotAJournal;

/// Reads a journal as far as it is whole.
pub fn scan(bytes: &[u8]) -> Result<Scanned<'_>, NotAJournal> {
    let (magic, rest) = bytes.split_first_chunk().ok_or(NotAJournal)?;
    let (id, mut rest) = rest.split_first_chunk().ok_or(NotAJournal)?;
    if *magic != MAGIC {
        return Err(NotAJournal);
    }
    let mut open: Vec<Unsettled<'_>> = Vec::new();
    while let Some(record) = record(id, rest) {
        match record.kind {
            ENTRY => open.push(Unsettled {
                number: record.number,
                payload: record.payload,
            }),
            SETTLED => open.retain(|entry| entry.number != record.number),
            // Of a later version: whole, and not for us.
            _ => {}
        }
        rest = record.rest;
    }
    Ok(Scanned {
        id: *id,
        open,
        end: bytes.len() - rest.len(),
        is_torn: rest.iter().any(|byte| *byte != 0),
    })
}

pub(crate) fn head(id: &[u8; ID_LEN]) -> Vec<u8> {
    [MAGIC.as_slice(), id].concat()
}

pub(crate) fn entry(id: &[u8; ID_LEN], number: u64, payload: &[u8]) -> Option<Vec<u8>> {
    (payload.len() <= MAX_PAYLOAD)
        .then(|| encode(id, ENTRY, number, payload))
        .flatten()
}

pub(crate) fn settled(id: &[u8; ID_LEN], number: u64) -> Vec<u8> {
    encode(id, SETTLED, number, &[]).unwrap_or_default()
}

fn encode(id: &[u8], kind: u8, number: u64, payload: &[u8]) -> Option<Vec<u8>> {
    let len = u32::try_from(payload.len()).ok()?;
    let mut bytes = Vec::with_capacity(FIXED_LEN + payload.len() + CHECK_LEN);
    bytes.extend_from_slice(&len.to_le_bytes());
    bytes.push(kind);
    bytes.extend_from_slice(&number.to_le_bytes());
    bytes.extend_from_slice(payload);
    let check = check(id, &bytes);
    bytes.extend_from_slice(&check);
    Some(bytes)
}

struct Record<'a> {
    kind: u8,
    number: u64,
    payload: &'a [u8],
    rest: &'a [u8],
}

/// The record at the beginning of `bytes`, if a whole one is there.
fn record<'a>(id: &[u8], bytes: &'a [u8]) -> Option<Record<'a>> {
    let (len, after) = bytes.split_first_chunk::<4>()?;
    let len = usize::try_from(u32::from_le_bytes(*len)).ok()?;
    if len > MAX_PAYLOAD {
        return None;
    }
    let (kind, after) = after.split_first()?;
    let (number, after) = after.split_first_chunk::<8>()?;
    let (payload, after) = after.split_at_checked(len)?;
    let (found, rest) = after.split_first_chunk::<CHECK_LEN>()?;
    let covered = bytes.get(..FIXED_LEN + len)?;
    (*found == check(id, covered)).then_some(Record {
        kind: *kind,
        number: u64::from_le_bytes(*number),
        payload,
        rest,
    })
}

fn check(id: &[u8], covered: &[u8]) -> [u8; CHECK_LEN] {
    let digest = sha256(&[id, covered].concat());
    let mut check = [0; CHECK_LEN];
    for (to, from) in check.iter_mut().zip(digest) {
        *to = from;
    }
    check
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: [u8; ID_LEN] = [7; ID_LEN];

    fn journal(records: &[Vec<u8>]) -> Vec<u8> {
        [head(&ID), records.concat()].concat()
    }

    fn open(bytes: &[u8]) -> Vec<(u64, Vec<u8>)> {
        let open = scan(bytes).unwrap().open;
        let own = |entry: Unsettled<'_>| (entry.number, entry.payload.to_vec());
        open.into_iter().map(own).collect()
    }

    #[test]
    fn f14_entries_come_back_until_they_are_settled() {
        let mut records = vec![
            entry(&ID, 1, b"one").unwrap(),
            entry(&ID, 2, b"").unwrap(),
            settled(&ID, 1),
        ];
        let bytes = journal(&records);
        assert_eq!(open(&bytes), [(2, Vec::new())]);
        assert!(!scan(&bytes).unwrap().is_torn);
        records.push(settled(&ID, 2));
        assert_eq!(open(&journal(&records)), []);
    }

    #[test]
    fn f14_a_torn_tail_costs_only_itself() {
        let whole = journal(&[entry(&ID, 1, b"one").unwrap()]);
        let longer = journal(&[
            entry(&ID, 1, b"one").unwrap(),
            entry(&ID, 2, b"two").unwrap(),
        ]);
        for len in whole.len()..longer.len() {
            let scanned = scan(&longer[..len]).unwrap();
            assert_eq!(scanned.end, whole.len(), "{len}");
            assert_eq!(scanned.open.len(), 1, "{len}");
        }
        let mut zeros = whole.clone();
        zeros.extend([0; 100]);
        assert_eq!(open(&zeros), [(1, b"one".to_vec())]);
    }

    #[test]
    fn a_flipped_byte_ends_the_reading_there() {
        let bytes = journal(&[
            entry(&ID, 1, b"one").unwrap(),
            entry(&ID, 2, b"two").unwrap(),
        ]);
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            let found = scan(&flipped).map_or(0, |scanned| scanned.open.len());
            assert!(found < 2, "{at}");
        }
    }

    #[test]
    fn bytes_of_another_file_are_no_record() {
        let mut bytes = journal(&[]);
        bytes.extend(entry(&[8; ID_LEN], 1, b"old").unwrap());
        let scanned = scan(&bytes).unwrap();
        assert_eq!((scanned.open.len(), scanned.is_torn), (0, true));
    }

    #[test]
    fn what_is_too_long_is_not_written() {
        assert!(entry(&ID, 1, &vec![0; MAX_PAYLOAD + 1]).is_none());
    }
}
