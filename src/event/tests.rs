//! Bodies, well formed and not. What they cause stands in `tests/suite/push.rs`.

use serde_json::{Value, json};

use super::parse::{Incoming, MOST_BYTES, MOST_EVENTS, Tells, parse};
use crate::error::ErrorKind;

const STORE: &str = "Microsoft.AppConfiguration.KeyValueModified";
const SECRET: &str = "Microsoft.KeyVault.SecretNewVersionCreated";
const ID: &str =
    "https://kv-orders.vault.azure.net/secrets/db-password/ee059b2bb5bc48398a53b168c6cdcb10";

fn grid(kind: &str, subject: &str, data: Value) -> Value {
    json!({
        "id": "1", "topic": "/subscriptions/x", "subject": subject, "eventType": kind,
        "eventTime": "2026-06-01T12:00:00Z", "data": data, "dataVersion": "1", "metadataVersion": "1",
    })
}

fn cloud(kind: &str, subject: &str, data: Value) -> Value {
    json!({
        "id": "1", "source": "/subscriptions/x", "subject": subject, "type": kind,
        "time": "2026-06-01T12:00:00Z", "data": data, "specversion": "1.0",
    })
}

fn changed() -> Value {
    grid(
        STORE,
        "https://contoso.azconfig.io/kv/title?label=prod",
        json!({ "key": "title", "label": "prod", "etag": "e", "syncToken": "a=b;sn=1" }),
    )
}

fn read(body: &Value) -> Vec<Incoming> {
    parse(body.to_string().as_bytes()).unwrap()
}

fn refused(body: &[u8]) -> String {
    let error = parse(body).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidEvent);
    format!("{error} {error:?}")
}

#[test]
fn both_schemas_single_and_batch_say_the_same() {
    let data = json!({ "key": "title", "etag": "e", "syncToken": "a=b;sn=1" });
    let subject = "https://contoso.azconfig.io/kv/title";
    let (grid, cloud) = (
        grid(STORE, subject, data.clone()),
        cloud(STORE, subject, data),
    );
    let one = read(&grid);
    assert_eq!(one, read(&cloud));
    assert_eq!(one, read(&json!([grid])));
    let both = read(&json!([grid, cloud]));
    assert_eq!([&both[0], &both[1]], [&one[0], &one[0]]);
    assert_eq!(one[0].source, "/subscriptions/x");
    let Tells::Store {
        subject,
        sync_token,
    } = &one[0].tells
    else {
        panic!("{one:?}")
    };
    assert_eq!(subject.host_str(), Some("contoso.azconfig.io"));
    assert_eq!(sync_token, "a=b;sn=1");
    assert_eq!(read(&json!([])), [], "an empty batch is one");
}

#[test]
fn t16_the_dates_of_an_object_may_be_numbers_text_or_missing() {
    let dates = [
        json!(1_600_000_000),
        json!("1600000000"),
        json!(""),
        json!(null),
    ];
    for date in dates {
        let data = json!({ "Id": ID, "VaultName": "kv-orders", "ObjectType": "Secret", "ObjectName": "db-password",
            "Version": "ee059b2bb5bc48398a53b168c6cdcb10", "NBF": date, "EXP": date });
        let events = read(&grid(SECRET, "db-password", data));
        let Tells::Object(object) = &events[0].tells else {
            panic!("{events:?}")
        };
        assert_eq!(object.vault_host(), "kv-orders.vault.azure.net");
        assert_eq!(object.name(), "db-password");
    }
    let sample = json!({ "Id": ID, "ObjectName ": "db-password" });
    assert_eq!(read(&grid(SECRET, "", sample)).len(), 1);
}

