//! Wrong clocks, clocks that jump, and processes that stood still (T16): the schedule is monotonic, and what the protocol
//! dates by the wall clock (signatures, tokens, the life of secrets) is put right without anybody's help.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use config_azure::{
    AppConfiguration, AppConfigurationBuilder, ErrorKind, KeyVaultOptions, RefreshOptions,
    WallClock,
};
use config_azure_emulator::vault::NewSecret;
use config_azure_emulator::{CertificateKind, Emulator, Fault, Route};
use tokio::time::Instant;

use crate::support::{self, loaded, next, paths, secs};

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// The clock of the client's machine: Tokio's, and `off` by some seconds.
#[derive(Debug)]
struct Watch {
    start: SystemTime,
    origin: Instant,
    off: AtomicI64,
}

impl Watch {
    /// Off from the services' clock by so many seconds.
    fn beside(emulator: &Emulator, off: i64) -> Arc<Self> {
        Arc::new(Self {
            start: emulator.clock().now().into(),
            origin: Instant::now(),
            off: AtomicI64::new(off),
        })
    }

    fn set(&self, off: i64) {
        self.off.store(off, Ordering::Relaxed);
    }
}

impl WallClock for Watch {
    fn now(&self) -> SystemTime {
        let off = self.off.load(Ordering::Relaxed);
        let by = Duration::from_secs(off.unsigned_abs());
        let now = self.start + self.origin.elapsed();
        if off < 0 { now - by } else { now + by }
    }
}

/// The store by its key, so that requests are dated, or by token.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Access {
    Key,
    Token,
}

fn machine(emulator: &Emulator, watch: &Arc<Watch>, access: Access) -> AppConfigurationBuilder {
    let store = emulator.store("contoso");
    let builder = AppConfiguration::builder()
        .transport(emulator.transport())
        .wall_clock(Arc::clone(watch) as Arc<dyn WallClock>);
    match access {
        Access::Token => builder
            .endpoint(store.endpoint())
            .credential(emulator.credential()),
        Access::Key => builder
            .connection_string(store.connection_string())
            .key_vault(KeyVaultOptions::new().credential(emulator.credential())),
    }
}

/// Lets an hour pass, and tells how often the store was asked in it and how often secrets were.
async fn an_hour(emulator: &Emulator) -> (usize, usize) {
    emulator.log().clear();
    tokio::time::sleep(secs(3_600)).await;
    let log = emulator.log();
    (log.count(Route::store_list()), log.count(Route::secret()))
}

