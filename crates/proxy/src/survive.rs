//! What goes on after the caller left: the older era does not take a lost connection for a cancel.

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::sync::Arc;

use claviger_ports::{Body, Clock, Tasks};
use futures_util::future::{BoxFuture, Either, select};
use http::Response;
use http_body_util::BodyExt;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::Settings;

/// Reads answers on to their end, within limits (G-13).
#[derive(Clone)]
pub(crate) struct Drains {
    tasks: Arc<dyn Tasks>,
    clock: Arc<dyn Clock>,
    permits: Arc<Semaphore>,
    closing: CancellationToken,
    timeout: Duration,
    max_bytes: u64,
}

/// A forwarded call that is finished even if nobody waits for it any more.
///
/// Nothing is spawned unless that happens: the common case costs no task.
pub(crate) struct Survive<E: Send + 'static> {
    call: Option<BoxFuture<'static, Result<Response<Body>, E>>>,
    drains: Drains,
}

// === impl Drains ===

impl Drains {
    pub(crate) fn new(
        tasks: Arc<dyn Tasks>,
        clock: Arc<dyn Clock>,
        closing: CancellationToken,
        settings: &Settings,
    ) -> Self {
        Self {
            tasks,
            clock,
            permits: Arc::new(Semaphore::new(settings.max_drains)),
            closing,
            timeout: settings.drain_timeout,
            max_bytes: settings.max_drain_bytes,
        }
    }

    /// Reads `body` to its end in the background.
    pub(crate) fn keep(&self, body: Body) {
        self.run("drain an answer", Box::pin(drain(body, self.max_bytes)));
    }

    fn keep_call<E: Send + 'static>(&self, call: BoxFuture<'static, Result<Response<Body>, E>>) {
        let max_bytes = self.max_bytes;
        let work = async move {
            if let Ok(response) = call.await {
                drain(response.into_body(), max_bytes).await;
            }
        };
        self.run("finish a forwarded call", Box::pin(work));
    }

    fn run(&self, name: &'static str, work: BoxFuture<'static, ()>) {
        // Callers that come and go must not leave work behind without bound.
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
            return;
        };
        let deadline = self.clock.sleep(self.timeout);
        let closing = self.closing.clone().cancelled_owned();
        let bounded = async move {
            match select(work, select(deadline, Box::pin(closing))).await {
                Either::Left(_) => {}
                Either::Right(_) => tracing::debug!(name, "gave up on an answer nobody reads"),
            }
            drop(permit);
        };
        self.tasks.spawn(name, Box::pin(bounded));
    }
}

impl fmt::Debug for Drains {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Drains").finish_non_exhaustive()
    }
}

// === impl Survive ===

impl<E: Send + 'static> Survive<E> {
    pub(crate) fn new(call: BoxFuture<'static, Result<Response<Body>, E>>, drains: Drains) -> Self {
        Self {
            call: Some(call),
            drains,
        }
    }
}

impl<E: Send + 'static> Future for Survive<E> {
    type Output = Result<Response<Body>, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(call) = self.call.as_mut() else {
            return Poll::Pending;
        };
        let outcome = call.as_mut().poll(cx);
        if outcome.is_ready() {
            self.call = None;
        }
        outcome
    }
}

impl<E: Send + 'static> Drop for Survive<E> {
    fn drop(&mut self) {
        if let Some(call) = self.call.take() {
            self.drains.keep_call(call);
        }
    }
}

async fn drain(mut body: Body, max_bytes: u64) {
    let mut read = 0_u64;
    while let Some(Ok(frame)) = body.frame().await {
        let length = frame.data_ref().map_or(0, bytes::Bytes::len);
        read = read.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
        if read > max_bytes {
            return;
        }
    }
}
