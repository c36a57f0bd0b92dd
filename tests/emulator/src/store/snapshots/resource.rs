//! `/snapshots`, `/snapshots/{name}`, `/kv?snapshot=` and `/operations`.

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use serde_json::json;

use super::model::{Snapshot, Snapshots, Status};
use super::view::{View, parse_archived, parse_order};
use crate::http_date;
use crate::store::call::Call;
use crate::store::filter::Filter;
use crate::store::json::{Fields, Page, SNAPSHOT, SNAPSHOT_SET};
use crate::store::list::settings_page;
use crate::store::page::{
    Preconditions, add_link, name_in, not_modified, ok, set_etag, token_after,
};
use crate::store::problem::Problem;
use crate::store::query::{decode, encode};
use crate::store::setting::Name;
use crate::store::state::State;

/// Answers GET and HEAD `/snapshots`: in the order of names.
pub(crate) fn list(call: &Call<'_>, snapshots: &Snapshots) -> Result<Response<Bytes>, Problem> {
    let name = Filter::parse("name", call.query.first("name").unwrap_or_default())?;
    let statuses = call.query.first("status").unwrap_or("*");
    let wanted = |status: Status| {
        let mut names = statuses.split(',').map(str::trim);
        statuses.is_empty() || names.any(|name| name == "*" || name == status.name())
    };
    let after = call.query.first("after").and_then(name_in);
    let found: Vec<_> = snapshots
        .alive(call.now)
        .filter(|s| name.matches(Some(&s.order.name)) && wanted(s.status()))
        .filter(|s| {
            let after = after.as_ref();
            after.is_none_or(|after| Name::new(&s.order.name, None) > *after)
        })
        .take(call.options.page_size)
        .collect();
    let full = found.len() == call.options.page_size;
    let last = found.last().filter(|_| full);
    let token = last.map(|last| token_after(&Name::new(&last.order.name, None)));
    let next = token.map(|token| call.query.continued(call.path, &token));
    let fields = &Fields::parse(call.query);
    let views = found.iter();
    let page = Page {
        etag: None,
        items: views.map(|s| View::of(s, fields, call.version)).collect(),
        next: next.as_deref(),
    };
    let body = serde_json::to_vec(&page).expect("snapshots are plain text");
    let mut response = ok(SNAPSHOT_SET, body);
    if let Some(next) = &next {
        add_link(&mut response, next, "next");
    }
    Ok(response)
}

/// Answers GET and HEAD `/snapshots/{name}`.
pub(crate) fn one(
    call: &Call<'_>,
    snapshots: &Snapshots,
    raw_name: &str,
) -> Result<Response<Bytes>, Problem> {
    let found = snapshots.get(&decode(raw_name, false), call.now);
    let found = found.ok_or_else(Problem::not_found)?;
    if Preconditions::parse(call.headers).unmodified(&found.etag)? {
        let mut response = not_modified();
        set_etag(&mut response, &found.etag);
        return Ok(response);
    }
    Ok(shown(call, found, found.status()))
}

/// Answers PUT and PATCH `/snapshots/{name}`.
pub(crate) fn write(
    call: &Call<'_>,
    state: &mut State,
    request: &Request<Bytes>,
    raw_name: &str,
) -> Result<Response<Bytes>, Problem> {
    let name = decode(raw_name, false);
    match *request.method() {
        Method::PUT => create(call, state, &name, request.body()),
        Method::PATCH => change(call, state, &name, request.body()),
        _ => Err(Problem::method_not_allowed("GET, HEAD, PUT, PATCH")),
    }
}

fn create(
    call: &Call<'_>,
    state: &mut State,
    name: &str,
    body: &[u8],
) -> Result<Response<Bytes>, Problem> {
    if state.snapshots().get(name, call.now).is_some() {
        return Err(Problem::already_exists());
    }
    let order = parse_order(name, body)?;
    let snapshot = Snapshot::compose(order, state.items(), call.now)?;
    // However fast it is made, the one who ordered it is told that it is being made.
    let mut response = shown(call, &snapshot, Status::Provisioning);
    state.add_snapshot(snapshot, call.now);
    *response.status_mut() = StatusCode::CREATED;
    let host = call.headers.get(header::HOST).and_then(|h| h.to_str().ok());
    let operation = format!(
        "https://{}/operations?snapshot={}&api-version={}",
        host.unwrap_or_default(),
        encode(name),
        call.version.name()
    );
    let operation = HeaderValue::try_from(operation).expect("an encoded URL is plain ASCII");
    response
        .headers_mut()
        .insert("operation-location", operation);
    Ok(response)
}

