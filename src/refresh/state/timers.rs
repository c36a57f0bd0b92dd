//! Intervals and backoff: when to ask again. Pure arithmetic on instants, with the caller's random numbers.

use std::time::Duration;

use crate::time::{Instant, later};

/// The most that a service's own `Retry-After` is followed.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(10 * 60);

const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// The points of a fixed grid with a random phase, each moved a little by its own random part.
///
/// The mean distance is exactly the interval, however long it runs; a late caller skips points, it never catches up.
#[derive(Debug, Clone)]
pub(crate) struct Ticker {
    every: Duration,
    jitter: f64,
    nominal: Instant,
    at: Instant,
}

impl Ticker {
    /// The first point lies at `phase` (0 to 1) of the interval from now.
    pub(crate) fn new(
        every: Duration,
        jitter: f64,
        phase: f64,
        now: Instant,
        rng: &mut fastrand::Rng,
    ) -> Self {
        let every = Self::feasible(every);
        let nominal = later(now, every.mul_f64(phase.clamp(0.0, 1.0)));
        let mut ticker = Self {
            every,
            jitter: jitter.clamp(0.0, 0.5),
            nominal,
            at: nominal,
        };
        ticker.place(rng);
        ticker
    }

    /// The interval that is kept for one that was asked for.
    pub(crate) fn feasible(every: Duration) -> Duration {
        every.clamp(SHORTEST, LONGEST)
    }

    /// The next point.
    pub(crate) fn at(&self) -> Instant {
        self.at
    }

    pub(crate) fn every(&self) -> Duration {
        self.every
    }

    /// Moves to the first point that is at least half an interval away from `from`; a point further away stays.
    pub(crate) fn advance(&mut self, from: Instant, rng: &mut fastrand::Rng) {
        let earliest = later(from, self.every / 2);
        if self.nominal >= earliest {
            return;
        }
        let behind = earliest.saturating_duration_since(self.nominal);
        let steps = behind.as_nanos().div_ceil(self.every.as_nanos());
        let steps = u32::try_from(steps).unwrap_or(u32::MAX);
        self.nominal = later(self.nominal, self.every.saturating_mul(steps));
        self.place(rng);
    }

    fn place(&mut self, rng: &mut fastrand::Rng) {
        self.at = later(self.nominal, self.every.mul_f64(self.jitter * rng.f64()));
    }
}

/// Full jitter: anything between a floor of 100 ms and 1 s · 2^n, which grows to 60 s.
pub(crate) fn full_jitter(failures: u32, rng: &mut fastrand::Rng) -> Duration {
    const FLOOR: Duration = Duration::from_millis(100);
    const MOST: Duration = Duration::from_secs(60);
    let doublings = failures.saturating_sub(1).min(6);
    let span = Duration::from_secs(1 << doublings).min(MOST);
    span.mul_f64(rng.f64()).max(FLOOR)
}

/// The distance between two checks of a failing store: the interval, doubled with every failure, at most 60 s ± 20 %.
///
/// 72 s at worst leaves 3 s of the promised 75 s for the requests themselves.
pub(crate) fn probe_delay(every: Duration, failures: u32, rng: &mut fastrand::Rng) -> Duration {
    const MOST: Duration = Duration::from_secs(60);
    let doublings = failures.saturating_sub(1).min(16);
    let delay = every.saturating_mul(1 << doublings).min(MOST);
    delay.mul_f64(0.8 + 0.4 * rng.f64())
}

/// What a service asked to wait, capped, plus a little so that a fleet does not come back in step. Never less.
pub(crate) fn asked_wait(wait: Duration, rng: &mut fastrand::Rng) -> Duration {
    const SPREAD: Duration = Duration::from_secs(2);
    let wait = wait.min(LONGEST_WAIT);
    wait + (wait / 10).min(SPREAD).mul_f64(rng.f64())
}

/// The earlier of two optional instants.
pub(crate) fn earliest(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn rng() -> fastrand::Rng {
        fastrand::Rng::with_seed(7)
    }

    #[test]
    fn a_day_has_as_many_points_as_it_has_intervals() {
        let mut rng = rng();
        let start = Instant::now();
        let end = later(start, 86_400 * SECOND);
        let mut ticker = Ticker::new(30 * SECOND, 0.2, 0.37, start, &mut rng);
        let (mut points, mut last) = (0, start);
        while ticker.at() < end {
            let at = ticker.at();
            if points > 0 {
                let gap = at - last;
                assert!(gap >= 24 * SECOND && gap <= 36 * SECOND, "{gap:?}");
            }
            (points, last) = (points + 1, at);
            ticker.advance(at, &mut rng);
        }
        assert!((2_879..=2_880).contains(&points), "{points}");
    }

    #[test]
    fn a_late_caller_skips_and_does_not_catch_up() {
        let mut rng = rng();
        let start = Instant::now();
        let mut ticker = Ticker::new(30 * SECOND, 0.0, 0.0, start, &mut rng);
        let woke = later(start, 8 * 3600 * SECOND + 29 * SECOND);
        ticker.advance(woke, &mut rng);
        assert!(ticker.at() >= woke + 15 * SECOND);
        assert!(ticker.at() <= woke + 45 * SECOND);
    }

    #[test]
    fn absurd_intervals_do_not_overflow() {
        let mut rng = rng();
        let start = Instant::now();
        let mut ticker = Ticker::new(Duration::MAX, 0.5, 1.0, start, &mut rng);
        ticker.advance(start, &mut rng);
        assert!(ticker.at() > later(start, 86_400 * SECOND));
        assert!(probe_delay(Duration::MAX, u32::MAX, &mut rng) <= 72 * SECOND);
    }

    #[test]
    fn backoff_stays_within_its_bounds() {
        let mut rng = rng();
        for failures in 0..200 {
            let delay = full_jitter(failures, &mut rng);
            assert!(delay >= SECOND / 10 && delay <= 60 * SECOND);
            let probe = probe_delay(30 * SECOND, failures, &mut rng);
            assert!(probe >= 24 * SECOND && probe <= 72 * SECOND);
        }
    }

    #[test]
    fn an_asked_wait_is_never_shortened_below_its_cap() {
        let mut rng = rng();
        for seconds in [0, 1, 10, 599, 600, 601, 1 << 40] {
            let asked = Duration::from_secs(seconds);
            let wait = asked_wait(asked, &mut rng);
            assert!(wait >= asked.min(LONGEST_WAIT));
            assert!(wait <= LONGEST_WAIT + 2 * SECOND);
        }
    }
}
