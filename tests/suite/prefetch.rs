//! Which secrets the first load reads, and when: beside the pages that are still on their way, and none in vain.

use std::time::Duration;

use config_azure::SettingSelector;
use config_azure_emulator::{Emulator, HostKind, NewSnapshot, Route};

use crate::support;

/// The world with a secret in each vault that `a` and `b` refer to by themselves.
fn world() -> Emulator {
    let emulator = support::world_in_memory();
    let store = emulator.store("contoso");
    for (key, vault) in [("a", "kv-orders"), ("b", "kv-shared")] {
        let vault = emulator.vault(vault);
        vault.set_secret(key, "a-value");
        store.set_reference(key, None, &vault.secret_uri(key));
    }
    emulator
}

/// Loads what these select, and says which secrets were read, in order of name.
async fn read(emulator: &Emulator, selectors: &[SettingSelector]) -> Vec<String> {
    let mut builder = support::in_memory(emulator);
    for selector in selectors {
        builder = builder.select(selector.clone());
    }
    builder.load().await.expect("a load");
    let asked = emulator.log().matching(Route::secret());
    let name = |path: &str| path.trim_matches('/').rsplit('/').next().map(str::to_owned);
    let mut names: Vec<_> = asked.iter().filter_map(|read| name(&read.path)).collect();
    names.sort();
    names
}

#[tokio::test(start_paused = true)]
async fn secrets_are_read_while_pages_are_on_their_way() {
    let emulator = world();
    let store = emulator.store("contoso");
    for number in 0..20 {
        store.set(&format!("z:{number}"), None, "x");
    }
    store.page_size(5);
    for kind in [HostKind::Store, HostKind::Vault] {
        emulator.latency(kind, Duration::from_millis(10));
    }
    support::in_memory(&emulator).load().await.expect("a load");
    let pages = emulator.log().matching(Route::store());
    let last = pages.last().expect("pages").instant;
    let reads = emulator.log().matching(Route::secret());
    assert_eq!(reads.len(), 4);
    assert!(reads.iter().all(|read| read.instant < last), "{reads:?}");
}

#[tokio::test(start_paused = true)]
async fn a_reference_that_a_later_selector_replaces_is_not_read() {
    let emulator = world();
    emulator.store("contoso").set("a", "prod", "plain");
    let mut selectors = vec![SettingSelector::keys("a"), SettingSelector::keys("b")];
    assert_eq!(read(&emulator, &selectors).await, ["a", "b"]);
    emulator.log().clear();
    selectors.push(SettingSelector::keys("a").label("prod"));
    assert_eq!(read(&emulator, &selectors).await, ["b"]);
}

/// A setting of the snapshot stands where the reference to it does, between `a` and `z`.
#[tokio::test(start_paused = true)]
async fn a_reference_that_a_snapshot_replaces_is_not_read() {
    let emulator = world();
    let store = emulator.store("contoso");
    store.set("a", "old", "plain");
    store
        .create_snapshot(NewSnapshot::new("first").filter("a", Some("old")))
        .expect("a snapshot");
    store.set_snapshot_reference("m", None, "first");
    let names = read(&emulator, &[SettingSelector::all()]).await;
    assert_eq!(names, ["b", "db-password", "smtp-password"]);
}

/// The other way round: what the snapshot refers to is replaced by what comes later.
#[tokio::test(start_paused = true)]
async fn a_reference_in_a_snapshot_that_a_setting_replaces_is_not_read() {
    let emulator = world();
    let store = emulator.store("contoso");
    let uri = emulator.vault("kv-orders").secret_uri("a");
    store.set_reference("z", "old", &uri);
    store
        .create_snapshot(NewSnapshot::new("first").filter("z", Some("old")))
        .expect("a snapshot");
    store.delete("a", None);
    store.set_snapshot_reference("m", None, "first");
    store.set("z", None, "plain");
    let names = read(&emulator, &[SettingSelector::all()]).await;
    assert_eq!(names, ["b", "db-password", "smtp-password"]);
}
