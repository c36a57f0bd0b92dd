//! All secrets that the published and the pending candidate need, by vault.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::floor::Forced;
use super::id::SecretId;
use super::secret::{Finished, ReadError, ReadReport, Secret};
use super::timers::{Ticker, earliest};
use super::vault::{Patience, Vault};
use crate::time::Instant;

/// A secret that a candidate refers to.
#[derive(Debug, Clone)]
pub(crate) struct Need {
    pub(crate) id: SecretId,
    /// How often it is read again, if it has no version; `None`: never.
    pub(crate) every: Option<Duration>,
    /// What is known of the value that is held, if it was read before.
    pub(crate) held: Option<ReadReport>,
}

#[derive(Debug)]
pub(crate) struct Reads {
    patience: Patience,
    vaults: BTreeMap<u32, Vault>,
}

impl Reads {
    pub(crate) fn new(patience: Patience) -> Self {
        Self {
            patience,
            vaults: BTreeMap::new(),
        }
    }

    pub(crate) fn secrets(&self) -> impl Iterator<Item = (SecretId, &Secret)> {
        let secrets = self.vaults.values().flat_map(|vault| &vault.secrets);
        secrets.map(|(id, secret)| (*id, secret))
    }

    pub(crate) fn vaults(&self) -> impl Iterator<Item = (u32, &Vault)> {
        self.vaults.iter().map(|(number, vault)| (*number, vault))
    }

    /// True while there is something to remember of a vault, be it a pause that it asked for.
    pub(crate) fn knows(&self, vault: u32) -> bool {
        self.vaults.contains_key(&vault)
    }

    fn vault(&self, id: SecretId) -> Option<&Vault> {
        self.vaults.get(&id.vault())
    }

    fn vault_mut(&mut self, id: SecretId) -> Option<&mut Vault> {
        self.vaults.get_mut(&id.vault())
    }

    fn secret(&self, id: SecretId) -> Option<&Secret> {
        self.vault(id)?.secrets.get(&id)
    }

    /// Takes up what a candidate needs. Secrets that are new, or get another interval, are spread evenly over their
    /// intervals; what was never read is read as soon as its vault allows.
    pub(crate) fn need(&mut self, needs: &[Need], now: Instant, rng: &mut fastrand::Rng) {
        let spread = |need: &&Need| self.is_unplanned(need) && self.interval(need).is_some();
        let many = needs.iter().filter(spread).count().max(1);
        let mut nth = 0;
        for need in needs {
            if self.is_unplanned(need) {
                let grid = self.interval(need).map(|every| {
                    let phase = (f64::from(nth) + 1.0 - rng.f64()) / many as f64;
                    nth += 1;
                    Ticker::new(every, 0.0, phase, now, rng)
                });
                self.plan(need, grid, now, rng);
            }
            self.want_if_unread(need.id, now);
        }
    }

    /// How often a secret is to be read again, if at all.
    fn interval(&self, need: &Need) -> Option<Duration> {
        let rotates = self.patience.periodic && !need.id.is_versioned();
        need.every.filter(|_| rotates).map(Ticker::feasible)
    }

    /// Its reads are not planned yet, or at another interval.
    fn is_unplanned(&self, need: &Need) -> bool {
        let planned = self.secret(need.id).map(Secret::every);
        planned != Some(self.interval(need))
    }

    fn plan(&mut self, need: &Need, grid: Option<Ticker>, now: Instant, rng: &mut fastrand::Rng) {
        let known = self.vault_mut(need.id);
        match known.and_then(|vault| vault.secrets.get_mut(&need.id)) {
            Some(secret) => secret.replan(grid),
            None => self.add(need, grid, now, rng),
        }
    }

    fn add(&mut self, need: &Need, grid: Option<Ticker>, now: Instant, rng: &mut fastrand::Rng) {
        let rotates = self.patience.periodic && !need.id.is_versioned();
        let mut secret = Secret::new(grid, rotates);
        if let Some(report) = need.held {
            secret.hold(report, now, now, rng);
        }
        self.vaults
            .entry(need.id.vault())
            .or_insert_with(|| Vault::new(self.patience))
            .secrets
            .insert(need.id, secret);
    }

    fn want_if_unread(&mut self, id: SecretId, now: Instant) {
        let Some(vault) = self.vault_mut(id) else {
            return;
        };
        let flying = vault.in_flight(id);
        if let Some(secret) = vault.secrets.get_mut(&id)
            && secret.held.is_none()
            && !flying
        {
            secret.want(now);
        }
    }

