//! Microsoft's guide to Key Vault secrets, in Rust: `cargo run --example secrets`
//!
//! Signs in, then sets, reads, lists, updates, deletes, recovers, backs up, purges and restores a secret with the
//! official client, and at the end hands it to an application through App Configuration and `config-azure`.
//!
//! Runs on an emulator. With `KEYVAULT_URI` (or `KEY_VAULT_NAME`) and `AZURE_APPCONFIG_ENDPOINT` it runs against your
//! own vault and store: that takes the roles `Key Vault Secrets Officer` and `App Configuration Data Owner`, and
//! everything that it makes it deletes again.

use std::collections::HashMap;
use std::time::Duration;

use azure_core::time::OffsetDateTime;
use azure_security_keyvault_secrets::models::{
    Secret as VaultSecret, SecretAttributes, SecretClientGetSecretOptions,
    SecretClientUpdateSecretPropertiesOptions, SecretProperties, SetSecretParameters,
    UpdateSecretPropertiesParameters,
};
use azure_security_keyvault_secrets::{SecretClient, SecretClientOptions};
use config_azure::SecretIdentifier;
use futures::TryStreamExt;

#[path = "secrets/integration.rs"]
mod integration;
#[path = "secrets/life.rs"]
mod life;
mod support;
#[path = "support/vault.rs"]
mod vault;

use support::{Result, World, step};
use vault::refusal;

#[tokio::main]
async fn main() -> Result<()> {
    let world = World::start().await?;
    let options = SecretClientOptions {
        client_options: world.client_options(),
        ..SecretClientOptions::default()
    };
    let client = SecretClient::new(&world.vault_url, world.credential.clone(), Some(options))?;
    let name = world.name("demo-secret");

    let first = set_and_read(&world, &client, &name).await?;
    versions(&client, &name, &first).await?;
    properties(&client, &name).await?;
    life::delete_and_recover(&client, &name).await?;
    life::back_up_and_restore(&client, &name).await?;
    if let Some(endpoint) = world.store() {
        integration::integrate(&world, &client, endpoint).await?;
    }
    Ok(())
}

/// Sets a secret with properties, and reads it back. Returns its identifier.
async fn set_and_read(
    world: &World,
    client: &SecretClient,
    name: &str,
) -> Result<SecretIdentifier> {
    step("set a secret");
    let parameters = SetSecretParameters {
        value: Some("demo value, first version".to_owned()),
        content_type: Some("text/plain".to_owned()),
        tags: Some(HashMap::from([("owner".to_owned(), "guides".to_owned())])),
        ..SetSecretParameters::default()
    };
    let set = client
        .set_secret(name, parameters.try_into()?, None)
        .await?
        .into_model()?;
    world.describe();
    let id = identifier(&set)?;
    println!("set {id}");

    step("take its identifier apart");
    println!(
        "vault   {}\nname    {}\nversion {}",
        id.vault_url(),
        id.name(),
        id.version().unwrap_or("none")
    );

    step("read it");
    let read = client.get_secret(name, None).await?.into_model()?;
    println!(
        "{name} is {:?}, {}",
        read.value.unwrap_or_default(),
        read.content_type.unwrap_or_default()
    );
    Ok(id)
}

/// A second version: the newest is what a reader without a version gets, the first one is still there.
async fn versions(client: &SecretClient, name: &str, first: &SecretIdentifier) -> Result<()> {
    step("set a new version");
    set(client, name, "demo value, second version").await?;
    let newest = client.get_secret(name, None).await?.into_model()?;
    println!("without a version: {:?}", newest.value.unwrap_or_default());
    let options = SecretClientGetSecretOptions {
        secret_version: first.version().map(str::to_owned),
        ..SecretClientGetSecretOptions::default()
    };
    let older = client.get_secret(name, Some(options)).await?.into_model()?;
    println!("the first version: {:?}", older.value.unwrap_or_default());

    step("list secrets and versions");
    let mut secrets = client.list_secret_properties(None)?;
    while let Some(properties) = secrets.try_next().await? {
        let id = SecretIdentifier::parse(properties.id.as_deref().unwrap_or_default())?;
        // A vault of your own holds more than what this example made.
        if id.name() == name {
            println!("secret  {}: {}", id.name(), summary(&properties));
        }
    }
    let mut versions = client.list_secret_properties_versions(name, None)?;
    while let Some(properties) = versions.try_next().await? {
        let id = SecretIdentifier::parse(properties.id.as_deref().unwrap_or_default())?;
        println!(
            "version {}: {}",
            id.version().unwrap_or_default(),
            summary(&properties)
        );
    }
    Ok(())
}

