//! Making, reading, rotating and deleting keys.

use std::time::Duration;

use config_azure_emulator::vault::NewKey;
use serde_json::{Value, json};

use crate::support::{START, World, decoded, vectors};

#[test]
fn keys_are_created_with_the_shapes_of_their_kind() {
    let world = World::new();
    let cases = [
        (json!({"kty": "RSA"}), "RSA", vec![("n", 256), ("e", 3)]),
        (
            json!({"kty": "RSA", "key_size": 3072}),
            "RSA",
            vec![("n", 384), ("e", 3)],
        ),
        (
            json!({"kty": "RSA-HSM", "key_size": 4096}),
            "RSA-HSM",
            vec![("n", 512), ("e", 3)],
        ),
        (json!({"kty": "EC"}), "EC", vec![("x", 32), ("y", 32)]),
        (
            json!({"kty": "EC", "crv": "P-384"}),
            "EC",
            vec![("x", 48), ("y", 48)],
        ),
        (
            json!({"kty": "EC-HSM", "crv": "P-521"}),
            "EC-HSM",
            vec![("x", 66), ("y", 66)],
        ),
        (
            json!({"kty": "EC", "crv": "P-256K"}),
            "EC",
            vec![("x", 32), ("y", 32)],
        ),
    ];
    for (index, (body, kty, numbers)) in cases.into_iter().enumerate() {
        let answer = world.send("POST", &format!("/keys/k{index}/create"), body.clone());
        assert_eq!(answer.status, 200, "{body}");
        let key = &answer.body["key"];
        assert_eq!(key["kty"], kty);
        let kid = key["kid"].as_str().expect("a kid");
        assert!(kid.starts_with(&format!("https://kv-orders.vault.azure.net/keys/k{index}/")));
        for (name, bytes) in numbers {
            assert_eq!(decoded(&key[name]).len(), bytes, "{body} {name}");
        }
        for secret in ["d", "p", "q", "dp", "dq", "qi"] {
            assert_eq!(key[secret], Value::Null, "private numbers stay inside");
        }
        let operations: &[&str] = if kty.starts_with("RSA") {
            &[
                "encrypt",
                "decrypt",
                "sign",
                "verify",
                "wrapKey",
                "unwrapKey",
            ]
        } else {
            assert_eq!(key["crv"], body["crv"].as_str().unwrap_or("P-256"));
            &["sign", "verify"]
        };
        assert_eq!(key["key_ops"], json!(operations));
        assert_eq!(answer.body["attributes"]["enabled"], true);
        assert_eq!(answer.body["attributes"]["exportable"], false);
        assert_eq!(world.get(&format!("/keys/k{index}/")).body, answer.body);
    }
}

#[test]
fn bad_keys_are_refused() {
    let world = World::new();
    let mut incomplete = vectors()["rsa"]["jwk"].clone();
    incomplete["p"] = Value::Null;
    let mut wrong = vectors()["ec"][0]["jwk"].clone();
    wrong["x"] = wrong["y"].clone();
    let cases = [
        ("POST", "/keys/k/create", json!({})),
        ("POST", "/keys/k/create", json!({"kty": "oct"})),
        (
            "POST",
            "/keys/k/create",
            json!({"kty": "RSA", "key_size": 1024}),
        ),
        (
            "POST",
            "/keys/k/create",
            json!({"kty": "EC", "crv": "P-192"}),
        ),
        (
            "POST",
            "/keys/k/create",
            json!({"kty": "EC", "key_ops": ["dance"]}),
        ),
        ("POST", "/keys//create", json!({"kty": "EC"})),
        ("PUT", "/keys/k", json!({"key": incomplete})),
        ("PUT", "/keys/k", json!({"key": wrong})),
        (
            "PUT",
            "/keys/k",
            json!({"key": {"kty": "oct", "k": "AAAA"}}),
        ),
    ];
    for (method, path, body) in cases {
        let answer = world.send(method, path, body.clone());
        assert_eq!(
            answer.problem(),
            (400, "BadParameter", None),
            "{path} {body}"
        );
    }
    assert_eq!(world.get("/keys").body["value"], json!([]));
    assert_eq!(world.get("/keys/k").problem(), (404, "KeyNotFound", None));
    assert!(
        world
            .get("/keys/k")
            .message()
            .starts_with("A key with (name/id) k was not found")
    );
}

