//! Tells `tracing` what happened, each thing once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::SystemTime;

use super::engine::Shared;
use crate::error::{Error, SecretErrorKind};
use crate::load::{Candidate, ReadReport};
use crate::reference::{ReadFailure, ReferenceId};
use crate::telemetry;

/// Another one is told anew: a role that is given uncovers a firewall.
type Reason = (SecretErrorKind, Option<Box<str>>);

pub(super) struct Reporter {
    shared: Arc<Shared>,
    /// Why a secret could not be read when its read began.
    failing: BTreeMap<ReferenceId, Reason>,
    /// Dates of expiry that were warned of.
    expiring: BTreeMap<ReferenceId, SystemTime>,
    /// References that were told not to rotate.
    pinned: BTreeSet<ReferenceId>,
    missing: BTreeSet<usize>,
    failures: u32,
}

impl Reporter {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            failing: BTreeMap::new(),
            expiring: BTreeMap::new(),
            pinned: BTreeSet::new(),
            missing: BTreeSet::new(),
            failures: 0,
        }
    }

    /// At the start, of what was loaded.
    pub(super) fn begins(&mut self, candidate: &Candidate) {
        self.fetched(candidate);
        self.dates();
    }

    pub(super) fn fetched(&mut self, candidate: &Candidate) {
        let pinned: BTreeSet<_> = candidate.ids().filter(|id| id.is_pinned()).collect();
        let new: Vec<_> = pinned
            .iter()
            .filter(|id| !self.pinned.contains(**id))
            .map(|id| id.name())
            .collect();
        if !new.is_empty() {
            telemetry::pinned(new.into_iter());
        }
        self.pinned = pinned.into_iter().cloned().collect();
        let absent: BTreeSet<usize> = candidate.walk().sentinels().absent().collect();
        let sentinels = self.shared.options.sentinels();
        for sentinel in absent
            .difference(&self.missing)
            .filter_map(|at| sentinels.get(*at))
        {
            let label = sentinel.label.as_str().map(crate::error::printable);
            telemetry::sentinel_missing(&crate::error::printable(&sentinel.key), label.as_deref());
        }
        self.missing = absent;
    }

    pub(super) fn checked(&mut self) {
        let failures = std::mem::take(&mut self.failures);
        if failures > 0 {
            telemetry::check_recovered(&self.shared.pipeline.endpoint(), failures);
        }
        self.dates();
    }

    /// Dates come nearer without a read, and versions are not read again at all.
    fn dates(&mut self) {
        let Some(current) = self.shared.pipeline.current() else {
            return;
        };
        let ids: BTreeSet<&ReferenceId> = current.ids().collect();
        self.expiring.retain(|id, _| ids.contains(id));
        ids.into_iter().for_each(|id| self.expiry(id));
    }

    pub(super) fn check_failed(&mut self, error: &Error) {
        self.failures = self.failures.saturating_add(1);
        let endpoint = self.shared.pipeline.endpoint();
        telemetry::check_failed(error.endpoint().unwrap_or(&endpoint), self.failures, error);
        self.dates();
    }

    pub(super) fn reads(&mut self, id: &ReferenceId) {
        match self.shared.pipeline.failure(id) {
            Some(failure) => _ = self.failing.insert(id.clone(), reason(&failure)),
            None => _ = self.failing.remove(id),
        }
    }

    pub(super) fn read(&mut self, id: &ReferenceId, outcome: &Result<ReadReport, ReadFailure>) {
        let before = self.failing.remove(id);
        match outcome {
            Ok(_) if before.is_some() => telemetry::secret_recovered(id.vault_host(), id.name()),
            Err(failure) if before != Some(reason(failure)) => {
                telemetry::secret_failed(&failure.of_object(id));
            }
            _ => {}
        }
        if outcome.is_ok() {
            self.expiry(id);
        }
    }

    fn expiry(&mut self, id: &ReferenceId) {
        let pipeline = &self.shared.pipeline;
        let window = pipeline.references().options().warn_before_expiry();
        let Some(date) = pipeline
            .references()
            .held(id)
            .and_then(|held| held.life().expires_on)
        else {
            self.expiring.remove(id);
            return;
        };
        let left = date.duration_since(pipeline.publication().clock().now());
        let left = left.unwrap_or_default();
        if left <= window && self.expiring.insert(id.clone(), date) != Some(date) {
            telemetry::secret_expires(id.vault_host(), id.name(), left);
        }
    }
}

fn reason(failure: &ReadFailure) -> Reason {
    (failure.kind, failure.code.clone())
}
