//! Replicas of a store, their lag and their sync tokens.

mod common;

use std::time::Duration;

use common::{Call, get, header, signed, text};
use config_azure_emulator::{Emulator, NewSnapshot, StoreHandle};

fn world() -> (Emulator, StoreHandle, StoreHandle) {
    let emulator = Emulator::builder()
        .store("contoso")
        .replica("contoso", "contoso-eastus")
        .in_memory();
    let (store, replica) = (emulator.store("contoso"), emulator.store("contoso-eastus"));
    store.anonymous(true);
    (emulator, store, replica)
}

fn title(store: &StoreHandle) -> Call {
    Call::new(
        "GET",
        &format!("{}/kv/title?api-version=2023-11-01", store.endpoint()),
    )
}

#[tokio::test]
async fn a_replica_has_the_same_settings_etags_and_keys_under_its_own_name() {
    let (emulator, store, replica) = world();
    store.anonymous(false);
    store.set("title", None, "Shop");
    assert_eq!(replica.endpoint(), "https://contoso-eastus.azconfig.io");
    let secret = |connection: &str| connection.split_once(";Id=").map(|(_, s)| s.to_owned());
    assert_eq!(
        secret(&store.connection_string()),
        secret(&replica.connection_string())
    );
    let mut etags = Vec::new();
    for endpoint in [&store, &replica] {
        let call = signed(&endpoint.connection_string(), "GET", &title(endpoint).url);
        let (status, headers, _) = get(&emulator, &call).await;
        assert_eq!(status, 200);
        etags.push(header(&headers, "etag").to_owned());
    }
    assert_eq!(etags[0], etags[1]);
}

#[tokio::test]
async fn every_endpoint_has_sync_tokens_of_its_own_that_grow_with_changes() {
    let (emulator, store, replica) = world();
    let mut tokens = Vec::new();
    for value in ["1", "2"] {
        store.set("title", None, value);
        for endpoint in [&store, &replica] {
            let (_, headers, _) = get(&emulator, &title(endpoint)).await;
            tokens.push(header(&headers, "sync-token").to_owned());
            assert_eq!(tokens.last(), Some(&endpoint.sync_token()));
        }
    }
    let sequence = |token: &str| token.rsplit("sn=").next().map(str::to_owned);
    assert_eq!(sequence(&tokens[0]), sequence(&tokens[1]));
    assert_ne!(tokens[0], tokens[1]);
    assert_ne!(sequence(&tokens[0]), sequence(&tokens[2]));
    store.sync_tokens(false);
    assert_eq!(
        header(&get(&emulator, &title(&store)).await.1, "sync-token"),
        ""
    );
    assert_ne!(
        header(&get(&emulator, &title(&replica)).await.1, "sync-token"),
        ""
    );
}

#[tokio::test(start_paused = true)]
async fn a_lagging_replica_shows_the_past_unless_its_own_token_says_more() {
    let (emulator, store, replica) = world();
    replica.lag(Duration::from_secs(60));
    store.set("title", None, "old");
    tokio::time::advance(Duration::from_secs(120)).await;
    store.set("title", None, "new");
    let value = |body: String| body.contains("\"value\":\"new\"");
    assert!(value(get(&emulator, &title(&store)).await.2));
    assert!(!value(get(&emulator, &title(&replica)).await.2));
    let token = |of: &StoreHandle| {
        let token = of.sync_token();
        token.split(";sn=").next().expect("a token").to_owned()
    };
    let foreign = title(&replica).header("sync-token", &token(&store));
    assert!(
        !value(get(&emulator, &foreign).await.2),
        "a token of the store says nothing here"
    );
    let own = title(&replica).header("sync-token", &token(&replica));
    let (_, headers, body) = get(&emulator, &own).await;
    assert!(value(body));
    assert_eq!(header(&headers, "sync-token"), replica.sync_token());
    tokio::time::advance(Duration::from_secs(61)).await;
    assert!(value(get(&emulator, &title(&replica)).await.2));
}

