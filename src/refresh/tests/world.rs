//! The machine between a simulated store and simulated vaults: executes its actions in virtual time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::backend::{CONFLICT, Content, FIRST_FLAG, Fault, Setting, Store, Vault};
use super::model::{Policy, Seen, Snapshot, Vaults, reload};
use super::observer::Observer;
use crate::error::{Error, ErrorKind, SecretErrorKind};
use crate::reference::SecretIdentifier;
use crate::refresh::state::{
    Action, AsOf, Caller, CandidateNo, CheckOutcome, Event, Need, Publication, ReadError,
    ReadReport, RoundOutcome, Schedule, State,
};
use crate::refresh::{Scope, SecretId};
use crate::time::Instant;

/// After this long without an answer a request fails.
pub(super) const DEADLINE: Duration = Duration::from_secs(10);

pub(super) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(super) fn secret(vault: u8, name: u16) -> SecretId {
    identifier(&host(vault), &format!("s{name}"))
}

/// The first version of it, by name.
pub(super) fn pinned(vault: u8, name: u16) -> SecretId {
    identifier(&host(vault), &format!("s{name}/1"))
}

fn identifier(host: &str, path: &str) -> SecretId {
    let text = format!("https://{host}/secrets/{path}");
    SecretId::Secret(SecretIdentifier::parse(&text).expect("an identifier"))
}

pub(super) fn host(vault: u8) -> String {
    format!("kv-{vault}.vault.azure.net")
}

/// The defaults, with every number that a test may want to change.
pub(super) fn schedule() -> Schedule {
    Schedule {
        every: Some(secs(30)),
        flags_every: None,
        jitter: 0.2,
        settle: Duration::ZERO,
        secrets_every: Some(secs(300)),
        reads_per_vault: 16,
    }
}

/// Something that a service will have answered by then.
enum Answer {
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

pub(super) struct World {
    pub(super) start: Instant,
    pub(super) now: Instant,
    pub(super) state: State,
    pub(super) store: Store,
    pub(super) vaults: Vaults,
    pub(super) policy: Policy,
    pub(super) observer: Observer,
    pub(super) published: Option<(u64, Snapshot)>,
    answers: BTreeMap<(Instant, u64), Answer>,
    contents: BTreeMap<CandidateNo, Content>,
    held: BTreeMap<SecretId, u32>,
    failing: BTreeMap<SecretId, SecretErrorKind>,
    serial: u64,
    wake: Option<Instant>,
    checked_age: Option<(CandidateNo, AsOf)>,
}

impl World {
    /// Loaded and published: `content`, with every secret in it at version 1.
    pub(super) fn new(schedule: &Schedule, seed: u64, content: Content) -> Self {
        let start = Instant::now();
        let mut world = Self::unloaded(schedule, seed, content, start);
        let content = world.store.content().clone();
        let ids = references(&content);
        for id in &ids {
            let value = world.vaults[id.vault_host()].value(id).expect("version 1");
            world.held.insert(id.clone(), value);
        }
        let needs = world.needs(&content);
        let snapshot = reload(&world.store, &world.vaults, world.policy).expect("a first load");
        world.contents.insert(0, content);
        world.state = State::new(schedule, seed, Some((0, &needs)), 1, start);
        world.publish(1, snapshot);
        world.wake = world.state.wake();
        world
    }

    /// The first load has failed and is left to the machine.
    pub(super) fn unloaded(
        schedule: &Schedule,
        seed: u64,
        content: Content,
        start: Instant,
    ) -> Self {
        let mut vaults = Vaults::new();
        for id in references(&content) {
            let vault = vaults
                .entry(id.vault_host().to_owned())
                .or_insert_with(|| Vault::new(Duration::from_millis(10)));
            vault.rotate(start, id.name());
        }
        let state = State::new(schedule, seed, None, 0, start);
        Self {
            start,
            now: start,
            wake: state.wake(),
            state,
            store: Store {
                fault: Fault::None,
                latency: Duration::from_millis(5),
                history: vec![(start, content)],
            },
            vaults,
            policy: Policy::KeepLast,
            observer: Observer::default(),
            published: None,
            answers: BTreeMap::new(),
            contents: BTreeMap::new(),
            held: BTreeMap::new(),
            failing: BTreeMap::new(),
            serial: 1,
            checked_age: None,
        }
    }

