//! One vault and its secrets: how many reads at once, and how it is spared while it fails or asks for fewer.

use std::collections::BTreeMap;
use std::time::Duration;

use super::floor::{Floor, Forced};
use super::id::SecretId;
use super::secret::{Effect, Finished, ReadError, ReadReport, Secret};
use super::timers::{asked_wait, earliest, full_jitter};
use crate::time::{Instant, later};

/// Reads at once in a vault of which nothing is known yet; every success allows one more.
const FIRST_WINDOW: usize = 4;

/// How the machine is to treat failures.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// Nothing runs between explicit refreshes, so that nothing is scheduled.
    pub(crate) periodic: bool,
    /// When to try again what nobody waits for and no interval covers.
    pub(crate) idle: Duration,
    /// Reads at once, at most.
    pub(crate) window: usize,
}

#[derive(Debug)]
pub(crate) struct Vault {
    pub(crate) secrets: BTreeMap<SecretId, Secret>,
    flights: BTreeMap<SecretId, Instant>,
    patience: Patience,
    /// Set by a 429: closed until then, and half open (one probe at a time) until a probe got an answer.
    gate: Option<Instant>,
    probe: Option<SecretId>,
    /// Failures of the whole vault in a row, and when one of the waiting secrets is tried again.
    failures: u32,
    retry: Option<Instant>,
    answered: Option<Instant>,
    window: usize,
    floor: Floor,
}

impl Vault {
    pub(crate) fn new(patience: Patience) -> Self {
        Self {
            secrets: BTreeMap::new(),
            flights: BTreeMap::new(),
            patience,
            gate: None,
            probe: None,
            failures: 0,
            retry: None,
            answered: None,
            window: FIRST_WINDOW.min(patience.window).max(1),
            floor: Floor::default(),
        }
    }

    /// Nothing to remember: no secret, no request under way, no wait that was asked for.
    pub(crate) fn is_idle(&self) -> bool {
        self.secrets.is_empty() && self.flights.is_empty() && self.gate.is_none()
    }

    /// A 429 has not been followed by an answer yet.
    pub(crate) fn is_throttled(&self) -> bool {
        self.gate.is_some()
    }

    /// Until when no request may be made.
    pub(crate) fn closed_until(&self) -> Option<Instant> {
        self.gate
    }

    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    pub(crate) fn in_flight(&self, id: SecretId) -> bool {
        self.flights.contains_key(&id)
    }

    /// The read will not start now and no other read that would allow it is under way.
    pub(crate) fn is_parked(&self, id: SecretId, now: Instant) -> bool {
        if self.in_flight(id) {
            return false;
        }
        let closed = self.gate.is_some_and(|until| until > now);
        let wanted = self
            .secrets
            .get(&id)
            .is_some_and(|secret| secret.is_due(now) || secret.waits);
        closed || !wanted
    }

    /// Begins whatever is due and allowed.
    pub(crate) fn start(&mut self, now: Instant, rng: &mut fastrand::Rng) -> Vec<SecretId> {
        let mut begun = self.start_due(now, rng);
        if self.gate.is_none() && self.probe.is_none() && self.retry.is_some_and(|at| at <= now) {
            self.retry = None;
            if let Some(id) = self.choose(1, |secret| secret.waits).pop() {
                self.begin(id, now, rng);
                self.probe = Some(id);
                begun.push(id);
            }
        }
        begun
    }

    fn start_due(&mut self, now: Instant, rng: &mut fastrand::Rng) -> Vec<SecretId> {
        let begun = match self.gate {
            Some(until) if until > now || self.probe.is_some() => return Vec::new(),
            Some(_) => {
                let begun = self.choose(1, |secret| secret.waits || secret.is_due(now));
                self.probe = begun.first().copied();
                begun
            }
            None => {
                let room = self.window.saturating_sub(self.flights.len());
                self.choose(room, |secret| secret.is_due(now))
            }
        };
        for id in &begun {
            self.begin(*id, now, rng);
        }
        begun
    }

    /// At most `most` of the secrets that are wanted: those never read first, then the one not asked for longest.
    fn choose(&self, most: usize, wanted: impl Fn(&Secret) -> bool) -> Vec<SecretId> {
        let mut chosen: Vec<_> = self
            .secrets
            .iter()
            .filter(|(id, secret)| wanted(secret) && !self.in_flight(**id))
            .collect();
        chosen.sort_by_key(|(_, secret)| (secret.started, secret.held.is_some()));
        chosen.into_iter().take(most).map(|(id, _)| *id).collect()
    }

