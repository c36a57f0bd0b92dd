//! The limit on requests of a vault.

use http::StatusCode;
use std::time::Duration;
use time::OffsetDateTime;

use super::reply::Problem;

/// So many requests are served per window; the others are answered 429.
///
/// A window starts with the first request after the previous one has ended. Requests without a token (the
/// challenge) and refused requests do not count. The real service limits a vault to 4,000 transactions with
/// secrets per 10 seconds and promises no `Retry-After`.
#[derive(Clone, Debug)]
pub struct Throttle {
    requests: u32,
    window: Duration,
    retry_after: RetryAfter,
}

#[derive(Clone, Copy, Debug)]
enum RetryAfter {
    Absent,
    Seconds(u64),
    UntilTheWindowEnds,
}

impl Throttle {
    /// At most `requests` per `window`, without a `Retry-After` header.
    pub fn new(requests: u32, window: Duration) -> Self {
        Self {
            requests,
            window,
            retry_after: RetryAfter::Absent,
        }
    }

    /// What the service documents for a vault: 4,000 requests per 10 seconds.
    pub fn documented() -> Self {
        Self::new(4_000, Duration::from_secs(10))
    }

    /// Refuses everything until it is replaced or removed.
    pub fn closed() -> Self {
        Self::new(0, Duration::from_secs(10))
    }

    /// Sends `Retry-After` with this many seconds.
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = RetryAfter::Seconds(seconds);
        self
    }

    /// Sends `Retry-After` with the seconds until the window ends, rounded up.
    pub fn retry_after_window(mut self) -> Self {
        self.retry_after = RetryAfter::UntilTheWindowEnds;
        self
    }
}

/// A throttle at work.
pub(super) struct Meter {
    throttle: Throttle,
    ends: Option<OffsetDateTime>,
    served: u32,
}

impl Meter {
    pub(super) fn new(throttle: Throttle) -> Self {
        Self {
            throttle,
            ends: None,
            served: 0,
        }
    }

    /// Counts one request, or refuses it.
    pub(super) fn admit(&mut self, now: OffsetDateTime) -> Result<(), Problem> {
        if self.ends.is_none_or(|ends| now >= ends) {
            self.ends = Some(now + self.throttle.window);
            self.served = 0;
        }
        if self.served < self.throttle.requests {
            self.served += 1;
            return Ok(());
        }
        Err(Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "Throttled",
            "Request was not processed because too many requests were received. Reason: VaultRequestTypeLimitReached",
        )
        .retry_after(self.retry_after(now)))
    }

    fn retry_after(&self, now: OffsetDateTime) -> Option<u64> {
        match self.throttle.retry_after {
            RetryAfter::Absent => None,
            RetryAfter::Seconds(seconds) => Some(seconds),
            RetryAfter::UntilTheWindowEnds => {
                let left = (self.ends? - now).as_seconds_f64().ceil();
                Some(left.max(1.0) as u64)
            }
        }
    }
}
