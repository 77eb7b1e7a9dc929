//! What the process gives up before it holds a secret.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, Write as _};
use std::panic::{self, PanicHookInfo};

use rustix::process::{Resource, Rlimit, setrlimit};

/// Leaves nothing of our memory to files, debuggers and messages (A211). What the system does not
/// grant is left out: it is one fence of several.
pub(crate) fn harden() {
    if let Err(error) = no_core_dumps() {
        say(&format!(
            "note: this system dumps our memory into a core file ({error})\n"
        ));
    }
    panic::set_hook(Box::new(|info| say(&describe(info))));
}

/// Standard error is all there is at this time; if it is gone, so be it.
fn say(text: &str) {
    drop(io::stderr().write_all(text.as_bytes()));
}

fn no_core_dumps() -> rustix::io::Result<()> {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none)?;
    // Other processes of the same user can neither trace us nor read our memory and environment.
    #[cfg(target_os = "linux")]
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?;
    Ok(())
}

/// Where it happened. What the message says is left out: it may quote a value that is secret.
fn describe(info: &PanicHookInfo<'_>) -> String {
    let place = info.location().map_or_else(String::new, |place| {
        format!(" at {}:{}", place.file(), place.line())
    });
    let mut text = format!("error: a bug in Claviger{place}\n");
    let trace = Backtrace::capture();
    if trace.status() == BacktraceStatus::Captured {
        text.push_str(&trace.to_string());
    }
    text
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use rustix::process::getrlimit;

    use super::*;

    #[test]
    fn a211_no_core_is_dumped_and_nobody_may_trace() {
        no_core_dumps().unwrap();
        let limit = getrlimit(Resource::Core);
        assert_eq!((limit.current, limit.maximum), (Some(0), Some(0)));
        #[cfg(target_os = "linux")]
        assert_eq!(
            rustix::process::dumpable_behavior().unwrap(),
            rustix::process::DumpableBehavior::NotDumpable
        );
    }

    #[test]
    fn a221_a_panic_does_not_say_what_it_was_about() {
        let said = Arc::new(Mutex::new(String::new()));
        let kept = Arc::clone(&said);
        panic::set_hook(Box::new(move |info| {
            *kept.lock().unwrap() = describe(info);
        }));
        let caught = panic::catch_unwind(|| panic!("the token is {}", "CANARY"));
        drop(panic::take_hook());
        assert!(caught.is_err());
        let said = said.lock().unwrap();
        assert!(
            said.contains("harden.rs") && !said.contains("CANARY"),
            "{said}"
        );
    }
}
