//! Where a refresh can be made to die on its way, in builds for fault tests.

use core::time::Duration;

use claviger_ports::failpoint::is_set;
use claviger_ports::system::SystemClock;
use claviger_ports::{Clock as _, FetchRequest, Sink, failpoint_in_task};
use futures_util::future::{Either, select};

/// By then a request to a test's issuer is written.
const WRITTEN: Duration = Duration::from_millis(200);

/// Which request this is: other token requests have other failpoints.
pub(crate) fn is_refresh(request: &FetchRequest) -> bool {
    let needle = b"grant_type=refresh_token";
    let body = request.body.as_deref().unwrap_or_default();
    request.sink == Sink::Token && body.windows(needle.len()).any(|part| part == needle)
}

/// Runs the exchange; `refresh.after_send` is hit before anything of its answer is told.
pub(crate) async fn watched<T>(is_refresh: bool, exchange: impl Future<Output = T>) -> T {
    if !is_refresh {
        return exchange.await;
    }
    if !is_set("refresh.after_send") {
        let answer = exchange.await;
        failpoint_in_task!("refresh.after_first_byte");
        return answer;
    }
    let answer = match select(Box::pin(exchange), SystemClock.sleep(WRITTEN)).await {
        Either::Left((answer, _)) => {
            failpoint_in_task!("refresh.after_send");
            answer
        }
        Either::Right(((), exchange)) => {
            failpoint_in_task!("refresh.after_send");
            exchange.await
        }
    };
    failpoint_in_task!("refresh.after_first_byte");
    answer
}
