//! Reads a Rust file just well enough to tell code from prose and production from tests.
//!
//! Not a parser: the compiler has already accepted the file, so braces match and literals end.

use core::ops::Range;

/// One Rust file, split into what is code and what is prose (comments and string literals).
#[derive(Debug)]
pub(crate) struct Source {
    /// The file with all prose turned into spaces; offsets and lines stay as they are.
    pub(crate) code: String,
    /// The comments alone, the rest turned into spaces.
    pub(crate) comments: String,
    /// The insides of string literals alone, the rest turned into spaces.
    pub(crate) strings: String,
    tests: Vec<Range<usize>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Code,
    Comment,
    Text,
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    kinds: Vec<Kind>,
}

// === impl Source ===

impl Source {
    pub(crate) fn read(text: &str) -> Self {
        let kinds = Reader::new(text.as_bytes()).classify();
        let only = |wanted: Kind| -> String {
            let kept: Vec<u8> = text
                .bytes()
                .zip(&kinds)
                .map(|(byte, kind)| {
                    if *kind == wanted || byte == b'\n' {
                        byte
                    } else {
                        b' '
                    }
                })
                .collect();
            String::from_utf8_lossy(&kept).into_owned()
        };
        let code = only(Kind::Code);
        let tests = test_modules(code.as_bytes());
        Self {
            comments: only(Kind::Comment),
            strings: only(Kind::Text),
            code,
            tests,
        }
    }

    /// The file's code without its test modules.
    pub(crate) fn production(&self) -> String {
        self.without_tests(&self.code)
    }

    /// How many lines stand outside test modules.
    pub(crate) fn production_lines(&self) -> usize {
        let inside: usize = self
            .tests
            .iter()
            .filter_map(|range| Some(self.code.get(range.clone())?.lines().count()))
            .sum();
        self.code.lines().count().saturating_sub(inside)
    }

    /// Keeps only what stands inside test modules.
    pub(crate) fn tests_of(&self, layer: &str) -> String {
        self.tests
            .iter()
            .filter_map(|range| layer.get(range.clone()))
            .collect::<Vec<_>>()
            .join("\n")
    }

    fn without_tests(&self, layer: &str) -> String {
        let kept: Vec<u8> = layer
            .bytes()
            .enumerate()
            .map(|(at, byte)| {
                let is_test = self.tests.iter().any(|range| range.contains(&at));
                if is_test && byte != b'\n' { b' ' } else { byte }
            })
            .collect();
        String::from_utf8_lossy(&kept).into_owned()
    }
}

