//! The arithmetic of `docs/fleet.md`, and the library's own requests against it.

use std::time::Duration;

use config_azure::{KeyVaultOptions, RefreshOptions};
use config_azure_emulator::Route;
use tokio::time::sleep;

use crate::support;

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
