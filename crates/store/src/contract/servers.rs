//! What the catalogue promises.

use claviger_model::{
    Auth, Grant, HeaderTemplate, OauthSettings, Server, ServerId, SignInId, Slug, Standing,
};
use futures_util::future::join_all;

use super::fixtures::{
    at, connection, credential, insert_servers, key, registration, rows, server, sign_in,
};
use crate::{Store, StoreError};

/// A server is found by its slug and its id, and listed by slug.
pub async fn finds_and_lists_what_was_inserted(store: &dyn Store) {
    let rows = rows(store);
    let (zoom, asana) = (server("t1", "zoom"), server("t1", "asana"));
    assert_eq!(rows.list_servers().await.unwrap(), []);
    rows.insert_server(&zoom).await.unwrap();
    rows.insert_server(&asana).await.unwrap();
    assert_eq!(
        rows.find_server(&zoom.slug).await.unwrap(),
        Some(zoom.clone())
    );
    assert_eq!(
        rows.find_server_by_id(&asana.id).await.unwrap(),
        Some(asana.clone())
    );
    assert_eq!(rows.list_servers().await.unwrap(), [asana, zoom]);
    let absent = Slug::parse("absent").unwrap();
    assert_eq!(rows.find_server(&absent).await.unwrap(), None);
    let absent = ServerId::parse("absent").unwrap();
    assert_eq!(rows.find_server_by_id(&absent).await.unwrap(), None);
}

