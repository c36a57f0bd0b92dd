//! The observer: checks the invariants I1 to I14, as far as the machine can break them, on every step of every run.
//!
//! I10 and I11 (bytes of secrets, foreign hosts) cannot be broken here: the machine has no values and opens nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::backend::Store;
use super::model::{Policy, Progress, Snapshot, Vaults};
use super::world::secs;
use crate::refresh::state::SecretId;
use crate::refresh::state::{Action, Caller, CandidateNo, ReadError, RoundOutcome, State};
use crate::time::Instant;

/// Actions at one instant of virtual time; more is a busy loop.
const MOST_AT_ONCE: u32 = 2_000;

#[derive(Debug, Default)]
pub(super) struct Observer {
    progress: Progress,
    generation: u64,
    pub(super) checks: Vec<Instant>,
    pub(super) reads: Vec<(Instant, SecretId)>,
    pub(super) publications: Vec<Instant>,
    pub(super) replies: BTreeMap<Caller, RoundOutcome>,
    checking: bool,
    reading: BTreeMap<SecretId, Instant>,
    /// What a service asked to wait, as the machine was told.
    store_closed: Option<Instant>,
    vault_closed: BTreeMap<u32, Instant>,
    /// Vaults that have answered 429 (first then) and nothing else since.
    throttled: BTreeMap<u32, Instant>,
    versioned: BTreeSet<SecretId>,
    callers: BTreeMap<Caller, Instant>,
    stopped: bool,
    steps_now: (Option<Instant>, u32),
}

impl Observer {
    pub(super) fn action(&mut self, action: &Action, now: Instant) {
        assert!(!self.stopped, "I12: {action:?} after the end");
        match action {
            Action::Check { .. } => self.check(now),
            Action::Read(id) => self.read(*id, now),
            Action::Stop => {
                self.stopped = true;
            }
            Action::Assemble(_) | Action::Keep(_) | Action::Reply { .. } => {}
        }
    }

    fn check(&mut self, now: Instant) {
        assert!(!self.checking, "I9: two checks of the store at once");
        assert!(
            self.store_closed.is_none_or(|until| now >= until),
            "I8: a check before the store's Retry-After"
        );
        self.checking = true;
        self.checks.push(now);
    }

    fn read(&mut self, id: SecretId, now: Instant) {
        let vault = id.vault();
        assert!(
            self.vault_closed
                .get(&vault)
                .is_none_or(|until| now >= *until),
            "I8: a read of {id:?} before the vault's Retry-After"
        );
        if let Some(since) = self.throttled.get(&vault) {
            let mut others = self.reading.iter().filter(|(id, _)| id.vault() == vault);
            assert!(
                others.all(|(_, began)| began <= since),
                "I9: two probes of a throttled vault at once"
            );
        }
        let flying = self.reading.insert(id, now);
        assert!(flying.is_none(), "I9: two reads of {id:?} at once");
        assert!(
            !self.versioned.contains(&id),
            "I7: versioned {id:?} read again"
        );
        self.reads.push((now, id));
    }

    /// The store answered; `asked` if it named a time to wait.
    pub(super) fn checked(&mut self, asked: Option<Instant>) {
        self.checking = false;
        self.store_closed = asked;
    }

    pub(super) fn read_ended(&mut self, id: SecretId, error: Option<&ReadError>, now: Instant) {
        let began = self.reading.remove(&id);
        let vault = id.vault();
        match error {
            None if id.is_versioned() => _ = self.versioned.insert(id),
            Some(error) if error.is_throttled() => {
                self.throttled.entry(vault).or_insert(now);
                if let Some(asked) = error.retry_at {
                    let until = asked.min(now + secs(600));
                    let known = self.vault_closed.entry(vault).or_insert(until);
                    *known = until.max(*known);
                }
                return;
            }
            Some(error) if error.is_transient() => return,
            _ => {}
        }
        // An answer counts if it was asked for after the wait: that was the probe.
        if self
            .throttled
            .get(&vault)
            .is_some_and(|since| began > Some(*since))
        {
            self.throttled.remove(&vault);
        }
    }

