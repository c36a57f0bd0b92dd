//! One secret: what is known of it, and when it wants to be read.

use std::time::Duration;

use super::timers::{Ticker, earliest, full_jitter};
use crate::error::SecretErrorKind;
use crate::time::{Instant, later};

/// What a successful read says about the secret.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ReadReport {
    /// The value, the version or an attribute differs from what was held, or nothing was held.
    pub(crate) changed: bool,
    /// Until the secret's `exp`; `None` if it has none or it has passed.
    pub(crate) expires_in: Option<Duration>,
    /// Until the secret's `nbf`; `None` if it has none or it has passed.
    pub(crate) valid_in: Option<Duration>,
}

/// Why a read failed, as far as the schedule cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReadError {
    pub(crate) kind: SecretErrorKind,
    pub(crate) status: Option<u16>,
    /// Not before this instant, if the vault said so.
    pub(crate) retry_at: Option<Instant>,
}

impl ReadError {
    /// The vault is at fault rather than this one secret.
    pub(crate) fn is_vault_wide(&self) -> bool {
        matches!(
            self.kind,
            SecretErrorKind::Unreachable | SecretErrorKind::Credential
        )
    }

    pub(crate) fn is_throttled(&self) -> bool {
        self.kind == SecretErrorKind::Throttled
    }

    /// The vault gave no answer about the secret, so that nothing is known.
    pub(crate) fn is_transient(&self) -> bool {
        self.is_vault_wide() || self.is_throttled()
    }
}

/// A row of failures without a success between them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Failing {
    pub(crate) error: ReadError,
    pub(crate) since: Instant,
    pub(crate) attempts: u32,
}

/// What a read changed about the secret, for those who decide about publishing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// As before: the same value, or the same failure again.
    Nothing,
    /// A first value, another one, or the end of a failure.
    Fresh,
    /// A failure that was not there before, or one of another kind.
    Failed,
}

/// What a read under way has to answer for.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) started: Instant,
    pub(crate) effect: Effect,
    /// The vault said nothing about the secret.
    pub(crate) unknown: bool,
}

/// When an unversioned secret is about to expire, it is read this long before, give or take a third.
const LEAD: Duration = Duration::from_secs(30);
/// A date closer than this draws nothing forward, so that no vault can cause a tight loop.
const WORTHWHILE: Duration = Duration::from_secs(10);

/// The schedule of one secret.
#[derive(Debug)]
pub(crate) struct Secret {
    /// The periodic reads, if there are any.
    pub(crate) grid: Option<Ticker>,
    /// False for a version, whose dates draw nothing forward.
    rotates: bool,
    /// Before or at `exp`, at `nbf`, or as planned before the interval changed.
    drawn: Option<Instant>,
    /// After a failure of its own.
    pub(crate) retry: Option<Instant>,
    /// As soon as the vault allows, not before this.
    pub(crate) wanted: Option<Instant>,
    /// Its last failure was the vault's: it is read when the vault is well again.
    pub(crate) waits: bool,
    /// Something happened while a read was under way, which may have come too late for it.
    pub(crate) again: bool,
    /// When the value that is held was asked for.
    pub(crate) held: Option<Instant>,
    pub(crate) failing: Option<Failing>,
    /// When the last read began.
    pub(crate) started: Option<Instant>,
}

impl Secret {
    pub(crate) fn new(grid: Option<Ticker>, rotates: bool) -> Self {
        Self {
            grid,
            rotates,
            drawn: None,
            retry: None,
            wanted: None,
            waits: false,
            again: false,
            held: None,
            failing: None,
            started: None,
        }
    }

    /// How often it is read again, if at all.
    pub(crate) fn every(&self) -> Option<Duration> {
        self.grid.as_ref().map(Ticker::every)
    }

    /// It is read at another interval from now on. The read that comes next stands: it draws its dates by the new one.
    pub(crate) fn replan(&mut self, grid: Option<Ticker>) {
        let planned = std::mem::replace(&mut self.grid, grid);
        self.drawn = earliest(self.drawn, planned.map(|grid| grid.at()));
    }

