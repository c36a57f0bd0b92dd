//! T12: a key is written by people and machines that this process does not know. What it costs is bounded.

use config::{Config, ConfigBuilder};
use config_azure::{AppConfiguration, KeyCase};

use crate::{alone, heap};

const MIB: usize = 1 << 20;

fn hostile() -> Vec<String> {
    let fixed = [
        "a[9999999]",
        "a[-9999999]",
        "a[18446744073709551616]",
        "a[0][0][0][9999999]",
        "hosts:9999999",
        "hosts:0:9999999",
        "hosts:4294967296",
        ".",
        "..",
        "a..b",
        ":::::::::::",
        "\u{202e}evil",
        "' OR 1=1",
    ];
    let long = ["x:".repeat(5_000), "k".repeat(10_000), "K-".repeat(5_000)];
    let fixed = fixed.into_iter().map(str::to_owned);
    fixed.chain(long).collect()
}

async fn handle(key: &str, case: KeyCase) -> AppConfiguration {
    let (builder, store) = config_azure::in_memory();
    store.set(key, "v");
    store.set("good", "v");
    let loaded = builder.key_case(case).separators([":", "."]).load().await;
    loaded.expect("one odd key takes no load down")
}

#[test]
fn t12_a_hostile_key_costs_at_most_eight_mebibytes() {
    alone(true, hostile_keys());
}

async fn hostile_keys() {
    // What the first load of a process allocates for good is no key's fault.
    drop(handle("warm", KeyCase::Snake).await);
    let mut most = 0;
    for key in hostile() {
        for case in [KeyCase::Snake, KeyCase::Lower, KeyCase::Preserve] {
            let before = heap::alive();
            let capped = heap::cap(before + 64 * MIB);
            let azure = handle(&key, case).await;
            let sync = Config::builder().add_source(azure.clone()).build();
            let layers = ConfigBuilder::<config::builder::AsyncState>::default();
            let live = layers.add_async_source(azure.clone()).build().await;
            let [sync, live] = [sync, live].map(|built| built.expect("both builders"));
            assert_eq!(sync.get_string("good").expect("the other key"), "v");
            assert_eq!(sync.cache, live.cache, "sync and async give one tree");
            let cost = capped.peak() - before;
            assert!(cost <= 8 * MIB, "{cost} bytes for {:.20?}", key);
            most = most.max(cost);
        }
    }
    println!("a hostile key costs at most {} KiB", most / 1024);
}
