//! Events as Event Grid delivers them: payloads in both schemas, a record of them, and webhooks.
//!
//! The payloads follow the documented samples of Key Vault and App Configuration, with the corrections that
//! their property tables make: `ObjectName` without the blank of the sample, `NBF` and `EXP` as numbers.

mod hub;
mod store;
mod vault;
mod webhook;

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

pub use hub::EventHub;
pub use store::{SettingEvent, SnapshotEvent};
pub use vault::ObjectEvent;
pub use webhook::{Subscription, Webhook};

/// The subscription and resource group that all emulated resources are in.
const GROUP: &str =
    "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/emulator/providers";

/// How an event is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventSchema {
    /// Event Grid's own: `eventType`, `topic`, `eventTime`, always in an array.
    EventGrid,
    /// CloudEvents 1.0: `type`, `source`, `time`, an object, or an array if it is a batch.
    CloudEvents,
}

/// One event.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Different for each event.
    pub id: String,
    /// Such as `Microsoft.KeyVault.SecretNewVersionCreated`.
    pub kind: String,
    /// The resource that it comes from: `topic` or `source`.
    pub source: String,
    /// What it is about: the setting's address, or the secret's name.
    pub subject: String,
    pub time: OffsetDateTime,
    pub data: Value,
}

impl Event {
    /// One event in this schema, as an object.
    pub fn to_json(&self, schema: EventSchema) -> Value {
        let time = self
            .time
            .format(&Rfc3339)
            .expect("the time is one of the calendar");
        match schema {
            EventSchema::EventGrid => json!({
                "id": self.id,
                "topic": self.source,
                "subject": self.subject,
                "eventType": self.kind,
                "eventTime": time,
                "data": self.data,
                "dataVersion": "1",
                "metadataVersion": "1",
            }),
            EventSchema::CloudEvents => json!({
                "id": self.id,
                "source": self.source,
                "subject": self.subject,
                "type": self.kind,
                "time": time,
                "data": self.data,
                "specversion": "1.0",
            }),
        }
    }

    /// The body of a delivery of this event alone.
    pub fn body(&self, schema: EventSchema) -> String {
        match schema {
            EventSchema::EventGrid => Self::batch(std::slice::from_ref(self), schema),
            EventSchema::CloudEvents => self.to_json(schema).to_string(),
        }
    }

    /// The body of a delivery of several events.
    pub fn batch(events: &[Self], schema: EventSchema) -> String {
        let events: Vec<Value> = events.iter().map(|event| event.to_json(schema)).collect();
        Value::Array(events).to_string()
    }

    /// The body with which Event Grid asks a webhook whether it wants events. The webhook answers
    /// `{"validationResponse": code}`. CloudEvents have an `OPTIONS` request instead.
    pub fn validation(code: &str, source: &str, time: OffsetDateTime) -> String {
        let event = Self {
            id: event_id(code),
            kind: "Microsoft.EventGrid.SubscriptionValidationEvent".to_owned(),
            source: source.to_owned(),
            subject: String::new(),
            time,
            data: json!({
                "validationCode": code,
                "validationUrl": format!("https://localhost/eventgrid/validate?id={code}"),
            }),
        };
        event.body(EventSchema::EventGrid)
    }
}

/// An identifier that follows from what the event says.
fn event_id(text: &str) -> String {
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    let hex: String = hash.as_ref()[..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}
