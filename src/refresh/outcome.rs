//! What a refresh came to.

use std::sync::Arc;

use crate::tree::ChangeSet;

/// What [`refresh`](crate::AppConfiguration::refresh) found and did.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum RefreshOutcome {
    /// Everything was looked at, and nothing differs.
    Unchanged,
    /// A new generation is current.
    Updated {
        /// Its number.
        generation: u64,
        /// What differs from the generation that was current when the refresh began.
        changed: Arc<ChangeSet>,
    },
    /// Nothing new, but not everything was looked at.
    Skipped(SkipReason),
}

impl RefreshOutcome {
    /// True if a new generation is current.
    #[must_use]
    pub fn is_updated(&self) -> bool {
        matches!(self, Self::Updated { .. })
    }
}

/// Why a refresh left out part of what it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SkipReason {
    /// The store or a vault asked for fewer requests, and the time it named has not passed.
    Throttled,
    /// Secrets of a vault were asked for within the last 3 seconds. They are read again when these have passed.
    TooSoon,
    /// The environment variable `AZURE_APP_CONFIGURATION_PROVIDER_DISABLED` turned the store off.
    Disabled,
}
