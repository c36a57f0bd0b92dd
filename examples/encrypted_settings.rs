//! Secrets in App Configuration itself, readable by the vault's key alone:
//! `cargo run --example encrypted_settings --features keys`
//!
//! Encrypts settings with the public half of a Key Vault key, stores them, and loads them into a struct: the vault is asked
//! once for all of them. Then one of them changes, and one is tampered with.
//!
//! Runs on an emulator. With `KEYVAULT_URI` (or `KEY_VAULT_NAME`) and `AZURE_APPCONFIG_ENDPOINT` it runs against your own
//! vault and store: that takes the roles `Key Vault Crypto Officer` and `App Configuration Data Owner`, and everything
//! that it makes it deletes again.

use std::collections::BTreeMap;
use std::time::Duration;

use azure_core::base64::decode_url_safe;
use azure_security_keyvault_keys::models::{CreateKeyParameters, KeyType};
use azure_security_keyvault_keys::{KeyClient, KeyClientOptions};
use config::Config;
use config_azure::{
    AppConfiguration, KeyIdentifier, KeyVaultOptions, Live, RefreshOptions, Secret,
    SettingEncryptor, SettingSelector,
};
use config_azure_emulator::Route;
use serde::Deserialize;

mod support;

use support::{Result, World, step};

/// Twenty partners, each with a password: a table with secrets in it.
#[derive(Deserialize)]
struct Settings {
    partners: BTreeMap<String, Partner>,
}

#[derive(Deserialize)]
struct Partner {
    password: Secret,
}

const PARTNERS: usize = 20;

fn setting(world: &World, partner: usize) -> String {
    format!("{}partners:p{partner}:password", world.prefix("encrypted"))
}

#[tokio::main]
async fn main() -> Result<()> {
    let world = World::start().await?;
    let options = KeyClientOptions {
        client_options: world.client_options(),
        ..KeyClientOptions::default()
    };
    let keys = KeyClient::new(&world.vault_url, world.credential.clone(), Some(options))?;
    let Some(endpoint) = world.store() else {
        return Ok(());
    };
    let name = world.name("settings-key");
    let parameters = CreateKeyParameters {
        kty: Some(KeyType::Rsa),
        key_size: Some(2048),
        ..CreateKeyParameters::default()
    };
    keys.create_key(&name, parameters.try_into()?, None).await?;
    world.describe();

    let outcome = tell(&world, endpoint, &name).await;
    for partner in 0..PARTNERS {
        world.remove(&setting(&world, partner)).await?;
    }
    keys.delete_key(&name, None).await?;
    outcome
}

async fn tell(world: &World, endpoint: &str, key: &str) -> Result<()> {
    let encryptor = encrypt(world, key).await?;
    let azure = load(world, endpoint).await?;
    let live: Live<Settings> = azure
        .live(Config::builder().add_source(azure.clone()))
        .await?;
    step("arrived");
    let now = live.load();
    let all = (0..PARTNERS)
        .all(|partner| now.partners[&format!("p{partner}")].password == password(partner));
    if !all {
        return Err("a password is not what it was".into());
    }
    println!(
        "{} passwords, such as {:?}; all as they were",
        now.partners.len(),
        now.partners["p7"].password
    );
    if let Some(explanation) = live.explain("partners.p7.password") {
        println!("{explanation}");
    }
    change(world, live.clone(), &encryptor).await?;
    tamper(world, &azure, &live, &encryptor).await?;
    azure.shutdown().await;
    Ok(())
}

/// Encrypting takes the public half of the key, and no request but the one for it.
async fn encrypt(world: &World, key: &str) -> Result<SettingEncryptor> {
    step("encrypt");
    let key = KeyIdentifier::new(&world.vault_url, key, None)?;
    let options = KeyVaultOptions::new().credential(world.credential.clone());
    let encryptor = SettingEncryptor::with_http_client(&key, options, world.http_hook()).await?;
    println!("with {}", encryptor.key());
    for partner in 0..PARTNERS {
        let value = encryptor.encrypt(password(partner).expose_secret())?;
        world
            .put(
                &setting(world, partner),
                &value,
                Some(SettingEncryptor::CONTENT_TYPE),
            )
            .await?;
    }
    let value = encryptor.encrypt("the same text twice")?;
    let header = value.split('.').next().unwrap_or_default();
    println!(
        "a value of {} bytes, with the header {}",
        value.len(),
        String::from_utf8(decode_url_safe(header)?)?
    );
    let again = encryptor.encrypt("the same text twice")?;
    println!("equal texts look alike: {}", value == again);
    Ok(encryptor)
}

/// Loading takes the permission to unwrap with the key, and one request to the vault.
async fn load(world: &World, endpoint: &str) -> Result<AppConfiguration> {
    step("load");
    if let Some(emulator) = &world.emulator {
        emulator.log().clear();
    }
    let prefix = world.prefix("encrypted");
    let azure = world
        .app_configuration(endpoint)
        .select(SettingSelector::keys(format!("{prefix}*")))
        .trim_key_prefix(prefix)
        .refresh(RefreshOptions::new().every(Duration::from_secs(1)))
        .load()
        .await?;
    if let Some(emulator) = &world.emulator {
        let unwrapped = emulator.log().count(Route::key().status(200));
        println!("{PARTNERS} settings, {unwrapped} request to open them");
    }
    Ok(azure)
}

/// A new value under the same content key: nobody asks the vault.
async fn change(
    world: &World,
    mut live: Live<Settings>,
    encryptor: &SettingEncryptor,
) -> Result<()> {
    step("change one of them");
    let value = encryptor.encrypt("demo password, changed")?;
    world
        .put(
            &setting(world, 7),
            &value,
            Some(SettingEncryptor::CONTENT_TYPE),
        )
        .await?;
    let changed = Secret::new("demo password, changed");
    let follow = async {
        loop {
            let now = live.changed().await?;
            if now.partners["p7"].password == changed {
                return Ok::<_, config_azure::Closed>(now);
            }
        }
    };
    let now = tokio::time::timeout(Duration::from_secs(30), follow).await??;
    println!(
        "generation {}: {}",
        now.generation(),
        now.loaded().changes()
    );
    Ok(())
}

/// Whoever may write to the store, but does not hold what the encryptor holds, cannot pass a value off as encrypted.
async fn tamper(
    world: &World,
    azure: &AppConfiguration,
    live: &Live<Settings>,
    encryptor: &SettingEncryptor,
) -> Result<()> {
    step("tamper with one");
    let before = live.load();
    let value = encryptor.encrypt("demo password, about to be changed")?;
    let (rest, tag) = value.rsplit_once('.').ok_or("five parts")?;
    let flipped = if tag.starts_with('A') { 'B' } else { 'A' };
    let tampered = format!("{rest}.{flipped}{}", &tag[1..]);
    world
        .put(
            &setting(world, 7),
            &tampered,
            Some(SettingEncryptor::CONTENT_TYPE),
        )
        .await?;
    match azure.refresh().await {
        Ok(outcome) => return Err(format!("a tampered value was taken over: {outcome:?}").into()),
        Err(error) => println!("refused: {error}"),
    }
    println!("still generation {}", live.load().generation());
    assert_eq!(
        live.load().partners["p7"].password,
        before.partners["p7"].password
    );
    Ok(())
}

fn password(partner: usize) -> Secret {
    Secret::new(format!("demo password of partner {partner}"))
}
