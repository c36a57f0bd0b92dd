//! One setting: `/kv/{key}` and `/locks/{key}`.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde::Deserialize;

use super::call::Call;
use super::filter::TagFilters;
use super::json::{Fields, KV, KeyValue};
use super::page::{Preconditions, not_modified, ok, set_etag};
use super::problem::Problem;
use super::query::decode;
use super::setting::{Name, Setting};
use super::state::{Items, State};
use crate::http_date;

const LONGEST: usize = 256;

/// What a client may write. Key, label and ETag in the body are not looked at.
#[derive(Deserialize)]
struct Written {
    value: Option<String>,
    content_type: Option<String>,
    tags: Option<BTreeMap<String, Option<String>>>,
    description: Option<String>,
}

/// The name that a request is about: the key of its path and its literal label.
pub(crate) fn name_of(call: &Call<'_>, raw_key: &str) -> Result<Name, Problem> {
    let key = decode(raw_key, false);
    let label = call.query.first("label").filter(|label| *label != "\0");
    check_literal("key", &key)?;
    check_literal("label", label.unwrap_or_default())?;
    Ok(Name::new(&key, label))
}

fn check_literal(name: &str, text: &str) -> Result<(), Problem> {
    if text.encode_utf16().count() > LONGEST {
        let detail = format!("{name}: at most {LONGEST} characters are supported");
        return Err(Problem::invalid_argument(name, &detail));
    }
    match text.chars().position(char::is_control) {
        Some(position) => Err(Problem::invalid_character(name, position)),
        None => Ok(()),
    }
}

/// Answers GET and HEAD `/kv/{key}`.
pub(crate) fn read(
    call: &Call<'_>,
    items: &Items,
    name: &Name,
) -> Result<Response<Bytes>, Problem> {
    let found = items.get(name).ok_or_else(Problem::not_found)?;
    if call.version.has_tags_on_items()
        && !TagFilters::parse(call.query.all("tags"))?.matches(found)
    {
        return Err(Problem::not_found());
    }
    if Preconditions::parse(call.headers).unmodified(&found.etag)? {
        let mut response = not_modified();
        set_etag(&mut response, &found.etag);
        return Ok(response);
    }
    Ok(shown(call, found))
}

/// Answers PUT `/kv/{key}`.
pub(crate) fn write(
    call: &Call<'_>,
    state: &mut State,
    name: &Name,
    body: &[u8],
) -> Result<Response<Bytes>, Problem> {
    let written = parse(call, body)?;
    allow(call, state, name)?;
    let mut setting = Setting::named(name.key.0.clone(), name.label().map(str::to_owned));
    setting.value = written.value;
    setting.content_type = written.content_type;
    setting.tags = written.tags.unwrap_or_default();
    setting.description = written.description;
    let setting = state.put(setting, call.now);
    Ok(shown(call, &setting))
}

/// Answers DELETE `/kv/{key}`: 200 with what was deleted, 204 if there was nothing.
pub(crate) fn delete(
    call: &Call<'_>,
    state: &mut State,
    name: &Name,
) -> Result<Response<Bytes>, Problem> {
    allow(call, state, name)?;
    match state.remove(name, call.now) {
        Some(removed) => Ok(shown(call, &removed)),
        None => {
            let mut response = ok(KV, Bytes::new());
            *response.status_mut() = StatusCode::NO_CONTENT;
            Ok(response)
        }
    }
}

/// Answers PUT and DELETE `/locks/{key}`.
pub(crate) fn lock(
    call: &Call<'_>,
    state: &mut State,
    name: &Name,
    locked: bool,
) -> Result<Response<Bytes>, Problem> {
    let etag = state.get(name).ok_or_else(Problem::not_found)?.etag.clone();
    Preconditions::parse(call.headers).allow_write(Some(&etag))?;
    let setting = state.lock(name, locked, call.now);
    let setting = setting.ok_or_else(Problem::not_found)?;
    Ok(shown(call, &setting))
}

fn allow(call: &Call<'_>, state: &State, name: &Name) -> Result<(), Problem> {
    let found = state.get(name);
    let etag = found.map(|found| found.etag.as_str());
    Preconditions::parse(call.headers).allow_write(etag)?;
    match found {
        Some(found) if found.locked => Err(Problem::key_locked(&found.key)),
        _ => Ok(()),
    }
}

fn parse(call: &Call<'_>, body: &[u8]) -> Result<Written, Problem> {
    let media_type = call.headers.get(header::CONTENT_TYPE);
    let media_type = media_type.and_then(|value| value.to_str().ok());
    let essence = media_type.unwrap_or_default().split(';').next();
    let essence = essence.unwrap_or_default().trim();
    let accepted = [
        "application/json",
        "application/vnd.microsoft.appconfig.kv+json",
    ];
    if !accepted.contains(&essence) {
        return Err(Problem::bare(StatusCode::UNSUPPORTED_MEDIA_TYPE));
    }
    serde_json::from_slice(body)
        .map_err(|_| Problem::invalid_argument("body", "body: not a key-value"))
}

fn shown(call: &Call<'_>, setting: &Setting) -> Response<Bytes> {
    let key_value = KeyValue {
        setting,
        fields: &Fields::parse(call.query),
        version: call.version,
    };
    let body = serde_json::to_vec(&key_value).expect("a setting is plain text");
    let mut response = ok(KV, body);
    set_etag(&mut response, &setting.etag);
    let modified = http_date::format(setting.last_modified);
    let modified = HeaderValue::try_from(modified).expect("a date is plain ASCII");
    response
        .headers_mut()
        .insert(header::LAST_MODIFIED, modified);
    response
}
