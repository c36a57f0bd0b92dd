//! T12: a key is written by people and machines that this process does not know. What it costs is bounded.

use config::{Config, ConfigBuilder};
use config_azure::{AppConfiguration, AppConfigurationBuilder, Conflict, KeyCase};

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

/// So many keys in one store, and so many times the whole line.
const KEYS: usize = 1_000;
const BUILDS: usize = 200;

/// Every hostile key, and each short one with endings that nest it, index it, and write it in another Unicode form; with a name of its
/// own at the end, so that no two of them are one path. Leaf and branch may well be.
fn a_thousand() -> Vec<String> {
    const ENDINGS: [&str; 12] = [
        ":",
        ".",
        "",
        "-",
        "[0]:",
        "[0].a:",
        ":0:",
        ":A:b:",
        "\u{e9}",
        "e\u{301}",
        "\u{202e}",
        "\r\n%00\u{7f}",
    ];
    let all = hostile();
    let keys: Vec<&String> = all.iter().filter(|key| key.len() < 100).collect();
    let ending = |number: usize| ENDINGS[number / keys.len() % ENDINGS.len()];
    let of = |number: usize| format!("{}{}z{number}", keys[number % keys.len()], ending(number));
    let generated = (0..KEYS - all.len()).map(of);
    all.iter().cloned().chain(generated).collect()
}

#[test]
fn t12_a_thousand_hostile_keys_are_the_same_after_every_build() {
    alone(true, a_thousand_hostile_keys());
}

/// What comes of a load: the tree, and what is said of what was left out.
async fn outcome(builder: AppConfigurationBuilder) -> (config::Value, String) {
    let azure = builder.load().await.expect("odd keys take no load down");
    let built = Config::builder().add_source(azure.clone()).build();
    let loaded = azure.loaded().expect("a generation");
    let warnings = loaded.warnings().iter().map(|one| format!("{one}\n"));
    (built.expect("a configuration").cache, warnings.collect())
}

async fn a_thousand_hostile_keys() {
    drop(handle("warm", KeyCase::Snake).await);
    let (builder, store) = config_azure::in_memory();
    let keys = a_thousand();
    assert_eq!(keys.len(), KEYS);
    for key in &keys {
        store.set(key, "v");
    }
    let builder = builder
        .separators([":", "."])
        .on_conflict(Conflict::KeepBranch);
    let before = heap::alive();
    let capped = heap::cap(before + 64 * MIB);
    let first = outcome(builder.clone()).await;
    let cost = capped.peak() - before;
    drop(capped);
    let names = first.0.clone().into_table().expect("a table");
    assert!(names.len() > 100, "{} names", names.len());
    assert!(first.1.lines().count() > 10, "{}", first.1);
    assert!(cost <= 8 * MIB, "{cost} bytes");
    for build in 1..BUILDS {
        let again = outcome(builder.clone()).await;
        assert!(again == first, "build {build} is another one");
    }
    println!("a thousand hostile keys cost at most {} KiB", cost / 1024);
}
