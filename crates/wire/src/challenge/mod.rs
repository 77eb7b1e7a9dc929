//! `WWW-Authenticate`: several values, several schemes a value, any quoting (RFC 9110 §11.6.1).

use serde::{Deserialize, Serialize};

use crate::{Deviation, ErrorCode, Parsed, ScopeSet};

/// One challenge of any scheme.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// The scheme, as it was written.
    pub scheme: String,
    /// Its parameters, names in lower case, in order.
    pub params: Vec<(String, String)>,
    /// The other form: one opaque text (`Negotiate YII…==`).
    pub token68: Option<String>,
}

/// What a `Bearer` challenge says (RFC 6750 §3, RFC 9728 §5.1).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BearerChallenge {
    /// `error`.
    pub error: Option<ErrorCode>,
    /// `scope`: what this operation needs (C-47).
    pub scope: Option<ScopeSet>,
    /// `resource_metadata`: where the resource metadata is (C-03).
    pub resource_metadata: Option<String>,
}

/// Reads all challenges out of all values of the header. Never fails: what cannot be read is left
/// out and noted.
pub fn parse_challenges<'a>(values: impl IntoIterator<Item = &'a str>) -> Parsed<Vec<Challenge>> {
    let mut read = Parsed::clean(Vec::new());
    for value in values {
        let mut reader = Reader {
            rest: value.get(..LIMIT.min(value.len())).unwrap_or_default(),
            read: &mut read,
            open: false,
        };
        if value.len() > LIMIT {
            reader.note("longer than 16 KiB; the rest was not read");
        }
        reader.run();
    }
    read
}

// === impl Challenge ===

impl Challenge {
    /// Whether the scheme is this one.
    pub fn is(&self, scheme: &str) -> bool {
        self.scheme.eq_ignore_ascii_case(scheme)
    }

    /// The only value of a parameter. One that stands there twice has none (RFC 9110 §11.2).
    pub fn param(&self, name: &str) -> Option<&str> {
        let mut values = self
            .params
            .iter()
            .filter(|(one, _)| one == name)
            .map(|(_, value)| value.as_str());
        let first = values.next()?;
        values.next().is_none().then_some(first)
    }
}

// === impl BearerChallenge ===

impl BearerChallenge {
    /// The `Bearer` challenge among all values of the header, if there is one. Of several, the
    /// first that names resource metadata counts, else the first.
    pub fn parse<'a>(values: impl IntoIterator<Item = &'a str>) -> Parsed<Option<Self>> {
        let Parsed {
            value: challenges,
            mut deviations,
        } = parse_challenges(values);
        let bearer: Vec<&Challenge> = challenges.iter().filter(|one| one.is("Bearer")).collect();
        if bearer.len() > 1 {
            deviations.push(Deviation::new("A024", "several Bearer challenges"));
        }
        let chosen = bearer
            .iter()
            .find(|one| one.param("resource_metadata").is_some())
            .or(bearer.first());
        for (name, _) in chosen.iter().flat_map(|one| &one.params) {
            if chosen.is_some_and(|one| one.param(name).is_none())
                && !deviations
                    .iter()
                    .any(|one| one.field.as_ref() == Some(name))
            {
                deviations.push(Deviation::of("A024", "stands there twice; left out", name));
            }
        }
        let value = chosen.map(|one| Self {
            error: one.param("error").map(ErrorCode::parse),
            // An empty list asks for nothing.
            scope: one
                .param("scope")
                .map(ScopeSet::parse_lossy)
                .filter(|scopes| !scopes.is_empty()),
            resource_metadata: one.param("resource_metadata").map(str::to_owned),
        });
        Parsed { value, deviations }
    }
}

/// Reads one value of the header.
struct Reader<'a, 'r> {
    rest: &'a str,
    read: &'r mut Parsed<Vec<Challenge>>,
    /// Whether this value has begun a challenge that parameters belong to.
    open: bool,
}

