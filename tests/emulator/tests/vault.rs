//! Key Vault secrets, request by request.

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use config_azure_emulator::vault::{Denial, NewSecret, Throttle};
use serde_json::{Value, json};
use support::{RESOURCE, START, World};

#[test]
fn a_request_without_a_token_draws_the_challenge() {
    let world = World::new();
    world.vault.set_secret("db", "s3cret");
    let answer = world.send_as(None, "GET", "/secrets/db", Value::Null);
    assert_eq!(answer.problem(), (401, "Unauthorized", None));
    assert_eq!(
        answer.header("www-authenticate"),
        Some(
            r#"Bearer authorization="https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555", resource="https://vault.azure.net""#
        )
    );
    assert!(!answer.body.to_string().contains("s3cret"));
}

#[test]
fn tokens_of_other_resources_strangers_and_the_past_are_refused() {
    let world = World::new();
    world.vault.set_secret("db", "s3cret");
    let expired = world.token(RESOURCE);
    let revoked = world.token(RESOURCE);
    world.tokens.revoke_all();
    world.advance(Duration::from_secs(3601));
    let cases = [
        (world.token("https://azconfig.io"), "AKV10022"),
        (expired, "TokenExpired"),
        ("garbage".to_owned(), "IDX10501"),
    ];
    for (token, words) in cases {
        let answer = world.send_as(Some(&token), "GET", "/secrets/db", Value::Null);
        assert_eq!(answer.problem(), (401, "Unauthorized", None), "{words}");
        assert!(answer.message().contains(words), "{}", answer.message());
        assert!(answer.header("www-authenticate").is_some());
    }
    let answer = world.send_as(Some(&revoked), "GET", "/secrets/db", Value::Null);
    assert_eq!(answer.status, 401);
    assert_eq!(world.get("/secrets/db").status, 200);
}

#[test]
fn a_demand_for_claims_is_made_once() {
    let world = World::new();
    world.vault.set_secret("db", "s3cret");
    world.vault.demand_claims("eyJhIjoxfQ==");
    let answer = world.get("/secrets/db");
    assert_eq!(answer.status, 401);
    let challenge = answer.header("www-authenticate").expect("a challenge");
    assert!(challenge.contains(r#"error="insufficient_claims", claims="eyJhIjoxfQ==""#));
    assert_eq!(world.get("/secrets/db").status, 200);
}

#[test]
fn the_api_version_is_required() {
    let world = World::new();
    world.vault.set_secret("db", "s3cret");
    for query in [
        "api-version=",
        "api-version=latest",
        "api-versio=7.5&api-version=9",
    ] {
        let answer = world.get(&format!("/secrets/db?{query}"));
        assert_eq!(answer.problem(), (400, "BadParameter", None), "{query}");
    }
}

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
            "/secrets/db/backup",
            json!(null),
            501,
            "NotImplemented",
            "backup",
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
    let listed = &world.get("/secrets").body["value"][0];
    assert_eq!(
        (&listed["managed"], &listed["kid"]),
        (&json!(true), &Value::Null)
    );
}

#[test]
fn forbidden_secrets_say_which_permission_is_missing() {
    let cases = [
        (
            Denial::Rbac,
            "ForbiddenByRbac",
            "Action: 'Microsoft.KeyVault/vaults/secrets/getSecret/action'\r\n",
        ),
        (
            Denial::AccessPolicy,
            "ForbiddenByPolicy",
            "does not have secrets get permission on key vault 'kv-orders;",
        ),
        (
            Denial::Firewall,
            "ForbiddenByFirewall",
            "Client address is not authorized",
        ),
    ];
    for (denial, inner, words) in cases {
        let world = World::new();
        world.vault.set_secret("db", "one");
        world.vault.set_secret("other", "two");
        world.vault.forbid_as("DB", denial);
        let answer = world.get("/secrets/db");
        assert_eq!(answer.problem(), (403, "Forbidden", Some(inner)));
        assert!(answer.message().contains(words), "{}", answer.message());
        assert_eq!(world.get("/secrets/other").status, 200);
        world.vault.allow("db");
        assert_eq!(world.get("/secrets/db").status, 200);
        world.vault.forbid_all(Some(denial));
        assert_eq!(world.get("/secrets").problem().2, Some(inner));
        assert_eq!(world.get("/secrets/other").status, 403);
        world.vault.forbid_all(None);
    }
}

#[test]
fn a_window_limits_requests_that_bring_a_token() {
    let limit = Throttle::new(2, Duration::from_secs(10));
    let cases = [
        (limit.clone(), None),
        (limit.clone().retry_after(7), Some("7")),
        (limit.retry_after_window(), Some("6")),
    ];
    for (throttle, retry_after) in cases {
        let world = World::new();
        world.vault.set_secret("db", "one");
        world.vault.throttle(throttle);
        for _ in 0..5 {
            assert_eq!(
                world
                    .send_as(None, "GET", "/secrets/db", Value::Null)
                    .status,
                401
            );
        }
        assert_eq!(world.get("/secrets/db").status, 200);
        world.advance(Duration::from_millis(4_500));
        assert_eq!(world.get("/secrets/db").status, 200);
        let refused = world.get("/secrets/db");
        assert_eq!(refused.problem(), (429, "Throttled", None));
        assert_eq!(refused.header("retry-after"), retry_after);
        world.advance(Duration::from_millis(5_500));
        assert_eq!(world.get("/secrets/db").status, 200);
        world.vault.throttle(Throttle::closed());
        assert_eq!(world.get("/secrets/db").status, 429);
        world.vault.throttle(None);
        assert_eq!(world.get("/secrets/db").status, 200);
    }
}

#[test]
fn a_client_that_comes_by_localhost_gets_localhost_back() {
    let world = World::new();
    world.vault.set_secret("a", "one");
    world.vault.set_secret("b", "two");
    world
        .vault
        .vault()
        .set_local("https://localhost:8443", "https://localhost:8440");
    let got = world.get("https://localhost:8443/secrets/a");
    assert!(
        got.body["id"]
            .as_str()
            .is_some_and(|id| id.starts_with("https://localhost:8443/secrets/a/"))
    );
    let page = world.get("https://localhost:8443/secrets?maxresults=1");
    assert!(
        page.body["nextLink"]
            .as_str()
            .is_some_and(|link| link.starts_with("https://localhost:8443/secrets?"))
    );
    for (url, authority) in [
        (
            "https://localhost:8443/secrets/a",
            "https://localhost:8440/",
        ),
        (
            "https://kv-orders.vault.azure.net/secrets/a",
            "https://login.microsoftonline.com/",
        ),
    ] {
        let answer = world.send_as(None, "GET", url, Value::Null);
        let challenge = answer.header("www-authenticate").expect("a challenge");
        assert!(
            challenge.contains(&format!("authorization=\"{authority}")),
            "{challenge}"
        );
    }
}

#[test]
fn the_watcher_hears_of_every_new_version() {
    let world = World::new();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let ears = heard.clone();
    world.vault.vault().watch(Arc::new(move |change| {
        ears.lock().unwrap().push(change.clone())
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
