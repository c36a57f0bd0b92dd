//! A vault in which a recorded answer is the right one, and the request to be made in it.

use azure_core::credentials::TokenCredential as _;
use config_azure_emulator::Emulator;
use config_azure_emulator::vault::NewSecret;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use url::Url;

use crate::common::{Call, get};
use crate::exchange::Exchange;

const VERSION: &str = "api-version=7.4";
/// Sorts before and behind all recorded names.
const BEFORE: &str = "0-decoy";
const BEHIND: &str = "zzz-decoy";

/// The parts of a path: `secrets`, `keys`, `deletedsecrets` or `deletedkeys`, name, version or `versions`.
pub struct Target {
    pub deleted: bool,
    kind: String,
    name: Option<String>,
    last: Option<String>,
}

pub fn target(url: &Url) -> Target {
    let segments = url.path_segments().expect("a path");
    let mut segments = segments.filter(|s| !s.is_empty()).map(str::to_owned);
    let collection = segments.next().unwrap_or_default();
    let kind = collection.trim_start_matches("deleted").to_owned();
    Target {
        deleted: kind != collection,
        kind,
        name: segments.next(),
        last: segments.next(),
    }
}

/// Takes the keys of certificates out of a recorded list, as the emulator has none; says whether there were any.
pub fn leave_out_certificates(exchange: &mut Exchange) -> bool {
    if target(&exchange.url).kind != "keys" {
        return false;
    }
    let Some(list) = exchange.body.get_mut("value").and_then(Value::as_array_mut) else {
        return false;
    };
    let all = list.len();
    list.retain(|item| item["managed"] != true);
    list.len() < all
}

/// Why this read is not asked again.
pub fn skipped(exchange: &Exchange) -> Option<&'static str> {
    let list = exchange.body["value"].as_array();
    let shown = [&exchange.body, &exchange.body["key"]];
    let of_hsm = |body: &&Value| body["kty"].as_str().is_some_and(|kty| kty.ends_with("HSM"));
    if exchange.method != "GET" {
        Some("not a read")
    } else if !exchange.host().ends_with(".vault.azure.net") {
        Some("not of a vault (managed HSM)")
    } else if shown.iter().any(of_hsm) {
        Some("keys of hardware modules, not emulated")
    } else if list.is_some_and(Vec::is_empty) && !exchange.body["nextLink"].is_null() {
        Some("an empty page that goes on, not emulated")
    } else {
        None
    }
}

/// A furnished vault and a token for it.
struct World<'a> {
    emulator: &'a Emulator,
    host: String,
    token: String,
}

pub async fn world(exchange: &Exchange) -> (Emulator, Call) {
    let name = exchange.host().split('.').next().unwrap_or_default();
    let emulator = Emulator::builder().vault(name);
    let emulator = emulator.clock_start(recorded_at(exchange)).in_memory();
    let scope = ["https://vault.azure.net/.default"];
    let token = emulator.credential().get_token(&scope, None).await;
    let world = World {
        token: format!("Bearer {}", token.expect("a token").token.secret()),
        host: exchange.host().to_owned(),
        emulator: &emulator,
    };
    let version = world.furnish(exchange).await;
    let mut call = Call::new("GET", request(exchange, version.as_deref()).as_str());
    if exchange.status != 401 {
        call = call.header("authorization", &world.token);
    }
    (emulator, call)
}

/// When what the answer shows was made: dates of validity were in the future then.
fn recorded_at(exchange: &Exchange) -> OffsetDateTime {
    let shown = [&exchange.body, &exchange.body["value"][0]];
    let mut times = shown.iter().map(|b| &b["attributes"]["created"]);
    let time = times.find_map(Value::as_i64).unwrap_or(1_600_000_000);
    OffsetDateTime::from_unix_timestamp(time).expect("a time")
}

/// The recorded request, with the version that the emulator gave, and from the first page on: the service's
/// continuations are its own.
fn request(exchange: &Exchange, version: Option<&str>) -> Url {
    let mut url = exchange.url.clone();
    if let Some(version) = version {
        let path = url.path().trim_end_matches('/');
        let (path, _) = path.rsplit_once('/').expect("a version");
        let path = format!("{path}/{version}");
        url.set_path(&path);
    }
    let list = exchange.body["value"].as_array();
    let size = list.filter(|_| !exchange.body["nextLink"].is_null());
    let pairs = exchange.url.query_pairs();
    let kept = pairs.filter(|(n, _)| n != "$skiptoken" && (n != "maxresults" || size.is_none()));
    let kept: Vec<_> = kept.collect();
    url.query_pairs_mut().clear().extend_pairs(kept);
    if let Some(items) = size {
        let size = items.len().to_string();
        url.query_pairs_mut().append_pair("maxresults", &size);
    }
    url
}

