//! Reading: once, together, within bounds, and only what was asked for.

use std::time::Duration;

use config_azure_emulator::vault::{Denial, NewSecret};
use config_azure_emulator::{Emulator, Fault, HostKind, Route, VaultHandle};
use futures::future::join_all;

use super::*;
use crate::error::SecretErrorKind;

const DB: &str = "https://kv-orders.vault.azure.net/secrets/db";

fn world() -> (Emulator, References) {
    let emulator = Emulator::builder().vault("kv-orders").in_memory();
    let references = references(&emulator, KeyVaultOptions::new());
    (emulator, references)
}

#[tokio::test(start_paused = true)]
async fn f37_a_thousand_references_to_five_vaults() {
    let names = ["kv-a00", "kv-b00", "kv-c00", "kv-d00", "kv-e00"];
    let builder = names
        .iter()
        .fold(Emulator::builder(), |builder, &name| builder.vault(name));
    let emulator = builder.in_memory();
    let mut ids = Vec::new();
    for number in 0..1000 {
        let vault = emulator.vault(names[number % names.len()]);
        vault.set_secret(&format!("s-{number}"), format!("value-{number}"));
        ids.push(secret_id(&vault.secret_uri(&format!("s-{number}"))));
    }
    emulator.latency(HostKind::Vault, Duration::from_millis(10));
    let references = references(&emulator, KeyVaultOptions::new());
    let read = join_all(ids.iter().map(|id| references.read(id))).await;
    for (number, resolved) in read.into_iter().enumerate() {
        assert_eq!(text(&resolved.unwrap()), format!("value-{number}"));
    }
    let log = emulator.log();
    assert_eq!(log.count(Route::secret()), 1000);
    assert_eq!(log.count(Route::challenge()), 5);
    assert_eq!(log.count(Route::any()), 1005);
    assert_eq!(emulator.credential().calls(), 1);
    assert!(
        log.high_water(None) <= 32,
        "{} in all",
        log.high_water(None)
    );
    for name in names {
        let host = format!("{name}.vault.azure.net");
        let most = log.high_water(Some(&host));
        assert!(most <= 16, "{most} at {host}");
    }
    assert!(log.high_water(None) > 16, "the bound is used");
}

/// The same over TLS, where the answers come in any order.
#[tokio::test]
async fn f37_the_same_on_real_sockets() {
    let names = ["kv-a00", "kv-b00", "kv-c00", "kv-d00", "kv-e00"];
    let builder = names
        .iter()
        .fold(Emulator::builder(), |builder, &name| builder.vault(name));
    let emulator = builder.start().await.unwrap();
    let mut ids = Vec::new();
    for number in 0..1000 {
        let vault = emulator.vault(names[number % names.len()]);
        vault.set_secret(&format!("s-{number}"), format!("value-{number}"));
        ids.push(secret_id(&vault.secret_uri(&format!("s-{number}"))));
    }
    let references = references_over_tls(&emulator, KeyVaultOptions::new());
    let read = join_all(ids.iter().map(|id| references.read(id))).await;
    for (number, resolved) in read.into_iter().enumerate() {
        assert_eq!(text(&resolved.unwrap()), format!("value-{number}"));
    }
    let log = emulator.log();
    assert_eq!(log.count(Route::secret()), 1000);
    assert_eq!(log.count(Route::challenge()), 5);
    assert_eq!(emulator.credential().calls(), 1);
    assert!(
        log.high_water(None) <= 32,
        "{} in all",
        log.high_water(None)
    );
}

#[tokio::test(start_paused = true)]
async fn f36_a_hundred_readers_of_one_secret_cause_one_request() {
    let (emulator, references) = world();
    emulator.vault("kv-orders").set_secret("db", "hunter2");
    emulator.latency(HostKind::Vault, Duration::from_millis(50));
    let ids: Vec<_> = (0..100)
        .map(|number| {
            secret_id(if number % 2 == 0 {
                DB
            } else {
                "https://KV-ORDERS.vault.azure.net/Secrets/DB/"
            })
        })
        .collect();
    let read = join_all(ids.iter().map(|id| references.read(id))).await;
    let first = read[0].clone().unwrap();
    assert!(
        read.into_iter()
            .all(|one| Arc::ptr_eq(&one.unwrap(), &first))
    );
    assert_eq!(emulator.log().count(Route::secret()), 1);
    assert!(Arc::ptr_eq(&references.held(&ids[1]).unwrap(), &first));
}

