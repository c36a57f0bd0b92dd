//! Managed identity: the App Service endpoint and the instance metadata service.

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use serde_json::json;
use time::OffsetDateTime;

use super::authority::unknown_resource;
use super::failure::TokenFailure;
use super::form::Form;
use super::{Reply, State};
use crate::token::TokenIssuer;

/// The client id of the system-assigned identity.
const SYSTEM_ASSIGNED: &str = "00000000-0000-0000-0000-00000000005a";

/// Parameters that choose a user-assigned identity.
const SELECTORS: [&str; 5] = [
    "client_id",
    "object_id",
    "principal_id",
    "mi_res_id",
    "msi_res_id",
];

/// `GET /msi/token?resource=&api-version=2019-08-01` with the header `X-IDENTITY-HEADER`.
pub(super) fn app_service(
    state: &mut State,
    tokens: &TokenIssuer,
    request: &Request<Bytes>,
    now: OffsetDateTime,
) -> Reply {
    if let Some(failure) = state.managed_failures.next() {
        return failure.into_managed_reply();
    }
    let header = request.headers().get("x-identity-header");
    if header.is_none_or(|header| header.as_bytes() != state.identity_header.as_bytes()) {
        return TokenFailure::managed(
            StatusCode::UNAUTHORIZED,
            "The X-IDENTITY-HEADER header is missing or wrong.",
        )
        .into_managed_reply();
    }
    issue(state, tokens, request, "2019-08-01", now).map_or_else(
        TokenFailure::into_managed_reply,
        |token| {
            Reply::ok(json!({
                "access_token": token.value,
                "client_id": token.client_id,
                "expires_on": token.expires.unix_timestamp().to_string(),
                "resource": token.resource,
                "token_type": "Bearer",
            }))
        },
    )
}

/// `GET /metadata/identity/oauth2/token?resource=&api-version=2018-02-01` with the header `Metadata: true`.
pub(super) fn instance_metadata(
    state: &mut State,
    tokens: &TokenIssuer,
    request: &Request<Bytes>,
    now: OffsetDateTime,
) -> Reply {
    if let Some(failure) = state.managed_failures.next() {
        return failure.into_managed_reply();
    }
    // The service refuses what a proxy may have forwarded on behalf of somebody else.
    let proxied = request.headers().contains_key("x-forwarded-for");
    let asked = request
        .headers()
        .get("metadata")
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"true"));
    if proxied || !asked {
        return TokenFailure::managed(
            StatusCode::BAD_REQUEST,
            "Required metadata header not specified",
        )
        .into_managed_reply();
    }
    issue(state, tokens, request, "2018-02-01", now).map_or_else(
        TokenFailure::into_managed_reply,
        |token| {
            let seconds = (token.expires - now).whole_seconds().max(0).to_string();
            Reply::ok(json!({
                "access_token": token.value,
                "client_id": token.client_id,
                "expires_in": seconds,
                "expires_on": token.expires.unix_timestamp().to_string(),
                "ext_expires_in": seconds,
                "not_before": now.unix_timestamp().to_string(),
                "resource": token.resource,
                "token_type": "Bearer",
            }))
        },
    )
}

struct Issued {
    value: String,
    client_id: String,
    expires: OffsetDateTime,
    resource: String,
}

fn issue(
    state: &State,
    tokens: &TokenIssuer,
    request: &Request<Bytes>,
    api_version: &str,
    now: OffsetDateTime,
) -> Result<Issued, TokenFailure> {
    let bad = |message: &str| TokenFailure::managed(StatusCode::BAD_REQUEST, message);
    if request.method() != Method::GET {
        return Err(TokenFailure::managed(
            StatusCode::METHOD_NOT_ALLOWED,
            "Method not allowed",
        ));
    }
    let form = Form::query(request.uri());
    // Both services support later versions as well; an earlier one has another form of answer.
    let version = form.get("api-version").unwrap_or_default();
    if version < api_version {
        return Err(bad("The api-version is missing or not supported"));
    }
    let resource = form
        .get("resource")
        .ok_or_else(|| bad("'resource' query parameter not specified"))?;
    let client_id = identity(state, &form).ok_or_else(|| bad("Identity not found"))?;
    if !state.knows_resource(resource) {
        let failure = unknown_resource(resource, tokens.tenant_id());
        return Err(failure);
    }
    let (value, expires) = tokens.issue(resource, state.lifetime, now);
    Ok(Issued {
        value,
        client_id,
        expires,
        resource: resource.to_owned(),
    })
}

fn identity(state: &State, form: &Form) -> Option<String> {
    match SELECTORS.iter().find_map(|name| form.get(name)) {
        Some(id) => state.user_assigned.contains(id).then(|| id.to_owned()),
        None => state.system_assigned.then(|| SYSTEM_ASSIGNED.to_owned()),
    }
}
