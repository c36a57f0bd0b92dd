//! Microsoft's guide to Key Vault keys, in Rust: `cargo run --example keys --features keys`
//!
//! Creates keys, reads, lists, updates and rotates them, lets the vault encrypt, wrap and sign with them, hands a
//! verification key to an application through App Configuration and `config-azure`, and at the end imports, deletes,
//! recovers, backs up, purges and restores.
//!
//! Runs on an emulator. With `KEY_VAULT_NAME` (or `KEYVAULT_URI`) and `AZURE_APPCONFIG_ENDPOINT` it runs against your own
//! vault and store: that takes the roles `Key Vault Crypto Officer` and `App Configuration Data Owner`, and everything
//! that it makes it deletes again.

use std::collections::HashMap;

use aws_lc_rs::digest;
use azure_security_keyvault_keys::models::{
    CreateKeyParameters, CurveName, EncryptionAlgorithm, Key, KeyAttributes,
    KeyClientGetKeyOptions, KeyOperationParameters, KeyRotationPolicy, KeyRotationPolicyAction,
    KeyRotationPolicyAttributes, KeyType, LifetimeAction, LifetimeActionTrigger,
    LifetimeActionType, SignParameters, SignatureAlgorithm, UpdateKeyPropertiesParameters,
    VerifyParameters,
};
use azure_security_keyvault_keys::{KeyClient, KeyClientOptions};
use config_azure::KeyIdentifier;
use futures::TryStreamExt;

#[path = "keys/integration.rs"]
mod integration;
#[path = "keys/life.rs"]
mod life;
mod support;
#[path = "support/vault.rs"]
mod vault;

use support::{Result, World, step};
use vault::refusal;

#[tokio::main]
async fn main() -> Result<()> {
    let world = World::start().await?;
    let options = KeyClientOptions {
        client_options: world.client_options(),
        ..KeyClientOptions::default()
    };
    let client = KeyClient::new(&world.vault_url, world.credential.clone(), Some(options))?;
    let (general, rsa, ec) = (
        world.name("demo-key"),
        world.name("demo-rsa"),
        world.name("demo-ec"),
    );

    create(&client, &general, &rsa, &ec).await?;
    world.describe();
    read(&client, &general).await?;
    update(&client, &ec).await?;
    rotate(&client, &rsa).await?;
    encrypt_and_wrap(&client, &rsa).await?;
    sign_and_verify(&client, &rsa, &ec).await?;
    if let Some(endpoint) = world.store() {
        integration::integrate(&world, &client, endpoint, &ec).await?;
    }
    life::import(&client, &world.name("demo-imported")).await?;
    life::delete_and_recover(&client, &rsa).await?;
    life::back_up_and_restore(&client, &ec).await?;
    step("delete and purge");
    for name in [&general, &rsa, &ec] {
        life::purge(&client, name).await?;
    }
    Ok(())
}

/// A key of a type, one of a size with its operations and a tag, and one on a curve.
async fn create(client: &KeyClient, general: &str, rsa: &str, ec: &str) -> Result<()> {
    step("create keys");
    let sized = CreateKeyParameters {
        key_size: Some(2048),
        key_attributes: Some(KeyAttributes {
            enabled: Some(true),
            ..KeyAttributes::default()
        }),
        tags: Some(HashMap::from([("owner".to_owned(), "guides".to_owned())])),
        ..of_type(KeyType::Rsa)
    };
    let curve = CreateKeyParameters {
        curve: Some(CurveName::P256),
        ..of_type(KeyType::Ec)
    };
    for (name, parameters) in [(general, of_type(KeyType::Rsa)), (rsa, sized), (ec, curve)] {
        let key = client
            .create_key(name, parameters.try_into()?, None)
            .await?
            .into_model()?;
        println!("{}: {}", identifier(&key)?, describe(&key));
    }
    Ok(())
}

fn of_type(kty: KeyType) -> CreateKeyParameters {
    CreateKeyParameters {
        kty: Some(kty),
        ..CreateKeyParameters::default()
    }
}

