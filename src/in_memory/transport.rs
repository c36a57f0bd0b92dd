//! The wire, without a wire: what App Configuration and Key Vault would answer.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use azure_core::http::headers::{HeaderName, Headers};
use azure_core::http::{AsyncRawResponse, HttpClient, Request, StatusCode};
use serde_json::{Value, json};
use url::Url;

use crate::error::SecretErrorKind;

use super::filter::Filter;
use super::state::{Item, Kept, Place, State, page_etag};
use super::{InMemoryStore, STORE_HOST, VAULT};

const AUTHORIZATION: HeaderName = HeaderName::from_static("authorization");
const CHALLENGE: HeaderName = HeaderName::from_static("www-authenticate");
const CONTENT_TYPE: HeaderName = HeaderName::from_static("content-type");
const ETAG: HeaderName = HeaderName::from_static("etag");
const IF_NONE_MATCH: HeaderName = HeaderName::from_static("if-none-match");
const RETRY_AFTER: HeaderName = HeaderName::from_static("retry-after");

/// Settings of one page: as many as there are in most tests, and fewer than the library takes.
const PAGE_SIZE: usize = 10_000;
const PAGE: &str = "application/vnd.microsoft.appconfig.kvset+json; charset=utf-8";
const ITEM: &str = "application/vnd.microsoft.appconfig.kv+json; charset=utf-8";
const PROBLEM: &str = "application/problem+json; charset=utf-8";
const JSON: &str = "application/json; charset=utf-8";

/// The transport of the builder that [`in_memory`](super::in_memory) gives.
pub(super) struct Wire(pub(super) InMemoryStore);

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("in memory")
    }
}

#[async_trait]
impl HttpClient for Wire {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let answer = self.0.with(|state| match request.url().host_str() {
            Some(STORE_HOST) if state.hanging => None,
            Some(STORE_HOST) => Some(from_store(state, request)),
            _ => Some(from_vault(state, request)),
        });
        match answer {
            Some(answer) => Ok(answer.into_response()),
            None => std::future::pending().await,
        }
    }
}

/// One answer.
struct Answer {
    status: u16,
    headers: Vec<(HeaderName, String)>,
    body: Option<Value>,
}

impl Answer {
    fn new(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: None,
        }
    }

    fn json(status: u16, media_type: &str, body: Value) -> Self {
        Self {
            body: Some(body),
            ..Self::new(status).with(CONTENT_TYPE, media_type)
        }
    }

    fn with(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// 304 in place of an answer that the caller has already.
    fn unless_known(self, request: &Request, etag: &str) -> Self {
        let quoted = format!("\"{etag}\"");
        let known = request.headers().get_optional_str(&IF_NONE_MATCH);
        if known == Some(quoted.as_str()) {
            return Self::new(304).with(ETAG, quoted);
        }
        self.with(ETAG, quoted)
    }

    fn into_response(self) -> AsyncRawResponse {
        let mut headers = Headers::new();
        for (name, value) in self.headers {
            headers.insert(name, value);
        }
        let body = self.body.map(|body| body.to_string()).unwrap_or_default();
        AsyncRawResponse::from_bytes(StatusCode::from(self.status), headers, body)
    }
}

fn from_store(state: &State, request: &Request) -> Answer {
    if let Some(status) = state.failing {
        return problem(status);
    }
    let url = request.url();
    match segments(url).as_slice() {
        [kv] if kv == "kv" => list(state, request),
        [kv, key] if kv == "kv" => item(state, request, key),
        _ => problem(404),
    }
}

fn list(state: &State, request: &Request) -> Answer {
    let url = request.url();
    if parameter(url, "snapshot").is_some() {
        return problem(404);
    }
    let filter = |name| Filter::parse(&parameter(url, name).unwrap_or_else(|| "*".to_owned()));
    // Nothing here has a tag, so a filter by tag admits nothing.
    let all = match parameter(url, "tags") {
        Some(_) => Vec::new(),
        None => state.list(&filter("key"), &filter("label")),
    };
    let after = parameter(url, "after").and_then(|after| after.parse().ok());
    let rest = all.get(after.unwrap_or(0)..).unwrap_or_default();
    let page = &rest[..rest.len().min(PAGE_SIZE)];
    let etag = page_etag(page);
    let items: Vec<Value> = page
        .iter()
        .map(|(place, item)| written(place, item))
        .collect();
    let mut body = json!({ "items": items, "etag": etag });
    // Behind a full page stands one more, even if it is empty, so that a change of it is seen.
    if page.len() == PAGE_SIZE {
        let next = after.unwrap_or(0) + PAGE_SIZE;
        body["@nextLink"] = json!(format!("/kv?after={next}"));
    }
    Answer::json(200, PAGE, body).unless_known(request, &etag)
}

