//! Integrating with App Configuration: a setting refers to the secret, and the application follows its rotation.

use std::time::Duration;

use azure_security_keyvault_secrets::SecretClient;
use config::Config;
use config_azure::{
    KeyVaultOptions, Live, RefreshOptions, Secret, SecretIdentifier, SettingSelector,
};
use serde::Deserialize;
use serde_json::json;

use super::support::{Result, World, step};
use super::{life, set};

#[derive(Deserialize)]
struct Settings {
    database: Database,
}

#[derive(Deserialize)]
struct Database {
    user: String,
    password: Secret,
}

const REFERENCE: &str = "application/vnd.microsoft.appconfig.keyvaultref+json;charset=utf-8";

/// Integrating with App Configuration: the application reads settings, and never learns of the vault.
pub async fn integrate(world: &World, client: &SecretClient, endpoint: &str) -> Result<()> {
    step("refer to a secret from App Configuration");
    let name = world.name("database-password");
    let set = set(client, &name, "demo password, first version").await?;
    // Without its version, so that the application follows rotations.
    let id = SecretIdentifier::new(set.vault_url(), set.name(), None)?;
    let prefix = world.prefix("secrets");
    let user = format!("{prefix}database:user");
    let password = format!("{prefix}database:password");
    world.put(&user, "orders", None).await?;
    world
        .put(
            &password,
            &json!({ "uri": id.to_string() }).to_string(),
            Some(REFERENCE),
        )
        .await?;
    println!("{password} → {id}");

    let outcome = follow(world, client, endpoint, &name).await;
    for key in [&user, &password] {
        world.remove(key).await?;
    }
    life::purge(client, &name).await?;
    outcome
}

/// Loads the settings into a struct, rotates the secret and watches the struct follow.
async fn follow(world: &World, client: &SecretClient, endpoint: &str, name: &str) -> Result<()> {
    step("load it");
    let prefix = world.prefix("secrets");
    let azure = world
        .app_configuration(endpoint)
        .select(SettingSelector::keys(format!("{prefix}*")))
        .trim_key_prefix(prefix)
        .key_vault(KeyVaultOptions::new().refresh_interval(Duration::from_secs(1)))
        .refresh(RefreshOptions::new().every(Duration::from_secs(1)))
        .load()
        .await?;
    let mut live: Live<Settings> = azure
        .live(Config::builder().add_source(azure.clone()))
        .await?;
    let now = live.load();
    println!(
        "database: user {}, password {:?}",
        now.database.user, now.database.password
    );
    if let Some(explanation) = live.explain("database.password") {
        println!("{explanation}");
    }
    assert_eq!(
        now.database.password,
        Secret::new("demo password, first version")
    );

    step("rotate it");
    set(client, name, "demo password, second version").await?;
    let second = Secret::new("demo password, second version");
    let rotated = async {
        loop {
            let now = live.changed().await?;
            if now.database.password == second {
                return Ok::<_, config_azure::Closed>(now);
            }
        }
    };
    let now = tokio::time::timeout(Duration::from_secs(30), rotated).await??;
    println!(
        "generation {}: {}",
        now.generation(),
        now.loaded().changes()
    );
    println!(
        "the struct holds the second version: {}",
        now.database.password == second
    );
    azure.shutdown().await;
    Ok(())
}
