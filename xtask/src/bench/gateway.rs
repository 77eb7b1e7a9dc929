//! One call through the gateway, beside a direct call and beside nginx.
//!
//! All three send the same bytes to the same upstream. The gateway does its whole work: it checks
//! our token, reads the envelope, and attaches a credential that it obtained by OAuth; nginx only
//! passes the request on with a fixed header.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::machine::{self, cargo, find_program, now, say};
use crate::repository;

use super::load::{self, Load, as_f64};
use super::process::{Running, Scratch};
use super::upstream;

struct Candidate {
    name: &'static str,
    address: SocketAddr,
    request: Vec<u8>,
    process: Option<Running>,
}

/// The rounds of one candidate at one number of connections.
struct Figures {
    loads: Vec<Load>,
    cpu_us: u64,
}

const ROUNDS: usize = 3;
const ROUND: Duration = Duration::from_millis(1500);
const CONNECTIONS: &[usize] = &[1, 16];
const START_LIMIT: Duration = Duration::from_secs(10);

pub(crate) fn run() -> Result<bool> {
    let binary = binary()?;
    let scratch = Scratch::new("bench")?;
    let upstream = upstream::serve()?;
    let mut candidates = vec![direct(upstream), claviger(&binary, &scratch, upstream)?];
    match find_program("nginx") {
        Some(nginx) => candidates.push(self::nginx(&nginx, &scratch, upstream)?),
        None => say("nginx is not on the PATH, so it is left out"),
    }
    for candidate in &candidates {
        // The first requests fill pools and caches.
        load::run(
            &candidate.request,
            candidate.address,
            4,
            Duration::from_millis(300),
        )
        .with_context(|| format!("{} does not answer", candidate.name))?;
    }
    say("\nconnections  candidate   calls/s  /direct  /nginx   p50 µs   p99 µs  CPU µs/call");
    for connections in CONNECTIONS {
        measure(&candidates, *connections)?;
    }
    say(
        "\nOne run, the candidates in turns; the load and the upstream share the processor with them.",
    );
    Ok(true)
}

/// The release binary, or the one that `CLAVIGER_BIN` names, so that two builds can be compared.
fn binary() -> Result<PathBuf> {
    if let Some(named) = machine::variable("CLAVIGER_BIN") {
        return Ok(PathBuf::from(named));
    }
    let root = repository::root()?;
    let built = machine::run(
        cargo(&root).args(["build", "--release", "--package", "claviger-cli"]),
        Duration::from_mins(40),
    )?;
    anyhow::ensure!(built.is_ok, "the release binary does not build");
    Ok(repository::target(&root).join("release").join("claviger"))
}

/// The candidates in turns, so that a noisy moment of the machine meets all of them.
fn measure(candidates: &[Candidate], connections: usize) -> Result<()> {
    let mut all: Vec<Figures> = Vec::new();
    all.resize_with(candidates.len(), || Figures {
        loads: Vec::new(),
        cpu_us: 0,
    });
    for _ in 0..ROUNDS {
        for (candidate, figures) in candidates.iter().zip(&mut all) {
            let before = candidate.cpu_us()?;
            let load = load::run(&candidate.request, candidate.address, connections, ROUND)?;
            figures.cpu_us += candidate.cpu_us()? - before;
            figures.loads.push(load);
        }
    }
    let rate_of = |name: &str| {
        let mut named = candidates
            .iter()
            .zip(&all)
            .filter(|(candidate, _)| candidate.name == name);
        named.next().map(|(_, figures)| figures.median(Load::rate))
    };
    for (candidate, figures) in candidates.iter().zip(&all) {
        let rate = figures.median(Load::rate);
        let ratio = |name: &str| {
            rate_of(name).map_or_else(String::new, |base| format!("{:.2}", rate / base))
        };
        let cpu = candidate
            .process
            .as_ref()
            .map_or_else(String::new, |_| figures.cpu_per_call());
        say(&format!(
            "{connections:>11}  {:<9} {rate:>9.0} {:>8} {:>7} {:>8.0} {:>8.0} {cpu:>12}",
            candidate.name,
            ratio("direct"),
            ratio("nginx"),
            figures.median(|load| load.percentile_us(50)),
            figures.median(|load| load.percentile_us(99)),
        ));
    }
    Ok(())
}

// === impl Candidate ===

impl Candidate {
    fn cpu_us(&self) -> Result<u64> {
        self.process.as_ref().map_or(Ok(0), Running::cpu_us)
    }
}

// === impl Figures ===

impl Figures {
    fn median(&self, of: impl Fn(&Load) -> f64) -> f64 {
        let mut values: Vec<f64> = self.loads.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or_default()
    }

    fn cpu_per_call(&self) -> String {
        let calls: usize = self.loads.iter().map(|load| load.latencies.len()).sum();
        let cpu = Duration::from_micros(self.cpu_us).as_secs_f64() * 1e6;
        format!("{:.1}", cpu / as_f64(calls.max(1)))
    }
}

fn direct(upstream: SocketAddr) -> Candidate {
    Candidate {
        name: "direct",
        address: upstream,
        request: request("/mcp", upstream, upstream::TOKEN),
        process: None,
    }
}

