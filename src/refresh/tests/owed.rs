//! By hand: what is owed. A change that is known of, or a value that was read, is not lost to throttling or a panic.

use std::time::Duration;

use super::backend::{pinned, secret};
use super::bench::{Bench, changed, need, published, read, throttled, unchanged};
use super::world::{schedule, secs};
use crate::error::SecretErrorKind;
use crate::refresh::state::{Event, Publication, ReadError, Schedule, State};
use crate::time::Instant;

const HOUR: Duration = Duration::from_secs(3_600);

fn hourly() -> Schedule {
    Schedule {
        every: Some(HOUR),
        ..schedule()
    }
}

fn pushed() -> Event {
    Event::StoreDirty {
        within: Duration::ZERO,
    }
}

/// The candidate was assembled, and nothing of it is new.
fn same(candidate: u64, generation: u64) -> Event {
    Event::Assembled {
        candidate,
        outcome: Ok(Publication {
            generation,
            changed: false,
        }),
    }
}

impl Bench {
    /// The machine panicked, and another one starts from what is published, as candidate 5.
    fn restart(&mut self, schedule: &Schedule) {
        let needs = [need(secret(0, 1), true), need(pinned(0, 2), true)];
        let mut again = State::new(schedule, 4, Some((5, &needs)), 1, self.now);
        again.inherit(&self.state, self.now);
        self.state = again;
    }

    /// How long until it does something, and what.
    fn next(&mut self) -> (Duration, String) {
        let before = self.now;
        let said = self.wake();
        (self.now - before, said)
    }
}

#[test]
fn a_pushed_change_is_looked_for_again_soon_after_a_refusal() {
    let mut bench = Bench::new(&hourly());
    assert_eq!(bench.tell(pushed()), "check 1");
    assert_eq!(bench.tell(throttled(10)), "");
    let mut next = bench.store();
    assert!(next.0 >= secs(10) && next.0 <= secs(73), "{next:?}");
    assert_eq!(next.1, "check 1");
    // Further refusals: less often, but not as seldom as the interval.
    for most in [145, 289, 289] {
        bench.tell(throttled(10));
        next = bench.store();
        assert!(next.0 <= secs(most), "{next:?}");
    }
    assert!(next.0 >= secs(190), "{next:?}");
    bench.tell(unchanged());
    assert!(bench.store().0 > secs(600), "nothing is owed any more");
}

#[test]
fn a_second_look_is_taken_soon_after_a_refusal() {
    let mut bench = Bench::new(&Schedule {
        settle: secs(2),
        ..hourly()
    });
    assert_eq!(bench.tell(pushed()), "check 1");
    let needs = [need(secret(0, 1), true)];
    assert_eq!(bench.tell(changed(2, &needs)), "keep {1, 2}");
    assert_eq!(bench.wake(), "check 2", "the window has passed");
    bench.tell(throttled(10));
    let next = bench.store();
    assert!(next.0 <= secs(73), "{next:?}");
    assert_eq!(bench.tell(unchanged()), "assemble 2");
}

/// Regression: the caller waited for a second look, though the store had asked for a pause and nobody looked again.
#[test]
fn nobody_waits_for_a_second_look_that_is_refused() {
    let mut bench = Bench::new(&Schedule {
        settle: secs(2),
        ..schedule()
    });
    assert_eq!(bench.tell(Event::RefreshNow(vec![7])), "check 1, read 1");
    assert_eq!(bench.tell(read(secret(0, 1), false)), "");
    let needs = [need(secret(0, 1), true)];
    assert_eq!(bench.tell(changed(2, &needs)), "keep {1, 2}");
    assert_eq!(bench.wake(), "check 2");
    assert_eq!(bench.tell(throttled(60)), "tell [7] failed Throttled");
}

#[test]
fn a_refused_interval_owes_nothing() {
    let mut bench = Bench::new(&hourly());
    assert_eq!(bench.store().1, "check 1");
    bench.tell(throttled(10));
    assert!(bench.store().0 > secs(2_000));
}

/// Behind its secrets, which are not of interest, when the store is checked next.
impl Bench {
    fn store(&mut self) -> (Duration, String) {
        let before = self.now;
        assert!(!self.state.store.is_checking());
        loop {
            let said = self.wake();
            if said.contains("check") {
                return (self.now - before, said);
            }
            if said.contains("read 1") {
                self.tell(read(secret(0, 1), false));
            }
        }
    }
}

#[test]
fn a_healthy_store_is_asked_by_its_interval_again_after_refusals() {
    let mut bench = Bench::new(&hourly());
    bench.store();
    for _ in 0..3 {
        bench.tell(throttled(10));
        bench.store();
    }
    bench.tell(unchanged());
    for _ in 0..3 {
        let next = bench.store();
        assert!(next.0 <= HOUR.mul_f64(1.8), "{next:?}");
        bench.tell(unchanged());
    }
}