    fn begin(&mut self, id: SecretId, now: Instant, rng: &mut fastrand::Rng) {
        self.flights.insert(id, now);
        if let Some(secret) = self.secrets.get_mut(&id) {
            secret.begin(now, rng);
        }
    }

    /// A read has ended. `urgent`: a candidate waits for it.
    pub(crate) fn finish(
        &mut self,
        id: SecretId,
        outcome: Result<ReadReport, ReadError>,
        urgent: bool,
        now: Instant,
        rng: &mut fastrand::Rng,
    ) -> Option<Finished> {
        let started = self.flights.remove(&id)?;
        let probed = self.probe.take_if(|probe| *probe == id).is_some();
        let unknown = outcome.is_err_and(|error| error.is_transient());
        let effect = match outcome {
            Ok(report) => {
                self.answered(probed, now);
                self.secrets
                    .get_mut(&id)
                    .map(|secret| secret.succeeded(report, started, now, rng))
            }
            Err(error) if error.is_throttled() => {
                self.throttled(error, probed, now, rng);
                self.fail_with_vault(id, error, now)
            }
            Err(error) if error.is_vault_wide() && !self.is_its_own(id, started) => {
                self.unwell(probed, now, rng);
                self.fail_with_vault(id, error, now)
            }
            Err(error) => {
                if !error.is_vault_wide() {
                    self.answered(probed, now);
                }
                self.fail_alone(id, error, urgent, now, rng)
            }
        };
        if let Some(secret) = self.secrets.get_mut(&id) {
            if id.is_versioned() && secret.failing.is_none() {
                secret.wanted = None;
            } else if std::mem::take(&mut secret.again) {
                secret.want(now);
            }
        }
        Some(Finished {
            started,
            effect: effect.unwrap_or(Effect::Nothing),
            unknown,
        })
    }

    /// The vault has answered others since this secret began to fail: the fault is the secret's, not the vault's.
    fn is_its_own(&self, id: SecretId, started: Instant) -> bool {
        let since = self
            .secrets
            .get(&id)
            .and_then(|secret| secret.failing)
            .map_or(started, |failing| failing.since);
        self.gate.is_none() && self.answered.is_some_and(|at| at > since)
    }

    /// The vault has answered. A closed gate is opened only by its probe: other answers were asked for earlier.
    fn answered(&mut self, probed: bool, now: Instant) {
        if self.gate.is_some() && !probed {
            return;
        }
        let was_unwell = self.gate.take().is_some() || self.failures > 0;
        // One that still waits for its answer speaks for nobody any more: who fails from here on waits for another.
        self.probe = None;
        self.answered = Some(now);
        self.failures = 0;
        self.retry = None;
        self.window = if was_unwell {
            FIRST_WINDOW.min(self.patience.window).max(1)
        } else {
            (self.window + 1).min(self.patience.window).max(1)
        };
        for secret in self.secrets.values_mut() {
            if std::mem::take(&mut secret.waits) {
                secret.want(now);
            }
        }
    }

    fn throttled(&mut self, error: ReadError, probed: bool, now: Instant, rng: &mut fastrand::Rng) {
        if probed || self.gate.is_none() {
            self.failures = self.failures.saturating_add(1);
        }
        let own = full_jitter(self.failures, rng).max(Duration::from_secs(1));
        let asked = error
            .retry_at
            .map_or(Duration::ZERO, |at| at.saturating_duration_since(now));
        // A vault that says "at once" again and again would be asked in a tight loop.
        let wait = if asked < Duration::from_secs(1) {
            own
        } else {
            asked_wait(asked, rng)
        };
        let until = later(now, wait);
        if self.gate.is_none() {
            // Whatever is under way was asked before, and its answer must not open the gate.
            self.probe = None;
        }
        self.gate = Some(self.gate.map_or(until, |gate| gate.max(until)));
        self.retry = None;
    }

    /// No answer, though the vault did not ask for fewer requests.
    fn unwell(&mut self, probed: bool, now: Instant, rng: &mut fastrand::Rng) {
        let first = self.retry.is_none() && self.probe.is_none();
        if !probed && !first {
            return;
        }
        self.failures = self.failures.saturating_add(1);
        let again = later(now, full_jitter(self.failures, rng));
        match &mut self.gate {
            Some(gate) => *gate = again.max(*gate),
            None => self.retry = self.patience.periodic.then_some(again),
        }
    }

