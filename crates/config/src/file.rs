//! A config file as sections of raw values with their lines.

use core::ops::Range;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use toml::de::{DeTable, DeValue};

use crate::raw::Raw;
use crate::{Origin, Problem};

/// What a file says.
#[derive(Debug, Default)]
pub(crate) struct ConfigFile {
    /// Sections by name.
    pub(crate) sections: BTreeMap<String, FileSection>,
}

/// One `[section]`.
#[derive(Debug)]
pub(crate) struct FileSection {
    /// Where it begins.
    pub(crate) origin: Origin,
    /// Its keys.
    pub(crate) keys: BTreeMap<String, (Origin, Raw)>,
}

impl ConfigFile {
    /// Reads a file. Whether it may be absent is the caller's to know.
    pub(crate) fn read(path: &Path) -> Result<Self, Vec<Problem>> {
        let bytes = fs::read(path).map_err(|error| vec![unreadable(path, &error)])?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            let line = 1 + error
                .as_bytes()
                .iter()
                .take(at)
                .filter(|byte| **byte == b'\n')
                .count();
            vec![Problem {
                origin: Origin::File {
                    path: path.to_owned(),
                    line,
                },
                key: None,
                found: "found a byte that is not UTF-8".to_owned(),
                accepted: "a config file is TOML in UTF-8".to_owned(),
            }]
        })?;
        Self::parse(path, &text)
    }

    fn parse(path: &Path, text: &str) -> Result<Self, Vec<Problem>> {
        let place = Place { path, text };
        let (table, errors) = DeTable::parse_recoverable(text);
        let mut problems: Vec<Problem> = errors
            .iter()
            .map(|error| Problem {
                origin: place.at(error.span().unwrap_or_default()),
                key: None,
                // Only the message: its `Display` would print the line with whatever stands there.
                found: error.message().replace('\n', ", "),
                accepted: "a config file is TOML (https://toml.io)".to_owned(),
            })
            .collect();
        let mut file = Self::default();
        for (name, value) in table.get_ref() {
            let origin = place.at(name.span());
            let DeValue::Table(keys) = value.get_ref() else {
                problems.push(Problem {
                    origin,
                    key: Some(name.get_ref().clone().into_owned()),
                    found: "found outside of a section".to_owned(),
                    accepted: "every key belongs under a [section]".to_owned(),
                });
                continue;
            };
            let keys = keys.iter().map(|(key, value)| {
                let found = (place.at(key.span()), Raw::from_toml(value.get_ref()));
                (key.get_ref().clone().into_owned(), found)
            });
            let section = FileSection {
                origin,
                keys: keys.collect(),
            };
            file.sections
                .insert(name.get_ref().clone().into_owned(), section);
        }
        if problems.is_empty() {
            Ok(file)
        } else {
            Err(problems)
        }
    }
}

/// A text and where it lies.
struct Place<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Place<'_> {
    fn at(&self, span: Range<usize>) -> Origin {
        let before = self.text.bytes().take(span.start);
        Origin::File {
            path: PathBuf::from(self.path),
            line: 1 + before.filter(|byte| *byte == b'\n').count(),
        }
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Problem {
    Problem {
        origin: Origin::Default,
        key: None,
        found: format!("could not read the config file {}: {error}", path.display()),
        accepted: "name another with --config or CLAVIGER_CONFIG, or make it readable".to_owned(),
    }
}
