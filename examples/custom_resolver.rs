//! Secrets that do not come from Key Vault: `cargo run --example custom_resolver`
//!
//! The references in the store stay as they are. On a developer's machine a file answers for some of them, before Key Vault
//! is asked; a sealed copy answers if Key Vault cannot; and everything else comes from the vault as always. The file is
//! then edited, which is followed like a rotation.
//!
//! Always runs on an emulator: what it shows is the order, not Azure.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use config::Config;
use config_azure::{
    AppConfiguration, AppConfigurationBuilder, KeyVaultOptions, Live, MapResolver, RefreshOptions,
    ResolvedSecret, ResolverOrder, Secret, SecretIdentifier, SecretResolver,
};
use config_azure_emulator::Emulator;
use config_azure_emulator::vault::Denial;
use serde::Deserialize;

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Result<T, E = BoxError> = std::result::Result<T, E>;

/// Reads secrets from a JSON file: `{"db-password": "…"}`, by the name that they have in the vault.
#[derive(Debug)]
struct FileResolver {
    path: PathBuf,
}

#[async_trait::async_trait]
impl SecretResolver for FileResolver {
    async fn resolve(&self, id: &SecretIdentifier) -> Result<Option<ResolvedSecret>> {
        let text = tokio::fs::read_to_string(&self.path).await?;
        let secrets: BTreeMap<String, Secret> = serde_json::from_str(&text)?;
        // `None`: not mine, ask the next.
        Ok(secrets
            .get(id.name())
            .map(|value| ResolvedSecret::new(value.clone())))
    }
}

#[derive(Deserialize)]
struct Settings {
    db: Password,
    smtp: Password,
    sms: Password,
}

#[derive(Deserialize)]
struct Password {
    password: Secret,
}

#[tokio::main]
async fn main() -> Result<()> {
    let emulator = world().await?;
    let folder = std::env::temp_dir().join(format!("config-azure-{}", std::process::id()));
    tokio::fs::create_dir_all(&folder).await?;
    let outcome = tell(&emulator, &folder.join("secrets.json")).await;
    tokio::fs::remove_dir_all(&folder).await?;
    outcome
}

async fn tell(emulator: &Emulator, file: &Path) -> Result<()> {
    println!("── a file in front of Key Vault, a copy behind it");
    tokio::fs::write(file, r#"{"db-password": "from the file"}"#).await?;
    let azure = builder(emulator, resolvers(file)).load().await?;
    let live: Live<Settings> = azure
        .live(Config::builder().add_source(azure.clone()))
        .await?;
    let now = live.load();
    for (name, secret, expected) in [
        ("db.password", &now.db, "from the file"),
        ("smtp.password", &now.smtp, "from Key Vault"),
        ("sms.password", &now.sms, "from the copy"),
    ] {
        println!(
            "{name} is {:?}, and came {expected}: {}",
            secret.password,
            secret.password == Secret::new(expected)
        );
    }

    println!("\n── the file is edited");
    tokio::fs::write(file, r#"{"db-password": "from the edited file"}"#).await?;
    let mut following = live.clone();
    let now = tokio::time::timeout(Duration::from_secs(30), following.changed()).await??;
    println!(
        "generation {}: {}",
        now.generation(),
        now.loaded().changes()
    );
    println!(
        "db.password came from the edited file: {}",
        now.db.password == Secret::new("from the edited file")
    );
    azure.shutdown().await;

    println!("\n── without the copy, the refused secret is an error at the start");
    let alone = KeyVaultOptions::new().resolver(Arc::new(FileResolver {
        path: file.to_owned(),
    }));
    match builder(emulator, alone).load().await {
        Ok(_) => println!("unexpected: it loads"),
        Err(error) => println!("{error}"),
    }
    Ok(())
}

/// The file first. The map only if everything before it has failed.
fn resolvers(file: &Path) -> KeyVaultOptions {
    let copy = MapResolver::new()
        .with("sms-password", "from the copy")
        .with("smtp-password", "not asked");
    KeyVaultOptions::new()
        .resolver(Arc::new(FileResolver {
            path: file.to_owned(),
        }))
        .resolver_at(ResolverOrder::IfFailed, Arc::new(copy))
        .refresh_interval(Duration::from_secs(1))
}

fn builder(emulator: &Emulator, key_vault: KeyVaultOptions) -> AppConfigurationBuilder {
    AppConfiguration::builder()
        .endpoint(emulator.store("contoso").endpoint())
        .credential(emulator.credential())
        .key_vault(key_vault)
        .refresh(RefreshOptions::new().every(Duration::from_secs(1)))
        .startup(config_azure::StartupOptions::new().fail_fast())
        .http_client(emulator.client_hook())
}

/// Three references: the vault has all three secrets, and refuses one.
async fn world() -> Result<Emulator> {
    let emulator = Emulator::builder()
        .store("contoso")
        .vault("kv-orders")
        .start()
        .await?;
    let vault = emulator.vault("kv-orders");
    let store = emulator.store("contoso");
    for name in ["db", "smtp", "sms"] {
        let secret = format!("{name}-password");
        vault.set_secret(&secret, "from Key Vault");
        store.set_reference(
            &format!("{name}:password"),
            None,
            &vault.secret_uri(&secret),
        );
    }
    vault.forbid_as("sms-password", Denial::Rbac);
    Ok(emulator)
}