#[test]
fn rotation_makes_a_version_like_the_last_and_follows_the_policy() {
    let world = World::new();
    let created = world.send(
        "POST",
        "/keys/k/create",
        json!({"kty": "EC", "crv": "P-384", "key_ops": ["sign"], "tags": {"a": "1"}}),
    );
    let default = world.get("/keys/k/rotationpolicy");
    assert_eq!(
        default.body["lifetimeActions"][0]["action"]["type"],
        "Notify"
    );
    let policy = json!({
        "lifetimeActions": [{"trigger": {"timeAfterCreate": "P60D"}, "action": {"type": "Rotate"}}],
        "attributes": {"expiryTime": "P90D"},
    });
    let put = world.send("PUT", "/keys/k/rotationpolicy", policy.clone());
    assert_eq!(put.status, 200);
    assert_eq!(put.body["lifetimeActions"], policy["lifetimeActions"]);
    assert_eq!(put.body["attributes"]["expiryTime"], "P90D");
    assert_eq!(
        put.body["id"],
        "https://kv-orders.vault.azure.net/keys/k/rotationpolicy"
    );
    assert_eq!(world.get("/keys/k/rotationpolicy").body, put.body);

    let rotated = world.send("POST", "/keys/k/rotate", Value::Null);
    assert_eq!(rotated.status, 200);
    let (old, new) = (&created.body["key"], &rotated.body["key"]);
    assert_eq!(
        (&new["crv"], &new["key_ops"]),
        (&old["crv"], &old["key_ops"])
    );
    assert_ne!(new["x"], old["x"]);
    assert_ne!(new["kid"], old["kid"]);
    assert_eq!(rotated.body["tags"], json!({"a": "1"}));
    assert_eq!(
        rotated.body["attributes"]["exp"],
        START.unix_timestamp() + 90 * 86_400
    );
    assert_eq!(world.vault.key_versions("k").len(), 2);

    for bad in [
        json!({"attributes": {"expiryTime": "90"}}),
        json!({"lifetimeActions": [{"trigger": {}, "action": {"type": "Sing"}}]}),
    ] {
        assert_eq!(world.send("PUT", "/keys/k/rotationpolicy", bad).status, 400);
    }
    assert_eq!(world.get("/keys/none/rotationpolicy").status, 404);
    assert_eq!(
        world.send("POST", "/keys/none/rotate", Value::Null).status,
        404
    );
}

#[test]
fn keys_are_listed_updated_deleted_recovered_and_purged() {
    let world = World::new();
    for _ in 0..30 {
        world.vault.create_key("many", NewKey::ec("P-256"));
    }
    let one = world.vault.create_key("one", NewKey::ec("P-256"));
    let listed = world.get("/keys/");
    assert_eq!(
        listed.body["value"][1]["kid"],
        "https://kv-orders.vault.azure.net/keys/one"
    );
    assert_eq!(listed.body["value"][1]["key"], Value::Null);
    let page = world.get("/keys/many/versions");
    assert_eq!(page.body["value"].as_array().map(Vec::len), Some(25));
    let rest = world.get(page.body["nextLink"].as_str().expect("a second page"));
    assert_eq!(rest.body["value"].as_array().map(Vec::len), Some(5));

    world.advance(Duration::from_secs(3));
    let body = json!({"key_ops": ["verify"], "tags": {"b": "2"}, "attributes": {"enabled": false}});
    let updated = world.send("PATCH", &format!("/keys/one/{}", one.version), body);
    assert_eq!(updated.body["key"]["key_ops"], json!(["verify"]));
    assert_eq!(
        updated.body["attributes"]["updated"],
        START.unix_timestamp() + 3
    );
    assert_eq!(world.get("/keys/one").body, updated.body);

    let deleted = world.send("DELETE", "/keys/one", Value::Null);
    assert_eq!(deleted.body["key"]["kid"], one.id.as_str());
    assert_eq!(
        deleted.body["recoveryId"],
        "https://kv-orders.vault.azure.net/deletedkeys/one"
    );
    assert_eq!(world.get("/deletedkeys/one").body, deleted.body);
    assert_eq!(
        world.get("/deletedkeys").body["value"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
    let again = world.send("POST", "/keys/one/create", json!({"kty": "EC"}));
    assert_eq!(
        again.problem(),
        (409, "Conflict", Some("ObjectIsDeletedButRecoverable"))
    );
    assert_eq!(
        world
            .send("POST", "/deletedkeys/one/recover", Value::Null)
            .status,
        200
    );
    assert_eq!(world.get("/keys/one").status, 200);
    world.vault.delete_key("one");
    assert_eq!(
        world.send("DELETE", "/deletedkeys/one", Value::Null).status,
        204
    );
    assert_eq!(
        world.get("/deletedkeys/one").message(),
        "Deleted Key not found: one"
    );
}

#[test]
fn the_handle_shows_the_public_key() {
    let world = World::new();
    let made = world
        .vault
        .create_key("k", NewKey::ec("P-256").expires(START));
    assert_eq!(
        made.id,
        format!("{}/{}", world.vault.key_uri("k"), made.version)
    );
    let shown = world.vault.public_key("k").expect("a key");
    assert_eq!(shown, world.get("/keys/k").body["key"]);
    assert_eq!(
        world.get("/keys/k").body["attributes"]["exp"],
        START.unix_timestamp()
    );
    assert_eq!(world.vault.public_key("none"), None);
}
