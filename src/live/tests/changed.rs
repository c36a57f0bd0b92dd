use std::collections::HashMap;
use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::{Changes, Closed, RefreshOutcome};

#[tokio::test]
async fn a_change_before_the_call_is_not_missed() {
    let store = TestStore::with(&pairs("one", "1"));
    let mut waiting = live(&store).await.unwrap();
    let mut late = waiting.clone();
    store.publish(&pairs("two", "2"));
    assert_eq!(waiting.changed().await.unwrap().port, 2);
    // Nobody waited on this clone while it happened.
    assert_eq!(late.changed().await.unwrap().port, 2);
}

#[tokio::test]
async fn seen_is_per_clone_and_copied_by_clone() {
    let store = TestStore::with(&pairs("one", "1"));
    let mut first = live(&store).await.unwrap();
    let mut behind = first.clone();
    store.publish(&pairs("two", "2"));
    first.changed().await.unwrap();
    let mut level = first.clone();
    assert!(futures::poll!(std::pin::pin!(level.changed())).is_pending());
    assert!(futures::poll!(std::pin::pin!(first.changed())).is_pending());
    assert!(futures::poll!(std::pin::pin!(behind.changed())).is_ready());
    assert!(futures::poll!(std::pin::pin!(behind.changed())).is_pending());
}

#[tokio::test]
async fn reading_does_not_count_as_seen() {
    let store = TestStore::with(&pairs("one", "1"));
    let mut live = live(&store).await.unwrap();
    let mut other = live.clone();
    store.publish(&pairs("two", "2"));
    other.changed().await.unwrap();
    assert_eq!(live.load().port, 2);
    assert_eq!(live.changed().await.unwrap().port, 2);
}

#[tokio::test]
async fn several_changes_are_one() {
    let store = TestStore::with(&pairs("one", "1"));
    let mut slow = live(&store).await.unwrap();
    let mut eager = slow.clone();
    for port in ["2", "3", "4"] {
        store.publish(&pairs("n", port));
        eager.changed().await.unwrap();
    }
    assert_eq!(slow.changed().await.unwrap().port, 4);
    assert!(futures::poll!(std::pin::pin!(slow.changed())).is_pending());
}

#[tokio::test]
async fn a_dropped_call_loses_nothing() {
    let store = TestStore::with(&pairs("one", "1"));
    let mut live = live(&store).await.unwrap();
    assert!(futures::poll!(std::pin::pin!(live.changed())).is_pending());
    store.publish(&pairs("two", "2"));
    assert_eq!(live.changed().await.unwrap().port, 2);
}

#[tokio::test]
async fn it_wakes_after_the_swap() {
    let store = TestStore::with(&pairs("one", "1"));
    let mut waiting = live(&store).await.unwrap();
    for port in 2..50_u16 {
        store.publish(&pairs("n", &port.to_string()));
        let woken = waiting.changed().await.unwrap();
        assert!(Arc::ptr_eq(&woken, &waiting.load()));
        assert_eq!(woken.port, port);
    }
}

#[tokio::test]
async fn the_end_is_told_after_the_last_change() {
    let store = TestStore::with(&pairs("one", "1"));
    let mut live = live(&store).await.unwrap();
    store.publish(&pairs("two", "2"));
    store.feed.publication.close();
    assert_eq!(live.changed().await.unwrap().port, 2);
    assert_eq!(live.changed().await.unwrap_err(), Closed);
    assert!(live.status().is_closed());
    assert_eq!(live.load().port, 2);
    crate::testing::no_task_left().await;
}

#[tokio::test]
async fn changes_lead_from_what_was_seen_to_what_is() {
    let store = TestStore::with(&[("a", "1"), ("b", "1"), ("c", "1")]);
    let mut changes = Changes::new(store.feed.clone());
    assert!(futures::poll!(std::pin::pin!(changes.next())).is_pending());

    store.publish(&[("a", "2"), ("b", "1"), ("c", "1")]);
    assert_eq!(names(changes.next().await), ["a"]);

    store.publish(&[("a", "3"), ("b", "2"), ("c", "1")]);
    store.publish(&[("a", "2"), ("b", "2")]);
    assert_eq!(
        names(changes.next().await),
        ["b", "c"],
        "a went and came back"
    );

    store.publish(&[("a", "9"), ("b", "2")]);
    store.publish(&[("a", "2"), ("b", "2")]);
    assert!(futures::poll!(std::pin::pin!(changes.next())).is_pending());

    store.publish(&[("a", "2")]);
    store.feed.publication.close();
    assert_eq!(names(changes.next().await), ["b"]);
    assert!(changes.next().await.is_none());
}

#[tokio::test]
async fn a_subscriber_before_the_first_load_gets_all_of_it() {
    let store = TestStore::empty();
    let mut changes = Changes::new(store.feed.clone());
    assert!(futures::poll!(std::pin::pin!(changes.next())).is_pending());
    store.publish(&[("a", "1")]);
    store.publish(&[("a", "1"), ("b", "1")]);
    assert_eq!(names(changes.next().await), ["a", "b"]);
}

fn names(changes: Option<crate::ChangeSet>) -> Vec<String> {
    changes
        .unwrap()
        .iter()
        .map(|it| it.path().to_owned())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn an_empty_object_that_comes_or_goes_is_a_change() {
    #[derive(Deserialize)]
    struct Tenants {
        tenants: HashMap<String, Tenant>,
    }
    #[derive(Deserialize)]
    struct Tenant {
        #[serde(default)]
        limit: u8,
    }

    let (builder, store) = crate::in_memory();
    store.set_json("tenants:acme", &json!({"limit": 7}));
    let azure = builder.load().await.unwrap();
    let layers = Config::builder().add_source(azure.clone());
    let mut live: Live<Tenants> = azure.live(layers).await.unwrap();
    assert_eq!(live.load().tenants["acme"].limit, 7);

    store.set_json("tenants:zeta", &json!({}));
    let outcome = azure.refresh().await.unwrap();
    assert!(
        matches!(outcome, RefreshOutcome::Updated { .. }),
        "{outcome:?}"
    );
    assert_eq!(live.changed().await.unwrap().tenants["zeta"].limit, 0);

    store.remove("tenants:zeta", None);
    azure.refresh().await.unwrap();
    assert!(!live.changed().await.unwrap().tenants.contains_key("zeta"));
}