/// Whoever began the read may go; the others still get its outcome, from the same request.
#[tokio::test(start_paused = true)]
async fn f93_the_first_reader_may_be_cancelled() {
    let (emulator, references) = world();
    emulator.vault("kv-orders").set_secret("db", "hunter2");
    emulator.latency(HostKind::Vault, Duration::from_millis(100));
    let id = secret_id(DB);
    let hasty = tokio::time::timeout(Duration::from_millis(150), references.read(&id));
    let patient = references.read(&id);
    let (hasty, patient) = tokio::join!(hasty, patient);
    assert!(hasty.is_err());
    assert_eq!(text(&patient.unwrap()), "hunter2");
    assert_eq!(emulator.log().count(Route::secret()), 1);
    // And when all go, the request goes too.
    let gone = tokio::time::timeout(Duration::from_millis(50), references.read(&id)).await;
    assert!(gone.is_err());
    assert_eq!(emulator.log().in_flight(), 0);
    assert_eq!(text(&references.read(&id).await.unwrap()), "hunter2");
}

#[tokio::test(start_paused = true)]
async fn a_version_is_read_once_and_the_newest_every_time() {
    let (emulator, references) = world();
    let vault = emulator.vault("kv-orders");
    let first = vault.set_secret("db", "one");
    let pinned = secret_id(&format!("{DB}/{}", first.version));
    let newest = secret_id(DB);
    assert!(pinned.is_versioned() && !newest.is_versioned());
    assert_eq!(text(&references.read(&pinned).await.unwrap()), "one");
    assert_eq!(text(&references.read(&newest).await.unwrap()), "one");
    let second = vault.set_secret("db", "two");
    assert_eq!(text(&references.read(&pinned).await.unwrap()), "one");
    let read = references.read(&newest).await.unwrap();
    assert_eq!(
        (text(&read), read.version()),
        ("two", Some(&*second.version))
    );
    assert_eq!(emulator.log().count(Route::secret()), 3);
}

/// What was read before stays held when the same secret is refused for this reason.
async fn refused(change: impl Fn(&VaultHandle), kind: SecretErrorKind, code: &str) {
    let (emulator, references) = world();
    let vault = emulator.vault("kv-orders");
    vault.enforce_validity(true);
    vault.set_secret("db", "hunter2");
    let id = secret_id(DB);
    let held = references.read(&id).await.unwrap();
    change(&vault);
    let failure = references.read(&id).await.unwrap_err();
    assert_eq!((failure.kind, failure.code.as_deref()), (kind, Some(code)));
    let still = references.held(&id).unwrap();
    assert!(
        Arc::ptr_eq(&still, &held),
        "{kind:?} must not replace the value"
    );
    let error = failure.to_error(&id, &setting("k", DB), true);
    assert_eq!(
        (error.kind(), error.secret(), error.code()),
        (kind, Some("db"), Some(code))
    );
    assert!(error.was_read_before() && !error.is_transient());
}

#[tokio::test(start_paused = true)]
async fn f25_a_secret_that_is_gone() {
    let gone = |vault: &VaultHandle| vault.delete_secret("db");
    refused(gone, SecretErrorKind::NotFound, "SecretNotFound").await;
}

#[tokio::test(start_paused = true)]
async fn f26_a_secret_that_is_disabled() {
    let disabled = |vault: &VaultHandle| vault.disable("db");
    refused(disabled, SecretErrorKind::Disabled, "SecretDisabled").await;
}