#[test]
fn a_refusal_does_not_silence_flags_for_the_interval_of_settings() {
    let mut bench = Bench::new(&Schedule {
        flags_every: Some(secs(5)),
        ..hourly()
    });
    bench.store();
    bench.tell(throttled(1));
    let next = bench.store();
    assert!(next.0 <= secs(13), "{next:?}");
    bench.tell(unchanged());
    let next = bench.store();
    assert!(next.0 <= secs(17), "{next:?}");
}

/// Regression: it gave the interval of settings alone, though flags had never been looked at.
#[test]
fn a_first_check_that_was_dropped_is_one_of_both_again() {
    let apart = Schedule {
        flags_every: Some(secs(45)),
        ..schedule()
    };
    let now = Instant::now();
    let state = State::new(&apart, 3, None, 0, now);
    let mut bench = Bench { state, now };
    for _ in 0..5 {
        assert_eq!(bench.wake(), "check 0");
        bench.tell(Event::Deserted);
    }
}

#[test]
fn what_was_read_before_a_panic_is_assembled_after_it() {
    let mut bench = Bench::new(&hourly());
    assert_eq!(bench.tell(Event::SecretDirty(secret(0, 1))), "read 1");
    // The answer is in the cache, and the machine never hears of it.
    bench.restart(&hourly());
    assert_eq!(bench.tell(Event::Woke), "read 1", "it was under way");
    assert_eq!(bench.tell(read(secret(0, 1), false)), "assemble 5");
    assert_eq!(bench.tell(published(5, 2)), "keep {5}");
}

#[test]
fn what_needs_no_read_is_assembled_at_once_after_a_panic() {
    let mut bench = Bench::new(&hourly());
    bench.restart(&hourly());
    assert!(bench.state.wake() <= Some(bench.now + secs(1)));
    assert_eq!(bench.tell(Event::Woke), "assemble 5");
    assert_eq!(bench.tell(same(5, 1)), "keep {5}");
    assert_eq!(bench.state.counters.publications, 0);
}

#[test]
fn a_panic_loses_no_push() {
    // Planned; under way; fetched and not published yet.
    for way in 0..3 {
        let mut bench = Bench::new(&hourly());
        match way {
            0 => _ = bench.tell(Event::StoreDirty { within: secs(30) }),
            1 => assert_eq!(bench.tell(pushed()), "check 1"),
            _ => {
                bench.tell(pushed());
                bench.tell(changed(2, &[need(secret(0, 9), false)]));
            }
        }
        bench.restart(&hourly());
        let mut said = bench.tell(Event::Woke);
        bench.tell(same(5, 1));
        if way == 0 {
            assert_eq!(said, "assemble 5");
            let next = bench.store();
            assert!(next.0 <= secs(30), "{next:?}");
            said = next.1;
        }
        assert!(said.starts_with("check 5"), "{way}: {said}");
    }
}

#[test]
fn a_panic_loses_no_wish_for_a_secret() {
    let mut bench = Bench::new(&hourly());
    assert_eq!(bench.tell(Event::SecretDirty(secret(0, 1))), "read 1");
    assert_eq!(bench.tell(read(secret(0, 1), false)), "");
    assert_eq!(
        bench.tell(Event::SecretDirty(secret(0, 1))),
        "",
        "events are a few seconds apart"
    );
    bench.restart(&hourly());
    assert_eq!(bench.tell(Event::Woke), "assemble 5");
    bench.tell(same(5, 1));
    let (after, said) = bench.next();
    assert_eq!(said, "read 1");
    assert!(after <= secs(3), "{after:?}");
}

#[test]
fn after_a_panic_is_waited_what_services_asked_for() {
    let mut bench = Bench::new(&schedule());
    let began = bench.now;
    bench.tell(Event::RefreshNow(vec![7]));
    bench.tell(throttled(300));
    let asked = ReadError {
        kind: SecretErrorKind::Throttled,
        status: Some(429),
        retry_at: Some(bench.now + Duration::from_secs(200)),
    };
    let outcome = Err(asked);
    bench.tell(Event::Read {
        id: secret(0, 1),
        outcome,
    });
    bench.now += Duration::from_secs(20);

    let needs = [need(secret(0, 1), true), need(pinned(0, 2), true)];
    let mut again = State::new(&schedule(), 4, Some((5, &needs)), 1, bench.now);
    again.inherit(&bench.state, bench.now);
    let known = again.candidates.published.as_ref().map(|known| known.as_of);
    assert_eq!(known.map(|as_of| as_of.oldest()), Some(began));
    assert!(again.store.failed.is_some() && again.store.is_closed(bench.now));
    bench.state = again;
    assert_eq!(bench.tell(Event::RefreshNow(vec![8])), "assemble 5");
    assert_eq!(
        bench.tell(same(5, 1)),
        "keep {5}, tell [8] skipped Throttled"
    );
    assert_eq!(bench.wake(), "read 1", "the probe");
    assert!(bench.now >= began + Duration::from_secs(200));
    bench.tell(read(secret(0, 1), false));
    assert_eq!(bench.wake(), "check 5");
    assert!(bench.now >= began + Duration::from_secs(300));
}
