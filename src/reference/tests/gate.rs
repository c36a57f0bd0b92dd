//! The gate of a vault: throttling, probes, and vaults that do not answer.

use std::time::Duration;

use config_azure_emulator::vault::Throttle;
use config_azure_emulator::{Emulator, Fault, HostKind, Route};
use futures::future::join_all;
use tokio::time::Instant;

use super::*;
use crate::error::SecretErrorKind;

const HOST: &str = "kv-orders.vault.azure.net";

fn world(secrets: usize) -> (Emulator, References, Vec<ReferenceId>) {
    let emulator = Emulator::builder()
        .vault("kv-orders")
        .vault("kv-shared")
        .in_memory();
    let vault = emulator.vault("kv-orders");
    let ids = (0..secrets)
        .map(|number| {
            vault.set_secret(&format!("s-{number}"), format!("value-{number}"));
            secret_id(&vault.secret_uri(&format!("s-{number}")))
        })
        .collect();
    emulator.latency(HostKind::Vault, Duration::from_millis(20));
    let references = references(&emulator, KeyVaultOptions::new());
    (emulator, references, ids)
}

async fn read_all(references: &References, ids: &[ReferenceId]) -> usize {
    let read = join_all(ids.iter().map(|id| references.read(id))).await;
    read.iter().filter(|one| one.is_ok()).count()
}

/// Reads as an eager engine would: again as soon as the gate says so, everything that is still missing.
async fn read_eagerly(references: &References, ids: &[ReferenceId], until: Instant) {
    while Instant::now() < until {
        let missing: Vec<_> = ids
            .iter()
            .filter(|id| references.held(id).is_none())
            .cloned()
            .collect();
        if missing.is_empty() {
            return;
        }
        let gate = references
            .gate(HOST)
            .unwrap_or_else(|| Instant::now() + Duration::from_millis(100));
        tokio::time::sleep_until(gate.min(until)).await;
        read_all(references, &missing).await;
    }
}

#[tokio::test(start_paused = true)]
async fn f28_ten_minutes_of_429_cost_one_probe_per_window() {
    let (emulator, references, ids) = world(100);
    emulator
        .vault("kv-orders")
        .throttle(Throttle::closed().retry_after(10));
    let start = Instant::now();
    assert_eq!(read_all(&references, &ids).await, 0);
    assert_eq!(
        emulator.log().count(Route::secret()),
        1,
        "a cold vault is asked by one read"
    );
    read_eagerly(&references, &ids, start + Duration::from_secs(600)).await;
    let probes = emulator.log().matching(Route::secret());
    assert!(probes.len() <= 66, "{} requests", probes.len());
    assert!(
        probes.len() >= 10,
        "{} requests: it must not stop asking",
        probes.len()
    );
    for pair in probes.windows(2) {
        assert!(
            pair[1].instant - pair[0].instant >= Duration::from_secs(10),
            "a probe came early"
        );
    }
    // Once the vault is well again, everything is there at the next probe.
    emulator.vault("kv-orders").throttle(None);
    read_eagerly(&references, &ids, Instant::now() + Duration::from_secs(75)).await;
    assert!(ids.iter().all(|id| references.held(id).is_some()));
    assert_eq!(references.gate(HOST), None);
}

