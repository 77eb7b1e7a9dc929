//! `claviger demo --browser` with a browser of our own in `$BROWSER`.
#![cfg(feature = "demo")]

use core::time::Duration;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use claviger_server::demo::play_browser;
use tokio::time::error::Elapsed;

/// A195: whatever `$BROWSER` holds, no shell reads it; the address is one argument, and last.
#[tokio::test]
async fn a195_the_browser_is_started_without_a_shell_and_the_sign_in_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let script = dir.path().join("browser");
    let seen = dir.path().join("seen");
    let trap = dir.path().join("trap");
    // Renamed when whole, so that a half-written file is never read.
    let text = format!(
        "#!/bin/sh\nprintf '%s\\n' \"$@\" > {seen}.new && mv {seen}.new {seen}\n",
        seen = seen.display()
    );
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).unwrap();

    let browser = format!(
        "{} -x $(touch {trap});touch {trap}",
        script.display(),
        trap = trap.display()
    );
    let mut demo = Command::new(env!("CARGO_BIN_EXE_claviger"))
        .args(["demo", "--browser"])
        .env("BROWSER", browser)
        .env("HOME", dir.path())
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();

    let arguments = wait_for(&seen).await.unwrap();
    let arguments: Vec<&str> = arguments.lines().collect();
    let (url, before) = arguments.split_last().unwrap();
    let trap_text = trap.display().to_string();
    let as_written = ["-x", "$(touch", &format!("{trap_text});touch"), &trap_text];
    assert_eq!(before, as_written);
    assert!(url.starts_with("http://127.0.0.1:"), "{url}");

    play_browser(url).await.unwrap();
    let ended = tokio::task::spawn_blocking(move || demo.wait().unwrap())
        .await
        .unwrap();
    assert!(ended.success(), "{ended}");
    assert!(!trap.exists(), "a shell read $BROWSER");
}

async fn wait_for(path: &Path) -> Result<String, Elapsed> {
    let reading = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        loop {
            ticks.tick().await;
            if let Ok(text) = fs::read_to_string(path) {
                return text;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), reading).await
}
