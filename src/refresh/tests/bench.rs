//! The machine on a bench: events go in by hand, and what it says to each comes out as a line.

use std::time::Duration;

use super::backend::{pinned, secret};
use crate::error::{Error, ErrorKind, SecretErrorKind};
use crate::refresh::Scope;
use crate::refresh::state::{
    Action, CheckOutcome, Event, Need, Publication, ReadError, ReadReport, RoundOutcome, Schedule,
    SecretId, State,
};
use crate::time::Instant;

pub(super) struct Bench {
    pub(super) state: State,
    pub(super) now: Instant,
}

pub(super) fn need(id: SecretId, held: bool) -> Need {
    Need {
        id,
        every: Some(Duration::from_secs(300)),
        held: held.then(ReadReport::default),
    }
}

impl Bench {
    /// Candidate 1 is published; it needs one secret that rotates and one that does not.
    pub(super) fn new(schedule: &Schedule) -> Self {
        let needs = [need(secret(0, 1), true), need(pinned(0, 2), true)];
        let now = Instant::now();
        let state = State::new(schedule, 3, Some((1, &needs)), 1, now);
        Self { state, now }
    }

    /// What it says to an event, a millisecond after the one before.
    pub(super) fn tell(&mut self, event: Event) -> String {
        self.now += Duration::from_millis(1);
        let actions = self.state.step(event, self.now);
        actions.iter().map(said).collect::<Vec<_>>().join(", ")
    }

    pub(super) fn wake(&mut self) -> String {
        let at = self.state.wake().expect("something to come");
        assert!(at > self.now);
        self.now = at;
        self.tell(Event::Woke)
    }
}

pub(super) fn said(action: &Action) -> String {
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

pub(super) fn short(outcome: &RoundOutcome) -> String {
    match outcome {
        RoundOutcome::Unchanged => "unchanged".to_owned(),
        RoundOutcome::Updated { generation } => format!("updated {generation}"),
        RoundOutcome::Skipped(reason) => format!("skipped {reason:?}"),
        RoundOutcome::Failed(error) => format!("failed {:?}", error.kind()),
        RoundOutcome::Unread(ids) => format!("unread {}", ids.len()),
    }
}

pub(super) fn changed(candidate: u64, needs: &[Need]) -> Event {
    Event::Checked(CheckOutcome::Changed {
        candidate,
        needs: needs.to_vec(),
        sentinel_moved: false,
    })
}

pub(super) fn read(id: SecretId, changed: bool) -> Event {
    let report = ReadReport {
        changed,
        ..ReadReport::default()
    };
    Event::Read {
        id,
        outcome: Ok(report),
    }
}

pub(super) fn unreadable(id: SecretId, kind: SecretErrorKind) -> Event {
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

pub(super) fn published(candidate: u64, generation: u64) -> Event {
    let publication = Publication {
        generation,
        changed: true,
    };
    Event::Assembled {
        candidate,
        outcome: Ok(publication),
    }
}

pub(super) fn refused(candidate: u64, kind: ErrorKind) -> Event {
    Event::Assembled {
        candidate,
        outcome: Err(Error::new(kind, "by hand")),
    }
}

pub(super) fn unchanged() -> Event {
    Event::Checked(CheckOutcome::Unchanged)
}

pub(super) fn throttled(seconds: u64) -> Event {
    let error = Error::new(ErrorKind::Throttled, "by hand");
    let asks = error.with_retry_after(Duration::from_secs(seconds));
    Event::Checked(CheckOutcome::Failed(asks))
}
