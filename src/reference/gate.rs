//! The gate of one vault: who may ask now, who waits, and who is told no without a request.
//!
//! A vault that has not answered lately is asked by one read alone (the probe) while the others wait. That makes
//! one challenge per vault on a cold start, and one request that is told "too many" instead of sixteen. A 429
//! closes the gate until the vault's own date, and then one probe opens it again.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::error::SecretErrorKind;
use crate::time::{Instant, later};
use crate::transport::LONGEST_RETRY_AFTER;

use super::failure::{Reach, ReadFailure};

/// An answer proves the vault for this long.
const FRESH: Duration = Duration::from_secs(10);
/// Our own wait doubles from this...
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// ...to this.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

pub(super) struct Gate {
    state: Mutex<State>,
    /// Counts ended probes.
    ended: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    answered: Option<Instant>,
    closed_until: Option<Instant>,
    /// How often in a row the vault asked for fewer requests.
    strikes: u32,
    probing: bool,
    /// How many failures of the vault as a whole were seen, and the last of them.
    failures: u64,
    last: Option<ReadFailure>,
}

impl State {
    /// Closes the gate. Several refusals of requests that were under way together count once.
    fn close(&mut self, wish: Option<Duration>) -> Instant {
        let now = Instant::now();
        let wish = wish.unwrap_or_default().min(LONGEST_RETRY_AFTER);
        let until = match self.closed_until.filter(|until| now < *until) {
            Some(until) => until.max(later(now, wish)),
            None => {
                let wait = own_wait(self.strikes).max(wish);
                self.strikes = self.strikes.saturating_add(1);
                later(now, wait)
            }
        };
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
            state: Mutex::default(),
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
                // The sender lives in this very gate, so the wait ends with the probe.
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
        if !proven && state.probing {
            return Step::Wait(self.ended.subscribe());
        }
        state.probing |= !proven;
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
            state.strikes = 0;
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
            state.failures += 1;
            state.last = Some(failure.clone());
        }
        failure
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if self.probe {
            self.gate.state().probing = false;
            self.gate.ended.send_modify(|ended| *ended += 1);
        }
    }
}

fn throttled(last: Option<&ReadFailure>, until: Instant) -> ReadFailure {
    last.cloned()
        .unwrap_or_else(|| ReadFailure::new(SecretErrorKind::Throttled))
        .with_retry_at(until)
}

/// 1, 2, 4 ... 60 seconds, of which a random part up to a half is left out, so that a fleet spreads.
fn own_wait(strikes: u32) -> Duration {
    let most = FIRST_WAIT
        .saturating_mul(1 << strikes.min(6))
        .min(LONGEST_WAIT);
    most.mul_f64(1.0 - fastrand::f64() / 2.0)
}
