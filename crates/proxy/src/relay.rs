//! The answer's body on its way back: frame by frame, timed, never gathered.

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::sync::Arc;

use bytes::Bytes;
use claviger_ports::{Body, BoxError, Clock};
use futures_util::future::BoxFuture;
use http_body::{Body as HttpBody, Frame, SizeHint};

use crate::survive::Drains;

/// How long a body may take.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Patience {
    /// For all of it.
    Whole(Duration),
    /// Between two frames.
    Idle(Duration),
}

/// The upstream broke off, or was too slow.
#[derive(Debug, thiserror::Error)]
#[error("the server's answer took too long")]
struct TooSlow;

/// A body that is passed on.
pub(crate) struct Relay {
    inner: Option<Body>,
    clock: Arc<dyn Clock>,
    patience: Patience,
    last_frame_ms: u64,
    alarm: BoxFuture<'static, ()>,
    drains: Option<Drains>,
    closing: Option<BoxFuture<'static, ()>>,
    farewell: Option<Bytes>,
    /// Whether the last event is whole, so that another may follow.
    is_between_events: bool,
}

impl Relay {
    /// Passes `inner` on; with `drains`, what the caller leaves unread is read to its end.
    pub(crate) fn new(
        inner: Body,
        clock: Arc<dyn Clock>,
        patience: Patience,
        drains: Option<Drains>,
    ) -> Self {
        let alarm = clock.sleep(patience.span());
        Self {
            inner: Some(inner),
            last_frame_ms: clock.monotonic_ms(),
            clock,
            patience,
            alarm,
            drains,
            closing: None,
            farewell: None,
            is_between_events: true,
        }
    }

    /// Ends the body when `closing` is over, as if the upstream had ended it; `farewell` is the
    /// event it would have ended it with.
    pub(crate) fn until(
        mut self,
        closing: BoxFuture<'static, ()>,
        farewell: Option<String>,
    ) -> Self {
        self.closing = Some(closing);
        self.farewell = farewell.map(Bytes::from);
        self
    }

    /// An event that was cut off would swallow the last one; then the stream just ends.
    fn last_frame(&mut self) -> Option<Result<Frame<Bytes>, BoxError>> {
        let farewell = self.farewell.take().filter(|_| self.is_between_events);
        farewell.map(|event| Ok(Frame::data(event)))
    }

    fn is_closing(&mut self, cx: &mut Context<'_>) -> bool {
        let closing = self.closing.as_mut();
        closing.is_some_and(|closing| closing.as_mut().poll(cx).is_ready())
    }

    /// One alarm serves many frames: when it rings, it is set again for what is left.
    fn is_out_of_time(&mut self, cx: &mut Context<'_>) -> bool {
        while self.alarm.as_mut().poll(cx).is_ready() {
            let Patience::Idle(span) = self.patience else {
                return true;
            };
            let now = self.clock.monotonic_ms();
            let silent = Duration::from_millis(now.saturating_sub(self.last_frame_ms));
            let Some(left) = span.checked_sub(silent).filter(|left| !left.is_zero()) else {
                return true;
            };
            self.alarm = self.clock.sleep(left);
        }
        false
    }
}

impl HttpBody for Relay {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        while let Some(inner) = self.inner.as_mut() {
            match Pin::new(inner).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) if frame.is_data() => {
                    self.last_frame_ms = self.clock.monotonic_ms();
                    if let Some(data) = frame.data_ref().filter(|data| !data.is_empty()) {
                        let ends = [&b"\n\n"[..], b"\r\n\r\n", b"\r\r"];
                        self.is_between_events = ends.iter().any(|end| data.ends_with(end));
                    }
                    return Poll::Ready(Some(Ok(frame)));
                }
                // Trailers are headers that nobody looked at; they stay here.
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(last) => {
                    self.inner = None;
                    return Poll::Ready(last);
                }
                Poll::Pending if self.is_closing(cx) => {
                    self.inner = None;
                    return Poll::Ready(self.last_frame());
                }
                Poll::Pending if self.is_out_of_time(cx) => {
                    self.inner = None;
                    return Poll::Ready(Some(Err(Box::new(TooSlow))));
                }
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner
            .as_ref()
            .map_or_else(|| SizeHint::with_exact(0), HttpBody::size_hint)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // G-13: without `drains`, dropping the body closes the upstream's request.
        if let (Some(body), Some(drains)) = (self.inner.take(), &self.drains)
            && !body.is_end_stream()
        {
            drains.keep(body);
        }
    }
}

impl Patience {
    /// Whether it is that of a stream.
    pub(crate) const fn is_idle(self) -> bool {
        matches!(self, Self::Idle(_))
    }

    const fn span(self) -> Duration {
        match self {
            Self::Whole(span) | Self::Idle(span) => span,
        }
    }
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay")
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}
