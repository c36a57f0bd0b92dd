//! Secrets from somewhere else than Key Vault: `cargo run --example custom_resolver`
//!
//! A `SecretResolver` that reads mounted files (as containers have them), asked before the vault; and a map that stands
//! in when the vault cannot be reached. The settings stay as they are: references to Key Vault.

use std::error::Error;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use config_azure::{
    AppConfiguration, KeyVaultOptions, MapResolver, ResolvedSecret, ResolverOrder,
    SecretIdentifier, SecretResolver,
};
use config_azure_emulator::{Emulator, Fault, Route};

type BoxError = Box<dyn Error + Send + Sync>;

/// Reads `{folder}/{vault}/{secret}`; a file that is not there is a question for the next.
#[derive(Debug)]
struct MountedFiles {
    folder: PathBuf,
}

#[async_trait]
impl SecretResolver for MountedFiles {
    async fn resolve(&self, id: &SecretIdentifier) -> Result<Option<ResolvedSecret>, BoxError> {
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

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let emulator = Emulator::builder()
        .store("contoso")
        .vault("kv-orders")
        .start()
        .await?;
    let vault = emulator.vault("kv-orders");
    vault.set_secret("db-password", "from-key-vault");
    vault.set_secret("smtp-password", "from-key-vault-too");
    let store = emulator.store("contoso");
    for name in ["db-password", "smtp-password", "cache-password"] {
        store.set_reference(&name.replace('-', ":"), None, &vault.secret_uri(name));
    }

    let folder = std::env::temp_dir().join(format!("config-azure-secrets-{}", std::process::id()));
    tokio::fs::create_dir_all(folder.join("kv-orders")).await?;
    tokio::fs::write(
        folder.join("kv-orders/db-password"),
        "from-a-mounted-file\n",
    )
    .await?;

    let options = KeyVaultOptions::new()
        .resolver(Arc::new(MountedFiles {
            folder: folder.clone(),
        }))
        .resolver_at(
            ResolverOrder::IfAbsent,
            Arc::new(MapResolver::new().with("cache-password", "from-the-map-for-absent-ones")),
        )
        .resolver_at(
            ResolverOrder::IfFailed,
            Arc::new(
                MapResolver::new()
                    .with("smtp-password", "from-the-map-for-bad-times")
                    .with("cache-password", "from-the-map-for-bad-times"),
            ),
        );
    let load = async || -> Result<AppConfiguration, BoxError> {
        let azure = AppConfiguration::builder()
            .endpoint(store.endpoint())
            .credential(emulator.credential())
            .key_vault(options.clone())
            .http_client(emulator.client_hook())
            .load()
            .await?;
        Ok(azure)
    };

    println!("Key Vault answers:");
    show(&load().await?)?;
    let down = Fault::Answer(Fault::status(503));
    emulator.faults().script(Route::vault(), down, None);
    println!("\nKey Vault is down:");
    show(&load().await?)?;
    tokio::fs::remove_dir_all(&folder).await?;
    Ok(())
}

fn show(azure: &AppConfiguration) -> Result<(), BoxError> {
    let config = config::Config::builder()
        .add_source(azure.clone())
        .build()?;
    for key in ["db.password", "smtp.password", "cache.password"] {
        println!("  {key:15} {}", config.get_string(key)?);
    }
    Ok(())
}
