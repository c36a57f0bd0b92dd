//! The refresh engine on the whole line: what the status says, what a fault does and does not do.

use config_azure::{ErrorKind, KeyVaultOptions, RefreshOptions, SecretErrorKind, SecretPolicy};
use config_azure_emulator::{Fault, Route};

use crate::events;
use crate::support::{self, loaded, next, paths, secs};

#[tokio::test(start_paused = true)]
async fn the_status_of_a_healthy_handle() {
    let emulator = support::world_in_memory();
    let vault = emulator.vault("kv-shared");
    let version = vault.set_secret("pinned", "a-value-that-stays").version;
    let uri = format!("{}/{version}", vault.secret_uri("pinned"));
    emulator
        .store("contoso")
        .set_reference("pinned", None, &uri);
    let azure = loaded(&emulator, RefreshOptions::new()).await;
    tokio::time::sleep(secs(600)).await;
    let status = azure.status();
    assert!(status.is_ready() && !status.stale && status.running);
    assert!(status.age < Some(secs(40)) && status.last_success < Some(secs(40)));
    assert_eq!((status.generation, status.secrets.len()), (1, 3));
    assert!(status.failure.is_none() && status.refused.is_none());
    assert!((19..=20).contains(&status.counters.checks), "{status:?}");
    assert_eq!(status.counters.reads, 4, "two secrets, two intervals");
    let pinned: Vec<_> = status.pinned().map(|secret| secret.name.as_str()).collect();
    assert_eq!(pinned, ["pinned"]);
    assert!(status.secrets.iter().all(|secret| secret.age.is_some()));
    assert!(!format!("{status:?}").contains("hunter2"));
}

#[tokio::test(start_paused = true)]
async fn f02_a_store_that_is_gone_shows_and_comes_back() {
    let emulator = support::world_in_memory();
    let azure = loaded(&emulator, RefreshOptions::new()).await;
    let gone = emulator
        .faults()
        .script(Route::store(), Fault::Refuse, None);
    tokio::time::sleep(secs(3_600)).await;
    let status = azure.status();
    assert!(status.stale && status.is_ready());
    assert!(status.age > Some(secs(3_500)), "{:?}", status.age);
    let failure = status.failure.expect("a failure");
    assert_eq!(failure.error.kind(), ErrorKind::Unreachable);
    assert!(failure.attempts > 50 && failure.since > secs(3_500));
    assert!(status.next_check <= Some(secs(72)));
    assert_eq!(azure.loaded().expect("the last good").generation(), 1);

    emulator.store("contoso").set("db:host", None, "another");
    gone.remove();
    let (changes, took) = next(&azure, secs(75)).await.expect("in time");
    assert_eq!(paths(&changes), ["db.host"]);
    assert!(took <= secs(75));
    assert!(!azure.status().stale && azure.status().failure.is_none());
}

#[tokio::test(start_paused = true)]
async fn f29_a_vault_that_is_down_during_a_change_loses_nothing() {
    let emulator = support::world_in_memory();
    let azure = loaded(&emulator, RefreshOptions::new()).await;
    let vault = emulator.vault("kv-shared");
    vault.set_secret("api-key", "a-key-that-is-new");
    let down = emulator
        .faults()
        .script(Route::vault(), Fault::Refuse, None);
    let uri = vault.secret_uri("api-key");
    emulator
        .store("contoso")
        .set_reference("api:key", None, &uri);
    emulator.store("contoso").set("db:host", None, "another");
    tokio::time::sleep(secs(450)).await;
    // Something newer does not make it wait anew.
    emulator.store("contoso").set("db:port", None, "5433");
    tokio::time::sleep(secs(450)).await;
    let status = azure.status();
    assert_eq!(
        status.generation, 1,
        "the whole change waits for its secret"
    );
    assert!(status.pending_for > Some(secs(800)) && status.stale);
    let refused = status.refused.expect("why");
    assert!(refused.is_reference());
    assert_eq!(refused.failures()[0].key(), "api:key");

    down.remove();
    let (changes, _) = next(&azure, secs(75)).await.expect("in time");
    assert_eq!(paths(&changes), ["api.key", "db.host", "db.port"]);
    assert!(azure.status().pending_for.is_none());
}