/// Every way of authorization comes back as it was written.
pub async fn keeps_every_kind_of_auth(store: &dyn Store) {
    let rows = rows(store);
    let header = |name: &str| HeaderTemplate {
        name: name.to_owned(),
        sealed_value: "AAEC/w==".to_owned(),
    };
    let settings = OauthSettings {
        grant: Grant::ClientCredentials,
        client_id: Some("ünïcode \" ' ;".to_owned()),
        sealed_client_secret: Some("AA==".to_owned()),
        sealed_private_key: Some("AQ==".to_owned()),
        client_metadata_url: Some("https://c.example/client.json".to_owned()),
        issuer: Some("https://issuer.example/".to_owned()),
        scopes: Some(serde_json::from_str(r#"["a","b"]"#).unwrap()),
    };
    let kinds = [
        Auth::None,
        Auth::Headers {
            headers: vec![header("X-Second"), header("X-First")],
        },
        Auth::Oauth(Box::default()),
        Auth::Oauth(Box::new(settings)),
    ];
    for (index, auth) in kinds.into_iter().enumerate() {
        let mut server = server("t1", &format!("s{index}"));
        server.auth = auth;
        rows.insert_server(&server).await.unwrap();
        let found = rows.find_server(&server.slug).await.unwrap();
        assert_eq!(found, Some(server));
    }
}

/// A slug or an id that is taken is a conflict, and nothing is written.
pub async fn refuses_a_taken_slug(store: &dyn Store) {
    let rows = rows(store);
    let first = server("t1", "linear");
    rows.insert_server(&first).await.unwrap();
    let mut same_slug = server("t1", "other");
    same_slug.slug = first.slug.clone();
    let mut same_id = server("t1", "other");
    same_id.id = first.id.clone();
    for second in [&same_slug, &same_id] {
        let refused = rows.insert_server(second).await;
        assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
    }
    rows.insert_server(&server("t1", "notion")).await.unwrap();
    let mut renamed = server("t1", "notion");
    renamed.slug = first.slug.clone();
    let refused = rows.update_server(&server("t1", "notion"), &renamed).await;
    assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
    assert_eq!(
        rows.list_servers().await.unwrap(),
        [first, server("t1", "notion")]
    );
}

/// An update writes every column, and says whether there was a row.
pub async fn updates_only_what_is_there(store: &dyn Store) {
    let rows = rows(store);
    let mut changed = server("t1", "linear");
    let seen = changed.clone();
    assert!(!rows.update_server(&seen, &changed).await.unwrap());
    assert_eq!(rows.list_servers().await.unwrap(), []);
    rows.insert_server(&changed).await.unwrap();
    changed.slug = Slug::parse("renamed").unwrap();
    changed.display_name = String::from("Renamed");
    changed.url = String::from("https://other.example");
    changed.auth = Auth::Oauth(Box::default());
    changed.allow_private = false;
    changed.enabled = true;
    changed.updated_at = at(9);
    assert!(rows.update_server(&seen, &changed).await.unwrap());
    assert_eq!(rows.list_servers().await.unwrap(), [changed]);
}

/// Of many changes that saw the same server one is written, and every other is told: nobody writes
/// over what somebody else wrote in between. Whoever reads again and tries again loses nothing.
pub async fn no_change_is_lost_to_another(store: &dyn Store) {
    let rows = rows(store);
    let first = server("t1", "linear");
    rows.insert_server(&first).await.unwrap();
    let changes: Vec<_> = (0..6_u8)
        .map(|n| Server {
            display_name: format!("Linear {n}"),
            ..first.clone()
        })
        .collect();
    let done = join_all(changes.iter().map(|new| rows.update_server(&first, new))).await;
    let won: Vec<_> = changes
        .iter()
        .zip(&done)
        .filter(|(_, done)| matches!(done, Ok(true)))
        .map(|(new, _)| new.clone())
        .collect();
    let told = done
        .iter()
        .filter(|done| matches!(done, Err(StoreError::Conflict)));
    assert_eq!((won.len(), told.count()), (1, 5), "{done:?}");
    assert_eq!(rows.list_servers().await.unwrap(), won);

    let add = async |letter: char| {
        loop {
            let seen = rows.find_server(&first.slug).await.unwrap().unwrap();
            let mut new = seen.clone();
            new.display_name.push(letter);
            match rows.update_server(&seen, &new).await {
                Err(StoreError::Conflict) => {}
                done => return assert!(done.unwrap()),
            }
        }
    };
    let before = won[0].display_name.len();
    join_all("abcdef".chars().map(add)).await;
    let found = rows.find_server(&first.slug).await.unwrap().unwrap();
    let mut added: Vec<_> = found.display_name.chars().skip(before).collect();
    added.sort_unstable();
    assert_eq!(added, ['a', 'b', 'c', 'd', 'e', 'f']);
    // A purge sees as much as an update.
    let late = rows.purge_server(&first, &changes[0], &[]).await;
    assert!(matches!(late, Err(StoreError::Conflict)), "{late:?}");
    assert_eq!(rows.list_servers().await.unwrap(), [found]);
}

/// With a server go its credentials, connections, registrations, sign-ins and leases.
pub async fn deletes_all_that_hangs_on_it(store: &dyn Store) {
    insert_servers(store, "t1").await;
    let rows = rows(store);
    let (key, id) = (key("linear"), ServerId::parse("linear").unwrap());
    let standing = connection(&key, Standing::Connected);
    let registration = registration("linear", "r1", "https://issuer.example");
    rows.replace_credential(&credential(&key, b"a"), &standing)
        .await
        .unwrap();
    rows.insert_registration(&registration).await.unwrap();
    rows.insert_sign_in(&sign_in(&key, "i1")).await.unwrap();
    let lease = rows.acquire_lease(&key, "me", 60_000).await.unwrap();
    assert_eq!(lease.unwrap().epoch, 1);

    assert!(rows.delete_server(&id).await.unwrap());

    assert_eq!(rows.find_server_by_id(&id).await.unwrap(), None);
    assert_eq!(rows.find_credential(&key).await.unwrap(), None);
    assert_eq!(rows.list_credentials(&id).await.unwrap(), []);
    assert_eq!(rows.find_connection(&key).await.unwrap(), None);
    assert_eq!(rows.list_connections(&id).await.unwrap(), []);
    let found = rows.find_registration_by_id(&registration.id).await;
    assert_eq!(found.unwrap(), None);
    let sign_in_id = SignInId::parse("i1").unwrap();
    assert_eq!(rows.find_sign_in(&sign_in_id).await.unwrap(), None);
    assert_eq!(store.locate(b"i1").await.unwrap(), None);
    // A server of the same name, added anew, starts with nothing of the old one.
    rows.insert_server(&server("t1", "linear")).await.unwrap();
    assert_eq!(rows.find_credential(&key).await.unwrap(), None);
    let lease = rows.acquire_lease(&key, "other", 60_000).await.unwrap();
    assert!(lease.is_some());
}

/// Other servers keep what hangs on them; deleting what is absent says so.
pub async fn deletes_nothing_else(store: &dyn Store) {
    insert_servers(store, "t1").await;
    let rows = rows(store);
    let kept = key("notion");
    let standing = connection(&kept, Standing::Connected);
    rows.replace_credential(&credential(&kept, b"a"), &standing)
        .await
        .unwrap();
    let id = ServerId::parse("linear").unwrap();
    assert!(rows.delete_server(&id).await.unwrap());
    assert!(!rows.delete_server(&id).await.unwrap());
    assert_eq!(
        rows.find_credential(&kept).await.unwrap(),
        Some(credential(&kept, b"a"))
    );
    assert_eq!(rows.find_connection(&kept).await.unwrap(), Some(standing));
}