impl World<'_> {
    /// Returns the version that the request is to name, if it names one.
    async fn furnish(&self, exchange: &Exchange) -> Option<String> {
        let Target {
            deleted,
            kind,
            name,
            last,
        } = target(&exchange.url);
        let kind = kind.as_str();
        let body = &exchange.body;
        let continued = !body["nextLink"].is_null();
        match (exchange.status, name, last) {
            (200, None, _) => {
                for item in body["value"].as_array().into_iter().flatten() {
                    let name = name_of(item);
                    self.make(kind, &name, item).await;
                    if deleted {
                        self.delete(kind, &name).await;
                    }
                }
                // One of the other half leads the list; of the same half one more follows a page that goes on.
                self.make(kind, BEFORE, &json!({})).await;
                self.make(kind, BEHIND, &json!({})).await;
                if !deleted {
                    self.delete(kind, BEFORE).await;
                }
                if deleted == continued {
                    self.delete(kind, BEHIND).await;
                }
                None
            }
            (200, Some(name), Some(last)) if last == "versions" => {
                for item in body["value"].as_array().into_iter().flatten() {
                    self.make(kind, &name, item).await;
                }
                if continued {
                    self.make(kind, &name, &body["value"][0]).await;
                }
                self.make(kind, BEFORE, &json!({})).await;
                None
            }
            (200, Some(name), version) => {
                if version.is_none() {
                    self.make(kind, &name, &json!({})).await;
                }
                let made = self.make(kind, &name, body).await;
                if version.is_some() {
                    self.make(kind, &name, &json!({})).await;
                }
                if deleted {
                    self.delete(kind, &name).await;
                }
                version.map(|_| made)
            }
            (403, Some(name), _) => {
                let disabled = json!({"attributes": {"enabled": false}});
                self.make(kind, &name, &disabled).await;
                None
            }
            (404, Some(name), _) => {
                self.make(kind, &name, &json!({})).await;
                if !deleted {
                    self.delete(kind, &name).await;
                }
                None
            }
            _ => None,
        }
    }

    /// Makes a version like the recorded one; returns its identifier.
    async fn make(&self, kind: &str, name: &str, like: &Value) -> String {
        if kind == "secrets" && like["managed"] == true {
            return self.make_certificate(name, like);
        }
        let mut order = Map::new();
        let mut attributes = Map::new();
        for field in ["enabled", "nbf", "exp"] {
            copy(&like["attributes"], field, &mut attributes);
        }
        order.insert("attributes".to_owned(), attributes.into());
        copy(like, "tags", &mut order);
        let (method, path) = if kind == "secrets" {
            order.insert("value".to_owned(), "a decoy".into());
            copy(like, "value", &mut order);
            copy(like, "contentType", &mut order);
            ("PUT", format!("secrets/{name}"))
        } else {
            order.insert("kty".to_owned(), "EC".into());
            for field in ["kty", "crv", "key_ops"] {
                copy(&like["key"], field, &mut order);
            }
            ("POST", format!("keys/{name}/create"))
        };
        let made = self.send(method, &path, &Value::from(order)).await;
        let id = made["id"].as_str().or(made["key"]["kid"].as_str());
        let id = id.expect("an identifier");
        id.rsplit('/').next().unwrap_or_default().to_owned()
    }

    fn make_certificate(&self, name: &str, like: &Value) -> String {
        let content_type = like["contentType"].as_str().unwrap_or_default();
        let mut secret = NewSecret::certificate("eA==", content_type);
        let attributes = &like["attributes"];
        let time = |field: &str| {
            let seconds = attributes[field].as_i64()?;
            OffsetDateTime::from_unix_timestamp(seconds).ok()
        };
        if let Some(time) = time("nbf") {
            secret = secret.not_before(time);
        }
        if let Some(time) = time("exp") {
            secret = secret.expires(time);
        }
        for (name, value) in like["tags"].as_object().into_iter().flatten() {
            secret = secret.tag(name, value.as_str().unwrap_or_default());
        }
        let secret = secret.enabled(attributes["enabled"] != false);
        let vault = self
            .emulator
            .vault(self.host.split('.').next().expect("a name"));
        vault.set_secret_with(name, secret).version
    }

    async fn delete(&self, kind: &str, name: &str) {
        let path = format!("{kind}/{name}");
        self.send("DELETE", &path, &Value::Null).await;
    }

    async fn send(&self, method: &str, path: &str, body: &Value) -> Value {
        let url = format!("https://{}/{path}?{VERSION}", self.host);
        let call = Call::new(method, &url).json(&body.to_string());
        let call = call.header("authorization", &self.token);
        let (status, _, body) = get(self.emulator, &call).await;
        assert_eq!(status, 200, "{method} {path}: {body}");
        serde_json::from_str(&body).expect("JSON")
    }
}

fn copy(from: &Value, field: &str, to: &mut Map<String, Value>) {
    if let Some(value) = from
        .get(field)
        .filter(|value| !value.is_array() || field == "key_ops")
    {
        to.insert(field.to_owned(), value.clone());
    }
}

fn name_of(item: &Value) -> String {
    let id = item["id"].as_str().or(item["kid"].as_str());
    let id: Url = id.expect("an identifier").parse().expect("a URL");
    target(&id).name.expect("a name")
}
