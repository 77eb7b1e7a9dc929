//! The rescue journals from outside: how many answers stand in them.

use std::fs;
use std::path::Path;

const HEAD: usize = 32;
const ENTRY: u8 = 1;

/// Counts the entries of all journals below a data directory.
pub(super) fn entries(data: &Path) -> usize {
    let files = fs::read_dir(data.join("journal")).into_iter().flatten();
    let files = files.flatten().map(|file| file.path());
    files
        .filter(|path| path.extension().is_some_and(|found| found == "journal"))
        // It may have been put away meanwhile.
        .filter_map(|path| fs::read(path).ok())
        .map(|bytes| count(bytes.get(HEAD..).unwrap_or_default()))
        .sum()
}

/// A record is its length in four bytes, its kind, a number in eight, the rest, and eight to check.
fn count(mut records: &[u8]) -> usize {
    let mut entries = 0;
    while let Some((length, after)) = records.split_first_chunk::<4>() {
        let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let Some(rest) = length.checked_add(17).and_then(|whole| after.get(whole..)) else {
            break;
        };
        entries += usize::from(after.first() == Some(&ENTRY));
        records = rest;
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_entries_count() {
        let record = |kind: u8, payload: &[u8]| {
            let length = u32::try_from(payload.len()).unwrap().to_le_bytes();
            [&length[..], &[kind], &[0; 8], payload, &[0; 8]].concat()
        };
        let mut bytes = [record(1, b"one"), record(2, b""), record(1, b"")].concat();
        assert_eq!(count(&bytes), 2);
        bytes.extend_from_slice(&record(1, b"torn")[..9]);
        assert_eq!(count(&bytes), 2);
    }
}
