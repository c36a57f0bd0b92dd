//! The running snapshot follows the store and the vaults, and what does not fit never gets in.

use std::sync::Arc;
use std::time::Duration;

use config::Config;
use config_azure::{
    AppConfiguration, ErrorKind, KeyVaultOptions, Live, RefreshOptions, RefreshOutcome, Secret,
    SettingSelector,
};
use config_azure_emulator::{Emulator, Fault, Route, Setting};
use serde::Deserialize;

use crate::support;

#[derive(Deserialize)]
struct Settings {
    db: Database,
}

#[derive(Deserialize)]
struct Database {
    host: String,
    port: u16,
    password: Secret,
}

async fn following(emulator: &Emulator) -> (AppConfiguration, Live<Settings>) {
    let azure = support::in_memory(emulator).load().await.expect("a load");
    let layers = Config::builder().add_source(azure.clone());
    let live = azure.live(layers).await.expect("a live value");
    (azure, live)
}

#[tokio::test(start_paused = true)]
async fn a_changed_setting_and_a_rotated_secret_arrive_by_themselves() {
    let emulator = support::world_in_memory();
    let (_azure, mut live) = following(&emulator).await;
    assert_eq!(live.load().db.port, 5432);

    emulator
        .store("contoso")
        .put(Setting::new("db:port", "6432").content_type("application/json"));
    let now = live.changed().await.expect("a new value");
    assert_eq!(now.db.port, 6432);
    let changes = now.loaded().changes();
    assert_eq!(
        changes
            .iter()
            .map(config_azure::Change::path)
            .collect::<Vec<_>>(),
        ["db.port"]
    );

    emulator
        .vault("kv-orders")
        .set_secret("db-password", "the-new-one");
    let now = live.changed().await.expect("a new value");
    assert_eq!(now.db.password, Secret::from("the-new-one"));
    assert_eq!(now.db.port, 6432);
    assert_eq!(now.loaded().generation(), 3);
}

#[tokio::test]
async fn one_reference_is_followed_by_an_interval_of_its_own() {
    let emulator = support::world().await;
    let options = KeyVaultOptions::new()
        .no_refresh()
        .refresh_interval_for("db:password", Duration::from_secs(1));
    let azure = support::by_token(&emulator)
        .key_vault(options)
        .refresh(RefreshOptions::new().every(Duration::from_secs(1)))
        .load()
        .await
        .expect("a load");
    let intervals = azure.status().secrets.into_iter();
    let intervals: Vec<_> = intervals
        .map(|secret| (secret.name, secret.interval))
        .collect();
    let second = Some(Duration::from_secs(1));
    assert_eq!(
        intervals,
        [
            ("db-password".to_owned(), second),
            ("smtp-password".to_owned(), None)
        ]
    );
    let mut live: Live<Settings> = azure
        .live(Config::builder().add_source(azure.clone()))
        .await
        .expect("a live value");
    for (vault, name) in [("kv-shared", "smtp-password"), ("kv-orders", "db-password")] {
        emulator.vault(vault).set_secret(name, "the-new-one");
    }
    let now = live.changed().await.expect("a new value");
    assert_eq!(now.db.password, Secret::from("the-new-one"));
    let changes = now.loaded().changes().clone();
    assert_eq!(
        support::paths(&changes),
        ["db.password"],
        "the other one has no interval"
    );
}

#[tokio::test]
async fn over_tls_too() {
    let emulator = support::world().await;
    let azure = support::by_token(&emulator)
        .key_vault(config_azure::KeyVaultOptions::new().refresh_interval(Duration::from_secs(1)))
        .refresh(RefreshOptions::new().every(Duration::from_secs(1)))
        .load()
        .await
        .expect("a load");
    let mut live: Live<Settings> = azure
        .live(Config::builder().add_source(azure.clone()))
        .await
        .expect("a live value");
    emulator
        .vault("kv-orders")
        .set_secret("db-password", "the-new-one");
    let now = live.changed().await.expect("a new value");
    assert_eq!(now.db.password, Secret::from("the-new-one"));
    emulator
        .store("contoso")
        .set("db:host", None, "db2.contoso.example");
    let now = live.changed().await.expect("a new value");
    assert_eq!(now.db.host, "db2.contoso.example");
}

