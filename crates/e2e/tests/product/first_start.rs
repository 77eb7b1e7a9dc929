//! The first start of the gateway, on a machine that has never seen it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::support::Claviger;

#[tokio::test]
async fn makes_its_files_for_their_owner_alone() {
    let claviger = Claviger::new();
    let gateway = claviger.serve().await;

    let names = files_of(&claviger.data_dir());
    assert!(names.contains(&"token".to_owned()), "{names:?}");
    assert!(names.contains(&"admin.sock".to_owned()), "{names:?}");
    assert!(names.iter().any(|name| name.contains("key")), "{names:?}");
    for name in &names {
        let path = claviger.data_dir().join(name);
        let metadata = fs::symlink_metadata(&path).unwrap();
        let others = metadata.permissions().mode() & 0o077;
        assert_eq!(others, 0, "{name} is open to others");
        if !metadata.is_dir() && name != "admin.sock" {
            assert_eq!(metadata.permissions().mode() & 0o777, 0o600, "{name}");
        }
    }
    assert_eq!(gateway.stop().await, 0);
}

#[tokio::test]
async fn says_where_things_are_and_what_to_do_next() {
    let claviger = Claviger::new();
    let gateway = claviger.serve().await;

    let log = gateway.log();
    let token_file = claviger.data_dir().join("token");
    assert!(log.contains(&gateway.origin), "{log}");
    assert!(log.contains(token_file.to_str().unwrap()), "{log}");
    assert!(log.contains("claviger server add"), "no next step in {log}");
    assert_eq!(gateway.ready["pid"].as_u64().map(|pid| pid > 1), Some(true));
    let socket = claviger.data_dir().join("admin.sock");
    assert_eq!(gateway.ready["admin_socket"].as_str(), socket.to_str());
}

#[tokio::test]
async fn never_prints_the_token() {
    let claviger = Claviger::new();
    let gateway = claviger.serve_with(&["-vv"]).await;
    let token = gateway.token.clone();
    assert!(
        token.len() >= 40,
        "too short to be a secret: {}",
        token.len()
    );

    let known = claviger.run(&["status", "--json", "-vv"]).await;
    assert_eq!(known.code, 0, "{known:?}");

    let log = gateway.log();
    assert!(!log.contains(&token));
    assert!(!known.stdout.contains(&token) && !known.stderr.contains(&token));
}

#[tokio::test]
async fn a_second_start_keeps_what_the_first_one_made() {
    let claviger = Claviger::new();
    let first = claviger.serve().await;
    let token = first.token.clone();
    assert_eq!(first.stop().await, 0);

    let second = claviger.serve().await;
    assert_eq!(second.token, token);
}

#[tokio::test]
async fn a_second_gateway_on_the_same_data_is_refused() {
    let claviger = Claviger::new();
    let gateway = claviger.serve().await;

    let ended = claviger.run(&["serve", "--listen", "127.0.0.1:0"]).await;
    assert!([3, 4, 5].contains(&ended.code), "{ended:?}");
    assert!(ended.stderr.contains("hint:"), "{ended:?}");
    // The first one is none the worse for it.
    assert_eq!(claviger.run(&["status", "--json"]).await.code, 0);
    assert_eq!(gateway.stop().await, 0);
}

/// Every file below a directory, by its relative path.
fn files_of(dir: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_dir() {
            let below = files_of(&entry.path());
            names.extend(below.into_iter().map(|each| format!("{name}/{each}")));
        }
        names.push(name);
    }
    names.sort();
    names
}
