//! What must hold whatever happens: nothing waits for what it does not need, nothing half written or wrong is published.

use super::backend::{CONFLICT, Setting, secret};
use super::faults::{key, value, world};
use super::world::{World, content, schedule, secs};
use crate::refresh::state::Schedule;

#[test]
fn a_hanging_secret_delays_neither_settings_nor_other_secrets() {
    let mut world = world(content(2, 5));
    world.vault(0).stuck.push(2);
    world.run(secs(900));
    world.write(0, Setting::Plain(6));
    let took = world.run_until(secs(60), |world| value(world, 0) == Some(6));
    assert!(took.is_some_and(|took| took <= secs(37)), "{took:?}");
    for n in [0, 1, 3, 4] {
        world.rotate(secret(0, n));
    }
    let took = world.run_until(secs(600), |world| {
        [0, 1, 3, 4]
            .iter()
            .all(|n| value(world, key(*n)) == Some(2))
    });
    assert!(took.is_some_and(|took| took <= secs(301)), "{took:?}");
}

#[test]
fn a_hanging_secret_does_not_delay_the_first_read_of_others_in_its_vault() {
    let mut world = world(content(1, 1));
    for n in 1..4 {
        world.rotate_new(secret(0, n));
    }
    world.vault(0).stuck.push(0);
    world.run(secs(290));
    world.write(30, Setting::Reference(secret(0, 1)));
    world.write(31, Setting::Reference(secret(0, 2)));
    let took = world.run_until(secs(60), |world| value(world, 31) == Some(1));
    assert!(took.is_some_and(|took| took <= secs(37)), "{took:?}");
}

#[test]
fn a_change_set_that_is_being_written_is_waited_for() {
    let schedule = Schedule {
        settle: secs(5),
        ..schedule()
    };
    let mut world = World::new(&schedule, 1, content(3, 0));
    world.write(0, Setting::Plain(1));
    let first = world.observer.checks.len();
    world
        .run_until(secs(60), |world| world.observer.checks.len() > first)
        .unwrap();
    world.run(secs(2));
    assert_eq!(value(&world, 0), Some(0), "seen once only");
    world.write(1, Setting::Plain(1));
    world.run(secs(4));
    assert_eq!(value(&world, 0), Some(0), "it has changed again");
    world.run(secs(6));
    assert_eq!((value(&world, 0), value(&world, 1)), (Some(1), Some(1)));
    assert_eq!(
        world.observer.publications.len(),
        2,
        "one publication for both"
    );
}

#[test]
fn a_store_that_never_rests_is_published_all_the_same() {
    let schedule = Schedule {
        settle: secs(2),
        ..schedule()
    };
    let mut world = World::new(&schedule, 1, content(1, 0));
    for n in 0..100 {
        world.write(0, Setting::Plain(n));
        world.run(secs(1));
    }
    assert!(value(&world, 0) > Some(0));
}

#[test]
fn a_conflict_is_refused_and_tried_again_only_for_a_reason() {
    let mut world = world(content(2, 1));
    world.write(CONFLICT, Setting::Plain(0));
    world.write(0, Setting::Plain(1));
    world.run(secs(280));
    assert_eq!(world.state.counters.refusals, 1);
    assert!(world.state.candidates.refusal().is_some());
    world.rotate(secret(0, 0));
    world.run(secs(301));
    assert_eq!(world.state.counters.refusals, 2);
    assert_eq!(
        value(&world, key(0)),
        Some(2),
        "the rotation is applied to what is published"
    );
    let now = world.now;
    world
        .store
        .write(now, |content| _ = content.remove(&CONFLICT));
    assert!(world.run_until(secs(40), World::is_current).is_some());
    assert!(world.state.candidates.refusal().is_none());
}

#[test]
fn a_candidate_that_waits_is_replaced_by_newer_content() {
    let mut world = world(content(2, 1));
    world.write(10, Setting::Reference(secret(0, 9)));
    world.run(secs(100));
    assert!(!world.is_current());
    let now = world.now;
    world.store.write(now, |content| _ = content.remove(&10));
    world.write(0, Setting::Plain(5));
    assert!(world.run_until(secs(40), World::is_current).is_some());
}

#[test]
fn a_secret_is_read_before_it_expires() {
    let mut world = world(content(1, 1));
    world.vault(0).expires_in = Some(secs(100));
    world.run(secs(301));
    let reads = world.observer.reads.clone();
    world.run(secs(100));
    let more = &world.observer.reads[reads.len()..];
    let after = more.first().map(|(at, _)| *at - reads.last().unwrap().0);
    assert!(
        after.is_some_and(|gap| gap >= secs(58) && gap <= secs(81)),
        "{after:?}"
    );
}
