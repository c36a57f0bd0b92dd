//! Replicas lag behind: what an older one shows must not undo what is known.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::walk::Walk;
use crate::time::{Instant, later};

/// A difference that lasts longer than this is not lag any more.
const LONGEST_LAG: Duration = Duration::from_secs(60);

/// Remembers since when an endpoint shows something else, and nothing newer, than another one did before.
#[derive(Debug, Default)]
pub(super) struct Lag(Mutex<Option<Instant>>);

impl Lag {
    /// Whether a changed walk is to be believed. One from the same endpoint is, and so is one with a newer write
    /// in it; otherwise the difference may be a write (or a deletion) that has not arrived there yet, and is
    /// believed once it has lasted.
    pub(super) fn believes(&self, known: &Walk, new: &Walk) -> bool {
        if known.endpoint() == new.endpoint() || new.newest() > known.newest() {
            self.clear();
            return true;
        }
        let now = Instant::now();
        let since = *self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert(now);
        if now < later(since, LONGEST_LAG) {
            tracing::debug!(
                endpoint = new.endpoint(),
                "an endpoint shows older settings; kept the newer"
            );
            return false;
        }
        self.clear();
        true
    }

    /// Nothing differs (any more).
    pub(super) fn clear(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// True while a difference is being waited out.
    pub(super) fn waits(&self) -> bool {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some()
    }
}
