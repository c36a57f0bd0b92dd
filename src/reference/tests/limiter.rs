//! One bound for the reads of several configurations.

use std::time::Duration;

use config_azure_emulator::{Emulator, HostKind, Route};
use futures::future::join_all;

use super::*;
use crate::ReadLimiter;
use crate::error::ErrorKind;

const VAULTS: [&str; 3] = ["kv-a00", "kv-b00", "kv-c00"];
const HANDLES: usize = 4;

/// Three vaults of fifty secrets each, which answer after 10 ms.
fn world() -> (Emulator, Vec<ReferenceId>) {
    let builder = VAULTS
        .iter()
        .fold(Emulator::builder(), |builder, name| builder.vault(*name));
    let emulator = builder.in_memory();
    emulator.latency(HostKind::Vault, Duration::from_millis(10));
    let ids = (0..150).map(|number| {
        let vault = emulator.vault(VAULTS[number % VAULTS.len()]);
        vault.set_secret(&format!("s-{number}"), format!("value-{number}"));
        secret_id(&vault.secret_uri(&format!("s-{number}")))
    });
    let ids = ids.collect();
    (emulator, ids)
}

/// Everything is read by several configurations at once. Gives the most requests in flight in all and at one vault.
async fn high_water(options: KeyVaultOptions) -> (usize, usize) {
    let (emulator, ids) = world();
    let handles = [(); HANDLES].map(|()| references(&emulator, options.clone()));
    let reads = handles
        .iter()
        .flat_map(|references| ids.iter().map(|id| references.read(id)));
    let read = join_all(reads).await;
    assert!(read.iter().all(Result::is_ok));
    let log = emulator.log();
    assert_eq!(log.count(Route::secret()), HANDLES * ids.len());
    let of_vault = |name| log.high_water(Some(&format!("{name}.vault.azure.net")));
    let vaults = VAULTS.map(of_vault);
    (log.high_water(None), vaults.into_iter().max().unwrap())
}

#[tokio::test(start_paused = true)]
async fn handles_that_share_a_limiter_share_its_bounds() {
    let limiter = ReadLimiter::new(5, 12);
    let shared = high_water(KeyVaultOptions::new().read_limiter(limiter)).await;
    assert_eq!(shared, (12, 5));
    let apart = high_water(KeyVaultOptions::new().concurrency(5, 12)).await;
    assert!(apart.0 > 24 && apart.1 > 10, "{apart:?}");
}

/// A read that is dropped, and a configuration that is, give back what they took.
#[tokio::test(start_paused = true)]
async fn a_place_is_given_back_by_who_goes() {
    let (emulator, ids) = world();
    let options = KeyVaultOptions::new().read_limiter(ReadLimiter::new(1, 1));
    for _ in 0..3 {
        let gone = references(&emulator, options.clone());
        let reads = join_all(ids.iter().map(|id| gone.read(id)));
        let cut = tokio::time::timeout(Duration::from_millis(35), reads).await;
        assert!(cut.is_err());
    }
    let last = references(&emulator, options);
    let read = last.read(&ids[0]).await.unwrap();
    assert_eq!(text(&read), "value-0");
    assert_eq!(emulator.log().in_flight(), 0);
}

/// A vault that hangs takes its own places, for as long as the timeout says, and none of another vault.
#[tokio::test(start_paused = true)]
async fn a_vault_that_hangs_leaves_the_places_of_others() {
    let (emulator, ids) = world();
    let hangs = Route::vault().host("kv-a00.vault.azure.net");
    emulator
        .faults()
        .script(hangs, config_azure_emulator::Fault::Hang, None);
    let options = KeyVaultOptions::new().read_limiter(ReadLimiter::new(2, 4));
    let handles = [(); 2].map(|()| references(&emulator, options.clone()));
    let stuck = join_all(handles.iter().map(|references| references.read(&ids[0])));
    let well = async {
        let of_others = ids.iter().skip(1).step_by(3);
        let read = join_all(of_others.map(|id| handles[0].read(id)));
        let within = tokio::time::timeout(Duration::from_secs(5), read);
        within.await.expect("beside the vault that hangs")
    };
    let (stuck, well) = tokio::join!(stuck, well);
    assert!(stuck.iter().all(Result::is_err) && well.iter().all(Result::is_ok));
}

#[test]
fn bounds_of_nothing_are_refused_and_absurd_ones_are_not() {
    for (per_vault, in_all) in [(0, 1), (1, 0)] {
        let own = KeyVaultOptions::new().concurrency(per_vault, in_all);
        let shared = KeyVaultOptions::new().read_limiter(ReadLimiter::new(per_vault, in_all));
        for options in [own, shared] {
            let error = options.validate().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidOption);
        }
    }
    let limiter = ReadLimiter::new(usize::MAX, usize::MAX);
    let shown = format!("{:?}", KeyVaultOptions::new().read_limiter(limiter.clone()));
    assert!(shown.contains("ReadLimiter"), "{shown}");
    assert!(
        limiter
            .of_vault("kv-orders.vault.azure.net")
            .available_permits()
            > 1 << 30
    );
}
