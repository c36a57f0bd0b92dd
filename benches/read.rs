//! What reading a snapshot costs, beside the bare `ArcSwap` under it.
//!
//! `cargo bench --bench read`. Criterion prints the times of each way to read; behind it stand the two ratios that
//! the project promises, and the allocations, which are asserted: there are none. The second round runs while a
//! refresh hangs in the store.

use std::hint::black_box;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use arc_swap::access::Access;
use config::Config;
use config_azure::{InMemoryStore, Live, RefreshOptions};
use criterion::Criterion;
use serde::Deserialize;

#[path = "read/counting.rs"]
mod counting;

use counting::allocations;

#[derive(Deserialize)]
struct Settings {
    port: u16,
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let (live, store) = runtime.block_on(start()).expect("a snapshot");
    let bare = ArcSwap::from_pointee(Settings { port: 1 });

    let mut criterion = Criterion::default()
        .configure_from_args()
        .measurement_time(Duration::from_secs(2))
        .warm_up_time(Duration::from_millis(500));
    compare(&mut criterion, "at rest", &live, &bare);
    summary("at rest", &live, &bare);

    store.hang();
    // One interval, so that a check is on its way.
    std::thread::sleep(Duration::from_millis(1_500));
    compare(&mut criterion, "while a refresh hangs", &live, &bare);
    summary("while a refresh hangs", &live, &bare);
    criterion.final_summary();
}

async fn start() -> config_azure::Result<(Live<Settings>, InMemoryStore)> {
    let (builder, store) = config_azure::in_memory();
    store.set("port", "1");
    let every = RefreshOptions::new().every(Duration::from_secs(1));
    let azure = builder.refresh(every).load().await?;
    let live = azure
        .live(Config::builder().add_source(azure.clone()))
        .await?;
    Ok((live, store))
}

fn compare(criterion: &mut Criterion, when: &str, live: &Live<Settings>, bare: &ArcSwap<Settings>) {
    let mut group = criterion.benchmark_group(when);
    let mut reader = live.reader();
    group.bench_function("Reader::load", |b| b.iter(|| black_box(reader.load().port)));
    group.bench_function("Live::load", |b| b.iter(|| black_box(live.load().port)));
    group.bench_function("Access::load", |b| {
        b.iter(|| black_box(Access::<Settings>::load(live).port));
    });
    group.bench_function("ArcSwap::load_full", |b| {
        b.iter(|| black_box(bare.load_full().port));
    });
    group.bench_function("ArcSwap::load", |b| b.iter(|| black_box(bare.load().port)));
    group.finish();
}

/// The promised figures, by the best of many short rounds in turn.
fn summary(when: &str, live: &Live<Settings>, bare: &ArcSwap<Settings>) {
    let mut reader = live.reader();
    let mut best = [f64::MAX; 3];
    let before = allocations();
    for _ in 0..200 {
        for (best, time) in best.iter_mut().zip([
            nanoseconds(|| reader.load().port),
            nanoseconds(|| live.load().port),
            nanoseconds(|| bare.load_full().port),
        ]) {
            *best = best.min(time);
        }
    }
    let allocations = allocations() - before;
    let [reader, live, bare] = best;
    println!("\n{when}:");
    println!("  Reader::load  {reader:.2} ns (promised: at most 2 ns)");
    println!(
        "  Live::load    {live:.2} ns, {:.2} x ArcSwap::load_full (promised: at most 1.2 x)",
        live / bare
    );
    println!("  allocations   {allocations} in 60 million reads\n");
    assert_eq!(allocations, 0, "reading allocates");
}

fn nanoseconds(mut read: impl FnMut() -> u16) -> f64 {
    const READS: u32 = 100_000;
    let started = Instant::now();
    for _ in 0..READS {
        black_box(read());
    }
    started.elapsed().as_secs_f64() * 1e9 / f64::from(READS)
}

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;