#[test]
fn every_type_is_known_or_reported() {
    for kind in [
        "KeyValueModified",
        "KeyValueDeleted",
        "SnapshotCreated",
        "SnapshotModified",
    ] {
        let kind = format!("Microsoft.AppConfiguration.{kind}");
        let mut event = changed();
        event["eventType"] = json!(kind);
        assert!(
            matches!(read(&event)[0].tells, Tells::Store { .. }),
            "{kind}"
        );
    }
    for object in ["Secret", "Certificate", "Key"] {
        for what in ["NewVersionCreated", "NearExpiry", "Expired"] {
            let kind = format!("Microsoft.KeyVault.{object}{what}");
            let collection = format!("{}s", object.to_lowercase());
            let id = format!("https://kv-orders.vault.azure.net/{collection}/x");
            let events = read(&grid(&kind, "x", json!({ "Id": id })));
            assert!(matches!(events[0].tells, Tells::Object(_)), "{kind}");
        }
    }
    for kind in [
        "Microsoft.AppConfiguration.Other",
        "Microsoft.KeyVault.VaultAccessPolicyChanged",
        "Microsoft.Storage.BlobCreated",
        "x",
    ] {
        // Whatever such an event carries is not looked at.
        let events = read(&grid(kind, "", json!("anything")));
        assert_eq!(events[0].tells, Tells::Other, "{kind}");
    }
}

#[test]
fn malformed_is_refused_as_a_whole_and_not_repeated() {
    let with = |field: &str, value: Value| {
        let mut event = changed();
        event[field] = value;
        event
    };
    let without = |field: &str| {
        let mut event = changed();
        event.as_object_mut().unwrap().remove(field);
        event
    };
    let bad = [
        json!({}),
        json!([1]),
        without("id"),
        without("eventType"),
        without("subject"),
        without("data"),
        with("id", json!("")),
        with("id", json!("c".repeat(513))),
        with("id", json!(7)),
        with("type", json!(STORE)),
        with("specversion", json!("1.0")),
        with("subject", json!("canary/kv/title")),
        with("subject", json!("mailto:canary@contoso.azconfig.io")),
        with(
            "subject",
            json!("https://canary@contoso.azconfig.io/kv/title"),
        ),
        with("data", json!({ "syncToken": 7 })),
        with("data", json!("canary")),
        grid(SECRET, "", json!({})),
        grid(SECRET, "", json!({ "Id": "canary" })),
        grid(
            SECRET,
            "",
            json!({ "Id": "http://kv-orders.vault.azure.net/secrets/canary" }),
        ),
        grid(
            SECRET,
            "",
            json!({ "Id": "https://kv-orders.vault.azure.net/keys/canary" }),
        ),
        grid(
            SECRET,
            "",
            json!({ "Id": "https://kv-orders.vault.azure.net@canary/secrets/x" }),
        ),
        grid(
            "Microsoft.EventGrid.SubscriptionValidationEvent",
            "",
            json!({}),
        ),
        grid(
            "Microsoft.EventGrid.SubscriptionValidationEvent",
            "",
            json!({ "validationCode": "canary canary" }),
        ),
        {
            let mut event = cloud(
                STORE,
                "https://contoso.azconfig.io/kv/a",
                json!({ "syncToken": "" }),
            );
            event["specversion"] = json!("0.3");
            event
        },
    ];
    for event in bad {
        for body in [json!([event]), json!([changed(), event])] {
            let said = refused(body.to_string().as_bytes());
            assert!(!said.contains("canary"), "{said}");
        }
    }
    for body in [
        "",
        " ",
        "canary",
        "\"canary\"",
        "7",
        "null",
        "[",
        "{\"id\":\"canary\"",
        "[{}]trailing",
    ] {
        let said = refused(body.as_bytes());
        assert!(!said.contains("canary"), "{said}");
    }
    refused(b"[{\"id\":\"\xff\"}]");
    refused("[".repeat(10_000).as_bytes());
    let twice = changed().to_string().replacen("{", "{\"id\":\"2\",", 1);
    refused(twice.as_bytes());
}

#[test]
fn bodies_are_bounded() {
    let mut body = changed().to_string().into_bytes();
    body.resize(MOST_BYTES, b' ');
    assert_eq!(parse(&body).unwrap().len(), 1);
    body.push(b' ');
    assert!(refused(&body).contains("1 MiB"));
    let small = json!({ "id": "1", "eventType": "x" });
    let batch = |many| Value::Array(vec![small.clone(); many]).to_string();
    assert_eq!(
        parse(batch(MOST_EVENTS).as_bytes()).unwrap().len(),
        MOST_EVENTS
    );
    assert!(refused(batch(MOST_EVENTS + 1).as_bytes()).contains("5,000"));
}
