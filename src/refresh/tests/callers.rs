//! Callers of `refresh()`, and the end.

use std::time::Duration;

use super::backend::{Fault, Setting, secret};
use super::faults::world;
use super::world::{DEADLINE, World, content, schedule, secs};
use crate::refresh::state::{Event, RoundOutcome, Schedule};

#[test]
fn f92_a_thousand_callers_are_one_check() {
    let mut world = world(content(2, 3));
    world.write(0, Setting::Plain(1));
    world.rotate(secret(0, 0));
    world.send(Event::RefreshNow((0..1_000).collect()));
    world.run(secs(2));
    assert_eq!(world.observer.checks_within(world.start, secs(2)), 1);
    assert_eq!(world.observer.reads_within(world.start, secs(2)), 3);
    let told = |reply: &RoundOutcome| matches!(reply, RoundOutcome::Updated { .. });
    assert_eq!(world.observer.replies.len(), 1_000);
    assert!(world.observer.replies.values().all(told));
    assert!(world.is_current());
}

#[test]
fn callers_that_come_during_a_check_share_the_next_one() {
    let mut world = world(content(2, 3));
    for caller in 0..1_000 {
        world.refresh(caller);
    }
    world.write(0, Setting::Plain(1));
    world.run(secs(2));
    assert_eq!(world.observer.checks_within(world.start, secs(2)), 2);
    assert_eq!(world.observer.replies.len(), 1_000);
    assert!(matches!(
        world.reply(999),
        Some(RoundOutcome::Updated { .. })
    ));
}

#[test]
fn f93_work_that_is_dropped_half_way_leaves_nothing_locked() {
    let mut world = world(content(2, 3));
    world.write(0, Setting::Plain(1));
    world.refresh(1);
    world.send(Event::Deserted);
    world.refresh(2);
    world.run(secs(1));
    assert!(world.reply(1).is_none());
    assert!(world.reply(2).is_some());
    assert!(world.is_current());
}

#[test]
fn f94_a_rotation_every_ten_milliseconds_is_coalesced() {
    let schedule = Schedule {
        idle: secs(1),
        ..schedule()
    };
    let mut world = World::new(&schedule, 4, content(1, 1));
    for _ in 0..1_000 {
        world.rotate(secret(0, 0));
        world.run(Duration::from_millis(10));
    }
    assert!(world.observer.publications.len() <= 12);
    world.run(secs(2));
    assert!(world.is_current(), "the newest wins");
}

#[test]
fn a_caller_hears_what_became_of_the_call() {
    let mut world = world(content(2, 2));
    world.refresh(1);
    world.run(secs(4));
    assert!(matches!(world.reply(1), Some(RoundOutcome::Unchanged)));
    world.write(0, Setting::Plain(1));
    world.rotate(secret(0, 1));
    world.refresh(2);
    world.run(secs(4));
    assert!(matches!(world.reply(2), Some(RoundOutcome::Updated { .. })));
    assert!(world.is_current());
    world.store.fault = Fault::Down;
    world.refresh(3);
    world.run(secs(4));
    assert!(matches!(world.reply(3), Some(RoundOutcome::Failed(error)) if error.is_transient()));
    world.store.fault = Fault::None;
    world.vault(0).fault = Fault::Hangs;
    world.refresh(4);
    world.run(DEADLINE + secs(4));
    assert!(matches!(world.reply(4), Some(RoundOutcome::Unread(ids)) if ids.len() == 2));
    world.vault(0).fault = Fault::Throttles(Some(secs(60)));
    world.refresh(5);
    world.run(DEADLINE + secs(4));
    world.refresh(6);
    world.run(secs(4));
    assert!(
        matches!(world.reply(6), Some(RoundOutcome::Skipped(_))),
        "{:?}",
        world.reply(6)
    );
}

#[test]
fn a_call_is_answered_though_a_periodic_check_hangs() {
    let mut world = world(content(1, 1));
    world.store.fault = Fault::Hangs;
    let first = world.observer.checks.len();
    world
        .run_until(secs(60), |world| world.observer.checks.len() > first)
        .unwrap();
    world.store.fault = Fault::None;
    world.write(0, Setting::Plain(1));
    world.refresh(1);
    world.run(DEADLINE + secs(1));
    assert!(matches!(world.reply(1), Some(RoundOutcome::Updated { .. })));
}

#[test]
fn without_an_interval_only_callers_cause_requests() {
    let schedule = Schedule {
        every: None,
        ..schedule()
    };
    let mut world = World::new(&schedule, 9, content(2, 3));
    world.run(secs(86_400));
    assert_eq!(world.observer.checks.len() + world.observer.reads.len(), 0);
    world.write(0, Setting::Plain(1));
    world.write(10, Setting::Reference(secret(0, 8)));
    world.refresh(1);
    world.run(secs(10));
    assert!(matches!(world.reply(1), Some(RoundOutcome::Failed(error)) if error.is_reference()));
    world.rotate(secret(0, 8));
    world.refresh(2);
    world.run(secs(10));
    assert!(matches!(world.reply(2), Some(RoundOutcome::Updated { .. })));
    assert!(world.is_current());
    let checks = world.observer.checks.len();
    world.run(secs(86_400));
    assert_eq!(world.observer.checks.len(), checks);
}

#[test]
fn shutdown_answers_everybody_and_ends_everything() {
    let mut world = world(content(2, 2));
    world.store.fault = Fault::Hangs;
    world.refresh(1);
    world.run(secs(1));
    world.refresh(2);
    world.send(Event::Shutdown);
    for caller in [1, 2] {
        assert!(matches!(world.reply(caller), Some(RoundOutcome::Failed(_))));
    }
    assert_eq!(world.state.wake(), None);
    world.send(Event::RefreshNow(vec![3]));
    world.run(secs(3_600));
    assert!(world.reply(3).is_none());
}

#[test]
fn a_caller_does_not_wait_for_a_change_to_settle_that_nobody_looks_at_again() {
    let schedule = Schedule {
        settle: secs(2),
        ..schedule()
    };
    let mut world = World::new(&schedule, 4, content(2, 1));
    world.write(0, Setting::Plain(1));
    let found = |world: &World| world.state.candidates.is_settling();
    world.run_until(secs(60), found).expect("the change");
    world.store.fault = Fault::Throttles(Some(secs(5)));
    world.vault(0).fault = Fault::Hangs;
    world.run(secs(3));
    world.refresh(1);
    world.run(DEADLINE + secs(1));
    assert!(world.reply(1).is_some(), "the next check is far away");
}
