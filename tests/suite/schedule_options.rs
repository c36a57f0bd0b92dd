//! The choices of `RefreshOptions` about time, each on a handle: what the store is asked, and when.

use config_azure::{RefreshOptions, SettingSelector};
use config_azure_emulator::{Emulator, Route};
use std::time::Duration;
use tokio::time::Instant;

use crate::support::{self, loaded, secs};

const TICK: Duration = Duration::from_millis(2);

/// When lists were asked for, of everything or of flags alone.
fn lists(emulator: &Emulator, part: &str) -> Vec<Instant> {
    let lists = emulator.log().matching(Route::store_list().query(part));
    lists.iter().map(|entry| entry.instant).collect()
}

#[tokio::test(start_paused = true)]
async fn flags_have_an_interval_of_their_own() {
    for (apart, expected) in [(None, 5..=7), (Some(secs(60)), 59..=61)] {
        let emulator = support::world_in_memory();
        let options = RefreshOptions::new().every(secs(600));
        let options = match apart {
            Some(every) => options.flags_every(every),
            None => options,
        };
        let azure = support::in_memory(&emulator)
            .feature_flags(SettingSelector::all())
            .refresh(options)
            .load()
            .await
            .expect("a load");
        emulator.log().clear();
        tokio::time::sleep(secs(3_600)).await;
        let (all, flags) = (
            lists(&emulator, "").len(),
            lists(&emulator, "featureflag").len(),
        );
        assert!(expected.contains(&flags), "{flags}");
        assert!((5..=7).contains(&(all - flags)), "{all} with {flags}");
        drop(azure);
    }
}

#[tokio::test(start_paused = true)]
async fn without_jitter_checks_are_one_interval_apart() {
    for (part, even) in [(0.0, true), (0.5, false)] {
        let emulator = support::world_in_memory();
        let options = RefreshOptions::new().every(secs(60)).jitter(part);
        let azure = loaded(&emulator, options).await;
        emulator.log().clear();
        tokio::time::sleep(secs(3_600)).await;
        let at = lists(&emulator, "");
        assert!((59..=61).contains(&at.len()), "{}", at.len());
        let off = at
            .windows(2)
            .map(|two| (two[1] - two[0]).abs_diff(secs(60)));
        let off = off.max().expect("checks");
        assert_eq!(off <= TICK, even, "{off:?}");
        assert!(off <= secs(31), "{off:?}");
        drop(azure);
    }
}

#[tokio::test(start_paused = true)]
async fn stale_is_what_the_application_calls_stale() {
    let emulator = support::world_in_memory();
    let options = RefreshOptions::new().every(secs(3_600)).jitter(0.0);
    let azure = loaded(&emulator, options.stale_after(secs(7))).await;
    tokio::time::sleep(secs(6)).await;
    assert!(!azure.status().stale);
    azure.refresh().await.expect("a check");
    tokio::time::sleep(secs(6)).await;
    let status = azure.status();
    assert!(!status.stale && !status.is_stale(secs(7)) && status.is_stale(secs(5)));
    tokio::time::sleep(secs(2)).await;
    let status = azure.status();
    assert!(status.stale && status.is_stale(secs(7)) && !status.is_stale(secs(9)));
    azure.refresh().await.expect("a check");
    assert!(!azure.status().stale);
}
