//! Beginning sign-ins, waiting for them, and their one end.

use claviger_broker::{BeginError, Begun, Completed};
use claviger_model::{
    Auth, OauthSettings, Outcome, Reason, Server, ServerId, Slug, Standing, TenantId, UserId,
};
use claviger_testkit::FixedClock;
use claviger_wire::ScopeSet;
use futures_util::future::join_all;

use crate::support::{Installation, begin, ended, forced, key, linear};

#[tokio::test]
async fn k7_a124_stores_what_it_got_before_anything_is_done_with_it() {
    let (installation, node, server) = Installation::signed_in().await;
    let stored = node.credential(&server).await.unwrap();
    assert_eq!((stored.version, stored.is_refreshable), (1, true));
    let connection = node.connection(&server).await.unwrap();
    assert_eq!(connection.standing, Standing::Connected);
    // Another process finds it there, although this one attached it to nothing yet.
    let other = installation.node(2).await;
    assert_eq!(other.bearer(&server).await, node.bearer(&server).await);
    // A124: what comes after does not take it away again.
    let requests = installation.world.requests();
    assert!(requests.last().unwrap().url.ends_with("/token"));
}

#[tokio::test]
async fn m3_a_second_sign_in_is_pointed_to_the_first() {
    let installation = Installation::new();
    let node = installation.node(1).await;
    let (server, owner) = (node.add(linear()).await, UserId::owner());
    let first = node.start(&server, &owner, begin()).await;
    installation.clock.advance_secs(7);
    match node.begin(&server, &owner, begin()).await.unwrap_err() {
        BeginError::InFlight { id, since_s } => assert_eq!((id, since_s), (first.id.clone(), 7)),
        other => panic!("{other:?}"),
    }
    // Another user is nobody's second.
    let other = UserId::parse("other").unwrap();
    node.start(&server, &other, begin()).await;

    let mut over = begin();
    over.start_over = true;
    let second = node.start(&server, &owner, over).await;
    assert_ne!(first.id, second.id);
    assert_eq!(
        node.broker.ended(&first.id).await.outcome,
        Outcome::Cancelled
    );
    let late = installation.issuer.agree(&first.authorization_url);
    assert!(matches!(
        node.complete(&server, &late).await,
        Completed::NotOurs
    ));
    let query = installation.issuer.agree(&second.authorization_url);
    let done = ended(node.complete(&server, &query).await);
    assert_eq!(done.outcome, Outcome::Success);
}

