//! A store of 10,000 settings on 101 pages: this library beside a hand-written walk.
//!
//! `cargo bench --bench store`
//!
//! The floor is nothing but reqwest: page after page, each parsed as JSON, no signature, no merge, no tree. Printed
//! are the medians of a cold load, of a check that finds nothing changed and of a refresh that finds one setting
//! changed, each beside the floor of the same round; then the most that is allocated during a refresh that brings
//! 10,000 new settings. Client and emulator are processes of their own. `ROUNDS` sets how often (7), `LATENCY_MS` the store's
//! latency (5).

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use config_azure_emulator::{Emulator, HostKind, Route, Setting};

#[path = "store/client.rs"]
mod client;
#[path = "store/floor.rs"]
mod floor;
#[path = "store/heap.rs"]
mod heap;

#[global_allocator]
static HEAP: heap::Heap = heap::Heap;

const SETTINGS: usize = 10_000;
const PAGES: usize = 101;
const HOST: &str = "contoso.azconfig.io";

fn main() {
    if let Some(world) = client::World::from_env() {
        return client::run(&world);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let emulator = runtime.block_on(emulator());
    let mut client = Driven::start(&emulator);
    let rounds = number("ROUNDS", 7);
    let mut figures: [Vec<f64>; 4] = Default::default();
    for round in 0..rounds {
        for (at, what) in ["floor", "load", "check", "change"].into_iter().enumerate() {
            if what == "change" {
                emulator.store("contoso").set(
                    "app:section00500:field",
                    None,
                    format!("changed {round}"),
                );
            }
            emulator.log().clear();
            figures[at].push(client.ask(what));
            assert_eq!(
                emulator.log().count(Route::store()),
                PAGES,
                "requests of {what}"
            );
        }
    }
    print(&mut figures);
    drop(client);
    print_memory(&emulator);
}

async fn emulator() -> Emulator {
    let emulator = Emulator::builder()
        .store("contoso")
        .start()
        .await
        .expect("an emulator on loopback");
    let store = emulator.store("contoso");
    store.anonymous(true);
    fill(&emulator, "a plain value of ordinary length");
    emulator.latency(
        HostKind::Store,
        Duration::from_millis(number("LATENCY_MS", 5)),
    );
    emulator
}

fn fill(emulator: &Emulator, value: &str) {
    let store = emulator.store("contoso");
    for n in 0..SETTINGS {
        store.put(Setting::new(
            format!("app:section{n:05}:field"),
            format!("{value}, number {n}"),
        ));
    }
}

fn print(figures: &mut [Vec<f64>; 4]) {
    let floor = median(&mut figures[0]);
    println!(
        "{:<34}{:>10}{:>10}{:>10}",
        "median of each, ms", "", "of floor", "goal"
    );
    let rows = [
        ("hand-written walk", 1.0),
        ("cold load", 1.15),
        ("check, nothing changed", 0.25),
        ("refresh, one changed", 0.25),
    ];
    for ((name, goal), times) in rows.into_iter().zip(figures) {
        let time = median(times);
        println!("{name:<34}{time:>10.1}{:>10.2}{goal:>10.2}", time / floor);
    }
}

/// All settings change; the peak is all that a new process has allocated at a time while it refreshes, both
/// generations among it.
fn print_memory(emulator: &Emulator) {
    let mut client = Driven::start(emulator);
    client.ask("load");
    let before = client.ask("allocated");
    let bytes: usize = emulator.store("contoso").export_kvset().len();
    fill(emulator, "another value of ordinary length");
    let peak = client.ask("memory");
    let goal = 2.5 * mebibytes(bytes) + 16.0;
    println!(
        "peak memory of a refresh of all: {peak:.1} MiB allocated, of which {before:.1} before; the settings are {:.1} MiB \
         of JSON, goal {goal:.1} MiB",
        mebibytes(bytes)
    );
    println!(
        "resident at its end, code included: {:.1} MiB",
        client.ask("resident")
    );
}

pub fn mebibytes(bytes: usize) -> f64 {
    f64::from(u32::try_from(bytes).unwrap_or(u32::MAX)) / f64::from(1 << 20)
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn number<T: std::str::FromStr>(name: &str, default: T) -> T {
    std::env::var(name)
        .ok()
        .and_then(|value| value.parse().ok())
        .unwrap_or(default)
}

/// The client process: a word in, a figure out.
struct Driven {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Driven {
    fn start(emulator: &Emulator) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        client::World::of(emulator).into_env(&mut command);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a client");
        Self {
            input: child.stdin.take().expect("its input"),
            output: BufReader::new(child.stdout.take().expect("its output")),
            child,
        }
    }

    fn ask(&mut self, what: &str) -> f64 {
        writeln!(self.input, "{what}").expect("a client that listens");
        let mut answer = String::new();
        self.output.read_line(&mut answer).expect("an answer");
        answer.trim().parse().expect("a figure")
    }
}

impl Drop for Driven {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
