//! The emulator's wall clock.

use std::sync::{Arc, Mutex, PoisonError};

use time::{Duration, OffsetDateTime};
use tokio::time::Instant;

/// The wall clock that services see: start + elapsed Tokio time + what was advanced + skew.
///
/// Because it follows Tokio's clock, a paused test clock moves it too. Cheap to clone; clones are the same clock.
#[derive(Clone, Debug)]
pub struct ClockHandle(Arc<Clock>);

#[derive(Debug)]
struct Clock {
    start: OffsetDateTime,
    origin: Instant,
    moved: Mutex<Moved>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Moved {
    advanced: Duration,
    skew: Duration,
}

impl ClockHandle {
    /// A clock that shows `start` now.
    pub(crate) fn starting_at(start: OffsetDateTime) -> Self {
        Self(Arc::new(Clock {
            start,
            origin: Instant::now(),
            moved: Mutex::default(),
        }))
    }

    /// The time the services see.
    pub fn now(&self) -> OffsetDateTime {
        let moved = *self.moved();
        self.0.start + self.0.origin.elapsed() + moved.advanced + moved.skew
    }

    /// Moves the services' clock forward, for good, without moving Tokio's clock: secrets and tokens expire.
    pub fn advance(&self, by: std::time::Duration) {
        self.moved().advanced += by;
    }

    /// Sets how far the services' clock is ahead of (positive) or behind (negative) the true time.
    ///
    /// Replaces the skew set before; zero ends it.
    pub fn set_skew(&self, skew: Duration) {
        self.moved().skew = skew;
    }

    fn moved(&self) -> std::sync::MutexGuard<'_, Moved> {
        self.0.moved.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
