//! N9: memory does not grow with rotations.

use std::collections::BTreeMap;
use std::time::Duration;

use config::Config;
use config_azure::{InMemoryStore, Live, RefreshOptions, Secret};
use serde::Deserialize;

use crate::{alone, heap, kibibytes, times};

const SECRETS: u64 = 100;
const SLICE: u64 = 60;
const KIB: usize = 1024;
/// Of so many rounds the one counts in which the thread that rebuilds had let go of the old value.
const WINDOW: u64 = 10;

#[derive(Deserialize)]
struct Settings {
    secrets: BTreeMap<String, Secret>,
}

fn write(store: &InMemoryStore, round: u64) {
    for n in 0..SECRETS {
        store.set_secret(&format!("secrets:s{n}"), format!("{n}-{round:08}"));
    }
}

/// `CONFIG_AZURE_ROTATIONS=100000 cargo test --release --test resources rotations -- --nocapture`
#[test]
fn n9_rotations_leave_nothing_behind() {
    alone(true, rotations_leave_nothing_behind());
}

async fn rotations_leave_nothing_behind() {
    let rounds = times("CONFIG_AZURE_ROTATIONS", SLICE);
    let warm = (rounds / 2).min(1_000);
    let (builder, store) = config_azure::in_memory();
    write(&store, 0);
    let options = RefreshOptions::new().disabled();
    let azure = builder.refresh(options).load().await.expect("a load");
    let layers = Config::builder().add_source(azure.clone());
    let mut live: Live<Settings> = azure.live(layers).await.expect("a live value");
    let (mut before, mut resident) = (usize::MAX, 0);
    for round in 1..=rounds {
        write(&store, round);
        // A vault is not asked again sooner.
        tokio::time::advance(Duration::from_secs(4)).await;
        assert!(azure.refresh().await.expect("a check").is_updated());
        let value = live.changed().await.expect("a value");
        let wanted = Secret::from(format!("7-{round:08}"));
        assert_eq!(value.secrets["s7"], wanted);
        drop(value);
        if (warm..warm + WINDOW).contains(&round) {
            before = before.min(heap::alive());
            resident = kibibytes("VmRSS");
        }
    }
    assert_eq!(azure.status().generation, rounds + 1);
    let now = heap::least(before + 64 * KIB).await;
    println!(
        "{rounds} rotations of {SECRETS} secrets: {before} bytes alive after {warm}, {now} at the end; resident \
         {resident} KiB, then {} KiB",
        kibibytes("VmRSS")
    );
    assert!(now <= before + 64 * KIB, "{before}, then {now}");
}