    pub(super) fn called(&mut self, caller: Caller, now: Instant) {
        self.callers.insert(caller, now);
    }

    /// Each caller is answered once, and "unchanged" is said of what was looked at after the call.
    pub(super) fn replied(
        &mut self,
        callers: &[Caller],
        outcome: &RoundOutcome,
        as_of: Option<Instant>,
    ) {
        for caller in callers {
            let called = self
                .callers
                .remove(caller)
                .expect("one answer for each caller");
            if let RoundOutcome::Unchanged = outcome {
                assert!(as_of >= Some(called), "an answer from before the question");
            }
            self.replies.insert(*caller, outcome.clone());
        }
    }

    /// What was counted is forgotten, what is under way is not.
    pub(super) fn forget_the_past(&mut self) {
        self.progress.forget_the_past();
        self.checks.clear();
        self.reads.clear();
        self.publications.clear();
        self.replies.clear();
    }

    /// The requests under way were dropped.
    pub(super) fn dropped(&mut self) {
        self.checking = false;
        self.reading.clear();
        self.callers.clear();
    }

    /// A secret is not held any more, so that it may be read once more.
    pub(super) fn forgot(&mut self, held: &BTreeSet<SecretId>) {
        self.versioned.retain(|id| held.contains(id));
    }

    pub(super) fn published(
        &mut self,
        generation: u64,
        snapshot: &Snapshot,
        (store, vaults, policy): (&Store, &Vaults, Policy),
        now: Instant,
    ) {
        assert!(generation > self.generation, "I2: generation {generation}");
        self.generation = generation;
        self.publications.push(now);
        if let Err(broken) = self.progress.publish(snapshot, store, vaults, policy) {
            panic!("{broken}");
        }
    }

    /// After every step.
    pub(super) fn stepped(&mut self, state: &State, wake: Option<Instant>, now: Instant) {
        let (at, steps) = &mut self.steps_now;
        *steps = if *at == Some(now) { *steps + 1 } else { 0 };
        *at = Some(now);
        assert!(*steps < MOST_AT_ONCE, "a busy loop");
        if self.stopped {
            assert_eq!(wake, None, "I12: a timer after the end");
            return;
        }
        let idle = !self.checking && self.reading.is_empty();
        match wake {
            Some(at) => assert!(at > now, "the machine asks for the past"),
            None => assert!(
                !idle || !state.is_periodic(),
                "the machine has gone to sleep"
            ),
        }
        assert_eq!(
            state.generation, self.generation,
            "I2: the state's generation"
        );
        if !state.has_callers() {
            assert!(self.callers.is_empty(), "a caller was forgotten");
        } else if idle {
            let soon = wake.is_some_and(|at| at < now + secs(10));
            assert!(soon, "a caller waits for nothing");
        }
    }

    /// I14: after the machine said what to keep, or fetched more.
    pub(super) fn kept(&self, state: &State, known: &BTreeSet<CandidateNo>) {
        assert!(known.len() <= 2, "I14: {} candidates are kept", known.len());
        assert_eq!(
            *known,
            state.candidates.numbers(),
            "I14: candidates kept in vain"
        );
        let needs = state.candidates.needs();
        assert!(
            state.reads.secrets().all(|(id, _)| needs.contains(&id)),
            "I14: a secret that nothing needs"
        );
    }

    /// The checks of one stretch of time.
    pub(super) fn checks_within(&self, from: Instant, length: Duration) -> usize {
        let checks = self.checks.iter();
        checks
            .filter(|at| **at >= from && **at < from + length)
            .count()
    }

    pub(super) fn reads_within(&self, from: Instant, length: Duration) -> usize {
        let reads = self.reads.iter();
        reads
            .filter(|(at, _)| *at >= from && *at < from + length)
            .count()
    }
}
