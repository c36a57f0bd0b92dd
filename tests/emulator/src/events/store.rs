//! App Configuration events.

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::{Event, GROUP, event_id};
use crate::store::{StoreChange, Subject, sync_token};

/// A setting that was written or deleted.
#[derive(Clone, Debug)]
pub struct SettingEvent {
    pub key: String,
    pub label: Option<String>,
    /// Of the new setting, or of the one that was deleted.
    pub etag: String,
    pub deleted: bool,
    /// How far the store has come, as in the header `Sync-Token`.
    pub sync_token: String,
}

/// A snapshot that was made or changed.
#[derive(Clone, Debug)]
pub struct SnapshotEvent {
    pub name: String,
    pub etag: String,
    /// Whether it is new.
    pub created: bool,
    pub sync_token: String,
}

impl SettingEvent {
    /// The event of the store with this host name.
    pub fn of(&self, host: &str, time: OffsetDateTime) -> Event {
        let word = if self.deleted {
            "KeyValueDeleted"
        } else {
            "KeyValueModified"
        };
        let mut subject = format!("https://{host}/kv/{}", escape(&self.key));
        if let Some(label) = &self.label {
            subject.push_str("?label=");
            subject.push_str(&escape(label));
        }
        let mut data = json!({"key": self.key, "etag": self.etag, "syncToken": self.sync_token});
        if let Some(label) = &self.label {
            data["label"] = label.clone().into();
        }
        event(word, host, subject, data, time)
    }
}

impl SnapshotEvent {
    /// The event of the store with this host name.
    pub fn of(&self, host: &str, time: OffsetDateTime) -> Event {
        let word = if self.created {
            "SnapshotCreated"
        } else {
            "SnapshotModified"
        };
        let subject = format!("https://{host}/snapshots/{}", escape(&self.name));
        let data = json!({"name": self.name, "etag": self.etag, "syncToken": self.sync_token});
        event(word, host, subject, data, time)
    }
}

impl StoreChange {
    /// The event of the store with this host name; the sync token is the one of the store itself.
    pub(crate) fn into_event(self, host: &str) -> Event {
        let Self { etag, at, .. } = self;
        let sync_token = sync_token::write(0, self.changes);
        match self.subject {
            Subject::Setting {
                key,
                label,
                deleted,
            } => SettingEvent {
                key,
                label,
                etag,
                deleted,
                sync_token,
            }
            .of(host, at),
            Subject::Snapshot { name, created } => SnapshotEvent {
                name,
                etag,
                created,
                sync_token,
            }
            .of(host, at),
        }
    }
}

fn event(word: &str, host: &str, subject: String, data: Value, time: OffsetDateTime) -> Event {
    let name = host.split('.').next().unwrap_or(host);
    Event {
        id: event_id(&format!("{word} {subject} {data}")),
        kind: format!("Microsoft.AppConfiguration.{word}"),
        source: format!("{GROUP}/microsoft.appconfiguration/configurationstores/{name}"),
        subject,
        time,
        data,
    }
}

/// Percent-encodes all but unreserved characters.
fn escape(text: &str) -> String {
    text.bytes().fold(String::new(), |mut escaped, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
        escaped
    })
}
