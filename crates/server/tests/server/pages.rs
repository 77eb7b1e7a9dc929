//! The pages, as browsers and as attackers see them.

use bytes::Bytes;
use claviger_admin_api::{AddServer, Line, Request as Act};
use claviger_server::demo::play_browser;
use http::{HeaderValue, Request, StatusCode, header};
use http_body_util::Full;

use crate::support::{
    Answer, Place, Running, Upstream, act, approve, ask, done, get, post, problem,
};

async fn bench() -> (Place, Upstream, Running) {
    bench_in(Place::new()).await
}

async fn bench_in(place: Place) -> (Place, Upstream, Running) {
    let (upstream, running) = (Upstream::start().await, place.serve().await);
    upstream.add(&*place.open().await, "demo").await;
    (place, upstream, running)
}

fn with(
    mut request: Request<Full<Bytes>>,
    fields: &[(&'static str, &str)],
) -> Request<Full<Bytes>> {
    for (name, value) in fields {
        let value = HeaderValue::from_str(value).unwrap();
        request.headers_mut().insert(*name, value);
    }
    request
}

/// What a browser sends back of a `Set-Cookie`.
fn pair(answer: &Answer) -> String {
    let cookie = answer.header("set-cookie");
    cookie.split(';').next().unwrap().to_owned()
}

/// The same, of the cookie that ties a link to its browser.
fn link_pair(answer: &Answer) -> String {
    let mut all = answer.headers.get_all("set-cookie").iter();
    let cookie = all.find(|one| one.as_bytes().starts_with(b"claviger_link="));
    let cookie = cookie.unwrap().to_str().unwrap();
    cookie.split(';').next().unwrap().to_owned()
}

/// Presses the button of a link and approves: the redirect, and the callback's address.
async fn until_callback(running: &Running) -> (Answer, String) {
    let begun = ask(post(&running.link("demo").await)).await;
    // A066
    assert_eq!(begun.status, StatusCode::SEE_OTHER, "{begun:?}");
    let callback = approve(begun.header("location"), "approve").await;
    (begun, callback)
}

#[tokio::test]
async fn the_link_leads_through_the_sign_in_and_says_server_and_host() {
    let (_place, upstream, running) = bench().await;
    let link = running.link("demo").await;
    let page = ask(get(&link)).await;
    let host = upstream.demo.url().split('/').nth(2).unwrap().to_owned();
    for text in ["Sign in to demo", host.as_str(), "<form method=\"post\""] {
        assert!(page.text.contains(text), "{text}: {page:?}");
    }
    // A059, A067, A190
    assert_eq!(page.header("referrer-policy"), "no-referrer");
    assert_eq!(page.header("x-frame-options"), "DENY");
    assert_eq!(page.header("cache-control"), "no-store");
    assert!(
        page.header("content-security-policy")
            .contains("frame-ancestors 'none'")
    );
    assert!(!page.text.contains("<script") && !page.text.contains("//fonts"));

    let played = play_browser(&link).await.unwrap();
    assert_eq!(played.status, StatusCode::OK);
    assert_eq!(played.title, "Signed in to demo · Claviger");
    // A link is good for one sign-in.
    assert_eq!(ask(get(&link)).await.status, StatusCode::NOT_FOUND);
    assert_eq!(running.call("demo").await.status, StatusCode::OK);
    running.stopped().await;
}

#[tokio::test]
async fn a193_a149_pages_answer_to_their_own_names_only() {
    let (_place, _upstream, running) = bench().await;
    let link = running.link("demo").await;
    let port = running.address().port();
    for path in [
        "/",
        "/favicon.ico",
        "/callback/x?code=a&state=b",
        "/nothing",
    ] {
        let foreign = with(get(&running.url(path)), &[("host", "evil.example")]);
        assert_eq!(ask(foreign).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    for host in [
        "evil.example".to_owned(),
        format!("evil.example:{port}"),
        format!("127.0.0.1.evil.example:{port}"),
        format!("localhost.evil.example:{port}"),
        "[::2]".to_owned(),
        String::new(),
    ] {
        for request in [get(&link), post(&link)] {
            let refused = ask(with(request, &[("host", &host)])).await;
            assert_eq!(refused.status, StatusCode::FORBIDDEN, "{host}");
            // What they called us does not come back.
            assert!(!refused.text.contains("evil"), "{refused:?}");
        }
    }
    let mut twice = get(&link);
    twice
        .headers_mut()
        .append("host", HeaderValue::from_static("evil.example"));
    assert!(ask(twice).await.status.is_client_error());
    for host in [
        format!("localhost:{port}"),
        "LOCALHOST".to_owned(),
        "[::1]".to_owned(),
    ] {
        let ours = ask(with(get(&link), &[("host", &host)])).await;
        assert_eq!(ours.status, StatusCode::OK, "{host}");
    }
    running.stopped().await;
}

#[tokio::test]
async fn a057_a058_another_sites_page_cannot_begin_a_sign_in() {
    let (_place, upstream, running) = bench().await;
    let link = running.link("demo").await;
    let bare = || {
        let mut request = post(&link);
        request.headers_mut().remove("sec-fetch-site");
        request
    };
    for fields in [
        &[("sec-fetch-site", "cross-site")][..],
        &[("sec-fetch-site", "same-site")],
        &[
            ("sec-fetch-site", "same-site"),
            ("origin", "http://127.0.0.1:1"),
        ],
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
        &[("origin", "http://127.0.0.1:1")],
    ] {
        let refused = ask(with(bare(), fields)).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{fields:?}");
        assert!(refused.headers.get("location").is_none());
    }
    // A sign-in is begun by POST alone.
    assert!(ask(get(&link)).await.headers.get("location").is_none());
    assert_eq!(upstream.demo.counters().registrations, 0);
    let own = format!("http://{}", running.address());
    let begun = ask(with(bare(), &[("origin", &own)])).await;
    assert_eq!(begun.status, StatusCode::SEE_OTHER);
    running.stopped().await;
}

#[tokio::test]
async fn the_form_takes_no_more_than_a_form() {
    let (_place, upstream, running) = bench().await;
    let mut large = post(&running.link("demo").await);
    *large.body_mut() = Full::new(Bytes::from(vec![b'x'; 100_000]));
    assert_eq!(ask(large).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(upstream.demo.counters().registrations, 0);
    running.stopped().await;
}

#[tokio::test]
async fn a056_another_browsers_callback_is_refused_and_no_code_is_sent() {
    let (_place, upstream, running) = bench().await;
    for cookie in [None, Some("claviger_sign_in=guessed")] {
        let (_begun, callback) = until_callback(&running).await;
        let mut request = get(&callback);
        if let Some(cookie) = cookie {
            request = with(request, &[("cookie", cookie)]);
        }
        let answer = ask(request).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        // M11
        assert!(answer.text.contains("did not work"), "{answer:?}");
        assert!(answer.text.contains("another browser"), "{answer:?}");
    }
    assert_eq!(upstream.demo.counters().redemptions, 0);
    running.stopped().await;
}

#[tokio::test]
async fn m2_a192_unknown_late_and_doubled_callbacks_change_and_send_nothing() {
    let (_place, upstream, running) = bench().await;
    let (begun, callback) = until_callback(&running).await;
    let (place, query) = callback.split_once('?').unwrap();
    let id = place.rsplit('/').next().unwrap();
    let before = upstream.demo.counters();
    for path in [
        "/callback/nosuch?code=a&state=b".to_owned(),
        format!("/callback/{id}"),
        format!("/callback/{id}?"),
        format!("/callback/{id}?code=a&state=wrong"),
        format!("/callback/{id}?code=a&code=b&state=c"),
        format!("/callback/{id}?error=access_denied&state=wrong"),
        // A084: doubled parameters of the true one.
        format!("/callback/{id}?{query}&code=x"),
    ] {
        let answer = ask(get(&running.url(&path))).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}");
        assert!(
            answer.text.contains("No sign-in is waiting"),
            "{path}: {answer:?}"
        );
    }
    // A link checker that asks for the head takes nothing away.
    let mut head = get(&callback);
    *head.method_mut() = http::Method::HEAD;
    assert_eq!(ask(head).await.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(upstream.demo.counters(), before);

    let cookie = pair(&begun);
    let true_one = || with(get(&callback), &[("cookie", &cookie)]);
    let answer = ask(true_one()).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert!(answer.header("set-cookie").contains("Max-Age=0"));
    let doubled = ask(true_one()).await;
    assert!(
        doubled.text.contains("No sign-in is waiting"),
        "{doubled:?}"
    );
    let counters = upstream.demo.counters();
    assert_eq!((counters.redemptions, counters.reuses), (1, 0));
    running.stopped().await;
}

#[tokio::test]
async fn m11_a_declined_sign_in_says_so() {
    let (_place, _upstream, running) = bench().await;
    let begun = ask(post(&running.link("demo").await)).await;
    let callback = approve(begun.header("location"), "deny").await;
    let answer = ask(with(get(&callback), &[("cookie", &pair(&begun))])).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert!(answer.text.contains("was declined"), "{answer:?}");
    running.stopped().await;
}

#[tokio::test]
async fn m3_a_second_press_is_told_of_the_first_and_may_start_over() {
    let (_place, _upstream, running) = bench().await;
    let link = running.link("demo").await;
    let begun = ask(post(&link)).await;
    assert_eq!(begun.status, StatusCode::SEE_OTHER);
    let cookie = link_pair(&begun);
    let here = |url: &str| with(post(url), &[("cookie", &cookie)]);
    let second = ask(here(&link)).await;
    assert_eq!(second.status, StatusCode::CONFLICT);
    assert!(second.text.contains("already under way") && second.text.contains("?again"));
    let over = ask(here(&format!("{link}?again"))).await;
    assert_eq!(over.status, StatusCode::SEE_OTHER, "{over:?}");
    // The cookie of a link is new with each beginning.
    let cookie = link_pair(&over);
    let again = ask(with(post(&link), &[("cookie", &cookie)])).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    running.stopped().await;
}

#[tokio::test]
async fn two_sign_ins_in_one_browser_keep_apart() {
    let (place, upstream, running) = bench().await;
    let other = Upstream::start().await;
    other.add(&*place.open().await, "other").await;
    let one = ask(post(&running.link("demo").await)).await;
    let two = ask(post(&running.link("other").await)).await;
    let path = |answer: &Answer| {
        let cookie = answer.header("set-cookie").to_owned();
        cookie
            .split("; ")
            .find(|part| part.starts_with("Path="))
            .unwrap()
            .to_owned()
    };
    assert_ne!(path(&one), path(&two));
    for answer in [&one, &two] {
        let callback = approve(answer.header("location"), "approve").await;
        assert!(callback.contains(path(answer).trim_start_matches("Path=")));
        let ended = ask(with(get(&callback), &[("cookie", &pair(answer))])).await;
        assert_eq!(ended.status, StatusCode::OK, "{ended:?}");
    }
    assert_eq!(upstream.demo.counters().redemptions, 1);
    running.stopped().await;
}

#[tokio::test]
async fn behind_a_public_address_cookies_are_secure_and_paths_are_whole() {
    let place = Place::new().with("server.public_url", "https://gateway.example/keys/");
    let (_place, _upstream, running) = bench_in(place).await;
    assert_eq!(running.ready.base_url, "https://gateway.example/keys");
    let link = running.link("demo").await;
    let public = &[("host", "gateway.example")];
    let page = ask(with(get(&link), public)).await;
    assert!(page.text.contains("action=\"/keys/login/"), "{page:?}");
    assert!(page.text.contains("href=\"/keys/favicon.svg\""), "{page:?}");
    let begun = ask(with(post(&link), public)).await;
    let cookie = begun.header("set-cookie");
    assert!(cookie.contains("; Path=/keys/callback/"), "{cookie}");
    for flag in ["HttpOnly", "SameSite=Lax", "Secure", "Max-Age=600"] {
        assert!(cookie.contains(flag), "{cookie}");
    }
    let uri = "redirect_uri=https%3A%2F%2Fgateway.example%2Fkeys%2Fcallback%2F";
    assert!(begun.header("location").contains(uri), "{begun:?}");
    running.stopped().await;
}

#[tokio::test]
async fn a090_a188_nothing_in_the_address_sends_a_browser_elsewhere() {
    let (_place, upstream, running) = bench().await;
    let link = running.link("demo").await;
    for query in [
        "next=//evil.example",
        "return_to=https:evil.example",
        "again=//evil.example",
    ] {
        let page = ask(get(&format!("{link}?{query}"))).await;
        assert!(!page.text.contains("evil"), "{page:?}");
    }
    let begun = ask(post(&format!("{link}?next=https://evil.example"))).await;
    let location = begun.header("location");
    assert!(location.starts_with(upstream.demo.issuer()), "{location}");
    assert!(!location.contains("evil"), "{location}");
    for path in [
        "//evil.example",
        "/login//evil.example",
        "/callback//evil.example/",
    ] {
        let answer = ask(get(&running.url(path))).await;
        assert!(answer.status.is_client_error() && answer.headers.get("location").is_none());
    }
    running.stopped().await;
}

#[tokio::test]
async fn g9_a_hostile_name_stays_a_name() {
    let (place, upstream, running) = bench().await;
    let hostile = "<script>alert(1)</script>\"'\u{202e}";
    let add = AddServer {
        display_name: Some(hostile.to_owned()),
        ..upstream.as_server("hostile")
    };
    let added = act(&*place.open().await, Act::AddServer(Box::new(add))).await;
    assert!(matches!(done(added)[..], [.., Line::Server(_)]));
    let page = ask(get(&running.link("hostile").await)).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(
        !page.text.contains("<script") && !page.text.contains('\u{202e}'),
        "{page:?}"
    );
    assert!(page.text.contains("(hostile)"), "{page:?}");
    running.stopped().await;
}

#[tokio::test]
async fn what_stands_beside_the_sign_in() {
    let (_place, _upstream, running) = bench().await;
    let status = async |path: &str| ask(get(&running.url(path))).await.status;
    assert_eq!(status("/healthz").await, StatusCode::OK);
    assert_eq!(status("/readyz").await, StatusCode::OK);
    assert_eq!(status("/").await, StatusCode::OK);
    assert_eq!(status("/login/nosuch").await, StatusCode::NOT_FOUND);
    for icon in ["/favicon.ico", "/favicon.svg"] {
        let answer = ask(get(&running.url(icon))).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.header("content-type"), "image/svg+xml");
    }
    let program = ask(get(&running.url("/nothing"))).await;
    assert_eq!(program.status, StatusCode::NOT_FOUND);
    assert!(!program.text.contains('<'), "{program:?}");
    let person = with(get(&running.url("/nothing")), &[("accept", "text/html")]);
    assert!(ask(person).await.text.contains("There is nothing here"));
    // A probe may call us by whatever address it knows.
    let probe = with(get(&running.url("/healthz")), &[("host", "10.0.0.7:7447")]);
    assert_eq!(ask(probe).await.status, StatusCode::OK);
    running.stopped().await;
}

#[tokio::test]
async fn a_page_of_another_method_is_not_there() {
    let (_place, _upstream, running) = bench().await;
    for path in ["/", "/callback/x", "/healthz"] {
        let answer = ask(post(&running.url(path))).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
        assert!(answer.headers.contains_key(header::ALLOW));
    }
    running.stopped().await;
}

#[tokio::test]
async fn a056_a_link_that_was_begun_with_is_of_no_use_to_another_browser() {
    let (_place, upstream, running) = bench().await;
    let link = running.link("demo").await;
    let begun = ask(post(&link)).await;
    for url in [link.clone(), format!("{link}?again")] {
        for cookie in [None, Some("claviger_link=guessed")] {
            let mut request = post(&url);
            if let Some(cookie) = cookie {
                request = with(request, &[("cookie", cookie)]);
            }
            let refused = ask(request).await;
            assert_eq!(refused.status, StatusCode::FORBIDDEN, "{refused:?}");
            assert!(refused.headers.get("location").is_none());
        }
    }
    // What was begun goes on to its end, and the person is not locked out of a new link.
    assert_ne!(running.link("demo").await, link);
    let callback = approve(begun.header("location"), "approve").await;
    let ended = ask(with(get(&callback), &[("cookie", &pair(&begun))])).await;
    assert_eq!(ended.status, StatusCode::OK, "{ended:?}");
    assert_eq!(upstream.demo.counters().redemptions, 1);
    running.stopped().await;
}

#[tokio::test]
async fn m12_a_callback_that_is_pasted_does_not_use_up_a_browsers_sign_in() {
    let (place, upstream, running) = bench().await;
    let (begun, callback) = until_callback(&running).await;
    let gateway = place.open().await;
    let pasted = Act::Callback {
        url: callback.clone(),
    };
    let problem = problem(act(&*gateway, pasted).await);
    assert_eq!(problem.code, "begun_in_browser");
    let ended = ask(with(get(&callback), &[("cookie", &pair(&begun))])).await;
    assert_eq!(ended.status, StatusCode::OK, "{ended:?}");
    assert_eq!(upstream.demo.counters().redemptions, 1);
    running.stopped().await;
}
