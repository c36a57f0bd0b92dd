//! Backup and restore, of secrets and of keys.

use config_azure_emulator::vault::Denial;
use serde_json::{Value, json};

use crate::support::World;

fn backup(world: &World, path: &str) -> Value {
    let answer = world.send("POST", &format!("{path}/backup"), Value::Null);
    assert_eq!(answer.status, 200, "{path}");
    json!({"value": answer.body["value"]})
}

fn remove(world: &World, kind: &str, name: &str) {
    assert_eq!(
        world
            .send("DELETE", &format!("/{kind}/{name}"), Value::Null)
            .status,
        200
    );
    assert_eq!(
        world
            .send("DELETE", &format!("/deleted{kind}/{name}"), Value::Null)
            .status,
        204
    );
}

#[test]
fn a_secret_comes_back_with_all_its_versions() {
    let world = World::new();
    let first = world.vault.set_secret("Db", "one").version;
    let body = json!({"value": "two", "contentType": "text/plain", "tags": {"a": "b"},
                      "attributes": {"exp": 2_000_000_000, "enabled": true}});
    world.send("PUT", "/secrets/Db", body);
    let before = world.get("/secrets/Db").body;
    let blob = backup(&world, "/secrets/db");

    // The name is taken as long as the secret is there, deleted or not.
    for status in [200, 404] {
        let refused = world.send("POST", "/secrets/restore", blob.clone());
        assert_eq!(refused.problem().0, 409);
        assert_eq!(refused.problem().1, "Conflict");
        let deleted = world.send("DELETE", "/secrets/db", Value::Null);
        assert_eq!(deleted.status, status);
    }
    world.send("DELETE", "/deletedsecrets/db", Value::Null);

    let restored = world.send("POST", "/secrets/restore", blob.clone());
    assert_eq!(restored.status, 200);
    assert_eq!(restored.body["id"], before["id"]);
    assert_eq!(restored.body["value"], Value::Null, "as recorded: no value");
    assert_eq!(world.get("/secrets/Db").body, before);
    assert_eq!(
        world.get(&format!("/secrets/db/{first}")).body["value"],
        "one"
    );

    // Another vault takes it too.
    let other = World::new();
    assert_eq!(other.send("POST", "/secrets/restore", blob).status, 200);
    assert_eq!(other.get("/secrets/db").body["value"], "two");
}

#[test]
fn restored_keys_open_what_they_closed() {
    let world = World::new();
    world.send("POST", "/keys/rsa/create", json!({"kty": "RSA"}));
    world.send(
        "POST",
        "/keys/ec/create",
        json!({"kty": "EC", "crv": "P-384"}),
    );
    let closed = world.send(
        "POST",
        "/keys/rsa/encrypt",
        json!({"alg": "RSA-OAEP-256", "value": "YW4gb3JkZXI"}),
    );
    let digest = json!({"alg": "ES384", "value": "A".repeat(64)});
    let signature = world.send("POST", "/keys/ec/sign", digest).body["value"].clone();

    for name in ["rsa", "ec"] {
        let before = world.get(&format!("/keys/{name}")).body;
        let blob = backup(&world, &format!("/keys/{name}"));
        remove(&world, "keys", name);
        assert_eq!(world.send("POST", "/keys/restore", blob).status, 200);
        assert_eq!(world.get(&format!("/keys/{name}")).body, before);
    }

    let opened = world.send(
        "POST",
        "/keys/rsa/decrypt",
        json!({"alg": "RSA-OAEP-256", "value": closed.body["value"]}),
    );
    assert_eq!(opened.body["value"], "YW4gb3JkZXI");
    let verified = world.send(
        "POST",
        "/keys/ec/verify",
        json!({"alg": "ES384", "digest": "A".repeat(64), "value": signature}),
    );
    assert_eq!(verified.body["value"], true);
}

#[test]
fn a_blob_of_the_other_kind_or_without_versions_is_corrupt() {
    let world = World::new();
    world.vault.set_secret("db", "one");
    let blob = backup(&world, "/secrets/db");
    remove(&world, "secrets", "db");
    let refused = world.send("POST", "/keys/restore", blob);
    assert_eq!(refused.problem(), (400, "Malformed backup blob", None));
    let missing = world.send("POST", "/secrets/restore", json!({}));
    assert_eq!(missing.problem(), (400, "BadParameter", None));
    // A secret may have that name; only POST means the operation.
    world.vault.set_secret("restore", "value");
    assert_eq!(world.get("/secrets/restore").body["value"], "value");
}

#[test]
fn both_need_a_permission_of_their_own() {
    let world = World::new();
    world.vault.set_secret("db", "one");
    let blob = backup(&world, "/secrets/db");
    world.vault.forbid_all(Some(Denial::Rbac));
    for (path, action) in [
        ("/secrets/db/backup", "secrets/backup/action"),
        ("/secrets/restore", "secrets/restore/action"),
    ] {
        let refused = world.send("POST", path, blob.clone());
        assert_eq!(refused.problem().0, 403);
        assert!(refused.message().contains(action), "{}", refused.message());
    }
}