fn change(
    call: &Call<'_>,
    state: &mut State,
    name: &str,
    body: &[u8],
) -> Result<Response<Bytes>, Problem> {
    let archived = parse_archived(body)?;
    let found = state.snapshots().get(name, call.now);
    let found = found.ok_or_else(Problem::not_found)?;
    Preconditions::parse(call.headers).allow_write(Some(&found.etag))?;
    let changes = match found.status() {
        Status::Ready => archived,
        Status::Archived => !archived,
        status => {
            let detail = format!("The snapshot is {}.", status.name());
            return Err(Problem::invalid_state(&detail));
        }
    };
    if changes {
        state.archive_snapshot(name, archived, call.now);
    }
    let found = state.snapshots().get(name, call.now);
    let found = found.ok_or_else(Problem::not_found)?;
    Ok(shown(call, found, found.status()))
}

/// Answers GET and HEAD `/kv?snapshot={name}`: a snapshot that is missing, being made or failed has no settings.
pub(crate) fn content(
    call: &Call<'_>,
    snapshots: &Snapshots,
    name: &str,
) -> Result<Response<Bytes>, Problem> {
    for excluded in ["key", "label", "tags"] {
        if call.query.first(excluded).is_some() {
            let detail = format!("{excluded}: not supported together with snapshot");
            return Err(Problem::invalid_argument(excluded, &detail));
        }
    }
    let found = snapshots.get(name, call.now);
    let items = found.map_or(&[][..], |snapshot| snapshot.readable());
    let after = call.query.first("after").and_then(name_in);
    let page: Vec<_> = items
        .iter()
        .filter(|item| after.as_ref().is_none_or(|after| item.name() > *after))
        .take(call.options.page_size)
        .cloned()
        .collect();
    let full = page.len() == call.options.page_size;
    let last = page.last().filter(|_| full);
    let token = last.map(|last| token_after(&last.name()));
    settings_page(call, &page, token.as_deref())
}

/// Answers GET `/operations?snapshot={name}`.
pub(crate) fn operation(
    call: &Call<'_>,
    snapshots: &Snapshots,
) -> Result<Response<Bytes>, Problem> {
    let name = call.query.first("snapshot").unwrap_or_default();
    let found = snapshots.get(name, call.now);
    let found = found.ok_or_else(Problem::not_found)?;
    let (status, error) = match found.status() {
        Status::Provisioning => ("Running", json!(null)),
        Status::Failed => (
            "Failed",
            json!({"code": "InternalError", "message": "The snapshot could not be made."}),
        ),
        Status::Ready | Status::Archived => ("Succeeded", json!(null)),
    };
    let body = json!({"id": found.etag, "status": status, "error": error});
    let mut response = ok("application/json; charset=utf-8", body.to_string());
    if status == "Running" {
        let seconds = HeaderValue::from_static("10");
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    Ok(response)
}

fn shown(call: &Call<'_>, snapshot: &Snapshot, status: Status) -> Response<Bytes> {
    let view = View {
        snapshot,
        status,
        fields: &Fields::parse(call.query),
        version: call.version,
    };
    let body = serde_json::to_vec(&view).expect("a snapshot is plain text");
    let mut response = ok(SNAPSHOT, body);
    set_etag(&mut response, &snapshot.etag);
    let modified = http_date::format(snapshot.created);
    let modified = HeaderValue::try_from(modified).expect("a date is plain ASCII");
    response
        .headers_mut()
        .insert(header::LAST_MODIFIED, modified);
    let name = encode(&snapshot.order.name);
    let items = format!("/kv?snapshot={name}&api-version={}", call.version.name());
    add_link(&mut response, &items, "items");
    response
}