#[tokio::test(start_paused = true)]
async fn f30_plain_keys_are_applied_while_the_vault_is_down() {
    let emulator = support::world_in_memory();
    let azure = loaded(&emulator, RefreshOptions::new()).await;
    emulator
        .faults()
        .script(Route::vault(), Fault::Refuse, None);
    tokio::time::sleep(secs(400)).await;
    emulator.store("contoso").set("db:host", None, "another");
    let (changes, _) = next(&azure, secs(40)).await.expect("in time");
    assert_eq!(paths(&changes), ["db.host"]);
    let failing = azure.status().secrets;
    assert!(
        failing
            .iter()
            .all(|secret| secret.failure == Some(SecretErrorKind::Unreachable))
    );
}

#[tokio::test(start_paused = true)]
async fn f31_a_rotation_is_applied_while_the_store_is_down() {
    let emulator = support::world_in_memory();
    let azure = loaded(&emulator, RefreshOptions::new()).await;
    emulator.faults().script(Route::store(), Fault::Hang, None);
    tokio::time::sleep(secs(900)).await;
    emulator
        .vault("kv-orders")
        .set_secret("db-password", "rotated-meanwhile");
    let (changes, _) = next(&azure, secs(301)).await.expect("in time");
    assert_eq!(paths(&changes), ["db.password"]);
}

