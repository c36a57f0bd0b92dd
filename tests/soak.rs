//! Real sockets through a bad network: everything changes all the time, and no snapshot is ever half or old.
//!
//! A binary of its own, because it counts the descriptors of its process. A few seconds by default;
//! `CONFIG_AZURE_SOAK=600` runs it for ten minutes (`docs/testing.md`).

use std::time::Duration;

use config::Config;
use config_azure::{AppConfiguration, KeyVaultOptions, Live, RefreshOptions};
use config_azure_emulator::Emulator;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

#[path = "soak/chaos.rs"]
mod chaos;
#[path = "soak/content.rs"]
mod content;

use chaos::Chaos;
use content::{Settings, Watched, write};

/// What is due arrives within this time once the network is well.
const RECOVERY: Duration = Duration::from_secs(75);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn n10_real_sockets_through_a_bad_network() {
    let length = match std::env::var("CONFIG_AZURE_SOAK") {
        Ok(seconds) => seconds.parse().expect("CONFIG_AZURE_SOAK in seconds"),
        Err(_) => 3,
    };
    // What a process keeps after its first use of sockets and of a runtime is the baseline.
    run(Duration::from_millis(500)).await;
    let (tasks, descriptors) = (tasks(), descriptors());
    run(Duration::from_secs(length)).await;
    settle("tasks", tasks, self::tasks).await;
    settle("descriptors", descriptors, self::descriptors).await;
}

async fn run(length: Duration) {
    let emulator = Emulator::builder()
        .store("contoso")
        .vault("kv-orders")
        .start()
        .await
        .expect("an emulator on loopback");
    write(&emulator, 1);
    let mut chaos = Chaos::before(&emulator).await;
    let azure = app(&emulator).load().await.expect("a load");
    let live: Live<Settings> = azure
        .live(Config::builder().add_source(azure.clone()))
        .await
        .expect("a live value");

    let (stop, stopped) = watch::channel(false);
    let readers: Vec<_> = (0..2)
        .map(|_| {
            let (live, stopped) = (live.clone(), stopped.clone());
            std::thread::spawn(move || Watched::read(&live, &stopped))
        })
        .collect();
    let caller = tokio::spawn(call(azure.clone(), stopped));

    let end = Instant::now() + length;
    let (mut round, mut next) = (1, Instant::now());
    while Instant::now() < end {
        round += 1;
        write(&emulator, round);
        emulator.log().clear();
        if Instant::now() >= next {
            next = Instant::now() + chaos.next_mood(&emulator).await;
        }
        sleep(Duration::from_millis(40)).await;
    }
    chaos.end(&emulator).await;
    arrival(live.clone(), round).await;

    stop.send_replace(true);
    let (refreshed, failed) = caller.await.expect("the caller");
    let mut watched = Watched::default();
    for reader in readers {
        watched.add(reader.join().expect("a reader"));
    }
    println!(
        "{} s: {round} rounds of changes, {} moods of the network, {} snapshots, {} reads, {refreshed} refreshes went well and {failed} failed",
        length.as_secs(),
        chaos.moods(),
        live.load().generation(),
        watched.reads(),
    );
    assert_eq!(watched.breaks(), &[] as &[String]);
    assert!(live.load().generation() > 1, "nothing was ever published");
    azure.shutdown().await;
}

fn app(emulator: &Emulator) -> config_azure::AppConfigurationBuilder {
    let second = Duration::from_secs(1);
    AppConfiguration::builder()
        .endpoint(emulator.store("contoso").endpoint())
        .credential(emulator.credential())
        .refresh(RefreshOptions::new().every(second))
        .key_vault(
            KeyVaultOptions::new()
                .json_secrets(true)
                .refresh_interval(second)
                .timeout(second),
        )
        .http_client(emulator.client_hook())
}

/// An impatient caller of `refresh`: how often it went well, and how often not.
async fn call(azure: AppConfiguration, mut stopped: watch::Receiver<bool>) -> (usize, usize) {
    let (mut well, mut failed) = (0, 0);
    while !*stopped.borrow_and_update() {
        let outcome = tokio::select! {
            outcome = azure.refresh() => outcome,
            _ = stopped.changed() => continue,
        };
        *(if outcome.is_ok() {
            &mut well
        } else {
            &mut failed
        }) += 1;
        let _ = timeout(Duration::from_millis(250), stopped.changed()).await;
    }
    (well, failed)
}

/// Waits until the last round is in the snapshot, whole.
async fn arrival(mut live: Live<Settings>, round: u64) {
    let arrived = timeout(RECOVERY, async {
        while !live.load().is_of(round) {
            live.changed().await.expect("a live value");
        }
    });
    if arrived.await.is_err() {
        panic!("round {round} never arrived: {:?}", live.load().rounds());
    }
}

fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

/// Open descriptors of this process; none where the system does not list them.
fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

/// Waits until a count is back at its baseline.
async fn settle(what: &str, baseline: usize, count: impl Fn() -> usize) {
    let start = Instant::now();
    while count() > baseline {
        let left = count();
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "{left} {what}, {baseline} before"
        );
        sleep(Duration::from_millis(20)).await;
    }
}
