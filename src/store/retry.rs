//! How long to wait before asking again.

use std::time::Duration;

/// Further attempts of one request within one call.
pub(super) const RETRIES: u32 = 2;

const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// Asked to wait longer than this, a call fails instead, and whoever made it decides when to come back.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// Our own pause before the next attempt: full jitter over a doubling step. What the service asks for is the
/// gate's business.
pub(super) fn pause(attempt: u32) -> Duration {
    let step = FIRST_PAUSE.saturating_mul(1 << attempt.min(8));
    step.min(LONGEST_PAUSE).mul_f64(fastrand::f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f04_our_own_pauses_are_jittered_and_bounded() {
        for attempt in 0..40 {
            let pauses: Vec<Duration> = (0..50).map(|_| pause(attempt)).collect();
            let most = FIRST_PAUSE
                .saturating_mul(1 << attempt.min(8))
                .min(LONGEST_PAUSE);
            assert!(pauses.iter().all(|pause| *pause <= most));
            assert!(pauses.windows(2).any(|pair| pair[0] != pair[1]));
        }
    }
}