/// Properties change in place, without a new version.
async fn properties(client: &SecretClient, name: &str) -> Result<()> {
    step("update properties");
    let parameters = UpdateSecretPropertiesParameters {
        content_type: Some("application/x-demo".to_owned()),
        secret_attributes: Some(SecretAttributes {
            expires: Some(OffsetDateTime::now_utc() + Duration::from_secs(365 * 24 * 3600)),
            ..SecretAttributes::default()
        }),
        tags: Some(HashMap::from([("owner".to_owned(), "orders".to_owned())])),
    };
    let updated = client
        .update_secret_properties(name, parameters.try_into()?, None)
        .await?
        .into_model()?;
    let expires = updated.attributes.and_then(|attributes| attributes.expires);
    println!(
        "content type {}, tags {:?}, expires {}",
        updated.content_type.unwrap_or_default(),
        updated.tags.unwrap_or_default(),
        expires
            .map(|date| date.date().to_string())
            .unwrap_or_default()
    );

    step("disable it");
    let version = SecretIdentifier::parse(updated.id.as_deref().unwrap_or_default())?
        .version()
        .map(str::to_owned);
    enable(client, name, version.as_deref(), false).await?;
    match client.get_secret(name, None).await {
        Ok(_) => println!("a reader still gets it"),
        Err(error) => println!("a reader gets {}", refusal(error)),
    }
    enable(client, name, version.as_deref(), true).await?;
    let read = client.get_secret(name, None).await?.into_model()?;
    println!("enabled again: {:?}", read.value.unwrap_or_default());
    Ok(())
}

async fn set(client: &SecretClient, name: &str, value: &str) -> Result<SecretIdentifier> {
    let parameters = SetSecretParameters {
        value: Some(value.to_owned()),
        ..SetSecretParameters::default()
    };
    identifier(
        &client
            .set_secret(name, parameters.try_into()?, None)
            .await?
            .into_model()?,
    )
}

async fn enable(
    client: &SecretClient,
    name: &str,
    version: Option<&str>,
    enabled: bool,
) -> Result<()> {
    let parameters = UpdateSecretPropertiesParameters {
        secret_attributes: Some(SecretAttributes {
            enabled: Some(enabled),
            ..SecretAttributes::default()
        }),
        ..UpdateSecretPropertiesParameters::default()
    };
    let options = SecretClientUpdateSecretPropertiesOptions {
        secret_version: version.map(str::to_owned),
        ..SecretClientUpdateSecretPropertiesOptions::default()
    };
    client
        .update_secret_properties(name, parameters.try_into()?, Some(options))
        .await?;
    Ok(())
}

fn identifier(secret: &VaultSecret) -> Result<SecretIdentifier> {
    let id = secret
        .id
        .as_deref()
        .ok_or("the vault's answer has no identifier")?;
    Ok(SecretIdentifier::parse(id)?)
}

fn summary(properties: &SecretProperties) -> String {
    let attributes = properties.attributes.clone().unwrap_or_default();
    let state = match attributes.enabled {
        Some(false) => "disabled",
        _ => "enabled",
    };
    let created = attributes.created.map(|date| date.date().to_string());
    let tags = properties.tags.clone().unwrap_or_default();
    format!(
        "{state}, created {}, tags {tags:?}",
        created.unwrap_or_default()
    )
}
