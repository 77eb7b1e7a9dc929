//! A protected MCP server and its issuer in one, as fast as threads and sockets allow.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::thread;

use anyhow::{Context, Result};

use super::wire::{Connection, Message};

/// The access token that its token endpoint gives and its MCP endpoint takes.
pub(crate) const TOKEN: &str = "upstream-benchmark-token";

/// Serves until the process ends.
pub(crate) fn serve() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("cannot listen")?;
    let address = listener.local_addr().context("cannot find my own port")?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || {
                // A client that goes away ends its own thread and nothing else.
                Connection::over(stream)
                    .and_then(|connection| answer(connection, address))
                    .ok();
            });
        }
    });
    Ok(address)
}

fn answer(mut connection: Connection, address: SocketAddr) -> Result<()> {
    while let Some(request) = connection.receive()? {
        connection.send(&respond(&request, address))?;
    }
    Ok(())
}

fn respond(request: &Message, address: SocketAddr) -> Vec<u8> {
    let mut words = request.first.split(' ');
    let (method, path) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    let origin = format!("http://{address}");
    match (method, path) {
        ("POST", "/mcp") if is_admitted(request) => reply("200 OK", "", RESULT),
        ("POST", "/mcp") => {
            let metadata = format!("{origin}/.well-known/oauth-protected-resource/mcp");
            let challenge =
                format!("www-authenticate: Bearer resource_metadata=\"{metadata}\"\r\n");
            reply("401 Unauthorized", &challenge, "{}")
        }
        ("POST", "/token") => reply(
            "200 OK",
            "cache-control: no-store\r\n",
            &format!(r#"{{"access_token":"{TOKEN}","token_type":"Bearer","expires_in":3600}}"#),
        ),
        ("GET", "/.well-known/oauth-protected-resource/mcp") => reply(
            "200 OK",
            "",
            &format!(r#"{{"resource":"{origin}/mcp","authorization_servers":["{origin}"]}}"#),
        ),
        ("GET", "/.well-known/oauth-authorization-server") => reply(
            "200 OK",
            "",
            &format!(
                r#"{{"issuer":"{origin}","authorization_endpoint":"{origin}/authorize","token_endpoint":"{origin}/token","response_types_supported":["code"],"grant_types_supported":["client_credentials"],"token_endpoint_auth_methods_supported":["client_secret_basic"],"code_challenge_methods_supported":["S256"]}}"#
            ),
        ),
        _ => reply("404 Not Found", "", "{}"),
    }
}

fn is_admitted(request: &Message) -> bool {
    let authorization = request.header("authorization");
    authorization.and_then(|value| value.strip_prefix("Bearer ")) == Some(TOKEN)
}

fn reply(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\n{headers}content-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

const RESULT: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","content":[{"type":"text","text":"The quick brown fox jumps over the lazy dog, and the dog, who has seen this before, sleeps on."}]}}"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::load;
    use std::time::Duration;

    fn ask(address: SocketAddr, head: &str) -> Message {
        let mut connection = Connection::open(address).unwrap();
        connection
            .send(format!("{head}content-length: 0\r\n\r\n").as_bytes())
            .unwrap();
        connection.receive().unwrap().unwrap()
    }

    #[test]
    fn it_is_protected_and_says_by_whom() {
        let address = serve().unwrap();
        let refused = ask(address, "POST /mcp HTTP/1.1\r\n");
        assert_eq!(refused.first, "HTTP/1.1 401 Unauthorized");
        let challenge = refused.header("www-authenticate").unwrap();
        let path = "/.well-known/oauth-protected-resource/mcp";
        assert!(challenge.contains(path));
        let metadata = ask(address, &format!("GET {path} HTTP/1.1\r\n"));
        assert!(
            String::from_utf8(metadata.body)
                .unwrap()
                .contains(&address.to_string())
        );
    }

    #[test]
    fn a_load_counts_what_was_answered_and_stops_at_a_refusal() {
        let address = serve().unwrap();
        let of = |token| format!("POST /mcp HTTP/1.1\r\nauthorization: Bearer {token}\r\n\r\n");
        let span = Duration::from_millis(20);
        let load = load::run(of(TOKEN).as_bytes(), address, 2, span).unwrap();
        assert!(load.latencies.len() >= 2);
        assert!(load::run(of("another").as_bytes(), address, 1, span).is_err());
    }
}
