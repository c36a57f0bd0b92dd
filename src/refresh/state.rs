//! The refresh machine: pure. `(state, event, now)` gives actions, and [`State::wake`] says when to come back.
//!
//! No I/O, no clock, no task: the driver executes the actions and feeds back what became of them. Its rules:
//!
//! - What is fetched waits as the *pending candidate* until every secret that it needs was tried; further checks compare
//!   with it. Watch state moves only with a publication, because it is part of the candidate.
//! - The store and each vault fail, back off and recover on their own.
//! - A secret that was read before never holds anything back by itself; the policies decide when a candidate is assembled.
//! - Whatever a service asked to wait is waited, whoever asks.

use std::collections::BTreeSet;
use std::time::Duration;

mod candidate;
mod counters;
mod event;
mod floor;
mod id;
mod reads;
mod round;
mod secret;
mod store;
mod timers;
mod vault;

#[cfg(test)]
pub(crate) use candidate::AsOf;
pub(crate) use candidate::CandidateNo;
pub use counters::Counters;
pub(crate) use event::{Action, CheckOutcome, Event, Publication, Schedule};
pub(crate) use id::SecretId;
pub(crate) use reads::Need;
pub(crate) use round::{Caller, RoundOutcome};
pub(crate) use secret::{ReadError, ReadReport, Secret};
pub(crate) use vault::Vault;

use candidate::Candidates;
use reads::Reads;
use round::Round;
use secret::Effect;
use store::StoreSchedule;
use timers::{earliest, full_jitter};
use vault::Patience;

use super::SkipReason;
use crate::error::{Error, ErrorKind};
use crate::time::{Instant, later};

/// The whole state of the refresh.
#[derive(Debug)]
pub(crate) struct State {
    rng: fastrand::Rng,
    pub(crate) store: StoreSchedule,
    pub(crate) reads: Reads,
    pub(crate) candidates: Candidates,
    pub(crate) counters: Counters,
    pub(crate) generation: u64,
    pub(crate) sentinel_moved: Option<Instant>,
    compared_with: Option<CandidateNo>,
    assembling: bool,
    waiting: Vec<Caller>,
    round: Option<Round>,
    stopped: bool,
}

