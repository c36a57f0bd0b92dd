//! Endpoints that do not show the same: what is believed, and when.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use config_azure_emulator::Emulator;

use super::replicas::{PRIMARY, REPLICA};
use super::scripted::{Reply, Scripted};
use super::{over, shown, token};
use crate::store::{Scope, Store};

/// Two stores that are not the same: the second lags behind the first.
fn lagging() -> (Emulator, Arc<Scripted>, Arc<Mutex<bool>>, Store) {
    let emulator = Emulator::builder()
        .store("contoso")
        .store("contoso-eu")
        .in_memory();
    let down: Arc<Mutex<bool>> = Arc::default();
    let is_down = down.clone();
    let transport = Scripted::new(Some(emulator.transport()), move |seen| {
        match seen.host == PRIMARY && *is_down.lock().unwrap() {
            true => Reply::Refused,
            false => Reply::Pass,
        }
    });
    let endpoints = [format!("https://{PRIMARY}"), format!("https://{REPLICA}")];
    let store = over(
        transport.clone(),
        &token(&emulator),
        &endpoints,
        &[],
        |_| {},
    );
    (emulator, transport, down, store)
}

#[tokio::test(start_paused = true)]
async fn f22_an_older_replica_does_not_undo_what_is_known() {
    let (emulator, _, down, store) = lagging();
    emulator.store("contoso-eu").set("a", None, "old");
    tokio::time::sleep(Duration::from_secs(10)).await;
    emulator.store("contoso").set("a", None, "new");
    let walk = store.load(&|_| {}).await.unwrap();
    *down.lock().unwrap() = true;
    assert!(
        store.check(&walk, Scope::Both).await.unwrap().is_none(),
        "older: kept"
    );
    // A newer write is believed at once.
    tokio::time::sleep(Duration::from_secs(10)).await;
    emulator.store("contoso-eu").set("a", None, "newest");
    let new = store.check(&walk, Scope::Both).await.unwrap().unwrap();
    assert_eq!(shown(&new), ["a=newest"]);
}

#[tokio::test(start_paused = true)]
async fn f22_a_difference_that_lasts_is_not_lag() {
    let (emulator, _, down, store) = lagging();
    emulator.store("contoso-eu").set("a", None, "old");
    tokio::time::sleep(Duration::from_secs(10)).await;
    emulator.store("contoso").set("a", None, "new");
    let walk = store.load(&|_| {}).await.unwrap();
    *down.lock().unwrap() = true;
    let start = tokio::time::Instant::now();
    loop {
        if let Some(new) = store.check(&walk, Scope::Both).await.unwrap() {
            assert_eq!(shown(&new), ["a=old"]);
            break;
        }
        tokio::time::sleep(Duration::from_secs(15)).await;
    }
    let waited = start.elapsed();
    assert!(
        (Duration::from_secs(60)..Duration::from_secs(76)).contains(&waited),
        "{waited:?}"
    );
}