    fn fail_with_vault(&mut self, id: SecretId, error: ReadError, now: Instant) -> Option<Effect> {
        let secret = self.secrets.get_mut(&id)?;
        secret.waits = true;
        Some(secret.failed(error, now))
    }

    fn fail_alone(
        &mut self,
        id: SecretId,
        error: ReadError,
        urgent: bool,
        now: Instant,
        rng: &mut fastrand::Rng,
    ) -> Option<Effect> {
        let patience = self.patience;
        let secret = self.secrets.get_mut(&id)?;
        let effect = secret.failed(error, now);
        if !patience.periodic {
            secret.retry = None;
        } else if urgent || error.is_transient() {
            secret.back_off(now, rng);
        } else if secret.grid.is_none() {
            secret.retry = Some(later(now, patience.idle));
        }
        Some(effect)
    }

    /// A candidate was refused for its references: those that fail are tried again soon.
    pub(crate) fn hurry(&mut self, id: SecretId, now: Instant, rng: &mut fastrand::Rng) {
        let idle = !self.in_flight(id) && self.patience.periodic;
        if let Some(secret) = self.secrets.get_mut(&id)
            && idle
            && secret.failing.is_some()
            && !secret.waits
            && secret.wanted.is_none()
        {
            secret.back_off(now, rng);
        }
    }

    /// Asks for a read on behalf of a caller or an event. `Err` says from when on it is allowed, and the read is put there.
    pub(crate) fn force(&mut self, id: SecretId, now: Instant) -> Result<(), Forced> {
        let flying = self.in_flight(id);
        let Some(secret) = self.secrets.get_mut(&id) else {
            return Err(Forced::Unknown);
        };
        if flying && id.is_versioned() {
            return Ok(());
        }
        if self.gate.is_some_and(|until| until > now) {
            secret.want(now);
            return Err(Forced::Throttled);
        }
        if let Some(open) = self.floor.until(now) {
            secret.want(open);
            return Err(Forced::TooSoon);
        }
        if flying {
            secret.again = true;
        } else {
            secret.want(now);
        }
        Ok(())
    }

    /// The floor counts from here.
    pub(crate) fn was_forced(&mut self, now: Instant) {
        self.floor.begin(now);
    }

    /// When something is to be started next, if nothing happens before.
    pub(crate) fn wake(&self) -> Option<Instant> {
        let idle = || self.secrets.iter().filter(|(id, _)| !self.in_flight(**id));
        if let Some(gate) = self.gate {
            if self.probe.is_some() {
                return None;
            }
            return idle()
                .filter_map(|(_, secret)| {
                    if secret.waits {
                        Some(gate)
                    } else {
                        secret.due()
                    }
                })
                .min()
                .map(|due| due.max(gate));
        }
        let room = self.flights.len() < self.window;
        let due = idle().filter_map(|(_, secret)| secret.due()).min();
        let retry = self.retry.filter(|_| self.probe.is_none());
        earliest(due.filter(|_| room), retry)
    }

    /// When it is read next, as far as that is known; `None` while a read is under way.
    pub(crate) fn next_read(&self, id: SecretId) -> Option<Instant> {
        let secret = self.secrets.get(&id).filter(|_| !self.in_flight(id))?;
        match self.gate {
            Some(gate) if secret.waits => Some(gate),
            Some(gate) => secret.due().map(|due| due.max(gate)),
            None if secret.waits => earliest(self.retry, secret.due()),
            None => secret.due(),
        }
    }

    /// Takes over what is known of the vault from a machine that ended. What failed there, or was under way, is tried again.
    pub(crate) fn inherit(&mut self, before: &Self, now: Instant) {
        self.gate = before.gate;
        self.failures = before.failures;
        self.floor = before.floor;
        for (id, secret) in &mut self.secrets {
            if let Some(known) = before.secrets.get(id) {
                secret.inherit(known, before.in_flight(*id), now);
            }
            if id.is_versioned() && secret.held.is_some() && secret.failing.is_none() {
                secret.wanted = None;
            }
        }
    }

    /// The requests under way were dropped.
    pub(crate) fn abandon(&mut self, now: Instant) {
        self.probe = None;
        for id in std::mem::take(&mut self.flights).into_keys() {
            if let Some(secret) = self.secrets.get_mut(&id) {
                secret.want(now);
            }
        }
    }
}
