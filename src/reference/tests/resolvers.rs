//! Other sources of secrets, and their place in the order.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use config_azure_emulator::{Emulator, Fault, Route};
use futures::future::join_all;

use super::super::{
    EnvironmentResolver, MapResolver, ResolvedSecret, ResolverOrder, SecretResolver,
};
use super::*;
use crate::error::{BoxError, SecretErrorKind};
use crate::transport::{HostKind, HostPolicy};

const DB: &str = "https://kv-orders.vault.azure.net/secrets/db";

fn world(options: KeyVaultOptions) -> (Emulator, References) {
    let emulator = Emulator::builder().vault("kv-orders").in_memory();
    let references = references(&emulator, options);
    (emulator, references)
}

fn map(name: &str, value: &str) -> Arc<MapResolver> {
    Arc::new(MapResolver::new().with(name, value))
}

#[derive(Debug)]
enum Odd {
    Fails,
    Panics,
    Hangs(AtomicUsize),
}

#[async_trait::async_trait]
impl SecretResolver for Odd {
    async fn resolve(&self, _: &SecretIdentifier) -> Result<Option<ResolvedSecret>, BoxError> {
        match self {
            Self::Fails => Err("hunter2 is what I have".into()),
            Self::Panics => panic!("hunter2"),
            Self::Hangs(calls) => {
                calls.fetch_add(1, Ordering::Relaxed);
                std::future::pending().await
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_resolver_goes_first_and_may_pass() {
    let (emulator, references) = world(KeyVaultOptions::new().resolver(map("db", "from the map")));
    emulator
        .vault("kv-orders")
        .set_secret("smtp", "from the vault");
    assert_eq!(
        text(&references.read(&secret_id(DB)).await.unwrap()),
        "from the map"
    );
    assert_eq!(emulator.log().count(Route::any()), 0);
    assert_eq!(emulator.credential().calls(), 0);
    let smtp = secret_id("https://kv-orders.vault.azure.net/secrets/smtp");
    assert_eq!(
        text(&references.read(&smtp).await.unwrap()),
        "from the vault"
    );
}

#[tokio::test(start_paused = true)]
async fn the_others_are_asked_when_their_time_comes() {
    let options = KeyVaultOptions::new()
        .resolver_at(ResolverOrder::IfAbsent, map("db", "if absent"))
        .resolver_at(ResolverOrder::IfFailed, map("db", "if failed"));
    let (emulator, references) = world(options);
    let db = secret_id(DB);
    assert_eq!(text(&references.read(&db).await.unwrap()), "if absent");
    emulator.vault("kv-orders").forbid("db");
    assert_eq!(text(&references.read(&db).await.unwrap()), "if failed");
    emulator.vault("kv-orders").allow("db");
    emulator
        .vault("kv-orders")
        .set_secret("db", "from the vault");
    assert_eq!(text(&references.read(&db).await.unwrap()), "from the vault");
    emulator
        .faults()
        .script(Route::vault(), Fault::Refuse, None);
    assert_eq!(text(&references.read(&db).await.unwrap()), "if failed");
}

#[tokio::test(start_paused = true)]
async fn without_a_credential_resolvers_are_enough() {
    let emulator = Emulator::builder().vault("kv-orders").in_memory();
    let make = |options| {
        let clock = Arc::new(EmulatorClock(emulator.clock()));
        let permit = |origin| HostPolicy::new().permit(origin, HostKind::Vault);
        References::new(options, None, emulator.transport(), permit, clock).unwrap()
    };
    let bare = make(KeyVaultOptions::new());
    let failure = bare.read(&secret_id(DB)).await.unwrap_err();
    assert_eq!(failure.kind, SecretErrorKind::NoCredential);
    assert!(
        failure.hint.unwrap().contains("default_credential"),
        "{failure:?}"
    );
    let options = KeyVaultOptions::new().resolver_at(ResolverOrder::IfAbsent, map("db", "local"));
    assert_eq!(
        text(&make(options).read(&secret_id(DB)).await.unwrap()),
        "local"
    );
    assert_eq!(emulator.log().count(Route::any()), 0);
}

#[tokio::test(start_paused = true)]
async fn t20_a_resolver_that_fails_panics_or_hangs_is_contained() {
    for (odd, word) in [
        (Odd::Fails, "failed"),
        (Odd::Panics, "panicked"),
        (Odd::Hangs(AtomicUsize::new(0)), "in time"),
    ] {
        let (emulator, references) = world(KeyVaultOptions::new().resolver(Arc::new(odd)));
        emulator
            .vault("kv-orders")
            .set_secret("db", "from the vault");
        let start = tokio::time::Instant::now();
        let failure = references.read(&secret_id(DB)).await.unwrap_err();
        assert_eq!(failure.kind, SecretErrorKind::Unreachable);
        assert!(failure.hint.unwrap().contains(word), "{failure:?}");
        assert!(start.elapsed() <= Duration::from_secs(11));
        let error = failure.to_error(&secret_id(DB), &setting("k", DB), false);
        assert!(!format!("{error} {error:?}").contains("hunter2"));
        assert_eq!(
            emulator.log().count(Route::any()),
            0,
            "an error ends the search"
        );
    }
    // Unless there is one for the worst case.
    let options = KeyVaultOptions::new()
        .resolver(Arc::new(Odd::Fails))
        .resolver_at(ResolverOrder::IfFailed, map("db", "if failed"));
    let (_emulator, references) = world(options);
    assert_eq!(
        text(&references.read(&secret_id(DB)).await.unwrap()),
        "if failed"
    );
}

#[tokio::test(start_paused = true)]
async fn resolvers_share_the_single_flight() {
    let odd = Arc::new(Odd::Hangs(AtomicUsize::new(0)));
    let (_emulator, references) = world(KeyVaultOptions::new().resolver(odd.clone()));
    let id = secret_id(DB);
    join_all((0..50).map(|_| references.read(&id))).await;
    let Odd::Hangs(calls) = &*odd else {
        unreachable!()
    };
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn the_map_knows_names_identifiers_and_versions() {
    let resolver = MapResolver::new()
        .with("db", "by name")
        .with(
            "https://kv-orders.vault.azure.net/secrets/smtp/",
            "by identifier",
        )
        .with(
            "https://KV-Orders.vault.azure.net/secrets/smtp/1",
            "by version",
        );
    let find = async |uri: &str| {
        let id = SecretIdentifier::parse(uri).unwrap();
        let found = resolver.resolve(&id).await.unwrap();
        found.map(|secret| secret.value().expose_secret().to_owned())
    };
    assert_eq!(
        find("https://any.vault.azure.net/secrets/DB/7")
            .await
            .as_deref(),
        Some("by name")
    );
    assert_eq!(
        find("https://kv-orders.vault.azure.net/secrets/smtp")
            .await
            .as_deref(),
        Some("by identifier")
    );
    assert_eq!(
        find("https://kv-orders.vault.azure.net/secrets/smtp/2")
            .await
            .as_deref(),
        Some("by identifier")
    );
    assert_eq!(
        find("https://kv-orders.vault.azure.net/secrets/smtp/1")
            .await
            .as_deref(),
        Some("by version")
    );
    assert_eq!(
        find("https://kv-other.vault.azure.net/secrets/smtp").await,
        None
    );
    assert!(!format!("{resolver:?}").contains("by "));
}

#[tokio::test(start_paused = true)]
async fn the_environment_knows_upper_case_names() {
    let resolver = EnvironmentResolver::with_prefix("SECRET_").with_lookup(|name| match name {
        "SECRET_DB_PASSWORD" => Some("hunter2".to_owned()),
        "SECRET_EMPTY" => Some(String::new()),
        _ => None,
    });
    let find = async |name: &str| {
        let id = SecretIdentifier::new("https://kv-orders.vault.azure.net", name, None).unwrap();
        let found = resolver.resolve(&id).await.unwrap();
        found.map(|secret| secret.value().expose_secret().to_owned())
    };
    assert_eq!(find("db-password").await.as_deref(), Some("hunter2"));
    assert_eq!(find("empty").await.as_deref(), Some(""));
    assert_eq!(find("absent").await, None);
}
