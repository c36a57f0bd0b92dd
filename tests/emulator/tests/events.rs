//! Events: their payloads, the hub, and delivery to a webhook.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use config_azure_emulator::events::{
    Event, EventSchema, ObjectEvent, SettingEvent, SnapshotEvent, Webhook,
};
use config_azure_emulator::vault::NewSecret;
use config_azure_emulator::{Emulator, NewSnapshot};
use http_body_util::{BodyExt as _, Full};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::macros::datetime;
use tokio::net::TcpListener;
use tokio::sync::watch;

const NOW: OffsetDateTime = datetime!(2026-06-01 12:00:00 UTC);

fn setting(deleted: bool) -> SettingEvent {
    SettingEvent {
        key: "orders:title/x".to_owned(),
        label: Some("Fizz Buzz".to_owned()),
        etag: "FnUExLaj2moIi4tJX9AXn9sakm0".to_owned(),
        deleted,
        sync_token: "zAJw6V16=MzoxMCMyODA3Mzc3;sn=2807377".to_owned(),
    }
}

#[test]
fn a_changed_setting_is_told_as_app_configuration_does() {
    let event = setting(false).of("contoso.azconfig.io", NOW);
    let source = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/emulator/providers/microsoft.appconfiguration/configurationstores/contoso";
    let data = json!({
        "key": "orders:title/x", "label": "Fizz Buzz", "etag": "FnUExLaj2moIi4tJX9AXn9sakm0",
        "syncToken": "zAJw6V16=MzoxMCMyODA3Mzc3;sn=2807377",
    });
    let subject = "https://contoso.azconfig.io/kv/orders%3Atitle%2Fx?label=Fizz%20Buzz";
    let grid: Value = serde_json::from_str(&event.body(EventSchema::EventGrid)).expect("JSON");
    assert_eq!(
        grid,
        json!([{
            "id": event.id, "topic": source, "subject": subject, "data": data,
            "eventType": "Microsoft.AppConfiguration.KeyValueModified", "eventTime": "2026-06-01T12:00:00Z",
            "dataVersion": "1", "metadataVersion": "1",
        }])
    );
    let cloud: Value = serde_json::from_str(&event.body(EventSchema::CloudEvents)).expect("JSON");
    assert_eq!(
        cloud,
        json!({
            "id": event.id, "source": source, "subject": subject, "data": data,
            "type": "Microsoft.AppConfiguration.KeyValueModified", "time": "2026-06-01T12:00:00Z",
            "specversion": "1.0",
        })
    );
    let deleted = setting(true).of("contoso.azconfig.io", NOW);
    assert_eq!(deleted.kind, "Microsoft.AppConfiguration.KeyValueDeleted");
    assert_ne!(deleted.id, event.id);
    let unlabelled = SettingEvent {
        label: None,
        ..setting(false)
    }
    .of("contoso.azconfig.io", NOW);
    assert_eq!(
        unlabelled.subject,
        "https://contoso.azconfig.io/kv/orders%3Atitle%2Fx"
    );
    assert_eq!(unlabelled.data.get("label"), None);
}

#[test]
fn a_snapshot_is_told_as_app_configuration_does() {
    let snapshot = |created| SnapshotEvent {
        name: "Foo".to_owned(),
        etag: "e".to_owned(),
        created,
        sync_token: "t=dA==;sn=1".to_owned(),
    };
    let event = snapshot(true).of("contoso.azconfig.io", NOW);
    assert_eq!(event.kind, "Microsoft.AppConfiguration.SnapshotCreated");
    assert_eq!(event.subject, "https://contoso.azconfig.io/snapshots/Foo");
    assert_eq!(
        event.data,
        json!({"name": "Foo", "etag": "e", "syncToken": "t=dA==;sn=1"})
    );
    let event = snapshot(false).of("contoso.azconfig.io", NOW);
    assert_eq!(event.kind, "Microsoft.AppConfiguration.SnapshotModified");
}

