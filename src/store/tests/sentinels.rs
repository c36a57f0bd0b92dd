//! Watched settings: absence is a state, and a signal is worth what the endpoint that gave it has.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use config_azure_emulator::{Emulator, Route};

use super::replicas::{PRIMARY, REPLICA};
use super::scripted::{Reply, Scripted};
use super::{World, over, scripted_with, shown, token};
use crate::setting::Label;
use crate::store::{Scope, Sentinel, SettingSelector, Store, StoreOptions, Walk};

fn sentinel(key: &str, label: Option<&str>) -> Vec<Sentinel> {
    vec![Sentinel {
        key: key.into(),
        label: Label::from(label),
    }]
}

fn watching(key: &str, label: Option<&str>) -> World {
    World::with(&[SettingSelector::keys("a")], |options| {
        options.sentinels = sentinel(key, label);
    })
}

async fn check(store: &Store, known: &Walk) -> Option<Walk> {
    store.check(known, Scope::Both).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn f10_absence_is_a_state_not_an_error() {
    for (key, label) in [
        ("version", None),
        ("version", Some("prod")),
        ("100%/a b", Some("x,y*")),
        ("a*b,c\\d", None),
        ("..", None),
        ("ü/ö", Some("")),
    ] {
        let world = watching(key, label);
        let store = &world.store;
        let absent = world.load().await;
        assert!(check(store, &absent).await.is_none(), "{key}");
        world.remote.set(key, label, "1");
        let present = check(store, &absent).await.expect("it appeared");
        assert!(check(store, &present).await.is_none(), "{key}");
        world.remote.set(key, label, "2");
        let newer = check(store, &present).await.expect("it changed");
        assert_ne!(newer.sentinels(), present.sentinels(), "{key}");
        world.remote.delete(key, label);
        let gone = check(store, &newer).await.expect("it went");
        assert_eq!(gone.sentinels(), absent.sentinels(), "{key}");
    }
}

/// A setting as the service shows it, with and without its ETag in the header and in the body.
#[tokio::test(start_paused = true)]
async fn f16_a_signal_whose_etag_is_missing_or_garbage_is_seen() {
    for header in [None, Some(""), Some("\"\""), Some("garbage")] {
        for in_body in ["", r#","etag":"""#, r#","etag":"same""#] {
            let value = Arc::new(Mutex::new("1"));
            let now = Arc::clone(&value);
            let change = |options: &mut StoreOptions| options.sentinels = sentinel("version", None);
            let (transport, store) = scripted_with(&[], change, move |seen| {
                if seen.line.starts_with("/kv?") {
                    return Reply::list("", &[]);
                }
                let value = now.lock().unwrap();
                let body = format!(r#"{{"key":"version","value":"{value}"{in_body}}}"#);
                let headers: Vec<_> = header.map(|etag| ("etag", etag)).into_iter().collect();
                Reply::json("kv", &body, &headers)
            });
            let walk = store.load(&|_| {}).await.unwrap();
            transport.take();
            assert!(check(&store, &walk).await.is_none(), "{header:?} {in_body}");
            assert_eq!(transport.take().len(), 1, "{header:?} {in_body}");
            *value.lock().unwrap() = "2";
            let moved = check(&store, &walk).await;
            let moved = moved.unwrap_or_else(|| panic!("{header:?} {in_body}"));
            assert!(check(&store, &moved).await.is_none());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_signal_is_read_before_the_data_and_conditionally_later() {
    let world = watching("version", None);
    world.remote.set("version", None, "1");
    world.remote.set("a", None, "1");
    let walk = world.load().await;
    let entries = world.emulator.log().entries();
    assert_eq!(entries[0].path, "/kv/version");
    assert_eq!(entries[1].path, "/kv");
    world.emulator.log().clear();
    world.remote.set("a", None, "2");
    assert!(check(&world.store, &walk).await.is_none());
    assert_eq!(
        world.requests(Route::store_item().conditional(true).status(304)),
        1
    );
    assert_eq!(world.requests(Route::any()), 1);
}

#[tokio::test(start_paused = true)]
async fn marks_move_with_the_walk() {
    let world = watching("version", None);
    world.remote.set("a", None, "1");
    let walk = world.load().await;
    world.remote.set("version", None, "1");
    let moved = check(&world.store, &walk).await.expect("it appeared");
    assert_eq!(shown(&moved), ["a=1"]);
    assert!(check(&world.store, &moved).await.is_none());
    world.remote.set("a", None, "2");
    world.remote.set("version", None, "2");
    let changed = check(&world.store, &moved).await.expect("it changed");
    assert_eq!(shown(&changed), ["a=2"]);
    assert!(check(&world.store, &changed).await.is_none());
}

/// Two endpoints of one store, the second of which shows writes 20 s later. Lists of the hosts in `failing` fail.
fn lagging(change: impl FnOnce(&mut StoreOptions)) -> (Emulator, Failing, Store) {
    let emulator = Emulator::builder()
        .store("contoso")
        .replica("contoso", "contoso-eu")
        .in_memory();
    emulator.store("contoso-eu").lag(Duration::from_secs(20));
    let failing: Failing = Arc::default();
    let fails = failing.clone();
    let transport = Scripted::new(Some(emulator.transport()), move |seen| {
        let list = seen.line.starts_with("/kv?");
        match list && fails.lock().unwrap().contains(&seen.host.as_str()) {
            true => Reply::Refused,
            false => Reply::Pass,
        }
    });
    let endpoints = [format!("https://{PRIMARY}"), format!("https://{REPLICA}")];
    let selectors = [SettingSelector::keys("a")];
    let store = over(
        transport,
        &token(&emulator),
        &endpoints,
        &selectors,
        |options| {
            options.sentinels = sentinel("version", None);
            change(options);
        },
    );
    (emulator, failing, store)
}

type Failing = Arc<Mutex<Vec<&'static str>>>;

/// Checks every second for a minute. No mark may be taken over without the data of which it speaks.
async fn follow(store: &Store, mut known: Walk) -> Walk {
    let before = known.sentinels().clone();
    for _ in 0..60 {
        if let Some(new) = check(store, &known).await {
            if *new.sentinels() != before {
                assert_eq!(shown(&new), ["a=2"], "the signal without its data");
            }
            known = new;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    known
}

#[tokio::test(start_paused = true)]
async fn f22_a_signal_and_its_data_come_from_one_endpoint() {
    // Whichever endpoint has its turn when the writes arrive.
    for turns in 0..2 {
        let (emulator, _, store) = lagging(|options| options.load_balancing = true);
        let remote = emulator.store("contoso");
        remote.set("a", None, "1");
        remote.set("version", None, "1");
        tokio::time::sleep(Duration::from_secs(60)).await;
        let walk = store.load(&|_| {}).await.unwrap();
        for _ in 0..turns {
            assert!(check(&store, &walk).await.is_none());
        }
        remote.set("a", None, "2");
        remote.set("version", None, "2");
        let walk = follow(&store, walk).await;
        assert_eq!(shown(&walk), ["a=2"], "after {turns} turns");
        assert!(check(&store, &walk).await.is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn f22_a_signal_of_an_endpoint_that_fails_then_is_not_taken() {
    let (emulator, failing, store) = lagging(|_| {});
    let remote = emulator.store("contoso");
    remote.set("a", None, "1");
    remote.set("version", None, "1");
    tokio::time::sleep(Duration::from_secs(60)).await;
    let walk = store.load(&|_| {}).await.unwrap();
    remote.set("a", None, "2");
    remote.set("version", None, "2");
    failing.lock().unwrap().push(PRIMARY);
    let walk = follow(&store, walk).await;
    assert_eq!(shown(&walk), ["a=2"]);
    assert_eq!(walk.endpoint(), format!("https://{REPLICA}"));
}
