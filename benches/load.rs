//! Cold load of 1,000 settings, 100 of them references over three vaults: this library beside a hand-written floor.
//!
//! `cargo bench --bench load`
//!
//! The floor is what one would write by hand with nothing but reqwest: pages one after another, then the vault reads
//! 64 at a time, the token at hand, no parsing of references beyond a split, no tree, no checks. Each contender runs
//! in a process of its own, in turn, against one emulator at 5 ms store and 10 ms vault latency. Printed are wall and
//! CPU time and peak memory of each, their medians, and the ratios pair by pair.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use config_azure_emulator::{Emulator, HostKind, Setting};

#[path = "load/contender.rs"]
mod contender;
#[path = "load/floor.rs"]
mod floor;
#[path = "load/ours.rs"]
mod ours;

use contender::{Sample, World};

const SETTINGS: usize = 1_000;
const REFERENCES: usize = 100;
const VAULTS: usize = 3;

fn main() {
    if let Some(world) = World::from_env() {
        return contender::run(&world);
    }
    let runs = std::env::var("RUNS")
        .ok()
        .and_then(|runs| runs.parse().ok())
        .unwrap_or(11);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(compare(runs));
}

async fn compare(runs: usize) {
    let emulator = Emulator::builder()
        .store("contoso")
        .vault("kv-0")
        .vault("kv-1")
        .vault("kv-2")
        .start()
        .await;
    let emulator = emulator.expect("an emulator on loopback");
    fill(&emulator);
    emulator.latency(HostKind::Store, Duration::from_millis(5));
    emulator.latency(HostKind::Vault, Duration::from_millis(10));
    let world = World::of(&emulator);

    let mut pairs = Vec::new();
    for run in 0..=runs {
        let floor = sample("floor", &world).await;
        emulator.log().clear();
        let ours = sample("ours", &world).await;
        if run == 0 {
            requests(&emulator);
        } else {
            pairs.push((floor, ours));
        }
    }
    print(&pairs);
}

fn fill(emulator: &Emulator) {
    let store = emulator.store("contoso");
    for n in 0..SETTINGS {
        let key = format!("app:section{:02}:field{n:04}", n / 10);
        if n % (SETTINGS / REFERENCES) == 5 {
            let vault = emulator.vault(&format!("kv-{}", n / 10 % VAULTS));
            let name = format!("secret-{n}");
            vault.set_secret(&name, format!("value of {n}"));
            store.set_reference(&key, None, &vault.secret_uri(&name));
        } else {
            store.put(Setting::new(
                &key,
                format!("a plain value, number {n}, of ordinary length"),
            ));
        }
    }
}

/// What the library asked for, so that the timings are of the right work.
fn requests(emulator: &Emulator) {
    use config_azure_emulator::Route;
    let log = emulator.log();
    println!(
        "requests: {} pages, {} secrets, {} challenges, {} tokens",
        log.count(Route::store_list()),
        log.count(Route::secret().status(200)),
        log.count(Route::challenge()),
        log.count(Route::token()),
    );
}

async fn sample(contender: &str, world: &World) -> Sample {
    let started = Instant::now();
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    world.into_env(&mut command, contender);
    let child = command.stdout(Stdio::piped()).spawn().expect("a contender");
    let output = tokio::task::spawn_blocking(move || child.wait_with_output())
        .await
        .expect("a thread");
    let output = output.expect("its output");
    assert!(
        output.status.success(),
        "{contender} failed after {:?}",
        started.elapsed()
    );
    Sample::parse(&String::from_utf8_lossy(&output.stdout))
}

fn print(pairs: &[(Sample, Sample)]) {
    println!(
        "{:<22}{:>12}{:>12}{:>10}",
        "median of each", "floor", "ours", "ratio"
    );
    row("wall ms", pairs, |sample| sample.wall_ms);
    row("cpu ms", pairs, |sample| sample.cpu_ms);
    row("peak memory MiB", pairs, |sample| sample.peak_mib);
}

fn row(name: &str, pairs: &[(Sample, Sample)], figure: impl Fn(&Sample) -> f64) {
    let floor = median(pairs.iter().map(|(floor, _)| figure(floor)));
    let ours = median(pairs.iter().map(|(_, ours)| figure(ours)));
    let ratio = median(
        pairs
            .iter()
            .map(|(floor, ours)| figure(ours) / figure(floor)),
    );
    println!("{name:<22}{floor:>12.1}{ours:>12.1}{ratio:>10.2}");
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
