//! How long to wait before asking again.

use std::time::Duration;

use crate::error::{Error, ErrorKind};

/// Further attempts of one request within one call.
pub(super) const RETRIES: u32 = 2;

const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// After a 429 that names no pause: the service has too much to do, but does not say for how long.
const FIRST_PAUSE_IF_THROTTLED: Duration = Duration::from_secs(1);
/// Asked to wait longer than this, a call fails instead, and whoever made it decides when to come back.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// Our own pause before the next attempt: full jitter over a doubling step. What the service asks for is the
/// gate's business.
pub(super) fn pause(attempt: u32, error: &Error) -> Duration {
    step(attempt, error).mul_f64(fastrand::f64())
}

/// The longest that this pause may be.
fn step(attempt: u32, error: &Error) -> Duration {
    let throttled = error.kind() == ErrorKind::Throttled && error.retry_after().is_none();
    let first = match throttled {
        true => FIRST_PAUSE_IF_THROTTLED,
        false => FIRST_PAUSE,
    };
    first.saturating_mul(1 << attempt.min(8)).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f04_our_own_pauses_begin_at_a_second_double_and_are_capped() {
        let throttled = Error::new(ErrorKind::Throttled, "429");
        let told = throttled.clone().with_retry_after(Duration::from_secs(1));
        let failed = Error::new(ErrorKind::Service, "503");
        let millis = |error: &Error| [0, 1, 2, 3, 40].map(|at| step(at, error).as_millis());
        assert_eq!(millis(&throttled), [1000, 2000, 3000, 3000, 3000]);
        assert_eq!(millis(&failed), [250, 500, 1000, 2000, 3000]);
        // How long the service asked for is waited out elsewhere.
        assert_eq!(millis(&told), millis(&failed));
    }

    #[test]
    fn f04_our_own_pauses_are_jittered_over_the_whole_step() {
        let throttled = Error::new(ErrorKind::Throttled, "429");
        for attempt in 0..40 {
            let most = step(attempt, &throttled);
            let pauses: Vec<Duration> = (0..200).map(|_| pause(attempt, &throttled)).collect();
            assert!(pauses.iter().all(|pause| *pause <= most));
            assert!(pauses.iter().any(|pause| *pause < most / 4));
            assert!(pauses.iter().any(|pause| *pause > most * 3 / 4));
        }
    }
}
