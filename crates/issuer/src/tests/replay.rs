//! The same refresh token twice: the grace, its ends, and many at once.

use std::sync::Arc;

use claviger_crypto::Secret;
use futures_util::future::join_all;

use super::fixture::{Fixture, Known, OTHER, settings};
use crate::{ErrorCode, IssuerEvent, RefreshGrace, TokenAnswer};

fn refresh_of(tokens: &TokenAnswer) -> &Secret {
    tokens.refresh_token().unwrap()
}

/// A public client, signed in at 0 and refreshed at 100: the spent token and what it gave.
async fn refreshed(fixture: &Fixture) -> (Known, TokenAnswer, TokenAnswer) {
    let (client, tokens) = fixture.signed_in().await;
    let next = fixture
        .refresh(&client, refresh_of(&tokens), &[], 100)
        .await
        .unwrap();
    (client, tokens, next)
}

async fn assert_ended(fixture: &Fixture, client: &Known, tokens: &TokenAnswer, now: i64) {
    assert!(!fixture.is_live(tokens.access_token(), now).await);
    let error = fixture
        .refresh(client, refresh_of(tokens), &[], now)
        .await
        .unwrap_err();
    assert_eq!(error.code(), ErrorCode::InvalidGrant);
}

#[tokio::test]
async fn n9_a111_a_lost_answer_is_given_again() {
    let fixture = Fixture::new();
    let (client, tokens, next) = refreshed(&fixture).await;
    for now in [100, 101, 105, 105] {
        let again = fixture
            .refresh(&client, refresh_of(&tokens), &[], now)
            .await
            .unwrap();
        assert!(refresh_of(&again).matches(refresh_of(&next)), "{now}");
        assert!(again.access_token().matches(next.access_token()));
        assert_eq!(again.body()["expires_in"], 700 - now);
        assert_eq!(again.body()["scope"], "read");
    }
    assert_eq!(fixture.heard.count(IssuerEvent::Refreshed), 1);
    assert_eq!(fixture.heard.count(IssuerEvent::RefreshReplayed), 4);
    // After the successor was used, the old token is one too many.
    let third = fixture
        .refresh(&client, refresh_of(&next), &[], 106)
        .await
        .unwrap();
    let error = fixture
        .refresh(&client, refresh_of(&tokens), &[], 106)
        .await;
    assert_eq!(error.unwrap_err().code(), ErrorCode::InvalidGrant);
    assert_ended(&fixture, &client, &third, 107).await;
    assert_eq!(fixture.heard.count(IssuerEvent::RefreshReused), 1);
}

#[tokio::test]
async fn a109_a_spent_token_after_the_grace_ends_the_family() {
    let fixture = Fixture::new();
    let (client, tokens, next) = refreshed(&fixture).await;
    let error = fixture
        .refresh(&client, refresh_of(&tokens), &[], 131)
        .await;
    assert_eq!(error.unwrap_err().code(), ErrorCode::InvalidGrant);
    for tokens in [&tokens, &next] {
        assert_ended(&fixture, &client, tokens, 131).await;
    }
    assert_eq!(fixture.heard.count(IssuerEvent::RefreshReused), 1);
}

#[tokio::test]
async fn a112_the_fourth_replay_in_the_grace_ends_the_family() {
    let fixture = Fixture::new();
    let (client, tokens, next) = refreshed(&fixture).await;
    for now in [106, 110, 130] {
        let again = fixture
            .refresh(&client, refresh_of(&tokens), &[], now)
            .await;
        assert!(refresh_of(&again.unwrap()).matches(refresh_of(&next)));
    }
    let error = fixture
        .refresh(&client, refresh_of(&tokens), &[], 111)
        .await;
    assert_eq!(error.unwrap_err().code(), ErrorCode::InvalidGrant);
    assert_ended(&fixture, &client, &next, 112).await;
}

#[tokio::test]
async fn a112_a_replay_for_anybody_or_anything_else_ends_the_family() {
    for more in [
        Some(("scope", "read write")),
        Some(("resource", OTHER)),
        Some(("scope", "write")),
        None,
    ] {
        let fixture = Fixture::new();
        let (client, tokens, next) = refreshed(&fixture).await;
        let stranger = fixture.client("none").await;
        let (by, more) = match more {
            Some(more) => (&client, vec![more]),
            None => (&stranger, Vec::new()),
        };
        let error = fixture
            .refresh(by, refresh_of(&tokens), &more, 101)
            .await
            .unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidGrant, "{more:?}");
        assert_ended(&fixture, &client, &next, 102).await;
    }
}

#[tokio::test]
async fn a111_a_narrower_answer_is_given_again_only_as_narrow() {
    let fixture = Fixture::new();
    let client = fixture.client("none").await;
    let code = fixture.code_for(&client, &[("scope", "read write")]).await;
    let tokens = fixture.redeem(&client, &code, 0).await.unwrap();
    let narrow = [("scope", "read")];
    let mut given = Vec::new();
    for _ in 0..2 {
        let answer = fixture
            .refresh(&client, refresh_of(&tokens), &narrow, 1)
            .await;
        given.push(answer.unwrap());
    }
    assert!(refresh_of(&given[0]).matches(refresh_of(&given[1])));
    assert_eq!(given[1].scopes().to_string(), "read");
    let whole = fixture.refresh(&client, refresh_of(&tokens), &[], 1).await;
    assert!(whole.is_err());
    assert_ended(&fixture, &client, &given[0], 2).await;
}

