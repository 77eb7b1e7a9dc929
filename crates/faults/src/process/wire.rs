//! The wire between one node and PostgreSQL, which can be cut.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use claviger_testkit::postgres::Database;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::task::JoinSet;
use tokio::time::sleep;
use url::Url;

/// A socket that passes everything on. It ends with this value.
#[derive(Debug)]
pub(crate) struct Wire {
    folder: TempDir,
    is_cut: Arc<AtomicBool>,
    /// How many connections pass something on.
    open: Arc<AtomicUsize>,
    _accepting: JoinSet<()>,
}

const PORT: u16 = 5432;

// === impl Wire ===

impl Wire {
    pub(crate) fn to(database: &Database) -> Self {
        let folder = TempDir::new().unwrap();
        let socket = folder.path().join(format!(".s.PGSQL.{PORT}"));
        let listener = UnixListener::bind(socket).unwrap();
        let (is_cut, url) = (Arc::new(AtomicBool::new(false)), database.url());
        let mut accepting = JoinSet::new();
        let open = Arc::new(AtomicUsize::new(0));
        let (seen, counted) = (Arc::clone(&is_cut), Arc::clone(&open));
        accepting.spawn(async move {
            let url = Url::parse(&url).unwrap();
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let (seen, url) = (Arc::clone(&seen), url.clone());
                let counted = Arc::clone(&counted);
                counted.fetch_add(1, Ordering::SeqCst);
                connections.spawn(async move {
                    // A connection that is cut is what we are here for.
                    pass(client, &url, &seen).await.ok();
                    counted.fetch_sub(1, Ordering::SeqCst);
                });
                while connections.try_join_next().is_some() {}
            }
        });
        Self {
            folder,
            is_cut,
            open,
            _accepting: accepting,
        }
    }

    /// The same database, over this wire.
    pub(crate) fn through(&self, url: &str) -> String {
        let mut url = Url::parse(url).unwrap();
        url.set_host(Some("localhost")).unwrap();
        url.set_port(Some(PORT)).unwrap();
        url.set_query(None);
        let folder = self.folder.path().to_str().unwrap();
        url.query_pairs_mut().append_pair("host", folder);
        url.into()
    }

    /// Every connection ends, and no new one comes about.
    pub(crate) async fn cut(&self) {
        self.is_cut.store(true, Ordering::SeqCst);
        while self.open.load(Ordering::SeqCst) > 0 {
            sleep(Duration::from_millis(1)).await;
        }
    }

    pub(crate) fn mend(&self) {
        self.is_cut.store(false, Ordering::SeqCst);
    }
}

async fn pass(mut client: UnixStream, url: &Url, is_cut: &AtomicBool) -> std::io::Result<()> {
    if is_cut.load(Ordering::SeqCst) {
        return Ok(());
    }
    let mut server = dial(url).await?;
    tokio::select! {
        passed = copy_bidirectional(&mut client, &mut server) => passed.map(drop),
        () = until_cut(is_cut) => Ok(()),
    }
}

async fn until_cut(is_cut: &AtomicBool) {
    while !is_cut.load(Ordering::SeqCst) {
        sleep(Duration::from_millis(5)).await;
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// The server, by its socket or over TCP.
async fn dial(url: &Url) -> std::io::Result<Box<dyn Stream>> {
    let port = url.port().unwrap_or(PORT);
    if let Some((_, folder)) = url.query_pairs().find(|(name, _)| name == "host") {
        let socket = PathBuf::from(&*folder).join(format!(".s.PGSQL.{port}"));
        return Ok(Box::new(UnixStream::connect(socket).await?));
    }
    let host = url.host_str().unwrap_or("localhost");
    Ok(Box::new(TcpStream::connect((host, port)).await?))
}
