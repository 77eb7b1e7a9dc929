//! The page where a person types the code of a device. No CORS here, and no frame (A059).

use ::http::{HeaderMap, StatusCode};
use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;

use super::Shared;
use super::address::Address;
use super::pages::{cookies, fetch_site, question, see_other, show, sorry};
use crate::{AuthorizeRequest, DevicePage, FormAction, Issuer, PageProblem, device_code_page};

pub(super) async fn page(
    State(shared): State<Shared>,
    Address(address): Address,
    headers: HeaderMap,
) -> Response {
    let request = AuthorizeRequest {
        query: "",
        cookies: cookies(&headers),
        fetch_site: fetch_site(&headers),
        address,
    };
    let page = shared.issuer.device_page(&request, shared.clock.now());
    answer(&shared.issuer, page.await)
}

pub(super) async fn enter(
    State(shared): State<Shared>,
    Address(address): Address,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Ok(form) = core::str::from_utf8(&body) else {
        return sorry(PageProblem::TooLong);
    };
    let request = AuthorizeRequest {
        query: form,
        cookies: cookies(&headers),
        fetch_site: fetch_site(&headers),
        address,
    };
    let page = shared
        .issuer
        .enter_device_code(&request, shared.clock.now());
    answer(&shared.issuer, page.await)
}

fn answer(issuer: &Issuer, page: DevicePage) -> Response {
    match page {
        DevicePage::Ask(ask) => question(issuer, &ask),
        DevicePage::Enter { action, is_retry } => {
            let page = device_code_page(&action, is_retry);
            show(StatusCode::OK, page, FormAction::Us)
        }
        DevicePage::Problem(problem) => sorry(problem),
        DevicePage::SignIn(redirect) => see_other(&redirect),
    }
}
