//! What a handle says about its health: warnings told once, and the fields of the status that a fault moves.

use config_azure::{KeyVaultOptions, RefreshOptions, SecretErrorKind};
use config_azure_emulator::{Fault, Route};

use crate::events;
use crate::support::{self, SELDOM, loaded, secs};

#[tokio::test(start_paused = true)]
async fn a_missing_sentinel_is_warned_of_once() {
    let (events, _collecting) = events::capture("config_azure=warn");
    let emulator = support::world_in_memory();
    let store = emulator.store("contoso");
    let options = RefreshOptions::new().sentinel("sentinel", "prod");
    let azure = loaded(&emulator, options).await;
    let warned = || events.text().matches("a sentinel does not exist").count();
    tokio::time::sleep(secs(3_600)).await;
    azure.refresh().await.expect("a check");
    assert_eq!(warned(), 1, "{}", events.text());
    assert!(events.text().contains("prod"));
    // It comes and goes: that is news.
    store.set("sentinel", "prod", "1");
    azure.refresh().await.expect("a check");
    store.delete("sentinel", "prod");
    azure.refresh().await.expect("a check");
    tokio::time::sleep(secs(3_600)).await;
    assert_eq!(warned(), 2, "{}", events.text());
}

#[tokio::test(start_paused = true)]
async fn secrets_that_are_read_very_often_are_warned_of_once() {
    for (every, expected) in [(secs(59), 1), (secs(60), 0)] {
        let (events, _collecting) = events::capture("config_azure=warn");
        let emulator = support::world_in_memory();
        let azure = support::in_memory(&emulator)
            .key_vault(KeyVaultOptions::new().refresh_interval(every))
            .load()
            .await
            .expect("a load");
        tokio::time::sleep(secs(600)).await;
        let warned = events
            .text()
            .matches("more often than once a minute")
            .count();
        assert_eq!(warned, expected, "{every:?}: {}", events.text());
        drop(azure);
    }
}

#[tokio::test(start_paused = true)]
async fn a_vault_that_throttles_shows_for_how_long() {
    let emulator = support::world_in_memory();
    let azure = support::in_memory(&emulator)
        .key_vault(KeyVaultOptions::new().refresh_interval(SELDOM))
        .load()
        .await
        .expect("a load");
    let busy = Fault::Answer(Fault::status(429).retry_after(200));
    let route = Route::secret().host("kv-orders.vault.azure.net");
    emulator.faults().script(route, busy, None);
    tokio::time::sleep(secs(10)).await;
    let _ = azure.refresh().await;
    tokio::time::sleep(secs(50)).await;
    let status = azure.status();
    let vault = |name: &str| {
        let mut vaults = status.vaults.iter();
        vaults
            .find(|vault| vault.vault.starts_with(name))
            .expect("a vault")
    };
    let (orders, shared) = (vault("kv-orders"), vault("kv-shared"));
    let closed = orders.throttled_for.expect("a pause");
    assert!(closed >= secs(149) && closed <= secs(190), "{closed:?}");
    assert_eq!(orders.failures, 1);
    assert_eq!((shared.throttled_for, shared.failures), (None, 0));
    let failing = |name: &str| {
        let mut secrets = status.secrets.iter();
        let secret = secrets
            .find(|secret| secret.name == name)
            .expect("a secret");
        (secret.failure, secret.failing_for)
    };
    let (kind, since) = failing("db-password");
    assert_eq!(kind, Some(SecretErrorKind::Throttled));
    assert!(
        since >= Some(secs(50)) && since <= Some(secs(51)),
        "{since:?}"
    );
    assert_eq!(failing("smtp-password"), (None, None));
    let text = status.to_string();
    for part in [
        "generation 1, current, from https://contoso.azconfig.io",
        "kv-orders.vault.azure.net: asks for fewer requests, for ",
        "kv-orders.vault.azure.net/db-password: ",
        "its value of 1m ago is in use",
        "2 secrets, 0 of them pinned to a version",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("smtp-password") && !text.contains("hunter2"));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_throttles_or_is_gone_shows_since_when() {
    let busy = Fault::Answer(Fault::status(429).retry_after(100));
    for (fault, closes) in [(busy, true), (Fault::Refuse, false)] {
        let emulator = support::world_in_memory();
        let options = RefreshOptions::new().every(SELDOM);
        let azure = loaded(&emulator, options).await;
        azure.refresh().await.expect("a check");
        let healthy = &azure.status().endpoints[0];
        assert_eq!((healthy.failures, healthy.closed_for), (0, None));
        tokio::time::sleep(secs(20)).await;
        emulator.faults().script(Route::store(), fault, None);
        azure.refresh().await.expect_err("a failure");
        tokio::time::sleep(secs(5)).await;
        let status = azure.status();
        let (attempt, success) = (status.last_attempt, status.last_success);
        assert!(
            attempt >= Some(secs(5)) && attempt < Some(secs(20)),
            "{attempt:?}"
        );
        assert!(success >= Some(secs(25)), "{success:?}");
        let endpoint = &status.endpoints[0];
        assert_eq!(endpoint.endpoint, "https://contoso.azconfig.io");
        assert!(endpoint.failures > 0 && !endpoint.discovered);
        match closes {
            true => assert!(
                endpoint.closed_for > Some(secs(80)) && endpoint.closed_for <= Some(secs(97))
            ),
            false => assert!(endpoint.closed_for.is_none() && endpoint.backs_off_for.is_some()),
        }
        let text = status.to_string();
        assert!(text.contains("store: 1 checks failed in"), "{text}");
    }
}