    /// When it wants to be read, whatever the vault says.
    pub(crate) fn due(&self) -> Option<Instant> {
        let periodic = earliest(self.grid.as_ref().map(Ticker::at), self.drawn);
        earliest(periodic, earliest(self.retry, self.wanted))
    }

    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.due().is_some_and(|due| due <= now)
    }

    /// Asks for a read not before `at`; the earlier wish stands.
    pub(crate) fn want(&mut self, at: Instant) {
        self.wanted = earliest(self.wanted, Some(at));
    }

    /// A read begins: every reason for it that has come is served by it.
    pub(crate) fn begin(&mut self, now: Instant, rng: &mut fastrand::Rng) {
        self.started = Some(now);
        self.again = false;
        self.waits = false;
        for reason in [&mut self.drawn, &mut self.retry, &mut self.wanted] {
            reason.take_if(|at| *at <= now);
        }
        if let Some(grid) = &mut self.grid
            && grid.at() <= now
        {
            grid.advance(now, rng);
        }
    }

    /// The value that is held now, read at `started`.
    pub(crate) fn succeeded(
        &mut self,
        report: ReadReport,
        started: Instant,
        now: Instant,
        rng: &mut fastrand::Rng,
    ) -> Effect {
        let fresh = report.changed || self.held.is_none() || self.failing.is_some();
        self.failing = None;
        self.retry = None;
        self.hold(report, started, now, rng);
        if fresh {
            Effect::Fresh
        } else {
            Effect::Nothing
        }
    }

    /// Remembers a value and its dates.
    pub(crate) fn hold(
        &mut self,
        report: ReadReport,
        started: Instant,
        now: Instant,
        rng: &mut fastrand::Rng,
    ) {
        self.held = Some(started);
        self.drawn = None;
        if !self.rotates {
            return;
        }
        let next = self.grid.as_ref().map(Ticker::at);
        let lead = LEAD.mul_f64(0.67 + 0.67 * rng.f64());
        let dates = [
            report.expires_in.and_then(|left| left.checked_sub(lead)),
            report.expires_in,
            report.valid_in,
        ];
        self.drawn = dates
            .into_iter()
            .flatten()
            .filter(|left| *left > WORTHWHILE)
            .map(|left| later(now, left))
            .filter(|at| next.is_none_or(|next| *at < next))
            .min();
    }

    /// Remembers a failure; the caller decides when to try again.
    pub(crate) fn failed(&mut self, error: ReadError, now: Instant) -> Effect {
        match &mut self.failing {
            Some(failing) => {
                let same = failing.error.kind == error.kind;
                failing.error = error;
                failing.attempts = failing.attempts.saturating_add(1);
                if same {
                    Effect::Nothing
                } else {
                    Effect::Failed
                }
            }
            None => {
                self.failing = Some(Failing {
                    error,
                    since: now,
                    attempts: 1,
                });
                Effect::Failed
            }
        }
    }

    /// Takes over what is known of it from a machine that ended, and what was wanted there.
    pub(crate) fn inherit(&mut self, before: &Self, flying: bool, now: Instant) {
        // The value came with the read that was under way: the failure before it is over.
        let arrived = before.held.is_none() && self.held.is_some();
        self.held = before.held.or(self.held);
        self.started = before.started;
        self.failing = before.failing.filter(|_| !arrived);
        self.wanted = earliest(self.wanted, before.wanted);
        if flying || self.failing.is_some() {
            self.want(now);
        }
    }

    /// Tries again after a backoff of its own.
    pub(crate) fn back_off(&mut self, now: Instant, rng: &mut fastrand::Rng) {
        let attempts = self.failing.map_or(1, |failing| failing.attempts);
        self.retry = Some(later(now, full_jitter(attempts, rng)));
    }
}
