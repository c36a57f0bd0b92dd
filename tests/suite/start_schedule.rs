//! How often a first load that fails is tried again, and when it is given up.

use std::time::Duration;

use config::Config;
use config_azure::{AppConfiguration, Error, ErrorKind, Result, StartupOptions};
use config_azure_emulator::{Emulator, Entry, Fault, Route};
use tokio::time::Instant;

use crate::support::secs;
use crate::{events, support};

/// Loads, and says how long that took.
async fn timed(emulator: &Emulator, startup: StartupOptions) -> (Result<AppConfiguration>, f64) {
    emulator.log().clear();
    let started = Instant::now();
    let loaded = support::in_memory(emulator).startup(startup).load().await;
    (loaded, started.elapsed().as_secs_f64())
}

async fn failed(emulator: &Emulator, startup: StartupOptions) -> (Error, f64) {
    let (loaded, took) = timed(emulator, startup).await;
    (loaded.expect_err("it cannot load"), took)
}

/// The pauses between two requests that are longer than any within one pass.
fn pauses(emulator: &Emulator) -> Vec<Duration> {
    let entries = emulator.log().entries();
    let pause = |pair: &[Entry]| pair[1].instant - pair[0].instant;
    let pauses = entries.windows(2).map(pause);
    pauses.filter(|pause| *pause >= secs(5)).collect()
}

/// Three attempts a pass with less than a second in all, 5 s and up to a quarter more between two passes, one pass just
/// before the deadline.
#[tokio::test(start_paused = true)]
async fn f01_n6_nothing_reachable_is_tried_in_jittered_rounds_until_the_deadline() {
    for fault in [Fault::Refuse, Fault::Drop] {
        let emulator = support::world_in_memory();
        emulator.faults().script(Route::any(), fault, None);
        let (error, took) = failed(&emulator, StartupOptions::new()).await;
        assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
        assert!((99.0..=101.0).contains(&took), "{took}");
        let asked = emulator.log().count(Route::any());
        assert!((3 * 14..=3 * 22).contains(&asked), "{asked} requests");
        let pauses = pauses(&emulator);
        assert!((13..=19).contains(&pauses.len()), "{pauses:?}");
        assert!(
            pauses
                .iter()
                .all(|pause| *pause <= Duration::from_millis(6_251))
        );
        let (least, most) = (pauses.iter().min(), pauses.iter().max());
        assert_ne!(least, most, "a fleet would ask in step");
    }
}

/// With a deadline of an hour: by the time since the start, and then by doubling.
#[tokio::test(start_paused = true)]
async fn f01_a_patient_start_asks_ever_less_often() {
    let emulator = support::world_in_memory();
    emulator.faults().script(Route::any(), Fault::Refuse, None);
    let hour = StartupOptions::new().deadline(secs(3_600));
    let began = Instant::now();
    let (error, took) = failed(&emulator, hour).await;
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
    assert!((3_599.0..=3_601.0).contains(&took), "{took}");
    // The passes that began in these seconds: the first is 3 requests, as each other.
    let passes = |from: u64, to: u64| {
        let within = |entry: &Entry| (secs(from)..secs(to)).contains(&(entry.instant - began));
        let entries = emulator.log().entries();
        entries
            .iter()
            .filter(|entry| within(entry))
            .count()
            .div_ceil(3)
    };
    let counted = [(0, 100), (100, 200), (200, 600), (600, 900)].map(|(a, b)| passes(a, b));
    assert!((14..=20).contains(&counted[0]), "{counted:?}");
    assert!((7..=11).contains(&counted[1]), "{counted:?}");
    assert!((10..=14).contains(&counted[2]), "{counted:?}");
    // 30, 60, 120 and 240 s: not the ten minutes at once that counting all passes would lead to.
    assert!((3..=5).contains(&counted[3]), "{counted:?}");
    let late = passes(900, 3_600);
    assert!((4..=9).contains(&late), "{late}");
}

#[tokio::test(start_paused = true)]
async fn a_role_that_arrives_late_is_waited_for() {
    let emulator = support::world_in_memory();
    emulator.store("contoso").forbid(true);
    let store = emulator.store("contoso");
    let later = async {
        tokio::time::sleep(secs(8)).await;
        store.forbid(false);
    };
    let (azure, ()) = tokio::join!(support::in_memory(&emulator).load(), later);
    assert!(azure.is_ok(), "{:?}", azure.err());

    store.forbid(true);
    emulator.log().clear();
    let startup = StartupOptions::new().fail_fast();
    let error = support::in_memory(&emulator)
        .startup(startup)
        .load()
        .await
        .expect_err("forbidden");
    assert_eq!(error.kind(), ErrorKind::Forbidden);
    assert_eq!(emulator.log().count(Route::store_list()), 1);
}

