//! The machine by hand: one event after the other, and what it says to each.

use std::time::Duration;

use super::backend::{pinned, secret};
use super::bench::{
    Bench, changed, need, published, read, refused, throttled, unchanged, unreadable,
};
use super::world::schedule;
use crate::error::{Error, ErrorKind, SecretErrorKind};
use crate::refresh::state::{CheckOutcome, Event, Schedule, State};
use crate::time::Instant;

#[test]
fn a_call_that_finds_nothing() {
    let mut bench = Bench::new(&schedule());
    assert_eq!(bench.tell(Event::RefreshNow(vec![7])), "check 1, read 1");
    assert_eq!(bench.tell(unchanged()), "");
    assert_eq!(bench.tell(read(secret(0, 1), false)), "tell [7] unchanged");
}

#[test]
fn a_rotation() {
    let mut bench = Bench::new(&schedule());
    assert_eq!(bench.tell(Event::SecretDirty(secret(0, 1))), "read 1");
    assert_eq!(bench.tell(read(secret(0, 1), true)), "assemble 1");
    assert_eq!(bench.tell(published(1, 2)), "keep {1}");
}

#[test]
fn a_version_is_never_asked_for_again() {
    let mut bench = Bench::new(&schedule());
    assert_eq!(bench.tell(Event::SecretDirty(pinned(0, 2))), "");
    assert_eq!(
        bench.tell(Event::SecretDirty(secret(1, 9))),
        "",
        "not in use"
    );
}

#[test]
fn new_settings_with_a_secret_that_was_never_read() {
    let mut bench = Bench::new(&schedule());
    let needs = [need(secret(0, 1), true), need(secret(0, 9), false)];
    assert_eq!(bench.tell(Event::RefreshNow(vec![7])), "check 1, read 1");
    assert_eq!(bench.tell(changed(2, &needs)), "keep {1, 2}, read 9");
    assert_eq!(bench.tell(read(secret(0, 1), false)), "");
    assert_eq!(bench.tell(read(secret(0, 9), true)), "assemble 2");
    assert_eq!(bench.tell(published(2, 2)), "keep {2}, tell [7] updated 2");
}

#[test]
fn further_checks_compare_with_what_waits() {
    let mut bench = Bench::new(&schedule());
    let needs = [need(secret(0, 9), false)];
    let at_once = Event::StoreDirty {
        within: Duration::ZERO,
    };
    assert_eq!(bench.tell(at_once.clone()), "check 1");
    assert_eq!(bench.tell(changed(2, &needs)), "keep {1, 2}, read 9");
    let failed = unreadable(secret(0, 9), SecretErrorKind::NotFound);
    assert_eq!(bench.tell(failed), "assemble 2");
    assert_eq!(bench.tell(refused(2, ErrorKind::Reference)), "");
    assert_eq!(bench.wake(), "read 9", "soon, because settings wait for it");
    assert_eq!(bench.tell(at_once), "", "events are a few seconds apart");
    assert_eq!(bench.wake(), "check 2");
    assert_eq!(bench.tell(unchanged()), "");
    assert_eq!(bench.tell(read(secret(0, 9), true)), "assemble 2");
    assert_eq!(bench.tell(published(2, 2)), "keep {2}");
}

#[test]
fn a_rotation_is_not_held_up_by_settings_that_wait() {
    let mut bench = Bench::new(&schedule());
    let needs = [need(secret(0, 1), true), need(secret(0, 9), false)];
    let at_once = Event::StoreDirty {
        within: Duration::ZERO,
    };
    bench.tell(at_once);
    assert_eq!(bench.tell(changed(2, &needs)), "keep {1, 2}, read 9");
    assert_eq!(bench.tell(Event::SecretDirty(secret(0, 1))), "read 1");
    assert_eq!(bench.tell(read(secret(0, 1), true)), "assemble 1");
    assert_eq!(bench.tell(published(1, 2)), "keep {1, 2}");
}

#[test]
fn secrets_that_change_together_are_published_together() {
    let needs = [need(secret(0, 1), true), need(secret(0, 2), true)];
    let now = Instant::now();
    let state = State::new(&schedule(), 3, Some((1, &needs)), 1, now);
    let mut bench = Bench { state, now };
    assert_eq!(
        bench.tell(Event::RefreshNow(vec![7])),
        "check 1, read 1, read 2"
    );
    bench.tell(unchanged());
    assert_eq!(
        bench.tell(read(secret(0, 1), true)),
        "",
        "the other is under way"
    );
    assert_eq!(bench.tell(read(secret(0, 2), true)), "assemble 1");
    assert_eq!(bench.tell(published(1, 2)), "keep {1}, tell [7] updated 2");

    bench.now += Duration::from_secs(10);
    bench.tell(Event::RefreshNow(vec![8]));
    bench.tell(unchanged());
    assert_eq!(bench.tell(read(secret(0, 1), true)), "");
    assert_eq!(bench.wake(), "assemble 1", "but not for long");
}

