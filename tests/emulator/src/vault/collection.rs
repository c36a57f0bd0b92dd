//! The operations that secrets and keys share: lists, versions, delete, recover, purge.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::call::Call;
use super::reply::{Problem, Reply};
use super::shelf::{Deleted, Object, Shelf, Version};

/// The most entries that the service puts on a page, and its default.
const PAGE_SIZE: usize = 25;

/// What the service calls a kind of object.
pub(super) struct Kind {
    /// `secrets`, `keys`.
    pub(super) path: &'static str,
    /// `Secret`, `Key`: as the service's messages spell it.
    pub(super) noun: &'static str,
    /// `secret`, `key`.
    pub(super) word: &'static str,
    /// `SecretNotFound`, `KeyNotFound`.
    pub(super) not_found: &'static str,
}

/// How much of a version an answer shows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    /// The answer to a GET.
    Full,
    /// The answer to an update, a delete or a recovery: no secret value.
    Properties,
    /// An entry of a list.
    Listed,
}

/// What a version of one kind holds.
pub(super) trait Item {
    const KIND: &'static Kind;

    /// Writes everything but `attributes` and `tags`.
    fn describe(&self, id: &str, view: View, body: &mut Map<String, Value>);

    /// Adds the attributes that only this kind has.
    fn extend_attributes(&self, _attributes: &mut Value) {}
}

/// `GET /secrets`, `GET /keys`.
pub(super) fn list<T: Item>(shelf: &Shelf<T>, call: &Call<'_>) -> Result<Reply, Problem> {
    let entries = shelf.objects().map(|object| {
        let body = describe(object.newest(), &base_id::<T>(call, object), View::Listed);
        (object.name.to_ascii_lowercase(), Value::Object(body))
    });
    page(entries, T::KIND.path, call)
}

/// `GET /secrets/{name}/versions`: ordered by identifier, not by age; empty for an unknown name.
pub(super) fn versions<T: Item>(
    shelf: &Shelf<T>,
    name: &str,
    call: &Call<'_>,
) -> Result<Reply, Problem> {
    let path = format!("{}/{name}/versions", T::KIND.path);
    let Some(object) = shelf.object(name) else {
        return page(std::iter::empty(), &path, call);
    };
    let mut versions: Vec<_> = object.versions().iter().collect();
    versions.sort_by(|a, b| a.id.cmp(&b.id));
    let entries = versions.into_iter().map(|version| {
        let id = version_id::<T>(call, object, version);
        let body = describe(version, &id, View::Listed);
        (version.id.clone(), Value::Object(body))
    });
    page(entries, &path, call)
}

/// `DELETE /secrets/{name}`: soft; the answer says until when it can be recovered.
pub(super) fn delete<T: Item>(
    shelf: &mut Shelf<T>,
    name: &str,
    call: &Call<'_>,
) -> Result<Reply, Problem> {
    let deleted = shelf
        .delete(name, call.now)
        .ok_or_else(|| not_found::<T>(name, None))?;
    Ok(Reply::Json(deleted_bundle(deleted, call)))
}

/// `GET /deletedsecrets/{name}`.
pub(super) fn get_deleted<T: Item>(
    shelf: &Shelf<T>,
    name: &str,
    call: &Call<'_>,
) -> Result<Reply, Problem> {
    let deleted = shelf
        .deleted(name)
        .ok_or_else(|| deleted_not_found::<T>(name))?;
    Ok(Reply::Json(deleted_bundle(deleted, call)))
}

/// `GET /deletedsecrets`.
pub(super) fn list_deleted<T: Item>(shelf: &Shelf<T>, call: &Call<'_>) -> Result<Reply, Problem> {
    let entries = shelf.all_deleted().map(|deleted| {
        let object = &deleted.object;
        let mut body = describe(object.newest(), &base_id::<T>(call, object), View::Listed);
        write_recovery(&mut body, deleted, call);
        (object.name.to_ascii_lowercase(), Value::Object(body))
    });
    page(entries, &format!("deleted{}", T::KIND.path), call)
}

/// `POST /deletedsecrets/{name}/recover`.
pub(super) fn recover<T: Item>(
    shelf: &mut Shelf<T>,
    name: &str,
    call: &Call<'_>,
) -> Result<Reply, Problem> {
    let object = shelf
        .recover(name)
        .ok_or_else(|| deleted_not_found::<T>(name))?;
    Ok(Reply::Json(bundle(
        object,
        object.newest(),
        View::Properties,
        call,
    )))
}

/// `DELETE /deletedsecrets/{name}`.
pub(super) fn purge<T: Item>(shelf: &mut Shelf<T>, name: &str) -> Result<Reply, Problem> {
    if shelf.purge(name) {
        Ok(Reply::Empty)
    } else {
        Err(deleted_not_found::<T>(name))
    }
}

/// Refuses a name that belongs to a deleted object.
pub(super) fn check_name_is_free<T: Item>(shelf: &Shelf<T>, name: &str) -> Result<(), Problem> {
    if shelf.deleted(name).is_none() {
        return Ok(());
    }
    let Kind { noun, word, .. } = T::KIND;
    let message = format!(
        "{noun} {name} is currently in a deleted but recoverable state, and its name cannot be reused; \
         in this state, the {word} can only be recovered or purged."
    );
    Err(Problem::new(StatusCode::CONFLICT, "Conflict", message)
        .inner("ObjectIsDeletedButRecoverable"))
}

