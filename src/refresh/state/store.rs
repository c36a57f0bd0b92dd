//! When the store is asked, and how it is spared while it fails or asks for fewer requests.

use std::time::Duration;

use super::floor::FLOOR;
use super::timers::{LONGEST_WAIT, Ticker, asked_wait, earliest, probe_delay};
use crate::error::Error;
use crate::refresh::Scope;
use crate::time::{Instant, later};

/// A throttled store is asked at most this many doublings less often: every 4 min at the default interval.
const MOST_STRETCH: u32 = 3;

/// A check under way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Check {
    pub(crate) scope: Scope,
    pub(crate) started: Instant,
    /// Begun for a caller of `refresh`.
    pub(crate) forced: bool,
    /// Begun because something is known to have changed: an event says so, or content has to be seen once more. No interval
    /// stands for it, so that it is owed until it succeeds.
    owed: bool,
}

#[derive(Debug)]
pub(crate) struct StoreSchedule {
    /// The shorter of the intervals: what a store that fails or throttles is asked by, since such a check asks for both parts.
    every: Duration,
    settings: Option<Ticker>,
    /// Only with an interval of their own; otherwise feature flags are checked with the settings.
    flags: Option<Ticker>,
    /// Instead of the intervals while checks fail.
    retry: Option<Instant>,
    pub(crate) failures: u32,
    /// Why the last check failed, and since when checks do.
    pub(crate) failed: Option<(Instant, Error)>,
    pub(crate) attempted: Option<Instant>,
    pub(crate) answered: Option<Instant>,
    /// Asked for by the store: no check of any kind before.
    closed: Option<Instant>,
    /// While throttled, interval checks are this many doublings further apart, and none comes before `rested`.
    stretch: u32,
    rested: Option<Instant>,
    dirty: Option<Instant>,
    /// When a check last began because of an event. Such checks are `FLOOR` apart, however many events there are.
    pushed: Option<Instant>,
    pub(crate) settle: Option<Instant>,
    forced: Option<Instant>,
    check: Option<Check>,
}

impl StoreSchedule {
    /// `every`: `None` checks only when somebody asks.
    pub(crate) fn new(
        every: Option<Duration>,
        flags_every: Option<Duration>,
        jitter: f64,
        now: Instant,
        rng: &mut fastrand::Rng,
    ) -> Self {
        let mut ticker = |every| {
            let phase = 1.0 - rng.f64();
            Ticker::new(every, jitter, phase, now, rng)
        };
        let settings = every.map(&mut ticker);
        let flags = flags_every.filter(|_| every.is_some()).map(&mut ticker);
        let tickers = [&settings, &flags].into_iter().flatten();
        Self {
            every: tickers.map(Ticker::every).min().unwrap_or_default(),
            settings,
            flags,
            retry: None,
            failures: 0,
            failed: None,
            attempted: None,
            answered: None,
            closed: None,
            stretch: 0,
            rested: None,
            dirty: None,
            pushed: None,
            settle: None,
            forced: None,
            check: None,
        }
    }

    pub(crate) fn is_periodic(&self) -> bool {
        self.settings.is_some()
    }

    pub(crate) fn is_checking(&self) -> bool {
        self.check.is_some()
    }

    pub(crate) fn is_closed(&self, now: Instant) -> bool {
        self.closed.is_some_and(|until| until > now)
    }

    /// Nothing was ever loaded: try soon, as after a failure.
    pub(crate) fn start_empty(&mut self, now: Instant, rng: &mut fastrand::Rng) {
        self.failures = 1;
        self.plan_retry(now, rng);
    }

    /// A caller wants a check now. False if the store asked for none.
    pub(crate) fn force(&mut self, now: Instant) -> bool {
        self.forced = (!self.is_closed(now)).then_some(now);
        self.forced.is_some()
    }

    /// Something changed, an event says: check at `at`. A check that is planned until `latest` already serves it: if each
    /// of many events could draw it forward, the random moments of a fleet would all be the first one.
    pub(crate) fn dirty(&mut self, at: Instant, latest: Instant) {
        if self.dirty.is_none_or(|planned| planned > latest) {
            let open = self.pushed.map(|last| later(last, FLOOR));
            let at = open.map_or(at, |open| open.max(at));
            self.dirty = earliest(self.dirty, Some(at));
        }
    }

    /// When the next check is due, if none is under way.
    pub(crate) fn wake(&self) -> Option<Instant> {
        if self.is_checking() {
            return None;
        }
        let asked = earliest(self.forced, earliest(self.dirty, self.settle));
        let due = earliest(asked, self.periodic())?;
        Some(self.closed.map_or(due, |closed| closed.max(due)))
    }

    /// When the interval, or the retry that stands for it, wants a check.
    pub(crate) fn periodic(&self) -> Option<Instant> {
        let ticker = earliest(
            self.settings.as_ref().map(Ticker::at),
            self.flags.as_ref().map(Ticker::at),
        );
        let ticker = ticker.map(|at| self.rested.map_or(at, |rested| rested.max(at)));
        self.retry.or(ticker)
    }

