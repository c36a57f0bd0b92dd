//! A container with little memory.

use std::collections::BTreeMap;

use config::Config;
use config_azure::Live;
use serde::Deserialize;

use crate::{alone, heap};

const MIB: usize = 1 << 20;

#[derive(Deserialize)]
struct Settings {
    texts: BTreeMap<String, String>,
}

#[test]
fn f84_a_mebibyte_is_loaded_and_refreshed_within_64() {
    alone(true, a_mebibyte_is_loaded_and_refreshed_within_64());
}

async fn a_mebibyte_is_loaded_and_refreshed_within_64() {
    let (builder, store) = config_azure::in_memory();
    let text = "t".repeat(8 * 1024);
    for n in 0..128 {
        store.set(&format!("texts:t{n}"), &text);
    }
    let capped = heap::cap(64 * MIB);
    let azure = builder.load().await.expect("a load");
    let layers = Config::builder().add_source(azure.clone());
    let mut live: Live<Settings> = azure.live(layers).await.expect("a live value");
    let size: usize = live.load().texts.values().map(String::len).sum();
    assert_eq!(size, MIB);
    store.set("texts:t0", "another");
    assert_eq!(
        live.changed().await.expect("a value").texts["t0"],
        "another"
    );
    println!(
        "1 MiB of settings: at most {} KiB alive",
        capped.peak() / 1024
    );
    assert!(capped.peak() > 3 * MIB, "the allocator counts");
}