#[tokio::test(start_paused = true)]
async fn a_list_of_a_lagging_replica_is_of_one_moment() {
    let (emulator, store, replica) = world();
    replica.lag(Duration::from_secs(60));
    for n in 0..5 {
        store.set(&format!("key{n}"), None, "");
        tokio::time::advance(Duration::from_secs(20)).await;
    }
    let url = format!("{}/keys", replica.endpoint());
    let (_, _, body) = text(&emulator, "GET", &url).await;
    assert_eq!(
        body,
        r#"{"items":[{"name":"key0"},{"name":"key1"},{"name":"key2"}]}"#
    );
    store.delete("key0", None);
    assert!(
        text(&emulator, "GET", &url).await.2.contains("key0"),
        "deletions lag too"
    );
}

fn snapshot_url(store: &StoreHandle, path: &str) -> String {
    format!("{}/{path}api-version=2023-10-01", store.endpoint())
}

#[tokio::test(start_paused = true)]
async fn a_lagging_replica_has_not_heard_of_a_new_snapshot_unless_its_own_token_says_so() {
    let (emulator, store, replica) = world();
    replica.lag(Duration::from_secs(60));
    store.set("title", None, "Shop");
    tokio::time::advance(Duration::from_secs(61)).await;
    let order = NewSnapshot::new("s1").filter("*", None);
    let order = order.ready_in(Duration::from_secs(30));
    store.create_snapshot(order).expect("a good order");
    let paths = [
        "snapshots/s1?",
        "snapshots?",
        "operations?snapshot=s1&",
        "kv?snapshot=s1&",
    ];
    let shown = async |token: Option<String>| {
        let mut answers = Vec::new();
        for path in paths {
            let mut call = Call::new("GET", &snapshot_url(&replica, path));
            if let Some(token) = &token {
                call = call.header("sync-token", token.split(";sn=").next().expect("a token"));
            }
            let (status, _, body) = get(&emulator, &call).await;
            let there = ["provisioning", "Running", "ready", "Succeeded", "Shop"];
            let there = there.iter().find(|word| body.contains(*word));
            answers.push((status, there.copied().unwrap_or_default()));
        }
        answers
    };
    let nothing = [(404, ""), (200, ""), (404, ""), (200, "")];
    let making = [
        (200, "provisioning"),
        (200, "provisioning"),
        (200, "Running"),
        (200, ""),
    ];
    let ready = [
        (200, "ready"),
        (200, "ready"),
        (200, "Succeeded"),
        (200, "Shop"),
    ];
    assert_eq!(shown(None).await, nothing);
    assert_eq!(shown(Some(replica.sync_token())).await, making);
    tokio::time::advance(Duration::from_secs(30)).await;
    assert_eq!(shown(None).await, nothing);
    assert_eq!(shown(Some(replica.sync_token())).await, ready);
    tokio::time::advance(Duration::from_secs(30)).await;
    assert_eq!(shown(None).await, making);
    tokio::time::advance(Duration::from_secs(30)).await;
    assert_eq!(shown(None).await, ready);
}

#[tokio::test]
async fn replicas_are_reached_on_sockets_each_by_its_own_address() {
    let emulator = Emulator::builder()
        .store("contoso")
        .replica("contoso", "contoso-eastus")
        .start()
        .await
        .expect("start");
    emulator
        .store("contoso")
        .anonymous(true)
        .set("title", None, "Shop");
    let client = emulator
        .client(reqwest::Client::builder())
        .build()
        .expect("client");
    emulator
        .close_port("contoso.azconfig.io")
        .await
        .expect("close");
    let down = title(&emulator.store("contoso")).url;
    assert!(client.get(down).send().await.is_err());
    let up = title(&emulator.store("contoso-eastus"))
        .send_with(&client)
        .await;
    assert_eq!(up.status(), 200);
}
