//! The gate of one vault: who may ask now, who waits, and who is told no without a request.
//!
//! A vault that has not answered lately is asked by one read alone (the probe) while the others wait. That makes
//! one challenge per vault on a cold start, and one request that is told "too many" instead of sixteen. After
//! that a few at a time, until it has shown that it has room for more.
//!
//! A 429 closes the gate until the vault's own date, and then one probe opens it again. The vault's limit belongs to
//! a whole fleet, whose members are all refused in the same moment and are all told the same date. Were they to come
//! back together, most of them would be refused again. So each waits a random time more, from a span that doubles
//! with every refusal: those who come early find the vault free and finish, the others come when they are gone.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::error::SecretErrorKind;
use crate::time::{Instant, later};
use crate::transport::LONGEST_RETRY_AFTER;

use super::failure::{Reach, ReadFailure};

/// An answer proves the vault for this long.
const FRESH: Duration = Duration::from_secs(10);
/// No wish of a vault counts for less.
const SHORTEST_WISH: Duration = Duration::from_secs(1);
/// Stands for the date that a vault does not name: half of the window in which Key Vault counts requests.
const NO_WISH: Duration = Duration::from_secs(5);
/// The random part of a wait doubles from this...
const FIRST_SPREAD: Duration = Duration::from_secs(30);
/// ...to this.
const LONGEST_SPREAD: Duration = Duration::from_secs(60);
/// Refusals that are further apart have nothing to do with each other.
const CALM: Duration = Duration::from_secs(60);
/// Requests at a time, until a vault has answered so many.
const FIRST_WINDOW: usize = 3;
const FIRST_ANSWERS: usize = 7;
/// Requests at a time, soon after a vault asked for fewer.
const CAREFUL_WINDOW: usize = 2;

pub(super) struct Gate {
    state: Mutex<State>,
    /// Counts ended requests.
    ended: watch::Sender<u64>,
}

struct State {
    answered: Option<Instant>,
    closed_until: Option<Instant>,
    /// The end of the last wait that the vault asked for.
    opened: Option<Instant>,
    /// How often in a row the vault asked for fewer requests.
    strikes: u32,
    probing: bool,
    /// Requests under way.
    flying: usize,
    /// Answers since the vault last failed as a whole.
    answers: usize,
    /// How many failures of the vault as a whole were seen, and the last of them.
    failures: u64,
    last: Option<ReadFailure>,
}

impl State {
    fn new() -> Self {
        Self {
            answered: None,
            closed_until: None,
            opened: None,
            strikes: 0,
            probing: false,
            flying: 0,
            answers: 0,
            failures: 0,
            last: None,
        }
    }

    /// How many requests there may be at a time: few until the vault is known to have room, and few while it says that
    /// it has none. A fleet that starts at once has that many under way when the vault's limit is reached.
    fn window(&self, now: Instant) -> usize {
        if !self.is_calm(now) {
            CAREFUL_WINDOW
        } else if self.answers < FIRST_ANSWERS {
            FIRST_WINDOW
        } else {
            usize::MAX
        }
    }

    /// It is long ago that the vault asked for fewer requests, if it ever did.
    fn is_calm(&self, now: Instant) -> bool {
        self.opened.is_none_or(|at| now > later(at, CALM))
    }

    /// Closes the gate. Several refusals of requests that were under way together count once.
    fn close(&mut self, wish: Option<Duration>) -> Instant {
        let now = Instant::now();
        let wish = wish.unwrap_or(NO_WISH).min(LONGEST_RETRY_AFTER);
        let until = match self.closed_until.filter(|until| now < *until) {
            Some(until) => until.max(later(now, wish)),
            None => {
                if self.is_calm(now) {
                    self.strikes = 0;
                }
                let wait = wish.max(SHORTEST_WISH) + spread(self.strikes);
                self.strikes = self.strikes.saturating_add(1);
                later(now, wait)
            }
        };
        self.opened = Some(until);
        self.closed_until = Some(until);
        until
    }
}

/// The count of failures when a read began: later ones answer it too.
#[derive(Clone, Copy)]
pub(super) struct Since(u64);

