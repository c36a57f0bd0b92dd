//! What is published, and what was fetched and waits to be.

use std::collections::BTreeSet;
use std::time::Duration;

use super::id::SecretId;
use super::reads::Reads;
use crate::error::Error;
use crate::refresh::Scope;
use crate::time::{Instant, later};

/// Names a candidate between the machine and the driver.
pub(crate) type CandidateNo = u64;

/// Secrets that changed together are published together: reads under way are waited for this long.
pub(crate) const GATHER: Duration = Duration::from_millis(200);
/// A store that never comes to rest is published after this many settle windows.
const SETTLE_ROUNDS: u32 = 10;

/// When the content was last known to be the store's: settings and feature flags apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AsOf {
    pub(crate) settings: Instant,
    pub(crate) flags: Instant,
}

impl AsOf {
    pub(crate) fn new(at: Instant) -> Self {
        Self {
            settings: at,
            flags: at,
        }
    }

    /// The part that was looked at longest ago.
    pub(crate) fn oldest(self) -> Instant {
        self.settings.min(self.flags)
    }

    fn confirm(&mut self, scope: Scope, at: Instant) {
        if scope != Scope::Flags {
            self.settings = at;
        }
        if scope != Scope::Settings {
            self.flags = at;
        }
    }
}

/// Why a candidate is to be assembled (again).
#[derive(Debug, Clone, Copy)]
enum Dirty {
    /// It is new.
    Now,
    /// A secret of it changed, failed or recovered; others may follow within moments.
    Since(Instant),
}

#[derive(Debug)]
pub(crate) struct Candidate {
    pub(crate) no: CandidateNo,
    pub(crate) needs: BTreeSet<SecretId>,
    pub(crate) as_of: AsOf,
    /// When it was fetched.
    since: Instant,
    /// Since when something newer than what is published is known: also that of those which this one replaced.
    pub(crate) waiting_since: Instant,
    /// Why it could not be assembled. It is tried again when a secret changes; other content is another candidate.
    pub(crate) refused: Option<Error>,
    dirty: Option<Dirty>,
    /// Windows begun so far, while the content must first be seen twice.
    settling: Option<u32>,
}

impl Candidate {
    fn is_ripe(&self, reads: &Reads, now: Instant) -> bool {
        match self.dirty {
            None => false,
            Some(Dirty::Now) => true,
            Some(Dirty::Since(at)) => {
                now >= later(at, GATHER) || !self.needs.iter().any(|id| reads.in_flight(*id))
            }
        }
    }

    fn gathered(&self) -> Option<Instant> {
        match self.dirty? {
            Dirty::Now => None,
            Dirty::Since(at) => Some(later(at, GATHER)),
        }
    }

    fn touch(&mut self, now: Instant) {
        self.dirty.get_or_insert(Dirty::Since(now));
    }
}

#[derive(Debug)]
pub(crate) struct Candidates {
    pub(crate) published: Option<Candidate>,
    pub(crate) pending: Option<Candidate>,
    settle: Duration,
}

impl Candidates {
    pub(crate) fn new(settle: Duration) -> Self {
        Self {
            published: None,
            pending: None,
            settle,
        }
    }

    pub(crate) fn start_with(&mut self, no: CandidateNo, needs: BTreeSet<SecretId>, now: Instant) {
        self.published = Some(Candidate {
            no,
            needs,
            as_of: AsOf::new(now),
            since: now,
            waiting_since: now,
            refused: None,
            dirty: None,
            settling: None,
        });
    }

    /// Takes over since when what is published is known. If another candidate was published in the very moment of the panic,
    /// it is taken for older than it is until the next check.
    ///
    /// It is assembled once more: a secret that was read just before the panic is held, but nobody will say again that it
    /// changed. The same content is no new generation.
    pub(crate) fn inherit(&mut self, before: &Self, now: Instant) {
        let Some(published) = &mut self.published else {
            return;
        };
        published.touch(now);
        if let Some(known) = &before.published {
            published.as_of = known.as_of;
        }
    }

    /// What further checks are compared with: the pending one, so that nothing that was fetched is lost or fetched twice.
    pub(crate) fn newest(&self) -> Option<CandidateNo> {
        let newest = self.pending.as_ref().or(self.published.as_ref());
        newest.map(|candidate| candidate.no)
    }

    fn both(&self) -> impl Iterator<Item = &Candidate> {
        self.published.iter().chain(&self.pending)
    }

    fn both_mut(&mut self) -> impl Iterator<Item = &mut Candidate> {
        self.published.iter_mut().chain(&mut self.pending)
    }

    pub(crate) fn numbers(&self) -> BTreeSet<CandidateNo> {
        self.both().map(|candidate| candidate.no).collect()
    }

