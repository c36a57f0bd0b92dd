//! Time, in two kinds: everything that waits uses Tokio's monotonic clock, and only signatures, token and
//! secret expiry look at the wall clock, through [`WallClock`].

use std::fmt::Debug;
use std::time::{Duration, SystemTime};

pub(crate) use tokio::time::Instant;

/// The wall clock, for what the protocol dates by it: request signatures and the expiry of tokens and secrets.
///
/// The default is the system's. Tests replace it, so that a paused Tokio clock and the dates agree.
pub trait WallClock: Send + Sync + Debug {
    /// The current date and time.
    fn now(&self) -> SystemTime;
}

/// The system's clock.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct SystemClock;

impl WallClock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the wall clock"
    )]
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}

#[cfg(test)]
/// The wall clock of a paused test: a start date plus what Tokio's clock has moved since.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FollowingClock {
    start: SystemTime,
    origin: Instant,
}

#[cfg(test)]
impl FollowingClock {
    /// Starts at the system's current date.
    pub(crate) fn new() -> Self {
        Self {
            start: SystemClock.now(),
            origin: Instant::now(),
        }
    }
}

#[cfg(test)]
impl WallClock for FollowingClock {
    fn now(&self) -> SystemTime {
        self.start + self.origin.elapsed()
    }
}

/// Adds without overflow: an absurd duration means "about thirty years from now", not a panic.
pub(crate) fn later(from: Instant, by: Duration) -> Instant {
    const FAR: Duration = Duration::from_secs(30 * 365 * 24 * 3600);
    from.checked_add(by.min(FAR)).unwrap_or(from)
}