#[test]
fn vaults_raise_events_for_new_versions() {
    let emulator = Emulator::builder()
        .vault("kv-orders")
        .clock_start(NOW)
        .in_memory();
    let vault = emulator.vault("kv-orders");
    let expires = NOW + Duration::from_secs(86_400);
    let made = vault.set_secret_with("db", NewSecret::new("hidden").expires(expires));
    let event = emulator.events().latest().expect("an event");
    assert_eq!(event.kind, "Microsoft.KeyVault.SecretNewVersionCreated");
    assert_eq!(event.subject, "db");
    assert!(
        event
            .source
            .ends_with("/providers/Microsoft.KeyVault/vaults/kv-orders")
    );
    assert_eq!(
        event.data,
        json!({
            "Id": made.id, "VaultName": "kv-orders", "ObjectType": "Secret", "ObjectName": "db",
            "Version": made.version, "NBF": null, "EXP": expires.unix_timestamp(),
        })
    );
    assert!(!event.body(EventSchema::EventGrid).contains("hidden"));

    let object = vault.secret_object("db").expect("the secret");
    let cases = [
        (
            ObjectEvent::NearExpiry,
            "Microsoft.KeyVault.SecretNearExpiry",
        ),
        (ObjectEvent::Expired, "Microsoft.KeyVault.SecretExpired"),
    ];
    for (what, kind) in cases {
        emulator
            .events()
            .publish(what.of("kv-orders", &object, NOW));
        assert_eq!(emulator.events().latest().expect("an event").kind, kind);
    }
    vault.create_key("k", config_azure_emulator::vault::NewKey::ec("P-256"));
    let kinds: Vec<_> = emulator
        .events()
        .published()
        .into_iter()
        .map(|event| event.kind)
        .collect();
    assert_eq!(kinds.len(), 4);
    assert_eq!(kinds[3], "Microsoft.KeyVault.KeyNewVersionCreated");
}

#[test]
fn stores_raise_events_for_every_change() {
    let emulator = Emulator::builder()
        .store("contoso")
        .clock_start(NOW)
        .in_memory();
    let store = emulator.store("contoso");
    let etag = store.set("a", "prod", "hidden");
    let event = emulator.events().latest().expect("an event");
    assert_eq!(event.kind, "Microsoft.AppConfiguration.KeyValueModified");
    assert_eq!(event.subject, "https://contoso.azconfig.io/kv/a?label=prod");
    let token = store.sync_token();
    assert_eq!(
        event.data,
        json!({"key": "a", "label": "prod", "etag": etag, "syncToken": token})
    );
    store
        .create_snapshot(NewSnapshot::new("s").filter("*", Some("prod")))
        .expect("a snapshot");
    store.archive_snapshot("s", true);
    store.delete("a", "prod");
    store.delete("a", "prod");
    let events = emulator.events().published();
    let kinds: Vec<_> = events
        .iter()
        .map(|event| event.kind.rsplit('.').next().unwrap_or_default())
        .collect();
    assert_eq!(
        kinds,
        [
            "KeyValueModified",
            "SnapshotCreated",
            "SnapshotModified",
            "KeyValueDeleted"
        ]
    );
    assert_eq!(events[3].data["etag"], etag.as_str());
    assert_ne!(events[3].data["syncToken"], token.as_str());
    assert!(!Event::batch(&events, EventSchema::EventGrid).contains("hidden"));
}

/// What a webhook received, and how it answers.
struct Receiver {
    address: SocketAddr,
    seen: watch::Receiver<Vec<Request>>,
}

#[derive(Clone, Debug)]
struct Request {
    method: String,
    event_type: String,
    content_type: String,
    token: String,
    body: String,
}

/// A webhook that answers both handshakes and fails the first `failures` notifications.
async fn receiver(willing: bool, failures: usize) -> Receiver {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (sender, seen) = watch::channel(Vec::new());
    let failures = Arc::new(Mutex::new(failures));
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            let (sender, failures) = (sender.clone(), failures.clone());
            let service = service_fn(move |request| {
                answer(request, sender.clone(), failures.clone(), willing)
            });
            tokio::spawn(
                hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service),
            );
        }
    });
    Receiver { address, seen }
}

async fn answer(
    request: hyper::Request<hyper::body::Incoming>,
    sender: watch::Sender<Vec<Request>>,
    failures: Arc<Mutex<usize>>,
    willing: bool,
) -> Result<hyper::Response<Full<Bytes>>, hyper::Error> {
    let (parts, body) = request.into_parts();
    let header = |name: &str| {
        let value = parts
            .headers
            .get(name)
            .map(|value| value.to_str().unwrap_or_default());
        value.unwrap_or_default().to_owned()
    };
    let body = String::from_utf8_lossy(&body.collect().await?.to_bytes()).into_owned();
    let record = Request {
        method: parts.method.to_string(),
        event_type: header("aeg-event-type"),
        content_type: header("content-type"),
        token: header("x-token"),
        body,
    };
    let mut response = hyper::Response::new(Full::default());
    if record.event_type == "SubscriptionValidation" && willing {
        let event: Value = serde_json::from_str(&record.body).unwrap_or_default();
        let code = &event[0]["data"]["validationCode"];
        *response.body_mut() = Full::from(json!({"validationResponse": code}).to_string());
    } else if record.method == "OPTIONS" && willing {
        response.headers_mut().insert(
            "webhook-allowed-origin",
            http::HeaderValue::from_static("*"),
        );
    } else {
        let mut failures = failures.lock().unwrap();
        if *failures > 0 {
            *failures -= 1;
            *response.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
        }
    }
    sender.send_modify(|seen| seen.push(record));
    Ok(response)
}

