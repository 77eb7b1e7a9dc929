//! A peer on loopback that speaks HTTP/1.1 byte by byte, well or badly.

use core::fmt;
use core::time::Duration;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Answers each request with the steps of its script. Dropping it closes everything.
pub struct RawPeer {
    address: SocketAddr,
    shared: Arc<Shared>,
    // Held so that the tasks end with the peer.
    _accepting: JoinSet<()>,
}

/// One thing a peer does after it has read a request.
#[derive(Debug, Clone)]
pub enum Step {
    /// Sends bytes.
    Send(Vec<u8>),
    /// Sends the same bytes until the reader is gone.
    Repeat(Vec<u8>),
    /// Sends the same bytes with this pause between them until the reader is gone.
    Drip(Vec<u8>, Duration),
    /// Keeps the connection open and says nothing more.
    Hang,
    /// Closes the connection.
    Close,
}

/// A byte stream that need not be a socket.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// Turns an accepted socket into what the peer speaks over.
pub type Wrap =
    Arc<dyn Fn(TcpStream) -> BoxFuture<'static, io::Result<Box<dyn Duplex>>> + Send + Sync>;

type Script = Arc<dyn Fn(&str) -> Vec<Step> + Send + Sync>;

struct Shared {
    script: Script,
    requests: Mutex<Vec<String>>,
    connected: watch::Sender<usize>,
    disconnected: watch::Sender<usize>,
}

// === impl RawPeer ===

impl RawPeer {
    /// Listens on a free port of 127.0.0.1. The script sees each request, head and body, as text.
    pub async fn start(script: impl Fn(&str) -> Vec<Step> + Send + Sync + 'static) -> Self {
        let plain: Wrap = Arc::new(|stream| Box::pin(async { Ok(Box::new(stream) as _) }));
        Self::start_over(plain, script).await
    }

    /// Speaks over what `wrap` makes of each socket, for example TLS.
    pub async fn start_over(
        wrap: Wrap,
        script: impl Fn(&str) -> Vec<Step> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("127.0.0.1 has a free port");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let shared = Arc::new(Shared {
            script: Arc::new(script),
            requests: Mutex::default(),
            connected: watch::Sender::new(0),
            disconnected: watch::Sender::new(0),
        });
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(listener, wrap, Arc::clone(&shared)));
        Self {
            address,
            shared,
            _accepting: accepting,
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// A plain URL of it; `path` begins with a slash.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// All requests so far, head and body.
    pub fn requests(&self) -> Vec<String> {
        self.shared
            .requests
            .lock()
            .expect("no script panicked")
            .clone()
    }

    /// How many connections were accepted.
    pub fn connections(&self) -> usize {
        *self.shared.connected.borrow()
    }

    /// Waits until `count` connections have ended.
    pub async fn disconnected(&self, count: usize) {
        self.shared
            .disconnected
            .subscribe()
            .wait_for(|seen| *seen >= count)
            .await
            .expect("the peer holds its own sender");
    }
}

impl fmt::Debug for RawPeer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawPeer")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

// === impl Step ===

impl Step {
    /// A whole answer with its length.
    pub fn answer(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Vec<Self> {
        let mut bytes = Self::head_bytes(status, headers);
        bytes.truncate(bytes.len() - 2);
        bytes.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
        bytes.extend_from_slice(body);
        vec![Self::Send(bytes)]
    }

    /// The head of an answer; steps that send its body follow.
    pub fn head(status: u16, headers: &[(&str, &str)]) -> Self {
        Self::Send(Self::head_bytes(status, headers))
    }

    /// One chunk of a chunked body.
    pub fn chunk(data: &[u8]) -> Vec<u8> {
        let mut bytes = format!("{:x}\r\n", data.len()).into_bytes();
        bytes.extend_from_slice(data);
        bytes.extend_from_slice(b"\r\n");
        bytes
    }

    fn head_bytes(status: u16, headers: &[(&str, &str)]) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {status} Scripted\r\n");
        for (name, value) in headers {
            head.extend([*name, ": ", *value, "\r\n"]);
        }
        head.push_str("\r\n");
        head.into_bytes()
    }
}

async fn accept(listener: TcpListener, wrap: Wrap, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        shared.connected.send_modify(|count| *count += 1);
        let (wrap, shared) = (Arc::clone(&wrap), Arc::clone(&shared));
        connections.spawn(async move {
            // A handshake or a write that fails is a reader that went away.
            if let Ok(mut stream) = wrap(stream).await {
                converse(&mut *stream, &shared).await.unwrap_or_default();
            }
            shared.disconnected.send_modify(|count| *count += 1);
        });
    }
}

