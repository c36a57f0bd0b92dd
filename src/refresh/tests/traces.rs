//! Random traces of writes, faults, events and callers: no invariant breaks, and nothing is lost once all is well.
//!
//! A slice runs with the other tests. The full run: `CONFIG_AZURE_TRACES=100000 cargo test --release --lib random_traces`.
//! A trace that fails is reproduced by its number: `CONFIG_AZURE_TRACE=<number> cargo test --lib random_traces`.

use std::collections::BTreeMap;
use std::time::Duration;

use super::backend::{CONFLICT, FIRST_FLAG, Fault, Setting, Versions, pinned, secret};
use super::model::Policy;
use super::world::{World, content, references, schedule, secs};
use crate::error::SecretErrorKind;
use crate::refresh::state::SecretId;
use crate::refresh::state::{Event, Schedule};

const STEPS: u32 = 200;
const SLICE: u64 = 2_000;
const VAULTS: u32 = 2;
const SECRETS: u16 = 4;

/// Traces that found faults in their day. What a number stands for moves whenever a trace draws one more random number, as
/// these have since: what they found is kept by hand, in `owed`.
/// 4528: a caller waited for a change set to settle, though the store had asked for a pause and nobody looked again.
/// 50736: a first check was dropped, and the next one, by the interval of settings, passed for one of flags as well.
const REGRESSIONS: &[u64] = &[4_528, 50_736];

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the number of traces is the tester's choice"
)]
fn random_traces_lose_nothing_and_break_nothing() {
    let number = |name: &str| std::env::var(name).ok()?.parse().ok();
    if let Some(one) = number("CONFIG_AZURE_TRACE") {
        return Trace::new(one).run();
    }
    let many = number("CONFIG_AZURE_TRACES").unwrap_or(SLICE);
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let seeds = (thread..many).step_by(threads as usize);
            scope.spawn(move || REGRESSIONS.iter().copied().chain(seeds).for_each(run));
        }
    });
}

fn run(seed: u64) {
    let run = std::panic::catch_unwind(|| Trace::new(seed).run());
    assert!(run.is_ok(), "trace {seed} breaks an invariant");
}

/// In every other trace, some references are read at intervals of their own. Random numbers of their own, too: a trace
/// that is known by its number stays what it was.
fn intervals(seed: u64) -> BTreeMap<u16, Duration> {
    let mut rng = fastrand::Rng::with_seed(!seed);
    let own = (10..15).filter(|_| seed.is_multiple_of(2) && rng.bool());
    let keys: Vec<_> = own.collect();
    keys.into_iter()
        .map(|key| (key, secs([1, 45, 900][rng.usize(..3)])))
        .collect()
}

/// A world in which anything may happen at any time.
pub(super) struct Trace {
    pub(super) world: World,
    pub(super) rng: fastrand::Rng,
    schedule: Schedule,
    callers: u64,
    /// Now and then the machine panics and is started again.
    panics: bool,
}

impl Trace {
    fn new(seed: u64) -> Self {
        Self::at(seed, &[1, 30, 30, 30, 300], &[1, 60, 300, 300])
    }