    /// Begins the check that is due. While nothing is `known` there is nothing that a part of the store could be added to.
    pub(crate) fn start(
        &mut self,
        known: bool,
        now: Instant,
        rng: &mut fastrand::Rng,
    ) -> Option<Scope> {
        if self.wake()? > now {
            return None;
        }
        let scope = if known { self.scope(now) } else { Scope::Both };
        self.attempted = Some(now);
        let pushed = self.dirty.take_if(|at| *at <= now).is_some();
        if pushed {
            self.pushed = Some(now);
        }
        let settles = self.settle.take_if(|at| *at <= now).is_some();
        self.retry.take_if(|at| *at <= now);
        self.check = Some(Check {
            scope,
            started: now,
            forced: self.forced.take().is_some(),
            owed: pushed || settles,
        });
        for ticker in [&mut self.settings, &mut self.flags].into_iter().flatten() {
            if ticker.at() <= now {
                ticker.advance(now, rng);
            }
        }
        Some(scope)
    }

    /// Settings and flags have each their interval; everything that is not an interval asks for both.
    fn scope(&self, now: Instant) -> Scope {
        let is_due = |ticker: &Option<Ticker>| ticker.as_ref().is_some_and(|t| t.at() <= now);
        let special = [self.forced, self.retry, self.dirty, self.settle];
        let special = special.into_iter().flatten().any(|at| at <= now);
        match (is_due(&self.settings), is_due(&self.flags)) {
            _ if special || self.flags.is_none() => Scope::Both,
            (true, false) => Scope::Settings,
            (false, true) => Scope::Flags,
            _ => Scope::Both,
        }
    }

    /// The check has ended, however it did.
    pub(crate) fn finish(&mut self) -> Option<Check> {
        self.check.take()
    }

    pub(crate) fn succeeded(&mut self, check: Check, now: Instant, rng: &mut fastrand::Rng) {
        self.failures = 0;
        self.failed = None;
        self.answered = Some(now);
        self.retry = None;
        self.closed = None;
        self.rested = None;
        for ticker in [&mut self.settings, &mut self.flags].into_iter().flatten() {
            if ticker.at() <= now {
                ticker.advance(now, rng);
            }
        }
        if self.stretch > 0 {
            self.rested = Some(later(check.started, self.apart()));
            self.stretch -= 1;
        }
    }

    /// How far apart checks are while the store is throttled.
    fn apart(&self) -> Duration {
        let stretched = self.every.saturating_mul(1 << self.stretch);
        stretched.min(LONGEST_WAIT.max(self.every))
    }

    pub(crate) fn failed(
        &mut self,
        check: Check,
        error: Error,
        now: Instant,
        rng: &mut fastrand::Rng,
    ) {
        self.failures = self.failures.saturating_add(1);
        self.plan_retry(now, rng);
        if error.is_throttled() {
            self.stretch = (self.stretch + 1).min(MOST_STRETCH);
            let asked = error
                .retry_after()
                .map(|wait| later(now, asked_wait(wait, rng)));
            let closed = asked.map_or(self.closed, |at| {
                Some(self.closed.map_or(at, |c| c.max(at)))
            });
            self.closed = closed;
            self.rest(now, rng);
            if check.owed {
                self.owe(now, rng);
            }
        }
        let since = self.failed.take().map_or(now, |(since, _)| since);
        self.failed = Some((since, error));
    }

    /// A store that asks for fewer requests is asked the less often the more often it does.
    fn rest(&mut self, now: Instant, rng: &mut fastrand::Rng) {
        if self.is_periodic() {
            let rest = self.apart().mul_f64(0.8 + 0.4 * rng.f64());
            self.retry = Some(later(now, rest));
        }
    }

    /// What is known to have changed does not wait for a long interval: about a minute after the first refusal, twice and
    /// four times that after further ones, and not before the store's own time.
    fn owe(&mut self, now: Instant, rng: &mut fastrand::Rng) {
        if self.is_periodic() {
            let delay = probe_delay(self.every, self.failures, rng);
            let delay = delay.saturating_mul(1 << self.stretch.saturating_sub(1));
            self.dirty = earliest(self.dirty, Some(later(now, delay)));
        }
    }

    fn plan_retry(&mut self, now: Instant, rng: &mut fastrand::Rng) {
        if self.is_periodic() {
            self.retry = Some(later(now, probe_delay(self.every, self.failures, rng)));
        }
    }

    /// Takes over what is known of the store from a machine that ended, and what is owed. `lost`: something that was fetched
    /// is gone, and has to be fetched again.
    pub(crate) fn inherit(
        &mut self,
        before: &Self,
        lost: bool,
        now: Instant,
        rng: &mut fastrand::Rng,
    ) {
        self.failures = before.failures;
        self.failed.clone_from(&before.failed);
        self.attempted = before.attempted;
        self.answered = before.answered;
        self.closed = before.closed;
        self.stretch = before.stretch;
        self.rested = before.rested;
        self.pushed = before.pushed;
        let owed = lost || before.check.is_some_and(|check| check.owed);
        self.dirty = earliest(before.dirty, owed.then_some(now));
        match &self.failed {
            Some((_, error)) if error.is_throttled() => self.rest(now, rng),
            _ if self.failures > 0 => self.plan_retry(now, rng),
            _ => {}
        }
    }

    /// The request under way was dropped.
    pub(crate) fn abandon(&mut self) {
        self.check = None;
    }
}