impl Receiver {
    async fn wait_for(&mut self, count: usize) -> Vec<Request> {
        let seen = self.seen.wait_for(|seen| seen.len() >= count).await;
        seen.expect("the webhook lives").clone()
    }

    fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }
}

#[tokio::test]
async fn a_webhook_gets_the_handshake_and_then_every_event() {
    let cases = [
        (
            EventSchema::EventGrid,
            "POST",
            "SubscriptionValidation",
            "application/json; charset=utf-8",
        ),
        (
            EventSchema::CloudEvents,
            "OPTIONS",
            "",
            "application/cloudevents+json; charset=utf-8",
        ),
    ];
    for (schema, method, event_type, content_type) in cases {
        let emulator = Emulator::builder().vault("kv").in_memory();
        emulator.vault("kv").set_secret("before", "x");
        let mut receiver = receiver(true, 0).await;
        let webhook = Webhook::new(receiver.url(), schema).header("x-token", "shared");
        let subscription = emulator
            .events()
            .subscribe(webhook)
            .await
            .expect("a handshake");
        emulator.vault("kv").set_secret("a", "x");
        emulator.vault("kv").set_secret("b", "x");
        let seen = receiver.wait_for(3).await;
        assert_eq!(
            (seen[0].method.as_str(), seen[0].event_type.as_str()),
            (method, event_type)
        );
        for (request, name) in seen[1..].iter().zip(["a", "b"]) {
            assert_eq!(request.event_type, "Notification");
            assert_eq!(request.content_type, content_type);
            assert_eq!(request.token, "shared");
            let body: Value = serde_json::from_str(&request.body).expect("JSON");
            let event = if schema == EventSchema::EventGrid {
                &body[0]
            } else {
                &body
            };
            assert_eq!(event["subject"], name);
        }
        drop(subscription);
    }
}

#[tokio::test]
async fn a_webhook_that_declines_is_not_subscribed() {
    for schema in [EventSchema::EventGrid, EventSchema::CloudEvents] {
        let emulator = Emulator::builder().vault("kv").in_memory();
        let receiver = receiver(false, 0).await;
        let outcome = emulator
            .events()
            .subscribe(Webhook::new(receiver.url(), schema))
            .await;
        assert!(outcome.is_err(), "{schema:?}");
    }
}

#[tokio::test]
async fn the_hub_can_be_waited_for() {
    let emulator = Emulator::builder().vault("kv").in_memory();
    let events = emulator.events();
    let vault = emulator.vault("kv");
    let (seen, ()) = tokio::join!(events.wait_for(2), async {
        vault.set_secret("a", "1");
        vault.set_secret("b", "2");
    });
    assert_eq!(seen.len(), 2);
    let batch: Value =
        serde_json::from_str(&Event::batch(&seen, EventSchema::CloudEvents)).expect("JSON");
    assert_eq!(batch.as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn a_failed_delivery_is_tried_again_and_in_the_end_dropped() {
    let emulator = Emulator::builder().vault("kv").in_memory();
    let mut receiver = receiver(true, 4).await;
    let webhook =
        Webhook::new(receiver.url(), EventSchema::EventGrid).retries([Duration::from_millis(1); 2]);
    let _subscription = emulator
        .events()
        .subscribe(webhook)
        .await
        .expect("a handshake");
    for name in ["dropped", "late"] {
        emulator.vault("kv").set_secret(name, "x");
    }
    // The handshake, three attempts at the first event, two at the second.
    let seen = receiver.wait_for(6).await;
    let about = |request: &Request| request.body.contains("\"subject\":\"late\"");
    assert_eq!(
        seen.iter().map(about).collect::<Vec<_>>(),
        [false, false, false, false, true, true]
    );
}
