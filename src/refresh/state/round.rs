//! One round of `refresh()`: what is to be waited for until its callers can be answered.

use std::collections::BTreeSet;

use super::floor::Forced;
use super::id::SecretId;
use crate::error::Error;
use crate::refresh::SkipReason;
use crate::time::Instant;

/// Names a waiting caller between the machine and the driver.
pub(crate) type Caller = u64;

/// What a round came to.
#[derive(Debug, Clone)]
pub(crate) enum RoundOutcome {
    Unchanged,
    /// Published; the newest generation of the round.
    Updated {
        #[cfg_attr(
            not(test),
            expect(dead_code, reason = "callers are told the current one")
        )]
        generation: u64,
    },
    Skipped(SkipReason),
    /// The store, or the assembly, failed.
    Failed(Error),
    /// Vaults could not be asked about these secrets; what was read before stays.
    Unread(BTreeSet<SecretId>),
}

#[derive(Debug)]
pub(crate) struct Round {
    pub(crate) callers: Vec<Caller>,
    pub(crate) began: Instant,
    /// A check of the store is still to begin or to end.
    pub(crate) checks: bool,
    /// Reads that have to begin and end.
    pub(crate) reads: BTreeSet<SecretId>,
    pub(crate) error: Option<Error>,
    unread: BTreeSet<SecretId>,
    skipped: Option<SkipReason>,
    published: Option<u64>,
}

impl Round {
    pub(crate) fn new(callers: Vec<Caller>, began: Instant) -> Self {
        Self {
            callers,
            began,
            checks: true,
            reads: BTreeSet::new(),
            error: None,
            unread: BTreeSet::new(),
            skipped: None,
            published: None,
        }
    }

    /// Part of it is not done. That a service asked for fewer requests says more than that it is too soon.
    pub(crate) fn skip(&mut self, reason: SkipReason) {
        if self.skipped != Some(SkipReason::Throttled) {
            self.skipped = Some(reason);
        }
    }

    pub(crate) fn skip_reads(&mut self, refused: Vec<Forced>) {
        for reason in refused {
            match reason {
                Forced::Throttled => self.skip(SkipReason::Throttled),
                Forced::TooSoon => self.skip(SkipReason::TooSoon),
                Forced::Unknown => {}
            }
        }
    }

    /// A read of a secret ended that began at `started`. One from before the round proves nothing, except of a version.
    pub(crate) fn read_ended(&mut self, id: SecretId, started: Instant, unknown: bool) {
        let too_early = started < self.began && !id.is_versioned();
        if too_early || !self.reads.remove(&id) {
            return;
        }
        if unknown {
            self.unread.insert(id);
        }
    }

    pub(crate) fn was_published(&mut self, generation: u64) {
        self.published = Some(generation);
    }

    /// `refusal`: why the newest content is not published.
    pub(crate) fn outcome(self, refusal: Option<&Error>) -> (Vec<Caller>, RoundOutcome) {
        // A rotation that was published does not hide that settings could not be.
        let outcome = if let Some(error) = self.error {
            RoundOutcome::Failed(error)
        } else if let Some(refusal) = refusal {
            RoundOutcome::Failed(refusal.clone())
        } else if let Some(generation) = self.published {
            RoundOutcome::Updated { generation }
        } else if !self.unread.is_empty() {
            RoundOutcome::Unread(self.unread)
        } else if let Some(reason) = self.skipped {
            RoundOutcome::Skipped(reason)
        } else {
            RoundOutcome::Unchanged
        };
        (self.callers, outcome)
    }
}
