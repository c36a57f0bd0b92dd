//! The simulated world's side of every action: how checks and reads are answered, how candidates are assembled.

use std::time::Duration;

use super::backend::{CONFLICT, Content, FIRST_FLAG, Fault, Setting, name};
use super::model::{Policy, Seen, Snapshot};
use super::world::{DEADLINE, World, references, secs};
use crate::error::{Error, ErrorKind, SecretErrorKind};
use crate::refresh::Scope;
use crate::refresh::state::{
    CandidateNo, CheckOutcome, Event, Need, Publication, ReadError, ReadReport, SecretId,
};

/// Something that a service will have answered by then.
pub(super) enum Answer {
    Check {
        result: Result<Content, Error>,
        known: Option<CandidateNo>,
        scope: Scope,
    },
    Read {
        id: SecretId,
        result: Result<u32, ReadError>,
    },
}

impl World {
    fn answer_after(&mut self, delay: Duration, answer: Answer) {
        self.serial += 1;
        self.answers.insert((self.now + delay, self.serial), answer);
    }

    pub(super) fn begin_check(&mut self, known: Option<CandidateNo>, scope: Scope) {
        let kind = match self.store.fault {
            Fault::None => None,
            Fault::Down => Some((ErrorKind::Unreachable, None)),
            Fault::Broken => Some((ErrorKind::Service, None)),
            Fault::Hangs => Some((ErrorKind::Timeout, None)),
            Fault::Throttles(asked) => Some((ErrorKind::Throttled, asked)),
        };
        let latency = match self.store.fault {
            Fault::Hangs => DEADLINE,
            _ => self.store.latency,
        };
        let result = match kind {
            None => Ok(self.store.content().clone()),
            Some((kind, asked)) => {
                let error = Error::new(kind, "simulated");
                Err(asked.map_or(error.clone(), |wait| error.with_retry_after(wait)))
            }
        };
        self.answer_after(
            latency,
            Answer::Check {
                result,
                known,
                scope,
            },
        );
    }

    pub(super) fn begin_read(&mut self, id: SecretId) {
        let vault = &self.vaults[&id.vault()];
        let hangs = vault.fault == Fault::Hangs || vault.stuck.contains(&name(id));
        let latency = if hangs { DEADLINE } else { vault.latency };
        let fail = |kind, retry_at| {
            Err(ReadError {
                kind,
                status: None,
                retry_at,
            })
        };
        let result = match vault.fault {
            _ if hangs => fail(SecretErrorKind::Unreachable, None),
            Fault::Throttles(asked) => {
                let at = asked.map(|wait| self.now + latency + wait);
                fail(SecretErrorKind::Throttled, at)
            }
            Fault::None => vault.value(id).or_else(|kind| fail(kind, None)),
            _ => fail(SecretErrorKind::Unreachable, None),
        };
        self.answer_after(latency, Answer::Read { id, result });
    }

    pub(super) fn answered(&mut self, answer: Answer) -> Event {
        match answer {
            Answer::Check {
                result,
                known,
                scope,
            } => {
                let asked = result.as_ref().err().and_then(Error::retry_after);
                self.observer
                    .checked(asked.map(|wait| self.now + wait.min(secs(600))));
                Event::Checked(self.compare(result, known, scope))
            }
            Answer::Read { id, result } => {
                self.observer
                    .read_ended(id, result.as_ref().err(), self.now);
                let outcome = result.map(|value| self.hold(id, value));
                if let Err(error) = &outcome {
                    self.failing.insert(id, error.kind);
                }
                Event::Read { id, outcome }
            }
        }
    }

    fn hold(&mut self, id: SecretId, value: u32) -> ReadReport {
        self.failing.remove(&id);
        let changed = self.held.insert(id, value) != Some(value);
        let expires_in = self.vaults[&id.vault()].expires_in;
        ReadReport {
            changed,
            expires_in,
            valid_in: None,
        }
    }

    /// What a check finds: only the part of the content that it was to look at can differ.
    fn compare(
        &mut self,
        result: Result<Content, Error>,
        known: Option<CandidateNo>,
        scope: Scope,
    ) -> CheckOutcome {
        let found = match result {
            Ok(found) => found,
            Err(error) => return CheckOutcome::Failed(error),
        };
        let known = known.map(|no| self.contents[&no].clone());
        let looked_at = |key: &u16| match scope {
            Scope::Both => true,
            Scope::Settings => *key < FIRST_FLAG,
            Scope::Flags => *key >= FIRST_FLAG,
        };
        let kept = known.iter().flatten().filter(|(key, _)| !looked_at(key));
        let mut content: Content = kept.map(|(key, s)| (*key, s.clone())).collect();
        content.extend(found.into_iter().filter(|(key, _)| looked_at(key)));
        if known.as_ref() == Some(&content) {
            return CheckOutcome::Unchanged;
        }
        let needs = self.needs(&content);
        self.serial += 1;
        let candidate = self.serial;
        self.contents.insert(candidate, content);
        CheckOutcome::Changed {
            candidate,
            needs,
            sentinel_moved: false,
        }
    }

    pub(super) fn needs(&self, content: &Content) -> Vec<Need> {
        references(content)
            .into_iter()
            .map(|id| Need {
                held: self.held.get(&id).map(|_| ReadReport::default()),
                every: self.interval(content, id),
                id,
            })
            .collect()
    }

    /// The shortest interval of the settings that refer to a secret.
    fn interval(&self, content: &Content, id: SecretId) -> Option<Duration> {
        let of_key = |(key, setting): (&u16, &Setting)| match setting {
            Setting::Reference(to) if *to == id => {
                Some(self.intervals.get(key).copied().unwrap_or(self.common))
            }
            _ => None,
        };
        content.iter().filter_map(of_key).min()
    }

    pub(super) fn assemble(&mut self, no: CandidateNo) -> Result<Publication, Error> {
        let content = &self.contents[&no];
        if content.contains_key(&CONFLICT) {
            return Err(Error::new(ErrorKind::Conflict, "simulated"));
        }
        let mut snapshot = Snapshot::new();
        for (key, setting) in content {
            match setting {
                Setting::Plain(value) => _ = snapshot.insert(*key, Seen::Plain(*value)),
                Setting::Reference(id) => {
                    let held = self.held.get(id).copied();
                    let fails = self.failing.contains_key(id) || held.is_none();
                    match (fails, self.policy, held) {
                        (true, Policy::Omit, _) => {}
                        (true, Policy::Fail, _) | (_, _, None) => {
                            return Err(Error::references(Vec::new()));
                        }
                        (_, _, Some(value)) => {
                            snapshot.insert(*key, Seen::Secret(*id, value));
                        }
                    }
                }
            }
        }
        let (generation, before) = self.published.clone().unwrap_or_default();
        let changed = generation == 0 || before != snapshot;
        let generation = generation + u64::from(changed);
        if changed {
            self.publish(generation, snapshot);
        }
        Ok(Publication {
            generation,
            changed,
        })
    }

    pub(super) fn publish(&mut self, generation: u64, snapshot: Snapshot) {
        let backend = (&self.store, &self.vaults, self.policy);
        self.observer
            .published(generation, &snapshot, backend, self.now);
        self.published = Some((generation, snapshot));
    }
}
