//! What a request must pass before a vault looks at the object: token, limit, api-version, permission.

use std::time::Duration;

use config_azure_emulator::vault::{Denial, Throttle};
use serde_json::Value;

use crate::support::{RESOURCE, World};

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
