//! The arithmetic of `docs/fleet.md`, and the library's own requests against it.

use std::time::Duration;

use config_azure::{KeyVaultOptions, RefreshOptions};
use config_azure_emulator::{Fault, Route};
use tokio::time::{sleep, timeout};

use crate::support;

#[path = "../../examples/fleet/simulation.rs"]
mod simulation;

use simulation::{Fleet, Report};

/// The formula of the store.
fn store_requests(instances: u64, pages: u64, interval: u64) -> u64 {
    instances * pages * 3_600 / interval
}

/// The formula of a vault.
fn vault_reads(instances: u64, references: u64, interval: u64) -> u64 {
    instances * references * 10 / interval
}

/// The numbers of a row.
fn numbers(row: &str) -> Vec<u64> {
    let cells = row.trim().trim_matches('|').split('|');
    let number = |cell: &str| -> u64 {
        let digits = cell.trim().trim_end_matches(" %");
        digits.parse().expect("a number")
    };
    cells.map(number).collect()
}

/// The numbers of a table, row by row.
fn table(name: &str) -> Vec<Vec<u64>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/fleet.md");
    let document = std::fs::read_to_string(path).expect("docs/fleet.md");
    let (_, rest) = document
        .split_once(&format!("<!-- {name} -->"))
        .expect("the table's start");
    let (table, _) = rest
        .split_once(&format!("<!-- /{name} -->"))
        .expect("the table's end");
    let rows = table.lines().filter(|line| line.starts_with('|')).skip(2);
    let rows: Vec<Vec<u64>> = rows.map(numbers).collect();
    assert!(rows.len() >= 4);
    rows
}

#[test]
fn n4d_the_table_of_the_store_follows_from_the_formula() {
    let quotas_per_day = [1_000, 6_000 * 24, 30_000 * 24];
    for row in table("store") {
        let [interval, pages, each, fleets @ ..] = row.as_slice() else {
            panic!("{row:?}")
        };
        assert_eq!(*each, store_requests(1, *pages, *interval), "{row:?}");
        assert_eq!(fleets.len(), quotas_per_day.len());
        for (fleet, quota) in fleets.iter().zip(quotas_per_day) {
            let day = |fleet| 24 * store_requests(fleet, *pages, *interval);
            assert!(day(*fleet) <= quota, "{row:?}: {fleet}");
            assert!(
                day(fleet + 1) > quota,
                "{row:?}: room for more than {fleet}"
            );
        }
    }
}

#[test]
fn n4d_the_table_of_the_vaults_follows_from_the_formula() {
    for row in table("vault") {
        let [instances, references, interval, reads, share] = row[..] else {
            panic!("{row:?}")
        };
        assert_eq!(
            reads,
            vault_reads(instances, references, interval),
            "{row:?}"
        );
        assert_eq!(share, reads * 100 / 4_000, "{row:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn n4d_the_library_asks_as_often_as_the_formula_says() {
    let emulator = support::world_in_memory();
    let store = emulator.store("contoso");
    for number in 0..250 {
        store.set(&format!("many:{number}"), None, "x");
    }
    let azure = support::in_memory(&emulator)
        .refresh(RefreshOptions::new().every(Duration::from_secs(60)))
        .key_vault(KeyVaultOptions::new().refresh_interval(Duration::from_secs(300)))
        .load()
        .await
        .expect("a load");
    // 254 settings are three pages; each of the two vaults has one reference.
    emulator.log().clear();
    let hours = 10;
    sleep(Duration::from_secs(hours * 3_600)).await;
    let asked = emulator.log().count(Route::store()) as u64;
    let expected = hours * store_requests(1, 3, 60);
    assert!(asked.abs_diff(expected) <= 2 * 3, "{asked} of {expected}");
    let read = emulator.log().count(Route::secret()) as u64;
    let expected = hours * 360 * vault_reads(3_600, 2, 300) / 3_600;
    assert!(read.abs_diff(expected) <= 2 * 2, "{read} of {expected}");
    azure.shutdown().await;
}

/// What `cargo run --release --example fleet -- 1000 50` prints, with a twenty-fifth of the clients on a vault that is
/// smaller by as much.
async fn start_at_once(retry_after: bool) -> (Fleet, Report) {
    let fleet = Fleet {
        clients: 40,
        references: 50,
        limit: Fleet::limit_in_proportion(40, 50),
        retry_after,
        refresh: false,
        deadline: Duration::from_secs(300),
        seed: 1,
    };
    assert_eq!(fleet.limit, 160);
    assert_eq!(fleet.shortest(), Duration::from_secs(125));
    let report = simulation::run(&fleet).await;
    assert_eq!(report.failures, &[] as &[String], "too late");
    assert_eq!(report.ready.len(), fleet.clients);
    assert!(report.median() < report.last());
    let reads: usize = report.windows.iter().map(|(served, _)| served).sum();
    assert_eq!(reads, fleet.clients * fleet.references, "each read once");
    let requests = report.starting;
    assert_eq!(requests.served, reads);
    assert_eq!(
        (requests.store, requests.challenges),
        (fleet.clients, fleet.clients)
    );
    assert_eq!(report.running.total(), 0);
    (fleet, report)
}

/// The whole fleet of 1,000 stays below 1.15; forty clients leave more to chance.
#[tokio::test(start_paused = true)]
async fn n4c_a_fleet_that_starts_at_once_wastes_few_requests() {
    for retry_after in [true, false] {
        let (fleet, report) = start_at_once(retry_after).await;
        let total = report.starting.total();
        assert!(
            total * 100 <= fleet.floor() * 120,
            "{total} requests, {} at least",
            fleet.floor()
        );
        assert!(report.last() <= Duration::from_secs(240));
    }
}

#[tokio::test(start_paused = true)]
async fn t19_a_throttled_store_is_asked_less_often_and_then_as_before() {
    let emulator = support::world_in_memory();
    let azure = support::in_memory(&emulator).load().await.expect("a load");
    let hour = Duration::from_secs(3_600);
    let busy = Fault::Answer(Fault::status(429).retry_after_ms(10_000));
    let throttled = emulator.faults().script(Route::store(), busy, None);
    emulator.log().clear();
    sleep(hour).await;
    let asked = emulator.log().matching(Route::store());
    // Every 4 minutes instead of every 30 seconds; the first few while the interval grows.
    assert!((12..=22).contains(&asked.len()), "{} checks", asked.len());
    let early = asked
        .windows(2)
        .any(|pair| pair[1].instant - pair[0].instant < Duration::from_secs(10));
    assert!(!early, "before the time that the store named");

    emulator.store("contoso").set("db:host", None, "another");
    throttled.remove();
    let mut changes = azure.changes();
    let change = timeout(Duration::from_secs(290), changes.next()).await;
    assert!(change.is_ok_and(|change| change.is_some()));
    // It comes back in steps: 4, 2 and 1 minutes, then as before.
    emulator.log().clear();
    sleep(Duration::from_secs(450)).await;
    let asked = emulator.log().count(Route::store());
    assert!((3..=6).contains(&asked), "{asked} checks on the way back");
    emulator.log().clear();
    sleep(hour).await;
    let asked = emulator.log().count(Route::store()) as u64;
    let expected = store_requests(1, 1, 30);
    assert!(asked.abs_diff(expected) <= 2, "{asked} of {expected}");
    azure.shutdown().await;
}