fn item(state: &State, request: &Request, key: &str) -> Answer {
    let label = parameter(request.url(), "label").filter(|label| label != "\0");
    let place = Place::new(key, label.as_deref());
    match state.setting(&place) {
        Some(item) => Answer::json(200, ITEM, written(&place, item))
            .unless_known(request, &item.write.to_string()),
        None => problem(404),
    }
}

fn written(place: &Place, item: &Item) -> Value {
    json!({
        "key": place.key,
        "label": place.label,
        "value": item.value,
        "content_type": item.content_type,
        "etag": item.write.to_string(),
        "tags": {},
        "locked": false,
    })
}

fn problem(status: u16) -> Answer {
    Answer::json(
        status,
        PROBLEM,
        json!({ "title": "in memory", "status": status }),
    )
}

fn from_vault(state: &State, request: &Request) -> Answer {
    if request.headers().get_optional_str(&AUTHORIZATION).is_none() {
        return challenge();
    }
    let segments = segments(request.url());
    let [secrets, name, ..] = segments.as_slice() else {
        return refusal(400, "BadParameter", "");
    };
    match state.secret(name).filter(|_| secrets == "secrets") {
        Some(kept) => match kept.failure {
            Some(failure) => failed(failure),
            None => bundle(name, kept),
        },
        None => failed(SecretErrorKind::NotFound),
    }
}

fn bundle(name: &str, kept: &Kept) -> Answer {
    let version = format!("{:032x}", kept.write);
    let body = json!({
        "value": kept.value.expose_secret(),
        "id": format!("{VAULT}secrets/{name}/{version}"),
        "attributes": { "enabled": true },
    });
    Answer::json(200, JSON, body)
}

fn challenge() -> Answer {
    Answer::new(401).with(
        CHALLENGE,
        "Bearer authorization=\"https://login.microsoftonline.com/in-memory\", \
         resource=\"https://vault.azure.net\"",
    )
}

/// How a vault says it.
fn failed(kind: SecretErrorKind) -> Answer {
    match kind {
        SecretErrorKind::NotFound => refusal(404, "SecretNotFound", ""),
        SecretErrorKind::Disabled => refusal(403, "Forbidden", "SecretDisabled"),
        SecretErrorKind::Expired => refusal(403, "Forbidden", "SecretExpired"),
        SecretErrorKind::NotYetValid => refusal(403, "Forbidden", "SecretNotYetValid"),
        SecretErrorKind::Forbidden => refusal(403, "Forbidden", "ForbiddenByRbac"),
        SecretErrorKind::Throttled => refusal(429, "Throttled", "").with(RETRY_AFTER, "1"),
        SecretErrorKind::Unreachable => refusal(503, "ServiceUnavailable", ""),
        SecretErrorKind::Credential => challenge(),
        _ => refusal(400, "BadParameter", ""),
    }
}

fn refusal(status: u16, code: &str, inner: &str) -> Answer {
    let mut error = json!({ "code": code, "message": "in memory" });
    if !inner.is_empty() {
        error["innererror"] = json!({ "code": inner });
    }
    Answer::json(status, JSON, json!({ "error": error }))
}

/// The parts of the path, decoded; an empty last one is no part.
fn segments(url: &Url) -> Vec<String> {
    let parts = url.path_segments().into_iter().flatten();
    parts.filter(|part| !part.is_empty()).map(decoded).collect()
}

/// Takes percent-encoding away.
fn decoded(part: &str) -> String {
    // A form knows `+` as a blank, a path does not.
    let form = format!("x={}", part.replace('+', "%2B").replace('&', "%26"));
    url::form_urlencoded::parse(form.as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs()
        .find(|(own, _)| own.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.into_owned())
}

/// Gives a token that no other host would take.
#[derive(Debug)]
pub(super) struct Token;

#[async_trait]
impl azure_core::credentials::TokenCredential for Token {
    async fn get_token(
        &self,
        _scopes: &[&str],
        _options: Option<azure_core::credentials::TokenRequestOptions<'_>>,
    ) -> azure_core::Result<azure_core::credentials::AccessToken> {
        use crate::time::WallClock;
        const DAY: std::time::Duration = std::time::Duration::from_secs(24 * 3600);
        let expires = crate::time::SystemClock.now() + DAY;
        Ok(azure_core::credentials::AccessToken::new(
            "in-memory",
            expires.into(),
        ))
    }
}

pub(super) fn wire(store: &InMemoryStore) -> Arc<dyn HttpClient> {
    Arc::new(Wire(store.clone()))
}
