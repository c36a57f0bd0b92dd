//! The store in memory through the whole library: a builder, a load, and what failures look like.

use config::Config;
use serde::Deserialize;

use super::*;
use crate::{ErrorKind, Live, SettingSelector};

#[derive(Debug, Deserialize)]
struct Settings {
    title: String,
    port: u16,
    password: Secret,
    #[serde(default)]
    hosts: Vec<String>,
}

fn filled() -> (AppConfigurationBuilder, InMemoryStore) {
    let (builder, store) = in_memory();
    store.set("app:title", "plain");
    store.set_labeled("app:title", "prod", "labeled");
    store.set("app:port", "80");
    store.set_json("app:hosts", &serde_json::json!(["a", "b"]));
    store.set_secret("app:password", "hunter2");
    (builder.trim_key_prefix("app:"), store)
}

async fn read(builder: AppConfigurationBuilder) -> crate::Result<Live<Settings>> {
    let azure = builder.load().await?;
    azure
        .live(Config::builder().add_source(azure.clone()))
        .await
}

#[tokio::test(start_paused = true)]
async fn settings_labels_json_and_secrets() {
    let (builder, _store) = filled();
    let both = SettingSelector::keys("app:*").labels(["", "prod"]);
    let now = read(builder.select(both)).await.unwrap().load();
    assert_eq!((now.title.as_str(), now.port), ("labeled", 80));
    assert_eq!(now.hosts, ["a", "b"]);
    assert_eq!(now.password, Secret::new("hunter2"));
}

#[tokio::test(start_paused = true)]
async fn a_failing_secret_is_named_with_its_kind() {
    use crate::StartupOptions;
    for kind in [
        SecretErrorKind::NotFound,
        SecretErrorKind::Disabled,
        SecretErrorKind::Expired,
        SecretErrorKind::NotYetValid,
        SecretErrorKind::Forbidden,
        SecretErrorKind::Throttled,
        SecretErrorKind::Unreachable,
        SecretErrorKind::Credential,
    ] {
        let (builder, store) = filled();
        store.fail_secret("app:password", kind);
        let error = read(builder.startup(StartupOptions::new().fail_fast()))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Reference, "{kind:?}: {error}");
        let [failure] = error.failures() else {
            panic!("{error}")
        };
        assert_eq!(failure.kind(), kind, "{error}");
        assert_eq!(failure.key(), "app:password");
        store.mend_secret("app:password");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failing_store_is_an_error_of_its_kind() {
    use crate::StartupOptions;
    for (status, kind) in [
        (401, ErrorKind::Credential),
        (403, ErrorKind::Forbidden),
        (404, ErrorKind::NotFound),
        (429, ErrorKind::Throttled),
        (503, ErrorKind::Service),
    ] {
        let (builder, store) = filled();
        store.fail(status);
        let error = read(builder.startup(StartupOptions::new().fail_fast()))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_hanging_store_is_a_timeout() {
    let (builder, store) = filled();
    store.hang();
    let error = read(builder).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    store.mend();
    assert_eq!(read(filled().0).await.unwrap().load().port, 80);
}

#[test]
fn debug_shows_nothing() {
    let (builder, store) = filled();
    let shown = format!("{builder:?} {store:?}");
    assert!(
        !shown.contains("hunter2") && !shown.contains("labeled"),
        "{shown}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_warning_tells_by_its_kind_what_became_of_the_setting() {
    use crate::{Conflict, KeyCase, KeyVaultOptions, WarningKind};
    let (builder, store) = in_memory();
    let json = Some("application/json");
    store.put("broken", None, json, "{");
    store.put("deep", None, json, &"[".repeat(40));
    store.put(
        "deeper",
        None,
        json,
        &format!("{}{}", "[".repeat(40), "]".repeat(40)),
    );
    store.set("a::b", "no path");
    store.set("x.y", "renamed");
    store.put("twice", None, json, r#"{"name": 1, "name": 2}"#);
    store.set("db", "hidden");
    store.set("db:host", "shown");
    store.put("sealed", None, Some("application/jose"), "e.f.g.h.i");
    let azure = builder
        .key_case(KeyCase::Preserve)
        .on_conflict(Conflict::KeepBranch)
        .key_vault(KeyVaultOptions::new().decrypt_settings(false))
        .load()
        .await
        .unwrap();
    let loaded = azure.loaded().unwrap();
    let mut warnings: Vec<_> = loaded
        .warnings()
        .iter()
        .map(|warning| (warning.key().unwrap_or_default(), warning.kind()))
        .collect();
    warnings.sort_by_key(|&(key, _)| key);
    assert_eq!(
        warnings,
        [
            ("a::b", WarningKind::SkippedKey),
            ("broken", WarningKind::InvalidJson),
            ("db", WarningKind::Hidden),
            ("deep", WarningKind::InvalidJson),
            ("deeper", WarningKind::InvalidJson),
            ("twice", WarningKind::DuplicateMember),
            ("x.y", WarningKind::RenamedKey),
        ]
    );
    let stays = |path: &str| azure.explain(path).is_some();
    for path in ["broken", "deep", "deeper", "twice.name", "x_y", "db.host"] {
        assert!(stays(path), "{path}");
    }
    assert!(!stays("a"));
    let config = Config::builder().add_source(azure).build().unwrap();
    assert_eq!(
        config.get_string("sealed").unwrap(),
        "e.f.g.h.i",
        "as it is"
    );
}

/// More than stand on one page.
#[tokio::test(start_paused = true)]
async fn a_store_of_several_pages_is_loaded_and_checked() {
    let (builder, store) = in_memory();
    for at in 0..10_000 {
        store.set(&format!("k{at:05}"), "1");
    }
    let azure = builder.load().await.unwrap();
    let count = || azure.loaded().unwrap().len();
    assert_eq!(count(), 10_000);
    assert!(!azure.refresh().await.unwrap().is_updated());
    for at in 10_000..20_001 {
        store.set(&format!("k{at:05}"), "1");
    }
    assert!(azure.refresh().await.unwrap().is_updated());
    assert_eq!(count(), 20_001);
    store.set("k00000", "2");
    assert!(azure.refresh().await.unwrap().is_updated());
    let all = Config::builder().add_source(azure).build().unwrap();
    assert_eq!(all.get_string("k00000").unwrap(), "2");
    assert_eq!(all.get_string("k20000").unwrap(), "1");
}
