//! Reads the keys of one section from all sources, and remembers what it met.

use std::collections::BTreeSet;

use claviger_crypto::Secret;

use crate::file::ConfigFile;
use crate::nearest::nearest;
use crate::raw::{Raw, Setting};
use crate::sources::Sources;
use crate::{Entry, Origin, Problem};

/// Everything that was read so far, over all sections.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    sources: &'a Sources,
    file: &'a ConfigFile,
    sections: BTreeSet<&'static str>,
    /// The settings as they stand.
    pub(crate) entries: Vec<Entry>,
    /// What is wrong.
    pub(crate) problems: Vec<Problem>,
}

/// The keys of one section.
#[derive(Debug)]
pub(crate) struct Keys<'r, 'a> {
    reader: &'r mut Reader<'a>,
    section: &'static str,
    known: BTreeSet<&'static str>,
}

// === impl Reader ===

impl<'a> Reader<'a> {
    pub(crate) fn new(sources: &'a Sources, file: &'a ConfigFile) -> Self {
        Self {
            sources,
            file,
            sections: BTreeSet::new(),
            entries: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// Reads one section; keys and variables that `read` did not ask for are refused.
    pub(crate) fn section<S>(
        &mut self,
        section: &'static str,
        read: impl FnOnce(&mut Keys<'_, 'a>) -> S,
    ) -> S {
        self.sections.insert(section);
        let mut keys = Keys {
            reader: self,
            section,
            known: BTreeSet::new(),
        };
        let settings = read(&mut keys);
        keys.refuse_unknown();
        settings
    }

    /// Refuses sections of the file that nobody asked for (A228).
    pub(crate) fn refuse_unknown_sections(&mut self) {
        for (name, section) in &self.file.sections {
            if !self.sections.contains(name.as_str()) {
                let known = self.sections.iter().copied();
                self.problems.push(Problem {
                    origin: section.origin.clone(),
                    key: None,
                    found: format!("there is no section [{}]", printable(name)),
                    accepted: suggestion(name, known, "sections"),
                });
            }
        }
    }
}

// === impl Keys ===

impl Keys<'_, '_> {
    /// Reads a key. `check` answers what is accepted instead when the value will not do.
    pub(crate) fn read<T: Setting>(
        &mut self,
        key: &'static str,
        default: T,
        accepted: &str,
        check: impl FnOnce(&T) -> Result<(), &'static str>,
    ) -> T {
        self.known.insert(key);
        let name = format!("{}.{key}", self.section);
        let (value, origin) = match self.found(key) {
            None => (default, Origin::Default),
            Some((origin, raw)) => {
                let read = T::parse(&raw).ok_or(accepted);
                match read.and_then(|value| check(&value).map(|()| value)) {
                    Ok(value) => (value, origin),
                    Err(accepted) => {
                        self.reader.problems.push(Problem {
                            origin: origin.clone(),
                            key: Some(name.clone()),
                            found: raw.describe(),
                            accepted: accepted.to_owned(),
                        });
                        (default, origin)
                    }
                }
            }
        };
        self.reader.entries.push(Entry {
            key: name,
            value: value.shown(),
            origin,
        });
        value
    }

    /// Reads a secret. Only the environment may hold one inline: a config file is copied, shown
    /// and kept in repositories. `file_key` names a file with the same secret.
    pub(crate) fn read_secret(
        &mut self,
        key: &'static str,
        file_key: &'static str,
    ) -> Option<Secret> {
        self.known.insert(key);
        let (value, origin) = match self.found(key) {
            None => (None, Origin::Default),
            Some((origin @ Origin::Environment { .. }, Raw::Text(text))) => {
                (Some(Secret::new(text)), origin)
            }
            Some((origin, _)) => {
                let accepted = format!(
                    "put it into a file with mode 600 and name that file with `{file_key}`, or into \
                     the variable {}",
                    variable(self.section, key)
                );
                self.refuse(key, "a secret does not belong here", &accepted);
                (None, origin)
            }
        };
        self.reader.entries.push(Entry {
            key: format!("{}.{key}", self.section),
            value: value.is_some().then(|| "[redacted]".into()),
            origin,
        });
        value
    }

    /// Refuses what stands behind a key that was read.
    pub(crate) fn refuse(&mut self, key: &str, found: &str, accepted: &str) {
        let origin = self
            .found(key)
            .map_or(Origin::Default, |(origin, _)| origin);
        self.reader.problems.push(Problem {
            origin,
            key: Some(format!("{}.{key}", self.section)),
            found: found.to_owned(),
            accepted: accepted.to_owned(),
        });
    }

    /// The strongest source that says something.
    fn found(&self, key: &str) -> Option<(Origin, Raw)> {
        let name = format!("{}.{key}", self.section);
        let flag = self
            .reader
            .sources
            .flags
            .iter()
            .find(|flag| flag.key == name);
        if let Some(flag) = flag {
            let origin = Origin::Flag {
                flag: flag.flag.to_owned(),
            };
            return Some((origin, Raw::Text(flag.value.clone())));
        }
        let variable = variable(self.section, key);
        if let Some(value) = self.reader.sources.variable(&variable) {
            return Some((Origin::Environment { variable }, Raw::from_text(value)));
        }
        self.reader
            .file
            .sections
            .get(self.section)?
            .keys
            .get(key)
            .cloned()
    }

    /// A228: a misspelt key must not silently leave a default in force.
    fn refuse_unknown(self) {
        let Keys {
            reader,
            section,
            known,
        } = self;
        let prefix = variable(section, "");
        let in_file = reader
            .file
            .sections
            .get(section)
            .into_iter()
            .flat_map(|it| &it.keys);
        let file = in_file
            .filter(|(key, _)| !known.contains(key.as_str()))
            .map(|(key, found)| {
                // Only the key is printed: somebody may have put a secret behind it.
                (
                    found.0.clone(),
                    key.clone(),
                    suggestion(key, known.iter().copied(), "keys"),
                )
            });
        let names = reader
            .sources
            .environment
            .keys()
            .filter_map(|name| name.to_str());
        let environment = names.filter_map(|name| {
            let key = name.strip_prefix(&prefix)?.to_ascii_lowercase();
            if known.contains(key.as_str()) {
                return None;
            }
            let origin = Origin::Environment {
                variable: name.to_owned(),
            };
            Some((
                origin,
                key.clone(),
                suggestion(&key, known.iter().copied(), "keys"),
            ))
        });
        let unknown: Vec<_> = file.chain(environment).collect();
        reader
            .problems
            .extend(unknown.into_iter().map(|(origin, key, accepted)| Problem {
                origin,
                key: None,
                found: format!("there is no key `{}` in [{section}]", printable(&key)),
                accepted,
            }));
    }
}

/// The environment's name of a key.
fn variable(section: &str, key: &str) -> String {
    format!("CLAVIGER_{section}_{key}").to_ascii_uppercase()
}

fn suggestion<'a>(
    unknown: &str,
    known: impl Iterator<Item = &'a str> + Clone,
    what: &str,
) -> String {
    match nearest(unknown, known.clone()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("{what}: {}", known.collect::<Vec<_>>().join(", ")),
    }
}

fn printable(name: &str) -> String {
    name.chars().take(60).flat_map(char::escape_debug).collect()
}
