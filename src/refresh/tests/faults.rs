//! The faults of the trust table, as far as the machine answers for them. Every run is watched by the observer.

use std::time::Duration;

use super::backend::{Fault, Setting, secret};
use super::model::{Policy, Seen};
use super::world::{World, content, schedule, secs};
use crate::error::SecretErrorKind;

/// The bound of N3.
const SOON: Duration = Duration::from_secs(75);

pub(super) fn world(content: super::backend::Content) -> World {
    World::new(&schedule(), 11, content)
}

pub(super) fn value(world: &World, key: u16) -> Option<u32> {
    world.seen(key).map(|seen| match seen {
        Seen::Plain(value) | Seen::Secret(_, value) => *value,
    })
}

/// The key under which `content` puts its n-th secret.
pub(super) fn key(n: u16) -> u16 {
    1_000 + n
}

#[test]
fn f02_the_store_is_refused_after_success() {
    let mut world = world(content(2, 1));
    world.store.fault = Fault::Down;
    world.write(0, Setting::Plain(5));
    world.run(secs(3_600));
    assert_eq!(value(&world, 0), Some(0), "the old value is kept");
    let known = world.state.candidates.published.as_ref().unwrap();
    assert!(
        world.now - known.as_of.oldest() >= secs(3_569),
        "the age is true"
    );
    world.store.fault = Fault::None;
    assert!(world.run_until(SOON, World::is_current).is_some());
}

#[test]
fn f08_a_store_that_refuses_the_identity_is_not_asked_in_a_loop() {
    let mut world = world(content(2, 0));
    world.store.fault = Fault::Broken;
    world.run(secs(3_600));
    assert!(
        world.observer.checks.len() <= 76,
        "{}",
        world.observer.checks.len()
    );
}

#[test]
fn f20_all_settings_deleted_is_applied() {
    let mut world = world(content(3, 2));
    let now = world.now;
    world.store.write(now, std::collections::BTreeMap::clear);
    assert!(world.run_until(secs(40), World::is_current).is_some());
    assert_eq!(world.state.reads.secrets().count(), 0);
}

#[test]
fn f25_a_missing_secret_that_was_read_keeps_its_value_and_blocks_nothing() {
    let mut world = world(content(2, 2));
    let now = world.now;
    world.vault(0).delete(now, 0);
    world.run(secs(600));
    world.write(0, Setting::Plain(3));
    world.rotate(secret(0, 1));
    world.run(secs(400));
    assert_eq!(value(&world, 0), Some(3));
    assert_eq!(value(&world, key(0)), Some(1), "its last value");
    assert_eq!(value(&world, key(1)), Some(2));
    let failing = world
        .state
        .reads
        .secrets()
        .find(|(_, secret)| secret.failing.is_some());
    assert_eq!(
        failing
            .and_then(|(_, secret)| secret.failing)
            .map(|failing| failing.error.kind),
        Some(SecretErrorKind::NotFound),
    );
}

#[test]
fn f25_a_missing_secret_that_was_never_read_holds_the_candidate() {
    let mut world = world(content(2, 1));
    world.write(10, Setting::Reference(secret(0, 9)));
    world.write(0, Setting::Plain(3));
    world.run(secs(3_600));
    assert_eq!(value(&world, 0), Some(0));
    let reads = world
        .observer
        .reads
        .iter()
        .filter(|(_, id)| *id == secret(0, 9));
    assert!(reads.count() < 200, "it is tried again without haste");
    world.rotate(secret(0, 9));
    assert!(world.run_until(SOON, World::is_current).is_some());
}

#[test]
fn f26_a_disabled_secret_is_dropped_if_the_policy_says_so() {
    let mut world = world(content(2, 2));
    world.policy = Policy::Omit;
    world.vault(0).ill.insert(0, SecretErrorKind::Disabled);
    assert!(
        world
            .run_until(secs(310), |world| world.seen(key(0)).is_none())
            .is_some()
    );
    assert_eq!(value(&world, key(1)), Some(1));
    world.vault(0).ill.clear();
    assert!(world.run_until(secs(310), World::is_current).is_some());
}

#[test]
fn f27_only_the_throttled_vault_pauses() {
    let mut start = content(1, 3);
    start.extend((0..3).map(|n| (20 + n, Setting::Reference(secret(1, n)))));
    let mut world = world(start);
    world.vault(0).fault = Fault::Throttles(Some(secs(120)));
    world.run(secs(1_500));
    for n in 0..3 {
        world.rotate(secret(1, n));
    }
    let took = world.run_until(secs(301), |world| {
        (20..23).all(|k| value(world, k) == Some(2))
    });
    assert!(took.is_some());
    let reads = &world.observer.reads;
    let paused = reads.iter().filter(|(_, id)| id.vault() == 0);
    assert!(paused.count() <= 16);
}

#[test]
fn f28_fifty_references_to_a_vault_that_throttles_from_the_start() {
    let mut world = world(content(1, 0));
    for n in 0..50 {
        world.rotate_new(secret(0, n));
        world.write(200 + n, Setting::Reference(secret(0, n)));
    }
    world.vault(0).fault = Fault::Throttles(None);
    world.run(secs(600));
    assert!(
        world.observer.reads.len() <= 50,
        "{}",
        world.observer.reads.len()
    );
    world.vault(0).fault = Fault::None;
    let before = world.observer.reads.len();
    assert!(world.run_until(SOON, World::is_current).is_some());
    assert_eq!(world.observer.reads.len(), before + 50);
}