#[tokio::test(start_paused = true)]
async fn f27_only_the_throttled_vault_pauses() {
    let (emulator, references, ids) = world(10);
    assert_eq!(read_all(&references, &ids).await, 10);
    emulator.vault("kv-shared").set_secret("smtp", "hunter2");
    let smtp = secret_id(&emulator.vault("kv-shared").secret_uri("smtp"));
    emulator
        .vault("kv-orders")
        .throttle(Throttle::closed().retry_after(30));
    let failure = references.read(&ids[0]).await.unwrap_err();
    assert_eq!(
        (failure.kind, failure.status),
        (SecretErrorKind::Throttled, Some(429))
    );
    let until = failure.retry_at.unwrap();
    assert_eq!(references.gate(HOST), Some(until));
    assert!(until >= Instant::now() + Duration::from_secs(29));
    let before = emulator.log().count(Route::vault());
    let failure = references.read(&ids[1]).await.unwrap_err();
    assert_eq!(
        (failure.kind, failure.retry_at),
        (SecretErrorKind::Throttled, Some(until))
    );
    assert_eq!(
        emulator.log().count(Route::vault()),
        before,
        "no request through a closed gate"
    );
    assert_eq!(text(&references.read(&smtp).await.unwrap()), "hunter2");
    let error = failure.to_error(&ids[1], &setting("k", "x"), true);
    assert!(error.is_transient() && error.retry_after().is_some());
}

/// A vault that begins to throttle while sixteen reads are under way is not asked sixteen times over.
#[tokio::test(start_paused = true)]
async fn t13_a_wish_is_capped_and_a_429_mid_way_counts_once() {
    let (emulator, references, ids) = world(100);
    assert_eq!(read_all(&references, &ids).await, 100);
    emulator.log().clear();
    emulator
        .vault("kv-orders")
        .throttle(Throttle::new(40, Duration::from_secs(60)).retry_after(3600));
    let read = read_all(&references, &ids).await;
    assert!((1..=40).contains(&read), "{read} reads");
    let refused = emulator.log().count(Route::secret().status(429));
    assert!(refused <= 16, "{refused} refusals");
    // Ten minutes, and the random part by which a fleet spreads.
    let until = references.gate(HOST).unwrap() - Instant::now();
    assert!(
        until <= Duration::from_secs(630),
        "an hour is not waited for: {until:?}"
    );
    assert!(until > Duration::from_secs(590));
}

/// What a fleet has under way when the vault's limit is reached, it has in vain.
#[tokio::test(start_paused = true)]
async fn n4c_a_vault_that_is_not_known_yet_is_asked_by_few() {
    for limit in [2, 4, 6] {
        let (emulator, references, ids) = world(100);
        let throttle = Throttle::new(limit, Duration::from_secs(60));
        emulator.vault("kv-orders").throttle(throttle);
        assert_eq!(read_all(&references, &ids).await, limit as usize);
        let refused = emulator.log().count(Route::secret().status(429));
        assert!((1..=3).contains(&refused), "{refused} after {limit}");
    }
    let (emulator, references, ids) = world(100);
    assert_eq!(read_all(&references, &ids).await, 100);
    assert_eq!(emulator.log().high_water(None), 16, "once it is known");
}

#[tokio::test(start_paused = true)]
async fn n4c_clients_that_are_refused_together_come_back_one_by_one() {
    let mut fleet: Vec<_> = (0..40).map(|_| world(1)).collect();
    for most in [30.0, 60.0, 60.0] {
        let mut waits = Vec::new();
        for (emulator, references, ids) in &mut fleet {
            let vault = emulator.vault("kv-orders");
            vault.throttle(Throttle::closed().retry_after(10));
            let failure = references.read(&ids[0]).await.unwrap_err();
            let wait = failure.retry_at.unwrap() - Instant::now();
            waits.push(wait.as_secs_f64() - 10.0);
        }
        waits.sort_by(f64::total_cmp);
        assert!(waits[0] >= 0.0 && waits[39] <= most, "{waits:?}");
        assert!(waits[3] < most / 2.0 && waits[36] > most / 2.0, "{waits:?}");
        // Refusals that come soon after each other are one throttling.
        tokio::time::sleep(Duration::from_secs(75)).await;
    }
    tokio::time::sleep(Duration::from_secs(200)).await;
    for (_, references, ids) in &fleet {
        let failure = references.read(&ids[0]).await.unwrap_err();
        let wait = failure.retry_at.unwrap() - Instant::now();
        assert!(wait <= Duration::from_secs(40), "a new one: {wait:?}");
    }
}

