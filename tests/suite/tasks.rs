//! Which tasks run while what is held: every combination of what a user can hold, parts and derived things included.

use std::time::Duration;

use config::Config;
use config_azure::{
    AppConfiguration, Changes, Closed, Derived, InMemoryStore, KeyVaultOptions, Live, Part, Reader,
    Secret,
};
use serde::Deserialize;
use tokio::runtime::Handle;

#[derive(Deserialize)]
struct Settings {
    port: u16,
    password: Secret,
}

async fn load() -> (AppConfiguration, InMemoryStore) {
    let (builder, store) = config_azure::in_memory();
    store.set("port", "1");
    store.set_secret("password", "one");
    let minute = Duration::from_secs(60);
    let key_vault = KeyVaultOptions::new().refresh_interval(minute);
    (builder.key_vault(key_vault).load().await.unwrap(), store)
}

async fn live(azure: &AppConfiguration) -> Live<Settings> {
    let layers = Config::builder().add_source(azure.clone());
    azure.live(layers).await.unwrap()
}

/// Everything that a user can hold, each of it or not.
#[derive(Default)]
struct Held {
    handle: Option<AppConfiguration>,
    live: Option<Live<Settings>>,
    reader: Option<Reader<Settings>>,
    changes: Option<Changes>,
    part: Option<Part<Settings, u16>>,
    derived: Option<Derived<u16>>,
}

impl Held {
    /// One of each for which `mask` has a bit.
    async fn some(mask: u32) -> Self {
        let (azure, _store) = load().await;
        let live = live(&azure).await;
        let wanted = |bit: u32| mask & (1 << bit) != 0;
        let mut held = Self::default();
        if wanted(5) {
            let build = async |port: config_azure::PartRef<Settings, u16>| Ok::<_, Closed>(*port);
            held.derived = Some(live.derive(|it| &it.port, build).await.unwrap());
        }
        held.part = wanted(4).then(|| live.part(|it| &it.port));
        held.changes = wanted(3).then(|| azure.changes());
        held.reader = wanted(2).then(|| live.reader());
        held.live = wanted(1).then_some(live);
        held.handle = wanted(0).then_some(azure);
        held
    }
}

fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

/// Lets the other tasks run until only so many are left.
async fn settle(expected: usize, mask: u32) {
    for _ in 0..10_000 {
        if tasks() == expected {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("{} tasks instead of {expected} for {mask:06b}", tasks());
}

#[tokio::test]
async fn f77_every_combination_keeps_its_tasks_and_no_more() {
    for mask in 0..64 {
        let held = Held::some(mask).await;
        let derived = held.derived.is_some();
        let of_live = held.live.is_some() || held.reader.is_some() || held.part.is_some();
        let live = derived || of_live;
        let engine = mask != 0;
        settle(
            usize::from(derived) + usize::from(live) + usize::from(engine),
            mask,
        )
        .await;
        drop(held);
        settle(0, mask).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_live_alone_still_sees_settings_and_rotations() {
    let (azure, store) = load().await;
    let mut live = live(&azure).await;
    drop(azure);
    store.set("port", "2");
    assert_eq!(live.changed().await.unwrap().port, 2);
    store.rotate("password", "two");
    assert_eq!(live.changed().await.unwrap().password, Secret::from("two"));
    drop(live);
    settle(0, 0).await;
}

#[tokio::test(start_paused = true)]
async fn changes_alone_still_see_rotations() {
    let (azure, store) = load().await;
    let mut changes = azure.changes();
    drop(azure);
    store.rotate("password", "two");
    let changed = changes.next().await.unwrap();
    assert_eq!(changed.to_string(), "~password");
    drop(changes);
    settle(0, 0).await;
}

#[tokio::test(start_paused = true)]
async fn shutdown_ends_everything_and_keeps_the_last_value() {
    let (azure, store) = load().await;
    let mut live = live(&azure).await;
    let mut changes = azure.changes();
    azure.shutdown().await;
    store.set("port", "2");
    assert_eq!(live.changed().await.unwrap_err(), Closed);
    assert!(changes.next().await.is_none());
    assert_eq!(live.load().port, 1);
    assert!(live.status().is_closed());
    settle(0, 0).await;
}