#[test]
fn f29_the_vault_is_down_during_a_store_change() {
    let mut world = world(content(2, 1));
    world.rotate_new(secret(0, 7));
    world.vault(0).fault = Fault::Down;
    world.write(10, Setting::Reference(secret(0, 7)));
    world.run(secs(900));
    assert!(!world.is_current());
    let changed = world.state.counters.changed;
    world.vault(0).fault = Fault::None;
    assert!(world.run_until(SOON, World::is_current).is_some());
    assert_eq!(
        world.state.counters.changed, changed,
        "no further store change was needed"
    );
}

#[test]
fn f30_plain_keys_change_while_the_vault_is_down() {
    for policy in [Policy::KeepLast, Policy::Fail] {
        let mut world = world(content(2, 2));
        world.policy = policy;
        world.vault(0).fault = Fault::Down;
        world.run(secs(400));
        world.write(0, Setting::Plain(8));
        world.run(secs(60));
        let wanted = if policy == Policy::KeepLast { 8 } else { 0 };
        assert_eq!(value(&world, 0), Some(wanted), "{policy:?}");
        world.vault(0).fault = Fault::None;
        assert!(
            world.run_until(SOON, World::is_current).is_some(),
            "{policy:?}"
        );
    }
}

#[test]
fn f31_the_store_is_down_and_a_secret_is_rotated() {
    for fault in [Fault::Down, Fault::Hangs, Fault::Throttles(Some(secs(600)))] {
        let mut world = world(content(2, 2));
        world.store.fault = fault;
        world.run(secs(1_000));
        world.rotate(secret(0, 1));
        let took = world.run_until(secs(301), |world| value(world, key(1)) == Some(2));
        assert!(took.is_some(), "{fault:?}");
    }
}

#[test]
fn f32_a_rebuild_within_the_backoff_of_a_failure_never_loses_the_value() {
    let mut world = world(content(2, 2));
    world.vault(0).fault = Fault::Down;
    for round in 0..40 {
        world.write(0, Setting::Plain(round));
        world.run(secs(17));
        assert_eq!(value(&world, key(0)), Some(1));
        assert_eq!(value(&world, key(1)), Some(1));
    }
    assert!(world.observer.publications.len() > 20);
}

#[test]
fn f45_a_wall_clock_that_is_off_shifts_no_schedule() {
    for seen in [Some(secs(1)), Some(secs(90)), Some(secs(3_600)), None] {
        let mut world = world(content(1, 4));
        world.vault(0).expires_in = seen;
        world.run(secs(3_600));
        let reads = world.observer.reads.len();
        assert!((47..=300).contains(&reads), "{seen:?}: {reads}");
        let checks = world.observer.checks.len();
        assert!((119..=120).contains(&checks));
    }
}

#[test]
fn f46_a_clock_that_the_store_refuses_is_a_failure_like_others() {
    let mut world = world(content(1, 0));
    world.store.fault = Fault::Broken;
    world.run(secs(2 * 86_400));
    world.store.fault = Fault::None;
    world.write(0, Setting::Plain(2));
    assert!(world.run_until(SOON, World::is_current).is_some());
}

#[test]
fn f47_thirty_days_without_a_connection_keep_the_last_value() {
    let mut world = world(content(1, 0));
    world.store.fault = Fault::Down;
    world.run(secs(30 * 86_400));
    assert_eq!(value(&world, 0), Some(0));
    world.store.fault = Fault::None;
    world.write(0, Setting::Plain(2));
    assert!(world.run_until(SOON, World::is_current).is_some());
}

#[test]
fn f48_eight_hours_of_suspension_are_one_refresh() {
    let mut world = world(content(2, 10));
    world.run(secs(1_000));
    world.write(0, Setting::Plain(4));
    world.rotate(secret(0, 3));
    world.stall(secs(8 * 3_600));
    let woke = world.now;
    world.run(secs(5));
    assert_eq!(world.observer.checks_within(woke, secs(5)), 1);
    assert_eq!(world.observer.reads_within(woke, secs(5)), 10);
    assert!(world.is_current());
    world.run(secs(295));
    let checks = world.observer.checks_within(woke, secs(300));
    assert!((9..=11).contains(&checks), "{checks}");
    let reads = world.observer.reads_within(woke, secs(300));
    assert!(reads <= 20, "{reads}");
}

#[test]
fn f49_absurd_dates_are_survived() {
    for seen in [Duration::MAX, Duration::ZERO, Duration::from_nanos(1)] {
        let mut world = world(content(1, 3));
        world.vault(0).expires_in = Some(seen);
        world.store.fault = Fault::Throttles(Some(Duration::MAX / 4));
        world.run(secs(3_600));
        assert!(world.observer.reads.len() <= 40);
        assert!(
            world.observer.checks.len() >= 5,
            "a Retry-After is followed for ten minutes at most"
        );
    }
}

#[test]
fn f50_stalls_of_two_seconds_make_no_burst() {
    let mut world = world(content(1, 10));
    for _ in 0..600 {
        world.stall(secs(2));
        world.run(secs(1));
    }
    let checks = world.observer.checks.len();
    assert!((58..=60).contains(&checks), "{checks}");
    let gaps = world.observer.checks.windows(2).map(|two| two[1] - two[0]);
    assert!(gaps.min() >= Some(secs(15)));
    assert!(world.observer.reads.len() <= 60);
}
