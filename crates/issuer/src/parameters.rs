//! Form-encoded parameters, read once and strictly.

use core::fmt;
use std::collections::BTreeMap;

use claviger_crypto::Secret;
use zeroize::Zeroizing;

/// More than any client of ours has ever a reason to send.
const MAX_PARAMETERS: usize = 64;

/// The parameters of a request. Values may be secrets, so `Debug` shows names only.
pub(crate) struct Parameters(BTreeMap<String, Vec<Zeroizing<String>>>);

impl Parameters {
    /// Reads `application/x-www-form-urlencoded`; nothing if there are too many parameters.
    pub(crate) fn parse(encoded: &[u8]) -> Option<Self> {
        let mut values: BTreeMap<String, Vec<Zeroizing<String>>> = BTreeMap::new();
        for (count, (name, value)) in url::form_urlencoded::parse(encoded).enumerate() {
            if count >= MAX_PARAMETERS {
                return None;
            }
            let value = Zeroizing::new(value.into_owned());
            values.entry(name.into_owned()).or_default().push(value);
        }
        Some(Self(values))
    }

    /// A parameter's value. RFC 6749 §3.1: one without a value counts as absent.
    pub(crate) fn one(&self, name: &str) -> Option<&str> {
        let first: &String = self.0.get(name)?.first()?;
        Some(first.as_str()).filter(|value| !value.is_empty())
    }

    /// Whether this parameter came more than once.
    pub(crate) fn repeats(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|values| values.len() > 1)
    }

    /// The names of all parameters.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Form-encoded again, but for those.
    pub(crate) fn encoded_without(&self, without: &[&str]) -> Secret {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        for (name, values) in &self.0 {
            if !without.contains(&name.as_str()) {
                for value in values {
                    form.append_pair(name, value);
                }
            }
        }
        Secret::new(form.finish())
    }

    /// With this parameter, and no other of its name.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        let value = vec![Zeroizing::new(value.to_owned())];
        self.0.insert(name.to_owned(), value);
        self
    }

    // RFC 6749 §3.1: no parameter may come twice; RFC 8707 §2 excepts `resource`.
    /// Whether any parameter came more than once that may not.
    pub(crate) fn any_repeats(&self) -> bool {
        self.0
            .iter()
            .any(|(name, values)| name != "resource" && values.len() > 1)
    }
}

impl fmt::Debug for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a052_sees_repeats_and_hides_values() {
        let read = Parameters::parse(b"a=1&b=&resource=x&resource=y&code=s%C3%A9cret").unwrap();
        assert_eq!(read.one("a"), Some("1"));
        assert_eq!(read.one("b"), None);
        assert_eq!(read.one("code"), Some("s\u{e9}cret"));
        assert!(read.repeats("resource"));
        assert!(!read.any_repeats());
        assert!(Parameters::parse(b"a=1&a=1").unwrap().any_repeats());
        assert!(Parameters::parse(b"a=&a=").unwrap().any_repeats());
        assert!(!format!("{read:?}").contains("cret\""));
    }

    #[test]
    fn refuses_a_flood_of_parameters() {
        assert!(Parameters::parse("a=1&".repeat(65).as_bytes()).is_none());
    }
}
