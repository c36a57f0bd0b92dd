//! How often secrets are read again: all of them, and those that a setting with an interval of its own refers to.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::error::{Error, Result};

/// Unversioned secrets are read again this often.
const REFRESH_INTERVAL: Duration = Duration::from_secs(5 * 60);
/// No less: the vault's quota belongs to everybody.
const SHORTEST: Duration = Duration::from_secs(1);

/// The intervals of the references in one configuration. `None` is never.
#[derive(Debug, Clone)]
pub(crate) struct Intervals {
    common: Option<Duration>,
    by_key: BTreeMap<String, Duration>,
}

impl Intervals {
    pub(super) fn new() -> Self {
        Self {
            common: Some(REFRESH_INTERVAL),
            by_key: BTreeMap::new(),
        }
    }

    pub(super) fn set_common(&mut self, interval: Option<Duration>) {
        self.common = interval;
    }

    pub(super) fn set(&mut self, key: String, interval: Duration) {
        self.by_key.insert(key, interval);
    }

    /// Of every setting that has none of its own.
    pub(crate) fn common(&self) -> Option<Duration> {
        self.common
    }

    /// Of the setting with this key.
    pub(super) fn of(&self, key: &str) -> Option<Duration> {
        self.by_key.get(key).copied().or(self.common)
    }

    pub(crate) fn shortest(&self) -> Option<Duration> {
        self.by_key.values().copied().chain(self.common).min()
    }

    pub(super) fn validate(&self) -> Result<()> {
        if self.common.is_some_and(|interval| interval < SHORTEST) {
            return Err(Error::option(
                "KeyVaultOptions::refresh_interval is at least 1 second",
            ));
        }
        match self.by_key.iter().find(|(_, every)| **every < SHORTEST) {
            None => Ok(()),
            Some((key, _)) => Err(Error::option(format!(
                "KeyVaultOptions::refresh_interval_for: the interval of `{key}` is at least 1 second"
            ))),
        }
    }
}
