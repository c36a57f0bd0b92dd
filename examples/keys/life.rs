//! How a key comes into a vault from outside, what becomes of it when nobody wants it any more, and how it comes back.

use aws_lc_rs::encoding::{AsBigEndian, EcPrivateKeyBin};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use azure_security_keyvault_keys::KeyClient;
use azure_security_keyvault_keys::models::{
    CurveName, ImportKeyParameters, JsonWebKey, KeyType, RestoreKeyParameters, SignatureAlgorithm,
};
use futures::TryStreamExt;

use super::support::{Result, step};
use super::vault::{eventually, refusal};
use super::{identifier, sign};

/// A key that was made elsewhere. From now on, only the vault signs with it.
pub async fn import(client: &KeyClient, name: &str) -> Result<()> {
    step("import a key");
    let parameters = ImportKeyParameters {
        key: Some(made_here()?),
        ..ImportKeyParameters::default()
    };
    let imported = client
        .import_key(name, parameters.try_into()?, None)
        .await?
        .into_model()?;
    println!("{}", identifier(&imported)?);
    let (_, signature) = sign(client, name, SignatureAlgorithm::Es256, b"an order").await?;
    println!("it signs: {} bytes", signature.len());
    purge(client, name).await?;
    Ok(())
}

/// A P-256 key pair as a private JSON Web Key.
fn made_here() -> Result<JsonWebKey> {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
    let private: EcPrivateKeyBin<'_> = pair.private_key().as_be_bytes()?;
    // An uncompressed point: 4, then x and y.
    let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
    Ok(JsonWebKey {
        kty: Some(KeyType::Ec),
        crv: Some(CurveName::P256),
        d: Some(private.as_ref().to_vec()),
        x: Some(x.to_vec()),
        y: Some(y.to_vec()),
        ..JsonWebKey::default()
    })
}

/// Soft delete: nobody can use the key, and it can be had back.
pub async fn delete_and_recover(client: &KeyClient, name: &str) -> Result<()> {
    step("delete, read the deleted one, recover");
    client.delete_key(name, None).await?;
    let deleted = eventually(|| client.get_deleted_key(name, None))
        .await?
        .into_model()?;
    let date = deleted
        .scheduled_purge_date
        .map(|date| date.date().to_string());
    println!(
        "deleted; Azure would purge it on {}",
        date.unwrap_or_default()
    );
    match client.get_key(name, None).await {
        Ok(_) => println!("a reader still gets it"),
        Err(error) => println!("a reader gets {}", refusal(error)),
    }
    let mut deleted = client.list_deleted_key_properties(None)?;
    while let Some(properties) = deleted.try_next().await? {
        if properties.recovery_id.is_some_and(|id| id.ends_with(name)) {
            println!("it is in the list of deleted keys");
        }
    }
    client.recover_deleted_key(name, None).await?;
    let read = eventually(|| client.get_key(name, None))
        .await?
        .into_model()?;
    println!("recovered {}", identifier(&read)?);
    Ok(())
}

/// A backup outlives even the purge. It holds the private key, encrypted so that only Azure can open it.
pub async fn back_up_and_restore(client: &KeyClient, name: &str) -> Result<()> {
    step("back it up, delete and purge, restore");
    let backup = client.backup_key(name, None).await?.into_model()?;
    let blob = backup.value.unwrap_or_default();
    println!("an opaque backup of {} bytes", blob.len());
    if !purge(client, name).await? {
        // Its name stays taken until Azure lets go of it.
        return Ok(());
    }
    let restored = eventually(|| async {
        let parameters = RestoreKeyParameters {
            key_backup: Some(blob.clone()),
        };
        client.restore_key(parameters.try_into()?, None).await
    })
    .await?
    .into_model()?;
    println!("restored {}", identifier(&restored)?);
    Ok(())
}

/// Deletes a key for good, if the vault's purge protection allows it; whether it did.
pub async fn purge(client: &KeyClient, name: &str) -> Result<bool> {
    client.delete_key(name, None).await?;
    eventually(|| client.get_deleted_key(name, None)).await?;
    match client.purge_deleted_key(name, None).await {
        Ok(_) => {
            println!("{name} is purged");
            Ok(true)
        }
        Err(error) => {
            println!("{name} stays deleted: {}", refusal(error));
            Ok(false)
        }
    }
}
