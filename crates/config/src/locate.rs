//! Finds the data directory and the config file.

use std::path::{self, Path, PathBuf};

use crate::sources::Sources;
use crate::{Origin, Problem};

/// Finds the data directory: `--data-dir`, `CLAVIGER_DATA_DIR`, else below `$XDG_DATA_HOME`.
pub(crate) fn data_dir(sources: &Sources) -> Result<(PathBuf, Origin), Problem> {
    let given = given(
        sources,
        sources.data_dir.as_deref(),
        "--data-dir",
        "CLAVIGER_DATA_DIR",
    );
    let (dir, origin) = match given {
        Some(given) => given,
        None => match below(sources, "XDG_DATA_HOME", ".local/share") {
            Some(base) => (base.join("claviger"), Origin::Default),
            None => {
                return Err(Problem {
                    origin: Origin::Default,
                    key: Some("data_dir".to_owned()),
                    found: "there is no home directory to put data in".to_owned(),
                    accepted: "set --data-dir, CLAVIGER_DATA_DIR or HOME".to_owned(),
                });
            }
        },
    };
    // The path must mean the same after a change of directory, and in what is printed.
    let dir = path::absolute(&dir).unwrap_or(dir);
    let length = dir.as_os_str().len();
    if length > LONGEST {
        return Err(Problem {
            origin,
            key: Some("data_dir".to_owned()),
            found: format!("found a path of {length} bytes"),
            accepted: format!(
                "at most {LONGEST} bytes, because the admin socket's path has to fit"
            ),
        });
    }
    Ok((dir, origin))
}

/// Finds the config file. One that was named has to exist; the usual one may be absent.
pub(crate) fn config_file(sources: &Sources) -> Option<PathBuf> {
    if let Some((file, _)) = given(
        sources,
        sources.config.as_deref(),
        "--config",
        "CLAVIGER_CONFIG",
    ) {
        return Some(path::absolute(&file).unwrap_or(file));
    }
    let usual = below(sources, "XDG_CONFIG_HOME", ".config")?.join("claviger/claviger.toml");
    // Not `exists`: a file that is there and cannot be read must be an error, not an absence.
    usual.symlink_metadata().is_ok().then_some(usual)
}

fn given(
    sources: &Sources,
    value: Option<&Path>,
    flag: &str,
    variable: &str,
) -> Option<(PathBuf, Origin)> {
    if let Some(path) = value {
        return Some((
            path.to_owned(),
            Origin::Flag {
                flag: flag.to_owned(),
            },
        ));
    }
    let path = PathBuf::from(sources.variable(variable)?);
    Some((
        path,
        Origin::Environment {
            variable: variable.to_owned(),
        },
    ))
}

/// A base directory as the XDG specification says: a relative path in the variable is ignored.
fn below(sources: &Sources, variable: &str, in_home: &str) -> Option<PathBuf> {
    let named = sources.variable(variable).map(PathBuf::from);
    named.filter(|path| path.is_absolute()).or_else(|| {
        let home = PathBuf::from(sources.variable("HOME")?);
        home.is_absolute().then(|| home.join(in_home))
    })
}

/// A unix socket's path has 104 bytes on macOS, 108 on Linux; `/admin.sock` and a NUL go in too.
const LONGEST: usize = 104 - "/admin.sock\0".len();
