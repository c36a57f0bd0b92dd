//! `refresh()`: what callers hear, how many checks they cause, and handles that refresh only when they are told to.

use config_azure::{ErrorKind, RefreshOptions, RefreshOutcome, SkipReason};
use config_azure_emulator::{Fault, Route};

use crate::support::{self, loaded, paths, secs};

#[tokio::test(start_paused = true)]
async fn callers_hear_what_happened() {
    let emulator = support::world_in_memory();
    let azure = loaded(&emulator, RefreshOptions::new()).await;
    let outcome = azure.refresh().await.expect("a check");
    assert!(matches!(outcome, RefreshOutcome::Unchanged), "{outcome:?}");

    emulator.store("contoso").set("db:host", None, "another");
    let outcome = azure.refresh().await.expect("a check");
    let (generation, changed) = support::updated(outcome);
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