/// The newest version, a given version, and the lists.
async fn read(client: &KeyClient, name: &str) -> Result<()> {
    step("read a key and one of its versions");
    let first = identifier(&client.get_key(name, None).await?.into_model()?)?;
    client
        .create_key(name, of_type(KeyType::Rsa).try_into()?, None)
        .await?;
    let newest = identifier(&client.get_key(name, None).await?.into_model()?)?;
    let options = KeyClientGetKeyOptions {
        key_version: first.version().map(str::to_owned),
        ..KeyClientGetKeyOptions::default()
    };
    let older = identifier(&client.get_key(name, Some(options)).await?.into_model()?)?;
    println!("newest {newest}\nfirst  {older}");

    step("list keys and versions");
    let mut keys = client.list_key_properties(None)?;
    while let Some(properties) = keys.try_next().await? {
        let id = KeyIdentifier::parse(properties.kid.as_deref().unwrap_or_default())?;
        // A vault of your own holds more than what this example made.
        if id.name().contains("demo-") {
            println!(
                "key     {}, tags {:?}",
                id.name(),
                properties.tags.unwrap_or_default()
            );
        }
    }
    let mut versions = client.list_key_properties_versions(name, None)?;
    while let Some(properties) = versions.try_next().await? {
        let id = KeyIdentifier::parse(properties.kid.as_deref().unwrap_or_default())?;
        println!(
            "version {} of {}",
            id.version().unwrap_or_default(),
            id.name()
        );
    }
    Ok(())
}

/// Tags and state change in place. A disabled key does nothing.
async fn update(client: &KeyClient, name: &str) -> Result<()> {
    step("update properties, disable");
    let parameters = |enabled| UpdateKeyPropertiesParameters {
        key_attributes: Some(KeyAttributes {
            enabled: Some(enabled),
            ..KeyAttributes::default()
        }),
        tags: Some(HashMap::from([("owner".to_owned(), "orders".to_owned())])),
        ..UpdateKeyPropertiesParameters::default()
    };
    let updated = client
        .update_key_properties(name, parameters(false).try_into()?, None)
        .await?
        .into_model()?;
    println!(
        "{name}: tags {:?}, disabled",
        updated.tags.unwrap_or_default()
    );
    match sign(client, name, SignatureAlgorithm::Es256, b"an order").await {
        Ok(_) => println!("it still signs"),
        Err(error) => println!("whoever lets it sign gets {}", refusal(error)),
    }
    client
        .update_key_properties(name, parameters(true).try_into()?, None)
        .await?;
    println!("enabled again");
    Ok(())
}

/// A policy by which Azure rotates the key, and a rotation now.
async fn rotate(client: &KeyClient, name: &str) -> Result<()> {
    step("rotate");
    let policy = KeyRotationPolicy {
        lifetime_actions: Some(vec![LifetimeAction {
            action: Some(LifetimeActionType {
                type_prop: Some(KeyRotationPolicyAction::Rotate),
            }),
            trigger: Some(LifetimeActionTrigger {
                time_before_expiry: Some("P30D".to_owned()),
                ..LifetimeActionTrigger::default()
            }),
        }]),
        attributes: Some(KeyRotationPolicyAttributes {
            expiry_time: Some("P1Y".to_owned()),
            ..KeyRotationPolicyAttributes::default()
        }),
        ..KeyRotationPolicy::default()
    };
    client
        .update_key_rotation_policy(name, policy.try_into()?, None)
        .await?;
    let kept = client
        .get_key_rotation_policy(name, None)
        .await?
        .into_model()?;
    let expiry = kept
        .attributes
        .and_then(|attributes| attributes.expiry_time);
    println!(
        "policy: a version lives for {}, and is rotated before that",
        expiry.unwrap_or_default()
    );
    let before = identifier(&client.get_key(name, None).await?.into_model()?)?;
    let after = identifier(&client.rotate_key(name, None).await?.into_model()?)?;
    println!(
        "{} → {}",
        before.version().unwrap_or_default(),
        after.version().unwrap_or_default()
    );
    Ok(())
}

