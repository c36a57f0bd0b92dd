//! A whole load through the public interface, against a store and vaults that answer anything at all. It comes to an
//! end, asks no more than a bounded number of times, and never sends a token or a signature where it does not belong.
#![no_main]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arbitrary::Arbitrary;
use async_trait::async_trait;
use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core::http::headers::Headers;
use azure_core::http::{AsyncRawResponse, HttpClient, Method, Request, StatusCode};
use azure_core::time::OffsetDateTime;
use config_azure::{AppConfiguration, KeyVaultOptions, SettingSelector, StartupOptions};
use libfuzzer_sys::fuzz_target;
use tokio::runtime::Builder;

const STORE: &str = "contoso.azconfig.io";
const VAULT: &str = "kv.vault.azure.net";
/// 30 s of virtual time with pauses of a quarter of a second and more, over a handful of objects.
const MOST_REQUESTS: usize = 600;

#[derive(Arbitrary, Debug)]
struct Answer {
    status: Status,
    headers: Vec<(Name, String)>,
    body: Body,
}

#[derive(Arbitrary, Debug)]
enum Status {
    Ok,
    NotModified,
    Unauthorized,
    Forbidden,
    Throttled,
    Unavailable,
    Other(u16),
    NoAnswer,
}

#[derive(Arbitrary, Debug)]
enum Name {
    Link,
    RetryAfter,
    RetryAfterMs,
    Challenge,
    SyncToken,
    Etag,
    Date,
    ContentType,
}

#[derive(Arbitrary, Debug)]
enum Body {
    Raw(Vec<u8>),
    Page {
        items: Vec<(String, Content)>,
        next: Option<Next>,
    },
    Secret {
        name: String,
        value: Option<String>,
    },
}

#[derive(Arbitrary, Debug)]
enum Content {
    Text(String),
    Json(String),
    Reference(String),
    RawReference(String),
}

#[derive(Arbitrary, Debug)]
enum Next {
    After(String),
    Any(String),
}

#[derive(Debug, Default)]
struct Service {
    answers: Mutex<VecDeque<Answer>>,
    asked: Mutex<usize>,
}

#[async_trait]
impl HttpClient for Service {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        watch(request);
        *self.asked.lock().expect("not poisoned") += 1;
        let answer = self.answers.lock().expect("not poisoned").pop_front();
        answer.and_then(response).ok_or_else(|| {
            azure_core::Error::with_message(azure_core::error::ErrorKind::Connection, "no answer")
        })
    }
}

/// Who is asked, and with what.
fn watch(request: &Request) {
    let url = request.url();
    assert_eq!(url.scheme(), "https", "{url}");
    let host = url.host_str().expect("a host");
    let authorization = request
        .headers()
        .iter()
        .find(|(name, _)| name.as_str().eq_ignore_ascii_case("authorization"))
        .map(|(_, value)| value.as_str().to_owned());
    let signed = authorization
        .as_deref()
        .is_some_and(|value| value.starts_with("HMAC-SHA256 "));
    let bearer = authorization
        .as_deref()
        .is_some_and(|value| value.starts_with("Bearer "));
    if host == STORE {
        assert!(signed && !bearer, "{url}");
    } else {
        // The one vault that is allowed.
        assert_eq!((host, url.port()), (VAULT, None), "{url}");
        assert!(!signed, "{url}");
    }
    assert_eq!(request.method(), Method::Get);
}

fn response(answer: Answer) -> Option<AsyncRawResponse> {
    let status = match answer.status {
        Status::Ok => 200,
        Status::NotModified => 304,
        Status::Unauthorized => 401,
        Status::Forbidden => 403,
        Status::Throttled => 429,
        Status::Unavailable => 503,
        Status::Other(status) => status,
        Status::NoAnswer => return None,
    };
    let mut headers = Headers::new();
    for (name, value) in answer.headers {
        let name = match name {
            Name::Link => "link",
            Name::RetryAfter => "retry-after",
            Name::RetryAfterMs => "retry-after-ms",
            Name::Challenge => "www-authenticate",
            Name::SyncToken => "sync-token",
            Name::Etag => "etag",
            Name::Date => "date",
            Name::ContentType => "content-type",
        };
        let value = match name {
            "www-authenticate" if value.is_empty() => challenge(),
            _ => value,
        };
        headers.insert(name, value);
    }
    Some(AsyncRawResponse::from_bytes(
        StatusCode::from(status),
        headers,
        body(answer.body),
    ))
}

fn challenge() -> String {
    r#"Bearer authorization="https://login.microsoftonline.com/t", resource="https://vault.azure.net""#.to_owned()
}

fn body(body: Body) -> Vec<u8> {
    let json = match body {
        Body::Raw(bytes) => return bytes,
        Body::Page { items, next } => {
            let items: Vec<_> = items.into_iter().map(item).collect();
            let next = next.map(|next| match next {
                Next::After(token) => format!("/kv?api-version=2023-11-01&after={token}"),
                Next::Any(link) => link,
            });
            serde_json::json!({ "etag": "page", "items": items, "@nextLink": next })
        }
        Body::Secret { name, value } => serde_json::json!({
            "value": value,
            "id": format!("https://{VAULT}/secrets/{name}/0123456789abcdef0123456789abcdef"),
            "attributes": { "enabled": true },
        }),
    };
    json.to_string().into_bytes()
}

fn item((key, content): (String, Content)) -> serde_json::Value {
    const REFERENCE: &str = "application/vnd.microsoft.appconfig.keyvaultref+json;charset=utf-8";
    let (value, content_type) = match content {
        Content::Text(text) => (text, None),
        Content::Json(text) => (text, Some("application/json")),
        Content::Reference(name) => (
            serde_json::json!({ "uri": format!("https://{VAULT}/secrets/{name}") }).to_string(),
            Some(REFERENCE),
        ),
        Content::RawReference(text) => (text, Some(REFERENCE)),
    };
    serde_json::json!({
        "etag": "item", "key": key, "label": null, "content_type": content_type, "value": value, "tags": {},
        "locked": false, "last_modified": "2026-01-01T00:00:00+00:00",
    })
}

#[derive(Debug)]
struct Token;

#[async_trait]
impl TokenCredential for Token {
    async fn get_token(
        &self,
        scopes: &[&str],
        _: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        assert_eq!(scopes, ["https://vault.azure.net/.default"]);
        Ok(AccessToken::new(
            "token".to_owned(),
            OffsetDateTime::now_utc() + Duration::from_secs(3600),
        ))
    }
}

fuzz_target!(|answers: Vec<Answer>| {
    let service = Arc::new(Service {
        answers: Mutex::new(answers.into()),
        ..Service::default()
    });
    let builder = AppConfiguration::builder()
        .connection_string(format!("Endpoint=https://{STORE};Id=id;Secret=c2VjcmV0"))
        .select(SettingSelector::all())
        .key_vault(
            KeyVaultOptions::new()
                .credential(Arc::new(Token))
                .allow_vault("kv"),
        )
        .startup(StartupOptions::new().deadline(Duration::from_secs(30)))
        .transport(service.clone());
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let ended = tokio::time::timeout(Duration::from_secs(120), builder.load()).await;
        assert!(ended.is_ok(), "the load did not end at its deadline");
    });
    let asked = *service.asked.lock().expect("not poisoned");
    assert!(asked <= MOST_REQUESTS, "{asked} requests");
});
