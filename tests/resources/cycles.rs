//! N13: what is built and dropped leaves nothing, however often.

use std::time::Duration;

use config::Config;
use config_azure::{AppConfiguration, KeyVaultOptions, Live, RefreshOptions, Secret};
use config_azure_emulator::Emulator;
use serde::Deserialize;
use tokio::runtime::Handle;

use crate::{alone, descriptors, heap, times};

const KIB: usize = 1024;

#[derive(Deserialize)]
struct Settings {
    password: Secret,
}

fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

/// What a process has, apart from threads.
#[derive(Debug, Clone, Copy)]
struct Held {
    tasks: usize,
    descriptors: usize,
}

fn held() -> Held {
    Held {
        tasks: tasks(),
        descriptors: descriptors(),
    }
}

async fn follow(azure: &AppConfiguration) -> Live<Settings> {
    let layers = Config::builder().add_source(azure.clone());
    azure.live(layers).await.expect("a live value")
}

impl Held {
    /// There may be less, if what another test had is gone only now.
    fn is_within(self, other: Self) -> bool {
        self.tasks <= other.tasks && self.descriptors <= other.descriptors
    }
}

/// Waits until the dropped is gone; connections are closed by tasks of their own.
async fn until(expected: Held) {
    let gone = async {
        while !held().is_within(expected) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let gone = tokio::time::timeout(Duration::from_secs(60), gone).await;
    assert!(gone.is_ok(), "{:?} instead of {expected:?}", held());
}

/// `CONFIG_AZURE_CYCLES=10000 cargo test --release --test resources in_memory -- --nocapture`
#[test]
fn f86_cycles_in_memory_leave_no_task_and_no_byte() {
    alone(true, cycles_in_memory_leave_no_task_and_no_byte());
}

async fn cycles_in_memory_leave_no_task_and_no_byte() {
    let cycles = times("CONFIG_AZURE_CYCLES", 300);
    let warm = cycles / 10;
    let (before, mut alive) = (held(), 0);
    for cycle in 0..cycles {
        let (builder, store) = config_azure::in_memory();
        store.set_secret("password", "one");
        let azure = builder.load().await.expect("a load");
        let mut live = follow(&azure).await;
        store.rotate("password", "two");
        let now = live.changed().await.expect("a value");
        assert_eq!(now.password, Secret::from("two"));
        drop((azure, live, now));
        until(before).await;
        if cycle == warm {
            alive = heap::alive();
        }
    }
    let now = heap::least(alive + 64 * KIB).await;
    println!(
        "{cycles} cycles in memory: {alive} bytes alive after {warm}, {now} at the end; {:?}, {before:?} before",
        held()
    );
    assert!(now <= alive + 64 * KIB, "{alive}, then {now}");
}

/// `CONFIG_AZURE_CYCLES=10000 cargo test --release --test resources over_tls -- --nocapture`
#[test]
fn f86_cycles_over_tls_leave_no_task_and_no_descriptor() {
    alone(false, cycles_over_tls_leave_no_task_and_no_descriptor());
}

async fn cycles_over_tls_leave_no_task_and_no_descriptor() {
    let cycles = times("CONFIG_AZURE_CYCLES", 20);
    // On a runtime of its own, whose tasks are not counted.
    let emulator = Emulator::builder().store("contoso").vault("kv-orders");
    let emulator = emulator.start_blocking().expect("an emulator on loopback");
    emulator.vault("kv-orders").set_secret("password", "one");
    let uri = emulator.vault("kv-orders").secret_uri("password");
    let store = emulator.store("contoso");
    store.set_reference("password", None, &uri);
    let (before, mut alive) = (held(), 0);
    for cycle in 0..cycles {
        let azure = AppConfiguration::builder()
            .connection_string(store.connection_string())
            .key_vault(KeyVaultOptions::new().credential(emulator.credential()))
            .refresh(RefreshOptions::new().every(Duration::from_secs(1)))
            .http_client(emulator.client_hook())
            .load()
            .await
            .expect("a load");
        let live = follow(&azure).await;
        assert_eq!(live.load().password, Secret::from("one"));
        azure.refresh().await.expect("a check");
        drop((azure, live));
        emulator.log().wait_idle().await;
        emulator.log().clear();
        until(before).await;
        if cycle == cycles / 10 {
            alive = heap::alive();
        }
    }
    let now = heap::least(alive + 128 * KIB).await;
    println!(
        "{cycles} cycles over TLS, the services in the same process: {alive} bytes alive after {}, {now} at the end; {:?}, \
         {before:?} before",
        cycles / 10,
        held()
    );
    assert!(now <= alive + 128 * KIB, "{alive}, then {now}");
}
