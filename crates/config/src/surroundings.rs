//! What the environment says about the person's terminal.

use crate::Sources;

/// Whether a browser can be opened where the person sits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Surroundings {
    /// A desktop.
    Desktop,
    /// No display, and so no browser.
    NoDisplay,
    /// The person sits at another machine.
    Remote,
}

impl Surroundings {
    /// Reads them from the environment.
    pub fn read(sources: &Sources) -> Self {
        let is_set = |name| sources.variable(name).is_some();
        // A person who set BROWSER has said how to open one, from wherever they sit.
        if is_set("BROWSER") {
            return Self::Desktop;
        }
        if is_set("SSH_CONNECTION") || is_set("SSH_TTY") {
            return Self::Remote;
        }
        let has_own_desktop = cfg!(target_os = "macos") || cfg!(windows);
        let has_display = ["DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME"];
        if has_own_desktop || has_display.into_iter().any(is_set) {
            Self::Desktop
        } else {
            Self::NoDisplay
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_opens_only_where_the_person_sits() {
        fn check(environment: &[(&str, &str)], expected: Surroundings) {
            let environment = environment
                .iter()
                .map(|(name, value)| (name.into(), value.into()));
            let sources = Sources {
                environment: environment.collect(),
                ..Sources::default()
            };
            assert_eq!(Surroundings::read(&sources), expected, "{sources:?}");
        }
        check(&[("DISPLAY", ":0")], Surroundings::Desktop);
        check(
            &[("DISPLAY", ":10"), ("SSH_CONNECTION", "a b")],
            Surroundings::Remote,
        );
        check(
            &[("BROWSER", "lynx"), ("SSH_TTY", "/dev/pts/0")],
            Surroundings::Desktop,
        );
        if cfg!(target_os = "linux") {
            check(&[("DISPLAY", "")], Surroundings::NoDisplay);
        }
    }
}