async fn converse(stream: &mut dyn Duplex, shared: &Shared) -> io::Result<()> {
    let mut buffer = Vec::new();
    while let Some(request) = read_request(stream, &mut buffer).await? {
        let steps = (shared.script)(&request);
        shared
            .requests
            .lock()
            .expect("no script panicked")
            .push(request);
        for step in steps {
            match step {
                Step::Send(bytes) => write(stream, &bytes).await?,
                Step::Repeat(bytes) => loop {
                    write(stream, &bytes).await?;
                },
                Step::Drip(bytes, pause) => loop {
                    write(stream, &bytes).await?;
                    wait_or_end(stream, Some(pause)).await?;
                },
                Step::Hang => wait_or_end(stream, None).await?,
                Step::Close => return Ok(()),
            }
        }
    }
    Ok(())
}

async fn write(stream: &mut dyn Duplex, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes).await?;
    stream.flush().await
}

// Waits, but notices at once when the other side closes.
async fn wait_or_end(stream: &mut dyn Duplex, span: Option<Duration>) -> io::Result<()> {
    let ended = async {
        let mut sink = [0; 1_024];
        while stream.read(&mut sink).await? > 0 {}
        Err(io::ErrorKind::UnexpectedEof.into())
    };
    let Some(span) = span else {
        return ended.await;
    };
    timeout(span, ended).await.unwrap_or(Ok(()))
}

async fn read_request(stream: &mut dyn Duplex, buffer: &mut Vec<u8>) -> io::Result<Option<String>> {
    loop {
        if let Some(length) = request_length(buffer) {
            let request: Vec<u8> = buffer.drain(..length).collect();
            return Ok(Some(String::from_utf8_lossy(&request).into_owned()));
        }
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
}

// How long the first request in the buffer is, once it is whole.
fn request_length(buffer: &[u8]) -> Option<usize> {
    let head = position(buffer, b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(buffer.get(..head)?).to_ascii_lowercase();
    if text.contains("transfer-encoding: chunked") {
        return Some(head + position(buffer.get(head..)?, b"0\r\n\r\n")? + 5);
    }
    let length = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"))
        .map_or(0, |value| {
            value.trim().parse().expect("a length is a number")
        });
    (buffer.len() >= head + length).then_some(head + length)
}

fn position(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::{RawPeer, Step};

    #[tokio::test]
    async fn reads_whole_requests_and_keeps_the_connection() {
        let peer = RawPeer::start(|request| {
            Step::answer(
                200,
                &[("a", "b")],
                request.lines().next().unwrap().as_bytes(),
            )
        })
        .await;
        let mut stream = TcpStream::connect(peer.address()).await.unwrap();
        stream
            .write_all(b"POST /1 HTTP/1.1\r\ncontent-length: 3\r\n\r\nabcGET /2 HTTP/1.1\r\n\r\n")
            .await
            .unwrap();
        let mut answer = vec![0; 2 * 64 + 24];
        let expected = "HTTP/1.1 200 Scripted\r\na: b\r\ncontent-length: 16\r\n\r\nPOST /1 HTTP/1.1\
                        HTTP/1.1 200 Scripted\r\na: b\r\ncontent-length: 15\r\n\r\nGET /2 HTTP/1.1";
        answer.truncate(expected.len());
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(String::from_utf8(answer).unwrap(), expected);
        assert_eq!(peer.connections(), 1);
        assert_eq!(peer.requests().len(), 2);
        drop(stream);
        peer.disconnected(1).await;
    }
}
