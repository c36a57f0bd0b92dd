//! The machine by hand: one event after the other, and what it says to each.

use std::time::Duration;

use super::backend::{pinned, secret};
use super::world::schedule;
use crate::error::{Error, ErrorKind, SecretErrorKind};
use crate::refresh::Scope;
use crate::refresh::state::{
    Action, CheckOutcome, Event, Need, Publication, ReadError, ReadReport, RoundOutcome, Schedule,
    SecretId, State,
};
use crate::time::Instant;

struct Bench {
    state: State,
    now: Instant,
}

fn need(id: SecretId, held: bool) -> Need {
    Need {
        id,
        every: Some(Duration::from_secs(300)),
        held: held.then(ReadReport::default),
    }
}

impl Bench {
    /// Candidate 1 is published; it needs one secret that rotates and one that does not.
    fn new(schedule: &Schedule) -> Self {
        let needs = [need(secret(0, 1), true), need(pinned(0, 2), true)];
        let now = Instant::now();
        let state = State::new(schedule, 3, Some((1, &needs)), 1, now);
        Self { state, now }
    }

    /// What it says to an event, a millisecond after the one before.
    fn tell(&mut self, event: Event) -> String {
        self.now += Duration::from_millis(1);
        let actions = self.state.step(event, self.now);
        actions.iter().map(said).collect::<Vec<_>>().join(", ")
    }

    fn wake(&mut self) -> String {
        let at = self.state.wake().expect("something to come");
        assert!(at > self.now);
        self.now = at;
        self.tell(Event::Woke)
    }
}

fn said(action: &Action) -> String {
    match action {
        Action::Check { known, scope } => match scope {
            Scope::Both => format!("check {}", known.unwrap_or(0)),
            part => format!("check {} {part:?}", known.unwrap_or(0)),
        },
        Action::Read(id) => format!("read {}", id.number()),
        Action::Assemble(no) => format!("assemble {no}"),
        Action::Keep(numbers) => format!("keep {numbers:?}"),
        Action::Reply { callers, outcome } => format!("tell {callers:?} {}", short(outcome)),
        Action::Stop => "stop".to_owned(),
    }
}

fn short(outcome: &RoundOutcome) -> String {
    match outcome {
        RoundOutcome::Unchanged => "unchanged".to_owned(),
        RoundOutcome::Updated { generation } => format!("updated {generation}"),
        RoundOutcome::Skipped(reason) => format!("skipped {reason:?}"),
        RoundOutcome::Failed(error) => format!("failed {:?}", error.kind()),
        RoundOutcome::Unread(ids) => format!("unread {}", ids.len()),
    }
}

fn changed(candidate: u64, needs: &[Need]) -> Event {
    Event::Checked(CheckOutcome::Changed {
        candidate,
        needs: needs.to_vec(),
        sentinel_moved: false,
    })
}

fn read(id: SecretId, changed: bool) -> Event {
    let report = ReadReport {
        changed,
        ..ReadReport::default()
    };
    Event::Read {
        id,
        outcome: Ok(report),
    }
}

fn unreadable(id: SecretId, kind: SecretErrorKind) -> Event {
    let error = ReadError {
        kind,
        status: None,
        retry_at: None,
    };
    Event::Read {
        id,
        outcome: Err(error),
    }
}

fn published(candidate: u64, generation: u64) -> Event {
    let publication = Publication {
        generation,
        changed: true,
    };
    Event::Assembled {
        candidate,
        outcome: Ok(publication),
    }
}

fn refused(candidate: u64, kind: ErrorKind) -> Event {
    Event::Assembled {
        candidate,
        outcome: Err(Error::new(kind, "by hand")),
    }
}

fn unchanged() -> Event {
    Event::Checked(CheckOutcome::Unchanged)
}

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
