//! Values that nobody reads in App Configuration: `cargo run --example encrypted_settings --features keys`
//!
//! Encrypts ten settings with a Key Vault key, stores them, and loads them: one call of the vault opens them all.

use std::error::Error;

use config::Config;
use config_azure::{
    AppConfiguration, KeyIdentifier, KeyVaultOptions, Secret, SettingEncryptor, StartupOptions,
    from_config,
};
use config_azure_emulator::vault::NewKey;
use config_azure_emulator::{Emulator, Route, Setting};
use serde::Deserialize;

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

#[derive(Debug, Deserialize)]
struct Settings {
    partners: Vec<Partner>,
}

#[derive(Debug, Deserialize)]
struct Partner {
    name: String,
    api_key: Secret,
}

#[tokio::main]
async fn main() -> Result<()> {
    let emulator = Emulator::builder()
        .store("contoso")
        .vault("kv-orders")
        .start()
        .await?;
    let vault = emulator.vault("kv-orders");
    vault.create_key("settings", NewKey::rsa(2048));
    let store = emulator.store("contoso");

    let key = KeyIdentifier::parse(&vault.key_uri("settings"))?;
    let options = KeyVaultOptions::new().credential(emulator.credential());
    let encryptor =
        SettingEncryptor::with_http_client(&key, options, emulator.client_hook()).await?;
    println!("encrypting with {}", encryptor.key());
    for number in 0..10 {
        store.set(
            &format!("partners:{number}:name"),
            None,
            &format!("partner-{number}"),
        );
        let value = encryptor.encrypt(&format!("api-key-of-partner-{number}"))?;
        if number == 0 {
            println!("a value as it stands in the store: {}...", &value[..60]);
        }
        let setting = Setting::new(format!("partners:{number}:api_key"), value);
        store.put(setting.content_type(SettingEncryptor::CONTENT_TYPE));
    }

    emulator.log().clear();
    let azure = builder(&emulator).load().await?;
    let settings: Settings = from_config(&Config::builder().add_source(azure.clone()).build()?)?;
    println!(
        "\n{} values opened, the vault was asked {} time; the last one: {:?}",
        settings.partners.len(),
        emulator.log().count(Route::key().status(200)),
        settings.partners.last(),
    );
    let last = settings.partners.last().ok_or("no partner")?;
    assert_eq!(last.api_key.expose_secret(), "api-key-of-partner-9");
    assert_eq!(last.name, "partner-9");
    azure.shutdown().await;

    let stored = store
        .get("partners:3:api_key", None)
        .ok_or("no such setting")?;
    let mut changed = stored.value.unwrap_or_default();
    let letter = if changed.pop() == Some('A') { 'B' } else { 'A' };
    changed.push(letter);
    store.put(
        Setting::new("partners:3:api_key", changed).content_type(SettingEncryptor::CONTENT_TYPE),
    );
    println!("\nsomebody changes one letter of a value:");
    match builder(&emulator).load().await {
        Ok(_) => return Err("a changed value was accepted".into()),
        Err(error) => println!("{error}"),
    }
    Ok(())
}

fn builder(emulator: &Emulator) -> config_azure::AppConfigurationBuilder {
    AppConfiguration::builder()
        .endpoint(emulator.store("contoso").endpoint())
        .credential(emulator.credential())
        .startup(StartupOptions::new().fail_fast())
        .http_client(emulator.client_hook())
}
