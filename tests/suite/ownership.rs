//! Nothing keeps itself alive, and nothing that is held goes stale.

use std::time::Duration;

use config::Config;
use config_azure::{AppConfiguration, Changes, ErrorKind, Live, Reader, Secret};
use config_azure_emulator::{Emulator, Fault, Route};
use serde::Deserialize;
use tokio::runtime::Handle;

use crate::support;

#[derive(Deserialize)]
struct Settings {
    db: Database,
}

#[derive(Deserialize)]
struct Database {
    password: Secret,
}

struct Held {
    handle: Option<AppConfiguration>,
    live: Option<Live<Settings>>,
    reader: Option<Reader<Settings>>,
    changes: Option<Changes>,
}

impl Held {
    async fn all(emulator: &Emulator) -> Self {
        let handle = support::in_memory(emulator).load().await.expect("a load");
        let live: Live<Settings> = handle
            .live(Config::builder().add_source(handle.clone()))
            .await
            .expect("a live value");
        Self {
            reader: Some(live.reader()),
            changes: Some(handle.changes()),
            live: Some(live),
            handle: Some(handle),
        }
    }

    fn drop_one(&mut self, which: usize) {
        match which {
            0 => drop(self.handle.take()),
            1 => drop(self.live.take()),
            2 => drop(self.reader.take()),
            _ => drop(self.changes.take()),
        }
    }
}

fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

/// Lets tasks that were cancelled run to their end; more turns than any of them needs.
async fn settled() -> usize {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    tasks()
}

#[tokio::test(start_paused = true)]
async fn dropped_in_any_order_nothing_is_left() {
    let emulator = support::world_in_memory();
    let before = settled().await;
    for order in orders() {
        let mut held = Held::all(&emulator).await;
        let (last, first) = order.split_last().expect("four of them");
        for which in first {
            held.drop_one(*which);
            assert!(settled().await > before, "{order:?}: {last} is still held");
        }
        held.drop_one(*last);
        assert_eq!(settled().await, before, "{order:?}");
    }
}

/// The 24 orders in which four things can be dropped.
fn orders() -> Vec<Vec<usize>> {
    let mut orders = vec![vec![]];
    for _ in 0..4 {
        orders = orders
            .into_iter()
            .flat_map(|order: Vec<usize>| {
                (0..4)
                    .filter(|next| !order.contains(next))
                    .map(|next| [order.as_slice(), &[next]].concat())
                    .collect::<Vec<_>>()
            })
            .collect();
    }
    orders
}

#[tokio::test(start_paused = true)]
async fn a_live_value_alone_still_sees_rotations() {
    let emulator = support::world_in_memory();
    let mut held = Held::all(&emulator).await;
    for which in [0, 2, 3] {
        held.drop_one(which);
    }
    let mut live = held.live.take().expect("the live value");
    emulator
        .vault("kv-orders")
        .set_secret("db-password", "the-new-one");
    let now = tokio::time::timeout(Duration::from_secs(600), live.changed())
        .await
        .expect("in time");
    assert_eq!(
        now.expect("a new value").db.password,
        Secret::from("the-new-one")
    );
}

#[tokio::test(start_paused = true)]
async fn a_reader_alone_still_sees_rotations() {
    let emulator = support::world_in_memory();
    let mut held = Held::all(&emulator).await;
    for which in [0, 1, 3] {
        held.drop_one(which);
    }
    let mut reader = held.reader.take().expect("the reader");
    emulator
        .vault("kv-orders")
        .set_secret("db-password", "the-new-one");
    for _ in 0..600 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        if reader.load().db.password == Secret::from("the-new-one") {
            return;
        }
    }
    panic!("the reader never saw the rotation");
}

#[tokio::test(start_paused = true)]
async fn shutdown_ends_the_tasks_and_keeps_the_value() {
    let emulator = support::world_in_memory();
    let before = settled().await;
    let held = Held::all(&emulator).await;
    let started = tokio::time::Instant::now();
    let handle = held.handle.as_ref().expect("the handle");
    handle.shutdown().await;
    assert!(started.elapsed() <= Duration::from_millis(100));
    assert!(handle.refresh().await.is_err());
    assert_eq!(
        handle.loaded().expect("the last generation").generation(),
        1
    );
    let live = held.live.as_ref().expect("the live value");
    assert_eq!(
        live.load().db.password,
        Secret::from("hunter2-of-the-database")
    );
    drop(held);
    assert_eq!(settled().await, before);
}

#[tokio::test(start_paused = true)]
async fn shutdown_ends_a_first_load_that_is_under_way() {
    for hanging in [Route::store(), Route::vault()] {
        let emulator = support::world_in_memory();
        let before = settled().await;
        emulator.faults().script(hanging, Fault::Hang, None);
        let handle = support::in_memory(&emulator).build().expect("a handle");
        let loading = tokio::spawn({
            let layers = Config::builder().add_async_source(handle.clone());
            async move { layers.build().await }
        });
        emulator.log().wait_for(Route::any(), 1).await;
        let started = tokio::time::Instant::now();
        handle.shutdown().await;
        let error = loading
            .await
            .expect("no panic")
            .expect_err("it was cut off");
        assert!(started.elapsed() <= Duration::from_millis(100));
        let config::ConfigError::Foreign(error) = error else {
            panic!("not ours: {error}")
        };
        let error = error.downcast_ref::<config_azure::Error>().expect("ours");
        assert_eq!(error.kind(), ErrorKind::Closed);
        // And none begins later.
        let asked = emulator.log().count(Route::any());
        let closed = handle.refresh().await.expect_err("shut down");
        assert_eq!(closed.kind(), ErrorKind::Closed);
        assert_eq!(emulator.log().count(Route::any()), asked);
        assert!(handle.changes().next().await.is_none());
        assert!(handle.loaded().is_none());
        drop(handle);
        emulator.log().wait_idle().await;
        assert_eq!(settled().await, before);
    }
}

#[tokio::test(start_paused = true)]
async fn a_first_load_that_is_dropped_ends_its_requests() {
    let emulator = support::world_in_memory();
    let before = settled().await;
    emulator.faults().script(Route::store(), Fault::Hang, None);
    let handle = support::in_memory(&emulator).build().expect("a handle");
    let waited = tokio::time::timeout(Duration::from_secs(1), handle.refresh()).await;
    assert!(waited.is_err());
    emulator.log().wait_idle().await;
    assert_eq!(settled().await, before);
    // The handle is as good as new.
    emulator.faults().clear();
    handle.refresh().await.expect("a first load");
    assert_eq!(handle.loaded().expect("a generation").generation(), 1);
}
