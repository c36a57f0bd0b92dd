//! How long a first load that failed waits before it is tried again.

use std::time::Duration;

use crate::error::Error;

const CAP: Duration = Duration::from_secs(600);
const LONG: Duration = Duration::from_secs(30);

/// The pauses of one start, in order.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    /// Pauses since the steps by time ran out. Those before do not count: the doubling begins at its first step, however
    /// often was tried before.
    doublings: u32,
}

impl Schedule {
    /// The next pause, `elapsed` after the start: our step and a random part more, for a fleet that starts at once is
    /// refused at once. What the service or all vaults ask for goes before it, up to ten minutes.
    pub(super) fn pause(&mut self, elapsed: Duration, error: &Error) -> Duration {
        let ours = self.step(elapsed);
        let asked = || error.failures().iter().map(crate::SecretError::retry_after);
        let theirs = asked().flatten().chain(error.retry_after()).max();
        let theirs = theirs.unwrap_or_default().min(CAP);
        // A vault's gate names a moment of its own for every client; our step would bring some of a fleet back together.
        if !error.failures().is_empty() && asked().all(|asked| asked.is_some()) {
            theirs
        } else {
            ours.max(theirs) + ours.min(LONG).mul_f64(fastrand::f64() / 4.0)
        }
    }

    /// The official providers' steps by time since the start (5 s, 10 s, 30 s), then doubling from 30 s to 10 min, the
    /// doubled ones with ± 25 % (provider-spec section 9).
    fn step(&mut self, elapsed: Duration) -> Duration {
        match elapsed.as_secs() {
            0..100 => Duration::from_secs(5),
            100..200 => Duration::from_secs(10),
            200..600 => LONG,
            _ => {
                let doublings = self.doublings;
                self.doublings = doublings.saturating_add(1);
                match doublings {
                    0 => LONG,
                    // 30 s five times doubled is more than the cap.
                    _ => LONG
                        .saturating_mul(1 << doublings.min(5))
                        .min(CAP)
                        .mul_f64(0.75 + fastrand::f64() / 2.0),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{ErrorKind, SecretError, SecretErrorKind};

    const DRAWS: usize = 200;

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn refused() -> Error {
        Error::new(ErrorKind::Unreachable, "refused")
    }

    /// The least and the most of many draws of one pause, each by a schedule that has paused so often past 600 s.
    fn drawn(elapsed: u64, before: u32, error: &Error) -> (Duration, Duration) {
        let pauses: Vec<Duration> = (0..DRAWS)
            .map(|_| {
                let mut schedule = Schedule::default();
                for _ in 0..before {
                    schedule.pause(secs(600), error);
                }
                schedule.pause(secs(elapsed), error)
            })
            .collect();
        let least = pauses.iter().min().copied().unwrap();
        (least, pauses.into_iter().max().unwrap())
    }

    /// All draws lie in the range, and they use it: not less than half of it.
    fn spread(elapsed: u64, before: u32, range: std::ops::RangeInclusive<f64>) {
        let (least, most) = drawn(elapsed, before, &refused());
        let (least, most) = (least.as_secs_f64(), most.as_secs_f64());
        let row = format!("{elapsed} s, {before} before: {least} to {most}");
        assert!(range.contains(&least) && range.contains(&most), "{row}");
        assert!(most - least > (range.end() - range.start()) / 2.0, "{row}");
    }

    #[test]
    fn f01_the_pauses_follow_the_time_since_the_start() {
        for (elapsed, step) in [
            (0, 5.0),
            (99, 5.0),
            (100, 10.0),
            (199, 10.0),
            (200, 30.0),
            (599, 30.0),
        ] {
            spread(elapsed, 0, step..=step * 1.25);
        }
    }

    /// The first step of the doubling is 30 s, and however long it goes on, ten minutes give or take a quarter.
    #[test]
    fn f01_after_ten_minutes_each_pause_is_twice_the_last() {
        spread(600, 0, 30.0..=37.5);
        for (before, step) in [(1, 60.0), (2, 120.0), (3, 240.0), (4, 480.0)] {
            spread(700, before, step * 0.75..=step * 1.25 + 7.5);
        }
        for before in [5, 6, 40] {
            spread(86_400, before, 450.0..=757.5);
        }
    }

    /// What was tried before ten minutes were over does not hasten the doubling.
    #[test]
    fn f01_the_doubling_begins_at_its_first_step_however_often_was_tried_before() {
        let mut schedule = Schedule::default();
        for elapsed in (0..600).step_by(5) {
            schedule.pause(secs(elapsed), &refused());
        }
        let first = schedule.pause(secs(600), &refused());
        assert!(first <= Duration::from_millis(37_500), "{first:?}");
        let second = schedule.pause(secs(640), &refused());
        assert!(second <= Duration::from_millis(82_500), "{second:?}");
    }

    #[test]
    fn what_is_asked_for_goes_first_and_is_capped() {
        let told = |seconds| refused().with_retry_after(secs(seconds));
        let (least, most) = drawn(0, 0, &told(40));
        assert!(least >= secs(40) && most <= Duration::from_millis(41_250));
        assert!(most > least, "a fleet that was told the same is spread");
        let (least, most) = drawn(0, 0, &told(3));
        assert!(least >= secs(5) && most <= Duration::from_millis(6_250));
        let (_, most) = drawn(0, 0, &told(10_000));
        assert!(most <= secs(602));
    }

    /// A gate is a moment of its own for each client, which no step of ours is to move; a vault that names none is not.
    #[test]
    fn the_gates_of_vaults_are_kept_to_the_moment() {
        let throttled = |pause: Option<u64>| {
            let failure = SecretError::new(SecretErrorKind::Throttled);
            match pause {
                Some(pause) => failure.with_retry_after(secs(pause)),
                None => failure,
            }
        };
        let of = |failures| Error::references(failures);
        let gated = of(vec![throttled(Some(2)), throttled(Some(7))]);
        assert_eq!(drawn(0, 0, &gated), (secs(7), secs(7)));
        let (least, most) = drawn(0, 0, &of(vec![throttled(Some(2)), throttled(None)]));
        assert!(least >= secs(5) && most <= Duration::from_millis(6_250));
    }
}