    pub(super) fn vault(&mut self, vault: u8) -> &mut Vault {
        self.vaults
            .entry(host(vault))
            .or_insert_with(|| Vault::new(Duration::from_millis(10)))
    }

    pub(super) fn rotate(&mut self, id: &SecretId) {
        let now = self.now;
        let vault = self.vaults.get_mut(id.vault_host()).expect("a vault");
        vault.rotate(now, id.name());
    }

    /// A secret that no setting refers to yet.
    pub(super) fn rotate_new(&mut self, id: &SecretId) {
        let new = || Vault::new(Duration::from_millis(10));
        let vault = self
            .vaults
            .entry(id.vault_host().to_owned())
            .or_insert_with(new);
        vault.rotate(self.now, id.name());
    }

    pub(super) fn write(&mut self, key: u16, setting: Setting) {
        self.store
            .write(self.now, |content| _ = content.insert(key, setting));
    }

    /// What readers see under a key.
    pub(super) fn seen(&self, key: u16) -> Option<&Seen> {
        self.published.as_ref()?.1.get(&key)
    }

    /// Everything that a reload would give now is published.
    pub(super) fn is_current(&self) -> bool {
        let wanted = reload(&self.store, &self.vaults, self.policy);
        wanted.is_some() && wanted.as_ref() == self.published.as_ref().map(|(_, s)| s)
    }

    /// Lets time pass, answering and waking the machine as it asks.
    pub(super) fn run(&mut self, length: Duration) {
        let end = self.now + length;
        while let Some(at) = self.next().filter(|at| *at <= end) {
            self.now = at.max(self.now);
            self.happen();
        }
        self.now = end;
    }

    /// Runs until the test holds, at most this long; says how long it took.
    pub(super) fn run_until(
        &mut self,
        longest: Duration,
        mut test: impl FnMut(&Self) -> bool,
    ) -> Option<Duration> {
        let from = self.now;
        while !test(self) {
            let at = self.next().filter(|at| *at <= from + longest)?;
            self.now = at.max(self.now);
            self.happen();
        }
        Some(self.now - from)
    }

    /// The process stands still: time passes and nothing is answered.
    pub(super) fn stall(&mut self, length: Duration) {
        self.now += length;
    }

    fn next(&self) -> Option<Instant> {
        let answer = self.answers.keys().next().map(|(at, _)| *at);
        [answer, self.wake].into_iter().flatten().min()
    }

    fn happen(&mut self) {
        let due = self.answers.first_entry();
        let answer = due.filter(|entry| entry.key().0 <= self.now);
        let event = match answer.map(|entry| entry.remove()) {
            Some(answer) => self.answered(answer),
            None => Event::Woke,
        };
        self.send(event);
    }

    /// Hands an event to the machine and does what it says.
    pub(super) fn send(&mut self, event: Event) {
        if let Event::RefreshNow(callers) = &event {
            for caller in callers {
                self.observer.called(*caller, self.now);
            }
        }
        if let Event::Abandoned = &event {
            self.answers.clear();
            self.observer.dropped();
        }
        let mut actions = self.state.step(event, self.now);
        let mut kept = false;
        while !actions.is_empty() {
            kept |= actions
                .iter()
                .any(|action| matches!(action, Action::Keep(_)));
            let assembled: Vec<_> = actions.drain(..).filter_map(|a| self.perform(&a)).collect();
            for event in assembled {
                actions.extend(self.state.step(event, self.now));
            }
        }
        if kept {
            let known = self.contents.keys().copied().collect();
            self.observer.kept(&self.state, &known);
        }
        self.wake = self.state.wake();
        self.observer.stepped(&self.state, self.wake, self.now);
        self.check_age();
    }

    pub(super) fn refresh(&mut self, caller: Caller) {
        self.send(Event::RefreshNow(vec![caller]));
    }

    pub(super) fn reply(&self, caller: Caller) -> Option<&RoundOutcome> {
        self.observer.replies.get(&caller)
    }