impl<'a> Reader<'a, '_> {
    fn run(&mut self) {
        loop {
            self.skip(|c| matches!(c, ' ' | '\t' | ','));
            if self.rest.is_empty() {
                return;
            }
            let name = self.take(is_token);
            if name.is_empty() {
                self.note("a character where a name belongs; skipped to the next comma");
                self.skip_malformed();
                continue;
            }
            let before = self.rest;
            self.skip(|c| matches!(c, ' ' | '\t'));
            if self.rest.starts_with('=') {
                self.parameter(name);
            } else {
                self.scheme(name, before.len() > self.rest.len());
            }
        }
    }

    fn scheme(&mut self, scheme: &str, has_space: bool) {
        let token68 = if has_space { self.token68() } else { None };
        self.read.value.push(Challenge {
            scheme: scheme.to_owned(),
            params: Vec::new(),
            token68,
        });
        self.open = true;
    }

    /// RFC 9110 §11.2: `token68`, but only if nothing else of this challenge follows it, because
    /// `a=` may as well begin a parameter.
    fn token68(&mut self) -> Option<String> {
        let body = self.rest.len() - self.rest.trim_start_matches(is_token68).len();
        let after_body = self.rest.get(body..)?;
        let after = after_body.trim_start_matches('=');
        let ended = after.trim_start_matches([' ', '\t']);
        if body == 0 || !(ended.is_empty() || ended.starts_with(',')) {
            return None;
        }
        let text = self.rest.get(..self.rest.len() - after.len())?;
        self.rest = after;
        Some(text.to_owned())
    }

    fn parameter(&mut self, name: &str) {
        self.skip_one();
        self.skip(|c| matches!(c, ' ' | '\t'));
        let value = if self.rest.starts_with('"') {
            self.skip_one();
            self.quoted()
        } else {
            // Lenient: URLs without quotes are common, so anything up to a separator counts.
            Some(
                self.take(|c| !matches!(c, ' ' | '\t' | ',' | '"'))
                    .to_owned(),
            )
        };
        let Some(value) = value else {
            self.note("a quoted text without an end; left out");
            return;
        };
        let challenge = self.read.value.last_mut().filter(|_| self.open);
        match challenge {
            Some(challenge) => challenge.params.push((name.to_ascii_lowercase(), value)),
            None => self.note("a parameter before any scheme; left out"),
        }
    }

    /// The rest of a quoted text; `None` if it has no end.
    fn quoted(&mut self) -> Option<String> {
        let mut text = String::new();
        let mut chars = self.rest.chars();
        while let Some(c) = chars.next() {
            match c {
                '"' => {
                    self.rest = chars.as_str();
                    return Some(text);
                }
                '\\' => text.extend(chars.next()),
                _ => text.push(c),
            }
        }
        self.rest = "";
        None
    }

    /// Skips to the next comma, over quoted texts whole.
    fn skip_malformed(&mut self) {
        while let Some(c) = self.rest.chars().next() {
            if c == ',' {
                return;
            }
            self.skip_one();
            if c == '"' && self.quoted().is_none() {
                return;
            }
        }
    }

    fn note(&mut self, note: &'static str) {
        if self.read.deviations.len() < 8 {
            self.read.deviations.push(Deviation::new("A024", note));
        }
    }

    fn skip(&mut self, which: impl Fn(char) -> bool) {
        self.rest = self.rest.trim_start_matches(which);
    }

    fn skip_one(&mut self) {
        let mut chars = self.rest.chars();
        chars.next();
        self.rest = chars.as_str();
    }

    fn take(&mut self, which: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest;
        self.rest = rest.trim_start_matches(which);
        rest.get(..rest.len() - self.rest.len()).unwrap_or_default()
    }
}

// RFC 9110 §5.6.2.
fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)
}

fn is_token68(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._~+/".contains(c)
}

const LIMIT: usize = 16 * 1024;

#[cfg(test)]
mod tests;
