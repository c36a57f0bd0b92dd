//! Whether a typed snapshot is current, and if not, why not.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use super::slot::Mark;
use crate::error::{Error, ErrorKind};

/// How a [`Live`](crate::Live) or a [`Derived`](crate::Derived) is doing. A copy of the moment it was asked for.
///
/// `Display` is one line for a log or a health page.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LiveStatus {
    generation: u64,
    swapped_at: SystemTime,
    refusal: Option<Arc<Refusal>>,
    closed: bool,
}

impl LiveStatus {
    pub(super) fn new(mark: Mark, refusal: Option<Arc<Refusal>>, closed: bool) -> Self {
        Self {
            generation: mark.generation,
            swapped_at: mark.swapped_at,
            refusal,
            closed,
        }
    }

    /// The generation that is being served. Counts swaps of this value, from 1.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The date of the last swap.
    #[must_use]
    pub fn swapped_at(&self) -> SystemTime {
        self.swapped_at
    }

    /// Why the newest values are not being served; `None` if they are.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        self.refusal.as_deref()
    }

    /// True if no change will come any more: the handle was shut down, or its runtime has ended. The last
    /// value is still served.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// True if the newest values are being served and further ones can come.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.refusal.is_none() && !self.closed
    }
}

impl fmt::Display for LiveStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "generation {}", self.generation)?;
        if let Some(refusal) = &self.refusal {
            write!(f, ", newer values refused ({refusal})")?;
        }
        if self.closed {
            f.write_str(", closed")?;
        }
        Ok(())
    }
}

/// Why newer values were not taken over. The old ones are still served, and the attempt is repeated at every
/// refresh interval without any request.
///
/// The text names layers, paths and settings, never a value.
#[derive(Debug, Clone)]
pub struct Refusal {
    error: Arc<Error>,
    since: SystemTime,
    attempts: u32,
}

impl Refusal {
    pub(super) fn after(before: Option<&Self>, error: Error, now: SystemTime) -> Self {
        Self {
            error: Arc::new(error),
            since: before.map_or(now, |before| before.since),
            attempts: before.map_or(1, |before| before.attempts.saturating_add(1)),
        }
    }

    pub(super) fn is_news_after(&self, before: Option<&Self>) -> bool {
        before.is_none_or(|before| before.error.to_string() != self.error.to_string())
    }

    /// What kind of failure the last attempt was: [`Layer`](ErrorKind::Layer) (a file, the environment),
    /// [`InvalidValue`](ErrorKind::InvalidValue), [`Rejected`](ErrorKind::Rejected) and so on.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.error.kind()
    }

    /// The last attempt's error. A validator's own error is reachable through its
    /// [`source`](std::error::Error::source).
    #[must_use]
    pub fn error(&self) -> &Error {
        &self.error
    }

    /// The date of the first refusal since the last success.
    #[must_use]
    pub fn since(&self) -> SystemTime {
        self.since
    }

    /// How many attempts were refused since the last success.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.attempts
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; attempt {}", self.error, self.attempts)
    }
}
