//! A store and vaults that can be written, can fail, and remember everything they ever held.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::error::SecretErrorKind;
use crate::refresh::state::SecretId;
use crate::time::Instant;

/// Keys from here on are feature flags.
pub(super) const FIRST_FLAG: u16 = 100;
/// A content that holds this key cannot be assembled.
pub(super) const CONFLICT: u16 = 99;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Setting {
    Plain(u32),
    Reference(SecretId),
}

pub(super) type Content = BTreeMap<u16, Setting>;

/// How a service answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    /// The connection is refused.
    Down,
    /// A status of 500 and above.
    Broken,
    /// No answer before the deadline.
    Hangs,
    /// 429, with or without the time to wait.
    Throttles(Option<Duration>),
}

#[derive(Debug)]
pub(super) struct Store {
    pub(super) fault: Fault,
    pub(super) latency: Duration,
    pub(super) history: Vec<(Instant, Content)>,
}

impl Store {
    pub(super) fn content(&self) -> &Content {
        &self.history.last().expect("never empty").1
    }

    pub(super) fn write(&mut self, now: Instant, change: impl FnOnce(&mut Content)) {
        let mut content = self.content().clone();
        change(&mut content);
        self.history.push((now, content));
    }

    /// Keeps only what it holds now.
    pub(super) fn forget_the_past(&mut self) {
        self.history.drain(..self.history.len() - 1);
    }

    /// What it held at some moment from `from` to `to`.
    pub(super) fn held_within(
        &self,
        from: Instant,
        to: Instant,
        mut test: impl FnMut(&Content) -> bool,
    ) -> bool {
        let first = self.history.iter().rposition(|(at, _)| *at < from);
        let span = &self.history[first.unwrap_or(0)..];
        span.iter()
            .enumerate()
            .any(|(nth, (at, content))| (nth == 0 || *at <= to) && test(content))
    }
}

/// The versions of one secret, in order; `None` while it is deleted.
pub(super) type Versions = Vec<(Instant, Option<u32>)>;

/// The number of a secret's first version is the secret's own and this.
const VERSIONED: u32 = 10_000;

/// What all identifiers of one secret have in common.
pub(super) fn name(id: SecretId) -> u16 {
    u16::try_from(id.number() % VERSIONED).expect("a name")
}

pub(super) fn secret(vault: u32, name: u16) -> SecretId {
    SecretId::new(vault, name.into(), false)
}

/// The first version of it.
pub(super) fn pinned(vault: u32, name: u16) -> SecretId {
    SecretId::new(vault, u32::from(name) + VERSIONED, true)
}

#[derive(Debug)]
pub(super) struct Vault {
    pub(super) fault: Fault,
    pub(super) latency: Duration,
    pub(super) secrets: BTreeMap<u16, Versions>,
    /// Secrets that fail on their own.
    pub(super) ill: BTreeMap<u16, SecretErrorKind>,
    /// Secrets that never answer, while the others do.
    pub(super) stuck: Vec<u16>,
    pub(super) expires_in: Option<Duration>,
}

impl Vault {
    pub(super) fn new(latency: Duration) -> Self {
        Self {
            fault: Fault::None,
            latency,
            secrets: BTreeMap::new(),
            ill: BTreeMap::new(),
            stuck: Vec::new(),
            expires_in: None,
        }
    }

    /// The value of an identifier now.
    pub(super) fn value(&self, id: SecretId) -> Result<u32, SecretErrorKind> {
        if let Some(kind) = self.ill.get(&name(id)) {
            return Err(*kind);
        }
        let versions = self
            .secrets
            .get(&name(id))
            .ok_or(SecretErrorKind::NotFound)?;
        let value = if id.is_versioned() {
            let first = versions.iter().any(|(_, version)| *version == Some(1));
            first.then_some(1)
        } else {
            versions.last().and_then(|(_, version)| *version)
        };
        value.ok_or(SecretErrorKind::NotFound)
    }

    pub(super) fn rotate(&mut self, now: Instant, name: u16) {
        let versions = self.secrets.entry(name).or_default();
        let newest = versions.iter().filter_map(|(_, version)| *version).max();
        versions.push((now, Some(newest.unwrap_or(0) + 1)));
    }

    /// Keeps of each secret the first version and the current one.
    pub(super) fn forget_the_past(&mut self) {
        for versions in self.secrets.values_mut() {
            let last = versions.len() - 1;
            let mut nth = 0..;
            versions.retain(|(_, version)| nth.next() == Some(last) || *version == Some(1));
        }
    }

    pub(super) fn delete(&mut self, now: Instant, name: u16) {
        if let Some(versions) = self.secrets.get_mut(&name) {
            versions.push((now, None));
        }
    }
}
