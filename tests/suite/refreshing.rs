//! The refresh engine on the whole line: what callers hear, what the status says, what a fault does and does not do.

use std::sync::Arc;
use std::time::Duration;

use config_azure::{
    AppConfiguration, ChangeSet, ErrorKind, KeyVaultOptions, RefreshOptions, RefreshOutcome,
    SecretErrorKind, SecretPolicy, SkipReason,
};
use config_azure_emulator::{Emulator, Fault, Route};
use tokio::time::Instant;

use crate::support;

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

async fn loaded(emulator: &Emulator, options: RefreshOptions) -> AppConfiguration {
    let builder = support::in_memory(emulator).refresh(options);
    builder.load().await.expect("a load")
}

/// The next change, and how long it took.
async fn next(azure: &AppConfiguration, within: Duration) -> Option<(ChangeSet, Duration)> {
    let mut changes = azure.changes();
    let began = Instant::now();
    let change = tokio::time::timeout(within, changes.next()).await.ok()??;
    Some((change, began.elapsed()))
}

fn paths(changes: &ChangeSet) -> Vec<&str> {
    changes.iter().map(config_azure::Change::path).collect()
}

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
    tokio::time::sleep(secs(900)).await;
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
    assert_eq!(paths(&changes), ["api.key", "db.host"]);
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
async fn f48_a_jump_of_eight_hours_is_one_refresh() {
    let emulator = support::world_in_memory();
    let azure = loaded(&emulator, RefreshOptions::new()).await;
    tokio::time::sleep(secs(100)).await;
    emulator.store("contoso").set("db:host", None, "another");
    emulator.log().clear();
    tokio::time::advance(secs(8 * 3_600)).await;
    let (changes, _) = next(&azure, secs(5)).await.expect("in time");
    assert_eq!(paths(&changes), ["db.host"]);
    tokio::time::sleep(secs(2)).await;
    assert_eq!(emulator.log().count(Route::secret()), 2);
    assert!(emulator.log().count(Route::store_list()) <= 2);
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
async fn callers_hear_what_happened() {
    let emulator = support::world_in_memory();
    let azure = loaded(&emulator, RefreshOptions::new()).await;
    let outcome = azure.refresh().await.expect("a check");
    assert!(matches!(outcome, RefreshOutcome::Unchanged), "{outcome:?}");

    emulator.store("contoso").set("db:host", None, "another");
    let outcome = azure.refresh().await.expect("a check");
    let RefreshOutcome::Updated {
        generation,
        changed,
    } = outcome
    else {
        panic!("{outcome:?}");
    };
    assert_eq!((generation, paths(&changed)), (2, vec!["db.host"]));

    let outcome = azure.refresh().await.expect("a check");
    let too_soon = matches!(outcome, RefreshOutcome::Skipped(SkipReason::TooSoon));
    assert!(too_soon, "its secrets were read a moment ago: {outcome:?}");

    tokio::time::sleep(secs(7)).await;
    let vault = Route::vault().host("kv-orders.vault.azure.net");
    let asks = Fault::status(429).retry_after(30);
    let busy = emulator.faults().script(vault, asks, None);
    let error = azure
        .refresh()
        .await
        .expect_err("one vault could not be asked");
    assert!(error.is_throttled(), "{error}");
    assert_eq!(error.failures()[0].key(), "db:password");
    tokio::time::sleep(secs(4)).await;
    let outcome = azure.refresh().await.expect("a check");
    assert!(
        matches!(outcome, RefreshOutcome::Skipped(SkipReason::Throttled)),
        "{outcome:?}"
    );
    busy.remove();

    emulator
        .faults()
        .script(Route::store(), Fault::Refuse, None);
    let error = azure.refresh().await.expect_err("the store is gone");
    assert_eq!(error.kind(), ErrorKind::Unreachable);
}

#[tokio::test(start_paused = true)]
async fn f92_a_thousand_callers_share_one_check() {
    for options in [RefreshOptions::new(), RefreshOptions::new().disabled()] {
        let emulator = support::world_in_memory();
        let azure = loaded(&emulator, options).await;
        emulator.store("contoso").set("db:host", None, "another");
        emulator.log().clear();
        let calls = (0..1_000).map(|_| azure.refresh());
        let outcomes = futures::future::join_all(calls).await;
        let told = |outcome: &Result<RefreshOutcome, _>| {
            outcome.as_ref().is_ok_and(RefreshOutcome::is_updated)
        };
        assert!(outcomes.iter().all(told));
        assert_eq!(emulator.log().count(Route::store_list()), 1);
        assert_eq!(emulator.log().count(Route::secret()), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn f93_a_call_that_is_dropped_leaves_nothing_locked() {
    for options in [RefreshOptions::new(), RefreshOptions::new().disabled()] {
        let emulator = support::world_in_memory();
        let azure = loaded(&emulator, options).await;
        emulator.store("contoso").set("db:host", None, "another");
        let slow = emulator
            .faults()
            .script(Route::store(), Fault::Delay(secs(2)), None);
        let dropped = tokio::time::timeout(secs(1), azure.refresh()).await;
        assert!(dropped.is_err());
        slow.remove();
        // Whether the first call's check went on or not, its change is there after the second.
        azure.refresh().await.expect("a check");
        assert_eq!(azure.status().generation, 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_is_taken_over_when_the_one_who_drives_goes_away() {
    let emulator = support::world_in_memory();
    let azure = loaded(&emulator, RefreshOptions::new().disabled()).await;
    emulator.store("contoso").set("db:host", None, "another");
    emulator
        .faults()
        .script(Route::store(), Fault::Delay(secs(2)), None);
    let driver = tokio::time::timeout(secs(1), azure.refresh());
    let (driver, other) = tokio::join!(driver, azure.refresh());
    assert!(driver.is_err());
    assert!(other.expect("a check").is_updated());
}

#[tokio::test(start_paused = true)]
async fn without_an_interval_there_is_no_task_and_no_request() {
    let emulator = support::world_in_memory();
    let before = support::tasks();
    let azure = loaded(&emulator, RefreshOptions::new().disabled()).await;
    assert_eq!(support::tasks(), before);
    emulator.log().clear();
    emulator
        .vault("kv-orders")
        .set_secret("db-password", "rotated");
    tokio::time::sleep(secs(86_400)).await;
    assert_eq!(emulator.log().entries().len(), 0);
    assert!(!azure.status().running);
    assert!(azure.refresh().await.expect("a check").is_updated());
    azure.shutdown().await;
    let error = azure.refresh().await.expect_err("it is shut down");
    assert_eq!(error.kind(), ErrorKind::Closed);
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
    store.delete("boom", None);
    store.set("db:host", None, "another");
    let (changes, _) = next(&azure, secs(75)).await.expect("it goes on");
    assert_eq!(paths(&changes), ["db.host"]);
}

#[tokio::test(start_paused = true)]
async fn n13_shutdown_takes_a_moment_whatever_is_under_way() {
    let hanging = [None, Some(Route::store()), Some(Route::vault())];
    for hangs in hanging {
        let emulator = support::world_in_memory();
        let before = support::tasks();
        let azure = loaded(&emulator, RefreshOptions::new()).await;
        let asked = hangs.clone();
        if let Some(route) = hangs {
            emulator.faults().script(route, Fault::Hang, None);
        }
        tokio::time::sleep(secs(305)).await;
        let waiting = tokio::spawn({
            let azure = azure.clone();
            async move { azure.refresh().await }
        });
        tokio::time::sleep(Duration::from_millis(100)).await;
        let began = Instant::now();
        azure.shutdown().await;
        assert!(began.elapsed() <= Duration::from_millis(100), "{asked:?}");
        let answer = waiting.await.expect("no panic");
        if asked.is_some() {
            assert_eq!(
                answer.expect_err("it was cut off").kind(),
                ErrorKind::Closed
            );
        }
        emulator.log().wait_idle().await;
        assert_eq!(support::tasks(), before);
        assert_eq!(azure.loaded().expect("still there").generation(), 1);
        assert!(azure.changes().next().await.is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn f77_the_handle_is_dropped_before_the_runtime() {
    let emulator = support::world_in_memory();
    let before = support::tasks();
    let azure = loaded(&emulator, RefreshOptions::new()).await;
    drop(azure);
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(support::tasks(), before);
    emulator.log().clear();
    tokio::time::sleep(secs(3_600)).await;
    assert_eq!(emulator.log().entries().len(), 0);
}

#[tokio::test]
async fn f78_every_handle_is_dropped_during_a_hung_request() {
    let emulator = support::world().await;
    let options = RefreshOptions::new().every(secs(1));
    let builder = support::by_token(&emulator).refresh(options);
    let azure = builder.load().await.expect("a load");
    emulator.faults().script(Route::store(), Fault::Hang, None);
    emulator.log().clear();
    emulator.log().wait_for(Route::store_list(), 1).await;
    assert!(emulator.log().in_flight() > 0);
    drop(azure);
    // Only a closed connection ends it.
    emulator.log().wait_idle().await;
}

#[test]
fn f76_the_runtime_is_dropped_before_the_handle() {
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
    };
    let first = runtime().expect("a runtime");
    let (emulator, azure) = first.block_on(async {
        let emulator = support::world_in_memory();
        let azure = loaded(&emulator, RefreshOptions::new()).await;
        (emulator, azure)
    });
    drop(first);
    assert_eq!(azure.loaded().expect("the last value").generation(), 1);
    assert!(!azure.status().running);
    runtime().expect("another runtime").block_on(async {
        let error = azure.refresh().await.expect_err("its runtime is gone");
        assert_eq!(error.kind(), ErrorKind::Closed);
        assert!(azure.changes().next().await.is_none());
        azure.shutdown().await;
    });
    drop(emulator);
}

#[test]
fn f79_one_worker_is_enough() {
    for threads in [0, 1] {
        let runtime = match threads {
            0 => tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build(),
            many => tokio::runtime::Builder::new_multi_thread()
                .worker_threads(many)
                .enable_all()
                .build(),
        };
        runtime.expect("a runtime").block_on(async {
            let emulator = support::world_in_memory();
            let azure = Arc::new(loaded(&emulator, RefreshOptions::new().every(secs(1))).await);
            emulator.store("contoso").set("db:host", None, "another");
            let (changes, _) = next(&azure, secs(30)).await.expect("in time");
            assert_eq!(paths(&changes), ["db.host"]);
            azure.shutdown().await;
        });
    }
}
