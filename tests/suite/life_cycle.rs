//! What a vault tells of a secret beside its value, and what follows from its dates. What is logged about them is
//! tested in `src/refresh/tests/told.rs`.

use std::time::{Duration, SystemTime};

use config_azure::{AppConfiguration, KeyVaultOptions, SecretStatus};
use config_azure_emulator::vault::NewSecret;
use config_azure_emulator::{Emulator, Route};
use tokio::time::Instant;

use crate::support;

const DAY: Duration = Duration::from_secs(86_400);

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn date(since_1970: Duration) -> Option<SystemTime> {
    SystemTime::UNIX_EPOCH.checked_add(since_1970)
}

/// A password that expires `left` from now.
async fn expiring(emulator: &Emulator, left: Duration) -> AppConfiguration {
    let secret = NewSecret::new("hunter2-of-the-database")
        .content_type("text/plain")
        .tag("owner", "orders")
        .not_before(emulator.clock().now() - DAY)
        .expires(emulator.clock().now() + left);
    emulator
        .vault("kv-orders")
        .set_secret_with("db-password", secret);
    support::in_memory(emulator)
        .key_vault(KeyVaultOptions::new().refresh_interval(support::SELDOM))
        .load()
        .await
        .expect("a load")
}

fn password(azure: &AppConfiguration) -> SecretStatus {
    let secrets = azure.status().secrets;
    let found = secrets
        .into_iter()
        .find(|secret| secret.name == "db-password");
    found.expect("a reference to it")
}

#[tokio::test(start_paused = true)]
async fn the_status_shows_what_the_vault_tells() {
    let emulator = support::world_in_memory();
    // Vaults count in whole seconds.
    let start = secs(emulator.clock().now().unix_timestamp().unsigned_abs());
    let azure = expiring(&emulator, 30 * DAY).await;
    let secret = password(&azure);
    let left = secret.expires_in.expect("a date");
    assert!(left <= 30 * DAY && left + secs(2) > 30 * DAY, "{left:?}");
    let known = secret.properties.expect("it was read");
    let uri = format!(
        "{}/{}",
        emulator.vault("kv-orders").secret_uri("db-password"),
        known.version.as_deref().expect("a version")
    );
    assert!(config_azure::SecretIdentifier::parse(&uri).is_ok(), "{uri}");
    assert_eq!(known.content_type.as_deref(), Some("text/plain"));
    assert_eq!(known.enabled, Some(true));
    assert_eq!(known.not_before, date(start - DAY));
    assert_eq!(known.expires_on, date(start + 30 * DAY));
    assert_eq!(known.tags.get("owner").map(String::as_str), Some("orders"));
    assert_eq!(secret.pinned, None);
}

#[tokio::test(start_paused = true)]
async fn the_next_read_is_drawn_forward_to_just_before_the_expiry() {
    let emulator = support::world_in_memory();
    let azure = expiring(&emulator, secs(1_000)).await;
    let next = password(&azure).next_read.expect("a next read");
    assert!((secs(900)..secs(1_000)).contains(&next), "{next:?}");

    emulator.log().clear();
    emulator
        .vault("kv-orders")
        .set_secret("db-password", "hunter3-of-the-database");
    let began = Instant::now();
    let changed = azure.changes().next().await.expect("a change");
    let path = changed.iter().next().map(config_azure::Change::path);
    assert_eq!(path, Some("db.password"));
    assert!(began.elapsed() < secs(1_000), "before it expired");
    let asked = emulator.log().count(Route::secret());
    assert_eq!(asked, 1, "and not again, nor the other secret");
}
