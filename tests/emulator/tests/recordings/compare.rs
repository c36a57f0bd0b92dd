//! Whether an answer has the shape of the recorded one.

use std::collections::BTreeSet;

use http::HeaderMap;
use serde_json::Value;
use url::Url;

use crate::common::header;
use crate::exchange::Exchange;

/// Headers that recorders or their proxies added, or that carry nothing.
const NOISE: [&str; 3] = ["content-encoding", "retry-after", "x-ms-request-id"];

/// Fields whose value only the service can know; the last two had other bounds in the preview.
const BY_FORM: [&str; 9] = [
    "etag",
    "last_modified",
    "created",
    "expires",
    "id",
    "size",
    "@nextLink",
    "retention_period",
    "composition_type",
];

pub fn answer(
    exchange: &Exchange,
    status: u16,
    headers: &HeaderMap,
    body: &str,
) -> Result<(), String> {
    exchange.has_status(status, body)?;
    for (name, recorded) in &exchange.answer_headers {
        if NOISE.contains(&name.as_str()) {
            continue;
        }
        let ours = header(headers, name);
        if ours.is_empty() {
            return Err(format!("no header {name}"));
        }
        let alike = match name.as_str() {
            "content-type" | "memento-datetime" => ours == recorded,
            "etag" => ours.starts_with('"') && ours.ends_with('"'),
            "last-modified" => ours.len() == recorded.len(),
            "link" => links(ours) == links(recorded),
            "sync-token" => ours.contains(";sn=") && ours.split_once('=') != Some((ours, "")),
            _ => true,
        };
        if !alike {
            return Err(format!("{name}: {ours}\n  instead of {recorded}"));
        }
    }
    if exchange.method == "HEAD" || exchange.body.is_null() {
        return if body.is_empty() {
            Ok(())
        } else {
            Err(format!("a body: {body}"))
        };
    }
    let mut ours: Value = serde_json::from_str(body).map_err(|e| format!("{e}: {body}"))?;
    if let (Some(ours), None) = (ours.as_object_mut(), exchange.body.get("etag")) {
        // The preview had no page ETags yet.
        ours.remove("etag");
    }
    same(&exchange.body, &ours, "")
}

/// Relation, path and parameters of a link.
type Link = (String, String, Vec<(String, String)>);

/// Relations with path and parameter names; the continuation itself is opaque.
fn links(header: &str) -> BTreeSet<Link> {
    let links = header.split(", <");
    let links = links.filter_map(|link| link.trim_start_matches('<').split_once(">; rel="));
    links
        .map(|(target, relation)| {
            let base = Url::parse("https://store/").expect("a URL");
            let url = base.join(target).expect("a reference");
            let pairs = url.query_pairs().map(|(name, value)| {
                let value = if name == "after" {
                    String::new()
                } else {
                    value.into_owned()
                };
                (name.into_owned(), value)
            });
            (relation.to_owned(), url.path().to_owned(), pairs.collect())
        })
        .collect()
}

fn same(recorded: &Value, ours: &Value, at: &str) -> Result<(), String> {
    match (recorded, ours) {
        (Value::Object(recorded), Value::Object(ours)) => {
            let names = |map: &serde_json::Map<String, Value>| -> BTreeSet<String> {
                map.keys().cloned().collect()
            };
            if names(recorded) != names(ours) {
                return Err(format!(
                    "{at}: fields {:?} instead of {:?}",
                    names(ours),
                    names(recorded)
                ));
            }
            recorded.iter().try_for_each(|(name, value)| {
                let at = format!("{at}/{name}");
                if BY_FORM.contains(&name.as_str()) {
                    form(value, &ours[name], &at)
                } else {
                    same(value, &ours[name], &at)
                }
            })
        }
        (Value::Array(recorded), Value::Array(ours)) if recorded.len() == ours.len() => {
            let mut pairs = recorded.iter().zip(ours).enumerate();
            pairs.try_for_each(|(n, (recorded, ours))| same(recorded, ours, &format!("{at}/{n}")))
        }
        (recorded, ours) if recorded == ours => Ok(()),
        (recorded, ours) => Err(format!("{at}: {ours} instead of {recorded}")),
    }
}

fn form(recorded: &Value, ours: &Value, at: &str) -> Result<(), String> {
    let kind = std::mem::discriminant::<Value>;
    if kind(recorded) != kind(ours) {
        return Err(format!("{at}: {ours} instead of {recorded}"));
    }
    let (Some(recorded), Some(ours)) = (recorded.as_str(), ours.as_str()) else {
        return Ok(());
    };
    // A time has digits where a time has digits; some recorded ones have fractions.
    let shape = |text: &str| text.replace(|c: char| c.is_ascii_digit(), "0");
    let is_time = |text: &str| shape(text).starts_with("0000-00-00T00:00:00");
    if is_time(recorded) == is_time(ours) && !ours.is_empty() {
        Ok(())
    } else {
        Err(format!("{at}: {ours} instead of {recorded}"))
    }
}