impl State {
    /// `published`: the candidate that is published already; `None` if nothing was loaded yet.
    pub(crate) fn new(
        schedule: &Schedule,
        seed: u64,
        published: Option<(CandidateNo, &[Need])>,
        generation: u64,
        now: Instant,
    ) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let patience = Patience {
            periodic: schedule.every.is_some(),
            idle: schedule.idle,
            window: schedule.reads_per_vault,
        };
        let mut state = Self {
            store: StoreSchedule::new(
                schedule.every,
                schedule.flags_every,
                schedule.jitter,
                now,
                &mut rng,
            ),
            reads: Reads::new(patience),
            candidates: Candidates::new(schedule.settle),
            rng,
            counters: Counters::default(),
            generation,
            sentinel_moved: None,
            compared_with: None,
            assembling: false,
            waiting: Vec::new(),
            round: None,
            stopped: false,
        };
        state.begin(published, now);
        state
    }

    fn begin(&mut self, published: Option<(CandidateNo, &[Need])>, now: Instant) {
        let Some((no, needs)) = published else {
            self.store.start_empty(now, &mut self.rng);
            return;
        };
        self.reads.need(needs, now, &mut self.rng);
        self.candidates.start_with(no, ids(needs), now);
    }

    /// Takes over what is known of the services from a machine that ended by a panic, and what it owed: pushed changes, reads
    /// that were wanted or under way, and whatever was read but not assembled yet. The grids of its intervals are not among it.
    /// What a service asked to wait is waited all the same.
    pub(crate) fn inherit(&mut self, before: &Self, now: Instant) {
        self.counters = before.counters;
        self.sentinel_moved = before.sentinel_moved;
        let lost = before.candidates.pending.is_some();
        self.store.inherit(&before.store, lost, now, &mut self.rng);
        self.reads.inherit(&before.reads, now);
        self.candidates.inherit(&before.candidates, now);
    }

    /// Takes in an event and says what to do.
    pub(crate) fn step(&mut self, event: Event, now: Instant) -> Vec<Action> {
        let mut actions = Vec::new();
        if self.stopped {
            return actions;
        }
        match event {
            Event::Woke => {}
            Event::Checked(outcome) => self.checked(outcome, now, &mut actions),
            Event::Read { id, outcome } => self.read(id, outcome, now),
            Event::Assembled { candidate, outcome } => {
                self.assembled(candidate, outcome, now, &mut actions);
            }
            Event::RefreshNow(callers) => self.waiting.extend(callers),
            Event::StoreDirty { within } => self.note_store(within, now),
            Event::SecretDirty(id) => self.note_secret(id, now),
            Event::Deserted if self.is_periodic() => self.desert(now),
            Event::Deserted => {
                self.desert(now);
                return actions;
            }
            Event::Shutdown => return self.stop(),
        }
        self.proceed(now, &mut actions);
        actions
    }

    /// The store changed, an event says. By itself it begins nothing.
    pub(crate) fn note_store(&mut self, within: Duration, now: Instant) {
        let delay = within.mul_f64(self.rng.f64());
        self.store.dirty(later(now, delay), later(now, within));
    }

    pub(crate) fn note_secret(&mut self, id: SecretId, now: Instant) {
        self.reads.force_one(id, now);
    }

    /// When to send [`Event::Woke`], if nothing else happens before.
    pub(crate) fn wake(&self) -> Option<Instant> {
        if self.stopped {
            return None;
        }
        let services = earliest(self.store.wake(), self.reads.wake());
        earliest(services, self.candidates.wake(&self.reads))
    }

    /// False if nothing happens between explicit refreshes.
    pub(crate) fn is_periodic(&self) -> bool {
        self.store.is_periodic()
    }

    #[cfg(test)]
    /// True while somebody waits for an answer.
    pub(crate) fn has_callers(&self) -> bool {
        self.round.is_some() || !self.waiting.is_empty()
    }

    /// Begins whatever is due.
    fn proceed(&mut self, now: Instant, actions: &mut Vec<Action>) {
        self.begin_round(now);
        let rng = &mut self.rng;
        let newest = self.candidates.newest();
        if let Some(scope) = self.store.start(newest.is_some(), now, rng) {
            self.compared_with = newest;
            self.counters.checks += 1;
            actions.push(Action::Check {
                known: self.compared_with,
                scope,
            });
        }
        let begun = self.reads.start(now, rng);
        self.counters.reads += begun.len() as u64;
        actions.extend(begun.into_iter().map(Action::Read));
        if !self.assembling
            && let Some(no) = self.candidates.start_publication(&self.reads, now)
        {
            self.assembling = true;
            actions.push(Action::Assemble(no));
        }
        self.end_round(now, actions);
        if self.round.is_none() && !self.waiting.is_empty() {
            self.proceed(now, actions);
        }
    }

    fn checked(&mut self, outcome: CheckOutcome, now: Instant, actions: &mut Vec<Action>) {
        let Some(check) = self.store.finish() else {
            return;
        };
        let mut failure = None;
        match outcome {
            CheckOutcome::Unchanged => {
                self.counters.unchanged += 1;
                let known = self.compared_with;
                self.candidates.confirmed(known, check.scope, check.started);
                self.store.succeeded(check, now, &mut self.rng);
            }
            CheckOutcome::Changed {
                candidate,
                needs,
                sentinel_moved,
            } => {
                self.counters.changed += 1;
                if sentinel_moved {
                    self.sentinel_moved = Some(check.started);
                }
                self.store.succeeded(check, now, &mut self.rng);
                self.store.settle = self.candidates.fetched(
                    candidate,
                    ids(&needs),
                    check.scope,
                    check.started,
                    now,
                );
                self.reads.need(&needs, now, &mut self.rng);
                self.await_unread(&needs);
                self.keep(actions);
            }
            CheckOutcome::Failed(error) => {
                self.counters.count_failed_check(&error);
                self.store.failed(check, error.clone(), now, &mut self.rng);
                failure = Some(error);
            }
        }
        if let Some(round) = &mut self.round {
            round.checks &= !check.forced;
            // A check by the interval, which happens to fail meanwhile, says nothing about the one that was asked for, unless
            // what that one found has to be seen once more.
            if check.forced || failure.is_none() || self.candidates.is_settling() {
                round.error = failure;
            }
        }
    }

    /// A round that fetched something waits for the secrets that were never read.
    fn await_unread(&mut self, needs: &[Need]) {
        let Some(round) = &mut self.round else { return };
        let unread = needs.iter().filter(|need| !self.reads.is_held(need.id));
        round.reads.extend(unread.map(|need| need.id));
    }

    fn read(&mut self, id: SecretId, outcome: Result<ReadReport, ReadError>, now: Instant) {
        self.counters.count_read(&outcome);
        let urgent = self.candidates.is_urgent(id, self.reads.is_held(id));
        let Some(finished) = self.reads.finish(id, outcome, urgent, now, &mut self.rng) else {
            return;
        };
        if finished.effect != Effect::Nothing {
            self.candidates.touch(id, now);
        }
        if let Some(round) = &mut self.round {
            round.read_ended(id, finished.started, finished.unknown);
        }
    }

    fn assembled(
        &mut self,
        no: CandidateNo,
        outcome: Result<Publication, Error>,
        now: Instant,
        actions: &mut Vec<Action>,
    ) {
        self.assembling = false;
        match outcome {
            Ok(publication) => {
                self.candidates.accepted(no);
                self.generation = publication.generation;
                if publication.changed {
                    self.counters.publications += 1;
                    if let Some(round) = &mut self.round {
                        round.was_published(publication.generation);
                    }
                }
                self.keep(actions);
            }
            Err(error) => {
                self.counters.refusals += 1;
                let needs = self.candidates.refused(no, &error);
                if error.kind() == ErrorKind::Reference {
                    self.reads.hurry(needs, now, &mut self.rng);
                }
            }
        }
    }

    /// Forgets secrets and candidates that nothing needs any more.
    fn keep(&mut self, actions: &mut Vec<Action>) {
        self.reads.retain(&self.candidates.needs());
        actions.push(Action::Keep(self.candidates.numbers()));
    }

    /// All callers that wait are served by one round, which sees everything that was written before it began.
    fn begin_round(&mut self, now: Instant) {
        if self.waiting.is_empty() || self.round.is_some() {
            return;
        }
        self.counters.rounds += 1;
        let mut round = Round::new(std::mem::take(&mut self.waiting), now);
        if !self.store.force(now) {
            round.checks = false;
            round.skip(SkipReason::Throttled);
        }
        let (reads, refused) = self.reads.force_all(now);
        round.reads = reads;
        round.skip_reads(refused);
        self.round = Some(round);
    }

    fn end_round(&mut self, now: Instant, actions: &mut Vec<Action>) {
        let Some(round) = &mut self.round else { return };
        if self.store.is_closed(now) && !self.store.is_checking() && round.checks {
            round.checks = false;
            round.skip(SkipReason::Throttled);
        }
        let parked = |id: &SecretId| self.reads.is_parked(*id, now);
        if round.reads.iter().any(parked) {
            round.reads.retain(|id| !self.reads.is_parked(*id, now));
            round.skip(SkipReason::Throttled);
        }
        // Only if somebody will look again soon: the look that was planned may have failed.
        let looks_again = self.store.settle.is_some() || self.store.is_checking();
        let cannot_settle = round.error.is_some() || self.store.is_closed(now) || !looks_again;
        let settling = self.candidates.is_settling() && !cannot_settle;
        let gathering = self.candidates.wake(&self.reads).is_some();
        let busy = round.checks || !round.reads.is_empty() || self.assembling;
        if busy || settling || gathering {
            return;
        }
        if let Some(round) = self.round.take() {
            let (callers, outcome) = round.outcome(self.candidates.refusal());
            actions.push(Action::Reply { callers, outcome });
        }
    }

    /// The work under way is gone, and so are those who asked for it. If only callers cause work, none is begun.
    fn desert(&mut self, now: Instant) {
        self.store.abandon();
        self.reads.abandon(now);
        self.assembling = false;
        self.waiting.clear();
        self.round = None;
    }

    fn stop(&mut self) -> Vec<Action> {
        self.stopped = true;
        let mut callers = std::mem::take(&mut self.waiting);
        callers.extend(
            self.round
                .take()
                .into_iter()
                .flat_map(|round| round.callers),
        );
        let closed = Error::new(ErrorKind::Closed, "the handle was shut down");
        let mut actions = Vec::new();
        if !callers.is_empty() {
            actions.push(Action::Reply {
                callers,
                outcome: RoundOutcome::Failed(closed),
            });
        }
        actions.push(Action::Stop);
        actions
    }
}

/// The pause before the machine is started again after a panic.
pub(crate) fn restart_delay(restarts: u32) -> Duration {
    full_jitter(restarts, &mut fastrand::Rng::new()).max(Duration::from_secs(1))
}

fn ids(needs: &[Need]) -> BTreeSet<SecretId> {
    needs.iter().map(|need| need.id).collect()
}
