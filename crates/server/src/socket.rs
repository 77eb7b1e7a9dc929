//! The admin socket: what a command line asks of a running server.
//!
//! It is a unix socket of mode 0600 in a directory of mode 0700: who can open it is the owner.

use std::convert::Infallible;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path as UrlPath, Request as HttpRequest, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, post};
use bytes::Bytes;
use claviger_admin_api::{Line, Problem, ProblemKind, Request};
use futures_util::stream;
use http::{Method, StatusCode};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;

use crate::listen::Peer;
use crate::{Gateway, McpRequest};

/// The largest request the socket takes, in bytes.
const MOST: usize = 4 * 1024 * 1024;

/// Binds the socket, in place of one that a dead process left behind. What comes with it says that
/// this is the one server of the data directory; it is kept for as long as that is so.
pub(crate) async fn bind(path: &Path) -> io::Result<(UnixListener, File)> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let lock = claim(directory)?;
    if UnixStream::connect(path).await.is_ok() {
        return Err(running());
    }
    // A196: it appears under its name with its mode. Between bind and chmod it has whatever mode
    // the umask left, so that happens where nobody else can get at it.
    let nest = directory.join(".s");
    let draft = nest.join("a");
    if let Err(error) = DirBuilder::new().mode(0o700).create(&nest)
        && error.kind() != io::ErrorKind::AlreadyExists
    {
        return Err(error);
    }
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&draft)?;
    fs::set_permissions(&draft, Permissions::from_mode(0o600))?;
    fs::rename(&draft, path)?;
    fs::remove_dir(&nest)?;
    Ok((listener, lock))
}

/// Says that no other server may run on a data directory, for as long as the answer is kept.
pub(crate) fn claim(directory: &Path) -> io::Result<File> {
    let lock = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(directory.join("serve.lock"))?;
    // Of two that start at once exactly one gets it, and the kernel takes it back from the dead.
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(running()),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn running() -> io::Error {
    io::Error::new(
        io::ErrorKind::AddrInUse,
        "another server runs on this data directory",
    )
}

/// The routes of the socket.
pub(crate) fn router(gateway: Arc<dyn Gateway>) -> Router {
    Router::new()
        .route("/admin/act", post(act))
        .route("/data/{slug}/mcp", any(data))
        .with_state(gateway)
}

async fn act(State(gateway): State<Arc<dyn Gateway>>, request: HttpRequest) -> Response {
    let peer = request.extensions().get::<Peer>().and_then(|peer| peer.0);
    let body = match axum::body::to_bytes(request.into_body(), MOST).await {
        Ok(body) => body,
        Err(error) => return one(&usage(format!("the request could not be read: {error}"))),
    };
    let request: Request = match serde_json::from_slice(&body) {
        Ok(request) => request,
        Err(error) => return one(&usage(unreadable(&error))),
    };
    let (send, receive) = mpsc::unbounded_channel::<Line>();
    // The act runs while its lines are read, and ends where the reader goes away: that is how
    // the command line cancels a sign-in it waits for.
    let lines = stream::unfold(
        (receive, Some(begin(gateway, peer, request, send))),
        |(mut receive, mut acting)| async move {
            loop {
                let line = match acting.as_mut() {
                    None => receive.recv().await,
                    Some(work) => tokio::select! {
                        biased;
                        line = receive.recv() => line,
                        () = work => {
                            acting = None;
                            continue;
                        }
                    },
                };
                return line.map(|line| (Ok::<_, Infallible>(print(&line)), (receive, acting)));
            }
        },
    );
    let mut response = Response::new(Body::from_stream(lines));
    let json = http::HeaderValue::from_static("application/x-ndjson");
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, json);
    response
}

type Acting = core::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

fn begin(
    gateway: Arc<dyn Gateway>,
    peer: Option<u32>,
    request: Request,
    send: mpsc::UnboundedSender<Line>,
) -> Acting {
    Box::pin(async move {
        let failed = send.clone();
        let mut sink = move |line| drop(send.send(line));
        if let Err(error) = gateway.act_for(peer, request, &mut sink).await {
            drop(failed.send(Line::Problem(Problem {
                kind: ProblemKind::Bug,
                code: "gateway_failed".to_owned(),
                message: error.to_string(),
                hint: None,
            })));
        }
    })
}

async fn data(
    State(gateway): State<Arc<dyn Gateway>>,
    UrlPath(slug): UrlPath<String>,
    request: HttpRequest,
) -> Response {
    let (head, body) = request.into_parts();
    let body = if head.method == Method::POST {
        match axum::body::to_bytes(body, MOST).await {
            Ok(body) => body,
            Err(_too_large) => return StatusCode::PAYLOAD_TOO_LARGE.into_response(),
        }
    } else {
        Bytes::new()
    };
    let request = McpRequest {
        slug,
        method: head.method,
        headers: head.headers,
        body,
    };
    match gateway.mcp(request).await {
        Ok(response) => response.map(Body::new),
        Err(_gone) => StatusCode::BAD_GATEWAY.into_response(),
    }
}

fn print(line: &Line) -> Bytes {
    // Lines are plain structs of texts and numbers; should one not print, the reader sees a gap.
    let mut text = serde_json::to_vec(line).unwrap_or_default();
    text.push(b'\n');
    Bytes::from(text)
}

fn one(line: &Line) -> Response {
    print(line).into_response()
}

/// A172: serde shows the value it did not expect, and that may be a secret. A name is none.
fn unreadable(error: &serde_json::Error) -> String {
    let said = error.to_string();
    let names = ["unknown field `", "unknown variant `", "missing field `"];
    let named = names.iter().find_map(|start| {
        let (name, _) = said.strip_prefix(start)?.split_once('`')?;
        let name: String = name
            .chars()
            .filter(|char| !char.is_control())
            .take(64)
            .collect();
        Some(format!("{start}{name}`"))
    });
    let what = named.unwrap_or_else(|| "a value of another kind".to_owned());
    format!("the request is not one of ours: {what}")
}

fn usage(message: String) -> Line {
    Line::Problem(Problem {
        kind: ProblemKind::Usage,
        code: "bad_request".to_owned(),
        message,
        hint: Some("use the command line of the same version as the running server".to_owned()),
    })
}
