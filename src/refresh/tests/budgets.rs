//! What a steady day costs, and what a throttled vault is asked.

use super::backend::{Fault, Setting, pinned, secret};
use super::world::{World, content, schedule, secs};
use crate::refresh::state::{Event, Schedule, SecretId};

const DAY: u64 = 86_400;

#[test]
fn n4b_a_steady_day_has_one_check_per_interval_and_not_one_more() {
    for seed in 0..8 {
        let mut world = World::new(&schedule(), seed, content(3, 0));
        world.run(secs(DAY));
        let checks = world.observer.checks.len();
        assert!((2_879..=2_880).contains(&checks), "seed {seed}: {checks}");
        assert_eq!(world.observer.publications.len(), 1);
        let mut gaps = world.observer.checks.windows(2).map(|two| two[1] - two[0]);
        assert!(gaps.all(|gap| gap >= secs(24) && gap <= secs(36)));
    }
}

#[test]
fn n4b_each_secret_is_read_once_per_interval_and_a_version_never() {
    for seed in 0..4 {
        let mut start = content(1, 20);
        for n in 0..5 {
            start.insert(n + 10, Setting::Reference(pinned(0, n)));
        }
        let mut world = World::new(&schedule(), seed, start);
        world.run(secs(DAY));
        let reads = world.observer.reads.len();
        assert!(
            (20 * 287..=20 * 288).contains(&reads),
            "seed {seed}: {reads}"
        );
        for interval in 0..DAY / 300 {
            let from = world.start + secs(interval * 300);
            let within = world.observer.reads_within(from, secs(300));
            assert!(within <= 20, "{within} reads in interval {interval}");
        }
        let busiest = (0..DAY / 30).map(|part| {
            let from = world.start + secs(part * 30);
            world.observer.reads_within(from, secs(30))
        });
        assert!(busiest.max() <= Some(4), "the reads are not spread");
    }
}

#[test]
fn an_interval_of_one_second_is_kept_too() {
    let schedule = Schedule {
        idle: secs(1),
        ..schedule()
    };
    let mut world = World::new(&schedule, 1, content(1, 10));
    world.run(secs(600));
    let reads = world.observer.reads.len();
    assert!((5_990..=6_000).contains(&reads), "{reads}");
}

/// How often one secret was read within a span that begins now.
fn reads_of(world: &mut World, id: SecretId, span: u64) -> usize {
    let from = world.now;
    world.run(secs(span));
    let reads = world.observer.reads.iter();
    reads
        .filter(|(at, of)| *of == id && *at > from && *at <= world.now)
        .count()
}

#[test]
fn a_reference_may_have_an_interval_of_its_own() {
    for seed in 0..4 {
        let mut world = World::new(&schedule(), seed, content(1, 0));
        world.intervals = [(11, secs(60)), (12, secs(3_600)), (13, secs(60))].into();
        // 13 and 14 share a secret, which is read at the shorter of their intervals.
        for (key, name) in [(10, 0), (11, 1), (12, 2), (13, 3), (14, 3)] {
            world.rotate_new(secret(0, name));
            world.write(key, Setting::Reference(secret(0, name)));
        }
        world.run(secs(100));
        let from = world.now;
        world.run(secs(DAY));
        for (name, every) in [(0, 300), (1, 60), (2, 3_600), (3, 60)] {
            let reads = world.observer.reads.iter();
            let own = reads.filter(|(at, id)| *id == secret(0, name) && *at > from);
            let (count, planned) = (own.count(), usize::try_from(DAY / every).unwrap());
            assert!(planned.abs_diff(count) <= 1, "seed {seed}: {name}: {count}");
        }
    }
}

#[test]
fn an_interval_that_changes_is_kept_from_the_next_read_on() {
    let mut world = World::new(&schedule(), 1, content(1, 0));
    world.intervals = [(11, secs(10)), (12, secs(3_600))].into();
    let id = secret(0, 1);
    world.rotate_new(id);
    world.write(10, Setting::Reference(id));
    world.run(secs(100));
    assert!((11..=13).contains(&reads_of(&mut world, id, 3_600)));

    world.write(11, Setting::Reference(id));
    world.run(secs(100));
    assert!((359..=361).contains(&reads_of(&mut world, id, 3_600)));

    // What was planned at the old interval is read once more, so that no date of the secret is overlooked.
    world.write(12, Setting::Reference(id));
    for key in [10, 11] {
        let now = world.now;
        world.store.write(now, |content| _ = content.remove(&key));
    }
    world.run(secs(100));
    assert!(reads_of(&mut world, id, 10 * 3_600) <= 11);
}

#[test]
fn a_secret_that_is_about_to_expire_is_not_forgotten_by_a_longer_interval() {
    let mut world = World::new(&schedule(), 1, content(1, 0));
    world.intervals = [(11, secs(DAY))].into();
    let id = secret(0, 1);
    world.rotate_new(id);
    world.write(10, Setting::Reference(id));
    world.run(secs(100));
    world.vault(0).expires_in = Some(secs(7_200));
    world.write(11, Setting::Reference(id));
    let now = world.now;
    world.store.write(now, |content| _ = content.remove(&10));
    world.run(secs(400));
    assert_eq!(reads_of(&mut world, id, 3_600), 0);
    assert!(reads_of(&mut world, id, 3_600) >= 1, "before it expires");
}