/// The right to send one request. Must be given back with what came of it; dropped, it counts for nothing.
pub(super) struct Pass<'a> {
    gate: &'a Gate,
    probe: bool,
}

enum Step<'a> {
    Go(Pass<'a>),
    No(ReadFailure),
    Wait(watch::Receiver<u64>),
}

impl Gate {
    pub(super) fn new() -> Self {
        Self {
            state: Mutex::new(State::new()),
            ended: watch::Sender::new(0),
        }
    }

    /// A read begins.
    pub(super) fn since(&self) -> Since {
        Since(self.state().failures)
    }

    /// The answer of a closed gate.
    pub(super) fn refusal(&self) -> Option<ReadFailure> {
        let state = self.state();
        let now = Instant::now();
        let until = state.closed_until.filter(|until| now < *until)?;
        Some(throttled(state.last.as_ref(), until))
    }

    #[cfg(test)]
    /// Until when the gate is closed, if it is.
    pub(super) fn closed_until(&self) -> Option<Instant> {
        let now = Instant::now();
        self.state().closed_until.filter(|until| now < *until)
    }

    /// Waits for the right to send a request. Fails without one if the gate is closed, or if the vault failed as a
    /// whole since the read began.
    pub(super) async fn enter(&self, since: Since) -> Result<Pass<'_>, ReadFailure> {
        loop {
            match self.step(since) {
                Step::Go(pass) => return Ok(pass),
                Step::No(failure) => return Err(failure),
                // The sender lives in this very gate, so the wait ends with one of the requests under way.
                Step::Wait(mut ended) => drop(ended.changed().await),
            }
        }
    }

    fn step(&self, since: Since) -> Step<'_> {
        let mut state = self.state();
        let now = Instant::now();
        if let Some(until) = state.closed_until.filter(|until| now < *until) {
            return Step::No(throttled(state.last.as_ref(), until));
        }
        if state.failures > since.0
            && let Some(last) = &state.last
        {
            return Step::No(last.clone());
        }
        let proven =
            state.closed_until.is_none() && state.answered.is_some_and(|at| now < later(at, FRESH));
        let room = if proven {
            state.flying < state.window(now)
        } else {
            !state.probing
        };
        if !room {
            return Step::Wait(self.ended.subscribe());
        }
        state.probing |= !proven;
        state.flying += 1;
        Step::Go(Pass {
            gate: self,
            probe: !proven,
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass<'_> {
    /// The vault answered: the secret, or a refusal that concerns this secret alone.
    pub(super) fn answered(self) {
        let mut state = self.gate.state();
        let now = Instant::now();
        // What was on its way when the gate closed does not open it again.
        if self.probe || state.closed_until.is_none_or(|until| until <= now) {
            state.answered = Some(now);
            state.closed_until = None;
            state.answers = state.answers.saturating_add(1);
        }
    }

    /// The vault failed. Returns the failure with the instant before which it makes no sense to ask again.
    pub(super) fn failed(self, reach: Reach, failure: ReadFailure) -> ReadFailure {
        let mut state = self.gate.state();
        state.answered = None;
        let failure = match reach {
            Reach::Throttled(wish) => failure.with_retry_at(state.close(wish)),
            _ => failure,
        };
        // One broken request among many proves little; a probe speaks for all who wait for it.
        if self.probe || matches!(reach, Reach::Throttled(_)) {
            state.answers = 0;
            state.failures += 1;
            // It is told to reads that are never sent, which have no id.
            state.last = Some(failure.unsent());
        }
        failure
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        let mut state = self.gate.state();
        state.flying = state.flying.saturating_sub(1);
        if self.probe {
            state.probing = false;
        }
        drop(state);
        self.gate.ended.send_modify(|ended| *ended += 1);
    }
}

fn throttled(last: Option<&ReadFailure>, until: Instant) -> ReadFailure {
    last.cloned()
        .unwrap_or_else(|| ReadFailure::new(SecretErrorKind::Throttled))
        .with_retry_at(until)
}

/// A random part of 30, 60, 60 ... seconds.
fn spread(strikes: u32) -> Duration {
    let most = FIRST_SPREAD
        .saturating_mul(1 << strikes.min(6))
        .min(LONGEST_SPREAD);
    most.mul_f64(fastrand::f64())
}