    fn perform(&mut self, action: &Action) -> Option<Event> {
        self.observer.action(action, self.now);
        match action {
            Action::Check { known, scope } => self.begin_check(*known, *scope),
            Action::Read(id) => self.begin_read(id),
            Action::Assemble(no) => {
                return Some(Event::Assembled {
                    candidate: *no,
                    outcome: self.assemble(*no),
                });
            }
            Action::Keep(numbers) => {
                self.contents.retain(|no, _| numbers.contains(no));
                let ids: BTreeSet<_> = self.contents.values().flat_map(references).collect();
                self.held.retain(|id, _| ids.contains(id));
                self.failing.retain(|id, _| ids.contains(id));
                self.observer.forgot(&ids);
            }
            Action::Reply { callers, outcome } => {
                let known = self.state.candidates.published.as_ref();
                let as_of = known.map(|known| known.as_of.oldest());
                self.observer.replied(callers, outcome, as_of);
            }
            Action::Stop => self.answers.clear(),
        }
        None
    }

    fn answer_after(&mut self, delay: Duration, answer: Answer) {
        self.serial += 1;
        self.answers.insert((self.now + delay, self.serial), answer);
    }

    fn begin_check(&mut self, known: Option<CandidateNo>, scope: Scope) {
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

    fn begin_read(&mut self, id: &SecretId) {
        let vault = &self.vaults[id.vault_host()];
        let hangs = vault.fault == Fault::Hangs || vault.stuck.iter().any(|s| s == id.name());
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
        self.answer_after(
            latency,
            Answer::Read {
                id: id.clone(),
                result,
            },
        );
    }

    fn answered(&mut self, answer: Answer) -> Event {
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
                    .read_ended(&id, result.as_ref().err(), self.now);
                let outcome = result.map(|value| self.hold(&id, value));
                if let Err(error) = &outcome {
                    self.failing.insert(id.clone(), error.kind);
                }
                Event::Read { id, outcome }
            }
        }
    }

    fn hold(&mut self, id: &SecretId, value: u32) -> ReadReport {
        self.failing.remove(id);
        let changed = self.held.insert(id.clone(), value) != Some(value);
        let expires_in = self.vaults[id.vault_host()].expires_in;
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

    fn needs(&self, content: &Content) -> Vec<Need> {
        references(content)
            .into_iter()
            .map(|id| Need {
                held: self.held.get(&id).map(|_| ReadReport::default()),
                id,
            })
            .collect()
    }

    fn assemble(&mut self, no: CandidateNo) -> Result<Publication, Error> {
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
                            snapshot.insert(*key, Seen::Secret(id.clone(), value));
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

    fn publish(&mut self, generation: u64, snapshot: Snapshot) {
        let backend = (&self.store, &self.vaults, self.policy);
        self.observer
            .published(generation, &snapshot, backend, self.now);
        self.published = Some((generation, snapshot));
    }

    /// I6: the store held what is published when the status says so, for settings and flags apart.
    fn check_age(&mut self) {
        let Some(known) = &self.state.candidates.published else {
            return;
        };
        if self.checked_age == Some((known.no, known.as_of)) {
            return;
        }
        self.checked_age = Some((known.no, known.as_of));
        let content = &self.contents[&known.no];
        for (at, flags) in [(known.as_of.settings, false), (known.as_of.flags, true)] {
            let part = |c: &Content| {
                if flags {
                    c.clone().split_off(&FIRST_FLAG)
                } else {
                    c.range(..FIRST_FLAG)
                        .map(|(key, setting)| (*key, setting.clone()))
                        .collect()
                }
            };
            let held = self
                .store
                .held_within(at, at, |then| part(then) == part(content));
            assert!(held, "I6: the store did not hold this at {at:?}");
        }
    }
}

pub(super) fn references(content: &Content) -> BTreeSet<SecretId> {
    let ids = content.values().filter_map(|setting| match setting {
        Setting::Reference(id) => Some(id.clone()),
        Setting::Plain(_) => None,
    });
    ids.collect()
}

/// Keys 0.. hold numbers; `many` references to one vault follow.
pub(super) fn content(plain: u16, many: u16) -> Content {
    let numbers = (0..plain).map(|key| (key, Setting::Plain(0)));
    let secrets = (0..many).map(|n| (FIRST_FLAG + 900 + n, Setting::Reference(secret(0, n))));
    numbers.chain(secrets).collect()
}
