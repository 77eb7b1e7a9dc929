//! A012: what a hostile body costs in memory.
#![cfg(target_os = "linux")]

use std::env;
use std::fs;
use std::io::Write;
use std::process::Command;

use claviger_ports::{Fetch, FetchError, FetchRequest, Sink};
use claviger_testkit::{RawPeer, ScriptedResolve, Step};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::{egress, loopback};

// Asserts nothing of its own: other tests may run in the same process. The test below reads what it
// prints when it runs alone.
#[tokio::test]
async fn says_how_far_the_peak_rises() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&vec![0; 1 << 20]).unwrap();
    // Members of a mebibyte each, and ever more of them.
    let member = encoder.finish().unwrap();
    let bomb = RawPeer::start(move |_| {
        vec![
            Step::head(200, &[("content-encoding", "gzip")]),
            Step::Repeat(member.clone()),
        ]
    })
    .await;
    let endless = RawPeer::start(|_| {
        vec![
            Step::head(200, &[("transfer-encoding", "chunked")]),
            Step::Repeat(Step::chunk(&[b' '; 8_000])),
        ]
    })
    .await;
    let honest = RawPeer::start(|_| Step::answer(200, &[], &b" ".repeat(60_000))).await;
    let door = egress(ScriptedResolve::new(), |_| {});
    let reach = loopback();
    let get = |peer: &RawPeer| FetchRequest::get(Sink::IssuerMetadata, peer.url("/"));
    // What an honest document of nearly the same size takes is no cost of the attack.
    for _ in 0..3 {
        door.fetch(get(&honest), &reach).await.unwrap();
    }
    let before = peak_kib();
    for peer in [&bomb, &endless, &bomb, &endless] {
        let error = door.fetch(get(peer), &reach).await.unwrap_err();
        assert_eq!(error, FetchError::TooLarge { limit: 65_536 });
    }
    println!("peak rose by {} KiB", peak_kib() - before);
}

#[test]
fn a012_endless_and_compressed_bodies_cost_less_than_a_mebibyte() {
    let output = Command::new(env::current_exe().unwrap())
        .args([
            "--exact",
            "memory::says_how_far_the_peak_rises",
            "--nocapture",
        ])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let rose = text
        .split_once("peak rose by ")
        .and_then(|(_, rest)| rest.split_once(" KiB"))
        .map(|(kib, _)| kib.parse::<u64>().unwrap());
    assert!(rose.is_some_and(|kib| kib < 1_024), "{text}");
}

fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.unwrap().trim().trim_end_matches(" kB");
    kib.parse().unwrap()
}
