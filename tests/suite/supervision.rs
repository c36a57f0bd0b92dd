//! Supervision: code of the application that panics inside the engine itself, not in a request or a callback. The engine
//! starts again, says so, and loses nothing that was on its way.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::SystemTime;

use config::Config;
use config_azure::{AppConfiguration, ErrorKind, KeyVaultOptions, RefreshOptions, WallClock};
use config_azure_emulator::Emulator;
use config_azure_emulator::vault::NewSecret;
use tokio::time::Instant;

use crate::support::{self, secs};

/// A clock that panics once: when it has been asked so many more times. Zero: never.
#[derive(Debug)]
struct Fragile {
    start: SystemTime,
    origin: Instant,
    fuse: AtomicUsize,
    /// It panics at every question.
    broken: AtomicBool,
}

impl WallClock for Fragile {
    fn now(&self) -> SystemTime {
        assert!(!self.broken.load(Ordering::Relaxed), "by the application");
        let left = self.fuse.load(Ordering::Relaxed);
        self.fuse.store(left.saturating_sub(1), Ordering::Relaxed);
        assert_ne!(left, 1, "by the application");
        self.start + self.origin.elapsed()
    }
}

/// A handle that reads no secret by itself: a rotation that it loses is lost for good.
async fn fragile(emulator: &Emulator, refresh: RefreshOptions) -> (AppConfiguration, Arc<Fragile>) {
    let clock = Arc::new(Fragile {
        start: emulator.clock().now().into(),
        origin: Instant::now(),
        fuse: AtomicUsize::new(0),
        broken: AtomicBool::new(false),
    });
    let azure = AppConfiguration::builder()
        .endpoint(emulator.store("contoso").endpoint())
        .credential(emulator.credential())
        .transport(emulator.transport())
        .wall_clock(Arc::clone(&clock) as Arc<dyn WallClock>)
        .key_vault(KeyVaultOptions::new().no_refresh())
        .refresh(refresh)
        .load()
        .await
        .expect("a load");
    (azure, clock)
}

/// What is there now of what is written below.
fn is_current(azure: &AppConfiguration) -> bool {
    let config = Config::builder().add_source(azure.clone()).build();
    let config = config.expect("a configuration");
    let text = |path| config.get_string(path).unwrap_or_default();
    text("db.password") == "rotated" && text("db.host") == "moved"
}

/// Whichever question to the clock panics while a rotation and a changed setting are taken over: it goes on, and both arrive.
#[tokio::test(start_paused = true)]
async fn a_clock_that_panics_once_loses_nothing() {
    for background in [true, false] {
        let mut told = Vec::new();
        for nth in 1.. {
            let emulator = support::world_in_memory();
            let refresh = match background {
                true => RefreshOptions::new(),
                false => RefreshOptions::new().disabled(),
            };
            let (azure, clock) = fragile(&emulator, refresh).await;
            let soon = emulator.clock().now() + secs(86_400);
            let rotated = NewSecret::new("rotated").expires(soon);
            emulator
                .vault("kv-orders")
                .set_secret_with("db-password", rotated);
            emulator.store("contoso").set("db:host", None, "moved");

            clock.fuse.store(nth, Ordering::Relaxed);
            let answer = azure.refresh().await;
            let whole = clock.fuse.swap(0, Ordering::Relaxed) > 0;
            assert_eq!(azure.status().counters.panics, u64::from(!whole), "{nth}");
            if whole {
                answer.expect("nothing happened");
                assert!(is_current(&azure));
                break;
            }
            told.push(answer.err().map(|error| error.kind()));
            if background {
                tokio::time::sleep(secs(75)).await;
                assert!(azure.status().running);
            } else {
                tokio::time::sleep(secs(4)).await;
                azure.refresh().await.expect("it goes on");
            }
            assert!(is_current(&azure), "{nth}: lost");
            assert_eq!(azure.status().counters.panics, 1);
        }
        assert!(told.len() > 3);
        assert!(
            told.iter().all(|kind| *kind == Some(ErrorKind::Runtime)),
            "{told:?}"
        );
    }
}

/// The restart itself panics too, again and again. As soon as the clock is well, so is the handle.
#[tokio::test(start_paused = true)]
async fn a_clock_that_panics_for_long_stops_nothing_for_good() {
    for background in [true, false] {
        let emulator = support::world_in_memory();
        let refresh = match background {
            true => RefreshOptions::new(),
            false => RefreshOptions::new().disabled(),
        };
        let (azure, clock) = fragile(&emulator, refresh).await;
        emulator
            .vault("kv-orders")
            .set_secret("db-password", "rotated");
        emulator.store("contoso").set("db:host", None, "moved");
        clock.broken.store(true, Ordering::Relaxed);
        for _ in 0..3 {
            let answer = tokio::time::timeout(secs(70), azure.refresh()).await;
            let error = answer.expect("in time").expect_err("the clock");
            assert_eq!(error.kind(), ErrorKind::Runtime);
            tokio::time::sleep(secs(400)).await;
        }
        clock.broken.store(false, Ordering::Relaxed);
        if background {
            tokio::time::sleep(secs(105)).await;
        } else {
            azure.refresh().await.expect("it goes on");
        }
        assert!(is_current(&azure), "background: {background}");
        assert!(azure.status().counters.panics >= 3);
    }
}
