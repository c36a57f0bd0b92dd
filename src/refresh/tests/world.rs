//! The machine between a simulated store and simulated vaults: executes its actions in virtual time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::backend::{Content, FIRST_FLAG, Fault, Setting, Store, Vault, name, secret};
use super::model::{Policy, Seen, Snapshot, Vaults, reload};
use super::observer::Observer;
use super::services::Answer;
use crate::error::SecretErrorKind;
use crate::refresh::state::{
    Action, Caller, CandidateNo, Event, RoundOutcome, Schedule, SecretId, State,
};
use crate::time::Instant;

/// After this long without an answer a request fails.
pub(super) const DEADLINE: Duration = Duration::from_secs(10);

pub(super) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The defaults, with every number that a test may want to change.
pub(super) fn schedule() -> Schedule {
    Schedule {
        every: Some(secs(30)),
        flags_every: None,
        jitter: 0.2,
        settle: Duration::ZERO,
        idle: secs(300),
        reads_per_vault: 16,
    }
}

pub(super) struct World {
    pub(super) start: Instant,
    pub(super) now: Instant,
    pub(super) state: State,
    pub(super) store: Store,
    pub(super) vaults: Vaults,
    pub(super) policy: Policy,
    /// How often secrets are read again: all, and those of settings with an interval of their own.
    pub(super) common: Duration,
    pub(super) intervals: BTreeMap<u16, Duration>,
    pub(super) observer: Observer,
    pub(super) published: Option<(u64, Snapshot)>,
    pub(super) answers: BTreeMap<(Instant, u64), Answer>,
    pub(super) contents: BTreeMap<CandidateNo, Content>,
    pub(super) held: BTreeMap<SecretId, u32>,
    pub(super) failing: BTreeMap<SecretId, SecretErrorKind>,
    pub(super) serial: u64,
    wake: Option<Instant>,
    checked_age: Option<(CandidateNo, crate::refresh::state::AsOf)>,
}

impl World {
    /// Loaded and published: `content`, with every secret in it at version 1.
    pub(super) fn new(schedule: &Schedule, seed: u64, content: Content) -> Self {
        let start = Instant::now();
        let mut world = Self::unloaded(schedule, seed, content, start);
        let content = world.store.content().clone();
        let ids = references(&content);
        for id in &ids {
            let value = world.vaults[&id.vault()].value(*id).expect("version 1");
            world.held.insert(*id, value);
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
                .entry(id.vault())
                .or_insert_with(|| Vault::new(Duration::from_millis(10)));
            vault.rotate(start, name(id));
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
            common: schedule.idle,
            intervals: BTreeMap::new(),
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

    pub(super) fn vault(&mut self, vault: u32) -> &mut Vault {
        self.vaults
            .entry(vault)
            .or_insert_with(|| Vault::new(Duration::from_millis(10)))
    }

    pub(super) fn rotate(&mut self, id: SecretId) {
        let now = self.now;
        let vault = self.vaults.get_mut(&id.vault()).expect("a vault");
        vault.rotate(now, name(id));
    }

    /// A secret that no setting refers to yet.
    pub(super) fn rotate_new(&mut self, id: SecretId) {
        let new = || Vault::new(Duration::from_millis(10));
        let vault = self.vaults.entry(id.vault()).or_insert_with(new);
        vault.rotate(self.now, name(id));
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

    /// Forgets what services held before, and what was counted. Only while all is well and everything is published.
    pub(super) fn forget_the_past(&mut self) {
        assert!(self.is_current(), "what is published is still of the past");
        self.store.forget_the_past();
        for vault in self.vaults.values_mut() {
            vault.forget_the_past();
        }
        self.observer.forget_the_past();
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
        if let Event::Deserted = &event {
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
            Action::Read(id) => self.begin_read(*id),
            Action::Assemble(no) => {
                return Some(Event::Assembled {
                    candidate: *no,
                    outcome: self.assemble(*no),
                });
            }
            Action::Keep(numbers) => {
                self.keep(numbers);
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

    fn keep(&mut self, numbers: &BTreeSet<CandidateNo>) {
        self.contents.retain(|no, _| numbers.contains(no));
        let ids: BTreeSet<_> = self.contents.values().flat_map(references).collect();
        self.held.retain(|id, _| ids.contains(id));
        self.failing.retain(|id, _| ids.contains(id));
        self.observer.forgot(&ids);
    }

    /// The next successful reads end, so that their values are held, but the machine is not told: it panics before. A refusal
    /// that is lost like this is remembered by the gates of the pipeline, which this world has not.
    pub(super) fn lose_reads(&mut self, many: usize) {
        let good = |answer: &Answer| matches!(answer, Answer::Read { result: Ok(_), .. });
        let lost = self.answers.iter().filter(|(_, answer)| good(answer));
        let lost: Vec<_> = lost.map(|(key, _)| *key).take(many).collect();
        for key in lost {
            self.now = key.0.max(self.now);
            if let Some(answer) = self.answers.remove(&key) {
                let _ = self.answered(answer);
            }
        }
    }

    /// The machine panicked: what was under way is gone, and another one starts from what is published.
    pub(super) fn restart(&mut self, schedule: &Schedule, seed: u64) {
        self.answers.clear();
        self.observer.dropped();
        let known = self
            .state
            .candidates
            .published
            .as_ref()
            .map(|known| known.no);
        self.keep(&known.into_iter().collect());
        let needs = known.and_then(|no| Some(self.needs(self.contents.get(&no)?)));
        let published = known.zip(needs.as_deref());
        let generation = self
            .published
            .as_ref()
            .map_or(0, |(generation, _)| *generation);
        let mut state = State::new(schedule, seed, published, generation, self.now);
        state.inherit(&self.state, self.now);
        self.state = state;
        self.wake = self.state.wake();
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
        Setting::Reference(id) => Some(*id),
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