/// A role that does not arrive, and a name that is wrong, are waited for no longer than that.
#[tokio::test(start_paused = true)]
async fn n6_a_403_or_404_that_stays_ends_with_the_permission_grace() {
    for (status, kind) in [(403, ErrorKind::Forbidden), (404, ErrorKind::NotFound)] {
        let emulator = support::world_in_memory();
        let faults = emulator.faults();
        faults.script(Route::store(), Fault::status(status), None);
        let (error, took) = failed(&emulator, StartupOptions::new()).await;
        assert_eq!((error.kind(), error.status()), (kind, Some(status)));
        assert!((15.0..=20.0).contains(&took), "{status}: {took}");
        assert_eq!(emulator.log().count(Route::store()), 4, "{status}");

        let short = StartupOptions::new().permission_grace(secs(3));
        let (error, took) = failed(&emulator, short).await;
        assert_eq!(error.kind(), kind);
        assert!((5.0..=6.3).contains(&took), "{status}: {took}");
        assert_eq!(emulator.log().count(Route::store()), 2, "{status}");

        // Not even the deadline is reason to wait longer, and it is one to wait shorter.
        let brief = StartupOptions::new().deadline(secs(8));
        let (error, took) = failed(&emulator, brief).await;
        assert_eq!(error.kind(), kind);
        assert!((7.0..=8.1).contains(&took), "{status}: {took}");
    }
}

/// The same for a vault's.
#[tokio::test(start_paused = true)]
async fn n6_a_secret_that_stays_forbidden_or_missing_ends_with_the_permission_grace() {
    for missing in [true, false] {
        let emulator = support::world_in_memory();
        let vault = emulator.vault("kv-orders");
        match missing {
            true => vault.delete_secret("db-password"),
            false => vault.forbid("db-password"),
        };
        let (error, took) = failed(&emulator, StartupOptions::new()).await;
        assert!(error.is_reference(), "{error}");
        assert!((15.0..=20.0).contains(&took), "{took}");
        let log = emulator.log();
        assert_eq!(log.count(Route::store()), 1, "the settings are at hand");
        let asked = log.count(Route::secret().host("kv-orders.vault.azure.net"));
        assert!((3..=4).contains(&asked), "{asked}");
        let startup = StartupOptions::new().fail_fast();
        let (_, took) = failed(&emulator, startup).await;
        assert!(took < 1.0, "{took}");
    }
}

/// Waiting mends no request that is wrong, so that nobody waits: whatever patience was asked for.
#[tokio::test(start_paused = true)]
async fn a_400_at_the_start_is_asked_once_and_fails_at_once() {
    let emulator = support::world_in_memory();
    let faults = emulator.faults();
    faults.script(Route::store(), Fault::status(400), None);
    for startup in [
        StartupOptions::new(),
        StartupOptions::new().permission_grace(secs(60)),
        StartupOptions::new().optional(),
    ] {
        let (error, took) = failed(&emulator, startup).await;
        assert_eq!(
            (error.kind(), error.status()),
            (ErrorKind::Service, Some(400))
        );
        assert!(!error.is_transient());
        assert_eq!(emulator.log().count(Route::any()), 1);
        assert!(took < 0.1, "{took}");
    }
}

/// The store is down, then up: the program runs all the while, and its settings come.
#[tokio::test(start_paused = true)]
async fn an_optional_start_is_empty_and_loud_and_is_made_up_for() {
    let (events, _collecting) = events::capture("config_azure=error");
    let emulator = support::world_in_memory();
    let down = emulator
        .faults()
        .script(Route::store(), Fault::Refuse, None);
    let startup = StartupOptions::new().deadline(secs(10)).optional();
    let (loaded, took) = timed(&emulator, startup).await;
    let azure = loaded.expect("a start without the store");
    assert!((9.0..=10.1).contains(&took), "{took}");
    assert!(!azure.status().is_ready());
    let host = || {
        let layers = Config::builder().set_default("db.host", "of another layer");
        let layers = layers.expect("a default").add_source(azure.clone());
        layers
            .build()
            .expect("a configuration")
            .get_string("db.host")
    };
    assert_eq!(host().expect("a host"), "of another layer");
    let said = events.text();
    for word in [
        "ERROR",
        "contoso.azconfig.io",
        "optional",
        "cannot be reached",
    ] {
        assert!(said.contains(word), "{word}: {said}");
    }

    // It keeps trying by itself, and in vain as long as the store is down.
    emulator.log().clear();
    tokio::time::sleep(secs(300)).await;
    assert!(emulator.log().count(Route::store_list()) > 5);
    assert_eq!(host().expect("a host"), "of another layer");

    down.remove();
    let (changes, took) = support::next(&azure, secs(75)).await.expect("the settings");
    assert!(support::paths(&changes).contains(&"db.host"));
    assert!(took <= secs(75));
    assert_eq!(host().expect("a host"), "db.contoso.example");
    assert!(azure.status().is_ready());
    assert!(azure.loaded().is_some_and(|loaded| loaded.generation() > 1));
}
