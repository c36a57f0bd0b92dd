//! The faults of the trust table, as far as the machine answers for them. Every run is watched by the observer.

use std::time::Duration;

use super::backend::{CONFLICT, Fault, Setting};
use super::model::{Policy, Seen};
use super::world::{DEADLINE, World, content, schedule, secret, secs};
use crate::error::SecretErrorKind;
use crate::refresh::state::{Event, RoundOutcome, Schedule};

/// The bound of N3.
const SOON: Duration = Duration::from_secs(75);

fn world(content: super::backend::Content) -> World {
    World::new(&schedule(), 11, content)
}

fn value(world: &World, key: u16) -> Option<u32> {
    world.seen(key).map(|seen| match seen {
        Seen::Plain(value) | Seen::Secret(_, value) => *value,
    })
}

/// The key under which `content` puts its n-th secret.
fn key(n: u16) -> u16 {
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
    world.vault(0).delete(now, "s0");
    world.run(secs(600));
    world.write(0, Setting::Plain(3));
    world.rotate(&secret(0, 1));
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
    world.rotate(&secret(0, 9));
    assert!(world.run_until(SOON, World::is_current).is_some());
}

#[test]
fn f26_a_disabled_secret_is_dropped_if_the_policy_says_so() {
    let mut world = world(content(2, 2));
    world.policy = Policy::Omit;
    world
        .vault(0)
        .ill
        .insert("s0".into(), SecretErrorKind::Disabled);
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
        world.rotate(&secret(1, n));
    }
    let took = world.run_until(secs(301), |world| {
        (20..23).all(|k| value(world, k) == Some(2))
    });
    assert!(took.is_some());
    let reads = &world.observer.reads;
    let paused = reads
        .iter()
        .filter(|(_, id)| *id.vault_host() == *secret(0, 0).vault_host());
    assert!(paused.count() <= 16);
}

#[test]
fn f28_fifty_references_to_a_vault_that_throttles_from_the_start() {
    let mut world = world(content(1, 0));
    for n in 0..50 {
        world.rotate_new(&secret(0, n));
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
    world.rotate_new(&secret(0, 7));
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
        world.rotate(&secret(0, 1));
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
    world.rotate(&secret(0, 3));
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

#[test]
fn f92_a_thousand_callers_are_one_check() {
    let mut world = world(content(2, 3));
    world.write(0, Setting::Plain(1));
    world.rotate(&secret(0, 0));
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
    world.send(Event::Abandoned);
    world.refresh(2);
    world.run(secs(1));
    assert!(matches!(world.reply(1), Some(RoundOutcome::Updated { .. })));
    assert!(world.reply(2).is_some());
    assert!(world.is_current());
}

#[test]
fn f94_a_rotation_every_ten_milliseconds_is_coalesced() {
    let schedule = Schedule {
        secrets_every: Some(secs(1)),
        ..schedule()
    };
    let mut world = World::new(&schedule, 4, content(1, 1));
    for _ in 0..1_000 {
        world.rotate(&secret(0, 0));
        world.run(Duration::from_millis(10));
    }
    assert!(world.observer.publications.len() <= 12);
    world.run(secs(2));
    assert!(world.is_current(), "the newest wins");
}

#[test]
fn a_hanging_secret_delays_neither_settings_nor_other_secrets() {
    let mut world = world(content(2, 5));
    world.vault(0).stuck.push("s2".into());
    world.run(secs(900));
    world.write(0, Setting::Plain(6));
    let took = world.run_until(secs(60), |world| value(world, 0) == Some(6));
    assert!(took.is_some_and(|took| took <= secs(37)), "{took:?}");
    for n in [0, 1, 3, 4] {
        world.rotate(&secret(0, n));
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
        world.rotate_new(&secret(0, n));
    }
    world.vault(0).stuck.push("s0".into());
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
    world.rotate(&secret(0, 0));
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

#[test]
fn a_caller_hears_what_became_of_the_call() {
    let mut world = world(content(2, 2));
    world.refresh(1);
    world.run(secs(4));
    assert!(matches!(world.reply(1), Some(RoundOutcome::Unchanged)));
    world.write(0, Setting::Plain(1));
    world.rotate(&secret(0, 1));
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
    world.rotate(&secret(0, 8));
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
