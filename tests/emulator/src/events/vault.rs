//! Key Vault events.

use serde_json::json;
use time::OffsetDateTime;

use super::{Event, GROUP, event_id};
use crate::vault::ObjectChange;

/// What happened to a version of a secret or a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectEvent {
    /// `SecretNewVersionCreated`.
    NewVersionCreated,
    /// `SecretNearExpiry`: 30 days before `exp`.
    NearExpiry,
    /// `SecretExpired`.
    Expired,
}

impl ObjectEvent {
    /// The event for a version in the vault of this name.
    pub fn of(self, vault: &str, object: &ObjectChange, time: OffsetDateTime) -> Event {
        let word = match self {
            Self::NewVersionCreated => "NewVersionCreated",
            Self::NearExpiry => "NearExpiry",
            Self::Expired => "Expired",
        };
        let nanos = time.unix_timestamp_nanos();
        Event {
            id: event_id(&format!("{word} {} {nanos}", object.id)),
            kind: format!("Microsoft.KeyVault.{}{word}", object.object_type),
            source: format!("{GROUP}/Microsoft.KeyVault/vaults/{vault}"),
            subject: object.object_name.clone(),
            time,
            data: json!({
                "Id": object.id,
                "VaultName": vault,
                "ObjectType": object.object_type,
                "ObjectName": object.object_name,
                "Version": object.version,
                "NBF": object.not_before,
                "EXP": object.expires,
            }),
        }
    }
}
