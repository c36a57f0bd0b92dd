//! What the integration tests share: a small world and a handle on it.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use config::Config;
use config_azure::{
    AppConfiguration, AppConfigurationBuilder, Change, ChangeSet, KeyVaultOptions, Live,
    RefreshOptions, RefreshOutcome, Secret, WallClock,
};
use config_azure_emulator::{Emulator, Setting};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

/// What is read of it.
#[derive(Deserialize)]
pub struct Settings {
    pub db: Database,
}

#[derive(Deserialize)]
pub struct Database {
    pub host: String,
    pub password: Secret,
}

/// A store with a nested setting, a JSON value and two references, over real TLS.
pub async fn world() -> Emulator {
    let emulator = Emulator::builder()
        .store("contoso")
        .vault("kv-orders")
        .vault("kv-shared")
        .start()
        .await;
    filled(emulator.expect("an emulator on loopback"))
}

/// The same without sockets, for a paused clock.
pub fn world_in_memory() -> Emulator {
    pin_draws();
    filled(
        Emulator::builder()
            .store("contoso")
            .vault("kv-orders")
            .vault("kv-shared")
            .in_memory(),
    )
}

/// What the library draws on the thread of a test comes from one seed, so that the test goes the same way each time;
/// `CONFIG_AZURE_DRAWS` is another one.
pub fn pin_draws() {
    thread_local! {
        static PINNED: OnceCell<()> = const { OnceCell::new() };
    }
    PINNED.with(|pinned| {
        pinned.get_or_init(|| {
            let seed = std::env::var("CONFIG_AZURE_DRAWS").ok();
            fastrand::seed(seed.and_then(|seed| seed.parse().ok()).unwrap_or(1));
        });
    });
}

fn filled(emulator: Emulator) -> Emulator {
    emulator
        .vault("kv-orders")
        .set_secret("db-password", "hunter2-of-the-database");
    emulator
        .vault("kv-shared")
        .set_secret("smtp-password", "hunter2-of-the-mailer");
    let store = emulator.store("contoso");
    store.set("db:host", None, "db.contoso.example");
    store.put(Setting::new("db:port", "5432").content_type("application/json"));
    store.set_reference(
        "db:password",
        None,
        &emulator.vault("kv-orders").secret_uri("db-password"),
    );
    store.set_reference(
        "smtp:password",
        None,
        &emulator.vault("kv-shared").secret_uri("smtp-password"),
    );
    emulator
}

/// Over TLS, the store by its key and the vaults by token.
pub fn by_key(emulator: &Emulator) -> AppConfigurationBuilder {
    AppConfiguration::builder()
        .connection_string(emulator.store("contoso").connection_string())
        .key_vault(KeyVaultOptions::new().credential(emulator.credential()))
        .http_client(emulator.client_hook())
}

/// Over TLS, everything by token.
pub fn by_token(emulator: &Emulator) -> AppConfigurationBuilder {
    AppConfiguration::builder()
        .endpoint(emulator.store("contoso").endpoint())
        .credential(emulator.credential())
        .http_client(emulator.client_hook())
}

/// The date of a paused test: it moves with Tokio's clock, as the emulator's does.
#[derive(Debug)]
struct TokioClock(std::time::SystemTime, Instant);

impl WallClock for TokioClock {
    fn now(&self) -> std::time::SystemTime {
        self.0 + self.1.elapsed()
    }
}

/// Without sockets, everything by token, the dates following Tokio's clock.
pub fn in_memory(emulator: &Emulator) -> AppConfigurationBuilder {
    AppConfiguration::builder()
        .endpoint(emulator.store("contoso").endpoint())
        .credential(emulator.credential())
        .transport(emulator.transport())
        .wall_clock(clock(emulator))
}

/// The date of the emulator, following Tokio's clock.
pub fn clock(emulator: &Emulator) -> Arc<dyn WallClock> {
    Arc::new(TokioClock(emulator.clock().now().into(), Instant::now()))
}

/// A handle, and a value that follows it.
pub async fn live<T>(builder: AppConfigurationBuilder) -> (AppConfiguration, Live<T>)
where
    T: DeserializeOwned + Send + Sync + 'static,
{
    let azure = builder.load().await.expect("a load");
    let layers = Config::builder().add_source(azure.clone());
    let live = azure.live(layers).await.expect("a live value");
    (azure, live)
}

/// A handle on the world without sockets, refreshed in this way.
pub async fn loaded(emulator: &Emulator, options: RefreshOptions) -> AppConfiguration {
    let builder = in_memory(emulator).refresh(options);
    builder.load().await.expect("a load")
}

/// The next change, and how long it took.
pub async fn next(azure: &AppConfiguration, within: Duration) -> Option<(ChangeSet, Duration)> {
    let mut changes = azure.changes();
    let began = Instant::now();
    let change = tokio::time::timeout(within, changes.next()).await.ok()??;
    Some((change, began.elapsed()))
}

/// The generation and the changes of a refresh that found some.
pub fn updated(outcome: RefreshOutcome) -> (u64, Arc<ChangeSet>) {
    match outcome {
        RefreshOutcome::Updated {
            generation,
            changed,
        } => (generation, changed),
        other => panic!("{other:?}"),
    }
}

/// What changed.
pub fn paths(changes: &ChangeSet) -> Vec<&str> {
    changes.iter().map(Change::path).collect()
}

/// So seldom that nothing happens by itself while a test watches: first moments are drawn within an interval. The engine
/// takes no longer one.
pub const SELDOM: Duration = Duration::from_secs(3_650 * 86_400);

pub fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Tasks that run on this test's own runtime.
pub fn tasks() -> usize {
    tokio::runtime::Handle::current()
        .metrics()
        .num_alive_tasks()
}

/// The Rust files in `folder` and below it.
pub fn rust_files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            rust_files(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}
