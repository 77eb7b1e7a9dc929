//! A TCP proxy that breaks what passes through it. It knows one thing of HTTP: which connection
//! carries a token request.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;

/// What happens to one token request, or to its answer.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// The answer is this, whatever the issuer says; it hears the request.
    Answer(Vec<u8>),
    /// The answer ends after this many bytes, in order.
    Cut(usize),
    /// The answer comes twice.
    Duplicate,
    /// Bytes behind the answer.
    Garbage,
    /// The answer comes this much later.
    Hold(Duration),
    /// The request arrives; its answer never does.
    Mute,
    /// The issuer never hears of it, and the connection is reset.
    Refuse,
    /// The answer is reset after this many bytes.
    Reset(usize),
    /// The answer comes byte by byte.
    Slow(Duration),
    /// The issuer never hears of it; the answer is this.
    Stub(Vec<u8>),
}

/// The proxy. It ends with this value.
#[derive(Debug)]
pub(crate) struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    _accepting: JoinSet<()>,
}

#[derive(Debug)]
struct Shared {
    target: SocketAddr,
    faults: Mutex<VecDeque<Fault>>,
}

// === impl Proxy ===

impl Proxy {
    pub(crate) async fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            target,
            faults: Mutex::default(),
        });
        let accepted = Arc::clone(&shared);
        let mut accepting = JoinSet::new();
        accepting.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&accepted);
                connections.spawn(async move {
                    // A broken connection is what we are here for.
                    shared.pass(stream).await.ok();
                });
                while connections.try_join_next().is_some() {}
            }
        });
        Self {
            address,
            shared,
            _accepting: accepting,
        }
    }

    /// `http://127.0.0.1:PORT`, or with a name for that address.
    pub(crate) fn origin(&self, host: &str) -> String {
        format!("http://{host}:{}", self.address.port())
    }

    /// The next token requests meet these, one each.
    pub(crate) fn next(&self, faults: impl IntoIterator<Item = Fault>) {
        self.shared.faults().extend(faults);
    }

    /// Nothing more is planned; answers how many faults nobody met.
    pub(crate) fn calm(&self) -> usize {
        let mut faults = self.shared.faults();
        let left = faults.len();
        faults.clear();
        left
    }
}

// === impl Shared ===

impl Shared {
    fn faults(&self) -> MutexGuard<'_, VecDeque<Fault>> {
        self.faults.lock().unwrap()
    }

    async fn pass(&self, mut client: TcpStream) -> std::io::Result<()> {
        client.set_nodelay(true)?;
        let mut head = vec![0; 16 * 1024];
        let read = client.read(&mut head).await?;
        head.truncate(read);
        let fault = if head.starts_with(b"POST /token ") {
            self.faults().pop_front()
        } else {
            None
        };
        match &fault {
            Some(Fault::Refuse) => return reset(&client),
            Some(Fault::Stub(answer)) => return client.write_all(answer).await,
            _ => {}
        }
        let mut server = TcpStream::connect(self.target).await?;
        server.set_nodelay(true)?;
        server.write_all(&head).await?;
        let Some(fault) = fault else {
            copy_bidirectional(&mut client, &mut server).await?;
            return Ok(());
        };
        let answer = whole(&mut client, &mut server).await?;
        spoil(client, &answer, fault).await
    }
}

/// Everything the issuer says; it closes behind its answer.
async fn whole(client: &mut TcpStream, server: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let (mut rest, mut answer) = (vec![0; 16 * 1024], Vec::new());
    let mut is_open = true;
    loop {
        tokio::select! {
            read = client.read(&mut rest), if is_open => {
                let read = read?;
                is_open = read > 0;
                server.write_all(&rest[..read]).await?;
            }
            read = server.read_buf(&mut answer) => {
                if read? == 0 {
                    return Ok(answer);
                }
            }
        }
    }
}

async fn spoil(mut client: TcpStream, answer: &[u8], fault: Fault) -> std::io::Result<()> {
    let start = |length: usize| &answer[..length.min(answer.len())];
    match fault {
        Fault::Answer(other) => client.write_all(&other).await,
        Fault::Cut(length) => client.write_all(start(length)).await,
        Fault::Duplicate => client.write_all(&[answer, answer].concat()).await,
        Fault::Garbage => {
            client
                .write_all(&[answer, b"\0\xff{garbage"].concat())
                .await
        }
        Fault::Hold(span) => {
            sleep(span).await;
            client.write_all(answer).await
        }
        Fault::Mute => {
            // Until the other side gives up.
            client.read(&mut [0]).await.map(drop)
        }
        Fault::Reset(length) => {
            client.write_all(start(length)).await?;
            client.flush().await?;
            sleep(Duration::from_millis(5)).await;
            reset(&client)
        }
        Fault::Slow(pause) => {
            for byte in answer {
                client.write_all(&[*byte]).await?;
                sleep(pause).await;
            }
            Ok(())
        }
        Fault::Refuse | Fault::Stub(_) => Ok(()),
    }
}

/// Ends a connection so that the other side hears a reset.
fn reset(stream: &TcpStream) -> std::io::Result<()> {
    stream.set_zero_linger()
}
