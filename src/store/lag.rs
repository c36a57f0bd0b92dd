//! Replicas lag behind: what an older one shows must not undo what is known.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Scope;
use super::walk::Walk;
use crate::time::{Instant, later};

/// A difference that lasts longer than this is not lag any more.
const LONGEST_LAG: Duration = Duration::from_secs(60);

/// Remembers since when an endpoint shows something else, and nothing newer, than another one did before: settings and
/// feature flags apart, because they can be looked at apart.
#[derive(Debug, Default)]
pub(super) struct Lag(Mutex<Since>);

#[derive(Debug, Default)]
struct Since {
    settings: Option<Instant>,
    flags: Option<Instant>,
}

impl Lag {
    /// Whether a changed walk is to be believed. One from the same endpoint is, and so is one with a newer write
    /// in it; otherwise the difference may be a write (or a deletion) that has not arrived there yet, and is
    /// believed once it has lasted.
    pub(super) fn believes(&self, known: &Walk, new: &Walk, scope: Scope) -> bool {
        if known.endpoint() == new.endpoint() || new.newest() > known.newest() {
            self.clear(scope);
            return true;
        }
        let now = Instant::now();
        let since = self.since().begin(scope, now);
        if now < later(since, LONGEST_LAG) {
            tracing::debug!(
                endpoint = new.endpoint(),
                "an endpoint shows older settings; kept the newer"
            );
            return false;
        }
        self.clear(scope);
        true
    }

    /// In what was looked at, nothing differs (any more).
    pub(super) fn clear(&self, scope: Scope) {
        let mut since = self.since();
        since.of(scope).into_iter().for_each(|since| *since = None);
    }

    /// True while a difference of the settings is being waited out.
    pub(super) fn waits(&self) -> bool {
        self.since().settings.is_some()
    }

    fn since(&self) -> MutexGuard<'_, Since> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Since {
    /// Since when any of what was looked at has differed; from now on, if it did not.
    fn begin(&mut self, scope: Scope, now: Instant) -> Instant {
        let begun = self
            .of(scope)
            .into_iter()
            .map(|since| *since.get_or_insert(now));
        begun.min().unwrap_or(now)
    }

    fn of(&mut self, scope: Scope) -> Vec<&mut Option<Instant>> {
        let Self { settings, flags } = self;
        match scope {
            Scope::Settings => vec![settings],
            Scope::Flags => vec![flags],
            Scope::Both => vec![settings, flags],
        }
    }
}
