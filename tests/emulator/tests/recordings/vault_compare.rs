//! Whether an answer of a vault has the shape of the recorded one.

use http::HeaderMap;
use serde_json::{Value, json};
use url::Url;

use crate::common::header;
use crate::exchange::Exchange;

/// What only the service can know, or what it words anew from time to time.
const BY_FORM: [&str; 10] = [
    "created",
    "updated",
    "deletedDate",
    "scheduledPurgeDate",
    "message",
    "x",
    "y",
    "n",
    "recoveryLevel",
    "recoverableDays",
];

/// Identifiers: their host was redacted, their version is the vault's choice.
const IDENTIFIERS: [&str; 3] = ["id", "kid", "recoveryId"];

/// Attributes that newer api-versions or later years added.
const ADDED: [&str; 3] = ["recoverableDays", "exportable", "hsmPlatform"];

pub fn answer(
    exchange: &Exchange,
    status: u16,
    headers: &HeaderMap,
    body: &str,
) -> Result<(), String> {
    exchange.has_status(status, body)?;
    for (name, recorded) in &exchange.answer_headers {
        let ours = header(headers, name);
        let alike = match name.as_str() {
            "retry-after" => true,
            "content-type" => ours == recorded,
            "www-authenticate" => parameters(ours) == parameters(recorded),
            _ => !ours.is_empty(),
        };
        if !alike {
            return Err(format!("{name}: {ours}\n  instead of {recorded}"));
        }
    }
    let ours: Value = serde_json::from_str(body).map_err(|e| format!("{e}: {body}"))?;
    same(&masked(&exchange.body), &masked(&ours), "")
}

/// The scheme and the names of its parameters.
fn parameters(challenge: &str) -> Vec<&str> {
    let parts = challenge.split(", ");
    parts
        .filter_map(|part| Some(part.split_once('=')?.0))
        .collect()
}

/// The body without what differs from vault to vault; lists in an order of their own.
fn masked(body: &Value) -> Value {
    let Some(fields) = body.as_object() else {
        return body.clone();
    };
    // A certificate that was updated without tags has an empty set of them; no tags otherwise are no field.
    let fields = fields.iter().filter(|(_, value)| **value != json!({}));
    let fields = fields.map(|(name, value)| {
        let masked = match (name.as_str(), value) {
            (name, Value::String(_)) if BY_FORM.contains(&name) => "text".into(),
            (name, Value::Number(_)) if BY_FORM.contains(&name) => 0.into(),
            (name, Value::String(id)) if IDENTIFIERS.contains(&name) => identifier(id).into(),
            ("nextLink", Value::String(link)) => next(link).into(),
            ("value", Value::Array(items)) => {
                let mut items: Vec<_> = items.iter().map(masked).collect();
                items.sort_by_key(|item| format!("{} {} {item}", item["id"], item["kid"]));
                items.into()
            }
            _ => masked(value),
        };
        (name.clone(), masked)
    });
    Value::Object(fields.collect())
}

fn identifier(id: &str) -> String {
    let url: Url = id.parse().expect("an identifier");
    let is_version = |s: &str| s.len() == 32 && s.bytes().all(|b| b.is_ascii_hexdigit());
    let segments = url.path_segments().expect("a path");
    let parts = segments.map(|s| if is_version(s) { "version" } else { s });
    parts.collect::<Vec<_>>().join("/")
}

/// Path and parameter names of a continuation.
fn next(link: &str) -> String {
    let url: Url = link.parse().expect("a link");
    let names: Vec<_> = url
        .query_pairs()
        .map(|(name, _)| name.into_owned())
        .collect();
    let path = url.path().trim_end_matches('/');
    format!("{path}?{}", names.join("&"))
}

fn same(recorded: &Value, ours: &Value, at: &str) -> Result<(), String> {
    match (recorded, ours) {
        (Value::Object(theirs), Value::Object(own)) => {
            let names: Vec<_> = theirs.keys().collect();
            let added = |name: &String| ADDED.contains(&&**name) && !theirs.contains_key(name);
            let ours: Vec<_> = own.keys().filter(|name| !added(name)).collect();
            if names != ours {
                return Err(format!("{at}: fields {ours:?} instead of {names:?}"));
            }
            let mut fields = theirs.iter();
            fields.try_for_each(|(name, value)| same(value, &own[name], &format!("{at}/{name}")))
        }
        (Value::Array(theirs), Value::Array(own)) if theirs.len() == own.len() => {
            let mut pairs = theirs.iter().zip(own).enumerate();
            pairs.try_for_each(|(n, (theirs, own))| same(theirs, own, &format!("{at}/{n}")))
        }
        _ if recorded == ours => Ok(()),
        _ => Err(format!("{at}: {ours} instead of {recorded}")),
    }
}