#[tokio::test(start_paused = true)]
async fn a_secret_outside_its_dates() {
    let hour = azure_core::time::Duration::hours(1);
    let now = azure_core::time::OffsetDateTime::now_utc();
    let expired = NewSecret::new("x").expires(now - hour);
    let early = NewSecret::new("x").not_before(now + hour);
    let with = |secret: NewSecret| {
        move |vault: &VaultHandle| drop(vault.set_secret_with("db", secret.clone()))
    };
    refused(with(expired), SecretErrorKind::Expired, "SecretExpired").await;
    refused(
        with(early),
        SecretErrorKind::NotYetValid,
        "SecretNotYetValid",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_may_not_be_read() {
    let forbidden = |vault: &VaultHandle| vault.forbid("db");
    refused(forbidden, SecretErrorKind::Forbidden, "ForbiddenByRbac").await;
    for (denial, word) in [
        (Denial::Rbac, "role"),
        (Denial::AccessPolicy, "access policy"),
        (Denial::Firewall, "firewall"),
    ] {
        let (emulator, references) = world();
        emulator.vault("kv-orders").forbid_as("db", denial);
        let failure = references.read(&secret_id(DB)).await.unwrap_err();
        assert_eq!(failure.kind, SecretErrorKind::Forbidden);
        assert!(failure.hint.unwrap().contains(word), "{failure:?}");
        assert!(references.held(&secret_id(DB)).is_none());
    }
}

/// A version's value cannot change. That it was disabled is noticed at the next start, as documented.
#[tokio::test(start_paused = true)]
async fn f35_a_version_that_is_disabled_later() {
    let (emulator, references) = world();
    let vault = emulator.vault("kv-orders");
    let version = vault.set_secret("db", "hunter2").version;
    let pinned = secret_id(&format!("{DB}/{version}"));
    references.read(&pinned).await.unwrap();
    vault.disable("db");
    assert_eq!(text(&references.read(&pinned).await.unwrap()), "hunter2");
    assert_eq!(emulator.log().count(Route::secret()), 1);
    let restarted = super::references(&emulator, KeyVaultOptions::new());
    assert_eq!(
        restarted.read(&pinned).await.unwrap_err().kind,
        SecretErrorKind::Disabled
    );
}

#[tokio::test(start_paused = true)]
async fn f33_values_of_every_shape() {
    let (emulator, references) = world();
    let long = "p".repeat(25_000);
    for (name, value) in [
        ("empty", ""),
        ("nul", "a\0b"),
        ("long", &long),
        ("escaped", "\"\\\r\n\u{1f512}"),
    ] {
        emulator.vault("kv-orders").set_secret(name, value);
        let id = secret_id(&format!("https://kv-orders.vault.azure.net/secrets/{name}"));
        assert_eq!(text(&references.read(&id).await.unwrap()), value, "{name}");
    }
    for body in [
        r#"{"id":"https://kv-orders.vault.azure.net/secrets/db/1"}"#,
        r#"{"id":"https://kv-orders.vault.azure.net/secrets/db/1","value":null}"#,
        r#"{"id":"https://kv-orders.vault.azure.net/secrets/db/1","value":7}"#,
        r#"{"id":"https://kv-orders.vault.azure.net/secrets/db/1","value":"\ud800"}"#,
        r#"{"id":"https://kv-orders.vault.azure.net/secrets/db/1","value":"cut"#,
        "<html>sign in</html>",
        "",
        "null",
    ] {
        let failure = with_body(&emulator, &references, body).await;
        assert_eq!(failure.kind, SecretErrorKind::InvalidAnswer, "{body}");
        assert!(references.held(&secret_id(DB)).is_none(), "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn f34_an_answer_for_another_secret_is_refused() {
    let (emulator, references) = world();
    for id in [
        "https://kv-orders.vault.azure.net/secrets/other/1",
        "https://kv-other.vault.azure.net/secrets/db/1",
        "https://kv-orders.vault.azure.net/keys/db/1",
        "https://kv-orders.vault.azure.net/secrets/db/1/x",
        "http://kv-orders.vault.azure.net/secrets/db/1",
        "db",
    ] {
        let body = serde_json::json!({ "id": id, "value": "hunter2" }).to_string();
        let failure = with_body(&emulator, &references, &body).await;
        assert_eq!(failure.kind, SecretErrorKind::InvalidAnswer, "{id}");
    }
    let body = serde_json::json!({ "value": "hunter2" }).to_string();
    assert_eq!(
        with_body(&emulator, &references, &body).await.kind,
        SecretErrorKind::InvalidAnswer
    );
    // Case alone is no difference.
    emulator.faults().clear();
    let body = r#"{"id":"https://KV-Orders.vault.azure.net/Secrets/DB/1","value":"hunter2"}"#;
    let answer = Fault::status(200).body("application/json", body);
    emulator
        .faults()
        .script(Route::secret(), Fault::Answer(answer), Some(1));
    assert_eq!(
        text(&references.read(&secret_id(DB)).await.unwrap()),
        "hunter2"
    );
}

async fn with_body(
    emulator: &Emulator,
    references: &References,
    body: &str,
) -> super::super::ReadFailure {
    emulator.faults().clear();
    let answer = Fault::status(200).body("application/json", body.to_owned());
    emulator
        .faults()
        .script(Route::secret(), Fault::Answer(answer), Some(1));
    references.read(&secret_id(DB)).await.unwrap_err()
}

#[tokio::test(start_paused = true)]
async fn f38_a_reference_in_a_secret_is_text() {
    let (emulator, references) = world();
    let value = r#"{"uri":"https://kv-orders.vault.azure.net/secrets/other"}"#;
    let secret = NewSecret::new(value).content_type(REFERENCE);
    emulator.vault("kv-orders").set_secret_with("db", secret);
    assert_eq!(text(&references.read(&secret_id(DB)).await.unwrap()), value);
    assert_eq!(emulator.log().count(Route::secret()), 1);
}

#[tokio::test(start_paused = true)]
async fn life_cycle_content_type_and_tags_are_read() {
    let (emulator, references) = world();
    let now = emulator.clock().now().replace_nanosecond(0).unwrap();
    let secret = NewSecret::new("-----BEGIN")
        .content_type("application/x-pem-file")
        .tag("owner", "orders")
        .not_before(now - azure_core::time::Duration::days(1))
        .expires(now + azure_core::time::Duration::days(30));
    emulator.vault("kv-orders").set_secret_with("db", secret);
    let read = references.read(&secret_id(DB)).await.unwrap();
    let super::super::Resolved::Secret(secret) = &*read else {
        panic!("a key")
    };
    assert_eq!(secret.content_type(), Some("application/x-pem-file"));
    assert_eq!(secret.tags().collect::<Vec<_>>(), [("owner", "orders")]);
    assert_eq!(
        secret.expires_on(),
        Some((now + azure_core::time::Duration::days(30)).into())
    );
    assert_eq!(
        secret.not_before(),
        Some((now - azure_core::time::Duration::days(1)).into())
    );
    assert_eq!(read.life().enabled, Some(true));
    assert!(read.life().updated_on.is_some());
    assert!(!format!("{read:?}").contains("BEGIN"));
}

#[tokio::test(start_paused = true)]
async fn what_no_generation_uses_is_forgotten() {
    let (emulator, references) = world();
    emulator.vault("kv-orders").set_secret("db", "hunter2");
    emulator.vault("kv-orders").set_secret("smtp", "hunter3");
    let (db, smtp) = (
        secret_id(DB),
        secret_id("https://kv-orders.vault.azure.net/secrets/smtp"),
    );
    let value = Arc::downgrade(&references.read(&db).await.unwrap());
    references.read(&smtp).await.unwrap();
    references.retain(&[smtp.clone()].into());
    assert!(references.held(&db).is_none() && value.upgrade().is_none());
    assert!(references.held(&smtp).is_some());
}

#[cfg(feature = "keys")]
#[tokio::test(start_paused = true)]
async fn a_key_arrives_as_its_public_half() {
    let emulator = Emulator::builder().vault("kv-orders").in_memory();
    let references = references(&emulator, KeyVaultOptions::new().resolve_keys(true));
    let uri = "https://kv-orders.vault.azure.net/keys/signing";
    let body = serde_json::json!({
        "key": { "kid": format!("{uri}/1a2b"), "kty": "RSA", "key_ops": ["verify"], "n": "AQAB", "e": "AQAB", "d": "private", "k": "private" },
        "attributes": { "enabled": true, "exp": 4_000_000_000_u64 },
    });
    let answer = Fault::status(200).body("application/json", body.to_string());
    emulator
        .faults()
        .script(Route::key(), Fault::Answer(answer), None);
    let reference = references.parse(&setting("k", uri)).unwrap().unwrap();
    let read = references.read(&reference.id).await.unwrap();
    let super::super::Resolved::Key(key) = &*read else {
        panic!("a secret")
    };
    let jwk = serde_json::json!({ "kid": format!("{uri}/1a2b"), "kty": "RSA", "key_ops": ["verify"], "n": "AQAB", "e": "AQAB" });
    assert_eq!(key.jwk, jwk);
    assert_eq!(read.version(), Some("1a2b"));
    assert!(read.life().expires_on.is_some());
}
