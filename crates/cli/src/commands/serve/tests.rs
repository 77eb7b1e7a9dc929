//! The ready file.

use super::*;

fn ready() -> Ready {
    Ready {
        address: "127.0.0.1:7447".parse().unwrap(),
        base_url: "http://127.0.0.1:7447".to_owned(),
        admin_socket: "/d/admin.sock".into(),
        pid: 42,
        data_dir: "/d".into(),
        database: "/d/claviger.db".into(),
        key_file: "/d/key".into(),
        token_file: "/d/token".into(),
        is_first_start: true,
        is_held: false,
        servers: 0,
    }
}

#[test]
fn the_ready_file_is_one_line_and_nothing_else_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ready.json");
    announce(&path, &ready()).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let line: Value = serde_json::from_str(text.strip_suffix('\n').unwrap()).unwrap();
    assert_eq!(line["address"], "127.0.0.1:7447");
    assert_eq!(line["admin_socket"], "/d/admin.sock");
    assert_eq!(line["pid"], 42);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    remove(&path).unwrap();
    remove(&path).unwrap();
}