#[test]
fn a_store_that_is_closed_is_not_asked_for_anybody() {
    let mut bench = Bench::new(&schedule());
    bench.tell(Event::RefreshNow(vec![7]));
    bench.tell(read(secret(0, 1), false));
    let asks =
        Error::new(ErrorKind::Throttled, "by hand").with_retry_after(Duration::from_secs(60));
    let closed = Event::Checked(CheckOutcome::Failed(asks));
    assert_eq!(bench.tell(closed), "tell [7] failed Throttled");
    bench.now += Duration::from_secs(10);
    assert_eq!(bench.tell(Event::RefreshNow(vec![8])), "read 1");
    assert_eq!(
        bench.tell(read(secret(0, 1), false)),
        "tell [8] skipped Throttled"
    );
    assert_eq!(
        bench.tell(Event::RefreshNow(vec![9])),
        "tell [9] skipped Throttled"
    );
}

#[test]
fn dropped_work_is_begun_again_when_somebody_asks() {
    let by_callers_alone = Schedule {
        every: None,
        ..schedule()
    };
    let mut bench = Bench::new(&by_callers_alone);
    assert_eq!(bench.tell(Event::RefreshNow(vec![7])), "check 1, read 1");
    assert_eq!(bench.tell(Event::Deserted), "");
    bench.now += Duration::from_secs(10);
    assert_eq!(bench.tell(Event::RefreshNow(vec![8])), "check 1, read 1");
    assert_eq!(bench.tell(Event::Shutdown), "tell [8] failed Closed, stop");
    assert_eq!(bench.tell(Event::Woke), "");
}

#[test]
fn a_rotation_that_was_published_hides_no_failed_check() {
    let mut bench = Bench::new(&schedule());
    assert_eq!(bench.tell(Event::RefreshNow(vec![7])), "check 1, read 1");
    assert_eq!(bench.tell(read(secret(0, 1), true)), "assemble 1");
    assert_eq!(bench.tell(published(1, 2)), "keep {1}");
    assert_eq!(bench.tell(throttled(60)), "tell [7] failed Throttled");
}

#[test]
fn a_check_that_nobody_asked_for_spoils_no_answer() {
    let mut bench = Bench::new(&schedule());
    assert_eq!(bench.tell(Event::RefreshNow(vec![7])), "check 1, read 1");
    assert_eq!(bench.tell(unchanged()), "");
    // The vault is slow, and meanwhile the interval comes round.
    bench.now += Duration::from_secs(60);
    assert_eq!(bench.tell(Event::Woke), "check 1");
    assert_eq!(bench.tell(throttled(60)), "");
    assert_eq!(bench.tell(read(secret(0, 1), false)), "tell [7] unchanged");
}

/// A probe that hangs is not all that others wait for: the vault has answered meanwhile, so that it proves nothing.
#[test]
fn a_failure_behind_a_stuck_probe_is_tried_again_soon() {
    let ids = [1, 2, 3].map(|name| secret(0, name));
    let needs = ids.map(|id| need(id, true));
    let now = Instant::now();
    let state = State::new(&schedule(), 3, Some((1, &needs)), 1, now);
    let mut bench = Bench { state, now };
    let [x, y, z] = ids;
    let gone = |id| unreadable(id, SecretErrorKind::Unreachable);
    bench.tell(Event::SecretDirty(x));
    bench.tell(gone(x));
    assert_eq!(bench.wake(), "read 1", "the probe, which hangs");
    bench.now += Duration::from_secs(4);
    assert_eq!(bench.tell(Event::SecretDirty(z)), "read 3");
    assert_eq!(bench.tell(read(z, false)), "");
    bench.now += Duration::from_secs(4);
    assert_eq!(bench.tell(Event::SecretDirty(y)), "read 2");
    bench.tell(gone(y));
    bench.tell(gone(x));
    let next = bench.state.reads.next_read(y).expect("a plan");
    assert!(next <= bench.now + Duration::from_secs(60), "soon");
}

#[test]
fn what_is_read_next_is_known_as_far_as_it_can_be() {
    let mut bench = Bench::new(&schedule());
    let next = |bench: &Bench| bench.state.reads.next_read(secret(0, 1));
    assert!(next(&bench).is_some());
    assert_eq!(bench.tell(Event::SecretDirty(secret(0, 1))), "read 1");
    assert_eq!(next(&bench), None, "it is under way");
    bench.tell(unreadable(secret(0, 1), SecretErrorKind::Unreachable));
    let soon = bench.now + Duration::from_secs(60);
    assert!(
        next(&bench).is_some_and(|next| next <= soon),
        "by the vault"
    );
    assert_eq!(next(&bench), bench.state.reads.wake());
}