#[tokio::test(start_paused = true)]
async fn a_missing_secret_follows_the_policy() {
    for (policy, seen) in [(SecretPolicy::Omit, true), (SecretPolicy::KeepLast, false)] {
        let emulator = support::world_in_memory();
        let azure = support::in_memory(&emulator)
            .key_vault(KeyVaultOptions::new().on_error(move |_| policy))
            .load()
            .await
            .expect("a load");
        emulator.vault("kv-orders").delete_secret("db-password");
        let change = next(&azure, secs(301)).await;
        let removed = change.map(|(changes, _)| {
            let removed = changes.removed().map(|change| change.path().to_owned());
            removed.collect::<Vec<_>>()
        });
        assert_eq!(
            removed == Some(vec!["db.password".to_owned()]),
            seen,
            "{policy:?}"
        );
        assert_eq!(azure.explain("db.password").is_none(), seen, "{policy:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_sentinel_guards_the_settings() {
    let emulator = support::world_in_memory();
    let store = emulator.store("contoso");
    let azure = loaded(
        &emulator,
        RefreshOptions::new().sentinel("sentinel", "prod"),
    )
    .await;
    emulator.log().clear();
    store.set("db:host", None, "another");
    assert!(next(&azure, secs(600)).await.is_none(), "it has not moved");
    assert_eq!(emulator.log().count(Route::store_list()), 0);
    assert!((19..=21).contains(&emulator.log().count(Route::store_item())));

    store.set("sentinel", "prod", "1");
    let (changes, _) = next(&azure, secs(40)).await.expect("it has appeared");
    assert_eq!(paths(&changes), ["db.host"]);
    assert!(azure.status().sentinel_moved < Some(secs(40)));

    store.set("db:host", None, "a third");
    store.delete("sentinel", "prod");
    let (changes, _) = next(&azure, secs(40)).await.expect("it has disappeared");
    assert_eq!(paths(&changes), ["db.host"]);

    store.set("sentinel", "prod", "2");
    tokio::time::sleep(secs(40)).await;
    assert_eq!(azure.status().generation, 3, "nothing else has changed");
    store.set("db:host", None, "a fourth");
    store.set("sentinel", "prod", "3");
    assert!(
        next(&azure, secs(40)).await.is_some(),
        "its last mark was kept"
    );
}

/// Whoever may write settings can lead the identity of the service to any vault of the cloud. Somebody should see it.
#[tokio::test(start_paused = true)]
async fn t02_a_setting_that_moves_to_another_vault_is_one_audit_event() {
    let (events, _collecting) = events::capture("config_azure::audit=warn");
    let emulator = support::world_in_memory();
    let azure = loaded(&emulator, RefreshOptions::new()).await;
    emulator.vault("kv-shared").set_secret("moved", "hunter2");
    let store = emulator.store("contoso");
    let uri = emulator.vault("kv-shared").secret_uri("moved");
    store.set_reference("db:password", None, &uri);
    azure.refresh().await.expect("a vault that is in use");
    assert_eq!(events.count(), 0, "{}", events.text());

    store.set_reference(
        "db:password",
        None,
        "https://kv-attacker.vault.azure.net/secrets/x",
    );
    azure.refresh().await.expect_err("there is no such vault");
    tokio::time::sleep(secs(600)).await;
    let text = events.text();
    assert_eq!(events.count(), 1, "{text}");
    for host in ["kv-attacker.vault.azure.net", "kv-shared.vault.azure.net"] {
        assert!(text.contains(host), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn f20_a_store_that_was_emptied_is_taken_over_loudly_or_refused() {
    for refuse in [false, true] {
        let (events, _collecting) = events::capture("config_azure=warn");
        let emulator = support::world_in_memory();
        let options = match refuse {
            true => RefreshOptions::new().refuse_emptied(),
            false => RefreshOptions::new(),
        };
        let azure = loaded(&emulator, options).await;
        emulator.store("contoso").clear();
        let answer = azure.refresh().await;
        let there = azure.explain("db.password").is_some();
        assert_eq!((there, answer.is_err()), (refuse, refuse));
        assert!(events.text().contains("every selected setting is gone"));
        if !refuse {
            continue;
        }
        assert_eq!(answer.expect_err("refused").kind(), ErrorKind::Emptied);
        tokio::time::sleep(secs(3_600)).await;
        let status = azure.status();
        let refused = status.refused.expect("it lasts");
        assert_eq!((refused.kind(), status.generation), (ErrorKind::Emptied, 1));
        // The secrets of what is kept are kept current.
        let vault = emulator.vault("kv-orders");
        vault.set_secret("db-password", "a-rotated-one");
        let (changes, _) = next(&azure, secs(400)).await.expect("a rotation");
        assert_eq!(paths(&changes), ["db.password"]);
        emulator.store("contoso").set("db:host", None, "another");
        let (changes, _) = next(&azure, secs(40)).await.expect("one is enough");
        assert!(paths(&changes).contains(&"db.host"));
        assert!(azure.explain("db.password").is_none() && azure.status().refused.is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_set_that_is_being_written_is_published_once() {
    let emulator = support::world_in_memory();
    let options = RefreshOptions::new().every(secs(10)).settle(secs(3));
    let azure = loaded(&emulator, options).await;
    let store = emulator.store("contoso");
    let writer = async {
        for name in ["a", "b", "c", "d", "e"] {
            store.set(&format!("set:{name}"), None, "x");
            tokio::time::sleep(secs(2)).await;
        }
    };
    let ((), change) = tokio::join!(writer, next(&azure, secs(60)));
    let (changes, _) = change.expect("in time");
    assert_eq!(changes.len(), 5, "{changes:?}");
}

#[tokio::test(start_paused = true)]
async fn code_of_the_application_that_panics_stops_nothing() {
    let emulator = support::world_in_memory();
    let store = emulator.store("contoso");
    let azure = support::in_memory(&emulator)
        .map_key(|setting| {
            assert_ne!(setting.key(), "boom", "by the application");
            config_azure::KeyPath::new(setting.key().split(':')).ok()
        })
        .load()
        .await
        .expect("a load");
    store.set("boom", None, "x");
    let error = azure.refresh().await.expect_err("a panic");
    assert_eq!(error.kind(), ErrorKind::Runtime);
    assert!(azure.status().counters.panics > 0);
    assert_eq!(azure.status().generation, 1);
    let unready = support::in_memory(&emulator).map_key(|_| panic!("by the application"));
    let error = unready.load().await.expect_err("a panic at the start");
    assert_eq!(error.kind(), ErrorKind::Runtime);
    store.delete("boom", None);
    store.set("db:host", None, "another");
    let (changes, _) = next(&azure, secs(75)).await.expect("it goes on");
    assert_eq!(paths(&changes), ["db.host"]);
}
