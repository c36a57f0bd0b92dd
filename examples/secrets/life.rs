//! What becomes of a secret that nobody wants any more, and how it comes back.

use azure_security_keyvault_secrets::SecretClient;
use azure_security_keyvault_secrets::models::RestoreSecretParameters;
use futures::TryStreamExt;

use super::identifier;
use super::support::{Result, step};
use super::vault::{eventually, refusal};

/// Soft delete, and the three things that can be done with a deleted secret.
pub async fn delete_and_recover(client: &SecretClient, name: &str) -> Result<()> {
    step("delete, read the deleted one, recover");
    client.delete_secret(name, None).await?;
    let deleted = eventually(|| client.get_deleted_secret(name, None))
        .await?
        .into_model()?;
    let purge = deleted
        .scheduled_purge_date
        .map(|date| date.date().to_string());
    println!(
        "deleted; Azure would purge it on {}",
        purge.unwrap_or_default()
    );
    match client.get_secret(name, None).await {
        Ok(_) => println!("a reader still gets it"),
        Err(error) => println!("a reader gets {}", refusal(error)),
    }
    let mut deleted = client.list_deleted_secret_properties(None)?;
    while let Some(properties) = deleted.try_next().await? {
        if properties.recovery_id.is_some_and(|id| id.ends_with(name)) {
            println!("it is in the list of deleted secrets");
        }
    }
    client.recover_deleted_secret(name, None).await?;
    let read = eventually(|| client.get_secret(name, None))
        .await?
        .into_model()?;
    println!("recovered: {:?}", read.value.unwrap_or_default());
    Ok(())
}

/// A backup outlives even the purge, and another vault of the same geography takes it too.
pub async fn back_up_and_restore(client: &SecretClient, name: &str) -> Result<()> {
    step("back it up, delete and purge, restore");
    let backup = client.backup_secret(name, None).await?.into_model()?;
    let blob = backup.value.unwrap_or_default();
    println!("an opaque backup of {} bytes", blob.len());
    if !purge(client, name).await? {
        // Its name stays taken until Azure lets go of it.
        return Ok(());
    }
    let restored = eventually(|| async {
        let parameters = RestoreSecretParameters {
            secret_backup: Some(blob.clone()),
        };
        client.restore_secret(parameters.try_into()?, None).await
    })
    .await?
    .into_model()?;
    println!("restored {}", identifier(&restored)?);
    let read = client.get_secret(name, None).await?.into_model()?;
    println!("it is {:?} again", read.value.unwrap_or_default());
    purge(client, name).await?;
    Ok(())
}

/// Deletes a secret for good, if the vault's purge protection allows it; whether it did.
pub async fn purge(client: &SecretClient, name: &str) -> Result<bool> {
    client.delete_secret(name, None).await?;
    eventually(|| client.get_deleted_secret(name, None)).await?;
    match client.purge_deleted_secret(name, None).await {
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