    pub(crate) fn needs(&self) -> BTreeSet<SecretId> {
        self.both().flat_map(|c| c.needs.iter().copied()).collect()
    }

    /// A check found `no` unchanged.
    pub(crate) fn confirmed(&mut self, no: Option<CandidateNo>, scope: Scope, started: Instant) {
        let settle = self.settle;
        for candidate in self.both_mut().filter(|candidate| Some(candidate.no) == no) {
            candidate.as_of.confirm(scope, started);
            if scope == Scope::Both && started >= later(candidate.since, settle) {
                candidate.settling = None;
            }
        }
    }

    /// A check found something new. Gives when to look again, if the content must settle first.
    pub(crate) fn fetched(
        &mut self,
        no: CandidateNo,
        needs: BTreeSet<SecretId>,
        scope: Scope,
        started: Instant,
        now: Instant,
    ) -> Option<Instant> {
        let before = self.pending.as_ref().or(self.published.as_ref());
        let mut as_of = before.map_or(AsOf::new(started), |known| known.as_of);
        as_of.confirm(scope, started);
        let windows = before.and_then(|known| known.settling).unwrap_or(0) + 1;
        let settles =
            !self.settle.is_zero() && self.published.is_some() && windows <= SETTLE_ROUNDS;
        self.pending = Some(Candidate {
            no,
            needs,
            as_of,
            since: now,
            waiting_since: self
                .pending
                .as_ref()
                .map_or(now, |known| known.waiting_since),
            refused: None,
            dirty: Some(Dirty::Now),
            settling: settles.then_some(windows),
        });
        settles.then(|| later(now, self.settle))
    }

    pub(crate) fn is_settling(&self) -> bool {
        self.pending
            .as_ref()
            .is_some_and(|pending| pending.settling.is_some())
    }

    /// A secret changed, failed or recovered.
    pub(crate) fn touch(&mut self, id: SecretId, now: Instant) {
        for candidate in self
            .both_mut()
            .filter(|candidate| candidate.needs.contains(&id))
        {
            candidate.touch(now);
        }
    }

    /// True if the pending candidate cannot do without this secret.
    pub(crate) fn is_urgent(&self, id: SecretId, held: bool) -> bool {
        self.pending.as_ref().is_some_and(|pending| {
            let lacks = pending.refused.as_ref().is_some_and(Error::is_reference);
            pending.needs.contains(&id) && (!held || lacks)
        })
    }

    /// The pending candidate has all that can be had and is to be tried.
    pub(crate) fn is_pending_ready(&self, reads: &Reads, now: Instant) -> bool {
        self.pending.as_ref().is_some_and(|pending| {
            pending.settling.is_none()
                && pending.is_ripe(reads, now)
                && pending.needs.iter().all(|id| reads.was_tried(*id))
        })
    }

    /// The candidate to assemble now, the pending one first.
    pub(crate) fn start_publication(&mut self, reads: &Reads, now: Instant) -> Option<CandidateNo> {
        let candidate = if self.is_pending_ready(reads, now) {
            self.pending.as_mut()
        } else {
            self.published
                .as_mut()
                .filter(|known| known.is_ripe(reads, now))
        }?;
        candidate.dirty = None;
        Some(candidate.no)
    }

    /// It was assembled and published.
    pub(crate) fn accepted(&mut self, no: CandidateNo) {
        if self
            .pending
            .as_ref()
            .is_some_and(|pending| pending.no == no)
        {
            self.published = self.pending.take();
        }
        if let Some(published) = self.published.as_mut().filter(|known| known.no == no) {
            published.refused = None;
        }
    }

    /// It could not be assembled. Gives the secrets that it needs.
    pub(crate) fn refused(&mut self, no: CandidateNo, error: &Error) -> BTreeSet<SecretId> {
        let mut needs = BTreeSet::new();
        for candidate in self.both_mut().filter(|candidate| candidate.no == no) {
            candidate.refused = Some(error.clone());
            needs.clone_from(&candidate.needs);
        }
        needs
    }

    /// Why what the store holds is not what is published.
    pub(crate) fn refusal(&self) -> Option<&Error> {
        let newest = self.pending.as_ref().or(self.published.as_ref());
        newest?.refused.as_ref()
    }

    /// When secrets that changed are published without those still under way.
    pub(crate) fn wake(&self, reads: &Reads) -> Option<Instant> {
        let pending = self.pending.as_ref().filter(|pending| {
            pending.settling.is_none() && pending.needs.iter().all(|id| reads.was_tried(*id))
        });
        let waiting = pending.into_iter().chain(&self.published);
        waiting.filter_map(Candidate::gathered).min()
    }
}
