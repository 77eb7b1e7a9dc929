//! Plays the browser: visits a page, presses a button, follows redirects. Loopback only.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::collections::BTreeMap;
use std::io;

use bytes::Bytes;
use claviger_crypto::Secret;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;
use url::{Host, Url};

use super::DemoError;
use super::page::{Form, form, title};

const MAX_STEPS: usize = 12;
const MAX_PAGE_BYTES: usize = 256 * 1024;
const STEP_TIMEOUT: Duration = Duration::from_secs(30);

/// One request of the visit. The query is left out: it may carry a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlayedStep {
    /// `GET` or `POST`.
    pub method: Method,
    /// Origin and path.
    pub place: String,
    /// The answer's status.
    pub status: StatusCode,
    /// The page's title, if it was a page.
    pub title: Option<String>,
}

/// A visit that came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Played {
    /// Everything that was requested, in order.
    pub steps: Vec<PlayedStep>,
    /// The last answer's status.
    pub status: StatusCode,
    /// The last page's title; empty if it has none.
    pub title: String,
}

/// Why the visit ended early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlayError {
    /// The page has a form without the button.
    #[error("the page has no button `{button}`")]
    Button {
        /// The button.
        button: &'static str,
    },
    /// Not an `http` URL on loopback; a scripted person goes nowhere else.
    #[error("the scripted browser visits plain http on loopback only")]
    Elsewhere,
    /// The connection failed.
    #[error("could not reach the page")]
    Io {
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// Redirects or forms without end.
    #[error("the visit did not end after {MAX_STEPS} requests")]
    Loop,
    /// The request could not be written or the answer not be read.
    #[error("the page did not answer properly")]
    Protocol {
        /// The cause.
        #[source]
        source: Box<dyn core::error::Error + Send + Sync>,
    },
    /// No answer in time.
    #[error("the page did not answer in time")]
    Timeout,
}

/// Opens `url`, answers every form, by the button `approve` where there is a choice, and follows the redirects to the end.
pub async fn play_browser(url: &str) -> Result<Played, DemoError> {
    let played = Browser::default().visit(url).await;
    played.map_err(|source| DemoError::Visit { source })
}

/// Cookies, by authority and name.
#[derive(Debug, Default)]
struct Browser {
    jar: BTreeMap<String, BTreeMap<String, Secret>>,
}

pub(super) struct Page {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) html: String,
}

struct Visit {
    method: Method,
    url: Url,
    body: String,
}

// === impl Browser ===

impl Browser {
    async fn visit(&mut self, url: &str) -> Result<Played, PlayError> {
        let mut next = Visit::get(read_url(url)?);
        let mut steps = Vec::new();
        while steps.len() < MAX_STEPS {
            let page = self.request(&next).await?;
            let title = title(&page.html);
            steps.push(PlayedStep {
                method: next.method.clone(),
                place: place(&next.url),
                status: page.status,
                title: title.clone(),
            });
            let following = match follow(&next.url, &page)? {
                Some(following) => Some(following),
                None if page.status.is_success() => press(&next.url, &page.html)?,
                None => None,
            };
            match following {
                Some(following) => next = following,
                None => {
                    return Ok(Played {
                        steps,
                        status: page.status,
                        title: title.unwrap_or_default(),
                    });
                }
            }
        }
        Err(PlayError::Loop)
    }

    async fn request(&mut self, visit: &Visit) -> Result<Page, PlayError> {
        let address = loopback(&visit.url)?;
        let request = self.compose(visit)?;
        let Ok(page) = timeout(STEP_TIMEOUT, exchange(address, request)).await else {
            return Err(PlayError::Timeout);
        };
        let page = page?;
        let authority = visit.url.authority().to_owned();
        self.keep(authority, &page.headers);
        Ok(page)
    }

    fn compose(&self, visit: &Visit) -> Result<Request<Full<Bytes>>, PlayError> {
        let target = &visit.url[url::Position::BeforePath..url::Position::AfterQuery];
        let mut request = Request::builder()
            .method(visit.method.clone())
            .uri(target)
            .header(header::HOST, visit.url.authority())
            .header(header::ACCEPT, "text/html")
            .header(header::CONNECTION, "close");
        if let Some(cookies) = self.jar.get(visit.url.authority()) {
            let pairs: Vec<String> = cookies
                .iter()
                .map(|(name, value)| format!("{name}={}", value.expose()))
                .collect();
            request = request.header(header::COOKIE, pairs.join("; "));
        }
        if visit.method == Method::POST {
            request = request
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .header("sec-fetch-site", "same-origin");
        }
        request
            .body(Full::new(Bytes::from(visit.body.clone())))
            .map_err(protocol)
    }