#[tokio::test]
async fn m3_of_many_begun_at_once_one_is_in_flight_and_the_others_point_to_it() {
    let installation = Installation::new();
    let node = installation.node(1).await;
    let (server, owner) = (node.add(linear()).await, UserId::owner());
    let begun = join_all((0..8).map(|_| node.begin(&server, &owner, begin()))).await;
    let mut started = Vec::new();
    let mut pointed = Vec::new();
    for one in begun {
        match one {
            Ok(Begun::Started(one)) => started.push(one.id),
            Err(BeginError::InFlight { id, .. }) => pointed.push(id),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((started.len(), pointed.len()), (1, 7));
    assert!(pointed.iter().all(|id| *id == started[0]));
}

#[tokio::test]
async fn m3_can_be_cancelled_once() {
    let installation = Installation::new();
    let node = installation.node(1).await;
    let (server, owner) = (node.add(linear()).await, UserId::owner());
    let started = node.start(&server, &owner, begin()).await;
    assert!(node.broker.cancel(&server, &owner).await.unwrap());
    assert!(!node.broker.cancel(&server, &owner).await.unwrap());
    let told = node.broker.ended(&started.id).await;
    assert_eq!(told.outcome, Outcome::Cancelled);
    node.start(&server, &owner, begin()).await;
}

#[tokio::test]
async fn m3_nobody_came_back_in_time() {
    let installation = Installation::new();
    let node = installation.node(1).await;
    let (server, owner) = (node.add(linear()).await, UserId::owner());
    let started = node.start(&server, &owner, begin()).await;
    let waiting = node.broker.ended(&started.id);
    let end = tick(&installation.clock, waiting).await;
    assert_eq!(end.outcome, Outcome::TimedOut);
    assert!(end.hint.is_some());
    let query = installation.issuer.agree(&started.authorization_url);
    assert!(matches!(
        node.complete(&server, &query).await,
        Completed::NotOurs
    ));
    assert!(node.credential(&server).await.is_none());
    node.start(&server, &owner, begin()).await;
}

#[tokio::test]
async fn m4_everybody_hears_one_end_and_late_askers_too() {
    let installation = Installation::new();
    let node = installation.node(1).await;
    let other = installation.node(2).await;
    let (server, owner) = (node.add(linear()).await, UserId::owner());
    let started = node.start(&server, &owner, begin()).await;
    let query = installation.issuer.agree(&started.authorization_url);
    let waiting = join_all((0..3).map(|_| node.broker.ended(&started.id)));
    let elsewhere = other.broker.ended(&started.id);
    let coming = async {
        tokio::task::yield_now().await;
        ended(node.complete(&server, &query).await)
    };
    let all = async { tokio::join!(waiting, elsewhere, coming) };
    let (heard, elsewhere, came) = installation.driven(all).await;
    assert_eq!(came.outcome, Outcome::Success);
    assert!(heard.iter().all(|one| one.outcome == Outcome::Success));
    // Another process is told by the database.
    assert_eq!(elsewhere.outcome, Outcome::Success);
    // Just completed can be asked, and nothing changes the end.
    node.broker.cancel_later(started.id.clone());
    node.tasks.finished().await;
    let late = node.broker.ended(&started.id).await;
    assert_eq!(late.outcome, Outcome::Success);
    assert!(!late.steps.is_empty());
    let row = node.rows().find_sign_in(&started.id).await.unwrap();
    assert_eq!(row.unwrap().outcome, Some(Outcome::Success));
}

#[tokio::test]
async fn m5_a_usable_or_refreshable_credential_needs_no_sign_in() {
    let (installation, node, server) = Installation::signed_in().await;
    let owner = UserId::owner();
    installation.world.forget();
    let begun = node.begin(&server, &owner, begin()).await.unwrap();
    assert!(matches!(begun, Begun::Connected));
    assert!(installation.world.requests().is_empty());
    node.expire();
    let begun = node.begin(&server, &owner, begin()).await.unwrap();
    assert!(matches!(begun, Begun::Connected));
    assert_eq!(installation.issuer.redeemed(), 1);
    // Unless it is wanted.
    node.start(&server, &owner, forced()).await;
}

#[tokio::test]
async fn m5_a_server_that_asks_nobody_is_told_apart_from_one_that_is_down() {
    let installation = Installation::new();
    let node = installation.node(1).await;
    let owner = UserId::owner();
    installation.world.open("https://linear.example/mcp");
    let open = node.add(linear()).await;
    let begun = node.begin(&open, &owner, begin()).await.unwrap();
    assert!(matches!(begun, Begun::NoSignIn));
    let status = node.broker.status(&open, &owner).await.unwrap();
    assert_eq!(status.standing, Standing::NoSignIn);
    let broken = node
        .add(Server {
            id: ServerId::parse("broken").unwrap(),
            slug: Slug::parse("broken").unwrap(),
            url: "https://broken.example/mcp".to_owned(),
            ..linear()
        })
        .await;
    assert!(node.begin(&broken, &owner, begin()).await.is_err());
    let status = node.broker.status(&broken, &owner).await.unwrap();
    assert_eq!(status.standing, Standing::NeverConnected);
}

#[tokio::test]
async fn a_sign_in_that_fails_leaves_what_was_held() {
    let (installation, node, server) = Installation::signed_in().await;
    let before = node.credential(&server).await;
    let started = node.start(&server, &UserId::owner(), forced()).await;
    let query = installation.issuer.agree(&started.authorization_url);
    let declined = query.replace("code=", "ignored=") + "&error=access_denied";
    let end = ended(node.complete(&server, &declined).await);
    assert_eq!(
        (end.outcome, end.standing),
        (Outcome::Denied, Standing::Connected)
    );
    assert_eq!(node.credential(&server).await, before);
}

#[tokio::test]
async fn what_cannot_be_opened_does_not_stand_in_the_way_of_a_sign_in() {
    let (_installation, node, server) = Installation::signed_in().await;
    let mut row = node.credential(&server).await.unwrap();
    row.version += 1;
    row.sealed.reverse();
    let connection = node.connection(&server).await.unwrap();
    let rows = node.rows();
    rows.replace_credential(&row, &connection).await.unwrap();
    node.broker.invalidate();
    assert!(node.attach(&server).await.is_err());
    let end = node.sign_in(&server, &UserId::owner()).await;
    assert_eq!(end.outcome, Outcome::Success);
    node.bearer(&server).await;
}

#[tokio::test]
async fn m5_a_late_note_that_nothing_is_held_asks_nobody_to_sign_in() {
    let (_installation, node, server) = Installation::signed_in().await;
    let owner = UserId::owner();
    let mut late = node.connection(&server).await.unwrap();
    late.standing = Standing::NeedsSignIn;
    late.reason = Some(Reason::Disconnected);
    node.rows().update_connection(&late).await.unwrap();
    let status = node.broker.status(&server, &owner).await.unwrap();
    assert_eq!(
        (status.standing, status.reason),
        (Standing::Connected, None)
    );
    let begun = node.begin(&server, &owner, begin()).await.unwrap();
    assert!(matches!(begun, Begun::Connected));
    assert_eq!(late.key, key(&server, &owner));
}

#[tokio::test]
async fn m4_a_sign_in_of_another_tenant_ends_in_that_tenant() {
    let installation = Installation::new();
    let node = installation.node(1).await;
    let acme = Server {
        tenant: TenantId::parse("acme").unwrap(),
        ..linear()
    };
    let (rows, owner) = (node.store.tenant(&acme.tenant), UserId::owner());
    rows.insert_server(&acme).await.unwrap();
    let started = node.start(&acme, &owner, begin()).await;
    node.broker.cancel_later(started.id.clone());
    node.tasks.finished().await;
    let row = rows.find_sign_in(&started.id).await.unwrap();
    assert_eq!(row.unwrap().outcome, Some(Outcome::Cancelled));
    let started = node.start(&acme, &owner, begin()).await;
    let query = installation.issuer.agree(&started.authorization_url);
    let done = ended(node.complete(&acme, &query).await);
    assert_eq!(done.outcome, Outcome::Success);
    let told = node.broker.ended(&started.id).await;
    assert_eq!(told.outcome, Outcome::Success);
    // The same name in the default tenant knows nothing of it.
    let twin = node.add(linear()).await;
    assert!(node.attach(&twin).await.unwrap().mark.is_none());
}

async fn tick<T>(clock: &FixedClock, work: impl Future<Output = T>) -> T {
    let mut work = Box::pin(work);
    loop {
        tokio::select! {
            biased;
            done = &mut work => return done,
            () = tokio::task::yield_now() => clock.advance_secs(1),
        }
    }
}

#[tokio::test]
async fn q20_after_invalid_scope_the_next_sign_in_asks_for_less_once() {
    let installation = Installation::new();
    let listed = Some(vec!["read".to_owned()]);
    installation.issuer.set(|issuer| issuer.scopes = listed);
    let node = installation.node(1).await;
    let settings = OauthSettings {
        scopes: Some(ScopeSet::parse_lossy("read write")),
        ..OauthSettings::default()
    };
    let server = Server {
        auth: Auth::Oauth(Box::new(settings)),
        ..linear()
    };
    let (server, owner) = (node.add(server).await, UserId::owner());
    for (turn, scope) in [
        (1, "scope=read+write"),
        (2, "scope=read&"),
        (3, "scope=read+write"),
    ] {
        let started = node.start(&server, &owner, begin()).await;
        let url = format!("{}&", started.authorization_url);
        assert!(url.contains(scope), "{turn}: {url}");
        let agreed = installation.issuer.agree(&started.authorization_url);
        let (_code, rest) = agreed.split_once('&').unwrap();
        let error = if turn == 1 {
            "invalid_scope"
        } else {
            "server_error"
        };
        let end = ended(
            node.complete(&server, &format!("error={error}&{rest}"))
                .await,
        );
        assert_eq!(end.outcome, Outcome::Failed);
        let hint = end.hint.unwrap_or_default();
        assert_eq!(hint.contains("--scope"), turn == 1, "{turn}: {hint}");
    }
}
