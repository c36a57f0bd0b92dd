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
mod vault;
mod vault_compare;

use std::collections::BTreeMap;
use std::path::PathBuf;

use exchange::{Exchange, read_file};

const STORES: [&str; 5] = [
    "appconfig-cli-2023.json",
    "appconfig-dotnet-2020.json",
    "appconfig-java-2020.json",
    "appconfig-python-2020.json",
    "appconfig-snapshots.json",
];

const VAULTS: [&str; 4] = [
    "keyvault-keys.json",
    "keyvault-secrets-dotnet-2020.json",
    "keyvault-secrets-java-2020.json",
    "keyvault-secrets-python-2020.json",
];

/// What became of the exchanges of the files.
#[derive(Default)]
struct Report {
    counts: BTreeMap<(String, &'static str), usize>,
    failures: Vec<String>,
}

impl Report {
    fn add(&mut self, file: &str, exchange: &Exchange, outcome: Result<&'static str, String>) {
        let outcome = outcome.unwrap_or_else(|difference| {
            let Exchange { method, url, .. } = exchange;
            self.failures
                .push(format!("{method} {url}\n  {difference}"));
            "different"
        });
        *self.counts.entry((file.to_owned(), outcome)).or_default() += 1;
    }

    /// How many were alike, of which there must be this many at least.
    fn check(self, least: usize) {
        for ((file, outcome), count) in &self.counts {
            println!("{file}: {count} {outcome}");
        }
        let alike = self.counts.iter().filter(|((_, o), _)| *o == "alike");
        let replayed: usize = alike.map(|(_, n)| n).sum();
        assert!(self.failures.is_empty(), "{}", self.failures.join("\n"));
        assert!(replayed >= least, "only {replayed} reads were replayed");
    }
}

fn recordings() -> Option<PathBuf> {
    let folder = std::env::var_os("CONFIG_AZURE_RECORDINGS");
    if folder.is_none() {
        println!("skipped: CONFIG_AZURE_RECORDINGS does not name a folder of recordings");
    }
    folder.map(PathBuf::from)
}

#[tokio::test(start_paused = true)]
async fn recorded_reads_draw_answers_of_the_recorded_shape() {
    let Some(folder) = recordings() else { return };
    let (mut report, mut decoys) = (Report::default(), 0);
    for file in STORES {
        for exchange in read_file(&folder.join(file)) {
            let outcome = replay(&exchange, &mut decoys).await;
            report.add(file, &exchange, outcome);
        }
    }
    println!("{decoys} decoys that must not show");
    assert!(decoys > 400, "only {decoys} decoys");
    report.check(200);
}

#[tokio::test(start_paused = true)]
async fn recorded_reads_of_vaults_draw_answers_of_the_recorded_shape() {
    let Some(folder) = recordings() else { return };
    let mut report = Report::default();
    for file in VAULTS {
        for mut exchange in read_file(&folder.join(file)) {
            let outcome = replay_vault(&mut exchange).await;
            report.add(file, &exchange, outcome);
        }
    }
    report.check(95);
}

async fn replay_vault(exchange: &mut Exchange) -> Result<&'static str, String> {
    let shortened = vault::leave_out_certificates(exchange);
    if let Some(reason) = vault::skipped(exchange) {
        return Ok(reason);
    }
    let (emulator, call) = vault::world(exchange).await;
    let (status, headers, body) = common::get(&emulator, &call).await;
    vault_compare::answer(exchange, status, &headers, &body)?;
    Ok(if shortened {
        "alike but for keys of certificates, not emulated"
    } else {
        "alike"
    })
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
