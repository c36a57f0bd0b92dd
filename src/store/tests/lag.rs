//! Endpoints that do not show the same: what is believed, and when.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use config_azure_emulator::Emulator;

use super::replicas::{PRIMARY, REPLICA};
use super::scripted::{Reply, Scripted};
use super::{over, shown, token};
use crate::store::{Scope, Selection, SettingSelector, Store, StoreOptions};

/// Two stores that are not the same: the second lags behind the first.
fn lagging() -> (Emulator, Arc<Scripted>, Arc<Mutex<bool>>, Store) {
    lagging_with(|_| {})
}

fn lagging_with(
    change: impl FnOnce(&mut StoreOptions),
) -> (Emulator, Arc<Scripted>, Arc<Mutex<bool>>, Store) {
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
        change,
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

/// Flags that are checked in between, and are the same everywhere, say nothing about the settings.
#[tokio::test(start_paused = true)]
async fn f22_checks_of_flags_do_not_put_off_a_difference_of_settings() {
    let all = [SettingSelector::all()];
    let with_flags = Selection::new(&all, &all).unwrap();
    let (emulator, _, down, store) = lagging_with(|options| options.selection = with_flags);
    emulator.store("contoso").set("a", None, "1");
    let walk = store.load(&|_| {}).await.unwrap();
    // The other one is ahead: `a` was deleted there.
    *down.lock().unwrap() = true;
    let start = tokio::time::Instant::now();
    while store.check(&walk, Scope::Settings).await.unwrap().is_none() {
        tokio::time::sleep(Duration::from_secs(5)).await;
        let flags = store.check(&walk, Scope::Flags).await.unwrap();
        assert!(flags.is_none());
        assert!(
            start.elapsed() < Duration::from_secs(70),
            "put off for ever"
        );
    }
}
