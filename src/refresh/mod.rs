//! Keeps what was loaded current: when to look again, and what to do if looking fails.

mod stand_in;
pub(crate) mod state;

pub(crate) use stand_in::ReferenceId as SecretId;
pub use state::Counters;

use std::time::Duration;

/// How often unversioned secrets are read again, unless told otherwise.
pub(crate) const SECRETS_EVERY: Duration = Duration::from_secs(5 * 60);

/// What a check of the store looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    Settings,
    Flags,
    Both,
}

/// Why a refresh left out part of what it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SkipReason {
    /// The store or a vault asked for fewer requests, and the time it named has not passed.
    Throttled,
    /// The secrets of a vault were asked for within the last 3 seconds; they are read again when these have passed.
    TooSoon,
}

#[cfg(test)]
mod tests;

mod stub;
pub(crate) use stub::Engine;
pub use stub::{RefreshOptions, RefreshOutcome, Status};
