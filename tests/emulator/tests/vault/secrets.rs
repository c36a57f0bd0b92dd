//! Reading, setting and changing secrets, and what is refused.

use std::time::Duration;

use config_azure_emulator::vault::NewSecret;
use serde_json::{Value, json};

use crate::support::{START, World};

#[test]
fn a_secret_is_set_and_read_in_every_form_of_its_path() {
    let world = World::new();
    let body = json!({
        "value": "one", "contentType": "text/plain", "tags": {"a": "1"},
        "attributes": {"enabled": true, "nbf": 1_700_000_000, "exp": 1_900_000_000},
    });
    let set = world.send("PUT", "/secrets/Db-Password", body);
    assert_eq!(set.status, 200);
    let id = set.body["id"].as_str().expect("an id");
    let version = id
        .strip_prefix("https://kv-orders.vault.azure.net/secrets/Db-Password/")
        .expect("the id of the new version");
    assert_eq!(version.len(), 32);
    assert_eq!(
        set.body,
        json!({
            "value": "one", "id": id, "contentType": "text/plain", "tags": {"a": "1"},
            "attributes": {
                "enabled": true, "nbf": 1_700_000_000, "exp": 1_900_000_000,
                "created": START.unix_timestamp(), "updated": START.unix_timestamp(),
                "recoveryLevel": "Recoverable+Purgeable", "recoverableDays": 90,
            },
        })
    );
    let paths = [
        "/secrets/Db-Password",
        "/secrets/db-password/",
        "//secrets/DB-PASSWORD",
    ];
    for path in paths
        .map(str::to_owned)
        .into_iter()
        .chain([format!("/secrets/db-password/{version}")])
    {
        let got = world.get(&path);
        assert_eq!((got.status, &got.body), (200, &set.body), "{path}");
    }
}

#[test]
fn the_newest_version_is_current_and_older_ones_stay() {
    let world = World::new();
    let first = world.vault.set_secret("db", "one");
    let second = world.vault.set_secret("db", "two");
    assert_ne!(first.version, second.version);
    assert_eq!(world.get("/secrets/db").body["value"], "two");
    assert_eq!(
        world.get(&format!("/secrets/db/{}", first.version)).body["value"],
        "one"
    );
    assert_eq!(world.vault.versions("DB"), [first.version, second.version]);

    let rerun = World::new();
    assert_eq!(
        rerun.vault.set_secret("db", "one").version,
        world.vault.versions("db")[0]
    );
}

#[test]
fn what_is_missing_or_malformed_is_worded_like_the_service() {
    let world = World::new();
    world.vault.set_secret("db", "one");
    let cases = [
        (
            "GET",
            "/secrets/no",
            json!(null),
            404,
            "SecretNotFound",
            "A secret with (name/id) no was not found in this key vault.",
        ),
        (
            "GET",
            "/secrets/db/0123456789abcdef0123456789abcdef",
            json!(null),
            404,
            "SecretNotFound",
            "(name/id) db/0123456789abcdef0123456789abcdef was",
        ),
        (
            "DELETE",
            "/secrets/no",
            json!(null),
            404,
            "SecretNotFound",
            "(name/id) no was",
        ),
        (
            "PATCH",
            "/secrets/no/",
            json!({}),
            404,
            "SecretNotFound",
            "(name/id) no was",
        ),
        (
            "GET",
            "/deletedsecrets/no",
            json!(null),
            404,
            "SecretNotFound",
            "Deleted Secret not found: no",
        ),
        (
            "POST",
            "/deletedsecrets/no/recover",
            json!(null),
            404,
            "SecretNotFound",
            "Deleted Secret not found: no",
        ),
        (
            "DELETE",
            "/deletedsecrets/no",
            json!(null),
            404,
            "SecretNotFound",
            "Deleted Secret not found: no",
        ),
        (
            "PUT",
            "/secrets/",
            json!({"value": "x"}),
            405,
            "MethodNotAllowed",
            "HTTP PUT not allowed",
        ),
        (
            "GET",
            "/secrets/a_b",
            json!(null),
            400,
            "BadParameter",
            "The request URI contains an invalid name: a_b",
        ),
        (
            "GET",
            "/other/db",
            json!(null),
            400,
            "BadParameter",
            "other",
        ),
        (
            "PUT",
            "/secrets/db",
            json!({}),
            400,
            "BadParameter",
            "value",
        ),
        (
            "PUT",
            "/secrets/db",
            json!({"value": "x".repeat(25 * 1024 + 1)}),
            400,
            "BadParameter",
            "too long",
        ),
        ("PUT", "/secrets/db", json!(7), 400, "BadParameter", "body"),
        (
            "PUT",
            "/secrets/db",
            json!({"value": "x", "attributes": {"exp": i64::MAX}}),
            400,
            "BadParameter",
            "invalid time",
        ),
        (
            "POST",
            "/secrets/restore",
            json!({"value": "bm9uLWV4aXN0aW5n"}),
            400,
            "Malformed backup blob",
            "Backup blob is corrupt.",
        ),
        (
            "POST",
            "/secrets/non-existing/backup",
            json!(null),
            404,
            "SecretNotFound",
            "A secret with (name/id) non-existing was not found in this key vault.",
        ),
        (
            "POST",
            "/keys/db/release",
            json!(null),
            501,
            "NotImplemented",
            "release",
        ),
        (
            "GET",
            "/certificates/db",
            json!(null),
            501,
            "NotImplemented",
            "certificates",
        ),
    ];
    for (method, path, body, status, code, words) in cases {
        let answer = world.send(method, path, body);
        assert_eq!(answer.problem(), (status, code, None), "{method} {path}");
        assert!(
            answer.message().contains(words),
            "{method} {path}: {}",
            answer.message()
        );
    }
    assert_eq!(world.vault.versions("db").len(), 1);
}

