//! A body taken apart: Event Grid's schema and CloudEvents 1.0, one event or a batch. All or nothing.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use crate::error::{Error, ErrorKind, Result};
use crate::json::Object;
use crate::reference::ChangedObject;

/// Event Grid delivers at most 1 MB at once, whether one event or a batch.
pub(super) const MOST_BYTES: usize = 1024 * 1024;
/// And at most this many events.
pub(super) const MOST_EVENTS: usize = 5_000;
/// Identifiers, types and handshake codes are this long at most.
const LONGEST_NAME: usize = 512;

const VALIDATION: &str = "Microsoft.EventGrid.SubscriptionValidationEvent";
const STORE: &str = "Microsoft.AppConfiguration.";
const VAULT: &str = "Microsoft.KeyVault.";

/// An event that is well formed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Incoming {
    pub(super) id: String,
    /// The resource that it comes from.
    pub(super) source: String,
    pub(super) kind: String,
    pub(super) tells: Tells,
}

/// What it says.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Tells {
    /// A setting or a snapshot of a store has changed.
    Store { subject: Url, sync_token: String },
    /// A secret, key or certificate has a new version, or one that expires.
    Object(ChangedObject),
    /// Event Grid wants to know whether events are wanted.
    Validation(String),
    /// Nothing that is known here.
    Other,
}

/// The parts that both schemas have, under their names.
#[derive(Deserialize)]
struct Envelope {
    id: String,
    /// CloudEvents.
    specversion: Option<String>,
    r#type: Option<String>,
    source: Option<String>,
    /// Event Grid.
    #[serde(rename = "eventType")]
    event_type: Option<String>,
    topic: Option<String>,
    /// Both.
    subject: Option<String>,
    #[serde(default)]
    data: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoreData {
    sync_token: String,
}

/// The other fields repeat what the identifier says, or are dates that the read brings anyway.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ObjectData {
    id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ValidationData {
    validation_code: String,
}

/// Takes a body apart.
///
/// # Errors
/// [`ErrorKind::InvalidEvent`] says which event is wrong and how, without repeating anything of the body.
pub(super) fn parse(body: &[u8]) -> Result<Vec<Incoming>> {
    if body.len() > MOST_BYTES {
        return Err(invalid("the body is larger than 1 MiB"));
    }
    let events = match body.trim_ascii_start().first() {
        Some(b'[') => serde_json::from_slice::<Vec<Object<Envelope>>>(body),
        Some(b'{') => serde_json::from_slice(body).map(|event| vec![event]),
        _ => return Err(invalid("the body is neither a JSON object nor an array")),
    };
    // The text of the parser's own error may repeat parts of the body.
    let events = events.map_err(|error| {
        invalid(format!(
            "the body is not one of events: line {}, column {}",
            error.line(),
            error.column()
        ))
    })?;
    if events.len() > MOST_EVENTS {
        return Err(invalid("the body holds more than 5,000 events"));
    }
    events
        .into_iter()
        .enumerate()
        .map(|(at, Object(event))| {
            incoming(event).map_err(|flaw| invalid(format!("event {} of the body: {flaw}", at + 1)))
        })
        .collect()
}

fn invalid(text: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidEvent, text)
}

type Flaw = &'static str;

fn incoming(event: Envelope) -> Result<Incoming, Flaw> {
    let (kind, source) = match (event.r#type, event.event_type) {
        (Some(kind), None) if event.specversion.as_deref() == Some("1.0") => {
            (kind, event.source.ok_or("it has no `source`")?)
        }
        (None, Some(kind)) if event.specversion.is_none() => {
            (kind, event.topic.unwrap_or_default())
        }
        _ => return Err("it is neither of Event Grid's schema nor of CloudEvents 1.0"),
    };
    if !is_name(&event.id) || !is_name(&kind) {
        return Err("its `id` or its type is empty, or longer than 512 bytes");
    }
    let tells = if kind == VALIDATION {
        validation(event.data)?
    } else if let Some(what) = kind.strip_prefix(STORE) {
        store(what, event.subject, event.data)?
    } else if let Some(what) = kind.strip_prefix(VAULT) {
        object(what, event.data)?
    } else {
        Tells::Other
    };
    Ok(Incoming {
        id: event.id,
        source,
        kind,
        tells,
    })
}

fn is_name(text: &str) -> bool {
    (1..=LONGEST_NAME).contains(&text.len())
}

fn data<T: DeserializeOwned>(data: Value, flaw: Flaw) -> Result<T, Flaw> {
    let read = serde_json::from_value(data).map_err(|_| flaw);
    read.map(|Object(read)| read)
}

fn validation(value: Value) -> Result<Tells, Flaw> {
    let flaw = "its data has no `validationCode`";
    let ValidationData { validation_code } = data(value, flaw)?;
    let plain = validation_code.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_name(&validation_code) || !plain {
        return Err("its `validationCode` is not a code");
    }
    Ok(Tells::Validation(validation_code))
}

fn store(what: &str, subject: Option<String>, value: Value) -> Result<Tells, Flaw> {
    match what {
        "KeyValueModified" | "KeyValueDeleted" | "SnapshotCreated" | "SnapshotModified" => {}
        _ => return Ok(Tells::Other),
    }
    let flaw = "its `subject` is not the address of a setting or a snapshot";
    let subject = Url::parse(&subject.unwrap_or_default()).map_err(|_| flaw)?;
    let plain = subject.has_host() && subject.username().is_empty() && subject.password().is_none();
    if !plain || !matches!(subject.scheme(), "https" | "http") {
        return Err(flaw);
    }
    let StoreData { sync_token } = data(value, "its data has no `syncToken`")?;
    Ok(Tells::Store {
        subject,
        sync_token,
    })
}

fn object(what: &str, value: Value) -> Result<Tells, Flaw> {
    let collection = ["Secret", "Certificate", "Key"]
        .into_iter()
        .find(|name| what.strip_prefix(name).is_some_and(is_life));
    let Some(collection) = collection else {
        return Ok(Tells::Other);
    };
    let ObjectData { id } = data(value, "its data has no `Id`")?;
    let flaw = "its `Id` is not the identifier of such an object";
    let object = ChangedObject::parse(&id).map_err(|_| flaw)?;
    if !object.is_of(collection) {
        return Err(flaw);
    }
    Ok(Tells::Object(object))
}

/// What happens to an object that makes it worth a read.
fn is_life(event: &str) -> bool {
    matches!(event, "NewVersionCreated" | "NearExpiry" | "Expired")
}