#[tokio::test(start_paused = true)]
async fn f45_a_clock_that_steps_shifts_no_schedule() {
    for access in [Access::Key, Access::Token] {
        for step in [HOUR, -HOUR, 2 * DAY, -2 * DAY] {
            let emulator = support::world_in_memory();
            let watch = Watch::beside(&emulator, 0);
            let builder = machine(&emulator, &watch, access);
            let azure = builder.load().await.expect("a load");
            for off in [step, 0] {
                watch.set(off);
                let (lists, secrets) = an_hour(&emulator).await;
                let refused = emulator.log().count(Route::any().status(401));
                // Each request that was refused for its date or its token is asked once more.
                assert!(
                    (119..=121 + refused).contains(&lists),
                    "{access:?} {off}: {lists}"
                );
                assert!(
                    (22..=26 + refused).contains(&secrets),
                    "{access:?} {off}: {secrets}"
                );
                assert!(refused <= 6, "{access:?} {off}: {refused}");
                let status = azure.status();
                assert!(status.failure.is_none() && !status.stale, "{status:?}");
            }
            emulator.store("contoso").set("db:host", None, "another");
            let (changes, _) = next(&azure, secs(40)).await.expect("in time");
            assert_eq!(paths(&changes), ["db.host"]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn f46_a_clock_that_is_wrong_from_the_start_is_corrected_once() {
    for access in [Access::Key, Access::Token] {
        for off in [HOUR, -HOUR, 2 * DAY, -2 * DAY] {
            let emulator = support::world_in_memory();
            // No token ends within the hour: the service counts its life in whole seconds of its own clock.
            emulator.credential().token_lifetime(secs(2 * 3_600));
            let watch = Watch::beside(&emulator, off);
            let builder = machine(&emulator, &watch, access);
            let azure = builder.load().await.expect("a load");
            let refused = emulator.log().count(Route::store().status(401));
            assert_eq!(
                refused,
                usize::from(access == Access::Key),
                "{access:?} {off}"
            );
            let (lists, _) = an_hour(&emulator).await;
            assert!((119..=121).contains(&lists), "{access:?} {off}: {lists}");
            assert_eq!(emulator.log().count(Route::store().status(401)), 0);
            assert!(!azure.status().stale);
        }
    }
}

#[tokio::test]
async fn f47_a_certificate_that_seems_expired_names_the_clock_and_loses_nothing() {
    // Over HTTP/1.1 a fault can close the connection, so that a certificate is looked at again.
    let emulator = Emulator::builder().store("contoso").http1_only();
    let emulator = emulator.start().await.expect("an emulator on loopback");
    emulator
        .store("contoso")
        .set("db:host", None, "db.contoso.example");
    let by_hand = RefreshOptions::new().disabled();
    let azure = support::by_token(&emulator).refresh(by_hand).load().await;
    let azure = azure.expect("a load");
    let host = "contoso.azconfig.io";
    let show = |kind| emulator.show_certificate(host, kind).expect("the host");
    show(CertificateKind::Expired);
    // The connection of before would go on being used.
    emulator
        .faults()
        .script(Route::store(), Fault::Drop, Some(1));
    assert!(azure.refresh().await.is_err());
    let error = azure.refresh().await.expect_err("it has expired");
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    assert!(error.to_string().contains("clock"), "{error}");
    assert_eq!(azure.loaded().expect("the old one").generation(), 1);
    show(CertificateKind::Good);
    emulator.store("contoso").set("db:host", None, "another");
    assert!(azure.refresh().await.expect("a check").is_updated());
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

/// On Linux the monotonic clock stands still during a suspend: only the date jumps, and tokens have expired.
#[tokio::test(start_paused = true)]
async fn f48_a_suspend_that_only_the_date_shows_is_no_failure() {
    for access in [Access::Key, Access::Token] {
        let emulator = support::world_in_memory();
        let watch = Watch::beside(&emulator, 0);
        let builder = machine(&emulator, &watch, access);
        let azure = builder.load().await.expect("a load");
        tokio::time::sleep(secs(100)).await;
        emulator.clock().advance(secs(8 * 3_600));
        watch.set(8 * HOUR);
        emulator.store("contoso").set("db:host", None, "another");
        emulator
            .vault("kv-orders")
            .set_secret("db-password", "rotated-meanwhile");
        let mut seen = Vec::new();
        while seen.len() < 2 {
            let (changes, _) = next(&azure, secs(301)).await.expect("in time");
            seen.extend(paths(&changes).into_iter().map(str::to_owned));
        }
        seen.sort();
        assert_eq!(seen, ["db.host", "db.password"]);
        let refused = emulator.log().count(Route::any().status(401));
        assert!(refused <= 6, "{access:?}: {refused}");
        assert!(azure.status().failure.is_none());
        let (lists, _) = an_hour(&emulator).await;
        assert!((119..=121).contains(&lists), "{lists}");
    }
}

#[tokio::test(start_paused = true)]
async fn f49_an_absurd_date_in_an_answer_changes_nothing() {
    let emulator = support::world_in_memory();
    let watch = Watch::beside(&emulator, 0);
    let builder = machine(&emulator, &watch, Access::Key);
    let azure = builder.load().await.expect("a load");
    let absurd = Fault::status(401).header("date", "Fri, 31 Dec 9999 23:59:59 GMT");
    let lies = emulator.faults().script(Route::store(), absurd, None);
    let error = azure.refresh().await.expect_err("it is refused");
    assert_eq!(error.kind(), ErrorKind::Credential);
    assert_eq!(azure.loaded().expect("the old one").generation(), 1);
    lies.remove();
    emulator.log().clear();
    emulator.store("contoso").set("db:host", None, "another");
    let (changes, _) = next(&azure, secs(75)).await.expect("in time");
    assert_eq!(paths(&changes), ["db.host"]);
    assert_eq!(
        emulator.log().count(Route::store().status(401)),
        0,
        "its dates are right"
    );
}

#[tokio::test(start_paused = true)]
async fn f50_a_runtime_that_stalls_makes_no_burst() {
    let emulator = support::world_in_memory();
    let azure = loaded(&emulator, RefreshOptions::new()).await;
    emulator.log().clear();
    for _ in 0..600 {
        tokio::time::advance(secs(2)).await;
        tokio::time::sleep(secs(1)).await;
    }
    let lists = emulator.log().count(Route::store_list());
    assert!((57..=61).contains(&lists), "{lists} in half an hour");
    assert!(emulator.log().count(Route::secret()) <= 2 * 7);
    assert!(azure.status().failure.is_none());
}

#[tokio::test(start_paused = true)]
async fn f83_a_minute_that_is_missing_is_one_check() {
    let emulator = support::world_in_memory();
    let often = RefreshOptions::new().every(secs(1));
    let azure = loaded(&emulator, often).await;
    tokio::time::sleep(secs(100)).await;
    emulator.log().clear();
    emulator.store("contoso").set("db:host", None, "another");
    tokio::time::advance(secs(60)).await;
    let (changes, took) = next(&azure, secs(1)).await.expect("at once");
    assert_eq!(paths(&changes), ["db.host"]);
    assert!(took < secs(1) / 2, "{took:?}");
    assert_eq!(emulator.log().count(Route::store_list()), 1, "not 60");
}

#[tokio::test(start_paused = true)]
async fn t16_the_life_of_a_secret_by_a_wrong_clock_costs_no_more_than_its_interval() {
    for off in [0, HOUR, -HOUR, 2 * DAY, -2 * DAY] {
        let emulator = support::world_in_memory();
        let vault = emulator.vault("kv-orders");
        // What is read outside its time is read all the same.
        vault.enforce_validity(false);
        let now = emulator.clock().now();
        for (name, from, to) in [
            ("short", 0, 2 * HOUR),
            ("next", HOUR, 3 * DAY),
            ("over", -DAY, -HOUR),
        ] {
            let at = |seconds| now + time_of(seconds);
            let dated = NewSecret::new(name).not_before(at(from)).expires(at(to));
            vault.set_secret_with(name, dated);
            let uri = vault.secret_uri(name);
            emulator
                .store("contoso")
                .set_reference(&format!("dated:{name}"), None, &uri);
        }
        let watch = Watch::beside(&emulator, off);
        let builder = machine(&emulator, &watch, Access::Token);
        let azure = builder.load().await.expect("a load");
        for hour in 0..4 {
            let (lists, secrets) = an_hour(&emulator).await;
            // A token that runs out by the service's clock first is refused once, and the request made again.
            let refused = emulator.log().count(Route::any().status(401));
            assert!((119..=121 + refused).contains(&lists), "{off}: {lists}");
            // Five secrets, twelve intervals, and a few reads that their dates draw forward.
            assert!(
                (57..=75).contains(&secrets),
                "{off}, hour {hour}: {secrets}"
            );
        }
        vault.set_secret("short", "renewed");
        let (changes, _) = next(&azure, secs(301)).await.expect("in time");
        assert_eq!(paths(&changes), ["dated.short"]);
    }
}

fn time_of(seconds: i64) -> azure_core::time::Duration {
    azure_core::time::Duration::seconds(seconds)
}