#[tokio::test(start_paused = true)]
async fn a_check_without_changes_is_one_conditional_request_a_page_and_none_to_a_vault() {
    let emulator = support::world_in_memory();
    let store = emulator.store("contoso");
    for n in 0..250 {
        store.set(&format!("bulk:{n:03}"), None, "x");
    }
    let azure = support::in_memory(&emulator)
        .select(SettingSelector::all().labels(["", "prod"]))
        .refresh(RefreshOptions::new().disabled())
        .load()
        .await
        .expect("a load");
    assert_eq!(
        emulator.log().count(Route::store_list()),
        4,
        "three pages without a label, one empty page of prod"
    );
    emulator.log().clear();
    let outcome = azure.refresh().await.expect("a check");
    assert!(matches!(outcome, RefreshOutcome::Unchanged), "{outcome:?}");
    assert_eq!(
        emulator.log().count(Route::store_list().conditional(true)),
        4
    );
    assert_eq!(emulator.log().count(Route::store()), 4);
    assert_eq!(emulator.log().count(Route::store().status(304)), 4);
}

#[tokio::test(start_paused = true)]
async fn a_value_that_does_not_fit_stays_outside_and_is_named() {
    let emulator = support::world_in_memory();
    let (azure, live) = following(&emulator).await;
    let before = live.load();

    emulator
        .store("contoso")
        .set("db:port", None, "not-a-port-at-all");
    while live.status().refusal().is_none() {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let status = live.status();
    let refusal = status.refusal().expect("a refusal");
    assert_eq!(refusal.kind(), ErrorKind::InvalidValue);
    let text = format!(
        "{refusal} {refusal:?} {} {:?}",
        refusal.error(),
        azure.status()
    );
    assert!(
        text.contains("db.port") && text.contains("u16") && text.contains("db:port"),
        "{text}"
    );
    assert!(!text.contains("not-a-port"), "{text}");
    assert!(Arc::ptr_eq(&before, &live.load()), "the old snapshot stays");

    let mut live = live;
    emulator.store("contoso").set("db:port", None, "7432");
    assert_eq!(live.changed().await.expect("a new value").db.port, 7432);
    assert!(live.status().refusal().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_failed_refresh_says_so_and_loses_nothing() {
    let emulator = support::world_in_memory();
    let (azure, live) = following(&emulator).await;
    let broken = emulator
        .faults()
        .script(Route::store(), Fault::html(), None);
    emulator.store("contoso").set("db:port", None, "6432");
    let error = azure
        .refresh()
        .await
        .expect_err("a page of HTML is not a configuration");
    assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
    assert_eq!(live.load().db.port, 5432);
    broken.remove();
    let outcome = azure.refresh().await.expect("a refresh");
    let (_, changed) = support::updated(outcome);
    assert!(changed.touches("db.port"));
    let mut live = live;
    while live.load().db.port != 6432 {
        live.changed().await.expect("a new value");
    }
}

#[tokio::test(start_paused = true)]
async fn layers_without_the_handle_are_an_error_that_says_what_to_add() {
    let emulator = support::world_in_memory();
    let azure = support::in_memory(&emulator).load().await.expect("a load");
    let layers = Config::builder()
        .set_default("db.port", 1)
        .expect("a default");
    let error = azure
        .live::<Settings, _>(layers)
        .await
        .expect_err("no source");
    assert_eq!(error.kind(), ErrorKind::MissingSource);
    assert!(
        error.to_string().contains("add_source(azure.clone())"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_handle_that_has_not_loaded_loads_before_it_is_followed() {
    let emulator = support::world_in_memory();
    let azure = support::in_memory(&emulator).build().expect("a handle");
    assert!(azure.loaded().is_none());
    let layers = Config::builder().add_source(azure.clone());
    let live: Live<Settings> = azure.live(layers).await.expect("a live value");
    assert_eq!(live.load().generation(), 1);

    let emulator = support::world_in_memory();
    emulator.vault("kv-orders").delete_secret("db-password");
    let startup = config_azure::StartupOptions::new().fail_fast();
    let builder = support::in_memory(&emulator).startup(startup);
    let azure = builder.build().expect("a handle");
    let layers = Config::builder().add_source(azure.clone());
    let error = azure
        .live::<Settings, _>(layers)
        .await
        .expect_err("no load");
    assert_eq!(error.failures()[0].key(), "db:password");
}