fn claviger(binary: &Path, scratch: &Scratch, upstream: SocketAddr) -> Result<Candidate> {
    let (data, ready) = (scratch.join("data"), scratch.join("ready.json"));
    let secret = scratch.join("client-secret");
    private_file(&secret, "benchmark-client-secret")?;
    let with_data = || {
        let mut command = Command::new(binary);
        command
            .arg("--data-dir")
            .arg(&data)
            .env_remove("CLAVIGER_CONFIG");
        command
    };
    let mut serve = with_data();
    serve
        .args(["serve", "--listen", "127.0.0.1:0", "--ready-file"])
        .arg(&ready);
    let mut process = Running::start(&mut serve, &scratch.join("claviger.log"))?;
    let address = wait_for_ready(&mut process, &ready)
        .with_context(|| log_of(&scratch.join("claviger.log")))?;
    let mut add = with_data();
    add.args([
        "server",
        "add",
        "bench",
        &format!("http://{upstream}/mcp"),
        "--allow-private",
    ]);
    add.args([
        "--grant",
        "client-credentials",
        "--client-id",
        "bench",
        "--client-secret-file",
    ]);
    done(add.arg(&secret))?;
    done(with_data().args(["login", "bench"]))?;
    let token = fs::read_to_string(data.join("token")).context("cannot read the local token")?;
    Ok(Candidate {
        name: "claviger",
        address,
        request: request("/bench/mcp", address, token.trim()),
        process: Some(process),
    })
}

fn nginx(program: &Path, scratch: &Scratch, upstream: SocketAddr) -> Result<Candidate> {
    let address = free_address()?;
    let config = scratch.join("nginx.conf");
    let home = scratch.join("nginx");
    fs::create_dir_all(&home).context("cannot make a directory for nginx")?;
    let text = NGINX
        .replace("{address}", &address.to_string())
        .replace("{upstream}", &upstream.to_string())
        .replace("{token}", upstream::TOKEN)
        .replace("{home}", &home.display().to_string());
    fs::write(&config, text).context("cannot write nginx.conf")?;
    let mut command = Command::new(program);
    command.arg("-p").arg(&home).arg("-c").arg(&config);
    let log = scratch.join("nginx.log");
    let mut process = Running::start(&mut command, &log)?;
    let request = request(
        "/mcp",
        address,
        "a token of the gateway's size, 43 letters....",
    );
    let end = now() + START_LIMIT;
    while load::run(&request, address, 1, Duration::from_millis(1)).is_err() {
        if process.has_ended() || now() > end {
            bail!("nginx does not start: {}", log_of(&log));
        }
        thread::park_timeout(Duration::from_millis(50));
    }
    Ok(Candidate {
        name: "nginx",
        address,
        request,
        process: Some(process),
    })
}

/// A stateless call of MCP 2026-07-28, with everything a caller sends.
fn request(path: &str, address: SocketAddr, token: &str) -> Vec<u8> {
    let length = CALL.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\naccept: application/json, text/event-stream\r\n\
         mcp-protocol-version: 2026-07-28\r\nmcp-method: tools/call\r\nmcp-name: echo\r\n\
         content-length: {length}\r\n\r\n{CALL}"
    )
    .into_bytes()
}

fn wait_for_ready(process: &mut Running, ready: &Path) -> Result<SocketAddr> {
    let end = now() + START_LIMIT;
    loop {
        let text = fs::read_to_string(ready).unwrap_or_default();
        if let Ok(line) = serde_json::from_str::<serde_json::Value>(&text) {
            let address = line.get("address").and_then(serde_json::Value::as_str);
            let address = address.context("the ready file names no address")?;
            let address = address.trim_start_matches("http://").trim_end_matches('/');
            return address
                .parse()
                .with_context(|| format!("`{address}` is no address"));
        }
        if process.has_ended() || now() > end {
            bail!("claviger does not start");
        }
        thread::park_timeout(Duration::from_millis(20));
    }
}

fn done(command: &mut Command) -> Result<()> {
    let output = command.output().context("cannot start claviger")?;
    anyhow::ensure!(
        output.status.success(),
        "{command:?} failed: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}

fn private_file(path: &Path, text: &str) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::write(path, text).context("cannot write a secret")?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).context("cannot protect a secret")
}

fn log_of(path: &Path) -> String {
    fs::read_to_string(path)
        .unwrap_or_default()
        .trim()
        .to_owned()
}

fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("cannot listen")?;
    listener.local_addr().context("cannot find a free port")
}

const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":"The quick brown fox jumps over the lazy dog."},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"bench","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}}}"#;

const NGINX: &str = "\
daemon off;
pid {home}/nginx.pid;
error_log {home}/error.log;
worker_processes auto;
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path {home}/body;
  proxy_temp_path {home}/proxy;
  fastcgi_temp_path {home}/fastcgi;
  uwsgi_temp_path {home}/uwsgi;
  scgi_temp_path {home}/scgi;
  keepalive_requests 100000000;
  upstream mcp { server {upstream}; keepalive 64; keepalive_requests 100000000; }
  server {
    listen {address};
    location / {
      proxy_pass http://mcp;
      proxy_http_version 1.1;
      proxy_set_header Connection \"\";
      proxy_set_header Authorization \"Bearer {token}\";
      proxy_buffering off;
    }
  }
}
";
