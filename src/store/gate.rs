//! The pause that an endpoint asked for.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::retry::LONGEST_PAUSE;
use crate::error::{Error, ErrorKind, Result};
use crate::time::{Instant, later};
use crate::transport::LONGEST_RETRY_AFTER;

/// Requests that waited for the same moment do not all go out in it.
const SPREAD: Duration = Duration::from_millis(250);

/// Closed until the pause that the endpoint asked for is over; no request passes before.
#[derive(Debug, Default)]
pub(super) struct Gate(Mutex<Option<Instant>>);

impl Gate {
    /// Closes it for as long as asked (at most ten minutes). A shorter pause does not undo a longer one.
    pub(super) fn close(&self, asked: Duration) {
        let until = later(Instant::now(), asked.min(LONGEST_RETRY_AFTER));
        let mut closed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *closed = (*closed).max(Some(until));
    }

    /// How long it stays closed; `None` if it is open.
    pub(super) fn closed_for(&self) -> Option<Duration> {
        let until = (*self.0.lock().unwrap_or_else(PoisonError::into_inner))?;
        let left = until.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }

    /// Waits until it is open, or fails at once if that is too long to wait inside a call.
    pub(super) async fn pass(&self) -> Result<()> {
        while let Some(left) = self.closed_for() {
            if left > LONGEST_PAUSE {
                return Err(Error::new(
                    ErrorKind::Throttled,
                    "the store asked for a pause that is not over",
                )
                .with_retry_after(left));
            }
            tokio::time::sleep(left + SPREAD.mul_f64(fastrand::f64())).await;
        }
        Ok(())
    }
}