#[test]
fn disabled_and_out_of_window_values_are_refused() {
    let later = START + Duration::from_secs(60);
    let earlier = START - Duration::from_secs(60);
    let cases = [
        (
            NewSecret::new("v").enabled(false),
            Some("SecretDisabled"),
            Some("SecretDisabled"),
        ),
        (
            NewSecret::new("v").not_before(later),
            Some("SecretNotYetValid"),
            None,
        ),
        (
            NewSecret::new("v").expires(START),
            Some("SecretExpired"),
            None,
        ),
        (
            NewSecret::new("v").expires(earlier).enabled(false),
            Some("SecretDisabled"),
            Some("SecretDisabled"),
        ),
        (
            NewSecret::new("v").not_before(START).expires(later),
            None,
            None,
        ),
    ];
    for (index, (secret, strict, documented)) in cases.into_iter().enumerate() {
        let world = World::new();
        let version = world.vault.set_secret_with("s", secret).version;
        for (enforce, expected) in [(true, strict), (false, documented)] {
            world.vault.enforce_validity(enforce);
            for path in ["/secrets/s".to_owned(), format!("/secrets/s/{version}")] {
                let answer = world.get(&path);
                match expected {
                    Some(inner) => {
                        assert_eq!(answer.problem(), (403, "Forbidden", Some(inner)), "{index}");
                        assert!(
                            answer
                                .message()
                                .starts_with("Operation get is not allowed on a")
                        );
                    }
                    None => assert_eq!(answer.body["value"], "v", "{index}"),
                }
            }
        }
    }
}

#[test]
fn a_secret_changes_state_as_time_passes() {
    let world = World::new();
    let at = |seconds| START + Duration::from_secs(seconds);
    world
        .vault
        .set_secret_with("s", NewSecret::new("v").not_before(at(10)).expires(at(20)));
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(world.get("/secrets/s").status);
        world.advance(Duration::from_secs(10));
    }
    assert_eq!(seen, [403, 200, 403]);
}

#[test]
fn an_update_replaces_tags_and_merges_attributes() {
    let world = World::new();
    let first = world
        .vault
        .set_secret_with("db", NewSecret::new("one").tag("a", "1").tag("b", "2"));
    world.vault.set_secret("db", "two");
    world.advance(Duration::from_secs(5));
    let path = format!("/secrets/db/{}", first.version);
    let body = json!({"contentType": "text/plain", "tags": {"c": "3"}, "attributes": {"exp": 1_900_000_000}});
    let answer = world.send("PATCH", &path, body);
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.body["value"],
        Value::Null,
        "an update never shows the value"
    );
    assert_eq!(answer.body["tags"], json!({"c": "3"}));
    assert_eq!(answer.body["attributes"]["exp"], 1_900_000_000);
    assert_eq!(
        answer.body["attributes"]["updated"],
        START.unix_timestamp() + 5
    );
    assert_eq!(world.get(&path).body["contentType"], "text/plain");

    let answer = world.send(
        "PATCH",
        "/secrets/db/",
        json!({"attributes": {"enabled": false}}),
    );
    assert_eq!(
        (
            answer.status,
            answer.body["attributes"]["enabled"].as_bool()
        ),
        (200, Some(false))
    );
    assert_eq!(world.get("/secrets/db").status, 403);
    assert_eq!(world.get(&path).status, 200, "other versions are untouched");
    world.vault.enable("db");
    assert_eq!(world.get("/secrets/db").status, 200);
}