#[test]
fn feature_flags_have_their_own_interval() {
    let schedule = Schedule {
        flags_every: Some(secs(300)),
        ..schedule()
    };
    let mut world = World::new(&schedule, 3, content(3, 0));
    world.write(100, Setting::Plain(1));
    world.run(secs(3_600));
    let checks = world.observer.checks.len();
    assert!((130..=132).contains(&checks), "{checks}");
    assert!(world.is_current());
}

/// 100 references in one vault that asks for 10 seconds, for ten minutes.
fn throttled_reads(world: &mut World) -> usize {
    world.vault(0).fault = Fault::Throttles(Some(secs(10)));
    let from = world.now;
    world.run(secs(600));
    world.observer.reads_within(from, secs(600))
}

#[test]
fn n4a_a_throttled_vault_is_probed_once_per_window() {
    for seed in 0..20 {
        let mut world = World::new(&schedule(), seed, content(1, 100));
        let reads = throttled_reads(&mut world);
        assert!(reads <= 66, "seed {seed}: {reads}");
        world.vault(0).fault = Fault::None;
        world.rotate(secret(0, 50));
        let took = world.run_until(secs(600), World::is_current);
        assert!(took.is_some_and(|took| took <= secs(15)), "{took:?}");
    }
}

#[test]
fn n4a_nor_is_it_asked_more_for_secrets_that_were_never_read() {
    for seed in 0..20 {
        let mut world = World::new(&schedule(), seed, content(1, 0));
        let now = world.now;
        for n in 0..100 {
            world.vault(0).rotate(now, n);
            world.write(200 + n, Setting::Reference(secret(0, n)));
        }
        let reads = throttled_reads(&mut world);
        assert!(reads <= 66, "seed {seed}: {reads}");
        world.vault(0).fault = Fault::None;
        let took = world.run_until(secs(600), World::is_current);
        assert!(took.is_some_and(|took| took <= secs(15)), "{took:?}");
    }
}

#[test]
fn callers_cannot_make_a_throttled_vault_be_asked_more() {
    let mut world = World::new(&schedule(), 5, content(1, 100));
    world.vault(0).fault = Fault::Throttles(Some(secs(10)));
    for second in 0..600 {
        world.refresh(second);
        world.run(secs(1));
    }
    let reads = world.observer.reads.len();
    assert!(reads <= 66, "{reads}");
    assert_eq!(world.observer.replies.len(), 600);
}

#[test]
fn callers_read_the_secrets_of_a_vault_every_three_seconds_at_most() {
    let mut world = World::new(&schedule(), 5, content(1, 10));
    for call in 0..600 {
        world.refresh(call);
        world.run(secs(1) / 10);
    }
    let reads = world.observer.reads.len();
    assert!((190..=230).contains(&reads), "{reads}");
}

#[test]
fn a_thousand_events_are_one_check_and_one_read() {
    let mut world = World::new(&schedule(), 5, content(1, 3));
    world.rotate(secret(0, 1));
    world.write(0, Setting::Plain(9));
    let from = world.now;
    for _ in 0..1_000 {
        world.send(Event::StoreDirty { within: secs(4) });
        world.send(Event::SecretDirty(secret(0, 1)));
    }
    let took = world.run_until(secs(60), World::is_current);
    assert!(took.is_some_and(|took| took <= secs(5)), "{took:?}");
    assert!(world.observer.checks_within(from, secs(5)) <= 2);
    assert!(world.observer.reads_within(from, secs(20)) <= 4);
    assert!(world.observer.publications.len() <= 3);
}

#[test]
fn a_throttled_store_is_asked_less_and_comes_back() {
    let mut world = World::new(&schedule(), 2, content(1, 0));
    world.store.fault = Fault::Throttles(Some(secs(5)));
    let from = world.now;
    world.run(secs(3_600));
    let throttled = world.observer.checks_within(from, secs(3_600));
    assert!(throttled <= 24, "{throttled} of 120");
    world.store.fault = Fault::None;
    world.write(0, Setting::Plain(1));
    let took = world.run_until(secs(600), World::is_current);
    assert!(took.is_some_and(|took| took <= secs(300)), "{took:?}");
    world.run(secs(1_200));
    let from = world.now;
    world.run(secs(3_600));
    let steady = world.observer.checks_within(from, secs(3_600));
    assert!((119..=121).contains(&steady), "{steady}");
}

/// Beside push, or on the free tier, the interval may be an hour. A throttled store is not asked more often than that.
#[test]
fn a_long_interval_is_not_shortened_by_throttling() {
    let hourly = Schedule {
        every: Some(secs(3_600)),
        ..schedule()
    };
    for seed in 0..8 {
        let mut world = World::new(&hourly, seed, content(1, 0));
        world.store.fault = Fault::Throttles(Some(secs(5)));
        world.run(secs(DAY));
        let checks = world.observer.checks.len();
        assert!(checks <= 30, "seed {seed}: {checks} in a day");
    }
}