/// What the public half closes, only the vault opens.
async fn encrypt_and_wrap(client: &KeyClient, name: &str) -> Result<()> {
    step("encrypt and decrypt, wrap and unwrap");
    let parameters = |value: &[u8]| KeyOperationParameters {
        algorithm: Some(EncryptionAlgorithm::RsaOaep256),
        value: Some(value.to_vec()),
        ..KeyOperationParameters::default()
    };
    let text = b"a card number";
    let closed = client
        .encrypt(name, parameters(text).try_into()?, None)
        .await?
        .into_model()?;
    // The answer names the version that did it; the same version must undo it, however often the key was rotated since.
    let kid = KeyIdentifier::parse(closed.kid.as_deref().unwrap_or_default())?;
    let version = kid.version().unwrap_or_default();
    let sealed = closed.result.unwrap_or_default();
    let opened = client
        .decrypt(name, version, parameters(&sealed).try_into()?, None)
        .await?
        .into_model()?;
    println!(
        "encrypted to {} bytes; decrypted is the same: {}",
        sealed.len(),
        opened.result.as_deref() == Some(text)
    );

    let mut content_key = [0; 32];
    aws_lc_rs::rand::fill(&mut content_key)?;
    let wrapped = client
        .wrap_key(name, parameters(&content_key).try_into()?, None)
        .await?
        .into_model()?;
    let sealed = wrapped.result.unwrap_or_default();
    let unwrapped = client
        .unwrap_key(name, version, parameters(&sealed).try_into()?, None)
        .await?
        .into_model()?;
    println!(
        "a wrapped AES key comes back: {}",
        unwrapped.result.as_deref() == Some(&content_key[..])
    );
    Ok(())
}

/// The vault signs a digest; whoever has the public half verifies.
async fn sign_and_verify(client: &KeyClient, rsa: &str, ec: &str) -> Result<()> {
    step("sign and verify");
    for (name, algorithm) in [
        (ec, SignatureAlgorithm::Es256),
        (rsa, SignatureAlgorithm::Ps256),
    ] {
        let (kid, signature) = sign(client, name, algorithm.clone(), b"an order").await?;
        for message in [&b"an order"[..], b"another order"] {
            let parameters = VerifyParameters {
                algorithm: Some(algorithm.clone()),
                digest: Some(sha256(message)),
                signature: Some(signature.clone()),
            };
            let id = KeyIdentifier::parse(&kid)?;
            let version = id.version().unwrap_or_default();
            let verdict = client
                .verify(name, version, parameters.try_into()?, None)
                .await?
                .into_model()?;
            let verdict = if verdict.value == Some(true) {
                "valid"
            } else {
                "not valid"
            };
            println!(
                "{algorithm:?} by {name} for {:?}: {verdict}",
                String::from_utf8_lossy(message)
            );
        }
    }
    Ok(())
}

/// Signs with the newest version. Returns which one that was, and the signature.
async fn sign(
    client: &KeyClient,
    name: &str,
    algorithm: SignatureAlgorithm,
    message: &[u8],
) -> azure_core::Result<(String, Vec<u8>)> {
    let parameters = SignParameters {
        algorithm: Some(algorithm),
        value: Some(sha256(message)),
    };
    let signed = client
        .sign(name, parameters.try_into()?, None)
        .await?
        .into_model()?;
    Ok((
        signed.kid.unwrap_or_default(),
        signed.result.unwrap_or_default(),
    ))
}

fn sha256(message: &[u8]) -> Vec<u8> {
    digest::digest(&digest::SHA256, message).as_ref().to_vec()
}

fn identifier(key: &Key) -> Result<KeyIdentifier> {
    let kid = key.key.as_ref().and_then(|key| key.kid.as_deref());
    Ok(KeyIdentifier::parse(
        kid.ok_or("the vault's answer has no identifier")?,
    )?)
}

fn describe(key: &Key) -> String {
    let Some(jwk) = &key.key else {
        return "no key".to_owned();
    };
    let size = jwk
        .n
        .as_ref()
        .map(|modulus| format!(" of {} bits", modulus.len() * 8));
    let curve = jwk.crv.as_ref().map(|curve| format!(" on {curve:?}"));
    let kind = jwk
        .kty
        .as_ref()
        .map(|kty| format!("{kty:?}"))
        .unwrap_or_default();
    let operations = jwk.key_ops.clone().unwrap_or_default().join(", ");
    format!(
        "{kind}{} for {operations}",
        size.or(curve).unwrap_or_default()
    )
}