    /// With one of these intervals for the store, and one of these for secrets, in seconds.
    pub(super) fn at(seed: u64, every: &[u64], secrets_every: &[u64]) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut pick = |options: &[u64]| secs(options[rng.usize(..options.len())]);
        let schedule = Schedule {
            every: Some(pick(every)),
            flags_every: Some(pick(&[0, 0, 45])).filter(|every| !every.is_zero()),
            settle: pick(&[0, 0, 2]),
            idle: pick(secrets_every),
            jitter: f64::from(rng.u8(..=5)) / 10.0,
            ..schedule()
        };
        let start = content(3, 2);
        let mut world = if rng.u8(..8) == 0 {
            World::unloaded(&schedule, seed, start, crate::time::Instant::now())
        } else {
            World::new(&schedule, seed, start)
        };
        world.policy = [
            Policy::KeepLast,
            Policy::KeepLast,
            Policy::Omit,
            Policy::Fail,
        ][rng.usize(..4)];
        world.intervals = intervals(seed);
        for vault in 0..VAULTS {
            for name in 0..SECRETS {
                let now = world.now;
                if world.vault(vault).secrets.contains_key(&name) {
                    continue;
                }
                world.vault(vault).rotate(now, name);
            }
        }
        Self {
            world,
            rng,
            schedule,
            callers: 0,
            panics: seed % 7 == 3,
        }
    }

    fn run(mut self) {
        for step in 0..STEPS {
            if self.panics && step % 16 == 15 {
                let lost = self.rng.usize(..3);
                self.world.lose_reads(lost);
                self.world.restart(&self.schedule, u64::from(step));
            }
            self.step();
        }
        self.recover();
        self.world.send(Event::Shutdown);
        self.world.run(secs(3_600));
    }

    /// Everything gets well: what the services hold is published in time, and stays so.
    pub(super) fn recover(&mut self) {
        self.heal();
        self.becomes_current();
        if self.panics {
            self.loses_a_rotation();
            self.becomes_current();
        }
    }

    fn becomes_current(&mut self) {
        let bound = self.bound();
        let (shorter, mut waited) = (self.shorter(), Duration::ZERO);
        while !self.world.is_current() {
            assert!(
                waited < bound,
                "I4: not current {bound:?} after all was well"
            );
            self.world.run(shorter * 4);
            waited += shorter * 4;
        }
        self.world.run(shorter * 8);
        assert!(
            self.world.is_current(),
            "I4: current, and then not any more"
        );
    }

    /// One secret rotates, is read, and the machine panics before it hears of it. Nothing else happens that would publish it.
    fn loses_a_rotation(&mut self) {
        let used = references(self.world.store.content());
        let Some(id) = used.into_iter().find(|id| !id.is_versioned()) else {
            return;
        };
        self.world.rotate(id);
        let read = |world: &World| world.state.reads.in_flight(id);
        let read = self.world.run_until(self.bound(), read);
        assert!(read.is_some(), "I4: {id:?} is not read any more");
        self.world.lose_reads(usize::MAX);
        self.world.restart(&self.schedule, 0);
    }

    pub(super) fn step(&mut self) {
        let now = self.world.now;
        match self.rng.u8(..30) {
            0..=9 => {
                let length = self.span();
                self.world.run(length);
            }
            10..=12 => {
                let (key, value) = (self.rng.u16(..5), self.rng.u32(..4));
                self.world.write(key, Setting::Plain(value));
            }
            13 => {
                let key = FIRST_FLAG + self.rng.u16(..2);
                let value = self.rng.u32(..4);
                self.world.write(key, Setting::Plain(value));
            }
            14 | 15 => {
                let (key, id) = (self.rng.u16(10..15), self.id());
                self.world.write(key, Setting::Reference(id));
            }
            16 => {
                let key = self.rng.u16(..16);
                self.world
                    .store
                    .write(now, |content| _ = content.remove(&key));
            }
            17 => {
                let broken = self.rng.bool();
                self.world.store.write(now, |content| {
                    content.remove(&CONFLICT);
                    if broken {
                        content.insert(CONFLICT, Setting::Plain(0));
                    }
                });
            }
            18..=20 => {
                let id = self.id();
                self.world.rotate(id);
            }
            21 => self.ail(),
            22 | 23 => self.world.store.fault = self.fault(),
            24 | 25 => {
                let (vault, fault) = (self.rng.u32(..VAULTS), self.fault());
                self.world.vault(vault).fault = fault;
            }
            26 => {
                let latency = Duration::from_millis(1 << self.rng.u32(..13));
                self.world.store.latency = latency;
                let vault = self.rng.u32(..VAULTS);
                self.world.vault(vault).latency = latency;
            }
            27 => {
                self.callers += 1;
                self.world.refresh(self.callers);
            }
            28 => {
                let event = if self.rng.bool() {
                    Event::StoreDirty {
                        within: secs(self.rng.u64(..30)),
                    }
                } else {
                    Event::SecretDirty(self.id())
                };
                self.world.send(event);
            }
            _ if self.rng.u8(..4) == 0 => self.world.send(Event::Deserted),
            _ => {
                let stall = self.span();
                self.world.stall(stall);
            }
        }
    }

    /// From a hundredth of the shorter interval to eight of it, small ones as often as large ones.
    fn span(&mut self) -> Duration {
        let part = 8.0 / f64::from(1_u32 << self.rng.u32(..10)) * self.rng.f64();
        self.shorter().mul_f64(part)
    }

    fn shorter(&self) -> Duration {
        let every = self.schedule.every.unwrap_or_default();
        every.min(self.schedule.idle)
    }

    /// One of the secrets, now and then with its first version.
    fn id(&mut self) -> SecretId {
        let (vault, name) = (self.rng.u32(..VAULTS), self.rng.u16(..SECRETS));
        if self.rng.u8(..4) == 0 {
            return pinned(vault, name);
        }
        secret(vault, name)
    }

    /// One secret falls ill, is deleted, or gets well.
    fn ail(&mut self) {
        let now = self.world.now;
        let name = self.rng.u16(..SECRETS);
        let (vault, what) = (self.rng.u32(..VAULTS), self.rng.u8(..5));
        let vault = self.world.vault(vault);
        match what {
            0 => _ = vault.ill.insert(name, SecretErrorKind::Forbidden),
            1 => _ = vault.ill.insert(name, SecretErrorKind::Unreachable),
            2 => vault.stuck.push(name),
            3 => vault.delete(now, name),
            _ => {
                vault.ill.remove(&name);
                vault.stuck.clear();
                vault.rotate(now, name);
            }
        }
    }

    fn fault(&mut self) -> Fault {
        match self.rng.u8(..10) {
            0 => Fault::Down,
            1 => Fault::Broken,
            2 => Fault::Hangs,
            3 => Fault::Throttles(None),
            4 => Fault::Throttles(Some(secs(self.rng.u64(..60)))),
            _ => Fault::None,
        }
    }

    /// Everything gets well, and stays as it is from here on.
    fn heal(&mut self) {
        let world = &mut self.world;
        let now = world.now;
        world.store.fault = Fault::None;
        world.store.latency = Duration::from_millis(5);
        world
            .store
            .write(now, |content| _ = content.remove(&CONFLICT));
        for vault in world.vaults.values_mut() {
            vault.fault = Fault::None;
            vault.latency = Duration::from_millis(10);
            vault.ill.clear();
            vault.stuck.clear();
            // Only those that are deleted: a rotation of the others would hide that an earlier one was lost.
            let gone = |versions: &Versions| versions.last().is_none_or(|(_, v)| v.is_none());
            let secrets = vault.secrets.iter();
            let names: Vec<_> = secrets.filter(|(_, v)| gone(v)).map(|(n, _)| *n).collect();
            for name in names {
                vault.rotate(now, name);
            }
        }
    }

    /// One interval (stretched, as after throttling) plus one backoff cap, what was still asked to wait, and the deadline of
    /// a request that hangs from before.
    fn bound(&self) -> Duration {
        let every = self.schedule.every.unwrap_or_default();
        let shorter = self.schedule.flags_every.unwrap_or(every).min(every);
        let stretched = (shorter * 8).min(shorter.max(secs(600))).max(every);
        let stretched = stretched.mul_f64(1.5);
        let own = self.world.intervals.values().copied().max();
        let secrets = self.schedule.idle.max(own.unwrap_or_default()).mul_f64(1.5);
        let settle = self.schedule.settle * 2;
        stretched.max(secrets) + secs(75) + secs(62) + settle + secs(20)
    }
}