    fn keep(&mut self, authority: String, headers: &HeaderMap) {
        let jar = self.jar.entry(authority).or_default();
        let cookies = headers.get_all(header::SET_COOKIE).iter();
        for cookie in cookies.filter_map(|value| value.to_str().ok()) {
            let (pair, attributes) = cookie.split_once(';').unwrap_or((cookie, ""));
            let Some((name, value)) = pair.split_once('=') else {
                continue;
            };
            if attributes.contains("Max-Age=0") {
                jar.remove(name.trim());
            } else {
                jar.insert(name.trim().to_owned(), Secret::new(value.trim()));
            }
        }
    }
}

// === impl Visit ===

impl Visit {
    fn get(url: Url) -> Self {
        Self {
            method: Method::GET,
            url,
            body: String::new(),
        }
    }
}

fn follow(from: &Url, page: &Page) -> Result<Option<Visit>, PlayError> {
    let location = page.headers.get(header::LOCATION);
    let Some(location) = location.filter(|_| page.status.is_redirection()) else {
        return Ok(None);
    };
    let text = location.to_str().map_err(protocol)?;
    let url = from.join(text).map_err(protocol)?;
    Ok(Some(Visit::get(url)))
}

fn press(from: &Url, html: &str) -> Result<Option<Visit>, PlayError> {
    const BUTTON: &str = "approve";
    let Some(Form {
        action,
        mut fields,
        buttons,
    }) = form(html)
    else {
        return Ok(None);
    };
    // A form that leaves no choice is just sent, such as our own page of a link.
    let is_choice = !buttons.is_empty();
    let button = buttons.into_iter().find(|(_, value)| value == BUTTON);
    if is_choice && button.is_none() {
        return Err(PlayError::Button { button: BUTTON });
    }
    fields.extend(button);
    let body = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish();
    Ok(Some(Visit {
        method: Method::POST,
        url: from.join(&action).map_err(protocol)?,
        body,
    }))
}

// One connection for each request; it ends with the answer.
pub(super) async fn exchange(
    address: SocketAddr,
    request: Request<Full<Bytes>>,
) -> Result<Page, PlayError> {
    let stream = TcpStream::connect(address)
        .await
        .map_err(|source| PlayError::Io { source })?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(protocol)?;
    let answer = async move {
        let response = sender.send_request(request).await.map_err(protocol)?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, MAX_PAGE_BYTES)
            .collect()
            .await
            .map_err(|source| PlayError::Protocol { source })?;
        Ok(Page {
            status: head.status,
            headers: head.headers,
            html: String::from_utf8_lossy(&body.to_bytes()).into_owned(),
        })
    };
    // A connection that breaks shows in the answer; one that breaks after it is no matter.
    let (answer, _ended) = tokio::join!(answer, connection);
    answer
}

fn read_url(url: &str) -> Result<Url, PlayError> {
    Url::parse(url).map_err(protocol)
}

fn loopback(url: &Url) -> Result<SocketAddr, PlayError> {
    let ip = match url.host() {
        Some(Host::Ipv4(ip)) => IpAddr::V4(ip),
        Some(Host::Ipv6(ip)) => IpAddr::V6(ip),
        Some(Host::Domain("localhost")) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        _ => return Err(PlayError::Elsewhere),
    };
    let port = url.port_or_known_default().unwrap_or(80);
    if url.scheme() != "http" || !ip.is_loopback() {
        return Err(PlayError::Elsewhere);
    }
    Ok(SocketAddr::new(ip, port))
}

fn place(url: &Url) -> String {
    format!("{}{}", url.origin().ascii_serialization(), url.path())
}

fn protocol(source: impl Into<Box<dyn core::error::Error + Send + Sync>>) -> PlayError {
    PlayError::Protocol {
        source: source.into(),
    }
}
