//! The whole promise, in one run: `cargo run --example quickstart`
//!
//! Starts an emulator of App Configuration, Key Vault and Entra ID on loopback (real TLS, real host names), loads 126
//! settings with 12 Key Vault references, out of a store of 151, into a typed struct, and then lets things happen to it.
//! With `AZURE_APPCONFIG_ENDPOINT` set, it reads that store with your own credential instead.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use config::{Config, Environment, File};
use config_azure::{
    AppConfiguration, KeyVaultOptions, Live, RefreshOptions, Secret, SettingSelector,
};
use config_azure_emulator::{Emulator, Setting};
use serde::Deserialize;

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

#[derive(Deserialize)]
struct Settings {
    title: String,
    environment: String,
    http: Http,
    db: Database,
    payments: Payments,
    shipping: Shipping,
    instance: Instance,
}

#[derive(Deserialize)]
struct Http {
    port: u16,
    workers: u16,
    #[serde(with = "config_azure::humantime")]
    request_timeout: Duration,
}

#[derive(Deserialize)]
struct Database {
    host: String,
    pool_max: u32,
    password: Secret,
}

#[derive(Deserialize)]
struct Payments {
    retry: Retry,
    providers: BTreeMap<String, Provider>,
}

#[derive(Deserialize)]
struct Retry {
    attempts: u32,
    statuses: Vec<u16>,
}

#[derive(Deserialize)]
struct Provider {
    enabled: bool,
    api_key: Secret,
}

#[derive(Deserialize)]
struct Shipping {
    carriers: Vec<Carrier>,
}

#[derive(Deserialize)]
struct Carrier {
    name: String,
}

#[derive(Deserialize)]
struct Instance {
    name: String,
}

#[tokio::main]
async fn main() -> Result<()> {
    match std::env::var("AZURE_APPCONFIG_ENDPOINT") {
        Ok(endpoint) => real_store(&endpoint).await,
        Err(_) => emulated_store().await,
    }
}

/// The read part, against a store of your own.
async fn real_store(endpoint: &str) -> Result<()> {
    let azure = AppConfiguration::builder()
        .endpoint(endpoint)
        .default_credential()
        .load()
        .await?;
    let loaded = azure.loaded().ok_or("nothing loaded")?;
    println!("{} settings from {endpoint}\n\n{loaded}", loaded.len());
    azure.shutdown().await;
    Ok(())
}

async fn emulated_store() -> Result<()> {
    heading("a world on loopback");
    let emulator = Emulator::builder()
        .store("contoso")
        .vault("kv-orders")
        .vault("kv-shared")
        .start()
        .await?;
    let store = emulator.store("contoso");
    let settings = store.import_kvset(include_str!("data/orders.kvset.json"))?;
    let secrets = seed_vaults(&emulator)?;
    println!(
        "{} with {settings} settings, 2 vaults with {secrets} secrets",
        store.endpoint()
    );

    heading("the first load");
    let started = Instant::now();
    let azure = builder(&emulator).load().await?;
    let live: Live<Settings> = azure.live(layers(&azure)).await?;
    println!("in {:.0?}, with {}", started.elapsed(), requests(&emulator));
    summary(&live.load());
    origins(&live);

    heading("a setting changes in the store");
    store.put(Setting::new("orders:http:workers", "24").label("prod"));
    follow(&live, |now| now.http.workers == 24).await?;
    println!("http.workers is now {}", live.load().http.workers);

    heading("a secret is rotated in the vault");
    emulator
        .vault("kv-orders")
        .set_secret("orders-db-password", "correct-horse-battery-staple");
    follow(&live, |now| {
        now.db.password == Secret::from("correct-horse-battery-staple")
    })
    .await?;
    println!(
        "db.password is now {:?}, read from the new version",
        live.load().db.password
    );

    heading("somebody pushes a value that does not fit");
    let before = live.load();
    store.put(Setting::new("orders:http:port", "eighty"));
    until(|| live.status().refusal().is_some()).await?;
    if let Some(refusal) = live.status().refusal() {
        println!("refused: {}", refusal.error());
    }
    let now = live.load();
    println!(
        "still generation {} with port {}",
        now.generation(),
        now.http.port
    );
    assert!(Arc::ptr_eq(&before, &now), "the old snapshot stays");

    heading("the value is put right");
    store.put(Setting::new("orders:http:port", "8443"));
    follow(&live, |now| now.http.port == 8443).await?;

    heading("the end");
    println!("{}", azure.status());
    azure.shutdown().await;
    println!(
        "stopped; the last value is still there: {}",
        live.load().title
    );
    Ok(())
}

