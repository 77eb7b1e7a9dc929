//! Where issuers send the browser back: the server's own listener, or one on loopback that is
//! open only while a sign-in is in flight (M1, A191).

use core::fmt;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use axum::Router;
use claviger_model::ServerId;
use claviger_ports::Tasks;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::listen::{ListenSettings, run};

/// Where callbacks land.
pub(crate) enum Landing {
    /// The server's own listener, at this base address.
    Own(String),
    /// A listener of its own, while it is needed.
    Loopback(Loopback),
}

/// A shared loopback listener. The port is the last one used, or the preferred one, or any.
pub(crate) struct Loopback {
    remembered: PathBuf,
    preferred: Option<u16>,
    tasks: Arc<dyn Tasks>,
    open: tokio::sync::Mutex<Weak<Open>>,
    routes: Mutex<Option<Router>>,
}

/// Holds the listener open; it closes when the last of them is dropped.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    /// Where the issuer sends the browser back.
    pub(crate) redirect_uri: String,
    _open: Option<Arc<Open>>,
}

#[derive(Debug)]
struct Open {
    port: u16,
    close: CancellationToken,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.close.cancel();
    }
}

// === impl Landing ===

impl Landing {
    /// A place for the callback of `server`, bound before anything is registered (Z4).
    pub(crate) async fn hold(&self, server: &ServerId) -> io::Result<Held> {
        match self {
            Self::Own(base) => Ok(Held {
                redirect_uri: format!("{base}/callback/{server}"),
                _open: None,
            }),
            Self::Loopback(loopback) => {
                let open = loopback.open().await?;
                let redirect_uri = format!("http://127.0.0.1:{}/callback/{server}", open.port);
                Ok(Held {
                    redirect_uri,
                    _open: Some(open),
                })
            }
        }
    }
}

impl fmt::Debug for Landing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own(base) => f.debug_tuple("Own").field(base).finish(),
            Self::Loopback(_) => f.debug_tuple("Loopback").finish_non_exhaustive(),
        }
    }
}

// === impl Loopback ===

impl Loopback {
    pub(crate) fn new(remembered: PathBuf, preferred: Option<u16>, tasks: Arc<dyn Tasks>) -> Self {
        Self {
            remembered,
            preferred,
            tasks,
            open: tokio::sync::Mutex::new(Weak::new()),
            routes: Mutex::new(None),
        }
    }

    /// What to serve; set once the pages have what they need.
    pub(crate) fn set_routes(&self, routes: Router) {
        *self.routes.lock().unwrap_or_else(PoisonError::into_inner) = Some(routes);
    }

    async fn open(&self) -> io::Result<Arc<Open>> {
        let mut shared = self.open.lock().await;
        if let Some(open) = shared.upgrade() {
            return Ok(open);
        }
        let listener = self.bind().await?;
        let port = listener.local_addr()?.port();
        self.remember(port);
        let open = Arc::new(Open {
            port,
            close: CancellationToken::new(),
        });
        let routes = self
            .routes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let closed = open.close.clone().cancelled_owned();
        let serving = run(
            listener,
            routes.unwrap_or_default(),
            ListenSettings::default(),
            closed,
        );
        self.tasks.spawn("callback listener", Box::pin(serving));
        *shared = Arc::downgrade(&open);
        Ok(open)
    }

    async fn bind(&self) -> io::Result<TcpListener> {
        // The literal, never `localhost`: another family could answer there (Q23, RFC 8252 §8.3).
        let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        // A194: a port that was configured is part of a registration elsewhere; no other will do.
        if let Some(port) = self.preferred {
            return TcpListener::bind(at(port)).await;
        }
        if let Some(port) = self.last_used()
            && let Ok(listener) = TcpListener::bind(at(port)).await
        {
            return Ok(listener);
        }
        TcpListener::bind(at(0)).await
    }

    fn last_used(&self) -> Option<u16> {
        fs::read_to_string(&self.remembered)
            .ok()?
            .trim()
            .parse()
            .ok()
    }

    fn remember(&self, port: u16) {
        // A convenience: without it the next sign-in registers anew.
        if let Err(error) = fs::write(&self.remembered, format!("{port}\n")) {
            tracing::debug!(%error, "could not remember the callback port");
        }
    }
}

#[cfg(test)]
mod tests {
    use claviger_testkit::TokioTasks;

    use super::*;

    fn loopback(dir: &tempfile::TempDir) -> Landing {
        let tasks = Arc::new(TokioTasks::default());
        Landing::Loopback(Loopback::new(dir.path().join("callback-port"), None, tasks))
    }

    #[tokio::test]
    async fn m1_all_sign_ins_share_one_listener_and_the_port_is_remembered() {
        let (dir, server) = (tempfile::tempdir().unwrap(), ServerId::from_random([7; 16]));
        let landing = loopback(&dir);
        let one = landing.hold(&server).await.unwrap();
        let two = landing.hold(&server).await.unwrap();
        assert_eq!(one.redirect_uri, two.redirect_uri);
        assert!(one.redirect_uri.starts_with("http://127.0.0.1:"));
        let uri = one.redirect_uri.clone();
        drop((one, two, landing));
        tokio::task::yield_now().await;
        let again = loopback(&dir).hold(&server).await;
        assert_eq!(again.unwrap().redirect_uri, uri);
    }

    #[tokio::test]
    async fn a191_the_listener_closes_after_the_last_sign_in() {
        let (dir, server) = (tempfile::tempdir().unwrap(), ServerId::from_random([7; 16]));
        let landing = loopback(&dir);
        let held = landing.hold(&server).await.unwrap();
        let port: u16 = fs::read_to_string(dir.path().join("callback-port"))
            .unwrap()
            .trim()
            .parse()
            .unwrap();
        let reachable = async || {
            tokio::net::TcpStream::connect(("127.0.0.1", port))
                .await
                .is_ok()
        };
        assert!(reachable().await);
        drop(held);
        let closed = async {
            while reachable().await {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(core::time::Duration::from_secs(5), closed)
            .await
            .unwrap();
    }
}