#[tokio::test]
async fn a110_a_hundred_at_once_get_one_successor() {
    let rounds = if cfg!(miri) { 1 } else { 1_000 };
    let fixture = Fixture::new();
    let client = fixture.client("none").await;
    for round in 0..rounds {
        let code = fixture.code(&client).await;
        let tokens = fixture.redeem(&client, &code, 0).await.unwrap();
        // A hundred in the first round, and some in every other.
        let many = if round == 0 { 100 } else { 4 };
        let asked = (0..many).map(|_| fixture.refresh(&client, refresh_of(&tokens), &[], 1));
        let answers = join_all(asked).await;
        let first = answers[0].as_ref().unwrap();
        for answer in &answers {
            assert!(refresh_of(answer.as_ref().unwrap()).matches(refresh_of(first)));
        }
        assert!(fixture.is_live(first.access_token(), 1).await);
    }
    assert_eq!(fixture.heard.count(IssuerEvent::RefreshReused), 0);
    assert_eq!(fixture.heard.count(IssuerEvent::Refreshed), rounds);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a110_on_many_threads_there_is_no_fork() {
    let fixture = Arc::new(Fixture::new());
    for _ in 0..50 {
        let (client, tokens) = fixture.signed_in().await;
        let (client, tokens) = (Arc::new(client), Arc::new(tokens));
        let mut running = tokio::task::JoinSet::new();
        for _ in 0..32 {
            let (fixture, client) = (Arc::clone(&fixture), Arc::clone(&client));
            let tokens = Arc::clone(&tokens);
            running.spawn(async move {
                let answer = fixture.refresh(&client, refresh_of(&tokens), &[], 1).await;
                refresh_of(&answer.unwrap()).clone()
            });
        }
        let given = running.join_all().await;
        assert!(given.iter().all(|one| one.matches(&given[0])));
    }
    assert_eq!(fixture.heard.count(IssuerEvent::Refreshed), 50);
}

#[tokio::test]
async fn a113_without_a_grace_at_most_one_lives() {
    let mut strict = settings();
    strict.refresh_grace = RefreshGrace::NONE;
    let fixture = Fixture::with(strict);
    for _ in 0..100 {
        let (client, tokens) = fixture.signed_in().await;
        let asked = (0..32).map(|_| fixture.refresh(&client, refresh_of(&tokens), &[], 1));
        let answers = join_all(asked).await;
        let given: Vec<&TokenAnswer> = answers.iter().flatten().collect();
        assert!(given.len() <= 1);
        // Two had the token, so nobody keeps what it gave.
        for tokens in given {
            assert_ended(&fixture, &client, tokens, 1).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a114_after_a_revocation_nothing_minted_lives() {
    let fixture = Arc::new(Fixture::new());
    let client = Arc::new(fixture.client("none").await);
    for _ in 0..1_000 {
        let code = fixture.code(&client).await;
        let tokens = Arc::new(fixture.redeem(&client, &code, 0).await.unwrap());
        let refreshing = {
            let (fixture, client) = (Arc::clone(&fixture), Arc::clone(&client));
            let tokens = Arc::clone(&tokens);
            async move { fixture.refresh(&client, refresh_of(&tokens), &[], 1).await }
        };
        let mut running = tokio::task::JoinSet::new();
        running.spawn(refreshing);
        let fields = [("token", refresh_of(&tokens).expose())];
        fixture.revoke(&client, &fields).await.unwrap();
        for answer in running.join_all().await.into_iter().flatten() {
            assert!(!fixture.is_live(answer.access_token(), 1).await);
            let next = fixture.refresh(&client, refresh_of(&answer), &[], 1).await;
            assert!(next.is_err());
        }
        assert!(!fixture.is_live(tokens.access_token(), 1).await);
    }
    // Who lost against a revocation is no thief.
    assert_eq!(fixture.heard.count(IssuerEvent::RefreshReused), 0);
}

#[tokio::test]
async fn a118_a_person_who_is_gone_signs_nobody_in() {
    let fixture = Fixture::new();
    let (client, tokens) = fixture.signed_in().await;
    fixture.person.leave();
    let error = fixture.refresh(&client, refresh_of(&tokens), &[], 1).await;
    assert_eq!(error.unwrap_err().code(), ErrorCode::InvalidGrant);
    assert!(!fixture.is_live(tokens.access_token(), 1).await);
}

#[tokio::test]
async fn what_is_stored_for_a_replay_opens_with_the_token_only() {
    use crate::{FamilyMatch, GrantRows};

    let fixture = Fixture::new();
    let (_, tokens, next) = refreshed(&fixture).await;
    let mac = fixture.issuer.token_mac(refresh_of(&tokens));
    let found = fixture.store.find_family(&mac).await.unwrap();
    let Some(FamilyMatch::Spent(family)) = found else {
        panic!("not spent");
    };
    let sealed = family.replay.unwrap().sealed;
    let holds = |secret: &Secret| {
        let needle = secret.expose().as_bytes();
        sealed.windows(needle.len()).any(|window| window == needle)
    };
    assert!(!holds(refresh_of(&next)));
    assert!(!holds(next.access_token()));
    assert!(!holds(refresh_of(&tokens)));
}
