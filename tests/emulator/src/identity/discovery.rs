//! Metadata by which clients find the endpoints of an authority.

use bytes::Bytes;
use http::Request;
use serde_json::json;
use time::OffsetDateTime;

use super::authority::check_tenant;
use super::failure::TokenFailure;
use super::form::Form;
use super::{Reply, State};
use crate::token::TokenIssuer;

/// The names under which the public cloud's authority is known.
const ALIASES: [&str; 4] = [
    "login.microsoftonline.com",
    "login.windows.net",
    "login.microsoft.com",
    "sts.windows.net",
];

/// `GET /{tenant}/v2.0/.well-known/openid-configuration`, with endpoints at the host that was asked.
pub(super) fn configuration(
    tokens: &TokenIssuer,
    tenant: &str,
    request: &Request<Bytes>,
    state: &State,
    now: OffsetDateTime,
) -> Reply {
    let is_alias = ["common", "organizations"].contains(&tenant);
    if let Err(failure) =
        check_tenant(tokens, tenant).or_else(|failure| is_alias.then_some(()).ok_or(failure))
    {
        return failure.into_reply(state, now);
    }
    let base = format!("https://{}/{tenant}", authority_of(request));
    Reply::ok(json!({
        "issuer": format!("{base}/v2.0"),
        "authorization_endpoint": format!("{base}/oauth2/v2.0/authorize"),
        "token_endpoint": format!("{base}/oauth2/v2.0/token"),
        "device_authorization_endpoint": format!("{base}/oauth2/v2.0/devicecode"),
        "end_session_endpoint": format!("{base}/oauth2/v2.0/logout"),
        "jwks_uri": format!("{base}/discovery/v2.0/keys"),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "response_modes_supported": ["query", "fragment", "form_post"],
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "request_uri_parameter_supported": false,
        "tenant_region_scope": "WW",
        "cloud_instance_name": "microsoftonline.com",
        "cloud_graph_host_name": "graph.windows.net",
        "msgraph_host": "graph.microsoft.com",
    }))
}

/// `GET /common/discovery/instance`: which authorities are one and the same.
pub(super) fn instance(state: &State, request: &Request<Bytes>, now: OffsetDateTime) -> Reply {
    let form = Form::query(request.uri());
    let asked = form
        .get("authorization_endpoint")
        .and_then(|url| url::Url::parse(url).ok());
    let Some(asked) = asked else {
        let failure = TokenFailure::aadsts(900_144)
            .message("The request must contain the following parameter: 'authorization_endpoint'.");
        return failure.into_reply(state, now);
    };
    let host = match (asked.host_str().unwrap_or_default(), asked.port()) {
        (host, Some(port)) => format!("{host}:{port}"),
        (host, None) => host.to_owned(),
    };
    let own = state.local_url.as_deref() == Some(format!("https://{host}").as_str());
    if !own && !ALIASES.contains(&host.as_str()) {
        let failure = TokenFailure::aadsts(50_049).message("Unknown or invalid instance.");
        return failure.into_reply(state, now);
    }
    let tenant = asked
        .path_segments()
        .and_then(|mut segments| segments.next())
        .unwrap_or("common");
    let mut metadata = vec![json!({
        "preferred_network": "login.microsoftonline.com",
        "preferred_cache": "login.windows.net",
        "aliases": ALIASES,
    })];
    if own {
        metadata
            .push(json!({"preferred_network": host, "preferred_cache": host, "aliases": [host]}));
    }
    Reply::ok(json!({
        "tenant_discovery_endpoint": format!("https://{host}/{tenant}/v2.0/.well-known/openid-configuration"),
        "api-version": "1.1",
        "metadata": metadata,
    }))
}

/// `GET /{tenant}/discovery/v2.0/keys`: none, for the tokens are signed with a key that is not published.
pub(super) fn keys() -> Reply {
    Reply::ok(json!({"keys": []}))
}

fn authority_of(request: &Request<Bytes>) -> String {
    let authority = request
        .uri()
        .authority()
        .map_or("", |authority| authority.as_str());
    authority
        .strip_suffix(":443")
        .unwrap_or(authority)
        .to_owned()
}