    /// Forgets what no candidate needs.
    pub(crate) fn retain(&mut self, keep: &BTreeSet<SecretId>) {
        for vault in self.vaults.values_mut() {
            vault.secrets.retain(|id, _| keep.contains(id));
        }
        self.forget_idle();
    }

    fn forget_idle(&mut self) {
        self.vaults.retain(|_, vault| !vault.is_idle());
    }

    /// Begins whatever is due and allowed.
    pub(crate) fn start(&mut self, now: Instant, rng: &mut fastrand::Rng) -> Vec<SecretId> {
        self.vaults
            .values_mut()
            .flat_map(|vault| vault.start(now, rng))
            .collect()
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
        self.vault_mut(id)?.finish(id, outcome, urgent, now, rng)
    }

    /// True if the secret has a value, or it is known why it has none.
    pub(crate) fn was_tried(&self, id: SecretId) -> bool {
        let Some(vault) = self.vault(id) else {
            return true;
        };
        vault.is_throttled()
            || vault
                .secrets
                .get(&id)
                .is_none_or(|secret| secret.held.is_some() || secret.failing.is_some())
    }

    pub(crate) fn is_held(&self, id: SecretId) -> bool {
        self.secret(id).is_some_and(|secret| secret.held.is_some())
    }

    pub(crate) fn in_flight(&self, id: SecretId) -> bool {
        self.vault(id).is_some_and(|vault| vault.in_flight(id))
    }

    /// True if nothing that is under way will answer for the secret.
    pub(crate) fn is_parked(&self, id: SecretId, now: Instant) -> bool {
        self.vault(id).is_none_or(|vault| vault.is_parked(id, now))
    }

    /// A candidate was refused for its references.
    pub(crate) fn hurry(
        &mut self,
        ids: impl IntoIterator<Item = SecretId>,
        now: Instant,
        rng: &mut fastrand::Rng,
    ) {
        for id in ids {
            if let Some(vault) = self.vault_mut(id) {
                vault.hurry(id, now, rng);
            }
        }
    }

    /// A caller wants everything checked that can have changed. Gives what is to be waited for, and why the rest is not.
    pub(crate) fn force_all(&mut self, now: Instant) -> (BTreeSet<SecretId>, Vec<Forced>) {
        let (mut wanted, mut refused) = (BTreeSet::new(), Vec::new());
        for vault in self.vaults.values_mut() {
            let ids: Vec<_> = vault
                .secrets
                .iter()
                .filter(|(id, secret)| {
                    !id.is_versioned() || secret.held.is_none() || secret.failing.is_some()
                })
                .map(|(id, _)| *id)
                .collect();
            let before = wanted.len();
            for id in ids {
                match vault.force(id, now) {
                    Ok(()) => _ = wanted.insert(id),
                    Err(reason) => refused.push(reason),
                }
            }
            if wanted.len() > before {
                vault.was_forced(now);
            }
        }
        (wanted, refused)
    }

    /// An event names one secret. True if it is in use and can have changed.
    pub(crate) fn force_one(&mut self, id: SecretId, now: Instant) -> bool {
        if id.is_versioned() && self.is_held(id) {
            return false;
        }
        let Some(vault) = self.vault_mut(id) else {
            return false;
        };
        match vault.force(id, now) {
            Ok(()) => vault.was_forced(now),
            Err(Forced::Unknown) => return false,
            Err(Forced::Throttled | Forced::TooSoon) => {}
        }
        true
    }

    /// When something is to be started next, if nothing happens before.
    pub(crate) fn wake(&self) -> Option<Instant> {
        self.vaults.values().map(Vault::wake).fold(None, earliest)
    }

    /// When a secret is read next, as far as that is known.
    pub(crate) fn next_read(&self, id: SecretId) -> Option<Instant> {
        self.vault(id)?.next_read(id)
    }

    /// Takes over what is known of the vaults from a machine that ended.
    pub(crate) fn inherit(&mut self, before: &Self, now: Instant) {
        for (number, before) in &before.vaults {
            // A pause that was asked for counts also for what will be needed later.
            if before.is_throttled() {
                let new = || Vault::new(self.patience);
                self.vaults.entry(*number).or_insert_with(new);
            }
            if let Some(vault) = self.vaults.get_mut(number) {
                vault.inherit(before, now);
            }
        }
    }

    /// The requests under way were dropped.
    pub(crate) fn abandon(&mut self, now: Instant) {
        for vault in self.vaults.values_mut() {
            vault.abandon(now);
        }
    }
}
