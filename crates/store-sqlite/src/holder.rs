//! Who holds a file that is busy, where the system tells (Linux).

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::file::beside;

/// The process that holds the write lock of a database, in words; `None` if nobody says.
///
/// SQLite's locks are those of the file system: on the database itself, and in WAL mode on one byte
/// of the file beside it.
pub(crate) fn find(path: &Path) -> Option<String> {
    let locks = fs::read_to_string("/proc/locks").ok()?;
    let inode = |path: &Path| fs::metadata(path).ok().map(|found| found.ino());
    let (file, index) = (inode(path), inode(&beside(path, "-shm")));
    let pid = locks.lines().filter_map(Lock::parse).find_map(|lock| {
        let is_whole = Some(lock.inode) == file;
        let is_writer = Some(lock.inode) == index && lock.covers(WAL_WRITE_LOCK);
        (is_whole || is_writer).then_some(lock.pid)
    })?;
    // Of another user's process nothing but its number may be known.
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    Some(match name.trim() {
        "" => format!("process {pid}"),
        name => format!("process {pid} ({name})"),
    })
}

/// A line of `/proc/locks` about somebody who writes.
struct Lock {
    pid: u32,
    inode: u64,
    first: u64,
    last: u64,
}

// === impl Lock ===

impl Lock {
    /// `1: POSIX  ADVISORY  WRITE 1234 08:01:5678 120 120`; of those who wait (`->`) nothing.
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace().skip(1);
        let kind = (words.next()?, words.next()?, words.next()?);
        if kind != ("POSIX", "ADVISORY", "WRITE") {
            return None;
        }
        let pid = words.next()?.parse().ok().filter(|pid| *pid > 0)?;
        let inode = words.next()?.rsplit(':').next()?.parse().ok()?;
        let first = words.next()?.parse().ok()?;
        let last = words.next()?.parse().unwrap_or(u64::MAX);
        Some(Self {
            pid,
            inode,
            first,
            last,
        })
    }

    const fn covers(&self, byte: u64) -> bool {
        self.first <= byte && byte <= self.last
    }
}

/// SQLite's file format, "WAL-index locks": the byte of whoever writes.
const WAL_WRITE_LOCK: u64 = 120;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_lines_of_those_who_write() {
        let line = "12: POSIX  ADVISORY  WRITE 4711 00:2a:815 120 120";
        let lock = Lock::parse(line).unwrap();
        assert_eq!((lock.pid, lock.inode), (4711, 815));
        assert!(lock.covers(120) && !lock.covers(121));
        let whole = "3: POSIX  ADVISORY  WRITE 8 08:01:5 1073741824 EOF";
        assert!(Lock::parse(whole).unwrap().covers(1 << 40));
        for other in [
            "1: POSIX  ADVISORY  READ 4711 00:2a:815 123 123",
            "1: -> POSIX  ADVISORY  WRITE 4711 00:2a:815 120 120",
            "1: FLOCK  ADVISORY  WRITE 4711 00:2a:815 0 EOF",
            "1: POSIX  ADVISORY  WRITE -1 00:2a:815 120 120",
            "",
        ] {
            assert!(Lock::parse(other).is_none(), "{other}");
        }
    }
}
