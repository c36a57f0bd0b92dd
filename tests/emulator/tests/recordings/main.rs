//! The reads of recorded traffic, asked again of the emulator: its answers have the service's shape.
//!
//! For every recorded read a fresh store is furnished with what the recorded answer shows, and with decoys that it
//! must not show; then the same request must draw the same status, headers and body. What only the service can know (ETags, times, opaque tokens) is
//! compared by its form. `CONFIG_AZURE_RECORDINGS` names the folder of recordings; without it nothing is checked.

#[path = "../common/mod.rs"]
mod common;
mod compare;
mod decoys;
mod exchange;
mod furnish;

use std::collections::BTreeMap;
use std::path::Path;

use exchange::{Exchange, read_file};

const FILES: [&str; 5] = [
    "appconfig-cli-2023.json",
    "appconfig-dotnet-2020.json",
    "appconfig-java-2020.json",
    "appconfig-python-2020.json",
    "appconfig-snapshots.json",
];

#[tokio::test]
async fn recorded_reads_draw_answers_of_the_recorded_shape() {
    let Some(folder) = std::env::var_os("CONFIG_AZURE_RECORDINGS") else {
        println!("skipped: CONFIG_AZURE_RECORDINGS does not name a folder of recordings");
        return;
    };
    let (mut failures, mut decoys) = (Vec::new(), 0);
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for file in FILES {
        for exchange in read_file(&Path::new(&folder).join(file)) {
            let outcome = match replay(&exchange, &mut decoys).await {
                Ok(outcome) => outcome,
                Err(difference) => {
                    failures.push(format!(
                        "{} {}\n  {difference}",
                        exchange.method, exchange.url
                    ));
                    "different"
                }
            };
            *counts.entry((file, outcome)).or_default() += 1;
        }
    }
    for ((file, outcome), count) in &counts {
        println!("{file}: {count} {outcome}");
    }
    let replayed: usize = counts
        .iter()
        .filter(|((_, o), _)| *o == "alike")
        .map(|(_, n)| n)
        .sum();
    println!("{decoys} decoys that must not show");
    assert!(replayed > 200, "only {replayed} reads were replayed");
    assert!(decoys > 400, "only {decoys} decoys");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// What became of a recorded exchange.
async fn replay(exchange: &Exchange, decoys: &mut usize) -> Result<&'static str, String> {
    if !exchange.reads_a_store() {
        return Ok("not a read of a store");
    }
    if exchange.is_suffix_search() {
        // In 2019 the service refused `*abc`; by the grammar that is known today it is no filter at all.
        return Ok("refused suffix search, a known difference");
    }
    let (emulator, call, hidden) = furnish::world(exchange).await;
    *decoys += hidden;
    let (status, headers, body) = common::get(&emulator, &call).await;
    compare::answer(exchange, status, &headers, &body)?;
    Ok("alike")
}
