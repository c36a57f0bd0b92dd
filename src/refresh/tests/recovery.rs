//! N3: how long after an outage the new snapshot is there. The worst of 1,000 seeds counts, not the mean.

use std::time::Duration;

use super::backend::{Fault, Setting, secret};
use super::world::{DEADLINE, World, content, schedule, secs};

const SEEDS: u64 = 1_000;
const BOUND: Duration = Duration::from_secs(75);

/// Runs all seeds on all cores and gives the longest recovery.
fn worst(recover: impl Fn(u64) -> Duration + Sync) -> Duration {
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let longest = |thread: u64| {
        let seeds = (thread..SEEDS).step_by(usize::try_from(threads).unwrap());
        seeds.map(&recover).max().unwrap_or_default()
    };
    std::thread::scope(|scope| {
        let longest = &longest;
        let runs: Vec<_> = (0..threads)
            .map(|n| scope.spawn(move || longest(n)))
            .collect();
        runs.into_iter()
            .map(|run| run.join().unwrap())
            .max()
            .unwrap()
    })
}

/// The store is gone for a time, and changes meanwhile.
fn recovery(seed: u64, outage: Duration, fault: Fault) -> Duration {
    let mut world = World::new(&schedule(), seed, content(2, 0));
    world.run(secs(100));
    world.store.fault = fault;
    world.run(outage);
    world.write(0, Setting::Plain(7));
    world.store.fault = Fault::None;
    let took = world.run_until(secs(3_600), World::is_current);
    took.expect("recovery within the hour")
}

fn store_recovery(outage: Duration, fault: Fault) -> Duration {
    worst(|seed| recovery(seed, outage, fault))
}

/// Store and vault are gone together; the store gets a reference to a secret that was never read, and one is rotated.
fn whole_recovery(outage: Duration) -> Duration {
    worst(|seed| {
        let mut world = World::new(&schedule(), seed, content(2, 1));
        world.run(secs(100));
        world.store.fault = Fault::Down;
        world.vault(0).fault = Fault::Broken;
        world.run(outage);
        world.rotate(secret(0, 0));
        world.rotate(secret(0, 5));
        world.write(10, Setting::Reference(secret(0, 5)));
        world.store.fault = Fault::None;
        world.vault(0).fault = Fault::None;
        let took = world.run_until(secs(3_600), World::is_current);
        took.expect("recovery within the hour")
    })
}

fn within_the_bound(what: &str, took: Duration) {
    println!("{what}: {took:?} at most");
    assert!(took <= BOUND, "{what}: {took:?}");
}

#[test]
fn n3_recovery_after_a_minute() {
    for fault in [Fault::Down, Fault::Broken] {
        let took = store_recovery(secs(60), fault);
        within_the_bound(&format!("a minute of {fault:?}"), took);
    }
}

#[test]
fn n3_recovery_from_silence_waits_for_the_last_deadline_too() {
    let took = store_recovery(secs(60), Fault::Hangs);
    assert!(took <= BOUND + DEADLINE, "{took:?}");
}

#[test]
fn n3_recovery_after_an_hour() {
    for fault in [Fault::Down, Fault::Broken] {
        let took = store_recovery(secs(3_600), fault);
        within_the_bound(&format!("an hour of {fault:?}"), took);
    }
    let took = whole_recovery(secs(3_600));
    within_the_bound("an hour, with the vault", took);
}

#[test]
fn n3_recovery_after_a_day() {
    let took = worst(|seed| {
        let fault = [Fault::Down, Fault::Broken][usize::from(seed % 2 == 0)];
        recovery(seed, secs(86_400), fault)
    });
    within_the_bound("a day", took);
}

#[test]
fn a_first_load_that_failed_is_made_up_for() {
    let took = worst(|seed| {
        let start = crate::time::Instant::now();
        let mut world = World::unloaded(&schedule(), seed, content(3, 3), start);
        world.store.fault = Fault::Down;
        world.run(secs(1_000));
        assert!(world.published.is_none());
        world.store.fault = Fault::None;
        let took = world.run_until(secs(3_600), World::is_current);
        took.expect("recovery within the hour")
    });
    within_the_bound("a first load that failed", took);
}