/// Secrets by vault and name; several values are versions, oldest first.
fn seed_vaults(emulator: &Emulator) -> Result<usize> {
    #[derive(Deserialize)]
    struct Vault {
        secrets: BTreeMap<String, Versions>,
    }
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Versions {
        One(String),
        Many(Vec<String>),
    }
    let vaults: BTreeMap<String, Vault> = serde_json::from_str(include_str!("data/vaults.json"))?;
    let mut count = 0;
    for (vault, Vault { secrets }) in vaults {
        let vault = emulator.vault(&vault);
        for (name, versions) in secrets {
            count += 1;
            match versions {
                Versions::One(value) => drop(vault.set_secret(&name, value)),
                Versions::Many(values) => values
                    .into_iter()
                    .for_each(|value| drop(vault.set_secret(&name, value))),
            }
        }
    }
    Ok(count)
}

/// The library, set up as a service would, except for the emulator's addresses and the short intervals.
fn builder(emulator: &Emulator) -> config_azure::AppConfigurationBuilder {
    let identity = emulator.identity();
    AppConfiguration::builder()
        .endpoint(emulator.store("contoso").endpoint())
        .default_credential()
        .environment(move |name| match name {
            "AZURE_TENANT_ID" => Some(identity.tenant_id().to_owned()),
            "AZURE_CLIENT_ID" => Some(identity.client_id().to_owned()),
            "AZURE_CLIENT_SECRET" => Some(identity.client_secret().to_owned()),
            _ => None,
        })
        .select(SettingSelector::keys("orders:*").labels(["", "prod"]))
        .trim_key_prefix("orders:")
        .key_vault(KeyVaultOptions::new().refresh_interval(Duration::from_secs(1)))
        .refresh(RefreshOptions::new().every(Duration::from_secs(1)))
        .http_client(emulator.client_hook())
}

fn layers(azure: &AppConfiguration) -> config::ConfigBuilder<config::builder::DefaultState> {
    Config::builder()
        .add_source(File::with_name(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/examples/data/orders.toml"
        )))
        .add_source(azure.clone())
        .add_source(Environment::with_prefix("ORDERS").separator("__"))
}

/// Waits for the generation that has the change, and prints what changed and how long it took.
async fn follow(live: &Live<Settings>, there: impl Fn(&Settings) -> bool) -> Result<()> {
    let started = Instant::now();
    let mut live = live.clone();
    let mut now = live.load();
    while !there(&now) {
        now = tokio::time::timeout(Duration::from_secs(60), live.changed()).await??;
    }
    println!(
        "generation {} after {:.0?}: {}",
        now.generation(),
        started.elapsed(),
        now.loaded().changes()
    );
    Ok(())
}

async fn until(condition: impl Fn() -> bool) -> Result<()> {
    let wait = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    Ok(tokio::time::timeout(Duration::from_secs(60), wait).await?)
}

fn summary(now: &Settings) {
    println!(
        "{} ({}) on {}",
        now.title, now.environment, now.instance.name
    );
    println!(
        "  http: port {}, {} workers, {:?} a request",
        now.http.port, now.http.workers, now.http.request_timeout
    );
    println!(
        "  db: {} with {} connections, password {:?}",
        now.db.host, now.db.pool_max, now.db.password
    );
    for (name, provider) in &now.payments.providers {
        let state = if provider.enabled { "on" } else { "off" };
        println!("  payments: {name} is {state}, key {:?}", provider.api_key);
    }
    println!(
        "  payments: {} attempts on {:?}",
        now.payments.retry.attempts, now.payments.retry.statuses
    );
    let carriers: Vec<&str> = now
        .shipping
        .carriers
        .iter()
        .map(|carrier| carrier.name.as_str())
        .collect();
    println!("  shipping: {}", carriers.join(", "));
}

/// Where a few values came from, as a table: path, value, setting, and the secret behind it. Secrets stay hidden.
fn origins(live: &Live<Settings>) {
    heading("where values come from");
    let shown = [
        "title",
        "http.port",
        "http.workers",
        "db.host",
        "db.password",
        "db.replica_password",
        "payments.providers.fabrikam.api_key",
        "payments.retry.attempts",
        "shipping.carriers",
        "webhooks.shared_secret",
    ];
    let now = live.load();
    for row in now.loaded().to_string().lines() {
        let path = row.split_whitespace().next().unwrap_or_default();
        if shown.contains(&path) {
            println!("{}", row.trim_end());
        }
    }
    if let Some(layer) = now.layer("instance.name") {
        println!("{:<42} not in the store: {layer}", "instance.name");
    }
    if let Some(explanation) = live.explain("http.workers") {
        println!("\n{explanation}");
    }
}

fn requests(emulator: &Emulator) -> String {
    use config_azure_emulator::Route;
    let log = emulator.log();
    format!(
        "{} pages, {} secrets, {} challenges, {} tokens",
        log.count(Route::store_list()),
        log.count(Route::secret().status(200)),
        log.count(Route::challenge()),
        log.count(Route::token()),
    )
}

fn heading(text: &str) {
    println!(
        "\n── {text} {}",
        "─".repeat(76_usize.saturating_sub(text.len()))
    );
}