/// A version in the form of an answer, with its versioned identifier.
pub(super) fn bundle<T: Item>(
    object: &Object<T>,
    version: &Version<T>,
    view: View,
    call: &Call<'_>,
) -> Value {
    let id = version_id::<T>(call, object, version);
    Value::Object(describe(version, &id, view))
}

/// 404 for an object, or a version of it, that is not there.
pub(super) fn not_found<T: Item>(name: &str, version: Option<&str>) -> Problem {
    let word = T::KIND.word;
    let id = version.map_or_else(|| name.to_owned(), |version| format!("{name}/{version}"));
    Problem::new(
        StatusCode::NOT_FOUND,
        T::KIND.not_found,
        format!(
            "A {word} with (name/id) {id} was not found in this key vault. If you recently deleted this {word} \
             you may be able to recover it using the correct recovery command. For help resolving this issue, \
             please see https://go.microsoft.com/fwlink/?linkid=2125182"
        ),
    )
}

fn deleted_not_found<T: Item>(name: &str) -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        T::KIND.not_found,
        format!("Deleted {} not found: {name}", T::KIND.noun),
    )
}

fn describe<T: Item>(version: &Version<T>, id: &str, view: View) -> Map<String, Value> {
    let mut body = Map::new();
    version.item.describe(id, view, &mut body);
    let mut attributes = version.attributes.to_json();
    version.item.extend_attributes(&mut attributes);
    body.insert("attributes".to_owned(), attributes);
    if let Some(tags) = &version.tags {
        body.insert("tags".to_owned(), json!(tags));
    }
    body
}

fn deleted_bundle<T: Item>(deleted: &Deleted<T>, call: &Call<'_>) -> Value {
    let newest = deleted.object.newest();
    let id = version_id::<T>(call, &deleted.object, newest);
    let mut body = describe(newest, &id, View::Properties);
    write_recovery(&mut body, deleted, call);
    Value::Object(body)
}

fn write_recovery<T: Item>(body: &mut Map<String, Value>, deleted: &Deleted<T>, call: &Call<'_>) {
    let recovery_id = format!(
        "{}/deleted{}/{}",
        call.base,
        T::KIND.path,
        deleted.object.name
    );
    body.insert("recoveryId".to_owned(), recovery_id.into());
    body.insert("deletedDate".to_owned(), deleted.at.unix_timestamp().into());
    body.insert(
        "scheduledPurgeDate".to_owned(),
        deleted.purge_at().unix_timestamp().into(),
    );
}

fn base_id<T: Item>(call: &Call<'_>, object: &Object<T>) -> String {
    format!("{}/{}/{}", call.base, T::KIND.path, object.name)
}

fn version_id<T: Item>(call: &Call<'_>, object: &Object<T>, version: &Version<T>) -> String {
    format!("{}/{}", base_id(call, object), version.id)
}

/// Cuts one page out of entries that are ordered by their marker.
///
/// `nextLink` names the port, as the service's does; its `$skiptoken` is opaque to clients.
fn page(
    entries: impl Iterator<Item = (String, Value)>,
    path: &str,
    call: &Call<'_>,
) -> Result<Reply, Problem> {
    let size = page_size(call)?;
    let after = call
        .parameter("$skiptoken")
        .as_deref()
        .map(marker_of)
        .transpose()?;
    let mut rest =
        entries.skip_while(|(marker, _)| after.as_ref().is_some_and(|after| marker <= after));
    let page: Vec<_> = rest.by_ref().take(size).collect();
    let next = match (rest.next(), page.last()) {
        (Some(_), Some((marker, _))) => Some(next_link(call, path, marker, size)),
        _ => None,
    };
    let values: Vec<Value> = page.into_iter().map(|(_, value)| value).collect();
    Ok(Reply::Json(json!({"value": values, "nextLink": next})))
}

fn page_size(call: &Call<'_>) -> Result<usize, Problem> {
    let Some(text) = call.parameter("maxresults") else {
        return Ok(PAGE_SIZE);
    };
    match text.parse() {
        Ok(size @ 1..=PAGE_SIZE) => Ok(size),
        _ => Err(Problem::bad_parameter(format!(
            "Invalid maxresults: {text}. It must be between 1 and {PAGE_SIZE}."
        ))),
    }
}

fn next_link(call: &Call<'_>, path: &str, marker: &str, size: usize) -> String {
    let has_port = call
        .base
        .rsplit(':')
        .next()
        .is_some_and(|port| port.parse::<u16>().is_ok());
    let port = if has_port { "" } else { ":443" };
    let version = call.parameter("api-version").unwrap_or_default();
    let token = BASE64.encode(json!({"NextMarker": marker}).to_string());
    let token: String = url::form_urlencoded::byte_serialize(token.as_bytes()).collect();
    format!(
        "{}{port}/{path}?api-version={version}&$skiptoken={token}&maxresults={size}",
        call.base
    )
}

fn marker_of(token: &str) -> Result<String, Problem> {
    let invalid = || Problem::bad_parameter("The skip token is invalid.");
    let json = BASE64.decode(token).map_err(|_| invalid())?;
    let json: Value = serde_json::from_slice(&json).map_err(|_| invalid())?;
    json["NextMarker"]
        .as_str()
        .map(str::to_owned)
        .ok_or_else(invalid)
}
