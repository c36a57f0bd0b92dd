//! Integrating with App Configuration: a key reaches an application as a typed setting.

use std::time::Duration;

use aws_lc_rs::signature;
use azure_core::base64::decode_url_safe;
use azure_security_keyvault_keys::KeyClient;
use azure_security_keyvault_keys::models::SignatureAlgorithm;
use config::Config;
use config_azure::{KeyIdentifier, KeyVaultOptions, Live, RefreshOptions, SettingSelector};
use serde::Deserialize;
use serde_json::json;

use super::sign;
use super::support::{Result, World, step};

/// What a service needs to check signatures: a public key, as a JSON Web Key.
#[derive(Debug, Deserialize, PartialEq)]
struct Jwk {
    kid: String,
    kty: String,
    crv: String,
    x: String,
    y: String,
}

#[derive(Deserialize)]
struct Settings {
    /// The identifier, as text: for clients of the vault.
    signing_key_id: String,
    /// The key behind it, as the reference brought it.
    signing_key: Jwk,
}

impl Jwk {
    fn verify(&self, message: &[u8], signature: &[u8]) -> Result<bool> {
        let mut point = vec![4];
        point.extend(decode_url_safe(&self.x)?);
        point.extend(decode_url_safe(&self.y)?);
        let key = signature::UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point);
        Ok(key.verify(message, signature).is_ok())
    }
}

const REFERENCE: &str = "application/vnd.microsoft.appconfig.keyvaultref+json;charset=utf-8";

/// Integrating with App Configuration: a setting names a key, another one brings it.
pub async fn integrate(
    world: &World,
    client: &KeyClient,
    endpoint: &str,
    name: &str,
) -> Result<()> {
    step("refer to a key from App Configuration");
    let id = KeyIdentifier::new(&world.vault_url, name, None)?;
    let prefix = world.prefix("keys");
    let (text, reference) = (
        format!("{prefix}SigningKeyId"),
        format!("{prefix}SigningKey"),
    );
    world.put(&text, &id.to_string(), None).await?;
    world
        .put(
            &reference,
            &json!({ "uri": id.to_string() }).to_string(),
            Some(REFERENCE),
        )
        .await?;
    println!("{reference} → {id}");
    let outcome = follow(world, client, endpoint).await;
    for key in [&text, &reference] {
        world.remove(key).await?;
    }
    outcome
}

/// Loads the key into a struct, verifies with it, rotates it and watches the struct follow.
async fn follow(world: &World, client: &KeyClient, endpoint: &str) -> Result<()> {
    let prefix = world.prefix("keys");
    let azure = world
        .app_configuration(endpoint)
        .select(SettingSelector::keys(format!("{prefix}*")))
        .trim_key_prefix(prefix)
        .key_vault(
            KeyVaultOptions::new()
                .resolve_keys(true)
                .refresh_interval(Duration::from_secs(1)),
        )
        .refresh(RefreshOptions::new().every(Duration::from_secs(1)))
        .load()
        .await?;
    let mut live: Live<Settings> = azure
        .live(Config::builder().add_source(azure.clone()))
        .await?;
    let now = live.load();
    let id = KeyIdentifier::parse(&now.signing_key_id)?;
    println!(
        "the setting names vault {}, key {}, version {:?}",
        id.vault_url(),
        id.name(),
        id.version()
    );
    println!(
        "the reference brought {} on {}: {}",
        now.signing_key.kty, now.signing_key.crv, now.signing_key.kid
    );

    step("verify with it, without a request");
    let (kid, signature) = sign(client, id.name(), SignatureAlgorithm::Es256, b"an order").await?;
    expect("signed by the same version", kid == now.signing_key.kid)?;
    let verify = |message| now.signing_key.verify(message, &signature);
    expect("the signature is valid", verify(b"an order")?)?;
    expect("of nothing else", !verify(b"another order")?)?;

    step("rotate it");
    client.rotate_key(id.name(), None).await?;
    let (kid, signature) = sign(client, id.name(), SignatureAlgorithm::Es256, b"an order").await?;
    let old = now.signing_key.verify(b"an order", &signature)?;
    expect("not valid by the old key", !old)?;
    let rotated = async {
        loop {
            let now = live.changed().await?;
            if now.signing_key.kid == kid {
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
    let new = now.signing_key.verify(b"an order", &signature)?;
    expect("valid by the new key", new)?;
    azure.shutdown().await;
    Ok(())
}

/// Says what holds; an error, after which everything is deleted all the same, if it does not.
fn expect(what: &str, holds: bool) -> Result<()> {
    if !holds {
        return Err(format!("it does not hold: {what}").into());
    }
    println!("{what}");
    Ok(())
}
