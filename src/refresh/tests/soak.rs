//! N10: thirty virtual days per seed. Each day has hours of trouble, and what the services hold is published at its end.
//!
//! A slice of few seeds and days runs with the other tests. The full run:
//! `CONFIG_AZURE_SEEDS=64 cargo test --release --lib thirty_days -- --nocapture`.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::traces::Trace;
use super::world::secs;

const DAYS: u64 = 30;
/// Seeds, and days of each, without the environment variable.
const SLICE: (u64, u64) = (4, 1);
const HOUR: u64 = 3_600;

/// What all seeds did together.
#[derive(Default)]
struct Totals {
    checks: AtomicUsize,
    reads: AtomicUsize,
    publications: AtomicUsize,
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the number of seeds is the tester's choice"
)]
fn n10_thirty_days_break_no_invariant() {
    let seeds = std::env::var("CONFIG_AZURE_SEEDS").ok();
    let seeds = seeds.and_then(|text| text.parse().ok());
    let (seeds, days) = seeds.map_or(SLICE, |seeds: u64| (seeds, DAYS));
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let totals = Totals::default();
    std::thread::scope(|scope| {
        for thread in 0..threads.min(seeds) {
            let (mine, totals) = ((thread..seeds).step_by(threads as usize), &totals);
            scope.spawn(move || mine.for_each(|seed| run(seed, days, totals)));
        }
    });
    let total = |count: AtomicUsize| count.into_inner();
    println!(
        "{seeds} seeds, days of each {days}: {} checks, {} reads, {} publications",
        total(totals.checks),
        total(totals.reads),
        total(totals.publications)
    );
}

fn run(seed: u64, days: u64, totals: &Totals) {
    let run = std::panic::catch_unwind(|| {
        let mut trace = Trace::at(seed, &[30, 30, 30, 300], &[60, 300, 300]);
        (0..days).for_each(|_| day(&mut trace, totals));
    });
    assert!(run.is_ok(), "seed {seed} breaks an invariant");
}

fn day(trace: &mut Trace, totals: &Totals) {
    let began = trace.world.now;
    let trouble = secs(trace.rng.u64(HOUR..20 * HOUR));
    while trace.world.now < began + trouble {
        trace.step();
    }
    trace.recover();
    // A step may have stood still for longer than the rest of the day.
    let rest = (began + secs(24 * HOUR)).saturating_duration_since(trace.world.now);
    trace.world.run(rest);
    let seen = &trace.world.observer;
    for (total, count) in [
        (&totals.checks, seen.checks.len()),
        (&totals.reads, seen.reads.len()),
        (&totals.publications, seen.publications.len()),
    ] {
        total.fetch_add(count, Ordering::Relaxed);
    }
    trace.world.forget_the_past();
}