// === impl Reader ===

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            kinds: vec![Kind::Code; bytes.len()],
        }
    }

    fn classify(mut self) -> Vec<Kind> {
        while self.at < self.bytes.len() {
            match (self.peek(0), self.peek(1)) {
                (b'/', b'/') => self.line_comment(),
                (b'/', b'*') => self.block_comment(),
                (b'"', _) => self.string(),
                (b'r', b'"' | b'#') if !self.follows_a_name() => self.raw_string(1),
                (b'b', b'r') if !self.follows_a_name() && matches!(self.peek(2), b'"' | b'#') => {
                    self.raw_string(2);
                }
                (b'\'', _) => self.quote(),
                _ => self.at += 1,
            }
        }
        self.kinds
    }

    fn peek(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(b'\n')
    }

    fn follows_a_name(&self) -> bool {
        let before = self.at.checked_sub(1).and_then(|at| self.bytes.get(at));
        // `br"…"` is met at its `b`, so a `b` before an `r` belongs to a name.
        before.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
    }

    fn mark(&mut self, count: usize, kind: Kind) {
        let end = (self.at + count).min(self.bytes.len());
        if let Some(kinds) = self.kinds.get_mut(self.at..end) {
            kinds.fill(kind);
        }
        self.at = end;
    }

    fn line_comment(&mut self) {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let length = rest.iter().position(|byte| *byte == b'\n');
        self.mark(length.unwrap_or(rest.len()), Kind::Comment);
    }

    fn block_comment(&mut self) {
        let mut depth = 0_usize;
        while self.at < self.bytes.len() {
            match (self.peek(0), self.peek(1)) {
                (b'/', b'*') => {
                    depth += 1;
                    self.mark(2, Kind::Comment);
                }
                (b'*', b'/') => {
                    depth -= 1;
                    self.mark(2, Kind::Comment);
                    if depth == 0 {
                        return;
                    }
                }
                _ => self.mark(1, Kind::Comment),
            }
        }
    }

    fn string(&mut self) {
        self.at += 1;
        while self.at < self.bytes.len() {
            match self.peek(0) {
                b'\\' => self.mark(2, Kind::Text),
                b'"' => {
                    self.at += 1;
                    return;
                }
                _ => self.mark(1, Kind::Text),
            }
        }
    }

    fn raw_string(&mut self, prefix: usize) {
        let rest = self.bytes.get(self.at + prefix..).unwrap_or_default();
        let hashes = rest.iter().take_while(|byte| **byte == b'#').count();
        if rest.get(hashes) != Some(&b'"') {
            // A raw identifier such as `r#type`.
            self.at += prefix;
            return;
        }
        self.at += prefix + hashes + 1;
        let mut close = vec![b'"'];
        close.resize(hashes + 1, b'#');
        while self.at < self.bytes.len() {
            if self
                .bytes
                .get(self.at..)
                .is_some_and(|rest| rest.starts_with(&close))
            {
                self.at += close.len();
                return;
            }
            self.mark(1, Kind::Text);
        }
    }

    /// A character literal is skipped; a lifetime is left alone.
    fn quote(&mut self) {
        let rest = self.bytes.get(self.at + 1..).unwrap_or_default();
        let width = match rest.first() {
            Some(b'\\') => rest
                .iter()
                .skip(2)
                .position(|byte| *byte == b'\'')
                .map(|at| at + 2),
            // One character is at most four bytes long.
            _ => rest
                .iter()
                .take(5)
                .skip(1)
                .position(|byte| *byte == b'\'')
                .map(|at| at + 1),
        };
        match width {
            Some(width) if rest.first() == Some(&b'\\') || is_one_char(rest, width) => {
                self.at += 1;
                self.mark(width, Kind::Text);
                self.at += 1;
            }
            _ => self.at += 1,
        }
    }
}

fn is_one_char(rest: &[u8], width: usize) -> bool {
    rest.get(..width)
        .and_then(|bytes| str::from_utf8(bytes).ok())
        .is_some_and(|text| text.chars().count() == 1)
}

fn test_modules(code: &[u8]) -> Vec<Range<usize>> {
    const MARK: &[u8] = b"#[cfg(test)]";
    let mut found: Vec<Range<usize>> = Vec::new();
    for start in 0..code.len() {
        let is_nested = found.last().is_some_and(|range| range.contains(&start));
        if is_nested || !code.get(start..).is_some_and(|rest| rest.starts_with(MARK)) {
            continue;
        }
        let mut depth = 0_usize;
        for (at, byte) in code.iter().enumerate().skip(start + MARK.len()) {
            match byte {
                b'{' => depth += 1,
                b'}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 && matches!(byte, b'}' | b';') {
                found.push(start..at + 1);
                break;
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_is_told_from_code() {
        let source = Source::read(
            "let a = \"x // y\"; // note \"q\"\nlet b = 'c'; let d: &'static str = r#\"e\"f\"#; /* g /* h */ */ i",
        );
        assert_eq!(
            source.code.split_whitespace().collect::<Vec<_>>().join(" "),
            "let a = \" \"; let b = ' '; let d: &'static str = r#\" \"#; i"
        );
        assert!(source.comments.contains("// note \"q\""));
        assert!(source.strings.contains("x // y"));
        assert!(source.strings.contains("e\"f"));
    }

    #[test]
    fn an_escaped_quote_does_not_end_a_literal() {
        let source = Source::read(r#"f("a\"b", '\'', '"', b"c") "#);
        assert_eq!(
            source.code.split_whitespace().collect::<Vec<_>>().join(" "),
            "f(\" \", ' ', ' ', b\" \")"
        );
    }

    #[test]
    fn test_modules_are_not_production() {
        let source = Source::read(
            "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() { \"}\"; }\n}\nfn c() {}\n",
        );
        assert!(source.production().contains("fn c"));
        assert!(!source.production().contains("fn b"));
        assert!(source.tests_of(&source.code).contains("fn b"));
        assert_eq!(source.production_lines(), 2);
    }

    #[test]
    fn a_test_module_in_its_own_file_ends_at_the_semicolon() {
        let source = Source::read("#[cfg(test)]\nmod tests;\nfn a() {}\n");
        assert!(source.production().contains("fn a"));
    }
}
