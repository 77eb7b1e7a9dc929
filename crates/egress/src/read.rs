//! Reads a body up to a limit that counts decoded bytes.

use std::io::{self, Write};

use bytes::Bytes;
use claviger_ports::FetchError;
use flate2::write::MultiGzDecoder;
use http::{HeaderMap, HeaderValue, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;

/// Collects a body. What was read stays when reading is given up.
pub(crate) struct Reader {
    into: Decoder,
    limit: usize,
    /// Bytes as they came; a compressed body may be long and say nothing.
    raw_left: usize,
}

enum Decoder {
    Plain(Capped),
    Gzip(Box<MultiGzDecoder<Capped>>),
}

/// Holds at most `limit` bytes and refuses the next one.
struct Capped {
    bytes: Vec<u8>,
    limit: usize,
    is_full: bool,
}

// === impl Reader ===

impl Reader {
    /// For an answer with these headers; `None` if it is encoded in a way nobody asked for.
    pub(crate) fn new(headers: &HeaderMap, limit: usize) -> Option<Self> {
        let capped = Capped {
            bytes: Vec::new(),
            limit,
            is_full: false,
        };
        let mut encodings = headers.get_all(header::CONTENT_ENCODING).iter();
        let encoding = encodings.next().map(HeaderValue::as_bytes);
        // Layers of compression multiply.
        if encodings.next().is_some() {
            return None;
        }
        let into = match encoding {
            None => Decoder::Plain(capped),
            Some(name) if name.eq_ignore_ascii_case(b"identity") => Decoder::Plain(capped),
            Some(name) if name.eq_ignore_ascii_case(b"gzip") => {
                Decoder::Gzip(Box::new(MultiGzDecoder::new(capped)))
            }
            Some(_) => return None,
        };
        Some(Self {
            into,
            limit,
            raw_left: limit.saturating_mul(2).max(MIN_RAW_BYTES),
        })
    }

    /// Reads to the end of the body, or to the first byte too many.
    pub(crate) async fn read(&mut self, body: &mut Incoming) -> Result<(), FetchError> {
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else {
                return Err(FetchError::Broken);
            };
            // Trailers are nobody's business here.
            if let Ok(data) = frame.into_data() {
                self.write(&data)?;
            }
        }
        self.end()
    }

    /// What was read so far.
    pub(crate) fn taken(self) -> Bytes {
        match self.into {
            Decoder::Plain(capped) => capped.bytes.into(),
            Decoder::Gzip(mut decoder) => core::mem::take(&mut decoder.get_mut().bytes).into(),
        }
    }

    fn write(&mut self, data: &[u8]) -> Result<(), FetchError> {
        let too_large = FetchError::TooLarge { limit: self.limit };
        let Some(left) = self.raw_left.checked_sub(data.len()) else {
            return Err(self.fill(data, too_large));
        };
        self.raw_left = left;
        match self.into.write_all(data) {
            Ok(()) => Ok(()),
            Err(_) if self.into.is_full() => Err(too_large),
            // The bytes are not gzip.
            Err(_) => Err(FetchError::Broken),
        }
    }

    // A probe keeps the first bytes of what is too large, so they are taken in before it is refused.
    fn fill(&mut self, data: &[u8], too_large: FetchError) -> FetchError {
        let head = data.get(..self.raw_left).unwrap_or(data);
        self.raw_left = 0;
        match self.into.write_all(head) {
            Ok(()) => too_large,
            Err(_) if self.into.is_full() => too_large,
            Err(_) => FetchError::Broken,
        }
    }

    fn end(&mut self) -> Result<(), FetchError> {
        let too_large = FetchError::TooLarge { limit: self.limit };
        let Decoder::Gzip(decoder) = &mut self.into else {
            return Ok(());
        };
        match decoder.try_finish() {
            Ok(()) => Ok(()),
            Err(_) if decoder.get_ref().is_full => Err(too_large),
            Err(_) => Err(FetchError::Broken),
        }
    }
}

// === impl Decoder ===

impl Decoder {
    fn write_all(&mut self, data: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(capped) => capped.write_all(data),
            Self::Gzip(decoder) => decoder.write_all(data),
        }
    }

    fn is_full(&self) -> bool {
        match self {
            Self::Plain(capped) => capped.is_full,
            Self::Gzip(decoder) => decoder.get_ref().is_full,
        }
    }
}

// === impl Capped ===

impl Write for Capped {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let room = self.limit.saturating_sub(self.bytes.len());
        let taken = data.get(..room).unwrap_or(data);
        self.bytes.extend_from_slice(taken);
        if taken.is_empty() && !data.is_empty() {
            self.is_full = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

// Enough for the frame of a small compressed body.
const MIN_RAW_BYTES: usize = 4_096;

#[cfg(test)]
mod tests {
    use std::io::Write;

    use claviger_ports::FetchError;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use http::{HeaderMap, HeaderValue, header};

    use super::Reader;

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn reader(encoding: Option<&'static str>, limit: usize) -> Option<Reader> {
        let mut headers = HeaderMap::new();
        if let Some(encoding) = encoding {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        Reader::new(&headers, limit)
    }

    fn read(
        encoding: Option<&'static str>,
        limit: usize,
        data: &[u8],
    ) -> Result<usize, FetchError> {
        let mut reader = reader(encoding, limit).unwrap();
        for chunk in data.chunks(1_000) {
            reader.write(chunk)?;
        }
        reader.end()?;
        Ok(reader.taken().len())
    }

    #[test]
    fn a012_a_gzip_bomb_is_cut_at_the_decoded_limit() {
        let bomb = gzip(&vec![b'a'; 8 << 20]);
        assert!(bomb.len() < 16 << 10);
        let mut reader = reader(Some("gzip"), 5_120).unwrap();
        let refused = reader.write(&bomb).unwrap_err();
        assert_eq!(refused, FetchError::TooLarge { limit: 5_120 });
        assert_eq!(reader.taken().len(), 5_120);
    }

    #[test]
    fn the_limit_itself_is_allowed_and_one_more_is_not() {
        let too_large = Err(FetchError::TooLarge { limit: 5_120 });
        for encoding in [None, Some("gzip"), Some("identity")] {
            let data = |length| {
                let plain = vec![b'a'; length];
                if encoding == Some("gzip") {
                    gzip(&plain)
                } else {
                    plain
                }
            };
            assert_eq!(read(encoding, 5_120, &data(5_120)), Ok(5_120));
            assert_eq!(read(encoding, 5_120, &data(5_121)), too_large);
        }
    }

    #[test]
    fn endless_compressed_nothing_is_cut_as_well() {
        // Empty members: bytes come in, none go out.
        let nothing = gzip(b"").repeat(2_000);
        assert_eq!(
            read(Some("gzip"), 5_120, &nothing),
            Err(FetchError::TooLarge { limit: 5_120 })
        );
    }

    #[test]
    fn broken_or_unknown_encodings_are_no_answer() {
        assert_eq!(read(Some("gzip"), 5_120, b"plain"), Err(FetchError::Broken));
        let half = gzip(b"a whole document");
        assert_eq!(
            read(Some("gzip"), 5_120, &half[..12]),
            Err(FetchError::Broken)
        );
        for unknown in ["br", "deflate", "gzip, gzip"] {
            assert!(reader(Some(unknown), 5_120).is_none(), "{unknown}");
        }
    }
}
