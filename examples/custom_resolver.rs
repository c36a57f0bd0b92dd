//! Secrets that do not come from Key Vault: `cargo run --example custom_resolver`
//!
//! The references in the store stay as they are. Mounted files, as containers have them, answer before Key Vault is asked;
//! a map answers for what the vault does not have; and a last copy answers when the vault cannot. A file that is replaced
//! is followed like a rotation.
//!
//! Always runs on an emulator: what it shows is the order, not Azure.

use std::error::Error;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use config::Config;
use config_azure::{
    AppConfiguration, KeyVaultOptions, Live, MapResolver, RefreshOptions, ResolvedSecret,
    ResolverOrder, Secret, SecretIdentifier, SecretResolver, StartupOptions,
};
use config_azure_emulator::{Emulator, Fault, Route};
use serde::Deserialize;

type BoxError = Box<dyn Error + Send + Sync>;
type Result<T, E = BoxError> = std::result::Result<T, E>;

/// Reads `{folder}/{vault}/{secret}`; a file that is not there is a question for the next.
#[derive(Debug)]
struct MountedFiles {
    folder: PathBuf,
}

#[async_trait]
impl SecretResolver for MountedFiles {
    async fn resolve(&self, id: &SecretIdentifier) -> Result<Option<ResolvedSecret>> {
        // The parts of an identifier are letters, digits, hyphens and dots: nothing climbs out of the folder.
        let vault = id.vault_host().split('.').next().unwrap_or_default();
        let path = self.folder.join(vault).join(id.name());
        match tokio::fs::read_to_string(&path).await {
            Ok(text) => Ok(Some(ResolvedSecret::new(text.trim_end()))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

#[derive(Deserialize)]
struct Settings {
    db: Password,
    smtp: Password,
    cache: Password,
}

#[derive(Deserialize)]
struct Password {
    password: Secret,
}

#[tokio::main]
async fn main() -> Result<()> {
    let folder = std::env::temp_dir().join(format!("config-azure-secrets-{}", std::process::id()));
    tokio::fs::create_dir_all(folder.join("kv-orders")).await?;
    let outcome = tell(&folder).await;
    tokio::fs::remove_dir_all(&folder).await?;
    outcome
}

async fn tell(folder: &Path) -> Result<()> {
    let emulator = world().await?;
    mount(folder, "demo: from a mounted file").await?;
    let azure = load(&emulator, folder).await?;
    let live: Live<Settings> = azure
        .live(Config::builder().add_source(azure.clone()))
        .await?;
    println!("Key Vault answers:");
    show(&live.load());

    mount(folder, "demo: from the file that replaced it").await?;
    let mut following = live.clone();
    let now = tokio::time::timeout(Duration::from_secs(30), following.changed()).await??;
    println!(
        "\nThe file is replaced: generation {}, {}",
        now.generation(),
        now.loaded().changes()
    );
    show(&now);
    azure.shutdown().await;

    println!("\nA start while Key Vault is down:");
    let down = Fault::Answer(Fault::status(503));
    emulator.faults().script(Route::vault(), down, None);
    let azure = load(&emulator, folder).await?;
    let live: Live<Settings> = azure
        .live(Config::builder().add_source(azure.clone()))
        .await?;
    show(&live.load());
    azure.shutdown().await;
    Ok(())
}

/// The order: files, Key Vault, a map for what the vault does not have, a map for bad times.
async fn load(emulator: &Emulator, folder: &Path) -> Result<AppConfiguration> {
    let files = MountedFiles {
        folder: folder.to_owned(),
    };
    let absent = MapResolver::new().with("cache-password", "demo: from the map for absent ones");
    let failed = MapResolver::new()
        .with("smtp-password", "demo: from the map for bad times")
        .with("cache-password", "demo: from the map for bad times");
    let key_vault = KeyVaultOptions::new()
        .resolver(Arc::new(files))
        .resolver_at(ResolverOrder::IfAbsent, Arc::new(absent))
        .resolver_at(ResolverOrder::IfFailed, Arc::new(failed))
        .refresh_interval(Duration::from_secs(1));
    let azure = AppConfiguration::builder()
        .endpoint(emulator.store("contoso").endpoint())
        .credential(emulator.credential())
        .key_vault(key_vault)
        .refresh(RefreshOptions::new().every(Duration::from_secs(1)))
        .startup(StartupOptions::new().fail_fast())
        .http_client(emulator.client_hook());
    Ok(azure.load().await?)
}

/// Written beside and moved in place, as Kubernetes does, so that nobody reads half of it.
async fn mount(folder: &Path, text: &str) -> Result<()> {
    let beside = folder.join("new");
    tokio::fs::write(&beside, format!("{text}\n")).await?;
    Ok(tokio::fs::rename(beside, folder.join("kv-orders/db-password")).await?)
}

/// Three references; the vault has two of the secrets.
async fn world() -> Result<Emulator> {
    let emulator = Emulator::builder()
        .store("contoso")
        .vault("kv-orders")
        .start()
        .await?;
    let vault = emulator.vault("kv-orders");
    vault.set_secret("db-password", "demo: from Key Vault");
    vault.set_secret("smtp-password", "demo: from Key Vault");
    for name in ["db-password", "smtp-password", "cache-password"] {
        let key = name.replace('-', ":");
        emulator
            .store("contoso")
            .set_reference(&key, None, &vault.secret_uri(name));
    }
    Ok(emulator)
}

/// These are no secrets, so they can be shown.
fn show(settings: &Settings) {
    let Settings { db, smtp, cache } = settings;
    for (name, secret) in [("db", db), ("smtp", smtp), ("cache", cache)] {
        println!("  {name:5} {}", secret.password.expose_secret());
    }
}
