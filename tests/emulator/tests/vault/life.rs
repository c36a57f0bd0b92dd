//! Lists, soft delete, certificates and news of secrets.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use config_azure_emulator::vault::NewSecret;
use serde_json::{Value, json};

use crate::support::{START, World};

#[test]
fn a_deleted_secret_can_be_recovered_until_it_is_purged() {
    let world = World::new();
    let version = world.vault.set_secret("db", "one").version;
    let deleted = world.send("DELETE", "/secrets/db", Value::Null);
    assert_eq!(deleted.status, 200);
    assert_eq!(
        deleted.body["recoveryId"],
        "https://kv-orders.vault.azure.net/deletedsecrets/db"
    );
    assert_eq!(deleted.body["value"], Value::Null);
    let days = deleted.body["scheduledPurgeDate"]
        .as_i64()
        .unwrap_or_default()
        - deleted.body["deletedDate"].as_i64().unwrap_or_default();
    assert_eq!(days, 90 * 86_400);

    assert_eq!(
        world.get("/secrets/db").problem(),
        (404, "SecretNotFound", None)
    );
    assert_eq!(world.get("/deletedsecrets/db").body, deleted.body);
    assert_eq!(
        world.get("/deletedsecrets").body["value"][0]["recoveryId"],
        deleted.body["recoveryId"]
    );
    assert_eq!(
        world
            .send("PUT", "/secrets/DB", json!({"value": "two"}))
            .problem(),
        (409, "Conflict", Some("ObjectIsDeletedButRecoverable"))
    );

    let recovered = world.send("POST", "/deletedsecrets/db/recover", Value::Null);
    assert_eq!(recovered.status, 200);
    assert_eq!(
        world.get(&format!("/secrets/db/{version}")).body["value"],
        "one"
    );

    world.vault.delete_secret("db");
    assert_eq!(
        world
            .send("DELETE", "/deletedsecrets/db", Value::Null)
            .status,
        204
    );
    assert_eq!(world.get("/deletedsecrets/db").status, 404);
    assert_eq!(
        world
            .send("PUT", "/secrets/db", json!({"value": "two"}))
            .status,
        200
    );
}

#[test]
fn a_deleted_secret_is_purged_after_its_retention() {
    let world = World::new();
    world.vault.set_secret("db", "one");
    world.vault.delete_secret("db");
    world.advance(Duration::from_secs(90 * 86_400 - 1));
    assert_eq!(world.get("/deletedsecrets/db").status, 200);
    world.advance(Duration::from_secs(1));
    assert_eq!(world.get("/deletedsecrets/db").status, 404);
}

#[test]
fn lists_are_paged_and_show_no_values() {
    let world = World::new();
    for index in 0..60 {
        world.vault.set_secret(&format!("s{index:02}"), "hidden");
        world.vault.set_secret("many", "hidden");
    }
    for (path, expected, sizes) in [
        ("/secrets", 61, vec![25, 25, 11]),
        ("/secrets?maxresults=20", 61, vec![20, 20, 20, 1]),
        ("/secrets/many/versions", 60, vec![25, 25, 10]),
    ] {
        let mut ids = Vec::new();
        let mut pages = Vec::new();
        let mut next = Some(path.to_owned());
        while let Some(path) = next {
            let answer = world.get(&path);
            assert_eq!(answer.status, 200, "{path}");
            assert!(!answer.body.to_string().contains("hidden"));
            let entries = answer.body["value"].as_array().expect("entries");
            pages.push(entries.len());
            ids.extend(
                entries
                    .iter()
                    .map(|entry| entry["id"].as_str().expect("an id").to_owned()),
            );
            next = answer.body["nextLink"].as_str().map(str::to_owned);
            if let Some(link) = &next {
                assert!(
                    link.starts_with("https://kv-orders.vault.azure.net:443/secrets"),
                    "{link}"
                );
            }
        }
        ids.sort();
        ids.dedup();
        assert_eq!((ids.len(), pages), (expected, sizes), "{path}");
    }
    assert_eq!(
        world.get("/secrets/none/versions").body,
        json!({"value": [], "nextLink": null})
    );
    for size in ["0", "26", "x"] {
        assert_eq!(
            world.get(&format!("/secrets?maxresults={size}")).status,
            400
        );
    }
    assert_eq!(world.get("/secrets?$skiptoken=nonsense").status, 400);
}

#[test]
fn the_secret_of_a_certificate_names_its_key() {
    let world = World::new();
    let made = world.vault.set_secret_with(
        "web",
        NewSecret::certificate("MIIK", "application/x-pkcs12"),
    );
    let body = world.get("/secrets/web").body;
    assert_eq!(body["contentType"], "application/x-pkcs12");
    assert_eq!(body["managed"], true);
    assert_eq!(body["kid"], made.id.replace("/secrets/", "/keys/"));
    let same = world.get("/secrets/web?outContentType=application/x-pkcs12");
    assert_eq!(same.body["value"], "MIIK");
    let other = world.get("/secrets/web?outContentType=application/x-pem-file");
    assert_eq!(other.status, 501, "better than the wrong form");
    let listed = &world.get("/secrets").body["value"][0];
    assert_eq!(
        (&listed["managed"], &listed["kid"]),
        (&json!(true), &Value::Null)
    );
}

#[test]
fn the_watcher_hears_of_every_new_version() {
    let world = World::new();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let ears = heard.clone();
    world.vault.vault().watch(Arc::new(move |change| {
        ears.lock().unwrap().push(change.clone());
    }));
    let made = world
        .vault
        .set_secret_with("a", NewSecret::new("1").expires(START));
    world.send("PUT", "/secrets/b", json!({"value": "2"}));
    world.send("PUT", "/secrets/b", json!({}));
    world.vault.disable("a");
    let heard = heard.lock().unwrap();
    let names: Vec<_> = heard
        .iter()
        .map(|change| change.object_name.as_str())
        .collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(
        (&heard[0].id, heard[0].expires),
        (&made.id, Some(START.unix_timestamp()))
    );
}