/// Sixteen timeouts one after another would be a minute and a half; one probe speaks for all.
#[tokio::test(start_paused = true)]
async fn a_vault_that_hangs_costs_one_timeout() {
    let (emulator, references, ids) = world(100);
    emulator.faults().script(Route::vault(), Fault::Hang, None);
    let start = Instant::now();
    assert_eq!(read_all(&references, &ids).await, 0);
    assert!(
        start.elapsed() <= Duration::from_secs(11),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(emulator.log().count(Route::vault()), 1);
    // It recovers with the very next pass.
    emulator.faults().clear();
    assert_eq!(read_all(&references, &ids).await, 100);
}

#[tokio::test(start_paused = true)]
async fn a_broken_connection_is_tried_once_more() {
    let (emulator, references, ids) = world(20);
    assert_eq!(read_all(&references, &ids).await, 20);
    emulator.log().clear();
    emulator
        .faults()
        .script(Route::secret(), Fault::Drop, Some(1));
    assert_eq!(read_all(&references, &ids).await, 20);
    assert_eq!(emulator.log().count(Route::secret()), 21);
    emulator.faults().script(Route::secret(), Fault::Drop, None);
    emulator.log().clear();
    assert_eq!(read_all(&references, &ids).await, 0);
    assert!(
        emulator.log().count(Route::secret()) <= 34,
        "{}",
        emulator.log().count(Route::secret())
    );
    let failure = references.read(&ids[0]).await.unwrap_err();
    assert_eq!(failure.kind, SecretErrorKind::Unreachable);
}

#[tokio::test(start_paused = true)]
async fn an_error_of_the_vault_is_not_repeated() {
    let (emulator, references, ids) = world(100);
    emulator
        .faults()
        .script(Route::secret(), Fault::Answer(Fault::status(500)), None);
    assert_eq!(read_all(&references, &ids).await, 0);
    assert_eq!(emulator.log().count(Route::secret()), 1);
    let failure = references.read(&ids[0]).await.unwrap_err();
    assert_eq!(
        (failure.kind, failure.status),
        (SecretErrorKind::Unreachable, Some(500))
    );
    assert_eq!(references.gate(HOST), None, "a 500 does not close the gate");
    emulator.faults().clear();
    let busy = Fault::Answer(Fault::status(503).retry_after_ms(2500));
    emulator.faults().script(Route::secret(), busy, Some(1));
    let failure = references.read(&ids[0]).await.unwrap_err();
    assert_eq!(failure.kind, SecretErrorKind::Unreachable);
    assert!(references.gate(HOST).unwrap() >= Instant::now() + Duration::from_millis(2400));
}

#[tokio::test(start_paused = true)]
async fn f43_a_refused_token_is_replaced_once() {
    let (emulator, references, ids) = world(20);
    assert_eq!(read_all(&references, &ids).await, 20);
    assert_eq!(emulator.credential().calls(), 1);
    tokio::time::advance(Duration::from_secs(60)).await;
    emulator.identity().revoke_tokens();
    assert_eq!(read_all(&references, &ids).await, 20);
    assert_eq!(emulator.credential().calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_token_refused_for_good_is_no_hot_loop() {
    let (emulator, references, ids) = world(20);
    emulator
        .faults()
        .script(Route::secret(), Fault::Answer(Fault::status(401)), None);
    for _ in 0..10 {
        assert_eq!(read_all(&references, &ids).await, 0);
    }
    let failure = references.read(&ids[0]).await.unwrap_err();
    assert_eq!(
        (failure.kind, failure.status),
        (SecretErrorKind::Credential, Some(401))
    );
    assert!(
        emulator.credential().calls() <= 2,
        "{} tokens",
        emulator.credential().calls()
    );
    // One probe per pass, one more for the one new token, and the challenges.
    assert!(
        emulator.log().count(Route::secret()) <= 14,
        "{}",
        emulator.log().count(Route::secret())
    );
}
