//! A vault without fronts: requests go straight to `Service::handle`.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use bytes::Bytes;
use config_azure_emulator::vault::{Vault, VaultHandle};
use config_azure_emulator::{Service, TokenIssuer};
use http::{HeaderMap, Request};
use serde_json::Value;
use time::OffsetDateTime;
use time::macros::datetime;

/// When every test starts.
pub const START: OffsetDateTime = datetime!(2026-06-01 12:00:00 UTC);
pub const RESOURCE: &str = "https://vault.azure.net";
const HOUR: Duration = Duration::from_secs(3600);

pub struct World {
    pub tokens: Arc<TokenIssuer>,
    pub vault: VaultHandle,
    now: Arc<Mutex<OffsetDateTime>>,
}

pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Value,
}

impl World {
    /// A vault named `kv-orders`.
    pub fn new() -> Self {
        let tokens = Arc::new(TokenIssuer::new("11111111-2222-3333-4444-555555555555"));
        let now = Arc::new(Mutex::new(START));
        let clock = now.clone();
        let vault = Arc::new(Vault::new("kv-orders", tokens.clone()));
        let vault = VaultHandle::new(vault, Arc::new(move || *clock.lock().unwrap()));
        Self { tokens, vault, now }
    }

    pub fn now(&self) -> OffsetDateTime {
        *self.now.lock().unwrap()
    }

    pub fn advance(&self, by: Duration) {
        *self.now.lock().unwrap() += by;
    }

    /// A fresh token for the resource.
    pub fn token(&self, resource: &str) -> String {
        self.tokens.issue(resource, HOUR, self.now()).0
    }

    /// Sends with a good token; `path` may hold a query, `api-version` is added if it is missing.
    pub fn send(&self, method: &str, path: &str, body: Value) -> Answer {
        let token = self.token(RESOURCE);
        self.send_as(Some(&token), method, path, body)
    }

    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, Value::Null)
    }

    pub fn send_as(&self, token: Option<&str>, method: &str, path: &str, body: Value) -> Answer {
        let separator = if path.contains('?') { '&' } else { '?' };
        let version = if path.contains("api-version") {
            String::new()
        } else {
            format!("{separator}api-version=7.5")
        };
        let uri = if path.starts_with("https://") {
            format!("{path}{version}")
        } else {
            format!("https://kv-orders.vault.azure.net{path}{version}")
        };
        let mut request = Request::builder().method(method).uri(uri);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let body = match body {
            Value::Null => Bytes::new(),
            body => Bytes::from(body.to_string()),
        };
        let request = request.body(body).expect("the test writes a valid request");
        let response = self.vault.vault().handle(&request, self.now());
        let (parts, body) = response.into_parts();
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: serde_json::from_slice(&body).unwrap_or(Value::Null),
        }
    }
}

impl Answer {
    /// `(status, error code, inner code)`.
    pub fn problem(&self) -> (u16, &str, Option<&str>) {
        let error = &self.body["error"];
        (
            self.status,
            error["code"].as_str().unwrap_or_default(),
            error["innererror"]["code"].as_str(),
        )
    }

    pub fn message(&self) -> &str {
        self.body["error"]["message"].as_str().unwrap_or_default()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Keys, signatures and ciphertexts that were made with OpenSSL.
pub fn vectors() -> Value {
    serde_json::from_str(include_str!("vectors.json")).expect("the vectors are JSON")
}

/// The bytes of a base64url text.
pub fn decoded(text: &Value) -> Vec<u8> {
    BASE64URL
        .decode(text.as_str().unwrap_or_default())
        .expect("base64url without padding")
}
